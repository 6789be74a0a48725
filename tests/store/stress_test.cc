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
  uint64_t read_cache_bytes = 0;
  bool copy_reads_to_tail = false;

  // Every second operation is a read: of records on disk, that are copied into memory.
  bool reads() const { return read_cache_bytes != 0 || copy_reads_to_tail; }
};

// A store in a folder of its own, its sessions, and what a recovery must bring back.
class Stress : public ::testing::TestWithParam<Geometry> {
 protected:
  using Kv = TestStore::Kv;

  Stress()
      : root_(std::filesystem::temp_directory_path() /
              ("cpr-stress-" + std::to_string(getpid()) + "-" + std::to_string(GetParam().page_bits) + "-" +
               std::to_string(GetParam().read_cache_bytes))),
        config_(TestStore::TinyConfig()) {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
    storage_ = std::make_unique<PosixStorage>(root_.string());
    config_.page_bits = GetParam().page_bits;
    config_.buffer_pages = GetParam().buffer_pages;
    config_.mutable_pages = GetParam().mutable_pages;
    config_.refresh_interval = GetParam().refresh_interval;
    config_.read_cache_bytes = GetParam().read_cache_bytes;
    config_.copy_reads_to_tail = GetParam().copy_reads_to_tail;
    config_.index_buckets = 16;
    config_.segment_pages = 1 << 12;  // thousands of tiny segments would time fdatasync, not the engine
  }
  ~Stress() override {
    storage_.reset();
    std::filesystem::remove_all(root_);
  }

  static bool IsRead(uint64_t serial) { return GetParam().reads() && serial % 2 == 0; }

  // RMWs and reads of session `who` until `stop`. Values only grow: no read may see less than one before it.
  void Work(uint64_t who) {
    TestStore::SessionType& session = *sessions_[who];
    std::vector<uint64_t> seen(kKeys, 0);
    const auto finished = [&](const auto& op) {
      const bool read = op.type == OperationType::kRead;
      if (read && op.result == Status::kNotFound && op.user == nullptr) return;
      ASSERT_EQ(op.result, Status::kOk) << read;
      if (!read) return;
      ASSERT_GE(op.value.Value(), reinterpret_cast<uint64_t>(op.user));
      seen[op.key.Value()] = std::max(seen[op.key.Value()], op.value.Value());
    };
    while (!stop_.load(std::memory_order_relaxed)) {
      const uint64_t serial = session.serial() + 1;
      if (IsRead(serial)) {
        const uint64_t key = KeyOf(who, serial);
        uint64_t value = 0;
        const Status read = session.Read(key, &value, reinterpret_cast<void*>(seen[key]));
        if (read == Status::kPending) continue;
        ASSERT_TRUE(read == Status::kOk || seen[key] == 0) << StatusName(read);
        ASSERT_GE(value, seen[key]);
        seen[key] = value;
        continue;
      }
      const Status status = session.Rmw(KeyOf(who, serial), 1);
      ASSERT_TRUE(status == Status::kOk || status == Status::kPending) << StatusName(status);
      if (serial % 16 <= 1) session.CompletePending(false, finished);
    }
    session.CompletePending(true, finished);
  }

  // Checkpoints of every kind, back to back.
  void TakeCheckpoints(Kv& kv, int count) {
    const CheckpointKind kinds[] = {CheckpointKind::kFull, CheckpointKind::kLogOnly,
                                    CheckpointKind::kIndexOnly, CheckpointKind::kLogOnly};
    for (int round = 0; observer_.durable + observer_.failed < count; ++round) {
      Token token;
      const LogBackend backend = round % 3 == 0 ? LogBackend::kSnapshot : LogBackend::kFoldOver;
      const Status status = kv.Checkpoint(kinds[round % 4], backend, &token);
      ASSERT_TRUE(status == Status::kOk || status == Status::kBusy);
      while (!kv.Poll()) std::this_thread::yield();
    }
  }

  const std::filesystem::path root_;
  StoreConfig config_;
  std::unique_ptr<PosixStorage> storage_;
  Observer observer_;
  std::vector<Guid> ids_;
  std::vector<std::unique_ptr<TestStore::SessionType>> sessions_;
  std::atomic<bool> stop_{false};
};

TEST_P(Stress, EverySessionComesBackAsAPrefix) {
  Diagnosis why;
  std::unique_ptr<Kv> kv;
  ASSERT_EQ(Kv::Create(config_, storage_.get(), {}, &observer_, &kv, &why), Status::kOk) << why.Text();
  for (uint64_t who = 0; who < 4; ++who) {
    sessions_.push_back(kv->StartSession());
    ids_.push_back(sessions_.back()->id());
  }
  std::vector<std::thread> threads;
  for (uint64_t who = 0; who < 3; ++who) threads.emplace_back([this, who] { Work(who); });
  if (GetParam().idle_session) {  // leaves operations pending and goes idle
    for (int i = 0; i < 20; ++i) {
      const uint64_t serial = sessions_[3]->serial() + 1;
      uint64_t value;
      if (IsRead(serial))
        (void)sessions_[3]->Read(KeyOf(3, serial), &value);
      else
        (void)sessions_[3]->Rmw(KeyOf(3, serial), 1);
    }
  }
  TakeCheckpoints(*kv, 40);
  stop_ = true;
  for (std::thread& thread : threads) thread.join();
  sessions_.clear();
  kv.reset();
  EXPECT_EQ(observer_.failed, 0);

  ++config_.seed;
  RecoveryResult result;
  ASSERT_EQ(Kv::Recover(config_, storage_.get(), {}, &observer_, {}, {}, &kv, &result, &why), Status::kOk)
      << why.Text();
  std::vector<uint64_t> expected(kKeys, 0);
  for (uint64_t who = 0; who < ids_.size(); ++who) {
    for (const SessionCommit& commit : result.sessions) {
      if (commit.session != ids_[who]) continue;
      for (uint64_t n = 1; n <= commit.serial; ++n) expected[KeyOf(who, n)] += IsRead(n) ? 0 : 1;
    }
  }
  auto session = kv->StartSession();
  for (uint64_t key = 0; key < kKeys; ++key) {
    ASSERT_EQ(TestStore::Read(*session, key).value_or(0), expected[key]) << "key " << key;
  }
}

INSTANTIATE_TEST_SUITE_P(Geometries, Stress,
                         ::testing::Values(Geometry{9, 8, 4, 1, true}, Geometry{10, 4, 2, 1, false},
                                           Geometry{12, 16, 8, 4, true}, Geometry{16, 8, 6, 1, true},
                                           Geometry{9, 8, 4, 1, true, 2048}, Geometry{9, 4, 2, 4, true, 8192},
                                           Geometry{10, 8, 4, 1, true, 1024, true}));

}  // namespace
}  // namespace faster
