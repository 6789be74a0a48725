// LogPart: a megabyte of a checkpoint's log, verified and taken apart into what log_check.h looks at. Loaded
// on any thread, one at a time per part.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "faster/core/memory.h"
#include "faster/cpr/index_replay.h"
#include "faster/inspect/log_check.h"

namespace faster {

// A power of two: a megabyte, or a block if that is larger.
inline uint64_t LogPartBytes(const LogMetadata& log) { return std::max<uint64_t>(1 << 20, log.block_bytes); }

struct LogPart {
  LogAddress from = 0;
  LogAddress to = 0;
  ZeroedMemory bytes;  // whole pages, so that they can be read past the page cache
  // By word of the log, 64 in each; the first stands for `from` rounded down to 512.
  std::vector<uint64_t> live;
  std::vector<uint64_t> passed;  // dead or undone: a chain may lead over them
  std::vector<uint64_t> invalid;
  std::vector<LogAddress> bad_blocks;  // ascending
  std::vector<LogAddress> links;       // that its live records have, of those that are to be marked
  LogCensus census;
  bool out_of_memory = false;
  IndexReplay::Batch records;  // with a table: all but invalid ones, sorted by partition

  LogAddress base() const { return from & ~(AddressBits::kWordBytes - 1); }
  const uint8_t* At(LogAddress at) const { return static_cast<const uint8_t*>(bytes.data()) + (at - from); }
  bool IsBad(LogAddress at, uint64_t block_bytes) const;
};

// Adds a finding about the record at `at`.
void FindInLog(Inspection* inspection, const LogTarget& target, LogAddress at, Check check,
               std::string expected, std::string found);
// Where the link of the record at `at` leads, if that is to be marked. 0: nowhere, below begin, or no record
// can be there, which is a finding.
LogAddress LinkFrom(Inspection* inspection, const LogTarget& target, LogAddress at, RecordHeader header);

// Fills the part [from, to): reads, verifies, takes apart, marks what its live records lead to. `replay`: of
// the table, or null. False: no memory.
bool LoadLogPart(Inspection* inspection, const LogTarget& target, const IndexReplay* replay, LogAddress from,
                 LogAddress to, LogPart* part);

}  // namespace faster
