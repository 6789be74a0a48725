// For every rule R0-R6 histories that break it, and near misses that do not, by hand; the judge and the form
// of a history. Both checkers must say the same.
#include "tests/oracle/expect.h"

namespace {

using namespace faults_test;

// ---- R0 ----

TEST(R0, NothingFoundThoughSomethingWasDurable) {
  HistoryBuilder b(1);
  b.Put(0, kX, kA, 10, 20);
  b.Checkpoint(30, kNever, {});
  b.Recover(60, Token{}, {}, {});
  Accept(b);  // its callback had not fired: it may be gone
  HistoryBuilder durable(1);
  durable.Put(0, kX, kA, 10, 20);
  durable.Checkpoint(30, 40, {1});
  durable.Recover(60, Token{}, {}, {});
  Expect(durable.history, Rule::kR0);
}

TEST(R0, RefusalOfANamedCheckpoint) {
  HistoryBuilder b(1);
  b.Put(0, kX, kA, 10, 20);
  const Token k = b.Checkpoint(30, 40, {1});
  Recovery& recovery = b.Recover(60, Token{}, {}, {});
  recovery.named = true;
  recovery.requested = k;
  recovery.status = Status::kCorruption;
  Expect(b.history, Rule::kR0);
  recovery.requested = faster::Guid{1, 99};  // nobody took that one
  Accept(b);
}

// ---- R1 ----

HistoryBuilder TwoCheckpoints() {
  HistoryBuilder b(2);
  b.Put(0, kX, kA, 10, 20);
  b.Checkpoint(30, 40, {1, 0});
  b.Put(0, kX, kB, 50, 60);
  return b;
}
TEST(R1, LatestIsTheNewestDurable) {
  HistoryBuilder b = TwoCheckpoints();
  b.Checkpoint(70, 80, {2, 0});
  b.Recover(90, faster::Guid{9, 1}, {1, 0}, {{kX, kA}});
  Expect(b.history, Rule::kR1);
  b.history.recoveries[0].named = true;  // asked for by name it is right
  b.history.recoveries[0].requested = faster::Guid{9, 1};
  Accept(b);
  for (uint64_t token : {1, 2}) {  // the second was not durable for the client: either will do
    HistoryBuilder c = TwoCheckpoints();
    c.Checkpoint(70, kNever, {});
    c.Recover(90, faster::Guid{9, token}, {static_cast<int64_t>(token), 0}, {{kX, token == 1 ? kA : kB}});
    Accept(c);
  }
}

TEST(R1, AbandonedCheckpointsAreNotTheLatest) {
  HistoryBuilder b = TwoCheckpoints();
  b.Checkpoint(70, 80, {2, 0});
  Recovery& named = b.Recover(90, faster::Guid{9, 1}, {1, 0}, {{kX, kA}});
  named.named = true;
  named.requested = faster::Guid{9, 1};
  HistoryBuilder back = b;
  back.Recover(100, faster::Guid{9, 2}, {2, 0}, {{kX, kB}});
  Expect(back.history, Rule::kR1);
  b.Recover(100, faster::Guid{9, 1}, {1, 0}, {{kX, kA}});
  Accept(b);
}

TEST(R1, CommitPointsAreThoseOfTheCheckpoint) {
  HistoryBuilder b = TwoCheckpoints();
  b.Recover(90, faster::Guid{9, 1}, {2, 0}, {{kX, kB}});
  Expect(b.history, Rule::kR1);
}

TEST(R1, BoundsOfCommitPoints) {
  for (const int64_t t : {0, 1, 2, 3}) {  // serial 1 ended before the request, 2 began before the crash
    HistoryBuilder b(1);
    b.Put(0, kX, kA, 10, 20);
    const Token k = b.Checkpoint(30, kNever, {});
    b.Put(0, kX, kB, 40, 50);
    b.Recover(90, k, {t}, {{kX, t == 1 ? kA : kB}});
    Expect(b.history, t == 1 || t == 2 ? Rule::kNone : Rule::kR1);
  }
}

TEST(R1, NothingIssuedAfterTheCallbackIsInIt) {
  HistoryBuilder b(1);
  const Token k = b.Checkpoint(30, 40, {1});
  b.Put(0, kX, kA, 45, 50);
  b.Recover(90, k, {1}, {{kX, kA}});
  Expect(b.history, Rule::kR1);
}

TEST(R1, EverySessionHasACommitPoint) {
  HistoryBuilder b(2);
  b.Put(0, kX, kA, 10, 20);
  const Token k = b.Checkpoint(30, kNever, {});
  b.Recover(90, k, {1, -1}, {{kX, kA}});  // session 1 was idle
  Expect(b.history, Rule::kR1);
  b.history.session_opened[1] = 35;  // opened after the request: it may be unknown
  Accept(b);
}

TEST(R1, UnclaimedSessionsStay) {
  HistoryBuilder b(2);
  b.Put(0, kX, kA, 10, 20);
  b.Put(1, kY, kB, 10, 20);
  const Token k = b.Checkpoint(30, 40, {1, 1});
  b.Recover(50, k, {1, 1}, {{kX, kA}, {kY, kB}});
  b.Put(0, kX, kC, 60, 70);
  HistoryBuilder forgets = b;
  b.Recover(100, b.Checkpoint(80, 90, {2, 1}), {2, 1}, {{kX, kC}, {kY, kB}});
  Accept(b);
  forgets.Recover(100, forgets.Checkpoint(80, 90, {2, -1}), {2, -1}, {{kX, kC}, {kY, kB}});
  Expect(forgets.history, Rule::kR1);
}

// Serial 2 is in flight all the time: either checkpoint may hold it, but not only the earlier one.
TEST(R1, CommitPointsOnlyGrow) {
  for (const int64_t later : {1, 2}) {
    HistoryBuilder b(1);
    b.Put(0, kX, kA, 10, 20);
    b.Put(0, kX, kB, 25, kNever);
    b.Checkpoint(30, 40, {2});
    b.Checkpoint(50, 60, {later});
    Expect(b.history, later == 2 ? Rule::kNone : Rule::kR1);
  }
}

TEST(R1, WhatASessionWasToldHolds) {
  for (const uint64_t told : {1, 2}) {
    HistoryBuilder b(1);
    b.Put(0, kX, kA, 10, 20);
    const Token k = b.Checkpoint(30, kNever, {});
    b.Put(0, kX, kB, 40, 50);
    b.Told(0, k, told, 60);
    b.Recover(90, k, {1}, {{kX, kA}});
    Expect(b.history, told == 1 ? Rule::kNone : Rule::kR1);
  }
  HistoryBuilder passed_over(1);  // told is promised, although the store's callback did not come
  passed_over.Put(0, kX, kA, 10, 20);
  passed_over.Told(0, passed_over.Checkpoint(30, kNever, {}), 1, 60);
  passed_over.Recover(90, Token{}, {}, {});
  Expect(passed_over.history, Rule::kR0);
}

TEST(R1, IndexCheckpointsAreNothingToRecoverTo) {
  HistoryBuilder b(1);
  b.Put(0, kX, kA, 10, 20);
  const Token log = b.Checkpoint(30, 40, {1});
  const Token index = b.Checkpoint(50, 60, {});
  b.history.checkpoints[1].kind = faster::CheckpointKind::kIndexOnly;
  HistoryBuilder wrong = b;
  b.Recover(90, log, {1}, {{kX, kA}});  // the newest log checkpoint is older: right
  Accept(b);
  wrong.Recover(90, index, {1}, {{kX, kA}});
  Expect(wrong.history, Rule::kR1);
}

// ---- R2 ----

TEST(R2, LostUpdate) {
  HistoryBuilder b(2);
  b.Put(0, kX, kA, 10, 20);
  b.Rmw(0, kX, 1, kA, 30, 40);
  b.Rmw(1, kX, 2, kA, 30, 40);
  Expect(b.history, Rule::kR2);
  b.history.operations[2].result = RmwWord(RmwWord(kA, 1), 2);
  Accept(b);
}

TEST(R2, StaleRead) {
  HistoryBuilder b(2);
  b.Put(0, kX, kA, 10, 20);
  b.Put(0, kX, kB, 30, 40);
  b.Get(1, kX, kA, 35, 50);
  Accept(b);  // it overlaps the second put
  b.history.operations[2].invoked = 45;
  Expect(b.history, Rule::kR2);
}

TEST(R2, ReadsDisagreeOnTheOrderOfTwoPuts) {
  HistoryBuilder b(4);
  b.Put(0, kX, kA, 10, 100);
  b.Put(1, kX, kB, 10, 100);
  b.Get(2, kX, kA, 20, 30);
  b.Get(2, kX, kB, 40, 50);
  b.Get(3, kX, kB, 20, 30);
  Accept(b);
  b.Get(3, kX, kA, 40, 50);
  Expect(b.history, Rule::kR2);
}

TEST(R2, DeletesExplainAbsence) {
  HistoryBuilder b(3);
  b.Put(0, kX, kA, 10, 20);
  b.Delete(0, kX, 30, 60);
  b.Get(1, kX, 0, 35, 40);
  b.Put(1, kX, kB, 45, 50);
  b.Get(2, kX, kB, 70, 80);
  Accept(b);
  b.Get(2, kX, 0, 90, 95);  // nobody deletes it a second time
  Expect(b.history, Rule::kR2);
}

TEST(R2, TornValue) {
  HistoryBuilder b(1);
  b.Put(0, kX, kA, 10, 20);
  b.Get(0, kX, 0xaaa2, 30, 40);
  Expect(b.history, Rule::kR2);
}

// ---- R3 ----

TEST(R3, CommittedRmwConsumedALostWord) {
  for (const int64_t t : {0, 1}) {
    HistoryBuilder b(2);
    const Token k = b.Checkpoint(5, kNever, {});
    b.Rmw(0, kX, 1, 0, 10, 20);
    b.Rmw(1, kX, 2, RmwWord(0, 1), 30, 40);
    const uint64_t both = RmwWord(RmwWord(0, 1), 2);
    b.history.refresh_every_operation = false;
    b.Recover(90, k, {t, 1}, {{kX, t == 1 ? both : RmwWord(0, 2)}});
    Expect(b.history, t == 1 ? Rule::kNone : Rule::kR3);
  }
}

// ---- R4 ----

HistoryBuilder Recovered(std::vector<std::pair<uint64_t, uint64_t>> state) {
  HistoryBuilder b(1);
  b.Put(0, kX, kA, 10, 20);
  b.Rmw(0, kX, 1, kA, 21, 22);
  b.Put(0, kY, kB, 23, 24);
  b.Delete(0, kY, 25, 26);
  const Token k = b.Checkpoint(30, 40, {4});
  b.Rmw(0, kX, 2, RmwWord(kA, 1), 50, 60);
  b.Recover(90, k, {4}, std::move(state));
  return b;
}
TEST(R4, StateIsCommittedUpdatesAndNothingElse) {
  const uint64_t right = RmwWord(kA, 1);
  Accept(Recovered({{kX, right}}));
  Expect(Recovered({{kX, kA}}).history, Rule::kR4);                 // an update is missing
  Expect(Recovered({}).history, Rule::kR4);                         // a key is missing
  Expect(Recovered({{kX, RmwWord(right, 2)}}).history, Rule::kR4);  // a lost one is there
  Expect(Recovered({{kX, RmwWord(right, 1)}}).history, Rule::kR4);  // one is there twice
  Expect(Recovered({{kX, RmwWord(RmwWord(0, 1), 1)}}).history, Rule::kR4);
  Expect(Recovered({{kX, right}, {kY, kB}}).history, Rule::kR4);  // a delete came undone
  Expect(Recovered({{kX, right}, {77, 5}}).history, Rule::kR4);   // something from nowhere
  Expect(Recovered({{kX, right}, {kX, right}}).history, Rule::kR4);
  Expect(Recovered({{kX, right}, {77, 0}}).history, Rule::kR4);
}

// No response before the crash: with serial <= t it must be there, else it may have happened or not.
TEST(R4, UnknownOperations) {
  const uint64_t both = RmwWord(kA, 1);
  for (const int64_t t : {1, 2})
    for (const uint64_t word : {kA, both}) {
      HistoryBuilder b(1);
      b.Put(0, kX, kA, 10, 20);
      const Token k = b.Checkpoint(30, kNever, {});
      b.Rmw(0, kX, 1, kA, 40, kNever);
      b.Recover(90, k, {t}, {{kX, word}});
      Expect(b.history, (t == 2) == (word == both) ? Rule::kNone : Rule::kR4);
    }
  HistoryBuilder seen(2);  // it is lost, but another lost operation saw it
  seen.Put(0, kX, kA, 10, 20);
  const Token k = seen.Checkpoint(30, 35, {1, 0});
  seen.Rmw(0, kX, 1, kA, 40, kNever);
  seen.Get(1, kX, both, 50, 60);
  seen.Recover(90, k, {1, 0}, {{kX, kA}});
  Accept(seen);
}

TEST(R4, TheSameCheckpointIsTheSameState) {
  HistoryBuilder b = Recovered({{kX, RmwWord(kA, 1)}});
  HistoryBuilder other = b;
  b.Recover(100, faster::Guid{9, 1}, {4}, {{kX, RmwWord(kA, 1)}});
  Accept(b);
  other.Recover(100, faster::Guid{9, 1}, {4}, {});
  Expect(other.history, Rule::kR4);
}

// Two checkpoints of one incarnation, the newer recovered first, then the older by name: nested cuts.
TEST(R4, CutsAreNested) {
  for (const uint64_t word : {kA, kB}) {
    HistoryBuilder b = TwoCheckpoints();
    b.Checkpoint(70, 80, {2, 0});
    b.Recover(90, faster::Guid{9, 2}, {2, 0}, {{kX, kB}});
    Recovery& named = b.Recover(100, faster::Guid{9, 1}, {1, 0}, {{kX, word}});
    named.named = true;
    named.requested = faster::Guid{9, 1};
    Expect(b.history, word == kA ? Rule::kNone : Rule::kR4);
  }
}

// ---- R5 ----

TEST(R5, TheHistoryGoesOnFromTheRecoveredState) {
  HistoryBuilder b = Recovered({{kX, RmwWord(kA, 1)}});
  HistoryBuilder lost = b;
  b.Get(0, kX, RmwWord(kA, 1), 100, 110);
  b.Rmw(0, kX, 2, RmwWord(kA, 1), 120, 130);
  HistoryBuilder twice = b;
  b.End({{kX, RmwWord(RmwWord(kA, 1), 2)}});
  Accept(b);
  lost.Get(0, kX, RmwWord(RmwWord(kA, 1), 2), 100, 110);  // of an operation that was lost
  Expect(lost.history, Rule::kR5);
  twice.End({{kX, RmwWord(RmwWord(RmwWord(kA, 1), 2), 2)}});  // replayed, and also there
  Expect(twice.history, Rule::kR5);
}

TEST(R5, SerialsGoOnAtTheCommitPoint) {
  HistoryBuilder b = Recovered({{kX, RmwWord(kA, 1)}});
  b.Told(0, faster::Guid{9, 1}, 4, 95);
  b.Get(0, kX, RmwWord(kA, 1), 100, 110);
  Accept(b);
  b.history.operations.back().serial = 6;
  Expect(b.history, Rule::kR5);
  b.history.operations.back().serial = 5;
  b.history.reports[0].serial = 3;
  Expect(b.history, Rule::kR1);
}

TEST(R5, DeletedKeysStayDeleted) {
  HistoryBuilder b = Recovered({{kX, RmwWord(kA, 1)}});
  b.Get(0, kY, kB, 100, 110);
  Expect(b.history, Rule::kR5);
}

// ---- scan, form, judge ----

TEST(Scan, AgreesWithLookup) {
  HistoryBuilder b = Recovered({{kX, RmwWord(kA, 1)}});
  b.history.recoveries[0].has_scan = true;
  Expect(b.history, Rule::kScan);
  b.history.recoveries[0].scanned = b.history.recoveries[0].state;
  Accept(b);
  b.history.recoveries[0].scanned.emplace_back(kY, kB);
  Expect(b.history, Rule::kScan);
}

TEST(Form, MalformedHistoriesAreNamed) {
  HistoryBuilder b(1);
  b.Put(0, kX, kA, 10, 20);
  b.Put(0, kX, kB, 30, 40);
  const History good = b.history;
  Accept(b);
  auto broken = [&](auto change) {
    History history = good;
    change(&history);
    Expect(history, Rule::kHistory);
  };
  broken([](History* h) { h->operations[1].serial = 4; });
  broken([](History* h) { h->operations[1].serial = 1; });
  broken([](History* h) { h->operations[1].session = 3; });
  broken([](History* h) { h->operations[1].incarnation = 1; });
  broken([](History* h) { h->operations[1].responded = 25; });
  broken([](History* h) { h->operations[1].responded = kNever; });
  broken([](History* h) { h->operations[1].operand = 0; });
  broken([](History* h) { h->sessions.push_back(h->sessions[0]), h->session_opened.push_back(1); });
  broken([](History* h) { h->session_opened.clear(); });
  History reversed = good;  // the order of the list means nothing
  std::swap(reversed.operations[0], reversed.operations[1]);
  Expect(reversed, Rule::kNone);
}

// Words that do not name their writer: the linear checker says so and leaves the verdict to the search.
TEST(Judge, UntraceableWordsAreSearched) {
  HistoryBuilder b(1);
  b.Put(0, kX, kA, 10, 20);
  b.Delete(0, kX, 30, 40);
  b.Put(0, kX, kA, 50, 60);
  b.Get(0, kX, kA, 70, 80);
  LinearChecker linear;
  EXPECT_TRUE(linear.Check(b.history).undecided);
  Judge judge;
  EXPECT_TRUE(judge.Check(b.history).ok);
  b.Get(0, kX, kB, 90, 95);
  EXPECT_EQ(judge.Check(b.history).rule, Rule::kR2);
  b.history.operations.pop_back();
  judge.search_limit = 0;
  EXPECT_TRUE(judge.Check(b.history).undecided);
  EXPECT_EQ(judge.undecided(), 1u);
}

TEST(Judge, DisagreementIsAViolation) {
  Verdict legal, illegal, undecided, unbuffered;
  illegal.ok = false;
  illegal.rule = Rule::kR4;
  undecided.undecided = true;
  unbuffered.buffered = false;
  EXPECT_TRUE(Reconcile(legal, legal).ok);
  EXPECT_EQ(Reconcile(illegal, illegal).rule, Rule::kR4);
  EXPECT_EQ(Reconcile(legal, illegal).rule, Rule::kDisagree);
  EXPECT_EQ(Reconcile(illegal, legal).rule, Rule::kDisagree);
  EXPECT_EQ(Reconcile(legal, unbuffered).rule, Rule::kDisagree);
  EXPECT_EQ(Reconcile(undecided, illegal).rule, Rule::kR4);
  EXPECT_EQ(Reconcile(illegal, undecided).rule, Rule::kR4);
  EXPECT_TRUE(Reconcile(undecided, legal).ok);
  EXPECT_FALSE(Reconcile(undecided, legal).undecided);
  EXPECT_TRUE(Reconcile(undecided, undecided).undecided);
}

TEST(Judge, WitnessIsSmallAndExplained) {
  HistoryBuilder b(3);
  uint64_t word = 0;
  uint64_t time = 10;
  for (int i = 0; i < 9; ++i, time += 10) {  // other operations on the same key
    b.Rmw(i % 3, kX, 100 + i, word, time, time + 5);
    word = RmwWord(word, 100 + i);
    b.Put(i % 3, kY, 1000 + i, time + 6, time + 7);
  }
  const uint32_t one = b.Rmw(0, kX, 1, word, time, time + 5);
  const uint32_t two = b.Rmw(1, kX, 2, word, time + 1, time + 6);
  Judge judge;
  const Verdict verdict = judge.Check(b.history);
  EXPECT_EQ(verdict.rule, Rule::kR2);
  EXPECT_LE(verdict.witness.size(), 4u);
  EXPECT_NE(verdict.what.find("one update is lost"), std::string::npos) << verdict.what;
  for (uint32_t op : {one, two})
    EXPECT_NE(std::find(verdict.witness.begin(), verdict.witness.end(), op), verdict.witness.end());
  const std::string text = Explain(b.history, verdict);
  EXPECT_NE(text.find("R2: key 10"), std::string::npos) << text;
  EXPECT_NE(text.find("> #" + std::to_string(one)), std::string::npos) << text;
  EXPECT_NE(text.find("absent s0.1 s1.1 s2.1\n"), std::string::npos)
      << text;  // words as sequences of updates
}

// 24 RMWs without an answer can be put into order in more ways than anybody can try: a word that none of them
// leads to has to be given up, and one that two of them lead to still be found.
TEST(Judge, ExplainsWordsOfUnansweredUpdates) {
  HistoryBuilder b(3);
  const uint32_t put = b.Put(0, kX, 7, 1, 2);
  for (uint64_t i = 0; i < 24; ++i) b.history.operations[b.Rmw(1, kX, 100 + i, 7, 10 + i, kNever)].result = 0;
  const uint64_t left = RmwWord(RmwWord(7, 103), 120);
  b.Get(2, kX, left, 100, 101);
  b.Get(2, kX, 0x1234567, 102, 103);
  Verdict verdict;
  verdict.ok = false;
  verdict.rule = Rule::kR2;
  verdict.has_key = true;
  verdict.key = kX;
  verdict.witness = {put, 25};
  const std::string text = Explain(b.history, verdict);
  EXPECT_NE(text.find("= s0.1 s1.4 s1.21\n"), std::string::npos) << text;
  EXPECT_NE(text.find("0000000001234567, from nobody who answered\n"), std::string::npos) << text;
}

TEST(Words, UndoIsTheInverse) {
  uint64_t word = 12345;
  for (uint64_t operand = 0; operand < 10'000; ++operand) {
    const uint64_t next = RmwWord(word, operand * 77);
    ASSERT_EQ(UndoRmwWord(next, operand * 77), word);
    word = next;
  }
}

}  // namespace
