// Which checkpoints and segments go, and that what is kept can be recovered.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cpr/recording_storage.h"
#include "tests/store/test_store.h"

namespace faster {
namespace {

constexpr testing::Kind kFold{CheckpointKind::kFull, LogBackend::kFoldOver};
constexpr testing::Kind kLogFold{CheckpointKind::kLogOnly, LogBackend::kFoldOver};
constexpr testing::Kind kBySnapshot{CheckpointKind::kLogOnly, LogBackend::kSnapshot};
constexpr testing::Kind kDelta{CheckpointKind::kIncremental, LogBackend::kSnapshot};

bool Exists(TestStore* store, const std::string& name) {
  std::vector<std::string> names;
  EXPECT_EQ(store->storage().List("", &names), Status::kOk);
  return std::find(names.begin(), names.end(), name) != names.end();
}

void Work(TestStore* store, uint64_t keys) {
  auto session = store->kv().StartSession();
  for (uint64_t i = 0; i < keys; ++i) store->Rmw(*session, i, 1);
}

Token Take(TestStore* store, testing::Kind kind) {
  EXPECT_EQ(store->Checkpoint(kind), Status::kOk);
  return store->last_token();
}

TEST(Retention, KeepsTheNewestAndTheIndexThatTheyNeed) {
  TestStore store;
  std::vector<Token> tokens;
  for (const testing::Kind kind : {kFold, kFold, kLogFold, kLogFold}) {
    Work(&store, 300);
    tokens.push_back(Take(&store, kind));
  }
  RetentionReport report;
  Diagnosis why;
  ASSERT_EQ(store.kv().Retain(2, &report, &why), Status::kOk) << why.Text();
  EXPECT_EQ(report.checkpoints, 2u);  // the first, and the log part of the second
  EXPECT_FALSE(Exists(&store, tokens[0].Text()));
  std::vector<std::string> names;
  ASSERT_EQ(store.storage().List(tokens[1].Text(), &names), Status::kOk);
  EXPECT_EQ(names, (std::vector<std::string>{"index.dat", "index.meta"}));
  const RecoveryResult result = store.Recover(tokens[2]);
  EXPECT_EQ(result.index_token, tokens[1]);
  auto session = store.kv().StartSession();
  EXPECT_EQ(store.Read(*session, 299), 3u);
}

// A recovery goes on although an index checkpoint cannot be read at that moment. That one is whole, and
// counts again as soon as it can be read: it is no leftover of a checkpoint that failed.
TEST(Retention, KeepsWhatCouldNotBeReadWhenTheStoreWasRecovered) {
  TestStoreOn<RecordingStorage> store;
  std::vector<Token> tokens;
  for (uint64_t round = 0; round < 3; ++round) {
    auto session = store.kv().StartSession();
    for (uint64_t i = 0; i < 100; ++i) store.Rmw(*session, i, 1);
    session.reset();
    ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
    tokens.push_back(store.last_token());
  }
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kIndexOnly, LogBackend::kFoldOver}), Status::kOk);
  const std::string index = store.last_token().Text();
  store.storage().fails_reads = [&](const std::string& path) { return path.starts_with(index); };
  const RecoveryResult result = store.Recover(tokens[2]);
  store.storage().fails_reads = {};
  EXPECT_TRUE(result.leftovers.empty());
  RetentionReport report;
  Diagnosis why;
  ASSERT_EQ(store.kv().Retain(3, &report, &why), Status::kOk) << why.Text();
  EXPECT_EQ(report.checkpoints, 0u);
  std::vector<std::string> names;
  ASSERT_EQ(store.storage().List("", &names), Status::kOk);
  EXPECT_NE(std::find(names.begin(), names.end(), index), names.end());
  for (uint64_t round = 3; round-- > 0;) {
    ASSERT_EQ(store.Recover(tokens[round]).log_token, tokens[round]);
    auto session = store.kv().StartSession();
    EXPECT_EQ(store.Read(*session, 99), round + 1);
  }
}

