// Session: the handle through which one client reads and updates a FasterKv.
//
// Every call gets the next serial number. A result of kPending means that the operation waits for a log block
// from disk, or for the version shift of a checkpoint; CompletePending() hands its outcome over. Calls on one
// session come from one thread at a time; between calls it may stay idle for any time, with operations
// pending too, without holding back a checkpoint. Errors: kIoError, kNoSpace, kCorruption (the operation had
// no effect). COST in Rest: one cache line of index, the record, and plain stores to a line of its own; no
// allocation.
//
// The template parameter F describes the values: `struct F { using Input = ...; uint64_t Hash(const K&)
// const; V Initial(const Input&) const; V Update(const V& old, const Input&) const; }`; Update must be pure.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "faster/cpr/checkpoint_locks.h"
#include "faster/cpr/checkpointer.h"
#include "faster/index/hash_index.h"
#include "faster/log/hybrid_log.h"
#include "faster/store/operation.h"
#include "faster/store/session_core.h"

namespace faster {

template <class K, class V, class F>
class Session final : public SessionCore {
 public:
  using Input = typename F::Input;
  using Op = Operation<K, V, Input>;
  using Rec = Record<K, V>;

  // The parts of the store that operations use.
  struct Parts {
    LightEpoch* epoch;
    HybridLog* log;
    HashIndex* index;
    CheckpointLocks* locks;
    Checkpointer* checkpointer;
    const F* functions;
    uint32_t refresh_interval;
    uint32_t version_mask;
  };

  Session(const Parts& parts, LightEpoch::Entry* entry, Guid id)
      : SessionCore(parts.epoch, entry, parts.checkpointer->state(), parts.refresh_interval, id),
        log_(*parts.log),
        index_(*parts.index),
        locks_(*parts.locks),
        checkpointer_(*parts.checkpointer),
        functions_(*parts.functions),
        version_mask_(parts.version_mask) {}
  ~Session() override {
    Close();
    while (Op* op = free_) {
      free_ = op->next;
      delete op;
    }
  }

  // kOk and *value, kNotFound, or kPending. `user` comes back with the completion.
  Status Read(const K& key, V* value, void* user = nullptr) {
    const KeyHash hash{functions_.Hash(key)};
    Enter();
    if (phase_ <= Phase::kIndex) [[likely]] {
      HashEntry entry;
      if (table_->Find(hash, &entry) == nullptr) return Answer(Status::kNotFound);
      const Located at = Locate(entry.address(), Words<K>::Of(key));
      if (at.record != nullptr) [[likely]] {
        if (at.header.tombstone()) return Answer(Status::kNotFound);
        *value = at.record->Load().Value();
        return Answer(Status::kOk);
      }
      if (at.disk == 0) return Answer(Status::kNotFound);
    }
    Op op = Make(OperationType::kRead, key, hash, user);
    const Status status = Run(op);
    if (status == Status::kOk) *value = op.value.Value();
    return status;
  }

  // kOk, or kPending while a checkpoint shifts versions.
  Status Upsert(const K& key, const V& value, void* user = nullptr) {
    const KeyHash hash{functions_.Hash(key)};
    Enter();
    if (phase_ <= Phase::kIndex) [[likely]] {
      HashEntry entry;
      if (table_->Find(hash, &entry) != nullptr) {
        const Located at = Locate(entry.address(), Words<K>::Of(key));
        if (at.record != nullptr && at.address >= log_.read_only() && !at.header.tombstone()) [[likely]] {
          at.record->Store(Words<V>::Of(value));
          return Answer(Status::kOk);
        }
      }
    }
    Op op = Make(OperationType::kUpsert, key, hash, user);
    op.value = Words<V>::Of(value);
    return Run(op);
  }

  // value := Update(value, input), or Initial(input) if the key is absent; *result is the new value for kOk.
  Status Rmw(const K& key, const Input& input, V* result = nullptr, void* user = nullptr) {
    const KeyHash hash{functions_.Hash(key)};
    Enter();
    if (phase_ <= Phase::kIndex) [[likely]] {
      HashEntry entry;
      if (table_->Find(hash, &entry) != nullptr) {
        const Located at = Locate(entry.address(), Words<K>::Of(key));
        if (at.record != nullptr && at.address >= log_.read_only() && !at.header.tombstone()) [[likely]] {
          const Words<V> fresh = at.record->Modify([&](const Words<V>& old) { return Updated(old, input); });
          if (result != nullptr) *result = fresh.Value();
          return Answer(Status::kOk);
        }
      }
    }
    Op op = Make(OperationType::kRmw, key, hash, user);
    op.input = input;
    const Status status = Run(op);
    if (status == Status::kOk && result != nullptr) *result = op.value.Value();
    return status;
  }

  // kOk: the key is gone (a tombstone was written, whether or not an older record on disk existed).
  // kNotFound: it was not there, nothing changed.
  Status Delete(const K& key, void* user = nullptr) {
    const KeyHash hash{functions_.Hash(key)};
    Enter();
    Op op = Make(OperationType::kDelete, key, hash, user);
    return Run(op);
  }

  // Loads the cache lines that an operation on `key` will touch first.
  void Prefetch(const K& key) const { index_.Prefetch(KeyHash{functions_.Hash(key)}); }

  // Adopts the global phase, does a bounded amount of pending work and helps a running checkpoint along.
  void Refresh() {
    Enter();
    Adopt();
    ProcessPending();
    Adopt();
    Leave();
    epoch_->Drain();
    checkpointer_.Advance();
  }

