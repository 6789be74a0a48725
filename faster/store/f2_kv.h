// F2Kv: a hot and a cold store as one key-value store (F2 paper, PVLDB'25), with CPR checkpoints of the pair.
//
//   hot    a FasterKv: every client operation enters here. Hash index and the newest records in memory, an
//          optional read cache.
//   cold   a log on disk with little memory (cold_log.h) and an index whose chunks are on disk, too
//          (cold_index.h). Migrations alone write to it (migration.h).
//
// A read looks into the hot store and then, if there is no record of the key, not even a tombstone, into the
// cold one. Upserts and deletes write to the hot store. RMW and conditional insert of a key that is in the
// cold store only are conditional on what was found there (session_cold.h). Sessions are those of the hot
// store, with all they can do; serials, commit points and pending operations are as there. Not for this
// store: ShiftBeginAddress and compaction of the hot log into itself, which would drop tombstones that hide
// something.
//
// CHECKPOINTS OF THE PAIR. A checkpoint is one of the hot store, of any kind; while it is made durable the
// cold store writes its half (cold_store.h), and pair.meta in the hot checkpoint's directory names it.
// log.meta of the hot store, written last, is the commit mark of both. So there is one commit point per
// session, the hot store's, and a crash between the halves leaves the pair before. Why the recovered pair is
// the state at that commit point, of version v with begin B and Lhs L:
//   1. NOTHING IS LOST. A live record of v is in the recovered hot log, or below B. Below B it was linked in
//      the cold store before the hot log began at B; B is the begin when v was complete, and the cold half is
//      taken after that, and made durable before log.meta.
//   2. NOTHING NEWER SHOWS. What the cold half has beyond that are records of the hot region above B, of v or
//      before (migration.h). Of their keys the recovered hot log has the same record or a newer one, hence
//      hides them. In-place updates cannot have made them newer: they were on disk.
//   3. DELETES STAY. A tombstone leaves the hot log only for the cold one, unless nothing is there to hide;
//      that it goes counts from B on like any record.
//   4. What it refers to is there: files of either half are removed when no pair needs them (pair.h),
//   whatever
//      the begins in memory are.
// Recovery verifies the cold half before it changes anything; then the hot one, by name, which abandons newer
// pairs (recovery.h). The cold index's checkpoints count only where a pair names them
// (StoreConfig::subordinate).
//
// THREAD-SAFETY: as FasterKv. COST: a session more in the cold index per session; nothing for an operation
// that the hot store answers. ERRORS: as FasterKv; of the cold device too.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "faster/store/cold_store.h"
#include "faster/store/f2_iterator.h"
#include "faster/store/faster_kv.h"
#include "faster/store/migration.h"

namespace faster {

struct F2Config {
  StoreConfig hot;  // directory and seed are the pair's. compact_at_bytes must be 0
  ColdConfig cold;
  uint64_t migrate_at_bytes = 0;       // the oldest quarter of a longer hot log migrates; 0 = never by itself
  uint64_t compact_cold_at_bytes = 0;  // the oldest quarter of a longer cold log is compacted; 0 = never
};

// kChunkEntries: chains per chunk of the cold index. With 32 a chunk has 256 bytes.
template <class K, class V, class F, size_t kChunkEntries = 32>
class F2Kv {
 public:
  using Hot = FasterKv<K, V, F>;
  using SessionType = typename Hot::SessionType;
  using MigrationType = Migration<K, V, F>;
  using IteratorType = F2Iterator<K, V, F>;
  using Cold = ColdStore<kChunkEntries>;
  using Rec = Record<K, V>;

  // Refuses (kExists) a directory that holds a complete pair.
  static Status Create(const F2Config& config, Storage* storage, const F& functions,
                       CheckpointObserver* observer, std::unique_ptr<F2Kv>* store, Diagnosis* why) {
    Diagnosis unused;
    if (why == nullptr) why = &unused;
    std::unique_ptr<F2Kv> fresh(new F2Kv(config, storage, functions, observer));
    Status status = fresh->Validate(why);
    if (status != Status::kOk) return status;
    status = Hot::Create(fresh->config_.hot, storage, functions, observer, &fresh->hot_, why);
    if (status == Status::kOk) status = fresh->MakeDirectories(why);
    typename Cold::Loaded loaded;
    if (status == Status::kOk) status = Cold::Create(fresh->config_.cold, storage, &loaded, why);
    if (status == Status::kOk) status = fresh->Attach(std::move(loaded), why);
    if (status == Status::kOk) *store = std::move(fresh);
    return status;
  }

