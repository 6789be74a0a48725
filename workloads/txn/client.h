// Client: executes transactions one after another, each with the next serial of this client.
//
// A client is an object, used by one thread at a time but bound to none. It adopts the store's phase when it
// begins a transaction (every `refresh_interval` of them, and at once after a CPR abort); while it is idle or
// closed, the commit's driver does so for it, so it never holds a commit back (LightEpoch::TakeOver, as for
// the sessions of the engine).
//
// SERIALS count committed transactions, from 1. An attempt that aborts has no effect and takes none: whoever
// tries again tries the same serial. A commit point t of a client means: transactions 1..t, and none after.
//
// COST: entering and leaving is a store and a compiler barrier; in Rest a transaction of CPR touches nothing
// that is shared but its records. CALC adds one atomic addition to a shared word, WAL one compare-and-swap
// per transaction that wrote.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "faster/core/epoch.h"
#include "workloads/txn/commit_files.h"
#include "workloads/txn/timing.h"
#include "workloads/txn/transaction.h"
#include "workloads/txn/wal.h"

namespace workloads::txn {

enum class TxnPhase : uint8_t { kRest, kPrepare, kInProgress, kWaitFlush };
constexpr std::string_view TxnPhaseName(TxnPhase phase) {
  constexpr std::string_view kNames[] = {"Rest", "Prepare", "InProgress", "WaitFlush"};
  return kNames[static_cast<uint8_t>(phase)];
}

// Phase and version in one word.
struct TxnState {
  TxnPhase phase = TxnPhase::kRest;
  uint64_t version = 1;  // 48 bits, as in the records
  uint64_t control() const { return version << 8 | static_cast<uint64_t>(phase); }
  static TxnState FromControl(uint64_t control) {
    return {static_cast<TxnPhase>(control & 0xff), control >> 8};
  }
};

struct Commit;

// Hears of what the store does, from any of its threads. Must not call the store.
class TxnObserver {
 public:
  virtual ~TxnObserver() = default;
  virtual void OnPhase(TxnPhase phase, uint64_t version) {}
  virtual void OnClientPhase(uint64_t client, TxnPhase phase, uint64_t version) {}
  virtual void OnCommit(const Commit& commit) {}
};

// CALC's commit log: version << 40 | transactions that have committed in it. A transaction's place and the
// version that it belongs to come from one atomic addition, and setting the point of consistency is another
// change of the same word, so the point is a place in the log. Nobody reads the entries of this log, so it
// has none.
struct CommitLogTail {
  static constexpr int kPositionBits = 40;
  alignas(64) std::atomic<uint64_t> word{0};
};

// What stays of a client while it is closed, and what the driver sees of it.
struct alignas(64) ClientCore {
  explicit ClientCore(uint64_t client) : id(client) {}

  void CatchUp(uint64_t global, TxnObserver* observer) {
    const TxnState state = TxnState::FromControl(global);
    if (state.version > version) ShiftTo(state.version);  // t: the client's point of the commit
    control = global;
    phase = state.phase;
    version = state.version;
    observer->OnClientPhase(id, phase, version);
    acked.store(global, std::memory_order_release);
  }
  // What comes now is of `to`. (With CALC the tail may say so before the phase does.)
  void ShiftTo(uint64_t to) {
    if (shifted_version >= to) return;
    commit_point.store(serial.load(std::memory_order_relaxed), std::memory_order_relaxed);
    shifted_version = to;
  }

  const uint64_t id;
  faster::LightEpoch::Entry* entry = nullptr;  // null: closed
  uint32_t since_refresh = 0;
  uint64_t control = 0;  // the state it works in, and unpacked
  TxnPhase phase = TxnPhase::kRest;
  uint64_t version = 0;
  uint64_t shifted_version = 0;     // commit_point is the last serial before it
  std::atomic<uint64_t> serial{0};  // of the last transaction that committed
  std::atomic<uint64_t> commit_point{0};
  std::atomic<uint64_t> acked{0};  // the state adopted last
};

struct TxnResult {
  TxnOutcome outcome = TxnOutcome::kCommitted;
  uint64_t serial = 0;  // of this transaction; if it did not commit, the one that it would have had
  Status status = Status::kOk;
  bool committed() const { return outcome == TxnOutcome::kCommitted; }
};

class TxnStore;

class Client {
 public:
  ~Client();  // closes it; StartClient goes on with it later
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  uint64_t id() const { return core_->id; }
  uint64_t serial() const { return core_->serial.load(std::memory_order_relaxed); }
  // The last serial before the last version that this client has seen begin.
  uint64_t commit_point() const { return core_->commit_point.load(std::memory_order_relaxed); }
  const TimeBreakdown& times() const { return times_; }

