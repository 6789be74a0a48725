// Scenarios of transactions: drawn from a seed, their JSON form, and what is refused.
#include "experiments/txn_crash/txn_scenario.h"

#include <gtest/gtest.h>

namespace experiments {
namespace {

TEST(TxnScenario, TheSameSeedDrawsTheSame) {
  EXPECT_EQ(TxnScenarioJson(DrawTxnScenario({0, 1, 2}, 5)), TxnScenarioJson(DrawTxnScenario({0, 1, 2}, 5)));
  EXPECT_NE(TxnScenarioJson(DrawTxnScenario({0, 1, 2}, 5)), TxnScenarioJson(DrawTxnScenario({0, 1, 2}, 6)));
}

TEST(TxnScenario, JsonKeepsEverything) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const std::string text = TxnScenarioJson(DrawTxnScenario({0, 1, 2}, seed));
    TxnScenario read;
    std::string error;
    ASSERT_TRUE(ParseTxnScenario(text, &read, &error)) << error << text;
    ASSERT_EQ(TxnScenarioJson(read), text);
  }
}

TEST(TxnScenario, EverySchemeAndKindOfTransactionIsDrawn) {
  uint32_t schemes[kTxnSchemes] = {}, sizes[5] = {}, waits = 0, blind = 0, faults = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    const TxnScenario scenario = DrawTxnScenario({0, 1, 2}, seed);
    ++schemes[scenario.store.scheme];
    faults += scenario.faults.empty() ? 0 : 1;
    ASSERT_GE(scenario.lives.size(), 2u);
    for (const TxnLife& life : scenario.lives) {
      ASSERT_TRUE(life.actors.size() >= 2 && life.actors.size() <= 4);
      for (const TxnActor& actor : life.actors)
        for (const TxnPlan& plan : actor.plans) {
          ASSERT_LE(plan.uses.size(), 4u);
          ++sizes[plan.uses.size()];
          waits += plan.waits;
          for (const TxnPlan::Use& use : plan.uses) blind += use.writes && !use.reads;
        }
    }
  }
  for (const uint32_t count : schemes) EXPECT_GT(count, 100u);
  for (const uint32_t count : sizes) EXPECT_GT(count, 50u);
  EXPECT_GT(waits, 50u);
  EXPECT_GT(blind, 50u);
  EXPECT_GT(faults, 20u);
}

TEST(TxnScenario, WhatCannotBeIsNamed) {
  const auto wrong = [](const std::string& from, const std::string& to) {
    std::string text = TxnScenarioJson(DrawTxnScenario({0}, 1));
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) text.replace(at, from.size(), to);
    TxnScenario read;
    std::string error;
    EXPECT_FALSE(ParseTxnScenario(text, &read, &error)) << to;
    return error;
  };
  EXPECT_NE(wrong("\"cpr\"", "\"cpx\"").find("store.scheme"), std::string::npos);
  EXPECT_NE(wrong("\"tries\": ", "\"tries\": -").find("tries"), std::string::npos);
  EXPECT_NE(wrong("\"closes\": ", "\"closes\": 1 , \"x\": ").find("closes"), std::string::npos);
  EXPECT_NE(wrong("\"crash\"", "\"crush\"").find("crash"), std::string::npos);
  EXPECT_NE(wrong("{", "").find("JSON"), std::string::npos);
  TxnPlan plan;
  for (const char* text : {"", "r", "x1", "r1w2", "r1  w2", "r1 r1", "r1234567890"})
    EXPECT_FALSE(ParseTxnPlan(text, &plan)) << text;
  EXPECT_TRUE(ParseTxnPlan("r1 w20 u3", &plan));
  EXPECT_EQ(TxnPlanText(plan), "r1 w20 u3");
}

}  // namespace
}  // namespace experiments
