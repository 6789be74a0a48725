// The FASTER engine as a subject of the crash harness: values of 8 or of 256 bytes, or keys and values of
// many lengths (faster_codecs.h); five ways to hash.
//
// Also the pattern to follow for another engine: everything specific to it is in these files.
#include <algorithm>
#include <bit>
#include <memory>
#include <optional>
#include <thread>

#include "experiments/crash/f2_subject.h"
#include "experiments/crash/faster_codecs.h"
#include "experiments/crash/subject.h"
#include "faster/store/faster_kv.h"

namespace experiments {
namespace {

using faster::Diagnosis;
using faster::Guid;
using faster::Status;
using faster::Token;

faster::StoreConfig ConfigOf(const SubjectConfig& config) {
  faster::StoreConfig store;
  store.directory = config.directory;
  store.page_bits = config.page_bits;
  store.buffer_pages = config.buffer_pages;
  store.mutable_pages = config.mutable_pages;
  store.block_bytes = config.block_bytes;
  store.segment_pages = config.segment_pages;
  store.open_segments = config.open_segments;
  store.index_buckets = config.index_buckets;
  store.grow_at_overflow_percent = config.grow_percent;
  store.max_index_buckets = 1 << 10;
  store.version_bits = config.version_bits;
  store.refresh_interval = config.refresh_interval;
  store.batch_ahead = config.batch_ahead;
  store.batch_group = config.batch_group;
  store.keep_checkpoints = config.keep_checkpoints;
  store.compact_at_bytes = config.compact_at_bytes;
  store.session_slots = config.session_slots;
  store.shift = config.shift;
  store.guarantee = config.guarantee;
  store.overlap_index = config.overlap_index;
  store.recovery_threads = config.recovery_threads;
  // Of a record with its header, guard, key and source; a page of the cache holds one or more.
  if (config.read_cache_records != 0) {
    const uint64_t record = config.value_bytes == 0   ? config.block_bytes
                            : config.value_bytes == 8 ? 32
                                                      : std::bit_ceil<uint64_t>(config.value_bytes + 32);
    store.read_cache_bytes = std::bit_ceil(std::max<uint64_t>(config.read_cache_records, 4) * record);
  }
  store.read_cache_second_chance = config.second_chance;
  store.copy_reads_to_tail = config.copy_reads_to_tail;
  store.seed = config.seed;
  return store;
}

template <class Codec>
class FasterSession final : public SubjectSession {
 public:
  using Session = faster::Session<typename Codec::K, typename Codec::V, typename Codec::Functions>;
  using Out = typename Codec::Out;

  FasterSession(std::unique_ptr<Session> session, const Codec& codec)
      : session_(std::move(session)), codec_(codec) {}

  Guid id() const override { return session_->id(); }
  SubjectResult Read(uint64_t key) override {
    Out value{};
    const Status status = session_->Read(codec_.Key(key), &value);
    return Result(status, session_->serial(), value);
  }
  SubjectResult Upsert(uint64_t key, uint64_t word) override {
    const Status status = session_->Upsert(codec_.Key(key), codec_.Asked(key, word));
    return {Told(status), session_->serial(), word, false};
  }
  SubjectResult Rmw(uint64_t key, uint64_t operand) override {
    Out value{};
    const Status status = session_->Rmw(codec_.Key(key), operand, &value);
    return Result(status, session_->serial(), value);
  }
  SubjectResult Delete(uint64_t key) override {
    const Status status = session_->Delete(codec_.Key(key));
    return {status, session_->serial(), 0, false};
  }
  SubjectResult Insert(uint64_t key, uint64_t word) override {
    Out value(codec_.Made(word));
    const Status status = session_->InsertIfAbsent(codec_.Key(key), codec_.Made(word), &value);
    return Result(status, session_->serial(), value);
  }
  SubjectResult Truncate(uint64_t mark) override {
    faster::LogAddress begin;
    const Status status = session_->ShiftBeginAddress(mark, &begin);
    return {status, session_->serial(), 0, false};
  }
  void Batch(BatchType type, size_t count, const uint64_t* keys, const uint64_t* words,
             OperationObserver* observer) override {
    std::vector<decltype(Codec::Key(0))> made;
    for (size_t i = 0; i < count; ++i) made.push_back(Codec::Key(keys[i]));
    const std::vector<typename Codec::KeyItem> items(made.begin(), made.end());
    // An operation that ended without waiting has the session's last serial when its batch tells of it.
    switch (type) {
      case BatchType::kRead:
        return session_->ReadBatch(count, items.data(), nullptr,
                                   [&](size_t, Status status, const Out& value) {
                                     observer->OnOperation(Result(status, session_->serial(), value));
                                   });
      case BatchType::kUpsert: {
        std::vector<typename Codec::ValueMade> values;
        for (size_t i = 0; i < count; ++i) values.push_back(codec_.Asked(keys[i], words[i]));
        const std::vector<typename Codec::ValueItem> given(values.begin(), values.end());
        return session_->UpsertBatch(count, items.data(), given.data(), nullptr,
                                     [&](size_t i, Status status) {
                                       observer->OnOperation({Told(status), session_->serial(), words[i]});
                                     });
      }
      case BatchType::kRmw:
        return session_->RmwBatch(count, items.data(), words, nullptr,
                                  [&](size_t, Status status, const Out& value) {
                                    observer->OnOperation(Result(status, session_->serial(), value));
                                  });
    }
  }
  void CompletePending(bool wait, OperationObserver* observer) override {
    session_->CompletePending(wait, [&](const typename Session::Op& op) {
      const bool valued =
          op.type != faster::OperationType::kUpsert && op.type != faster::OperationType::kDelete;
      if (valued)
        observer->OnOperation(Result(op.result, op.serial, Out(op.value.Value())));
      else
        observer->OnOperation({Told(op.result), op.serial, 0, false});
    });
  }
  void Refresh() override { session_->Refresh(); }
  void TakeCommits(std::vector<faster::CommitNotice>* commits) override { session_->TakeCommits(commits); }
  std::vector<uint64_t> ExcludedSerials() const override { return session_->excluded_serials(); }
  void Close() override { session_->Close(); }