  // Calls finished(const Op&) for every operation that ended; its type, serial, result, value and user tell
  // how. With `wait`, returns when none is pending; else after a bounded amount of work. True if none is
  // pending.
  template <class Finished>
  bool CompletePending(bool wait, Finished&& finished) {
    for (;;) {
      Refresh();
      log_.Poll();
      Enter();
      while (!finished_.empty()) {
        Op* op = finished_.Pop();
        Leave();
        finished(static_cast<const Op&>(*op));
        Enter();
        op->next = free_;
        free_ = op;
      }
      const bool none = pending_now_ + pending_old_ == 0;
      Leave();
      if (none || !wait) return none;
      std::this_thread::yield();
    }
  }

  // Commit points reached since the last call: (token, serial) of every checkpoint that became durable.
  void TakeCommits(std::vector<std::pair<Token, uint64_t>>* commits) {
    Enter();
    commits->insert(commits->end(), commits_.begin(), commits_.end());
    commits_.clear();
    Leave();
  }

  bool HasPending() {
    Enter();
    const bool pending = pending_now_ + pending_old_ != 0;
    Leave();
    return pending;
  }

  // Completes what is pending (outcomes not collected before are dropped) and ends the session; its commit
  // point stays in every later checkpoint, and ContinueSession brings it back.
  void Abandon() { closed_ = true; }  // for a session that could not be registered
  void Close() {
    if (closed_) return;
    CompletePending(true, [](const Op&) {});
    checkpointer_.Unregister(this);
    epoch_->Release(entry_);
    closed_ = true;
  }

 private:
  // Where a chain walk ended: a record in memory, or the first address on disk, or nothing (disk == 0).
  // Whether `disk` is below begin, and so nothing too, the walk does not say.
  struct Located {
    LogAddress address = 0;
    Rec* record = nullptr;
    RecordHeader header;
    LogAddress disk = 0;
  };

  Located Locate(LogAddress address, const Words<K>& key) const {
    const LogAddress head = log_.head();
    while (address >= head) {
      Rec* const record = Rec::At(log_.At(address));
      const RecordHeader header = record->header();
      if (record->KeyIs(key)) return {address, record, header, 0};
      address = header.previous();
    }
    return {0, nullptr, {}, address};
  }
  // The same for an operation of the version before: records of this session's version are not there for it.
  Located LocateOld(LogAddress address, const Words<K>& key) const {
    const LogAddress head = log_.head();
    while (address >= head) {
      Rec* const record = Rec::At(log_.At(address));
      const RecordHeader header = record->header();
      if (record->KeyIs(key) && !IsNew(address, header, version_)) return {address, record, header, 0};
      address = header.previous();
    }
    return {0, nullptr, {}, address};
  }

  Words<V> Updated(const Words<V>& old, const Input& input) const {
    return Words<V>::Of(functions_.Update(old.Value(), input));
  }
  Op Make(OperationType type, const K& key, KeyHash hash, void* user) const {
    Op op;
    op.type = type;
    op.key = Words<K>::Of(key);
    op.hash = hash;
    op.user = user;
    return op;
  }
  Status Answer(Status status) {
    ++serial_;
    const bool help = (++calls_ & 63) == 0 && (epoch_->has_actions() || phase_ != Phase::kRest);
    Leave();
    if (help) [[unlikely]]
      Help();
    return status;
  }

  // session_execute.h
  void Help();
  void HelpToSplit();
  Status Run(Op& op);
  Status Pend(Op& op, Step step);
  Step Execute(Op& op) { return IsGrowing(phase_) ? ExecuteGrowing(op) : ExecuteIn(op); }
  Step ExecuteGrowing(Op& op);
  Step ExecuteIn(Op& op);  // in table_
  Step ExecuteRead(Op& op, bool prepare);
  Step ExecuteUpdate(Op& op, bool prepare, bool shifted, AtomicCheckpointLock& lock);
  Step UpdateRecord(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at, bool copy_only);
  Step UpdateAbsent(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at);
  Step Append(Op& op, HashTable::Slot* slot, HashEntry entry, const Words<V>& value, bool tombstone);
  bool ChainIsNew(LogAddress address) const;
  bool IsNew(LogAddress address, RecordHeader header, uint64_t new_version) const {
    return address >= checkpointer_.shift_start() &&
           header.version() == (static_cast<uint32_t>(new_version) & version_mask_);
  }
  // session_pending.h
  bool LockPending() override;
  void FollowIndex() override { table_ = &index_.table(); }
  void ProcessPending() override;
  void RunPending(Op* op);
  void IssueRead(Op* op, LogAddress address);
  static void OnRead(void* context, Status status, uint64_t bytes);
  void OnBlock(Op* op);
  Status ParseBlock(Op* op, LogAddress* next);
  void Finish(Op* op, Status result);
  Op* TakeOperation();

  HybridLog& log_;
  HashIndex& index_;
  HashTable* table_ = nullptr;  // where an operation works; while the index grows, chosen for each
  CheckpointLocks& locks_;
  Checkpointer& checkpointer_;
  const F& functions_;
  const uint32_t version_mask_;
  uint32_t calls_ = 0;
  bool closed_ = false;
  Op* free_ = nullptr;
  Op* pending_list_ = nullptr;  // all pending operations, newest first
  OperationQueue<Op> retry_;
  OperationQueue<Op> finished_;
  alignas(64) std::atomic<Op*> arrived_{nullptr};  // completed reads, pushed by I/O threads
};

}  // namespace faster

#include "faster/store/session_execute.h"
#include "faster/store/session_pending.h"
