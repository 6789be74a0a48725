// Export: writes a checkpoint of a store of ours as files that oxifaster recovers.
//
// For 8-byte keys and values. Records of the log are written in order, older versions and tombstones too, so
// the log may be compacted before. The log begins at address 24: an entry for address 0 could say "free".
// Their recovery has all pages of the log in memory, so it needs `pages` of them (log_memory_size), and the
// page size that was used (page_size_bits); for a fold-over checkpoint the device is the file `device` in
// `target`. log.meta is written last and in one step, after all else is durable; their recovery needs it.
//
// The source is only read. One thread; blocking. ERRORS: kUnsupported: more than 96 sessions, excluded
// serials (relaxed guarantee), a version above 2^32 - 1, other records: what the other engine cannot hold is
// refused, never dropped. kExists: the checkpoint, or a device, is in the directory. After an error nothing
// is left there. COST: the log is read and written once, memory for the new index and a page.
#pragma once

#include <optional>
#include <string_view>

#include "faster/device/storage.h"
#include "faster/interop/oxifaster_format.h"
#include "faster/interop/oxifaster_metadata.h"
#include "faster/interop/transfer.h"

namespace faster::oxifaster {

constexpr std::string_view kDeviceName = "device";

struct ExportOptions {
  std::optional<Token> token;  // absent: the newest
  bool snapshot = true;        // their default; else fold-over
  uint32_t page_bits = kUsualPageBits;
  uint64_t table_size = 0;  // main buckets of their index, a power of two; 0: as many as ours
  KeyHashKind their_hash = KeyHashKind::kXxh3;
  TransferObserver observer;
};

struct ExportResult {
  IndexInfo index;
  LogInfo log;
  uint64_t records = 0;
  uint64_t tombstones = 0;
  uint64_t pages = 0;  // of the log
};

// `directory` is our store's; theirs is made in `target` of storage `to`.
Status Export(Storage* from, std::string_view directory, Storage* to, std::string_view target,
              const ExportOptions& options, ExportResult* result, Diagnosis* why);

}  // namespace faster::oxifaster
