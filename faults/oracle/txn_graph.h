// TxnGraph: a directed graph whose edges say why one node precedes another; finds a short cycle.
//
// Nodes are transactions first, then helpers that keep the number of edges linear: a GATE stands for "all of
// the last version of one key before all of what replaces it", a BARRIER for a point of time, a CUT for the
// boundary of a commit. Edges into a helper carry the reason, edges out of it continue it.
//
// Thread-safety: one per thread; it keeps its memory between uses. Cost: O(nodes + edges) to build and to say
// that there is no cycle; a cycle is then searched from at most kMostStarts nodes of its component.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace faults {

class TxnGraph {
 public:
  enum class Why : uint8_t {
    kClient,     // same client, earlier serial
    kTime,       // responded before the other was invoked
    kRead,       // wr: the other read what it wrote
    kOverwrite,  // ww: the other replaced what it wrote, or what was there when it wrote
    kAnti,       // rw: the other replaced what it read
    kInside,     // a transaction within a commit point, before the cut
    kOutside,    // the cut, before a transaction above the commit point
    kThen,       // from a helper onwards
  };
  static constexpr uint32_t kNone = ~0u;
  static constexpr uint32_t kMostStarts = 256;

  struct Edge {
    uint32_t to;
    uint32_t next;
    Why why;
    uint64_t key;
  };
  struct Step {  // of a cycle
    uint32_t from;
    Why why;
    uint64_t key;
  };

  void Reset(uint32_t nodes);
  uint32_t AddNode();
  void Add(uint32_t from, uint32_t to, Why why, uint64_t key = 0);
  // True: *cycle is one, short, each step's `from` followed by the next one's.
  bool FindCycle(std::vector<Step>* cycle);

  uint32_t nodes() const { return static_cast<uint32_t>(head_.size()); }
  uint32_t first(uint32_t node) const { return head_[node]; }  // kNone: no edge
  const Edge& edge(uint32_t edge) const { return edges_[edge]; }
  size_t edges() const { return edges_.size(); }

 private:
  bool FindComponent(std::vector<uint32_t>* component);
  bool ShortestFrom(uint32_t start, std::vector<Step>* cycle);

  std::vector<uint32_t> head_;
  std::vector<Edge> edges_;
  // Tarjan, without recursion.
  std::vector<uint32_t> index_, low_, cursor_, stack_, path_;
  std::vector<uint8_t> on_stack_;
  // Breadth first.
  std::vector<uint32_t> reached_by_, queue_;
  std::vector<uint32_t> from_;
};

}  // namespace faults
