#include "faults/oracle/search_checker.h"

#include <algorithm>

#include "faults/oracle/words.h"

namespace faults {

Verdict SearchChecker::Check(const History& history) {
  Verdict verdict;
  history_ = &history;
  if (!form_.Check(history, &verdict)) return verdict;
  if (!BuildIncarnations(&verdict) || !CheckCheckpoints(&verdict)) return verdict;
  CollectCuts();
  keys_.clear();
  for (const Operation& op : history.operations)
    if (op.type != OpType::kTruncate) keys_.push_back(op.key);
  for (const Recovery& recovery : history.recoveries)
    for (const auto& entry : recovery.state) keys_.push_back(entry.first);
  if (history.quiesced)
    for (const auto& entry : history.final_state) keys_.push_back(entry.first);
  std::sort(keys_.begin(), keys_.end());
  keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
  for (uint32_t i = 0; i < incarnations_.size(); ++i) {
    Rule first = Rule::kNone;
    for (uint64_t key : keys_) {
      const Rule rule = JudgeKey(i, key, &verdict);
      if (rule == Rule::kNone || (first != Rule::kNone && first <= rule)) continue;
      first = rule;
      verdict.ok = false;
      verdict.rule = rule;
      verdict.what = "search: no order of the operations on key " + std::to_string(key) + " in incarnation " +
                     std::to_string(i);
      verdict.has_key = true;
      verdict.key = key;
      verdict.incarnation = i;
    }
    if (first != Rule::kNone) return verdict;
  }
  if (CheckScans(&verdict)) CheckBuffered(&verdict);
  return verdict;
}

void SearchChecker::CollectCuts() {
  for (Incarnation& incarnation : incarnations_) {
    for (const CheckpointEvent* checkpoint : incarnation.taken)
      for (const Recovery& recovery : history_->recoveries)
        if (recovery.status == faster::Status::kOk && recovery.log_token == checkpoint->token) {
          incarnation.cuts.push_back(Cut{checkpoint, &recovery, &recovery.state});
        }
  }
  if (history_->quiesced) incarnations_.back().cuts.push_back(Cut{nullptr, nullptr, &history_->final_state});
}

// Two recoveries to one checkpoint are two cuts at the same place: their states must agree by themselves.
uint32_t SearchChecker::LevelOf(const Operation& op) const {
  const std::vector<Cut>& cuts = incarnations_[op.incarnation].cuts;
  for (uint32_t i = 0; i < cuts.size(); ++i) {
    if (cuts[i].recovery == nullptr) return i;
    const auto& commits = cuts[i].recovery->commits;
    if (op.serial <= SerialOf(commits, op.session) &&
        !Excludes(commits, history_->sessions[op.session], op.serial))
      return i;
  }
  return static_cast<uint32_t>(cuts.size());
}

namespace {
// The word of `key`, 0 if absent. *strange: the key is there twice, or with the word 0.
uint64_t WordOf(const std::vector<std::pair<uint64_t, uint64_t>>& state, uint64_t key, bool* strange) {
  uint64_t word = 0;
  for (const auto& [k, w] : state) {
    if (k != key) continue;
    *strange |= word != 0 || w == 0;
    word = w;
  }
  return word;
}
}  // namespace

SearchChecker::Problem SearchChecker::MakeProblem(uint32_t incarnation, uint64_t key, bool levels,
                                                  bool cuts) const {
  Problem problem;
  bool strange = false;
  const Incarnation& it = incarnations_[incarnation];
  if (it.base != nullptr) problem.base = WordOf(it.base->state, key, &strange);
  for (const Cut& cut : it.cuts)
    if (cuts) problem.cut_words.push_back(WordOf(*cut.state, key, &strange));
  for (uint32_t i = 0; i < history_->operations.size(); ++i) {
    const Operation& op = history_->operations[i];
    const bool truncate = op.type == OpType::kTruncate;
    if (op.incarnation != incarnation || (op.key != key && !truncate)) continue;
    if (op.outcome == OpOutcome::kError) continue;
    const bool reads =
        op.type == OpType::kRead || (op.type == OpType::kInsert && op.outcome == OpOutcome::kFail);
    if (reads && op.outcome == OpOutcome::kUnknown) continue;
    if (op.outcome == OpOutcome::kFail && !reads && op.type != OpType::kDelete) continue;  // refused
    Step step;
    step.op = i;
    step.type = op.type;
    if (op.type == OpType::kDelete && op.outcome == OpOutcome::kFail) step.type = OpType::kRead;
    if (op.type == OpType::kInsert && reads) step.type = OpType::kRead;
    step.operand = op.operand;
    if (step.type == OpType::kRead) {
      step.has_result = true;
      step.result = op.outcome == OpOutcome::kFail && op.type != OpType::kInsert ? 0
                    : op.result == 0                                             ? kNever
                                                                                 : op.result;
      if (op.type == OpType::kInsert && op.result == 0) continue;  // refused, and nothing said about it
    } else if (op.type == OpType::kRmw && op.outcome == OpOutcome::kOk && op.result != 0) {
      step.has_result = true;
      step.result = op.result;
    }
    step.level = levels ? LevelOf(op) : 0;
    // What no cut holds may have had no effect, and an insert may always have been refused.
    step.optional = op.outcome == OpOutcome::kUnknown &&
                    (!levels || step.level == it.cuts.size() || op.type == OpType::kInsert);
    step.invoked = op.invoked;
    step.responded = op.responded;
    if (truncate) {
      step.type = OpType::kDelete;
      step.optional = step.truncation = true;
      step.mark = op.mark;
      step.deadline = op.responded;
      step.responded = kNever;
    }
    problem.steps.push_back(step);
  }
  return problem;
}

// The first rule that the key breaks: judged again under weaker rules, from the weakest.
Rule SearchChecker::JudgeKey(uint32_t incarnation, uint64_t key, Verdict* verdict) {
  bool strange = false;
  bool final = false;
  for (const Cut& cut : incarnations_[incarnation].cuts) {
    WordOf(*cut.state, key, &strange);
    final |= cut.checkpoint == nullptr;
  }
  const Rule state_rule = !final ? Rule::kR4 : incarnation > 0 ? Rule::kR5 : Rule::kR2;
  if (strange) return state_rule;
  const Problem full = MakeProblem(incarnation, key, true, true);
  const Answer answer = Solve(full, max_steps);
  if (answer == Answer::kUnknown) verdict->undecided = true;
  if (answer != Answer::kNo) return Rule::kNone;
  Problem weak = MakeProblem(incarnation, key, false, false);
  if (Solve(weak, max_steps) == Answer::kNo) {
    if (incarnation == 0) return Rule::kR2;
    std::vector<uint64_t> bases = {0, 0x5851f42d4c957f2dull};
    for (const Step& step : weak.steps) {
      if (!step.has_result) continue;
      bases.push_back(step.type == OpType::kRead ? step.result : UndoRmwWord(step.result, step.operand));
    }
    for (uint64_t base : bases) {
      bool written = false;  // what an operation of the incarnation writes was not there before
      for (const Step& step : weak.steps)
        written |=
            base != 0 && base == (step.type == OpType::kUpsert || step.type == OpType::kInsert ? step.operand
                                  : step.type == OpType::kRmw                                  ? step.result
                                                                                               : 0);
      weak.base = base;
      if (!written && Solve(weak, max_steps) == Answer::kYes) return Rule::kR5;
    }
    return Rule::kR2;
  }
  return Solve(MakeProblem(incarnation, key, true, false), max_steps) == Answer::kNo ? Rule::kR3 : state_rule;
}

SearchChecker::Answer SearchChecker::Solve(const Problem& problem, uint64_t max_nodes) {
  if (problem.steps.size() > kMostOperations) return Answer::kUnknown;
  nodes_left_ = max_nodes;
  memo_.clear();
  memo_slots_.assign(std::max<size_t>(64, memo_slots_.size() > 4096 ? 64 : memo_slots_.size()), 0);
  return Descend(problem, Node{Mask{}, problem.base, 0});
}

// False if the node was there already.
bool SearchChecker::Remember(const Node& node) {
  auto slot_of = [&](const Node& n) {
    uint64_t hash = n.state;
    for (uint64_t word : n.placed) hash = (hash ^ word) * 0x9fb21c651e98df25ull, hash ^= hash >> 32;
    return static_cast<size_t>(hash) & (memo_slots_.size() - 1);
  };
  if (2 * (memo_.size() + 1) > memo_slots_.size()) {
    memo_slots_.assign(memo_slots_.size() * 4, 0);
    for (uint32_t i = 0; i < memo_.size(); ++i) {
      size_t slot = slot_of(memo_[i]);
      while (memo_slots_[slot] != 0) slot = (slot + 1) & (memo_slots_.size() - 1);
      memo_slots_[slot] = i + 1;
    }
  }
  size_t slot = slot_of(node);
  for (; memo_slots_[slot] != 0; slot = (slot + 1) & (memo_slots_.size() - 1))
    if (memo_[memo_slots_[slot] - 1] == node) return false;
  memo_.push_back(node);
  memo_slots_[slot] = static_cast<uint32_t>(memo_.size());
  return true;
}

// Nothing that is not placed yet has to come before step `at`.
bool SearchChecker::MayFollow(const Problem& problem, const Node& node, uint32_t at) const {
  const Step& step = problem.steps[at];
  const bool update = step.type != OpType::kRead;
  for (uint32_t i = 0; i < problem.steps.size(); ++i) {
    if (i == at || (node.placed[i / 64] >> i % 64 & 1) != 0) continue;
    const Step& other = problem.steps[i];
    if (other.responded < step.invoked) return false;
    if (update && !step.free && !other.optional && other.level < step.level) return false;
  }
  if (update && !step.free && step.level < node.level) return false;  // an optional one that is too late
  if (step.truncation && !step.free && !MayTruncate(problem, node, step)) return false;
  for (size_t cut = node.level; update && !step.free && cut < problem.cut_words.size() && cut < step.level;
       ++cut)
    if (problem.cut_words[cut] != node.state) return false;
  return true;
}

bool SearchChecker::MayTruncate(const Problem& problem, const Node& node, const Step& step) const {
  for (uint32_t i = 0; i < problem.steps.size(); ++i) {
    const Step& before = problem.steps[i];
    if (before.free || (node.placed[i / 64] >> i % 64 & 1) == 0) continue;
    if (before.invoked > step.deadline) return false;
    if (before.type != OpType::kRead && !before.truncation && before.invoked > step.mark) return false;
  }
  return true;
}

bool SearchChecker::Apply(const Step& step, uint64_t* state) const {
  switch (step.type) {
    case OpType::kRead:
      return *state == step.result;
    case OpType::kInsert:
      if (*state != 0 && !step.free) return false;
      *state = step.operand;
      return true;
    case OpType::kUpsert:
      *state = step.operand;
      return true;
    case OpType::kDelete:
      *state = 0;
      return true;
    case OpType::kRmw:
      *state = RmwWord(*state, step.operand);
      return step.free || !step.has_result || *state == step.result;
    case OpType::kTruncate:
      break;  // made a delete by MakeProblem
  }
  return false;
}

SearchChecker::Answer SearchChecker::Descend(const Problem& problem, Node node) {
  bool complete = true;
  for (uint32_t i = 0; i < problem.steps.size() && complete; ++i)
    complete = problem.steps[i].optional || (node.placed[i / 64] >> i % 64 & 1) != 0;
  for (size_t cut = node.level; complete && cut < problem.cut_words.size(); ++cut)
    complete = problem.cut_words[cut] == node.state;
  if (complete) return Answer::kYes;
  if (nodes_left_ == 0) return Answer::kUnknown;
  --nodes_left_;
  if (!Remember(node)) return Answer::kNo;
  for (uint32_t i = 0; i < problem.steps.size(); ++i) {
    const Step& step = problem.steps[i];
    if ((node.placed[i / 64] >> i % 64 & 1) != 0 || !MayFollow(problem, node, i)) continue;
    Node next = node;
    if (!Apply(step, &next.state)) continue;
    next.placed[i / 64] |= 1ull << i % 64;
    if (step.type != OpType::kRead && !step.free) next.level = std::max(next.level, step.level);
    const Answer answer = Descend(problem, next);
    if (answer != Answer::kNo) return answer;
  }
  return Answer::kNo;
}

std::vector<uint32_t> SearchChecker::Shrink(const History& history, const Verdict& verdict) {
  constexpr uint64_t kNodes = 20'000;  // per try
  std::vector<uint32_t> witness;
  history_ = &history;
  Verdict ignored;
  if (!verdict.has_key || !form_.Check(history, &ignored) || !BuildIncarnations(&ignored)) return witness;
  CollectCuts();
  const bool levels = verdict.rule == Rule::kR3 || verdict.rule == Rule::kR4;
  Problem problem = MakeProblem(verdict.incarnation, verdict.key, levels, verdict.rule == Rule::kR4);
  if (Solve(problem, kNodes) != Answer::kNo) {  // the violation is in the final state
    problem = MakeProblem(verdict.incarnation, verdict.key, true, true);
    if (Solve(problem, kNodes) != Answer::kNo) return witness;
  }
  auto named = [&](uint32_t op) {
    return std::find(verdict.witness.begin(), verdict.witness.end(), op) != verdict.witness.end();
  };
  for (const bool keep_named : {true, false}) {  // what the verdict names is given up last
    for (size_t i = 0; i < problem.steps.size();) {
      if (problem.steps[i].free || (keep_named && named(problem.steps[i].op))) {
        ++i;
        continue;
      }
      Problem smaller = problem;
      if (smaller.steps[i].type == OpType::kRead) {
        smaller.steps.erase(smaller.steps.begin() + i);
      } else {
        Step& step = smaller.steps[i];
        step.free = step.optional = true;
        step.invoked = 0;
        step.responded = kNever;
      }
      const bool still = Solve(smaller, kNodes) == Answer::kNo;
      const bool erased = smaller.steps.size() < problem.steps.size();
      if (still) problem = std::move(smaller);
      if (!still || !erased) ++i;
    }
  }
  for (const Step& step : problem.steps)
    if (!step.free) witness.push_back(step.op);
  return witness;
}

bool SearchChecker::CheckScans(Verdict* verdict) const {
  for (const Recovery& recovery : history_->recoveries) {
    if (!recovery.has_scan) continue;
    for (uint64_t key : keys_) {
      bool strange = false;
      if (WordOf(recovery.state, key, &strange) == WordOf(recovery.scanned, key, &strange) && !strange)
        continue;
      verdict->has_key = true;
      verdict->key = key;
    }
    for (const auto& entry : recovery.scanned)  // keys that nobody ever used
      if (!std::binary_search(keys_.begin(), keys_.end(), entry.first)) {
        verdict->has_key = true;
        verdict->key = entry.first;
      }
    if (!verdict->has_key) continue;
    verdict->ok = false;
    verdict->rule = Rule::kScan;
    verdict->incarnation = recovery.incarnation;
    verdict->what = "search: lookup and scan disagree";
    return false;
  }
  return true;
}

void SearchChecker::CheckBuffered(Verdict* verdict) const {
  auto update = [](const Operation& op) {
    return op.type != OpType::kRead && op.outcome != OpOutcome::kFail && op.outcome != OpOutcome::kError;
  };
  const std::vector<Operation>& ops = history_->operations;
  for (const Operation& lost : ops) {
    if (!update(lost)) continue;
    for (const Operation& committed : ops) {
      if (committed.type == OpType::kInsert && committed.outcome == OpOutcome::kUnknown) continue;
      if (!update(committed) || committed.incarnation != lost.incarnation) continue;
      if (lost.responded >= committed.invoked || LevelOf(committed) >= LevelOf(lost)) continue;
      verdict->buffered = false;
      verdict->buffered_what = "search: a lost update ended before a committed one began";
      verdict->buffered_witness = {static_cast<uint32_t>(&lost - ops.data()),
                                   static_cast<uint32_t>(&committed - ops.data())};
      if (!history_->refresh_every_operation) return;
      verdict->ok = false;
      verdict->rule = Rule::kR6;
      verdict->what = verdict->buffered_what;
      verdict->witness = verdict->buffered_witness;
      return;
    }
  }
}

}  // namespace faults
