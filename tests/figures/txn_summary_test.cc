// What figure-txn computes from a run: rates, shares, and how throughput fares while commits run.
#include <gtest/gtest.h>

#include <map>

#include "experiments/figures/txn/summary.h"

namespace experiments::figures::txn {
namespace {

using workloads::txn::CommitRun;
using workloads::txn::RunResult;
using workloads::txn::Sample;

std::map<std::string, double> Named(const Metrics& metrics) { return {metrics.begin(), metrics.end()}; }

Sample At(double seconds, uint64_t committed) {
  Sample sample;
  sample.seconds = seconds;
  sample.committed = committed;
  return sample;
}

CommitRun Asked(double requested, double ended, faster::Status status = faster::Status::kOk) {
  CommitRun run;
  run.requested = requested;
  run.ended = ended;
  run.status = status;
  return run;
}

// 100 a second, but 60 a second from second 3 to 5.
std::vector<Sample> Dip() {
  return {At(1, 100), At(2, 200), At(3, 300), At(4, 360), At(5, 420), At(6, 520), At(7, 620), At(8, 720)};
}

TEST(TxnSummary, RatesAreOfTheTimeSinceTheSampleBefore) {
  const std::vector<double> rates = Rates({At(0.5, 100), At(1.5, 150), At(1.75, 250)});
  ASSERT_EQ(rates.size(), 3u);
  EXPECT_DOUBLE_EQ(rates[0], 200);
  EXPECT_DOUBLE_EQ(rates[1], 50);
  EXPECT_DOUBLE_EQ(rates[2], 400);
}

TEST(TxnSummary, ARunsShares) {
  RunResult result;
  result.seconds = 2;
  result.committed = 600;
  result.conflicts = 300;
  result.shifts = 100;
  result.given_up = 200;
  auto metrics = Named(RunMetrics(result, 3));
  EXPECT_DOUBLE_EQ(metrics["throughput"], 300);
  EXPECT_DOUBLE_EQ(metrics["transaction_ns"], 1e7);
  EXPECT_DOUBLE_EQ(metrics["abort_rate"], 0.4);
  EXPECT_DOUBLE_EQ(metrics["conflict_rate"], 0.3);
  EXPECT_DOUBLE_EQ(metrics["shift_rate"], 0.1);
  EXPECT_DOUBLE_EQ(metrics["given_up_rate"], 0.25);
  EXPECT_FALSE(metrics.contains("latency_mean_ns"));
  for (uint64_t i = 1; i <= 100; ++i) result.latency.Record(i);
  metrics = Named(RunMetrics(result, 3));
  EXPECT_DOUBLE_EQ(metrics["latency_mean_ns"], 50.5);
  EXPECT_DOUBLE_EQ(metrics["latency_p50_ns"], 50);
  EXPECT_DOUBLE_EQ(metrics["latency_p99_ns"], 99);
}

TEST(TxnSummary, PartsAreSharesOfAll) {
  auto metrics = Named(BreakdownMetrics({60, 20, 15, 5}));
  EXPECT_DOUBLE_EQ(metrics["exec_percent"], 60);
  EXPECT_DOUBLE_EQ(metrics["tail_percent"], 20);
  EXPECT_DOUBLE_EQ(metrics["log_percent"], 15);
  EXPECT_DOUBLE_EQ(metrics["abort_percent"], 5);
  EXPECT_DOUBLE_EQ(Named(BreakdownMetrics({30, 10, 0, 0}))["exec_percent"], 75);
  EXPECT_TRUE(BreakdownMetrics({}).empty());
}

TEST(TxnSummary, ACommitIsComparedWithWhatNoCommitTouches) {
  auto metrics = Named(CommitMetrics(Dip(), {Asked(3, 5)}));
  EXPECT_DOUBLE_EQ(metrics["rest_throughput"], 100);
  EXPECT_DOUBLE_EQ(metrics["commit_throughput_1"], 60);
  EXPECT_DOUBLE_EQ(metrics["commit_ratio"], 0.6);
  EXPECT_DOUBLE_EQ(metrics["commit_seconds"], 2);
}

TEST(TxnSummary, SamplesThatReachOutOfTheCommitAreNotOfIt) {
  // Wholly within it is only the sample of second 3 to 4.
  auto metrics = Named(CommitMetrics(Dip(), {Asked(2.5, 4.5)}));
  EXPECT_DOUBLE_EQ(metrics["commit_throughput_1"], 60);
  EXPECT_DOUBLE_EQ(metrics["rest_throughput"], 100);
}

TEST(TxnSummary, TheRatioIsTheMedianOfTheCommits) {
  // Ratios 1, 0.6, 1: commits without a dip before and after it.
  auto metrics = Named(CommitMetrics(Dip(), {Asked(1, 2), Asked(3, 5), Asked(6, 7)}));
  EXPECT_DOUBLE_EQ(metrics["commit_ratio_1"], 1);
  EXPECT_DOUBLE_EQ(metrics["commit_ratio_2"], 0.6);
  EXPECT_DOUBLE_EQ(metrics["commit_ratio_3"], 1);
  EXPECT_DOUBLE_EQ(metrics["commit_ratio"], 1);
}

TEST(TxnSummary, WhatCannotBeSeenHasNoNumber) {
  // Too short for a sample of its own.
  auto metrics = Named(CommitMetrics(Dip(), {Asked(3.1, 3.9)}));
  EXPECT_FALSE(metrics.contains("commit_ratio"));
  EXPECT_TRUE(metrics.contains("commit_seconds"));
  // One that failed has no ratio, and what it touches is not rest either.
  metrics = Named(CommitMetrics(Dip(), {Asked(3, 5, faster::Status::kIoError)}));
  EXPECT_FALSE(metrics.contains("commit_ratio"));
  EXPECT_DOUBLE_EQ(metrics["rest_throughput"], 100);
  // Always one running: nothing to compare with.
  EXPECT_TRUE(CommitMetrics(Dip(), {Asked(0, 8)}).empty());
}

}  // namespace
}  // namespace experiments::figures::txn
