// The metadata texts of oxifaster: index.meta, log.meta, delta.meta. Pretty-printed JSON without a format
// version; the checksum of each is in a file of its own (oxifaster_checkpoint.h).
//
// Fields that the original fills in when they are missing may be missing here, fields that it does not know
// are skipped as it does. What of their values the import does not use is not looked at: counts of the index
// that are statistics, addresses that are always 0.
//
// Pure; thread-safe. ERRORS: kCorruption names the field.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/interop/transfer.h"

namespace faster::oxifaster {

struct IndexInfo {  // index.meta
  Token token;
  uint64_t table_size = 0;
  uint64_t entries = 0;       // in use
  uint64_t used_buckets = 0;  // main buckets that have some
};

struct LogInfo {  // log.meta
  Token token;
  bool snapshot = false;  // else the log is on the device
  uint32_t version = 0;   // that a recovery goes on with
  LogAddress begin = 0;
  LogAddress final_address = 0;
  LogAddress flushed = 0;
  bool object_log = false;              // keys or values are elsewhere; the original never does that
  std::vector<SessionCommit> sessions;  // ascending
  bool incremental = false;
  Token base;            // incremental: whose log.snapshot it continues
  LogAddress start = 0;  // incremental: where that one ends
};

struct DeltaInfo {  // delta.meta
  Token token;
  Token base;
  uint32_t version = 0;
  uint64_t tail = 0;  // bytes of delta.0.log
  LogAddress previous_final = 0;
  LogAddress final_address = 0;
  uint64_t entries = 0;
};

// `file` is for *why only; *info is untouched unless kOk.
Status Parse(std::string_view text, std::string_view file, IndexInfo* info, Diagnosis* why);
Status Parse(std::string_view text, std::string_view file, LogInfo* info, Diagnosis* why);
Status Parse(std::string_view text, std::string_view file, DeltaInfo* info, Diagnosis* why);

// As the original writes them. Not for incremental checkpoints.
std::string Format(const IndexInfo& info);
std::string Format(const LogInfo& info);

}  // namespace faster::oxifaster
