#include "faults/oracle/judge.h"

#include <utility>

namespace faults {

Verdict Judge::Check(const History& history) {
  ++judged_;
  Verdict verdict = linear_.Check(history);
  if (history.operations.size() <= search_limit && verdict.rule != Rule::kHistory) {
    ++searched_;
    verdict = Reconcile(std::move(verdict), search_.Check(history));
  }
  if (!verdict.ok && verdict.has_key && verdict.rule != Rule::kScan && verdict.rule != Rule::kDisagree) {
    std::vector<uint32_t> fewest = search_.Shrink(history, verdict);
    if (!fewest.empty()) verdict.witness = std::move(fewest);
  }
  undecided_ += verdict.ok && verdict.undecided;
  return verdict;
}

Verdict Reconcile(Verdict linear, Verdict search) {
  const bool linear_decided = !linear.ok || !linear.undecided;
  const bool search_decided = !search.ok || !search.undecided;
  if (!search_decided) return linear;
  if (!linear_decided) return search;
  if (linear.ok == search.ok && (!linear.ok || linear.buffered == search.buffered)) {
    linear.undecided = false;
    return linear;
  }
  Verdict disagree;
  disagree.ok = false;
  disagree.rule = Rule::kDisagree;
  auto line = [](const Verdict& v) {
    if (v.ok) return std::string(v.buffered ? "legal" : "legal but for R6");
    return std::string(RuleName(v.rule)) + " " + v.what;
  };
  disagree.what = "the checkers disagree; linear: " + line(linear) + "; search: " + line(search);
  const Verdict& accuser = linear.ok ? search : linear;
  disagree.has_key = accuser.has_key;
  disagree.key = accuser.key;
  disagree.incarnation = accuser.incarnation;
  disagree.witness = accuser.witness;
  return disagree;
}

}  // namespace faults
