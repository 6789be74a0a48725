#include "tests/property/mutate.h"

#include <algorithm>

#include "faults/oracle/words.h"

namespace faults_test {
namespace {

using namespace faults;
using State = std::vector<std::pair<uint64_t, uint64_t>>;

class Mutator {
 public:
  Mutator(History* history, Tape* tape) : history_(*history), tape_(*tape) {}

  std::string Run(uint32_t which) {
    switch (which) {
      case 0:
        return DropUpdate();
      case 1:
        return KeepLost();
      case 2:
        return SwapRmws();
      case 3:
        return Rmw(true);
      case 4:
        return ChangeCommit(true);
      case 5:
        return ChangeCommit(false);
      case 6:
        return DropSession();
      case 7:
        return Resurrect();
      case 8:
        return ChangeRead();
      case 9:
        return ChangeRmw();
      case 10:
        return MoveTime();
      case 11:
        return ForgetResponse();
      case 12:
        return BreakScan();
      case 13:
        return FailCheckpoint();
      case 14:
        return Refuse();
      case 15:
        return OlderCheckpoint();
      case 16:
        return ChangeReport();
      case 17:
        return ShiftSerials();
      case 18:
        return RemoveKey();
      case 19:
        return Rmw(false);
      case 20:
        return ForgetExclusion();
      case 21:
        return ExcludeOneMore();
      case 22:
        return ChangeExclusions();
    }
    return "";
  }

 private:
  uint32_t Pick(size_t n) { return tape_.Pick(static_cast<uint32_t>(n)); }

  // A state to break: a recovered one (and what the scan said of it), or the final one.
  State* PickState() {
    const size_t count = history_.recoveries.size() + history_.quiesced;
    if (count == 0) return nullptr;
    const uint32_t at = Pick(count);
    if (at == history_.recoveries.size()) return &history_.final_state;
    history_.recoveries[at].has_scan = false;
    return &history_.recoveries[at].state;
  }
  static uint64_t* Word(State* state, uint64_t key) {
    for (auto& entry : *state)
      if (entry.first == key) return &entry.second;
    return nullptr;
  }
  Operation* PickOp(bool (*fits)(const Operation&)) {
    std::vector<Operation*> ops;
    for (Operation& op : history_.operations)
      if (fits(op)) ops.push_back(&op);
    return ops.empty() ? nullptr : ops[Pick(ops.size())];
  }

