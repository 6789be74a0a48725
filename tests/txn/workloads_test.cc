// The workloads and their driver: what a run leaves is consistent, comes back so, and what is not is seen.
#include <algorithm>
#include <cmath>

#include "tests/txn/test_txn_store.h"
#include "workloads/txn/driver.h"
#include "workloads/txn/tpcc.h"
#include "workloads/txn/ycsb_transactions.h"

namespace workloads::txn {
namespace {

TpccOptions SmallTpcc() {
  TpccOptions options;
  options.warehouses = 2;
  options.customers_per_district = 30;
  options.items = 200;
  options.window = 20;  // rings wrap
  options.home_only = false;
  options.home_per_thread = false;
  options.rollback_share = 0.05;
  return options;
}

// A store with a workload in it, run by a driver.
class Bench {
 public:
  Bench(CommitScheme scheme, const Workload& workload, MemoryStorage* storage)
      : workload_(workload), storage_(storage) {
    config_.scheme = scheme;
    config_.tables = workload.Tables();
    config_.directory = "store";
    Renew();
  }
  void Start() {
    EXPECT_EQ(workload_.Load(store_.get()), Status::kOk);
    Diagnosis why;
    ASSERT_EQ(store_->Start(&why), Status::kOk) << why.Text();
  }
  void Recover(RecoveredTxns* state) {
    Renew();
    Diagnosis why;
    ASSERT_EQ(store_->Recover(state, &why), Status::kOk) << why.Text();
  }
  RunResult Run(const DriverOptions& options) {
    Driver driver(options, &workload_, store_.get(), observer_.get());
    RunResult result;
    std::string error;
    EXPECT_EQ(driver.Run(&result, &error), Status::kOk) << error;
    EXPECT_EQ(result.failed, 0u) << StatusName(result.failure);
    return result;
  }
  TxnStore& store() { return *store_; }