 private:
  // A value that does not fit: the update had no effect.
  static Status Told(Status status) { return status == Status::kTooLarge ? Status::kAborted : status; }
  SubjectResult Result(Status status, uint64_t serial, const Out& value) const {
    if (status != Status::kOk && status != Status::kExists) return {Told(status), serial, 0, false};
    return {status, serial, codec_.WordOf(value), !codec_.Whole(value)};
  }
  std::unique_ptr<Session> session_;
  const Codec& codec_;
};

template <class Codec>
class FasterSubject final : public Subject, private faster::CheckpointObserver {
 public:
  using Kv = faster::FasterKv<typename Codec::K, typename Codec::V, typename Codec::Functions>;

  FasterSubject(const SubjectConfig& config, faster::Storage* storage, SubjectObserver* observer)
      : config_(ConfigOf(config)), codec_(config), storage_(storage), observer_(observer) {}

  Status Create(Diagnosis* why) override {
    return Kv::Create(config_, storage_, codec_.functions, this, &kv_, why);
  }
  Status Recover(const Token* token, RecoveredState* state, Diagnosis* why) override {
    faster::RecoveryResult result;
    const std::optional<Token> named = token != nullptr ? std::optional(*token) : std::nullopt;
    const Status status =
        Kv::Recover(config_, storage_, codec_.functions, this, named, {}, &kv_, &result, why);
    if (status != Status::kOk) return status;
    *state = {result.log_token, result.index_token, result.version, result.records_undone, result.sessions};
    return Status::kOk;
  }
  std::unique_ptr<SubjectSession> StartSession() override { return Wrap(kv_->StartSession()); }
  std::unique_ptr<SubjectSession> ContinueSession(const Guid& id, uint64_t* serial) override {
    auto session = kv_->ContinueSession(id);
    if (session != nullptr) *serial = session->serial();
    return Wrap(std::move(session));
  }
  Status StartCheckpoint(const CheckpointRequest& request, Token* token) override {
    return kv_->Checkpoint(request.kind, request.backend, token);
  }
  Status GrowIndex() override { return kv_->GrowIndex(); }
  bool Poll() override { return kv_->Poll(); }
  Status ScanLive(std::vector<std::pair<uint64_t, uint64_t>>* live, uint64_t* torn) override {
    *torn = 0;
    while (kv_->UpkeepRuns()) std::this_thread::yield();
    const Status status =
        kv_->ScanLog([&](faster::LogAddress, const auto& stored, const auto& value, bool tombstone) {
          const uint64_t key = codec_.NumberOf(stored);
          *torn += !tombstone && !codec_.Whole(value);
          auto at = live->begin();
          while (at != live->end() && at->first < key) ++at;
          const bool known = at != live->end() && at->first == key;
          if (tombstone) {
            if (known) live->erase(at);
          } else if (known) {
            at->second = codec_.WordOf(value);
          } else {
            live->insert(at, {key, codec_.WordOf(value)});
          }
        });
    return status;
  }
  SubjectAbilities abilities() const override {
    return {.insert = true, .truncate = true, .compact = true, .retain = true, .iterate = true};
  }
  uint64_t LogMark() override { return kv_->log().head(); }
  Status Compact(bool by_lookup, uint32_t percent) override {
    const faster::LogAddress begin = kv_->log().begin();
    const faster::LogAddress until = begin + (kv_->log().head() - begin) * std::min(percent, 100u) / 100;
    return kv_->Compact(until, by_lookup ? faster::CompactionKind::kLookup : faster::CompactionKind::kScan);
  }
  Status Retain(uint32_t keep) override {
    faster::RetentionReport report;
    return kv_->Retain(keep, &report, nullptr);
  }
  Status Iterate(std::vector<std::pair<uint64_t, uint64_t>>* live, uint64_t* torn) override {
    const auto iterator = kv_->Iterate();
    if (iterator == nullptr) return Status::kBusy;
    typename Codec::KeyOut key;
    typename Codec::Out value;
    Status status;
    while ((status = iterator->Next(&key, &value)) == Status::kOk) {
      live->emplace_back(codec_.NumberOf(key), codec_.WordOf(value));
      *torn += !codec_.Whole(value);
    }
    return status == Status::kNotFound ? Status::kOk : status;
  }
  std::string CheckInvariants() override { return kv_->CheckInvariants(); }
  std::string Describe() override { return kv_ ? kv_->Describe() : "the store is not open\n"; }
  const char* PhaseTable() const override {
    return R"(
{"full/foldover": ["PrepIndexChkpt", "IndexChkpt", "Prepare", "InProgress", "WaitPending", "WaitFlush",
  "PersistenceCallback", "Rest"],
"full/snapshot": ["PrepIndexChkpt", "IndexChkpt", "Prepare", "InProgress", "WaitPending", "WaitFlush",
  "PersistenceCallback", "Rest"],
"log/foldover": ["Prepare", "InProgress", "WaitPending", "WaitFlush", "PersistenceCallback", "Rest"],
"log/snapshot": ["Prepare", "InProgress", "WaitPending", "WaitFlush", "PersistenceCallback", "Rest"],
"index": ["PrepIndexChkpt", "IndexChkpt", "Rest"],
"incremental": ["Prepare", "InProgress", "WaitPending", "WaitFlush", "PersistenceCallback", "Rest"]})";
  }

