// What of libc would block, start threads or tell the time: modelled inside a fiber, libc's own elsewhere.
//
// This file: threads, time, system calls, initialisation of statics, the end of the process. Locks:
// libc_locks.cc.
#include "faults/sched/libc_shim.h"

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

#include "faults/sched/heap.h"
#include "faults/sched/machine.h"

using faults::PointKind;
using faults::internal::Deadline;
using faults::internal::Fiber;
using faults::internal::kNever;
using faults::internal::kRealtimeOffset;
using faults::internal::LockStep;
using faults::internal::Machine;
using faults::internal::State;
using faults::internal::t_fiber;
using faults::internal::ToNs;

namespace {

uint64_t NowNs(Fiber* fiber) {
  fiber->read_clock = true;
  return fiber->machine->now_ns();
}

void FillTime(uint64_t ns, timespec* t) {
  t->tv_sec = static_cast<time_t>(ns / 1'000'000'000);
  t->tv_nsec = static_cast<long>(ns % 1'000'000'000);
}

void Sleep(Fiber* fiber, uint64_t until) {
  fiber->machine->Step(fiber, PointKind::kYield, nullptr, 0);
  if (until > fiber->machine->now_ns()) fiber->machine->Block(nullptr, "sleep", until);
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

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*),
                   void* argument) noexcept {
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

void pthread_exit(void* result) {
  Fiber* self = t_fiber;
  if (self == nullptr) {
    CPR_REAL(pthread_exit)(result);
    __builtin_trap();
  }
  self->result = result;
  self->machine->ExitThread();  // unlike libc's, unwinds nothing
}

// libc's own values: 0 = not called, 2 = done.
int pthread_once(pthread_once_t* once, void (*routine)()) {
  Fiber* fiber = t_fiber;
  if (fiber == nullptr) return CPR_REAL(pthread_once)(once, routine);
  constexpr int kDone = 2, kRunning = 1;
  LockStep(fiber, once);
  while (*once == kRunning) fiber->machine->Block(once, "once", kNever);
  if (*once == kDone) return 0;
  *once = kRunning;
  try {
    routine();
  } catch (...) {
    *once = 0;
    fiber->machine->Notify(once);
    throw;
  }
  *once = kDone;
  fiber->machine->Notify(once);
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

// Function-local statics: byte 0 of the guard says initialised (the compiler tests it), byte 1 says in
// progress.
int __cxa_guard_acquire(uint64_t* guard) noexcept {
  volatile char* bytes = reinterpret_cast<volatile char*>(guard);
  if (bytes[0] != 0) return 0;
  Fiber* fiber = t_fiber;
  if (fiber != nullptr) LockStep(fiber, guard);
  while (__atomic_exchange_n(&bytes[1], char{1}, __ATOMIC_ACQ_REL) != 0) {
    if (fiber != nullptr)
      fiber->machine->Block(guard, "function-local static", kNever);
    else
      sched_yield();
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
