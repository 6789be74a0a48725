// A segmentation fault, division by zero or illegal instruction inside a fiber ends the execution, not the
// process.
//
// The handler runs on an alternate stack of the OS thread (a fiber may have overflown its own). It cannot
// switch from there, because returning restores the signal mask: it sends the fiber on into a function that
// fails the execution. Faults outside fibers take their ordinary course.
#include <signal.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "faults/sched/machine.h"

namespace faults::internal {
namespace {

constexpr size_t kAlternateBytes = 64 << 10;

struct sigaction g_before[NSIG];

[[noreturn]] void FailFiber() { t_fiber->machine->FailFromSignal(); }

const char* SignalName(int signal) {
  return signal == SIGSEGV  ? "segmentation fault"
         : signal == SIGBUS ? "bus error"
         : signal == SIGFPE ? "arithmetic fault"
                            : "illegal instruction";
}

void OnFault(int signal, siginfo_t* info, void* context) {
  Fiber* fiber = t_fiber;
  if (fiber == nullptr) {
    sigaction(signal, &g_before[signal], nullptr);  // the instruction repeats and faults again
    return;
  }
  ucontext_t* state = static_cast<ucontext_t*>(context);
  greg_t* registers = state->uc_mcontext.gregs;
  fiber->machine->NoteFault(SignalName(signal), reinterpret_cast<uintptr_t>(info->si_addr),
                            static_cast<uintptr_t>(registers[REG_RIP]),
                            static_cast<uintptr_t>(registers[REG_RSP]));
  // What lies at the top of the stack is the fiber's entry, which never returns now.
  const uintptr_t top = (fiber->stack_low + fiber->stack_bytes) & ~uintptr_t{63};
  registers[REG_RSP] = static_cast<greg_t>(top - 8);
  registers[REG_RIP] = reinterpret_cast<greg_t>(&FailFiber);
}

}  // namespace

void InstallFaultHandlers() {
  static thread_local bool done = false;
  if (done) return;
  done = true;
  stack_t alternate = {};
  sigaltstack(nullptr, &alternate);
  if ((alternate.ss_flags & SS_DISABLE) != 0) {
    alternate.ss_sp = std::malloc(kAlternateBytes);  // for the life of the thread
    alternate.ss_size = kAlternateBytes;
    alternate.ss_flags = 0;
    sigaltstack(&alternate, nullptr);
  }
  static bool installed = false;
  if (__atomic_exchange_n(&installed, true, __ATOMIC_ACQ_REL)) return;
  struct sigaction action = {};
  action.sa_sigaction = OnFault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigaction(signal, &action, &g_before[signal]);
}

void Machine::NoteFault(const char* what, uintptr_t address, uintptr_t code, uintptr_t sp) {
  if (OnOwnStack(current_, address + kGuardBytes) && !OnOwnStack(current_, address)) what = "stack overflow";
  std::snprintf(why_, sizeof why_, "%s at address 0x%zx", what, static_cast<size_t>(address));
  const int id = current_->id;
  frames_[id][0] = code;
  if (OnOwnStack(current_, sp))
    CaptureStack(id, sp, 1);
  else
    frames_[id][1] = 0;
  faulted_ = true;
}

void Machine::FailFromSignal() { Stop(Outcome::kFailed); }

}  // namespace faults::internal
