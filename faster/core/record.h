// The record in the hybrid log, identical in memory and on disk (FASTER paper sec. 2.2, CPR paper sec. 6).
//
//   word 0   header: previous address 48 | record version 13 | invalid | tombstone | present
//   word 1   guard: a sequence lock, only when the value is wider than one word
//   ...      key, whole words; then value, whole words
//
// A header of 0 is no record: padding, or a hole left by an allocation that was given up. `present` makes
// every real header non-zero. The version is the store version modulo 2^version_bits; with the address it
// tells a new record from an old one for any number of checkpoints (see IsNewVersion in hybrid_log.h).
// One-word values are updated by atomic stores and CAS; wider ones under the guard. `invalid`: the record
// lost its index CAS.
//
// Keys and values of any length have a record of their own (variable_record.h); word 0 is the same.
//
// INVARIANT: prev < own address. Key and prev never change once the record is linked.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "faster/core/checkpoint_types.h"
#include "faster/core/words.h"

namespace faster {

constexpr uint64_t kAddressMask = (uint64_t{1} << 48) - 1;
constexpr uint32_t kMaxVersionBits = 13;
// The address in the low 48 bits of a word, sign-extended: addresses of the log have a highest bit of 0.
constexpr LogAddress AddressOf(uint64_t control) {
  return static_cast<LogAddress>(static_cast<int64_t>(control << 16) >> 16);
}

struct RecordHeader {
  static constexpr uint64_t kInvalid = uint64_t{1} << 61;
  static constexpr uint64_t kTombstone = uint64_t{1} << 62;
  static constexpr uint64_t kPresent = uint64_t{1} << 63;

  uint64_t control = 0;

  static RecordHeader Make(LogAddress previous, uint32_t version, bool tombstone) {
    return {previous | uint64_t{version} << 48 | (tombstone ? kTombstone : 0) | kPresent};
  }
  bool present() const { return (control & kPresent) != 0; }
  bool invalid() const { return (control & kInvalid) != 0; }
  bool tombstone() const { return (control & kTombstone) != 0; }
  LogAddress previous() const { return control & kAddressMask; }
  // What holds of every record at `at`; bytes from disk may say anything.
  bool Descends(LogAddress at) const { return previous() < at && previous() % 8 == 0; }
  uint32_t version() const { return static_cast<uint32_t>(control >> 48) & ((1u << kMaxVersionBits) - 1); }
};

// The record of one key and value type; a view on log memory, never constructed there.
template <class K, class V>
struct Record {
  static constexpr size_t kKeyWords = Words<K>::kCount;
  static constexpr size_t kValueWords = Words<V>::kCount;
  static constexpr bool kGuarded = kValueWords > 1;
  static constexpr size_t kKeyAt = kGuarded ? 2 : 1;
  static constexpr size_t kValueAt = kKeyAt + kKeyWords;
  static constexpr size_t kWords = kValueAt + kValueWords;
  static constexpr size_t kBytes = kWords * 8;

  uint64_t words[kWords];

  static Record* At(void* memory) { return static_cast<Record*>(memory); }

  RecordHeader header() const { return {LoadWord(&words[0], std::memory_order_acquire)}; }
  void SetHeader(RecordHeader header) { StoreWord(&words[0], header.control, std::memory_order_release); }
  // Sets header bits, returns the header before.
  uint64_t SetBits(uint64_t bits) {
    return std::atomic_ref<uint64_t>(words[0]).fetch_or(bits, std::memory_order_acq_rel);
  }
  bool KeyIs(const Words<K>& key) const {
    for (size_t i = 0; i < kKeyWords; ++i) {
      if (LoadWord(&words[kKeyAt + i]) != key.word[i]) return false;
    }
    return true;
  }
  Words<K> key() const {
    Words<K> key;
    CopyFromShared(key.word, &words[kKeyAt], kKeyWords);
    return key;
  }
  // Fills a freshly allocated record that no other thread can reach yet.
  void Fill(RecordHeader header, const Words<K>& key, const Words<V>& value) {
    CopyToShared(&words[kKeyAt], key.word, kKeyWords);
    CopyToShared(&words[kValueAt], value.word, kValueWords);
    SetHeader(header);
  }

  // A consistent copy of the value.
  Words<V> Load() const {
    Words<V> value;
    if constexpr (!kGuarded) {
      value.word[0] = LoadWord(&words[kValueAt], std::memory_order_acquire);
    } else {
      for (;;) {
        const uint64_t before = LoadWord(&words[1], std::memory_order_acquire);
        if ((before & 1) == 0) {
          CopyFromShared(value.word, &words[kValueAt], kValueWords);
          std::atomic_thread_fence(std::memory_order_acquire);
          if (LoadWord(&words[1]) == before) break;
        }
        std::this_thread::yield();
      }
    }
    return value;
  }
  void Store(const Words<V>& value) {
    if constexpr (!kGuarded) {
      StoreWord(&words[kValueAt], value.word[0], std::memory_order_release);
    } else {
      const uint64_t guard = LockGuard();
      CopyToShared(&words[kValueAt], value.word, kValueWords);
      UnlockGuard(guard);
    }
  }
  // Atomically replaces the value by update(value), returns the new one. `update` may run more than once.
  template <class Update>
  Words<V> Modify(Update&& update) {
    if constexpr (!kGuarded) {
      std::atomic_ref<uint64_t> word(words[kValueAt]);
      Words<V> old, fresh;
      old.word[0] = word.load(std::memory_order_acquire);
      do {
        fresh = update(old);
      } while (!word.compare_exchange_weak(old.word[0], fresh.word[0], std::memory_order_acq_rel,
                                           std::memory_order_acquire));
      return fresh;
    } else {
      const uint64_t guard = LockGuard();
      Words<V> old;
      CopyFromShared(old.word, &words[kValueAt], kValueWords);
      const Words<V> fresh = update(old);
      CopyToShared(&words[kValueAt], fresh.word, kValueWords);
      UnlockGuard(guard);
      return fresh;
    }
  }

 private:
  uint64_t LockGuard() {
    std::atomic_ref<uint64_t> guard(words[1]);
    for (;;) {
      uint64_t seen = guard.load(std::memory_order_relaxed);
      if ((seen & 1) != 0) {
        std::this_thread::yield();
      } else if (guard.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire)) {
        std::atomic_thread_fence(std::memory_order_release);  // the value's words stay behind the odd guard
        return seen;
      }
    }
  }
  void UnlockGuard(uint64_t seen) { StoreWord(&words[1], seen + 2, std::memory_order_release); }
};

}  // namespace faster
