// Self-check and repair: what is broken goes aside and nothing else, the newest good checkpoint is what a
// recovery finds, and a failure at any step leaves a store from which a second repair gets there.
#include "faster/inspect/self_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "faster/cpr/delta_log.h"
#include "tests/cpr/recording_storage.h"
#include "tests/inspect/inspected.h"
#include "tests/inspect/pair_checkpoints.h"

namespace faster {
namespace {

using Store = TestStoreOn<RecordingStorage>;

struct Taken {
  std::vector<Token> tokens;
  std::vector<std::map<uint64_t, uint64_t>> models;
};

Taken Take(Store& store, const std::vector<testing::Kind>& kinds) {
  Taken taken;
  std::map<uint64_t, uint64_t> model;
  for (const testing::Kind kind : kinds) {
    auto session = store.kv().StartSession();
    for (uint64_t i = 0; i < 60; ++i) {
      const uint64_t key = (i * 7 + taken.tokens.size()) % 40;
      store.Rmw(*session, key, i + 1);
      model[key] += i + 1;
    }
    session.reset();
    EXPECT_EQ(store.Checkpoint(kind), Status::kOk);
    taken.tokens.push_back(store.last_token());
    taken.models.push_back(model);
  }
  store.Close();
  return taken;
}

StoreConfig Roomy() {
  StoreConfig config = TestStore::TinyConfig();
  config.buffer_pages = 64;
  config.mutable_pages = 60;
  return config;
}

Status Check(Storage& storage, bool apply, CheckpointSelfCheckReport* report, Diagnosis* why) {
  CheckpointSelfCheckOptions options;
  options.repair = apply;
  options.label = "20260101T000000Z";
  options.validate = TestOptions();
  return CheckpointSelfCheck(&storage, "", options, report, why);
}

// Calls that change something; the storage writes down every close, too.
size_t Changes(const RecordingStorage& storage) {
  return static_cast<size_t>(std::count_if(storage.calls.begin(), storage.calls.end(),
                                           [](const auto& call) { return !call.starts_with("close"); }));
}

// Every file with its bytes' checksum, by name alone: a move changes nothing here.
std::multiset<std::string> FilesOf(Storage& storage) {
  std::multiset<std::string> files;
  for (const std::string& path : PathsBelow(storage, "")) {
    std::string bytes;
    Diagnosis why;
    EXPECT_EQ(ReadWholeFile(storage, path, 1 << 24, &bytes, &why), Status::kOk);
    files.insert(NameIn(path) + " " + HexWord(Checksum(bytes.data(), bytes.size())));
  }
  return files;
}

void ExpectModel(Store& store, const std::map<uint64_t, uint64_t>& model) {
  auto session = store.kv().StartSession();
  for (const auto& [key, value] : model) EXPECT_EQ(store.Read(*session, key), value) << key;
  EXPECT_EQ(store.kv().CheckInvariants(), "");
}

// Repairs a damaged store, and checks all that a repair promises.
CheckpointSelfCheckReport Repair(Store& store, const Token& expected) {
  const auto before = FilesOf(store.storage().inner);
  CheckpointSelfCheckReport dry, report;
  Diagnosis why;
  const size_t calls = Changes(store.storage());
  EXPECT_EQ(Check(store.storage(), false, &dry, &why), Status::kCorruption) << why.Text();
  EXPECT_EQ(Changes(store.storage()), calls) << "a dry run has written";
  EXPECT_EQ(Check(store.storage(), true, &report, &why), Status::kOk) << why.Text();
  EXPECT_TRUE(report.repaired);
  EXPECT_EQ(report.set_aside, dry.planned);
  EXPECT_EQ(report.latest, expected);
  EXPECT_EQ(FilesOf(store.storage().inner), before) << "something was lost or written";
  CheckpointSelfCheckReport again;
  const Status second = Check(store.storage(), false, &again, &why);
  for (const CheckpointIssue& issue : again.issues) EXPECT_NE(issue.kept, "") << issue.reason;
  EXPECT_EQ(second == Status::kOk, again.issues.empty());
  return report;
}

TEST(SelfCheck, OfAGoodStoreFindsNothing) {
  Store store;
  const Taken taken = Take(store, {kFullFold, kFullSnapshot, kIncremental});
  CheckpointSelfCheckReport report;
  Diagnosis why;
  ASSERT_EQ(Check(store.storage(), true, &report, &why), Status::kOk) << why.Text();
  EXPECT_EQ(report.total, 3u);
  EXPECT_EQ(report.valid, 3u);
  EXPECT_TRUE(report.issues.empty());
  EXPECT_EQ(report.latest, taken.tokens[2]);
  EXPECT_EQ(report.latest_before, taken.tokens[2]);
}

TEST(SelfCheck, RefusesWhileTheStoreIsOpen) {
  Store store;
  Take(store, {kFullFold});
  store.Recover();
  CheckpointSelfCheckReport report;
  Diagnosis why;
  EXPECT_EQ(Check(store.storage(), true, &report, &why), Status::kBusy);
  store.Close();
  EXPECT_EQ(Check(store.storage(), true, &report, &why), Status::kOk) << why.Text();
}

TEST(SelfCheck, NewestWithADamagedTextGoesWhole) {
  Store store;
  const Taken taken = Take(store, {kFullFold, kFullFold, kLogSnapshot});
  FlipByte(store.storage().inner, CheckpointPath("", taken.tokens[2], kLogMetaName), 40);
  const CheckpointSelfCheckReport report = Repair(store, taken.tokens[1]);
  ASSERT_EQ(report.issues.size(), 1u);
  EXPECT_EQ(report.latest_before, std::nullopt) << "the damage refused the latest";
  EXPECT_EQ(report.issues[0].moved_to, "set-aside/20260101T000000Z-" + taken.tokens[2].Text());
  EXPECT_EQ(store.Recover().log_token, taken.tokens[1]);
  ExpectModel(store, taken.models[1]);
}

TEST(SelfCheck, NewestWithDamagedDataGoesToo) {
  Store store(Roomy());
  const Taken taken = Take(store, {kFullFold, kFullSnapshot});
  FlipByte(store.storage().inner, CheckpointPath("", taken.tokens[1], kLogSnapshotName), 300);
  // Its index is good and fits nothing older: what is left is the directory.
  const CheckpointSelfCheckReport report = Repair(store, taken.tokens[0]);
  EXPECT_EQ(report.latest_before, taken.tokens[1]);
  EXPECT_EQ(store.Recover().log_token, taken.tokens[0]);
  ExpectModel(store, taken.models[0]);
}

TEST(SelfCheck, ADamagedIndexLeavesItsLog) {
  for (const std::string_view name : {kIndexDataName, kIndexMetaName}) {
    Store store;
    const Taken taken = Take(store, {kFullFold, kFullFold});
    FlipByte(store.storage().inner, CheckpointPath("", taken.tokens[1], name), 70);
    const CheckpointSelfCheckReport report = Repair(store, taken.tokens[1]);
    ASSERT_EQ(report.issues.size(), 1u);
    EXPECT_EQ(report.issues[0].files, (std::vector<std::string>{"index.meta", "index.dat"}));
    const RecoveryResult result = store.Recover();
    EXPECT_EQ(result.log_token, taken.tokens[1]);
    EXPECT_EQ(result.index_token, taken.tokens[0]);
    ExpectModel(store, taken.models[1]);
  }
}

TEST(SelfCheck, ALogOfWhichTheIndexIsNeededLosesItsLogPart) {
  Store store(Roomy());
  const Taken taken = Take(store, {kFullSnapshot, kLogSnapshot});
  FlipByte(store.storage().inner, CheckpointPath("", taken.tokens[0], kLogMetaName), 40);
  const CheckpointSelfCheckReport report = Repair(store, taken.tokens[1]);
  ASSERT_EQ(report.issues.size(), 1u);
  EXPECT_EQ(report.issues[0].files, (std::vector<std::string>{"log.meta", "log.snapshot"}));
  const RecoveryResult result = store.Recover();
  EXPECT_EQ(result.index_token, taken.tokens[0]);
  ExpectModel(store, taken.models[1]);
}

TEST(SelfCheck, WhatAGoodChainNeedsStays) {
  Store store(Roomy());
  const Taken taken = Take(store, {kLogSnapshot, kIncremental, kIncremental});
  // The text of the middle refuses a recovery of the latest; the chain needs its delta all the same.
  FlipByte(store.storage().inner, CheckpointPath("", taken.tokens[1], kLogMetaName), 40);
  const CheckpointSelfCheckReport report = Repair(store, taken.tokens[2]);
  ASSERT_EQ(report.issues.size(), 1u);
  EXPECT_EQ(report.issues[0].files, (std::vector<std::string>{"log.meta"}));
  EXPECT_EQ(store.Recover().log_token, taken.tokens[2]);
  ExpectModel(store, taken.models[2]);
}

TEST(SelfCheck, ABrokenBaseTakesItsChainWithIt) {
  Store store(Roomy());
  const Taken taken = Take(store, {kFullFold, kLogSnapshot, kIncremental, kIncremental});
  const std::string base = CheckpointPath("", taken.tokens[1], kLogSnapshotName);
  FlipByte(store.storage().inner, base, 30);  // the header, which every delta needs
  const CheckpointSelfCheckReport report = Repair(store, taken.tokens[0]);
  EXPECT_EQ(report.issues.size(), 3u);
  EXPECT_EQ(store.Recover().log_token, taken.tokens[0]);
  ExpectModel(store, taken.models[0]);
}

TEST(SelfCheck, WithoutAGoodOneNothingMoves) {
  Store store;
  const Taken taken = Take(store, {kFullFold, kFullFold});
  for (const Token& token : taken.tokens)
    FlipByte(store.storage().inner, CheckpointPath("", token, kLogMetaName), 40);
  CheckpointSelfCheckReport report;
  Diagnosis why;
  const auto before = FilesOf(store.storage().inner);
  EXPECT_EQ(Check(store.storage(), true, &report, &why), Status::kCorruption);
  EXPECT_EQ(report.set_aside, 0u);
  EXPECT_EQ(report.issues.size(), 2u);
  EXPECT_EQ(report.issues[0].kept, "no checkpoint of the store is good");
  EXPECT_EQ(FilesOf(store.storage().inner), before);
}

TEST(SelfCheck, APairWithABrokenHalf) {
  MemoryStorage storage;
  std::vector<Token> tokens;
  ASSERT_NO_FATAL_FAILURE(WriteTwoPairs(&storage, &tokens));
  Diagnosis why;
  PairMetadata pair;
  ASSERT_EQ(ReadMetadata(storage, "", tokens[1], &pair, &why), Status::kOk);
  FlipByte(storage, CheckpointPath("cold-index", pair.index, kLogMetaName), 50);
  CheckpointSelfCheckReport report;
  ASSERT_EQ(Check(storage, true, &report, &why), Status::kOk) << why.Text();
  EXPECT_EQ(report.latest, tokens[0]);
  ASSERT_EQ(report.issues.size(), 2u) << "the pair, and the cold index's checkpoint";
  EXPECT_TRUE(report.issues[1].in_cold_index);
  EXPECT_EQ(report.issues[1].token, pair.index);
  F2Config config = TinyPairConfig();
  ++config.hot.seed;
  std::unique_ptr<PairKv> kv;
  RecoveryResult result;
  ASSERT_EQ(PairKv::Recover(config, &storage, {}, nullptr, {}, &kv, &result, &why), Status::kOk)
      << why.Text();
  EXPECT_EQ(result.log_token, tokens[0]);
}

// Whatever step of the repair fails: the latest is refused or is the right one, nothing is lost, and another
// repair ends it.
TEST(SelfCheck, AFailureAtAnyStepIsRepairedByTheNext) {
  const auto damaged = [](Store* store) {
    const Taken taken = Take(*store, {kFullFold, kFullFold, kLogSnapshot, kIncremental});
    MemoryStorage& disk = store->storage().inner;
    FlipByte(disk, CheckpointPath("", taken.tokens[3], kLogMetaName), 40);
    FlipByte(disk, CheckpointPath("", taken.tokens[2], kLogSnapshotName), 30);
    FlipByte(disk, CheckpointPath("", taken.tokens[1], kIndexDataName), 100);
    return taken;
  };
  int steps = 0;
  {
    Store store(Roomy());
    damaged(&store);
    const size_t before = Changes(store.storage());
    CheckpointSelfCheckReport report;
    Diagnosis why;
    ASSERT_EQ(Check(store.storage(), true, &report, &why), Status::kOk) << why.Text();
    EXPECT_EQ(report.set_aside, 3u);
    steps = static_cast<int>(Changes(store.storage()) - before);
    ASSERT_GT(steps, 12);
  }
  for (int step = 0; step < steps; ++step) {
    Store store(Roomy());
    const Taken taken = damaged(&store);
    const auto files = FilesOf(store.storage().inner);
    store.storage().fails = [left = step](const std::string& call) mutable {
      return !call.starts_with("close") && left-- == 0;
    };
    CheckpointSelfCheckReport report;
    Diagnosis why;
    EXPECT_EQ(Check(store.storage(), true, &report, &why), Status::kIoError) << step;
    EXPECT_FALSE(report.repaired);
    store.storage().fails = nullptr;
    StoreView view;
    ASSERT_EQ(ReadStoreView(store.storage(), "", &view, &why), Status::kOk) << why.Text();
    // Never an older one than the newest good, silently.
    if (view.latest_status == Status::kOk) {
      EXPECT_NE(view.latest, taken.tokens[0]) << "after step " << step;
    }
    CheckpointSelfCheckReport second;
    EXPECT_EQ(Check(store.storage(), true, &second, &why), Status::kOk) << step << ": " << why.Text();
    EXPECT_EQ(second.latest, taken.tokens[1]);
    EXPECT_EQ(FilesOf(store.storage().inner), files) << step;
    EXPECT_EQ(store.Recover().log_token, taken.tokens[1]) << step;
    ExpectModel(store, taken.models[1]);
  }
}

}  // namespace
}  // namespace faster
