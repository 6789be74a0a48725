// What of libc would block, start threads or tell the time: modelled inside a fiber, libc's own elsewhere.
//
// A lock in the subject's memory (arena, fiber stack, global of an instrumented library) is modelled in the memory of
// the object itself, stamped with the execution, so one that a crash left held is free in the next. A lock in the
// host's memory may be shared with other OS threads: the real one is tried, and the fiber waits while it is taken.
// The first OS thread to call resolves libc's functions by dlsym.
#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "faults/sched/heap.h"
#include "faults/sched/machine.h"

using faults::PointKind;
using faults::internal::Fiber;
using faults::internal::Machine;
using faults::internal::State;
using faults::internal::t_fiber;

namespace {

constexpr uint64_t kNever = ~uint64_t{0};
constexpr uint64_t kRealtimeOffset = 1'600'000'000'000'000'000;  // virtual CLOCK_REALTIME minus CLOCK_MONOTONIC

// libc's definition of a function that this file defines too.
#define CPR_REAL(name)                                                              \
  ([]() {                                                                           \
    static decltype(&::name) real = nullptr;                                        \
    decltype(&::name) found = __atomic_load_n(&real, __ATOMIC_RELAXED);             \
    if (found == nullptr) {                                                         \
      found = reinterpret_cast<decltype(&::name)>(dlsym(RTLD_NEXT, #name));         \
      __atomic_store_n(&real, found, __ATOMIC_RELAXED);                             \
    }                                                                               \
    return found;                                                                   \
  }())

// Laid over pthread_mutex_t: same places for `held`, and `kind`, which the static initialisers set.
struct Mutex {
  uint32_t execution_held;  // glibc's lock word: 0 = free; else the execution that took it
  uint32_t depth;
  int32_t owner;            // fiber + 1
  uint32_t unused;
  int32_t kind;
};
static_assert(sizeof(Mutex) <= sizeof(pthread_mutex_t));

struct RwLock {             // laid over pthread_rwlock_t, all zero when initialised
  uint32_t execution;
  int32_t readers;
  int32_t writer;           // fiber + 1
};
static_assert(sizeof(RwLock) <= sizeof(pthread_rwlock_t));

uint64_t NowNs(Fiber* fiber) {
  fiber->read_clock = true;
  return fiber->machine->now_ns();
}

uint64_t ToNs(const timespec* t) {
  return static_cast<uint64_t>(t->tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t->tv_nsec);
}

uint64_t Deadline(clockid_t clock, const timespec* t) {
  const uint64_t ns = ToNs(t);
  return clock == CLOCK_REALTIME ? (ns > kRealtimeOffset ? ns - kRealtimeOffset : 0) : ns;
}

void FillTime(uint64_t ns, timespec* t) {
  t->tv_sec = static_cast<time_t>(ns / 1'000'000'000);
  t->tv_nsec = static_cast<long>(ns % 1'000'000'000);
}

void Sleep(Fiber* fiber, uint64_t until) {
  fiber->machine->Step(fiber, PointKind::kYield, nullptr, 0);
  if (until > fiber->machine->now_ns()) fiber->machine->Block(nullptr, "sleep", until);
}

// The step of a lock operation: before it takes effect.
void LockStep(Fiber* fiber, void* object) {
  Machine* machine = fiber->machine;
  const uintptr_t address = reinterpret_cast<uintptr_t>(object);
  machine->Step(fiber, PointKind::kLock, object, 0);
  if (!faults::internal::OnOwnStack(fiber, address)) machine->Touch(fiber, address, true);
  machine->Mix(fiber, PointKind::kLock, machine->Name(address), 0);
}

void LockChanged(Fiber* fiber, void* object) {
  fiber->machine->NoteWrite(fiber, fiber->machine->Name(reinterpret_cast<uintptr_t>(object)));
}

bool IsHeld(const Mutex* mutex, const Machine* machine) { return mutex->execution_held == machine->execution(); }

int TryLock(Fiber* fiber, Mutex* mutex) {
  if (IsHeld(mutex, fiber->machine)) {
    if (mutex->owner == fiber->id + 1 && (mutex->kind & 3) == PTHREAD_MUTEX_RECURSIVE) {
      ++mutex->depth;
      return 0;
    }
    fiber->machine->NoteRead(fiber, fiber->machine->Name(reinterpret_cast<uintptr_t>(mutex)));
    return EBUSY;
  }
  mutex->execution_held = fiber->machine->execution();
  mutex->depth = 1;
  mutex->owner = fiber->id + 1;
  LockChanged(fiber, mutex);
  return 0;
}

int LockUntil(Fiber* fiber, pthread_mutex_t* m, uint64_t deadline) {
  LockStep(fiber, m);
  if (!fiber->machine->OwnMemory(m)) {
    int error;
    while ((error = CPR_REAL(pthread_mutex_trylock)(m)) == EBUSY) {
      if (!fiber->machine->Block(m, "mutex of the host", deadline)) return ETIMEDOUT;
    }
    return error;
  }
  Mutex* mutex = reinterpret_cast<Mutex*>(m);
  while (TryLock(fiber, mutex) != 0) {
    if (mutex->owner == fiber->id + 1 && (mutex->kind & 3) == PTHREAD_MUTEX_ERRORCHECK) return EDEADLK;
    if (!fiber->machine->Block(m, "mutex", deadline)) return ETIMEDOUT;
  }
  return 0;
}

int Unlock(Fiber* fiber, pthread_mutex_t* m) {
  if (!fiber->machine->OwnMemory(m)) {
    const int error = CPR_REAL(pthread_mutex_unlock)(m);
    fiber->machine->Notify(m);
    return error;
  }
  Mutex* mutex = reinterpret_cast<Mutex*>(m);
  if (!IsHeld(mutex, fiber->machine) || mutex->owner != fiber->id + 1) {
    if ((mutex->kind & 3) != PTHREAD_MUTEX_NORMAL) return EPERM;
    fiber->machine->Fail("unlock of a mutex that this thread does not hold");
  }
  if (--mutex->depth > 0) return 0;
  mutex->execution_held = 0;
  mutex->owner = 0;
  LockChanged(fiber, m);
  fiber->machine->Notify(m);
  return 0;
}

// The unlock and the wait are one: no step between them.
int WaitOn(Fiber* fiber, pthread_cond_t* c, pthread_mutex_t* m, uint64_t deadline) {
  LockStep(fiber, c);
  const int error = Unlock(fiber, m);
  if (error != 0) return error;
  const bool woken = fiber->machine->Block(c, "condition variable", deadline);
  LockUntil(fiber, m, kNever);
  return woken ? 0 : ETIMEDOUT;
}

RwLock* Fresh(Fiber* fiber, pthread_rwlock_t* l) {
  RwLock* lock = reinterpret_cast<RwLock*>(l);
  if (lock->execution != fiber->machine->execution()) *lock = {fiber->machine->execution(), 0, 0};
  return lock;
}

int LockShared(Fiber* fiber, pthread_rwlock_t* l, bool wait) {
  LockStep(fiber, l);
  RwLock* lock = Fresh(fiber, l);
  while (lock->writer != 0) {
    if (!wait) return EBUSY;
    fiber->machine->Block(l, "shared lock", kNever);
  }
  ++lock->readers;
  LockChanged(fiber, l);
  return 0;
}

int LockExclusive(Fiber* fiber, pthread_rwlock_t* l, bool wait) {
  LockStep(fiber, l);
  RwLock* lock = Fresh(fiber, l);
  while (lock->writer != 0 || lock->readers != 0) {
    if (!wait) return EBUSY;
    fiber->machine->Block(l, "exclusive lock", kNever);
  }
  lock->writer = fiber->id + 1;
  LockChanged(fiber, l);
  return 0;
}

int UnlockRw(Fiber* fiber, pthread_rwlock_t* l) {
  LockStep(fiber, l);
  RwLock* lock = Fresh(fiber, l);
  if (lock->writer == fiber->id + 1) lock->writer = 0;
  else if (lock->readers > 0) --lock->readers;
  else fiber->machine->Fail("unlock of a read-write lock that is not held");
  LockChanged(fiber, l);
  fiber->machine->Notify(l);
  return 0;
}

void ThreadBody(void* argument) {
  Fiber* fiber = static_cast<Fiber*>(argument);
  fiber->result = fiber->routine(fiber->argument_of_routine);
}

long RawSyscall(long n, const long* a) {
  long result;
  register long r10 asm("r10") = a[3];
  register long r8 asm("r8") = a[4];
  register long r9 asm("r9") = a[5];
  asm volatile("syscall"
               : "=a"(result)
               : "a"(n), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  if (result < 0 && result > -4096) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
}

long Futex(Fiber* fiber, const long* a) {
  uint32_t* word = reinterpret_cast<uint32_t*>(a[0]);
  const int operation = static_cast<int>(a[1]) & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
  const bool wait = operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET;
  const bool wake = operation == FUTEX_WAKE || operation == FUTEX_WAKE_BITSET;
  if (!wait && !wake) fiber->machine->Fail("futex operation that is not modelled");
  LockStep(fiber, word);
  if (wake) {
    long woken = 0;
    while (woken < a[2] && fiber->machine->WakeOne(word) >= 0) ++woken;
    return woken;
  }
  if (*word != static_cast<uint32_t>(a[2])) {
    errno = EAGAIN;
    return -1;
  }
  uint64_t deadline = kNever;
  if (const timespec* t = reinterpret_cast<const timespec*>(a[3]); t != nullptr) {
    deadline = operation == FUTEX_WAIT ? fiber->machine->now_ns() + ToNs(t) : Deadline(CLOCK_MONOTONIC, t);
    if (a[1] & FUTEX_CLOCK_REALTIME) deadline = Deadline(CLOCK_REALTIME, t);
  }
  if (fiber->machine->Block(word, "futex", deadline)) return 0;
  errno = ETIMEDOUT;
  return -1;
}

long Membarrier(Fiber* fiber, long command) {
  constexpr long kQuery = 0, kSupported = 1 | 1 << 3 | 1 << 4;  // global, private expedited, its registration
  if (command == kQuery) return kSupported;
  fiber->machine->Step(fiber, PointKind::kFence, nullptr, 0);
  fiber->machine->Mix(fiber, PointKind::kFence, 1, 0);
  return 0;
}

}  // namespace

extern "C" {

int pthread_mutex_init(pthread_mutex_t* m, const pthread_mutexattr_t* a) noexcept {
  return CPR_REAL(pthread_mutex_init)(m, a);
}

int pthread_mutex_destroy(pthread_mutex_t* m) noexcept {
  Fiber* fiber = t_fiber;
  if (fiber == nullptr || !fiber->machine->OwnMemory(m)) return CPR_REAL(pthread_mutex_destroy)(m);
  return IsHeld(reinterpret_cast<Mutex*>(m), fiber->machine) ? EBUSY : 0;
}

int pthread_mutex_lock(pthread_mutex_t* m) noexcept {
  return t_fiber == nullptr ? CPR_REAL(pthread_mutex_lock)(m) : LockUntil(t_fiber, m, kNever);
}

int pthread_mutex_timedlock(pthread_mutex_t* m, const timespec* t) noexcept {
  if (t_fiber == nullptr) return CPR_REAL(pthread_mutex_timedlock)(m, t);
  return LockUntil(t_fiber, m, Deadline(CLOCK_REALTIME, t));
}

int pthread_mutex_clocklock(pthread_mutex_t* m, clockid_t clock, const timespec* t) noexcept {
  if (t_fiber == nullptr) return CPR_REAL(pthread_mutex_clocklock)(m, clock, t);
  return LockUntil(t_fiber, m, Deadline(clock, t));
}

int pthread_mutex_trylock(pthread_mutex_t* m) noexcept {
  Fiber* fiber = t_fiber;
  if (fiber == nullptr) return CPR_REAL(pthread_mutex_trylock)(m);
  LockStep(fiber, m);
  if (!fiber->machine->OwnMemory(m)) return CPR_REAL(pthread_mutex_trylock)(m);
  return TryLock(fiber, reinterpret_cast<Mutex*>(m));
}

int pthread_mutex_unlock(pthread_mutex_t* m) noexcept {
  Fiber* fiber = t_fiber;
  if (fiber == nullptr) return CPR_REAL(pthread_mutex_unlock)(m);
  LockStep(fiber, m);
  return Unlock(fiber, m);
}

int pthread_cond_wait(pthread_cond_t* c, pthread_mutex_t* m) {
  return t_fiber == nullptr ? CPR_REAL(pthread_cond_wait)(c, m) : WaitOn(t_fiber, c, m, kNever);
}

int pthread_cond_timedwait(pthread_cond_t* c, pthread_mutex_t* m, const timespec* t) {
  if (t_fiber == nullptr) return CPR_REAL(pthread_cond_timedwait)(c, m, t);
  return WaitOn(t_fiber, c, m, Deadline(CLOCK_REALTIME, t));
}

int pthread_cond_clockwait(pthread_cond_t* c, pthread_mutex_t* m, clockid_t clock, const timespec* t) {
  if (t_fiber == nullptr) return CPR_REAL(pthread_cond_clockwait)(c, m, clock, t);
  return WaitOn(t_fiber, c, m, Deadline(clock, t));
}

int pthread_cond_signal(pthread_cond_t* c) noexcept {
  if (t_fiber == nullptr) return CPR_REAL(pthread_cond_signal)(c);
  LockStep(t_fiber, c);
  t_fiber->machine->WakeOne(c);
  return 0;
}

int pthread_cond_broadcast(pthread_cond_t* c) noexcept {
  if (t_fiber == nullptr) return CPR_REAL(pthread_cond_broadcast)(c);
  LockStep(t_fiber, c);
  t_fiber->machine->Notify(c);
  return 0;
}

int pthread_cond_destroy(pthread_cond_t* c) noexcept {
  return t_fiber == nullptr ? CPR_REAL(pthread_cond_destroy)(c) : 0;
}

#define CPR_RWLOCK(name, action)                                              \
  int name(pthread_rwlock_t* l) noexcept {                                    \
    return t_fiber == nullptr ? CPR_REAL(name)(l) : action;                   \
  }
CPR_RWLOCK(pthread_rwlock_rdlock, LockShared(t_fiber, l, true))
CPR_RWLOCK(pthread_rwlock_tryrdlock, LockShared(t_fiber, l, false))
CPR_RWLOCK(pthread_rwlock_wrlock, LockExclusive(t_fiber, l, true))
CPR_RWLOCK(pthread_rwlock_trywrlock, LockExclusive(t_fiber, l, false))
CPR_RWLOCK(pthread_rwlock_unlock, UnlockRw(t_fiber, l))
CPR_RWLOCK(pthread_rwlock_destroy, 0)
#undef CPR_RWLOCK

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*), void* argument) noexcept {
  Fiber* self = t_fiber;
  if (self == nullptr) return CPR_REAL(pthread_create)(thread, attributes, routine, argument);
  Machine* machine = self->machine;
  Fiber* fiber = machine->SpawnThread(ThreadBody, routine, argument);
  if (fiber == nullptr) return EAGAIN;
  int state = PTHREAD_CREATE_JOINABLE;
  if (attributes != nullptr) pthread_attr_getdetachstate(attributes, &state);
  fiber->detached = state == PTHREAD_CREATE_DETACHED;
  *thread = fiber->carrier;  // what pthread_self returns there
  machine->Step(self, PointKind::kLock, nullptr, 0);
  return 0;
}

int pthread_join(pthread_t thread, void** result) {
  Fiber* self = t_fiber;
  if (self == nullptr) return CPR_REAL(pthread_join)(thread, result);
  Fiber* fiber = self->machine->FiberOfCarrier(thread);
  if (fiber == nullptr || !fiber->is_pthread || fiber->detached) return EINVAL;
  if (fiber == self) return EDEADLK;
  self->machine->Step(self, PointKind::kLock, nullptr, 0);
  while (fiber->state != State::kDone) self->machine->Block(fiber, "join", kNever);
  if (result != nullptr) *result = fiber->result;
  self->machine->ReleaseSlot(fiber);
  return 0;
}

int pthread_detach(pthread_t thread) noexcept {
  Fiber* self = t_fiber;
  if (self == nullptr) return CPR_REAL(pthread_detach)(thread);
  Fiber* fiber = self->machine->FiberOfCarrier(thread);
  if (fiber == nullptr || !fiber->is_pthread || fiber->detached) return EINVAL;
  fiber->detached = true;
  self->machine->ReleaseSlot(fiber);
  return 0;
}

int sched_yield() noexcept {
  if (t_fiber == nullptr) return static_cast<int>(RawSyscall(SYS_sched_yield, (const long[6]){}));
  t_fiber->machine->YieldOf(t_fiber);
  return 0;
}

int clock_nanosleep(clockid_t clock, int flags, const timespec* request, timespec* remain) {
  Fiber* fiber = t_fiber;
  if (fiber == nullptr) return CPR_REAL(clock_nanosleep)(clock, flags, request, remain);
  const bool absolute = (flags & TIMER_ABSTIME) != 0;
  Sleep(fiber, absolute ? Deadline(clock, request) : fiber->machine->now_ns() + ToNs(request));
  return 0;
}

int nanosleep(const timespec* request, timespec* remain) {
  if (t_fiber == nullptr) return CPR_REAL(nanosleep)(request, remain);
  Sleep(t_fiber, t_fiber->machine->now_ns() + ToNs(request));
  return 0;
}

int usleep(useconds_t us) {
  if (t_fiber == nullptr) return CPR_REAL(usleep)(us);
  Sleep(t_fiber, t_fiber->machine->now_ns() + uint64_t{us} * 1000);
  return 0;
}

unsigned sleep(unsigned seconds) {
  if (t_fiber == nullptr) return CPR_REAL(sleep)(seconds);
  Sleep(t_fiber, t_fiber->machine->now_ns() + uint64_t{seconds} * 1'000'000'000);
  return 0;
}

int clock_gettime(clockid_t clock, timespec* t) noexcept {
  if (t_fiber == nullptr) return CPR_REAL(clock_gettime)(clock, t);
  const bool real = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
  FillTime(NowNs(t_fiber) + (real ? kRealtimeOffset : 0), t);
  return 0;
}

int gettimeofday(timeval* t, void* zone) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  t->tv_sec = now.tv_sec;
  t->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* t) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (t != nullptr) *t = now.tv_sec;
  return now.tv_sec;
}

long syscall(long n, ...) noexcept {
  long a[6];
  va_list list;
  va_start(list, n);
  for (long& x : a) x = va_arg(list, long);
  va_end(list);
  if (Fiber* fiber = t_fiber; fiber != nullptr) {
    if (n == SYS_membarrier) return Membarrier(fiber, a[0]);
    if (n == SYS_futex) return Futex(fiber, a);
    if (n == SYS_sched_yield) return sched_yield();
  }
  return RawSyscall(n, a);
}

void abort() noexcept {
  if (t_fiber != nullptr) t_fiber->machine->Fail("abort() called");
  CPR_REAL(abort)();
  __builtin_trap();
}

void __assert_fail(const char* assertion, const char* file, unsigned line, const char* function) noexcept {
  char text[400];
  std::snprintf(text, sizeof text, "%s:%u: %s: assertion '%s' failed", file, line, function, assertion);
  if (t_fiber != nullptr) t_fiber->machine->Fail(text);
  std::fprintf(stderr, "%s\n", text);
  abort();
}

// Thread-local objects of the subject die with their fiber; others with the carrier.
int __cxa_thread_atexit_impl(void (*destructor)(void*), void* object, void* dso) noexcept;
int __cxa_thread_atexit(void (*destructor)(void*), void* object, void* dso) noexcept {
  Fiber* fiber = t_fiber;
  if (fiber != nullptr && fiber->machine->OwnMemory(dso)) {
    if (fiber->tls_destructor_count == faults::internal::kMaxTlsDestructors) {
      fiber->machine->Fail("too many thread_local objects with destructors");
    }
    fiber->tls_destructors[fiber->tls_destructor_count++] = {destructor, object};
    return 0;
  }
  faults::HostHeap host;
  return __cxa_thread_atexit_impl(destructor, object, dso);
}

// Function-local statics: byte 0 of the guard says initialised (the compiler tests it), byte 1 says in progress.
int __cxa_guard_acquire(uint64_t* guard) noexcept {
  volatile char* bytes = reinterpret_cast<volatile char*>(guard);
  if (bytes[0] != 0) return 0;
  Fiber* fiber = t_fiber;
  if (fiber != nullptr) LockStep(fiber, guard);
  while (__atomic_exchange_n(&bytes[1], char{1}, __ATOMIC_ACQ_REL) != 0) {
    if (fiber != nullptr) fiber->machine->Block(guard, "function-local static", kNever);
    else sched_yield();
    if (bytes[0] != 0) return 0;
  }
  if (bytes[0] == 0) return 1;
  bytes[1] = 0;
  return 0;
}

void __cxa_guard_release(uint64_t* guard) noexcept {
  volatile char* bytes = reinterpret_cast<volatile char*>(guard);
  __atomic_store_n(&bytes[0], char{1}, __ATOMIC_RELEASE);
  __atomic_store_n(&bytes[1], char{0}, __ATOMIC_RELEASE);
  if (t_fiber != nullptr) t_fiber->machine->Notify(guard);
}

void __cxa_guard_abort(uint64_t* guard) noexcept {
  volatile char* bytes = reinterpret_cast<volatile char*>(guard);
  __atomic_store_n(&bytes[1], char{0}, __ATOMIC_RELEASE);
  if (t_fiber != nullptr) t_fiber->machine->Notify(guard);
}

}  // extern "C"
