// What figure-cut computes of commit points in time, and a short run of it.
#include "experiments/figures/cut/cut.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "experiments/figures/cut/cut_run.h"

namespace experiments::figures {
namespace {

// Operations of 10 ns: the last one inside began 10 before the point.
SessionCut At(uint64_t point) { return {point - 10, point, point + 10}; }

TEST(Cut, IsBufferedWhileOperationsAtTheBorderOverlap) {
  EXPECT_TRUE(IsBuffered({0, 0, {At(100), At(100)}}));
  EXPECT_TRUE(IsBuffered({0, 0, {At(100), At(115)}}));   // 110 is not before 105
  EXPECT_TRUE(IsBuffered({0, 0, {At(100), At(120)}}));   // 110 and 110
  EXPECT_FALSE(IsBuffered({0, 0, {At(100), At(121)}}));  // returned at 110, invoked at 111
  EXPECT_FALSE(IsBuffered({0, 0, {At(121), At(100)}}));
  EXPECT_FALSE(IsBuffered({0, 0, {At(110), At(100), At(125)}}));
}

TEST(Cut, OneSessionIsAlwaysBuffered) { EXPECT_TRUE(IsBuffered({0, 0, {{50, 60, 55}}})); }

TEST(Cut, SpreadIsBetweenEarliestAndLatestPoint) {
  EXPECT_EQ(Spread({0, 0, {}}), 0u);
  EXPECT_EQ(Spread({0, 0, {At(130), At(100), At(110)}}), 30u);
}

TEST(Cut, Metrics) {
  const std::vector<Cut> cuts = {{0, 2'000'000, {At(1000), At(1000)}},
                                 {0, 4'000'000, {At(1000), At(5000)}},
                                 {0, 9'000'000, {At(1000), At(9000)}}};
  const CutMetrics list = MetricsOf(cuts, {{10, 1'000'000}, {30, 5'000'000}});
  const std::map<std::string, double> metrics(list.begin(), list.end());
  EXPECT_DOUBLE_EQ(metrics.at("cuts"), 3);
  EXPECT_DOUBLE_EQ(metrics.at("unbuffered_share"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.at("spread_us"), 4);
  EXPECT_DOUBLE_EQ(metrics.at("commit_ms"), 4);
  EXPECT_DOUBLE_EQ(metrics.at("lost_operations"), 20);
  EXPECT_DOUBLE_EQ(metrics.at("lost_ms"), 3);
  EXPECT_DOUBLE_EQ(metrics.at("lost_most"), 30);
  EXPECT_TRUE(MetricsOf({}, {}).empty());
}

TEST(CutRun, FindsItsCutsInTime) {
  const std::string folder = ::testing::TempDir() + "cut_run_test";
  std::filesystem::create_directories(folder);
  CutPlan plan;
  plan.sessions = 2;
  plan.keys = 1000;
  plan.period_ns = 20'000'000;
  plan.duration_ns = 300'000'000;
  plan.poll_ns = 50'000;
  plan.sync = false;
  CutResult result;
  std::string error;
  EXPECT_TRUE(RunCuts(plan, folder, &result, &error)) << error;
  ASSERT_GE(result.cuts.size(), 1u);
  for (const Cut& cut : result.cuts) {
    ASSERT_EQ(cut.sessions.size(), 2u);
    EXPECT_TRUE(IsBuffered(cut));  // sessions look at the phase in every operation
    for (const SessionCut& session : cut.sessions) {
      EXPECT_LE(session.last_invoked, session.point);
      EXPECT_LE(session.point, session.first_returned);
      EXPECT_GE(session.first_returned, cut.requested);
      EXPECT_LE(session.last_invoked, cut.durable);
    }
  }
  EXPECT_GE(result.losses.size(), 1u);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace experiments::figures
