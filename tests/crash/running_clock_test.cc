// What a campaign calls stuck is stuck by a clock that does not run while the campaign itself is stopped.
#include "experiments/common/running_clock.h"

#include <gtest/gtest.h>

namespace experiments {
namespace {

TEST(RunningClock, APauseCountsAsOneLook) {
  RunningClock clock(100);
  EXPECT_DOUBLE_EQ(clock.Look(100.25), 0.25);
  EXPECT_DOUBLE_EQ(clock.Look(100.5), 0.5);
  EXPECT_DOUBLE_EQ(clock.Look(160), 1.5);  // stopped for a minute
  EXPECT_DOUBLE_EQ(clock.Look(160.25), 1.75);
}

TEST(RunningClock, RunsWithWhoLooksOften) {
  RunningClock clock(0);
  double passed = 0;
  for (int i = 1; i <= 400; ++i) passed = clock.Look(i * 0.1);
  EXPECT_NEAR(passed, 40, 1e-6);
}

}  // namespace
}  // namespace experiments
