// WorkloadSpec: one YCSB core workload on this engine, from its properties.
//
// Names and defaults are YCSB's (Java), the C++ spellings (dbname, limit.ops) are taken too. The engine's own
// properties begin with `faster.`. Two read-modify-writes, not to be confused: readmodifywriteproportion is
// YCSB's (F: a read, then an update of the same key, timed as one), rmwproportion is one atomic RMW of the
// engine.
//
//   faster.memory            bytes of log buffer (default: 2x the data; 8x with checkpoints)
//   faster.mutable_fraction  share of the buffer updated in place, 0.9
//   faster.index_buckets     default: the power of two at or above records / 2
//   faster.grow_percent      the index grows by itself at so many percent of overflow buckets, 0 (off)
//   faster.grow_to           in the run phase the index is doubled until it has so many buckets, 0 (off)
//   faster.page_bits         default: 64 pages in the buffer, 2^16 to 2^25 bytes each
//   faster.block_bytes       what has a checksum and is read from disk at once (4096, or what a record needs)
//   faster.segment_bytes     bytes per file of the log, 2^30
//   faster.huge_pages        madvise huge pages for buffer and index, false
//   faster.prefault          buffer and index are touched when the store is opened, false
//   faster.refresh_interval  operations between looks at the global phase, 64
//   faster.keys_per_thread   keys drawn ahead per thread (default: twice the records, 2^20 to 2^24)
//   faster.prefetch          index lines of the operation that many ahead are prefetched, 0 (off)
//   faster.readcache         bytes of memory for records read from disk, cut down to a power of two; 0 (none)
//   faster.readcache.second_chance  records read again are kept longer, true
//   faster.copy_reads_to_tail       records read from disk are appended to the log, false
//   faster.seed              of keys, mixes and ids
//   faster.time_all          every operation is timed, as YCSB does, and not every 64th, false
//   faster.load_file, faster.run_file  key files (workloads/key_file.h): record n has the n-th key of the one
//                            (recordcount: all of them); the run phase takes the keys of the other one in
//                            turn
//
// Plain data; a failed parse leaves one line in *error.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "faster/core/config.h"
#include "workloads/generators.h"
#include "workloads/properties.h"
#include "workloads/ycsb/stream.h"
#include "workloads/ycsb/value_lengths.h"

namespace workloads::ycsb {

struct WorkloadSpec {
  uint64_t record_count = 0;
  uint64_t operation_count = 0;
  uint64_t insert_start = 0;
  uint64_t insert_count = 0;
  uint32_t value_bytes = 0;   // fieldcount x fieldlength, or the most that the distribution gave
  uint32_t stored_bytes = 0;  // as the engine stores it: 8, 104 or 256, or any larger than 8
  std::shared_ptr<const ValueLengths> value_lengths;  // null: all alike
  OperationMix mix;
  KeyOptions keys;
  std::string load_file, run_file;
  uint64_t run_file_keys = 0;
  uint32_t threads = 1;
  uint64_t target = 0;            // operations per second over all threads, 0 = as fast as possible
  uint64_t max_seconds = 0;       // of each phase, 0 = no limit
  uint64_t sleep_after_load = 0;  // seconds
  uint64_t status_interval = 10;  // seconds between status lines
  bool hashed_keys = true;
  bool time_all = false;

  uint64_t memory = 0;  // bytes of log buffer
  double mutable_fraction = 0.9;
  uint64_t index_buckets = 0;
  uint32_t grow_percent = 0;
  uint64_t grow_to = 0;
  uint32_t page_bits = 0;
  uint64_t block_bytes = 0;  // 0: 4096, or what a record needs
  uint64_t segment_bytes = 0;
  bool huge_pages = false;
  bool prefault = false;
  faster::ShiftScheme shift = faster::ShiftScheme::kFine;
  faster::Guarantee guarantee = faster::Guarantee::kStrict;
  bool overlap_index = false;
  uint32_t open_segments = 128;
  uint32_t refresh_interval = 64;
  uint64_t read_cache = 0;  // bytes
  bool second_chance = true;
  bool copy_reads_to_tail = false;
  uint64_t keys_per_thread = 0;
  uint32_t prefetch = 0;
  uint32_t batch = 1;  // operations handed to the engine at once
  uint64_t seed = 1;

  bool grows() const { return grow_percent != 0 || grow_to != 0; }
  bool inserts() const { return mix.Contains(Operation::kInsert); }
  bool fixed() const {
    return value_lengths == nullptr && (stored_bytes == 8 || stored_bytes == 104 || stored_bytes == 256);
  }
  uint64_t record_bytes() const;  // in the log
  faster::StoreConfig Store() const;
};

// `with_checkpoints` chooses the default of faster.memory.
bool ParseSpec(const Properties& properties, bool with_checkpoints, WorkloadSpec* spec, std::string* error);

}  // namespace workloads::ycsb
