// Export: writes a checkpoint of a store of ours as files that Microsoft's FASTER recovers.
//
// For 8-byte keys and values, a store of theirs with FasterHashHelper<uint64_t> and its MemHashIndex, on
// Linux unless told otherwise. Records of the log are written in order, older versions and tombstones too, so
// the log may be compacted before. Whether its engine reads fold-over or snapshot files is decided when it is
// compiled (fold_over_snapshot in its faster.h); the layout has to be the same.
//
// The index is complete and start is the final address: their recovery replays nothing. info.dat of the log
// half is written last and in one step, after all else is durable; their recovery needs it.
//
// The source is only read. One thread; blocking. ERRORS: kUnsupported: more than 96 sessions, excluded
// serials (relaxed guarantee), other records: what the other engine cannot hold is refused, never dropped.
// kExists: a store of theirs is in the directory. After an error nothing is left there. COST: the log is read
// and written once, memory for the new index and a page.
#pragma once

#include <optional>
#include <string_view>

#include "faster/interop/microsoft_checkpoint.h"
#include "faster/interop/transfer.h"

namespace faster::microsoft {

struct ExportOptions {
  std::optional<Token> token;  // absent: the newest
  bool snapshot = false;       // else fold-over, their default
  uint64_t log_pages = 0;      // snapshot: so many pages are in the log, the others in snapshot.dat
  uint64_t table_size = 0;     // main buckets of their index; 0: as many as ours, at least 2048
  GuidOrder order = GuidOrder::kRfc4122;
  Geometry geometry;  // of their build
  TransferObserver observer;
};

struct ExportResult {
  Token token;  // as in our store
  IndexInfo index;
  LogInfo log;
  uint64_t records = 0;
  uint64_t tombstones = 0;
  uint64_t version = 0;  // of our checkpoint; theirs is in `log`
};

// `directory` is our store's; theirs is made in `target` of storage `to`.
Status Export(Storage* from, std::string_view directory, Storage* to, std::string_view target,
              const ExportOptions& options, ExportResult* result, Diagnosis* why);

}  // namespace faster::microsoft
