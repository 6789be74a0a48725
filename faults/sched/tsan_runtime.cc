// The compiler's thread-sanitizer hooks, ours instead of libtsan's: this file knows the compiler's ABI.
//
// Every atomic operation is performed here, so that the scheduler decides when. Inside a fiber one OS thread
// runs all fibers of a subject, hence plain machine operations are sequentially consistent; outside fibers
// the operation is performed with full ordering. Must not be compiled with -fsanitize=thread itself.
#include <cstdint>
#include <cstring>

#include "faults/sched/machine.h"

using faults::ChoiceKind;
using faults::PointKind;
using faults::internal::Fiber;
using faults::internal::Machine;
using faults::internal::OnOwnStack;
using faults::internal::t_fiber;

namespace {

using Uint128 = unsigned __int128;

template <bool write>
inline void PlainHook(void* pointer) {  // 1 to 8 aligned bytes: one granule
  Fiber* fiber = t_fiber;
  if (CPR_UNLIKELY(fiber == nullptr)) return;
  const uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
  if (OnOwnStack(fiber, address)) return;
  fiber->machine->Plain(fiber, address, write);
}

template <bool write>
inline void RangeHook(void* pointer, size_t bytes) {
  Fiber* fiber = t_fiber;
  if (fiber == nullptr) return;
  const uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
  if (OnOwnStack(fiber, address)) return;
  fiber->machine->PlainRange(fiber, address, bytes, write);
}

// Volatile accesses are what hand-made spin flags use: always a step.
template <bool write>
inline void VolatileHook(void* pointer) {
  Fiber* fiber = t_fiber;
  if (fiber == nullptr) return;
  Machine* machine = fiber->machine;
  const uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
  const PointKind kind = write ? PointKind::kPlainWrite : PointKind::kPlainRead;
  machine->Step(fiber, kind, pointer, 0);
  if (OnOwnStack(fiber, address)) return;
  machine->Touch(fiber, address, write);
  const uint64_t name = machine->Name(address);
  machine->Mix(fiber, kind, name, 0);
  if (write) {
    machine->NoteWrite(fiber, name);
  } else {
    machine->NoteRead(fiber, name);
    if (++fiber->idle_loads > faults::internal::kIdleLoadLimit) machine->SoftYield(fiber);
  }
}

// The step before an atomic operation. Then the operation, then Done().
inline void Before(Fiber* fiber, const volatile void* pointer, PointKind kind) {
  const void* object = const_cast<const void*>(pointer);
  const uintptr_t address = reinterpret_cast<uintptr_t>(object);
  fiber->machine->Step(fiber, kind, object, 0);
  if (!OnOwnStack(fiber, address)) {
    fiber->machine->Touch(fiber, address, kind != PointKind::kLoad);
  }
}

template <class T>
inline void Done(Fiber* fiber, const volatile void* pointer, PointKind kind, T value, bool changed) {
  Machine* machine = fiber->machine;
  const uint64_t name = machine->Name(reinterpret_cast<uintptr_t>(pointer));
  uint64_t low = static_cast<uint64_t>(value);
  if constexpr (sizeof(T) >= 8) low = machine->ValueName(low);
  if constexpr (sizeof(T) > 8) low ^= static_cast<uint64_t>(value >> 64) * 0x9e3779b97f4a7c15ull;
  machine->Mix(fiber, kind, name, low);
  if (changed) {
    machine->NoteWrite(fiber, name);
    if (kind != PointKind::kStore) machine->NoteRead(fiber, name);
    return;
  }
  if (kind == PointKind::kStore) return;
  machine->NoteRead(fiber, name);
  if (CPR_UNLIKELY(++fiber->idle_loads > faults::internal::kIdleLoadLimit)) machine->SoftYield(fiber);
}

// Outside fibers 16-byte operations go under one lock: without libatomic the compiler has no inline form for
// them.
struct WideGuard {
  static inline volatile char held = 0;
  WideGuard() {
    while (__atomic_test_and_set(&held, __ATOMIC_ACQUIRE)) {
    }
  }
  ~WideGuard() { __atomic_clear(&held, __ATOMIC_RELEASE); }
};

// *p = operation(*p) with full ordering, for code that runs outside fibers. Returns the old value.
template <class T, class Operation>
T Outside(volatile T* p, Operation operation) {
  if constexpr (sizeof(T) > 8) {
    WideGuard guard;
    const T old = *p;
    *p = operation(old);
    return old;
  } else {
    T old = __atomic_load_n(p, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(p, &old, operation(old), true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
    }
    return old;
  }
}

template <class T>
T OutsideLoad(const volatile T* p) {
  if constexpr (sizeof(T) > 8) {
    WideGuard guard;
    return *p;
  } else {
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);
  }
}

template <class T>
inline T Load(const volatile T* p) {
  Fiber* fiber = t_fiber;
  if (CPR_UNLIKELY(fiber == nullptr)) return OutsideLoad<T>(p);
  Before(fiber, p, PointKind::kLoad);
  const T value = *p;
  Done(fiber, p, PointKind::kLoad, value, false);
  return value;
}

template <class T>
inline void Store(volatile T* p, T value) {
  Fiber* fiber = t_fiber;
  if (CPR_UNLIKELY(fiber == nullptr)) {
    Outside<T>(p, [value](T) { return value; });
    return;
  }
  Before(fiber, p, PointKind::kStore);
  const bool changed = *p != value;
  *p = value;
  Done(fiber, p, PointKind::kStore, value, changed);
}

template <class T, class Operation>
inline T Rmw(volatile T* p, Operation operation) {
  Fiber* fiber = t_fiber;
  if (CPR_UNLIKELY(fiber == nullptr)) return Outside<T>(p, operation);
  Before(fiber, p, PointKind::kRmw);
  const T old = *p;
  const T now = operation(old);
  *p = now;
  Done(fiber, p, PointKind::kRmw, now, now != old);
  return old;
}

template <class T>
inline bool Cas(volatile T* p, T* expected, T desired, bool weak) {
  Fiber* fiber = t_fiber;
  if (CPR_UNLIKELY(fiber == nullptr)) {
    const T wanted = *expected;
    const T found = Outside<T>(p, [wanted, desired](T old) { return old == wanted ? desired : old; });
    if (found != wanted) *expected = found;
    return found == wanted;
  }
  Before(fiber, p, PointKind::kCas);
  const T old = *p;
  bool equal = old == *expected;
  if (weak && equal && fiber->machine->spurious_cas()) {
    equal = fiber->machine->Choose(ChoiceKind::kCasFailure, 2) == 0;
    if (!equal) fiber->poked = true;  // trying again helps: its next yield must not park it
  }
  if (equal)
    *p = desired;
  else
    *expected = old;
  Done(fiber, p, PointKind::kCas, *p, equal && old != desired);
  return equal;
}

inline void Fence() {
  Fiber* fiber = t_fiber;
  if (fiber == nullptr) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return;
  }
  fiber->machine->Step(fiber, PointKind::kFence, nullptr, 0);
  fiber->machine->Mix(fiber, PointKind::kFence, 0, 0);
}

