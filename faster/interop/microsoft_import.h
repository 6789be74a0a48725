// Import: makes a store of ours out of a checkpoint of Microsoft's FASTER with 8-byte keys and values.
//
// The new directory has one full checkpoint. It holds exactly what the original's recovery of that checkpoint
// brings back (microsoft_chains.h), sessions with their commit points included: ContinueSession() gives the
// serial that the original would. Older versions of a key and tombstones that are on a chain come along;
// a compaction removes them. Token and version stay.
//
// The source is only read. One thread; blocking. ERRORS: what is wrong with the source, by file and offset;
// then nothing is left in the new directory. COST: that of Chains, and the log written once; memory for one
// of the two indexes at a time, a bit a record and a page.
#pragma once

#include <optional>
#include <string_view>

#include "faster/interop/microsoft_checkpoint.h"
#include "faster/interop/native_writer.h"

namespace faster::microsoft {

struct ImportOptions {
  std::optional<Token> log_token;  // as ReadCheckpoint has it
  std::optional<Token> index_token;
  Geometry geometry;               // of the source
  StoreConfig config;              // of the new store; index_buckets 0: half as many as there are records
  KeyHashFunction hash = nullptr;  // of the new store
  TransferObserver observer;
};

struct ImportResult {
  Checkpoint source;
  LogMetadata log;          // of the new checkpoint
  uint64_t records = 0;     // written
  uint64_t tombstones = 0;  // of them
  uint64_t undone = 0;      // records of v + 1 that were left out
};

Status Import(Storage* from, std::string_view directory, Storage* to, const ImportOptions& options,
              ImportResult* result, Diagnosis* why);

}  // namespace faster::microsoft
