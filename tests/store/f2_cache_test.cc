// The read cache of a pair of stores: what it holds of records that lie in the cold log, and what an update
// or a migration makes of that. One thread.
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "tests/store/tiny_pair.h"

namespace faster {
namespace {

class F2Cache : public ::testing::Test {
 protected:
  using Kv = F2Kv<uint64_t, uint64_t, AddFunctions, 4>;
  using SessionType = Kv::SessionType;

  // 400 keys, the value of each 10 * key + 1; the older ones are cold, and the block of each is on disk.
  void SetUp() override {
    F2Config config = TinyPairConfig();
    config.hot.read_cache_bytes = 4096;
    Diagnosis why;
    ASSERT_EQ(Kv::Create(config, &storage_, {}, nullptr, &kv_, &why), Status::kOk) << why.Text();
    session_ = kv_->StartSession();
    other_ = kv_->StartSession();
    Fill(0, 400);
    Migrate();
  }

  void Fill(uint64_t first, uint64_t count) {
    for (uint64_t key = first; key < first + count; ++key)
      EXPECT_NE(other_->Upsert(key, key * 10 + 1), Status::kNotFound);
    other_->CompletePending(true, [](const auto& op) { EXPECT_EQ(op.result, Status::kOk); });
  }
  void Migrate() {
    session_->Refresh();
    EXPECT_EQ(kv_->Migrate(MigrationKind::kHotCold, ~uint64_t{0}), Status::kOk);
  }
  // Waits for what session_ has pending.
  void Complete() {
    session_->CompletePending(true, [](const auto& op) { EXPECT_EQ(op.result, Status::kOk); });
  }
  // What session_ finds without asking a device; nothing if it would have to.
  std::optional<uint64_t> InMemory(uint64_t key) {
    uint64_t value = 0;
    const Status status = session_->Read(key, &value);
    Complete();
    return status == Status::kOk ? std::optional(value) : std::nullopt;
  }

  MemoryStorage storage_;
  std::unique_ptr<Kv> kv_;
  std::unique_ptr<SessionType> session_, other_;
};

TEST_F(F2Cache, HoldsWhatWasFoundInTheColdLog) {
  for (uint64_t key = 5; key < 8; ++key) {
    EXPECT_EQ(InMemory(key), std::nullopt) << key;
    EXPECT_EQ(InMemory(key), key * 10 + 1);
  }
  uint64_t value = 0;
  EXPECT_EQ(session_->Rmw(6, 3, &value), Status::kOk);  // from the copy
  EXPECT_EQ(value, 64u);
  EXPECT_EQ(InMemory(6), 64u);
  EXPECT_EQ(kv_->CheckInvariants(), "");
}

TEST_F(F2Cache, KeepsACopyWhoseRecordMoves) {
  const LogAddress begin = kv_->hot().log().begin();
  Fill(1000, 200);
  EXPECT_EQ(InMemory(1000), std::nullopt);
  EXPECT_EQ(InMemory(1000), 10001u);
  Fill(2000, 200);
  Migrate();
  ASSERT_GT(kv_->hot().log().begin(), begin + 2048);
  EXPECT_EQ(InMemory(1000), 10001u);
  EXPECT_EQ(kv_->CheckInvariants(), "");
}

TEST_F(F2Cache, KeepsNothingThatAnUpdateHasReplacedMeanwhile) {
  uint64_t value = 0;
  ASSERT_EQ(session_->Read(5, &value), Status::kPending);
  EXPECT_EQ(other_->Upsert(5, 100), Status::kOk);
  Complete();
  EXPECT_EQ(InMemory(5), 100u);
  EXPECT_EQ(kv_->CheckInvariants(), "");
}

// The update's record has left the hot log before the answer comes: only the begin of that log tells.
TEST_F(F2Cache, KeepsNothingOnceTheHotLogHasBegunLater) {
  uint64_t value = 0;
  ASSERT_EQ(session_->Read(5, &value), Status::kPending);
  EXPECT_EQ(other_->Upsert(5, 100), Status::kOk);
  Fill(3000, 300);
  EXPECT_EQ(kv_->Migrate(MigrationKind::kHotCold, ~uint64_t{0}), Status::kOk);
  Complete();
  for (int i = 0; i < 2; ++i) {
    const Status status = session_->Read(5, &value);
    session_->CompletePending(true, [&](const auto& op) { value = op.value.Value(); });
    EXPECT_TRUE(status == Status::kOk || status == Status::kPending);
    EXPECT_EQ(value, 100u);
  }
}

}  // namespace
}  // namespace faster
