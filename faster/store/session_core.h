// SessionCore: the part of a session that the checkpoint driver knows; independent of key and value types.
//
// A session is an object, used by one thread at a time but bound to none. Its state is touched only by
// whoever owns it: its user between Enter() and Leave(), or the driver after LightEpoch::TakeOver while the
// session is idle. So an idle session never holds a checkpoint back: the driver does its duties for it,
// pending operations included, and the results wait in the session until it returns. (CPR paper sec. 6;
// DESIGN: sessions are objects.)
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "faster/core/epoch.h"
#include "faster/cpr/phase.h"

namespace faster {

class SessionCore {
 public:
  SessionCore(LightEpoch* epoch, LightEpoch::Entry* entry, const std::atomic<uint64_t>* global,
              uint32_t refresh_interval, Guid id)
      : epoch_(epoch), entry_(entry), global_(global), refresh_interval_(refresh_interval), id_(id) {}
  virtual ~SessionCore() = default;
  SessionCore(const SessionCore&) = delete;
  SessionCore& operator=(const SessionCore&) = delete;

  const Guid& id() const { return id_; }
  uint64_t serial() const { return serial_; }
  // Of a continued session: serials up to serial() that the recovered checkpoint does not hold, or of updates
  // that ended with an error which nobody collected before the session was closed. They are told once; from
  // now on it is the client's to issue these operations again.
  const std::vector<uint64_t>& excluded_serials() const { return handed_over_; }

 protected:
  friend class Checkpointer;

  // Takes the session for its user and protects the epoch; adopts the global phase when a look at it is due.
  void Enter() {
    for (;;) {
      epoch_->Protect(entry_);
      if (entry_->taken_over.load(std::memory_order_acquire) == 0) [[likely]]
        break;
      epoch_->Unprotect(entry_);
      while (entry_->taken_over.load(std::memory_order_acquire) != 0) std::this_thread::yield();
    }
    if (++since_refresh_ >= refresh_interval_) Adopt();
  }
  void Leave() { epoch_->Unprotect(entry_); }

  // Adopts the global state and does the duties of its phase. [owned]
  void Adopt() {
    since_refresh_ = 0;
    const uint64_t global = global_->load(std::memory_order_acquire);
    if (global != state_control_ || acked_.load(std::memory_order_relaxed) != global) [[unlikely]]
      CatchUp(global);
  }
  void CatchUp(uint64_t global);

  // Takes old locks for every pending update; false if one is not to be had yet. [owned]
  virtual bool LockPending() = 0;
  // The index may have grown: looks up which table is the one of Rest. [owned]
  virtual void FollowIndex() = 0;
  // The CPR point: what is pending stays of the old version (strict), or becomes one of `version` and is
  // entered in excluded_ (relaxed), in either case with failed_; excluded_ is ascending then. [owned]
  virtual void ShiftPending(uint64_t version) = 0;
  // A bounded amount of work on pending operations; the caller protects an epoch entry. [owned]
  virtual void ProcessPending() = 0;

  LightEpoch* const epoch_;
  LightEpoch::Entry* const entry_;
  const std::atomic<uint64_t>* const global_;
  const uint32_t refresh_interval_;
  uint32_t since_refresh_ = 0;
  uint64_t state_control_ = 0;  // SystemState this session works in
  Phase phase_ = Phase::kRest;  // the same, unpacked
  uint64_t version_ = 0;
  uint64_t serial_ = 0;        // serial of the last operation issued
  uint32_t pending_now_ = 0;   // pending operations of version_
  uint32_t pending_old_ = 0;   // pending operations of version_ - 1
  uint64_t commit_point_ = 0;  // last serial of version shifted_version_
  uint64_t shifted_version_ = 0;
  std::vector<uint64_t> excluded_;     // serials up to commit_point_ that version shifted_version_ lacks
  // Of updates that ended with an error while they were pending, as long as their client has not heard of it:
  // after a crash it would take them for committed, so a commit point excludes them with either guarantee.
  std::vector<uint64_t> failed_;
  std::vector<uint64_t> handed_over_;  // excluded_serials()
  std::atomic<uint64_t> acked_{0};     // SystemState whose duties are done
  std::vector<CommitNotice> commits_;  // commit points not yet told to the user
  const Guid id_;
  bool internal_ = false;  // the engine's own (compaction): no checkpoint knows its serials

  // What PersistenceCallback reports; set by the driver before it enters the phase.
  struct Notice {
    Token token;
    bool durable = false;
  };
  const Notice* notice_ = nullptr;
  void (*observe_)(void* context, const SessionCore& session, Phase phase, uint64_t version) = nullptr;
  void* observe_context_ = nullptr;
};

}  // namespace faster
