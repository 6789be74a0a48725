// Names of faults, and a TxnHistory as a timeline for people.
#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "faults/oracle/txn_history.h"

namespace faults {
namespace {

std::string Word(uint64_t word) {
  if (word == 0) return "absent";
  char text[32];
  std::snprintf(text, sizeof text, "%" PRIx64, word);
  return text;
}

std::string Time(uint64_t time) { return time == kNever ? "never" : std::to_string(time); }

std::string PointsText(const std::vector<uint64_t>& points) {
  std::string text;
  for (size_t c = 0; c < points.size(); ++c)
    text += (c == 0 ? "c" : ", c") + std::to_string(c) + ":" + std::to_string(points[c]);
  return text;
}

std::string StateText(const TxnState& state) {
  TxnState sorted = state;
  std::sort(sorted.begin(), sorted.end());
  std::string text;
  for (const auto& [key, word] : sorted) text += " " + std::to_string(key) + "=" + Word(word);
  return text.empty() ? " nothing" : text;
}

std::string TransactionLine(const TxnHistory& history, uint32_t index, bool marked) {
  static constexpr const char* kOutcomes[] = {"committed", "aborted", "no answer"};
  const Transaction& txn = history.transactions[index];
  std::string text = std::string(marked ? "> " : "  ") + TxnName(txn) + " [" + Time(txn.invoked) + ", " +
                     Time(txn.responded) + "] " + kOutcomes[static_cast<int>(txn.outcome)] + ":";
  for (const TxnAccess& access : txn.accesses) {
    text += " " + std::to_string(access.key);
    if (access.reads && txn.outcome == TxnOutcome::kCommitted) text += "=" + Word(access.read);
    if (access.reads && txn.outcome != TxnOutcome::kCommitted) text += "=?";
    if (access.writes) text += "->" + Word(access.written);
    if (access.writes && access.version != 0) text += "@" + std::to_string(access.version);
  }
  return text + "\n";
}

}  // namespace

const char* TxnFaultName(TxnFault fault) {
  static constexpr const char* kNames[] = {"none",        "history",       "refused",        "bounds",
                                           "serials",     "nobody's word", "dirty read",     "lost read",
                                           "lost update", "write skew",    "read skew",      "circular",
                                           "stale",       "not closed",    "torn",           "lost",
                                           "above",       "aborted state", "nobody's state", "disagree"};
  return kNames[static_cast<uint8_t>(fault)];
}

const char* TxnRuleName(TxnFault fault) {
  switch (fault) {
    case TxnFault::kNone:
      return "none";
    case TxnFault::kHistory:
      return "history";
    case TxnFault::kRefused:
      return "R0";
    case TxnFault::kBounds:
      return "R1";
    case TxnFault::kSerials:
      return "R5";
    case TxnFault::kDisagree:
      return "disagree";
    default:
      return "R7";
  }
}

std::string TxnName(const Transaction& txn) {
  return "c" + std::to_string(txn.client) + "." + std::to_string(txn.serial) +
         (txn.incarnation > 0 ? "/" + std::to_string(txn.incarnation) : "");
}

std::string TxnExplain(const TxnHistory& history, const TxnVerdict& verdict) {
  std::string text = verdict.ok ? (verdict.undecided ? "undecided: " + verdict.what : "pass")
                                : std::string(TxnRuleName(verdict.fault)) + ", " +
                                      TxnFaultName(verdict.fault) + ": " + verdict.what;
  text += "\n";
  std::vector<std::pair<uint64_t, std::string>> lines;
  for (uint32_t i = 0; i < history.transactions.size(); ++i) {
    const bool marked = std::find(verdict.witness.begin(), verdict.witness.end(), i) != verdict.witness.end();
    lines.emplace_back(history.transactions[i].invoked, TransactionLine(history, i, marked));
  }
  for (size_t i = 0; i < history.commits.size(); ++i) {
    const TxnCommit& commit = history.commits[i];
    lines.emplace_back(commit.requested,
                       "  commit " + std::to_string(i) + " requested at " + Time(commit.requested) + "\n");
    if (commit.callback == kNever) continue;
    lines.emplace_back(commit.callback, "  commit " + std::to_string(i) + " ended at " +
                                            Time(commit.callback) + ": " +
                                            std::string(faster::StatusName(commit.status)) + " " +
                                            PointsText(commit.points) + "\n");
  }
  for (const TxnReport& report : history.reports)
    lines.emplace_back(report.time, "  client " + std::to_string(report.client) + " told at " +
                                        Time(report.time) + ": durable up to " +
                                        std::to_string(report.serial) + "\n");
  for (const TxnRecovery& recovery : history.recoveries)
    lines.emplace_back(recovery.time, "  CRASH; recovery " + std::to_string(recovery.incarnation) + " at " +
                                          Time(recovery.time) + ": " +
                                          std::string(faster::StatusName(recovery.status)) + " " +
                                          recovery.why + PointsText(recovery.points) + ";" +
                                          StateText(recovery.state) + "\n");
  std::stable_sort(lines.begin(), lines.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& line : lines) text += line.second;
  if (history.quiesced) text += "  at the end:" + StateText(history.final_state) + "\n";
  return text;
}

}  // namespace faults
