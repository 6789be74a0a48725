#include "experiments/figures/f2_load/memory_split.h"

#include <algorithm>
#include <bit>

#include "faster/index/hash_table.h"

namespace experiments::figures {
namespace {

constexpr uint64_t kBucketBytes = sizeof(faster::HashBucket);
constexpr uint64_t kChainsPerChunk = 32;
constexpr uint64_t kMemoryPerChunk = 16;  // a quarter of a bucket
constexpr uint64_t kHotLogFactor = 2;     // its length over its memory
constexpr uint32_t kLeastPageBits = 11;

uint64_t Log2(uint64_t power) { return static_cast<uint64_t>(std::bit_width(power) - 1); }

}  // namespace

uint64_t MemorySplit::total() const {
  return log + index_buckets * kBucketBytes + read_cache + cold_log + cold_chunks +
         cold_chunk_count * kMemoryPerChunk;
}

MemorySplit SplitMemory(bool f2, uint64_t budget, uint64_t records, bool read_cache) {
  MemorySplit split;
  if (!f2) {
    split.index_buckets = std::min(budget / 2 / kBucketBytes, std::bit_ceil(records / 2));
    split.log = std::bit_floor(budget - split.index_buckets * kBucketBytes);
    return split;
  }
  split.log = budget / 2;
  split.read_cache = read_cache ? budget / 4 : 0;
  split.index_buckets = budget / 8 / kBucketBytes;
  split.cold_log = split.cold_chunks = budget / 32;
  split.cold_chunk_count = std::min(std::bit_ceil(records / kChainsPerChunk), budget / 16 / kMemoryPerChunk);
  return split;
}

uint64_t DataBytes(uint64_t records, uint64_t record_bytes, uint64_t block_bytes) {
  const uint64_t per_block = (block_bytes - 8) / record_bytes;
  return (records + per_block - 1) / per_block * block_bytes;
}

faster::StoreConfig StoreOf(const MemorySplit& split, const workloads::ycsb::WorkloadSpec& spec,
                            uint64_t disk_budget, bool f2) {
  faster::StoreConfig config = spec.Store();
  config.page_bits = static_cast<uint32_t>(std::clamp<uint64_t>(Log2(split.log) - 6, kLeastPageBits, 25));
  config.buffer_pages = static_cast<uint32_t>(split.log >> config.page_bits);
  config.mutable_pages = std::clamp<uint32_t>(
      static_cast<uint32_t>(spec.mutable_fraction * config.buffer_pages), 1, config.buffer_pages - 2);
  config.segment_pages = static_cast<uint32_t>((uint64_t{1} << 24) >> std::min(config.page_bits, 24u));
  config.index_buckets = split.index_buckets;
  config.read_cache_bytes = split.read_cache;
  if (!f2) config.compact_at_bytes = disk_budget;
  return config;
}

workloads::ycsb::ColdShape ColdOf(const MemorySplit& split, uint64_t disk_budget) {
  workloads::ycsb::ColdShape cold;
  cold.log_memory = split.cold_log;
  cold.index_memory = split.cold_chunks;
  cold.index_chunks = split.cold_chunk_count;
  cold.migrate_at = kHotLogFactor * split.log;
  if (disk_budget != 0) cold.compact_at = std::max(disk_budget, 2 * cold.migrate_at) - cold.migrate_at;
  return cold;
}

}  // namespace experiments::figures
