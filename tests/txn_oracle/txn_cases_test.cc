// For everything that R7 forbids a history that does it, and the near miss that does not, by hand. Both
// checkers must say the same, and the witness must name what was done.
#include "tests/txn_oracle/txn_builder.h"

namespace {

using namespace txn_test;

constexpr uint64_t kX = 1, kY = 2, kZ = 3;

// ---- within an incarnation: serialisability ----

TEST(Serialisable, SerialHistoriesPass) {
  TxnBuilder b(2);
  b.Txn(0, U{kX, 0, 11}, U{kY, 0, 12});
  b.Txn(1, U{kX, 11, 21}, R{kY, 12});
  b.Txn(0, R{kX, 21}, W{kY, 32});
  b.AtEnd({{kX, 21}, {kY, 32}});
  Accept(b);
}

TEST(Serialisable, LostUpdate) {
  TxnBuilder b(2);
  b.Txn(0, U{kX, 0, 11});
  const uint32_t one = b.Txn(0, U{kX, 11, 12});
  const uint32_t two = b.Txn(1, U{kX, 11, 21});
  const TxnVerdict verdict = Expect(b.history, TxnFault::kLostUpdate);
  EXPECT_EQ(verdict.witness.size(), 2u);
  for (const uint32_t txn : {one, two})
    EXPECT_NE(std::find(verdict.witness.begin(), verdict.witness.end(), txn), verdict.witness.end());
  EXPECT_NE(verdict.what.find("key 1"), std::string::npos) << verdict.what;
  b.history.transactions[two].accesses[0].read = 12;
  Accept(b);
}

TEST(Serialisable, WriteSkew) {
  TxnBuilder b(2);
  b.Txn(0, W{kX, 11}, W{kY, 12});
  b.Txn(0, R{kX, 11}, U{kY, 12, 13});
  b.Txn(1, U{kX, 11, 21}, R{kY, 12});
  const TxnVerdict verdict = Expect(b.history, TxnFault::kWriteSkew);
  EXPECT_NE(verdict.what.find("(rw)"), std::string::npos) << verdict.what;
  EXPECT_NE(verdict.what.find("c0.2"), std::string::npos) << verdict.what;
  EXPECT_NE(verdict.what.find("c1.1"), std::string::npos) << verdict.what;
  b.history.transactions[2].accesses[1].read = 13;
  Accept(b);
}

TEST(Serialisable, ReadSkew) {  // a torn read: half of what a transaction wrote
  TxnBuilder b(2);
  b.Txn(0, U{kX, 0, 11}, U{kY, 0, 12});
  b.Txn(1, R{kX, 11}, R{kY, 0});
  Expect(b.history, TxnFault::kReadSkew);
  b.history.transactions[1].accesses[0].read = 0;
  Accept(b);
}

TEST(Serialisable, CircularReads) {
  TxnBuilder b(2);
  b.Txn(0, W{kX, 11}, R{kY, 21});
  b.Txn(1, W{kY, 21}, R{kX, 11});
  Expect(b.history, TxnFault::kCircular);
}

TEST(Serialisable, WordsOfNobody) {
  TxnBuilder b(1);
  b.Txn(0, R{kX, 99});
  Expect(b.history, TxnFault::kNobody);
}

TEST(Serialisable, DirtyRead) {
  TxnBuilder b(2);
  const uint32_t writer = b.Aborted(0, W{kX, 11});
  b.Txn(1, R{kX, 11});
  const TxnVerdict verdict = Expect(b.history, TxnFault::kDirtyRead);
  EXPECT_NE(verdict.what.find("c0.1"), std::string::npos) << verdict.what;
  b.history.transactions[writer].outcome = TxnOutcome::kCommitted;
  Accept(b);
}

TEST(Serialisable, WhatAbortedTransactionsReadSaysNothing) {
  TxnBuilder b(1);
  b.Aborted(0, R{kX, 99}, W{kY, 11});
  b.Txn(0, R{kY, 0});
  Accept(b);
}

TEST(Serialisable, AClientSeesItsOwnWrites) {
  TxnBuilder b(1);
  b.Txn(0, U{kX, 0, 11});
  b.Txn(0, R{kX, 0});
  Expect(b.history, TxnFault::kReadSkew);
}

TEST(Serialisable, RealTimeAcrossClientsOnlyIfStrict) {
  TxnBuilder b(2);
  b.Txn(0, U{kX, 0, 11});
  b.Txn(1, R{kX, 0});
  Accept(b);
  b.history.strict = true;
  const TxnVerdict verdict = Expect(b.history, TxnFault::kStale);
  EXPECT_NE(verdict.what.find("had answered before"), std::string::npos) << verdict.what;
  b.history.transactions[1].invoked = 1;  // it overlaps
  b.history.transactions[0].invoked = 2;
  b.history.transactions[0].responded = 3;
  Accept(b);
}

TEST(Serialisable, AnUnansweredTransactionIsAllOrNothing) {
  TxnBuilder b(2);
  b.Begin(0, W{kX, 11}, W{kY, 12});
  b.Txn(1, R{kX, 11}, R{kY, 12});
  Accept(b);
  TxnBuilder none(2);
  none.Begin(0, W{kX, 11}, W{kY, 12});
  none.Txn(1, R{kX, 0}, R{kY, 0});
  Accept(none);
  TxnBuilder half(2);
  half.Begin(0, W{kX, 11}, W{kY, 12});
  half.Txn(1, R{kX, 11}, R{kY, 0});
  Expect(half.history, TxnFault::kReadSkew);
}

// ---- blind writes ----

TEST(BlindWrites, ReadsOrderThem) {
  TxnBuilder b(3);
  b.Txn(0, W{kX, 11});
  b.Txn(1, W{kX, 21});
  b.Txn(2, R{kX, 21});
  b.Txn(2, R{kX, 11});
  Accept(b);
  b.Txn(2, R{kX, 21});
  TxnChecker checker;
  EXPECT_FALSE(checker.Check(b.history).ok);
}

TEST(BlindWrites, ToldVersionsOrderThem) {
  TxnBuilder b(3);
  b.Txn(0, W{kX, 11, 2});
  b.Txn(1, W{kX, 21, 1});
  b.Txn(2, R{kX, 21});
  b.Txn(2, R{kX, 11});
  Accept(b);
  b.history.transactions[0].accesses[0].version = 1;
  b.history.transactions[1].accesses[0].version = 2;
  TxnChecker checker;
  EXPECT_FALSE(checker.Check(b.history).ok);
}

// Three blind writes to two keys each, whose readers contradict each other only through both keys.
TEST(BlindWrites, PathsOrderThem) {
  TxnBuilder b(4);
  b.Txn(0, W{kX, 11}, W{kY, 12});
  b.Txn(1, W{kX, 21}, W{kY, 22});
  b.Txn(2, R{kX, 11}, R{kY, 12});
  b.Txn(2, R{kX, 21}, R{kY, 22});
  b.Txn(3, R{kX, 21}, R{kZ, 0});
  Accept(b);
  b.Txn(3, R{kX, 11}, R{kZ, 0});
  TxnChecker checker;
  EXPECT_FALSE(checker.Check(b.history).ok);
}

// ---- cut and recovery ----

TxnBuilder TwoTransfers() {  // both in the commit, then one more
  TxnBuilder b(2);
  b.Txn(0, U{kX, 0, 11}, U{kY, 0, 12});
  b.Txn(1, U{kX, 11, 21}, U{kY, 12, 22});
  b.Durable(b.Request(), {1, 1});
  b.Txn(0, U{kX, 21, 31}, U{kY, 22, 32});
  return b;
}

TEST(Recovered, TheCutExactly) {
  TxnBuilder b = TwoTransfers();
  b.Recover({1, 1}, {{kX, 21}, {kY, 22}}, 0);
  b.Txn(0, U{kX, 21, 41}, U{kY, 22, 42});
  b.AtEnd({{kX, 41}, {kY, 42}});
  Accept(b);
}

TEST(Recovered, TornTransactions) {
  TxnBuilder b = TwoTransfers();
  b.Recover({1, 1}, {{kX, 21}, {kY, 12}});
  const TxnVerdict verdict = Expect(b.history, TxnFault::kTorn);
  EXPECT_NE(verdict.what.find("c1.1"), std::string::npos) << verdict.what;
  EXPECT_NE(verdict.what.find("is there in key 1 and is missing in key 2"), std::string::npos)
      << verdict.what;
  TxnBuilder above = TwoTransfers();
  above.Recover({1, 1}, {{kX, 31}, {kY, 22}});
  const TxnVerdict later = Expect(above.history, TxnFault::kTorn);
  EXPECT_NE(later.what.find("c0.2, above the commit point"), std::string::npos) << later.what;
}

TEST(Recovered, LostTransactions) {
  TxnBuilder b = TwoTransfers();
  b.Recover({1, 1}, {{kX, 11}, {kY, 12}});
  const TxnVerdict verdict = Expect(b.history, TxnFault::kLost);
  EXPECT_NE(verdict.what.find("c1.1"), std::string::npos) << verdict.what;
  TxnBuilder all = TwoTransfers();
  all.Recover({1, 1}, {});
  Expect(all.history, TxnFault::kLost);
}

TEST(Recovered, TransactionsAboveTheCommitPoint) {
  TxnBuilder b = TwoTransfers();
  b.Recover({1, 1}, {{kX, 31}, {kY, 32}});
  const TxnVerdict verdict = Expect(b.history, TxnFault::kAbove);
  EXPECT_NE(verdict.what.find("c0.2"), std::string::npos) << verdict.what;
}

TEST(Recovered, TransactionsThatAborted) {
  TxnBuilder b(1);
  b.Aborted(0, W{kX, 11});
  b.Durable(b.Request(), {1});
  b.Recover({1}, {{kX, 11}});
  Expect(b.history, TxnFault::kAbortedState);
  b.history.recoveries[0].state.clear();
  Accept(b);
}

// Within the commit point it may have aborted, and nobody was told.
TEST(Recovered, AnUnansweredTransactionIsAllOrNothing) {
  TxnBuilder b(1);
  const uint32_t commit = b.Request();
  b.Begin(0, W{kX, 11}, W{kY, 12});
  b.Durable(commit, {1});
  TxnBuilder all = b, torn = b;
  b.Recover({1}, {});
  Accept(b);
  all.Recover({1}, {{kX, 11}, {kY, 12}});
  Accept(all);
  torn.Recover({1}, {{kX, 11}});
  Expect(torn.history, TxnFault::kTorn);
}

TEST(Recovered, StatesOfNobody) {
  TxnBuilder b = TwoTransfers();
  b.Recover({1, 1}, {{kX, 21}, {kY, 22}, {kZ, 99}});
  Expect(b.history, TxnFault::kState);
  TxnBuilder later = TwoTransfers();
  later.Recover({1, 1}, {{kX, 21}, {kY, 22}});
  later.Durable(later.Request(), {1, 1});
  later.Recover({1, 1}, {{kX, 21}});  // a key gone that the incarnation began with
  Expect(later.history, TxnFault::kState);
}

TEST(Recovered, BlindWritesLostOrTorn) {
  TxnBuilder b(2);
  b.Txn(0, W{kX, 11}, W{kY, 12});
  b.Txn(0, W{kX, 13}, W{kY, 14});
  b.Durable(b.Request(), {2, 0});
  TxnBuilder lost = b;
  lost.Recover({2, 0}, {{kX, 11}, {kY, 12}});
  TxnChecker checker;
  EXPECT_FALSE(checker.Check(lost.history).ok);
  TxnBuilder torn = b;
  torn.Recover({2, 0}, {{kX, 13}, {kY, 12}});
  EXPECT_FALSE(checker.Check(torn.history).ok);
  b.Recover({2, 0}, {{kX, 13}, {kY, 14}});
  Accept(b);
}

TEST(Closure, ACutDependsOnNothingOutside) {
  for (const bool blind : {false, true}) {
    TxnBuilder b(2);
    const uint32_t commit = b.Request();
    b.Txn(0, U{kX, 0, 11});  // outside
    if (blind)
      b.Txn(1, R{kX, 11}, W{kY, 22});  // inside, and read what is outside
    else
      b.Txn(1, U{kX, 11, 21});
    b.Durable(commit, {0, 1});
    const TxnVerdict verdict = Expect(b.history, TxnFault::kClosure);  // whatever a recovery would return
    EXPECT_NE(verdict.what.find("c0.1"), std::string::npos) << verdict.what;
    EXPECT_NE(verdict.what.find("c1.1"), std::string::npos) << verdict.what;
    b.history.commits[0].points = {1, 1};
    Accept(b);
  }
}

// A transaction outside read what one inside then replaced: it is before the cut and after it.
TEST(Closure, AntiDependenciesCount) {
  TxnBuilder b(2);
  const uint32_t commit = b.Request();
  b.Txn(0, R{kX, 0}, W{kY, 11});
  b.Txn(1, U{kX, 0, 21});
  b.Durable(commit, {0, 1});
  Expect(b.history, TxnFault::kClosure);
  b.history.transactions[0].accesses.pop_back();  // it only read
  Expect(b.history, TxnFault::kClosure);
  b.history.reads_may_lag = true;
  Accept(b);
}

// Clients may be cut at different real times: only dependencies bind them.
TEST(Closure, NotByRealTime) {
  TxnBuilder b(2);
  b.history.strict = true;
  const uint32_t commit = b.Request();
  b.Txn(0, U{kX, 0, 11});
  b.Txn(1, U{kY, 0, 21});
  b.Durable(commit, {0, 1});
  b.Recover({0, 1}, {{kY, 21}});
  Accept(b);
}

TEST(AfterRecovery, LostTransactionsStayLost) {
  TxnBuilder b = TwoTransfers();
  b.Recover({1, 1}, {{kX, 21}, {kY, 22}});
  b.Txn(1, R{kX, 31});
  Expect(b.history, TxnFault::kLostRead);
}

TEST(AfterRecovery, SerialsGoOnAtTheCommitPoint) {
  TxnBuilder b = TwoTransfers();
  b.Recover({1, 1}, {{kX, 21}, {kY, 22}});
  b.Txn(0, R{kX, 21});
  b.history.transactions.back().serial = 3;
  Expect(b.history, TxnFault::kSerials);
}

TEST(AfterRecovery, AbortedTransactionsMayHaveNoSerial) {
  TxnBuilder b(1);
  b.Txn(0, U{kX, 0, 11});
  const uint32_t aborted = b.Aborted(0, U{kX, 11, 12});
  b.Txn(0, U{kX, 11, 13});
  b.Durable(b.Request(), {2});
  b.Recover({2}, {{kX, 13}});
  b.history.transactions[aborted].serial = 0;
  b.history.transactions[2].serial = 2;
  Accept(b);
  b.history.transactions[aborted].outcome = TxnOutcome::kCommitted;
  Expect(b.history, TxnFault::kHistory);
}

TEST(AtTheEnd, NothingIsMissing) {
  TxnBuilder b(2);
  b.Txn(0, U{kX, 0, 11}, U{kY, 0, 12});
  b.AtEnd({{kX, 11}, {kY, 12}});
  Accept(b);
  b.history.final_state = {{kX, 11}};
  Expect(b.history, TxnFault::kTorn);
  b.history.final_state = {};
  Expect(b.history, TxnFault::kLost);
}

// ---- bounds ----

TEST(Bounds, OfCommitPoints) {
  for (const uint64_t t : {0, 1, 2, 3}) {  // serial 1 ended before the request, 2 began before the callback
    TxnBuilder b(1);
    b.Txn(0, U{kX, 0, 11});
    const uint32_t commit = b.Request();
    b.Txn(0, U{kX, 11, 12});
    b.Durable(commit, {t});
    b.Txn(0, R{kX, 12});
    Expect(b.history, t == 1 || t == 2 ? TxnFault::kNone : TxnFault::kBounds);
  }
}

TEST(Bounds, WhatWasPromisedHolds) {
  TxnBuilder b = TwoTransfers();
  TxnBuilder back = b;
  b.Told(0, 2);
  TxnBuilder told = b;
  b.Recover({1, 1}, {{kX, 21}, {kY, 22}});
  Expect(b.history, TxnFault::kBounds);
  told.Recover({2, 1}, {{kX, 31}, {kY, 32}});  // more than the last commit: a log that goes on
  Accept(told);
  back.Recover({1, 0}, {{kX, 11}, {kY, 12}});  // below the commit
  Expect(back.history, TxnFault::kBounds);
  TxnBuilder early(1);
  early.Told(0, 1);
  early.Txn(0, R{kX, 0});
  Expect(early.history, TxnFault::kBounds);
}

TEST(Bounds, ARecoveryHasThePointsOfItsCommit) {
  TxnBuilder b = TwoTransfers();
  b.Recover({2, 1}, {{kX, 31}, {kY, 32}}, 0);
  Expect(b.history, TxnFault::kBounds);
}

TEST(Bounds, CommitPointsOnlyGrow) {
  TxnBuilder b(2);
  const uint32_t one = b.Request();
  b.Begin(0, W{kX, 11});
  b.Durable(one, {1, 0});
  b.Durable(b.Request(), {0, 0});
  Expect(b.history, TxnFault::kBounds);
}

TEST(Refused, WithoutReason) {
  TxnBuilder b = TwoTransfers();
  TxnBuilder lost = b;
  b.Recover({1, 1}, {}).status = faster::Status::kCorruption;
  Expect(b.history, TxnFault::kRefused);
  lost.Recover({0, 0}, {}).status = faster::Status::kNotFound;
  Expect(lost.history, TxnFault::kRefused);
  TxnBuilder nothing(1);
  nothing.Txn(0, W{kX, 11});
  nothing.Recover({0}, {}).status = faster::Status::kNotFound;
  Accept(nothing);
  TxnBuilder failed(1);
  const uint32_t commit = failed.Request();
  failed.Durable(commit, {0});
  failed.history.commits[0].status = faster::Status::kIoError;
  Expect(failed.history, TxnFault::kRefused);
  failed.history.faults_injected = true;
  Accept(failed);
}

// ---- form ----

TEST(Form, DamagedHistoriesAreNotJudged) {
  const auto broken = [](void (*spoil)(TxnHistory*)) {
    TxnBuilder b = TwoTransfers();
    b.Recover({1, 1}, {{kX, 21}, {kY, 22}});
    Accept(b);
    spoil(&b.history);
    Expect(b.history, TxnFault::kHistory);
  };
  broken([](TxnHistory* h) { h->transactions[1].client = 2; });
  broken([](TxnHistory* h) { h->transactions[2].serial = 4; });
  broken([](TxnHistory* h) { h->transactions[2].accesses[1].key = kX; });
  broken([](TxnHistory* h) { h->transactions[2].accesses[1].written = 22; });
  broken([](TxnHistory* h) { h->transactions[2].accesses[1].written = 0; });
  broken([](TxnHistory* h) { h->transactions[2].responded = 1; });
  broken([](TxnHistory* h) { h->transactions[2].responded = kNever; });
  broken([](TxnHistory* h) { h->recoveries[0].points.pop_back(); });
  broken([](TxnHistory* h) { h->recoveries[0].commit = 7; });
  broken([](TxnHistory* h) { h->recoveries[0].state.push_back({kX, 31}); });
  broken([](TxnHistory* h) { h->recoveries[0].time = 3; });
  broken([](TxnHistory* h) { h->commits[0].points = {1}; });
}

TEST(Judge, TwoVerdictsThatDifferAreAFailure) {
  TxnVerdict legal, broken;
  broken.ok = false;
  broken.fault = TxnFault::kTorn;
  EXPECT_EQ(ReconcileTxn(legal, broken).fault, TxnFault::kDisagree);
  EXPECT_EQ(ReconcileTxn(broken, legal).fault, TxnFault::kDisagree);
  TxnVerdict other = broken;
  other.fault = TxnFault::kClosure;
  EXPECT_EQ(ReconcileTxn(broken, other).fault, TxnFault::kDisagree);
  other.undecided = true;
  EXPECT_EQ(ReconcileTxn(broken, other).fault, TxnFault::kTorn);
  legal.undecided = true;
  EXPECT_EQ(ReconcileTxn(legal, broken).fault, TxnFault::kTorn);
  EXPECT_EQ(ReconcileTxn(broken, legal).fault, TxnFault::kTorn);
  EXPECT_TRUE(ReconcileTxn(legal, legal).ok);
}

}  // namespace
