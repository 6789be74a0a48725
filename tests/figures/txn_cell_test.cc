// Cells of the transactional figures that take a moment, measured by the programs themselves.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "experiments/figures/txn/measure.h"
#include "workloads/txn/ycsb_transactions.h"

namespace experiments::figures::txn {
namespace {

using Json = nlohmann::ordered_json;

Json RunParameters(const std::string& scheme) {
  return {{"scheme", scheme},        {"threads", 2},
          {"warm_up_seconds", 0.02}, {"seconds", 0.15},
          {"sample_seconds", 0.01},  {"commits_at", {0.03, 0.09}},
          {"timed", true},           {"latency_every", 4},
          {"refresh_interval", 1},   {"log_ring_bytes", 1 << 20},
          {"write_mb_per_s", 0},     {"sync", true}};
}
Json Ycsb(const std::string& scheme) {
  Json parameters = RunParameters(scheme);
  parameters.update(Json{{"keys", 2000},
                         {"keys_per_transaction", 3},
                         {"value_words", 1},
                         {"drawn_per_thread", 4096},
                         {"read_percent", 50},
                         {"distribution", "zipf_hashed"},
                         {"zipf_theta", 0.99}});
  return parameters;
}
Json SmallTpcc(const std::string& scheme) {
  Json parameters = RunParameters(scheme);
  parameters.update(Json{{"warehouses", 2},
                         {"customers_per_district", 30},
                         {"items", 100},
                         {"window", 20},
                         {"payment_percent", 50},
                         {"home_only", false}});
  return parameters;
}

class TxnCell : public testing::Test {
 protected:
  TxnCell() : folder_(testing::TempDir() + "/txn-cell-" + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~TxnCell() override { std::filesystem::remove_all(folder_); }

  int Measured(const char* program, const Json& parameters) {
    std::ofstream(folder_ + "/parameters.json")
        << Json{{"figure", "test"}, {"series", "s"}, {"x", ""},
                {"round", 0},       {"seed", 5},     {"parameters", parameters}};
    const std::string out = folder_ + "/out";
    const int status = std::system((std::string(program) + " --parameters " + folder_ +
                                    "/parameters.json --out " + out + " 2> " + folder_ + "/error")
                                       .c_str());
    std::ifstream said(folder_ + "/error");
    std::getline(said, error_);
    std::ifstream file(out + "/run.json");
    metrics_ = file ? Json::parse(file)["metrics"] : Json();
    std::ifstream commits(out + "/checkpoints.csv");
    commits_ = 0;
    for (std::string line; std::getline(commits, line);) commits_ += line.find(",ok,") != std::string::npos;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  double Metric(const std::string& name) {
    return metrics_.contains(name) ? metrics_[name].get<double>() : NAN;
  }

  Json metrics_;
  std::string error_;
  int commits_ = 0;

 private:
  const std::string folder_;
};

TEST_F(TxnCell, Ycsb) {
  for (const char* scheme : {"cpr", "calc", "wal"}) {
    SCOPED_TRACE(scheme);
    ASSERT_EQ(Measured(CPR_FIGURE_TXN, Ycsb(scheme)), 0) << error_;
    EXPECT_GT(Metric("throughput"), 1000);
    EXPECT_GT(Metric("latency_p50_ns"), 10);
    EXPECT_GT(Metric("exec_percent"), 5);
    EXPECT_EQ(Metric("tail_percent") > 0, std::string(scheme) != "cpr");
    EXPECT_EQ(Metric("log_percent") > 0, std::string(scheme) == "wal");
    EXPECT_GE(Metric("transactions_checked"), Metric("throughput") * 0.15);
    EXPECT_GE(commits_, 1);
  }
}

TEST_F(TxnCell, TpccKeepsItsConditions) {
  for (const char* scheme : {"cpr", "calc", "wal"}) {
    SCOPED_TRACE(scheme);
    ASSERT_EQ(Measured(CPR_FIGURE_TXN_TPCC, SmallTpcc(scheme)), 0) << error_;
    EXPECT_GT(Metric("throughput"), 100);
    EXPECT_GE(commits_, 1);
  }
}

TEST_F(TxnCell, Atomics) {
  const auto count = [&](const char* scheme) {
    return Measured(CPR_FIGURE_TXN_ATOMICS, {{"scheme", scheme},
                                             {"clients", 3},
                                             {"keys_per_transaction", 2},
                                             {"transactions_per_client", 4},
                                             {"read_percent", 75}});
  };
  ASSERT_EQ(count("cpr"), 0) << error_;
  EXPECT_EQ(Metric("shared_atomics_per_transaction"), 0);
  // A read's lock is taken and given back, a write's is given back by a store.
  EXPECT_EQ(Metric("own_atomics_per_transaction"), 0.75 * 4 + 0.25 * 2);
  ASSERT_EQ(count("calc"), 0) << error_;
  EXPECT_EQ(Metric("shared_atomics_per_transaction"), 1);
  ASSERT_EQ(count("wal"), 0) << error_;
  EXPECT_EQ(Metric("shared_atomics_per_transaction"), 0.5);  // every second one writes
  EXPECT_EQ(Metric("shared_atomics_per_writing_transaction"), 1);
}

TEST_F(TxnCell, WrongParametersAreNamed) {
  Json parameters = Ycsb("cpr");
  parameters["commits_at"] = {0.09, 0.03};
  EXPECT_EQ(Measured(CPR_FIGURE_TXN, parameters), 2);
  EXPECT_NE(error_.find("ascending"), std::string::npos) << error_;
  parameters = Ycsb("cpr");
  parameters["keys"] = 100;
  parameters["keys_per_transaction"] = 65;
  EXPECT_EQ(Measured(CPR_FIGURE_TXN, parameters), 2);
  EXPECT_NE(error_.find("keys_per_transaction"), std::string::npos) << error_;
}

// What the check finds ends the cell with status 1 (Outcome::kViolated), and nothing is written down.
TEST_F(TxnCell, WhatTheCheckFindsIsAViolation) {
  const workloads::txn::YcsbTransactions workload({.keys = 500, .drawn_per_thread = 1000});
  RunSettings settings;
  settings.scheme = "cpr";
  settings.threads = 2;
  settings.seconds = 0.03;
  settings.sample_seconds = 0.01;
  settings.refresh_interval = 1;
  settings.log_ring_bytes = 1 << 16;
  settings.warm_up_seconds = 0.01;
  const std::string folder = testing::TempDir() + "/txn-violation-" + std::to_string(getpid());
  Output output(folder);
  std::string problem;
  uint64_t checked = 0;
  const auto fine = [&](const workloads::txn::TxnStore& store, const std::vector<uint64_t>& serials) {
    for (uint32_t thread = 0; thread < serials.size(); ++thread) {
      for (uint64_t serial = 1; serial <= serials[thread]; ++serial)
        checked += workload.WritesOf(thread, serial);
    }
    EXPECT_EQ(workload.Writes(store), checked);
    return std::vector<std::string>();
  };
  EXPECT_EQ(Measure(settings, workload, fine, &output, &problem), Outcome::kMeasured) << problem;
  EXPECT_GT(checked, 0u);
  const auto wrong = [](const workloads::txn::TxnStore&, const std::vector<uint64_t>&) {
    return std::vector<std::string>{"one thing", "another"};
  };
  EXPECT_EQ(Measure(settings, workload, wrong, &output, &problem), Outcome::kViolated);
  EXPECT_EQ(problem, "one thing (and 1 more)");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace experiments::figures::txn
