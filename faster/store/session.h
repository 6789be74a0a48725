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
#include "faster/log/read_cache.h"
#include "faster/store/cold_tier.h"
#include "faster/store/operation.h"
#include "faster/store/session_core.h"

namespace faster {

template <class K, class V, class F>
class Session final : public SessionCore {
 public:
  using Input = typename F::Input;
  using Op = Operation<K, V, Input>;
  using Rec = Record<K, V>;

  // The parts of the store that operations use. `config` is read by the constructor only.
  struct Parts {
    LightEpoch* epoch;
    HybridLog* log;
    HashIndex* index;
    ReadCache* cache;
    CheckpointLocks* locks;
    Checkpointer* checkpointer;
    const F* functions;
    const StoreConfig* config;
    bool internal = false;
  };

  Session(const Parts& parts, LightEpoch::Entry* entry, Guid id)
      : SessionCore(parts.epoch, entry, parts.checkpointer->state(), parts.config->refresh_interval, id),
        log_(*parts.log),
        index_(*parts.index),
        cache_(*parts.cache),
        locks_(*parts.locks),
        checkpointer_(*parts.checkpointer),
        functions_(*parts.functions),
        version_mask_((1u << parts.config->version_bits) - 1),
        coarse_(parts.config->shift == ShiftScheme::kCoarse),
        relaxed_(parts.config->guarantee == Guarantee::kRelaxed),
        read_copy_(parts.config->copy_reads_to_tail ? ReadCopy::kToTail : ReadCopy::kToCache),
        batch_ahead_(parts.config->batch_ahead),
        batch_group_(parts.config->batch_group) {
    internal_ = parts.internal;
  }
  // What this store has no record of is looked for in a cold store, too. Before the session is used.
  void AttachCold(HybridLog* log, std::unique_ptr<ColdIndexSession> index) {
    cold_log_ = log;
    cold_index_ = std::move(index);
  }
  ~Session() override {
    Close();
    while (Op* op = free_) {
      free_ = op->next;
      delete op;
    }
  }

  // kOk and *value, kNotFound, or kPending. `user` comes back with the completion. `copy`: what becomes of a
  // record on disk.
  Status Read(const K& key, V* value, void* user = nullptr, ReadCopy copy = ReadCopy::kDefault) {
    const KeyHash hash{functions_.Hash(key)};
    Enter();
    Status status;
    if (TryRead(hash, key, value, &status)) [[likely]]
      return Answer(status);
    return RunRead(hash, key, value, user, copy);
  }

  // kOk, or kPending while a checkpoint shifts versions.
  Status Upsert(const K& key, const V& value, void* user = nullptr) {
    const KeyHash hash{functions_.Hash(key)};
    Enter();
    if (TryUpsert(hash, key, value)) [[likely]]
      return Answer(Status::kOk);
    return RunUpsert(hash, key, value, user);
  }

  // value := Update(value, input), or Initial(input) if the key is absent; *result is the new value for kOk.
  Status Rmw(const K& key, const Input& input, V* result = nullptr, void* user = nullptr) {
    const KeyHash hash{functions_.Hash(key)};
    Enter();
    if (TryRmw(hash, key, input, result)) [[likely]]
      return Answer(Status::kOk);
    return RunRmw(hash, key, input, result, user);
  }

