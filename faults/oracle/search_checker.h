// SearchChecker: judges a whole history (R0-R6, scan agreement) by search. The second opinion: it shares no
// judging code with the linear checker and makes no use of traceable words.
//
// Per key and incarnation it looks for a linearization in the manner of Wing, Gong and Lowe, with a memo of
// (set of operations placed, state), and three changes for commit points:
//   an update outside a cut may be placed only when all operations of the cut on that key are placed (R3);
//   at that boundary the state must be the recovered one (R4);
//   an operation without a response that no cut holds may be left out.
// R0 and R1 are checked by going through all pairs, as they are written. Small histories only: a key with
// more than kMostOperations operations, or a search of more than max_steps nodes, is `undecided`.
//
// Thread-safety: one checker per thread; it keeps its memory between calls.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "faults/oracle/history.h"
#include "faults/oracle/history_check.h"

namespace faults {

class SearchChecker {
 public:
  static constexpr uint32_t kMostOperations = 256;
  uint64_t max_steps = 100'000;  // nodes per key

  Verdict Check(const History& history);

  // The operations that contradict each other, as few as can be found: an operation is left out if the rest
  // still contradicts itself although that operation may have happened at any time, or not at all. `verdict`
  // is a violation with has_key. Empty if the key is too large.
  std::vector<uint32_t> Shrink(const History& history, const Verdict& verdict);

 private:
  struct Cut {
    const CheckpointEvent* checkpoint = nullptr;  // null: the final state
    const Recovery* recovery = nullptr;
    const std::vector<std::pair<uint64_t, uint64_t>>* state = nullptr;
  };
  struct Incarnation {
    const Recovery* base = nullptr;
    std::vector<const CheckpointEvent*> lineage;  // oldest first, when it began
    std::vector<const CheckpointEvent*> taken;    // log checkpoints requested in it, oldest first
    std::vector<Cut> cuts;                        // oldest first
  };
  struct Step {  // an operation in a key's search
    uint32_t op = 0;
    OpType type = OpType::kRead;
    uint64_t operand = 0;
    uint64_t result = 0;  // required, if has_result
    bool has_result = false;
    bool optional = false;
    bool truncation =
        false;  // a delete that precedes all updates invoked after `mark`, in time for `deadline`
    uint64_t mark = 0;
    uint64_t deadline = 0;
    bool free = false;  // Shrink: may be anywhere, with any result
    uint32_t level = 0;
    uint64_t invoked = 0;
    uint64_t responded = 0;
  };
  using Mask = std::array<uint64_t, kMostOperations / 64>;
  struct Node {
    Mask placed;
    uint64_t state;
    uint32_t level;
    bool operator==(const Node&) const = default;
  };
  struct Problem {
    std::vector<Step> steps;
    uint64_t base = 0;                // 0 absent
    std::vector<uint64_t> cut_words;  // 0 absent
  };
  enum class Answer : uint8_t { kYes, kNo, kUnknown };

  // R0, R1 (search_bounds.cc).
  bool CheckCheckpoints(Verdict* verdict);
  bool BuildIncarnations(Verdict* verdict);
  bool CheckReturned(const Recovery& recovery, Incarnation* ended, Verdict* verdict);
  bool CheckEmptyStore(const Recovery& recovery, const Incarnation& ended, Verdict* verdict);
  bool CheckCommits(const CheckpointEvent& checkpoint, const std::vector<faster::SessionCommit>& commits,
                    Verdict* verdict);
  bool CheckReport(const SessionReport& report, Verdict* verdict);
  bool CheckOrderOfCommits(Verdict* verdict);
  // search_excluded.cc
  bool CheckExclusions(const CheckpointEvent& checkpoint, const std::vector<faster::SessionCommit>& commits,
                       bool complete, Verdict* verdict);
  bool CheckWhatWasToldOnReturn(const SessionReport& report, Verdict* verdict);
  bool MayExclude(const Operation& op, const CheckpointEvent& checkpoint) const;
  bool MayExclude(const CheckpointEvent& checkpoint, uint32_t session, uint64_t serial) const;
  bool Asked(uint32_t incarnation, uint32_t session, uint64_t before, bool answered) const;
  static bool Excludes(const std::vector<faster::SessionCommit>& commits, const faster::Guid& session,
                       uint64_t serial);
  bool CheckSerials(Verdict* verdict);
  void CollectCuts();
  bool Promised(const CheckpointEvent& checkpoint, const Recovery& before) const;
  uint64_t SerialOf(const std::vector<faster::SessionCommit>& commits, uint32_t session) const;
  uint64_t StartSerial(uint32_t incarnation, uint32_t session) const;
  const CheckpointEvent* FindCheckpoint(const faster::Token& token) const;

  // R2-R5 (search_checker.cc).
  uint32_t LevelOf(const Operation& op) const;
  Problem MakeProblem(uint32_t incarnation, uint64_t key, bool levels, bool cuts) const;
  Rule JudgeKey(uint32_t incarnation, uint64_t key, Verdict* verdict);
  Answer Solve(const Problem& problem, uint64_t max_nodes);
  Answer Descend(const Problem& problem, Node node);
  bool MayFollow(const Problem& problem, const Node& node, uint32_t at) const;
  bool MayTruncate(const Problem& problem, const Node& node, const Step& step) const;
  bool Apply(const Step& step, uint64_t* state) const;
  bool Remember(const Node& node);
  bool CheckScans(Verdict* verdict) const;
  void CheckBuffered(Verdict* verdict) const;

  const History* history_ = nullptr;
  HistoryCheck form_;
  std::vector<Incarnation> incarnations_;
  std::vector<uint64_t> keys_;
  uint64_t nodes_left_ = 0;
  std::vector<Node> memo_;
  std::vector<uint32_t> memo_slots_;  // open addressing, index + 1
};

}  // namespace faults
