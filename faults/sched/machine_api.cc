// Machine: set-up, what code inside fibers calls, and which memory is which.
#include <sys/mman.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "faults/sched/heap.h"
#include "faults/sched/machine.h"

namespace faults {

HostHeap::HostHeap() : saved_(internal::t_arena) { internal::t_arena = nullptr; }
HostHeap::~HostHeap() { internal::t_arena = static_cast<internal::Arena*>(saved_); }

const char* OutcomeName(Outcome outcome) {
  static constexpr const char* kNames[] = {"finished",   "crashed", "deadlock", "livelock",
                                           "step-limit", "failed",  "diverged"};
  return kNames[static_cast<int>(outcome)];
}

const char* PointKindName(PointKind kind) {
  static constexpr const char* kNames[] = {"load",        "store",       "rmw",     "cas",   "fence",
                                           "plain-read",  "plain-write", "yield",   "lock",  "io-submit",
                                           "io-complete", "io-sync",     "io-meta", "phase", "harness"};
  return kNames[static_cast<int>(kind)];
}

const char* ChoiceKindName(ChoiceKind kind) {
  static constexpr const char* kNames[] = {"thread",      "cas-failure", "io-pick",    "io-fate",
                                           "sector-fate", "crash",       "reads-from", "harness"};
  return static_cast<int>(kind) < kChoiceKinds ? kNames[static_cast<int>(kind)] : "unknown";
}

}  // namespace faults

namespace faults::internal {
namespace {

std::atomic<uint64_t> g_slots{0};  // taken

int TakeSlot() {
  uint64_t taken = g_slots.load();
  for (;;) {
    if (taken == ~uint64_t{0}) return -1;
    const int slot = std::countr_one(taken);
    if (g_slots.compare_exchange_weak(taken, taken | uint64_t{1} << slot)) return slot;
  }
}

}  // namespace

bool Machine::Initialize(int max_fibers, size_t stack_bytes) {
  stack_bytes = (stack_bytes + 4095) & ~size_t{4095};
  const size_t pitch = stack_bytes + kGuardBytes;
  if (max_fibers < 1 || max_fibers > kMaxFibers || pitch * static_cast<size_t>(max_fibers) > kArenaLimit) {
    std::fprintf(stderr, "scheduler: %d fibers with stacks of %zu bytes: want 1 to 64 fibers, 2 GiB in all\n",
                 max_fibers, stack_bytes);
    return false;
  }
  if (!CanSwitchFsBase()) {
    std::fprintf(stderr, "scheduler: this kernel or processor does not allow wrfsbase in user space\n");
    return false;
  }
  slot_ = TakeSlot();
  if (slot_ < 0) {
    std::fprintf(stderr, "scheduler: more than %d schedulers in one process\n", kSlots);
    return false;
  }
  if (!arena_.Map(slot_, this)) {
    g_slots.fetch_and(~(uint64_t{1} << slot_));
    slot_ = -1;
    return false;
  }
  arena_base_ = arena_.base();
  shadow_ = arena_.shadow();
  fibers_ = new Fiber[static_cast<size_t>(max_fibers)];
  for (int i = 0; i < max_fibers; ++i) {
    Fiber* fiber = &fibers_[i];
    fiber->machine = this;
    fiber->id = i;
    fiber->bit = uint64_t{1} << i;
    fiber->stack_low = arena_base_ + kArenaLimit + static_cast<size_t>(i) * pitch + kGuardBytes;
    fiber->stack_bytes = stack_bytes;
    void* stack = reinterpret_cast<void*>(fiber->stack_low);
    if (mprotect(stack, stack_bytes, PROT_READ | PROT_WRITE) != 0 || !StartCarrier(fiber)) {
      std::fprintf(stderr, "scheduler: cannot make fiber %d: %s\n", i, std::strerror(errno));
      return false;
    }
    fiber_count_ = i + 1;
  }
  return true;
}

Machine::~Machine() {
  for (int i = 0; i < fiber_count_; ++i) StopCarrier(&fibers_[i]);
  delete[] fibers_;
  for (int i = 0; i < kMaxModules; ++i) {
    if (module_shadow_[i] != nullptr) munmap(module_shadow_[i], module_shadow_bytes_[i]);
  }
  std::free(explanation_);
  if (slot_ < 0) return;
  arena_.Unmap();
  g_slots.fetch_and(~(uint64_t{1} << slot_));
}

void Machine::SyncModules() {
  if (modules_.generation == ModuleGeneration()) return;
  ReadModules(&modules_);
  for (int i = 0; i < kMaxModules; ++i) {
    if (module_shadow_[i] != nullptr) munmap(module_shadow_[i], module_shadow_bytes_[i]);
    module_shadow_[i] = nullptr;
    if (i >= modules_.count || modules_.modules[i].data_high == 0) continue;
    const size_t bytes = ((modules_.modules[i].data_high - modules_.modules[i].data_low) / 8 + 2) * 4;
    void* map = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
      std::fprintf(stderr, "scheduler: no memory for the shadow of a library: %s\n", std::strerror(errno));
      std::abort();
    }
    module_shadow_[i] = static_cast<uint32_t*>(map);
    module_shadow_bytes_[i] = bytes;
  }
}

