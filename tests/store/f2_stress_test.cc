// Real threads on a hot and a cold store: RMW, deletes and reads from several sessions while records migrate,
// the cold log is compacted and pairs are committed back to back; then every key must hold what each
// session's prefix made of it.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "faster/device/posix_storage.h"
#include "faster/store/f2_kv.h"
#include "tests/store/test_store.h"

namespace faster {
namespace {

constexpr uint64_t kKeys = 300;

struct Observer : CheckpointObserver {
  void OnDurable(const Token&, CheckpointKind, Status status, uint64_t,
                 const std::vector<SessionCommit>&) override {
    durable += status == Status::kOk;
    failed += status != Status::kOk;
  }
  std::atomic<int> durable{0}, failed{0};
};

struct Geometry {
  uint32_t page_bits, refresh_interval;
  uint64_t read_cache_bytes;
  ShiftScheme shift;
};

// Operation `serial` of session number `who`: reads every fourth time, else adds 1 to this key.
uint64_t KeyOf(uint64_t who, uint64_t serial) { return IdSource(who * 1000003 + serial).Next() % kKeys; }
bool IsRead(uint64_t serial) { return serial % 4 == 0; }

class F2Stress : public ::testing::TestWithParam<Geometry> {
 protected:
  using Kv = F2Kv<uint64_t, uint64_t, AddFunctions, 8>;
  using SessionType = Kv::SessionType;

  F2Stress()
      : root_(std::filesystem::temp_directory_path() /
              ("cpr-f2-stress-" + std::to_string(getpid()) + "-" + std::to_string(GetParam().page_bits) +
               "-" + std::to_string(GetParam().read_cache_bytes))) {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
    storage_ = std::make_unique<PosixStorage>(root_.string());
    config_.hot = TestStore::TinyConfig();
    config_.hot.page_bits = GetParam().page_bits;
    config_.hot.buffer_pages = 4;
    config_.hot.mutable_pages = 2;
    config_.hot.refresh_interval = GetParam().refresh_interval;
    config_.hot.read_cache_bytes = GetParam().read_cache_bytes;
    config_.hot.shift = GetParam().shift;
    config_.hot.segment_pages = 1 << 12;
    config_.cold.log = config_.hot;
    config_.cold.log.mutable_pages = 1;
    config_.cold.index = config_.cold.log;
    config_.cold.index.read_cache_bytes = 0;
    config_.cold.index.compact_at_bytes = 1 << 16;
    config_.cold.index_chunks = 16;
  }
  ~F2Stress() override {
    storage_.reset();
    std::filesystem::remove_all(root_);
  }

  // Values only grow: no read may see less than one before it.
  void Work(uint64_t who) {
    SessionType& session = *sessions_[who];
    std::vector<uint64_t> seen(kKeys, 0);
    const auto finished = [&](const auto& op) {
      const uint64_t key = op.key.Value();
      if (op.type == OperationType::kRead && op.result == Status::kNotFound && op.user == nullptr) return;
      ASSERT_EQ(op.result, Status::kOk) << "key " << key;
      ASSERT_GE(op.value.Value(), reinterpret_cast<uint64_t>(op.user));
      seen[key] = std::max(seen[key], op.value.Value());
    };
    while (!stop_.load(std::memory_order_relaxed)) {
      const uint64_t serial = session.serial() + 1;
      const uint64_t key = KeyOf(who, serial);
      void* const floor = reinterpret_cast<void*>(seen[key]);
      uint64_t value = 0;
      const Status status =
          IsRead(serial) ? session.Read(key, &value, floor) : session.Rmw(key, 1, &value, floor);
      if (status == Status::kOk) {
        ASSERT_GE(value, seen[key]);
        seen[key] = value;
      } else {
        ASSERT_TRUE(status == Status::kPending || (seen[key] == 0 && IsRead(serial))) << StatusName(status);
      }
      if (serial % 16 <= 1) session.CompletePending(false, finished);
    }
    session.CompletePending(true, finished);
  }

  void Move(MigrationKind kind) {
    while (!stop_.load(std::memory_order_relaxed)) {
      const Status status = kv_->Migrate(kind, ~uint64_t{0}, nullptr, &stop_);
      ASSERT_TRUE(status == Status::kOk || status == Status::kAborted) << StatusName(status);
      moves_ += status == Status::kOk;
      std::this_thread::yield();
    }
  }

