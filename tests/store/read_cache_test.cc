// The read cache and copies to the tail through the store, one thread: what is cached, what an update, a
// checkpoint and an eviction make of it.
#include <gtest/gtest.h>

#include <map>

#include "faster/device/memory_storage.h"
#include "faster/store/faster_kv.h"
#include "tests/store/test_store.h"

namespace faster {
namespace {

StoreConfig CachedConfig(uint64_t bytes) {
  StoreConfig config = TestStore::TinyConfig();
  config.read_cache_bytes = bytes;
  return config;
}

// 700 keys, of which the first hundreds are on disk.
std::unique_ptr<TestStore::SessionType> Filled(TestStore* store) {
  auto session = store->kv().StartSession();
  for (uint64_t key = 0; key < 700; ++key) EXPECT_EQ(session->Upsert(key, key + 1), Status::kOk);
  EXPECT_GT(store->kv().log().head(), store->kv().log().begin() + 8192);
  return session;
}

TEST(ReadCache, ASecondReadNeedsNoDisk) {
  TestStore store(CachedConfig(4096));
  auto session = Filled(&store);
  uint64_t value = 0;
  EXPECT_EQ(session->Read(5, &value), Status::kPending);
  session->CompletePending(true, [](const auto& op) { EXPECT_EQ(op.result, Status::kOk); });
  EXPECT_EQ(session->Read(5, &value), Status::kOk);
  EXPECT_EQ(value, 6u);
  EXPECT_EQ(store.kv().CheckInvariants(), "");
}

TEST(ReadCache, IsAskedForOrNotByEachRead) {
  TestStore store(CachedConfig(4096));
  auto session = Filled(&store);
  uint64_t value = 0;
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(session->Read(5, &value, nullptr, ReadCopy::kNone), Status::kPending) << round;
    session->CompletePending(true, [](const auto&) {});
  }
  const LogAddress tail = store.kv().log().tail();
  EXPECT_EQ(session->Read(5, &value, nullptr, ReadCopy::kToTail), Status::kPending);
  session->CompletePending(true, [](const auto&) {});
  EXPECT_EQ(store.kv().log().tail(), tail + TestStore::Kv::Rec::kBytes);
  EXPECT_EQ(session->Read(5, &value), Status::kOk);
  EXPECT_EQ(value, 6u);
}

TEST(ReadCache, AnUpdateTakesThePlaceOfACopy) {
  TestStore store(CachedConfig(4096));
  auto session = Filled(&store);
  for (uint64_t key = 0; key < 3; ++key) EXPECT_EQ(store.Read(*session, key), key + 1);
  EXPECT_EQ(session->Upsert(0, 100), Status::kOk);
  uint64_t value = 0;
  EXPECT_EQ(session->Rmw(1, 10, &value), Status::kOk);  // from the copy: not pending
  EXPECT_EQ(value, 12u);
  EXPECT_EQ(session->Delete(2), Status::kOk);
  EXPECT_EQ(store.Read(*session, 0), 100u);
  EXPECT_EQ(store.Read(*session, 1), 12u);
  EXPECT_EQ(store.Read(*session, 2), std::nullopt);
  EXPECT_EQ(store.kv().CheckInvariants(), "");
  // and none of them comes back from the disk or the cache once the new records have left memory
  for (uint64_t key = 1000; key < 1700; ++key) EXPECT_EQ(session->Upsert(key, key), Status::kOk);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(store.Read(*session, 0), 100u);
    EXPECT_EQ(store.Read(*session, 1), 12u);
    EXPECT_EQ(store.Read(*session, 2), std::nullopt);
  }
}

class ReadCacheSizes : public ::testing::TestWithParam<uint64_t> {};

