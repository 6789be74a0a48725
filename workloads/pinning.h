// Threads on cores: what keeps a measurement from depending on where the scheduler moves its threads.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cstddef>

namespace workloads {

// The calling thread, number `thread` of its kind, on the thread-th core that this process may use, round
// robin. Where that is not allowed the thread stays as it is.
inline void PinTo(size_t thread) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  const int count = CPU_COUNT(&allowed);
  int wanted = static_cast<int>(thread % static_cast<size_t>(std::max(count, 1)));
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed) || wanted-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
    return;
  }
}

}  // namespace workloads