  // BATCHES: `count` calls of Read, Upsert or Rmw in the order of the array, while the cache lines of those
  // to come are already on their way (session_batch.h). As with single calls each operation has a serial of
  // its own, given when it is executed, so they are dense and in order; each may be pending and then ends
  // through CompletePending, where its `users` pointer (null: none) comes back; and the phase is looked at
  // between operations as often, so a commit point may lie in the middle of a batch. What differs: up to
  // batch_group operations share one epoch protection, so the epoch, and a driver that wants the session,
  // wait for that many. done(i, status[, value]) is told of operation i before i + 1 is executed, while
  // serial() is its serial; it must be brief and not call the session otherwise; the value means something
  // for kOk.
  template <class Done>
  void ReadBatch(size_t count, const K* keys, void* const* users, const Done& done);
  template <class Done>
  void UpsertBatch(size_t count, const K* keys, const V* values, void* const* users, const Done& done);
  template <class Done>
  void RmwBatch(size_t count, const K* keys, const Input* inputs, void* const* users, const Done& done);
  // The same with arrays for the answers.
  void ReadBatch(size_t count, const K* keys, V* values, Status* statuses, void* const* users = nullptr) {
    ReadBatch(count, keys, users, [=](size_t i, Status status, const V& value) {
      statuses[i] = status;
      if (status == Status::kOk) values[i] = value;
    });
  }
  void UpsertBatch(size_t count, const K* keys, const V* values, Status* statuses,
                   void* const* users = nullptr) {
    UpsertBatch(count, keys, values, users, [=](size_t i, Status status) { statuses[i] = status; });
  }
  void RmwBatch(size_t count, const K* keys, const Input* inputs, V* results, Status* statuses,
                void* const* users = nullptr) {
    RmwBatch(count, keys, inputs, users, [=](size_t i, Status status, const V& result) {
      statuses[i] = status;
      if (status == Status::kOk) results[i] = result;
    });
  }

  // kOk: the key is gone (a tombstone was written, whether or not an older record on disk existed).
  // kNotFound: it was not there, nothing changed.
  Status Delete(const K& key, void* user = nullptr) {
    const KeyHash hash{functions_.Hash(key)};
    Enter();
    Op op = Make(OperationType::kDelete, key, hash, user);
    return Run(op);
  }

  // Writes `value` if the key is not there. kExists: it is, and nothing changed; *existing is what it has.
  Status InsertIfAbsent(const K& key, const V& value, V* existing = nullptr, void* user = nullptr) {
    Enter();
    Op op = Make(OperationType::kInsert, key, KeyHash{functions_.Hash(key)}, user);
    op.value = Words<V>::Of(value);
    const Status status = Run(op);
    if (status == Status::kExists && existing != nullptr) *existing = op.value.Value();
    return status;
  }

  // Forgets every record below the largest block boundary that is neither above `to` nor in memory: keys
  // whose newest record lies there are absent from now on. *begin is where the log begins afterwards. An
  // operation of this session: a checkpoint has it or not by its serial. kAborted: no effect, because a
  // checkpoint is shifting versions or another truncation runs; try again. Waits until operations that had
  // begun have left the store, not for pending ones. The space on disk is freed when no checkpoint needs it
  // (Retention).
  Status ShiftBeginAddress(LogAddress to, LogAddress* begin);

  // For compaction: appends a copy of the record `from`, if no newer record of its key lies at or above
  // `search_from`. kNotFound: there is one, or `from` was truncated.
  Status CopyToTail(const K& key, const V& value, LogAddress from, LogAddress search_from) {
    Enter();
    Op op = Make(OperationType::kCopy, key, KeyHash{functions_.Hash(key)}, nullptr);
    op.value = Words<V>::Of(value);
    op.copy_from = from;
    op.search_from = search_from;
    return Run(op);
  }

