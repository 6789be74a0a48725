// What figure-cut-sim asks of a campaign, and what it reads from its results.
#include "experiments/figures/cut_sim/cut_scenario.h"

#include <gtest/gtest.h>

namespace experiments::figures {
namespace {

TEST(CutScenario, HasSessionsAndADriver) {
  const auto json = ScenarioOf({3, 8, 4, 16, "log/snapshot"});
  const auto& actors = json["incarnations"][0]["actors"];
  ASSERT_EQ(actors.size(), 4u);
  EXPECT_EQ(actors[1]["actions"].size(), 8u);
  EXPECT_EQ(actors[1]["actions"][3], "rmw 0");  // the second session's fourth
  EXPECT_EQ(actors[3]["actions"][0], "await-operations 6");
  EXPECT_EQ(actors[3]["actions"][1], "checkpoint log/snapshot");
  EXPECT_EQ(json["geometry"]["refresh_interval"], 16);
}

TEST(CutScenario, Tally) {
  CutTally tally;
  std::string error;
  EXPECT_TRUE(
      TallyOf({{"executions", 100}, {"recoveries_of_own_checkpoint", 80}, {"not_buffered_durable", 4}},
              &tally, &error));
  EXPECT_EQ(tally.recovered, 80);
  EXPECT_EQ(tally.unbuffered, 4);
  EXPECT_FALSE(TallyOf({{"executions", 100}}, &tally, &error));
  EXPECT_NE(error.find("recoveries_of_own_checkpoint"), std::string::npos);
  EXPECT_FALSE(
      TallyOf({{"executions", 100}, {"recoveries_of_own_checkpoint", 0}, {"not_buffered_durable", 0}}, &tally,
              &error));
}

}  // namespace
}  // namespace experiments::figures
