// Version shift, guarantee, index copy and sessions as configuration: one thread, every combination.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/cpr/recording_storage.h"
#include "tests/store/test_store.h"

namespace faster {
namespace {

using testing::Kind;

constexpr Kind kKinds[] = {{CheckpointKind::kFull, LogBackend::kFoldOver},
                           {CheckpointKind::kFull, LogBackend::kSnapshot},
                           {CheckpointKind::kLogOnly, LogBackend::kFoldOver},
                           {CheckpointKind::kLogOnly, LogBackend::kSnapshot}};

class Protocols : public ::testing::TestWithParam<std::tuple<ShiftScheme, Guarantee, bool>> {
 protected:
  static StoreConfig Config() {
    StoreConfig config = TestStore::TinyConfig();
    std::tie(config.shift, config.guarantee, config.overlap_index) = GetParam();
    config.session_slots = 1;
    return config;
  }
};

// Operations run in every phase of the checkpoint, by two sessions of which one is mostly idle.
TEST_P(Protocols, RecoverWhatWasCommitted) {
  for (const Kind kind : kKinds) {
    TestStore store(Config());
    std::map<uint64_t, uint64_t> model;
    auto session = store.kv().StartSession();
    auto idle = store.kv().StartSession();
    const Guid id = session->id();
    for (uint64_t round = 0; round < 6; ++round) {
      for (uint64_t i = 0; i < 150; ++i) {
        store.Rmw(i % 10 == 0 ? *idle : *session, i % 60, i + 1);
        model[i % 60] += i + 1;
      }
      Token token;
      ASSERT_EQ(store.kv().Checkpoint(kind.kind, kind.backend, &token), Status::kOk);
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
      for (uint64_t i = 0; store.kv().State().phase != Phase::kRest; ++i) {
        store.Rmw(*session, i % 60, 1);
        store.kv().Poll();
        std::this_thread::yield();
        if (std::chrono::steady_clock::now() > deadline) FAIL() << store.kv().Describe();
      }
      ASSERT_EQ(store.kv().CheckInvariants(), "");
      for (uint64_t key = 0; key < 60; ++key) model[key] = *store.Read(*session, key);
      ASSERT_EQ(store.Checkpoint(kind), Status::kOk);  // nothing is pending: the state is the model
    }
    store.Rmw(*session, 1, 1'000'000);  // lost
    session.reset();
    idle.reset();
    const RecoveryResult result = store.Recover();
    EXPECT_EQ(result.index_token == result.log_token, kind.kind == CheckpointKind::kFull);
    for (const SessionCommit& commit : result.sessions) EXPECT_TRUE(commit.excluded.empty());
    session = store.kv().ContinueSession(id);
    ASSERT_NE(session, nullptr);
    for (const auto& [key, value] : model) EXPECT_EQ(store.Read(*session, key), value) << key;
    EXPECT_EQ(store.kv().CheckInvariants(), "");
  }
}

// Key 1 holds 10, on disk only.
template <class Store>
std::unique_ptr<typename Store::SessionType> PutKeyOneOnDisk(Store* store) {
  auto filler = store->kv().StartSession();
  store->Rmw(*filler, 1, 10);
  for (uint64_t i = 0; i < 400; ++i) store->Rmw(*filler, 100 + i, 1);
  return filler;
}

// An RMW waits for the disk when its idle session passes the CPR point.
TEST_P(Protocols, WhatIsPendingAtTheCut) {
  const bool relaxed = std::get<1>(GetParam()) == Guarantee::kRelaxed;
  for (const Kind kind : kKinds) {
    TestStore store(Config());
    auto filler = PutKeyOneOnDisk(&store);
    auto session = store.kv().StartSession();
    const Guid id = session->id();
    ASSERT_EQ(session->Upsert(2, 5), Status::kOk);
    ASSERT_EQ(session->Rmw(1, 7), Status::kPending);
    ASSERT_EQ(session->Upsert(3, 5), Status::kOk);
    ASSERT_EQ(store.Checkpoint(kind), Status::kOk);
    session->CompletePending(true, [](const auto& op) { EXPECT_EQ(op.result, Status::kOk); });
    const std::vector<uint64_t> expected = relaxed ? std::vector<uint64_t>{2} : std::vector<uint64_t>{};
    std::vector<CommitNotice> notices;
    session->TakeCommits(&notices);
    ASSERT_EQ(notices.size(), 1u);
    EXPECT_EQ(notices[0], (CommitNotice{store.last_token(), 3, expected}));
    EXPECT_EQ(store.Read(*session, 1), 17u);
    session.reset();
    filler.reset();

    RecoveryResult result = store.Recover();  // nobody continues it: the next checkpoint says the same of it
    ASSERT_EQ(store.Checkpoint(kind), Status::kOk);
    result = store.Recover();
    const auto commit = std::find_if(result.sessions.begin(), result.sessions.end(),
                                     [&](const SessionCommit& one) { return one.session == id; });
    ASSERT_NE(commit, result.sessions.end());
    EXPECT_EQ(*commit, (SessionCommit{id, 3, expected}));

    session = store.kv().ContinueSession(id);
    ASSERT_NE(session, nullptr);
    EXPECT_EQ(session->serial(), 3u);
    EXPECT_EQ(session->excluded_serials(), expected);
    EXPECT_EQ(store.Read(*session, 1), relaxed ? 10u : 17u);
    if (relaxed) store.Rmw(*session, 1, 7);
    session.reset();
    ASSERT_EQ(store.Checkpoint(kind), Status::kOk);  // it was told: nothing is excluded any more
    for (const SessionCommit& one : store.Recover().sessions) EXPECT_TRUE(one.excluded.empty());
    session = store.kv().ContinueSession(id);
    EXPECT_TRUE(session->excluded_serials().empty());
    EXPECT_EQ(store.Read(*session, 1), 17u);
  }
}

// An RMW that waits for the disk gets an error. While its client has not heard of it, commit points exclude
// it; else a client that comes back would take it for committed.
TEST_P(Protocols, WhatFailedAndNobodyHeardOfIsExcluded) {
  enum class When { kBeforeTheCut, kAfterTheCut, kHeardOf };
  for (const When when : {When::kBeforeTheCut, When::kAfterTheCut, When::kHeardOf}) {
    TestStoreOn<RecordingStorage> store(Config());
    RecordingStorage& disk = store.storage();
    auto filler = PutKeyOneOnDisk(&store);
    auto session = store.kv().StartSession();
    const Guid id = session->id();
    ASSERT_EQ(session->Upsert(2, 5), Status::kOk);
    disk.hold_reads = true;
    disk.fails_reads = [](const std::string&) { return true; };
    ASSERT_EQ(session->Rmw(1, 7), Status::kPending);
    ASSERT_EQ(session->Upsert(3, 5), Status::kOk);
    if (when != When::kAfterTheCut) {
      disk.ReleaseReads();
      if (when == When::kHeardOf) {
        Status heard = Status::kOk;
        session->CompletePending(true, [&](const auto& op) { heard = op.result; });
        EXPECT_EQ(heard, Status::kIoError);
      } else {
        session->Refresh();
      }
      EXPECT_FALSE(session->HasPending());
    }
    Token token;
    ASSERT_EQ(store.kv().Checkpoint(CheckpointKind::kLogOnly, LogBackend::kSnapshot, &token), Status::kOk);
    for (int i = 0; i < 100; ++i) store.kv().Poll();
    disk.ReleaseReads();
    while (!store.kv().Poll()) std::this_thread::yield();
    disk.fails_reads = {};
    session->CompletePending(true, [](const auto& op) { EXPECT_EQ(op.result, Status::kIoError); });
    const std::vector<uint64_t> expected =
        when == When::kHeardOf ? std::vector<uint64_t>{} : std::vector<uint64_t>{2};
    std::vector<CommitNotice> notices;
    session->TakeCommits(&notices);
    ASSERT_EQ(notices.size(), 1u);
    EXPECT_EQ(notices[0], (CommitNotice{token, 3, expected}));
    // Now the client has heard of it.
    ASSERT_EQ(store.Checkpoint({CheckpointKind::kLogOnly, LogBackend::kSnapshot}), Status::kOk);
    notices.clear();
    session->TakeCommits(&notices);
    EXPECT_EQ(notices.at(0).excluded, std::vector<uint64_t>{});
    session.reset();
    filler.reset();
    store.Recover(token);
    session = store.kv().ContinueSession(id);
    ASSERT_NE(session, nullptr);
    EXPECT_EQ(session->excluded_serials(), expected);
    EXPECT_EQ(store.Read(*session, 1), 10u);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Protocols,
                         ::testing::Combine(::testing::Values(ShiftScheme::kFine, ShiftScheme::kCoarse),
                                            ::testing::Values(Guarantee::kStrict, Guarantee::kRelaxed),
                                            ::testing::Bool()));

TEST(Sessions, AreAsManyAsComeUpToTheLimit) {
  StoreConfig config = TestStore::TinyConfig();
  config.session_slots = 1;
  config.max_sessions = 300;
  TestStore store(config);
  std::vector<std::unique_ptr<TestStore::SessionType>> sessions;
  for (uint64_t i = 0; i < 300; ++i) {
    sessions.push_back(store.kv().StartSession());
    ASSERT_NE(sessions.back(), nullptr) << i;
    store.Rmw(*sessions.back(), i % 10, 1);
  }
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kFoldOver}), Status::kOk);
  const Guid first = sessions[0]->id();
  sessions.clear();
  EXPECT_EQ(store.Recover().sessions.size(), 300u);
  EXPECT_EQ(store.kv().ContinueSession(first)->serial(), 1u);
}

