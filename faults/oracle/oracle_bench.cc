// Cost of the checkers. Default-scenario history: 3 sessions, 24 operations on 8 keys, one recovery in the
// middle. Long history: 3 sessions, one recovery half way, items per second are operations.
#include <benchmark/benchmark.h>

#include <random>

#include "faults/oracle/judge.h"
#include "faults/oracle/reference_model.h"

namespace {

using namespace faults;

// Overlapping operations of `sessions` sessions, half of them before the checkpoint and the crash. A third of
// the sessions' last operations before the crash is lost.
History MakeHistory(uint32_t sessions, uint32_t operations, uint64_t keys, bool deletes) {
  std::mt19937_64 random(7);
  History history;
  std::vector<uint64_t> serial(sessions, 0);
  ReferenceModel model;
  uint64_t time = 10;
  for (uint32_t s = 0; s < sessions; ++s) {
    history.sessions.push_back(faster::Guid{1, s + 1});
    history.session_opened.push_back(s + 1);
  }
  auto round = [&](uint32_t incarnation) {  // one operation of every session, all at the same time
    for (uint32_t s = 0; s < sessions; ++s) {
      Operation op;
      op.session = s;
      op.incarnation = incarnation;
      op.serial = ++serial[s];
      op.key = random() % keys;
      const uint64_t pick = random() % 100;
      op.type = pick < 30               ? OpType::kRead
                : pick < 55             ? OpType::kUpsert
                : pick < 90 || !deletes ? OpType::kRmw
                                        : OpType::kDelete;
      op.operand = random() | 1;
      op.invoked = time + s;
      op.responded = time + sessions + s;
      model.Apply(&op);
      history.operations.push_back(op);
    }
    time += 2 * sessions;
  };
  const uint32_t rounds = operations / sessions;
  for (uint32_t r = 0; r < rounds / 2; ++r) round(0);
  CheckpointEvent checkpoint;
  checkpoint.token = faster::Guid{2, 1};
  checkpoint.requested = time++;
  for (uint32_t s = 0; s < sessions; ++s) checkpoint.reported.push_back({history.sessions[s], serial[s]});
  const ReferenceModel::State state = model.Snapshot();
  const std::vector<uint64_t> committed = serial;
  for (uint32_t r = 0; r < rounds / 6; ++r) round(0);
  checkpoint.callback = time++;
  checkpoint.status = faster::Status::kOk;
  history.checkpoints.push_back(checkpoint);
  Recovery recovery;
  recovery.log_token = checkpoint.token;
  recovery.commits = checkpoint.reported;
  recovery.state = recovery.scanned = state;
  recovery.has_scan = true;
  recovery.time = time++;
  history.recoveries.push_back(recovery);
  model = ReferenceModel(state);
  serial = committed;
  while (history.operations.size() + sessions <= operations) round(1);
  history.quiesced = true;
  history.final_state = model.Snapshot();
  return history;
}

template <class Checker>
void CheckSmall(benchmark::State& state) {
  const History history = MakeHistory(3, 24, 8, state.range(0) != 0);
  Checker checker;
  if (!checker.Check(history).ok) state.SkipWithError("a legal history was refused");
  for (auto _ : state) benchmark::DoNotOptimize(checker.Check(history).ok);
}
BENCHMARK_TEMPLATE(CheckSmall, LinearChecker)->Arg(0)->Arg(1)->ArgName("deletes");
BENCHMARK_TEMPLATE(CheckSmall, SearchChecker)->Arg(0)->Arg(1)->ArgName("deletes");
BENCHMARK_TEMPLATE(CheckSmall, Judge)->Arg(0)->Arg(1)->ArgName("deletes");

void LinearLong(benchmark::State& state) {
  const uint32_t operations = static_cast<uint32_t>(state.range(0));
  const History history =
      MakeHistory(3, operations, static_cast<uint64_t>(state.range(1)), state.range(2) != 0);
  LinearChecker checker;
  if (!checker.Check(history).ok) state.SkipWithError("a legal history was refused");
  for (auto _ : state) benchmark::DoNotOptimize(checker.Check(history).ok);
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(history.operations.size()));
}
BENCHMARK(LinearLong)
    ->Args({999'999, 8, 0})
    ->Args({999'999, 100'000, 0})
    ->Args({999'999, 8, 1})
    ->Args({999'999, 100'000, 1})
    ->ArgNames({"operations", "keys", "deletes"})
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
