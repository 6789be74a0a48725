// What the scheduler must notice: deadlock, livelock, bad memory accesses, faults; and what its points must
// reach.
#include <malloc.h>

#include <cstdio>
#include <cstring>

#include "faults/sched/heap.h"
#include "tests/sched/sched_fixture.h"

namespace sched_test {
namespace {

bool Explains(const char* text) { return std::strstr(Sched()->explanation(), text) != nullptr; }

// How often each outcome and a bad result occurred among `runs` executions.
struct Counts {
  int finished = 0, deadlock = 0, livelock = 0, failed = 0, other = 0, bad = 0;
};

Counts Hunt(faults::Policy* policy, bool plain_points, int runs, const std::vector<Body>& bodies) {
  Runner runner(policy);
  runner.options.plain_points = plain_points;
  Counts counts;
  for (int seed = 1; seed <= runs; ++seed) {
    const auto e = runner.Run(static_cast<uint64_t>(seed), bodies);
    switch (e.result.outcome) {
      case Outcome::kFinished:
        ++counts.finished;
        break;
      case Outcome::kDeadlock:
        ++counts.deadlock;
        break;
      case Outcome::kLivelock:
        ++counts.livelock;
        break;
      case Outcome::kFailed:
        ++counts.failed;
        break;
      default:
        ++counts.other;
    }
    counts.bad += e.bad != 0;
  }
  return counts;
}

TEST(Verdict, DeadlockByLockOrderNamesFibersAndHolders) {
  faults::RandomWalk policy(0.3);
  Runner runner(&policy);
  int found = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const auto e = runner.Run(seed, {Table()->lock_ab, Table()->lock_ba});
    if (e.result.outcome == Outcome::kFinished) continue;
    ASSERT_EQ(e.result.outcome, Outcome::kDeadlock);
    ++found;
    EXPECT_TRUE(Explains("'fiber-0'") && Explains("'fiber-1'")) << Sched()->explanation();
    EXPECT_TRUE(Explains("waits for a mutex at heap+")) << Sched()->explanation();
    EXPECT_TRUE(Explains("held by 'fiber-0'") && Explains("held by 'fiber-1'")) << Sched()->explanation();
    EXPECT_TRUE(Explains("LockAb") && Explains("LockBa")) << Sched()->explanation();
  }
  EXPECT_GT(found, 10);
  EXPECT_LT(found, 190);
}

TEST(Verdict, WaitingForANotifyThatNeverComesIsADeadlockWhateverDaemonsDo) {
  faults::RandomWalk policy(0.1);
  Runner runner(&policy);
  runner.Begin(1);
  static char channel, work;
  Sched()->Spawn([](void*) { Scheduler::Current()->Wait(&work); }, nullptr, "device", true);
  const auto e = runner.Go({[](void*) { Scheduler::Current()->Wait(&channel); }});
  EXPECT_EQ(e.result.outcome, Outcome::kDeadlock);
  EXPECT_TRUE(Explains("fiber 1 'fiber-0': waits for a channel")) << Sched()->explanation();
  EXPECT_TRUE(Explains("fiber 0 'device' (daemon): waits for a channel")) << Sched()->explanation();
}

TEST(Verdict, SpinningForWhatNobodyWritesIsADeadlock) {
  faults::RandomWalk policy(0.1);
  Runner runner(&policy);
  const auto e = runner.Run(1, {Table()->spin_forever, Table()->spin_forever, Table()->fetch_adds});
  EXPECT_EQ(e.result.outcome, Outcome::kDeadlock);
  EXPECT_TRUE(Explains("yields until one of") && Explains("SpinForever")) << Sched()->explanation();
}

TEST(Verdict, KeepingEachOtherAwakeIsALivelock) {
  for (double p : {0.1, 0.003}) {
    faults::RandomWalk policy(p);
    Runner runner(&policy);
    const auto e = runner.Run(1, {Table()->ping, Table()->pong});
    EXPECT_EQ(e.result.outcome, Outcome::kLivelock) << Sched()->explanation();
    EXPECT_EQ(e.result.steps, runner.options.step_limit);
  }
}

TEST(Verdict, LongWorkIsAStepLimitNotALivelock) {
  faults::RandomWalk policy(0.1);
  Runner runner(&policy);
  EXPECT_EQ(runner.Run(1, {Table()->holds_lock_forever}).result.outcome, Outcome::kStepLimit);
}

TEST(Verdict, UseAfterFreeIsCaughtAtTheAccess) {
  faults::RandomWalk policy(0.3);
  Runner runner(&policy);
  int found = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const auto e = runner.Run(seed, {Table()->free_block, Table()->use_block});
    if (e.result.outcome == Outcome::kFinished) continue;
    ++found;
    ASSERT_EQ(e.result.outcome, Outcome::kFailed);
    EXPECT_TRUE(Explains("use after free: read at offset 16")) << Sched()->explanation();
    EXPECT_TRUE(Explains("(32 bytes), freed by fiber-0")) << Sched()->explanation();
    EXPECT_TRUE(Explains("UseBlock")) << Sched()->explanation();
  }
  EXPECT_GT(found, 3);
  EXPECT_LT(found, 297);
}