// A copy by the subject: word by word where two fibers have touched source or destination, so that a torn
// value can be seen. A word is copied right after the points of its two accesses.
void CopyInFiber(Fiber* fiber, char* to, const char* from, size_t bytes, bool backwards) {
  Machine* machine = fiber->machine;
  size_t done = 0;
  while (done < bytes) {
    size_t n = backwards ? ((reinterpret_cast<uintptr_t>(to + bytes - done) - 1) & 7) + 1
                         : 8 - (reinterpret_cast<uintptr_t>(to + done) & 7);
    if (n > bytes - done) n = bytes - done;
    const size_t at = backwards ? bytes - done - n : done;
    const uintptr_t source = reinterpret_cast<uintptr_t>(from + at),
                    target = reinterpret_cast<uintptr_t>(to + at);
    if (!OnOwnStack(fiber, source)) machine->PlainRange(fiber, source, n, false);
    if (!OnOwnStack(fiber, target)) machine->PlainRange(fiber, target, n, true);
    if (n == 8) {
      uint64_t word;
      __builtin_memcpy(&word, from + at, 8);
      __builtin_memcpy(to + at, &word, 8);
    } else {
      memmove(to + at, from + at, n);
    }
    done += n;
  }
}

}  // namespace

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void** object, void*) { PlainHook<true>(object); }
void __tsan_vptr_read(void** object) { PlainHook<false>(object); }
void __tsan_read_range(void* p, unsigned long bytes) { RangeHook<false>(p, bytes); }
void __tsan_write_range(void* p, unsigned long bytes) { RangeHook<true>(p, bytes); }

