// From a history to versions and edges; how they are solved is in txn_solve.cc.
#include "faults/oracle/txn_problem.h"

#include <algorithm>

namespace faults {

using Why = TxnGraph::Why;

void TxnWriters::Build(const TxnHistory& history) {
  writers_.clear();
  for (uint32_t i = 0; i < history.transactions.size(); ++i)
    for (const TxnAccess& access : history.transactions[i].accesses)
      if (access.writes) writers_.emplace(Name{access.key, access.written}, i);
}

uint32_t TxnWriters::Find(uint64_t key, uint64_t word) const {
  const auto found = writers_.find(Name{key, word});
  return found == writers_.end() ? kNobody : found->second;
}

void TxnProblem::Load(const TxnHistory& history, const TxnWriters& writers, uint32_t incarnation) {
  history_ = &history;
  writers_ = &writers;
  incarnation_ = incarnation;
  base_state_ = incarnation > 0 ? &history.recoveries[incarnation - 1].state : nullptr;
  const bool last = incarnation == history.recoveries.size();
  end_state_ = last && history.quiesced ? &history.final_state : nullptr;
  std::vector<std::vector<uint32_t>> by_client(history.clients);
  seen_.assign(history.transactions.size(), 0);
  for (uint32_t i = 0; i < history.transactions.size(); ++i) {
    const Transaction& txn = history.transactions[i];
    if (txn.incarnation != incarnation || txn.outcome == TxnOutcome::kAborted) continue;
    by_client[txn.client].push_back(i);
    if (txn.outcome != TxnOutcome::kCommitted) continue;
    for (const TxnAccess& access : txn.accesses) {
      const uint32_t writer = access.reads ? writers.Find(access.key, access.read) : TxnWriters::kNobody;
      if (writer != TxnWriters::kNobody) seen_[writer] |= 1;
    }
  }
  here_.clear();
  for (const auto& list : by_client) here_.insert(here_.end(), list.begin(), list.end());
  CollectCuts();
  for (const Cut& cut : cuts_) SeeState(cut.state);
  SeeState(end_state_);
}

void TxnProblem::SeeState(const TxnState* state) {
  if (state == nullptr) return;
  for (const auto& [key, word] : *state) {
    const uint32_t writer = writers_->Find(key, word);
    if (writer != TxnWriters::kNobody) seen_[writer] |= 2;
  }
}

void TxnProblem::CollectCuts() {
  cuts_.clear();
  for (uint32_t i = 0; i < history_->commits.size(); ++i) {
    const TxnCommit& commit = history_->commits[i];
    if (commit.incarnation != incarnation_ || commit.callback == kNever ||
        commit.status != faster::Status::kOk)
      continue;
    cuts_.push_back(Cut{commit.points, nullptr, "commit " + std::to_string(i)});
  }
  if (incarnation_ >= history_->recoveries.size()) return;
  const TxnRecovery& recovery = history_->recoveries[incarnation_];
  if (TxnReturned(recovery))
    cuts_.push_back(Cut{recovery.points, &recovery.state, "recovery " + std::to_string(incarnation_)});
}

uint32_t TxnProblem::LevelOf(uint32_t transaction) const {
  const Transaction& txn = history_->transactions[transaction];
  const auto first = std::partition_point(
      cuts_.begin(), cuts_.end(), [&](const Cut& cut) { return cut.points[txn.client] < txn.serial; });
  return static_cast<uint32_t>(first - cuts_.begin());
}

uint32_t TxnProblem::TransactionOf(uint32_t node, std::string* helper) const {
  helper->clear();
  if (node < present_.size()) return present_[node];
  if (node == end_node_) *helper = "the state at the end";
  for (uint32_t i = 0; i < cut_nodes_.size(); ++i)
    if (cut_nodes_[i] == node) *helper = cuts_[i].name;
  return TxnWriters::kNobody;
}

uint32_t TxnProblem::KeyIndex(uint64_t name) {
  const auto [found, added] = key_index_.emplace(name, static_cast<uint32_t>(keys_.size()));
  if (added) {
    Key key;
    key.name = name;
    key.base = static_cast<uint32_t>(versions_.size());
    key.versions = {key.base};
    Version base;
    base.key = found->second;
    versions_.push_back(base);
    keys_.push_back(std::move(key));
  }
  return found->second;
}

void TxnProblem::Build(const TxnRules& rules) {
  key_index_.clear();
  keys_.clear();
  versions_.clear();
  readers_.clear();
  segments_.clear();
  states_.clear();
  cut_nodes_.clear();
  before_.clear();
  end_node_ = kNone;
  open_ = false;
  present_.clear();
  node_of_.assign(history_->transactions.size(), kNone);
  for (const uint32_t i : here_) {
    const bool seen = (seen_[i] & (rules.states ? 3 : 1)) != 0;
    if (history_->transactions[i].outcome != TxnOutcome::kCommitted && !seen) continue;
    node_of_[i] = static_cast<uint32_t>(present_.size());
    present_.push_back(i);
  }
  graph_.Reset(static_cast<uint32_t>(present_.size()));
  if (base_state_ != nullptr)
    for (const auto& [key, word] : *base_state_) versions_[keys_[KeyIndex(key)].base].word = word;
  AddVersions();
  AddReads();
  AddClientOrder();
  if (rules.time) AddTimeOrder();
  if (rules.cuts) AddCuts(rules.states);
  AddVersionEdges();
  MakeSegments();
  for (uint32_t key = 0; key < keys_.size(); ++key) OrderSegments(key);
}

void TxnProblem::AddVersions() {
  uses_.clear();
  use_start_.clear();
  for (uint32_t node = 0; node < present_.size(); ++node) {
    use_start_.push_back(static_cast<uint32_t>(uses_.size()));
    for (const TxnAccess& access : AccessesOf(node)) {
      const uint32_t key = KeyIndex(access.key);
      Use use;
      if (access.writes) {
        use.writes = static_cast<uint32_t>(versions_.size());
        Version version;
        version.node = node;
        version.key = key;
        version.word = access.written;
        version.told = access.version;
        versions_.push_back(version);
        keys_[key].versions.push_back(use.writes);
      }
      uses_.push_back(use);
    }
  }
}

uint32_t TxnProblem::VersionOf(uint32_t key, uint64_t word) const {
  if (versions_[keys_[key].base].word == word) return keys_[key].base;
  const uint32_t writer = writers_->Find(keys_[key].name, word);
  if (writer == TxnWriters::kNobody || node_of_[writer] == kNone) return kNone;
  const std::vector<TxnAccess>& accesses = history_->transactions[writer].accesses;
  for (uint32_t i = 0; i < accesses.size(); ++i)
    if (accesses[i].key == keys_[key].name) return uses_[use_start_[node_of_[writer]] + i].writes;
  return kNone;
}

void TxnProblem::AddReader(uint32_t version, uint32_t node) {
  readers_.push_back(Reader{node, versions_[version].reader});
  versions_[version].reader = static_cast<uint32_t>(readers_.size() - 1);
}

void TxnProblem::AddReads() {
  for (uint32_t node = 0; node < present_.size(); ++node) {
    if (history_->transactions[present_[node]].outcome != TxnOutcome::kCommitted) continue;
    const std::vector<TxnAccess>& accesses = AccessesOf(node);
    for (uint32_t i = 0; i < accesses.size(); ++i) {
      if (!accesses[i].reads) continue;
      Use& use = uses_[use_start_[node] + i];
      use.reads = VersionOf(key_index_.at(accesses[i].key), accesses[i].read);
      if (use.reads == kNone) continue;  // excluded by the caller
      AddReader(use.reads, node);
      if (!accesses[i].writes) continue;
      versions_[use.writes].replaced = use.reads;
      if (versions_[use.reads].child == kNone) versions_[use.reads].child = use.writes;
    }
  }
}

void TxnProblem::AddClientOrder() {
  for (uint32_t node = 1; node < present_.size(); ++node)
    if (history_->transactions[present_[node]].client == history_->transactions[present_[node - 1]].client)
      graph_.Add(node - 1, node, Why::kClient);
}

// A chain of barriers, one a response: what was invoked later follows it.
void TxnProblem::AddTimeOrder() {
  struct Event {
    uint64_t time;
    uint32_t node;
    bool response;
  };
  std::vector<Event> events;
  for (uint32_t node = 0; node < present_.size(); ++node) {
    const Transaction& txn = history_->transactions[present_[node]];
    events.push_back(Event{txn.invoked, node, false});
    if (txn.responded != kNever) events.push_back(Event{txn.responded, node, true});
  }
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.time < b.time; });
  uint32_t barrier = kNone;
  for (const Event& event : events) {
    if (!event.response) {
      if (barrier != kNone) graph_.Add(barrier, event.node, Why::kThen);
      continue;
    }
    const uint32_t next = graph_.AddNode();
    graph_.Add(event.node, next, Why::kTime);
    if (barrier != kNone) graph_.Add(barrier, next, Why::kThen);
    barrier = next;
  }
}

