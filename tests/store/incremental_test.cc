// Incremental checkpoints and recoveries into another memory, one thread: what each of a chain brings back,
// what a delta holds, and what must not be built on.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "faster/cpr/delta_log.h"
#include "tests/store/test_store.h"

namespace faster {
namespace {

using Model = std::map<uint64_t, uint64_t>;

constexpr testing::Kind kIncremental = {CheckpointKind::kIncremental, LogBackend::kSnapshot};
constexpr testing::Kind kFoldOver = {CheckpointKind::kLogOnly, LogBackend::kFoldOver};
constexpr testing::Kind kSnapshot = {CheckpointKind::kLogOnly, LogBackend::kSnapshot};

// Everything stays in memory unless a test wants otherwise.
StoreConfig Roomy() {
  StoreConfig config = TestStore::TinyConfig();
  config.buffer_pages = 64;
  config.mutable_pages = 60;
  return config;
}

void ExpectModel(TestStore& store, const Model& model, uint64_t keys) {
  auto session = store.kv().StartSession();
  for (uint64_t key = 0; key < keys; ++key) {
    const auto found = model.find(key);
    const std::optional<uint64_t> expected =
        found == model.end() ? std::nullopt : std::optional(found->second);
    EXPECT_EQ(store.Read(*session, key), expected) << "key " << key;
  }
  EXPECT_EQ(store.kv().CheckInvariants(), "");
}

LogMetadata MetadataOf(TestStore& store, const Token& token) {
  std::vector<CatalogEntry> entries;
  Diagnosis why;
  EXPECT_EQ(ListCheckpoints(store.storage(), "", &entries, &why), Status::kOk) << why.Text();
  for (const CatalogEntry& entry : entries) {
    if (entry.token != token) continue;
    EXPECT_EQ(entry.log.status, Status::kOk) << entry.log.why.Text();
    return entry.log.metadata;
  }
  ADD_FAILURE() << "no checkpoint " << token.Text();
  return {};
}

struct Chain {
  std::vector<Token> tokens;
  std::vector<Model> models;
};

// `links` incremental checkpoints with RMWs, upserts and deletes between them.
void Grow(TestStore& store, Model* model, int links, uint64_t keys, Chain* chain) {
  auto session = store.kv().StartSession();
  for (int link = 0; link < links; ++link) {
    for (uint64_t i = 0; i < 40; ++i) {
      const uint64_t key = (i * 13 + chain->tokens.size() * 5) % keys;
      store.Rmw(*session, key, i + 1);
      (*model)[key] += i + 1;
    }
    const uint64_t gone = chain->tokens.size() * 7 % keys;
    if (model->erase(gone) != 0) store.Delete(*session, gone);
    ASSERT_EQ(store.Checkpoint(kIncremental), Status::kOk);
    chain->tokens.push_back(store.last_token());
    chain->models.push_back(*model);
  }
}

TEST(Incremental, EveryCheckpointOfAChainComesBackByName) {
  constexpr uint64_t kKeys = 60;
  for (size_t back = 0; back < 5; ++back) {
    TestStore store(Roomy());
    Model model;
    Chain chain;
    Grow(store, &model, 5, kKeys, &chain);
    const size_t which = chain.tokens.size() - 1 - back;
    const RecoveryResult result = store.Recover(chain.tokens[which]);
    EXPECT_EQ(result.log_token, chain.tokens[which]);
    ExpectModel(store, chain.models[which], kKeys);
  }
}

TEST(Incremental, AChainGoesOnAfterARecoveryToItsMiddle) {
  constexpr uint64_t kKeys = 50;
  TestStore store(Roomy());
  Model model;
  Chain chain;
  Grow(store, &model, 4, kKeys, &chain);
  store.Recover(chain.tokens[2]);
  model = chain.models[2];
  Chain further;
  Grow(store, &model, 2, kKeys, &further);
  const LogMetadata log = MetadataOf(store, further.tokens[0]);
  EXPECT_TRUE(log.is_incremental);
  EXPECT_EQ(log.previous, chain.tokens[2]);
  EXPECT_EQ(log.chain.deltas, (std::vector{chain.tokens[1], chain.tokens[2], further.tokens[0]}));
  store.Recover();
  ExpectModel(store, model, kKeys);
  store.Recover(further.tokens[0]);
  ExpectModel(store, further.models[0], kKeys);
}

TEST(Incremental, ADeltaHoldsOnlyTheBlocksThatChanged) {
  TestStore store(Roomy());
  auto session = store.kv().StartSession();
  for (uint64_t key = 0; key < 200; ++key) ASSERT_EQ(session->Upsert(key, key), Status::kOk);
  ASSERT_EQ(store.Checkpoint(kIncremental), Status::kOk);
  EXPECT_FALSE(MetadataOf(store, store.last_token()).is_incremental) << "there was nothing to build on";
  ASSERT_EQ(session->Upsert(17, 1000), Status::kOk);  // in place, twice in one block, nothing appended
  ASSERT_EQ(session->Upsert(17, 1001), Status::kOk);
  ASSERT_EQ(store.Checkpoint(kIncremental), Status::kOk);
  LogMetadata log = MetadataOf(store, store.last_token());
  EXPECT_TRUE(log.is_incremental);
  EXPECT_EQ(log.delta.entries, 1u);
  ASSERT_EQ(store.Checkpoint(kIncremental), Status::kOk);
  log = MetadataOf(store, store.last_token());
  EXPECT_EQ(log.delta.entries, 0u);
  EXPECT_EQ(log.chain.total_entries, 1u);
  session->Close();
  store.Recover();
  session = store.kv().StartSession();
  EXPECT_EQ(store.Read(*session, 17), 1001u);
  EXPECT_EQ(store.Read(*session, 18), 18u);
}

TEST(Incremental, AfterAFoldOverThereIsNothingToBuildOn) {
  TestStore store(Roomy());
  Model model;
  Chain chain;
  Grow(store, &model, 2, 30, &chain);
  ASSERT_EQ(store.Checkpoint(kFoldOver), Status::kOk);
  Grow(store, &model, 2, 30, &chain);
  EXPECT_TRUE(MetadataOf(store, chain.tokens[1]).is_incremental);
  EXPECT_FALSE(MetadataOf(store, chain.tokens[2]).is_incremental);
  EXPECT_EQ(MetadataOf(store, chain.tokens[3]).chain.base, chain.tokens[2]);
  store.Recover();
  ExpectModel(store, model, 30);
}

TEST(Incremental, EverySnapshotIsABase) {
  TestStore store(Roomy());
  Model model;
  Chain chain;
  Grow(store, &model, 2, 30, &chain);
  ASSERT_EQ(store.Checkpoint(kSnapshot), Status::kOk);
  const Token base = store.last_token();
  Grow(store, &model, 1, 30, &chain);
  EXPECT_EQ(MetadataOf(store, chain.tokens[2]).chain.base, base);
  store.Recover();
  ExpectModel(store, model, 30);
}

TEST(Incremental, ALongChainEndsWithANewBase) {
  StoreConfig config = Roomy();
  config.delta_chain = 3;
  TestStore store(config);
  Model model;
  Chain chain;
  Grow(store, &model, 6, 40, &chain);
  for (size_t i = 0; i < 6; ++i)
    EXPECT_EQ(MetadataOf(store, chain.tokens[i]).is_incremental, i % 4 != 0) << i;
  store.Recover(chain.tokens[3]);
  ExpectModel(store, chain.models[3], 40);
}

TEST(Incremental, ADeltaSurvivesThatItsBaseIsEvicted) {
  TestStore store;  // 8 pages in memory: the log outgrows them between the checkpoints
  Model model;
  Chain chain;
  for (int i = 0; i < 6; ++i) Grow(store, &model, 1, 200, &chain);
  store.Recover();
  ExpectModel(store, model, 200);
}

TEST(Incremental, WhatAChainNeedsIsNamed) {
  TestStore store(Roomy());
  Model model;
  Chain chain;
  Grow(store, &model, 3, 30, &chain);
  EXPECT_TRUE(RequiredBy(MetadataOf(store, chain.tokens[0])).empty());
  EXPECT_EQ(RequiredBy(MetadataOf(store, chain.tokens[2])), (std::vector{chain.tokens[0], chain.tokens[1]}));
}

// The store's directory after a chain of three; recovering from it must name `file`.
void ExpectRefusal(const std::function<std::string(Storage&, const Chain&)>& damage) {
  TestStore store(Roomy());
  Model model;
  Chain chain;
  Grow(store, &model, 3, 30, &chain);
  const std::string file = damage(store.storage(), chain);
  store.Close();
  std::unique_ptr<TestStore::Kv> kv;
  RecoveryResult result;
  Diagnosis why;
  EXPECT_EQ(TestStore::Kv::Recover(store.config(), &store.storage(), {}, nullptr, {}, {}, &kv, &result, &why),
            Status::kCorruption);
  EXPECT_EQ(why.file, file) << why.Text();
}

TEST(Incremental, AMissingPartOfTheChainIsCorruptionThatNamesTheFile) {
  const auto remove = [](Storage& storage, const std::string& path) {
    EXPECT_EQ(storage.Remove(path), Status::kOk);
    return path;
  };
  ExpectRefusal([&](Storage& storage, const Chain& chain) {
    return remove(storage, CheckpointPath("", chain.tokens[0], kLogSnapshotName));
  });
  ExpectRefusal([&](Storage& storage, const Chain& chain) {
    return remove(storage, CheckpointPath("", chain.tokens[1], kDeltaLogName));
  });
  ExpectRefusal([&](Storage& storage, const Chain& chain) {
    return remove(storage, CheckpointPath("", chain.tokens[2], kDeltaMetaName));
  });
  ExpectRefusal([&](Storage& storage, const Chain& chain) {
    return remove(storage, CheckpointPath("", chain.tokens[2], kIncrementalInfoName));
  });
}

TEST(Incremental, AFlippedBitInABlockOfTheChainIsFound) {
  ExpectRefusal([](Storage& storage, const Chain& chain) {
    const std::string path = CheckpointPath("", chain.tokens[2], kDeltaLogName);
    std::unique_ptr<File> file;
    EXPECT_EQ(storage.Open(path, OpenMode::kReadWrite, &file), Status::kOk);
    uint8_t byte = 0;
    EXPECT_EQ(ReadFully(*file, kDeltaHeaderBytes + 20, &byte, 1), Status::kOk);
    byte ^= 4;
    EXPECT_EQ(WriteFully(*file, kDeltaHeaderBytes + 20, &byte, 1), Status::kOk);
    return path;
  });
}

class OtherMemory : public ::testing::TestWithParam<std::tuple<testing::Kind, uint32_t>> {};

TEST_P(OtherMemory, RecoversAndGoesOn) {
  const auto [kind, pages] = GetParam();
  constexpr uint64_t kKeys = 150;
  StoreConfig config = Roomy();
  config.buffer_pages = 16;
  config.mutable_pages = 14;
  TestStore store(config);
  Model model;
  Chain chain;
  Grow(store, &model, 3, kKeys, &chain);
  ASSERT_EQ(store.Checkpoint(kind), Status::kOk);
  for (int round = 0; round < 3; ++round) {
    store.next_config().buffer_pages = round == 1 ? 16 : pages;
    store.next_config().mutable_pages = std::min(14u, store.config().buffer_pages - 2);
    store.Recover();
    EXPECT_LE(store.kv().log().tail() - store.kv().log().head(), store.kv().log().buffer_bytes());
    ExpectModel(store, model, kKeys);
    Grow(store, &model, 2, kKeys, &chain);
    ASSERT_EQ(store.Checkpoint(kind), Status::kOk);
  }
  store.Recover();
  ExpectModel(store, model, kKeys);
}

INSTANTIATE_TEST_SUITE_P(Sizes, OtherMemory,
                         ::testing::Combine(::testing::Values(kIncremental, kSnapshot, kFoldOver),
                                            ::testing::Values(4u, 8u, 64u)));

// Every entry of the index by bucket, wherever in its overflow list it ended up.
std::multiset<std::pair<uint64_t, uint64_t>> Entries(TestStore& store) {
  std::multiset<std::pair<uint64_t, uint64_t>> entries;
  HashTable& table = store.kv().index().table();
  for (uint64_t i = 0; i < table.size(); ++i) {
    const HashBucket* bucket = table.main_bucket(i);
    for (;;) {
      for (const HashTable::Slot& slot : bucket->entry)
        if (slot.load() != 0) entries.insert({i, slot.load()});
      const uint64_t next = bucket->overflow.load();
      if (next == 0) break;
      bucket = table.overflow_bucket(next);
    }
  }
  return entries;
}

struct Watcher : CheckpointObserver {
  void OnRecovery(const RecoveryProgress& now) override {
    EXPECT_GE(now.bytes, last.bytes);
    EXPECT_GE(now.records, last.records);
    EXPECT_GE(now.step, last.step);
    EXPECT_LE(now.bytes, now.bytes_total);
    last = now;
    ++calls;
  }
  RecoveryProgress last;
  int calls = 0;
};

class Threads : public ::testing::TestWithParam<testing::Kind> {};

TEST_P(Threads, RebuildTheSameIndexAsOne) {
  constexpr uint64_t kKeys = 400;
  StoreConfig config = TestStore::TinyConfig();
  config.index_buckets = 16;
  TestStore store(config);
  Model model;
  Chain chain;
  for (int i = 0; i < 8; ++i) Grow(store, &model, 1, kKeys, &chain);  // the log outgrows memory
  ASSERT_EQ(store.Checkpoint(GetParam()), Status::kOk);
  const RecoveryResult alone = store.Recover();
  const auto expected = Entries(store);
  ExpectModel(store, model, kKeys);
  for (const uint32_t threads : {2u, 3u, 8u}) {
    store.next_config().recovery_threads = threads;
    for (int round = 0; round < 5; ++round) {
      const RecoveryResult result = store.Recover();
      EXPECT_EQ(result.records_replayed, alone.records_replayed);
      EXPECT_EQ(Entries(store), expected) << threads << " threads";
    }
    ExpectModel(store, model, kKeys);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Threads,
                         ::testing::Values(kIncremental, kSnapshot, kFoldOver,
                                           testing::Kind{CheckpointKind::kFull, LogBackend::kSnapshot}));

TEST(Recovery, ReportsItsProgress) {
  TestStore store;
  Model model;
  Chain chain;
  for (int i = 0; i < 6; ++i) Grow(store, &model, 1, 200, &chain);
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kSnapshot}), Status::kOk);
  for (const uint32_t threads : {1u, 2u}) {
    store.Close();
    ++store.next_config().seed;
    store.next_config().recovery_threads = threads;
    std::unique_ptr<TestStore::Kv> kv;
    RecoveryResult result;
    Diagnosis why;
    Watcher watcher;
    ASSERT_EQ(
        TestStore::Kv::Recover(store.config(), &store.storage(), {}, &watcher, {}, {}, &kv, &result, &why),
        Status::kOk)
        << why.Text();
    EXPECT_GT(watcher.calls, 2);
    EXPECT_EQ(watcher.last.step, RecoveryProgress::Step::kDone);
    EXPECT_EQ(watcher.last.bytes, watcher.last.bytes_total);
    EXPECT_EQ(watcher.last.records, result.records_replayed + result.records_undone);
  }
}

