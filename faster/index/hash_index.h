// HashIndex: the hash table of a store, and while it grows the one of twice its size (FASTER paper sec. 3.4).
//
// Growth is an action of the phase machine (cpr/phase.h), so it excludes checkpoints and its table has one
// size during each of them. A session in any phase but the two of growth works in table() and knows nothing
// of this class. The buckets of the old table are grouped into chunks with one word of state each:
//
//   GrowPrepare     sessions leave the operation path of Rest: they pin the chunk of an operation while they
//                   work in it. Nobody splits yet.
//   GrowInProgress  the driver and every 64th operation split some chunks, in their order; an operation
//                   works in the new table if its chunk is split, else it pins it and works in the old one.
//                   A chunk that is pinned when its turn comes is closed: nobody pins it any more, and
//                   whoever needs it first when the last pin has gone splits it.
//
// So operations pay for a pin and share the splitting; none waits for more than the split of one chunk.
//
// SPLIT: an entry is read by hash from its chain in memory: each half starts at its first own record. What is
// on disk is not read: a half without a record in memory starts at the first address on disk, which both may
// share (so a store should grow while what it holds is mostly in memory). Links never change, so the two
// chains may also share records behind their starts ("foreign" ones, of keys of the other half); a lookup
// compares keys and walks past them.
//
// INVARIANT: from the entry of a key's bucket its newest record is reached. A record's chain holds all older
// records of its bucket at the size of the table when it was written; so a log may be replayed into a table
// at least as large as any that its records were written under, never into a smaller one (see IndexFits()).
//
// THREAD-SAFETY: Enter and Sweep from sessions [protected]; Begin, Retire, FreeOld, End and Progress under
// the driver's mutex, the first four in that order. COST: none in Rest; in a growth two atomic additions and
// one more cache line for an operation, and about the split of one bucket.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "faster/core/config.h"
#include "faster/core/epoch.h"
#include "faster/index/hash_table.h"
#include "faster/log/hybrid_log.h"

namespace faster {

// How to hash the key of a record; the index knows neither keys nor values.
struct RecordHash {
  KeyHash (*of)(const void* hasher, const uint8_t* record);
  const void* hasher;
  KeyHash operator()(const uint8_t* record) const { return of(hasher, record); }
};

class ReadCache;

struct GrowthProgress {
  uint64_t buckets = 0;  // main buckets of the table in use
  uint64_t target = 0;   // of the one that replaces it, 0 if no growth runs
  uint64_t split = 0;    // old buckets split so far, at least
};

class HashIndex {
 public:
  HashIndex(const StoreConfig& config, LightEpoch* epoch, HybridLog* log, const ReadCache* cache,
            RecordHash hash);

  // The first table. Before the index is shared.
  Status Allocate(uint64_t buckets);

  // The table in use; during a growth the old one.
  HashTable& table() const { return *current_.load(std::memory_order_acquire); }
  // Loads the bucket of `hash`; harmless at any time.
  void Prefetch(KeyHash hash) const {
    const uint64_t hint = hint_.load(std::memory_order_relaxed);
    const uint64_t bucket = hash.bucket((uint64_t{1} << (hint & 63)) - 1);
    __builtin_prefetch(reinterpret_cast<const HashBucket*>(hint & ~uint64_t{63}) + bucket);
  }

  // [protected] An operation's stay in one of the two tables. `table` is null while the chunk is being split
  // or pinned by others: leave the epoch and try again; or, with out_of_memory, for lack of memory.
  struct Turn {
    HashTable* table = nullptr;
    std::atomic<uint32_t>* pin = nullptr;
    bool out_of_memory = false;
  };
  // `may_split`: the session is in GrowInProgress, hence all are out of Rest; else in GrowPrepare.
  Turn Enter(KeyHash hash, bool may_split);
  static void Leave(const Turn& turn) {
    if (turn.pin != nullptr) turn.pin->fetch_sub(1, std::memory_order_acq_rel);
  }

