// Truncation, compaction, conditional insert and iteration, one thread: what is there before and after.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/store/test_store.h"

namespace faster {
namespace {

using SessionType = TestStore::SessionType;

// 300 keys, most of them overwritten and some deleted, over many pages.
std::map<uint64_t, uint64_t> Fill(TestStore* store, SessionType* session) {
  std::map<uint64_t, uint64_t> model;
  for (uint64_t i = 0; i < 1500; ++i) {
    const uint64_t key = i * 31 % 197 + (i % 13 == 0 ? 1000 + i : 0);
    store->Rmw(*session, key, i + 1);
    model[key] += i + 1;
    if (i % 20 == 7) {
      store->Delete(*session, key);
      model.erase(key);
    }
  }
  return model;
}

void ExpectAll(TestStore* store, SessionType* session, const std::map<uint64_t, uint64_t>& model) {
  for (uint64_t key = 0; key < 2600; ++key) {
    const auto found = model.find(key);
    EXPECT_EQ(store->Read(*session, key), found == model.end() ? std::nullopt : std::optional(found->second))
        << key;
  }
  EXPECT_EQ(store->kv().CheckInvariants(), "");
}

class Compactions : public ::testing::TestWithParam<CompactionKind> {};

TEST_P(Compactions, KeepWhatIsLiveAndNothingElse) {
  TestStore store;
  auto session = store.kv().StartSession();
  const auto model = Fill(&store, session.get());
  const LogAddress head = store.kv().log().head();
  ASSERT_GT(head, 10000u);
  CompactionProgress progress;
  ASSERT_EQ(store.kv().Compact(head / 2 + 13, GetParam(), &progress), Status::kOk);
  EXPECT_EQ(store.kv().log().begin(), (head / 2 + 13) & ~uint64_t{127});
  EXPECT_EQ(progress.until, store.kv().log().begin());
  EXPECT_GT(progress.copied, 10u);
  EXPECT_GT(progress.superseded, 100u);
  EXPECT_GT(progress.tombstones, 10u);
  ExpectAll(&store, session.get(), model);
  ASSERT_EQ(store.kv().Compact(~uint64_t{0}, GetParam()), Status::kOk);
  ExpectAll(&store, session.get(), model);
  EXPECT_EQ(store.kv().Compact(0, GetParam()), Status::kOk);  // nothing to do
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kLogOnly, LogBackend::kFoldOver}), Status::kOk);
  session.reset();
  const LogAddress begin = store.kv().log().begin();
  const RecoveryResult result = store.Recover();
  EXPECT_EQ(result.sessions.size(), 1u);  // the compactions' own are no clients
  EXPECT_EQ(store.kv().log().begin(), begin);
  session = store.kv().StartSession();
  ExpectAll(&store, session.get(), model);
}

TEST_P(Compactions, GoOnBesideACheckpointInEveryPhase) {
  TestStore store;
  auto session = store.kv().StartSession();
  auto model = Fill(&store, session.get());
  Token token;
  for (const LogBackend backend : {LogBackend::kFoldOver, LogBackend::kSnapshot}) {
    auto compaction = store.kv().StartCompaction(store.kv().log().head(), GetParam());
    ASSERT_NE(compaction, nullptr);
    EXPECT_EQ(store.kv().StartCompaction(~uint64_t{0}, GetParam()), nullptr);
    Status status = Status::kPending;
    for (uint64_t i = 0; status == Status::kPending; ++i) {
      status = compaction->Step();
      if (i == 2) {
        ASSERT_EQ(store.kv().Checkpoint(CheckpointKind::kFull, backend, &token), Status::kOk);
      }
      store.kv().Poll();
      store.Rmw(*session, i % 97, 3);
      model[i % 97] += 3;
    }
    ASSERT_EQ(status, Status::kOk);
    compaction.reset();
    while (!store.kv().Poll()) std::this_thread::yield();
    ExpectAll(&store, session.get(), model);
  }
}

INSTANTIATE_TEST_SUITE_P(BothKinds, Compactions,
                         ::testing::Values(CompactionKind::kScan, CompactionKind::kLookup));

TEST(Truncation, ForgetsWhatIsBelowAndNothingElse) {
  TestStore store;
  auto session = store.kv().StartSession();
  for (uint64_t i = 0; i < 400; ++i) store.Rmw(*session, i, i + 1);
  const LogAddress mark = store.kv().log().head();
  for (uint64_t i = 0; i < 400; i += 5) store.Rmw(*session, i, 1);
  LogAddress begin = 0;
  const uint64_t serial = session->serial();
  ASSERT_EQ(session->ShiftBeginAddress(mark - 7, &begin), Status::kOk);
  EXPECT_EQ(session->serial(), serial + 1);
  EXPECT_EQ(begin, (mark - 7) & ~uint64_t{127});
  uint64_t gone = 0;
  for (uint64_t i = 0; i < 400; ++i) {
    const auto found = store.Read(*session, i);
    if (i % 5 == 0)
      EXPECT_EQ(found, i + 2);
    else
      gone += !found.has_value();
  }
  EXPECT_GT(gone, 100u);
  EXPECT_LT(gone, 320u);  // what was in memory at the mark is still there
  store.Rmw(*session, 1, 7);
  EXPECT_EQ(store.Read(*session, 1), 7u);
  EXPECT_EQ(session->ShiftBeginAddress(0, &begin), Status::kOk);  // never back
  EXPECT_EQ(begin, (mark - 7) & ~uint64_t{127});
  EXPECT_EQ(session->ShiftBeginAddress(~uint64_t{0}, &begin), Status::kOk);  // not into memory
  EXPECT_EQ(begin, store.kv().log().head());
  EXPECT_EQ(store.Read(*session, 1), 7u);
  EXPECT_EQ(store.kv().CheckInvariants(), "");
}