TEST(Retention, RemovesSegmentsBelowTheOldestThatIsKept) {
  TestStore store;
  Work(&store, 500);
  const Token first = Take(&store, kLogFold);
  ASSERT_EQ(store.kv().Compact(store.kv().log().head(), CompactionKind::kLookup), Status::kOk);
  const LogAddress begin = store.kv().log().begin();
  ASSERT_GT(begin, 3 * 2048u);
  RetentionReport report;
  ASSERT_EQ(store.kv().Retain(1, &report, nullptr), Status::kOk);
  EXPECT_EQ(report.segments, 0u);  // the checkpoint begins at 0
  const Token second = Take(&store, kLogFold);
  ASSERT_EQ(store.kv().Retain(2, &report, nullptr), Status::kOk);
  EXPECT_EQ(report.segments, 0u);  // the older one begins at 0
  ASSERT_EQ(store.kv().Retain(1, &report, nullptr), Status::kOk);
  EXPECT_EQ(report.segments, begin / 2048);
  EXPECT_FALSE(Exists(&store, first.Text()));
  EXPECT_FALSE(Exists(&store, "log.0"));
  EXPECT_TRUE(Exists(&store, "log." + std::to_string(begin / 2048)));
  auto session = store.kv().StartSession();
  for (uint64_t i = 0; i < 500; ++i) EXPECT_EQ(store.Read(*session, i), 1u);
  session.reset();
  EXPECT_EQ(store.Recover().log_token, second);
  session = store.kv().StartSession();
  for (uint64_t i = 0; i < 500; ++i) EXPECT_EQ(store.Read(*session, i), 1u);
}

TEST(Retention, KeepsTheChainOfADelta) {
  TestStore store;
  Work(&store, 100);
  const Token base = Take(&store, kBySnapshot);
  Work(&store, 10);
  const Token delta = Take(&store, kDelta);
  RetentionReport report;
  ASSERT_EQ(store.kv().Retain(1, &report, nullptr), Status::kOk);
  EXPECT_EQ(report.checkpoints, 0u);
  Work(&store, 10);
  Take(&store, kDelta);
  ASSERT_EQ(store.kv().Retain(1, &report, nullptr), Status::kOk);
  EXPECT_EQ(report.checkpoints, 0u);
  store.Recover();
  auto session = store.kv().StartSession();
  EXPECT_EQ(store.Read(*session, 5), 3u);
  session.reset();
  Work(&store, 2000);  // what the chain covers is in the main log now
  Take(&store, kLogFold);
  ASSERT_EQ(store.kv().Retain(1, &report, nullptr), Status::kOk);
  EXPECT_EQ(report.checkpoints, 3u);
  EXPECT_FALSE(Exists(&store, base.Text()) || Exists(&store, delta.Text()));
}

// As after a repair that set the damaged text aside (inspect/self_check.h): the chain reads the data alone.
TEST(Retention, KeepsAChainWhoseBaseHasNoText) {
  TestStore store;
  Work(&store, 100);
  const Token base = Take(&store, kBySnapshot);
  Work(&store, 10);
  Take(&store, kDelta);
  store.Close();
  ASSERT_EQ(store.storage().Remove(CheckpointPath("", base, kLogMetaName)), Status::kOk);
  store.Recover();
  RetentionReport report;
  ASSERT_EQ(store.kv().Retain(1, &report, nullptr), Status::kOk);
  EXPECT_TRUE(Exists(&store, base.Text()));
  store.Recover();
  auto session = store.kv().StartSession();
  EXPECT_EQ(store.Read(*session, 5), 2u);
  session.reset();
  Work(&store, 2000);
  Take(&store, kLogFold);
  ASSERT_EQ(store.kv().Retain(1, &report, nullptr), Status::kOk);
  EXPECT_FALSE(Exists(&store, base.Text())) << "nothing needs it any more";
}

TEST(Retention, RunsAfterEveryCheckpointIfConfigured) {
  StoreConfig config = TestStore::TinyConfig();
  config.keep_checkpoints = 1;
  TestStore store(config);
  std::vector<Token> tokens;
  for (int i = 0; i < 4; ++i) {
    Work(&store, 100);
    tokens.push_back(Take(&store, kFold));
    RetentionReport report;
    while (store.kv().Retain(1, &report, nullptr) == Status::kBusy) std::this_thread::yield();
  }
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(Exists(&store, tokens[i].Text()));
  EXPECT_EQ(store.Recover().log_token, tokens[3]);
}

TEST(AutomaticCompaction, KeepsTheLogShort) {
  StoreConfig config = TestStore::TinyConfig();
  config.compact_at_bytes = 16384;
  TestStore store(config);
  auto session = store.kv().StartSession();
  for (uint64_t i = 0; i < 20000; ++i) {
    ASSERT_EQ(session->Upsert(i * 7919 % 200, i), Status::kOk);
    if (i % 16 == 0) store.kv().Poll();
  }
  for (int i = 0; i < 1000 && store.kv().log().begin() == 0; ++i) {
    store.kv().Poll();
    std::this_thread::yield();
  }
  EXPECT_GT(store.kv().log().begin(), 0u);
  for (uint64_t key = 0; key < 200; ++key) EXPECT_TRUE(store.Read(*session, key).has_value()) << key;
}

}  // namespace
}  // namespace faster