  // The newest complete pair, or the one that is named; kNotFound if there is none. Nothing is modified
  // unless it succeeds.
  static Status Recover(const F2Config& config, Storage* storage, const F& functions,
                        CheckpointObserver* observer, const std::optional<Token>& token,
                        std::unique_ptr<F2Kv>* store, RecoveryResult* result, Diagnosis* why) {
    Diagnosis unused;
    if (why == nullptr) why = &unused;
    std::unique_ptr<F2Kv> fresh(new F2Kv(config, storage, functions, observer));
    Status status = fresh->Validate(why);
    if (status == Status::kOk) status = storage->CreateDirectory(config.hot.directory);
    if (status != Status::kOk) return status;
    PairMetadata pair;
    status = ChoosePair(*storage, config.hot.directory, token, &pair, why);
    if (status != Status::kOk) return status;
    typename Cold::Loaded loaded;
    status = Cold::Load(fresh->config_.cold, storage, pair, &loaded, why);
    if (status != Status::kOk) return status;
    const std::optional<Token> named = token ? std::optional(pair.token) : std::nullopt;
    status =
        Hot::Recover(fresh->config_.hot, storage, functions, observer, named, {}, &fresh->hot_, result, why);
    if (status == Status::kOk) status = fresh->Attach(std::move(loaded), why);
    if (status == Status::kOk) *store = std::move(fresh);
    return status;
  }

  // Every session, migration and iterator is closed before.
  ~F2Kv() {
    stop_.store(true, std::memory_order_release);
    while (background_.load(std::memory_order_acquire)) std::this_thread::yield();
  }

  std::unique_ptr<SessionType> StartSession() { return hot_->StartSession(); }
  std::unique_ptr<SessionType> ContinueSession(const Guid& id) { return hot_->ContinueSession(id); }

  std::vector<SessionState> Sessions() { return hot_->Sessions(); }

  // As FasterKv's; *token names the pair.
  Status Checkpoint(CheckpointKind kind, LogBackend backend, Token* token) {
    return hot_->Checkpoint(kind, backend, token);
  }
  Status GrowIndex() { return hot_->GrowIndex(); }
  GrowthProgress Growth() { return hot_->Growth(); }
  // Of pairs.
  Status Retain(uint32_t keep, RetentionReport* report, Diagnosis* why) {
    return hot_->Retain(keep, report, why);
  }
  bool UpkeepRuns() const {
    return background_.load(std::memory_order_acquire) || hot_->UpkeepRuns() ||
           cold_->index().kv().UpkeepRuns();
  }
  bool Poll() {
    cold_->log().Poll();
    static_cast<void>(cold_->index().kv().Poll());
    ConsiderUpkeep();
    return hot_->Poll();
  }

  // Moves what lies below `until` of the hot log into the cold one, or of the cold log to its tail; to be
  // stepped by the caller, who ends it before the store is destroyed. nullptr: one of its kind is there
  // already, or there is no room for its sessions.
  std::unique_ptr<MigrationType> StartMigration(MigrationKind kind, LogAddress until) {
    const bool hot_cold = kind == MigrationKind::kHotCold;
    std::atomic<bool>* const running = hot_cold ? &migrating_ : &compacting_;
    if (running->exchange(true, std::memory_order_acq_rel)) return nullptr;
    LightEpoch::Entry* const entry = hot_->epoch().Acquire();
    auto index = entry == nullptr ? nullptr : cold_->NewIndexSession();
    auto session = index == nullptr || !hot_cold ? nullptr : hot_->StartInternalSession();
    if (index == nullptr || (hot_cold && session == nullptr)) {
      if (entry != nullptr) hot_->epoch().Release(entry);
      running->store(false, std::memory_order_release);
      return nullptr;
    }
    typename MigrationType::Parts parts{
        &hot_->log(), &hot_->checkpointer(), &hot_->epoch(),     entry,         running,
        &linking_,    &functions_,           std::move(session), &cold_->log(), std::move(index)};
    return std::make_unique<MigrationType>(std::move(parts), kind, until);
  }
  // The same to its end. kBusy: another of its kind runs. *stop ends it early (kAborted).
  Status Migrate(MigrationKind kind, LogAddress until, MigrationProgress* progress = nullptr,
                 const std::atomic<bool>* stop = nullptr) {
    const auto migration = StartMigration(kind, until);
    if (migration == nullptr) return Status::kBusy;
    const Status status = migration->Run(stop);
    if (progress != nullptr) *progress = migration->progress();
    return status;
  }

