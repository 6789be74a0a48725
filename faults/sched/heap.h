// HostHeap: makes allocations of the current fiber go to libc's heap while in scope.
//
// Inside a fiber operator new and malloc use the arena of the execution, which Begin() resets. What must
// outlive it (recorded histories, lazily made host-side caches) is allocated under this guard. Freeing needs
// no guard: every deallocation finds out by address. Outside fibers it does nothing. Nests. A switch may
// happen while in scope.
#pragma once

namespace faults {

class HostHeap {
 public:
  HostHeap();
  ~HostHeap();
  HostHeap(const HostHeap&) = delete;
  HostHeap& operator=(const HostHeap&) = delete;

 private:
  void* saved_;
};

}  // namespace faults
