// Whatever is done to a hot and a cold store, a std::map is what it holds: operations, migrations in steps in
// between, checkpoints, recoveries to any of them.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "tests/store/tiny_pair.h"

namespace faster {
namespace {

// Few chains, so that keys meet in the index, the chunks and the chains.
struct Functions : AddFunctions {
  uint64_t chains = 0;  // 0: a good hash
  uint64_t Hash(uint64_t key) const {
    return chains == 0 ? AddFunctions::Hash(key) : (key % chains) << 50 | key % 3;
  }
};

using Kv = F2Kv<uint64_t, uint64_t, Functions, 2>;
using SessionType = Kv::SessionType;
using Model = std::map<uint64_t, uint64_t>;

struct Observer : CheckpointObserver {
  void OnDurable(const Token&, CheckpointKind, Status ended, uint64_t,
                 const std::vector<SessionCommit>&) override {
    status = ended;
  }
  Status status = Status::kPending;
};

class Play {
 public:
  explicit Play(uint64_t chains) {
    functions_.chains = chains;
    config_.hot.index_buckets = config_.cold.log.index_buckets = 2;
    config_.cold.index_chunks = 4;
    Diagnosis why;
    RC_ASSERT(Kv::Create(config_, &storage_, functions_, &observer_, &kv_, &why) == Status::kOk);
    session_ = kv_->StartSession();
  }

  void Act(uint32_t what, uint64_t key, uint64_t value) {
    Step();
    if (what < 30) return Read(key);
    if (what < 50) return Upsert(key, value);
    if (what < 65) return Rmw(key, value);
    if (what < 78) return Delete(key);
    if (what < 84) return Insert(key, value);
    if (what < 90) return Begin(MigrationKind::kHotCold, value);
    if (what < 94) return Begin(MigrationKind::kColdCold, value);
    if (what < 97) return Checkpoint(what == 94, value % 3);
    if (what < 98) return Recover(value);
    Check();
  }

  void Check() {
    Model scanned, iterated;
    RC_ASSERT(kv_->ScanLog([&](uint64_t key, uint64_t value, bool tombstone) {
      if (tombstone)
        scanned.erase(key);
      else
        scanned[key] = value;
    }) == Status::kOk);
    RC_ASSERT(scanned == model_);
    const auto iterator = kv_->Iterate();
    uint64_t key, value;
    while (iterator->Next(&key, &value) == Status::kOk) iterated[key] = value;
    RC_ASSERT(iterated == model_);
    RC_ASSERT(kv_->CheckInvariants() == "");
  }
  ~Play() {
    migration_.reset();
    session_.reset();
  }

 private:
  void Step() {
    if (migration_ == nullptr) return;
    const Status status = migration_->Step();
    RC_ASSERT(status == Status::kOk || status == Status::kPending);
    if (status == Status::kOk) migration_.reset();
  }
  Status End(Status status, uint64_t* value) {
    if (status != Status::kPending) return status;
    session_->CompletePending(true, [&](const SessionType::Op& op) {
      status = op.result;
      *value = op.value.Value();
    });
    return status;
  }
  void Read(uint64_t key) {
    uint64_t value = 0;
    const Status status = End(session_->Read(key, &value), &value);
    RC_ASSERT(status == (model_.contains(key) ? Status::kOk : Status::kNotFound));
    if (status == Status::kOk) RC_ASSERT(value == model_[key]);
  }
  void Upsert(uint64_t key, uint64_t value) {
    uint64_t unused;
    RC_ASSERT(End(session_->Upsert(key, value), &unused) == Status::kOk);
    model_[key] = value;
  }
  void Rmw(uint64_t key, uint64_t input) {
    uint64_t result = 0;
    RC_ASSERT(End(session_->Rmw(key, input, &result), &result) == Status::kOk);
    RC_ASSERT(result == (model_[key] += input));
  }
  void Delete(uint64_t key) {
    uint64_t unused;
    const Status status = End(session_->Delete(key), &unused);
    RC_ASSERT(status == Status::kOk || (status == Status::kNotFound && !model_.contains(key)));
    model_.erase(key);
  }
  void Insert(uint64_t key, uint64_t value) {
    uint64_t existing = 0;
    const Status status = End(session_->InsertIfAbsent(key, value, &existing), &existing);
    RC_ASSERT(status == (model_.contains(key) ? Status::kExists : Status::kOk));
    if (status == Status::kExists)
      RC_ASSERT(existing == model_[key]);
    else
      model_[key] = value;
  }
  void Begin(MigrationKind kind, uint64_t percent) {
    if (migration_ != nullptr) return;
    const HybridLog& log = kind == MigrationKind::kHotCold ? kv_->hot().log() : kv_->cold_log();
    const LogAddress begin = log.begin();
    const LogAddress until = begin + (std::max(log.head(), begin) - begin) * (50 + percent % 51) / 100;
    migration_ = kv_->StartMigration(kind, until);
  }
  void Checkpoint(bool full, uint64_t backend) {
    Token token;
    observer_.status = Status::kPending;
    RC_ASSERT(kv_->Checkpoint(full ? CheckpointKind::kFull : CheckpointKind::kLogOnly,
                              backend == 0 ? LogBackend::kSnapshot : LogBackend::kFoldOver,
                              &token) == Status::kOk);
    while (!kv_->Poll()) Step();
    RC_ASSERT(observer_.status == Status::kOk);
    pairs_.emplace_back(token, model_);
  }
  void Recover(uint64_t back) {
    if (pairs_.empty()) return;
    back %= pairs_.size();
    const auto [token, model] = pairs_[pairs_.size() - 1 - back];
    migration_.reset();
    session_.reset();
    kv_.reset();
    ++config_.hot.seed;
    Diagnosis why;
    RecoveryResult result;
    const Status status = Kv::Recover(config_, &storage_, functions_, &observer_, token, &kv_, &result, &why);
    if (status != Status::kOk) RC_LOG() << why.Text();
    RC_ASSERT(status == Status::kOk);
    model_ = model;
    pairs_.resize(pairs_.size() - back);
    session_ = kv_->StartSession();
    Check();
  }

  MemoryStorage storage_;
  Observer observer_;
  F2Config config_ = TinyPairConfig();
  Functions functions_;
  std::unique_ptr<Kv> kv_;
  std::unique_ptr<SessionType> session_;
  std::unique_ptr<Kv::MigrationType> migration_;
  Model model_;
  std::vector<std::pair<Token, Model>> pairs_;
};

TEST(F2Property, IsAMap) {
  EXPECT_TRUE(rc::check([] {
    const uint64_t chains = *rc::gen::element<uint64_t>(0, 0, 1, 2, 5);
    Play run(chains);
    const auto acts = *rc::gen::container<std::vector<std::tuple<uint32_t, uint64_t, uint64_t>>>(
        500, rc::gen::tuple(rc::gen::inRange<uint32_t>(0, 100), rc::gen::inRange<uint64_t>(0, 40),
                            rc::gen::inRange<uint64_t>(0, 1000)));
    for (const auto& [what, key, value] : acts) run.Act(what, key, value);
    run.Check();
  }));
}

}  // namespace
}  // namespace faster
