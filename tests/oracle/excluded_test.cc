// Excluded serials (the relaxed guarantee): right and wrong histories for R1, R4 and R5. Both checkers must
// say the same.
#include "tests/oracle/expect.h"

namespace {

using namespace faults_test;
using Serials = std::vector<uint64_t>;

// Serial 1 puts X, serial 2 is an RMW of X that is pending when the checkpoint is requested and ends at 60,
// serial 3 puts Y after the request. Commit point 3, without serial 2.
struct Pending {
  HistoryBuilder b{1};
  Token k;

  explicit Pending(Serials excluded = {2}, bool applied = false) {
    b.history.relaxed = true;
    b.Put(0, kX, kA, 10, 20);
    b.Rmw(0, kX, 1, kA, 25, 60);
    k = b.Checkpoint(30, 70, {3});
    b.Put(0, kY, kB, 32, 40);
    Recovery& recovery = b.Recover(90, k, {3}, {{kX, applied ? RmwWord(kA, 1) : kA}, {kY, kB}});
    recovery.commits[0].excluded = b.history.checkpoints[0].reported[0].excluded = excluded;
  }
  SessionReport& Continue(uint64_t time, Serials told) {
    b.Told(0, k, 3, time);
    b.history.reports.back().called = time - 1;
    b.history.reports.back().excluded = told;
    return b.history.reports.back();
  }
};

TEST(Excluded, PendingAtTheCutIsNotInTheState) {
  Accept(Pending().b);
  Expect(Pending({2}, true).b.history, Rule::kR4);  // it is excluded and there all the same
  Expect(Pending(Serials{}).b.history, Rule::kR4);         // it is not excluded and not there
  Accept(Pending(Serials{}, true).b);
}

TEST(Excluded, WithoutAResponseItMayHaveHappenedOrNot) {
  Pending unheard;
  unheard.b.history.operations[1].responded = kNever;
  unheard.b.history.operations[1].outcome = OpOutcome::kUnknown;
  unheard.b.history.operations[1].result = 0;
  Accept(unheard.b);
}

TEST(Excluded, OnlyWithTheRelaxedGuarantee) {
  Pending strict;
  strict.b.history.relaxed = false;
  Expect(strict.b.history, Rule::kR1);
}

// With the strict guarantee, what ended with an error; or may have: a fault was injected, and nobody heard.
TEST(Excluded, StrictWhatEndedWithAnError) {
  const auto expected = [](OpOutcome outcome, bool faults) {
    if (outcome == OpOutcome::kError) return true;
    return outcome == OpOutcome::kUnknown && faults;
  };
  for (const OpOutcome outcome :
       {OpOutcome::kOk, OpOutcome::kFail, OpOutcome::kUnknown, OpOutcome::kError}) {
    for (const bool faults : {false, true}) {
      Pending strict;
      strict.b.history.relaxed = false;
      strict.b.history.faults_injected = faults;
      Operation& rmw = strict.b.history.operations[1];
      rmw.outcome = outcome;
      if (outcome != OpOutcome::kOk) rmw.result = 0;
      if (outcome == OpOutcome::kUnknown) rmw.responded = kNever;
      Expect(strict.b.history, expected(outcome, faults) ? Rule::kNone : Rule::kR1);
    }
  }
}

// Whatever its type: not excluded, and not in the state.
TEST(Excluded, AnErrorIsNoEffectAndSaysNothing) {
  for (const OpType type : {OpType::kRead, OpType::kUpsert, OpType::kRmw, OpType::kDelete, OpType::kInsert}) {
    for (const bool effect : {false, true}) {
      HistoryBuilder b(1);
      b.history.faults_injected = true;
      b.Put(0, kX, kA, 10, 20);
      b.Rmw(0, kX, 1, kA, 25, 29);
      Operation& failed = b.history.operations[1];
      failed.type = type;
      failed.operand = type == OpType::kUpsert || type == OpType::kInsert ? kB : 1;
      failed.outcome = OpOutcome::kError;
      failed.result = 0;
      const Token token = b.Checkpoint(30, 70, {2});
      std::vector<std::pair<uint64_t, uint64_t>> state = {{kX, kA}};
      if (effect && type == OpType::kDelete) state.clear();
      if (effect && type == OpType::kRmw) state = {{kX, RmwWord(kA, 1)}};
      if (effect && failed.operand == kB) state = {{kX, kB}};
      const bool wrong = effect && type != OpType::kRead;
      b.Recover(90, token, {2}, state);
      Expect(b.history, wrong ? Rule::kR4 : Rule::kNone);
    }
  }
}

TEST(Excluded, NotWhatHadEndedBeforeTheRequest) {
  Pending ended;
  ended.b.history.operations[1].responded = 29;
  Expect(ended.b.history, Rule::kR1);
  Expect(Pending({1}).b.history, Rule::kR1);
}

TEST(Excluded, AscendingAndWithinTheCommitPoint) {
  Expect(Pending({2, 4}).b.history, Rule::kR1);
  Expect(Pending({0, 2}).b.history, Rule::kR1);
  Expect(Pending({3, 2}).b.history, Rule::kR1);
  Expect(Pending({2, 2}).b.history, Rule::kR1);
}

TEST(Excluded, EverybodyIsToldTheSame) {
  Pending recovered;
  recovered.b.history.recoveries[0].commits[0].excluded = {};
  Expect(recovered.b.history, Rule::kR1);
  for (const Serials& told : {Serials{2}, Serials{}, Serials{3}}) {
    Pending session;
    session.b.history.reports.push_back(SessionReport{0, 0, session.k, 3, 80, told, 0});
    Expect(session.b.history, told == Serials{2} ? Rule::kNone : Rule::kR1);
  }
}

// A later checkpoint may hold what the earlier one excluded, and must hold what it held.
TEST(Excluded, OnlyGetsLess) {
  for (const bool grows : {false, true}) {
    HistoryBuilder b(1);
    b.history.relaxed = true;
    b.Put(0, kX, kA, 10, 20);
    b.Rmw(0, kX, 1, kA, 25, kNever);
    b.Checkpoint(30, 40, {2});
    const Token second = b.Checkpoint(50, 60, {2});
    b.history.checkpoints[grows ? 1 : 0].reported[0].excluded = {2};
    Recovery& recovery = b.Recover(90, second, {2}, {{kX, grows ? kA : RmwWord(kA, 1)}});
    if (grows) recovery.commits[0].excluded = {2};
    Expect(b.history, grows ? Rule::kR1 : Rule::kNone);
  }
}

TEST(Excluded, AContinuedSessionIsToldOnceAndReplaysOnce) {
  for (const Serials& told : {Serials{2}, Serials{}, Serials{1, 2}}) {
    Pending p;
    p.Continue(95, told);
    Expect(p.b.history, told == Serials{2} ? Rule::kNone : Rule::kR1);
  }
  for (const int replays : {1, 2}) {  // the final state has both, but the client issued it once
    Pending p;
    p.Continue(95, {2});
    const uint64_t once = RmwWord(kA, 1);
    p.b.Rmw(0, kX, 1, kA, 100, 110);
    p.b.End({{kX, replays == 1 ? once : RmwWord(once, 1)}, {kY, kB}});
    Expect(p.b.history, replays == 1 ? Rule::kNone : Rule::kR5);
  }
  Pending again;  // closed and continued: nothing is excluded any more
  again.Continue(95, {2});
  again.b.Get(0, kX, kA, 100, 110);
  SessionReport& second = again.Continue(120, {});
  second.serial = 4;
  Accept(again.b);
  again.b.history.reports.back().excluded = {2};
  Expect(again.b.history, Rule::kR1);
}

// While nobody continues the session, every later checkpoint says the same of it.
TEST(Excluded, StaysWithAnUnclaimedSession) {
  for (const Serials& carried : {Serials{2}, Serials{}, Serials{1, 2}}) {
    Pending p;
    const Token later = p.b.Checkpoint(100, 110, {3});
    p.b.history.checkpoints[1].reported[0].excluded = carried;
    p.b.Recover(120, later, {3}, {{kX, kA}, {kY, kB}}).commits[0].excluded = carried;
    Expect(p.b.history, carried == Serials{2} ? Rule::kNone : Rule::kR1);
  }
}

TEST(Excluded, IsTheClientsBusinessOnceItWasTold) {
  for (const Serials& carried : {Serials{2}, Serials{}}) {
    Pending p;
    p.Continue(95, {2});
    const Token later = p.b.Checkpoint(100, 110, {3});
    p.b.history.checkpoints[1].reported[0].excluded = carried;
    p.b.Recover(120, later, {3}, {{kX, kA}, {kY, kB}}).commits[0].excluded = carried;
    Expect(p.b.history, carried.empty() ? Rule::kNone : Rule::kR1);
    p.b.history.reports.back().time = kNever;  // ContinueSession had not returned: either will do
    Accept(p.b);
  }
}

}  // namespace
