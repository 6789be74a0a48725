// index.dat of oxifaster: u64 table size, u64 overflow buckets, then buckets of 64 bytes, the main ones and
// the overflow ones (numbers 1 to n). A bucket is 7 entries and a link to an overflow bucket (48 bits; the
// rest of its word is a summary of tags that their recovery ignores). No checksum.
//
// Streams: nothing is kept. Blocking. ERRORS: kCorruption: a size, count or link that cannot be.
#pragma once

#include <functional>

#include "faster/interop/microsoft_index.h"
#include "faster/interop/oxifaster_checkpoint.h"
#include "faster/interop/oxifaster_format.h"

namespace faster::oxifaster {

struct IndexEntry {
  LogAddress address = 0;
  uint64_t tag = 0;
  bool read_cache = false;  // it leads to a copy in memory
  uint64_t offset = 0;      // in the file
};

// visit(entry) for each that is in use and not tentative, until it returns another status than kOk. The
// checkpoint has an index.
Status ForEachEntry(Storage* storage, const Checkpoint& checkpoint, const TransferObserver& observer,
                    const std::function<Status(const IndexEntry&)>& visit, Diagnosis* why);

// Writes `table`, whose buckets are built as those of Microsoft's engine and mean the same, and makes it
// durable but not its name. Fills in *info but the token.
Status WriteIndex(Storage* storage, const std::string& path, const microsoft::Table& table,
                  const TransferObserver& observer, IndexInfo* info, Diagnosis* why);

}  // namespace faster::oxifaster
