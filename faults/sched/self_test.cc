#include "faults/sched/self_test.h"

#include <array>
#include <memory>
#include <vector>

#include "faults/sched/policy.h"
#include "faults/sched/scheduler.h"

namespace faults {
namespace {

constexpr int kIncrements = 40;   // of each of two fibers
constexpr int kExecutions = 200;  // of each policy: the rarest of them loses an update in 1 of 10
constexpr uint32_t kAlternatives = 3;

struct World {
  Scheduler* scheduler;
  int counter = 0;
  uint32_t chosen = 0;  // bit per value that Choose returned
};

void Increment(void* context) {
  World& world = *static_cast<World*>(context);
  for (int i = 0; i < kIncrements; ++i) {
    const int seen = world.counter;
    world.scheduler->Point(PointKind::kHarness, &world.counter, 0);  // the race: another may come between
    world.counter = seen + 1;
  }
}

void Choosing(void* context) {
  World& world = *static_cast<World*>(context);
  for (int i = 0; i < 20; ++i) {
    world.chosen |= 1u << world.scheduler->Choose(ChoiceKind::kSectorFate, kAlternatives);
  }
}

void WaitsForNothing(void* context) {
  World& world = *static_cast<World*>(context);
  world.scheduler->Wait(&world.counter);
}

class SelfTest {
 public:
  explicit SelfTest(Scheduler* scheduler) : world_{scheduler} { options_.arena_bytes = 1 << 20; }

  RunResult Run(Policy* policy, uint64_t seed, void (*body)(void*), int fibers) {
    world_.counter = 0;
    options_.policy = policy;
    options_.tape = tape_.data();
    options_.tape_capacity = tape_.size();
    world_.scheduler->Begin(options_, seed);
    for (int i = 0; i < fibers; ++i) world_.scheduler->Spawn(body, &world_, i == 0 ? "first" : "second");
    return world_.scheduler->Run();
  }

  bool Switches(std::string* why) {
    Portfolio portfolio(1);
    std::vector<int> lost(static_cast<size_t>(portfolio.size()), 0);
    for (int i = 0; i < portfolio.size() * kExecutions; ++i) {
      const Portfolio::Pick pick = portfolio.For(static_cast<uint64_t>(i));
      Run(pick.policy, pick.seed, Increment, 2);
      lost[static_cast<size_t>(i % portfolio.size())] += world_.counter < 2 * kIncrements;
    }
    for (size_t i = 0; i < lost.size(); ++i) {
      if (lost[i] > 0) continue;
      *why = std::string("policy ") + portfolio.For(i).name + " never ran one thread inside another";
      return false;
    }
    return true;
  }

  bool Chooses(std::string* why) {
    RandomWalk policy(0.1);
    for (uint64_t seed = 1; seed <= 5; ++seed) Run(&policy, seed, Choosing, 1);
    if (world_.chosen == (1u << kAlternatives) - 1) return true;
    *why = "a choice never took some of its values";
    return false;
  }

  bool Crashes(std::string* why) {
    RoundRobin policy(1);
    const uint64_t whole = Run(&policy, 1, Increment, 2).steps;
    options_.crash_step = whole / 2;
    const RunResult half = Run(&policy, 1, Increment, 2);
    options_.crash_step = ~0ull;
    if (half.outcome == Outcome::kCrashed && half.steps < whole && world_.counter < 2 * kIncrements) {
      return true;
    }
    *why = "an execution did not stop at its crash point";
    return false;
  }

  bool FindsDeadlocks(std::string* why) {
    RoundRobin policy(1);
    if (Run(&policy, 1, WaitsForNothing, 2).outcome == Outcome::kDeadlock) return true;
    *why = "threads that wait for each other for ever are not called a deadlock";
    return false;
  }

  bool Replays(std::string* why) {
    RandomWalk policy(0.3);
    const RunResult first = Run(&policy, 7, Increment, 2);
    const int counter = world_.counter;
    const std::vector<TapeEntry> tape(tape_.begin(),
                                      tape_.begin() + static_cast<ptrdiff_t>(first.tape_entries));
    Replay replay(tape.data(), tape.size());
    const RunResult second = Run(&replay, 7, Increment, 2);
    const bool same = second.hash == first.hash && world_.counter == counter;
    Replay none(nullptr, 0);
    const RunResult other = Run(&none, 7, Increment, 2);
    if (tape.empty() || !same || world_.counter == counter || other.hash == first.hash) {
      *why = "a tape does not bring its execution back, or another one has the same hash";
      return false;
    }
    return true;
  }

 private:
  World world_;
  Scheduler::Options options_;
  std::array<TapeEntry, 4096> tape_;
};

}  // namespace

bool SchedulerSelfTest(std::string* why) {
  const std::unique_ptr<Scheduler> scheduler(Scheduler::Create(4, 64 << 10));
  if (scheduler == nullptr) {
    *why = "no scheduler can be made on this machine";
    return false;
  }
  const auto test = std::make_unique<SelfTest>(scheduler.get());
  return test->Switches(why) && test->Chooses(why) && test->Crashes(why) && test->FindsDeadlocks(why) &&
         test->Replays(why);
}

}  // namespace faults
