// The hot and cold store as a subject of the crash harness. Its sessions are those of the plain store; a
// compaction by lookup is a migration of the hot log's oldest part, one by scan a compaction of the cold log.
//
// Types: ValueType, FunctionsType, HotConfig(config), Wrap(session, config); from faster_subject.cc.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "experiments/crash/subject.h"
#include "faster/store/f2_kv.h"

namespace experiments {

template <class Types>
class F2Subject final : public Subject, private faster::CheckpointObserver {
 public:
  using Value = typename Types::ValueType;
  using Functions = typename Types::FunctionsType;
  static constexpr size_t kChunkEntries = 4;
  using Kv = faster::F2Kv<uint64_t, Value, Functions, kChunkEntries>;
  using Status = faster::Status;

  F2Subject(const SubjectConfig& config, faster::Storage* storage, SubjectObserver* observer)
      : config_(ConfigOf(config)),
        given_(config),
        functions_{config.hash},
        storage_(storage),
        observer_(observer) {}

  Status Create(faster::Diagnosis* why) override {
    return Kv::Create(config_, storage_, functions_, this, &kv_, why);
  }
  Status Recover(const faster::Token* token, RecoveredState* state, faster::Diagnosis* why) override {
    faster::RecoveryResult result;
    const auto named = token != nullptr ? std::optional(*token) : std::nullopt;
    const Status status = Kv::Recover(config_, storage_, functions_, this, named, &kv_, &result, why);
    if (status != Status::kOk) return status;
    *state = {result.log_token, result.index_token, result.version, result.records_undone, result.sessions};
    return Status::kOk;
  }
  std::unique_ptr<SubjectSession> StartSession() override { return Wrapped(kv_->StartSession()); }
  std::unique_ptr<SubjectSession> ContinueSession(const faster::Guid& id, uint64_t* serial) override {
    auto session = kv_->ContinueSession(id);
    if (session != nullptr) *serial = session->serial();
    return Wrapped(std::move(session));
  }
  Status StartCheckpoint(const CheckpointRequest& request, faster::Token* token) override {
    return kv_->Checkpoint(request.kind, request.backend, token);
  }
  Status GrowIndex() override { return kv_->GrowIndex(); }
  bool Poll() override { return kv_->Poll(); }
  SubjectAbilities abilities() const override {
    return {.insert = true, .truncate = false, .compact = true, .retain = true, .iterate = true};
  }
  Status Compact(bool by_lookup, uint32_t percent) override {
    const auto kind = by_lookup ? faster::MigrationKind::kHotCold : faster::MigrationKind::kColdCold;
    const faster::HybridLog& log = by_lookup ? kv_->hot().log() : kv_->cold_log();
    const faster::LogAddress begin = log.begin(), head = log.head();
    return kv_->Migrate(kind, begin + (std::max(head, begin) - begin) * std::min(percent, 100u) / 100);
  }
  Status Retain(uint32_t keep) override {
    faster::RetentionReport report;
    return kv_->Retain(keep, &report, nullptr);
  }
  Status Iterate(std::vector<std::pair<uint64_t, uint64_t>>* live, uint64_t* torn) override {
    const auto iterator = kv_->Iterate();
    if (iterator == nullptr) return Status::kBusy;
    uint64_t key;
    Value value;
    Status status;
    while ((status = iterator->Next(&key, &value)) == Status::kOk) {
      live->emplace_back(key, value.word);
      *torn += !value.whole();
    }
    return status == Status::kNotFound ? Status::kOk : status;
  }
  Status ScanLive(std::vector<std::pair<uint64_t, uint64_t>>* live, uint64_t* torn) override {
    *torn = 0;
    while (kv_->UpkeepRuns()) std::this_thread::yield();
    return kv_->ScanLog([live, torn](uint64_t key, const Value& value, bool tombstone) {
      *torn += !tombstone && !value.whole();
      auto at = live->begin();
      while (at != live->end() && at->first < key) ++at;
      const bool known = at != live->end() && at->first == key;
      if (tombstone) {
        if (known) live->erase(at);
      } else if (known) {
        at->second = value.word;
      } else {
        live->insert(at, {key, value.word});
      }
    });
  }
  std::string CheckInvariants() override { return kv_->CheckInvariants(); }
  std::string Describe() override { return kv_ ? kv_->Describe() : "the store is not open\n"; }
  const char* PhaseTable() const override { return "{}"; }  // the plain store's, which is asked

 private:
  static faster::F2Config ConfigOf(const SubjectConfig& config) {
    faster::F2Config store;
    store.hot = Types::HotConfig(config);
    store.migrate_at_bytes = store.compact_cold_at_bytes = store.hot.compact_at_bytes;
    store.hot.compact_at_bytes = 0;
    store.cold.log.page_bits = config.page_bits;
    store.cold.log.buffer_pages = 4;
    store.cold.log.mutable_pages = 1;
    store.cold.log.block_bytes = config.block_bytes;
    store.cold.log.segment_pages = config.segment_pages;
    store.cold.log.open_segments = config.open_segments;
    faster::StoreConfig& index = store.cold.index;
    index.page_bits = 9;
    index.buffer_pages = 4;
    index.mutable_pages = 1;
    index.block_bytes = 64;  // one chunk
    index.segment_pages = 4;
    index.open_segments = config.open_segments;
    index.index_buckets = 1;
    index.version_bits = config.version_bits;
    index.session_slots = config.session_slots;
    index.recovery_threads = config.recovery_threads;
    index.shift = config.shift;
    index.compact_at_bytes = config.compact_at_bytes;
    store.cold.index_chunks = config.cold_chunks;
    return store;
  }
  std::unique_ptr<SubjectSession> Wrapped(std::unique_ptr<typename Kv::SessionType> session) const {
    if (session == nullptr) return nullptr;
    return Types::Wrap(std::move(session), given_);
  }
  void OnPhase(faster::CheckpointKind, faster::Phase phase, uint64_t version) override {
    if (observer_ != nullptr) observer_->OnPhase(faster::PhaseName(phase).data(), version);
  }
  void OnSessionPhase(const faster::Guid& session, faster::Phase phase, uint64_t version) override {
    if (observer_ != nullptr) observer_->OnSessionPhase(session, faster::PhaseName(phase).data(), version);
  }
  void OnDurable(const faster::Token& token, faster::CheckpointKind, Status status, uint64_t version,
                 const std::vector<faster::SessionCommit>& sessions) override {
    if (observer_ != nullptr) observer_->OnDurable(token, status, version, sessions);
  }
  void OnUpkeep(faster::Upkeep what, Status status) override {
    if (observer_ != nullptr)
      observer_->OnUpkeep(what == faster::Upkeep::kRetention ? "retention" : "migration", status);
  }

  const faster::F2Config config_;
  const SubjectConfig given_;
  const Functions functions_;
  faster::Storage* const storage_;
  SubjectObserver* const observer_;
  std::unique_ptr<Kv> kv_;
};

}  // namespace experiments
