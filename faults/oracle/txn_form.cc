#include "faults/oracle/txn_form.h"

#include <algorithm>
#include <unordered_set>

#include "faults/oracle/words.h"

namespace faults {
namespace {

bool Malformed(TxnVerdict* verdict, std::string what, std::vector<uint32_t> witness = {}) {
  verdict->ok = false;
  verdict->fault = TxnFault::kHistory;
  verdict->what = std::move(what);
  verdict->witness = std::move(witness);
  return false;
}

bool StateIsWellFormed(const TxnState& state) {
  std::unordered_set<uint64_t> keys;
  return std::all_of(state.begin(), state.end(),
                     [&](const auto& entry) { return entry.second != 0 && keys.insert(entry.first).second; });
}

bool CheckEvents(const TxnHistory& history, TxnVerdict* verdict) {
  const size_t lives = history.recoveries.size() + 1;
  for (size_t i = 0; i < history.recoveries.size(); ++i) {
    const TxnRecovery& recovery = history.recoveries[i];
    const std::string name = "recovery " + std::to_string(i);
    if (recovery.incarnation != i)
      return Malformed(verdict, name + " is not of incarnation " + std::to_string(i));
    if (!TxnReturned(recovery) && i + 1 != history.recoveries.size())
      return Malformed(verdict, name + " was refused and is not the last");
    if (i > 0 && recovery.time <= history.recoveries[i - 1].time)
      return Malformed(verdict, name + " is not later than the one before");
    if (TxnReturned(recovery) && recovery.points.size() != history.clients)
      return Malformed(verdict, name + " has not one point a client");
    if (recovery.commit != kNoCommit &&
        (recovery.commit >= history.commits.size() || history.commits[recovery.commit].incarnation != i))
      return Malformed(verdict, name + " names a commit that is not of its incarnation");
    if (!StateIsWellFormed(recovery.state))
      return Malformed(verdict, name + " has a key twice or with the word 0");
  }
  for (size_t i = 0; i < history.commits.size(); ++i) {
    const TxnCommit& commit = history.commits[i];
    const std::string name = "commit " + std::to_string(i);
    if (commit.incarnation >= lives) return Malformed(verdict, name + " is of no incarnation");
    if (commit.callback <= commit.requested) return Malformed(verdict, name + " ended before it began");
    if (i > 0 && commit.requested < history.commits[i - 1].requested)
      return Malformed(verdict, name + " is not in the order of requests");
    const bool has_points = commit.callback != kNever && commit.status == faster::Status::kOk;
    if (has_points && commit.points.size() != history.clients)
      return Malformed(verdict, name + " has not one point a client");
  }
  for (const TxnReport& report : history.reports)
    if (report.client >= history.clients || report.incarnation >= lives)
      return Malformed(verdict, "a report is of no client or incarnation");
  if (!StateIsWellFormed(history.final_state))
    return Malformed(verdict, "the final state has a key twice or with the word 0");
  return true;
}

const char* WrongAccess(const Transaction& txn, std::unordered_set<uint64_t>* words,
                        std::unordered_set<uint64_t>* keys) {
  keys->clear();
  for (const TxnAccess& access : txn.accesses) {
    if (!keys->insert(access.key).second) return "has a key twice";
    if (!access.reads && !access.writes) return "neither reads nor writes a key";
    if (!access.writes) continue;
    if (access.written == 0) return "writes the word 0";
    // Two writes whose mixed words agree by chance would be refused: 2^-64 a pair.
    if (!words->insert(RmwWord(access.key, access.written)).second)
      return "writes a word that was written to that key before";
  }
  return nullptr;
}

const char* WrongTimes(const TxnHistory& history, const Transaction& txn) {
  const uint32_t i = txn.incarnation;
  if ((txn.outcome == TxnOutcome::kUnknown) != (txn.responded == kNever))
    return "has an outcome and no response, or the other way round";
  if (txn.responded <= txn.invoked) return "responded before it was invoked";
  if (i > 0 && txn.invoked <= history.recoveries[i - 1].time)
    return "was invoked before its incarnation began";
  const uint64_t end = i < history.recoveries.size() ? history.recoveries[i].time : kNever;
  if (txn.invoked >= end || (txn.responded != kNever && txn.responded >= end))
    return "is later than the end of its incarnation";
  if (history.quiesced && end == kNever && txn.outcome == TxnOutcome::kUnknown)
    return "has no response in a history that came to rest";
  return nullptr;
}

}  // namespace

bool CheckTxnForm(const TxnHistory& history, TxnVerdict* verdict) {
  if (!CheckEvents(history, verdict)) return false;
  const size_t lives = history.recoveries.size() + 1;
  std::unordered_set<uint64_t> words, keys;
  struct Last {
    uint32_t index = kNoCommit;
    uint64_t serial = 0;
  };
  std::vector<Last> last(lives * history.clients);
  for (uint32_t i = 0; i < history.transactions.size(); ++i) {
    const Transaction& txn = history.transactions[i];
    const std::string name = "transaction " + std::to_string(i) + " ";
    if (txn.client >= history.clients || txn.incarnation >= lives)
      return Malformed(verdict, name + "is of no client or incarnation", {i});
    if (txn.incarnation > 0 && !TxnReturned(history.recoveries[txn.incarnation - 1]))
      return Malformed(verdict, name + "is of an incarnation that did not begin", {i});
    const char* wrong = WrongTimes(history, txn);
    if (wrong == nullptr) wrong = WrongAccess(txn, &words, &keys);
    if (wrong != nullptr) return Malformed(verdict, name + wrong, {i});
    if (txn.serial == 0 && txn.outcome != TxnOutcome::kAborted)
      return Malformed(verdict, name + "has no serial and did not abort", {i});
    Last& before = last[txn.incarnation * history.clients + txn.client];
    if (before.index != kNoCommit && txn.invoked < history.transactions[before.index].responded)
      return Malformed(verdict, name + "began before its client's last one ended", {before.index, i});
    if (before.serial != 0 && txn.serial != 0 && txn.serial != before.serial + 1)
      return Malformed(verdict, name + "skips a serial", {before.index, i});
    before.index = i;
    if (txn.serial != 0) before.serial = txn.serial;
  }
  return true;
}

}  // namespace faults
