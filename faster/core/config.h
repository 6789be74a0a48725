// StoreConfig: geometry and behaviour of one store, down to the tiny; Validate() says what cannot work.
#pragma once

#include <cstdint>
#include <string>

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"

namespace faster {

constexpr uint32_t kMaxBatchAhead = 16;

struct StoreConfig {
  std::string directory;             // the store's directory within the storage; "" = its root
  uint32_t page_bits = 25;           // log page of 2^page_bits bytes, 9 (512 B) to 30
  uint32_t buffer_pages = 64;        // pages in memory, a power of two >= 4
  uint32_t mutable_pages = 57;       // newest pages updated in place, 1 to buffer_pages - 2
  uint32_t block_bytes = 4096;       // unit of a log checksum: power of two, holds a record, divides a page
  uint32_t segment_pages = 32;       // pages per file `log.<n>`
  uint32_t open_segments = 128;      // of these files so many are open, besides those being read or written
  uint64_t index_buckets = 1 << 16;  // main buckets of 64 bytes of a new store, a power of two >= 1
  uint64_t max_index_buckets = uint64_t{1} << 40;  // growth ends here; a power of two
  // The index grows by itself when it has more overflow buckets than so many percent of its main buckets.
  uint32_t grow_at_overflow_percent = 0;  // 0 = only when GrowIndex() is called
  uint32_t version_bits = 13;             // width of the version in a record, 1 to 13
  uint32_t max_sessions = 65536;          // sessions open at the same time
  uint32_t session_slots = 32;            // room for so many at first; it doubles when it is used up
  uint32_t refresh_interval = 1;          // operations between looks at the global phase
  uint32_t batch_ahead = 12;              // batches: operations between two stages of prefetching, 1 to 16
  uint32_t batch_group = 64;              // batches: operations under one epoch protection, at least 1
  uint32_t recovery_threads = 1;          // that a recovery reads, verifies and replays with, 1 to 256
  uint32_t delta_chain = 16;              // deltas on one snapshot before a new one is written
  uint64_t read_cache_bytes = 0;          // records read from disk: a power of two, 0 = none
  bool read_cache_second_chance = true;   // a copy read again outlives its page; else first in, first out
  bool copy_reads_to_tail = false;        // a record read from disk is appended to the log again
  uint32_t keep_checkpoints = 0;          // after each checkpoint of the log all but these go; 0 = none does
  uint64_t compact_at_bytes = 0;          // a longer log is compacted in the background; 0 = never
  ShiftScheme shift = ShiftScheme::kFine;
  Guarantee guarantee = Guarantee::kStrict;
  bool overlap_index = false;             // full checkpoint: copy the index while versions shift, not before
  // Its checkpoints count only where another store's name them (F2's cold index): Create() takes those that
  // it finds for leftovers, and a recovery to a named one leaves newer ones as they are.
  bool subordinate = false;
  bool huge_pages = false;                // madvise(MADV_HUGEPAGE) for log buffer and index
  // All memory of log buffer and index is taken from the kernel when the store is opened. Else a page is
  // taken when it is first touched: a store that stays small needs little, and its first inserts are slower.
  bool prefault = false;
  // Source of session ids, checkpoint tokens and generations (the engine has no hidden randomness). Every
  // opening of a store must bring another seed: blocks of an abandoned history are told apart by it.
  uint64_t seed = 1;

  uint64_t page_bytes() const { return uint64_t{1} << page_bits; }
  Status Validate(uint64_t record_bytes, Diagnosis* why) const;
};

// SplitMix64 (Steele, Lea, Flood 2014): deterministic ids from a seed.
class IdSource {
 public:
  explicit IdSource(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

}  // namespace faster
