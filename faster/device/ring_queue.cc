#include "faster/device/ring_queue.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "faster/device/quiet_thread.h"

namespace faster {

RingQueue::RingQueue(std::unique_ptr<Ring> ring, unsigned depth, Ended ended, void* owner)
    : ring_(std::move(ring)), depth_(std::max(1u, depth)), ended_(ended), owner_(owner) {}

RingQueue::~RingQueue() {
  Drain();
  if (threads_.empty()) return;
  {
    std::unique_lock lock(mutex_);
    drained_.wait(lock, [this] { return !submitting_; });
    stopping_ = true;
    ring_->Wake();
  }
  threads_.front().join();
}

bool RingQueue::Start() {
  return StartQuietThread(&threads_, [this] { Work(); });
}

void RingQueue::Drain() {
  std::unique_lock lock(mutex_);
  drained_.wait(lock, [this] { return active_ == 0; });
}

void RingQueue::Submit(RingRequest* request) {
  request->next = nullptr;
  request->transfer.tag = request;
  std::unique_lock lock(mutex_);
  ++active_;
  (first_ == nullptr ? first_ : last_->next) = request;
  last_ = request;
  if (!submitting_) Pump(&lock);
}

// Hands over what waits, as far as there is room. The lock is given up for the system call.
void RingQueue::Pump(std::unique_lock<std::mutex>* lock) {
  submitting_ = true;
  RingTransfer batch[kBatch];
  while (first_ != nullptr && in_ring_ < depth_ && !dead_) {
    unsigned count = 0;
    while (first_ != nullptr && count < std::min(kBatch, depth_ - in_ring_)) {
      batch[count++] = first_->transfer;
      first_->handed.store(1, std::memory_order_release);
      first_ = first_->next;
    }
    in_ring_ += count;
    lock->unlock();
    const unsigned taken = ring_->Submit(batch, count);
    lock->lock();
    if (taken == count) continue;
    dead_ = true;
    in_ring_ -= count - taken;
    while (count > taken) {  // back to the front, for the loop below
      auto* const request = static_cast<RingRequest*>(batch[--count].tag);
      request->next = first_;
      if (first_ == nullptr) last_ = request;
      first_ = request;
    }
  }
  submitting_ = false;
  if (dead_) Refuse(lock, std::exchange(first_, nullptr));
  drained_.notify_all();
}

void RingQueue::Refuse(std::unique_lock<std::mutex>* lock, RingRequest* refused) {
  uint64_t count = 0;
  lock->unlock();
  while (refused != nullptr) {
    RingRequest* const next = refused->next;
    ended_(owner_, refused, -EAGAIN);
    refused = next;
    ++count;
  }
  lock->lock();
  active_ -= count;
}

void RingQueue::Poll() {
  std::unique_lock taking(take_mutex_, std::try_to_lock);
  if (!taking.owns_lock()) return;
  polls_.store(polls_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  RingResult results[kBatch];
  const unsigned count = ring_->Take(results, kBatch);
  taking.unlock();
  if (count != 0) (void)EndThese(results, count);
}

void RingQueue::Work() {
  RingResult results[kBatch];
  uint32_t seen = 0;
  for (;;) {
    const uint32_t polls = polls_.load(std::memory_order_relaxed);
    ring_->Wait(std::exchange(seen, polls) != polls);
    unsigned count;
    do {
      {
        std::lock_guard taking(take_mutex_);
        count = ring_->Take(results, kBatch);
      }
      if (EndThese(results, count)) return;
    } while (count == kBatch);
  }
}

// True: the end.
bool RingQueue::EndThese(const RingResult* results, unsigned count) {
  unsigned transfers = 0;
  for (unsigned i = 0; i < count; ++i) transfers += results[i].tag != nullptr;
  {
    std::unique_lock lock(mutex_);
    in_ring_ -= transfers;
    if (first_ != nullptr && !submitting_) Pump(&lock);  // the device first, then those who wait for us
  }
  for (unsigned i = 0; i < count; ++i) {
    auto* const request = static_cast<RingRequest*>(results[i].tag);
    if (request == nullptr) continue;
    (void)request->handed.load(std::memory_order_acquire);
    ended_(owner_, request, results[i].result);
  }
  std::unique_lock lock(mutex_);
  active_ -= transfers;
  if (active_ == 0) drained_.notify_all();
  return stopping_ && active_ == 0;
}

}  // namespace faster
