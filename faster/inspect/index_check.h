// CheckIndexData: verifies an index.dat, every byte of it, and what its buckets say.
//
// Of each bucket: entries have the form of entries, lead below Lie and to no copy of the read cache; no tag
// twice; each overflow bucket is linked once at most. In all: as many entries as index.meta counts. Entries
// in buckets that can be reached go to `entered`; with a table the index is loaded into it, too, as a
// recovery does.
//
// Blocking; reads ahead with jobs (inspection.h). MEMORY: blocks of 256 KiB on their way, the overflow
// buckets, and the table if asked for. kCorruption: there are findings. Else the device's error.
#pragma once

#include <string_view>

#include "faster/inspect/address_bits.h"
#include "faster/inspect/inspection.h"

namespace faster {

class HashTable;

struct IndexTarget {
  CheckpointPart part = CheckpointPart::kIndex;
  LogAddress begin = 0;            // what lies below is gone
  uint32_t block_bytes = 0;        // of the log; 0: not known
  AddressBits* entered = nullptr;  // of [begin, Lie) at least, or null
  HashTable* table = nullptr;      // allocated, of the index's size, or null
};

Status CheckIndexData(Inspection* inspection, std::string_view directory, const IndexMetadata& index,
                      const IndexTarget& target);

}  // namespace faster
