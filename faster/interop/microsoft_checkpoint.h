// A checkpoint of Microsoft's FASTER as its metadata describe it: which one of a directory, and its sessions.
//
// The original has no list of checkpoints and no commit mark. What it writes last are the session files, so a
// checkpoint is complete when both info.dat are there, and the file of every session that the log's names.
// Incomplete ones are skipped unless they are named.
//
// Blocking, reads only, no state; thread-safe as far as the Storage is. ERRORS: kNotFound: no such
// checkpoint, or none that is complete. kInvalidArgument: several of the newest version, one has to be named.
// kCorruption.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/device/storage.h"
#include "faster/interop/microsoft_metadata.h"

namespace faster::microsoft {

constexpr std::string_view kIndexCheckpoints = "index-checkpoints";
constexpr std::string_view kCprCheckpoints = "cpr-checkpoints";
constexpr std::string_view kInfoName = "info.dat";
constexpr std::string_view kTableName = "ht.dat";
constexpr std::string_view kOverflowName = "ofb.dat";
constexpr std::string_view kSnapshotName = "snapshot.dat";
constexpr std::string_view kLogName = "log.log";  // and the number of the segment

struct Checkpoint {
  Token token;                  // of the log half
  std::string index_directory;  // with the names as they are spelled there
  std::string log_directory;
  IndexInfo index;
  LogInfo log;
  std::vector<SessionCommit> sessions;  // ascending by session
  GuidOrder order = GuidOrder::kRfc4122;
};

// `log_token` absent: the complete checkpoint of the largest version. `index_token` absent: the index half of
// the same token or, if there is none, the only one of the same version.
Status ReadCheckpoint(Storage& storage, std::string_view directory, const std::optional<Token>& log_token,
                      const std::optional<Token>& index_token, Checkpoint* checkpoint, Diagnosis* why);

}  // namespace faster::microsoft
