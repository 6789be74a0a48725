// HashTable: the latch-free hash index (FASTER paper sec. 3). It maps a hash to the newest record of a chain;
// keys live in the log. A bucket is one cache line: 7 entries and the link to an overflow bucket.
//
//   entry: address 48 | tag 14 | used | tentative            (all zero = free slot)
//
// The highest bit of the 48 says that the address lies in the read cache (log/read_cache.h): such an entry
// leads to a copy first and from there to the log. ReadCache::RealAddress is the way to a log address.
//
// Two-phase insert: a free slot is claimed with the tentative bit, which readers ignore; if the bucket then
// holds no other entry with this tag the bit is cleared, else the claim is withdrawn. So a tag has one entry
// at most. A tag has a slot of its own in every bucket that an insert takes if it is free, and the others in
// a ring behind it: so nearly every lookup ends at its first look, and the branch that says so is predicted;
// where an entry lies means nothing otherwise. THREAD-SAFETY: all members. Entries are never removed;
// overflow buckets are never freed while the table lives. COST: one cache line for a lookup without overflow.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "faster/core/memory.h"
#include "faster/core/record.h"
#include "faster/core/status.h"

namespace faster {

struct KeyHash {
  uint64_t value;
  uint64_t bucket(uint64_t mask) const { return value & mask; }
  uint64_t tag() const { return value >> 50; }  // 14 bits
  uint32_t slot() const {
    return static_cast<uint32_t>((value >> 50) * 7 >> 14);
  }  // where its entry goes first
};

struct HashEntry {
  static constexpr uint64_t kUsed = uint64_t{1} << 62;
  static constexpr uint64_t kTentative = uint64_t{1} << 63;
  static constexpr uint64_t kCached = uint64_t{1} << 47;  // within the address
  uint64_t control = 0;

  static HashEntry Make(LogAddress address, uint64_t tag) { return {address | tag << 48 | kUsed}; }
  // Sign-extended: taken as a signed number, a cache address lies below every address of the log.
  LogAddress address() const { return AddressOf(control); }
  static bool IsCached(LogAddress address) { return (address & kCached) != 0; }
  bool cached() const { return IsCached(control); }
  uint64_t tag() const { return control >> 48 & 0x3fff; }
  HashEntry WithAddress(LogAddress address) const { return {(control & ~kAddressMask) | address}; }
  bool free() const { return control == 0; }
  bool tentative() const { return (control & kTentative) != 0; }
};

struct alignas(64) HashBucket {
  static constexpr int kEntries = 7;
  std::atomic<uint64_t> entry[kEntries];
  std::atomic<uint64_t> overflow;  // number of the overflow bucket, 1..n; 0 = none
};
static_assert(sizeof(HashBucket) == 64);

class HashTable {
 public:
  using Slot = std::atomic<uint64_t>;

  HashTable() = default;
  ~HashTable();
  HashTable(const HashTable&) = delete;
  HashTable& operator=(const HashTable&) = delete;

  Status Allocate(uint64_t buckets, bool huge_pages);
  void Populate() { memory_.Populate(); }  // core/memory.h; of the main buckets
  void Populate(uint64_t bucket, uint64_t count) {  // multiples of a page's
    memory_.Populate(bucket * sizeof(HashBucket), count * sizeof(HashBucket));
  }

  void Prefetch(KeyHash hash) const { __builtin_prefetch(&main_[hash.bucket(mask_)]); }
  // The entry of the hash's tag, or nullptr. *entry is its value when read.
  Slot* Find(KeyHash hash, HashEntry* entry) const {
    const HashBucket* bucket = &main_[hash.bucket(mask_)];
    const uint64_t wanted = hash.tag() << 48 | HashEntry::kUsed;
    const Slot* const first = &bucket->entry[hash.slot()];
    entry->control = first->load(std::memory_order_acquire);
    if ((entry->control & ~kAddressMask) == wanted) [[likely]]
      return const_cast<Slot*>(first);
    return FindElsewhere(bucket, wanted, entry);
  }
  // The same; inserted with address 0 if missing. nullptr only if memory for an overflow bucket ran out.
  Slot* FindOrCreate(KeyHash hash, HashEntry* entry);
  // For a tag that has no entry: a slot that is tentatively the caller's, who stores the entry (or 0, if it
  // comes to nothing) very soon, as other inserters of the tag wait for that. nullptr: somebody else inserts
  // the tag, or there is no memory.
  Slot* TryClaim(KeyHash hash);

  uint64_t size() const { return mask_ + 1; }
  uint64_t overflow_count() const { return overflow_count_.load(std::memory_order_acquire); }
  HashBucket* main_bucket(uint64_t i) const { return &main_[i]; }
  HashBucket* overflow_bucket(uint64_t number) const {
    return Overflow(number);
  }  // number 1..overflow_count()
  // For recovery: makes overflow buckets 1..count exist.
  Status ReserveOverflow(uint64_t count);
  uint64_t CountEntries() const;

  // For the index that splits a smaller table into this one. The bucket is not shared yet.
  bool Put(uint64_t bucket, HashEntry entry);  // into a free slot; false without memory
  void Touch(uint64_t bucket) { main_[bucket].entry[0].store(0, std::memory_order_relaxed); }  // is empty
  void Clear(uint64_t bucket);                 // its overflow buckets stay linked
  // Calls ring(context) once when there are `number` overflow buckets or more; never until Arm().
  void SetAlarm(void (*ring)(void* context), void* context) {
    ring_ = ring;
    ring_context_ = context;
  }
  void Arm(uint64_t number) { alarm_at_.store(number, std::memory_order_release); }

 private:
  static constexpr uint32_t kFirstChunkBits = 4;  // chunk c holds 2^(4+c) overflow buckets
  static constexpr uint32_t kChunks = 44;

  HashBucket* Overflow(uint64_t number) const {
    const uint64_t at = number - 1 + (uint64_t{1} << kFirstChunkBits);
    const uint32_t chunk = 63 - static_cast<uint32_t>(__builtin_clzll(at)) - kFirstChunkBits;
    return chunks_[chunk].load(std::memory_order_acquire) + (at - (uint64_t{1} << (chunk + kFirstChunkBits)));
  }
  Slot* FindElsewhere(const HashBucket* bucket, uint64_t wanted, HashEntry* entry) const;
  template <uint64_t kMask>
  static Slot* FindIn(const HashBucket* bucket, uint64_t wanted, const Slot* except, HashEntry* entry);
  Slot* Claim(KeyHash hash, uint64_t fresh);  // a free slot, now `fresh`; nullptr without memory
  uint64_t NewOverflow();                     // number of a zeroed bucket, 0 without memory
  bool EnsureChunk(uint32_t chunk);
  bool TagIsTaken(KeyHash hash, const Slot* mine) const;

  ZeroedMemory memory_;
  HashBucket* main_ = nullptr;  // memory_'s buckets
  uint64_t mask_ = 0;
  std::atomic<HashBucket*> chunks_[kChunks] = {};
  std::atomic<uint64_t> overflow_count_{0};
  std::mutex chunk_mutex_;
  std::atomic<uint64_t> alarm_at_{~uint64_t{0}};
  void (*ring_)(void* context) = nullptr;
  void* ring_context_ = nullptr;
};

}  // namespace faster