  // For iteration: *at is where the newest record of the key lies of those below `below`. kNotFound: there is
  // none, or it is a tombstone on disk (then *at is its address). kPending as usual; the address is then
  // disk_found_at of the operation.
  Status LocateBelow(const K& key, LogAddress below, LogAddress* at, void* user = nullptr) {
    Enter();
    Op op = Make(OperationType::kLocate, key, KeyHash{functions_.Hash(key)}, user);
    op.below = below;
    const Status status = Run(op);
    *at = op.disk_found_at;
    return status;
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
    if (checkpointer_.State().phase == Phase::kGrowInProgress) HelpToSplit();
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

  // Commit points reached since the last call, one for every checkpoint that became durable.
  void TakeCommits(std::vector<CommitNotice>* commits) {
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

  // Asked with an address in the read cache it returns that as `disk`, having looked at nothing.
  Located Locate(LogAddress address, const Words<K>& key) const {
    const LogAddress head = log_.head();
    while (static_cast<int64_t>(address) >= static_cast<int64_t>(head)) {
      Rec* const record = Rec::At(log_.At(address));
      const RecordHeader header = record->header();
      if (record->KeyIs(key)) return {address, record, header, 0};
      address = AddressOf(header.control);
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
    LeaveAfter(1);
    return status;
  }
  // Leave() after so many operations; every 64th lends a hand.
  void LeaveAfter(uint32_t operations) {
    const uint32_t before = calls_;
    calls_ += operations;
    const bool help = ((before ^ calls_) & ~63u) != 0 && (epoch_->has_actions() || phase_ != Phase::kRest);
    Leave();
    if (help) [[unlikely]]
      Help();
  }

  // The common case of each operation, inside Enter(): in a phase that asks nothing of it, record in memory
  // and, for updates, mutable. True: done.
  bool TryRead(KeyHash hash, const K& key, V* value, Status* status) {
    if (phase_ > Phase::kIndex) [[unlikely]]
      return false;
    *status = Status::kNotFound;
    HashEntry entry;
    if (table_->Find(hash, &entry) == nullptr) return cold_log_ == nullptr;
    const Located at = Locate(entry.address(), Words<K>::Of(key));
    if (at.record == nullptr)
      return (at.disk == 0 && cold_log_ == nullptr) || TryCached(at.disk, key, value, status);
    if (at.header.tombstone()) [[unlikely]]
      return true;
    *value = at.record->Load().Value();
    *status = Status::kOk;
    return true;
  }
  // The same for what Locate() returned, if that is an address in the read cache.
  bool TryCached(LogAddress address, const K& key, V* value, Status* status) {
    Words<V> copied;
    if (!HashEntry::IsCached(address) || !CopyOf(address, log_.begin(), Words<K>::Of(key), &copied))
      return false;
    *value = copied.Value();
    *status = Status::kOk;
    return true;
  }
  // The record of `key` if it may be changed in place.
  Rec* Mutable(KeyHash hash, const K& key) {
    HashEntry entry;
    if (phase_ > Phase::kIndex || table_->Find(hash, &entry) == nullptr) return nullptr;
    const Located at = Locate(entry.address(), Words<K>::Of(key));
    const bool in_place = at.address >= log_.read_only() && at.record != nullptr;
    return in_place && !at.header.tombstone() ? at.record : nullptr;
  }
  bool TryUpsert(KeyHash hash, const K& key, const V& value) {
    Rec* const record = Mutable(hash, key);
    if (record == nullptr) return false;
    record->Store(Words<V>::Of(value));
    return true;
  }
  bool TryRmw(KeyHash hash, const K& key, const Input& input, V* result) {
    Rec* const record = Mutable(hash, key);
    if (record == nullptr) return false;
    const Words<V> fresh = record->Modify([&](const Words<V>& old) { return Updated(old, input); });
    if (result != nullptr) *result = fresh.Value();
    return true;
  }

  // session_execute.h: the rest, out of the way. Called inside Enter(), return outside.
  Status RunRead(KeyHash hash, const K& key, V* value, void* user, ReadCopy copy = ReadCopy::kDefault);
  Status RunUpsert(KeyHash hash, const K& key, const V& value, void* user);
  Status RunRmw(KeyHash hash, const K& key, const Input& input, V* result, void* user);
  void Help();
  void HelpToSplit();
  static constexpr uint32_t kSplitsAtOnce = 64;  // buckets of a growing index, for each call of Help()
  Status Run(Op& op);
  Status Pend(Op& op, Step step);
  Step Execute(Op& op) { return IsGrowing(phase_) ? ExecuteGrowing(op) : ExecuteIn(op); }
  Step ExecuteGrowing(Op& op);
  Step ExecuteIn(Op& op);  // in table_
  Step ExecuteRead(Op& op, bool prepare);
  Step ExecuteUpdate(Op& op, bool prepare, bool shifted, AtomicCheckpointLock& lock);
  Step UpdateRecord(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at, bool copy_only);
  Step UpdateAbsent(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at);
  Step ExecuteLocate(Op& op);
  Step FinishAbsent(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at);
  Step CopyAbsent(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at);
  Step Append(const Op& op, HashTable::Slot* slot, HashEntry entry, const Words<V>& value, bool tombstone);
  Step Link(const Op& op, HashTable::Slot* slot, HashEntry entry, const Words<V>& value, RecordHeader header);
  RecordHeader NewHeader(HashEntry entry, uint64_t version, bool tombstone) const {
    return RecordHeader::Make(cache_.RealAddress(entry), static_cast<uint32_t>(version) & version_mask_,
                              tombstone);
  }
  bool ChainIsNew(LogAddress address) const;
  bool IsNew(LogAddress address, RecordHeader header, uint64_t new_version) const {
    return address >= checkpointer_.shift_start() &&
           header.version() == (static_cast<uint32_t>(new_version) & version_mask_);
  }
  // session_copies.h
  bool CopyOf(LogAddress address, LogAddress begin, const Words<K>& key, Words<V>* value);
  void KeepCopy(const Op& op);
  bool AppendCopy(const Op& op);
  void CacheCopy(const Op& op);
  bool StillOnDisk(const Op& op, LogAddress first, LogAddress begin) const;
  // session_cold.h
  enum class Walk : uint8_t { kEnded, kWaits, kAgain };
  Step Absent(Op& op);
  bool ColdIsCurrent(Op& op);
  bool SearchCold(Op* op);
  Walk WalkCold(Op* op, LogAddress at);
  Walk OnColdBlock(Op* op);
  void ContinueCold(Op* op, Walk walk);
  static void OnColdChunk(void* session, void* waiter, Status status, const LogAddress* chunk);
  // session_pending.h
  bool LockPending() override;
  void FollowIndex() override { table_ = &index_.table(); }
  void ShiftPending(uint64_t version) override;
  void ProcessPending() override;
  void RunPending(Op* op);
  void IssueRead(Op* op, LogAddress address);
  static void OnRead(void* context, Status status, uint64_t bytes);
  void OnBlock(Op* op);
  Status CheckBlock(const Op& op) const;
  Status ParseRecord(Op* op, LogAddress* next);
  void Finish(Op* op, Status result);
  Op* TakeOperation();
  // session_batch.h
  template <class Operate>
  void RunBatch(size_t count, const K* keys, const Operate& operate);
  void PrefetchRecord(KeyHash hash) const;

  HybridLog& log_;
  HashIndex& index_;
  HashTable* table_ = nullptr;  // where an operation works; while the index grows, chosen for each
  ReadCache& cache_;
  CheckpointLocks& locks_;
  Checkpointer& checkpointer_;
  HybridLog* cold_log_ = nullptr;  // null: there is no cold store
  std::unique_ptr<ColdIndexSession> cold_index_;
  const F& functions_;
  const uint32_t version_mask_;
  const bool coarse_;
  const bool relaxed_;
  const ReadCopy read_copy_;
  const uint32_t batch_ahead_;
  const uint32_t batch_group_;
  uint32_t calls_ = 0;
  bool closed_ = false;
  Op* free_ = nullptr;
  Op* pending_list_ = nullptr;  // all pending operations, newest first
  OperationQueue<Op> retry_;
  OperationQueue<Op> finished_;
  alignas(64) std::atomic<Op*> arrived_{nullptr};  // completed reads, pushed by I/O threads
};

}  // namespace faster

#include "faster/store/session_batch.h"
#include "faster/store/session_cold.h"
#include "faster/store/session_copies.h"
#include "faster/store/session_execute.h"
#include "faster/store/session_pending.h"
#include "faster/store/session_truncate.h"
