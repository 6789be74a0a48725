#include "faults/oracle/txn_checker.h"

#include <algorithm>

#include "faults/oracle/txn_bounds.h"
#include "faults/oracle/txn_form.h"

namespace faults {
namespace {

using Why = TxnGraph::Why;
using Answer = TxnProblem::Answer;

std::string Key(uint64_t key) { return "key " + std::to_string(key); }

void Fail(TxnFault fault, std::string what, std::vector<uint32_t> witness, TxnVerdict* verdict) {
  verdict->ok = false;
  verdict->fault = fault;
  verdict->what = std::move(what);
  verdict->witness = std::move(witness);
}

}  // namespace

TxnVerdict TxnChecker::Check(const TxnHistory& history) {
  TxnVerdict verdict;
  history_ = &history;
  if (!CheckTxnForm(history, &verdict) || !CheckTxnBounds(history, &verdict)) return verdict;
  writers_.Build(history);
  for (uint32_t i = 0; i <= history.recoveries.size(); ++i) {
    verdict.incarnation = i;
    if (!CheckIncarnation(i, &verdict)) return verdict;
  }
  return verdict;
}

// Undecided is remembered, and a later contradiction still counts.
bool TxnChecker::Try(const TxnRules& rules, TxnFault fault, TxnVerdict* verdict) {
  const Answer answer = problem_.Solve(rules);
  if (answer == Answer::kUndecided) {
    verdict->undecided = true;
    verdict->what = "incarnation " + std::to_string(verdict->incarnation) +
                    ": blind writes leave the order of versions open, and it was not found";
  }
  if (answer != Answer::kNo) return true;
  NameCycle(fault, verdict);
  return false;
}

bool TxnChecker::CheckIncarnation(uint32_t incarnation, TxnVerdict* verdict) {
  base_.clear();
  if (incarnation > 0)
    for (const auto& entry : history_->recoveries[incarnation - 1].state) base_.insert(entry);
  if (!CheckReads(incarnation, verdict)) return false;
  problem_.Load(*history_, writers_, incarnation);
  const bool has_states = CheckState(incarnation, verdict);
  TxnVerdict state = *verdict;  // the first thing wrong with the state by itself
  verdict->ok = true;
  verdict->fault = TxnFault::kNone;
  const bool legal = has_states && problem_.Solve({false, true, true}) == Answer::kYes;
  if (legal && !history_->strict) return true;
  if (!Try({false, false, false}, TxnFault::kCircular, verdict)) return false;
  if (history_->strict && !Try({true, false, false}, TxnFault::kStale, verdict)) return false;
  if (legal) return true;
  if (!Try({false, true, false}, TxnFault::kClosure, verdict)) return false;
  if (!has_states) {
    state.undecided = verdict->undecided;
    *verdict = std::move(state);
    return false;
  }
  return Try({false, true, true}, TxnFault::kState, verdict);
}

bool TxnChecker::CheckWord(uint32_t incarnation, uint64_t key, uint64_t word, TxnFault nobody,
                           TxnFault aborted, TxnFault lost, const std::string& reader, TxnVerdict* verdict) {
  const auto began = base_.find(key);
  if (word == (began == base_.end() ? 0 : began->second)) return true;
  if (word == 0) {
    Fail(nobody, reader + " found " + Key(key) + " absent, and it was there from the beginning", {}, verdict);
    return false;
  }
  const uint32_t writer = writers_.Find(key, word);
  if (writer == TxnWriters::kNobody) {
    Fail(nobody, reader + " found a word in " + Key(key) + " that nobody wrote", {}, verdict);
    return false;
  }
  const Transaction& txn = history_->transactions[writer];
  if (txn.outcome == TxnOutcome::kAborted) {
    Fail(aborted, reader + " found in " + Key(key) + " what " + TxnName(txn) + " wrote, which aborted",
         {writer}, verdict);
    return false;
  }
  if (txn.incarnation == incarnation) return true;
  Fail(lost,
       reader + " found in " + Key(key) + " what " + TxnName(txn) + " of " +
           (txn.incarnation < incarnation ? "an earlier" : "a later") +
           " incarnation wrote, and its incarnation did not begin with that",
       {writer}, verdict);
  return false;
}

bool TxnChecker::CheckReads(uint32_t incarnation, TxnVerdict* verdict) {
  for (uint32_t i = 0; i < history_->transactions.size(); ++i) {
    const Transaction& txn = history_->transactions[i];
    if (txn.incarnation != incarnation || txn.outcome != TxnOutcome::kCommitted) continue;
    for (const TxnAccess& access : txn.accesses) {
      if (!access.reads || CheckWord(incarnation, access.key, access.read, TxnFault::kNobody,
                                     TxnFault::kDirtyRead, TxnFault::kLostRead, TxnName(txn), verdict))
        continue;
      verdict->witness.push_back(i);
      return false;
    }
  }
  return true;
}

// What recovery returned, and the end, word by word.
bool TxnChecker::CheckState(uint32_t incarnation, TxnVerdict* verdict) {
  const bool last = incarnation == history_->recoveries.size();
  if (last && !history_->quiesced) return true;
  const TxnState& state = last ? history_->final_state : history_->recoveries[incarnation].state;
  const std::string name = last ? "the state at the end" : "recovery " + std::to_string(incarnation);
  std::unordered_set<uint64_t> there;
  for (const auto& [key, word] : state) {
    there.insert(key);
    if (!CheckWord(incarnation, key, word, TxnFault::kState, TxnFault::kAbortedState, TxnFault::kAbove, name,
                   verdict))
      return false;
  }
  for (const auto& entry : base_) {
    if (there.count(entry.first) != 0) continue;
    Fail(TxnFault::kState, name + " lacks " + Key(entry.first) + ", with which the incarnation began", {},
         verdict);
    return false;
  }
  return true;
}

TxnFault TxnChecker::KindOfCycle() const {
  uint32_t anti = 0, other = 0;
  uint64_t key = 0;
  bool one_key = true;
  for (const TxnGraph::Step& step : problem_.cycle()) {
    if (step.why == Why::kThen || step.why == Why::kClient || step.why == Why::kTime) continue;
    if (anti + other > 0) one_key &= step.key == key;
    key = step.key;
    (step.why == Why::kAnti ? anti : other) += 1;
  }
  if (anti >= 2) return one_key ? TxnFault::kLostUpdate : TxnFault::kWriteSkew;
  return anti == 1 ? TxnFault::kReadSkew : TxnFault::kCircular;
}

// The cycle in words, from its first transaction on: "c0.1 -wr key 3-> c1.2 -rw key 4-> c0.1: ...".
void TxnChecker::NameCycle(TxnFault fault, TxnVerdict* verdict) {
  std::vector<TxnGraph::Step> cycle = problem_.cycle();
  std::string helper;
  const auto named = [&](const TxnGraph::Step& step) {
    return problem_.TransactionOf(step.from, &helper) != TxnWriters::kNobody || !helper.empty();
  };
  const auto first = std::find_if(cycle.begin(), cycle.end(), named);
  std::rotate(cycle.begin(), first, cycle.end());
  std::string text;
  std::vector<uint32_t> witness;
  const auto name_of = [&](uint32_t node) {
    const uint32_t txn = problem_.TransactionOf(node, &helper);
    return txn == TxnWriters::kNobody ? helper : TxnName(history_->transactions[txn]);
  };
  for (size_t i = 0; i < cycle.size();) {
    const uint32_t txn = problem_.TransactionOf(cycle[i].from, &helper);
    if (txn != TxnWriters::kNobody) witness.push_back(txn);
    size_t next = i + 1;
    while (next < cycle.size() && !named(cycle[next])) ++next;
    const std::string one = name_of(cycle[i].from);
    const std::string two = name_of(cycle[next % cycle.size()].from);
    text += text.empty() ? "" : "; ";
    const std::string key = Key(cycle[i].key);
    switch (cycle[i].why) {
      case Why::kClient:
        text += two + " follows " + one + " of the same client";
        break;
      case Why::kTime:
        text += one + " had answered before " + two + " began";
        break;
      case Why::kRead:
        text += two + " has in " + key + " what " + one + " wrote (wr)";
        break;
      case Why::kOverwrite:
        text += two + " replaced in " + key + " what " + one + " wrote (ww)";
        break;
      case Why::kAnti:
        text += one + " has " + key + " as it was before " + two + " wrote it (rw)";
        break;
      case Why::kInside:
        text += one + " is within the commit point of " + two;
        break;
      case Why::kOutside:
        text += two + " is above the commit point of " + one;
        break;
      case Why::kThen:
        text += one + " precedes " + two;
        break;
    }
    i = next;
  }
  if (fault == TxnFault::kCircular) fault = KindOfCycle();
  Fail(fault, text, std::move(witness), verdict);
  if (fault == TxnFault::kState) NameState(verdict);
}

// Which transaction the state tears, lacks, or has too many.
bool TxnChecker::NameState(TxnVerdict* verdict) {
  using Fate = TxnProblem::Fate;
  const uint32_t cuts = static_cast<uint32_t>(problem_.cuts().size());
  const bool at_end = verdict->incarnation == history_->recoveries.size();
  TxnFault found = TxnFault::kState;
  std::string text;
  uint32_t who = 0;
  for (uint32_t i = 0; i < history_->transactions.size(); ++i) {
    const Transaction& txn = history_->transactions[i];
    if (txn.incarnation != verdict->incarnation || txn.outcome == TxnOutcome::kAborted) continue;
    const bool inside = at_end || problem_.LevelOf(i) < cuts;
    const uint64_t *there = nullptr, *missing = nullptr;
    for (const TxnAccess& access : txn.accesses) {
      if (!access.writes) continue;
      const Fate fate = problem_.FateOf(i, access.key);
      if (fate == Fate::kThere) there = &access.key;
      if (fate == Fate::kMissing) missing = &access.key;
    }
    const TxnFault one = there != nullptr && missing != nullptr ? TxnFault::kTorn
                         : inside && missing != nullptr         ? TxnFault::kLost
                         : !inside && there != nullptr          ? TxnFault::kAbove
                                                                : TxnFault::kState;
    if (one == TxnFault::kState || (found != TxnFault::kState && one >= found)) continue;
    found = one;
    who = i;
    const char* where = inside ? ", within the commit point, " : ", above the commit point, ";
    text = TxnName(txn) + where;
    if (there != nullptr) text += "is there in " + Key(*there);
    if (there != nullptr && missing != nullptr) text += " and ";
    if (missing != nullptr) text += "is missing in " + Key(*missing);
  }
  if (found == TxnFault::kState) return false;
  verdict->fault = found;
  verdict->what = text + " (" + verdict->what + ")";
  if (std::find(verdict->witness.begin(), verdict->witness.end(), who) == verdict->witness.end())
    verdict->witness.insert(verdict->witness.begin(), who);
  return true;
}

}  // namespace faults
