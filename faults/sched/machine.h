// Machine: the scheduler's implementation, and the inline fast paths of the hooks. Internal to faults/sched.
//
// One OS thread at a time runs a machine's fibers, so nothing here is atomic. Layout: what every point
// touches first. `next_event` is the smallest step at which anything but counting must happen (policy, crash,
// step limit, timer, observer), so an ordinary point is one increment and one compare.
#pragma once

#include <cstddef>
#include <cstdint>

#include "faults/sched/arena.h"
#include "faults/sched/fiber.h"
#include "faults/sched/modules.h"
#include "faults/sched/scheduler.h"

#define CPR_LIKELY(x) __builtin_expect(!!(x), 1)
#define CPR_UNLIKELY(x) __builtin_expect(!!(x), 0)

namespace faults::internal {

constexpr int kReadSlots = 256;  // locations are hashed onto these to find the readers of what is written
constexpr uint64_t kNsPerStep = 100;       // virtual time
constexpr uint64_t kIdleLoadLimit = 2000;  // atomic loads in a row after which others go first
constexpr int kGraceRounds = 200;  // rounds in which all parked fibers look again before it is a deadlock
constexpr int kMaxFrames = 24;
constexpr size_t kGuardBytes = 64 << 10;            // below each stack nothing is mapped
constexpr uint64_t kForeign = uint64_t{0xf} << 60;  // name of memory that has none of its own
constexpr uint64_t kStackName = uint64_t{0x1} << 60;
constexpr uint64_t kModuleName = uint64_t{0x2} << 60;
constexpr uint64_t kArenaName = uint64_t{0x3} << 60;

class Machine final : public Scheduler {
 public:
  Machine() = default;
  ~Machine() override;
  bool Initialize(int max_fibers, size_t stack_bytes);

  void Begin(const Options& options, uint64_t seed) override;
  int Spawn(void (*body)(void*), void* argument, const char* name, bool daemon) override;
  RunResult Run() override;
  void SetCrash(uint64_t step, uint64_t event) override;
  void AskPolicy() override;
  void Point(PointKind kind, const void* object, uint64_t value) override;
  uint32_t Choose(ChoiceKind kind, uint32_t count) override;
  void Yield() override;
  void Wait(const void* channel) override;
  void Notify(const void* channel) override;
  [[noreturn]] void Crash() override;
  [[noreturn]] void Fail(const char* why) override;
  int current_fiber() const override;
  const char* fiber_name(int fiber) const override;
  uint64_t step() const override { return step_; }
  uint64_t events() const override { return events_; }
  uint64_t now_ns() const override { return clock_base_ + step_ * kNsPerStep; }
  const char* explanation() const override;
  void set_observer(void (*on_point)(void*, int, PointKind, const void*, uint64_t), void* context) override;

