// A pending update keeps its old lock through Prepare, whatever becomes of its chain: else an update of v+1
// gets before it and is committed with v.
#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "tests/store/test_store.h"

namespace faster {
namespace {

struct Hooked : AddFunctions {
  std::function<void(uint64_t)>* hook = nullptr;
  uint64_t Update(uint64_t old, uint64_t input) const {
    if (hook != nullptr && *hook) (*hook)(input);
    return old + input;
  }
};
using Kv = FasterKv<uint64_t, uint64_t, Hooked>;

constexpr uint64_t kWaits = 1, kFirst = 2, kKey = 3, kLast = 4, kFillers = 100;

class PendingLock : public ::testing::Test {
 protected:
  void SetUp() override {
    config_.buffer_pages = 4;
    config_.mutable_pages = 1;
    config_.index_buckets = 256;
    Diagnosis why;
    ASSERT_EQ(Kv::Create(config_, &storage_, Hooked{{}, &hook_}, nullptr, &kv_, &why), Status::kOk);
  }
  // Pushes what was written before out of memory, without the help of what moves a checkpoint along.
  void Fill(Kv::SessionType& session) {
    for (int i = 0; i < 120; ++i) ASSERT_EQ(session.Upsert(kFillers + i, 1), Status::kOk);
  }
  AtomicCheckpointLock& LockOf(uint64_t key) {
    return kv_->locks().Of(KeyHash{AddFunctions().Hash(key)}.tag());
  }
  uint64_t Read(Kv::SessionType& session, uint64_t key) {
    uint64_t value = 0;
    if (session.Read(key, &value) == Status::kPending)
      session.CompletePending(true, [&](const Kv::SessionType::Op& op) { value = op.value.Value(); });
    return value;
  }

  StoreConfig config_ = TestStore::TinyConfig();
  MemoryStorage storage_;
  std::function<void(uint64_t)> hook_;
  std::unique_ptr<Kv> kv_;
};

TEST_F(PendingLock, IsKeptWhenTheChainHasLeftMemory) {
  ASSERT_NE(&LockOf(kWaits), &LockOf(kKey));
  ASSERT_NE(&LockOf(kWaits), &LockOf(kFirst));
  ASSERT_NE(&LockOf(kWaits), &LockOf(kLast));
  ASSERT_NE(&LockOf(kKey), &LockOf(kFirst));
  ASSERT_NE(&LockOf(kKey), &LockOf(kLast));
  auto old_one = kv_->StartSession(), new_one = kv_->StartSession();
  ASSERT_EQ(old_one->Upsert(kWaits, 1), Status::kOk);
  ASSERT_EQ(old_one->Upsert(kLast, 1), Status::kOk);
  Fill(*old_one);
  // The other session holds the checkpoint in Prepare: it has something pending whose lock is not to be had.
  ASSERT_EQ(new_one->Rmw(kWaits, 1), Status::kPending);
  ASSERT_TRUE(LockOf(kWaits).TryLockNew());
  Token token;
  ASSERT_EQ(kv_->Checkpoint(CheckpointKind::kLogOnly, LogBackend::kFoldOver, &token), Status::kOk);
  kv_->Poll();
  ASSERT_EQ(kv_->State().phase, Phase::kPrepare);
  ASSERT_EQ(old_one->Upsert(kFirst, 1000), Status::kOk);
  ASSERT_EQ(old_one->Upsert(kKey, 1000), Status::kOk);
  Fill(*old_one);
  ASSERT_EQ(kv_->State().phase, Phase::kPrepare);
  ASSERT_EQ(old_one->Rmw(kFirst, 10), Status::kPending);
  ASSERT_EQ(old_one->Rmw(kKey, 20), Status::kPending);
  ASSERT_EQ(old_one->Rmw(kLast, 30), Status::kPending);
  // While the first of them is being executed the other session goes on to v+1, and while the last is, it
  // updates the key of the one between them.
  bool shifted = false, updated = false;
  hook_ = [&](uint64_t input) {
    if (input == 10 && !shifted) {
      shifted = true;
      LockOf(kWaits).UnlockNew();
      new_one->Refresh();
      new_one->Refresh();
      EXPECT_EQ(kv_->State().phase, Phase::kInProgress);
    }
    if (input == 30 && !updated) {
      updated = true;
      static_cast<void>(new_one->Rmw(kKey, 500));
      new_one->CompletePending(false, [](const Kv::SessionType::Op&) {});
    }
  };
  while (!shifted || !updated) old_one->Refresh();
  old_one->CompletePending(true, [](const Kv::SessionType::Op&) {});
  while (!kv_->Poll()) std::this_thread::yield();
  new_one->CompletePending(true, [](const Kv::SessionType::Op&) {});
  EXPECT_EQ(Read(*new_one, kKey), 1520u);
  old_one.reset();
  new_one.reset();
  kv_.reset();

  ++config_.seed;
  RecoveryResult result;
  Diagnosis why;
  ASSERT_EQ(Kv::Recover(config_, &storage_, Hooked{}, nullptr, token, {}, &kv_, &result, &why), Status::kOk)
      << why.Text();
  auto session = kv_->StartSession();
  EXPECT_EQ(Read(*session, kKey), 1020u);  // of v+1 nothing
}

}  // namespace
}  // namespace faster
