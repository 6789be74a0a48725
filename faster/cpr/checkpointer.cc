#include "faster/cpr/checkpointer.h"

#include <algorithm>
#include <thread>

namespace faster {

Checkpointer::Checkpointer(const StoreConfig& config, Storage* storage, LightEpoch* epoch, HybridLog* log,
                           HashIndex* index, const ReadCache* cache, uint32_t key_bytes, uint32_t value_bytes,
                           CheckpointObserver* observer, IdSource* ids)
    : config_(config),
      storage_(storage),
      epoch_(epoch),
      log_(log),
      hash_index_(index),
      cache_(cache),
      key_bytes_(key_bytes),
      value_bytes_(value_bytes),
      observer_(observer),
      ids_(ids),
      snapshots_(config_, storage, log),
      driver_entry_(epoch->Acquire()),
      job_entry_(epoch->Acquire()) {}

Checkpointer::~Checkpointer() {
  while (job_.load(std::memory_order_acquire) == Job::kRunning || retaining_.load(std::memory_order_acquire))
    std::this_thread::yield();
}

void Checkpointer::Begin(Origin origin) {
  hash_index_->Arm(true);
  snapshots_.Begin(std::move(origin.snapshot));
  leftovers_ = origin.leftovers;
  for (const SessionCommit& session : origin.sessions)
    closed_[session.session] = Closed{session.serial, 0, 0, {}, session.excluded};
  state_.store(SystemState{Phase::kRest, CheckpointKind::kFull, origin.version}.control(),
               std::memory_order_release);
}

Guid Checkpointer::NewSessionId() {
  std::lock_guard lock(mutex_);
  return Guid{ids_->Next(), ids_->Next()};
}

Status Checkpointer::Register(SessionCore* session, bool continued) {
  std::lock_guard lock(mutex_);
  const SystemState now = State();
  const auto known = closed_.find(session->id());
  if (continued) {
    if (known == closed_.end()) return Status::kNotFound;
    session->serial_ = known->second.serial;
    // A session that comes back during a checkpoint keeps the point it left at.
    const bool shifted_here = known->second.shifted_version + 1 == now.version && IsShifted(now.phase);
    session->commit_point_ = shifted_here ? known->second.commit_point : known->second.serial;
    session->excluded_ = shifted_here ? known->second.point_excluded : known->second.excluded;
    session->handed_over_ = known->second.excluded;
    closed_.erase(known);
  }
  if (IsShifted(now.phase)) session->shifted_version_ = now.version - 1;
  session->state_control_ = now.control();
  session->phase_ = now.phase;
  session->version_ = now.version;
  session->notice_ = &notice_;
  if (observer_ != nullptr && !session->internal_) {
    session->observe_context_ = observer_;
    session->observe_ = [](void* observer, const SessionCore& who, Phase phase, uint64_t version) {
      static_cast<CheckpointObserver*>(observer)->OnSessionPhase(who.id(), phase, version);
    };
  }
  session->acked_.store(now.control(), std::memory_order_release);
  session->FollowIndex();
  sessions_.push_back(session);
  return Status::kOk;
}

void Checkpointer::Unregister(SessionCore* session) {
  {
    std::lock_guard lock(mutex_);
    session->Enter();
    session->CatchUp(state_.load(std::memory_order_acquire));
    session->Leave();
    if (!session->internal_) {
      std::sort(session->failed_.begin(), session->failed_.end());
      closed_[session->id()] = Closed{session->serial_, session->commit_point_, session->shifted_version_,
                                      session->excluded_, session->failed_};
    }
    std::erase(sessions_, session);
  }
  Advance();  // the session that left may have been the last one waited for
}

std::vector<SessionState> Checkpointer::Sessions() {
  std::lock_guard lock(mutex_);
  std::vector<SessionState> states;
  states.reserve(sessions_.size() + closed_.size());
  for (SessionCore* session : sessions_) {
    if (session->internal_) continue;
    SessionState& state = states.emplace_back(SessionState{session->id(), true});
    if (!epoch_->TakeOver(session->entry_)) continue;
    state.serial = session->serial_;
    epoch_->GiveBack(session->entry_);
  }
  for (const auto& [id, closed] : closed_) states.push_back({id, false, closed.serial, closed.excluded});
  std::sort(states.begin(), states.end(),
            [](const SessionState& a, const SessionState& b) { return a.session < b.session; });
  return states;
}

Status Checkpointer::Start(CheckpointKind kind, LogBackend backend, Token* token) {
  std::lock_guard lock(mutex_);
  const SystemState now = State();
  if (now.phase != Phase::kRest || !AllAcknowledged(now.control())) return Status::kBusy;
  log_->RetryFailedWrites();
  backend_ = kind == CheckpointKind::kIncremental ? LogBackend::kSnapshot : backend;
  status_ = Status::kOk;
  job_.store(Job::kIdle, std::memory_order_relaxed);
  barrier_.store(false, std::memory_order_relaxed);
  *token = Token{ids_->Next(), ids_->Next()};
  notice_ = {*token, false};
  doubtful_.push_back(*token);
  index_ = IndexMetadata{};
  index_.token = *token;
  index_.version = now.version;
  index_.table_size = hash_index_->table().size();
  index_.begin_address = log_->begin();
  index_.generation = log_->generation();
  // Lis before any bucket is copied: what is appended from here on is replayed.
  index_.checkpoint_start = UsedTail();
  log_metadata_ = LogMetadata{};
  log_metadata_.token = *token;
  overlapped_ = config_.overlap_index && kind == CheckpointKind::kFull;
  bytes_done_.store(0, std::memory_order_relaxed);
  bytes_total_.store(0, std::memory_order_relaxed);
  MoveTo(now.Next(kind, overlapped_));
  return Status::kOk;
}

Status Checkpointer::Retain(uint32_t keep, RetentionReport* report, Diagnosis* why) {
  if (retaining_.exchange(true, std::memory_order_acq_rel)) return Status::kBusy;
  const Status status = RunRetention(keep, report, why);
  retaining_.store(false, std::memory_order_release);
  return status;
}

Status Checkpointer::RunRetention(uint32_t keep, RetentionReport* report, Diagnosis* why) {
  Diagnosis unused;
  std::vector<CatalogEntry> entries;
  std::vector<Token> abandoned;
  Status status =
      ListCheckpoints(*storage_, config_.directory, &entries, why != nullptr ? why : &unused, &abandoned);
  if (status != Status::kOk) return status;
  std::vector<Token> doubtful;
  LogAddress flushed = 0;  // a checkpoint that runs may have begun a delta on any snapshot
  {
    // After the list was made: what it shows as complete and is not in here was reported as durable.
    std::lock_guard lock(mutex_);
    doubtful = doubtful_;
    if (State().phase == Phase::kRest) flushed = log_->flushed_until();
    abandoned.insert(abandoned.end(), leftovers_.begin(), leftovers_.end());
  }
  RetentionPlan plan;
  status = PlanRetention(entries, std::max(keep, 1u), doubtful, flushed, &plan, why);
  if (status != Status::kOk) return status;
  status = ApplyRetention(*storage_, config_.directory, plan, abandoned,
                          config_.page_bytes() * config_.segment_pages, report, why);
  log_->file().CloseBelow(plan.needed_from);
  return status == Status::kOk && partner_ != nullptr ? partner_->AfterRetention(why) : status;
}

// After a durable checkpoint. One that finds another at work leaves it to the next.
void Checkpointer::ScheduleRetention() {
  if (retaining_.exchange(true, std::memory_order_acq_rel)) return;
  storage_->Schedule(
      [](void* argument) {
        auto* self = static_cast<Checkpointer*>(argument);
        RetentionReport report;
        const Status status = self->RunRetention(self->config_.keep_checkpoints, &report, nullptr);
        if (self->observer_ != nullptr) self->observer_->OnUpkeep(Upkeep::kRetention, status);
        self->retaining_.store(false, std::memory_order_release);
      },
      this);
}

Status Checkpointer::ShiftBegin(LogAddress to) {
  std::lock_guard lock(mutex_);
  if (truncating_ || VersionsDiffer(State().phase)) return Status::kBusy;
  log_->ShiftBegin(to);
  return Status::kOk;
}

Status Checkpointer::AnnounceTruncation(LogAddress to) {
  std::lock_guard lock(mutex_);
  if (truncating_ || VersionsDiffer(State().phase)) return Status::kBusy;
  truncating_ = true;
  log_->AnnounceBegin(to);
  return Status::kOk;
}

void Checkpointer::Truncate(LogAddress to) {
  std::lock_guard lock(mutex_);
  log_->ShiftBegin(to);
  truncating_ = false;
}

bool Checkpointer::Advance(uint32_t split) {
  if (State().phase == Phase::kRest && !hash_index_->wants_growth()) return true;
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return false;
  log_->Poll();
  for (int moves = 0; moves < 2 * kPhases; ++moves) {
    const SystemState now = State();
    if (now.phase == Phase::kRest && (!hash_index_->wants_growth() || TryGrowth() != Status::kOk))
      return true;
    if (now.phase == Phase::kRest) continue;
    if (!AllAcknowledged(now.control()) || !ConditionHolds(now, split)) return false;
    SystemState next = now.Next(now.kind, overlapped_);
    // Without an index the log part of a full checkpoint is not tried.
    if (now.phase == Phase::kIndex && status_ != Status::kOk) next.phase = Phase::kRest;
    MoveTo(next);
  }
  return false;
}

// Idle sessions are taken over and brought up to date here; a session inside an operation does it itself.
bool Checkpointer::AllAcknowledged(uint64_t control) {
  bool all = true;
  for (SessionCore* session : sessions_) {
    if (session->acked_.load(std::memory_order_acquire) == control) continue;
    if (!epoch_->TakeOver(session->entry_)) {
      all = false;
      continue;
    }
    epoch_->Protect(driver_entry_);
    session->CatchUp(control);
    if (session->acked_.load(std::memory_order_relaxed) != control) {
      session->ProcessPending();
      session->CatchUp(control);
    }
    epoch_->Unprotect(driver_entry_);
    all &= session->acked_.load(std::memory_order_relaxed) == control;
    epoch_->GiveBack(session->entry_);
  }
  return all;
}

bool Checkpointer::ConditionHolds(const SystemState& state, uint32_t split) {
  if (state.phase == Phase::kGrowInProgress) return GrowthIsOver(split);
  // Overlapped, the copy of the index begins when every session is in Prepare, and has ended when the final
  // address is taken: no address in the copy lies above (Lie <= Lhe).
  const bool copies = overlapped_ && state.phase == Phase::kWaitPending;
  if (state.phase == Phase::kPrepare) {
    if (truncating_) return false;
    if (overlapped_) StartJob(&Checkpointer::IndexJob);
    return true;
  }
  if (state.phase != Phase::kIndex && state.phase != Phase::kWaitFlush && !copies) return true;
  if (state.phase == Phase::kWaitFlush && status_ != Status::kOk) return true;  // its index failed
  const Job job = job_.load(std::memory_order_acquire);
  if (job == Job::kDone) {
    status_ = job_status_;
    return true;
  }
  if (job == Job::kRunning) return false;
  if (state.phase == Phase::kIndex) {
    StartJob(&Checkpointer::IndexJob);
    return false;
  }
  const LogAddress final = log_metadata_.final_address;
  if (backend_ == LogBackend::kFoldOver) {
    if (log_->write_failures() != failures_before_) {
      status_ = log_->last_write_failure();
      return true;
    }
    if (log_->flushed_until() < final) return false;
  } else if (!barrier_.load(std::memory_order_acquire)) {
    return false;
  }
  StartJob(&Checkpointer::LogJob);
  return false;
}

void Checkpointer::MoveTo(const SystemState& next) {
  switch (next.phase) {
    case Phase::kPrepare:
      job_.store(Job::kIdle, std::memory_order_relaxed);
      log_metadata_.start_address = log_->tail();
      shift_start_.store(log_metadata_.start_address, std::memory_order_release);
      break;
    case Phase::kWaitFlush:
      job_.store(Job::kIdle, std::memory_order_relaxed);
      log_metadata_.version = next.version - 1;
      EnterWaitFlush();
      break;
    case Phase::kPersistenceCallback:
    case Phase::kRest:
      if (State().phase == Phase::kGrowInProgress) {
        hash_index_->End();
      } else if (State().phase != Phase::kPersistenceCallback) {
        notice_.durable = status_ == Status::kOk;
        Finish();
      }
      break;
    default:
      break;
  }
  const bool durable =
      next.phase == Phase::kRest && State().phase == Phase::kPersistenceCallback && status_ == Status::kOk;
  state_.store(next.control(), std::memory_order_release);
  if (observer_ != nullptr) observer_->OnPhase(next.kind, next.phase, next.version);
  if (durable && config_.keep_checkpoints != 0) ScheduleRetention();
}

void Checkpointer::EnterWaitFlush() {
  LogMetadata& log = log_metadata_;
  failures_before_ = log_->write_failures();
  log.final_address = log_->CloseBlock();
  log.use_snapshot_file = backend_ == LogBackend::kSnapshot;
  log.version_bits = config_.version_bits;
  log.page_bits = config_.page_bits;
  log.block_bytes = config_.block_bytes;
  log.segment_pages = config_.segment_pages;
  log.variable_records = key_bytes_ == 0;
  log.key_bytes = key_bytes_;
  log.value_bytes = value_bytes_;
  log.table_size = hash_index_->table().size();
  log.begin_address = log_->begin();
  log.head_address = std::min(log_->head(), log.final_address);
  log.sessions = CollectCommits(log.version);
  log.dead_ranges = log_->dead_ranges();
  log.generations = log_->generations();
  // The final address can be a whole block below the tail at PREPARE if that block was still empty.
  log.start_address = std::min(log.start_address, log.final_address);
  flush_from_ = std::min(log_->flushed_until(), log.final_address);
  bytes_done_.store(0, std::memory_order_relaxed);
  bytes_total_.store(0, std::memory_order_relaxed);
  if (backend_ == LogBackend::kFoldOver) {
    log_->RetryFailedWrites();  // what failed before would never be written otherwise; failing again ends
                                // this one
    log_->ShiftReadOnly(log.final_address);
  } else {
    RaiseBarrier();
  }
}

std::vector<SessionCommit> Checkpointer::CollectCommits(uint64_t version) const {
  std::vector<SessionCommit> commits;
  commits.reserve(sessions_.size() + closed_.size());
  for (const SessionCore* session : sessions_) {
    if (!session->internal_) commits.push_back({session->id(), session->commit_point_, session->excluded_});
  }
  for (const auto& [id, closed] : closed_) {
    const bool shifted = closed.shifted_version == version;
    commits.push_back({id, shifted ? closed.commit_point : closed.serial,
                       shifted ? closed.point_excluded : closed.excluded});
  }
  std::sort(commits.begin(), commits.end(),
            [](const SessionCommit& a, const SessionCommit& b) { return a.session < b.session; });
  return commits;
}

void Checkpointer::Finish() {
  if (status_ == Status::kOk) std::erase(doubtful_, notice_.token);
  if (observer_ == nullptr) return;
  // An index checkpoint, and a full one that failed at its index, leave the version as it was.
  const SystemState now = State();
  const uint64_t version = now.phase == Phase::kIndex ? now.version : now.version - 1;
  observer_->OnDurable(notice_.token, now.kind, status_, version, log_metadata_.sessions);
}

void Checkpointer::StartJob(void (Checkpointer::*body)()) {
  body_ = body;
  job_.store(Job::kRunning, std::memory_order_relaxed);
  storage_->Schedule(
      [](void* argument) {
        auto* self = static_cast<Checkpointer*>(argument);
        (self->*self->body_)();
        self->job_.store(Job::kDone, std::memory_order_release);
      },
      this);
}

Status Checkpointer::StartGrowth() {
  std::lock_guard lock(mutex_);
  return TryGrowth();
}

GrowthProgress Checkpointer::Growth() {
  std::lock_guard lock(mutex_);
  return hash_index_->Progress();
}

Status Checkpointer::TryGrowth() {
  const SystemState now = State();
  if (now.phase != Phase::kRest || !AllAcknowledged(now.control())) return Status::kBusy;
  const Status status = hash_index_->Begin();
  if (status != Status::kOk) return status;
  job_.store(Job::kIdle, std::memory_order_relaxed);
  barrier_.store(false, std::memory_order_relaxed);
  table_retired_ = false;
  MoveTo(now.Next(CheckpointKind::kGrowIndex));
  return Status::kOk;
}

// The old table goes when all of it is split and everyone who may still be in it has left the epoch.
bool Checkpointer::GrowthIsOver(uint32_t split) {
  const Job job = job_.load(std::memory_order_acquire);
  if (job != Job::kIdle) return job == Job::kDone;
  if (table_retired_) {
    if (barrier_.load(std::memory_order_acquire)) StartJob(&Checkpointer::FreeTableJob);
    return false;
  }
  epoch_->Protect(driver_entry_);
  table_retired_ = hash_index_->Sweep(split);
  epoch_->Unprotect(driver_entry_);
  if (!table_retired_) return false;
  hash_index_->Retire();
  RaiseBarrier();
  return false;
}

void Checkpointer::FreeTableJob() { hash_index_->FreeOld(); }

void Checkpointer::RaiseBarrier() {
  epoch_->BumpWith({[](void* self, uint64_t) {
                      static_cast<Checkpointer*>(self)->barrier_.store(true, std::memory_order_release);
                    },
                    this, 0});
}

// The tail, but not within a block in which nothing is yet: the log may end before that block.
LogAddress Checkpointer::UsedTail() const {
  const LogAddress tail = log_->tail();
  const bool empty = (tail & (log_->block_bytes() - 1)) == 8;
  return std::max(log_->begin(), empty ? tail - 8 : tail);
}

std::string Checkpointer::TokenPath() const { return TokenDirectory(config_.directory, index_.token); }

void Checkpointer::IndexJob() {
  job_status_ = CreateTokenDirectory(*storage_, config_.directory, index_.token);
  if (job_status_ == Status::kOk) job_status_ = CopyIndex();
  // Lie after the last bucket: every address in the copy lies below.
  index_.checkpoint_final = UsedTail();
  Diagnosis why;
  if (job_status_ == Status::kOk) job_status_ = WriteMetadata(*storage_, config_.directory, index_, &why);
}

Status Checkpointer::CopyIndex() {
  std::unique_ptr<File> file;
  const std::string path = CheckpointPath(config_.directory, index_.token, kIndexDataName);
  Status status = storage_->Open(path, OpenMode::kTruncate, &file);
  if (status != Status::kOk) return status;
  const HashTable& table = hash_index_->table();
  IndexDataWriter writer(file.get(), index_.token, table.size());
  bytes_total_.store(table.size() * sizeof(HashBucket), std::memory_order_relaxed);
  const auto progress = [this](uint64_t bytes) { bytes_done_.store(bytes, std::memory_order_release); };
  status = CaptureIndex({&table, progress, cache_, epoch_, job_entry_}, &writer, &index_.entries);
  if (status != Status::kOk) return status;
  status = writer.Finish(&index_.overflow_buckets, &index_.data_bytes, &index_.data_checksum);
  return status == Status::kOk ? file->Sync() : status;
}

void Checkpointer::LogJob() {
  const CheckpointKind kind = State().kind;
  const bool full = kind == CheckpointKind::kFull;
  job_status_ = full ? Status::kOk : CreateTokenDirectory(*storage_, config_.directory, index_.token);
  LogMetadata& log = log_metadata_;
  log.flushed_until = log.final_address;
  if (job_status_ == Status::kOk && log.use_snapshot_file)
    job_status_ = snapshots_.Write(kind == CheckpointKind::kIncremental, &log, job_entry_);
  if (job_status_ == Status::kOk) job_status_ = log_->SyncUntil(log.flushed_until, job_entry_);
  if (job_status_ == Status::kOk && partner_ != nullptr) job_status_ = partner_->Commit(log, kind);
  Diagnosis why;
  if (job_status_ == Status::kOk) job_status_ = WriteMetadata(*storage_, config_.directory, log, &why);
  if (job_status_ == Status::kOk && log.use_snapshot_file) snapshots_.Keep();
}

}  // namespace faster
