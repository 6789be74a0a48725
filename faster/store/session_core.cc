#include "faster/store/session_core.h"

namespace faster {

// The global state moves on only when every session has acknowledged it, so a session is one state behind at
// most and never skips a duty.
void SessionCore::CatchUp(uint64_t global) {
  const SystemState state = SystemState::FromControl(global);
  if (global != state_control_) {
    if (state.phase == Phase::kInProgress) {
      // The CPR point: everything issued so far is version v but for excluded_, everything later v+1.
      commit_point_ = serial_;
      shifted_version_ = version_;
      ShiftPending(state.version);
    }
    if (state.phase == Phase::kPersistenceCallback && notice_->durable) {
      commits_.push_back({notice_->token, commit_point_, excluded_});
    }
    state_control_ = global;
    phase_ = state.phase;
    version_ = state.version;
    if (phase_ == Phase::kRest) FollowIndex();
    if (observe_ != nullptr) observe_(observe_context_, *this, phase_, version_);
  }
  if (phase_ == Phase::kPrepare && !LockPending()) return;
  if (phase_ == Phase::kWaitPending && pending_old_ != 0) return;
  acked_.store(global, std::memory_order_release);
}

}  // namespace faster
