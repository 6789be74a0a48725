// Checkpointer: drives the phase machine (phase.h) and makes checkpoints durable (CPR paper sec. 6, App. D).
//
// It owns no thread. Advance() is called by every poll of every session, by Store::Poll and when a session
// closes; it does the duties of idle sessions, evaluates the condition of the current phase anew and moves on
// as far as it can. What blocks (copying the index, writing a snapshot, syncing, metadata) runs as a Storage
// job.
//
// DURABILITY ORDER: index.dat, sync, index.meta (temporary name, sync, rename, directory sync); log pages and
// log.snapshot or delta (snapshot_writer.h), sync; what the partner has to add (checkpoint_partner.h);
// log.meta the same way, last: it is the commit mark.
// OnDurable(kOk) follows that. An error anywhere ends the checkpoint with OnDurable(error), leaves earlier
// checkpoints as they were, and the store runs on. INVARIANT: the global state advances only when all
// sessions have acknowledged it. THREAD-SAFETY: all members. One mutex, never held during I/O; operations do
// not touch it in Rest.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <vector>

#include "faster/core/config.h"
#include "faster/core/epoch.h"
#include "faster/cpr/checkpoint_partner.h"
#include "faster/cpr/checkpoint_progress.h"
#include "faster/cpr/formats.h"
#include "faster/cpr/index_capture.h"
#include "faster/cpr/phase.h"
#include "faster/cpr/recovery_progress.h"
#include "faster/cpr/retention.h"
#include "faster/cpr/snapshot_writer.h"
#include "faster/device/storage.h"
#include "faster/index/hash_index.h"
#include "faster/log/hybrid_log.h"
#include "faster/log/read_cache.h"
#include "faster/store/session_core.h"

namespace faster {

// What the store does by itself in the background.
enum class Upkeep : uint8_t { kRetention, kCompaction };

// Watches checkpoints: progress, metrics, traces. Called from any thread, briefly, and must not call the
// store.
class CheckpointObserver {
 public:
  virtual ~CheckpointObserver() = default;
  virtual void OnPhase(CheckpointKind kind, Phase phase, uint64_t version) {}
  virtual void OnSessionPhase(const Guid& session, Phase phase, uint64_t version) {}
  virtual void OnDurable(const Token& token, CheckpointKind kind, Status status, uint64_t version,
                         const std::vector<SessionCommit>& sessions) {}
  // From time to time while a store is recovered, and at its end.
  virtual void OnRecovery(const RecoveryProgress& progress) {}
  virtual void OnUpkeep(Upkeep what, Status status) {}
};

class Checkpointer {
 public:
  // What the store had when it was opened: 1 and nothing, or what recovery found.
  struct Origin {
    uint64_t version = 1;
    std::vector<SessionCommit> sessions;
    SnapshotState snapshot;        // what the next delta can build on
    std::vector<Token> leftovers;  // directories without a complete checkpoint
  };

  Checkpointer(const StoreConfig& config, Storage* storage, LightEpoch* epoch, HybridLog* log,
               HashIndex* index, const ReadCache* cache, uint32_t key_bytes, uint32_t value_bytes,
               CheckpointObserver* observer, IdSource* ids);
  ~Checkpointer();  // waits for the running job

  void Begin(Origin origin);
  // Before the first checkpoint. It outlives this.
  void SetPartner(CheckpointPartner* partner) { partner_ = partner; }
  Status Start(CheckpointKind kind, LogBackend backend, Token* token);  // kBusy while one runs
  // True in Rest. `split`: buckets of a growing index that the caller has time for.
  bool Advance(uint32_t split = 0);
  // Doubles the index, by an action of the same machine: kBusy while a checkpoint or another growth runs.
  Status StartGrowth();
  GrowthProgress Growth();

  Guid NewSessionId();
  // Adds a session; `continued`: an id that this store knows, whose serial is restored. kNotFound otherwise.
  Status Register(SessionCore* session, bool continued);
  void Unregister(SessionCore* session);  // remembers its commit point; re-evaluates the phase

  // Every session ever opened, ascending; not the engine's own.
  std::vector<SessionState> Sessions();

  // Removes all but the newest `keep` (at least 1) checkpoints and what these need (retention.h), and
  // segments of the log that nobody needs then. Blocking; beside everything else. kBusy: another retention
  // runs.
  Status Retain(uint32_t keep, RetentionReport* report, Diagnosis* why);
  bool retaining() const { return retaining_.load(std::memory_order_acquire); }