TEST_P(ReadCacheSizes, EvictsAndAgreesWithAModel) {
  for (const bool second_chance : {false, true}) {
    StoreConfig config = CachedConfig(GetParam());
    config.read_cache_second_chance = second_chance;
    config.copy_reads_to_tail = GetParam() == 0;
    TestStore store(config);
    std::map<uint64_t, uint64_t> model;
    auto session = store.kv().StartSession();
    IdSource dice(GetParam() + second_chance);
    for (int i = 0; i < 20000; ++i) {
      // Skewed, so that some copies are read often and others once.
      const uint64_t key = dice.Next() % (dice.Next() % 600 + 1);
      switch (dice.Next() % 16) {
        case 0:
          store.Rmw(*session, key, i);
          model[key] += static_cast<uint64_t>(i);
          break;
        case 1:
          if (model.erase(key) != 0) store.Delete(*session, key);
          break;
        default:
          ASSERT_EQ(store.Read(*session, key), model.contains(key) ? std::optional(model[key]) : std::nullopt)
              << "key " << key << ", step " << i;
      }
      if (i % 4000 == 999) {
        ASSERT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kFoldOver}), Status::kOk);
      }
      if (i % 100 == 0) {
        ASSERT_EQ(store.kv().CheckInvariants(), "") << i;
      }
    }
    ASSERT_EQ(store.Checkpoint({CheckpointKind::kIndexOnly, LogBackend::kFoldOver}), Status::kOk);
    ASSERT_EQ(store.Checkpoint({CheckpointKind::kLogOnly, LogBackend::kSnapshot}), Status::kOk);
    session.reset();
    store.Recover();
    EXPECT_EQ(store.kv().CheckInvariants(), "");
    session = store.kv().StartSession();
    for (uint64_t key = 0; key < 600; ++key) {
      ASSERT_EQ(store.Read(*session, key), model.contains(key) ? std::optional(model[key]) : std::nullopt)
          << key;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Bytes, ReadCacheSizes, ::testing::Values(0, 128, 256, 1024, 4096, 32768));

TEST(ReadCache, NoCheckpointHoldsACacheAddress) {
  TestStore store(CachedConfig(4096));
  auto session = Filled(&store);
  for (uint64_t key = 0; key < 50; ++key) EXPECT_EQ(store.Read(*session, key), key + 1);
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kSnapshot}), Status::kOk);
  session.reset();
  EXPECT_FALSE(store.Recover().index_token.IsNull());
  EXPECT_EQ(store.kv().CheckInvariants(), "");
  session = store.kv().StartSession();
  uint64_t value = 0;
  EXPECT_EQ(session->Read(5, &value), Status::kPending);  // the cache starts empty
  session->CompletePending(true, [](const auto&) {});
  for (uint64_t key = 0; key < 700; ++key) EXPECT_EQ(store.Read(*session, key), key + 1);
}

// Between the search on disk and the copy the key is changed by another session: nothing is copied.
TEST(ReadCopies, AnUpdateThatCameBetweenWins) {
  for (const bool to_tail : {false, true}) {
    StoreConfig config = CachedConfig(4096);
    config.copy_reads_to_tail = to_tail;
    TestStore store(config);
    auto reader = Filled(&store);
    auto writer = store.kv().StartSession();
    uint64_t value = 0;
    EXPECT_EQ(reader->Read(5, &value), Status::kPending);
    EXPECT_EQ(reader->Read(6, &value), Status::kPending);
    EXPECT_EQ(reader->Read(7, &value), Status::kPending);
    EXPECT_EQ(writer->Delete(5), Status::kOk);
    EXPECT_EQ(writer->Upsert(6, 60), Status::kOk);
    EXPECT_EQ(writer->Upsert(2000, 1), Status::kOk);  // the tail is not at the end of a page
    const LogAddress tail = store.kv().log().tail();
    reader->CompletePending(true, [](const auto& op) {
      EXPECT_EQ(op.result, Status::kOk);  // as of the time when they began
      EXPECT_EQ(op.value.Value(), op.key.Value() + 1);
    });
    EXPECT_EQ(store.kv().log().tail(), tail + (to_tail ? TestStore::Kv::Rec::kBytes : 0));  // that of key 7
    EXPECT_EQ(store.Read(*reader, 5), std::nullopt);
    EXPECT_EQ(store.Read(*reader, 6), 60u);
    EXPECT_EQ(reader->Read(7, &value), Status::kOk);
    EXPECT_EQ(value, 8u);
    EXPECT_EQ(store.kv().CheckInvariants(), "");
  }
}

TEST(ReadCache, RefusesSizesThatCannotWork) {
  for (const uint64_t bytes : {uint64_t{100}, uint64_t{64}, uint64_t{3000}}) {
    MemoryStorage storage;
    std::unique_ptr<TestStore::Kv> kv;
    Diagnosis why;
    EXPECT_EQ(TestStore::Kv::Create(CachedConfig(bytes), &storage, {}, nullptr, &kv, &why),
              Status::kInvalidArgument)
        << bytes;
    EXPECT_NE(why.Text().find("read_cache_bytes"), std::string::npos) << why.Text();
  }
}

}  // namespace
}  // namespace faster