 private:
  std::unique_ptr<SubjectSession> Wrap(std::unique_ptr<typename Kv::SessionType> session) {
    if (session == nullptr) return nullptr;
    return std::make_unique<FasterSession<Codec>>(std::move(session), codec_);
  }
  void OnPhase(faster::CheckpointKind, faster::Phase phase, uint64_t version) override {
    if (observer_ != nullptr) observer_->OnPhase(faster::PhaseName(phase).data(), version);
  }
  void OnSessionPhase(const Guid& session, faster::Phase phase, uint64_t version) override {
    if (observer_ != nullptr) observer_->OnSessionPhase(session, faster::PhaseName(phase).data(), version);
  }
  void OnDurable(const Token& token, faster::CheckpointKind, Status status, uint64_t version,
                 const std::vector<faster::SessionCommit>& sessions) override {
    if (observer_ != nullptr) observer_->OnDurable(token, status, version, sessions);
  }

  void OnUpkeep(faster::Upkeep what, Status status) override {
    if (observer_ != nullptr)
      observer_->OnUpkeep(what == faster::Upkeep::kRetention ? "retention" : "compaction", status);
  }

  const faster::StoreConfig config_;
  const Codec codec_;
  faster::Storage* const storage_;
  SubjectObserver* const observer_;
  std::unique_ptr<Kv> kv_;
};

// What the hot and cold store has in common with the plain one.
template <class Value>
struct F2Types {
  using ValueType = Value;
  using FunctionsType = FixedFunctions<Value>;
  static faster::StoreConfig HotConfig(const SubjectConfig& config) { return ConfigOf(config); }
  template <class Session>
  static std::unique_ptr<SubjectSession> Wrap(std::unique_ptr<Session> session, const SubjectConfig& config) {
    return std::make_unique<FasterSession<FixedCodec<Value>>>(std::move(session), FixedCodec<Value>(config));
  }
};

template <class Value>
Subject* MakeFixed(const SubjectConfig& config, faster::Storage* storage, SubjectObserver* observer) {
  if (config.cold_chunks != 0) return new F2Subject<F2Types<Value>>(config, storage, observer);
  return new FasterSubject<FixedCodec<Value>>(config, storage, observer);
}

}  // namespace
}  // namespace experiments

extern "C" __attribute__((visibility("default"))) experiments::Subject* cpr_subject_create(
    const experiments::SubjectConfig& config, faster::Storage* storage,
    experiments::SubjectObserver* observer) {
  using namespace experiments;
  switch (config.value_bytes) {
    case 0:
      return new FasterSubject<VariableCodec>(config, storage, observer);
    case 8:
      return MakeFixed<Narrow>(config, storage, observer);
    default:
      return MakeFixed<Wide>(config, storage, observer);
  }
}
