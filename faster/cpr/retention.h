// Retention: which checkpoints may go, and how they and the log below them go without a crash in between that
// makes a kept one unrecoverable.
//
// KEPT are the newest `keep` complete checkpoints of the log that are known to be durable, every newer one
// that is not (its callback said so, or has not come), the index that a recovery of each of these would
// choose, indexes newer than the newest log, which the next one may choose, and the chains of snapshots and
// deltas that these, or a delta that is still to come, build on. The log is needed from the smallest begin
// address of all that are left; segments wholly below are removed.
//
// ORDER: the names of what is kept are made durable; then, checkpoint by checkpoint, log.meta and index.meta
// are removed and the directory synced, so that what is half removed is incomplete and never offered; then
// its other files and its directory; segments of the log last. A crash anywhere leaves some of it for the
// next time. Damage anywhere (metadata that does not verify) stops everything: a person decides what to use.
// Directories of checkpoints that a crash or a recovery to an older one left behind go too.
//
// Blocking, no state; one at a time (Checkpointer::Retain). ERRORS: of the first step that failed; what was
// not reached stays.
#pragma once

#include <string_view>
#include <vector>

#include "faster/cpr/catalog.h"
#include "faster/device/storage.h"

namespace faster {

struct RetentionPlan {
  std::vector<Token> whole;      // removed
  std::vector<Token> log_parts;  // only the log part is removed, the index is needed
  std::vector<Token> kept;
  LogAddress needed_from = 0;  // the log below is not needed
};

struct RetentionReport {
  uint32_t checkpoints = 0;  // removed, wholly or their log part
  uint32_t segments = 0;
};

// `entries` as ListCheckpoints gives them; `doubtful`: complete or not, they count as newer ones and never
// among the `keep` (at least 1). `flushed`: the next delta does not build on a snapshot that ends at or
// below. kCorruption or a read error if a part of an entry is broken.
Status PlanRetention(const std::vector<CatalogEntry>& entries, uint32_t keep,
                     const std::vector<Token>& doubtful, LogAddress flushed, RetentionPlan* plan,
                     Diagnosis* why);

// `leftovers`: directories that belong to no complete checkpoint and no running one.
Status ApplyRetention(Storage& storage, std::string_view directory, const RetentionPlan& plan,
                      const std::vector<Token>& leftovers, uint64_t segment_bytes, RetentionReport* report,
                      Diagnosis* why);

}  // namespace faster
