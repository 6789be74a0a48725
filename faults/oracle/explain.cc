// Explain: a verdict as a timeline for people.
#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>

#include "faults/oracle/history_check.h"
#include "faults/oracle/judge.h"
#include "faults/oracle/words.h"

namespace faults {
namespace {

constexpr uint32_t kDeepest = 24;  // updates a word is taken apart into

std::string Format(const char* format, ...) __attribute__((format(printf, 1, 2)));
std::string Format(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

std::string Time(uint64_t time) { return time == kNever ? "never" : std::to_string(time); }

std::string Name(const Operation& op) {
  return "s" + std::to_string(op.session) + "." + std::to_string(op.serial) +
         (op.incarnation > 0 ? "/" + std::to_string(op.incarnation) : "");
}

const std::pair<uint64_t, uint64_t>* Find(const std::vector<std::pair<uint64_t, uint64_t>>& state,
                                          uint64_t key) {
  for (const auto& entry : state)
    if (entry.first == key) return &entry;
  return nullptr;
}

// Takes words apart into the updates of one key, all incarnations: "s0.1 s2.4/1" is what s0.1 wrote, changed
// by the RMW s2.4 of incarnation 1.
class Decoder {
 public:
  Decoder(const History& history, uint64_t key) : history_(history), key_(key) {}

  std::string Text(uint64_t word) const {
    std::string text;
    return Decode(word, 0, &text) ? text : Format("%016" PRIx64 ", from nobody", word);
  }

 private:
  bool Decode(uint64_t word, uint32_t depth, std::string* text) const {
    if (depth > kDeepest) {
      *text = "...";
      return true;
    }
    for (const Operation& op : history_.operations) {
      if (op.key != key_ || (op.type != OpType::kUpsert && op.type != OpType::kInsert) || op.operand != word)
        continue;
      *text = Name(op);
      return true;
    }
    for (const Operation& op : history_.operations) {
      if (op.key != key_ || op.type != OpType::kRmw || op.outcome == OpOutcome::kFail) continue;
      if (op.result != 0 && op.result != word) continue;
      const uint64_t old_word = UndoRmwWord(word, op.operand);
      if (op.result == 0 && depth > 6) continue;
      if (old_word != 0 && !Decode(old_word, depth + 1, text)) continue;
      if (old_word == 0) *text = "absent";
      *text += " " + Name(op);
      return true;
    }
    return false;
  }

  const History& history_;
  uint64_t key_;
};

// Commit point of the session that decides the fate of the operation, by the recoveries to checkpoints of its
// incarnation: "" if no recovery returned one and nothing crashed.
std::string Fate(const History& history, const Operation& op) {
  bool crashed = false;
  for (const Recovery& recovery : history.recoveries) {
    crashed |= Returned(recovery) && recovery.incarnation == op.incarnation;
    for (const CheckpointEvent& event : history.checkpoints) {
      if (!(event.token == recovery.log_token) || event.incarnation != op.incarnation) continue;
      for (const faster::SessionCommit& commit : recovery.commits)
        if (commit.session == history.sessions[op.session] && op.serial <= commit.serial)
          return std::binary_search(commit.excluded.begin(), commit.excluded.end(), op.serial) ? "excluded"
                                                                                               : "committed";
    }
  }
  return crashed ? "lost" : "";
}

std::string OperationLine(const History& history, uint32_t index, const Decoder& decoder, bool marked) {
  const Operation& op = history.operations[index];
  constexpr const char* kTypes[] = {"read", "upsert", "rmw", "delete", "insert", "truncate"};
  std::string effect;
  if (op.outcome == OpOutcome::kUnknown) {
    effect = "no response";
  } else if (op.outcome == OpOutcome::kFail) {
    effect = op.type == OpType::kRead || op.type == OpType::kDelete ? "found nothing" : "refused";
    if (op.type == OpType::kInsert && op.result != 0) effect += ", there is " + decoder.Text(op.result);
  } else if (op.type == OpType::kRead) {
    effect = "= " + decoder.Text(op.result);
  } else if (op.type == OpType::kRmw) {
    effect = op.result == 0 ? "done" : "-> " + decoder.Text(op.result);
  } else {
    effect = "done";
  }
  const bool has_phase = op.phase >= 0 && static_cast<size_t>(op.phase) < history.phases.size();
  return Format("%c #%-4u %-8s %-6s [%s, %s]%s%s %-9s %s\n", marked ? '>' : ' ', index, Name(op).c_str(),
                kTypes[static_cast<int>(op.type)], Time(op.invoked).c_str(), Time(op.responded).c_str(),
                has_phase ? (" " + history.phases[op.phase]).c_str() : "", op.went_pending ? " pending" : "",
                Fate(history, op).c_str(), effect.c_str());
}

std::string StateLine(const char* what, const std::vector<std::pair<uint64_t, uint64_t>>& state, uint64_t key,
                      const Decoder& decoder) {
  const auto* found = Find(state, key);
  return std::string("  ") + what + (found ? decoder.Text(found->second) : std::string("absent")) + "\n";
}

std::string CommitText(const faster::SessionCommit& commit) {
  std::string text = Format(" %.8s:%" PRIu64, commit.session.Text().c_str(), commit.serial);
  for (uint64_t x : commit.excluded) text += "-" + std::to_string(x);
  return text;
}

std::string Events(const History& history) {
  std::string text;
  for (const CheckpointEvent& event : history.checkpoints) {
    text += Format("  checkpoint %s (%s, %s) of incarnation %u: requested %s, callback %s %s",
                   event.token.Text().c_str(), std::string(CheckpointKindName(event.kind)).c_str(),
                   std::string(LogBackendName(event.backend)).c_str(), event.incarnation,
                   Time(event.requested).c_str(), Time(event.callback).c_str(),
                   event.callback == kNever ? "" : std::string(StatusName(event.status)).c_str());
    for (const faster::SessionCommit& commit : event.reported) text += CommitText(commit);
    text += "\n";
  }
  for (const SessionReport& report : history.reports)
    text += Format("  session %u was told %" PRIu64 " for %s at %s\n", report.session, report.serial,
                   report.token.Text().c_str(), Time(report.time).c_str());
  for (const Recovery& recovery : history.recoveries) {
    text += Format("  recovery at %s ends incarnation %u: %s, %s", Time(recovery.time).c_str(),
                   recovery.incarnation, std::string(StatusName(recovery.status)).c_str(),
                   recovery.log_token.Text().c_str());
    for (const faster::SessionCommit& commit : recovery.commits) text += CommitText(commit);
    text += recovery.why.empty() ? "\n" : " (" + recovery.why + ")\n";
  }
  return text;
}

}  // namespace

std::string Explain(const History& history, const Verdict& verdict) {
  std::string text = verdict.ok ? std::string(verdict.undecided ? "undecided" : "pass")
                                : std::string(RuleName(verdict.rule)) + ": " + verdict.what;
  text += "\n";
  auto marked = [&](uint32_t op) {
    return std::find(verdict.witness.begin(), verdict.witness.end(), op) != verdict.witness.end();
  };
  if (!verdict.has_key) {
    text += Events(history);
    for (uint32_t op : verdict.witness)
      if (op < history.operations.size())
        text += OperationLine(history, op, Decoder(history, history.operations[op].key), true);
    return text;
  }
  const Decoder decoder(history, verdict.key);
  text += Format("key %" PRIu64 ", incarnation %u\n", verdict.key, verdict.incarnation);
  for (const Recovery& recovery : history.recoveries)
    if (Returned(recovery) && recovery.incarnation + 1 == verdict.incarnation)
      text += StateLine("began with ", recovery.state, verdict.key, decoder);
  std::vector<uint32_t> order;
  for (uint32_t i = 0; i < history.operations.size(); ++i) {
    const Operation& op = history.operations[i];
    const bool concerns = op.key == verdict.key || op.type == OpType::kTruncate;
    if (concerns && op.incarnation == verdict.incarnation) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return history.operations[a].invoked < history.operations[b].invoked;
  });
  constexpr size_t kMostLines = 60;
  for (size_t i = 0; i < order.size(); ++i)
    if (i < kMostLines || marked(order[i]))
      text += OperationLine(history, order[i], decoder, marked(order[i]));
  if (order.size() > kMostLines) text += Format("  (%zu more operations)\n", order.size() - kMostLines);
  for (const Recovery& recovery : history.recoveries) {
    bool cuts_here = false;
    for (const CheckpointEvent& event : history.checkpoints)
      cuts_here |= event.token == recovery.log_token && event.incarnation == verdict.incarnation;
    if (!cuts_here) continue;
    text += StateLine("recovered  ", recovery.state, verdict.key, decoder);
    if (recovery.has_scan) text += StateLine("scanned    ", recovery.scanned, verdict.key, decoder);
  }
  if (history.quiesced && verdict.incarnation == history.recoveries.size())
    text += StateLine("ended with ", history.final_state, verdict.key, decoder);
  return text;
}

}  // namespace faults
