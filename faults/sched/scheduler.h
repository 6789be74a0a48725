// Scheduler: runs the threads of one execution as fibers on one OS thread and decides every switch.
//
// Includes nothing of ours and no std template that code under test instantiates. All of it is used from the
// OS thread that called Run(); a process may hold several schedulers on several OS threads, one running each.
// Every choice goes through the tape: choice 0 is always "nothing unusual" (stay on this thread, no fault).
// Cost: a point without a switch ~10 ns, with a switch ~50 ns; see tests/sched and `cpr bench`.
#pragma once

#include <cstddef>
#include <cstdint>

namespace faults {

enum class ChoiceKind : uint8_t {
  kThread, kCasFailure, kIoPick, kIoFate, kSectorFate, kCrash, kReadsFrom, kHarness
};

enum class PointKind : uint8_t {  // what a step is; kIo* and kPhase are "interesting" for crash points
  kLoad, kStore, kRmw, kCas, kFence, kPlainRead, kPlainWrite, kYield, kLock, kIoSubmit, kIoComplete,
  kIoSync, kIoMeta, kPhase, kHarness
};

// Source and recorder of decisions. Recording: the policy decides, the tape stores. Replaying: the tape decides;
// a kind or range that does not fit is a divergence. Storage is a buffer the caller owns (a mapped file if the
// tape must survive a crash of this process).
struct TapeEntry {
  uint32_t step;   // scheduler step at which the choice was made
  uint8_t kind;    // ChoiceKind
  uint8_t unused;
  uint16_t count;  // alternatives there were
  uint32_t value;  // the alternative taken, never 0 (zeros are not stored)
};

class Policy {  // decides; see policy.h for random walk, PCT, round robin, replay
 public:
  virtual ~Policy() = default;
  virtual void Begin(uint64_t seed) = 0;
  // Next fiber among `runnable` (ascending ids); `current` is -1 if the current one cannot go on.
  virtual int PickThread(int current, const int* runnable, int count, PointKind kind) = 0;
  virtual uint32_t Choose(ChoiceKind kind, uint32_t count) = 0;  // 0..count-1
  virtual void OnYield(int fiber) = 0;                           // it spins: let others go first
};

enum class Outcome : uint8_t { kFinished, kCrashed, kDeadlock, kLivelock, kStepLimit, kFailed, kDiverged };

struct RunResult {
  Outcome outcome;
  uint64_t steps;
  uint64_t switches;
  uint64_t plain_accesses;
  uint64_t hash;              // rolling hash of (fiber, point, object ordinal + offset, value)
  uint64_t tape_entries;
};

class Scheduler {
 public:
  struct Options {
    Policy* policy = nullptr;
    TapeEntry* tape = nullptr;       // recorded here, `tape_capacity` entries at most
    size_t tape_capacity = 0;
    uint64_t step_limit = 2'000'000;
    bool plain_points = true;        // plain accesses to memory seen by two fibers may switch
    uint64_t crash_step = ~0ull;     // stop everything at this step (Outcome::kCrashed)
    uint64_t crash_event = ~0ull;    // ... or at this interesting event (kIo*, kPhase), counted from 0
    size_t arena_bytes = 64u << 20;  // heap of the fibers, reset by Begin()
  };

  static Scheduler* Create(int max_fibers = 32, size_t stack_bytes = 256u << 10);  // expensive: make one, reuse it
  static Scheduler* Current();       // the scheduler this OS thread runs a fiber of, or null
  virtual ~Scheduler() = default;

  virtual void Begin(const Options& options, uint64_t seed) = 0;  // forgets the last execution, resets the arena
  // Adds a fiber; callable before Run() and from inside a fiber. A daemon does not keep the execution alive.
  virtual int Spawn(void (*body)(void*), void* argument, const char* name, bool daemon = false) = 0;
  virtual RunResult Run() = 0;       // until all non-daemons end, or a crash or verdict; may be called again after
                                     // Spawn()ing more (phases of one execution: work, recovery, continuation)

  // For code that runs inside a fiber:
  virtual void Point(PointKind kind, const void* object, uint64_t value) = 0;
  virtual uint32_t Choose(ChoiceKind kind, uint32_t count) = 0;
  virtual void Yield() = 0;                        // parks until something it read since its last yield is written
  virtual void Wait(const void* channel) = 0;      // parks until Notify(channel)
  virtual void Notify(const void* channel) = 0;    // wakes all that wait on it
  [[noreturn]] virtual void Crash() = 0;           // ends this Run() with kCrashed; no fiber runs again
  [[noreturn]] virtual void Fail(const char* why) = 0;  // ends this Run() with kFailed
  virtual int current_fiber() const = 0;           // -1 outside
  virtual const char* fiber_name(int fiber) const = 0;
  virtual uint64_t step() const = 0;
  virtual uint64_t now_ns() const = 0;             // virtual time

  // For reports, after Run(): why it stopped, what each fiber waits for, every fiber's stack. Valid until Begin().
  virtual const char* explanation() const = 0;
  virtual void set_observer(void (*on_point)(void* context, int fiber, PointKind kind, const void* object,
                                             uint64_t value), void* context) = 0;  // for traces; null = none
};

}  // namespace faults
