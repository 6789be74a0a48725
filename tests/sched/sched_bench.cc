// Cost of the scheduler: steps, switches, whole executions.
#include <benchmark/benchmark.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

#include "faults/sched/policy.h"
#include "faults/sched/scheduler.h"
#include "tests/sched/bench_subject.h"

namespace {

using faults::RunResult;
using faults::Scheduler;

const BenchTable* Table() {
  static const BenchTable* table = [] {
    void* library = dlopen(SCHED_BENCH_SUBJECT, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      std::fprintf(stderr, "%s\n", dlerror());
      std::exit(2);
    }
    return reinterpret_cast<const BenchTable* (*)()>(dlsym(library, "sched_bench_table"))();
  }();
  return table;
}

Scheduler* Sched() {
  static Scheduler* scheduler = Scheduler::Create(8, 64 << 10);
  return scheduler;
}

RunResult Execute(faults::Policy* policy, uint64_t seed, void (*body)(void*), int fibers, bool plain = true) {
  static BenchData* data;
  Scheduler::Options options;
  options.policy = policy;
  options.plain_points = plain;
  options.step_limit = 100'000'000;
  options.arena_bytes = 1 << 20;
  Sched()->Begin(options, seed);
  Sched()->Spawn([](void*) { data = Table()->make(); }, nullptr, "setup");
  Sched()->Run();
  for (int i = 0; i < fibers; ++i) Sched()->Spawn(body, data, "bench");
  return Sched()->Run();
}

void Report(benchmark::State& state, uint64_t steps, uint64_t switches) {
  state.counters["steps/s"] = benchmark::Counter(static_cast<double>(steps), benchmark::Counter::kIsRate);
  state.counters["step"] = benchmark::Counter(static_cast<double>(steps),
                                              benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["switch/step"] = static_cast<double>(switches) / static_cast<double>(steps);
}

void Walk(benchmark::State& state, void (*body)(void*)) {
  faults::RandomWalk policy(1.0 / static_cast<double>(state.range(0)));
  uint64_t steps = 0, switches = 0, seed = 0;
  for (auto _ : state) {
    const RunResult result = Execute(&policy, ++seed, body, 3);
    steps += result.steps;
    switches += result.switches;
  }
  Report(state, steps, switches);
}

void BM_AtomicLoads(benchmark::State& state) { Walk(state, Table()->loads); }
void BM_AtomicAdds(benchmark::State& state) { Walk(state, Table()->adds); }
void BM_SharedPlain(benchmark::State& state) { Walk(state, Table()->shared_plain); }
BENCHMARK(BM_AtomicLoads)->Arg(2)->Arg(10)->Arg(100)->Arg(333)->Arg(1000000000);
BENCHMARK(BM_AtomicAdds)->Arg(2)->Arg(10)->Arg(100)->Arg(333);
BENCHMARK(BM_SharedPlain)->Arg(10)->Arg(100)->Arg(333);

// Plain accesses to memory of one fiber: no step, but a hook.
void BM_PrivatePlain(benchmark::State& state) {
  faults::RandomWalk policy(0.01);
  uint64_t accesses = 0;
  for (auto _ : state) accesses += Execute(&policy, 1, Table()->private_plain, 3).plain_accesses;
  state.counters["access"] = benchmark::Counter(static_cast<double>(accesses),
                                                benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_PrivatePlain);

// A switch at every step, picked without a random number.
void BM_Switch(benchmark::State& state) {
  faults::RoundRobin policy(1);
  uint64_t steps = 0, switches = 0;
  for (auto _ : state) {
    const RunResult result = Execute(&policy, 1, Table()->adds, 3);
    steps += result.steps;
    switches += result.switches;
  }
  Report(state, steps, switches);
}
BENCHMARK(BM_Switch);

// Begin, three fibers that do nothing, Run.
void BM_EmptyExecution(benchmark::State& state) {
  faults::RandomWalk policy(0.1);
  Scheduler::Options options;
  options.policy = &policy;
  for (auto _ : state) {
    Sched()->Begin(options, 1);
    for (int i = 0; i < 3; ++i) Sched()->Spawn([](void*) {}, nullptr, "nothing");
    benchmark::DoNotOptimize(Sched()->Run());
  }
}
BENCHMARK(BM_EmptyExecution);

void BM_Clear4KiB(benchmark::State& state) {
  faults::RandomWalk policy(0.01);
  for (auto _ : state) Execute(&policy, 1, Table()->clears, 1);
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * 1000);
}
BENCHMARK(BM_Clear4KiB);

void BM_Allocate(benchmark::State& state) {
  faults::RandomWalk policy(0.01);
  for (auto _ : state) Execute(&policy, 1, Table()->allocates, 1);
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * 1000);
}
BENCHMARK(BM_Allocate);

}  // namespace

BENCHMARK_MAIN();