void TxnProblem::AddStateReader(uint32_t node, uint32_t level, const TxnState& state) {
  for (const auto& entry : state) KeyIndex(entry.first);
  std::vector<uint64_t> words(keys_.size(), 0);
  for (const auto& [key, word] : state) words[key_index_.at(key)] = word;
  StateReader reader{node, level, std::vector<uint32_t>(keys_.size(), kNone)};
  for (uint32_t key = 0; key < keys_.size(); ++key) {
    reader.versions[key] = VersionOf(key, words[key]);
    if (reader.versions[key] != kNone) AddReader(reader.versions[key], node);
  }
  states_.push_back(std::move(reader));
}

void TxnProblem::AddCuts(bool states) {
  for (uint32_t i = 0; i < cuts_.size(); ++i) {
    cut_nodes_.push_back(graph_.AddNode());
    if (i > 0) graph_.Add(cut_nodes_[i - 1], cut_nodes_[i], Why::kThen);
    if (states && cuts_[i].state != nullptr) AddStateReader(cut_nodes_[i], i, *cuts_[i].state);
  }
  const uint32_t all = static_cast<uint32_t>(cuts_.size());
  if (states && end_state_ != nullptr) {
    end_node_ = graph_.AddNode();
    AddStateReader(end_node_, all, *end_state_);
  }
  for (uint32_t node = 0; node < present_.size(); ++node) {
    const uint32_t level = LevelOf(present_[node]);
    const std::vector<TxnAccess>& accesses = AccessesOf(node);
    const bool updates =
        std::any_of(accesses.begin(), accesses.end(), [](const TxnAccess& a) { return a.writes; });
    if (level < all) graph_.Add(node, cut_nodes_[level], Why::kInside);
    if (level > 0 && (updates || !history_->reads_may_lag))
      graph_.Add(cut_nodes_[level - 1], node, Why::kOutside);
    if (end_node_ != kNone) graph_.Add(node, end_node_, Why::kInside);
  }
}

void TxnProblem::AddVersionEdges() {
  for (const Version& version : versions_) {
    const uint64_t key = keys_[version.key].name;
    const uint32_t child = version.child == kNone ? kNone : versions_[version.child].node;
    for (uint32_t r = version.reader; r != kNone; r = readers_[r].next) {
      const uint32_t reader = readers_[r].node;
      if (version.node != kNone) graph_.Add(version.node, reader, Why::kRead, key);
      if (child != kNone && reader != child) graph_.Add(reader, child, Why::kAnti, key);
    }
    if (version.replaced == kNone) continue;
    const Version& old = versions_[version.replaced];
    const uint32_t first = versions_[old.child].node;
    if (old.node != kNone) graph_.Add(old.node, version.node, Why::kOverwrite, key);
    // A second one that replaced the same version: whichever came first, the other did not read it.
    if (first != version.node) graph_.Add(first, version.node, Why::kAnti, key);
  }
}

}  // namespace faults
