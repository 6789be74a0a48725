// The cases that DESIGN 7 lists for a checker of CPR recoveries. Both checkers must say the same.
#include "tests/oracle/expect.h"

namespace {

using namespace faults_test;

// ---- cases of DESIGN 7 ----

// An RMW n=1 goes pending, put n=2 of the same session on the key completes, the RMW is retried on the newer
// record: order 2, 1.
TEST(Cases, PendingRmwIsOvertakenByItsSession) {
  HistoryBuilder b(1);
  b.Rmw(0, kX, 5, kA, 10, 40);
  b.history.operations[0].went_pending = true;
  b.Put(0, kX, kA, 20, 30);
  b.End({{kX, RmwWord(kA, 5)}});
  Accept(b);
}

// A v+1 delete of an absent key answers not found, then a v thread inserts the key: the delete is no update.
TEST(Cases, LostDeleteOfNothingThenCommittedInsert) {
  HistoryBuilder b(2);
  b.Delete(0, kX, 20, 30, /*found=*/false);
  b.Put(1, kX, kA, 25, 40);
  const Token k = b.Checkpoint(10, 50, {0, 1});
  b.Recover(60, k, {0, 1}, {{kX, kA}});
  Accept(b);
  HistoryBuilder tombstone(2);  // had it written a tombstone, it would be an update outside C before one in C
  tombstone.Delete(0, kX, 20, 30);
  tombstone.Get(0, kX, 0, 31, 32);
  tombstone.Put(1, kX, kA, 33, 40);
  const Token t = tombstone.Checkpoint(10, 50, {0, 1});
  tombstone.Recover(60, t, {0, 1}, {{kX, kA}});
  Expect(tombstone.history, Rule::kR3);
}

// With coarse refresh: T1's put(x) is of v+1 and ends before T2's put(y) of v begins.
HistoryBuilder CoarseRefresh() {
  HistoryBuilder b(2);
  const Token k = b.Checkpoint(10, 50, {0, 1});
  b.Put(0, kX, kA, 20, 25);
  b.Put(1, kY, kB, 30, 35);
  b.Recover(60, k, {0, 1}, {{kY, kB}});
  return b;
}
TEST(Cases, CoarseRefreshBreaksOnlyR6) {
  HistoryBuilder b = CoarseRefresh();
  b.history.refresh_every_operation = false;
  Accept(b);
  Judge judge;
  const Verdict verdict = judge.Check(b.history);
  EXPECT_FALSE(verdict.buffered);
  EXPECT_EQ(verdict.buffered_witness, (std::vector<uint32_t>{0, 1}));
  Expect(CoarseRefresh().history, Rule::kR6);
}

// A lost read that saw nothing overlaps a committed insert: only updates form R6's prefix.
TEST(Cases, LostReadBeforeCommittedInsert) {
  HistoryBuilder b(2);
  const Token k = b.Checkpoint(10, 50, {0, 1});
  b.Get(0, kX, 0, 20, 30);
  b.Put(1, kX, kA, 22, 40);
  b.Recover(60, k, {0, 1}, {{kX, kA}});
  Accept(b);
}

// T2 in PREPARE reads x=1 written as v+1 by T1, and the read is in C: CPR_SHIFT is missing.
TEST(Cases, CommittedReadOfALostWrite) {
  HistoryBuilder b(2);
  const Token k = b.Checkpoint(10, 50, {0, 1});
  b.Put(0, kX, kA, 20, 30);
  b.Get(1, kX, kA, 25, 40);
  b.Recover(60, k, {0, 1}, {});
  Expect(b.history, Rule::kR3);
  HistoryBuilder near(2);  // the read is lost too
  const Token t = near.Checkpoint(10, 50, {0, 0});
  near.Put(0, kX, kA, 20, 30);
  near.Get(1, kX, kA, 25, 40);
  near.Recover(60, t, {0, 0}, {});
  Accept(near);
}

TEST(Cases, RecoveryThatAlwaysRefuses) {
  HistoryBuilder b(1);
  b.Put(0, kX, kA, 10, 20);
  b.Recover(60, Token{}, {}, {}).status = Status::kCorruption;
  Expect(b.history, Rule::kR0);
  b.history.faults_survivable = false;
  Accept(b);
}

TEST(Cases, CheckpointsThatAlwaysFail) {
  HistoryBuilder b(1);
  b.Put(0, kX, kA, 10, 20);
  b.Checkpoint(30, 40, {}, Status::kIoError);
  Expect(b.history, Rule::kR0);
  b.history.faults_injected = true;
  Accept(b);
}

TEST(Cases, CommitPointsStuckAtZero) {
  HistoryBuilder b(1);
  b.Put(0, kX, kA, 10, 20);
  const Token k = b.Checkpoint(30, 40, {0});
  b.Recover(60, k, {0}, {});
  Expect(b.history, Rule::kR1);
}

// C's updates applied to the previous checkpoint and again to what the last recovery handed out.
HistoryBuilder DoubleApplication(uint64_t word) {
  HistoryBuilder b(1);
  b.Rmw(0, kX, 1, 0, 10, 20);
  const uint64_t one = RmwWord(0, 1);
  const Token k = b.Checkpoint(30, 40, {1});
  b.Recover(50, k, {1}, {{kX, one}});
  b.Rmw(0, kX, 2, one, 60, 70);
  const Token l = b.Checkpoint(80, 90, {2});
  b.Recover(100, l, {2}, {{kX, word}});
  return b;
}
TEST(Cases, UpdatesOfACheckpointAppliedTwice) {
  const uint64_t two = RmwWord(RmwWord(0, 1), 2);
  Accept(DoubleApplication(two));
  Expect(DoubleApplication(RmwWord(two, 2)).history, Rule::kR4);
  Expect(DoubleApplication(RmwWord(RmwWord(RmwWord(RmwWord(0, 1), 1), 1), 2)).history, Rule::kR4);
}

}  // namespace
