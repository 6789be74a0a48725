// Scheduler: runs the threads of one execution as fibers on one OS thread and decides every switch.
//
// Includes nothing of ours and no std template that code under test instantiates. All of it is used from the
// OS thread that called Run(); a process may hold several schedulers on several OS threads, one running each.
// Every choice goes through the tape: choice 0 is always "nothing unusual" (stay on this thread, no fault).
//
// An EXECUTION is Begin(), then one or more rounds of Spawn()... Run() (work, recovery, continuation). Steps,
// hash, tape and virtual time go on across the rounds of one execution. A STEP is one atomic operation,
// fence, lock operation, yield, explicit Point(), Choose() or pick of the next fiber; with `plain_points`
// also each plain access to memory that two fibers have touched. A switch or crash at a step happens before
// the operation takes effect.
//
// HEAP. operator new and malloc inside a fiber come from an arena that Begin() resets; what must outlive the
// execution is allocated under HostHeap (heap.h). Memory may be freed on either side.
//
// RULES for host code that runs inside fibers (session bodies, storage model): no Point, lock or Yield
// between looking at a condition and Wait()ing for it; what it waits for by Yield() must be announced by a
// Point or Notify, as its memory is not watched; no thread_local containers; no
// dlopen (a library must be loaded before the Run() that uses it); objects that outlive the
// execution, lazily made statics included, are made under HostHeap; no gtest assertions. LIMITS of the
// subject: a function-local static or other global with heap memory outlives its execution (the engine has
// none); std::atomic::wait works, but a crash during one leaves libstdc++'s waiter count behind, which later
// replays see. Sequential consistency only. fork(): the child needs schedulers of its own.
//
// Cost: a point without a switch ~10 ns, with a switch ~50 ns; see tests/sched/sched_bench.cc.
#pragma once

#include <cstddef>
#include <cstdint>

namespace faults {

enum class ChoiceKind : uint8_t {
  kThread,
  kCasFailure,
  kIoPick,
  kIoFate,
  kSectorFate,
  kCrash,
  kReadsFrom,
  kHarness
};
constexpr int kChoiceKinds = 8;

enum class PointKind : uint8_t {  // what a step is; kIo* and kPhase are "interesting" for crash points
  kLoad,
  kStore,
  kRmw,
  kCas,
  kFence,
  kPlainRead,
  kPlainWrite,
  kYield,
  kLock,
  kIoSubmit,
  kIoComplete,
  kIoSync,
  kIoMeta,
  kPhase,
  kHarness
};

// Source and recorder of decisions. Recording: the policy decides, the tape stores. Replaying: the tape
// decides; a kind or range that does not fit is a divergence. Storage is a buffer the caller owns (a mapped
// file if the tape must survive a crash of this process). Every choice has a step of its own, so steps ascend
// strictly.
struct TapeEntry {
  uint32_t step;  // scheduler step at which the choice was made
  uint8_t kind;   // ChoiceKind
  uint8_t unused;
  uint16_t count;  // alternatives there were
  uint32_t value;  // the alternative taken, never 0 (zeros are not stored)
};

// Decides; see policy.h for random walk, PCT, round robin, replay. Fibers are bits of a mask: fiber i is 1 <<
// i. A policy is asked at the steps it named by NextAsk() and whenever the current fiber cannot go on.
class Policy {
 public:
  virtual ~Policy() = default;
  virtual void Begin(uint64_t seed) = 0;
  // Next fiber among `runnable` (never 0). `current` ran last (-1: none) and can go on iff its bit is set.
  virtual int PickThread(uint64_t step, int current, uint64_t runnable, PointKind kind) = 0;
  virtual uint32_t Choose(uint64_t step, ChoiceKind kind, uint32_t count) = 0;  // 0..count-1
  // First step after `step` at which to ask PickThread although the current fiber can go on; ~0 = never.
  virtual uint64_t NextAsk(uint64_t step) = 0;
  virtual void OnYield(int fiber) {}                   // it spins: let others go first
  virtual void OnSpawn(int fiber) {}                   // a new fiber has this number
  virtual void OnEnd(uint64_t steps) {}                // a Run() ended after so many steps of the execution
  virtual bool asks_on_wake() const { return false; }  // ask at once when a fiber becomes runnable
  virtual const char* divergence() const { return nullptr; }  // replay only: why the tape does not fit
};

enum class Outcome : uint8_t { kFinished, kCrashed, kDeadlock, kLivelock, kStepLimit, kFailed, kDiverged };
const char* OutcomeName(Outcome outcome);     // "finished", "crashed", "deadlock", ...
const char* PointKindName(PointKind kind);    // "load", "io-submit", ...
const char* ChoiceKindName(ChoiceKind kind);  // "thread", "io-fate", ...

struct RunResult {  // numbers are of the execution so far
  Outcome outcome;
  uint64_t steps;
  uint64_t switches;
  uint64_t plain_accesses;  // not on the own stack
  uint64_t events;          // interesting events (kIo*, kPhase)
  uint64_t yields;
  uint64_t idle_rounds;   // times every fiber was parked and all looked again: 0 but before a deadlock
                          // verdict, or in code that waits for what no hook shows (memory of the host)
  uint64_t hash;          // rolling hash of (fiber, point, object ordinal + offset, value)
  uint64_t tape_entries;  // more than tape_capacity: the tape is incomplete and cannot be replayed
};

class Scheduler {
 public:
  struct Options {
    Policy* policy = nullptr;
    TapeEntry* tape = nullptr;  // recorded here, `tape_capacity` entries at most
    size_t tape_capacity = 0;
    uint64_t step_limit = 2'000'000;
    bool plain_points = true;        // plain accesses to memory seen by two fibers may switch
    bool spurious_cas = false;       // a weak compare-exchange that could succeed asks Choose(kCasFailure, 2)
    uint64_t crash_step = ~0ull;     // stop everything at this step (Outcome::kCrashed), or, if a fiber holds
                                     // no point exactly there, at the next point
    uint64_t crash_event = ~0ull;    // ... or at this interesting event (kIo*, kPhase), counted from 0
    size_t arena_bytes = 64u << 20;  // heap of the fibers, reset by Begin(); at most 2 GiB
  };

