// SpinBarrier: lets threads begin something within a few tens of nanoseconds of each other, again and again,
// so that a race between them is really run and not only written down.
#pragma once

#include <sched.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

namespace faster::testing {

class SpinBarrier {
 public:
  explicit SpinBarrier(int threads) : threads_(threads) {}
  void Wait() {
    const int round = round_.load();
    if (arrived_.fetch_add(1) + 1 == threads_) {
      arrived_.store(0);
      round_.store(round + 1);
      return;
    }
    for (int spins = 0; round_.load() == round; ++spins) {
      if (spins > 2000) std::this_thread::yield();  // fewer cores than threads
    }
  }

 private:
  const int threads_;
  std::atomic<int> arrived_{0}, round_{0};
};

// On a busy machine the scheduler likes to put threads that wait for each other on one core, where nothing
// races.
inline void PinTo(int thread) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  int wanted = thread % CPU_COUNT(&allowed);
  for (size_t core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed) || wanted-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

// Calls body(thread, round) for up to `rounds` rounds on `threads` threads that begin each round together, in
// turn with a small lead of one or the other. On a machine that is busy otherwise it ends after a second; the
// number of rounds that were run comes back.
inline int Together(int threads, int rounds, const std::function<void(int thread, int round)>& body) {
  using Clock = std::chrono::steady_clock;
  SpinBarrier barrier(threads);
  std::atomic<bool> late{false};
  int run = 0;
  const Clock::time_point end = Clock::now() + std::chrono::seconds(1);
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      PinTo(t);
      for (int round = 0; round < rounds; ++round) {
        if (t == 0 && Clock::now() > end) late = true;
        barrier.Wait();
        if (late) return;
        for (int lead = (round * 7 + t * 29) % 61; lead > 0; --lead)
          std::atomic_signal_fence(std::memory_order_seq_cst);
        body(t, round);
        if (t == 0) run = round + 1;
        barrier.Wait();  // nobody is a round ahead, so all see the same `late`
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  return run;
}

}  // namespace faster::testing
