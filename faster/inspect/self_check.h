// CheckpointSelfCheck: validates every checkpoint of a store and, if asked, sets those aside that are broken.
//
// WHAT GOES. The part of a checkpoint that is broken: its log part, its index part, or the whole directory if
// nothing of value is left in it. What stays, though it is broken: data files that the chain of a good
// checkpoint reads (of such a one only a log.meta that does not verify goes, which no chain reads), and all
// if no checkpoint is good: to go on with an empty store is not for a program to decide. A good checkpoint,
// or what one needs, is never moved. Incomplete directories and abandoned checkpoints are left to the engine.
//
// After a repair the newest good checkpoint is what a recovery takes; what sessions committed since then is
// lost. The report says so (`latest`, `latest_before`).
//
// It holds the store's lock: kBusy while the store is open. Blocking; memory and reads as in validate.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "faster/inspect/set_aside.h"
#include "faster/inspect/validate.h"

namespace faster {

struct CheckpointSelfCheckOptions {
  bool repair = false;  // else a dry run: only say what would be done
  std::string label;    // of what is set aside, the time for example
  ValidateOptions validate;
};

struct CheckpointIssue {
  Token token;
  bool in_cold_index = false;  // a checkpoint of that store
  bool log = false;            // its log part is broken
  bool index = false;          // its index part is
  std::string reason;          // one line
  std::vector<Finding> findings;
  uint64_t total_findings = 0;
  std::string kept;                // why it stays; "" if it goes
  std::vector<std::string> files;  // that go; none: the directory
  std::string moved_to;            // below the storage's root; "" in a dry run
};

struct CheckpointSelfCheckReport {
  uint32_t total = 0;  // checkpoints with metadata
  uint32_t valid = 0;
  uint32_t invalid = 0;
  uint32_t planned = 0;    // that go, wholly or in part
  uint32_t set_aside = 0;  // that have gone
  std::vector<CheckpointIssue> issues;
  std::vector<Token> incomplete;
  bool dry_run = false;
  bool repaired = false;               // all that was planned has gone, and a recovery finds `latest`
  std::optional<Token> latest_before;  // what a recovery would have taken; none: it would have refused
  std::optional<Token> latest;         // newest good one
};

// kOk: no issues, or they were repaired. kCorruption: there are issues (in a dry run, too). kBusy. kNotFound:
// no checkpoint. Else the first error, and *why; what has been moved by then is in the report.
Status CheckpointSelfCheck(Storage* storage, std::string_view directory,
                           const CheckpointSelfCheckOptions& options, CheckpointSelfCheckReport* report,
                           Diagnosis* why);

}  // namespace faster
