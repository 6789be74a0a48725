// The scheduler's basics: switches, replay, threads' own data, locks, time, crash and a second run.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>

#include "tests/sched/sched_fixture.h"

namespace sched_test {
namespace {

TEST(Sched, InstrumentationReachesTheHooks) {
  faults::RandomWalk policy(0.1);
  const char* why = nullptr;
  auto atomic = [](void*) { Table()->lost_update(Table()->make()); };
  EXPECT_TRUE(faults::InstrumentationActive(Sched(), atomic, nullptr, &why)) << why;
  EXPECT_FALSE(faults::InstrumentationActive(
      Sched(), [](void*) {}, nullptr, &why));
  EXPECT_NE(why, nullptr);
}

TEST(Sched, LostUpdateIsFoundByEveryPolicyOfThePortfolio) {
  faults::Portfolio portfolio(1);
  std::vector<int> lost(static_cast<size_t>(portfolio.size()));
  for (uint64_t i = 0; i < 4000; ++i) {
    const auto pick = portfolio.For(i);
    Runner runner(pick.policy);
    runner.options.plain_points = pick.plain_points;
    const auto e = runner.Run(pick.seed, {Table()->lost_update, Table()->lost_update, Table()->lost_update});
    ASSERT_EQ(e.result.outcome, Outcome::kFinished) << Sched()->explanation();
    lost[i % lost.size()] += e.counter != 9;
  }
  for (size_t i = 0; i < lost.size(); ++i) EXPECT_GT(lost[i], 0) << portfolio.For(i).name;
}

TEST(Sched, AtomicAddsAreNeverLost) {
  faults::RandomWalk policy(0.5);
  Runner runner(&policy);
  for (uint64_t seed = 0; seed < 500; ++seed) {
    ASSERT_EQ(runner.Run(seed, {Table()->fetch_adds, Table()->fetch_adds, Table()->fetch_adds}).counter, 30u);
  }
}

TEST(Sched, ReplayIsIdentical) {
  faults::Portfolio portfolio(7);
  std::vector<TapeEntry> tape(10000);
  std::set<uint64_t> hashes;
  for (uint64_t i = 0; i < 1000; ++i) {
    const auto pick = portfolio.For(i);
    Runner runner(pick.policy);
    runner.options.plain_points = pick.plain_points;
    runner.options.tape = tape.data();
    runner.options.tape_capacity = tape.size();
    const auto choices = [](void*) {
      for (uint32_t n = 2; n < 12; ++n) {  // several choices between two points
        if (Scheduler::Current()->Choose(faults::ChoiceKind::kIoFate, n) % 2 == 1)
          Scheduler::Current()->Yield();
      }
    };
    const std::vector<Body> bodies = {Table()->work, Table()->lost_update, Table()->thread_locals, choices};
    const auto first = runner.Run(pick.seed, bodies);
    ASSERT_EQ(first.result.outcome, Outcome::kFinished) << Sched()->explanation();
    hashes.insert(first.result.hash);
    faults::Replay replay(tape.data(), first.result.tape_entries);
    runner.options.policy = &replay;
    std::vector<TapeEntry> again(tape.size());
    runner.options.tape = again.data();
    const auto second = runner.Run(0, bodies);
    ASSERT_EQ(second.result.outcome, Outcome::kFinished) << Sched()->explanation();
    ASSERT_EQ(second.result.hash, first.result.hash) << pick.name << " " << i;
    ASSERT_EQ(second.result.steps, first.result.steps);
    ASSERT_EQ(second.result.tape_entries, first.result.tape_entries);
    ASSERT_EQ(std::memcmp(again.data(), tape.data(), first.result.tape_entries * sizeof(TapeEntry)), 0);
    ASSERT_EQ(replay.remaining(), 0u);
  }
  EXPECT_GT(hashes.size(), 300u);
}

TEST(Sched, ReplayOfAForeignTapeDiverges) {
  faults::RandomWalk policy(0.3);
  std::vector<TapeEntry> tape(10000);
  Runner runner(&policy);
  runner.options.tape = tape.data();
  runner.options.tape_capacity = tape.size();
  const auto first = runner.Run(3, {Table()->work, Table()->lost_update, Table()->work});
  faults::Replay strict(tape.data(), first.result.tape_entries);
  runner.options.policy = &strict;
  runner.options.tape = nullptr;
  const auto other = runner.Run(3, {Table()->work, Table()->lost_update});
  EXPECT_EQ(other.result.outcome, Outcome::kDiverged);
  EXPECT_NE(std::strstr(Sched()->explanation(), "tape's next choice"), nullptr);
  faults::Replay lenient(tape.data(), first.result.tape_entries, false);
  runner.options.policy = &lenient;
  EXPECT_EQ(runner.Run(3, {Table()->work, Table()->lost_update}).result.outcome, Outcome::kFinished);
  EXPECT_GT(lenient.misfits() + lenient.remaining(), 0u);
}

TEST(Sched, ThreadLocalsBelongToTheFiber) {
  faults::RandomWalk policy(0.5);
  Runner runner(&policy);
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const auto e = runner.Run(seed, {Table()->thread_locals, Table()->thread_locals, Table()->thread_locals});
    ASSERT_EQ(e.result.outcome, Outcome::kFinished) << Sched()->explanation();
    ASSERT_EQ(e.bad, 0u) << seed;
    ASSERT_EQ(e.counter, 303u);
  }
}

TEST(Sched, LibcIsIntactAcrossSwitches) {
  faults::RandomWalk policy(0.3);
  Runner runner(&policy);
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const auto e = runner.Run(seed, {Table()->libc_use, Table()->libc_use, Table()->libc_use});
    ASSERT_EQ(e.result.outcome, Outcome::kFinished) << Sched()->explanation();
    ASSERT_EQ(e.bad, 0u) << seed;
  }
}