  // ---- for the hooks ----
  // A step that is about to happen on `fiber`. May switch, may not return.
  void Step(Fiber* fiber, PointKind kind, const void* object, uint64_t value) {
    if (CPR_UNLIKELY(++step_ >= next_event_)) SlowStep(fiber, kind, object, value);
  }
  void Mix(const Fiber* fiber, PointKind kind, uint64_t name, uint64_t value) {
    Mix(fiber->id, kind, name, value);
  }
  void Mix(int fiber, PointKind kind, uint64_t name, uint64_t value) {
    const uint64_t x = (name ^ static_cast<uint64_t>(fiber) << 40 ^ static_cast<uint64_t>(kind) << 48) *
                       0x9e3779b97f4a7c15ull;
    hash_ = (hash_ << 23 | hash_ >> 41) ^ (x + value);
    hash_ *= 0xd6e8feb86659fd93ull;
  }
  // A location's name that holds in every process: arena offset, fiber + stack offset, library + offset.
  uint64_t Name(uintptr_t address) const {
    const uintptr_t offset = address - arena_base_;
    return CPR_LIKELY(offset < kArenaLimit) ? (kArenaName | offset) : OtherName(address);
  }
  uint64_t ValueName(uint64_t value) const {
    return CPR_LIKELY(value - kArenaLimit > 0x7fffffffffffull - kArenaLimit) ? value : PointerName(value);
  }
  static uint32_t ReadSlot(uint64_t name) {
    return static_cast<uint32_t>(((name >> 3) * 0x9e3779b97f4a7c15ull) >> 56);
  }
  void NoteRead(Fiber* fiber, uint64_t name) {
    readers_[ReadSlot(name)] |= fiber->bit;
    fiber->read_any = true;
  }
  void NoteWrite(Fiber* fiber, uint64_t name) {  // what it wrote differs, or may differ, from what was there
    uint64_t* readers = &readers_[ReadSlot(name)];
    const uint64_t others = (*readers | wake_on_any_) & ~fiber->bit;
    fiber->idle_loads = 0;
    if (CPR_UNLIKELY(others != 0)) {
      *readers &= fiber->bit;
      Poke(others);
    }
  }
  // Marks the granule of `address` as touched; fails the execution if it was freed. True: two fibers have
  // touched it.
  bool Touch(Fiber* fiber, uintptr_t address, bool write) {
    const uintptr_t offset = address - arena_base_;
    if (CPR_LIKELY(offset < arena_bytes_)) {
      const uint32_t word = shadow_[offset / 8];
      if (word == fiber->private_tag) return false;
      if (word == shared_tag_) return true;
    }
    return SlowTouch(fiber, address, write);
  }
  void PlainShared(Fiber* fiber, uintptr_t address, bool write) {
    const uint64_t name = Name(address);
    if (plain_points_) {
      const PointKind kind = write ? PointKind::kPlainWrite : PointKind::kPlainRead;
      Mix(fiber, kind, name, 0);
      if (CPR_UNLIKELY(++step_ >= next_event_)) {
        SlowStep(fiber, kind, reinterpret_cast<const void*>(address), 0);
        Touch(fiber, address, write);  // others may have freed it meanwhile
      }
    }
    if (write)
      NoteWrite(fiber, name);
    else
      NoteRead(fiber, name);
  }
  void Plain(Fiber* fiber, uintptr_t address, bool write) {  // not on the own stack; within one granule
    ++plain_accesses_;
    if (Touch(fiber, address, write)) PlainShared(fiber, address, write);
  }
  void PlainRange(Fiber* fiber, uintptr_t address, size_t bytes, bool write);

  // ---- for the libc shim ----
  Arena* arena() { return &arena_; }
  bool spurious_cas() const { return spurious_cas_; }
  uint32_t execution() const { return execution_; }
  // Blocks the current fiber on `channel` until Notify, or until `deadline` (virtual ns). False: the deadline
  // passed.
  bool Block(const void* channel, const char* waits_for, uint64_t deadline);
  int WakeOne(const void* channel);  // one of the fibers blocked on it, by a choice; -1 if there is none
  void YieldOf(Fiber* fiber);
  void SoftYield(Fiber* fiber);  // it spins without saying so
  // A fiber that pthread_create asked for; its argument is itself. Null if there is no free slot.
  Fiber* SpawnThread(void (*body)(void*), void* (*routine)(void*), void* argument);
  // Real locks that fibers hold: what a crash abandons is unlocked.
  void NoteHostLock(pthread_mutex_t* mutex, bool held);
  bool HoldsHostLock(const pthread_mutex_t* mutex) const;
  Fiber* FiberOfCarrier(pthread_t carrier);
  [[noreturn]] void ExitThread() { EndFiber(t_fiber); }
  void ReleaseSlot(Fiber* fiber);
  // Arena, fiber stack or global of an instrumented library: only this machine's fibers use it, so a lock
  // there is modelled; elsewhere it may be shared with other OS threads and the real lock is taken.
  bool OwnMemory(const void* address) const;
  // A fault of the current fiber: in the signal handler, then on the fiber's stack.
  void NoteFault(const char* what, uintptr_t address, uintptr_t code, uintptr_t sp);
  [[noreturn]] void FailFromSignal();
  static Machine* OfFiber() { return t_fiber == nullptr ? nullptr : t_fiber->machine; }

  static void FiberMain();

