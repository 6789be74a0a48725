#include "faults/oracle/txn_graph.h"

#include <algorithm>

namespace faults {

void TxnGraph::Reset(uint32_t nodes) {
  head_.assign(nodes, kNone);
  edges_.clear();
}

uint32_t TxnGraph::AddNode() {
  head_.push_back(kNone);
  return nodes() - 1;
}

void TxnGraph::Add(uint32_t from, uint32_t to, Why why, uint64_t key) {
  edges_.push_back(Edge{to, head_[from], why, key});
  head_[from] = static_cast<uint32_t>(edges_.size() - 1);
}

// Tarjan's algorithm; the first component with a cycle, all of its nodes.
bool TxnGraph::FindComponent(std::vector<uint32_t>* component) {
  const uint32_t n = nodes();
  index_.assign(n, kNone);
  low_.assign(n, 0);
  on_stack_.assign(n, 0);
  cursor_ = head_;
  stack_.clear();
  uint32_t next = 0;
  auto enter = [&](uint32_t node) {
    index_[node] = low_[node] = next++;
    stack_.push_back(node);
    on_stack_[node] = 1;
    path_.push_back(node);
  };
  for (uint32_t root = 0; root < n; ++root) {
    if (index_[root] != kNone) continue;
    path_.clear();
    enter(root);
    while (!path_.empty()) {
      const uint32_t node = path_.back();
      if (cursor_[node] != kNone) {
        const uint32_t to = edges_[cursor_[node]].to;
        cursor_[node] = edges_[cursor_[node]].next;
        if (index_[to] == kNone)
          enter(to);
        else if (on_stack_[to])
          low_[node] = std::min(low_[node], index_[to]);
        continue;
      }
      path_.pop_back();
      if (!path_.empty()) low_[path_.back()] = std::min(low_[path_.back()], low_[node]);
      if (low_[node] != index_[node]) continue;
      component->clear();
      uint32_t member = kNone;
      while (member != node) {
        member = stack_.back();
        stack_.pop_back();
        on_stack_[member] = 0;
        component->push_back(member);
      }
      bool cyclic = component->size() > 1;
      for (uint32_t e = head_[node]; !cyclic && e != kNone; e = edges_[e].next) cyclic = edges_[e].to == node;
      if (cyclic) return true;
    }
  }
  return false;
}

bool TxnGraph::ShortestFrom(uint32_t start, std::vector<Step>* cycle) {
  reached_by_.assign(nodes(), kNone);
  from_.assign(nodes(), kNone);
  queue_.assign(1, start);
  for (size_t at = 0; at < queue_.size(); ++at) {
    const uint32_t node = queue_[at];
    for (uint32_t e = head_[node]; e != kNone; e = edges_[e].next) {
      const uint32_t to = edges_[e].to;
      if (reached_by_[to] != kNone) continue;
      reached_by_[to] = e;
      from_[to] = node;
      if (to != start) {
        queue_.push_back(to);
        continue;
      }
      cycle->clear();
      uint32_t back = start;
      do {
        const Edge& edge = edges_[reached_by_[back]];
        back = from_[back];
        cycle->push_back(Step{back, edge.why, edge.key});
      } while (back != start);
      std::reverse(cycle->begin(), cycle->end());
      return true;
    }
  }
  return false;
}

bool TxnGraph::FindCycle(std::vector<Step>* cycle) {
  std::vector<uint32_t> component;
  if (!FindComponent(&component)) return false;
  std::sort(component.begin(), component.end());
  if (component.size() > kMostStarts) component.resize(kMostStarts);
  std::vector<Step> one;
  cycle->clear();
  for (const uint32_t start : component) {
    if (!ShortestFrom(start, &one)) continue;
    if (cycle->empty() || one.size() < cycle->size()) *cycle = one;
    if (cycle->size() <= 2) break;
  }
  return true;
}

}  // namespace faults
