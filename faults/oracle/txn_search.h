// TxnSearch: judges a TxnHistory by looking for serial orders. The second opinion of R7: it shares no judging
// code with TxnChecker, builds no graph, and makes no use of words that name their writer.
//
// Per incarnation it places the transactions one after the other, in client order, with a memo of (how far
// each client is, state of all keys, cuts passed):
//   what it reads is what is there; its writes follow those with lower versions, if the store tells versions;
//   a transaction above a commit point is placed only when all within it are, at that boundary the state must
//   be the recovered one, and at the end the final one;
//   a transaction without an answer may be left out;
//   with `strict`, in a search of its own, nothing is placed before what had answered before it began.
// The bounds of commit points are checked by going through all pairs. Small histories only: a search of more
// than max_steps nodes is `undecided`.
//
// Thread-safety: one per thread.
#pragma once

#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "faults/oracle/txn_history.h"

namespace faults {

class TxnSearch {
 public:
  uint64_t max_steps = 200'000;  // nodes a search

  TxnVerdict Check(const TxnHistory& history);

 private:
  enum class Answer : uint8_t { kYes, kNo, kUnknown };
  struct Rules {
    bool time, cuts, states;
  };
  struct Level {
    std::vector<uint64_t> points;
    const TxnState* state;  // null: not known
  };
  struct Node {
    std::vector<uint32_t> placed;  // by client
    std::vector<uint64_t> words;   // by key
    std::vector<uint64_t> told;    // by key: the version written last
    uint32_t level = 0;            // cuts passed
  };

  bool CheckPoints(TxnVerdict* verdict) const;
  bool PointsFit(const TxnHistory& history, const std::vector<uint64_t>& points, uint32_t incarnation,
                 uint64_t requested, uint64_t reported) const;
  uint64_t StartOf(uint32_t client, uint32_t incarnation) const;
  void Load(uint32_t incarnation);
  Answer Solve(const Rules& rules);
  Answer Descend(Node* node);
  bool PassCut(Node* node) const;
  bool MayPlace(const Node& node, uint32_t client, const Transaction& txn) const;
  bool Remember(const Node& node);
  bool StateIs(const Node& node, const TxnState& state) const;

  const TxnHistory* history_ = nullptr;
  std::vector<std::vector<const Transaction*>> by_client_;
  std::vector<Level> levels_;
  const TxnState* end_state_ = nullptr;
  std::map<uint64_t, uint32_t> keys_;
  Node start_;
  Rules rules_ = {};
  uint64_t steps_left_ = 0;
  std::unordered_set<std::string> memo_;
};

}  // namespace faults
