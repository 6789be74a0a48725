#include "faster/core/epoch.h"

#include <algorithm>
#include <thread>

namespace faster {

LightEpoch::LightEpoch(uint32_t entries) : count_(entries), entries_(new Entry[entries]) {
  list_.reserve(32);
}

void LightEpoch::AwaitOthers() {
  std::atomic<bool> left{false};
  BumpWith({[](void* flag, uint64_t) {
              static_cast<std::atomic<bool>*>(flag)->store(true, std::memory_order_release);
            },
            &left, 0});
  while (!left.load(std::memory_order_acquire)) {
    Drain();
    std::this_thread::yield();
  }
}

LightEpoch::Entry* LightEpoch::Acquire() {
  for (uint32_t i = 0; i < count_; ++i) {
    uint32_t free = 0;
    if (entries_[i].used.load(std::memory_order_relaxed) == 0 &&
        entries_[i].used.compare_exchange_strong(free, 1, std::memory_order_acq_rel)) {
      return &entries_[i];
    }
  }
  return nullptr;
}

void LightEpoch::Release(Entry* entry) {
  entry->local.store(0, std::memory_order_release);
  entry->used.store(0, std::memory_order_release);
}

void LightEpoch::BumpWith(Action action) {
  {
    std::lock_guard lock(mutex_);
    // The epoch is opened under the lock so that the list stays sorted by epoch.
    const uint64_t closed = current_.fetch_add(1, std::memory_order_acq_rel);
    list_.push_back({closed, action});
    waiting_.store(static_cast<uint32_t>(list_.size()), std::memory_order_relaxed);
  }
  Drain();
}

uint64_t LightEpoch::SafeEpoch() {
  uint64_t oldest = current_.load(std::memory_order_acquire);
  fence_.Heavy();
  for (uint32_t i = 0; i < count_; ++i) {
    const uint64_t local = entries_[i].local.load(std::memory_order_acquire);
    if (local != 0) oldest = std::min(oldest, local);
  }
  return oldest - 1;
}

void LightEpoch::Drain() {
  if (!has_actions()) return;
  constexpr size_t kBatch = 16;
  Waiting ready[kBatch];
  size_t count = 0;
  {
    std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock() || list_.empty()) return;
    const uint64_t safe = SafeEpoch();
    while (count < kBatch && count < list_.size() && list_[count].epoch <= safe) {
      ready[count] = list_[count];
      ++count;
    }
    list_.erase(list_.begin(), list_.begin() + static_cast<std::ptrdiff_t>(count));
    waiting_.store(static_cast<uint32_t>(list_.size()), std::memory_order_relaxed);
  }
  for (size_t i = 0; i < count; ++i) ready[i].action.run(ready[i].action.context, ready[i].action.argument);
}

bool LightEpoch::TakeOver(Entry* entry) {
  entry->taken_over.store(1, std::memory_order_seq_cst);
  fence_.Heavy();
  if (entry->local.load(std::memory_order_acquire) == 0) return true;
  entry->taken_over.store(0, std::memory_order_release);
  return false;
}

}  // namespace faster
