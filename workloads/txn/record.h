// Records of the transactional store and their locks (CPR paper sec. 4).
//
// A record is [ key + 1 | lock and version | live value | stable value ], all in words that are read and
// written as relaxed atomics. The lock word packs the record's version with its two-phase lock, so one
// compare-and-swap takes the lock and sees the version:
//
//   bits 63..16 version, 15 exclusive, 14 shifting, 13..0 readers
//
// VERSIONS. A transaction of version v + 1 that is the first of its version at a record keeps the value of v:
// stable := live, version := v + 1. Readers do so too, as a transaction of v that later writes what v + 1 has
// read would be before it and after it at once. Several readers may hold the lock then: the one that sets
// `shifting` does it, others are refused meanwhile (NO-WAIT).
//
// CAPTURE takes no lock. It reads live, and takes it if the version is still below v + 1 afterwards; else
// stable is the value of v and stays so until the next commit shifts. This needs a release fence before live
// is written (Apply) and an acquire fence after it is read.
//
// Thread-safe as far as the lock says. COST: a lock and its release are one atomic read-modify-write and a
// store (exclusive), or two (shared).
#pragma once

#include <atomic>
#include <cstdint>

#include "faster/core/words.h"

namespace workloads::txn {

// What a lock is taken for: which versions of a record may be met, and what is to be done to old ones.
struct VersionRule {
  enum class Kind : uint8_t {
    kNone,         // versions do not matter now
    kRefuseNewer,  // Prepare: a record above `version` ends the transaction (CPR abort)
    kShift         // In-progress, Wait-flush: an older record is shifted to `version`
  };
  Kind kind = Kind::kNone;
  uint64_t version = 0;
};

enum class LockResult : uint8_t { kLocked, kConflict, kNewer };

// A view of one record in its table; copies are free.
class Record {
 public:
  Record() = default;
  Record(uint64_t* words, uint32_t value_words) : words_(words), value_words_(value_words) {}

  static constexpr uint64_t Version(uint64_t word) { return word >> kLockBits; }
  bool operator==(const Record& other) const { return words_ == other.words_; }
  bool IsNull() const { return words_ == nullptr; }
  uint64_t key() const { return faster::LoadWord(words_, std::memory_order_acquire) - 1; }
  bool used() const { return faster::LoadWord(words_, std::memory_order_acquire) != 0; }
  uint64_t version() const { return Version(Lock().load(std::memory_order_acquire)); }
  uint64_t* live() const { return words_ + 2; }
  uint64_t* stable() const { return words_ + 2 + value_words_; }

  LockResult LockShared(VersionRule rule) const {
    std::atomic_ref<uint64_t> lock = Lock();
    uint64_t word = lock.load(std::memory_order_relaxed);
    bool shift;
    do {
      if (IsNewer(word, rule)) return LockResult::kNewer;
      if ((word & (kExclusive | kShifting)) != 0 || (word & kReaders) == kReaders)
        return LockResult::kConflict;
      shift = rule.kind == VersionRule::Kind::kShift && Version(word) < rule.version;
    } while (!lock.compare_exchange_weak(word, (word | (shift ? kShifting : 0)) + 1,
                                         std::memory_order_acquire, std::memory_order_relaxed));
    if (shift) ShiftShared(rule.version);
    return LockResult::kLocked;
  }
  LockResult LockExclusive(VersionRule rule) const {
    std::atomic_ref<uint64_t> lock = Lock();
    uint64_t word = lock.load(std::memory_order_relaxed);
    do {
      if (IsNewer(word, rule)) return LockResult::kNewer;
      if ((word & kLocked) != 0) return LockResult::kConflict;
    } while (!lock.compare_exchange_weak(word, word | kExclusive, std::memory_order_acquire,
                                         std::memory_order_relaxed));
    if (rule.kind == VersionRule::Kind::kShift) ShiftExclusive(rule.version);
    return LockResult::kLocked;
  }
  // From shared to exclusive; only the last reader can.
  bool Upgrade() const {
    std::atomic_ref<uint64_t> lock = Lock();
    uint64_t word = lock.load(std::memory_order_relaxed);
    do {
      if ((word & kLocked) != 1) return false;
    } while (!lock.compare_exchange_weak(word, (word - 1) | kExclusive, std::memory_order_acquire,
                                         std::memory_order_relaxed));
    return true;
  }
  void UnlockShared() const { Lock().fetch_sub(1, std::memory_order_release); }
  void UnlockExclusive() const {  // nobody else changes the word meanwhile
    std::atomic_ref<uint64_t> lock = Lock();
    lock.store(lock.load(std::memory_order_relaxed) & ~kExclusive, std::memory_order_release);
  }
  // Keeps the value of the versions before `version`, if none of it was here yet. Exclusive lock held.
  void ShiftExclusive(uint64_t version) const {
    std::atomic_ref<uint64_t> lock = Lock();
    if (Version(lock.load(std::memory_order_relaxed)) >= version) return;
    KeepStable();
    lock.store(version << kLockBits | kExclusive, std::memory_order_release);
  }
  void ReadLive(uint64_t* value) const { faster::CopyFromShared(value, live(), value_words_); }
  // Exclusive lock held; the caller has passed a release fence since the record was shifted.
  void WriteLive(const uint64_t* value) const { faster::CopyToShared(live(), value, value_words_); }

  // The value that the versions before `next` left, while transactions of `next` go on.
  void Capture(uint64_t next, uint64_t* value) const {
    std::atomic_ref<uint64_t> lock = Lock();
    if (Version(lock.load(std::memory_order_acquire)) < next) {
      ReadLive(value);
      std::atomic_thread_fence(std::memory_order_acquire);
      if (Version(lock.load(std::memory_order_acquire)) < next) return;
    }
    faster::CopyFromShared(value, stable(), value_words_);
  }

 private:
  static constexpr int kLockBits = 16;
  static constexpr uint64_t kExclusive = 1 << 15;
  static constexpr uint64_t kShifting = 1 << 14;
  static constexpr uint64_t kReaders = kShifting - 1;
  static constexpr uint64_t kLocked = kExclusive | kShifting | kReaders;

  static bool IsNewer(uint64_t word, VersionRule rule) {
    return rule.kind == VersionRule::Kind::kRefuseNewer && Version(word) > rule.version;
  }
  std::atomic_ref<uint64_t> Lock() const { return std::atomic_ref<uint64_t>(words_[1]); }
  void KeepStable() const {
    for (uint32_t i = 0; i < value_words_; ++i) faster::StoreWord(stable() + i, faster::LoadWord(live() + i));
  }
  void ShiftShared(uint64_t version) const {
    KeepStable();
    std::atomic_ref<uint64_t> lock = Lock();
    uint64_t word = lock.load(std::memory_order_relaxed);
    while (!lock.compare_exchange_weak(word, version << kLockBits | (word & kReaders),
                                       std::memory_order_release, std::memory_order_relaxed)) {
    }
  }

  uint64_t* words_ = nullptr;
  uint32_t value_words_ = 0;
};

}  // namespace workloads::txn
