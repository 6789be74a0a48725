// Growth of the index: every key stays where a lookup finds it, before, during and after; with checkpoints
// around it, crashes in its middle, sessions that do not move, and real threads.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>
#include <vector>

#include "tests/store/test_store.h"

namespace faster {
namespace {

// Every key has one tag, so that a bucket is one chain, and a growth must part it.
struct OneTag : AddFunctions {
  uint64_t Hash(uint64_t key) const { return uint64_t{77} << 50 | (AddFunctions::Hash(key) & 0xffff); }
};

template <class Functions>
class GrowingStore {
 public:
  using Kv = FasterKv<uint64_t, uint64_t, Functions>;
  using SessionType = typename Kv::SessionType;

  explicit GrowingStore(uint64_t buckets, uint32_t grow_at = 0) {
    config_ = TestStore::TinyConfig();
    config_.index_buckets = buckets;
    config_.grow_at_overflow_percent = grow_at;
    if (grow_at != 0) config_.page_bits = 16;  // all in memory, where growth helps
    Diagnosis why;
    EXPECT_EQ(Kv::Create(config_, &storage_, {}, nullptr, &kv_, &why), Status::kOk) << why.Text();
    session_ = kv_->StartSession();
  }
  Kv& kv() { return *kv_; }
  SessionType& session() { return *session_; }
  StoreConfig& config() { return config_; }
  uint64_t size() { return kv_->Growth().buckets; }

  void Add(uint64_t key, uint64_t input) {
    const Status status = session_->Rmw(key, input);
    EXPECT_TRUE(status == Status::kOk || status == Status::kPending) << StatusName(status);
    if (status == Status::kPending) session_->CompletePending(true, [](const auto&) {});
    model_[key] += input;
  }
  void Remove(uint64_t key) {
    if (session_->Delete(key) == Status::kPending) session_->CompletePending(true, [](const auto&) {});
    model_.erase(key);
  }
  std::optional<uint64_t> Read(uint64_t key) {
    uint64_t value = 0;
    Status status = session_->Read(key, &value);
    if (status == Status::kPending) {
      session_->CompletePending(true, [&](const auto& op) { status = op.result, value = op.value.Value(); });
    }
    return status == Status::kOk ? std::optional(value) : std::nullopt;
  }
  void ExpectAll(uint64_t keys) {
    for (uint64_t key = 0; key < keys; ++key) {
      const auto known = model_.find(key);
      ASSERT_EQ(Read(key), known != model_.end() ? std::optional(known->second) : std::nullopt) << key;
    }
    EXPECT_EQ(kv_->CheckInvariants(), "");
  }
  // As the log has it, without the index.
  void ExpectScan() {
    std::map<uint64_t, uint64_t> found;
    const Status status = kv_->ScanLog([&](LogAddress, uint64_t key, uint64_t value, bool tombstone) {
      tombstone ? void(found.erase(key)) : void(found[key] = value);
    });
    ASSERT_EQ(status, Status::kOk);
    EXPECT_EQ(found, model_);
  }
  void PollToRest() {
    while (!kv_->Poll()) std::this_thread::yield();
  }
  void Grow() {
    ASSERT_EQ(kv_->GrowIndex(), Status::kOk);
    PollToRest();
  }
  void Checkpoint(CheckpointKind kind) {
    Token token;
    ASSERT_EQ(kv_->Checkpoint(kind, LogBackend::kFoldOver, &token), Status::kOk);
    PollToRest();
  }
  RecoveryResult Recover() {
    session_.reset();
    kv_.reset();
    ++config_.seed;
    Diagnosis why;
    RecoveryResult result;
    EXPECT_EQ(Kv::Recover(config_, &storage_, {}, nullptr, {}, {}, &kv_, &result, &why), Status::kOk)
        << why.Text();
    session_ = kv_->StartSession();
    return result;
  }