TEST(Verdict, OverflowDoubleFreeFaultsExceptionsAndAssertionsFailTheExecution) {
  faults::RandomWalk policy(0.1);
  Runner runner(&policy);
  const auto fails = [&](Body body, const char* text) {
    const auto e = runner.Run(1, {body});
    EXPECT_EQ(e.result.outcome, Outcome::kFailed);
    EXPECT_TRUE(Explains(text)) << Sched()->explanation();
  };
  fails(Table()->overflow, "heap overflow: write in the red zone of allocation");
  fails(Table()->wild, "never allocated");
  fails(
      [](void* p) {
        Table()->free_block(p);
        Table()->free_block(p);
      },
      "double free");
  fails(Table()->faults, "segmentation fault at address 0x0");
  EXPECT_TRUE(Explains("Faults")) << Sched()->explanation();
  fails(Table()->throws, "uncaught exception: thrown by the subject");
  fails(Table()->asserts, "assertion 'counter > 0' failed");
  fails([](void*) { std::abort(); }, "abort() called");
  fails(
      [](void*) {
        volatile char here = 0;
        for (volatile char* p = &here;; p -= 1024) *p = 1;  // as a recursion without end would
      },
      "stack overflow");
  EXPECT_EQ(runner.Run(1, {Table()->fetch_adds}).counter, 10u);  // all is well after that
}

TEST(Verdict, YieldParksUntilTheWriteAndNoLonger) {
  for (double p : {0.5, 0.1, 0.003}) {
    faults::RandomWalk policy(p);
    Runner runner(&policy);
    for (uint64_t seed = 0; seed < 300; ++seed) {
      const std::vector<std::vector<Body>> cases = {
          {Table()->wait_flag, Table()->wait_flag, Table()->set_flag_acked},
          {Table()->wait_plain_flag, Table()->wait_plain_flag, Table()->set_flag_acked},
          {Table()->wait_own_flag, Table()->set_own_flag}};
      for (const std::vector<Body>& bodies : cases) {
        const auto e = runner.Run(seed, bodies);
        ASSERT_EQ(e.result.outcome, Outcome::kFinished) << Sched()->explanation();
        ASSERT_EQ(e.counter, 2u);
        ASSERT_EQ(e.result.idle_rounds, 0u);
        ASSERT_LT(e.result.yields, 12u);  // parked, not burned: a yielding loop would take hundreds
      }
    }
  }
}

TEST(Verdict, SpinningWithoutAYieldGivesWay) {
  faults::Pct pct(1);
  faults::RoundRobin never(~0ull >> 1);
  for (faults::Policy* policy : {static_cast<faults::Policy*>(&pct), static_cast<faults::Policy*>(&never)}) {
    const Counts counts = Hunt(policy, true, 20, {Table()->spins_without_yield, Table()->set_flag});
    EXPECT_EQ(counts.finished, 20);
  }
}

TEST(Points, ACopyOfSharedMemoryCanBeTorn) {
  faults::RandomWalk policy(0.1);
  const std::vector<Body> bodies = {Table()->copy_in, Table()->copy_in, Table()->copy_out};
  EXPECT_GT(Hunt(&policy, true, 1000, bodies).bad, 20);
  EXPECT_EQ(Hunt(&policy, false, 1000, bodies).bad, 0);
}

TEST(Points, ALostWakeupThroughAPlainFieldNeedsPlainPoints) {
  faults::RandomWalk policy(0.1);
  const std::vector<Body> bodies = {Table()->epoch_leave, Table()->epoch_wait};
  EXPECT_GT(Hunt(&policy, true, 1000, bodies).deadlock, 5);
  EXPECT_EQ(Hunt(&policy, false, 1000, bodies).deadlock, 0);
}

TEST(Points, PctFindsABugOfItsDepth) {
  const std::vector<Body> bodies = {Table()->depth_writer, Table()->depth_reader};
  faults::Pct shallow(3), deep(4);  // three preemptions are needed
  EXPECT_EQ(Hunt(&shallow, false, 1000, bodies).bad, 0);
  EXPECT_GT(Hunt(&deep, false, 1000, bodies).bad, 10);
  EXPECT_NEAR(static_cast<double>(deep.steps_estimate()), 160, 40);
}

