#include "faults/sched/machine.h"

#include <cxxabi.h>

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

namespace faults {

Scheduler* Scheduler::Create(int max_fibers, size_t stack_bytes) {
  internal::Machine* machine = new internal::Machine;
  if (machine->Initialize(max_fibers, stack_bytes)) return machine;
  delete machine;
  return nullptr;
}

Scheduler* Scheduler::Current() { return internal::Machine::OfFiber(); }

}  // namespace faults

namespace faults::internal {
namespace {

constexpr uint64_t kStartOfTime = 1'000'000'000;  // virtual now at Begin()
constexpr uint64_t kClockJump = 1'000'000;        // when all wait and one of them watches the clock
constexpr uint64_t kNever = ~uint64_t{0};
constexpr uint64_t kYieldDistance =
    2000;  // a yield at least every so many steps: spinning rather than working

void SetName(Fiber* fiber, const char* text) {
  std::snprintf(fiber->name, sizeof fiber->name, "%s", text == nullptr ? "" : text);
}

}  // namespace

void Machine::Begin(const Options& options, uint64_t seed) {
  AbandonAll();
  SyncModules();
  arena_.Reset(options.arena_bytes);
  if (arena_.generation() == 1) ClearModuleShadows();
  arena_bytes_ = arena_.bytes();
  shared_tag_ = ShadowWord(arena_.generation(), kAnyFiber, kShared);
  for (int i = 0; i < fiber_count_; ++i) {
    fibers_[i].read_any = false;
    fibers_[i].owner = 0;
  }
  ++execution_;
  spawned_ = 0;
  policy_ = options.policy;
  plain_points_ = options.plain_points;
  spurious_cas_ = options.spurious_cas;
  crash_step_ = options.crash_step;
  crash_event_ = options.crash_event;
  step_limit_ = options.step_limit;
  tape_ = options.tape;
  tape_capacity_ = options.tape == nullptr ? 0 : options.tape_capacity;
  step_ = hash_ = plain_accesses_ = events_ = switches_ = yields_ = yields_at_half_ = tape_entries_ = 0;
  clock_base_ = kStartOfTime;
  earliest_deadline_ = kNever;
  half_seen_ = wake_pending_ = stacks_captured_ = false;
  grace_ = 0;
  idle_rounds_ = 0;
  wake_on_any_ = 0;
  std::memset(readers_, 0, sizeof readers_);
  why_[0] = 0;
  std::free(explanation_);
  explanation_ = nullptr;
  if (policy_ == nullptr) {
    std::fprintf(stderr, "scheduler: Begin() without a policy\n");
    std::abort();
  }
  policy_->Begin(seed);
  asks_on_wake_ = policy_->asks_on_wake();
  next_ask_ = policy_->NextAsk(0);
  UpdateNextEvent();
}

void Machine::AbandonAll() {
  for (pthread_mutex_t*& mutex : host_locks_) {
    if (mutex != nullptr) pthread_mutex_unlock(mutex);  // the real one: we are outside fibers
    mutex = nullptr;
  }
  for (int i = 0; i < fiber_count_; ++i) fibers_[i].state = State::kFree;
  runnable_ = parked_ = wake_on_any_ = 0;
  earliest_deadline_ = kNever;
  live_ = 0;
}

void Machine::SetCrash(uint64_t step, uint64_t event) {
  crash_step_ = step;
  crash_event_ = event;
  UpdateNextEvent();
}

void Machine::AskPolicy() {
  next_ask_ = step_ + 1;
  UpdateNextEvent();
}

int Machine::Spawn(void (*body)(void*), void* argument, const char* name, bool daemon) {
  int id = 0;
  while (id < fiber_count_ && fibers_[id].state != State::kFree) ++id;
  if (id == fiber_count_) {
    std::fprintf(stderr, "scheduler: more than %d live fibers\n", fiber_count_);
    std::abort();
  }
  Fiber* fiber = &fibers_[id];
  ForgetReads(fiber);
  // 1 to 254; after that many fibers in one execution two may pass for one, which only costs switch points.
  fiber->owner = spawned_++ % 254 + 1;
  fiber->private_tag = ShadowWord(arena_.generation(), fiber->owner, kPrivate);
  fiber->body = body;
  fiber->argument = argument;
  SetName(fiber, name);
  fiber->daemon = daemon;
  fiber->is_pthread = fiber->detached = fiber->timed_out = false;
  fiber->idle_loads = 0;
  fiber->tls_destructor_count = 0;
  fiber->channel = nullptr;
  fiber->waits_for = nullptr;
  fiber->deadline = kNever;
  PrepareStack(fiber, &Machine::FiberMain);
  fiber->state = State::kRunnable;
  runnable_ |= fiber->bit;
  if (!daemon) ++live_;
  policy_->OnSpawn(id);
  if (asks_on_wake_) wake_pending_ = true;
  UpdateNextEvent();
  return id;
}

RunResult Machine::Run() {
  outcome_ = Outcome::kFinished;
  stopped_fiber_ = -1;
  faulted_ = false;
  InstallFaultHandlers();
  SyncModules();
  if (live_ > 0 && ++step_ >= crash_step_) {
    outcome_ = Outcome::kCrashed;
    std::snprintf(why_, sizeof why_, "crash at step %llu", static_cast<unsigned long long>(step_));
  } else if (live_ > 0) {
    home_fs_ = ReadFsBase();
    current_ = nullptr;
    const int first = policy_->PickThread(step_, -1, runnable_, PointKind::kHarness);
    Record(ChoiceKind::kThread, static_cast<uint32_t>(std::popcount(runnable_)),
           static_cast<uint32_t>(std::popcount(runnable_ & (fibers_[first].bit - 1))));
    next_ask_ = policy_->NextAsk(step_);
    UpdateNextEvent();
    current_ = &fibers_[first];
    cpr_sched_switch(&home_sp_, current_->sp, current_->fs);
  }
  if (outcome_ != Outcome::kFinished) {
    if (outcome_ != Outcome::kCrashed) CaptureStacks();
    AbandonAll();
  }
  policy_->OnEnd(step_);
  return {outcome_, step_, switches_, plain_accesses_, events_, yields_, idle_rounds_, hash_, tape_entries_};
}

void Machine::FiberMain() {
  Fiber* fiber = t_fiber;
  Machine* machine = fiber->machine;
  machine->StartFiber(fiber);
  try {
    fiber->body(fiber->argument);
  } catch (const std::exception& error) {
    char text[256];
    std::snprintf(text, sizeof text, "uncaught exception: %s", error.what());
    machine->Fail(text);
  } catch (...) {
    machine->Fail("uncaught exception that is no std::exception");
  }
  machine->EndFiber(fiber);
}

void Machine::StartFiber(Fiber* fiber) {
  t_arena = nullptr;
  ResetTls(modules_, fiber);
  std::memset(abi::__cxa_get_globals(), 0,
              sizeof(void*) + sizeof(unsigned));  // an abandoned fiber may have thrown
  fiber->poked = fiber->read_clock = false;
  t_arena = &arena_;
}

void Machine::EndFiber(Fiber* fiber) {
  while (fiber->tls_destructor_count > 0) {
    const Fiber::Destructor destructor = fiber->tls_destructors[--fiber->tls_destructor_count];
    destructor.function(destructor.object);
  }
  fiber->state = fiber->is_pthread && !fiber->detached ? State::kDone : State::kFree;
  runnable_ &= ~fiber->bit;
  if (!fiber->daemon) --live_;
  Mix(fiber, PointKind::kHarness, 0, 0);
  Notify(fiber);  // pthread_join waits on the fiber
  Poke(~fiber->bit);
  if (live_ == 0) Stop(Outcome::kFinished);
  PickNext(fiber, PointKind::kHarness);
  __builtin_unreachable();
}

void Machine::Stop(Outcome outcome) {
  outcome_ = outcome;
  Fiber* fiber = current_;
  current_ = nullptr;
  stopped_fiber_ = fiber->id;
  cpr_sched_switch(&fiber->sp, home_sp_, home_fs_);
  __builtin_unreachable();
}

void Machine::SwitchTo(Fiber* to) {
  Fiber* from = current_;
  if (to == from) return;
  from->last_step = step_;
  current_ = to;
  ++switches_;
  cpr_sched_switch(&from->sp, to->sp, to->fs);
}

void Machine::Observe(Fiber* fiber, PointKind kind, const void* object, uint64_t value) {
  if (CPR_LIKELY(observer_ == nullptr)) return;
  Arena* const saved = t_arena;
  t_arena = nullptr;
  observer_(observer_context_, fiber->id, kind, object, value);
  t_arena = saved;
}

void Machine::CheckLimits() {
  if (step_ >= crash_step_) {
    std::snprintf(why_, sizeof why_, "crash at step %llu", static_cast<unsigned long long>(step_));
    Stop(Outcome::kCrashed);
  }
  if (!half_seen_ && step_ >= step_limit_ / 2) {
    half_seen_ = true;
    yields_at_half_ = yields_;
  }
  if (step_ < step_limit_) return;
  const uint64_t yields = yields_ - yields_at_half_;
  const bool spinning = yields * kYieldDistance >= step_limit_ / 2;
  std::snprintf(why_, sizeof why_, "%llu steps without an end; %llu yields in the last half",
                static_cast<unsigned long long>(step_), static_cast<unsigned long long>(yields));
  Stop(spinning ? Outcome::kLivelock : Outcome::kStepLimit);
}

void Machine::SlowStep(Fiber* fiber, PointKind kind, const void* object, uint64_t value) {
  CheckLimits();
  Observe(fiber, kind, object, value);
  if (earliest_deadline_ <= now_ns()) WakeSleepers(false);
  if (step_ >= next_ask_ || wake_pending_) {
    AskThread(fiber, kind);
  } else {
    UpdateNextEvent();
  }
}

void Machine::UpdateNextEvent() {
  uint64_t next = next_ask_ < crash_step_ ? next_ask_ : crash_step_;
  const uint64_t limit = half_seen_ ? step_limit_ : step_limit_ / 2;
  if (limit < next) next = limit;
  if (earliest_deadline_ != kNever) {
    const uint64_t now = now_ns();
    const uint64_t wait =
        earliest_deadline_ <= now ? 1 : (earliest_deadline_ - now + kNsPerStep - 1) / kNsPerStep;
    if (step_ + wait < next) next = step_ + wait;
  }
  if (wake_pending_ || observer_ != nullptr) next = step_ + 1;
  next_event_ = next;
}

void Machine::CheckDivergence() {
  const char* why = policy_->divergence();
  if (CPR_LIKELY(why == nullptr) || current_ == nullptr) return;
  std::snprintf(why_, sizeof why_, "%s", why);
  Stop(Outcome::kDiverged);
}

void Machine::Record(ChoiceKind kind, uint32_t count, uint32_t value) {
  if (value == 0) return;
  if (tape_entries_ < tape_capacity_) {
    const uint16_t shown = static_cast<uint16_t>(count < 65535 ? count : 65535);
    tape_[tape_entries_] = {static_cast<uint32_t>(step_), static_cast<uint8_t>(kind), 0, shown, value};
  }
  ++tape_entries_;
}

namespace {

int Rank(int current, uint64_t runnable, int fiber) {
  const int place = (fiber - current) & 63;
  return std::popcount(std::rotr(runnable, current) & ((uint64_t{1} << place) - 1));
}

}  // namespace

void Machine::AskThread(Fiber* fiber, PointKind kind) {
  wake_pending_ = false;
  const int to = policy_->PickThread(step_, fiber->id, runnable_, kind);
  CheckDivergence();
  Record(ChoiceKind::kThread, static_cast<uint32_t>(std::popcount(runnable_)),
         static_cast<uint32_t>(Rank(fiber->id, runnable_, to)));
  next_ask_ = policy_->NextAsk(step_);
  UpdateNextEvent();
  SwitchTo(&fibers_[to]);
}

void Machine::PickNext(Fiber* fiber, PointKind kind) {
  if (earliest_deadline_ <= now_ns()) WakeSleepers(false);
  while (runnable_ == 0) {
    if (WakeSleepers(true)) continue;
    uint64_t again = 0;
    for (uint64_t rest = parked_; rest != 0; rest &= rest - 1) {
      const int id = std::countr_zero(rest);
      if (fibers_[id].read_clock) again |= fibers_[id].bit;
    }
    if (again != 0) {
      clock_base_ += kClockJump;
    } else if (parked_ != 0 && grace_ < kGraceRounds) {
      ++grace_;
      ++idle_rounds_;
      again = parked_;
    } else {
      std::snprintf(why_, sizeof why_, "no fiber can go on");
      Stop(Outcome::kDeadlock);
    }
    for (; again != 0; again &= again - 1) MakeRunnable(&fibers_[std::countr_zero(again)]);
  }
  ++step_;  // the pick has a step of its own on the tape
  CheckLimits();
  AskThread(fiber, kind);
}

void Machine::MakeRunnable(Fiber* fiber) {
  fiber->state = State::kRunnable;
  runnable_ |= fiber->bit;
  parked_ &= ~fiber->bit;
  wake_on_any_ &= ~fiber->bit;
  if (asks_on_wake_) {
    wake_pending_ = true;
    next_event_ = step_ + 1;
  }
}

void Machine::Poke(uint64_t fibers) {
  for (uint64_t rest = fibers & ((fiber_count_ == 64 ? 0 : uint64_t{1} << fiber_count_) - 1); rest != 0;
       rest &= rest - 1) {
    Fiber* fiber = &fibers_[std::countr_zero(rest)];
    fiber->poked = true;
    if (fiber->state == State::kParked) {
      grace_ = 0;
      MakeRunnable(fiber);
    }
  }
}

bool Machine::WakeSleepers(bool advance) {
  uint64_t now = now_ns();
  if (advance && earliest_deadline_ != kNever && earliest_deadline_ > now) {
    clock_base_ += earliest_deadline_ - now;
    now = earliest_deadline_;
  }
  bool woke = false;
  earliest_deadline_ = kNever;
  for (int i = 0; i < fiber_count_; ++i) {
    Fiber* fiber = &fibers_[i];
    if (fiber->state != State::kBlocked || fiber->deadline == kNever) continue;
    if (fiber->deadline <= now) {
      fiber->timed_out = true;
      fiber->deadline = kNever;
      MakeRunnable(fiber);
      woke = true;
    } else if (fiber->deadline < earliest_deadline_) {
      earliest_deadline_ = fiber->deadline;
    }
  }
  return woke;
}

void Machine::ForgetReads(Fiber* fiber) {
  if (fiber->read_any) {
    for (uint64_t& readers : readers_) readers &= ~fiber->bit;
  }
  fiber->read_any = fiber->poked = fiber->read_clock = false;
  wake_on_any_ &= ~fiber->bit;
}

void Machine::YieldOf(Fiber* fiber) {
  ++yields_;
  fiber->idle_loads = 0;
  Mix(fiber, PointKind::kYield, 0, 0);
  policy_->OnYield(fiber->id);
  if (fiber->poked) {
    next_ask_ = step_ + 1;
    UpdateNextEvent();
    Step(fiber, PointKind::kYield, nullptr, 0);
  } else {
    Observe(fiber, PointKind::kYield, nullptr, 0);
    fiber->state = State::kParked;
    runnable_ &= ~fiber->bit;
    parked_ |= fiber->bit;
    if (!fiber->read_any) wake_on_any_ |= fiber->bit;
    PickNext(fiber, PointKind::kYield);
  }
  ForgetReads(fiber);
}

// Not parked: a long scan by loads looks the same as spinning.
void Machine::SoftYield(Fiber* fiber) {
  fiber->idle_loads = 0;
  ++yields_;
  policy_->OnYield(fiber->id);
  next_ask_ = step_ + 1;
  UpdateNextEvent();
  Step(fiber, PointKind::kYield, nullptr, 0);
}

bool Machine::Block(const void* channel, const char* waits_for, uint64_t deadline) {
  Fiber* fiber = t_fiber;
  fiber->channel = channel;
  fiber->waits_for = waits_for;
  fiber->deadline = deadline;
  fiber->timed_out = false;
  if (deadline < earliest_deadline_) earliest_deadline_ = deadline;
  fiber->state = State::kBlocked;
  runnable_ &= ~fiber->bit;
  PickNext(fiber, PointKind::kLock);
  fiber->channel = nullptr;
  fiber->waits_for = nullptr;
  fiber->deadline = kNever;
  return !fiber->timed_out;
}

void Machine::Notify(const void* channel) {
  for (int i = 0; i < fiber_count_; ++i) {
    Fiber* fiber = &fibers_[i];
    if (fiber->state != State::kBlocked || fiber->channel != channel) continue;
    grace_ = 0;
    MakeRunnable(fiber);
  }
  if (wake_on_any_ != 0) Poke(wake_on_any_);
}

int Machine::WakeOne(const void* channel) {
  int waiting[kMaxFibers];
  int count = 0;
  for (int i = 0; i < fiber_count_; ++i) {
    if (fibers_[i].state == State::kBlocked && fibers_[i].channel == channel) waiting[count++] = i;
  }
  if (count == 0) return -1;
  const uint32_t pick = count == 1 ? 0 : Choose(ChoiceKind::kThread, static_cast<uint32_t>(count));
  grace_ = 0;
  MakeRunnable(&fibers_[waiting[pick]]);
  return waiting[pick];
}

}  // namespace faults::internal
