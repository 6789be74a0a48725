// Claims: expressions over cells, intervals over rounds, and verdicts at the edges of both.
#include "experiments/figures/claim.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace experiments::figures {
namespace {

using nlohmann::ordered_json;

class Claims : public ::testing::Test {
 protected:
  // What Lookup finds: by series, x and round.
  void Put(size_t series, size_t x, const std::vector<double>& rounds) {
    for (size_t r = 0; r < rounds.size(); ++r) values_[{series, x, r}] = rounds[r];
  }
  Judgement Judged(const char* text) {
    std::string error;
    const ordered_json json = ordered_json::parse(text);
    ordered_json whole = {{"text", "t"}, {"source", "s"}, {"robust", true}};
    whole.update(json);
    const JsonPlace place(whole, "claim", &error);
    claim_ = ParseClaim(place);
    CheckClaim(claim_, grid_, place);
    EXPECT_EQ(error, "");
    return Judge(
        claim_, grid_,
        [&](size_t series, size_t x, uint64_t round, const std::string& metric) -> std::optional<double> {
          if (metric != "m") return {};
          const auto found = values_.find({series, x, round});
          if (found == values_.end()) return {};
          return found->second;
        });
  }
  Verdict Of(const char* text) { return Judged(text).verdict; }

  Grid grid_{{"a", "b"}, {"1", "2"}, 5, false, {}};
  std::map<std::tuple<size_t, size_t, size_t>, double> values_;
  Claim claim_;
};

constexpr const char* kValue = R"({"value": {"metric": "m", "series": "a", "x": 1}, "at_least": 10})";

TEST_F(Claims, TheBoundItselfHolds) {
  Put(0, 0, {10, 10, 10, 10, 10});
  EXPECT_EQ(Of(kValue), Verdict::kHolds);
  EXPECT_EQ(Of(R"({"value": {"metric": "m", "series": "a", "x": 1}, "at_most": 10})"), Verdict::kHolds);
  EXPECT_EQ(Of(R"({"value": {"metric": "m", "series": "a", "x": 1}, "between": [10, 10]})"), Verdict::kHolds);
}

TEST_F(Claims, OneRoundOnTheOtherSideIsNotSeparable) {
  Put(0, 0, {9.999, 11, 12, 13, 14});
  EXPECT_EQ(Of(kValue), Verdict::kNotSeparable);
  Put(0, 0, {9, 9, 9, 9, 10});
  EXPECT_EQ(Of(kValue), Verdict::kNotSeparable);
  Put(0, 0, {9, 9, 9, 9, 9.999});
  EXPECT_EQ(Of(kValue), Verdict::kDoesNotHold);
}

// Of ten rounds the interval leaves the two outermost out.
TEST_F(Claims, MoreRoundsMakeTheIntervalNarrower) {
  grid_.rounds = 10;
  Put(0, 0, {1, 11, 12, 13, 14, 15, 16, 17, 18, 99});
  EXPECT_EQ(Of(kValue), Verdict::kHolds);
  Put(0, 0, {1, 2, 12, 13, 14, 15, 16, 17, 18, 99});
  EXPECT_EQ(Of(kValue), Verdict::kNotSeparable);
}

// A claim is judged by the rounds that all of its cells have; others may have more.
TEST_F(Claims, CellsMayHaveMoreRounds) {
  grid_.further = {{{0, 0}, 8}, {{1, 0}, 11}};
  Put(0, 0, {9, 11, 12, 13, 14, 15, 16, 17});
  Put(1, 0, {1, 1, 1, 1, 1, 1, 1, 1, 99, 99, 99});
  Put(0, 1, {1, 1, 1, 1, 1});
  EXPECT_EQ(Judged(kValue).numbers.front().size(), 8u);
  EXPECT_EQ(Of(kValue), Verdict::kHolds);
  constexpr const char* kRatio =
      R"({"ratio": [{"metric": "m", "series": "a", "x": 1}, {"metric": "m", "series": "b", "x": 1}],
          "at_least": 10})";
  EXPECT_EQ(Judged(kRatio).numbers.front().size(), 8u);
  EXPECT_EQ(Of(kRatio), Verdict::kHolds);
  EXPECT_EQ(Judged(R"({"spread": {"metric": "m", "series": "a"}, "at_least": 5})").numbers.front().size(),
            5u);
  EXPECT_EQ(PlacesOf(claim_, grid_), (std::vector<CellPlace>{{0, 0}, {0, 1}}));
  Judged(kRatio);
  EXPECT_EQ(PlacesOf(claim_, grid_), (std::vector<CellPlace>{{0, 0}, {1, 0}}));
}