// The lowest damaged page is named, whoever came to it first.
TEST(Recovery, NamesTheSameDamageWithAnyNumberOfThreads) {
  TestStore store;
  Model model;
  Chain chain;
  for (int i = 0; i < 6; ++i) Grow(store, &model, 1, 200, &chain);
  ASSERT_EQ(store.Checkpoint(kFoldOver), Status::kOk);
  store.Close();
  for (const LogAddress at : {LogAddress{3 * 512 + 70}, LogAddress{2 * 512 + 200}, LogAddress{5 * 512 + 9}}) {
    std::unique_ptr<File> file;
    const std::string path = SegmentPath("", at / 2048);
    ASSERT_EQ(store.storage().Open(path, OpenMode::kReadWrite, &file), Status::kOk);
    const uint8_t byte = 0xa5;
    ASSERT_EQ(WriteFully(*file, at % 2048, &byte, 1), Status::kOk);
  }
  for (const uint32_t threads : {1u, 2u, 4u}) {
    store.next_config().recovery_threads = threads;
    std::unique_ptr<TestStore::Kv> kv;
    RecoveryResult result;
    Diagnosis why;
    EXPECT_EQ(
        TestStore::Kv::Recover(store.config(), &store.storage(), {}, nullptr, {}, {}, &kv, &result, &why),
        Status::kCorruption);
    EXPECT_EQ(why.file, "log.0");
    EXPECT_EQ(why.offset, 2u * 512 + 128) << why.Text();
  }
}

}  // namespace
}  // namespace faster