  // The begin address moves only while all sessions are at one version, so that no operation meets a begin
  // that belongs to another version than its own; a checkpoint has the begin of its version's end.
  // kBusy otherwise, or while a truncation is under way: nothing happened.
  Status ShiftBegin(LogAddress to);  // by a compaction: nothing below `to` is the newest of its key
  Status AnnounceTruncation(LogAddress to);
  void Truncate(LogAddress to);  // what was announced, once every update that began before is over

  const std::atomic<uint64_t>* state() const { return &state_; }
  SystemState State() const { return SystemState::FromControl(state_.load(std::memory_order_acquire)); }
  // Lhs of the running checkpoint: no record of version v+1 lies below.
  LogAddress shift_start() const { return shift_start_.load(std::memory_order_acquire); }
  CheckpointProgress Progress();
  std::string Describe();  // takes no lock: for when nothing moves any more

 private:
  enum class Job : uint8_t { kIdle, kRunning, kDone };
  struct Closed {
    uint64_t serial = 0;        // last serial issued
    uint64_t commit_point = 0;  // of shifted_version
    uint64_t shifted_version = 0;
    std::vector<uint64_t> point_excluded;  // serials up to commit_point that shifted_version lacks
    // Serials that the recovered checkpoint lacks, or of updates whose error nobody collected: every later
    // one says so too, until a client continues the session and so hears of it.
    std::vector<uint64_t> excluded;
  };

  CheckpointProgress Look() const;
  bool AllAcknowledged(uint64_t control);
  bool ConditionHolds(const SystemState& state, uint32_t split);
  void MoveTo(const SystemState& next);
  void EnterWaitFlush();
  void Finish();
  Status TryGrowth();
  bool GrowthIsOver(uint32_t split);
  Status RunRetention(uint32_t keep, RetentionReport* report, Diagnosis* why);
  void ScheduleRetention();
  void StartJob(void (Checkpointer::*body)());
  void IndexJob();
  void LogJob();
  void FreeTableJob();
  void RaiseBarrier();
  Status CopyIndex();
  std::vector<SessionCommit> CollectCommits(uint64_t version) const;
  std::string TokenPath() const;
  LogAddress UsedTail() const;

  const StoreConfig config_;
  Storage* const storage_;
  LightEpoch* const epoch_;
  HybridLog* const log_;
  HashIndex* const hash_index_;
  const ReadCache* const cache_;
  const uint32_t key_bytes_;  // both 0: variable length
  const uint32_t value_bytes_;
  CheckpointObserver* const observer_;
  IdSource* const ids_;
  CheckpointPartner* partner_ = nullptr;
  SnapshotWriter snapshots_;  // used by the job
  LightEpoch::Entry* const driver_entry_;
  LightEpoch::Entry* const job_entry_;

  alignas(64) std::atomic<uint64_t> state_{0};
  std::atomic<LogAddress> shift_start_{0};
  std::mutex mutex_;  // guards everything below but the atomics
  std::vector<SessionCore*> sessions_;
  std::map<Guid, Closed> closed_;
  std::vector<Token> doubtful_;  // of this incarnation: running, or not reported as durable
  std::vector<Token> leftovers_;
  std::atomic<bool> retaining_{false};
  bool truncating_ = false;  // announced: the version may not shift

  // The running checkpoint.
  LogBackend backend_ = LogBackend::kFoldOver;
  IndexMetadata index_;
  LogMetadata log_metadata_;
  bool overlapped_ = false;  // the index is copied while versions shift
  Status status_ = Status::kOk;
  uint64_t failures_before_ = 0;  // page writes that had failed when WaitFlush began
  SessionCore::Notice notice_;
  void (Checkpointer::*body_)() = nullptr;
  std::atomic<Job> job_{Job::kIdle};
  Status job_status_ = Status::kOk;      // written by the job before job_ becomes kDone
  LogAddress flush_from_ = 0;            // flushed when WaitFlush began
  std::atomic<uint64_t> bytes_done_{0};  // by the running job
  std::atomic<uint64_t> bytes_total_{0};
  // Every operation is over that could write below the final address, or be in the table that has grown.
  std::atomic<bool> barrier_{false};
  bool table_retired_ = false;
};

}  // namespace faster
