// FasterKv: a concurrent key-value store that spans memory and disk and takes CPR checkpoints.
//
// Create() opens an empty store, Recover() a checkpoint; both hold the exclusive lock of the directory.
// Sessions (session.h) do the operations. Checkpoint() starts one and returns; it advances with every Poll()
// and with the operations and refreshes of sessions, and ends with CheckpointObserver::OnDurable. Keys and
// values are trivially copyable, or bytes of any length (VarKey and VarValue: core/layout.h, which says what
// fits); F describes hash and update (session.h). Thread-safe, except that the store is destroyed last.
#pragma once

#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "faster/cpr/recovery.h"
#include "faster/store/compaction.h"
#include "faster/store/live_iterator.h"
#include "faster/store/session.h"

namespace faster {

template <class K, class V, class F>
class FasterKv {
 public:
  using SessionType = Session<K, V, F>;
  using CompactionType = Compaction<K, V, F>;
  using IteratorType = LiveIterator<K, V, F>;
  using L = LayoutOf<K, V>;
  using Rec = typename L::Rec;

  // Refuses (kExists) a directory that holds a complete checkpoint: it would be overwritten.
  static Status Create(const StoreConfig& config, Storage* storage, const F& functions,
                       CheckpointObserver* observer, std::unique_ptr<FasterKv>* store, Diagnosis* why) {
    std::unique_ptr<FasterKv> fresh(new FasterKv(config, storage, functions, observer));
    Status status = fresh->Open(why);
    if (status != Status::kOk) return status;
    std::vector<CatalogEntry> entries;
    status = ListCheckpoints(*storage, config.directory, &entries, why);
    if (status != Status::kOk) return status;
    for (const CatalogEntry& entry : entries) {
      if (entry.log.status == Status::kNotFound || config.subordinate) continue;
      if (why) *why = {config.directory, 0, "no checkpoint where a new store is to be", entry.token.Text()};
      return Status::kExists;
    }
    status = fresh->index_.Allocate(config.index_buckets);
    if (status != Status::kOk) return status;
    fresh->log_.StartEmpty(NextGeneration(entries, fresh->ids_.Next()));
    Checkpointer::Origin origin;
    for (const CatalogEntry& entry : entries) {
      if (entry.index.status == Status::kNotFound && entry.log.status == Status::kNotFound)
        origin.leftovers.push_back(entry.token);
    }
    fresh->checkpointer_.Begin(origin);
    *store = std::move(fresh);
    return Status::kOk;
  }

  // The newest complete checkpoint, or the one named; kNotFound if there is none. Nothing is modified.
  static Status Recover(const StoreConfig& config, Storage* storage, const F& functions,
                        CheckpointObserver* observer, const std::optional<Token>& log_token,
                        const std::optional<Token>& index_token, std::unique_ptr<FasterKv>* store,
                        RecoveryResult* result, Diagnosis* why) {
    std::unique_ptr<FasterKv> fresh(new FasterKv(config, storage, functions, observer));
    Status status = fresh->Open(why);
    if (status != Status::kOk) return status;
    SnapshotState snapshot;
    status = RecoverStore(fresh->config_, storage, fresh->Shape(), log_token, index_token, &fresh->ids_,
                          &fresh->log_, &fresh->index_, &snapshot, observer, result, why);
    if (status != Status::kOk) return status;
    fresh->checkpointer_.Begin(
        {result->version + 1, result->sessions, std::move(snapshot), result->leftovers});
    *store = std::move(fresh);
    return Status::kOk;
  }

  // Every session is closed before. A running checkpoint is given up; what it wrote stays incomplete. So is a
  // compaction of the background.
  ~FasterKv() {
    stop_.store(true, std::memory_order_release);
    while (background_.load(std::memory_order_acquire)) std::this_thread::yield();
  }

