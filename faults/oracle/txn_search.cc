#include "faults/oracle/txn_search.h"

#include <algorithm>

#include "faults/oracle/txn_form.h"

namespace faults {
namespace {

bool Updates(const Transaction& txn) {
  return std::any_of(txn.accesses.begin(), txn.accesses.end(), [](const TxnAccess& a) { return a.writes; });
}

bool Ended(const TxnCommit& commit) {
  return commit.callback != kNever && commit.status == faster::Status::kOk;
}

}  // namespace

TxnVerdict TxnSearch::Check(const TxnHistory& history) {
  TxnVerdict verdict;
  history_ = &history;
  if (!CheckTxnForm(history, &verdict) || !CheckPoints(&verdict)) return verdict;
  const auto fail = [&](TxnFault fault, const char* what) {
    verdict.ok = false;
    verdict.fault = fault;
    verdict.what = std::string("search: incarnation ") + std::to_string(verdict.incarnation) + " " + what;
    return verdict;
  };
  for (uint32_t i = 0; i <= history.recoveries.size(); ++i) {
    verdict.incarnation = i;
    Load(i);
    const Answer full = Solve({false, true, true});
    const Answer timed = history.strict ? Solve({true, false, false}) : Answer::kYes;
    verdict.undecided |= full == Answer::kUnknown || timed == Answer::kUnknown;
    if (full != Answer::kNo && timed != Answer::kNo) continue;
    const Answer free = full == Answer::kYes ? Answer::kYes : Solve({false, false, false});
    if (free == Answer::kNo) return fail(TxnFault::kCircular, "has no serial order");
    if (timed == Answer::kNo) return fail(TxnFault::kStale, "has no serial order in real time");
    if (Solve({false, true, false}) == Answer::kNo)
      return fail(TxnFault::kClosure,
                  "has no serial order that begins with what is within the commit points");
    return fail(TxnFault::kState, "has no serial order that leaves the states returned");
  }
  return verdict;
}

uint64_t TxnSearch::StartOf(uint32_t client, uint32_t incarnation) const {
  return incarnation == 0 ? 0 : history_->recoveries[incarnation - 1].points[client];
}

bool TxnSearch::PointsFit(const TxnHistory& history, const std::vector<uint64_t>& points,
                          uint32_t incarnation, uint64_t requested, uint64_t reported) const {
  for (uint32_t c = 0; c < history.clients; ++c) {
    uint64_t least = StartOf(c, incarnation), most = least;
    for (const Transaction& txn : history.transactions) {
      if (txn.client != c || txn.incarnation != incarnation) continue;
      if (txn.responded < requested) least = std::max(least, txn.serial);
      if (txn.invoked < reported) most = std::max(most, txn.serial);
    }
    if (points[c] < least || points[c] > most) return false;
  }
  return true;
}

// R0, R1 and R5 as they are written.
bool TxnSearch::CheckPoints(TxnVerdict* verdict) const {
  const TxnHistory& h = *history_;
  const auto fail = [&](TxnFault fault, uint32_t incarnation, const std::string& what) {
    verdict->ok = false;
    verdict->fault = fault;
    verdict->incarnation = incarnation;
    verdict->what = "search: " + what;
    return false;
  };
  const auto below = [&](const std::vector<uint64_t>& one, const std::vector<uint64_t>& other) {
    for (uint32_t c = 0; c < h.clients; ++c)
      if (one[c] < other[c]) return true;
    return false;
  };
  for (const TxnRecovery& r : h.recoveries)
    if (!TxnReturned(r)) return fail(TxnFault::kRefused, r.incarnation, "a recovery was refused");
  std::vector<std::vector<bool>> begun(h.clients, std::vector<bool>(h.recoveries.size() + 1, false));
  for (const Transaction& txn : h.transactions) {
    if (txn.serial == 0) continue;
    if (!begun[txn.client][txn.incarnation] && txn.serial != StartOf(txn.client, txn.incarnation) + 1)
      return fail(TxnFault::kSerials, txn.incarnation, "serials do not go on at the commit point");
    begun[txn.client][txn.incarnation] = true;
  }
  for (size_t i = 0; i < h.commits.size(); ++i) {
    const TxnCommit& one = h.commits[i];
    if (one.callback != kNever && !Ended(one) && !h.faults_injected)
      return fail(TxnFault::kRefused, one.incarnation, "a commit failed without a fault");
    if (!Ended(one)) continue;
    if (!PointsFit(h, one.points, one.incarnation, one.requested, one.callback))
      return fail(TxnFault::kBounds, one.incarnation, "a commit point out of bounds");
    for (size_t j = 0; j < i; ++j)
      if (Ended(h.commits[j]) && h.commits[j].incarnation == one.incarnation &&
          below(one.points, h.commits[j].points))
        return fail(TxnFault::kBounds, one.incarnation, "a later commit has a lower point");
  }
  for (const TxnReport& report : h.reports) {
    uint64_t most = StartOf(report.client, report.incarnation);
    for (const Transaction& txn : h.transactions)
      if (txn.client == report.client && txn.incarnation == report.incarnation && txn.invoked < report.time)
        most = std::max(most, txn.serial);
    if (report.serial > most)
      return fail(TxnFault::kBounds, report.incarnation, "told durable before it began");
  }
  for (const TxnRecovery& r : h.recoveries) {
    bool promised_more = false, promised = false;
    for (uint32_t c = 0; c < h.clients; ++c) {
      promised_more |= r.points[c] < StartOf(c, r.incarnation);
      promised |= StartOf(c, r.incarnation) > 0;
    }
    for (const TxnCommit& commit : h.commits) {
      if (!Ended(commit) || commit.incarnation != r.incarnation) continue;
      promised = true;
      promised_more |= below(r.points, commit.points);
    }
    for (const TxnReport& report : h.reports) {
      if (report.incarnation != r.incarnation) continue;
      promised |= report.serial > StartOf(report.client, r.incarnation);
      promised_more |= r.points[report.client] < report.serial;
    }
    if (promised && r.status == faster::Status::kNotFound)
      return fail(TxnFault::kRefused, r.incarnation, "nothing found, and something was durable");
    const TxnCommit* named = r.commit == kNoCommit ? nullptr : &h.commits[r.commit];
    const bool differs = named != nullptr && Ended(*named) && named->points != r.points;
    if (promised_more || differs ||
        !PointsFit(h, r.points, r.incarnation, named == nullptr ? 0 : named->requested, r.time))
      return fail(TxnFault::kBounds, r.incarnation, "recovered points out of bounds");
  }
  return true;
}

void TxnSearch::Load(uint32_t incarnation) {
  const TxnHistory& h = *history_;
  by_client_.assign(h.clients, {});
  keys_.clear();
  levels_.clear();
  end_state_ = nullptr;
  const auto add_state = [&](const TxnState& state) {
    for (const auto& entry : state) keys_.emplace(entry.first, 0);
  };
  for (const Transaction& txn : h.transactions) {
    if (txn.incarnation != incarnation || txn.outcome == TxnOutcome::kAborted) continue;
    by_client_[txn.client].push_back(&txn);
    for (const TxnAccess& access : txn.accesses) keys_.emplace(access.key, 0);
  }
  for (const TxnCommit& commit : h.commits)
    if (Ended(commit) && commit.incarnation == incarnation) levels_.push_back(Level{commit.points, nullptr});
  if (incarnation < h.recoveries.size()) {
    levels_.push_back(Level{h.recoveries[incarnation].points, &h.recoveries[incarnation].state});
    add_state(h.recoveries[incarnation].state);
  } else if (h.quiesced) {
    end_state_ = &h.final_state;
    add_state(h.final_state);
  }
  if (incarnation > 0) add_state(h.recoveries[incarnation - 1].state);
  uint32_t index = 0;
  for (auto& entry : keys_) entry.second = index++;
  start_ = Node{std::vector<uint32_t>(h.clients, 0), std::vector<uint64_t>(index, 0),
                std::vector<uint64_t>(index, 0), 0};
  if (incarnation > 0)
    for (const auto& [key, word] : h.recoveries[incarnation - 1].state) start_.words[keys_.at(key)] = word;
}

TxnSearch::Answer TxnSearch::Solve(const Rules& rules) {
  rules_ = rules;
  steps_left_ = max_steps;
  memo_.clear();
  Node node = start_;
  return Descend(&node);
}

bool TxnSearch::StateIs(const Node& node, const TxnState& state) const {
  size_t there = 0;
  for (const uint64_t word : node.words) there += word != 0;
  return there == state.size() && std::all_of(state.begin(), state.end(), [&](const auto& entry) {
           return node.words[keys_.at(entry.first)] == entry.second;
         });
}

// All cuts whose transactions are placed, in order. False: the state is not the one returned.
bool TxnSearch::PassCut(Node* node) const {
  const Level& level = levels_[node->level];
  if (rules_.states && level.state != nullptr && !StateIs(*node, *level.state)) return false;
  ++node->level;
  return true;
}

bool TxnSearch::MayPlace(const Node& node, uint32_t client, const Transaction& txn) const {
  if (rules_.cuts && (Updates(txn) || !history_->reads_may_lag)) {
    for (uint32_t l = node.level; l < levels_.size(); ++l)
      if (txn.serial > levels_[l].points[client]) return false;
  }
  if (rules_.time) {
    for (uint32_t c = 0; c < by_client_.size(); ++c)
      for (uint32_t i = node.placed[c]; i < by_client_[c].size(); ++i)
        if (by_client_[c][i]->responded < txn.invoked) return false;
  }
  for (const TxnAccess& access : txn.accesses) {
    const uint32_t key = keys_.at(access.key);
    if (access.reads && txn.outcome == TxnOutcome::kCommitted && node.words[key] != access.read) return false;
    if (access.writes && access.version != 0 && access.version <= node.told[key]) return false;
  }
  return true;
}

bool TxnSearch::Remember(const Node& node) {
  std::string text;
  const auto put = [&](const void* data, size_t bytes) {
    text.append(static_cast<const char*>(data), bytes);
  };
  put(node.placed.data(), node.placed.size() * sizeof node.placed[0]);
  put(node.words.data(), node.words.size() * sizeof node.words[0]);
  put(node.told.data(), node.told.size() * sizeof node.told[0]);
  put(&node.level, sizeof node.level);
  return memo_.insert(std::move(text)).second;
}

TxnSearch::Answer TxnSearch::Descend(Node* node) {
  if (steps_left_ == 0) return Answer::kUnknown;
  --steps_left_;
  if (!Remember(*node)) return Answer::kNo;
  bool all = true, unknown = false;
  for (uint32_t c = 0; c < by_client_.size(); ++c) all &= node->placed[c] == by_client_[c].size();
  if (rules_.cuts && node->level < levels_.size()) {
    bool complete = true;
    for (uint32_t c = 0; c < by_client_.size(); ++c)
      for (uint32_t i = node->placed[c]; i < by_client_[c].size(); ++i)
        complete &= by_client_[c][i]->serial > levels_[node->level].points[c];
    Node next = *node;
    if (complete && PassCut(&next)) {
      const Answer answer = Descend(&next);
      if (answer == Answer::kYes) return answer;
      unknown |= answer == Answer::kUnknown;
    }
  } else if (all) {
    return !rules_.states || end_state_ == nullptr || StateIs(*node, *end_state_) ? Answer::kYes
                                                                                  : Answer::kNo;
  }
  for (uint32_t c = 0; c < by_client_.size(); ++c) {
    if (node->placed[c] == by_client_[c].size()) continue;
    const Transaction& txn = *by_client_[c][node->placed[c]];
    if (MayPlace(*node, c, txn)) {
      Node next = *node;
      ++next.placed[c];
      for (const TxnAccess& access : txn.accesses) {
        if (!access.writes) continue;
        next.words[keys_.at(access.key)] = access.written;
        if (access.version != 0) next.told[keys_.at(access.key)] = access.version;
      }
      const Answer answer = Descend(&next);
      if (answer == Answer::kYes) return answer;
      unknown |= answer == Answer::kUnknown;
    }
    if (txn.outcome != TxnOutcome::kUnknown) continue;
    Node next = *node;  // without it
    ++next.placed[c];
    const Answer answer = Descend(&next);
    if (answer == Answer::kYes) return answer;
    unknown |= answer == Answer::kUnknown;
  }
  return unknown ? Answer::kUnknown : Answer::kNo;
}

}  // namespace faults
