// LoadIndexBlock: puts a block of index.dat, read and verified, into the table that it is to become.
//
// A tentative entry was a claim in the making when it was copied, and a link to an overflow bucket that was
// made after their number was taken leads nowhere: both are left out, as what they stand for is replayed.
// THREAD-SAFETY: any thread, no two blocks share a bucket. The table has room for all overflow buckets.
#pragma once

#include "faster/cpr/index_data.h"
#include "faster/index/hash_table.h"

namespace faster {

inline void LoadIndexBlock(const uint64_t* words, uint64_t count, uint64_t number, const IndexMetadata& index,
                           HashTable* table) {
  const uint64_t first = number * kIndexBlockBuckets;
  for (uint64_t at = first, end = first + count / kIndexBucketWords; at < end; ++at) {
    HashBucket* const bucket =
        at < table->size() ? table->main_bucket(at) : table->overflow_bucket(at - table->size() + 1);
    for (int i = 0; i < HashBucket::kEntries; ++i) {
      const HashEntry entry{words[i]};
      bucket->entry[i].store(entry.tentative() ? 0 : words[i], std::memory_order_relaxed);
    }
    const uint64_t next = words[HashBucket::kEntries];
    bucket->overflow.store(next <= index.overflow_buckets ? next : 0, std::memory_order_relaxed);
    words += kIndexBucketWords;
  }
}

}  // namespace faster
