// NativeWriter: makes a store's directory with one full checkpoint out of a stream of records.
//
// Records of 8-byte keys and values come in the order in which they were written, so that the last one of a
// key is its state. They are packed into blocks and linked as the engine links them, for the hash that the
// store will be opened with. Finish() writes the checkpoint in the engine's order, log.meta last; without it,
// or after an error, the destructor removes what was written. If the process dies before that there is a
// directory without a checkpoint of the log; the same import may be done again once the token's directory, if
// it has got that far, is removed (kExists names it).
//
// One thread; blocking. COST: memory for the index; files are streamed once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/config.h"
#include "faster/core/record.h"
#include "faster/cpr/stream_writer.h"
#include "faster/device/storage.h"
#include "faster/index/hash_table.h"
#include "faster/interop/transfer.h"
#include "faster/interop/transfer_target.h"

namespace faster {

// F::Hash of the store that will be opened. A chain of records belongs to one hash function, so this one is
// part of what an import makes, though no file names it.
using KeyHashFunction = uint64_t (*)(uint64_t key);

class NativeWriter {
 public:
  // Of `config`: directory, page_bits, block_bytes, segment_pages, version_bits, index_buckets and seed.
  NativeWriter(Storage* storage, const StoreConfig& config, KeyHashFunction hash);

  // kExists: there is a checkpoint already. kBusy: another process has the directory open.
  Status Open(uint64_t version, Diagnosis* why);
  Status Add(uint64_t key, uint64_t value, bool tombstone, Diagnosis* why);
  // `sessions` in ascending order. Null `token`: one from the seed. *done is what was written.
  Status Finish(const Token& token, const std::vector<SessionCommit>& sessions,
                const TransferObserver& observer, LogMetadata* done, Diagnosis* why);

 private:
  struct Pending {
    uint64_t key;
    uint64_t value;
    bool tombstone;
  };
  Status FlushBlock(Diagnosis* why);
  Status OpenSegment(Diagnosis* why);
  Status CloseSegment(Diagnosis* why);
  Status WriteIndex(const LogMetadata& log, const TransferObserver& observer, Diagnosis* why);

  const StoreConfig config_;
  const KeyHashFunction hash_;
  IdSource ids_;
  std::unique_ptr<DirectoryLock> lock_;  // goes after what was made
  TransferTarget target_;                // files, then directories
  HashTable table_;
  uint64_t version_ = 0;
  uint64_t generation_ = 0;
  uint64_t per_block_ = 0;
  LogAddress block_at_ = 0;  // of the block that pending_ goes into
  std::vector<Pending> pending_;
  std::vector<uint64_t> block_;
  std::unique_ptr<File> file_;
  std::unique_ptr<StreamWriter> stream_;
  std::string segment_path_;
};

}  // namespace faster