 private:
  MemoryStorage storage_;
  StoreConfig config_;
  std::unique_ptr<Kv> kv_;
  std::unique_ptr<SessionType> session_;
  std::map<uint64_t, uint64_t> model_;
};

template <class Functions>
class Growth : public ::testing::Test {};
using BothHashes = ::testing::Types<AddFunctions, OneTag>;
TYPED_TEST_SUITE(Growth, BothHashes);

// Most records are on disk, where a growth does not look.
TYPED_TEST(Growth, KeepsEveryKeyFromOneBucketToMany) {
  GrowingStore<TypeParam> store(1);
  for (uint64_t size = 1; size <= 128; size *= 2) {
    for (uint64_t key = 0; key < 200; ++key) store.Add(key * 7 % 200, key + size);
    for (uint64_t key = size % 5; key < 200; key += 23) store.Remove(key);
    store.Grow();
    ASSERT_EQ(store.size(), 2 * size);
    store.ExpectAll(200);
    store.ExpectScan();
  }
}

TYPED_TEST(Growth, HoldsItsInvariantsAtEveryStep) {
  GrowingStore<TypeParam> store(64);
  for (uint64_t key = 0; key < 300; ++key) store.Add(key, key);
  ASSERT_EQ(store.kv().GrowIndex(), Status::kOk);
  uint64_t steps = 0, last = 0;
  while (!store.kv().Poll()) {
    const GrowthProgress progress = store.kv().Growth();
    EXPECT_GE(progress.split, last);
    last = progress.split;
    EXPECT_EQ(store.kv().CheckInvariants(), "") << "after " << steps << " steps";
    ++steps;
  }
  EXPECT_GT(steps, 8u);  // in parts, not in one go
  EXPECT_EQ(store.kv().Growth().target, 0u);
  store.ExpectAll(300);
}

// Nobody polls: operations split what they need, and every 64th helps with the rest.
TYPED_TEST(Growth, IsCarriedByOperationsAlone) {
  GrowingStore<TypeParam> store(64);
  for (uint64_t key = 0; key < 300; ++key) store.Add(key, key);
  ASSERT_EQ(store.kv().GrowIndex(), Status::kOk);
  for (uint64_t i = 0; i < 20000 && store.kv().State().phase != Phase::kRest; ++i) {
    store.Add(i % 300, 1);
    if (i % 3 == 0) store.Add(300 + i % 50, 1);
    if (i % 11 == 0) store.Remove(i % 300);
  }
  EXPECT_EQ(store.kv().State().phase, Phase::kRest);
  EXPECT_EQ(store.size(), 128u);
  store.ExpectAll(360);
  store.ExpectScan();
}

TYPED_TEST(Growth, IsHeldBackByNoIdleSession) {
  GrowingStore<TypeParam> store(4);
  for (uint64_t key = 0; key < 300; ++key) store.Add(key, 1);
  auto idle = store.kv().StartSession();
  for (uint64_t key = 0; key < 20; ++key) static_cast<void>(idle->Rmw(key, 0));  // some wait for the disk
  store.Grow();
  auto closed = store.kv().StartSession();
  const Guid id = closed->id();
  ASSERT_EQ(store.kv().GrowIndex(), Status::kOk);
  closed.reset();                           // closes in its middle
  closed = store.kv().ContinueSession(id);  // and comes back
  ASSERT_NE(closed, nullptr);
  static_cast<void>(closed->Upsert(1000, 5));
  store.PollToRest();
  EXPECT_EQ(store.size(), 16u);
  idle->CompletePending(true, [](const auto& op) { EXPECT_EQ(op.result, Status::kOk); });
  store.ExpectAll(300);
}

TYPED_TEST(Growth, AndCheckpointsExcludeEachOther) {
  GrowingStore<TypeParam> store(2);
  for (uint64_t key = 0; key < 100; ++key) store.Add(key, 1);
  Token token;
  ASSERT_EQ(store.kv().Checkpoint(CheckpointKind::kFull, LogBackend::kFoldOver, &token), Status::kOk);
  EXPECT_EQ(store.kv().GrowIndex(), Status::kBusy);
  store.PollToRest();
  ASSERT_EQ(store.kv().GrowIndex(), Status::kOk);
  EXPECT_EQ(store.kv().GrowIndex(), Status::kBusy);
  EXPECT_EQ(store.kv().Checkpoint(CheckpointKind::kFull, LogBackend::kFoldOver, &token), Status::kBusy);
  store.PollToRest();
  for (uint64_t key = 50; key < 150; ++key) store.Add(key, 1);
  store.Checkpoint(CheckpointKind::kFull);
  EXPECT_FALSE(store.Recover().index_token.IsNull());
  EXPECT_EQ(store.size(), 4u);  // not the 2 of the configuration
  store.ExpectAll(150);
}

// The log's records were parted by a growth that the index does not know: it must not be used.
TYPED_TEST(Growth, AfterAnIndexCheckpointThatAnotherLogNeeds) {
  GrowingStore<TypeParam> store(1);
  for (uint64_t key = 0; key < 200; ++key) store.Add(key, 1);
  store.Checkpoint(CheckpointKind::kIndexOnly);
  for (int i = 0; i < 4; ++i) {
    store.Grow();
    for (uint64_t key = i; key < 300; key += 2) store.Add(key, 1);
  }
  store.Checkpoint(CheckpointKind::kLogOnly);
  EXPECT_TRUE(store.Recover().index_token.IsNull());
  EXPECT_EQ(store.size(), 16u);
  store.ExpectAll(300);
  store.Checkpoint(CheckpointKind::kFull);
  store.Grow();
  store.Checkpoint(CheckpointKind::kLogOnly);
  EXPECT_TRUE(store.Recover().index_token.IsNull());
  EXPECT_EQ(store.size(), 32u);
  store.ExpectAll(300);
}

TYPED_TEST(Growth, IsForgottenByACrashInItsMiddle) {
  GrowingStore<TypeParam> store(4);
  for (uint64_t key = 0; key < 200; ++key) store.Add(key, 1);
  store.Checkpoint(CheckpointKind::kFull);
  ASSERT_EQ(store.kv().GrowIndex(), Status::kOk);
  for (uint64_t key = 0; key < 10; ++key) ASSERT_EQ(store.Read(key), 1u);
  EXPECT_FALSE(store.Recover().index_token.IsNull());
  EXPECT_EQ(store.size(), 4u);
  store.Grow();
  EXPECT_EQ(store.size(), 8u);
  store.ExpectAll(200);
}

TEST(GrowIndex, EndsAtItsLimit) {
  StoreConfig config = TestStore::TinyConfig();
  config.max_index_buckets = 3;
  Diagnosis why;
  EXPECT_EQ(config.Validate(24, &why), Status::kInvalidArgument);
  EXPECT_NE(why.Text().find("max_index_buckets"), std::string::npos) << why.Text();
  config.max_index_buckets = 16;
  TestStore store(config);
  ASSERT_EQ(store.kv().GrowIndex(), Status::kOk);
  while (!store.kv().Poll()) std::this_thread::yield();
  EXPECT_EQ(store.kv().GrowIndex(), Status::kInvalidArgument);
  EXPECT_EQ(store.kv().Growth().buckets, 16u);
}

TEST(GrowIndex, ByItselfWhenOverflowBucketsAreManyAndOnlyThen) {
  GrowingStore<AddFunctions> fixed(1), growing(1, 50);
  for (uint64_t key = 0; key < 2000; ++key) {
    fixed.Add(key, 1);
    growing.Add(key, 1);
    if (key % 16 == 0) growing.session().Refresh();
  }
  fixed.PollToRest();
  growing.PollToRest();
  EXPECT_EQ(fixed.size(), 1u);
  EXPECT_GE(growing.size(), 64u);
  EXPECT_LE(growing.size(), 1024u);
  growing.ExpectAll(2000);
}

// A full store whose clients only operate: the alarm alone must be enough.
TEST(GrowIndex, ByItselfWithoutPollOrRefresh) {
  GrowingStore<AddFunctions> store(1, 50);
  // The job that frees a table has a thread of its own: the operations may be over before it.
  for (uint64_t key = 0; key < 4000 || (store.size() < 64 && key < 50'000'000); ++key) {
    if (store.session().Upsert(key % 4000, 1) == Status::kPending) {
      store.session().CompletePending(true, [](const auto&) {});
    }
  }
  EXPECT_GE(store.size(), 64u);
}

// What is on disk is in both halves of every split: to grow for it again and again would never end.
TEST(GrowIndex, ByItselfDoesNotRunAwayOverRecordsOnDisk) {
  StoreConfig config = TestStore::TinyConfig();
  config.index_buckets = 1;
  config.grow_at_overflow_percent = 50;
  TestStore store(config);  // 4 KiB of memory
  auto session = store.kv().StartSession();
  for (uint64_t key = 0; key < 4000; ++key) {
    store.Rmw(*session, key, 1);
    if (key % 16 == 0) session->Refresh();
  }
  while (!store.kv().Poll()) std::this_thread::yield();
  EXPECT_LE(store.kv().Growth().buckets, 4096u);
  for (uint64_t key = 0; key < 4000; key += 41) EXPECT_EQ(store.Read(*session, key), 1u);
}

// Threads add to keys while the index grows from 1 bucket to 1024 and checkpoints run in between; then the
// store is recovered.
template <class Functions>
class Load {
 public:
  explicit Load(uint32_t refresh_interval) {
    config_.page_bits = 11;
    config_.buffer_pages = 16;
    config_.mutable_pages = 8;
    config_.index_buckets = 1;
    config_.segment_pages = 1 << 10;
    config_.refresh_interval = refresh_interval;
    EXPECT_EQ(Kv::Create(config_, &storage_, {}, nullptr, &kv_, &why_), Status::kOk) << why_.Text();
  }
  void Run() {
    std::vector<std::thread> threads;
    for (uint64_t who = 0; who < kWorkers; ++who) threads.emplace_back([this, who] { Work(who); });
    auto idle = kv_->StartSession();
    for (uint64_t key = 0; key < 20; ++key) static_cast<void>(idle->Upsert(kKeys + key, 7));
    for (int round = 0; kv_->Growth().buckets < kBuckets; ++round) {
      const Status grown = kv_->GrowIndex();
      ASSERT_TRUE(grown == Status::kOk || grown == Status::kBusy);
      PollToRest();
      if (round % 3 != 0) continue;
      Token token;
      static_cast<void>(kv_->Checkpoint(round % 2 == 0 ? CheckpointKind::kFull : CheckpointKind::kLogOnly,
                                        LogBackend::kFoldOver, &token));
      PollToRest();
    }
    stop_ = true;
    for (std::thread& thread : threads) thread.join();
    idle->Close();
    EXPECT_EQ(kv_->CheckInvariants(), "");
    Token token;
    ASSERT_EQ(kv_->Checkpoint(CheckpointKind::kLogOnly, LogBackend::kFoldOver, &token), Status::kOk);
    PollToRest();
  }
  void RecoverAndCheck() {
    kv_.reset();
    ++config_.seed;
    RecoveryResult result;
    ASSERT_EQ(Kv::Recover(config_, &storage_, {}, nullptr, {}, {}, &kv_, &result, &why_), Status::kOk)
        << why_.Text();
    EXPECT_EQ(kv_->Growth().buckets, kBuckets);
    std::vector<uint64_t> expected(kKeys, 0);
    for (uint64_t who = 0; who < kWorkers; ++who) {
      for (const SessionCommit& commit : result.sessions) {
        for (uint64_t n = 1; commit.session == ids_[who] && n <= commit.serial; ++n)
          ++expected[KeyOf(who, n)];
      }
    }
    auto session = kv_->StartSession();
    for (uint64_t key = 0; key < kKeys + 20; ++key) {
      uint64_t value = 0;
      if (session->Read(key, &value) == Status::kPending) {
        session->CompletePending(
            true, [&](const auto& op) { value = op.result == Status::kOk ? op.value.Value() : 0; });
      }
      ASSERT_EQ(value, key < kKeys ? expected[key] : 7u) << "key " << key;
    }
  }