TEST(Sched, LocksExclude) {
  faults::RandomWalk policy(0.3);
  Runner runner(&policy);
  for (uint64_t seed = 0; seed < 300; ++seed) {
    auto e = runner.Run(seed, {Table()->mutex_adds, Table()->mutex_adds, Table()->mutex_adds});
    ASSERT_EQ(e.result.outcome, Outcome::kFinished) << Sched()->explanation();
    ASSERT_EQ(e.bad, 0u);
    e = runner.Run(seed, {Table()->shared_lock, Table()->shared_lock, Table()->shared_lock});
    ASSERT_EQ(e.result.outcome, Outcome::kFinished) << Sched()->explanation();
    ASSERT_EQ(e.bad, 0u);
  }
}

TEST(Sched, ConditionVariableDeliversEverything) {
  faults::RandomWalk policy(0.3);
  Runner runner(&policy);
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const auto e =
        runner.Run(seed, {Table()->producer, Table()->consumer, Table()->producer, Table()->consumer});
    ASSERT_EQ(e.result.outcome, Outcome::kFinished) << Sched()->explanation();
    ASSERT_EQ(e.counter, 10u);
  }
}

TEST(Sched, AtomicWaitAndWideAtomics) {
  faults::RandomWalk policy(0.3);
  Runner runner(&policy);
  for (uint64_t seed = 0; seed < 200; ++seed) {
    auto e = runner.Run(seed, {Table()->atomic_wait, Table()->atomic_wait, Table()->atomic_notify});
    ASSERT_EQ(e.result.outcome, Outcome::kFinished) << Sched()->explanation();
    ASSERT_EQ(e.counter, 2u);
    e = runner.Run(seed, {Table()->once, Table()->once, Table()->once});
    ASSERT_EQ(e.result.outcome, Outcome::kFinished) << Sched()->explanation();
    ASSERT_EQ(e.bad, 0u);
    e = runner.Run(seed, {Table()->wide_atomics, Table()->wide_atomics});
    ASSERT_EQ(e.counter, 10u);
    ASSERT_EQ(e.bad, 0u);
  }
}

