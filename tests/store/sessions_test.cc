// Sessions as the store knows them: open, closed, recovered, continued, and read beside their own work.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "tests/cpr/recording_storage.h"
#include "tests/store/test_store.h"

namespace faster {
namespace {

constexpr testing::Kind kFull = {CheckpointKind::kFull, LogBackend::kFoldOver};
constexpr testing::Kind kSnapshot = {CheckpointKind::kLogOnly, LogBackend::kSnapshot};

template <class Store>
SessionState StateOf(Store& store, const Guid& id) {
  for (const SessionState& state : store.kv().Sessions()) {
    if (state.session == id) return state;
  }
  ADD_FAILURE() << "not known: " << id.Text();
  return {};
}

TEST(KnownSessions, AreOpenOrMayBeContinued) {
  TestStore store;
  EXPECT_TRUE(store.kv().Sessions().empty());
  auto open = store.kv().StartSession(), closed = store.kv().StartSession();
  const Guid id = closed->id();
  for (uint64_t i = 0; i < 5; ++i) store.Rmw(*closed, i, 1);
  store.Rmw(*open, 1, 1);
  closed.reset();
  const std::vector<SessionState> states = store.kv().Sessions();
  ASSERT_EQ(states.size(), 2u);
  EXPECT_LT(states[0].session, states[1].session);
  EXPECT_EQ(StateOf(store, open->id()), (SessionState{open->id(), true, 1}));
  EXPECT_EQ(StateOf(store, id), (SessionState{id, false, 5}));
  closed = store.kv().ContinueSession(id);
  ASSERT_NE(closed, nullptr);
  store.Rmw(*closed, 1, 1);
  EXPECT_EQ(StateOf(store, id), (SessionState{id, true, 6}));
  EXPECT_EQ(store.kv().Sessions().size(), 2u);
}

TEST(KnownSessions, ComeBackWithTheirCommitPoints) {
  TestStore store;
  auto one = store.kv().StartSession(), two = store.kv().StartSession();
  const Guid first = one->id(), second = two->id();
  for (uint64_t i = 0; i < 7; ++i) store.Rmw(*one, i, 1);
  store.Rmw(*two, 1, 1);
  two.reset();
  ASSERT_EQ(store.Checkpoint(kFull), Status::kOk);
  store.Rmw(*one, 1, 1);  // lost
  one.reset();
  store.Recover();
  ASSERT_EQ(store.kv().Sessions().size(), 2u);
  EXPECT_EQ(StateOf(store, first), (SessionState{first, false, 7}));
  EXPECT_EQ(StateOf(store, second), (SessionState{second, false, 1}));
}

// Sessions that nobody continues stay, checkpoint after checkpoint.
TEST(KnownSessions, ThatNobodyContinuesStay) {
  TestStore store;
  auto session = store.kv().StartSession();
  const Guid id = session->id();
  for (uint64_t i = 0; i < 3; ++i) store.Rmw(*session, i, 1);
  session.reset();
  for (int round = 0; round < 4; ++round) {
    ASSERT_EQ(store.Checkpoint(round % 2 == 0 ? kFull : kSnapshot), Status::kOk);
    store.Recover();
    EXPECT_EQ(StateOf(store, id), (SessionState{id, false, 3}));
  }
}

TEST(KnownSessions, TheEnginesOwnAreNotAmongThem) {
  TestStore store;
  auto session = store.kv().StartSession();
  for (uint64_t i = 0; i < 300; ++i) store.Rmw(*session, i, 1);
  const auto compaction = store.kv().StartCompaction(1024, CompactionKind::kLookup);
  ASSERT_NE(compaction, nullptr);
  EXPECT_EQ(store.kv().Sessions().size(), 1u);
}

TEST(KnownSessions, WhatTheyWillBeToldIsSaid) {
  TestStoreOn<RecordingStorage> store;
  auto session = store.kv().StartSession();
  const Guid id = session->id();
  store.Rmw(*session, 1, 10);
  for (uint64_t i = 0; i < 400; ++i) store.Rmw(*session, 100 + i, 1);
  store.storage().hold_reads = true;
  store.storage().fails_reads = [](const std::string&) { return true; };
  ASSERT_EQ(session->Rmw(1, 7), Status::kPending);
  const uint64_t serial = session->serial();
  store.storage().ReleaseReads();
  session.reset();  // nobody collected the error
  EXPECT_EQ(StateOf(store, id), (SessionState{id, false, serial, {serial}}));
}

TEST(ContinuedSessions, UnknownAndOpenOnesAreRefused) {
  TestStore store;
  auto session = store.kv().StartSession();
  EXPECT_EQ(store.kv().ContinueSession(Guid{1, 2}), nullptr);
  EXPECT_EQ(store.kv().ContinueSession(session->id()), nullptr);
  const Guid id = session->id();
  session.reset();
  session = store.kv().ContinueSession(id);
  EXPECT_NE(session, nullptr);
  EXPECT_EQ(store.kv().ContinueSession(id), nullptr);
}

// A store may have had more sessions than may be open at a time.
TEST(ContinuedSessions, MoreThanMayBeOpenComeBack) {
  StoreConfig config = TestStore::TinyConfig();
  config.max_sessions = 2;
  TestStore store(config);
  std::vector<Guid> ids;
  for (int i = 0; i < 9; ++i) {
    auto session = store.kv().StartSession();
    ASSERT_NE(session, nullptr);
    ids.push_back(session->id());
    for (int n = 0; n <= i; ++n) store.Rmw(*session, 1, 1);
  }
  ASSERT_EQ(store.Checkpoint(kFull), Status::kOk);
  EXPECT_EQ(store.Recover().sessions.size(), 9u);
  for (size_t i = 0; i < ids.size(); ++i) {
    auto session = store.kv().ContinueSession(ids[i]);
    ASSERT_NE(session, nullptr);
    EXPECT_EQ(session->serial(), i + 1);
  }
}

TEST(ContinuedSessions, GoOnWhereTheirCommitPointIs) {
  TestStore store;
  auto session = store.kv().StartSession();
  const Guid id = session->id();
  uint64_t expected = 0;
  for (uint64_t round = 1; round <= 4; ++round) {
    for (uint64_t i = 0; i < round; ++i) store.Rmw(*session, 1, 1);
    expected += round;
    ASSERT_EQ(store.Checkpoint(kSnapshot), Status::kOk);
    store.Rmw(*session, 1, 1000);  // lost
    session.reset();
    store.Recover();
    session = store.kv().ContinueSession(id);
    ASSERT_NE(session, nullptr);
    EXPECT_EQ(session->serial(), expected + round - 1);
    EXPECT_EQ(store.Read(*session, 1), expected);
    // The read has a serial of its own.
  }
}

// Serials are read while their sessions work; they only grow, and none is beyond what was issued. The
// sessions work until the list has named serials often enough: on a busy machine it may not get to run for
// longer than any fixed number of operations takes.
TEST(KnownSessions, AreReadBesideTheirWork) {
  TestStore store;
  constexpr int kSightings = 20;
  std::atomic<uint64_t> issued[2] = {0, 0};
  std::atomic<bool> enough{false};
  std::vector<std::unique_ptr<TestStore::SessionType>> sessions;
  for (int t = 0; t < 2; ++t) sessions.push_back(store.kv().StartSession());
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 1; !enough.load(); ++i) {
        issued[t].store(i);
        store.Rmw(*sessions[static_cast<size_t>(t)], i % 50, 1);
      }
    });
  }
  uint64_t seen[2] = {0, 0};
  int sightings[2] = {0, 0};
  while (std::min(sightings[0], sightings[1]) < kSightings) {
    for (const SessionState& state : store.kv().Sessions()) {
      const int t = state.session == sessions[0]->id() ? 0 : 1;
      EXPECT_TRUE(state.open);
      if (!state.serial) continue;
      EXPECT_GE(*state.serial, seen[t]);
      EXPECT_LE(*state.serial, issued[t].load());
      if (*state.serial != seen[t]) ++sightings[t];
      seen[t] = *state.serial;
    }
    std::this_thread::yield();
  }
  enough.store(true);
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < 2; ++t) {
    EXPECT_EQ(StateOf(store, sessions[t]->id()).serial, issued[t].load());
  }
}

}  // namespace
}  // namespace faster
