// Mutexes, condition variables and read-write locks: modelled inside a fiber, libc's own elsewhere.
//
// A lock in the subject's memory (arena, fiber stack, global of an instrumented library) is modelled in the
// memory of the object itself, stamped with the execution, so one that a crash left held is free in the next.
// A lock in the host's memory may be shared with other OS threads: the real one is tried, and the fiber waits
// while it is taken.
#include <pthread.h>

#include <cerrno>
#include <cstdint>

#include "faults/sched/libc_shim.h"
#include "faults/sched/machine.h"

using faults::internal::Deadline;
using faults::internal::Fiber;
using faults::internal::kNever;
using faults::internal::LockStep;
using faults::internal::Machine;
using faults::internal::t_fiber;

namespace {

// Laid over pthread_mutex_t: same places for `held`, and `kind`, which the static initialisers set.
struct Mutex {
  uint32_t execution_held;  // glibc's lock word: 0 = free; else the execution that took it
  uint32_t depth;
  int32_t owner;  // fiber + 1
  uint32_t unused;
  int32_t kind;
};
static_assert(sizeof(Mutex) <= sizeof(pthread_mutex_t));

struct RwLock {  // laid over pthread_rwlock_t, all zero when initialised
  uint32_t execution;
  int32_t readers;
  int32_t writer;  // fiber + 1
};
static_assert(sizeof(RwLock) <= sizeof(pthread_rwlock_t));

void LockChanged(Fiber* fiber, void* object) {
  fiber->machine->NoteWrite(fiber, fiber->machine->Name(reinterpret_cast<uintptr_t>(object)));
}

bool IsHeld(const Mutex* mutex, const Machine* machine) {
  return mutex->execution_held == machine->execution();
}

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

int TryLockHost(Fiber* fiber, pthread_mutex_t* m) {
  const int error = CPR_REAL(pthread_mutex_trylock)(m);
  if (error == 0) fiber->machine->NoteHostLock(m, true);
  return error;
}

// Taken by another fiber: wait for it here. Taken by another OS thread: wait there, it will not take long.
int LockHost(Fiber* fiber, pthread_mutex_t* m, uint64_t deadline) {
  for (;;) {
    const int error = TryLockHost(fiber, m);
    if (error != EBUSY) return error;
    if (fiber->machine->HoldsHostLock(m)) {
      if (!fiber->machine->Block(m, "mutex of the host", deadline)) return ETIMEDOUT;
      continue;
    }
    const int locked = CPR_REAL(pthread_mutex_lock)(m);
    if (locked == 0) fiber->machine->NoteHostLock(m, true);
    return locked;
  }
}

int LockUntil(Fiber* fiber, pthread_mutex_t* m, uint64_t deadline) {
  LockStep(fiber, m);
  if (!fiber->machine->OwnMemory(m)) return LockHost(fiber, m, deadline);
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
    if (error == 0) fiber->machine->NoteHostLock(m, false);
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
  if (lock->writer == fiber->id + 1)
    lock->writer = 0;
  else if (lock->readers > 0)
    --lock->readers;
  else
    fiber->machine->Fail("unlock of a read-write lock that is not held");
  LockChanged(fiber, l);
  fiber->machine->Notify(l);
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
  if (!fiber->machine->OwnMemory(m)) return TryLockHost(fiber, m);
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

#define CPR_RWLOCK(name, action) \
  int name(pthread_rwlock_t* l) noexcept { return t_fiber == nullptr ? CPR_REAL(name)(l) : action; }
CPR_RWLOCK(pthread_rwlock_rdlock, LockShared(t_fiber, l, true))
CPR_RWLOCK(pthread_rwlock_tryrdlock, LockShared(t_fiber, l, false))
CPR_RWLOCK(pthread_rwlock_wrlock, LockExclusive(t_fiber, l, true))
CPR_RWLOCK(pthread_rwlock_trywrlock, LockExclusive(t_fiber, l, false))
CPR_RWLOCK(pthread_rwlock_unlock, UnlockRw(t_fiber, l))
CPR_RWLOCK(pthread_rwlock_destroy, 0)
#undef CPR_RWLOCK

}  // extern "C"
