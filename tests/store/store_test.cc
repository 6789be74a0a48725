// The engine alone, one thread: operations in every region, checkpoints of every kind, recovery.
#include <gtest/gtest.h>

#include <map>

#include "faster/store/faster_kv.h"
#include "tests/cpr/recording_storage.h"
#include "tests/store/test_store.h"

namespace faster {
namespace {

using testing::Kind;

TEST(Store, ReadsBackWhatWasWritten) {
  TestStore store;
  auto session = store.kv().StartSession();
  uint64_t value = 0;
  EXPECT_EQ(session->Read(1, &value), Status::kNotFound);
  EXPECT_EQ(session->Upsert(1, 10), Status::kOk);
  EXPECT_EQ(session->Read(1, &value), Status::kOk);
  EXPECT_EQ(value, 10u);
  EXPECT_EQ(session->Rmw(1, 5, &value), Status::kOk);
  EXPECT_EQ(value, 15u);
  EXPECT_EQ(session->Rmw(2, 7, &value), Status::kOk);
  EXPECT_EQ(value, 7u);
  EXPECT_EQ(session->Delete(1), Status::kOk);
  EXPECT_EQ(session->Delete(1), Status::kNotFound);
  EXPECT_EQ(session->Read(1, &value), Status::kNotFound);
  EXPECT_EQ(session->Rmw(1, 3, &value), Status::kOk);
  EXPECT_EQ(value, 3u);
  EXPECT_EQ(session->serial(), 9u);
}

TEST(Store, KeepsEverythingWhenTheLogOutgrowsMemory) {
  TestStore store;
  std::map<uint64_t, uint64_t> model;
  auto session = store.kv().StartSession();
  for (uint64_t i = 0; i < 2000; ++i) {
    const uint64_t key = i * 7919 % 311;
    store.Rmw(*session, key, i);
    model[key] += i;
  }
  EXPECT_GT(store.kv().log().head(), store.kv().log().begin() + 4096);
  for (const auto& [key, value] : model) EXPECT_EQ(store.Read(*session, key), value) << key;
  EXPECT_EQ(store.Read(*session, 5000), std::nullopt);
  EXPECT_EQ(store.kv().CheckInvariants(), "");
}

struct OneChain : AddFunctions {
  uint64_t Hash(uint64_t) const { return 5; }
};

TEST(Store, FindsEveryKeyOfOneChainOnDisk) {
  TestStoreOn<MemoryStorage, OneChain> store;
  auto session = store.kv().StartSession();
  for (uint64_t key = 0; key < 300; ++key) store.Rmw(*session, key, key + 1);
  EXPECT_GT(store.kv().log().head(), store.kv().log().begin() + 4096);
  for (uint64_t key = 0; key < 300; key += 7) EXPECT_EQ(store.Read(*session, key), key + 1) << key;
  store.Rmw(*session, 3, 100);
  EXPECT_EQ(store.Read(*session, 3), 104u);
  EXPECT_EQ(store.Read(*session, 300), std::nullopt);
}

// Of a chain on disk each block is read once, however many of its records lie in it.
TEST(Store, ReadsEachBlockOfAChainOnce) {
  TestStoreOn<RecordingStorage, OneChain> store;
  const auto session = store.kv().StartSession();
  constexpr uint64_t kKeys = 200;
  for (uint64_t key = 0; key < kKeys; ++key) ASSERT_EQ(session->Upsert(key, key + 1), Status::kOk);
  const uint64_t on_disk = store.kv().log().head() / store.config().block_bytes;
  ASSERT_GT(on_disk, 8u);
  store.storage().async_reads = 0;
  EXPECT_EQ(store.Read(*session, 0), 1u);
  EXPECT_EQ(store.storage().async_reads.load(), on_disk);
}

class Checkpoints : public ::testing::TestWithParam<Kind> {};

TEST_P(Checkpoints, RecoverWhatWasThere) {
  TestStore store;
  std::map<uint64_t, uint64_t> model;
  Guid id;
  {
    auto session = store.kv().StartSession();
    id = session->id();
    for (uint64_t round = 0; round < 5; ++round) {
      for (uint64_t i = 0; i < 300; ++i) {
        const uint64_t key = (i * 31 + round) % 97;
        store.Rmw(*session, key, i + 1);
        model[key] += i + 1;
        if (i % 50 == 7) {
          store.Delete(*session, key);
          model.erase(key);
        }
      }
      ASSERT_EQ(store.Checkpoint(GetParam()), Status::kOk);
    }
    store.Rmw(*session, 1, 1000000);  // lost
  }
  store.Recover();
  auto session = store.kv().ContinueSession(id);
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->serial(), 1530u);
  for (uint64_t key = 0; key < 97; ++key) {
    const auto found = store.Read(*session, key);
    EXPECT_EQ(found, model.contains(key) ? std::optional(model[key]) : std::nullopt) << key;
  }
  EXPECT_EQ(store.kv().CheckInvariants(), "");
  // and life goes on: another checkpoint without a write, another recovery
  session->Close();
  ASSERT_EQ(store.Checkpoint(GetParam()), Status::kOk);
  store.Recover();
  session = store.kv().ContinueSession(id);
  for (uint64_t key = 0; key < 97; ++key) {
    const auto found = store.Read(*session, key);
    EXPECT_EQ(found, model.contains(key) ? std::optional(model[key]) : std::nullopt) << key;
  }
}

INSTANTIATE_TEST_SUITE_P(AllKinds, Checkpoints,
                         ::testing::Values(Kind{CheckpointKind::kFull, LogBackend::kFoldOver},
                                           Kind{CheckpointKind::kFull, LogBackend::kSnapshot},
                                           Kind{CheckpointKind::kLogOnly, LogBackend::kFoldOver},
                                           Kind{CheckpointKind::kLogOnly, LogBackend::kSnapshot}));

TEST(Store, PairsAnOlderIndexWithANewerLog) {
  for (const LogBackend backend : {LogBackend::kFoldOver, LogBackend::kSnapshot}) {
    TestStore store;
    auto session = store.kv().StartSession();
    for (uint64_t i = 0; i < 200; ++i) store.Rmw(*session, i, i);
    ASSERT_EQ(store.Checkpoint({CheckpointKind::kIndexOnly, backend}), Status::kOk);
    for (uint64_t i = 100; i < 700; ++i) store.Rmw(*session, i, i);
    ASSERT_EQ(store.Checkpoint({CheckpointKind::kLogOnly, backend}), Status::kOk);
    session.reset();
    const RecoveryResult result = store.Recover();
    EXPECT_FALSE(result.index_token.IsNull());
    session = store.kv().StartSession();
    for (uint64_t i = 0; i < 700; ++i) {
      EXPECT_EQ(store.Read(*session, i), i >= 100 && i < 200 ? 2 * i : i) << i;
    }
  }
}

TEST(Store, GoesBackToANamedCheckpointAndForgetsNewerOnes) {
  TestStore store;
  auto session = store.kv().StartSession();
  const testing::Kind kind{CheckpointKind::kFull, LogBackend::kFoldOver};
  store.Rmw(*session, 1, 1);
  ASSERT_EQ(store.Checkpoint(kind), Status::kOk);
  const Token older = store.last_token();
  for (int i = 0; i < 200; ++i) store.Rmw(*session, i % 40, 1);
  ASSERT_EQ(store.Checkpoint(kind), Status::kOk);
  session.reset();
  store.Recover(older);
  session = store.kv().StartSession();
  EXPECT_EQ(store.Read(*session, 1), 1u);
  EXPECT_EQ(store.Read(*session, 2), std::nullopt);
  session.reset();
  EXPECT_EQ(store.Recover().log_token, older);  // the newer one is gone, though nothing was written since
  session = store.kv().StartSession();
  for (int i = 0; i < 300; ++i) store.Rmw(*session, i % 50, 3);
  ASSERT_EQ(store.Checkpoint(kind), Status::kOk);
  session.reset();
  store.Recover();
  session = store.kv().StartSession();
  EXPECT_EQ(store.Read(*session, 1), 19u);
  EXPECT_EQ(store.Read(*session, 49), 18u);
}

// What recovery undid stays undone: recoveries after it replay the log with these records in it.
TEST(Store, UndoneRecordsStayDead) {
  constexpr uint64_t kOld = 1000;
  const testing::Kind kind{CheckpointKind::kLogOnly, LogBackend::kFoldOver};
  TestStoreOn<RecordingStorage> store;
  auto session = store.kv().StartSession(), reader = store.kv().StartSession();
  store.Rmw(*session, kOld, 1);
  for (uint64_t i = 0; i < 400; ++i) store.Rmw(*session, 2000 + i, 1);
  for (uint64_t key = 0; key < 8; ++key) store.Rmw(*session, key, 1);
  store.storage().hold_reads = true;
  ASSERT_EQ(reader->Rmw(kOld, 1), Status::kPending);  // keeps the checkpoint in WaitPending
  Token token;
  ASSERT_EQ(store.kv().Checkpoint(kind.kind, kind.backend, &token), Status::kOk);
  uint64_t committed = session->serial(), undone = 0;
  const Guid id = session->id();
  for (int i = 0; i < 20; ++i) session->Refresh();
  ASSERT_EQ(store.kv().State().phase, Phase::kWaitPending);
  for (uint64_t key = 0; key < 8; ++key) undone += session->Rmw(key, 10) == Status::kOk;
  EXPECT_GE(undone, 4u);  // a key that shares the lock of the pending one has to wait
  store.storage().ReleaseReads();
  while (!store.kv().Poll()) std::this_thread::yield();
  session.reset();
  reader.reset();
  EXPECT_EQ(store.Recover().records_undone, undone);
  for (int recoveries = 0; recoveries < 2; ++recoveries) {
    session = store.kv().ContinueSession(id);
    ASSERT_NE(session, nullptr);
    EXPECT_EQ(session->serial(), committed);
    for (uint64_t key = 0; key < 8; ++key) EXPECT_EQ(store.Read(*session, key), 1u) << key;
    EXPECT_EQ(store.Read(*session, kOld), 2u);
    committed = session->serial();
    session.reset();
    ASSERT_EQ(store.Checkpoint(kind), Status::kOk);
    store.Recover();
  }
}

TEST(Store, IsNotCreatedOverACheckpoint) {
  TestStore store;
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kFoldOver}), Status::kOk);
  store.Close();
  std::unique_ptr<TestStore::Kv> second;
  Diagnosis why;
  EXPECT_EQ(TestStore::Kv::Create(store.config(), &store.storage(), {}, nullptr, &second, &why),
            Status::kExists);
  EXPECT_EQ(why.found, store.last_token().Text());
}

TEST(Store, RefusesASecondCheckpointAndASecondOpening) {
  TestStore store;
  Token token;
  EXPECT_EQ(store.kv().Checkpoint(CheckpointKind::kFull, LogBackend::kFoldOver, &token), Status::kOk);
  EXPECT_EQ(store.kv().Checkpoint(CheckpointKind::kFull, LogBackend::kFoldOver, &token), Status::kBusy);
  std::unique_ptr<TestStore::Kv> second;
  Diagnosis why;
  EXPECT_EQ(TestStore::Kv::Create(store.config(), &store.storage(), {}, nullptr, &second, &why),
            Status::kBusy);
}

}  // namespace
}  // namespace faster
