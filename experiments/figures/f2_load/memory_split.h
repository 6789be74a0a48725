// MemorySplit: what a store larger than memory does with its budget.
//
// Every part is a power of two, as the engine wants them, so shares are of a budget that is one, too:
//   FASTER  index 1/2, or what gives every key an entry (32 bytes a key) if that is less; log: the largest
//           power of two in the rest
//   F2      hot log 1/2, read cache 1/4 (or none), hot index 1/8, cold log 1/32, chunks of the cold index
//   1/32,
//           and at most 1/16 for the memory that finds them (16 bytes a chunk of 32 chains; as many chains as
//           keys if that fits)
// The disk budget is the length of the log: FASTER's is compacted when it is longer; F2's hot log migrates at
// twice its memory, and the cold one is compacted when both together would be longer. Plain functions.
#pragma once

#include <cstdint>
#include <string>

#include "faster/core/config.h"
#include "workloads/ycsb/engine.h"
#include "workloads/ycsb/spec.h"

namespace experiments::figures {

struct MemorySplit {
  uint64_t log = 0, index_buckets = 0, read_cache = 0;
  uint64_t cold_log = 0, cold_chunks = 0, cold_chunk_count = 0;  // F2 only
  uint64_t total() const;
};
// `budget`: a power of two of at least 2^18.
MemorySplit SplitMemory(bool f2, uint64_t budget, uint64_t records, bool read_cache);

// Of the log when `records` of them have just been loaded: a block holds whole ones.
uint64_t DataBytes(uint64_t records, uint64_t record_bytes, uint64_t block_bytes);

faster::StoreConfig StoreOf(const MemorySplit& split, const workloads::ycsb::WorkloadSpec& spec,
                            uint64_t disk_budget, bool f2);
workloads::ycsb::ColdShape ColdOf(const MemorySplit& split, uint64_t disk_budget);

}  // namespace experiments::figures
