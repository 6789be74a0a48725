// A store to be recovered, and recoveries of it: what cpr-recovery-bench and the scaling benchmark share.
//
// Records of 8-byte keys and values (24 bytes in the log). The log is as long as asked for, whatever the
// number of keys: they come round again, and an update whose record is no longer mutable appends another.
// Nothing but the last checkpoint is taken, unless one of the index is wanted before it, or a chain of
// deltas. Blocking; used by one thread. Errors are one line, empty if it was interrupted.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "faster/cpr/recovery_progress.h"

namespace experiments::bench {

struct RecoveredStore {
  std::string folder;                         // exists
  uint64_t records = 4'000'000;               // in the log
  uint64_t keys = 4'000'000;                  // different ones
  uint64_t memory_bytes = uint64_t{1} << 40;  // of log buffer, at most
  bool snapshot = false;                      // else fold-over
  bool index = false;                         // with the index; else it is rebuilt from the log
  uint64_t index_after = 0;                   // the index alone when so many records are there; 0: never
  // Snapshot: one when half of the records are there, then as many incremental checkpoints, the last of them
  // at the end. 0: none.
  uint32_t deltas = 0;
  const std::atomic<bool>* interrupted = nullptr;
};

struct Recovery {
  double seconds = 0;
  double processor = 0;  // seconds of all threads
  uint64_t bytes = 0;    // read
  uint64_t records = 0;  // replayed
  uint64_t serial = 0;   // commit point of the session that wrote the records
};

uint64_t BufferBytes(const RecoveredStore& store);
uint64_t IndexBuckets(const RecoveredStore& store);

// Writes the records and takes a checkpoint of them.
bool Fill(const RecoveredStore& store, std::string* error);
// Recovers the newest checkpoint and closes the store again. `seed`: another one each time. `progress` is
// called on this thread, now and then.
bool Recover(const RecoveredStore& store, uint32_t threads, uint64_t seed,
             const std::function<void(const faster::RecoveryProgress&)>& progress, Recovery* recovery,
             std::string* error);
// Recovers it and takes a checkpoint with the index: a recovery after that replays nothing.
bool AddIndex(const RecoveredStore& store, uint64_t seed, std::string* error);

}  // namespace experiments::bench
