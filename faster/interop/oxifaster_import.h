// Import: makes a store of ours out of a checkpoint of oxifaster with 8-byte keys and values.
//
// The new directory has one full checkpoint with the records that count (oxifaster_records.h), sessions with
// their serials as commit points, token and version. Older versions of a key and tombstones come along; a
// compaction removes them. What their engine's checkpoint lacks is not made up: values that an RMW changed in
// place while it was taken are as they were copied, and serials are those that sessions had told by then.
//
// An incremental checkpoint is a snapshot and what was appended since. What an RMW changed in place below is
// in neither file, and nothing says whether there was any: it is refused unless the caller knows better.
//
// The source is only read. One thread; blocking. ERRORS: what is wrong with the source, by file and offset;
// then nothing is left in the new directory. COST: that of Records, and the log written once; memory for the
// new index, two bytes a record and a page.
#pragma once

#include <optional>
#include <string_view>

#include "faster/interop/native_writer.h"
#include "faster/interop/oxifaster_checkpoint.h"
#include "faster/interop/oxifaster_log.h"

namespace faster::oxifaster {

struct ImportOptions {
  std::optional<Token> token;  // absent: that of the largest version
  Device device;               // where the log of a fold-over checkpoint is
  uint32_t page_bits = 0;      // of theirs; 0: as log.snapshot says, or 22
  KeyHashKind their_hash = KeyHashKind::kXxh3;
  bool no_rmw = false;             // the source never changed a value in place
  StoreConfig config;              // of the new store; index_buckets 0: half as many as there are records
  KeyHashFunction hash = nullptr;  // of the new store
  TransferObserver observer;
};

struct ImportResult {
  Checkpoint source;
  LogMetadata log;          // of the new checkpoint
  uint64_t records = 0;     // written
  uint64_t tombstones = 0;  // of them
  uint64_t left_out = 0;
  Warnings warnings;
};

// `result` has the warnings of a failed import, too.
Status Import(Storage* from, std::string_view directory, Storage* to, const ImportOptions& options,
              ImportResult* result, Diagnosis* why);

}  // namespace faster::oxifaster
