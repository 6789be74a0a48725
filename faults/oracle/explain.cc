// Explain: a verdict as a timeline for people.
#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <unordered_map>
#include <vector>

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
//
// An RMW that never answered may have been applied to any word, so a word that nobody is known to have left
// is searched for by undoing these one after the other, shortest explanations first. COST: bounded by
// kMostTries look-ups a word, whatever the history holds.
class Decoder {
 public:
  Decoder(const History& history, uint64_t key) : history_(history) {
    for (uint32_t i = 0; i < history.operations.size(); ++i) {
      const Operation& op = history.operations[i];
      if (op.key != key) continue;
      if (op.type == OpType::kUpsert || op.type == OpType::kInsert) writers_.emplace(op.operand, i);
      if (op.type != OpType::kRmw || op.outcome == OpOutcome::kFail || op.outcome == OpOutcome::kError)
        continue;
      if (op.result != 0)
        left_.emplace(op.result, i);
      else
        unanswered_.push_back(i);
    }
  }

  std::string Text(uint64_t word) const {
    std::string text;
    int tries = kMostTries;
    for (uint32_t unanswered = 0; unanswered <= kMostUnanswered && tries > 0; ++unanswered) {
      if (Decode(word, unanswered, 0, &tries, &text)) return text;
      if (unanswered_.empty()) break;
    }
    return Format("%016" PRIx64 "%s", word, tries > 0 ? ", from nobody" : ", from nobody who answered");
  }

 private:
  static constexpr int kMostTries = 50'000;
  static constexpr uint32_t kMostUnanswered = 6;  // RMWs without an answer that a word is taken apart into

  // True if the word is explained with exactly so many unanswered RMWs at its end, before those that
  // answered.
  bool Decode(uint64_t word, uint32_t unanswered, uint32_t depth, int* tries, std::string* text) const {
    if (--*tries < 0) return false;
    if (depth > kDeepest) {
      *text = "...";
      return true;
    }
    if (unanswered == 0) {
      const auto writer = writers_.find(word);
      if (writer != writers_.end()) {
        *text = Name(history_.operations[writer->second]);
        return true;
      }
      const auto left = left_.find(word);
      return left != left_.end() && Undo(left->second, word, 0, depth, tries, text);
    }
    for (const uint32_t index : unanswered_)
      if (Undo(index, word, unanswered - 1, depth, tries, text)) return true;
    return false;
  }

  // The word is what this RMW left: explains the one before. An answer is a fact, so below one the search
  // begins anew.
  bool Undo(uint32_t index, uint64_t word, uint32_t unanswered, uint32_t depth, int* tries,
            std::string* text) const {
    const Operation& op = history_.operations[index];
    const uint64_t old_word = UndoRmwWord(word, op.operand);
    if (old_word == 0) {
      if (unanswered != 0) return false;
      *text = "absent";
    } else if (op.result == 0) {
      if (!Decode(old_word, unanswered, depth + 1, tries, text)) return false;
    } else {
      bool found = false;
      for (uint32_t more = 0; more <= kMostUnanswered && !found && *tries > 0; ++more) {
        found = Decode(old_word, more, depth + 1, tries, text);
        if (unanswered_.empty()) break;
      }
      if (!found) return false;
    }
    *text += " " + Name(op);
    return true;
  }

  const History& history_;
  std::unordered_map<uint64_t, uint32_t> writers_;  // of upserts and inserts, by what they wrote
  std::unordered_map<uint64_t, uint32_t> left_;     // RMWs that answered, by their result
  std::vector<uint32_t> unanswered_;
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
  } else if (op.outcome == OpOutcome::kError) {
    effect = "ended with an error";
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
