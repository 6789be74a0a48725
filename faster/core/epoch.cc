#include "faster/core/epoch.h"

#include <algorithm>
#include <thread>

namespace faster {

LightEpoch::LightEpoch(uint32_t limit, uint32_t first) : limit_(limit), first_(std::min(first, limit)) {
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

bool LightEpoch::AddChunk() {
  const uint32_t chunk = chunk_count_.load(std::memory_order_relaxed);
  const uint32_t count = EntriesIn(chunk + 1) - EntriesIn(chunk);
  if (count == 0 || chunk == kChunks) return false;
  chunks_[chunk].reset(new Entry[count]);
  free_.reserve(EntriesIn(chunk + 1));  // so that Release never allocates
  for (uint32_t i = count; i-- > 0;) free_.push_back(&chunks_[chunk][i]);
  // Counted before any of its entries is handed out: see SafeEpoch.
  chunk_count_.store(chunk + 1, std::memory_order_release);
  return true;
}

LightEpoch::Entry* LightEpoch::Acquire() {
  std::lock_guard lock(entries_mutex_);
  if (free_.empty() && !AddChunk()) return nullptr;
  Entry* const entry = free_.back();
  free_.pop_back();
  return entry;
}

void LightEpoch::Release(Entry* entry) {
  entry->local.store(0, std::memory_order_release);
  std::lock_guard lock(entries_mutex_);
  free_.push_back(entry);
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
  // Looked at after the fence: the owner of an entry in a chunk that is not counted yet has its own fence
  // still to come, and will then see whatever was written before ours.
  const uint32_t chunks = chunk_count_.load(std::memory_order_acquire);
  for (uint32_t chunk = 0; chunk < chunks; ++chunk) {
    const uint32_t count = EntriesIn(chunk + 1) - EntriesIn(chunk);
    for (uint32_t i = 0; i < count; ++i) {
      const uint64_t local = chunks_[chunk][i].local.load(std::memory_order_acquire);
      if (local != 0) oldest = std::min(oldest, local);
    }
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
