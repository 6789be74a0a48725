// LogImage: the part of the log above flushed_until that a checkpoint keeps beside the main log, put together
// from log.snapshot and the deltas of the chain, each block from the newest of them that has it.
//
// Open() checks that the files are whole and follow each other (tokens, ordinals, ranges, no block missing);
// it reads headers and tables, no blocks. Read() verifies every block against the checksum of the file that
// it came from. Immutable after Open: Read may be called by several threads. Blocking; never writes. COST: 16
// bytes of memory a block if there are deltas, none for a snapshot alone.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"
#include "faster/cpr/delta_log.h"
#include "faster/device/storage.h"

namespace faster {

class LogImage {
 public:
  // `log` as the catalog read it, with use_snapshot_file; outlives the image.
  Status Open(Storage* storage, std::string_view directory, const LogMetadata* log, Diagnosis* why);
  // [from, to): blocks within [flushed_until, final_address).
  Status Read(LogAddress from, LogAddress to, uint8_t* bytes, Diagnosis* why) const;
  // Which file has a block, and where.
  Diagnosis PlaceOf(LogAddress block) const;
  // Blocks in all deltas of the chain.
  uint64_t entries() const { return entries_; }

 private:
  struct Part {
    std::unique_ptr<File> file;
    std::string path;
    uint64_t generation = 0;  // seeds the checksums of its blocks
  };
  struct Place {
    uint64_t checksum = 0;  // of the image, as a delta's table has it
    uint32_t part = 0;      // 0: the base, or nothing yet
    uint32_t entry = 0;     // of the delta
  };

  Status OpenPart(Storage* storage, std::string_view directory, const Token& token, std::string_view name,
                  Diagnosis* why);
  Status OpenBase(Storage* storage, std::string_view directory, const Token& token, Diagnosis* why);
  Status AddDelta(Storage* storage, std::string_view directory, size_t ordinal, LogAddress* first,
                  LogAddress* end, Diagnosis* why);
  void Cover(LogAddress end);
  uint32_t PartOf(LogAddress block) const;
  uint64_t OffsetOf(LogAddress block, uint32_t part) const;
  Status Check(LogAddress block, const uint8_t* bytes, Diagnosis* why) const;

  const LogMetadata* log_ = nullptr;
  SnapshotHeader base_;
  uint64_t entries_ = 0;
  std::vector<Part> parts_;    // the base, then the deltas, oldest first
  std::vector<Place> places_;  // of each block from flushed_until on; empty without deltas
};

}  // namespace faster
