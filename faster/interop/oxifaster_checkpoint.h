// A checkpoint of oxifaster as its metadata describe it: which one of a directory, its parts, its base.
//
//   <token>/index.meta  index.dat  log.meta  log.snapshot | delta.0.log  delta.meta     and FILE.crc
//
// FILE.crc of a metadata file is the XOR of its words, 8 bytes. Missing it is warned of, as the original
// does; a wrong one is damage. There is no list of checkpoints and no mark of a complete one: log.meta is
// written last. A checkpoint without index.meta (one of the log alone, or what is left of a full one) is
// read by its log.
//
// Blocking, reads only, no state; thread-safe as far as the Storage is. ERRORS: kNotFound: no such
// checkpoint, or none. kInvalidArgument: several of the newest version, one has to be named. kUnsupported: an
// index alone, a log of objects. kCorruption.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "faster/device/storage.h"
#include "faster/interop/oxifaster_metadata.h"

namespace faster::oxifaster {

constexpr std::string_view kSnapshotName = "log.snapshot";
constexpr std::string_view kDeltaLogName = "delta.0.log";
constexpr std::string_view kDeltaMetaName = "delta.meta";
constexpr std::string_view kSumSuffix = ".crc";

struct Checkpoint {
  Token token;
  std::string directory;
  LogInfo log;
  std::optional<IndexInfo> index;
  // Of an incremental checkpoint:
  DeltaInfo delta;
  LogInfo base;
  std::string base_directory;

  // Whose log.snapshot it is, if it has one.
  const LogInfo& snapshot_log() const { return log.incremental ? base : log; }
  std::string SnapshotPath() const;
};

// What a person should know although the import goes on, a line each.
using Warnings = std::vector<std::string>;

// `token` absent: that of the largest version.
Status ReadCheckpoint(Storage& storage, std::string_view directory, const std::optional<Token>& token,
                      Checkpoint* checkpoint, Warnings* warnings, Diagnosis* why);

// The whole of FILE.crc, `bytes` long. *present false: there is none, which is warned of.
Status ReadSums(Storage& storage, const std::string& file, uint64_t bytes, std::string* sums, bool* present,
                Warnings* warnings, Diagnosis* why);

}  // namespace faster::oxifaster
