// LightEpoch: epoch protection with a drain list (CPR paper sec. 3, FASTER paper sec. 2.4).
//
// A thread protects itself by announcing the current epoch in its entry; memory and phases that it may still
// see stay as they are until it leaves. BumpWith(action) opens a new epoch and runs the action once no entry
// announces an older one ("the epoch is safe"). Unlike the paper, protection spans one operation, not a
// batch: an idle session holds nothing back. The announcement is a plain store and a compiler barrier; the
// scan pays (asymmetric_fence.h).
//
// Entries live in chunks that never move and are never freed; when all are in use a chunk as large as all
// before it is added, so that any number of sessions can be open and an operation still knows its entry by
// address.
//
// INVARIANT: everything a protected thread dereferences was loaded after its announcement.
// THREAD-SAFETY: an Entry is used by one thread at a time; all else from anywhere. Actions run on whichever
// thread drains, outside all locks of this class; they may bump again. COST: Protect+Unprotect ~1 ns.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "faster/core/asymmetric_fence.h"

namespace faster {

class LightEpoch {
 public:
  struct alignas(64) Entry {
    std::atomic<uint64_t> local{0};       // announced epoch, 0 = unprotected
    std::atomic<uint32_t> taken_over{0};  // the checkpoint driver acts for the idle session that owns this
  };
  struct Action {
    void (*run)(void* context, uint64_t argument);
    void* context;
    uint64_t argument;
  };

  // At most `limit` entries; room for `first` of them at once.
  explicit LightEpoch(uint32_t limit, uint32_t first = 32);

  Entry* Acquire();  // nullptr when `limit` entries are in use
  void Release(Entry* entry);

  void Protect(Entry* entry) {
    entry->local.store(current_.load(std::memory_order_acquire), std::memory_order_relaxed);
    fence_.Light();
  }
  void Unprotect(Entry* entry) { entry->local.store(0, std::memory_order_release); }

  // Runs `action` once every thread protected now has left. Never runs it before returning if the caller's
  // own entry is protected.
  void BumpWith(Action action);
  // Runs the actions whose epoch is safe. Called by everyone who waits for anything, and now and then by
  // operations, so that the last thread out leaves nothing behind.
  void Drain();
  // Returns once every thread protected now has left. The caller's own entries are not protected.
  void AwaitOthers();
  bool has_actions() const { return waiting_.load(std::memory_order_relaxed) != 0; }
  uint64_t current() const { return current_.load(std::memory_order_acquire); }

  // Takes over an idle entry: true if its owner is outside and will wait in Enter-like code for GiveBack.
  // Only one thread (the checkpoint driver, under its mutex) does this.
  bool TakeOver(Entry* entry);
  void GiveBack(Entry* entry) { entry->taken_over.store(0, std::memory_order_release); }

  uint32_t entries() const { return EntriesIn(chunk_count_.load(std::memory_order_acquire)); }

 private:
  struct Waiting {
    uint64_t epoch;
    Action action;
  };
  static constexpr uint32_t kChunks = 33;  // the first, and each as large as all before it

  uint64_t SafeEpoch();
  uint32_t EntriesIn(uint32_t chunks) const {  // that the first chunks hold together
    return chunks == 0 ? 0
                       : static_cast<uint32_t>(std::min<uint64_t>(limit_, uint64_t{first_} << (chunks - 1)));
  }
  bool AddChunk();

  alignas(64) std::atomic<uint64_t> current_{1};
  std::atomic<uint32_t> waiting_{0};  // beside current_: operations look at both in one line
  alignas(64) AsymmetricFence fence_;
  const uint32_t limit_;
  const uint32_t first_;
  std::unique_ptr<Entry[]> chunks_[kChunks];  // below chunk_count_ they stay as they are
  std::atomic<uint32_t> chunk_count_{0};
  std::mutex entries_mutex_;  // guards free_ and growth
  std::vector<Entry*> free_;
  std::mutex mutex_;  // guards list_
  std::vector<Waiting> list_;
};

}  // namespace faster