  // Every live key (f2_iterator.h). nullptr when there is no room for its sessions. It ends before the store.
  std::unique_ptr<IteratorType> Iterate() {
    typename IteratorType::Parts parts;
    parts.epoch = &hot_->epoch();
    parts.entry = parts.epoch->Acquire();
    if (parts.entry == nullptr) return nullptr;
    parts.functions = &functions_;
    parts.cold = &cold_->log();
    parts.hot = hot_->Iterate();
    parts.session = hot_->StartInternalSession();
    parts.index = cold_->NewIndexSession();
    if (parts.hot != nullptr && parts.session != nullptr && parts.index != nullptr)
      return std::make_unique<IteratorType>(std::move(parts));
    parts.epoch->Release(parts.entry);
    return nullptr;
  }

  Hot& hot() { return *hot_; }
  HybridLog& cold_log() { return cold_->log(); }
  typename Cold::Index& cold_index() { return cold_->index(); }
  const F2Config& config() const { return config_; }
  SystemState State() const { return hot_->State(); }
  faster::CheckpointProgress CheckpointProgress() { return hot_->CheckpointProgress(); }

  // visit(key, value, tombstone) for every record that counts, oldest first: the cold store's by the chunks
  // of its index, read from that store's log, then those of the hot log. Blocking; no session may be active.
  template <class Visit>
  Status ScanLog(Visit&& visit) {
    std::map<uint64_t, typename Cold::Index::ChunkType> chunks;
    Status status = cold_->index().kv().ScanLog(
        [&](LogAddress, uint64_t number, const auto& chunk, bool) { chunks[number] = chunk; });
    std::vector<Words<K>> seen;
    for (const auto& [number, chunk] : chunks) {
      for (const LogAddress entry : chunk.entry) {
        seen.clear();
        if (status == Status::kOk) status = ScanChain(entry, &seen, visit);
      }
    }
    if (status != Status::kOk) return status;
    return hot_->ScanLog(
        [&](LogAddress, const K& key, const V& value, bool tombstone) { visit(key, value, tombstone); });
  }

  std::string CheckInvariants() {
    const std::string problem = hot_->CheckInvariants();
    return problem.empty() ? cold_->index().kv().CheckInvariants() : problem;
  }
  std::string Describe() {
    const HybridLog& log = cold_->log();
    return hot_->Describe() + "cold log: begin " + std::to_string(log.begin()) + ", head " +
           std::to_string(log.head()) + ", flushed " + std::to_string(log.flushed_until()) + ", tail " +
           std::to_string(log.tail()) + "\ncold index: " + cold_->index().kv().Describe();
  }

 private:
  F2Kv(const F2Config& config, Storage* storage, const F& functions, CheckpointObserver* observer)
      : config_(Filled(config)), storage_(storage), functions_(functions), observer_(observer) {}

  // The cold store's parts lie in directories of their own below the hot store's.
  static F2Config Filled(F2Config config) {
    config.cold.log.directory = JoinPath(config.hot.directory, "cold");
    config.cold.index.directory = JoinPath(config.hot.directory, "cold-index");
    config.cold.index.subordinate = true;
    config.cold.index.guarantee = Guarantee::kStrict;  // what is replaced before a checkpoint is in it
    config.cold.index.keep_checkpoints = 0;
    config.cold.index.refresh_interval = 1;
    config.cold.index.max_sessions = std::min<uint32_t>(config.hot.max_sessions + 4, 65536);
    config.cold.index.seed = IdSource(config.hot.seed ^ 0xc01dc01dc01dc01dull).Next();
    config.cold.log.seed = config.cold.index.seed;
    return config;
  }

  Status Validate(Diagnosis* why) const {
    if (config_.hot.compact_at_bytes != 0 || config_.hot.subordinate) {
      *why = {"", 0, "a hot store that is not compacted into itself", "compact_at_bytes or subordinate"};
      return Status::kInvalidArgument;
    }
    if (config_.cold.log.block_bytes != config_.hot.block_bytes) {
      *why = {"", 0, "a cold log with the hot one's block_bytes " + std::to_string(config_.hot.block_bytes),
              std::to_string(config_.cold.log.block_bytes)};
      return Status::kInvalidArgument;
    }
    const uint64_t chunks = config_.cold.index_chunks;
    if (chunks == 0 || (chunks & (chunks - 1)) != 0) {
      *why = {"", 0, "index_chunks, a power of two", std::to_string(chunks)};
      return Status::kInvalidArgument;
    }
    return config_.cold.log.Validate(Rec::kBytes, why);
  }

  Status MakeDirectories(Diagnosis* why) {
    for (const std::string* path : {&config_.cold.log.directory, &config_.cold.index.directory}) {
      Status status = storage_->CreateDirectory(*path);
      if (status == Status::kOk) status = storage_->SyncDirectory(config_.hot.directory);
      if (status == Status::kOk) continue;
      *why = {*path, 0, "a directory that can be made durable", std::string(StatusName(status))};
      return status;
    }
    return Status::kOk;
  }

