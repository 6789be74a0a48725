#include "tests/txn_oracle/txn_generator.h"

#include <algorithm>
#include <map>

namespace txn_test {
namespace {

using experiments::Dice;
using faults::kNever;
using faults::kNoCommit;
using faults::Transaction;
using faults::TxnAccess;
using faults::TxnCommit;
using faults::TxnHistory;
using faults::TxnOutcome;
using faults::TxnRecovery;
using faults::TxnState;

class Store {
 public:
  Store(const TxnShape& shape, Dice* dice) : shape_(shape), dice_(*dice), clients_(shape.clients) {
    history_.clients = shape.clients;
    history_.strict = shape.strict;
    history_.reads_may_lag = shape.reads_may_lag;
    saved_points_.assign(shape.clients, 0);
  }

  TxnHistory Run() {
    for (uint32_t i = 0; i < shape_.incarnations; ++i) {
      incarnation_ = i;
      Live();
      const bool last = i + 1 == shape_.incarnations;
      if (!last || dice_.Chance(30))
        Recover();
      else
        Finish();
    }
    return std::move(history_);
  }

 private:
  struct Value {
    uint64_t live = 0, stable = 0, version = 0, writes = 0;
  };
  struct Client {
    uint64_t serial = 0;
    uint64_t point = 0;
    bool shifted = false;
    bool executed = false;
    bool aborted = false;
    uint32_t running = kNoCommit;  // index of its transaction
  };

  void Live() {
    version_ = 1;
    values_.clear();
    for (const auto& [key, word] : saved_) values_[key] = Value{word, 0, 0, 0};
    for (uint32_t c = 0; c < clients_.size(); ++c) clients_[c] = Client{.serial = saved_points_[c]};
    commit_ = kNoCommit;
    complete_ = false;
    uint32_t left = shape_.transactions;
    for (uint32_t turns = 12 * shape_.transactions; turns > 0; --turns) {
      if (dice_.Chance(8)) StepCommit();
      const uint32_t c = dice_.Below(shape_.clients);
      if (clients_[c].running == kNoCommit && left > 0) {
        --left;
        Invoke(c);
      } else {
        Advance(c);
      }
    }
  }

  void Invoke(uint32_t c) {
    if (commit_ != kNoCommit && !complete_ && !clients_[c].shifted && dice_.Chance(40)) Shift(c);
    Transaction txn;
    txn.client = c;
    txn.incarnation = incarnation_;
    txn.serial = ++clients_[c].serial;
    txn.invoked = ++time_;
    const uint32_t accesses = dice_.Between(1, std::min(shape_.most_accesses, shape_.keys));
    while (txn.accesses.size() < accesses) {
      TxnAccess access;
      access.key = dice_.Below(shape_.keys);
      if (std::any_of(txn.accesses.begin(), txn.accesses.end(),
                      [&](const TxnAccess& a) { return a.key == access.key; }))
        continue;
      access.writes = dice_.Chance(60);
      access.reads = !access.writes || !dice_.Chance(shape_.blind_percent);
      if (access.writes) access.written = ++word_;
      txn.accesses.push_back(access);
    }
    clients_[c].running = static_cast<uint32_t>(history_.transactions.size());
    clients_[c].executed = clients_[c].aborted = false;
    history_.transactions.push_back(txn);
  }

  void Advance(uint32_t c) {
    Client& client = clients_[c];
    if (client.running == kNoCommit) return;
    Transaction& txn = history_.transactions[client.running];
    if (!client.executed) {
      client.executed = true;
      Execute(c, &txn);
      return;
    }
    txn.responded = ++time_;
    txn.outcome = client.aborted ? TxnOutcome::kAborted : TxnOutcome::kCommitted;
    if (client.aborted && !shape_.aborted_have_serials) txn.serial = 0;
    client.running = kNoCommit;
  }

  uint64_t VersionOf(uint32_t c) const { return version_ + (clients_[c].shifted ? 1 : 0); }