TEST(Heap, MemoryMayCrossTheBorder) {
  faults::RandomWalk policy(0.1);
  Runner runner(&policy);
  static std::vector<char*> blocks;
  static char* kept;
  for (int i = 0; i < 50; ++i) blocks.push_back(new char[100]);
  runner.Begin(1);
  const auto e = runner.Go({[](void*) {
    for (char* block : blocks) delete[] block;  // from outside
    char* grown = static_cast<char*>(std::realloc(std::malloc(10), 1000));
    std::free(grown);
    for (char*& block : blocks) block = new char[100];
    faults::HostHeap host;
    kept = new char[20];
    std::strcpy(kept, "survives");
  }});
  EXPECT_EQ(e.result.outcome, Outcome::kFinished) << Sched()->explanation();
  for (char* block : blocks) delete[] block;  // from inside
  blocks.clear();
  for (int i = 0; i < 10; ++i) runner.Run(1, {Table()->work});
  EXPECT_STREQ(kept, "survives");
  delete[] kept;
}

void* volatile g_block;

TEST(Heap, AnArenaThatIsUsedUpFailsTheExecution) {
  faults::RandomWalk policy(0.1);
  Runner runner(&policy);
  runner.options.arena_bytes = 1 << 20;
  EXPECT_EQ(runner
                .Run(1, {[](void*) {
                       for (int i = 0; i < 10000; ++i) {  // freed memory is used again in need
                         g_block = std::malloc(1000);
                         std::free(g_block);
                       }
                     }})
                .result.outcome,
            Outcome::kFinished)
      << Sched()->explanation();
  EXPECT_EQ(runner
                .Run(1, {[](void*) {
                       for (int i = 0; i < 10000; ++i) g_block = std::malloc(1000);
                     }})
                .result.outcome,
            Outcome::kFailed);
  EXPECT_TRUE(Explains("raise arena_bytes")) << Sched()->explanation();
}

// Shadow words carry 16 bits of the execution's number: those of 65535 executions ago must not count.
TEST(Heap, GenerationsWrap) {
  faults::RandomWalk policy(0.1);
  Runner runner(&policy);
  runner.Run(1, {[](void*) {
               for (int i = 0; i < 1000; ++i) {
                 g_block = std::malloc(200);
                 std::free(g_block);
               }
             }});
  for (int i = 0; i < 65534; ++i) Sched()->Begin(runner.options, 1);
  for (int i = 0; i < 4; ++i) {
    const auto e = runner.Run(1, {Table()->libc_use});
    EXPECT_EQ(e.result.outcome, Outcome::kFinished) << Sched()->explanation();
  }
}

size_t ResidentKib() {
  FILE* file = std::fopen("/proc/self/statm", "r");
  size_t total = 0, resident = 0;
  if (std::fscanf(file, "%zu %zu", &total, &resident) != 2) resident = 0;
  std::fclose(file);
  return resident * 4;
}

TEST(Heap, MemoryStaysFlatOver100kExecutions) {
  faults::RandomWalk policy(0.1);
  Runner runner(&policy);
  const std::vector<Body> bodies = {Table()->work, Table()->thread_locals, Table()->lock_ab};
  const auto run = [&](uint64_t n) {
    for (uint64_t seed = 0; seed < n; ++seed) {
      runner.options.crash_step = seed % 3 == 0 ? 40 : ~0ull;
      const auto e = runner.Run(seed, bodies);
      ASSERT_NE(e.result.outcome, Outcome::kFailed) << seed << Sched()->explanation();
    }
  };
  run(1000);
  const size_t before = ResidentKib();
  const size_t heap_before = mallinfo2().uordblks;
  run(100000);
  EXPECT_LT(mallinfo2().uordblks, heap_before + (64 << 10));
  EXPECT_LT(ResidentKib(), before + 2048);
}

TEST(Scheduler, TwoInOneProcess) {
  Table();  // loaded before the first execution
  faults::Scheduler* second = faults::Scheduler::Create(4, 64 << 10);
  ASSERT_NE(second, nullptr);
  uint64_t hashes[2];
  int i = 0;
  for (faults::Scheduler* scheduler : {Sched(), second}) {
    faults::RandomWalk policy(0.2);
    Scheduler::Options options;
    options.policy = &policy;
    options.arena_bytes = 4 << 20;
    scheduler->Begin(options, 3);
    static SubjectState* state;
    scheduler->Spawn([](void*) { state = Table()->make(); }, nullptr, "setup");
    scheduler->Run();
    for (Body body : {Table()->work, Table()->work, Table()->use_block})
      scheduler->Spawn(body, state, "work");
    const RunResult result = scheduler->Run();
    EXPECT_EQ(result.outcome, Outcome::kFinished) << scheduler->explanation();
    hashes[i++] = result.hash;
  }
  EXPECT_EQ(hashes[0], hashes[1]);  // no address enters
  delete second;
}

}  // namespace
}  // namespace sched_test