  // kInvalidArgument: the table would exceed max_index_buckets. kOutOfMemory.
  Status Begin();
  // [protected] Splits the chunks of up to so many more buckets; true once all are split: from then on nobody
  // enters the old table, but some may still be in it.
  bool Sweep(uint32_t buckets);
  void Retire();   // all is split: table() is the new one
  void FreeOld();  // everyone who was in the epoch at Retire has left it
  void End();
  GrowthProgress Progress() const;
  uint64_t size() const { return uint64_t{1} << (hint_.load(std::memory_order_relaxed) & 63); }

  // Automatic growth: it is wanted when the overflow buckets exceed their share. But if entries that lead to
  // disk, which a split puts into both halves, were most of what the last growth found (or nothing is known
  // of it, after a recovery), to grow again would only double them again: then not before the overflow
  // buckets are twice as many as now.
  void Arm(bool mostly_on_disk);
  bool wants_growth() const { return wanted_.load(std::memory_order_relaxed); }

  // For checks, while no session is active: visit(table, bucket number) for all that hold entries, and the
  // table that an operation would work in.
  template <class Visit>
  void ForEachBucket(Visit&& visit) const {
    const uint64_t size = table().size();
    for (uint64_t i = 0; i < size; ++i) {
      HashTable& at = TableOf(KeyHash{i});
      visit(at, i);
      if (at.size() != size) visit(at, i + size);
    }
  }
  HashTable& TableOf(KeyHash hash) const;

 private:
  static constexpr uint32_t kClosed = 1u << 29;  // below: pins
  static constexpr uint32_t kSplitting = 1u << 30;
  static constexpr uint32_t kSplit = 1u << 31;
  static constexpr uint32_t kLargeChunkBits = 4;
  static constexpr uint64_t kSmallTable =
      1024;                                     // below it, and when full, every bucket is a chunk of its own
  static constexpr uint32_t kSweepWindow = 64;  // chunks looked at beyond the first that is not split

  std::unique_ptr<HashTable> NewTable(uint64_t buckets);
  void Publish(HashTable* table);
  static void OnAlarm(void* index);
  uint64_t chunks() const { return old_size_ >> chunk_bits_; }
  std::atomic<uint32_t>& ChunkOf(KeyHash hash) const {
    return state_[hash.bucket(old_size_ - 1) >> chunk_bits_];
  }
  struct Moved {
    uint64_t entries = 0;
    uint64_t doubled = 0;  // into both halves, as they lead to disk
  };
  bool TrySplit(std::atomic<uint32_t>* state, uint32_t seen, bool* out_of_memory);
  static void Close(std::atomic<uint32_t>* state);
  bool SplitChunk(uint64_t chunk);
  bool SplitBucket(uint64_t bucket, Moved* moved);
  bool FindStarts(uint64_t bucket, LogAddress at, LogAddress starts[2]) const;  // true: they are one, on disk

  const uint64_t max_buckets_;
  const uint32_t grow_percent_;
  const bool huge_pages_;
  const bool prefault_;
  LightEpoch* const epoch_;
  HybridLog* const log_;
  const ReadCache* const cache_;
  const RecordHash hash_;

  std::atomic<HashTable*> current_{nullptr};
  std::atomic<uint64_t> hint_{0};  // address of the main buckets | log2 of their number
  std::atomic<bool> wanted_{false};

  // The growth at hand. Written by the driver while no session is in a phase of growth.
  std::unique_ptr<HashTable> old_;
  std::unique_ptr<HashTable> new_;  // and the table of Rest, once a growth has ended
  uint64_t old_size_ = 0;
  uint32_t chunk_bits_ = 0;
  std::unique_ptr<std::atomic<uint32_t>[]> state_;
  alignas(64) std::atomic<uint64_t> first_open_{0};  // chunks below are split
  std::atomic<bool> all_split_{false};
  std::atomic<bool> growing_{false};
  std::atomic<uint64_t> entries_{0};  // sums of Moved
  std::atomic<uint64_t> doubled_{0};
};

}  // namespace faster
