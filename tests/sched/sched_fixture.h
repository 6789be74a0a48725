// Loads the scheduler tests' subject and runs executions of it. One scheduler for all tests of a program.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <vector>

#include "faults/sched/policy.h"
#include "faults/sched/scheduler.h"
#include "faults/sched/tape.h"
#include "tests/sched/subject_api.h"

namespace sched_test {

using faults::Outcome;
using faults::RunResult;
using faults::Scheduler;
using faults::TapeEntry;

inline const SubjectTable* Table() {
  static const SubjectTable* table = [] {
    void* library = dlopen(SCHED_SUBJECT, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      std::fprintf(stderr, "%s\n", dlerror());
      std::abort();
    }
    return reinterpret_cast<const SubjectTable* (*)()>(dlsym(library, "sched_subject_table"))();
  }();
  return table;
}

inline Scheduler* Sched() {
  static Scheduler* scheduler = Scheduler::Create(16, 64 << 10);
  return scheduler;
}

using Body = void (*)(void*);

struct Execution {
  RunResult result;
  uint64_t counter;
  uint64_t bad;
};

// One execution: the subject's state is made in a fiber (so in the arena), then `bodies` run on it.
class Runner {
 public:
  explicit Runner(faults::Policy* policy) {
    options.policy = policy;
    options.arena_bytes = 4 << 20;
    options.step_limit = 20000;
  }

  Execution Run(uint64_t seed, const std::vector<Body>& bodies) {
    Begin(seed);
    return Go(bodies);
  }
  void Begin(uint64_t seed) {
    Sched()->Begin(options, seed);
    Sched()->Spawn([](void* p) { *static_cast<SubjectState**>(p) = Table()->make(); }, &state, "setup");
    setup = Sched()->Run();
    ASSERT_EQ(setup.outcome, Outcome::kFinished) << Sched()->explanation();
  }
  Execution Go(const std::vector<Body>& bodies) {
    for (size_t i = 0; i < bodies.size(); ++i) {
      Sched()->Spawn(bodies[i], state, ("fiber-" + std::to_string(i)).c_str());
    }
    const RunResult result = Sched()->Run();
    return {result, Table()->counter(state), Table()->bad(state)};
  }

  Scheduler::Options options;
  SubjectState* state = nullptr;
  RunResult setup = {};
};

}  // namespace sched_test
