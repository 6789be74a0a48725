// What the parts of the libc shim share. Internal to faults/sched.
#pragma once

#include <dlfcn.h>
#include <time.h>

#include <cstdint>

#include "faults/sched/machine.h"

// libc's definition of a function that this file defines too.
#define CPR_REAL(name)                                                      \
  ([]() {                                                                   \
    static decltype(&::name) real = nullptr;                                \
    decltype(&::name) found = __atomic_load_n(&real, __ATOMIC_RELAXED);     \
    if (found == nullptr) {                                                 \
      found = reinterpret_cast<decltype(&::name)>(dlsym(RTLD_NEXT, #name)); \
      __atomic_store_n(&real, found, __ATOMIC_RELAXED);                     \
    }                                                                       \
    return found;                                                           \
  }())

namespace faults::internal {

constexpr uint64_t kNever = ~uint64_t{0};
constexpr uint64_t kRealtimeOffset =
    1'600'000'000'000'000'000;  // virtual CLOCK_REALTIME minus CLOCK_MONOTONIC

inline uint64_t ToNs(const timespec* t) {
  return static_cast<uint64_t>(t->tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t->tv_nsec);
}

inline uint64_t Deadline(clockid_t clock, const timespec* t) {
  const uint64_t ns = ToNs(t);
  return clock == CLOCK_REALTIME ? (ns > kRealtimeOffset ? ns - kRealtimeOffset : 0) : ns;
}

// The step of a lock operation: before it takes effect.
inline void LockStep(Fiber* fiber, void* object) {
  Machine* machine = fiber->machine;
  const uintptr_t address = reinterpret_cast<uintptr_t>(object);
  machine->Step(fiber, PointKind::kLock, object, 0);
  if (!OnOwnStack(fiber, address)) machine->Touch(fiber, address, true);
  machine->Mix(fiber, PointKind::kLock, machine->Name(address), 0);
}

}  // namespace faults::internal
