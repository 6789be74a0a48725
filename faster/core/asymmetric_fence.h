// A Dekker fence whose whole cost sits with the rare side.
//
// The frequent side (an operation announcing itself) writes, calls Light(), then reads; the rare side (epoch
// scan, checkpoint driver) writes, calls Heavy(), then reads: at least one of them sees the other's write.
// Where the kernel offers membarrier(PRIVATE_EXPEDITED), Light() is a compiler barrier and Heavy() makes
// every running thread of the process pass a full fence (~1-5 us). Otherwise both are full fences.
// Thread-safe.
#pragma once

#include <atomic>

namespace faster {

class AsymmetricFence {
 public:
  AsymmetricFence();  // registers the process with the kernel, idempotent

  void Light() const {
    if (expedited_) [[likely]] {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      std::atomic_thread_fence(std::memory_order_seq_cst);
    }
  }
  void Heavy() const;

 private:
  bool expedited_;
};

}  // namespace faster
