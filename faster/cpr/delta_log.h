// delta.0.log: the blocks that an incremental checkpoint adds to its chain, and what names the chain.
//
//   header (128 bytes) | block images, ascending | table: {address, checksum} of each image | table checksum
//
// An image carries its own checksum as in the main log (seeded by address and generation); the table repeats
// it, and the table's checksum is seeded by the token, so that a block of another delta at the same address
// does not pass for this one's. The header is written last and checked first.
//
// The writer neither creates nor syncs its file. One thread per object; blocking. COST: one copy of the
// blocks, which the device writes meanwhile (stream_writer.h); 16 bytes of memory for each block written.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"
#include "faster/cpr/formats.h"
#include "faster/cpr/stream_writer.h"
#include "faster/device/storage.h"

namespace faster {

constexpr std::string_view kDeltaLogName = "delta.0.log";
constexpr std::string_view kDeltaMetaName = "delta.meta";
constexpr std::string_view kIncrementalInfoName = "incremental.info";
constexpr uint64_t kDeltaHeaderBytes = 128;

struct DeltaHeader {
  Token token;
  Token previous;  // what it was taken against: the delta before, or the base
  Token base;
  LogAddress first = 0;  // the range that the chain holds after it
  LogAddress end = 0;
  LogAddress previous_end = 0;  // end of the range of `previous`
  uint64_t generation = 0;      // incarnation that wrote it
  uint64_t ordinal = 0;         // 1 for the first delta on a base
  uint64_t entries = 0;
  uint32_t block_bytes = 0;
  uint64_t checksum = 0;  // of the header, as in the file
};

struct DeltaEntry {
  LogAddress address = 0;
  uint64_t checksum = 0;  // of the block's image
  bool operator==(const DeltaEntry&) const = default;
};

constexpr uint64_t DeltaOffset(const DeltaHeader& header, uint64_t entry) {
  return kDeltaHeaderBytes + entry * header.block_bytes;
}

class DeltaWriter {
 public:
  // `file` is empty, is written by nobody else and outlives the writer.
  DeltaWriter(File* file, const DeltaHeader& header);
  // `count` sealed blocks that follow each other from `address` on, above all that came before.
  Status Append(LogAddress address, const uint8_t* blocks, uint64_t count);
  // Writes table and header. What is only known now (entries, checksum) is filled into header().
  Status Finish();
  const DeltaHeader& header() const { return header_; }
  uint64_t bytes() const;  // of the whole file, after Finish

 private:
  File* const file_;
  StreamWriter stream_;
  DeltaHeader header_;
  std::vector<DeltaEntry> table_;
};

// Verifies header, table and the file's size against each other; no block is read. kCorruption and *why
// otherwise.
Status ReadDeltaTable(File& file, std::string_view path, const Token& token, DeltaHeader* header,
                      std::vector<DeltaEntry>* table, Diagnosis* why);

// Writes delta.meta and incremental.info of `log` and makes their contents durable; their names become so
// with log.meta, without which they mean nothing.
Status WriteDeltaMetadata(Storage& storage, std::string_view directory, const LogMetadata& log);
// Fills log->delta and log->chain from them. kCorruption if one is missing or they contradict log.meta: it
// was written after them.
Status ReadDeltaMetadata(Storage& storage, std::string_view directory, LogMetadata* log, Diagnosis* why);

}  // namespace faster