 private:
  void Renew() {
    store_.reset();
    observer_ = std::make_unique<RunObserver>();
    store_ = std::make_unique<TxnStore>(config_, storage_, observer_.get());
  }
  const Workload& workload_;
  MemoryStorage* const storage_;
  TxnConfig config_;
  std::unique_ptr<RunObserver> observer_;
  std::unique_ptr<TxnStore> store_;
};

std::string Lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

class TxnWorkloads : public ::testing::TestWithParam<CommitScheme> {};
INSTANTIATE_TEST_SUITE_P(Scheme, TxnWorkloads, ::testing::ValuesIn(kSchemes), NameOf);

TEST_P(TxnWorkloads, TpccIsConsistentAfterARunAndAfterRecoveries) {
  const Tpcc tpcc(SmallTpcc());
  MemoryStorage storage;
  Bench bench(GetParam(), tpcc, &storage);
  bench.Start();
  EXPECT_EQ(Lines(tpcc.Check(bench.store())), "");
  DriverOptions options;
  options.threads = 3;
  options.transactions = 4000;
  options.commits_at = {0.001, 0.005, 0.01, 0.02, 0.03};
  uint64_t done = 0;
  for (int life = 0; life < 3; ++life) {
    options.commit_at_end = life == 1;  // else the end of the run is lost
    const RunResult result = bench.Run(options);
    EXPECT_EQ(result.committed, 4000u);
    EXPECT_GT(result.given_up, 20u);
    for (const CommitRun& commit : result.commits) {
      EXPECT_EQ(commit.status, Status::kOk) << commit.why;
      EXPECT_GE(commit.ended, commit.requested);
    }
    EXPECT_EQ(Lines(tpcc.Check(bench.store())), "") << "after run " << life;
    RecoveredTxns state;
    bench.Recover(&state);
    EXPECT_EQ(Lines(tpcc.Check(bench.store())), "") << "after recovery " << life;
    uint64_t points = 0;
    for (const ClientPoint& point : state.points) points += point.serial;
    EXPECT_LE(points, done + 4000);
    EXPECT_TRUE(life != 1 || points == done + 4000);
    EXPECT_GE(points, done);
    done = points;
  }
}

// Every condition can be broken, and is then named.
TEST(TpccCheck, WhatIsBrokenIsSeen) {
  using namespace tpcc;
  const Tpcc tpcc(SmallTpcc());
  MemoryStorage storage;
  Bench bench(CommitScheme::kCpr, tpcc, &storage);
  bench.Start();
  DriverOptions options;
  options.transactions = 3000;
  bench.Run(options);
  ASSERT_EQ(Lines(tpcc.Check(bench.store())), "");
  struct Break {
    uint32_t table;
    uint64_t key;
    uint32_t word;
    const char* condition;
  };
  const Break breaks[] = {{kWarehouse, 1, WarehouseRow::kYtd, "C1"},
                          {kDistrict, 3, DistrictRow::kYtd, "C1"},
                          {kDistrict, 3, DistrictRow::kYtd, "C9"},
                          {kDistrict, 4, DistrictRow::kNextOrder, "C2"},
                          {kNewOrder, 45, 0, "C3"},
                          {kOrder, 45, OrderRow::kLines, "C4"},
                          {kOrder, 45, OrderRow::kNumber, "C5"},
                          {kOrderLine, 45 * kMostLines, OrderLineRow::kOrder, "C6"},
                          {kOrder, 46, OrderRow::kLines, "C6"},
                          {kHistory, 47, HistoryRow::kAmount, "C8"},
                          {kHistory, 47, HistoryRow::kAmount, "C9"},
                          {kCustomer, 11, CustomerRow::kBalance, "C10"},
                          {kCustomer, 11, CustomerRow::kYtdPayment, "X1"},
                          {kStock, 17, StockRow::kOrders, "X2"},
                          {kCustomer, 12, CustomerRow::kPayments, "X3"}};
  std::unique_ptr<Client> client;
  ASSERT_EQ(bench.store().StartClient(99, &client), Status::kOk);
  for (const Break& one : breaks) {
    const auto change = [&](uint64_t by) {
      EXPECT_TRUE(client
                      ->Execute([&](Transaction& transaction) {
                        uint64_t* const row = transaction.Write(one.table, one.key);
                        row[one.word] += by;
                        return true;
                      })
                      .committed());
    };
    change(1000);
    const std::vector<std::string> wrong = tpcc.Check(bench.store());
    EXPECT_TRUE(std::any_of(wrong.begin(), wrong.end(),
                            [&](const std::string& line) { return line.starts_with(one.condition); }))
        << one.condition << " not in\n"
        << Lines(wrong);
    change(-uint64_t{1000});
    ASSERT_EQ(Lines(tpcc.Check(bench.store())), "");
  }
}

TEST_P(TxnWorkloads, YcsbTransactionsLeaveWhatTheirSerialsSay) {
  YcsbTransactionOptions ycsb;
  ycsb.keys = 50;
  ycsb.keys_per_transaction = 4;
  ycsb.drawn_per_thread = 1000;
  ycsb.theta = 0.99;
  ASSERT_EQ(CheckYcsbTransactions(ycsb), "");
  const YcsbTransactions workload(ycsb);
  MemoryStorage storage;
  Bench bench(GetParam(), workload, &storage);
  bench.Start();
  DriverOptions options;
  options.threads = 3;
  options.transactions = 20'000;
  options.commits_at = {0.001, 0.003, 0.006, 0.009, 0.012};
  RunResult result = bench.Run(options);
  EXPECT_EQ(result.committed, 20'000u);
  EXPECT_GT(result.latency.count(), 100u);
  EXPECT_EQ(Lines(workload.Check(bench.store())), "");
  RecoveredTxns state;
  bench.Recover(&state);
  EXPECT_EQ(Lines(workload.Check(bench.store())), "");
  uint64_t writes = 0, transactions = 0;
  for (const ClientPoint& point : state.points) {
    transactions += point.serial;
    for (uint64_t serial = 1; serial <= point.serial; ++serial)
      writes += workload.WritesOf(static_cast<uint32_t>(point.client - 1), serial);
  }
  EXPECT_GT(transactions, 0u) << "no commit was in time";
  EXPECT_EQ(workload.Writes(bench.store()), writes);
  // The clients go on where they were.
  result = bench.Run(options);
  EXPECT_EQ(result.committed, 20'000u);
  EXPECT_EQ(Lines(workload.Check(bench.store())), "");
}

TEST_P(TxnWorkloads, ADriverRunsForATimeSamplesAndBreaksDown) {
  YcsbTransactionOptions ycsb;
  ycsb.keys = 1000;
  ycsb.drawn_per_thread = 1000;
  const YcsbTransactions workload(ycsb);
  MemoryStorage storage;
  Bench bench(GetParam(), workload, &storage);
  bench.Start();
  DriverOptions options;
  options.threads = 2;
  options.seconds = 0.3;
  options.sample_seconds = 0.05;
  options.commits_at = {0.1, 0.2};
  options.timed = true;
  const RunResult result = bench.Run(options);
  EXPECT_GE(result.seconds, 0.3);
  EXPECT_GT(result.committed, 1000u);
  ASSERT_GE(result.samples.size(), 4u);
  EXPECT_EQ(result.samples.back().committed, result.committed);
  EXPECT_TRUE(std::is_sorted(result.samples.begin(), result.samples.end(),
                             [](const Sample& a, const Sample& b) { return a.committed < b.committed; }));
  EXPECT_TRUE(std::any_of(result.samples.begin(), result.samples.end(),
                          [](const Sample& sample) { return sample.latency_ns > 0; }));
  ASSERT_EQ(result.commits.size(), 2u);
  for (const CommitRun& commit : result.commits) {
    EXPECT_EQ(commit.status, Status::kOk);
    EXPECT_GE(commit.requested, 0.1);
    EXPECT_GT(commit.ended, commit.requested);
    EXPECT_TRUE(commit.bytes > 0 || GetParam() == CommitScheme::kWal) << "an earlier flush may have all";
  }
  EXPECT_EQ(result.phases.size(), GetParam() == CommitScheme::kCpr    ? 8u
                                  : GetParam() == CommitScheme::kCalc ? 6u
                                                                      : 0u);
  EXPECT_GT(result.times.exec, 0);
  EXPECT_EQ(result.times.tail > 0, GetParam() != CommitScheme::kCpr);
  EXPECT_EQ(result.times.log > 0, GetParam() == CommitScheme::kWal);
}

TEST(TxnOptions, WhatCannotWorkIsSaidInOneLine) {
  YcsbTransactionOptions ycsb;
  ycsb.keys_per_transaction = 65;
  EXPECT_NE(CheckYcsbTransactions(ycsb), "");
  ycsb.keys_per_transaction = 10;
  ycsb.keys = 10;
  EXPECT_NE(CheckYcsbTransactions(ycsb), "");
  ycsb.keys = 11;
  EXPECT_EQ(CheckYcsbTransactions(ycsb), "");
  ycsb.write_share = std::nan("");
  EXPECT_NE(CheckYcsbTransactions(ycsb), "");
  TpccOptions tpcc;
  EXPECT_EQ(CheckTpcc(tpcc), "");
  tpcc.warehouses = 0;
  EXPECT_NE(CheckTpcc(tpcc), "");
  DriverOptions driver;
  EXPECT_NE(CheckDriverOptions(driver), "");
  driver.seconds = 1;
  EXPECT_EQ(CheckDriverOptions(driver), "");
  driver.commits_at = {2, 1};
  EXPECT_NE(CheckDriverOptions(driver), "");
}

// Transaction `serial` of a thread is the same whenever it is drawn.
TEST(TxnOptions, ATransactionIsAFunctionOfItsSerial) {
  TpccOptions options = SmallTpcc();
  const Tpcc tpcc(options);
  uint64_t sums[2] = {};
  for (uint64_t& sum : sums) {
    MemoryStorage storage;
    Bench bench(CommitScheme::kCpr, tpcc, &storage);
    bench.Start();
    DriverOptions driver;
    driver.transactions = 500;
    for (int part = 0; part < (&sum == sums ? 2 : 1); ++part) {  // in two runs, or in one
      driver.transactions = &sum == sums ? 500 : 1000;
      bench.Run(driver);
    }
    for (uint32_t table = 0; table < tpcc::kTables; ++table) {
      bench.store().ForEach(table, [&](uint64_t key, const uint64_t* value) {
        for (uint32_t i = 0; i < tpcc::kWords[table]; ++i) sum += value[i] * (key * 2 + i * 2 + 1);
      });
    }
  }
  EXPECT_EQ(sums[0], sums[1]);
}

}  // namespace
}  // namespace workloads::txn