TEST(Progress, NamesTheSessionThatHoldsAPhase) {
  TestStore store;
  auto session = store.kv().StartSession();
  for (uint64_t i = 0; i < 100; ++i) store.Rmw(*session, i, 1);
  EXPECT_FALSE(store.kv().CheckpointProgress().running);
  Token token;
  ASSERT_EQ(store.kv().Checkpoint(CheckpointKind::kLogOnly, LogBackend::kFoldOver, &token), Status::kOk);
  CheckpointProgress progress = store.kv().CheckpointProgress();
  EXPECT_TRUE(progress.running);
  EXPECT_EQ(progress.token, token);
  EXPECT_EQ(progress.phase, Phase::kPrepare);
  EXPECT_EQ(progress.version, 1u);
  EXPECT_TRUE(progress.held);
  EXPECT_EQ(progress.session, session->id());
  EXPECT_FALSE(progress.in_operation);
  EXPECT_NE(progress.Text().find(session->id().Text().substr(0, 8)), std::string::npos) << progress.Text();
  bool bytes = false;
  while (!store.kv().Poll()) {
    progress = store.kv().CheckpointProgress();
    EXPECT_EQ(progress.version, 1u);
    EXPECT_LE(progress.bytes_done, progress.bytes_total);
    bytes |= progress.phase == Phase::kWaitFlush && progress.bytes_total > 0;
  }
  EXPECT_TRUE(bytes);
}

}  // namespace
}  // namespace faster
