#include "faults/oracle/history_check.h"

#include <algorithm>
#include <tuple>

namespace faults {
namespace {

bool Malformed(Verdict* verdict, std::string what, std::vector<uint32_t> witness = {}) {
  verdict->ok = false;
  verdict->rule = Rule::kHistory;
  verdict->what = "malformed history: " + std::move(what);
  verdict->witness = std::move(witness);
  return false;
}

std::string Number(uint64_t value) { return value == kNever ? "never" : std::to_string(value); }

}  // namespace

bool HistoryCheck::Check(const History& history, Verdict* verdict) {
  return CheckEvents(history, verdict) && CheckOperations(history, verdict) && CheckSerials(history, verdict);
}

bool HistoryCheck::CheckEvents(const History& history, Verdict* verdict) {
  if (history.sessions.size() != history.session_opened.size())
    return Malformed(verdict, "sessions and session_opened differ in length");
  for (size_t i = 0; i < history.sessions.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (history.sessions[i] == history.sessions[j])
        return Malformed(verdict, "session " + history.sessions[i].Text() + " is listed twice");
  windows_.assign(1, Window{});
  for (size_t i = 0; i < history.recoveries.size(); ++i) {
    const Recovery& recovery = history.recoveries[i];
    if (recovery.incarnation + 1 != windows_.size())
      return Malformed(verdict, "recovery " + std::to_string(i) + " ends incarnation " +
                                    std::to_string(recovery.incarnation) + ", expected " +
                                    std::to_string(windows_.size() - 1));
    if (i > 0 && recovery.time <= history.recoveries[i - 1].time)
      return Malformed(verdict, "recovery " + std::to_string(i) + " is not after the one before");
    if (recovery.state.size() > 0 && !Returned(recovery))
      return Malformed(verdict, "recovery " + std::to_string(i) + " was refused and has a state");
    if (windows_.back().to == kNever) windows_.back().to = recovery.time;
    if (Returned(recovery)) windows_.push_back(Window{recovery.time, kNever});
  }
  for (size_t i = 0; i < history.checkpoints.size(); ++i) {
    const CheckpointEvent& event = history.checkpoints[i];
    const std::string name = "checkpoint " + event.token.Text();
    if (event.token.IsNull()) return Malformed(verdict, "a checkpoint without a token");
    if (event.incarnation >= windows_.size()) return Malformed(verdict, name + " is of no incarnation");
    const Window& window = windows_[event.incarnation];
    if ((event.incarnation > 0 && event.requested <= window.from) || event.requested >= window.to)
      return Malformed(verdict,
                       name + " was requested at " + Number(event.requested) + ", outside its incarnation");
    if (event.callback != kNever && (event.callback <= event.requested || event.callback >= window.to))
      return Malformed(verdict, name + " was durable at " + Number(event.callback) +
                                    ", before its request or outside its incarnation");
    for (size_t j = 0; j < i; ++j)
      if (history.checkpoints[j].token == event.token) return Malformed(verdict, name + " is listed twice");
  }
  for (const SessionReport& report : history.reports)
    if (report.session >= history.sessions.size() || report.incarnation >= windows_.size())
      return Malformed(verdict, "a commit report of no session or incarnation");
  return true;
}

bool HistoryCheck::CheckOperations(const History& history, Verdict* verdict) {
  const uint32_t last = static_cast<uint32_t>(windows_.size() - 1);
  for (uint32_t i = 0; i < history.operations.size(); ++i) {
    const Operation& op = history.operations[i];
    const char* wrong = nullptr;
    if (op.session >= history.sessions.size()) {
      wrong = "names no session";
    } else if (op.incarnation > last) {
      wrong = "is of no incarnation";
    } else if (op.serial == 0) {
      wrong = "has serial 0";
    } else if ((op.outcome == OpOutcome::kUnknown) != (op.responded == kNever)) {
      wrong = "has a response time without a response, or none with one";
    } else if (op.invoked >= op.responded) {
      wrong = "responded before it was invoked";
    } else if ((op.incarnation > 0 && op.invoked <= windows_[op.incarnation].from) ||
               op.invoked >= windows_[op.incarnation].to ||
               (op.responded != kNever && op.responded >= windows_[op.incarnation].to)) {
      wrong = "is outside the time of its incarnation";
    } else if (op.invoked < history.session_opened[op.session]) {
      wrong = "is before its session was opened";
    } else if (op.type == OpType::kTruncate && op.mark > op.invoked) {
      wrong = "has a mark that is later than itself";
    } else if ((op.type == OpType::kUpsert || op.type == OpType::kInsert) && op.operand == 0) {
      wrong = "writes the word 0";
    } else if (history.quiesced && op.incarnation == last && op.outcome == OpOutcome::kUnknown) {
      wrong = "has no response in a quiesced history";
    }
    if (wrong) return Malformed(verdict, "operation " + std::to_string(i) + " " + wrong, {i});
  }
  return true;
}

// Recorders write operations in order of invocation; then one pass suffices.
bool HistoryCheck::CheckSerials(const History& history, Verdict* verdict) {
  const size_t sessions = history.sessions.size();
  last_.assign(sessions * windows_.size(), Last{});
  for (const Operation& op : history.operations) {
    Last& last = last_[op.incarnation * sessions + op.session];
    if ((last.serial != 0 && op.serial != last.serial + 1) || op.invoked < last.invoked)
      return CheckSerialsSorted(history, verdict);
    last = Last{op.serial, op.invoked};
  }
  return true;
}

bool HistoryCheck::CheckSerialsSorted(const History& history, Verdict* verdict) {
  const std::vector<Operation>& ops = history.operations;
  sorted_.resize(ops.size());
  for (uint32_t i = 0; i < ops.size(); ++i) sorted_[i] = i;
  std::sort(sorted_.begin(), sorted_.end(), [&](uint32_t a, uint32_t b) {
    return std::tie(ops[a].incarnation, ops[a].session, ops[a].serial) <
           std::tie(ops[b].incarnation, ops[b].session, ops[b].serial);
  });
  for (size_t i = 1; i < sorted_.size(); ++i) {
    const Operation& one = ops[sorted_[i - 1]];
    const Operation& two = ops[sorted_[i]];
    if (one.incarnation != two.incarnation || one.session != two.session) continue;
    if (two.serial != one.serial + 1)
      return Malformed(verdict,
                       "serial " + std::to_string(one.serial) + " of session " + std::to_string(one.session) +
                           " is followed by " + std::to_string(two.serial),
                       {sorted_[i - 1], sorted_[i]});
    if (two.invoked < one.invoked)
      return Malformed(verdict, "serials are not in order of invocation", {sorted_[i - 1], sorted_[i]});
  }
  return true;
}

}  // namespace faults
