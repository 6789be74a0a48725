#include "faster/core/asymmetric_fence.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace faster {

AsymmetricFence::AsymmetricFence()
    : expedited_(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0) {}

void AsymmetricFence::Heavy() const {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (expedited_) syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

}  // namespace faster