TEST(Sched, ThreadsOfTheSubjectAreFibers) {
  faults::RandomWalk policy(0.3);
  Runner runner(&policy);
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const auto e = runner.Run(seed, {Table()->makes_threads});
    ASSERT_EQ(e.result.outcome, Outcome::kFinished) << Sched()->explanation();
    ASSERT_EQ(e.bad, 0u);
  }
}

TEST(Sched, TimeIsVirtual) {
  faults::RandomWalk policy(0.3);
  Runner runner(&policy);
  const auto e = runner.Run(1, {Table()->sleeps, Table()->sleeps, Table()->timed_wait});
  EXPECT_EQ(e.result.outcome, Outcome::kFinished) << Sched()->explanation();
  EXPECT_EQ(e.bad, 0u);
}

TEST(Sched, StoreBuffersAreAbsent) {
  faults::RandomWalk policy(0.5);
  Runner runner(&policy);
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    ASSERT_EQ(runner.Run(seed, {Table()->store_buffer_0, Table()->store_buffer_1}).bad, 0u);
  }
}

TEST(Sched, SpuriousFailureOfAWeakCasIsAChoice) {
  faults::RandomWalk policy(0.1);
  policy.set_rate(faults::ChoiceKind::kCasFailure, 0.5);
  Runner runner(&policy);
  uint64_t failed = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    runner.options.spurious_cas = false;
    ASSERT_EQ(runner.Run(seed, {Table()->weak_cas_once}).bad, 0u);
    runner.options.spurious_cas = true;
    failed += runner.Run(seed, {Table()->weak_cas_once}).bad;
  }
  EXPECT_GT(failed, 20u);
  EXPECT_LT(failed, 80u);
}

// At every step of the execution: stop, then a second run on what is left in the arena.
TEST(Sched, CrashAtEveryStepThenRunAgain) {
  faults::RandomWalk policy(0.2);
  Runner runner(&policy);
  const std::vector<Body> bodies = {Table()->work, Table()->mutex_adds, Table()->makes_threads};
  const uint64_t steps = runner.Run(5, bodies).result.steps;
  ASSERT_GT(steps, 50u);
  uint64_t crashed = 0;
  for (uint64_t step = 1; step < steps; ++step) {
    runner.Begin(5);
    const uint64_t after_setup = runner.setup.steps;
    if (step <= after_setup) continue;
    Sched()->SetCrash(step, ~0ull);
    auto e = runner.Go(bodies);
    ASSERT_EQ(e.result.outcome, Outcome::kCrashed) << step;
    ASSERT_EQ(e.result.steps, step);
    ++crashed;
    Sched()->SetCrash(~0ull, ~0ull);
    Sched()->Spawn([](void* p) { *static_cast<SubjectState**>(p) = Table()->make(); }, &runner.state,
                   "recovery");
    ASSERT_EQ(Sched()->Run().outcome, Outcome::kFinished) << Sched()->explanation();
    e = runner.Go({Table()->mutex_adds, Table()->takes_lock, Table()->thread_locals});
    ASSERT_EQ(e.result.outcome, Outcome::kFinished) << Sched()->explanation();
    ASSERT_EQ(e.bad, 0u);
  }
  EXPECT_GT(crashed, 50u);
}

TEST(Sched, CrashAtAnEventIsBeforeItsEffect) {
  faults::RandomWalk policy(0.2);
  Runner runner(&policy);
  static int effects;
  for (uint64_t event = 0; event < 5; ++event) {
    effects = 0;
    runner.options.crash_event = event;
    runner.Begin(1);
    const auto e = runner.Go({[](void*) {
      for (int i = 0; i < 5; ++i) {
        Scheduler::Current()->Point(faults::PointKind::kIoSubmit, nullptr, 0);
        ++effects;
      }
    }});
    ASSERT_EQ(e.result.outcome, Outcome::kCrashed);
    ASSERT_EQ(effects, static_cast<int>(event));
  }
}

