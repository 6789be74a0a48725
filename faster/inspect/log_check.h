// CheckLog: verifies every block of a checkpoint's log, from its end to its begin, and what its records say.
//
// One pass, downwards: links lead downwards, so when a part is looked at everything that may lead to its
// records has been seen. A bit for each word of the log says that something leads there; what is set and no
// record, and what is a record and not set, is a finding. For records in [replay_from, end) the rules of the
// recovery hold (cpr/replay_rules.h), taken in reverse: the first record of a chain that is met is the one
// that a replay in the order of addresses leaves in the index.
//
// WHAT IS CHECKED of a record: it ends in its block; nobody was changing its value; its version can be there;
// its link leads below it, to a record that is linked (or below begin); an entry of the index leads to such a
// record. Of reach:
//   * with a table and a hash: every live record is the first of its key's chain, or something of a chain
//     leads to it. Exact for what is lost; that a link leads into another chain shows only if it loses a
//     record.
//   * without: every live record below replay_from is led to by the index or by another record. What the
//     replay brings in cannot be told apart from what a chain has lost.
// Once a block does not verify, reach is not judged any more below it.
//
// Blocking; reads ahead with jobs (inspection.h). MEMORY: 1/64 of the log for each of the two sets of bits
// (the caller's), parts of 1 MiB on their way with 48 bytes for each record in them, and with a hash the
// caller's table.
#pragma once

#include <functional>
#include <map>
#include <string_view>

#include "faster/cpr/checkpoint_log.h"
#include "faster/inspect/address_bits.h"
#include "faster/inspect/inspection.h"
#include "faster/inspect/record_form.h"

namespace faster {

// Records of a log by what became of them.
struct LogCensus {
  struct OfVersion {
    uint64_t live = 0;
    uint64_t tombstones = 0;  // of these
  };
  std::map<uint32_t, OfVersion> versions;  // as records have them: modulo 2^version_bits
  uint64_t invalid = 0;                    // lost the race for their place
  uint64_t undone = 0;                     // of the version after the checkpoint's
  uint64_t dead = 0;                       // undone by earlier recoveries
  uint64_t bytes = 0;                      // of the log
  uint64_t bad_blocks = 0;
  void Add(const LogCensus& other);
};

using RecordVisitor = std::function<void(LogAddress at, const uint8_t* record, RecordHeader header,
                                         const CheckpointLog& source)>;

struct LogTarget {
  std::string_view step;  // for progress
  CheckpointPart part = CheckpointPart::kLog;
  const LogMetadata* log = nullptr;
  const CheckpointLog* source = nullptr;
  LogAddress replay_from = 0;
  AddressBits* marks = nullptr;    // something leads there; the index's entries if there is no table
  AddressBits* entered = nullptr;  // entries of the index, if there is a table
  HashTable* table = nullptr;      // as the index has it, or empty without one
  uint64_t (*hash)(std::string_view key) = nullptr;  // with a table
  bool judge_reach = true;
  // Of every live record, the highest address first, on the caller's thread; may be empty.
  RecordVisitor on_record;
};

// kOk: read to the end, whatever was found. kOutOfMemory.
Status CheckLog(Inspection* inspection, const LogTarget& target, LogCensus* census);

}  // namespace faster