// Each number has its own interval: that in every round another one is an outlier does not matter.
TEST_F(Claims, EachNumberIsJudgedOverTheRounds) {
  grid_.rounds = 8;
  Put(0, 0, {1, 20, 20, 20, 20, 20, 20, 20});
  Put(1, 0, {20, 20, 20, 2, 20, 20, 20, 20});
  constexpr const char* kEach = R"({"value": {"metric": "m", "x": 1}, "at_least": 10})";
  EXPECT_EQ(Of(kEach), Verdict::kHolds);
  Put(0, 0, {1, 1, 20, 20, 20, 20, 20, 20});
  EXPECT_EQ(Of(kEach), Verdict::kNotSeparable);
  Put(1, 0, {9, 9, 8, 9, 9, 9, 9, 7});
  EXPECT_EQ(Of(kEach), Verdict::kDoesNotHold);
  EXPECT_EQ(Judged(kEach).Measured(claim_), "9 [8, 9]");  // the one that fails
}

TEST_F(Claims, TheMeanOfTheNumbers) {
  Put(0, 0, {5, 15, 25, 5, 15});
  Put(1, 0, {19, 9, 1, 19, 9});
  constexpr const char* kMean = R"({"value": {"metric": "m", "x": 1}, "mean": true, "at_least": 11})";
  EXPECT_EQ(Of(kMean), Verdict::kHolds);
  EXPECT_EQ(Judged(kMean).numbers, (std::vector<std::vector<double>>{{12, 12, 13, 12, 12}}));
  EXPECT_EQ(Of(R"({"value": {"metric": "m", "x": 1}, "mean": false, "at_least": 11})"),
            Verdict::kNotSeparable);
}

TEST_F(Claims, FewRoundsSayNothing) {
  grid_.rounds = 4;
  Put(0, 0, {20, 20, 20, 20});
  EXPECT_EQ(Of(kValue), Verdict::kNotSeparable);
}

TEST_F(Claims, ExactFiguresNeedOneRound) {
  grid_.rounds = 1;
  grid_.exact = true;
  Put(0, 0, {10});
  EXPECT_EQ(Of(kValue), Verdict::kHolds);
  EXPECT_EQ(Judged(kValue).Measured(claim_), "10");
  Put(0, 0, {9.99});
  EXPECT_EQ(Of(kValue), Verdict::kDoesNotHold);
}

TEST_F(Claims, BothEndsOfBetweenCount) {
  constexpr const char* kBetween = R"({"value": {"metric": "m", "x": 1}, "between": [5, 10]})";
  Put(0, 0, {6, 6, 6, 6, 6});
  Put(1, 0, {9, 9, 9, 9, 9});
  EXPECT_EQ(Of(kBetween), Verdict::kHolds);
  Put(1, 0, {9, 9, 9, 9, 11});
  EXPECT_EQ(Of(kBetween), Verdict::kNotSeparable);
  Put(1, 0, {11, 11, 11, 11, 11});
  EXPECT_EQ(Of(kBetween), Verdict::kDoesNotHold);
  Put(1, 0, {4, 4, 4, 4, 4});
  EXPECT_EQ(Of(kBetween), Verdict::kDoesNotHold);
}