void Machine::ClearModuleShadows() {
  for (int i = 0; i < modules_.count; ++i) {
    if (module_shadow_[i] != nullptr) madvise(module_shadow_[i], module_shadow_bytes_[i], MADV_DONTNEED);
  }
}

// ---- calls from inside fibers ----

void Machine::Point(PointKind kind, const void* object, uint64_t value) {
  Fiber* fiber = t_fiber;
  if (fiber == nullptr || fiber->machine != this) return;
  if (IsInteresting(kind)) {
    if (events_++ == crash_event_) {
      std::snprintf(why_, sizeof why_, "crash at event %llu (%s)",
                    static_cast<unsigned long long>(crash_event_), PointKindName(kind));
      Stop(Outcome::kCrashed);
    }
  }
  Step(fiber, kind, object, value);
  Mix(fiber, kind, object == nullptr ? 0 : Name(reinterpret_cast<uintptr_t>(object)), ValueName(value));
  fiber->idle_loads = 0;
  if (kind > PointKind::kIoSubmit && parked_ != 0) Poke(parked_ & ~fiber->bit);
  if (kind > PointKind::kIoSubmit) Poke(runnable_ & ~fiber->bit);
}

uint32_t Machine::Choose(ChoiceKind kind, uint32_t count) {
  if (count <= 1) return 0;
  ++step_;
  const uint32_t value = policy_->Choose(step_, kind, count);
  CheckDivergence();
  Record(kind, count, value);
  Mix(t_fiber == nullptr ? 63 : t_fiber->id, PointKind::kHarness, static_cast<uint64_t>(kind), value);
  return value;
}

void Machine::Yield() {
  if (t_fiber != nullptr) YieldOf(t_fiber);
}

void Machine::Wait(const void* channel) {
  Fiber* fiber = t_fiber;
  if (fiber == nullptr) return;
  Mix(fiber, PointKind::kLock, 1, 0);
  Observe(fiber, PointKind::kLock, channel, 0);
  Block(channel, "channel", ~uint64_t{0});
}

void Machine::Crash() {
  if (t_fiber == nullptr) {
    std::fprintf(stderr, "scheduler: Crash() outside a fiber\n");
    std::abort();
  }
  std::snprintf(why_, sizeof why_, "crash asked for at step %llu", static_cast<unsigned long long>(step_));
  Stop(Outcome::kCrashed);
}

void Machine::Fail(const char* why) {
  if (t_fiber == nullptr) {
    std::fprintf(stderr, "scheduler: Fail() outside a fiber: %s\n", why);
    std::abort();
  }
  std::snprintf(why_, sizeof why_, "%s", why);
  Stop(Outcome::kFailed);
}

int Machine::current_fiber() const { return t_fiber == nullptr ? -1 : t_fiber->id; }

const char* Machine::fiber_name(int fiber) const {
  return fiber >= 0 && fiber < fiber_count_ ? fibers_[fiber].name : "none";
}

void Machine::set_observer(void (*on_point)(void*, int, PointKind, const void*, uint64_t), void* context) {
  observer_ = on_point;
  observer_context_ = context;
  UpdateNextEvent();
}

Fiber* Machine::FiberOfCarrier(pthread_t carrier) {
  for (int i = 0; i < fiber_count_; ++i) {
    if (pthread_equal(fibers_[i].carrier, carrier)) return &fibers_[i];
  }
  return nullptr;
}

Fiber* Machine::SpawnThread(void (*body)(void*), void* (*routine)(void*), void* argument) {
  int free = 0;
  for (int i = 0; i < fiber_count_; ++i) free += fibers_[i].state == State::kFree;
  if (free == 0) return nullptr;
  char name[sizeof Fiber::name];
  std::snprintf(name, sizeof name, "thread of %.32s", t_fiber->name);
  Fiber* fiber = &fibers_[Spawn(body, nullptr, name, t_fiber->daemon)];
  fiber->argument = fiber;
  fiber->is_pthread = true;
  fiber->routine = routine;
  fiber->argument_of_routine = argument;
  return fiber;
}

void Machine::NoteHostLock(pthread_mutex_t* mutex, bool held) {
  for (pthread_mutex_t*& entry : host_locks_) {
    if (entry != (held ? nullptr : mutex)) continue;
    entry = held ? mutex : nullptr;
    return;
  }
  if (held) Fail("fibers hold more locks of the host than the scheduler can note");
}

bool Machine::HoldsHostLock(const pthread_mutex_t* mutex) const {
  for (const pthread_mutex_t* entry : host_locks_) {
    if (entry == mutex) return true;
  }
  return false;
}

void Machine::ReleaseSlot(Fiber* fiber) {
  if (fiber->state == State::kDone) fiber->state = State::kFree;
}

// ---- memory ----

uint64_t Machine::OtherName(uintptr_t address) const {
  const uintptr_t offset = address - arena_base_ - kArenaLimit;
  if (offset < kSlotBytes - kArenaLimit) return kStackName | offset;
  for (int i = 0; i < modules_.count; ++i) {
    const Module& module = modules_.modules[i];
    if (address >= module.low && address < module.high) {
      return kModuleName | static_cast<uint64_t>(i) << 40 | (address - module.low);
    }
  }
  return kForeign;
}

