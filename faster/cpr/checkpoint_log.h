// CheckpointLog: the log of a checkpoint as its recovery reads it: below flushed_until from the main log,
// from there on from log.snapshot or from the chain of deltas (log_image.h).
//
// Read() verifies every block against its checksum before anybody uses a byte. Immutable after Open: Read may
// be called by several threads. Blocking; never writes. ERRORS: kCorruption with *why, the file and the
// offset of a block that is missing or does not verify; the device's status if it does not give the bytes
// out.
#pragma once

#include <string>
#include <string_view>

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"
#include "faster/cpr/log_image.h"
#include "faster/log/segmented_file.h"

namespace faster {

// Of the incarnation that wrote the block at `address`; `generations` as in log.meta.
uint64_t GenerationAt(const std::vector<Generation>& generations, LogAddress address);

class CheckpointLog {
 public:
  // `log` as the catalog read it; `file` is the main log of its store. Both outlive this.
  CheckpointLog(const LogMetadata* log, SegmentedFile* file) : log_(*log), file_(*file) {}
  // What lies beside the main log: checks that the files are whole and follow each other; reads no block.
  Status Open(Storage* storage, std::string_view directory, Diagnosis* why);
  // [from, to): whole blocks up to the final address.
  Status Read(LogAddress from, LogAddress to, uint8_t* bytes, Diagnosis* why) const;
  // Which file has an address, and where.
  Diagnosis PlaceOf(LogAddress at) const;
  uint64_t delta_entries() const { return image_.entries(); }  // blocks in all deltas of the chain

 private:
  Status ReadMain(LogAddress from, LogAddress to, uint8_t* bytes, Diagnosis* why) const;
  Status BadBlock(LogAddress block, Status status, Diagnosis* why) const;

  const LogMetadata& log_;
  SegmentedFile& file_;
  LogImage image_;
};

}  // namespace faster