  // bool body(Transaction&): true commits what it wrote, false aborts. It may be called again by whoever
  // tries again, so it keeps nothing of an attempt. Not to be called from within a body.
  template <class Timing = NoTiming, class Body>
  TxnResult Execute(Body&& body) {
    Enter();
    Timing timing(&times_);
    transaction_.Begin(Rule());
    TxnResult result{TxnOutcome::kCommitted, serial() + 1, Status::kOk};
    const bool wanted = body(transaction_) && transaction_.outcome_ == TxnOutcome::kBody;
    if (wanted && Commit(&timing)) [[likely]] {
      transaction_.End();
      core_->serial.store(result.serial, std::memory_order_release);
      timing.Committed();
    } else {
      result.outcome = transaction_.outcome_;
      result.status = transaction_.status_;
      transaction_.End();
      // Whoever wrote the record is in In-progress: so will this client be.
      if (result.outcome == TxnOutcome::kShift) Adopt();
      timing.Aborted();
    }
    Leave();
    return result;
  }
  // Adopts the store's phase now. Not needed for a commit to end.
  void Refresh() {
    Enter();
    Adopt();
    Leave();
  }

 private:
  friend class TxnStore;
  Client(TxnStore* store, ClientCore* core);

  void Enter() {
    for (;;) {
      epoch_->Protect(core_->entry);
      if (core_->entry->taken_over.load(std::memory_order_acquire) == 0) [[likely]]
        break;
      epoch_->Unprotect(core_->entry);
      while (core_->entry->taken_over.load(std::memory_order_acquire) != 0) std::this_thread::yield();
    }
    if (++core_->since_refresh >= refresh_interval_) Adopt();
  }
  void Leave() { epoch_->Unprotect(core_->entry); }
  void Adopt() {
    core_->since_refresh = 0;
    const uint64_t global = global_->load(std::memory_order_acquire);
    if (global != core_->control) [[unlikely]]
      core_->CatchUp(global, observer_);
  }
  VersionRule Rule() const {
    if (scheme_ != CommitScheme::kCpr || core_->phase == TxnPhase::kRest) return {};
    if (core_->phase == TxnPhase::kPrepare) return {VersionRule::Kind::kRefuseNewer, core_->version};
    return {VersionRule::Kind::kShift, core_->version};
  }

  // All locks are held. False: no effect, and the transaction says why.
  template <class Timing>
  bool Commit(Timing* timing) {
    if (scheme_ == CommitScheme::kCalc) {
      timing->BeginPart();
      const uint64_t tail = tail_->word.fetch_add(1, std::memory_order_acq_rel);
      timing->EndTail();
      const uint64_t version = tail >> CommitLogTail::kPositionBits;
      core_->ShiftTo(version);
      if (core_->phase != TxnPhase::kRest || core_->version != version) transaction_.ShiftWrites(version);
    } else if (scheme_ == CommitScheme::kWal && transaction_.writes_ != 0) {
      timing->BeginPart();
      MakeRecord();
      timing->EndLog();
      if (!log_->Append(record_.data(), record_.size(), timing)) {
        transaction_.Refuse(TxnOutcome::kFailed,
                            log_->Fits(record_.size()) ? Status::kIoError : Status::kTooLarge);
        return false;
      }
      timing->EndLog();
    }
    transaction_.Apply();
    return true;
  }
  void MakeRecord() {
    record_.assign({0, core_->id, serial() + 1});
    for (const Transaction::Access& access : transaction_.accesses_) {
      if (!access.exclusive) continue;
      const uint32_t words = access.table->value_words();
      record_.push_back(uint64_t{access.table->id()} << 32 | words);
      record_.push_back(access.record.key());
      record_.insert(record_.end(), access.value, access.value + words);
    }
  }

  TxnStore* const store_;
  ClientCore* const core_;
  faster::LightEpoch* const epoch_;
  const std::atomic<uint64_t>* const global_;
  CommitLogTail* const tail_;
  WriteAheadLog* const log_;  // null but for WAL
  TxnObserver* const observer_;
  const CommitScheme scheme_;
  const uint32_t refresh_interval_;
  Transaction transaction_;
  TimeBreakdown times_;
  std::vector<uint64_t> record_;
};

}  // namespace workloads::txn
