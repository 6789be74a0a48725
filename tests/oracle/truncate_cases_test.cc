// Conditional inserts and truncations as both checkers see them.
#include "tests/oracle/expect.h"

namespace {

using namespace faults_test;

TEST(Inserts, WriteOnlyWhatIsAbsent) {
  HistoryBuilder b(1);
  b.Insert(0, kX, kA, 0, 10, 20);
  b.Insert(0, kX, kB, kA, 30, 40);  // refused
  b.End({{kX, kA}});
  Accept(b);
  HistoryBuilder over(1);
  over.Put(0, kX, kA, 10, 20);
  over.Insert(0, kX, kB, 0, 30, 40);
  over.End({{kX, kB}});
  Expect(over.history, Rule::kR2);
  HistoryBuilder twice(2);  // at the same time, and both said that they wrote
  twice.Insert(0, kX, kA, 0, 10, 30);
  twice.Insert(1, kX, kB, 0, 10, 30);
  twice.End({{kX, kB}});
  Expect(twice.history, Rule::kR2);
}

TEST(Inserts, AreRefusedOnlyByWhatIsThere) {
  HistoryBuilder b(1);
  b.Put(0, kX, kA, 10, 20);
  b.Put(0, kX, kB, 30, 40);
  b.Insert(0, kX, kC, kA, 50, 60);  // that was overwritten
  b.End({{kX, kB}});
  Expect(b.history, Rule::kR2);
}

TEST(Inserts, WriteAgainAfterADelete) {
  HistoryBuilder b(2);
  b.Insert(0, kX, kA, 0, 10, 20);
  b.Delete(1, kX, 30, 40);
  b.Insert(0, kX, kB, 0, 50, 60);
  b.End({{kX, kB}});
  Accept(b);
  HistoryBuilder early(2);
  early.Insert(0, kX, kA, 0, 10, 20);
  early.Insert(0, kX, kB, 0, 22, 25);
  early.Delete(1, kX, 30, 40);
  early.End({});
  Expect(early.history, Rule::kR2);
}

TEST(Inserts, WithoutAResponseMayHaveBeenRefusedThoughCommitted) {
  HistoryBuilder b(2);
  b.Put(0, kX, kA, 5, 6);
  b.Insert(1, kX, kB, 0, 10, kNever);
  const Token k = b.Checkpoint(20, 50, {1, 1});
  b.Recover(60, k, {1, 1}, {{kX, kA}});
  Accept(b);
  HistoryBuilder wrote(2);
  wrote.Put(0, kX, kA, 5, 6);
  wrote.Insert(1, kX, kB, 0, 10, kNever);
  const Token w = wrote.Checkpoint(20, 50, {1, 1});
  wrote.Recover(60, w, {1, 1}, {{kX, kB}});  // over what was there
  Expect(wrote.history, Rule::kR4);
}

TEST(Truncations, MayRemoveWhatIsOlderThanTheirMark) {
  HistoryBuilder b(2);
  b.Put(0, kX, kA, 10, 20);
  b.Put(0, kY, kB, 21, 22);
  b.Truncate(1, 30, 40, 50);
  b.Get(0, kX, 0, 60, 70);
  b.Insert(0, kX, kC, 0, 71, 72);
  b.Get(1, kY, kB, 60, 70);  // it was above
  b.End({{kX, kC}, {kY, kB}});
  Accept(b);
}

TEST(Truncations, RemoveNothingThatIsNewerThanTheirMark) {
  HistoryBuilder b(2);
  b.Put(0, kX, kA, 10, 20);
  b.Put(0, kX, kB, 32, 35);
  b.Truncate(1, 30, 40, 50);
  b.Get(0, kX, 0, 60, 70);
  b.End({});
  Expect(b.history, Rule::kR2);
  HistoryBuilder rmw(2);  // an RMW that began afterwards may start from nothing
  rmw.Put(0, kX, kA, 10, 20);
  rmw.Truncate(1, 30, 40, 50);
  rmw.Rmw(0, kX, 5, 0, 45, 60);
  rmw.End({{kX, RmwWord(0, 5)}});
  Accept(rmw);
}

TEST(Truncations, HappenWhileTheyRunAndOnce) {
  HistoryBuilder late(2);
  late.Put(0, kX, kA, 10, 20);
  late.Truncate(1, 30, 40, 50);
  late.Get(0, kX, kA, 60, 70);
  late.Get(0, kX, 0, 80, 90);  // later than its response
  late.End({});
  Expect(late.history, Rule::kR2);
  HistoryBuilder back(2);
  back.Put(0, kX, kA, 10, 20);
  back.Truncate(1, 30, 40, 50);
  back.Get(0, kX, 0, 60, 70);
  back.Get(0, kX, kA, 80, 90);  // it comes back
  back.End({{kX, kA}});
  Expect(back.history, Rule::kR2);
  HistoryBuilder early(2);
  early.Put(0, kX, kA, 10, 20);
  early.Get(0, kX, 0, 25, 28);  // earlier than its call
  early.Truncate(1, 30, 40, 50);
  early.End({});
  Expect(early.history, Rule::kR2);
}

TEST(Truncations, AreInACheckpointOrNot) {
  HistoryBuilder lost(2);  // truncated in v+1, and a read of v saw it
  lost.Put(0, kX, kA, 10, 20);
  const Token k = lost.Checkpoint(22, 80, {2, 0});
  lost.Truncate(1, 30, 40, 50);
  lost.Get(0, kX, 0, 60, 70);
  lost.Recover(90, k, {2, 0}, {{kX, kA}});
  Expect(lost.history, Rule::kR3);
  HistoryBuilder held(2);
  held.Put(0, kX, kA, 10, 20);
  held.Truncate(1, 30, 40, 50);
  held.Get(0, kX, 0, 60, 70);
  const Token h = held.Checkpoint(75, 80, {2, 1});
  held.Recover(90, h, {2, 1}, {{kX, kA}});  // the checkpoint has the truncation, and what it removed
  Expect(held.history, Rule::kR4);
  HistoryBuilder gone(2);
  gone.Put(0, kX, kA, 10, 20);
  const Token g = gone.Checkpoint(22, 80, {1, 0});
  gone.Truncate(1, 30, 40, 50);
  gone.Get(0, kX, 0, 60, 70);
  gone.Recover(90, g, {1, 0}, {});  // the checkpoint does not have the truncation, but what it did
  Expect(gone.history, Rule::kR4);
  HistoryBuilder good(2);
  good.Put(0, kX, kA, 10, 20);
  const Token o = good.Checkpoint(22, 80, {1, 0});
  good.Truncate(1, 30, 40, 50);
  good.Get(0, kX, 0, 60, 70);
  good.Recover(90, o, {1, 0}, {{kX, kA}});
  good.Get(0, kX, kA, 100, 110);
  good.End({{kX, kA}});
  Accept(good);
}

}  // namespace
