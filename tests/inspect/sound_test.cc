// What the engine writes is found sound: every kind of checkpoint, of every kind of store, after recoveries,
// growths, compactions and migrations. No finding may be a false alarm.
#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "tests/cpr/recording_storage.h"
#include "tests/inspect/inspected.h"
#include "tests/inspect/pair_checkpoints.h"
#include "tests/store/variable_store.h"

namespace faster {
namespace {

void AddAndDelete(TestStore& store, uint64_t keys, uint64_t from = 0) {
  auto session = store.kv().StartSession();
  for (uint64_t i = 0; i < keys; ++i) store.Rmw(*session, from + i, i + 1);
  for (uint64_t i = 0; i < keys; i += 7) store.Delete(*session, from + i);
}

class EveryKind : public ::testing::TestWithParam<testing::Kind> {};

TEST_P(EveryKind, IsSound) {
  TestStore store;
  for (int round = 0; round < 3; ++round) {
    AddAndDelete(store, 200, round * 50);
    ASSERT_EQ(store.Checkpoint(kFullFold), Status::kOk);
    AddAndDelete(store, 100, round * 80);
    ASSERT_EQ(store.Checkpoint(GetParam()), Status::kOk);
  }
  store.Close();
  ExpectAllSound(store.storage());
}

TEST_P(EveryKind, IsSoundAfterARecoveryToAnOlderOne) {
  TestStore store;
  AddAndDelete(store, 100);
  ASSERT_EQ(store.Checkpoint(kFullSnapshot), Status::kOk);
  const Token older = store.last_token();
  AddAndDelete(store, 200, 50);
  ASSERT_EQ(store.Checkpoint(GetParam()), Status::kOk);
  store.Recover(older);
  AddAndDelete(store, 300, 10);
  ASSERT_EQ(store.Checkpoint(GetParam()), Status::kOk);
  ASSERT_EQ(store.Checkpoint(kLogFold), Status::kOk);
  store.Close();
  ExpectAllSound(store.storage());
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryKind,
                         ::testing::Values(kFullFold, kFullSnapshot, kLogFold, kLogSnapshot, kIndexOnly,
                                           kIncremental));

// A read that does not come back keeps a checkpoint in WaitPending, so that records of v + 1 lie below its
// end; recovered, they are dead ranges, which later checkpoints carry on.
TEST(Sound, WithRecordsThatARecoveryUndid) {
  for (const testing::Kind kind : {kFullFold, kFullSnapshot, kLogFold, kLogSnapshot}) {
    TestStoreOn<RecordingStorage> store;
    auto session = store.kv().StartSession(), reader = store.kv().StartSession();
    for (uint64_t i = 0; i < 400; ++i) store.Rmw(*session, 2000 + i, 1);
    for (uint64_t key = 0; key < 8; ++key) store.Rmw(*session, key, 1);
    store.storage().hold_reads = true;
    ASSERT_EQ(reader->Rmw(2000, 1), Status::kPending);
    Token token;
    ASSERT_EQ(store.kv().Checkpoint(kind.kind, kind.backend, &token), Status::kOk);
    for (int i = 0; i < 1'000'000 && store.kv().State().phase != Phase::kWaitPending; ++i) {
      session->Refresh();
      std::this_thread::yield();  // a job may be copying the index
    }
    ASSERT_EQ(store.kv().State().phase, Phase::kWaitPending);
    for (uint64_t key = 0; key < 8; ++key) static_cast<void>(session->Rmw(key, 10));
    store.storage().ReleaseReads();
    while (!store.kv().Poll()) std::this_thread::yield();
    session.reset();
    reader.reset();
    CheckpointReport report;
    Diagnosis why;
    ASSERT_EQ(ValidateCheckpoint(&store.storage(), "", {}, TestOptions(), &report, &why), Status::kOk)
        << TextOf(report);
    EXPECT_GT(report.log.undone, 3u) << "the test does not reach what it is about";
    for (int recovery = 0; recovery < 3; ++recovery) {
      store.Recover();
      auto again = store.kv().StartSession();
      for (uint64_t key = 0; key < 20; ++key) store.Rmw(*again, key, 1);
      again.reset();
      ASSERT_EQ(store.Checkpoint(recovery == 1 ? kind : kLogFold), Status::kOk);
    }
    store.Close();
    ASSERT_EQ(ValidateCheckpoint(&store.storage(), "", {}, TestOptions(), &report, &why), Status::kOk)
        << TextOf(report);
    EXPECT_GT(report.log.dead, 3u);
    ExpectAllSound(store.storage());
  }
}

// An index copied while versions shift has entries of records of v + 1: the copy is held up until there are
// some.
TEST(Sound, WithAnIndexThatLeadsToRecordsToBeUndone) {
  StoreConfig config = TestStore::TinyConfig();
  config.buffer_pages = 64;
  config.mutable_pages = 60;
  config.overlap_index = true;
  TestStoreOn<RecordingStorage> store(config);
  auto session = store.kv().StartSession();
  for (uint64_t key = 0; key < 60; ++key) store.Rmw(*session, key, 1);
  std::atomic<bool> held{true};
  store.storage().fails = [&](const std::string& call) {
    while (held.load() && call.starts_with("mkdir")) std::this_thread::yield();
    return false;
  };
  Token token;
  ASSERT_EQ(store.kv().Checkpoint(kFullSnapshot.kind, kFullSnapshot.backend, &token), Status::kOk);
  for (int i = 0; i < 1'000'000 && store.kv().State().phase != Phase::kWaitPending; ++i) session->Refresh();
  EXPECT_EQ(store.kv().State().phase, Phase::kWaitPending);
  for (uint64_t key = 20; key < 30; ++key) store.Rmw(*session, key, 10);
  held.store(false);
  while (!store.kv().Poll()) std::this_thread::yield();
  session.reset();
  store.Close();
  CheckpointReport report;
  Diagnosis why;
  ASSERT_EQ(ValidateCheckpoint(&store.storage(), "", {}, TestOptions(), &report, &why), Status::kOk)
      << TextOf(report);
  EXPECT_EQ(report.log.undone, 10u);
  ExpectAllSound(store.storage());
}

TEST(Sound, AfterGrowthAndCompaction) {
  StoreConfig config = TestStore::TinyConfig();
  config.index_buckets = 1;
  TestStore store(config);
  for (int round = 0; round < 5; ++round) {
    AddAndDelete(store, 150, round * 30);
    ASSERT_EQ(store.kv().GrowIndex(), Status::kOk);
    while (!store.kv().Poll()) std::this_thread::yield();
    AddAndDelete(store, 50, round * 100);
    ASSERT_EQ(store.Checkpoint(round % 2 == 0 ? kFullFold : kLogFold), Status::kOk);
    if (round == 2) {
      ASSERT_EQ(store.kv().Compact(store.kv().log().head() / 2, CompactionKind::kLookup), Status::kOk);
    }
    if (round == 3) store.Recover();
  }
  store.Close();
  ExpectAllSound(store.storage());
}

TEST(Sound, WithReadCacheAndCopiesToTheTail) {
  StoreConfig config = TestStore::TinyConfig();
  config.read_cache_bytes = 2048;
  config.copy_reads_to_tail = true;
  TestStore store(config);
  AddAndDelete(store, 400);
  auto session = store.kv().StartSession();
  for (uint64_t key = 0; key < 400; key += 3) store.Read(*session, key);
  session.reset();
  ASSERT_EQ(store.Checkpoint(kFullFold), Status::kOk);
  store.Close();
  ExpectAllSound(store.storage());
}

TEST(Sound, RecordsOfAnyLength) {
  VariableStore store;
  for (int round = 0; round < 4; ++round) {
    auto session = store.kv().StartSession();
    for (int i = 0; i < 120; ++i) {
      const std::string key = "key " + std::to_string(i * 7 % 90);
      ASSERT_EQ(store.Rmw(*session, key, std::string(i % 9, 'x')), Status::kOk);
      Status status = Status::kOk;
      if (i % 11 == 0) status = store.Upsert(*session, key, std::string(i, 'y'));
      if (i % 13 == 0) status = store.Delete(*session, key);
      ASSERT_TRUE(status == Status::kOk || status == Status::kNotFound) << StatusName(status);
    }
    session.reset();
    ASSERT_EQ(store.Checkpoint(round % 2 == 0 ? kFullSnapshot : kIncremental), Status::kOk);
    if (round == 2) store.Recover();
  }
  store.Close();
  CheckpointReport report;
  Diagnosis why;
  ASSERT_EQ(ValidateCheckpoint(&store.storage(), "", {}, TestOptions(), &report, &why), Status::kOk)
      << TextOf(report);
  EXPECT_EQ(report.hash, "bytes");
  ExpectAllSound(store.storage());
}

TEST(Sound, APairOfStores) {
  F2Config config = TinyPairConfig();
  config.cold.index.index_buckets = 1;
  MemoryStorage storage;
  std::unique_ptr<PairKv> kv;
  Diagnosis why;
  ASSERT_EQ(PairKv::Create(config, &storage, {}, nullptr, &kv, &why), Status::kOk) << why.Text();
  for (int round = 0; round < 5; ++round) {
    auto session = kv->StartSession();
    for (uint64_t key = 0; key < 250; ++key) {
      Status status = session->Upsert(round * 90 + key, key);
      if (key % 9 == 0) status = session->Delete(round * 90 + key / 2);
      if (status == Status::kPending) session->CompletePending(true, [](const auto&) {});
    }
    session.reset();
    ASSERT_EQ(kv->Migrate(MigrationKind::kHotCold, ~uint64_t{0}), Status::kOk);
    if (round == 3) {
      ASSERT_EQ(kv->Migrate(MigrationKind::kColdCold, ~uint64_t{0}), Status::kOk);
    }
    Token token;
    ASSERT_EQ(kv->Checkpoint(round % 2 == 0 ? CheckpointKind::kFull : CheckpointKind::kLogOnly,
                             LogBackend::kFoldOver, &token),
              Status::kOk);
    while (!kv->Poll()) std::this_thread::yield();
    if (round == 2) {
      kv.reset();
      ++config.hot.seed;
      RecoveryResult result;
      ASSERT_EQ(PairKv::Recover(config, &storage, {}, nullptr, {}, &kv, &result, &why), Status::kOk)
          << why.Text();
    }
  }
  kv.reset();
  CheckpointReport report;
  ASSERT_EQ(ValidateCheckpoint(&storage, "", {}, TestOptions(), &report, &why), Status::kOk)
      << TextOf(report);
  EXPECT_GT(report.cold_log.versions[0].live, 100u);
  ExpectAllSound(storage);
  ExpectAllSound(storage, "cold-index");
}

TEST(Sound, TheHashIsFoundOut) {
  TestStore store;
  AddAndDelete(store, 200);
  for (const testing::Kind kind : {kFullFold, kLogSnapshot}) {
    ASSERT_EQ(store.Checkpoint(kind), Status::kOk);
    CheckpointReport report;
    Diagnosis why;
    ASSERT_EQ(ValidateCheckpoint(&store.storage(), "", store.last_token(), TestOptions(), &report, &why),
              Status::kOk)
        << TextOf(report);
    EXPECT_EQ(report.hash, "test") << report.hash_note;
    ValidateOptions others;  // only those that everybody knows
    ASSERT_EQ(ValidateCheckpoint(&store.storage(), "", store.last_token(), others, &report, &why),
              Status::kOk)
        << TextOf(report);
    EXPECT_EQ(report.hash, "");
    EXPECT_NE(report.hash_note, "");
  }
}

TEST(Sound, TheCensusCountsWhatWasWritten) {
  StoreConfig config = TestStore::TinyConfig();
  config.buffer_pages = 64;
  config.mutable_pages = 60;
  TestStore store(config);
  auto session = store.kv().StartSession();
  for (uint64_t key = 0; key < 100; ++key) ASSERT_EQ(session->Upsert(key, key), Status::kOk);
  ASSERT_EQ(session->Delete(3), Status::kOk);  // in place
  session.reset();
  ASSERT_EQ(store.Checkpoint(kLogFold), Status::kOk);
  session = store.kv().StartSession();
  for (uint64_t key = 0; key < 30; ++key) ASSERT_EQ(session->Upsert(key, key), Status::kOk);  // copies
  session.reset();
  ASSERT_EQ(store.Checkpoint(kLogFold), Status::kOk);
  CheckpointReport report;
  Diagnosis why;
  ASSERT_EQ(ValidateCheckpoint(&store.storage(), "", {}, TestOptions(2), &report, &why), Status::kOk);
  ASSERT_EQ(report.log.versions.size(), 2u);
  EXPECT_EQ(report.log.versions.begin()->second.live, 100u);
  EXPECT_EQ(report.log.versions.begin()->second.tombstones, 1u);
  EXPECT_EQ(report.log.versions.rbegin()->second.live, 30u);
  EXPECT_EQ(report.log.bad_blocks, 0u);
}

}  // namespace
}  // namespace faster
