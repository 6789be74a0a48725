#include "faults/oracle/judge.h"

#include <utility>

namespace faults {

Verdict Judge::Check(const History& history) {
  ++judged_;
  Verdict verdict = linear_.Check(history);
  if (history.operations.size() <= search_limit && verdict.rule != Rule::kHistory) Confirm(history, &verdict);
  if (!verdict.ok && verdict.has_key && verdict.rule != Rule::kScan && verdict.rule != Rule::kDisagree) {
    std::vector<uint32_t> fewest = search_.Shrink(history, verdict);
    if (!fewest.empty()) verdict.witness = std::move(fewest);
  }
  undecided_ += verdict.ok && verdict.undecided;
  return verdict;
}

void Judge::Confirm(const History& history, Verdict* verdict) {
  ++searched_;
  Verdict second = search_.Check(history);
  const bool first_decided = !verdict->ok || !verdict->undecided;
  const bool second_decided = !second.ok || !second.undecided;
  if (!second_decided) return;
  if (!first_decided) {
    *verdict = std::move(second);
    return;
  }
  if (verdict->ok == second.ok && (!verdict->ok || verdict->buffered == second.buffered)) {
    verdict->undecided = false;
    return;
  }
  Verdict disagree;
  disagree.ok = false;
  disagree.rule = Rule::kDisagree;
  auto line = [](const Verdict& v) {
    if (v.ok) return std::string(v.buffered ? "legal" : "legal but for R6");
    return std::string(RuleName(v.rule)) + " " + v.what;
  };
  disagree.what = "the checkers disagree; linear: " + line(*verdict) + "; search: " + line(second);
  const Verdict& accuser = verdict->ok ? second : *verdict;
  disagree.has_key = accuser.has_key;
  disagree.key = accuser.key;
  disagree.incarnation = accuser.incarnation;
  disagree.witness = accuser.witness;
  *verdict = std::move(disagree);
}

}  // namespace faults
