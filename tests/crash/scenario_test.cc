// Scenarios: the JSON form holds everything, and says in one line what is wrong with bad input.
#include "experiments/crash/scenario.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "experiments/crash/generator.h"

namespace experiments {
namespace {

TEST(Scenario, JsonHoldsEverything) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const Scenario scenario = Generate({}, seed);
    const std::string json = ScenarioJson(scenario);
    Scenario again;
    std::string error;
    ASSERT_TRUE(ParseScenario(json, &again, &error)) << error << "\n" << json;
    ASSERT_EQ(ScenarioJson(again), json);
    ASSERT_EQ(again.incarnations.size(), scenario.incarnations.size());
    ASSERT_EQ(again.incarnations[0].crash.delay, scenario.incarnations[0].crash.delay);
  }
}

TEST(Scenario, GeneratorIsAFunctionOfTheSeed) {
  Variation variation;
  EXPECT_EQ(ScenarioJson(Generate(variation, 7)), ScenarioJson(Generate(variation, 7)));
  EXPECT_NE(ScenarioJson(Generate(variation, 7)), ScenarioJson(Generate(variation, 8)));
}

TEST(Scenario, DefaultIsWhatItSays) {
  Variation variation;
  variation.family = "default";
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Scenario scenario = Generate(variation, seed);
    ASSERT_EQ(scenario.incarnations.size(), 2u);
    uint32_t sessions = 0, operations = 0;
    std::vector<int> checkpoints;
    for (const Actor& actor : scenario.incarnations[0].actors) {
      uint32_t own = 0;
      for (const Action& action : actor.actions) {
        own += action.verb <= Verb::kInsert;
        if (action.verb == Verb::kCheckpoint) checkpoints.push_back(KindIndex(action.checkpoint));
      }
      sessions += own > 0;
      operations += own;
    }
    EXPECT_EQ(sessions, 3u);
    EXPECT_EQ(operations, 24u);
    // One, but an index checkpoint may have one of the log before it to come back to.
    ASSERT_FALSE(checkpoints.empty());
    EXPECT_EQ(checkpoints.size(), checkpoints.size() == 2 && checkpoints[1] == 4 ? 2u : 1u);
    EXPECT_LE(scenario.keys, 8u);
    EXPECT_GT(scenario.filler, 0u);
  }
}

TEST(Scenario, OnlyKindsAskedFor) {
  Variation variation;
  variation.family = "default";
  variation.kinds = {1};
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Scenario scenario = Generate(variation, seed);
    for (const Actor& actor : scenario.incarnations[0].actors) {
      for (const Action& action : actor.actions) {
        if (action.verb != Verb::kCheckpoint) continue;
        EXPECT_EQ(KindText(action.checkpoint), "full/snapshot");
      }
    }
  }
}

TEST(Scenario, GrowthLeavesAllElseAsDrawn) {
  uint32_t growing = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Variation variation;
    Scenario scenario = Generate(variation, seed);
    const auto grows = [](const Actor& actor) { return actor.name == "grower"; };
    const std::vector<Actor>& actors = scenario.incarnations[0].actors;
    const auto grower = std::find_if(actors.begin(), actors.end(), grows);
    if (grower == actors.end()) continue;
    ++growing;
    const auto asks = [](const Action& action) { return action.verb == Verb::kGrow; };
    EXPECT_TRUE(std::any_of(grower->actions.begin(), grower->actions.end(), asks));
    EXPECT_EQ(CheckScenario(scenario), "");
    const std::string before = ScenarioJson(scenario);
    AddGrowth(0, false, seed, &scenario);  // none asked for: no change
    EXPECT_EQ(ScenarioJson(scenario), before);
  }
  EXPECT_GT(growing, 20u);
  EXPECT_LT(growing, 100u);
}

struct BadInput {
  const char* from;
  const char* to;
  const char* error;
};

class BadScenario : public testing::TestWithParam<BadInput> {};

TEST_P(BadScenario, OneLineSaysWhat) {
  Variation variation;
  variation.family = "default";
  std::string json = ScenarioJson(Generate(variation, 3));
  const size_t at = json.find(GetParam().from);
  ASSERT_NE(at, std::string::npos) << GetParam().from;
  json.replace(at, std::string(GetParam().from).size(), GetParam().to);
  Scenario scenario;
  std::string error;
  EXPECT_FALSE(ParseScenario(json, &scenario, &error));
  EXPECT_NE(error.find(GetParam().error), std::string::npos) << error;
  EXPECT_EQ(error.find('\n'), std::string::npos) << error;
}

INSTANTIATE_TEST_SUITE_P(
    All, BadScenario,
    testing::Values(BadInput{"{", "", "is not JSON"},
                    BadInput{"\"value_bytes\": 8", "\"value_bytes\": 9", "value_bytes must be 8 or 256"},
                    BadInput{"\"page_bits\": 9", "\"page_bits\": -1", "page_bits must be a number"},
                    BadInput{"\"page_bits\": 9", "\"page_bits\": 8", "page_bits must be 9 to 20"},
                    BadInput{"\"page_bits\"", "\"page_bit\"", "geometry.page_bit is not a known member"},
                    BadInput{"\"hash\": \"mixed\"", "\"hash\": \"md5\"", "geometry.hash must be"},
                    BadInput{"\"keys\": 8", "\"keys\": 1", "must not exceed keys"},
                    BadInput{"\"faults\": \"\"", "\"faults\": \"eio:sometimes\"", "faults: "},
                    BadInput{"\"faults\": \"\"", "\"faults\": 5", "faults must be a string"},
                    BadInput{"\"actions\": [\n", "\"actions\": [ \"juggle 3\",\n", "no such action"},
                    BadInput{"\"actions\": [\n", "\"actions\": [ \"read 9\",\n", "keys are 0 to 7"},
                    BadInput{"\"actions\": [\n", "\"actions\": [ \"read\",\n", "read needs a number"},
                    BadInput{"\"actions\": [\n", "\"actions\": [ \"refresh 1\",\n", "takes no argument"},
                    BadInput{"\"actions\": [\n", "\"actions\": [ \"await-phase Lunch\",\n", "no such phase"},
                    BadInput{"\"actions\": [\n", "\"actions\": [ \"checkpoint half\",\n", "kinds are"},
                    BadInput{"\"crash\": {", "\"crush\": {", "is not a known member"},
                    BadInput{"\"incarnations\": [", "\"incarnations\": [ 1,", "must be an object"}),
    [](const testing::TestParamInfo<BadInput>& info) { return "Case" + std::to_string(info.index); });

}  // namespace
}  // namespace experiments