  void Execute(uint32_t c, Transaction* txn) {
    const bool newer = std::any_of(txn->accesses.begin(), txn->accesses.end(), [&](const TxnAccess& access) {
      return values_[access.key].version > VersionOf(c);
    });
    if (newer || dice_.Chance(6)) {
      clients_[c].aborted = true;
      if (!shape_.aborted_have_serials) --clients_[c].serial;
      if (newer) shift_after_.push_back(c);
      return;
    }
    for (TxnAccess& access : txn->accesses) {
      Value& value = values_[access.key];
      if (value.version < VersionOf(c)) {
        value.stable = value.live;
        value.version = VersionOf(c);
      }
      if (access.reads) access.read = value.live;
      if (!access.writes) continue;
      value.live = access.written;
      ++value.writes;
      if (dice_.Chance(shape_.told_percent)) access.version = value.writes;
    }
  }

  // A client shifts between two transactions; what it has begun and not executed is of the next version.
  void Shift(uint32_t c) {
    Client& client = clients_[c];
    if (client.shifted || commit_ == kNoCommit || complete_) return;
    client.shifted = true;
    client.point = client.running != kNoCommit && !client.executed ? client.serial - 1 : client.serial;
  }

  void StepCommit() {
    if (commit_ == kNoCommit) {
      commit_ = static_cast<uint32_t>(history_.commits.size());
      complete_ = false;
      history_.commits.push_back(TxnCommit{incarnation_, ++time_, kNever, faster::Status::kPending, {}});
      return;
    }
    for (const uint32_t c : shift_after_) Shift(c);
    shift_after_.clear();
    if (!complete_) {
      Shift(dice_.Below(shape_.clients));
      if (std::all_of(clients_.begin(), clients_.end(), [](const Client& c) { return c.shifted; })) Capture();
      return;
    }
    TxnCommit& commit = history_.commits[commit_];
    commit.callback = ++time_;
    commit.status = faster::Status::kOk;
    commit.points = captured_points_;
    promised_ = true;
    Keep();
    commit_ = kNoCommit;
    complete_ = false;
  }

  void Capture() {
    captured_.clear();
    captured_points_.clear();
    for (const auto& [key, value] : values_) {
      const uint64_t word = value.version > version_ ? value.stable : value.live;
      if (word != 0) captured_[key] = word;
    }
    for (Client& client : clients_) {
      captured_points_.push_back(client.point);
      client.shifted = false;
    }
    ++version_;
    complete_ = true;
  }

  void Keep() {
    saved_ = captured_;
    saved_points_ = captured_points_;
    saved_commit_ = commit_;
  }

  void Recover() {
    if (complete_ && dice_.Chance(50)) Keep();  // durable, and nobody heard of it
    TxnRecovery recovery;
    recovery.incarnation = incarnation_;
    recovery.time = ++time_;
    recovery.points = saved_points_;
    recovery.state.assign(saved_.begin(), saved_.end());
    if (saved_commit_ != kNoCommit && history_.commits[saved_commit_].incarnation == incarnation_)
      recovery.commit = saved_commit_;
    history_.recoveries.push_back(recovery);
    shift_after_.clear();
  }

  void Finish() {
    for (uint32_t c = 0; c < clients_.size(); ++c) {
      Advance(c);
      Advance(c);
    }
    history_.quiesced = true;
    for (const auto& [key, value] : values_)
      if (value.live != 0) history_.final_state.emplace_back(key, value.live);
  }

