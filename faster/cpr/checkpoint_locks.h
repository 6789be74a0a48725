// CheckpointLocks: the one latch design of the version shift (CPR paper sec. 6.2, Alg. 4 and 5).
//
// An operation of version v holds its lock "old", one of v+1 that would put a new record over an old one
// holds it "new". Both modes are shared within themselves and exclude each other; the index CAS decides among
// equals. A v operation that goes pending keeps its lock until it is done, so no v+1 record can get before
// it. The table is striped by the tag of the hash: keys of one chain always share a lock, whatever size the
// index has grown to; sharing between chains costs a retry, never correctness. Taken only while a checkpoint
// runs. Thread-safe; fixed size, allocated with the store.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace faster {

struct CheckpointLock {
  uint32_t old_count;
  uint32_t new_count;
  static CheckpointLock FromControl(uint64_t control) {
    return {static_cast<uint32_t>(control), static_cast<uint32_t>(control >> 32)};
  }
  uint64_t control() const { return uint64_t{new_count} << 32 | old_count; }
};

class AtomicCheckpointLock {
 public:
  bool TryLockOld() { return TryLock(1, ~uint64_t{0xffffffff}); }
  bool TryLockNew() { return TryLock(uint64_t{1} << 32, 0xffffffff); }
  void UnlockOld() { control_.fetch_sub(1, std::memory_order_acq_rel); }
  void UnlockNew() { control_.fetch_sub(uint64_t{1} << 32, std::memory_order_acq_rel); }
  CheckpointLock load() const {
    return CheckpointLock::FromControl(control_.load(std::memory_order_acquire));
  }

 private:
  bool TryLock(uint64_t mine, uint64_t others) {
    uint64_t seen = control_.load(std::memory_order_acquire);
    do {
      if ((seen & others) != 0) return false;
    } while (!control_.compare_exchange_weak(seen, seen + mine, std::memory_order_acq_rel));
    return true;
  }
  std::atomic<uint64_t> control_{0};
};
static_assert(sizeof(AtomicCheckpointLock) == 8);

class CheckpointLocks {
 public:
  // A store that begins with a tiny index gets as few stripes as that has buckets.
  explicit CheckpointLocks(uint64_t buckets)
      : mask_((buckets < kTiny ? buckets : kMaxStripes) - 1), locks_(new AtomicCheckpointLock[mask_ + 1]) {}
  AtomicCheckpointLock& Of(uint64_t tag) { return locks_[tag & mask_]; }
  uint64_t size() const { return mask_ + 1; }
  bool AnyHeld() const {
    for (uint64_t i = 0; i <= mask_; ++i) {
      if (locks_[i].load().control() != 0) return true;
    }
    return false;
  }

 private:
  static constexpr uint64_t kTiny = 64;
  static constexpr uint64_t kMaxStripes = 1 << 14;  // as many as there are tags
  uint64_t mask_;
  std::unique_ptr<AtomicCheckpointLock[]> locks_;
};

}  // namespace faster
