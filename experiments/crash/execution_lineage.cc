// Execution: which of its checkpoints a recovery has to return, and what the one that it returned was worth.
#include <algorithm>

#include "experiments/crash/execution.h"

namespace experiments {

using faster::Status;
using faults::kNever;

// So many of the newest durable checkpoints are there for sure. After injected faults one that was reported
// as failed may be complete and count among those that the engine keeps.
uint32_t Execution::Kept() const {
  uint32_t kept = recorder_.retained();
  if (scenario_->geometry.keep_checkpoints != 0) kept = std::min(kept, scenario_->geometry.keep_checkpoints);
  return kept == ~0u || scenario_->faults.empty() ? kept : 1;
}

// A latest recovery would be ambiguous after a named one left newer checkpoints behind and nothing became
// durable since: then the name is said again.
const faster::Token* Execution::NameToRecover(const Incarnation& incarnation) {
  for (const faults::CheckpointEvent& event : recorder_.history().checkpoints) {
    const bool good = event.callback != kNever && event.status == Status::kOk &&
                      event.kind != faster::CheckpointKind::kIndexOnly;
    if (!good || event.incarnation != recorder_.history().recoveries.size()) continue;
    if (std::find(lineage_.begin(), lineage_.end(), event.token) != lineage_.end()) continue;
    lineage_.push_back(event.token);
    abandoned_ = false;
  }
  if (lineage_.size() > Kept()) lineage_.erase(lineage_.begin(), lineage_.end() - Kept());
  if (lineage_.empty() || (!incarnation.named && !abandoned_)) return nullptr;
  const size_t back = incarnation.named ? std::min<size_t>(incarnation.back, lineage_.size() - 1) : 0;
  named_ = lineage_[lineage_.size() - 1 - back];
  return &named_;
}

void Execution::FollowLineage(const faster::Token& recovered, bool named) {
  const auto found = std::find(lineage_.begin(), lineage_.end(), recovered);
  if (found == lineage_.end()) {
    lineage_.push_back(recovered);
    abandoned_ = false;
    return;
  }
  abandoned_ = abandoned_ || named;  // a newer one may be complete that was never reported
  lineage_.erase(found + 1, lineage_.end());
}

void Execution::Account(const faults::Recovery& recovery) {
  ++result_.recoveries;
  if (recovery.log_token.IsNull()) return;
  ++result_.recovered_own;
  if (attempt_.records_undone > 0) ++result_.recovered_undone;
  const faults::History& history = recorder_.history();
  uint64_t requested = kNever;
  for (const faults::CheckpointEvent& event : history.checkpoints) {
    if (event.token == recovery.log_token) requested = event.requested;
  }
  bool split = false, pending = false;
  for (const faster::SessionCommit& commit : recovery.commits) {
    bool committed = false, lost = false;
    for (const faults::Operation& operation : history.operations) {
      if (operation.incarnation != recovery.incarnation ||
          history.sessions[operation.session] != commit.session)
        continue;
      const bool inside = operation.serial <= commit.serial;
      (inside ? committed : lost) = true;
      pending = pending || (inside && operation.went_pending && operation.responded > requested);
    }
    split = split || (committed && lost);
  }
  result_.recovered_split += split;
  result_.recovered_pending += pending;
}

}  // namespace experiments