  // nullptr when max_sessions are open.
  std::unique_ptr<SessionType> StartSession() { return OpenSession(checkpointer_.NewSessionId(), false); }
  // Continues a session that was closed, or that recovery brought back: serial() is its commit point,
  // excluded_serials() what is missing up to it.
  // nullptr if the id is unknown, the session is open, or max_sessions are open.
  std::unique_ptr<SessionType> ContinueSession(const Guid& id) { return OpenSession(id, true); }
  // Every session ever opened, ascending: which are open, where they are, which may be continued. Any thread.
  std::vector<SessionState> Sessions() { return checkpointer_.Sessions(); }

  // kOk: the checkpoint *token has begun. kBusy: another one has not ended yet.
  Status Checkpoint(CheckpointKind kind, LogBackend backend, Token* token) {
    return checkpointer_.Start(kind, backend, token);
  }
  // Doubles the index while sessions go on working; moves with what moves a checkpoint. kBusy: a checkpoint
  // or another growth has not ended. kInvalidArgument: at max_index_buckets. kOutOfMemory.
  Status GrowIndex() { return checkpointer_.StartGrowth(); }
  GrowthProgress Growth() { return checkpointer_.Growth(); }
  // Removes all but the newest `keep` checkpoints (Checkpointer::Retain); config.keep_checkpoints does it
  // after each.
  Status Retain(uint32_t keep, RetentionReport* report, Diagnosis* why) {
    return checkpointer_.Retain(keep, report, why);
  }
  // A compaction or retention that the store began by itself is not over.
  bool UpkeepRuns() const { return background_.load(std::memory_order_acquire) || checkpointer_.retaining(); }
  // Moves the running checkpoint or growth and the log's background work along; true when none runs.
  bool Poll() {
    log_.Poll();
    if (config_.compact_at_bytes != 0) ConsiderCompaction();
    constexpr uint32_t kSplit = 1024;  // some 100 us
    return checkpointer_.Advance(kSplit);
  }

  // A compaction of what lies below `until` (compaction.h), to be stepped by the caller, who ends it before
  // the store is destroyed. nullptr: one is there already, or no epoch entry is free.
  std::unique_ptr<CompactionType> StartCompaction(LogAddress until, CompactionKind kind) {
    if (compacting_.exchange(true, std::memory_order_acq_rel)) return nullptr;
    LightEpoch::Entry* entry = epoch_.Acquire();
    auto session = entry == nullptr ? nullptr : OpenSession(checkpointer_.NewSessionId(), false, true);
    if (session == nullptr) {
      if (entry != nullptr) epoch_.Release(entry);
      compacting_.store(false, std::memory_order_release);
      return nullptr;
    }
    typename CompactionType::Parts parts{&log_, &checkpointer_, &epoch_,
                                         entry, &compacting_,   std::move(session)};
    return std::make_unique<CompactionType>(std::move(parts), until, kind);
  }
  // The same to its end. kBusy: another one runs. *stop ends it early (kAborted).
  Status Compact(LogAddress until, CompactionKind kind, CompactionProgress* progress = nullptr,
                 const std::atomic<bool>* stop = nullptr) {
    const auto compaction = StartCompaction(until, kind);
    if (compaction == nullptr) return Status::kBusy;
    const Status status = compaction->Run(stop);
    if (progress != nullptr) *progress = compaction->progress();
    return status;
  }

  // Every live key (live_iterator.h). nullptr when no epoch entry is free. It ends before the store.
  std::unique_ptr<IteratorType> Iterate() {
    LightEpoch::Entry* entry = epoch_.Acquire();
    if (entry == nullptr) return nullptr;
    auto session = OpenSession(checkpointer_.NewSessionId(), false, true);
    if (session != nullptr) return std::make_unique<IteratorType>(&epoch_, entry, &log_, std::move(session));
    epoch_.Release(entry);
    return nullptr;
  }

