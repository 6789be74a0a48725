// Tally: what the workers of a campaign counted, in memory shared by parent and workers.
//
// Every worker writes its own Tally and nobody else's; the parent reads them while they run (counters are
// words, and a sum that is one execution old is good enough) and exactly once they have ended. Plain data,
// zero-initialised.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "experiments/common/phase_table.h"
#include "experiments/crash/execution.h"

namespace experiments {

constexpr int kMaxWorkers = 64;
constexpr int kMaxFamilies = 24;
constexpr int kFindingClasses = 64;
constexpr int kMaxPolicies = 16;
constexpr uint32_t kMaxCrashDepth = 3;  // of one exhaustive execution: the work's crash and its recoveries'

struct Tally {
  uint64_t executions, crashes, recovery_crashes, recoveries, violations, checkpoints;
  uint64_t recovered_own, recovered_split, recovered_pending, recovered_undone;
  uint64_t growths, crashes_growing;
  uint64_t steps, switches, operations, undecided, unbuffered, double_runs, differing_runs;
  uint64_t torn_writes, sectors_old, sectors_new, names_old,
      names_new;  // the device still does what it claims
  uint64_t by_family[kMaxFamilies];
  CellTally cells[kCheckpointKinds][kCellRows];

  void Add(const ExecutionResult& result);
  void Add(const Tally& other);
};

// Of exhaustive crashes (exhaustive.h), by the number of crashes before: words, as above.
struct ExhaustiveTally {
  uint64_t moments[kMaxCrashDepth], images[kMaxCrashDepth], cut_short[kMaxCrashDepth];
};

struct Worker {
  Tally tally;
  ExhaustiveTally exhaustive;
  uint32_t crashes;                 // exhaustive: of the execution in progress
  uint32_t delays[kMaxCrashDepth];  // ... their delays
  std::atomic<uint64_t> seed;       // of the execution in progress
  std::atomic<uint64_t> begun;      // executions begun; stands still when a worker hangs
  char policy[32];                  // of the execution in progress
  bool plain_points;
  bool spurious_cas;
};

// How often a class of findings was stored, over all workers.
struct FindingClass {
  std::atomic<uint64_t> name;  // hash, 0: free
  std::atomic<uint32_t> stored;
};

struct Shared {
  std::atomic<bool> stop;
  std::atomic<uint64_t> next;                                         // number of the next execution
  std::atomic<uint32_t> findings;                                     // folders made
  std::atomic<uint64_t> schedules, moments, work_steps, work_events;  // exhaustive: what is to be crashed
  std::atomic<bool> untrusted;
  char why_untrusted[512];
  FindingClass classes[kFindingClasses];
  Worker workers[kMaxWorkers];
};

}  // namespace experiments
