#include "workloads/ycsb/checkpoint_log.h"

#include <thread>

namespace workloads::ycsb {

void CheckpointLog::Requested(const CheckpointChoice& choice) {
  std::lock_guard lock(mutex_);
  CheckpointEvent event;
  event.choice = choice;
  event.requested = Now();
  events_.push_back(event);
  if (journal_ == nullptr) return;
  journal_->kind.store(static_cast<uint32_t>(choice.kind));
  journal_->backend.store(static_cast<uint32_t>(choice.backend));
  const uint32_t at = journal_->checkpoints.load();
  if (at >= kJournalCheckpoints) return;
  CheckpointJournal& entry = journal_->checkpoint[at];
  entry.kind.store(static_cast<uint32_t>(choice.kind));
  entry.backend.store(static_cast<uint32_t>(choice.backend));
  uint64_t pending = 0;
  for (uint32_t i = 0; i < journal_->sessions.load(); ++i) {
    const uint64_t issued = journal_->session[i].issued.load();
    const uint64_t under_way = journal_->under_way.load();
    entry.issued_before[i].store(issued > under_way ? issued - under_way : 0);
    pending += journal_->session[i].pending.load();
  }
  entry.pending_before.store(pending);
  entry.state.store(CheckpointJournal::kRequested);
  journal_->checkpoints.store(at + 1);
}

void CheckpointLog::Named(const faster::Token& token) {
  std::lock_guard lock(mutex_);
  events_.back().token = token;
}

void CheckpointLog::Refused() {
  std::lock_guard lock(mutex_);
  events_.pop_back();
  if (journal_ != nullptr) journal_->checkpoints.fetch_sub(1);
}

void CheckpointLog::OnPhase(faster::CheckpointKind kind, faster::Phase phase, uint64_t version) {
  uint32_t ordinal;
  {
    std::lock_guard lock(mutex_);
    if (events_.empty()) return;
    events_.back().phases.emplace_back(phase, Now());
    ordinal = static_cast<uint32_t>(events_.size() - 1);
  }
  if (journal_ != nullptr) journal_->phase.store(static_cast<uint32_t>(phase));
  if (hold_ && hold_->phase == phase && hold_->checkpoint == ordinal) {
    if (journal_ != nullptr) journal_->held.store(1);
    std::this_thread::sleep_for(std::chrono::duration<double>(hold_->seconds));
  }
}

void CheckpointLog::OnDurable(const faster::Token& token, faster::CheckpointKind kind, faster::Status status,
                              uint64_t version, const std::vector<faster::SessionCommit>& sessions) {
  std::lock_guard lock(mutex_);
  if (events_.empty()) return;
  events_.back().token = token;
  events_.back().ended = Now();
  events_.back().status = status;
  if (journal_ != nullptr) JournalDurable(token, status, sessions);
}

void CheckpointLog::JournalDurable(const faster::Token& token, faster::Status status,
                                   const std::vector<faster::SessionCommit>& sessions) {
  journal_->ended.fetch_add(1);
  const uint32_t count = journal_->checkpoints.load();
  if (count == 0 || count > kJournalCheckpoints) return;
  CheckpointJournal& entry = journal_->checkpoint[count - 1];
  entry.token_high.store(token.high);
  entry.token_low.store(token.low);
  for (const faster::SessionCommit& commit : sessions) {
    for (uint32_t i = 0; i < journal_->sessions.load(); ++i) {
      if (journal_->session[i].id() == commit.session) entry.reported[i].store(commit.serial);
    }
  }
  entry.state.store(status == faster::Status::kOk ? CheckpointJournal::kDurable : CheckpointJournal::kFailed);
}

std::vector<CheckpointEvent> CheckpointLog::events() const {
  std::lock_guard lock(mutex_);
  return events_;
}

}  // namespace workloads::ycsb