  const TxnShape shape_;
  Dice& dice_;
  TxnHistory history_;
  uint32_t incarnation_ = 0;
  uint64_t time_ = 0, word_ = 0, version_ = 1;
  std::vector<Client> clients_;
  std::map<uint64_t, Value> values_;
  uint32_t commit_ = kNoCommit;
  bool complete_ = false, promised_ = false;
  std::map<uint64_t, uint64_t> captured_, saved_;
  std::vector<uint64_t> captured_points_, saved_points_;
  uint32_t saved_commit_ = kNoCommit;
  std::vector<uint32_t> shift_after_;
};

// A word of the key that somebody wrote, or would have, or 0.
uint64_t AnyWord(const TxnHistory& history, uint64_t key, Dice* dice) {
  std::vector<uint64_t> words = {0};
  for (const Transaction& txn : history.transactions)
    for (const TxnAccess& access : txn.accesses)
      if (access.key == key && access.writes) words.push_back(access.written);
  if (dice->Chance(3)) return 1'000'000;
  return words[dice->Below(static_cast<uint32_t>(words.size()))];
}

void ChangeState(Dice* dice, TxnHistory* history, TxnState* state) {
  const uint64_t key = dice->Below(4);
  const auto found =
      std::find_if(state->begin(), state->end(), [&](const auto& e) { return e.first == key; });
  const uint64_t word = AnyWord(*history, key, dice);
  if (found != state->end()) state->erase(found);
  if (word != 0) state->emplace_back(key, word);
}

}  // namespace

TxnShape DrawShape(Dice* dice) {
  TxnShape shape;
  shape.clients = dice->Between(2, 4);
  shape.keys = dice->Between(1, 4);
  shape.transactions = dice->Between(2, 10);
  shape.incarnations = dice->Between(1, 3);
  shape.most_accesses = dice->Between(1, 4);
  static constexpr uint32_t kBlind[] = {0, 0, 30, 100};
  static constexpr uint32_t kTold[] = {0, 0, 100, 50};
  shape.blind_percent = dice->Pick(kBlind);
  shape.told_percent = dice->Pick(kTold);
  shape.aborted_have_serials = dice->Chance(50);
  shape.strict = dice->Chance(40);
  shape.reads_may_lag = dice->Chance(20);
  return shape;
}

TxnHistory MakeHistory(const TxnShape& shape, Dice* dice) { return Store(shape, dice).Run(); }

const char* SpoilHistory(Dice* dice, TxnHistory* history) {
  const auto any = [&](const auto& list) { return dice->Below(static_cast<uint32_t>(list.size())); };
  if (history->transactions.empty()) return "nothing";
  Transaction& txn = history->transactions[any(history->transactions)];
  TxnAccess& access = txn.accesses[any(txn.accesses)];
  switch (dice->Below(11)) {
    case 0:
    case 1:
      if (!access.reads) return "nothing";
      access.read = AnyWord(*history, access.key, dice);
      return "a word read";
    case 2:
      if (txn.outcome == TxnOutcome::kUnknown || txn.serial == 0) return "nothing";
      txn.outcome = txn.outcome == TxnOutcome::kAborted ? TxnOutcome::kCommitted : TxnOutcome::kAborted;
      return "an outcome";
    case 3:
    case 4:
      if (history->quiesced && (history->recoveries.empty() || dice->Chance(40)))
        ChangeState(dice, history, &history->final_state);
      else if (!history->recoveries.empty())
        ChangeState(dice, history, &history->recoveries[any(history->recoveries)].state);
      return "a state";
    case 5: {
      if (history->recoveries.empty()) return "nothing";
      TxnRecovery& last = history->recoveries.back();
      if (history->quiesced) return "nothing";
      uint64_t& point = last.points[any(last.points)];
      point += dice->Chance(50) && point > 0 ? -uint64_t{1} : uint64_t{1};
      if (last.commit != kNoCommit && history->commits[last.commit].callback != kNever)
        history->commits[last.commit].points = last.points;
      return "a recovered point";
    }
    case 6: {
      if (history->commits.empty()) return "nothing";
      TxnCommit& commit = history->commits[any(history->commits)];
      if (commit.callback == kNever) return "nothing";
      uint64_t& point = commit.points[any(commit.points)];
      point += dice->Chance(50) && point > 0 ? -uint64_t{1} : uint64_t{1};
      return "a reported point";
    }
    case 7: {
      Transaction& other = history->transactions[any(history->transactions)];
      TxnAccess& there = other.accesses[any(other.accesses)];
      if (!access.writes || !there.writes || access.key != there.key) return "nothing";
      std::swap(access.written, there.written);
      return "who wrote a word";
    }
    case 8:
      if (!access.writes || access.version == 0) return "nothing";
      access.version = dice->Between(1, 8);
      return "a told version";
    case 9:
      for (Transaction& other : history->transactions)
        if (other.client == txn.client && other.incarnation == txn.incarnation && other.serial != 0)
          ++other.serial;
      return "serials";
    default:
      history->reports.push_back({txn.client, txn.incarnation, dice->Below(10), txn.invoked + 1});
      return "a report";
  }
}

}  // namespace txn_test