  // A session of the engine's own, that no checkpoint knows: for maintenance.
  std::unique_ptr<SessionType> StartInternalSession() {
    return OpenSession(checkpointer_.NewSessionId(), false, true);
  }
  // What sessions find nothing of here they look for there, and its state becomes part of every checkpoint
  // of the log (f2_kv.h). Before the first session. No record may be removed from here that is not there
  // then, so neither Compact() nor a session's ShiftBeginAddress() is for such a store.
  void AttachCold(std::unique_ptr<ColdTier> cold) {
    cold_ = std::move(cold);
    checkpointer_.SetPartner(cold_.get());
  }

  LightEpoch& epoch() { return epoch_; }
  Checkpointer& checkpointer() { return checkpointer_; }
  HybridLog& log() { return log_; }
  const HybridLog& log() const { return log_; }
  HashIndex& index() { return index_; }
  CheckpointLocks& locks() { return locks_; }
  SystemState State() const { return checkpointer_.State(); }
  const StoreConfig& config() const { return config_; }

  // visit(address, key, value, tombstone) for every valid record of the log, oldest first. Blocking; no
  // session may be active. Keys and values of variable length are views that end with the call.
  template <class Visit>
  Status ScanLog(Visit&& visit) {
    LightEpoch::Entry* entry = epoch_.Acquire();
    std::unique_ptr<uint64_t[]> page(new uint64_t[log_.page_bytes() / 8]);
    uint8_t* const bytes = reinterpret_cast<uint8_t*>(page.get());
    const LogAddress begin = log_.begin();  // before the tail: a compaction may copy what lies below to there
    const LogAddress end = (log_.tail() + log_.block_bytes() - 1) & ~(log_.block_bytes() - 1);
    Status status = Status::kOk;
    for (LogAddress from = begin & ~(log_.block_bytes() - 1); from < end && status == Status::kOk;) {
      const LogAddress page_end = (from & ~(log_.page_bytes() - 1)) + log_.page_bytes();
      const uint64_t length = std::min(page_end, end) - from;
      status = log_.CopyOut(from, length, bytes, entry);
      for (uint64_t block = 0; block < length && status == Status::kOk; block += log_.block_bytes()) {
        status = ForEachRecord(from + block, bytes + block, log_.block_bytes(), L::kSizes,
                               [&](LogAddress at, uint8_t* memory, RecordHeader header) {
                                 if (header.invalid() || at < begin || log_.IsDead(at, header.version()))
                                   return;
                                 const Rec* record = Rec::At(memory);
                                 typename L::Value value;
                                 L::LoadStill(*record, &value);
                                 visit(at, L::ArgOf(record->key()), L::ArgOfValue(value), header.tombstone());
                               });
      }
      from += length;
    }
    epoch_.Release(entry);
    return status;
  }

  // Checks what must hold of every chain in memory; "" or what is wrong. No session may be active.
  std::string CheckInvariants() {
    std::string problem;
    index_.ForEachBucket([&](const HashTable& table, uint64_t i) {
      const HashBucket* bucket = table.main_bucket(i);
      for (;;) {
        for (const HashTable::Slot& slot : bucket->entry) {
          const HashEntry entry{slot.load(std::memory_order_acquire)};
          if (!entry.free() && problem.empty()) problem = CheckChain(table, i, entry);
        }
        const uint64_t next = bucket->overflow.load(std::memory_order_acquire);
        if (next == 0) break;
        bucket = table.overflow_bucket(next);
      }
    });
    if (problem.empty() && State().phase == Phase::kRest && locks_.AnyHeld())
      problem = "a checkpoint lock is held in Rest";
    return problem;
  }

  // How far the running checkpoint is, and what it waits for. Any thread.
  faster::CheckpointProgress CheckpointProgress() { return checkpointer_.Progress(); }

  std::string Describe() {
    return checkpointer_.Describe() + "log: begin " + std::to_string(log_.begin()) + ", head " +
           std::to_string(log_.head()) + ", flushed " + std::to_string(log_.flushed_until()) +
           ", safe read-only " + std::to_string(log_.safe_read_only()) + ", read-only " +
           std::to_string(log_.read_only()) + ", tail " + std::to_string(log_.tail()) + "\n" +
           cache_.Describe();
  }

