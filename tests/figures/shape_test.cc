// What the course of a run says in numbers, from courses that are known.
#include "experiments/figures/time_series/shape.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace experiments::figures::time_series {
namespace {

using workloads::ycsb::CheckpointEvent;

// A sample every 0.1 s.
std::vector<Sample> Course(const std::vector<double>& mops) {
  std::vector<Sample> samples;
  for (const double value : mops) {
    Sample sample;
    sample.seconds = 0.1 * static_cast<double>(samples.size() + 1);
    sample.mops = value;
    sample.latency_mean_ns = sample.latency_p99_ns = NAN;
    samples.push_back(sample);
  }
  return samples;
}
std::map<std::string, double> Map(const Metrics& metrics) { return {metrics.begin(), metrics.end()}; }

TEST(ThroughputShapes, DipLossAndRecovery) {
  // Rest is 10; from 0.5 s on half a second at 4, then back.
  std::vector<double> mops(20, 10);
  for (int i = 5; i < 10; ++i) mops[static_cast<size_t>(i)] = 4;
  const auto shape = Map(ThroughputShape(Course(mops), {0.51}));
  EXPECT_EQ(shape.at("rest_mops"), 10);
  EXPECT_NEAR(shape.at("dip"), 0.6, 1e-9);
  EXPECT_NEAR(shape.at("dip_1"), 0.6, 1e-9);
  EXPECT_NEAR(shape.at("lost_seconds"), 0.3, 1e-9);
  EXPECT_NEAR(shape.at("recovery_seconds_1"), 0.49, 1e-9);  // at 1.0 s
  EXPECT_NEAR(shape.at("recovered"), 1, 1e-9);
}

TEST(ThroughputShapes, OneOddSampleIsNoDip) {
  std::vector<double> mops(20, 10);
  mops[8] = 1;
  EXPECT_NEAR(Map(ThroughputShape(Course(mops), {0.51})).at("dip"), 0.3, 1e-9);
}

TEST(ThroughputShapes, WindowsEndWithTheNextRequest) {
  std::vector<double> mops(30, 10);
  for (size_t i = 10; i < 20; ++i) mops[i] = 5;   // never comes back in its window
  for (size_t i = 20; i < 30; ++i) mops[i] = 12;  // more than rest: below 0
  const auto shape = Map(ThroughputShape(Course(mops), {1.01, 2.01}));
  EXPECT_NEAR(shape.at("recovery_seconds_1"), 0.99, 1e-9);
  EXPECT_NEAR(shape.at("recovered_1"), 0.5, 1e-9);
  EXPECT_NEAR(shape.at("lost_seconds_1"), 1 - 5 / 7.5, 1e-9);  // by the mean of 10 and 5
  EXPECT_NEAR(shape.at("lost_seconds_2"), 1 - 12 / 8.5, 1e-9);
  EXPECT_NEAR(shape.at("lost_seconds"), 2 - 5 / 7.5 - 12 / 8.5, 1e-9);
}

TEST(ThroughputShapes, NothingBeforeTheFirstRequestIsNoShape) {
  EXPECT_TRUE(ThroughputShape(Course({1, 2, 3}), {0.05}).empty());
}

TEST(LatencyShapes, SpikesOverRest) {
  std::vector<Sample> samples = Course(std::vector<double>(10, 1));
  for (Sample& sample : samples) sample.latency_mean_ns = 100, sample.latency_p99_ns = 300;
  samples[1].latency_mean_ns = NAN;
  samples[5].latency_mean_ns = 5000;
  samples[6].latency_p99_ns = 9000;
  samples[5].phase = samples[6].phase = samples[7].phase = faster::Phase::kWaitFlush;
  const auto shape = Map(LatencyShape(samples, {0.45}));
  EXPECT_EQ(shape.at("latency_rest_ns"), 100);
  EXPECT_EQ(shape.at("latency_spike_ns"), 5000);
  EXPECT_EQ(shape.at("latency_spike_1"), 50);
  EXPECT_EQ(shape.at("latency_p99_spike_ns"), 9000);
  EXPECT_EQ(shape.at("latency_during"), 1);  // a median: one sample does not change it
  EXPECT_TRUE(LatencyShape(Course({1, 1}), {0.15}).empty());
}

TEST(PhaseShapes, FlushAgainstTheLongestOther) {
  CheckpointEvent event;
  event.requested = 1;
  event.ended = 2.1;
  event.status = faster::Status::kOk;
  event.phases = {{faster::Phase::kPrepIndex, 1},
                  {faster::Phase::kIndex, 1.001},
                  {faster::Phase::kPrepare, 1.501},
                  {faster::Phase::kInProgress, 1.502},
                  {faster::Phase::kWaitPending, 1.504},
                  {faster::Phase::kWaitFlush, 1.505},
                  {faster::Phase::kPersistenceCallback, 2.105},
                  {faster::Phase::kRest, 2.106}};
  CheckpointEvent failed = event;
  failed.status = faster::Status::kIoError;
  failed.ended = 100;
  const auto shape = Map(PhaseShape({event, failed}));
  EXPECT_NEAR(shape.at("phase_wait_flush_seconds"), 0.6, 1e-9);
  EXPECT_NEAR(shape.at("phase_index_chkpt_seconds"), 0.5, 1e-9);
  EXPECT_NEAR(shape.at("phase_others_seconds"), 0.002, 1e-9);  // the copy of the index does not count
  EXPECT_NEAR(shape.at("flush_over_others"), 300, 1e-6);
  EXPECT_NEAR(shape.at("checkpoint_seconds"), 1.1, 1e-9);
  EXPECT_EQ(shape.count("phase_rest_seconds"), 0u);
  EXPECT_TRUE(PhaseShape({failed}).empty());
}

}  // namespace
}  // namespace experiments::figures::time_series
