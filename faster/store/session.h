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
//
// Keys and values of any length (K = VarKey, V = VarValue) come in as std::string_view, and go out into
// ByteBuffers. What does not fit into a block (core/layout.h) is refused with kTooLarge: an operation like
// any other, without effect. Then F has `uint64_t Hash(std::string_view)`; `size_t InitialBytes(input)` and
// `void Initial(input, char* to)`; `size_t UpdatedBytes(std::string_view old, input)` and `void
// Update(std::string_view old, input, char* to)`, which writes as many bytes as it said; and, if it likes,
// `bool InPlace(std::string_view old, input)`: false, and the value goes into a new record though it would
// fit into the old. All pure and brief: a record may be locked meanwhile.
#pragma once

#include <atomic>
#include <memory>
#include <type_traits>
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
  using L = LayoutOf<K, V>;
  using Rec = typename L::Rec;
  using KeyArg = typename L::KeyArg;
  using ValueArg = typename L::ValueArg;
  using KeyItem = typename L::KeyItem;
  using ValueItem = typename L::ValueItem;
  using Out = typename L::Out;

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
  Status Read(KeyArg key, Out* value, void* user = nullptr, ReadCopy copy = ReadCopy::kDefault) {
    const KeyHash hash{functions_.Hash(key)};
    Enter();
    Status status;
    if (TryRead(hash, key, value, &status)) [[likely]]
      return Answer(status);
    return RunRead(hash, key, value, user, copy);
  }

  // kOk, or kPending while a checkpoint shifts versions.
  Status Upsert(KeyArg key, ValueArg value, void* user = nullptr) {
    const KeyHash hash{functions_.Hash(key)};
    Enter();
    if (TryUpsert(hash, key, value)) [[likely]]
      return Answer(Status::kOk);
    if (TryAppend(hash, key, value)) return Answer(Status::kOk);
    return RunUpsert(hash, key, value, user);
  }

  // value := Update(value, input), or Initial(input) if the key is absent; *result is the new value for kOk.
  Status Rmw(KeyArg key, const Input& input, Out* result = nullptr, void* user = nullptr) {
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
  void ReadBatch(size_t count, const KeyItem* keys, void* const* users, const Done& done);
  template <class Done>
  void UpsertBatch(size_t count, const KeyItem* keys, const ValueItem* values, void* const* users,
                   const Done& done);
  template <class Done>
  void RmwBatch(size_t count, const KeyItem* keys, const Input* inputs, void* const* users, const Done& done);
  // The same with arrays for the answers.
  void ReadBatch(size_t count, const KeyItem* keys, Out* values, Status* statuses,
                 void* const* users = nullptr);
  void UpsertBatch(size_t count, const KeyItem* keys, const ValueItem* values, Status* statuses,
                   void* const* users = nullptr);
  void RmwBatch(size_t count, const KeyItem* keys, const Input* inputs, Out* results, Status* statuses,
                void* const* users = nullptr);

  // kOk: the key is gone (a tombstone was written, whether or not an older record on disk existed).
  // kNotFound: it was not there, nothing changed.
  Status Delete(KeyArg key, void* user = nullptr) {
    const KeyHash hash{functions_.Hash(key)};
    Enter();
    auto&& op = Make(OperationType::kDelete, key, hash, user);
    return Run(op);
  }

  // Writes `value` if the key is not there. kExists: it is, and nothing changed; *existing is what it has.
  Status InsertIfAbsent(KeyArg key, ValueArg value, Out* existing = nullptr, void* user = nullptr) {
    Enter();
    auto&& op = Make(OperationType::kInsert, key, KeyHash{functions_.Hash(key)}, user);
    L::TakeValue(value, &op.value);
    const Status status = Run(op);
    if (status == Status::kExists && existing != nullptr) L::Deliver(op.value, existing);
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
  Status CopyToTail(KeyArg key, ValueArg value, LogAddress from, LogAddress search_from) {
    Enter();
    auto&& op = Make(OperationType::kCopy, key, KeyHash{functions_.Hash(key)}, nullptr);
    L::TakeValue(value, &op.value);
    op.copy_from = from;
    op.search_from = search_from;
    return Run(op);
  }

  // For iteration: *at is where the newest record of the key lies of those below `below`. kNotFound: there is
  // none, or it is a tombstone on disk (then *at is its address). kPending as usual; the address is then
  // disk_found_at of the operation.
  Status LocateBelow(KeyArg key, LogAddress below, LogAddress* at, void* user = nullptr) {
    Enter();
    auto&& op = Make(OperationType::kLocate, key, KeyHash{functions_.Hash(key)}, user);
    op.below = below;
    const Status status = Run(op);
    *at = op.disk_found_at;
    return status;
  }

  // Loads the cache lines that an operation on `key` will touch first.
  void Prefetch(KeyArg key) const { index_.Prefetch(KeyHash{functions_.Hash(key)}); }

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
    return Collect(wait, true, finished);
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

  // Completes what is pending and ends the session; its commit point stays in every later checkpoint, and
  // ContinueSession brings it back. Outcomes not collected before are dropped, but updates among them that
  // ended with an error are excluded serials.
  void Abandon() { closed_ = true; }  // for a session that could not be registered
  void Close() {
    if (closed_) return;
    Collect(true, false, [](const Op&) {});
    checkpointer_.Unregister(this);
    epoch_->Release(entry_);
    closed_ = true;
  }

 private:
  using KeyRef = typename L::KeyRef;
  using ValueRef = typename L::ValueRef;

  // Where a chain walk ended: a record in memory, or the first address on disk, or nothing (disk == 0).
  // Whether `disk` is below begin, and so nothing too, the walk does not say.
  struct Located {
    LogAddress address = 0;
    Rec* record = nullptr;
    RecordHeader header;
    LogAddress disk = 0;
  };

  // Asked with an address in the read cache it returns that as `disk`, having looked at nothing.
  Located Locate(LogAddress address, KeyRef key) const {
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
  Located LocateOld(LogAddress address, KeyRef key) const;

  // A new operation. One of variable length is always the same object, which keeps its buffers; it borrows
  // key and value from the caller until it goes pending.
  decltype(auto) Make(OperationType type, KeyArg key, KeyHash hash, void* user) {
    if constexpr (L::kVariable) {
      Op& op = first_.operation;
      Op fresh{};
      for (auto buffer : {&Op::key, &Op::value, &Op::disk_value}) (fresh.*buffer).TakeMemory(op.*buffer);
      op = std::move(fresh);
      Describe(type, key, hash, user, &op);
      return (op);
    } else {
      Op op;
      Describe(type, key, hash, user, &op);
      return op;
    }
  }
  static void Describe(OperationType type, KeyArg key, KeyHash hash, void* user, Op* op) {
    op->type = type;
    L::Take(key, &op->key);
    op->hash = hash;
    op->user = user;
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
  // and, for updates, mutable. True: done. A phase asks nothing of a session that is at v+1 already where it
  // reads, or finds a record of v+1 (table in session_execute.h).
  bool AsksSomething() const { return phase_ > Phase::kIndex && !IsShifted(phase_); }
  bool TryRead(KeyHash hash, KeyArg key, Out* value, Status* status) {
    if (AsksSomething()) [[unlikely]]
      return false;
    *status = Status::kNotFound;
    HashEntry entry;
    if (table_->Find(hash, &entry) == nullptr) return cold_log_ == nullptr;
    const Located at = Locate(entry.address(), L::KeyOf(key));
    if (at.record == nullptr)
      return (at.disk == 0 && cold_log_ == nullptr) || TryCached(at.disk, key, value, status);
    if (at.header.tombstone()) [[unlikely]]
      return true;
    L::LoadOut(*at.record, value);
    *status = Status::kOk;
    return true;
  }
  // The same for what Locate() returned, if that is an address in the read cache.
  bool TryCached(LogAddress address, KeyArg key, Out* value, Status* status) {
    typename L::Old copied(scratch_);
    if (!HashEntry::IsCached(address) || !CopyOf(address, log_.begin(), L::KeyOf(key), &copied.value))
      return false;
    L::Deliver(copied.value, value);
    *status = Status::kOk;
    return true;
  }
  // The record of `key` if it may be changed in place.
  Rec* Mutable(KeyHash hash, KeyArg key) {
    HashEntry entry;
    if (AsksSomething() || table_->Find(hash, &entry) == nullptr) return nullptr;
    const Located at = Locate(entry.address(), L::KeyOf(key));
    return IsMutable(at) && !at.header.tombstone() ? at.record : nullptr;
  }
  bool IsMutable(const Located& at) const {
    return at.address >= log_.read_only() && at.record != nullptr &&
           (phase_ <= Phase::kIndex || IsNew(at.address, at.header, version_));
  }
  bool TryUpsert(KeyHash hash, KeyArg key, ValueArg value) {
    Rec* const record = Mutable(hash, key);
    return record != nullptr && L::Store(record, value);
  }
  bool TryRmw(KeyHash hash, KeyArg key, const Input& input, Out* result) {
    Rec* const record = Mutable(hash, key);
    if (record == nullptr) return false;
    if constexpr (L::kVariable) {
      return Change(record, input, result != nullptr ? result : &scratch_.fresh) == Rec::Change::kDone;
    } else {
      const Words<V> fresh = record->Modify([&](const Words<V>& old) { return Updated(old, input); });
      if (result != nullptr) *result = fresh.Value();
      return true;
    }
  }

  bool TryAppend(KeyHash hash, KeyArg key, ValueArg value);  // session_execute.h

  // session_execute.h: the rest, out of the way. Called inside Enter(), return outside.
  Status RunRead(KeyHash hash, KeyArg key, Out* value, void* user, ReadCopy copy = ReadCopy::kDefault);
  Status RunUpsert(KeyHash hash, KeyArg key, ValueArg value, void* user);
  Status RunRmw(KeyHash hash, KeyArg key, const Input& input, Out* result, void* user);
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
  Step SearchDisk(Op& op, LogAddress start, LogAddress begin);
  Step ExecuteLocate(Op& op);
  Step FinishAbsent(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at);
  Step CopyAbsent(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at);
  Step Append(const Op& op, HashTable::Slot* slot, HashEntry entry, ValueRef value, bool tombstone);
  Step Link(const Op& op, HashTable::Slot* slot, HashEntry entry, ValueRef value, RecordHeader header);
  LogAddress Allocate(KeyRef key, ValueRef value) {
    if constexpr (L::kVariable) {
      return log_.AllocateAny(static_cast<uint32_t>(L::BytesFor(key, value)));
    } else {
      return log_.Allocate(Rec::kBytes);
    }
  }
  bool Publish(KeyRef key, KeyHash hash, HashTable::Slot* slot, HashEntry entry, ValueRef value,
               RecordHeader header, LogAddress address);
  RecordHeader NewHeader(HashEntry entry, uint64_t version, bool tombstone) const {
    return RecordHeader::Make(cache_.RealAddress(entry), static_cast<uint32_t>(version) & version_mask_,
                              tombstone);
  }
  bool ChainIsNew(LogAddress address) const;
  bool IsNew(LogAddress address, RecordHeader header, uint64_t new_version) const {
    return address >= checkpointer_.shift_start() &&
           header.version() == (static_cast<uint32_t>(new_version) & version_mask_);
  }
  // session_values.h
  auto Updated(const typename L::Value& old, const Input& input) const;
  bool MakeValue(Op& op, const typename L::Value* old);
  auto Change(Rec* record, const Input& input, typename L::Value* fresh);
  Step StoreInPlace(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at);
  Step ModifyInPlace(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at);
  Step DeleteInPlace(Op& op, const Located& at);
  Step Replace(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at);
  bool MayFit(Op& op) const;
  // session_copies.h
  bool CopyOf(LogAddress address, LogAddress begin, KeyRef key, typename L::Value* value);
  void KeepCopy(const Op& op);
  bool AppendCopy(const Op& op);
  void CacheCopy(const Op& op);
  bool StillOnDisk(const Op& op, LogAddress first, LogAddress begin) const;
  // session_cold.h
  enum class Walk : uint8_t { kEnded, kWaits, kAgain };
  Step Absent(Op& op, LogAddress begin);
  void AfterCold(Op* op);
  bool ColdIsCurrent(Op& op);
  bool SearchCold(Op* op);
  Walk WalkCold(Op* op, LogAddress at);
  Walk OnColdBlock(Op* op);
  void ContinueCold(Op* op, Walk walk);
  static void OnColdChunk(void* session, void* waiter, Status status, const LogAddress* chunk);
  // session_pending.h
  // CompletePending(); with `heard`, the client knows what finished() was called for.
  template <class Finished>
  bool Collect(bool wait, bool heard, Finished&& finished);
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
  void RunBatch(size_t count, const KeyItem* keys, const Operate& operate);
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
  struct None {};
  struct First {
    Op operation;
  };
  [[no_unique_address]] typename L::Scratch scratch_;
  [[no_unique_address]] std::conditional_t<L::kVariable, First, None> first_;  // see Make()
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
#include "faster/store/session_values.h"
