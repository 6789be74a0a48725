#include "faults/oracle/linear_checker.h"

#include <algorithm>

namespace faults {
namespace {

constexpr size_t kMostViolations = 32;  // keys judged on after the first bad one, to name the first rule
constexpr uint64_t kSomeWord = 0xa0761d6478bd642full;  // no workload writes it

bool Refuse(Verdict* verdict, Rule rule, std::string what) {
  verdict->ok = false;
  verdict->rule = rule;
  verdict->what = std::move(what);
  return false;
}

bool HasNoEffect(const Operation& op) {
  return op.outcome == OpOutcome::kFail || op.outcome == OpOutcome::kError;
}

bool IsUpdate(const Operation& op) { return op.type != OpType::kRead && !HasNoEffect(op); }

// An insert without a response may have been refused.
bool MayHaveRead(const Operation& op) {
  return op.type == OpType::kInsert && op.outcome == OpOutcome::kUnknown;
}

}  // namespace

Verdict LinearChecker::Check(const History& history) {
  Verdict verdict;
  history_ = &history;
  if (!form_.Check(history, &verdict) || !cuts_.Build(history, &verdict)) return verdict;
  GroupByKey();
  for (uint32_t i = 0; i < cuts_.incarnations(); ++i)
    if (!CheckIncarnation(i, &verdict)) return verdict;
  if (CheckScans(&verdict)) CheckBuffered(&verdict);
  return verdict;
}

uint32_t LinearChecker::KeyId(uint64_t key) {
  const uint32_t next = static_cast<uint32_t>(keys_.size());
  const uint32_t found = key_ids_.Insert(key, next);
  if (found != WordTable::kNone) return found;
  keys_.push_back(key);
  return next;
}

void LinearChecker::GroupByKey() {
  const std::vector<Operation>& ops = history_->operations;
  key_ids_.Clear(64);
  keys_.clear();
  truncates_.clear();
  op_key_.resize(ops.size());
  op_level_.resize(ops.size());
  for (uint32_t i = 0; i < ops.size(); ++i) {
    op_level_[i] = cuts_.Level(ops[i]);
    const bool of_a_key = ops[i].type != OpType::kTruncate;
    op_key_[i] = of_a_key ? KeyId(ops[i].key) : kNoKey;
    if (!of_a_key && !HasNoEffect(ops[i])) truncates_.push_back(i);
  }
  for (const Recovery& recovery : history_->recoveries)
    for (const auto& [key, word] : recovery.state) KeyId(key);
  if (history_->quiesced)
    for (const auto& [key, word] : history_->final_state) KeyId(key);
  group_start_.assign(cuts_.incarnations() * keys_.size() + 1, 0);
  size_t of_keys = 0;
  for (uint32_t i = 0; i < ops.size(); ++i) {
    if (op_key_[i] == kNoKey) continue;
    ++group_start_[ops[i].incarnation * keys_.size() + op_key_[i] + 1];
    ++of_keys;
  }
  for (size_t g = 1; g < group_start_.size(); ++g) group_start_[g] += group_start_[g - 1];
  grouped_.resize(ops.size());
  grouped_level_.resize(ops.size());
  for (uint32_t i = static_cast<uint32_t>(ops.size()); i-- > 0;) {  // fills every group from its end
    if (op_key_[i] == kNoKey) continue;
    const uint32_t at = --group_start_[ops[i].incarnation * keys_.size() + op_key_[i] + 1];
    grouped_[at] = i;
    grouped_level_[at] = op_level_[i];
  }
  // Every start was moved down to the begin of its own group: one place too far to the right in the array.
  for (size_t g = 1; g < group_start_.size(); ++g) group_start_[g - 1] = group_start_[g];
  group_start_.back() = static_cast<uint32_t>(of_keys);
}

bool LinearChecker::LoadState(const std::vector<std::pair<uint64_t, uint64_t>>& state, uint64_t* words,
                              size_t stride, const char* where, Rule rule, Verdict* verdict) {
  for (const auto& [key, word] : state) {
    uint64_t& slot = words[KeyId(key) * stride];
    if (word == 0 || slot != 0) {
      Refuse(verdict, rule,
             std::string(where) + ": key " + std::to_string(key) +
                 (word == 0 ? " has the word 0, which nobody writes" : " is listed twice"));
      verdict->has_key = true;
      verdict->key = key;
      return false;
    }
    slot = word;
  }
  return true;
}

// What every key held at the start of the incarnation and at its cuts.
bool LinearChecker::LoadWords(uint32_t incarnation, Verdict* verdict) {
  base_words_.assign(keys_.size(), 0);
  const uint32_t base = cuts_.base_recovery(incarnation);
  if (base != LinearCuts::kNone && !LoadState(history_->recoveries[base].state, base_words_.data(), 1,
                                              "recovered state", Rule::kR4, verdict))
    return false;
  const auto cuts = cuts_.cuts(incarnation);
  cut_words_.assign(keys_.size() * cuts.size(), 0);
  for (size_t c = 0; c < cuts.size(); ++c) {
    const bool final = cuts[c].recovery == LinearCuts::kFinal;
    const Rule rule = !final ? Rule::kR4 : incarnation > 0 ? Rule::kR5 : Rule::kR2;
    if (!LoadState(*cuts[c].state, cut_words_.data() + c, cuts.size(),
                   final ? "final state" : "recovered state", rule, verdict))
      return false;
  }
  return true;
}

bool LinearChecker::CheckIncarnation(uint32_t incarnation, Verdict* verdict) {
  if (!LoadWords(incarnation, verdict)) {
    verdict->incarnation = incarnation;
    return false;
  }
  violations_.clear();
  incarnation_truncates_.clear();
  truncate_levels_.clear();
  for (const uint32_t i : truncates_) {
    if (history_->operations[i].incarnation != incarnation) continue;
    incarnation_truncates_.push_back(i);
    truncate_levels_.push_back(op_level_[i]);
  }
  for (uint32_t key = 0; key < keys_.size() && violations_.size() < kMostViolations; ++key)
    CheckKey(incarnation, key, verdict);
  if (violations_.empty()) return true;
  const Violation* first = &violations_[0];
  for (const Violation& violation : violations_)
    if (violation.rule < first->rule) first = &violation;
  Report(incarnation, *first, verdict);
  return false;
}

bool LinearChecker::CheckKey(uint32_t incarnation, uint32_t key, Verdict* verdict) {
  const size_t group = incarnation * keys_.size() + key;
  const uint32_t begin = group_start_[group];
  const uint32_t count = group_start_[group + 1] - begin;
  const size_t cuts = cuts_.cuts(incarnation).size();
  if (count == 0) {
    size_t same = 0;
    while (same < cuts && cut_words_[key * cuts + same] == base_words_[key]) ++same;
    if (same == cuts) return true;
  }
  KeyInput input;
  input.operations = history_->operations.data();
  input.ops = {grouped_.data() + begin, count};
  input.levels = {grouped_level_.data() + begin, count};
  input.truncates = incarnation_truncates_;
  input.truncate_levels = truncate_levels_;
  input.base = base_words_[key];
  input.cut_words = {cut_words_.data() + key * cuts, cuts};
  KeyFailure failure;
  const KeyResult result = key_checker_.Check(input, &failure);
  if (result == KeyResult::kLegal) return true;
  if (result == KeyResult::kUndecided) {
    verdict->undecided = true;
    return true;
  }
  violations_.push_back(Classify(incarnation, input, failure));
  violations_.back().key = key;
  return false;
}

// The first rule that the key breaks, found by judging it again under weaker rules.
LinearChecker::Violation LinearChecker::Classify(uint32_t incarnation, KeyInput input,
                                                 const KeyFailure& failure) {
  Violation violation;
  KeyInput weak = input;
  weak.use_cuts = weak.use_levels = false;
  if (key_checker_.Check(weak, &violation.failure) == KeyResult::kIllegal) {
    violation.rule = incarnation > 0 && LegalFromElsewhere(weak) ? Rule::kR5 : Rule::kR2;
    return violation;
  }
  weak.use_levels = true;
  if (key_checker_.Check(weak, &violation.failure) == KeyResult::kIllegal) {
    violation.rule = Rule::kR3;
    return violation;
  }
  violation.failure = failure;
  const auto cuts = cuts_.cuts(incarnation);
  const bool final = !cuts.empty() && cuts[0].recovery == LinearCuts::kFinal;
  violation.rule = !final ? Rule::kR4 : incarnation > 0 ? Rule::kR5 : Rule::kR2;
  if (final) violation.failure.why = "the final state is not what the operations add up to";
  return violation;
}

// Whether another word at the start of the incarnation explains everything: then the recovery is to blame.
bool LinearChecker::LegalFromElsewhere(KeyInput input) {
  const std::vector<uint64_t> orphans = key_checker_.orphans();
  KeyFailure failure;
  for (uint64_t word : {orphans.empty() ? uint64_t{0} : orphans[0], uint64_t{0}, kSomeWord}) {
    input.base = word;
    if (key_checker_.Check(input, &failure) == KeyResult::kLegal) return true;
  }
  return false;
}

void LinearChecker::Report(uint32_t incarnation, const Violation& violation, Verdict* verdict) {
  Refuse(verdict, violation.rule,
         "key " + std::to_string(keys_[violation.key]) + " in incarnation " + std::to_string(incarnation) +
             ": " + violation.failure.why);
  verdict->has_key = true;
  verdict->key = keys_[violation.key];
  verdict->incarnation = incarnation;
  verdict->witness.assign(violation.failure.ops, violation.failure.ops + violation.failure.count);
}

bool LinearChecker::CheckScans(Verdict* verdict) {
  for (const Recovery& recovery : history_->recoveries) {
    if (!recovery.has_scan || recovery.scanned == recovery.state) continue;
    sorted_state_ = recovery.state;
    sorted_scan_ = recovery.scanned;
    std::sort(sorted_state_.begin(), sorted_state_.end());
    std::sort(sorted_scan_.begin(), sorted_scan_.end());
    const auto [one, two] =
        std::mismatch(sorted_state_.begin(), sorted_state_.end(), sorted_scan_.begin(), sorted_scan_.end());
    if (one == sorted_state_.end() && two == sorted_scan_.end()) continue;
    const uint64_t key = one == sorted_state_.end()                             ? two->first
                         : two == sorted_scan_.end() || one->first < two->first ? one->first
                                                                                : two->first;
    verdict->has_key = true;
    verdict->key = key;
    verdict->incarnation = recovery.incarnation;
    return Refuse(verdict, Rule::kScan,
                  "lookup and log scan disagree on key " + std::to_string(key) +
                      " after the recovery that ended incarnation " + std::to_string(recovery.incarnation));
  }
  return true;
}

void LinearChecker::CheckBuffered(Verdict* verdict) {
  const std::vector<Operation>& ops = history_->operations;
  for (uint32_t i = 0; i < cuts_.incarnations(); ++i) {
    const auto cuts = cuts_.cuts(i);
    for (uint32_t c = 0; c < cuts.size() && cuts[c].recovery != LinearCuts::kFinal; ++c) {
      uint32_t lost = LinearCuts::kNone;       // with the first response
      uint32_t committed = LinearCuts::kNone;  // with the last invocation
      for (uint32_t op = 0; op < ops.size(); ++op) {
        if (ops[op].incarnation != i || !IsUpdate(ops[op])) continue;
        if (op_level_[op] <= c) {
          if (MayHaveRead(ops[op])) continue;
          if (committed == LinearCuts::kNone || ops[op].invoked > ops[committed].invoked) committed = op;
        } else if (lost == LinearCuts::kNone || ops[op].responded < ops[lost].responded) {
          lost = op;
        }
      }
      if (lost == LinearCuts::kNone || committed == LinearCuts::kNone ||
          ops[lost].responded >= ops[committed].invoked)
        continue;
      verdict->buffered = false;
      verdict->buffered_witness = {lost, committed};
      verdict->buffered_what = "in incarnation " + std::to_string(i) +
                               " an update that is lost ended before a committed one began";
      if (!history_->refresh_every_operation) return;
      verdict->incarnation = i;
      verdict->witness = verdict->buffered_witness;
      Refuse(verdict, Rule::kR6, verdict->buffered_what);
      return;
    }
  }
}

}  // namespace faults
