// CaptureIndex: copies a hash table into index.dat while sessions work on it (the fuzzy index checkpoint of
// CPR paper sec. 6.3).
//
// Each entry is read atomically, but no two at the same time: recovery makes a consistent index of the copy
// by replaying the log from before it began. That also brings what is in an overflow bucket that was linked
// after its number was passed; recovery cuts such a link. An entry that leads into the read cache is written
// with the log address behind it, as the cache is empty after a recovery.
//
// Runs beside every operation; one capture at a time per table, and the table is not replaced meanwhile
// (checkpoints and growth exclude each other). `entry` is the caller's, unprotected; a table without a read
// cache needs none. Errors are the writer's.
// COST: one pass over the table, ~0.3 ns a byte with what the writer does.
#pragma once

#include <cstdint>
#include <functional>

#include "faster/core/epoch.h"
#include "faster/core/status.h"
#include "faster/cpr/index_data.h"
#include "faster/index/hash_table.h"
#include "faster/log/read_cache.h"

namespace faster {

struct IndexCapture {
  const HashTable* table;
  std::function<void(uint64_t bytes)> progress;  // of main buckets, every 64 KiB
  const ReadCache* cache = nullptr;
  LightEpoch* epoch = nullptr;
  LightEpoch::Entry* entry = nullptr;
};

// Adds the number of used entries to *entries. The caller finishes the writer.
Status CaptureIndex(const IndexCapture& capture, IndexDataWriter* writer, uint64_t* entries);

}  // namespace faster