  // Expensive (one parked OS thread per fiber): make one, reuse it. At most 64 fibers. Null with a line on
  // stderr if this machine cannot (no wrfsbase, address window taken).
  static Scheduler* Create(int max_fibers = 32, size_t stack_bytes = 256u << 10);
  static Scheduler* Current();  // the scheduler this OS thread runs a fiber of, or null
  virtual ~Scheduler() = default;

  virtual void Begin(const Options& options,
                     uint64_t seed) = 0;  // forgets the last execution, resets the arena
  // Adds a fiber; callable before Run() and from inside a fiber. A daemon does not keep the execution alive.
  // Returns its number; numbers of ended fibers are used again. Too many live fibers: the process aborts.
  virtual int Spawn(void (*body)(void*), void* argument, const char* name, bool daemon = false) = 0;
  // Until all non-daemons end (kFinished: daemons stay, and go on in the next Run()), or a crash or verdict
  // (all fibers are then abandoned: never resumed, nothing unwound). May be called again after Spawn()ing
  // more.
  virtual RunResult Run() = 0;
  // Crash points of the next Run() or, called inside a fiber, of this one; Begin() sets them from Options.
  // Steps and events count from Begin().
  virtual void SetCrash(uint64_t step, uint64_t event) = 0;
  // The policy would answer NextAsk() otherwise by now: it is asked at the next point.
  virtual void AskPolicy() = 0;

  // For code that runs inside a fiber:
  virtual void Point(PointKind kind, const void* object, uint64_t value) = 0;
  virtual uint32_t Choose(ChoiceKind kind, uint32_t count) = 0;
  // Parks until something it read (instrumented) since its last yield is written with another value by
  // another fiber, an explicit I/O, phase or harness Point happens, or a fiber ends.
  virtual void Yield() = 0;
  virtual void Wait(const void* channel) = 0;  // parks until Notify(channel); a Notify before it is not kept
  virtual void Notify(const void* channel) = 0;         // wakes all that wait on it
  [[noreturn]] virtual void Crash() = 0;                // ends this Run() with kCrashed; no fiber runs again
  [[noreturn]] virtual void Fail(const char* why) = 0;  // ends this Run() with kFailed; text is copied
  virtual int current_fiber() const = 0;                // -1 outside
  virtual const char* fiber_name(int fiber) const = 0;
  virtual uint64_t step() const = 0;
  virtual uint64_t events() const = 0;  // interesting events (kIo*, kPhase) so far
  virtual uint64_t now_ns() const = 0;  // virtual time

  // For reports, after Run(): why it stopped, what each fiber waits for, every fiber's stack. Valid until
  // Begin().
  virtual const char* explanation() const = 0;
  virtual void set_observer(void (*on_point)(void* context, int fiber, PointKind kind, const void* object,
                                             uint64_t value),
                            void* context) = 0;  // for traces; null = none
};

// Start-up self-check: runs `body` (code of the subject that does at least one atomic operation and one plain
// access to memory that is not on its stack) as a fiber and says whether the compiler's hooks reached the
// scheduler. False: *why names what is missing (static text). Ends the current execution of `scheduler`.
bool InstrumentationActive(Scheduler* scheduler, void (*body)(void*), void* argument, const char** why);

}  // namespace faults