// Round by round: what varies from round to round, but alike in both, does not matter.
TEST_F(Claims, RatiosAreOfOneRound) {
  Put(0, 0, {10, 20, 30, 40, 50});
  Put(1, 0, {5, 10, 15, 20, 25});
  Put(0, 1, {1, 1, 1, 1, 1});
  Put(1, 1, {1, 1, 1, 1, 1});
  EXPECT_EQ(Of(R"({"ratio": [{"metric": "m", "series": "a", "x": 1}, {"metric": "m", "series": "b", "x": 1}],
                   "between": [2, 2]})"),
            Verdict::kHolds);
  // x is left open: the worst of its values counts.
  EXPECT_EQ(
      Of(R"({"ratio": [{"metric": "m", "series": "a"}, {"metric": "m", "series": "b"}], "at_least": 2})"),
      Verdict::kDoesNotHold);
  EXPECT_EQ(Of(R"({"difference": [{"metric": "m", "series": "a"}, {"metric": "m", "series": "b"}],
                   "between": [0, 25]})"),
            Verdict::kHolds);
}

TEST_F(Claims, EqualsAreInRatioOneEvenIfZero) {
  Put(0, 0, {0, 0, 0, 0, 0});
  Put(1, 0, {0, 0, 0, 0, 0});
  EXPECT_EQ(Of(R"({"ratio": [{"metric": "m", "series": "a", "x": 1}, {"metric": "m", "series": "b", "x": 1}],
                   "between": [1, 1]})"),
            Verdict::kHolds);
}

TEST_F(Claims, OrdersLookAtNeighbours) {
  Put(0, 0, {1, 1, 1, 1, 1});
  Put(0, 1, {2, 2, 2, 2, 2});
  Put(1, 0, {3, 3, 3, 3, 3});
  Put(1, 1, {3, 3, 3, 3, 3});
  constexpr const char* kAlongX = R"({"order": {"metric": "m"}, "direction": "rising", "at_least": 1})";
  EXPECT_EQ(Of(kAlongX), Verdict::kHolds);
  EXPECT_EQ(Judged(kAlongX).numbers[1], (std::vector<double>{1, 1, 1, 1, 1}));
  EXPECT_EQ(Of(R"({"order": {"metric": "m"}, "direction": "falling", "at_least": 1})"),
            Verdict::kDoesNotHold);
  const Judgement listed =
      Judged(R"({"order": [{"metric": "m", "series": "a"}, {"metric": "m", "series": "b"}],
                                      "direction": "rising", "at_least": 1})");
  EXPECT_EQ(listed.verdict, Verdict::kHolds);
  EXPECT_EQ(listed.numbers[1].front(), 1.5);
  // With x fixed: along the series.
  EXPECT_EQ(Judged(R"({"order": {"metric": "m", "x": 1}, "direction": "rising", "at_least": 1})")
                .numbers[0]
                .front(),
            3);
}

TEST_F(Claims, SpreadIsGreatestOverLeast) {
  Put(0, 0, {2, 2, 2, 2, 2});
  Put(0, 1, {3, 3, 3, 3, 3});
  const Judgement judgement = Judged(R"({"spread": {"metric": "m", "series": "a"}, "at_most": 1.5})");
  EXPECT_EQ(judgement.verdict, Verdict::kHolds);
  EXPECT_EQ(judgement.numbers[0].front(), 1.5);
}

TEST_F(Claims, WhatIsMissingIsNamed) {
  Put(0, 0, {10, 10, 10, 10});
  const Judgement judgement = Judged(kValue);
  EXPECT_EQ(judgement.verdict, Verdict::kNotMeasured);
  EXPECT_EQ(judgement.Measured(claim_), "missing: m of a at 1, round 5");
  EXPECT_EQ(Of(R"({"value": {"metric": "other", "series": "a", "x": 1}, "at_least": 1})"),
            Verdict::kNotMeasured);
}

TEST_F(Claims, FactorAndUnitAreForPeople) {
  Put(0, 0, {1000, 1000, 2000, 3000, 3000});
  const Judgement judgement = Judged(
      R"({"value": {"metric": "m", "series": "a", "x": 1}, "at_most": 2.5, "factor": 0.001, "unit": "us"})");
  EXPECT_EQ(judgement.Measured(claim_), "2 [1, 3] us");
  EXPECT_EQ(BoundText(claim_), "at most 2.5 us");
  EXPECT_EQ(judgement.verdict, Verdict::kNotSeparable);
}

}  // namespace
}  // namespace experiments::figures
