// The order of segments, the search for a cycle, and the serial order that shows there is none.
#include <algorithm>

#include "faults/oracle/txn_problem.h"

namespace faults {

using Why = TxnGraph::Why;

void TxnProblem::MakeSegments() {
  for (uint32_t v = 0; v < versions_.size(); ++v) {
    if (versions_[v].replaced != kNone) continue;
    const uint32_t segment = static_cast<uint32_t>(segments_.size());
    Segment made{versions_[v].key, v, v, kNone};
    uint32_t place = 0;
    for (uint32_t at = v; at != kNone; at = versions_[at].child) {
      versions_[at].segment = segment;
      versions_[at].place = place++;
      made.last = at;
    }
    segments_.push_back(made);
    keys_[made.key].segments.push_back(segment);  // the base's is the first
  }
}

uint32_t TxnProblem::GateOf(uint32_t segment) {
  Segment& made = segments_[segment];
  if (made.gate != kNone) return made.gate;
  made.gate = graph_.AddNode();
  const Version& last = versions_[made.last];
  const uint64_t key = keys_[made.key].name;
  if (last.node != kNone) graph_.Add(last.node, made.gate, Why::kOverwrite, key);
  for (uint32_t r = last.reader; r != kNone; r = readers_[r].next)
    graph_.Add(readers_[r].node, made.gate, Why::kAnti, key);
  return made.gate;
}

bool TxnProblem::Before(uint32_t one, uint32_t other) {
  if (!before_.insert(uint64_t{one} << 32 | other).second) return false;
  graph_.Add(GateOf(one), versions_[segments_[other].head].node, Why::kThen);
  return true;
}

bool TxnProblem::InLevel(uint32_t version, uint32_t level) const {
  const uint32_t node = versions_[version].node;
  return node == kNone || level >= cuts_.size() || LevelOf(present_[node]) <= level;
}

// What the store's records say of the order of writes.
void TxnProblem::OrderByTold(uint32_t key) {
  std::vector<uint32_t> told;
  for (const uint32_t v : keys_[key].versions)
    if (versions_[v].told != 0) told.push_back(v);
  std::sort(told.begin(), told.end(),
            [&](uint32_t a, uint32_t b) { return versions_[a].told < versions_[b].told; });
  for (size_t i = 1; i < told.size(); ++i) {
    const Version& one = versions_[told[i - 1]];
    const Version& two = versions_[told[i]];
    graph_.Add(one.node, two.node, Why::kOverwrite, keys_[key].name);
    if (one.told == two.told) graph_.Add(two.node, one.node, Why::kOverwrite, keys_[key].name);
  }
  std::vector<uint32_t>& segments = keys_[key].segments;
  const auto is_told = [&](uint32_t s) { return versions_[segments_[s].head].told != 0; };
  if (segments.size() <= 2 || !std::all_of(segments.begin() + 1, segments.end(), is_told)) return;
  std::sort(segments.begin() + 1, segments.end(), [&](uint32_t a, uint32_t b) {
    return versions_[segments_[a].head].told < versions_[segments_[b].head].told;
  });
  for (size_t i = 1; i < segments.size(); ++i) Before(segments[i - 1], segments[i]);
}

void TxnProblem::OrderSegments(uint32_t key) {
  OrderByTold(key);
  const std::vector<uint32_t>& segments = keys_[key].segments;
  if (segments.size() <= 1) return;
  open_ |= segments.size() > 2 && before_.count(uint64_t{segments[1]} << 32 | segments[2]) == 0;
  for (size_t i = 1; i < segments.size(); ++i) Before(segments[0], segments[i]);
  for (const StateReader& state : states_) {
    const uint32_t read = key < state.versions.size() ? state.versions[key] : kNone;
    if (read == kNone || versions_[read].segment == kNone) continue;
    const uint32_t there = versions_[read].segment;
    for (size_t i = 1; i < segments.size(); ++i) {
      if (segments[i] == there) continue;
      const bool inside = InLevel(segments_[segments[i]].head, state.level);
      if (!inside)
        Before(there, segments[i]);
      else if (there != segments[0])
        Before(segments[i], there);
      else  // the key is as it began, though it was written within the commit point
        graph_.Add(state.node, versions_[segments_[segments[i]].head].node, Why::kAnti, keys_[key].name);
    }
  }
}

TxnProblem::Answer TxnProblem::Solve(const TxnRules& rules) {
  Build(rules);
  while (true) {
    if (graph_.FindCycle(&cycle_)) return Answer::kNo;
    if (Greedy()) return Answer::kYes;
    if (!open_ || graph_.nodes() > kMostSaturated || !Saturate()) return Answer::kUndecided;
  }
}

bool TxnProblem::MayPlace(uint32_t node) const {
  if (node < present_.size()) {
    const uint32_t end = UsesEnd(node);
    for (uint32_t u = use_start_[node]; u < end; ++u) {
      const Use& use = uses_[u];
      if (use.reads == kNone && use.writes == kNone) continue;  // it read, and never said what
      const uint32_t version = use.writes != kNone ? use.writes : use.reads;
      const uint32_t current = keys_[versions_[version].key].current;
      if (use.reads != kNone && use.reads != current) return false;
      if (use.writes != kNone && versions_[current].unread > (use.reads == kNone ? 0u : 1u)) return false;
    }
    return true;
  }
  for (const StateReader& state : states_) {
    if (state.node != node) continue;
    for (uint32_t key = 0; key < state.versions.size(); ++key)
      if (state.versions[key] != keys_[key].current) return false;
  }
  return true;
}

void TxnProblem::Place(uint32_t node) {
  if (node < present_.size()) {
    const uint32_t end = UsesEnd(node);
    for (uint32_t u = use_start_[node]; u < end; ++u) {
      if (uses_[u].reads != kNone) --versions_[uses_[u].reads].unread;
      if (uses_[u].writes != kNone) keys_[versions_[uses_[u].writes].key].current = uses_[u].writes;
    }
  }
  for (const StateReader& state : states_) {
    if (state.node != node) continue;
    for (const uint32_t version : state.versions)
      if (version != kNone) --versions_[version].unread;
  }
  for (uint32_t e = graph_.first(node); e != kNone; e = graph_.edge(e).next)
    if (--waits_for_[graph_.edge(e).to] == 0) ready_.push_back(graph_.edge(e).to);
}

// A serial order along the edges, executed: the earliest response first. Client order keeps the choice small.
bool TxnProblem::Greedy() {
  const uint32_t n = graph_.nodes();
  waits_for_.assign(n, 0);
  for (uint32_t node = 0; node < n; ++node)
    for (uint32_t e = graph_.first(node); e != kNone; e = graph_.edge(e).next)
      ++waits_for_[graph_.edge(e).to];
  for (Version& version : versions_) {
    version.unread = 0;
    for (uint32_t r = version.reader; r != kNone; r = readers_[r].next) ++version.unread;
  }
  for (Key& key : keys_) key.current = key.base;
  ready_.clear();
  for (uint32_t node = 0; node < n; ++node)
    if (waits_for_[node] == 0) ready_.push_back(node);
  uint32_t placed = 0;
  while (!ready_.empty()) {
    size_t best = ready_.size();
    uint64_t best_time = kNever;
    for (size_t i = 0; i < ready_.size(); ++i) {
      const uint32_t node = ready_[i];
      const uint64_t time = node < present_.size() ? history_->transactions[present_[node]].responded : 0;
      if (best != ready_.size() && time >= best_time) continue;
      if (!MayPlace(node)) continue;
      best = i;
      best_time = time;
      if (time == 0) break;
    }
    if (best == ready_.size()) return false;
    const uint32_t node = ready_[best];
    ready_[best] = ready_.back();
    ready_.pop_back();
    Place(node);
    ++placed;
  }
  return placed == n;
}

// reach_: for every node the nodes that follow it, as bits. The graph has no cycle.
void TxnProblem::Reach() {
  const uint32_t n = graph_.nodes();
  const size_t words = (n + 63) / 64;
  waits_for_.assign(n, 0);
  for (uint32_t node = 0; node < n; ++node)
    for (uint32_t e = graph_.first(node); e != kNone; e = graph_.edge(e).next)
      ++waits_for_[graph_.edge(e).to];
  order_.clear();
  for (uint32_t node = 0; node < n; ++node)
    if (waits_for_[node] == 0) order_.push_back(node);
  for (size_t i = 0; i < order_.size(); ++i)
    for (uint32_t e = graph_.first(order_[i]); e != kNone; e = graph_.edge(e).next)
      if (--waits_for_[graph_.edge(e).to] == 0) order_.push_back(graph_.edge(e).to);
  reach_.assign(n * words, 0);
  for (size_t i = order_.size(); i-- > 0;) {
    uint64_t* row = &reach_[order_[i] * words];
    for (uint32_t e = graph_.first(order_[i]); e != kNone; e = graph_.edge(e).next) {
      const uint32_t to = graph_.edge(e).to;
      row[to / 64] |= uint64_t{1} << to % 64;
      for (size_t w = 0; w < words; ++w) row[w] |= reach_[to * words + w];
    }
  }
}

// One segment precedes another if its writers or readers reach those of the other: segments do not
// interleave. False: nothing new.
bool TxnProblem::Saturate() {
  Reach();
  const size_t words = (graph_.nodes() + 63) / 64;
  const uint32_t known = graph_.nodes();  // gates that follow have no row
  bool changed = false;
  std::vector<uint64_t> members(words);
  for (uint32_t k = 0; k < keys_.size(); ++k) {
    const std::vector<uint32_t>& segments = keys_[k].segments;
    for (size_t b = 1; b < segments.size() && segments.size() > 2; ++b) {
      std::fill(members.begin(), members.end(), 0);
      for (uint32_t v = segments_[segments[b]].head; v != kNone; v = versions_[v].child) {
        members[versions_[v].node / 64] |= uint64_t{1} << versions_[v].node % 64;
        for (uint32_t r = versions_[v].reader; r != kNone; r = readers_[r].next)
          members[readers_[r].node / 64] |= uint64_t{1} << readers_[r].node % 64;
      }
      for (size_t a = 1; a < segments.size(); ++a) {
        const uint32_t head = versions_[segments_[segments[a]].head].node;
        if (a == b || head >= known) continue;
        bool reaches = false;
        for (size_t w = 0; w < words && !reaches; ++w) reaches = (reach_[head * words + w] & members[w]) != 0;
        if (reaches) changed |= Before(segments[a], segments[b]);
      }
    }
  }
  return changed;
}

TxnProblem::Fate TxnProblem::FateOf(uint32_t transaction, uint64_t key) const {
  const auto index = key_index_.find(key);
  const uint32_t node = node_of_[transaction];
  if (states_.empty() || index == key_index_.end() || node == kNone) return Fate::kUnclear;
  const StateReader& state = states_.back();
  const uint32_t read = index->second < state.versions.size() ? state.versions[index->second] : kNone;
  if (read == kNone) return Fate::kUnclear;
  const std::vector<TxnAccess>& accesses = AccessesOf(node);
  uint32_t written = kNone;
  for (uint32_t i = 0; i < accesses.size(); ++i)
    if (accesses[i].key == key) written = uses_[use_start_[node] + i].writes;
  if (written == kNone) return Fate::kUnclear;
  const Version& mine = versions_[written];
  const Version& there = versions_[read];
  if (mine.segment == kNone || there.segment == kNone) return Fate::kUnclear;
  bool present = false;
  if (mine.told != 0 && there.told != 0)
    present = mine.told <= there.told;
  else if (mine.segment == there.segment)
    present = mine.place <= there.place;
  else if (there.node == kNone || versions_[segments_[there.segment].head].node == kNone)
    present = false;  // still as the incarnation began
  else if (versions_[segments_[mine.segment].head].node == kNone)
    present = true;
  else
    present = InLevel(segments_[mine.segment].head, state.level);
  return present ? Fate::kThere : Fate::kMissing;
}

}  // namespace faults