// Neither ASLR nor the process enters the hash: addresses of globals, stacks, host memory and code all differ
// there.
TEST(Sched, HashIsTheSameInAnotherProcess) {
  faults::RandomWalk policy(0.2);
  Runner runner(&policy);
  const auto e = runner.Run(11, {Table()->work, Table()->makes_threads, Table()->use_block, Table()->once});
  ASSERT_EQ(e.result.outcome, Outcome::kFinished) << Sched()->explanation();
  char mine[64];
  std::snprintf(mine, sizeof mine, "hash=%016llx", static_cast<unsigned long long>(e.result.hash));
  if (std::getenv("SCHED_TEST_CHILD") != nullptr) {
    std::printf("%s\n", mine);
    return;
  }
  char self[4096];
  const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  ASSERT_GT(n, 0);
  const std::string command = "SCHED_TEST_CHILD=1 '" + std::string(self, static_cast<size_t>(n)) +
                              "' --gtest_filter=Sched.HashIsTheSameInAnotherProcess";
  for (int i = 0; i < 3; ++i) {
    FILE* child = popen(command.c_str(), "r");
    ASSERT_NE(child, nullptr);
    std::string output;
    char line[256];
    while (std::fgets(line, sizeof line, child) != nullptr) output += line;
    EXPECT_EQ(pclose(child), 0);
    EXPECT_NE(output.find(mine), std::string::npos) << mine << "\n" << output;
  }
}

// A mutex of the host is real: it excludes fibers, may be shared with OS threads, and a crash does not leave
// it held.
TEST(Sched, LocksOfTheHost) {
  static std::mutex mutex;
  static int inside, overlaps;
  inside = overlaps = 0;
  faults::RandomWalk policy(0.3);
  Runner runner(&policy);
  const auto body = [](void*) {
    for (int i = 0; i < 3; ++i) {
      std::lock_guard<std::mutex> lock(mutex);
      overlaps += inside++ != 0;
      Scheduler::Current()->Point(faults::PointKind::kHarness, nullptr, 0);
      --inside;
    }
  };
  for (uint64_t seed = 0; seed < 100; ++seed) {
    ASSERT_EQ(runner.Run(seed, {body, body, body}).result.outcome, Outcome::kFinished)
        << Sched()->explanation();
  }
  EXPECT_EQ(overlaps, 0);
  for (uint64_t step = 3; step < 30; ++step) {
    inside = 0;
    runner.options.crash_step = step;
    runner.Run(step, {body, body, body});
  }
  runner.options.crash_step = ~0ull;
  inside = 0;
  EXPECT_EQ(runner.Run(1, {body, body}).result.outcome, Outcome::kFinished) << Sched()->explanation();
  EXPECT_TRUE(mutex.try_lock());
  mutex.unlock();
}

TEST(Sched, DaemonsDoNotKeepAnExecutionAliveAndGoOnInTheNextRun) {
  faults::RandomWalk policy(0.2);
  Runner runner(&policy);
  runner.Begin(1);
  static int served, asked;
  served = asked = 0;
  Sched()->Spawn(
      [](void*) {
        for (;;) {
          while (served == asked) Scheduler::Current()->Wait(&asked);
          ++served;
          Scheduler::Current()->Notify(&served);
        }
      },
      nullptr, "device", true);
  auto client = [](void*) {
    for (int i = 0; i < 3; ++i) {
      ++asked;
      Scheduler::Current()->Notify(&asked);
      while (served < asked) Scheduler::Current()->Wait(&served);
    }
  };
  EXPECT_EQ(runner.Go({client}).result.outcome, Outcome::kFinished) << Sched()->explanation();
  EXPECT_EQ(served, 3);
  EXPECT_EQ(runner.Go({client}).result.outcome, Outcome::kFinished) << Sched()->explanation();
  EXPECT_EQ(served, 6);
}

}  // namespace
}  // namespace sched_test
