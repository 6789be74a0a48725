// RingQueue: requests of any thread into a Ring, and one thread that takes the results out, unless those who
// wait for them do.
//
// At most `depth` transfers are in the ring; the others wait in order. Whoever finds nobody submitting hands
// over all that wait, its own among them, so a burst of several threads goes in one system call and nobody
// waits for another. Requests belong to the caller, who keeps them until `ended` is called for them, on the
// queue's thread or that of a caller of Poll (or on the submitter's, if the ring takes no more: then with
// -EAGAIN). `ended` may submit the same or other requests.
//
// A thread that is woken for each result costs more than the result is worth when all cores are busy. So
// while somebody polls, the queue's thread sleeps until there have been many, or a millisecond.
//
// Thread-safe. Destructor: waits for all requests. COST: a mutex per request and one per batch of results.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "faster/device/ring.h"

namespace faster {

struct RingRequest {
  RingTransfer transfer;  // without the tag
  RingRequest* next = nullptr;
  // The kernel hands a request from one thread to another, which no tool sees: this does it over again.
  std::atomic<uint32_t> handed{0};
};

class RingQueue {
 public:
  using Ended = void (*)(void* owner, RingRequest* request, int32_t result);

  RingQueue(std::unique_ptr<Ring> ring, unsigned depth, Ended ended, void* owner);
  ~RingQueue();
  RingQueue(const RingQueue&) = delete;
  RingQueue& operator=(const RingQueue&) = delete;

  bool Start();  // false: no thread to be had; nothing may be submitted
  void Submit(RingRequest* request);
  void Poll();   // ends what is there to end, on the caller's thread, unless others do already; never blocks
  void Drain();  // until no request is on its way

 private:
  static constexpr unsigned kBatch = 32;

  void Pump(std::unique_lock<std::mutex>* lock);
  void Refuse(std::unique_lock<std::mutex>* lock, RingRequest* refused);
  void Work();
  bool EndThese(const RingResult* results, unsigned count);

  const std::unique_ptr<Ring> ring_;
  const unsigned depth_;
  const Ended ended_;
  void* const owner_;
  std::mutex take_mutex_;           // of whoever takes results out
  std::atomic<uint32_t> polls_{0};  // changes while somebody polls
  std::mutex mutex_;                // guards what follows
  std::condition_variable drained_;
  RingRequest* first_ = nullptr;  // waiting for room
  RingRequest* last_ = nullptr;
  unsigned in_ring_ = 0;
  uint64_t active_ = 0;  // submitted, and `ended` has not returned
  bool submitting_ = false;
  bool dead_ = false;  // the ring takes no more
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace faster