 private:
  FasterKv(const StoreConfig& config, Storage* storage, const F& functions, CheckpointObserver* observer)
      : config_(config),
        storage_(storage),
        functions_(functions),
        ids_(config.seed),
        epoch_(config.max_sessions + 13, config.session_slots),
        log_(config_, storage, &epoch_),
        cache_(config_, L::kSizes, &epoch_, &index_, HashOfRecord()),
        index_(config_, &epoch_, &log_, &cache_, HashOfRecord()),
        locks_(config.index_buckets),
        observer_(observer),
        checkpointer_(config_, storage, &epoch_, &log_, &index_, &cache_, L::kKeyBytes, L::kValueBytes,
                      observer, &ids_) {}

  // The oldest quarter of a log that is too long. One that has just been compacted is left alone until it has
  // grown: what is live does not become less.
  void ConsiderCompaction() {
    const LogAddress begin = log_.begin(), tail = log_.tail();
    if (tail - begin <= config_.compact_at_bytes || tail < compact_after_.load(std::memory_order_relaxed))
      return;
    if (background_.exchange(true, std::memory_order_acq_rel)) return;
    storage_->Schedule(
        [](void* argument) {
          auto* self = static_cast<FasterKv*>(argument);
          const LogAddress from = self->log_.begin();
          const LogAddress until = from + (self->log_.tail() - from) / 4 + self->log_.block_bytes();
          const Status status = self->Compact(until, CompactionKind::kLookup, nullptr, &self->stop_);
          self->compact_after_.store(self->log_.tail() + (until - from) / 2, std::memory_order_relaxed);
          if (self->observer_ != nullptr && status != Status::kAborted && status != Status::kBusy)
            self->observer_->OnUpkeep(Upkeep::kCompaction, status);
          self->background_.store(false, std::memory_order_release);
        },
        this);
  }

  Status Open(Diagnosis* why) {
    Status status = config_.Validate(L::kSizes.least(), why);
    if (status == Status::kOk) status = storage_->CreateDirectory(config_.directory);
    if (status == Status::kOk) status = storage_->Lock(config_.directory, &lock_);
    if (status == Status::kBusy && why)
      *why = {config_.directory, 0, "a store that no process has open", "a lock"};
    if (status == Status::kOk) status = log_.AllocateBuffer(why);
    if (status == Status::kOk) status = cache_.Open(config_.huge_pages, why);
    return status;
  }

  RecordHash HashOfRecord() const {
    return {[](const void* functions, const uint8_t* record) {
              const Rec* const at = Rec::At(const_cast<uint8_t*>(record));
              return KeyHash{static_cast<const F*>(functions)->Hash(L::ArgOf(at->key()))};
            },
            &functions_};
  }
  RecordShape Shape() const { return {L::kSizes, L::kKeyBytes, L::kValueBytes, HashOfRecord()}; }
  KeyHash HashOf(const Rec* record) const { return KeyHash{functions_.Hash(L::ArgOf(record->key()))}; }

  std::unique_ptr<SessionType> OpenSession(Guid id, bool continued, bool internal = false) {
    LightEpoch::Entry* entry = epoch_.Acquire();
    if (entry == nullptr) return nullptr;
    const typename SessionType::Parts parts{&epoch_,        &log_,       &index_,  &cache_, &locks_,
                                            &checkpointer_, &functions_, &config_, internal};
    auto session = std::make_unique<SessionType>(parts, entry, id);
    if (cold_ != nullptr && !internal) {
      auto index = cold_->NewIndexSession();
      if (index == nullptr) {
        session->Abandon();
        epoch_.Release(entry);
        return nullptr;
      }
      session->AttachCold(&cold_->log(), std::move(index));
    }
    if (checkpointer_.Register(session.get(), continued) == Status::kOk) return session;
    session->Abandon();
    epoch_.Release(entry);
    return nullptr;
  }