  // The word before the last RMW, or another word of the key.
  std::string DropUpdate() {
    State* state = PickState();
    if (state == nullptr || state->empty()) return "";
    auto& [key, word] = (*state)[Pick(state->size())];
    for (const Operation& op : history_.operations) {
      if (op.key != key || op.type != OpType::kRmw || op.result != word || UndoRmwWord(word, op.operand) == 0)
        continue;
      word = UndoRmwWord(word, op.operand);
      return "drop a committed update";
    }
    for (const Operation& op : history_.operations) {
      if (op.key != key || op.type != OpType::kUpsert || op.operand == word) continue;
      word = op.operand;
      return "drop a committed update";
    }
    return "";
  }
  std::string KeepLost() {
    State* state = PickState();
    const Operation* op =
        PickOp([](const Operation& o) { return o.type == OpType::kUpsert || o.result != 0; });
    if (state == nullptr || op == nullptr) return "";
    const uint64_t written = op->type == OpType::kUpsert ? op->operand : op->result;
    if (uint64_t* word = Word(state, op->key))
      *word = written;
    else
      state->emplace_back(op->key, written);
    return "keep a lost update";
  }
  std::string SwapRmws() {
    State* state = PickState();
    if (state == nullptr || state->empty()) return "";
    auto& [key, word] = (*state)[Pick(state->size())];
    for (const Operation& last : history_.operations)
      for (const Operation& first : history_.operations) {
        if (last.key != key || first.key != key || last.type != OpType::kRmw || first.type != OpType::kRmw)
          continue;
        if (last.result != word || first.result == 0 || first.result != UndoRmwWord(word, last.operand))
          continue;
        word = RmwWord(RmwWord(UndoRmwWord(first.result, first.operand), last.operand), first.operand);
        return "swap two updates";
      }
    return "";
  }
  std::string Rmw(bool any_time) {
    State* state = PickState();
    if (state == nullptr || state->empty()) return "";
    auto& [key, word] = (*state)[Pick(state->size())];
    for (const Operation& op : history_.operations) {
      if (op.key != key || op.type != OpType::kRmw || (!any_time && op.outcome != OpOutcome::kUnknown))
        continue;
      word = RmwWord(word, op.operand);
      return any_time ? "apply an RMW twice" : "apply an unknown RMW";
    }
    return "";
  }
  std::string ChangeCommit(bool everywhere) {
    if (history_.recoveries.empty()) return "";
    Recovery& recovery = history_.recoveries[Pick(history_.recoveries.size())];
    if (recovery.commits.empty()) return "";
    auto& commit = recovery.commits[Pick(recovery.commits.size())];
    const faster::SessionCommit before = commit;
    if (Pick(2) == 0)
      ++commit.serial;
    else if (commit.serial > 0)
      --commit.serial;
    for (CheckpointEvent& event : history_.checkpoints)
      for (auto& reported : event.reported)
        if (everywhere && event.token == recovery.log_token && reported == before)
          reported.serial = commit.serial;
    for (SessionReport& report : history_.reports)
      if (everywhere && report.token == recovery.log_token &&
          history_.sessions[report.session] == commit.session)
        report.serial = commit.serial;
    return everywhere ? "change t wherever it was said" : "change t in a recovery";
  }
  // Changes what a checkpoint excludes of one session, wherever that was said.
  template <class Change>
  std::string Exclusions(const char* name, bool everywhere, Change change) {
    if (history_.recoveries.empty()) return "";
    Recovery& recovery = history_.recoveries[Pick(history_.recoveries.size())];
    if (recovery.commits.empty()) return "";
    faster::SessionCommit& commit = recovery.commits[Pick(recovery.commits.size())];
    if (!change(&commit)) return "";
    for (Recovery& other : history_.recoveries)
      for (auto& its : other.commits)
        if (everywhere && other.log_token == recovery.log_token && its.session == commit.session)
          its.excluded = commit.excluded;
    for (CheckpointEvent& event : history_.checkpoints)
      for (auto& reported : event.reported)
        if (everywhere && event.token == recovery.log_token && reported.session == commit.session)
          reported.excluded = commit.excluded;
    for (SessionReport& report : history_.reports)
      if (everywhere && report.token == recovery.log_token &&
          history_.sessions[report.session] == commit.session)
        report.excluded = commit.excluded;
    return name;
  }
  std::string ForgetExclusion() {
    return Exclusions("forget an excluded serial wherever it was said", true, [&](auto* commit) {
      if (commit->excluded.empty()) return false;
      commit->excluded.erase(commit->excluded.begin() + Pick(commit->excluded.size()));
      return true;
    });
  }
  std::string ExcludeOneMore() {
    return Exclusions("exclude one serial more wherever it was said", true, [&](auto* commit) {
      if (commit->serial == 0) return false;
      const uint64_t serial = 1 + Pick(commit->serial);
      if (std::binary_search(commit->excluded.begin(), commit->excluded.end(), serial)) return false;
      commit->excluded.insert(std::lower_bound(commit->excluded.begin(), commit->excluded.end(), serial),
                              serial);
      return true;
    });
  }
  std::string ChangeExclusions() {
    return Exclusions("other exclusions in a recovery", false, [&](auto* commit) {
      if (commit->excluded.empty())
        commit->excluded.push_back(commit->serial);
      else
        commit->excluded.pop_back();
      return true;
    });
  }
  std::string DropSession() {
    if (history_.recoveries.empty()) return "";
    Recovery& recovery = history_.recoveries[Pick(history_.recoveries.size())];
    if (recovery.commits.empty()) return "";
    const faster::Guid gone = recovery.commits[Pick(recovery.commits.size())].session;
    auto drop = [&](std::vector<faster::SessionCommit>* commits) {
      commits->erase(
          std::remove_if(commits->begin(), commits->end(), [&](auto& c) { return c.session == gone; }),
          commits->end());
    };
    drop(&recovery.commits);
    for (CheckpointEvent& event : history_.checkpoints)
      if (event.token == recovery.log_token) drop(&event.reported);
    return "drop a session";
  }
  std::string Resurrect() {
    State* state = PickState();
    const Operation* gone = PickOp([](const Operation& o) { return o.type == OpType::kDelete; });
    if (state == nullptr || gone == nullptr || Word(state, gone->key) != nullptr) return "";
    for (const Operation& op : history_.operations) {
      if (op.key != gone->key || (op.type != OpType::kUpsert && op.result == 0)) continue;
      state->emplace_back(op.key, op.type == OpType::kUpsert ? op.operand : op.result);
      return "resurrect a deleted key";
    }
    return "";
  }
  std::string RemoveKey() {
    State* state = PickState();
    if (state == nullptr || state->empty()) return "";
    state->erase(state->begin() + Pick(state->size()));
    return "lose a key";
  }
  std::string ChangeRead() {
    Operation* read =
        PickOp([](const Operation& o) { return o.type == OpType::kRead && o.responded != kNever; });
    if (read == nullptr) return "";
    const Operation* other =
        PickOp([](const Operation& o) { return o.type == OpType::kUpsert || o.result != 0; });
    if (read->outcome == OpOutcome::kOk && Pick(2) == 0) {
      read->outcome = OpOutcome::kFail;
      read->result = 0;
    } else if (other != nullptr) {
      read->outcome = OpOutcome::kOk;
      read->result = other->type == OpType::kUpsert ? other->operand : other->result;
    }
    return "change what a read found";
  }
  std::string ChangeRmw() {
    Operation* rmw = PickOp([](const Operation& o) { return o.type == OpType::kRmw && o.result != 0; });
    if (rmw == nullptr) return "";
    const Operation* other =
        PickOp([](const Operation& o) { return o.type == OpType::kUpsert || o.result != 0; });
    const uint64_t from = other == nullptr || Pick(2) == 0 ? 0
                          : other->type == OpType::kUpsert ? other->operand
                                                           : other->result;
    rmw->result = RmwWord(from, rmw->operand);
    return "an RMW from a stale word";
  }
  // Makes an operation shorter, as far as the session's order allows.
  std::string MoveTime() {
    Operation* op =
        PickOp([](const Operation& o) { return o.responded != kNever && o.responded > o.invoked + 1; });
    if (op == nullptr) return "";
    if (Pick(2) == 0) {
      op->responded = op->invoked + 1;
    } else {
      uint64_t latest = op->responded - 1;
      for (const Operation& other : history_.operations)
        if (other.session == op->session && other.incarnation == op->incarnation && other.serial > op->serial)
          latest = std::min(latest, other.invoked);
      op->invoked = std::max(op->invoked, latest);
    }
    return "change real time";
  }
  std::string ForgetResponse() {
    Operation* op = PickOp([](const Operation& o) { return o.responded != kNever; });
    if (op == nullptr || (history_.quiesced && op->incarnation == history_.recoveries.size())) return "";
    op->outcome = OpOutcome::kUnknown;
    op->responded = kNever;
    op->result = 0;
    return "forget a response";
  }
  std::string BreakScan() {
    if (history_.recoveries.empty()) return "";
    Recovery& recovery = history_.recoveries[Pick(history_.recoveries.size())];
    if (!recovery.has_scan || recovery.scanned.empty()) return "";
    if (Pick(2) == 0)
      recovery.scanned.pop_back();
    else
      recovery.scanned[0].second ^= 4;
    return "scan finds something else";
  }
  std::string FailCheckpoint() {
    for (CheckpointEvent& event : history_.checkpoints) {
      if (event.callback == kNever || Pick(2) == 1) continue;
      event.status = faster::Status::kIoError;
      event.reported.clear();
      return "a checkpoint fails";
    }
    return "";
  }
  std::string Refuse() {
    if (history_.recoveries.empty() || history_.recoveries.back().status != faster::Status::kOk) return "";
    Recovery& recovery = history_.recoveries.back();
    const uint32_t next = recovery.incarnation + 1;
    auto later = [&](const auto& item) { return item.incarnation >= next; };
    std::erase_if(history_.operations, later);
    std::erase_if(history_.checkpoints, later);
    std::erase_if(history_.reports, later);
    history_.quiesced = false;
    history_.final_state.clear();
    recovery.status = faster::Status::kCorruption;
    recovery.state.clear();
    recovery.scanned.clear();
    recovery.commits.clear();
    recovery.has_scan = false;
    return "a recovery refuses";
  }
  std::string OlderCheckpoint() {
    if (history_.recoveries.size() < 2) return "";
    Recovery& last = history_.recoveries.back();
    const Recovery& first = history_.recoveries[history_.recoveries.size() - 2];
    if (last.named || last.log_token == first.log_token) return "";
    last.log_token = first.log_token;
    last.status = first.status;
    last.commits = first.commits;
    last.state = first.state;
    last.scanned = first.scanned;
    return "recover an older checkpoint";
  }
  std::string ChangeReport() {
    if (history_.reports.empty()) return "";
    ++history_.reports[Pick(history_.reports.size())].serial;
    return "tell a session too much";
  }
  std::string ShiftSerials() {
    if (history_.operations.empty()) return "";
    const Operation one = history_.operations[Pick(history_.operations.size())];
    for (Operation& op : history_.operations)
      if (op.session == one.session && op.incarnation == one.incarnation) ++op.serial;
    return "go on from another serial";
  }

  History& history_;
  Tape& tape_;
};

}  // namespace

std::string Mutate(uint32_t which, History* history, Tape* tape) { return Mutator(history, tape).Run(which); }

}  // namespace faults_test