struct OneChain : AddFunctions {
  uint64_t Hash(uint64_t) const { return uint64_t{5} << 50; }
};

// The page in which the log begins is in memory then, and the chain of what lives leads below its begin.
TEST(Truncation, WhatIsBelowInThePageOfBeginStaysGoneAfterARecovery) {
  using Store = TestStoreOn<MemoryStorage, OneChain>;
  Store store;
  auto session = store.kv().StartSession();
  for (uint64_t i = 0; i < 300; ++i) ASSERT_EQ(session->Upsert(i, i + 1), Status::kOk);
  LogAddress begin = 0;
  ASSERT_EQ(session->ShiftBeginAddress(store.kv().log().head() - 200, &begin), Status::kOk);
  ASSERT_NE(begin % 512, 0u);
  std::set<uint64_t> there;
  for (uint64_t i = 0; i < 300; ++i) {
    if (Store::Read(*session, i)) there.insert(i);
  }
  ASSERT_LT(there.size(), 200u);
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kLogOnly, LogBackend::kFoldOver}), Status::kOk);
  session.reset();
  store.next_config().buffer_pages = 64;
  store.Recover();
  session = store.kv().StartSession();
  for (uint64_t i = 0; i < 300; ++i) {
    EXPECT_EQ(Store::Read(*session, i).has_value(), there.contains(i)) << i;
  }
}

TEST(Truncation, IsRefusedWhileVersionsDifferAndHoldsNothingUp) {
  TestStore store;
  auto session = store.kv().StartSession();
  for (uint64_t i = 0; i < 400; ++i) store.Rmw(*session, i, i + 1);
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kLogOnly, LogBackend::kFoldOver}), Status::kOk);
  LogAddress begin = 0;
  ASSERT_EQ(session->ShiftBeginAddress(store.kv().log().head(), &begin), Status::kOk);
  const auto kept = store.Read(*session, 399);
  session.reset();
  EXPECT_LT(store.Recover().version, 2u);
  session = store.kv().StartSession();
  EXPECT_EQ(store.Read(*session, 1), 2u);  // the checkpoint was taken before
  EXPECT_EQ(store.Read(*session, 399), kept);
}

TEST(Insert, WritesOnlyWhatIsNotThere) {
  TestStore store;
  auto session = store.kv().StartSession();
  uint64_t there = 0;
  EXPECT_EQ(session->InsertIfAbsent(1, 10), Status::kOk);
  EXPECT_EQ(session->InsertIfAbsent(1, 11, &there), Status::kExists);
  EXPECT_EQ(there, 10u);
  EXPECT_EQ(session->Delete(1), Status::kOk);
  EXPECT_EQ(session->InsertIfAbsent(1, 12), Status::kOk);
  EXPECT_EQ(store.Read(*session, 1), 12u);
  for (uint64_t i = 100; i < 600; ++i) store.Rmw(*session, i, i);  // 1 goes to the disk
  ASSERT_EQ(session->InsertIfAbsent(1, 13), Status::kPending);
  Status status = Status::kPending;
  session->CompletePending(true, [&](const SessionType::Op& op) {
    status = op.result;
    there = op.value.Value();
  });
  EXPECT_EQ(status, Status::kExists);
  EXPECT_EQ(there, 12u);
  EXPECT_EQ(session->serial(), 506u);
}

TEST(Iteration, ReturnsEveryLiveKeyOnce) {
  TestStore store;
  auto session = store.kv().StartSession();
  const auto model = Fill(&store, session.get());
  std::map<uint64_t, uint64_t> found;
  const auto iterator = store.kv().Iterate();
  uint64_t key, value;
  Status status;
  while ((status = iterator->Next(&key, &value)) == Status::kOk) {
    EXPECT_TRUE(found.emplace(key, value).second);
  }
  EXPECT_EQ(status, Status::kNotFound);
  EXPECT_EQ(found, model);
}

TEST(Iteration, MissesNoKeyBesideUpdatesAndACompaction) {
  TestStore store;
  auto session = store.kv().StartSession();
  const auto model = Fill(&store, session.get());
  std::set<uint64_t> found;
  const auto iterator = store.kv().Iterate();
  uint64_t key, value;
  for (uint64_t i = 0; iterator->Next(&key, &value) == Status::kOk; ++i) {
    found.insert(key);
    store.Rmw(*session, 500 + i % 3, 1);
    if (i == 5) {
      ASSERT_EQ(store.kv().Compact(store.kv().log().head(), CompactionKind::kLookup), Status::kOk);
    }
  }
  for (const auto& [there, word] : model) EXPECT_TRUE(found.contains(there)) << there;
}

}  // namespace
}  // namespace faster
