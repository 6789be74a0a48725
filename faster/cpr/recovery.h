// Recovery: brings log and index back to a checkpoint (CPR paper sec. 6.4, Alg. 3).
//
//   S = min(Lis, Lhs), E = Lhe.  For every record at L in [S, E), ascending:
//     live (version <= v):  slot(key) := L
//     dead (version v+1):   if slot(key) >= L, slot(key) := L.previous
//
// It reads and never writes: the dead range goes into the metadata of the next checkpoint, so a crash during
// recovery changes nothing, and damaged files stay as they are. (One exception: a recovery to an older, named
// checkpoint first makes durable that the newer ones are abandoned.) Every block it reads is verified against
// its checksum; what lies below S is verified when it is read back later. Version v+1 continues after it.
// Blocking, single-threaded. COST: reading [S, E) and the pages that fit in memory, and the index file.
#pragma once

#include <optional>
#include <vector>

#include "faster/core/config.h"
#include "faster/cpr/catalog.h"
#include "faster/device/storage.h"
#include "faster/index/hash_index.h"
#include "faster/log/hybrid_log.h"

namespace faster {

// What recovery must know about records: their size and how to hash the key of one.
struct RecordShape {
  uint32_t record_bytes;
  uint32_t key_bytes;
  uint32_t value_bytes;
  RecordHash hash;
};

struct RecoveryResult {
  Token log_token;
  Token index_token;     // null: the index was rebuilt from the log
  uint64_t version = 0;  // v of the checkpoint; the store goes on with v+1
  uint64_t records_replayed = 0;
  uint64_t records_undone = 0;
  std::vector<SessionCommit> sessions;
};

// Recovers into a fresh log (buffer allocated) and index. `tokens` empty = the newest complete one. The index
// gets the size of the one recovered; rebuilt from the log, the larger of the size under which its records
// were written and config.index_buckets. On any error both are unusable and the files untouched.
Status RecoverStore(const StoreConfig& config, Storage* storage, const RecordShape& shape,
                    const std::optional<Token>& log_token, const std::optional<Token>& index_token,
                    IdSource* ids, HybridLog* log, HashIndex* index, RecoveryResult* result, Diagnosis* why);

// Calls visit(address, record, header) for every record in a block that starts at `block`.
template <class Visit>
void ForEachRecord(LogAddress block, uint8_t* bytes, uint64_t block_bytes, uint32_t record_bytes,
                   Visit&& visit) {
  for (uint64_t at = 8; at + record_bytes <= block_bytes;) {
    const RecordHeader header{LoadWord(reinterpret_cast<uint64_t*>(bytes + at))};
    if (!header.present()) {
      at += 8;  // padding, or a hole left by an allocation that was given up
      continue;
    }
    visit(block + at, bytes + at, header);
    at += record_bytes;
  }
}

}  // namespace faster