  const std::filesystem::path root_;
  F2Config config_;
  std::unique_ptr<PosixStorage> storage_;
  Observer observer_;
  std::unique_ptr<Kv> kv_;
  std::vector<Guid> ids_;
  std::vector<std::unique_ptr<SessionType>> sessions_;
  std::atomic<bool> stop_{false};
  std::atomic<int> moves_{0};
};

TEST_P(F2Stress, EverySessionComesBackAsAPrefix) {
  Diagnosis why;
  ASSERT_EQ(Kv::Create(config_, storage_.get(), {}, &observer_, &kv_, &why), Status::kOk) << why.Text();
  for (uint64_t who = 0; who < 3; ++who) {
    sessions_.push_back(kv_->StartSession());
    ids_.push_back(sessions_.back()->id());
  }
  std::vector<std::thread> threads;
  for (uint64_t who = 0; who < 2; ++who) threads.emplace_back([this, who] { Work(who); });
  threads.emplace_back([this] { Move(MigrationKind::kHotCold); });
  threads.emplace_back([this] { Move(MigrationKind::kColdCold); });
  for (uint64_t i = 0; i < 20; ++i) {  // leaves operations pending and goes idle
    const uint64_t serial = sessions_[2]->serial() + 1;
    uint64_t value;
    if (IsRead(serial))
      (void)sessions_[2]->Read(KeyOf(2, serial), &value);
    else
      (void)sessions_[2]->Rmw(KeyOf(2, serial), 1);
  }
  const CheckpointKind kinds[] = {CheckpointKind::kFull, CheckpointKind::kLogOnly, CheckpointKind::kIndexOnly,
                                  CheckpointKind::kIncremental};
  for (int round = 0; observer_.durable + observer_.failed < 24 || moves_ < 8; ++round) {
    Token token;
    const LogBackend backend = round % 3 == 0 ? LogBackend::kSnapshot : LogBackend::kFoldOver;
    const Status status = kv_->Checkpoint(kinds[round % 4], backend, &token);
    ASSERT_TRUE(status == Status::kOk || status == Status::kBusy);
    while (!kv_->Poll()) std::this_thread::yield();
    if (round % 8 == 7) {
      RetentionReport report;
      ASSERT_EQ(kv_->Retain(2, &report, &why), Status::kOk) << why.Text();
    }
  }
  stop_ = true;
  for (std::thread& thread : threads) thread.join();
  sessions_.clear();
  kv_.reset();
  EXPECT_EQ(observer_.failed, 0);

  ++config_.hot.seed;
  RecoveryResult result;
  ASSERT_EQ(Kv::Recover(config_, storage_.get(), {}, &observer_, {}, &kv_, &result, &why), Status::kOk)
      << why.Text();
  std::vector<uint64_t> expected(kKeys, 0);
  for (uint64_t who = 0; who < ids_.size(); ++who) {
    for (const SessionCommit& commit : result.sessions) {
      if (commit.session != ids_[who]) continue;
      for (uint64_t n = 1; n <= commit.serial; ++n) expected[KeyOf(who, n)] += IsRead(n) ? 0 : 1;
    }
  }
  auto session = kv_->StartSession();
  for (uint64_t key = 0; key < kKeys; ++key) {
    uint64_t value = 0;
    Status status = session->Read(key, &value);
    if (status == Status::kPending) {
      session->CompletePending(true, [&](const SessionType::Op& op) {
        status = op.result;
        value = op.result == Status::kOk ? op.value.Value() : 0;
      });
    }
    ASSERT_EQ(value, expected[key]) << "key " << key << " " << StatusName(status);
  }
  session.reset();
}

INSTANTIATE_TEST_SUITE_P(Geometries, F2Stress,
                         ::testing::Values(Geometry{9, 1, 0, ShiftScheme::kFine},
                                           Geometry{10, 1, 2048, ShiftScheme::kFine},
                                           Geometry{9, 4, 4096, ShiftScheme::kCoarse},
                                           Geometry{12, 1, 0, ShiftScheme::kCoarse}));

}  // namespace
}  // namespace faster