  // Whether the key of a record in memory at `at` is found from its own bucket.
  bool Reaches(const Rec* wanted, LogAddress at) {
    const KeyHash hash = HashOf(wanted);
    HashEntry entry;
    if (index_.TableOf(hash).Find(hash, &entry) == nullptr) return false;
    for (LogAddress next = cache_.RealAddress(entry); next >= at;) {
      const Rec* record = Rec::At(log_.At(next));
      if (record->KeyIs(wanted->key())) return true;
      next = record->header().previous();
    }
    return false;
  }

  // A copy in the read cache: of the right chain, of a record on disk, and no newer one of its key in memory.
  std::string CheckCached(const HashTable& table, uint64_t bucket, HashEntry entry) {
    if (!entry.cached()) return "";
    const std::string where = "cache record " + std::to_string(entry.address() & (HashEntry::kCached - 1)) +
                              " in bucket " + std::to_string(bucket) + ": ";
    if (!cache_.Holds(entry.address())) return where + "its page has been evicted";
    const Rec* record = Rec::At(cache_.At(entry.address()));
    const KeyHash hash = HashOf(record);
    if (hash.bucket(table.size() - 1) != bucket || hash.tag() != entry.tag())
      return where + "wrong entry for its key";
    if (record->header().invalid()) return where + "an invalid copy is linked";
    if (cache_.Source(entry.address()) >= log_.head()) return where + "the record copied was not on disk";
    for (LogAddress at = record->header().previous(); at >= log_.head();) {
      const Rec* newer = Rec::At(log_.At(at));
      if (newer->KeyIs(record->key())) return where + "hides a newer record at " + std::to_string(at);
      at = newer->header().previous();
    }
    return "";
  }

  // Behind its start a chain may lead over records of other buckets that were one with this one before a
  // growth (index/hash_index.h); these must be reached from their own bucket too.
  std::string CheckChain(const HashTable& table, uint64_t bucket, HashEntry entry) {
    if (const std::string problem = CheckCached(table, bucket, entry); !problem.empty()) return problem;
    const LogAddress head = log_.head();
    std::string path;  // the chain so far: address:version
    for (LogAddress at = cache_.RealAddress(entry); at >= head;) {
      const Rec* record = Rec::At(log_.At(at));
      const RecordHeader header = record->header();
      const uint64_t room = log_.block_bytes() - (at & (log_.block_bytes() - 1));
      if (L::kSizes(log_.At(at), room) == 0)
        return "record at " + std::to_string(at) + ": it is longer than what is left of its block";
      const KeyHash hash = HashOf(record);
      path += " " + std::to_string(at) + ":" + std::to_string(header.version());
      const std::string where = "record at " + std::to_string(at) + " in bucket " + std::to_string(bucket) +
                                " (chain" + path + "): ";
      if (!header.present()) return where + "the chain leads to no record";
      if (header.invalid()) return where + "an invalid record is linked";
      if (header.previous() >= at) return where + "addresses of the chain do not descend";
      if (hash.tag() != entry.tag()) return where + "wrong chain for its key";
      const bool own = hash.bucket(table.size() - 1) == bucket;
      const bool dead = log_.IsDead(at, header.version());
      if (own && dead) return where + "a record undone by recovery is linked";
      if (!own && !dead && !Reaches(record, at)) return where + "its key is not found from its own bucket";
      at = header.previous();
    }
    return "";
  }

  const StoreConfig config_;
  Storage* const storage_;
  const F functions_;
  IdSource ids_;
  std::unique_ptr<DirectoryLock> lock_;
  LightEpoch epoch_;
  HybridLog log_;
  ReadCache cache_;
  HashIndex index_;
  CheckpointLocks locks_;
  std::unique_ptr<ColdTier> cold_;  // uses the epoch; used by the checkpointer's job
  std::atomic<bool> compacting_{false};
  std::atomic<bool> background_{false};  // a compaction by itself is scheduled or runs
  std::atomic<bool> stop_{false};
  std::atomic<LogAddress> compact_after_{0};
  CheckpointObserver* const observer_;
  Checkpointer checkpointer_;  // destroyed first: its job uses all of the above
};

}  // namespace faster
