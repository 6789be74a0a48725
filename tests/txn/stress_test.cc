// Many threads, commits all the time, and invariants that hold in every serial execution: the sum of all
// balances, seen by readers and by every recovery, and each client's own record, which counts its serials.
#include <algorithm>
#include <atomic>

#include "tests/txn/test_txn_store.h"
#include "workloads/generators.h"

namespace workloads::txn {
namespace {

constexpr uint64_t kAccounts = 24, kBalance = 1000, kCounters = 40;
constexpr int kThreads = 4;

TxnConfig StressConfig(CommitScheme scheme) {
  TxnConfig config = SmallConfig(scheme);
  config.tables = {{1, 64}};
  config.log_ring_bytes = 16 << 10;
  return config;
}

// Moves something from one account to another and counts; sums up every eighth time.
class Teller {
 public:
  Teller(TestTxnStore* world, uint64_t id) : client_(world->Open(id)), random_(id * 77 + 1) {}

  void Step(std::atomic<uint64_t>* wrong_sums) {
    if (random_.Below(8) == 0) return Sum(wrong_sums);
    const uint64_t from = random_.Below(kAccounts),
                   to = (from + 1 + random_.Below(kAccounts - 1)) % kAccounts;
    const uint64_t amount = random_.Below(50);
    const uint64_t serial = client_->serial() + 1;
    client_->Execute([&](Transaction& transaction) {
      uint64_t* const source = transaction.Write(0, from);
      uint64_t* const target = source == nullptr ? nullptr : transaction.Write(0, to);
      uint64_t* const own = target == nullptr ? nullptr : transaction.Write(0, kCounters + client_->id());
      if (own == nullptr) return false;
      *source -= amount;
      *target += amount;
      *own = serial;
      return true;
    });
  }

 private:
  void Sum(std::atomic<uint64_t>* wrong_sums) {
    uint64_t sum = 0;
    const uint64_t serial = client_->serial() + 1;
    const TxnResult result = client_->Execute([&](Transaction& transaction) {
      sum = 0;
      for (uint64_t key = 0; key < kAccounts; ++key) {
        const uint64_t* const balance = transaction.Read(0, key);
        if (balance == nullptr) return false;
        sum += *balance;
      }
      uint64_t* const own = transaction.Write(0, kCounters + client_->id());
      if (own == nullptr) return false;
      *own = serial;
      return true;
    });
    if (result.committed() && sum != kAccounts * kBalance) wrong_sums->fetch_add(1);
  }

  std::unique_ptr<Client> client_;
  Random random_;
};

void ExpectSound(TestTxnStore& world, const std::vector<ClientPoint>& points) {
  uint64_t sum = 0;
  for (uint64_t key = 0; key < kAccounts; ++key) sum += world.Value(0, key);
  EXPECT_EQ(sum, kAccounts * kBalance);
  for (const ClientPoint& point : points)
    EXPECT_EQ(world.Value(0, kCounters + point.client), point.serial) << "client " << point.client;
}

class TxnStress : public ::testing::TestWithParam<CommitScheme> {};
INSTANTIATE_TEST_SUITE_P(Scheme, TxnStress, ::testing::ValuesIn(kSchemes), NameOf);

TEST_P(TxnStress, EveryCommitIsAPrefixOfEveryClient) {
  MemoryStorage storage;
  TestTxnStore world(&storage, StressConfig(GetParam()));
  const uint64_t balance = kBalance;
  for (uint64_t key = 0; key < kAccounts; ++key) EXPECT_EQ(world.store().Load(0, key, &balance), Status::kOk);
  ASSERT_EQ(world.Start(), Status::kOk);
  uint64_t commits = 0;
  for (int life = 0; life < 6; ++life) {
    std::atomic<uint64_t> wrong_sums{0};
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (uint64_t id = 1; id <= kThreads; ++id) {
      threads.emplace_back([&, id] {
        while (!stop.load(std::memory_order_relaxed)) {
          Teller teller(&world, id);  // a client is closed and opened again now and then
          for (int i = 0; i < 3000; ++i) teller.Step(&wrong_sums);
        }
      });
    }
    std::vector<ClientPoint> reported;
    for (int i = 0; i < 12; ++i) {
      const Commit commit = world.CommitNow();
      ASSERT_EQ(commit.status, Status::kOk) << commit.why.Text();
      for (const ClientPoint& point : commit.points)
        EXPECT_GE(point.serial, PointOf(reported, point.client)) << "a point went back";
      reported = commit.points;
      ++commits;
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong_sums.load(), 0u);
    ASSERT_EQ(world.Recover(), Status::kOk) << world.why().Text();
    for (const ClientPoint& point : reported) {
      const uint64_t recovered = PointOf(world.recovered().points, point.client);
      // A group commit may have ended after the last one that was asked for.
      EXPECT_TRUE(recovered == point.serial ||
                  (GetParam() == CommitScheme::kWal && recovered > point.serial));
    }
    ExpectSound(world, world.recovered().points);
  }
  EXPECT_EQ(commits, 72u);
}

}  // namespace
}  // namespace workloads::txn
