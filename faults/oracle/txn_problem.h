// TxnProblem: one incarnation of a TxnHistory as a dependency graph, and what can be said about it.
//
// The graph is that of Adya's and Elle's serialisability over version orders (wr, ww, rw), with client order,
// and with recovery as one more reader: a CUT that follows every transaction within the commit points,
// precedes every other, and reads the state R. So a transaction torn, lost or recovered above its commit
// point, and a cut that is not closed, are cycles like any other.
//
// VERSION ORDERS. A transaction that reads and writes a key names the version it replaced. What is written
// blindly begins a new segment; the order of segments follows from versions that the store tells, from what a
// cut read, and from paths between their transactions (saturation: Biswas and Enea, OOPSLA'19). Every edge is
// necessary: it holds in each serial order that explains the history. So a cycle is a violation. The other
// verdict has a certificate of its own: a serial order in which every read and every recovered state is
// right, found greedily and executed. Neither found: undecided, which happens only with blind writes.
//
// Thread-safety: one per thread; it keeps its memory. Cost: O((accesses + keys) + transactions * clients);
// saturation, when needed, O(n^2 * edges / 64) for n <= kMostSaturated.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "faults/oracle/txn_graph.h"
#include "faults/oracle/txn_history.h"

namespace faults {

// Who wrote which word, over the whole history.
class TxnWriters {
 public:
  static constexpr uint32_t kNobody = ~0u;
  void Build(const TxnHistory& history);
  uint32_t Find(uint64_t key, uint64_t word) const;  // a transaction, or kNobody

 private:
  struct Name {
    uint64_t key, word;
    bool operator==(const Name&) const = default;
  };
  struct Hash {
    size_t operator()(const Name& name) const {
      uint64_t x = (name.key * 0x9e3779b97f4a7c15ull) ^ name.word;
      x = (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
      return x ^ x >> 32;
    }
  };
  std::unordered_map<Name, uint32_t, Hash> writers_;
};

struct TxnRules {       // what a solution must respect
  bool time = false;    // real time across clients
  bool cuts = false;    // commit points
  bool states = false;  // ... and what recovery and the end returned
};

class TxnProblem {
 public:
  static constexpr uint32_t kMostSaturated = 3000;
  enum class Answer : uint8_t { kYes, kNo, kUndecided };

  struct Cut {
    std::vector<uint64_t> points;
    const TxnState* state = nullptr;  // null: not known
    std::string name;                 // "commit 2", "recovery 0"
  };

  // The transactions and cuts of `incarnation`. Reads that nobody in it can have written are the caller's
  // business (FindStrangeRead) and must have been excluded.
  void Load(const TxnHistory& history, const TxnWriters& writers, uint32_t incarnation);
  Answer Solve(const TxnRules& rules);
  const std::vector<TxnGraph::Step>& cycle() const { return cycle_; }  // after kNo

  const std::vector<Cut>& cuts() const { return cuts_; }
  uint32_t LevelOf(uint32_t transaction) const;  // index of the first cut that holds it, cuts().size(): none
  // For a node of a cycle: a transaction's index, or kNobody and *helper says what it is ("" for one that
  // only continues an edge).
  uint32_t TransactionOf(uint32_t node, std::string* helper) const;

  // Is the write in the state of the last cut (or replaced by one that is)? After Solve() with states.
  enum class Fate : uint8_t { kThere, kMissing, kUnclear };
  Fate FateOf(uint32_t transaction, uint64_t key) const;

 private:
  static constexpr uint32_t kNone = TxnGraph::kNone;
  struct Version {
    uint32_t node = kNone;  // its writer; kNone: what the incarnation began with
    uint32_t key = 0;       // index into keys_
    uint64_t word = 0;
    uint64_t told = 0;
    uint32_t replaced = kNone;  // the version that its writer read, so wrote over
    uint32_t child = kNone;     // the first that was so written over it
    uint32_t segment = kNone;
    uint32_t place = 0;       // in its segment
    uint32_t reader = kNone;  // list of Reader
    uint32_t unread = 0;      // Greedy: readers not placed yet
  };
  struct Reader {
    uint32_t node;
    uint32_t next;
  };
  struct Segment {
    uint32_t key;
    uint32_t head, last;  // versions
    uint32_t gate = kNone;
  };
  struct Key {
    uint64_t name = 0;
    uint32_t base = kNone;  // version
    std::vector<uint32_t> versions, segments;
    uint32_t current = kNone;  // Greedy: version
  };
  struct Use {  // of one key by a transaction: versions
    uint32_t reads = kNone;
    uint32_t writes = kNone;
  };
  struct StateReader {  // a cut, or the end
    uint32_t node;
    uint32_t level;                  // transactions of a higher one are outside
    std::vector<uint32_t> versions;  // by key
  };

  void CollectCuts();
  void SeeState(const TxnState* state);
  uint32_t KeyIndex(uint64_t name);
  void Build(const TxnRules& rules);
  void AddKeys(const TxnState* state);
  void AddVersions();
  void AddReads();
  uint32_t VersionOf(uint32_t key, uint64_t word) const;
  void AddReader(uint32_t version, uint32_t node);
  void AddStateReader(uint32_t node, uint32_t level, const TxnState& state);
  void AddClientOrder();
  void AddTimeOrder();
  void AddCuts(bool states);
  void AddVersionEdges();
  void MakeSegments();
  void OrderSegments(uint32_t key);
  void OrderByTold(uint32_t key);
  bool Before(uint32_t one, uint32_t other);  // segments; false: it was known
  bool InLevel(uint32_t version, uint32_t level) const;
  uint32_t GateOf(uint32_t segment);
  const std::vector<TxnAccess>& AccessesOf(uint32_t node) const {
    return history_->transactions[present_[node]].accesses;
  }
  uint32_t UsesEnd(uint32_t node) const {
    return node + 1 < use_start_.size() ? use_start_[node + 1] : static_cast<uint32_t>(uses_.size());
  }
  bool Greedy();
  bool MayPlace(uint32_t node) const;
  void Place(uint32_t node);
  void Reach();
  bool Saturate();

  const TxnHistory* history_ = nullptr;
  const TxnWriters* writers_ = nullptr;
  uint32_t incarnation_ = 0;
  const TxnState* base_state_ = nullptr;
  const TxnState* end_state_ = nullptr;
  std::vector<Cut> cuts_;
  std::vector<uint32_t> here_;     // transactions of the incarnation that did not abort, by client and serial
  std::vector<uint32_t> present_;  // node -> transaction, of those that certainly took effect
  std::vector<uint32_t> node_of_;  // transaction -> node
  std::vector<uint8_t> seen_;      // by transaction: a write was read (1), was recovered (2)
  std::unordered_map<uint64_t, uint32_t> key_index_;
  std::vector<Key> keys_;
  std::vector<Version> versions_;
  std::vector<Reader> readers_;
  std::vector<Segment> segments_;
  std::vector<Use> uses_;  // of a node's accesses, from use_start_[node]
  std::vector<uint32_t> use_start_;
  std::vector<StateReader> states_;
  std::vector<uint32_t> cut_nodes_;
  uint32_t end_node_ = kNone;
  std::unordered_set<uint64_t> before_;
  bool open_ = false;  // some key's segments are not in a known order
  TxnGraph graph_;
  std::vector<TxnGraph::Step> cycle_;
  std::vector<uint32_t> waits_for_, ready_, order_;
  std::vector<uint64_t> reach_;  // bits, by node
};

}  // namespace faults
