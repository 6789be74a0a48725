// OrderedLoads: pieces of a file read ahead by background jobs, and handed out in their order.
//
// load(number, &item) runs on a job of the Storage, several at a time, for at most `ahead` pieces that have
// not been released; items are used again. Without jobs it runs inside Next(), on the caller. One thread
// calls Next and Release, in turn. The destructor ends the jobs; what was loaded and not taken is dropped.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "faster/device/storage.h"

namespace faster {

template <class Item>
class OrderedLoads {
 public:
  using Load = std::function<void(uint64_t number, Item* item)>;

  OrderedLoads(Storage* storage, uint32_t jobs, uint32_t ahead, uint64_t count, Load load)
      : count_(count), load_(std::move(load)), slots_(jobs == 0 ? 1 : ahead), running_(jobs) {
    for (uint32_t job = 0; job < jobs; ++job) {
      storage->Schedule([](void* self) { static_cast<OrderedLoads*>(self)->Work(); }, this);
    }
    inline_ = jobs == 0;
  }
  ~OrderedLoads() {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    room_.notify_all();
    ended_.wait(lock, [&] { return running_ == 0; });
  }
  OrderedLoads(const OrderedLoads&) = delete;
  OrderedLoads& operator=(const OrderedLoads&) = delete;

  // The next piece, or nullptr after the last.
  Item* Next() {
    if (taken_ == count_) return nullptr;
    Slot& slot = slots_[taken_ % slots_.size()];
    if (inline_) {
      load_(taken_, &slot.item);
    } else {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [&] { return slot.ready; });
      slot.ready = false;
    }
    ++taken_;
    return &slot.item;
  }
  // What Next() gave last.
  void Release() {
    std::lock_guard lock(mutex_);
    released_ = taken_;
    room_.notify_one();
  }

 private:
  struct Slot {
    Item item;
    bool ready = false;
  };

  void Work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      room_.wait(lock, [&] { return stopping_ || next_ == count_ || next_ < released_ + slots_.size(); });
      if (stopping_ || next_ == count_) break;
      const uint64_t number = next_++;
      Slot& slot = slots_[number % slots_.size()];
      lock.unlock();
      load_(number, &slot.item);
      lock.lock();
      slot.ready = true;
      ready_.notify_one();
    }
    room_.notify_one();  // another one may wait although all is taken
    if (--running_ == 0) ended_.notify_all();
  }

  const uint64_t count_;
  Load load_;
  std::vector<Slot> slots_;
  bool inline_ = false;
  uint64_t taken_ = 0;  // the caller's
  std::mutex mutex_;    // guards what follows, and `ready` of the slots
  std::condition_variable room_;
  std::condition_variable ready_;
  std::condition_variable ended_;
  uint64_t next_ = 0;
  uint64_t released_ = 0;
  uint32_t running_;
  bool stopping_ = false;
};

}  // namespace faster