uint64_t Machine::PointerName(uint64_t value) const {
  if (value - arena_base_ < kSlotBytes) return Name(value);
  const uint64_t name = OtherName(value);
  return name != kForeign || value >= 0x500000000000 ? name : value;
}

bool Machine::OwnMemory(const void* address) const {
  const uintptr_t a = reinterpret_cast<uintptr_t>(address);
  return a - arena_base_ < kSlotBytes || OtherName(a) != kForeign;
}

bool Machine::SlowTouch(Fiber* fiber, uintptr_t address, bool write) {
  const uintptr_t offset = address - arena_base_;
  if (offset < arena_bytes_) return Transition(fiber, &shadow_[offset / 8], address, write);
  if (offset < kArenaLimit) BadAccess(0, address, write);
  if (offset < kSlotBytes) return !OnOwnStack(fiber, address);
  for (int i = 0; i < modules_.count; ++i) {
    const Module& module = modules_.modules[i];
    if (fiber->tls_blocks[i] != nullptr &&
        address - reinterpret_cast<uintptr_t>(fiber->tls_blocks[i]) < module.tls_bytes) {
      return false;
    }
    if (address >= module.data_low && address < module.data_high) {
      return Transition(fiber, &module_shadow_[i][(address - (module.data_low & ~uintptr_t{7})) / 8], address,
                        write);
    }
    if (address >= module.low && address < module.high) return false;  // constants
  }
  return true;  // the host's memory: shared as far as we know
}

// First touch by this fiber, first by a second one, or a bad access.
bool Machine::Transition(Fiber* fiber, uint32_t* word, uintptr_t address, bool write) {
  const uint32_t was = *word;
  if (was >> 16 != arena_.generation()) {
    if (address - arena_base_ < arena_bytes_ && address - arena_base_ >= arena_.used())
      BadAccess(0, address, write);
    *word = fiber->private_tag;
    return false;
  }
  const uint32_t state = was & 0xff;
  if (state == kFreed || state == kRedZone) BadAccess(was, address, write);
  if (was == fiber->private_tag) return false;
  if (state == kShared) return true;
  // What its first fiber read here went unnoted as long as it was private: assume it did read.
  Fiber* owner = FiberOfOwner((was >> 8) & 0xff);
  *word = shared_tag_;
  if (owner == nullptr) return true;
  if (write) {
    Poke(owner->bit);
  } else {
    readers_[ReadSlot(Name(address))] |= owner->bit;
    owner->read_any = true;
  }
  return true;
}

void Machine::PlainRange(Fiber* fiber, uintptr_t address, size_t bytes, bool write) {
  const uintptr_t end = address + bytes;
  if (address - arena_base_ < arena_bytes_ &&
      end <= arena_base_ + arena_.used()) {  // the part no other touched
    const uint32_t old = arena_.generation();
    uint32_t* word = &shadow_[(address - arena_base_) / 8];
    for (; address < end && (*word == fiber->private_tag || *word >> 16 != old); ++word) {
      *word = fiber->private_tag;
      ++plain_accesses_;
      address = (address & ~uintptr_t{7}) + 8;
    }
  }
  bool first = true;  // one step for the whole range: the compiler's code copies it in one go
  for (uintptr_t at = address; at < end; at = (at & ~uintptr_t{7}) + 8) {
    ++plain_accesses_;
    if (!Touch(fiber, at, write)) continue;
    if (first) {
      PlainShared(fiber, at, write);
      first = false;
    } else if (write) {
      NoteWrite(fiber, Name(at));
    } else {
      NoteRead(fiber, Name(at));
    }
  }
}

Fiber* Machine::FiberOfOwner(uint32_t owner) const {
  for (int i = 0; i < fiber_count_; ++i) {
    if (fibers_[i].owner == owner) return &fibers_[i];
  }
  return nullptr;
}

void Machine::BadAccess(uint32_t word, uintptr_t address, bool write) {
  char text[256];
  const char* access = write ? "write" : "read";
  size_t ordinal = 0, size = 0, offset = 0;
  if (!arena_.Describe(address, &ordinal, &size, &offset)) {
    std::snprintf(text, sizeof text, "%s of heap memory that was never allocated (arena offset %zu)", access,
                  static_cast<size_t>(address - arena_base_));
  } else if ((word & 0xff) == kFreed) {
    const uint32_t by = (word >> 8) & 0xff;
    const Fiber* fiber = FiberOfOwner(by);
    std::snprintf(text, sizeof text,
                  "use after free: %s at offset %zu of allocation %zu (%zu bytes), freed by %s", access,
                  offset, ordinal, size,
                  by == 0            ? "the host"
                  : fiber == nullptr ? "a fiber that ended"
                                     : fiber->name);
  } else {
    std::snprintf(text, sizeof text, "heap overflow: %s in the red zone of allocation %zu (%zu bytes)",
                  access, ordinal, size);
  }
  Fail(text);
}

}  // namespace faults::internal