  Status Attach(typename Cold::Loaded loaded, Diagnosis* why) {
    auto cold = std::make_unique<Cold>(config_.cold, config_.hot.directory, storage_, &hot_->epoch(),
                                       std::move(loaded));
    const Status status = cold->Open(why);
    cold_ = cold.get();
    hot_->AttachCold(std::move(cold));
    return status;
  }

  // The newest record of each key of one chain.
  template <class Visit>
  Status ScanChain(LogAddress at, std::vector<Words<K>>* seen, Visit& visit) {
    HybridLog& log = cold_->log();
    LightEpoch::Entry* const entry = hot_->epoch().Acquire();
    std::unique_ptr<uint64_t[]> block(new uint64_t[log.block_bytes() / 8]);
    uint8_t* const bytes = reinterpret_cast<uint8_t*>(block.get());
    Status status = Status::kOk;
    while (at != 0 && at >= log.begin() && status == Status::kOk) {
      const LogAddress start = at & ~LogAddress{log.block_bytes() - 1};
      status = log.CopyOut(start, log.block_bytes(), bytes, entry);
      if (status != Status::kOk) break;
      const Rec* record = Rec::At(bytes + (at - start));
      const RecordHeader header = record->header();
      if (!header.present() || header.previous() >= at) {
        status = Status::kCorruption;
        break;
      }
      const bool known =
          std::any_of(seen->begin(), seen->end(), [&](const Words<K>& key) { return record->KeyIs(key); });
      if (!known) {
        seen->push_back(record->key());
        visit(record->key().Value(), record->Load().Value(), header.tombstone());
      }
      at = header.previous();
    }
    hot_->epoch().Release(entry);
    return status;
  }

  static bool IsLonger(const HybridLog& log, uint64_t bytes, const std::atomic<LogAddress>& after) {
    if (bytes == 0) return false;
    const LogAddress begin = log.begin(), tail = log.tail();
    return tail - begin > bytes && tail >= after.load(std::memory_order_relaxed);
  }

  // A cold log that has just been compacted is left alone until it has grown: what is live does not become
  // less. A hot one of which nothing could go, too.
  void ConsiderUpkeep() {
    if (!IsLonger(hot_->log(), config_.migrate_at_bytes, migrate_after_) &&
        !IsLonger(cold_->log(), config_.compact_cold_at_bytes, compact_after_))
      return;
    if (background_.exchange(true, std::memory_order_acq_rel)) return;
    storage_->Schedule(
        [](void* argument) {
          auto* self = static_cast<F2Kv*>(argument);
          self->Upkeep(MigrationKind::kHotCold, self->hot_->log(), self->config_.migrate_at_bytes,
                       &self->migrate_after_);
          self->Upkeep(MigrationKind::kColdCold, self->cold_->log(), self->config_.compact_cold_at_bytes,
                       &self->compact_after_);
          self->background_.store(false, std::memory_order_release);
        },
        this);
  }
  void Upkeep(MigrationKind kind, const HybridLog& log, uint64_t bytes, std::atomic<LogAddress>* after) {
    if (!IsLonger(log, bytes, *after)) return;
    const LogAddress from = log.begin();
    const LogAddress until = from + (log.tail() - from) / 4 + log.block_bytes();
    const Status status = Migrate(kind, until, nullptr, &stop_);
    LogAddress next =
        log.tail() + (kind == MigrationKind::kColdCold ? (until - from) / 2 : log.block_bytes());
    if (kind == MigrationKind::kHotCold && log.begin() != from) next = 0;  // what has gone will not come back
    after->store(next, std::memory_order_relaxed);
    if (observer_ != nullptr && status != Status::kAborted && status != Status::kBusy)
      observer_->OnUpkeep(faster::Upkeep::kCompaction, status);
  }

  const F2Config config_;
  Storage* const storage_;
  const F functions_;
  CheckpointObserver* const observer_;
  std::atomic<bool> migrating_{false};
  std::atomic<LogAddress> linking_{~LogAddress{0}};  // migration.h
  std::atomic<bool> compacting_{false};
  std::atomic<bool> background_{false};
  std::atomic<bool> stop_{false};
  std::atomic<LogAddress> migrate_after_{0};
  std::atomic<LogAddress> compact_after_{0};
  Cold* cold_ = nullptr;      // the hot store's
  std::unique_ptr<Hot> hot_;  // destroyed first: its job uses the cold store
};

}  // namespace faster