 private:
  using Kv = FasterKv<uint64_t, uint64_t, Functions>;
  static constexpr uint64_t kKeys = 600, kWorkers = 3, kBuckets = 1024;

  static uint64_t KeyOf(uint64_t who, uint64_t n) { return IdSource(who * 1000003 + n).Next() % kKeys; }
  void PollToRest() {
    while (!kv_->Poll()) std::this_thread::yield();
  }
  void Work(uint64_t who) {
    auto session = kv_->StartSession();
    ids_[who] = session->id();
    const auto finished = [](const auto& op) { ASSERT_EQ(op.result, Status::kOk); };
    while (!stop_.load(std::memory_order_relaxed)) {
      const uint64_t serial = session->serial() + 1;
      const Status status = session->Rmw(KeyOf(who, serial), 1);
      ASSERT_TRUE(status == Status::kOk || status == Status::kPending) << StatusName(status);
      if (serial % 16 == 0) session->CompletePending(false, finished);
      if (serial % 5000 == 0) {  // closes and comes back in any phase
        session.reset();
        session = kv_->ContinueSession(ids_[who]);
      }
    }
    session->CompletePending(true, finished);
  }

  MemoryStorage storage_;
  StoreConfig config_ = TestStore::TinyConfig();
  Diagnosis why_;
  std::unique_ptr<Kv> kv_;
  std::atomic<bool> stop_{false};
  Guid ids_[kWorkers];
};

template <class Functions>
void GrowUnderLoad(uint32_t refresh_interval) {
  Load<Functions> load(refresh_interval);
  load.Run();
  load.RecoverAndCheck();
}

TEST(GrowIndex, UnderLoadLosesNothing) { GrowUnderLoad<AddFunctions>(1); }
TEST(GrowIndex, UnderLoadWithRareRefreshesLosesNothing) { GrowUnderLoad<AddFunctions>(16); }
TEST(GrowIndex, UnderLoadPartsChainsOfOneTag) { GrowUnderLoad<OneTag>(1); }

}  // namespace
}  // namespace faster
