// TxnBuilder: histories of transactions by hand, one line per event. Times are counted, serials too: a
// transaction answers before the next line, unless it is begun and ended by two lines.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

#include "faults/oracle/txn_judge.h"

namespace txn_test {

using namespace faults;

struct R {  // a read
  uint64_t key, word;
};
struct W {  // a blind write
  uint64_t key, word;
  uint64_t version = 0;
};
struct U {  // a read and a write
  uint64_t key, from, to;
};

inline TxnAccess Access(const R& r) { return {r.key, true, false, r.word, 0, 0}; }
inline TxnAccess Access(const W& w) { return {w.key, false, true, 0, w.word, w.version}; }
inline TxnAccess Access(const U& u) { return {u.key, true, true, u.from, u.to, 0}; }

class TxnBuilder {
 public:
  TxnHistory history;

  explicit TxnBuilder(uint32_t clients) : next_(clients, 1) { history.clients = clients; }

  template <class... A>
  uint32_t Begin(uint32_t client, const A&... accesses) {
    Transaction txn;
    txn.client = client;
    txn.incarnation = incarnation_;
    txn.serial = next_[client]++;
    txn.invoked = ++time_;
    (txn.accesses.push_back(Access(accesses)), ...);
    history.transactions.push_back(txn);
    return static_cast<uint32_t>(history.transactions.size() - 1);
  }
  void End(uint32_t txn, TxnOutcome outcome = TxnOutcome::kCommitted) {
    history.transactions[txn].outcome = outcome;
    history.transactions[txn].responded = ++time_;
  }
  template <class... A>
  uint32_t Txn(uint32_t client, const A&... accesses) {
    const uint32_t txn = Begin(client, accesses...);
    End(txn);
    return txn;
  }
  template <class... A>
  uint32_t Aborted(uint32_t client, const A&... accesses) {
    const uint32_t txn = Begin(client, accesses...);
    End(txn, TxnOutcome::kAborted);
    return txn;
  }
  uint32_t Request() {
    history.commits.push_back(TxnCommit{incarnation_, ++time_, kNever, faster::Status::kPending, {}});
    return static_cast<uint32_t>(history.commits.size() - 1);
  }
  void Durable(uint32_t commit, std::vector<uint64_t> points) {
    history.commits[commit].callback = ++time_;
    history.commits[commit].status = faster::Status::kOk;
    history.commits[commit].points = std::move(points);
  }
  void Told(uint32_t client, uint64_t serial) {
    history.reports.push_back(TxnReport{client, incarnation_, serial, ++time_});
  }
  TxnRecovery& Recover(std::vector<uint64_t> points, TxnState state, uint32_t commit = kNoCommit) {
    TxnRecovery recovery;
    recovery.incarnation = incarnation_++;
    recovery.commit = commit;
    recovery.points = points;
    recovery.state = std::move(state);
    recovery.time = ++time_;
    for (size_t c = 0; c < points.size(); ++c) next_[c] = points[c] + 1;
    history.recoveries.push_back(recovery);
    return history.recoveries.back();
  }
  void AtEnd(TxnState state) {
    history.quiesced = true;
    history.final_state = std::move(state);
  }

 private:
  uint32_t incarnation_ = 0;
  uint64_t time_ = 0;
  std::vector<uint64_t> next_;
};

// Both checkers and the judge; the graph checker names `fault`, the search its class.
inline TxnVerdict Expect(const TxnHistory& history, TxnFault fault) {
  TxnChecker checker;
  TxnSearch search;
  TxnJudge judge;
  const TxnVerdict one = checker.Check(history);
  EXPECT_STREQ(TxnFaultName(one.fault), TxnFaultName(fault)) << TxnExplain(history, one);
  EXPECT_FALSE(one.undecided) << TxnExplain(history, one);
  const TxnVerdict two = search.Check(history);
  EXPECT_EQ(static_cast<int>(ClassOf(two.fault)), static_cast<int>(ClassOf(fault)))
      << "search: " << TxnExplain(history, two);
  const TxnVerdict verdict = judge.Check(history);
  EXPECT_STREQ(TxnFaultName(verdict.fault), TxnFaultName(fault)) << TxnExplain(history, verdict);
  EXPECT_EQ(verdict.ok, fault == TxnFault::kNone);
  return verdict;
}
inline void Accept(const TxnBuilder& builder) { Expect(builder.history, TxnFault::kNone); }

}  // namespace txn_test
