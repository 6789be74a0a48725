// What the Checkpointer says about itself: progress for status lines, everything for a stuck verdict.
#include "faster/cpr/checkpoint_progress.h"

#include <algorithm>

#include "faster/cpr/checkpointer.h"

namespace faster {

std::string CheckpointProgress::Text() const {
  if (!running) return "no checkpoint runs";
  std::string text = std::string(PhaseName(phase)) + " of " + std::string(CheckpointKindName(kind)) +
                     (token.IsNull() ? "" : " checkpoint " + token.Text().substr(0, 8)) + ", version " +
                     std::to_string(version);
  if (bytes_total != 0)
    text += ", " + std::to_string(bytes_done) + " of " + std::to_string(bytes_total) + " bytes";
  if (held) {
    text += ", held by session " + session.Text().substr(0, 8) +
            (in_operation ? " inside a call" : ", which is idle");
  }
  return text;
}

CheckpointProgress Checkpointer::Progress() {
  std::lock_guard lock(mutex_);
  return Look();
}

// Without the lock only where nothing else runs.
CheckpointProgress Checkpointer::Look() const {
  CheckpointProgress progress;
  const SystemState now = State();
  progress.running = now.phase != Phase::kRest;
  if (!progress.running) return progress;
  if (now.kind != CheckpointKind::kGrowIndex) progress.token = notice_.token;
  progress.kind = now.kind;
  progress.phase = now.phase;
  progress.version = IsShifted(now.phase) ? now.version - 1 : now.version;
  for (const SessionCore* session : sessions_) {
    if (session->acked_.load(std::memory_order_acquire) == now.control()) continue;
    progress.held = true;
    progress.session = session->id();
    progress.in_operation = session->entry_->local.load(std::memory_order_acquire) != 0;
    break;
  }
  progress.bytes_total = bytes_total_.load(std::memory_order_acquire);
  progress.bytes_done = bytes_done_.load(std::memory_order_acquire);
  const bool saves = now.phase == Phase::kWaitFlush && log_metadata_.use_snapshot_file;
  if (saves && job_.load(std::memory_order_acquire) == Job::kRunning) {
    progress.bytes_total = snapshots_.total();
    progress.bytes_done = std::min(snapshots_.done(), progress.bytes_total);
  } else if (now.phase == Phase::kWaitFlush && !saves) {
    const LogAddress final = log_metadata_.final_address;
    progress.bytes_total = final - flush_from_;
    progress.bytes_done = std::clamp(log_->flushed_until(), flush_from_, final) - flush_from_;
  }
  return progress;
}

std::string Checkpointer::Describe() {
  const SystemState now = State();
  std::string text = "global " + std::string(PhaseName(now.phase)) + " of a " +
                     std::string(CheckpointKindName(now.kind)) + " action, version " +
                     std::to_string(now.version) + ", epoch " + std::to_string(epoch_->current()) +
                     (epoch_->has_actions() ? ", drain list not empty" : "") + ", job " +
                     (job_.load() == Job::kRunning ? "running"
                      : job_.load() == Job::kDone  ? "done"
                                                   : "idle") +
                     "; " + Look().Text() + "\n";
  for (const SessionCore* session : sessions_) {
    const SystemState acked = SystemState::FromControl(session->acked_.load());
    text += "session " + session->id().Text() + ": in " + std::string(PhaseName(session->phase_)) +
            ", version " + std::to_string(session->version_) + ", acknowledged " +
            std::string(PhaseName(acked.phase)) + "/" + std::to_string(acked.version) + ", announced epoch " +
            std::to_string(session->entry_->local.load()) + ", pending " +
            std::to_string(session->pending_now_) + " now " + std::to_string(session->pending_old_) +
            " old\n";
  }
  return text;
}

}  // namespace faster
