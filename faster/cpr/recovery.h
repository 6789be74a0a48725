// Recovery: brings log and index back to a checkpoint (CPR paper sec. 6.4, Alg. 3).
//
//   S = min(Lis, Lhs), E = Lhe.  For every record at L in [S, E), ascending:
//     live (version <= v):  slot(key) := L
//     dead (version v+1):   if slot(key) >= L, slot(key) := L.previous
//
// It changes nothing that a checkpoint relies on: the dead range goes into the metadata of the next
// checkpoint, so a crash during recovery is as if it had not begun, and damaged files stay as they are. It
// writes in two cases only, after all has been read: a recovery to an older, named checkpoint makes durable
// that the newer ones are abandoned; and blocks of a snapshot for which the memory of this store is too small
// go to the main log, as blocks of the incarnation that begins. Every block it reads is verified against its
// checksum; what lies below S is verified when it is read back later. Version v+1 continues after it.
// Blocking; by config.recovery_threads threads (task_runner.h): pages are read, verified and taken apart side
// by side, then partitions of the index are rebuilt side by side, each in the order of addresses, so the
// result is that of one thread. The observer's OnRecovery is called on the caller's thread. COST: reading [S,
// E) and the pages that fit in memory, and the index file.
#pragma once

#include <optional>
#include <vector>

#include "faster/core/config.h"
#include "faster/core/layout.h"
#include "faster/cpr/catalog.h"
#include "faster/cpr/snapshot_writer.h"
#include "faster/device/storage.h"
#include "faster/index/hash_index.h"
#include "faster/log/hybrid_log.h"

namespace faster {

// What recovery must know about records: their size and how to hash the key of one.
struct RecordShape {
  RecordSizes sizes;
  uint32_t key_bytes;  // both 0: variable length
  uint32_t value_bytes;
  RecordHash hash;
};

class CheckpointObserver;

struct RecoveryResult {
  Token log_token;
  Token index_token;     // null: the index was rebuilt from the log
  uint64_t version = 0;  // v of the checkpoint; the store goes on with v+1
  uint64_t records_replayed = 0;
  uint64_t records_undone = 0;
  std::vector<SessionCommit> sessions;
  std::vector<Token> leftovers;  // directories without a complete checkpoint
};

// Recovers into a fresh log (buffer allocated) and index. `tokens` empty = the newest complete one. The index
// gets the size of the one recovered; rebuilt from the log, the larger of the size under which its records
// were written and config.index_buckets. *snapshot is what the next delta can build on. On any error all are
// unusable and no checkpoint is damaged.
Status RecoverStore(const StoreConfig& config, Storage* storage, const RecordShape& shape,
                    const std::optional<Token>& log_token, const std::optional<Token>& index_token,
                    IdSource* ids, HybridLog* log, HashIndex* index, SnapshotState* snapshot,
                    CheckpointObserver* observer, RecoveryResult* result, Diagnosis* why);

// Calls visit(address, record, header) for every record in a block that starts at `block`. kCorruption: one
// says that it is longer than what is left of the block; those before it have been visited.
template <class Visit>
Status ForEachRecord(LogAddress block, uint8_t* bytes, uint64_t block_bytes, const RecordSizes& sizes,
                     Visit&& visit) {
  for (uint64_t at = 8; at + sizes.least() <= block_bytes;) {
    const RecordHeader header{LoadWord(reinterpret_cast<uint64_t*>(bytes + at))};
    if (!header.present()) {
      at += 8;  // padding, or a hole left by an allocation that was given up
      continue;
    }
    const uint64_t size = sizes(bytes + at, block_bytes - at);
    if (size == 0) return Status::kCorruption;
    visit(block + at, bytes + at, header);
    at += size;
  }
  return Status::kOk;
}

}  // namespace faster
