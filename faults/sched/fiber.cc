#include "faults/sched/fiber.h"

#include <limits.h>
#include <signal.h>
#include <sys/auxv.h>

#include <cstring>

namespace faults::internal {

__thread Fiber* t_fiber = nullptr;
__thread Arena* t_arena = nullptr;

// mxcsr and the x87 control word are callee-saved in the System V ABI, so they belong to the fiber.
asm(R"(
  .text
  .p2align 4
  .globl cpr_sched_switch
  .type cpr_sched_switch, @function
cpr_sched_switch:
  .cfi_startproc
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  subq $8, %rsp
  stmxcsr (%rsp)
  fnstcw 4(%rsp)
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  wrfsbase %rdx
  ldmxcsr (%rsp)
  fldcw 4(%rsp)
  addq $8, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .cfi_endproc
  .size cpr_sched_switch, .-cpr_sched_switch
)");

bool CanSwitchFsBase() { return (getauxval(AT_HWCAP2) & 2) != 0; }

uint64_t ReadFsBase() {
  uint64_t base;
  asm volatile("movq %%fs:0, %0" : "=r"(base));  // the ABI keeps the base's own address at its start
  return base;
}

namespace {

void* CarrierMain(void* argument) {
  Fiber* fiber = static_cast<Fiber*>(argument);
  fiber->fs = ReadFsBase();
  t_fiber = fiber;
  sem_post(&fiber->ready);
  while (sem_wait(&fiber->stop) != 0) {
  }
  t_fiber = nullptr;  // its exit runs libc's clean-up, which is not the fiber's
  t_arena = nullptr;
  return nullptr;
}

}  // namespace

bool StartCarrier(Fiber* fiber) {
  sem_init(&fiber->stop, 0, 0);
  sem_init(&fiber->ready, 0, 0);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 128 << 10);
  sigset_t all, before;
  sigfillset(&all);  // signals of the process must find a thread that runs
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&fiber->carrier, &attributes, CarrierMain, fiber);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (error != 0) return false;
  while (sem_wait(&fiber->ready) != 0) {
  }
  return true;
}

void StopCarrier(Fiber* fiber) {
  sem_post(&fiber->stop);
  pthread_join(fiber->carrier, nullptr);
  sem_destroy(&fiber->stop);
  sem_destroy(&fiber->ready);
}

void PrepareStack(Fiber* fiber, void (*entry)()) {
  uintptr_t top = (fiber->stack_low + fiber->stack_bytes) & ~uintptr_t{63};
  uint64_t* slot = reinterpret_cast<uint64_t*>(top);
  *--slot = 0;  // return address of entry(): ends every walk of the stack
  *--slot = reinterpret_cast<uint64_t>(entry);
  for (int i = 0; i < 6; ++i) *--slot = 0;  // rbp, rbx, r12..r15
  --slot;
  const uint32_t mxcsr = 0x1f80;  // the ABI's values at process start
  const uint32_t x87 = 0x037f;
  std::memcpy(slot, &mxcsr, 4);
  std::memcpy(reinterpret_cast<char*>(slot) + 4, &x87, 4);
  fiber->sp = slot;
}

}  // namespace faults::internal
