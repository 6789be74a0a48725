// Recovery with a look at everything first: what it refuses, what it repairs, and that it opens the latest.
#include "faster/inspect/recover_checked.h"

#include <gtest/gtest.h>

#include "tests/inspect/inspected.h"
#include "tests/inspect/pair_checkpoints.h"

namespace faster {
namespace {

using Kv = TestStore::Kv;

struct Outcome {
  Status status = Status::kOk;
  std::unique_ptr<Kv> kv;
  RecoveryResult result;
  CheckpointSelfCheckReport report;
  Diagnosis why;
};

void Recover(TestStore& store, bool repair, Outcome* outcome) {
  store.Close();
  ++store.next_config().seed;
  CheckpointSelfCheckOptions options;
  options.repair = repair;
  options.label = "20260101T000000Z";
  options.validate = TestOptions();
  outcome->status = RecoverChecked<Kv>(store.config(), &store.storage(), AddFunctions(), nullptr, options,
                                       &outcome->kv, &outcome->result, &outcome->report, &outcome->why);
}

// Two checkpoints, of 60 and 120 keys; their tokens.
std::vector<Token> TwoCheckpoints(TestStore& store, testing::Kind kind) {
  std::vector<Token> tokens;
  for (uint64_t round = 0; round < 2; ++round) {
    auto session = store.kv().StartSession();
    for (uint64_t key = 0; key < 60; ++key) EXPECT_EQ(session->Upsert(round * 60 + key, key), Status::kOk);
    session.reset();
    EXPECT_EQ(store.Checkpoint(kind), Status::kOk);
    tokens.push_back(store.last_token());
  }
  return tokens;
}

TEST(RecoverChecked, OpensTheLatestOfAGoodStore) {
  for (const bool repair : {false, true}) {
    TestStore store;
    const std::vector<Token> tokens = TwoCheckpoints(store, kFullSnapshot);
    Outcome outcome;
    Recover(store, repair, &outcome);
    ASSERT_EQ(outcome.status, Status::kOk) << outcome.why.Text();
    EXPECT_EQ(outcome.result.log_token, tokens[1]);
    EXPECT_EQ(outcome.report.latest, tokens[1]);
    EXPECT_EQ(outcome.report.valid, 2u);
    auto session = outcome.kv->StartSession();
    EXPECT_EQ(TestStore::Read(*session, 119), 59u);
  }
}

// What a plain recovery would not have looked at: a block that is only read when its key is asked for.
TEST(RecoverChecked, FindsWhatARecoveryDoesNotRead) {
  StoreConfig config = TestStore::TinyConfig();
  config.buffer_pages = 4;
  config.mutable_pages = 1;
  TestStore store(config);
  TwoCheckpoints(store, kFullFold);
  ASSERT_GT(store.kv().log().head(), 1024u);
  FlipByte(store.storage(), SegmentPath("", 0), 600);
  Outcome outcome;
  Recover(store, false, &outcome);
  EXPECT_EQ(outcome.status, Status::kCorruption);
  EXPECT_EQ(outcome.why.file, "log.0");
  EXPECT_EQ(outcome.kv, nullptr);
  EXPECT_FALSE(outcome.report.latest.has_value());
  store.Recover();  // which goes well
}

TEST(RecoverChecked, RefusesIssuesUnlessTheyMayBeRepaired) {
  TestStore store;
  const std::vector<Token> tokens = TwoCheckpoints(store, kFullSnapshot);
  const std::string path = CheckpointPath("", tokens[1], kLogSnapshotName);
  FlipByte(store.storage(), path, 200);
  Outcome dry, repaired;
  Recover(store, false, &dry);
  EXPECT_EQ(dry.status, Status::kCorruption);
  EXPECT_EQ(dry.why.file, path);
  EXPECT_EQ(dry.kv, nullptr);
  EXPECT_TRUE(dry.report.dry_run);
  EXPECT_EQ(dry.report.planned, 1u);
  Recover(store, true, &repaired);
  ASSERT_EQ(repaired.status, Status::kOk) << repaired.why.Text();
  EXPECT_EQ(repaired.result.log_token, tokens[0]);
  EXPECT_TRUE(repaired.report.repaired);
  auto session = repaired.kv->StartSession();
  EXPECT_EQ(TestStore::Read(*session, 59), 59u);
  EXPECT_EQ(TestStore::Read(*session, 60), std::nullopt);
}

TEST(RecoverChecked, WithoutAGoodCheckpointNothingIsOpenedOrMoved) {
  TestStore store;
  const std::vector<Token> tokens = TwoCheckpoints(store, kLogSnapshot);
  for (const Token& token : tokens) FlipByte(store.storage(), CheckpointPath("", token, kLogMetaName), 50);
  const std::vector<std::string> before = PathsBelow(store.storage(), "");
  Outcome outcome;
  Recover(store, true, &outcome);
  EXPECT_EQ(outcome.status, Status::kCorruption);
  EXPECT_EQ(outcome.kv, nullptr);
  EXPECT_EQ(PathsBelow(store.storage(), ""), before);
}

TEST(RecoverChecked, WithoutAnyCheckpointItSaysSo) {
  TestStore store;
  Outcome outcome;
  Recover(store, true, &outcome);
  EXPECT_EQ(outcome.status, Status::kNotFound);
  EXPECT_FALSE(outcome.why.expected.empty());
}

TEST(RecoverChecked, LeavesAnOpenStoreAlone) {
  TestStore store;
  TwoCheckpoints(store, kFullFold);
  CheckpointSelfCheckOptions options;
  std::unique_ptr<Kv> kv;
  RecoveryResult result;
  CheckpointSelfCheckReport report;
  Diagnosis why;
  EXPECT_EQ(RecoverChecked<Kv>(store.config(), &store.storage(), AddFunctions(), nullptr, options, &kv,
                               &result, &report, &why),
            Status::kBusy);
  EXPECT_EQ(why.found, "a lock");
}

TEST(RecoverChecked, OfAPair) {
  MemoryStorage storage;
  std::vector<Token> tokens;
  WriteTwoPairs(&storage, &tokens);
  FlipByte(storage, CheckpointPath("", tokens[1], kPairMetaName), 30);
  F2Config config = TinyPairConfig();
  CheckpointSelfCheckOptions options;
  options.validate = TestOptions();
  std::unique_ptr<PairKv> kv;
  RecoveryResult result;
  CheckpointSelfCheckReport report;
  Diagnosis why;
  config.hot.seed = 2;
  EXPECT_EQ(
      RecoverChecked<PairKv>(config, &storage, AddFunctions(), nullptr, options, &kv, &result, &report, &why),
      Status::kCorruption);
  EXPECT_EQ(why.file, CheckpointPath("", tokens[1], kPairMetaName));
  options.repair = true;
  options.label = "20260101T000000Z";
  ASSERT_EQ(
      RecoverChecked<PairKv>(config, &storage, AddFunctions(), nullptr, options, &kv, &result, &report, &why),
      Status::kOk)
      << why.Text();
  EXPECT_EQ(result.log_token, tokens[0]);
}

}  // namespace
}  // namespace faster