#define CPR_PLAIN(bytes)                                                          \
  void __tsan_read##bytes(void* p) { PlainHook<false>(p); }                       \
  void __tsan_write##bytes(void* p) { PlainHook<true>(p); }                       \
  void __tsan_volatile_read##bytes(void* p) { VolatileHook<false>(p); }           \
  void __tsan_volatile_write##bytes(void* p) { VolatileHook<true>(p); }           \
  void __tsan_unaligned_read##bytes(void* p) { RangeHook<false>(p, bytes); }      \
  void __tsan_unaligned_write##bytes(void* p) { RangeHook<true>(p, bytes); }      \
  void __tsan_unaligned_volatile_read##bytes(void* p) { VolatileHook<false>(p); } \
  void __tsan_unaligned_volatile_write##bytes(void* p) { VolatileHook<true>(p); }
CPR_PLAIN(1)
CPR_PLAIN(2)
CPR_PLAIN(4)
CPR_PLAIN(8)
#undef CPR_PLAIN
void __tsan_read16(void* p) { RangeHook<false>(p, 16); }
void __tsan_write16(void* p) { RangeHook<true>(p, 16); }
void __tsan_volatile_read16(void* p) { VolatileHook<false>(p); }
void __tsan_volatile_write16(void* p) { VolatileHook<true>(p); }
void __tsan_unaligned_read16(void* p) { RangeHook<false>(p, 16); }
void __tsan_unaligned_write16(void* p) { RangeHook<true>(p, 16); }
void __tsan_unaligned_volatile_read16(void* p) { VolatileHook<false>(p); }
void __tsan_unaligned_volatile_write16(void* p) { VolatileHook<true>(p); }

#define CPR_RMW(bits, T, name, expression)                                    \
  T __tsan_atomic##bits##_##name(volatile T* p, T v, int) {                   \
    return Rmw<T>(p, [v](T old) -> T { return static_cast<T>(expression); }); \
  }
#define CPR_ATOMIC(bits, T)                                                               \
  T __tsan_atomic##bits##_load(const volatile T* p, int) { return Load<T>(p); }           \
  void __tsan_atomic##bits##_store(volatile T* p, T v, int) { Store<T>(p, v); }           \
  CPR_RMW(bits, T, exchange, ((void)old, v))                                              \
  CPR_RMW(bits, T, fetch_add, old + v)                                                    \
  CPR_RMW(bits, T, fetch_sub, old - v)                                                    \
  CPR_RMW(bits, T, fetch_and, old& v)                                                     \
  CPR_RMW(bits, T, fetch_or, old | v)                                                     \
  CPR_RMW(bits, T, fetch_xor, old ^ v)                                                    \
  CPR_RMW(bits, T, fetch_nand, ~(old & v))                                                \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile T* p, T* e, T d, int, int) { \
    return Cas<T>(p, e, d, false);                                                        \
  }                                                                                       \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile T* p, T* e, T d, int, int) {   \
    return Cas<T>(p, e, d, true);                                                         \
  }                                                                                       \
  T __tsan_atomic##bits##_compare_exchange_val(volatile T* p, T e, T d, int, int) {       \
    Cas<T>(p, &e, d, false);                                                              \
    return e;                                                                             \
  }
CPR_ATOMIC(8, uint8_t)
CPR_ATOMIC(16, uint16_t)
CPR_ATOMIC(32, uint32_t)
CPR_ATOMIC(64, uint64_t)
CPR_ATOMIC(128, Uint128)
#undef CPR_ATOMIC
#undef CPR_RMW

void __tsan_atomic_thread_fence(int) { Fence(); }
void __tsan_atomic_signal_fence(int) {}

// The subject is linked with --wrap for these three, so the host's own copies are not slowed or switched.
void* __wrap_memcpy(void* to, const void* from, size_t bytes) {
  Fiber* fiber = t_fiber;
  if (fiber == nullptr) return memcpy(to, from, bytes);
  CopyInFiber(fiber, static_cast<char*>(to), static_cast<const char*>(from), bytes, false);
  return to;
}

void* __wrap_memmove(void* to, const void* from, size_t bytes) {
  Fiber* fiber = t_fiber;
  if (fiber == nullptr) return memmove(to, from, bytes);
  CopyInFiber(fiber, static_cast<char*>(to), static_cast<const char*>(from), bytes, from < to);
  return to;
}

void* __wrap_memset(void* to, int value, size_t bytes) {
  RangeHook<true>(to, bytes);
  return memset(to, value, bytes);
}

}  // extern "C"
