// Executions of the reference subject: no false alarm, the same execution twice, and what they are worth.
#include "experiments/crash/execution.h"

#include <gtest/gtest.h>

#include "experiments/crash/generator.h"
#include "faults/sched/policy.h"

namespace experiments {
namespace {

class ExecutionTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string error;
    library = new SubjectLibrary;
    ASSERT_TRUE(library->Load(REFERENCE_SUBJECT, &error)) << error;
    scheduler = faults::Scheduler::Create();
    ASSERT_NE(scheduler, nullptr);
    execution = new Execution(library, scheduler);
  }
  const ExecutionResult& Run(const Variation& variation, uint64_t seed, const char* policy = "random:0.05") {
    std::string error;
    policy_ = faults::MakePolicy(policy, &error);
    scenario_ = Generate(variation, seed);
    EXPECT_EQ(CheckScenario(scenario_), "") << ScenarioJson(scenario_);
    How how;
    how.seed = seed;
    how.policy = policy_.get();
    return execution->Run(scenario_, how);
  }

  static SubjectLibrary* library;
  static faults::Scheduler* scheduler;
  static Execution* execution;
  std::unique_ptr<faults::Policy> policy_;
  Scenario scenario_;
};
SubjectLibrary* ExecutionTest::library;
faults::Scheduler* ExecutionTest::scheduler;
Execution* ExecutionTest::execution;

TEST_F(ExecutionTest, CorrectSubjectRaisesNoAlarm) {
  for (const Family& family : Families()) {
    Variation variation;
    variation.family = family.name;
    for (uint64_t seed = 1; seed <= 60; ++seed) {
      const ExecutionResult& result = Run(variation, seed);
      ASSERT_FALSE(result.violation) << family.name << " seed " << seed << ": " << result.rule << ": "
                                     << result.what << "\n"
                                     << Explain(execution->history(), result.verdict) << result.detail << "\n"
                                     << ScenarioJson(scenario_);
      ASSERT_FALSE(result.harness_error) << result.what;
    }
  }
}

TEST_F(ExecutionTest, SameSeedSameHash) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const uint64_t hash = Run({}, seed).hash;
    EXPECT_EQ(Run({}, seed).hash, hash) << seed;
    EXPECT_NE(Run({}, seed + 1000).hash, hash) << seed;
  }
}

TEST_F(ExecutionTest, DefaultScenarioRecoversItsOwnCheckpoints) {
  uint64_t recoveries = 0, own = 0, split = 0;
  Variation variation;
  variation.family = "default";
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    const ExecutionResult& result = Run(variation, seed);
    recoveries += result.recoveries;
    own += result.recovered_own;
    split += result.recovered_split;
  }
  EXPECT_GE(recoveries, 300u);
  EXPECT_GE(own * 4, recoveries);
  EXPECT_GE(split * 4, own);
}

}  // namespace
}  // namespace experiments
