// Fiber: one thread of an execution: a stack, a TLS block of its own, and what the scheduler knows about it.
//
// The TLS block belongs to a CARRIER, a real thread that is parked for good and exists only for it; a switch
// exchanges stack pointer and FS base. t_fiber is set in the carriers' TLS and null in every other thread, so
// it never changes at a switch and tells any code in one load whether it runs inside a fiber. Internal to
// faults/sched.
#pragma once

#include <pthread.h>
#include <semaphore.h>

#include <cstddef>
#include <cstdint>

namespace faults::internal {

class Machine;
class Arena;

constexpr int kMaxFibers = 64;
constexpr int kMaxModules = 8;  // instrumented libraries loaded at one time
constexpr int kMaxTlsDestructors = 64;

enum class State : uint8_t { kFree, kRunnable, kParked, kBlocked, kDone };

struct alignas(64) Fiber {
  uintptr_t stack_low = 0;  // first three: the fast path of every plain access
  uintptr_t stack_bytes = 0;
  Machine* machine = nullptr;
  uint32_t private_tag = 0;  // shadow word of a granule that only this fiber has touched
  uint32_t owner = 0;        // its fiber part; every fiber of an execution has its own, even in one slot
  int id = 0;
  uint64_t bit = 0;
  uint64_t last_step = 0;  // when it was last switched away from, for reports
  uint32_t idle_loads = 0;  // atomic loads since its last write or yield: finds spinning without a yield
  bool poked = false;  // something it read was written since its last yield: the next yield does not park
  bool read_clock = false;  // since its last yield
  bool read_any = false;    // has read something since its last yield
  bool daemon = false;
  bool timed_out = false;  // woken by its deadline rather than by Notify
  State state = State::kFree;

  void* sp = nullptr;
  uint64_t fs = 0;
  void (*body)(void*) = nullptr;
  void* argument = nullptr;
  char name[48] = {};

  const void* channel = nullptr;    // what a blocked fiber waits for
  const char* waits_for = nullptr;  // "mutex", "condition", ... for reports
  uint64_t deadline = ~0ull;        // virtual ns; ~0 = none

  bool is_pthread = false;  // made by pthread_create: the slot is kept until joined or detached
  bool detached = false;
  void* (*routine)(void*) = nullptr;
  void* argument_of_routine = nullptr;
  void* result = nullptr;

  uint64_t tls_generation = 0;  // of the module list that tls_blocks belongs to
  void* tls_blocks[kMaxModules] = {};
  struct Destructor {
    void (*function)(void*);
    void* object;
  } tls_destructors[kMaxTlsDestructors] = {};
  int tls_destructor_count = 0;

  pthread_t carrier = 0;
  sem_t stop;
  sem_t ready;
};

extern __thread Fiber* t_fiber __attribute__((tls_model("initial-exec")));
extern __thread Arena* t_arena __attribute__((tls_model("initial-exec")));  // null: allocate from libc

// Saves the callee-saved state on the current stack, *save = its top; continues at `load` with FS base
// `load_fs`.
extern "C" void cpr_sched_switch(void** save, void* load, uint64_t load_fs);

bool CanSwitchFsBase();  // the kernel lets user space use wrfsbase
uint64_t ReadFsBase();
bool StartCarrier(Fiber* fiber);  // makes the parked thread; fills fs and carrier
void StopCarrier(Fiber* fiber);
void PrepareStack(Fiber* fiber, void (*entry)());  // sp such that the first switch calls entry()

}  // namespace faults::internal
