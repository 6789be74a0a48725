// What a few rounds say: medians, intervals, verdicts and lines.
#include "experiments/bench/statistics.h"

#include <gtest/gtest.h>

namespace experiments::bench {
namespace {

TEST(Statistics, MedianAndPercentile) {
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(Percentile({5, 4, 3, 2, 1}, 0.05), 1);  // of few values the least
  std::vector<double> hundred;
  for (int i = 100; i > 0; --i) hundred.push_back(i);
  EXPECT_EQ(Percentile(hundred, 0.05), 5);
  EXPECT_EQ(Percentile(hundred, 1), 100);
}

TEST(Statistics, AnIntervalNeedsFiveRounds) {
  EXPECT_FALSE(MedianInterval({}).has_value());
  EXPECT_FALSE(MedianInterval({1, 2, 3, 4}).has_value());
  const auto five = MedianInterval({5, 1, 4, 2, 3});
  ASSERT_TRUE(five.has_value());
  EXPECT_EQ(five->low, 1);
  EXPECT_EQ(five->high, 5);
  // Of 8 rounds the second ones: 2 (1 + 8) / 256 = 7 % of misses.
  const auto eight = MedianInterval({8, 7, 6, 5, 4, 3, 2, 1});
  ASSERT_TRUE(eight.has_value());
  EXPECT_EQ(eight->low, 2);
  EXPECT_EQ(eight->high, 7);
}

TEST(Statistics, AVerdictNeedsTheWholeIntervalOnOneSide) {
  const Bar least{0.8, true}, most{1.3, false};
  EXPECT_EQ(Verdict({0.9, 0.85, 0.8, 0.95, 1}, least), "holds");
  EXPECT_EQ(Verdict({0.7, 0.6, 0.5, 0.79, 0.4}, least), "does not hold");
  EXPECT_EQ(Verdict({0.9, 0.85, 0.79, 0.95, 1}, least), "not separable");
  EXPECT_EQ(Verdict({0.9, 0.9, 0.9}, least), "not separable");  // too few to say so
  EXPECT_EQ(Verdict({1.1, 1.2, 1.3, 1, 0.9}, most), "holds");
  EXPECT_EQ(Verdict({1.4, 1.5, 2, 3, 1.31}, most), "does not hold");
  EXPECT_EQ(Verdict({1.4, 1.5, 2, 3, 1.29}, most), "not separable");
}

TEST(Statistics, ALineThroughItsPoints) {
  const std::vector<Point> straight = {{1, 5}, {10, 23}, {100, 203}};
  const Line line = FitLine(straight);
  EXPECT_NEAR(line.fixed, 3, 1e-6);
  EXPECT_NEAR(line.slope, 2, 1e-6);
  EXPECT_NEAR(WorstDeviation(line, straight), 0, 1e-6);
  // What grows as the square is far from any line.
  const std::vector<Point> square = {{1, 1}, {10, 100}, {100, 10000}};
  EXPECT_GT(WorstDeviation(FitLine(square), square), 0.5);
  // No cost is negative at size 0.
  EXPECT_EQ(FitLine(square).fixed, 0);
  EXPECT_EQ(FitLine({{2, 8}}).slope, 4);
}

TEST(Statistics, SplitKeepsEmptyParts) {
  EXPECT_EQ(Split("a,b"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(Split("a,,b"), (std::vector<std::string>{"a", "", "b"}));
}

}  // namespace
}  // namespace experiments::bench
