// Checkpoints while threads work: one at a time, carried by whoever is there, and each of them a prefix of
// every session. Real threads; the harness runs the same under its scheduler, with crashes
// (experiments/crash).
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/store/test_store.h"

namespace faster {
namespace {

constexpr testing::Kind kKinds[] = {{CheckpointKind::kFull, LogBackend::kFoldOver},
                                    {CheckpointKind::kLogOnly, LogBackend::kSnapshot},
                                    {CheckpointKind::kIncremental, LogBackend::kSnapshot},
                                    {CheckpointKind::kLogOnly, LogBackend::kFoldOver},
                                    {CheckpointKind::kFull, LogBackend::kSnapshot}};

template <class Body>
void OnThreads(int count, const Body& body) {
  std::vector<std::thread> threads;
  for (int t = 0; t < count; ++t) threads.emplace_back([&, t] { body(t); });
  for (std::thread& thread : threads) thread.join();
}

// A request is refused until every session has heard that the one before is over.
Token Begin(TestStore& store, testing::Kind kind) {
  Token token;
  Status status = store.kv().Checkpoint(kind.kind, kind.backend, &token);
  for (; status == Status::kBusy; status = store.kv().Checkpoint(kind.kind, kind.backend, &token)) {
    static_cast<void>(store.kv().Poll());
    std::this_thread::yield();
  }
  EXPECT_EQ(status, Status::kOk);
  return token;
}
Token Take(TestStore& store, testing::Kind kind) {
  const Token token = Begin(store, kind);
  while (!store.kv().Poll()) std::this_thread::yield();
  return token;
}

TEST(ConcurrentCheckpoints, OneOfManyRequestsBegins) {
  TestStore store;
  auto session = store.kv().StartSession();
  for (int round = 0; round < 50; ++round) {
    store.Rmw(*session, 1, 1);
    std::atomic<int> begun{0}, busy{0}, arrived{0};
    Token tokens[3];
    OnThreads(3, [&](int t) {
      ++arrived;
      while (arrived.load() < 3) std::this_thread::yield();
      const testing::Kind kind = kKinds[round % 5];
      const Status status = store.kv().Checkpoint(kind.kind, kind.backend, &tokens[t]);
      begun += status == Status::kOk;
      busy += status == Status::kBusy;
    });
    ASSERT_EQ(begun, 1);
    ASSERT_EQ(busy, 2);
    while (!store.kv().Poll()) std::this_thread::yield();
    int named = 0;
    for (const Token& token : tokens) named += token == store.last_token();
    EXPECT_EQ(named, 1);
  }
}

TEST(ConcurrentCheckpoints, OperationsAloneCarryOne) {
  TestStore store;
  auto session = store.kv().StartSession();
  for (const testing::Kind kind : kKinds) {
    const Token token = Begin(store, kind);
    for (uint64_t i = 0; store.kv().State().phase != Phase::kRest; ++i) {
      ASSERT_LT(i, 100'000'000u) << store.kv().Describe();
      store.Rmw(*session, i % 20, 1);
    }
    EXPECT_EQ(store.last_token(), token);
  }
}

TEST(ConcurrentCheckpoints, ReadersNeverSeeAValueGoBack) {
  TestStore store;
  constexpr uint64_t kKeys = 16;
  std::atomic<bool> stop{false};
  OnThreads(3, [&](int t) {
    auto session = store.kv().StartSession();
    if (t == 0) {
      for (int round = 0; round < 15; ++round) {
        for (uint64_t i = 0; i < 300; ++i) store.Rmw(*session, i % kKeys, 1);
        const testing::Kind kind = kKinds[round % 5];
        Begin(store, kind);
        while (!store.kv().Poll()) {
          for (uint64_t i = 0; i < kKeys; ++i) store.Rmw(*session, i, 1);
        }
      }
      stop = true;
      return;
    }
    std::map<uint64_t, uint64_t> seen;
    while (!stop.load()) {
      for (uint64_t key = 0; key < kKeys; ++key) {
        const uint64_t value = store.Read(*session, key).value_or(0);
        EXPECT_GE(value, seen[key]) << key;
        seen[key] = value;
      }
    }
  });
}

// Each thread adds 1 to its ten keys in turn, so its commit point alone says what each of them holds.
TEST(ConcurrentCheckpoints, EachIsAPrefixOfEverySession) {
  constexpr int kThreads = 3;
  constexpr uint64_t kKeys = 10;
  for (const Guarantee guarantee : {Guarantee::kStrict, Guarantee::kRelaxed}) {
    StoreConfig config = TestStore::TinyConfig();
    config.guarantee = guarantee;
    TestStore store(config);
    Guid ids[kThreads];
    std::vector<Token> tokens;
    std::atomic<bool> stop{false};
    std::atomic<int> ready{0};
    OnThreads(kThreads + 1, [&](int t) {
      if (t < kThreads) {
        auto session = store.kv().StartSession();
        ids[t] = session->id();
        for (uint64_t i = 0; !stop.load(); ++i) {
          store.Rmw(*session, t * 100 + i % kKeys, 1);
          if (i == 0) ++ready;  // so each checkpoint has something of each session
        }
        return;
      }
      while (ready.load() < kThreads) std::this_thread::yield();
      for (int round = 0; round < 20; ++round) {
        tokens.push_back(Take(store, kKinds[round % 5]));
      }
      stop = true;
    });
    uint64_t last = ~uint64_t{0};
    for (auto token = tokens.rbegin(); token != tokens.rend(); ++token) {  // newest first: older ones stay
      const RecoveryResult result = store.Recover(*token);
      std::map<Guid, SessionCommit> commits;
      for (const SessionCommit& commit : result.sessions) commits[commit.session] = commit;
      auto reader = store.kv().StartSession();
      for (int t = 0; t < kThreads; ++t) {
        ASSERT_TRUE(commits.contains(ids[t]));
        const SessionCommit& commit = commits[ids[t]];
        for (uint64_t key = 0; key < kKeys; ++key) {
          uint64_t expected = commit.serial / kKeys + (key < commit.serial % kKeys ? 1 : 0);
          for (const uint64_t serial : commit.excluded) expected -= (serial - 1) % kKeys == key;
          EXPECT_EQ(store.Read(*reader, t * 100 + key).value_or(0), expected)
              << "checkpoint " << token->Text() << ", session " << t << ", key " << key;
        }
      }
      EXPECT_LE(commits[ids[0]].serial, last);
      last = commits[ids[0]].serial;
    }
    EXPECT_GT(last, 0u);
  }
}

// Sessions are opened, closed and continued all the time; nothing of theirs is lost at the end.
TEST(ConcurrentCheckpoints, SessionsComeAndGo) {
  TestStore store;
  constexpr uint64_t kKeys = 8;
  std::atomic<int> running{2};
  std::mutex mutex;
  std::map<Guid, uint64_t> serials;
  OnThreads(3, [&](int t) {
    if (t == 2) {
      for (int round = 0; running.load() != 0; ++round) Take(store, kKinds[round % 5]);
      return;
    }
    Guid id;
    for (int visit = 0; visit < 4000; ++visit) {
      auto session = visit % 4 == 0 ? store.kv().StartSession() : store.kv().ContinueSession(id);
      ASSERT_NE(session, nullptr);
      id = session->id();
      for (uint64_t i = 0; i < 25; ++i) store.Rmw(*session, i % kKeys, 1);
      std::lock_guard lock(mutex);
      EXPECT_EQ(session->serial(), serials[id] + 25);
      serials[id] = session->serial();
    }
    --running;
  });
  ASSERT_EQ(store.Checkpoint(kKinds[0]), Status::kOk);
  const RecoveryResult result = store.Recover();
  ASSERT_EQ(result.sessions.size(), serials.size());
  uint64_t total = 0;
  for (const SessionCommit& commit : result.sessions) {
    EXPECT_EQ(commit.serial, serials[commit.session]);
    total += commit.serial;
  }
  auto reader = store.kv().StartSession();
  uint64_t sum = 0;
  for (uint64_t key = 0; key < kKeys; ++key) sum += store.Read(*reader, key).value_or(0);
  EXPECT_EQ(sum, total);
}

}  // namespace
}  // namespace faster
