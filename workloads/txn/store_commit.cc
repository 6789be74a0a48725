// How a commit passes through its phases, with all clients, idle and closed ones included.
#include <algorithm>

#include "workloads/txn/store.h"

namespace workloads::txn {

namespace {

constexpr uint64_t kLastVersion = (uint64_t{1} << (64 - CommitLogTail::kPositionBits)) - 1;

}  // namespace

void TxnStore::SetState(TxnState state) {
  global_.store(state.control(), std::memory_order_release);
  observer_->OnPhase(state.phase, state.version);
}

Status TxnStore::RequestCommit(uint64_t* number) {
  {
    std::lock_guard lock(mutex_);
    if (!started_) return Status::kInvalidArgument;
    const TxnState now = state();
    if (requested_flush_ != 0 || now.phase != TxnPhase::kRest) return Status::kBusy;
    if (log_ != nullptr) {
      // A flush that runs has looked at the serials before now; the next one covers them.
      *number = requested_flush_ = log_->NextFlush();
    } else {
      if (config_.scheme == CommitScheme::kCalc && now.version == kLastVersion) return Status::kUnsupported;
      *number = ++highest_;
      if (config_.scheme == CommitScheme::kCpr) {
        SetState({TxnPhase::kPrepare, now.version});
      } else {
        // The point of consistency. From here on what commits is of the next version; a client that finds
        // itself there before the phase says so keeps old values at once.
        tail_.word.store((now.version + 1) << CommitLogTail::kPositionBits, std::memory_order_release);
        SetState({TxnPhase::kInProgress, now.version + 1});
      }
    }
  }
  static_cast<void>(Poll());
  return Status::kOk;
}

// Every client has the state: it said so, or it is idle or closed and now has it.
bool TxnStore::AllAdopted() {
  const uint64_t global = global_.load(std::memory_order_relaxed);
  bool all = true;
  for (auto& [id, core] : clients_) {
    if (core->acked.load(std::memory_order_acquire) == global) continue;
    if (core->entry == nullptr) {
      core->CatchUp(global, observer_);
    } else if (epoch_.TakeOver(core->entry)) {
      if (core->control != global) core->CatchUp(global, observer_);
      epoch_.GiveBack(core->entry);
    } else {
      all = false;
    }
  }
  return all;
}

bool TxnStore::Advance() {
  for (;;) {
    const TxnState now = state();
    switch (now.phase) {
      case TxnPhase::kRest:
        return false;
      case TxnPhase::kPrepare:
        if (!AllAdopted()) return false;
        SetState({TxnPhase::kInProgress, now.version + 1});
        break;
      case TxnPhase::kInProgress:
        if (!AllAdopted()) return false;
        // No transaction of the old version runs, none will begin.
        BeginCapture();
        SetState({TxnPhase::kWaitFlush, now.version});
        return true;
      case TxnPhase::kWaitFlush:
        if (capture_runs_) return false;
        EndCommit();
        break;
    }
  }
}

void TxnStore::BeginCapture() {
  const TxnState now = state();
  capturing_ = {};
  capturing_.number = highest_;
  capturing_.version = now.version - 1;
  capturing_.scheme = config_.scheme;
  capturing_.tables = config_.tables;
  capturing_.points = Points(false);
  capture_why_ = {};
  capture_runs_ = true;
}

std::vector<ClientPoint> TxnStore::Points(bool all) {
  std::vector<ClientPoint> points;
  for (const auto& [id, core] : clients_) {
    points.push_back({id, all ? core->serial.load(std::memory_order_acquire)
                              : core->commit_point.load(std::memory_order_acquire)});
  }
  return points;
}

void TxnStore::CaptureJob(void* context) {
  TxnStore* const store = static_cast<TxnStore*>(context);
  CommitMarker& marker = store->capturing_;
  const std::string& directory = store->config_.directory;
  const Status status = WriteCommit(*store->storage_, directory, store->tables_, marker.version + 1, &marker,
                                    &store->capture_why_);
  const Status cleanup =
      status == Status::kOk ? Retire(*store->storage_, directory, marker.number) : Status::kOk;
  std::lock_guard lock(store->mutex_);
  store->capture_status_ = status;
  store->cleanup_ = cleanup;
  store->capture_runs_ = false;
  store->ended_.notify_all();  // with the lock held: the store may be gone as soon as it is given up
}

void TxnStore::EndCommit() {
  Commit commit{capturing_.number,  capture_status_,       capture_why_,
                capturing_.version, capturing_.data_bytes, {}};
  if (capture_status_ == Status::kOk) commit.points = std::move(capturing_.points);
  SetState({TxnPhase::kRest, state().version});
  observer_->OnCommit(commit);
}

bool TxnStore::Poll() {
  if (log_ != nullptr) return PollLog();
  bool capture;
  {
    std::lock_guard lock(mutex_);
    capture = Advance();
  }
  if (capture) storage_->Schedule(&TxnStore::CaptureJob, this);
  return state().phase == TxnPhase::kRest;
}

bool TxnStore::PollLog() {
  std::vector<GroupCommit> finished;
  log_->TakeFinished(&finished);
  bool wanted;
  {
    std::lock_guard lock(mutex_);
    for (GroupCommit& group : finished) {
      if (requested_flush_ != 0 && group.number >= requested_flush_) requested_flush_ = 0;
      observer_->OnCommit({group.number, group.status, group.why, 0, group.bytes, std::move(group.points)});
    }
    wanted = requested_flush_ != 0;
  }
  if (wanted || log_->HasUnflushed()) static_cast<void>(log_->StartFlush());  // 0: one runs already
  return !wanted;
}

std::string TxnStore::Describe() {
  std::lock_guard lock(mutex_);
  const TxnState now = state();
  std::string text(TxnPhaseName(now.phase));
  text += " of version " + std::to_string(now.version) + (capture_runs_ ? ", capturing" : "");
  for (const auto& [id, core] : clients_) {
    const TxnState adopted = TxnState::FromControl(core->acked.load(std::memory_order_acquire));
    text += "; client " + std::to_string(id) + (core->entry == nullptr ? " (closed)" : "") + " in " +
            std::string(TxnPhaseName(adopted.phase)) + " of " + std::to_string(adopted.version);
  }
  return text;
}

}  // namespace workloads::txn