 private:
  friend struct Explainer;
  void SlowStep(Fiber* fiber, PointKind kind, const void* object, uint64_t value);
  bool SlowTouch(Fiber* fiber, uintptr_t address, bool write);
  bool TouchModule(Fiber* fiber, uintptr_t address, bool write, bool* known);
  bool Transition(Fiber* fiber, uint32_t* word, uintptr_t address, bool write);
  Fiber* FiberOfOwner(uint32_t owner) const;  // null if its slot was taken by another fiber
  [[noreturn]] void BadAccess(uint32_t word, uintptr_t address, bool write);
  uint64_t OtherName(uintptr_t address) const;
  uint64_t PointerName(uint64_t value) const;
  void SyncModules();
  void ClearModuleShadows();
  void Poke(uint64_t fibers);
  void MakeRunnable(Fiber* fiber);
  void UpdateNextEvent();
  void AskThread(Fiber* fiber, PointKind kind);
  void PickNext(Fiber* fiber, PointKind kind);  // the current fiber cannot go on
  bool WakeSleepers(bool advance);
  void CheckDivergence();
  void CheckLimits();
  void Observe(Fiber* fiber, PointKind kind, const void* object, uint64_t value);
  void AbandonAll();
  void Record(ChoiceKind kind, uint32_t count, uint32_t value);
  void SwitchTo(Fiber* to);
  [[noreturn]] void Stop(Outcome outcome);
  [[noreturn]] void EndFiber(Fiber* fiber);
  void StartFiber(Fiber* fiber);
  void ForgetReads(Fiber* fiber);
  void CaptureStacks();
  void CaptureStack(int fiber, uintptr_t sp, int first);

  // Hot.
  uint64_t step_ = 0;
  uint64_t next_event_ = 0;
  uint64_t hash_ = 0;
  uintptr_t arena_base_ = 0;
  uintptr_t arena_bytes_ = 0;
  uint32_t* shadow_ = nullptr;
  uint32_t shared_tag_ = 0;
  bool plain_points_ = true;
  bool spurious_cas_ = false;
  uint64_t plain_accesses_ = 0;
  uint64_t wake_on_any_ = 0;  // parked without having read anything we saw
  uint64_t runnable_ = 0;
  uint64_t parked_ = 0;
  Fiber* current_ = nullptr;
  uint64_t readers_[kReadSlots] = {};

  // Warm.
  Policy* policy_ = nullptr;
  uint64_t next_ask_ = 0;
  uint64_t crash_step_ = ~0ull, crash_event_ = ~0ull, step_limit_ = 0;
  uint64_t idle_rounds_ = 0;
  uint64_t events_ = 0, switches_ = 0, yields_ = 0, yields_at_half_ = 0;
  uint64_t clock_base_ = 0;
  uint64_t earliest_deadline_ = ~0ull;
  bool half_seen_ = false;
  bool asks_on_wake_ = false;
  bool wake_pending_ = false;
  int grace_ = 0;
  int live_ = 0;  // non-daemons that have not ended
  TapeEntry* tape_ = nullptr;
  size_t tape_capacity_ = 0;
  uint64_t tape_entries_ = 0;
  uint32_t execution_ = 0;
  uint32_t spawned_ = 0;  // fibers of this execution
  void (*observer_)(void*, int, PointKind, const void*, uint64_t) = nullptr;
  void* observer_context_ = nullptr;

  // Cold.
  Outcome outcome_ = Outcome::kFinished;
  void* home_sp_ = nullptr;
  uint64_t home_fs_ = 0;
  int fiber_count_ = 0;
  pthread_mutex_t* host_locks_[16] = {};
  int slot_ = -1;
  Fiber* fibers_ = nullptr;
  Arena arena_;
  ModuleList modules_;
  uint32_t* module_shadow_[kMaxModules] = {};
  size_t module_shadow_bytes_[kMaxModules] = {};
  char why_[512] = {};
  bool stacks_captured_ = false;
  bool faulted_ = false;  // the stopped fiber's stack was captured by the signal handler
  int stopped_fiber_ = -1;
  State state_at_stop_[kMaxFibers] = {};
  uintptr_t frames_[kMaxFibers][kMaxFrames] = {};
  mutable char* explanation_ = nullptr;
};

void InstallFaultHandlers();  // once per process; the alternate stack once per OS thread

inline bool IsInteresting(PointKind kind) {
  return kind >= PointKind::kIoSubmit && kind <= PointKind::kPhase;
}

inline bool OnOwnStack(const Fiber* fiber, uintptr_t address) {
  return address - fiber->stack_low < fiber->stack_bytes;
}

}  // namespace faults::internal
