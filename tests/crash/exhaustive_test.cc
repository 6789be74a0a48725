// Exhaustive crashes: the moments stand for all steps.
#include "experiments/crash/exhaustive.h"

#include <gtest/gtest.h>

#include <sstream>

#include "experiments/crash/generator.h"
#include "faults/oracle/history_json.h"
#include "faults/sched/policy.h"

namespace experiments {
namespace {

class ExhaustiveTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string error;
    library = new SubjectLibrary;
    ASSERT_TRUE(library->Load(EXHAUSTIVE_SUBJECT, &error)) << error;
    scheduler = faults::Scheduler::Create();
    ASSERT_NE(scheduler, nullptr);
    execution = new Execution(library, scheduler);
  }
  // What clients saw of an execution that is crashed so; the disk keeps what is newest, and after the crash
  // threads run one after the other.
  std::string Run(const std::vector<uint32_t>& delays, Moments* moments) {
    faults::RoundRobin policy(7);
    How how;
    how.policy = &policy;
    how.moments = moments;
    scenario_ = CrashedAt(base_, delays);
    const ExecutionResult& result = execution->Run(scenario_, how);
    EXPECT_FALSE(result.violation || result.harness_error) << result.rule << " " << result.what;
    recovery_crashes_ = result.recovery_crashes;
    std::string text;
    for (const faults::Recovery& recovery : execution->history().recoveries) {
      text += recovery.log_token.Text() + " " + std::to_string(recovery.time);
      for (const auto& commit : recovery.commits) text += " " + std::to_string(commit.serial);
      for (const auto& [key, word] : recovery.state)
        text += " " + std::to_string(key) + "=" + std::to_string(word);
    }
    return text;
  }

  static SubjectLibrary* library;
  static faults::Scheduler* scheduler;
  static Execution* execution;
  Scenario base_ = ReferenceScenario(KindOf(2));
  Scenario scenario_;
  uint64_t recovery_crashes_ = 0;
};
SubjectLibrary* ExhaustiveTest::library;
faults::Scheduler* ExhaustiveTest::scheduler;
Execution* ExhaustiveTest::execution;

TEST_F(ExhaustiveTest, TheScenariosAreLegal) {
  for (int kind = 0; kind < kCheckpointKinds; ++kind) {
    const Scenario scenario = ReferenceScenario(KindOf(kind));
    EXPECT_EQ(CheckScenario(scenario), "");
    EXPECT_EQ(CheckExhaustible(scenario), "");
    EXPECT_EQ(CheckScenario(CrashedAt(scenario, {7, 3, 0})), "");
    size_t operations = 0;
    for (const Actor& actor : scenario.incarnations[0].actors) {
      for (const Action& action : actor.actions) operations += action.verb <= Verb::kInsert;
    }
    EXPECT_EQ(operations, 12u);
  }
}

// A crash at any step leaves what one at the last moment before it leaves; and moments differ.
TEST_F(ExhaustiveTest, EveryStepIsLikeTheMomentBeforeIt) {
  base_.incarnations[0].crash.anchor = CrashPoint::Anchor::kEnd;
  Moments moments;
  Run({}, &moments);
  ASSERT_GT(moments.work.size(), 20u);
  ASSERT_GT(moments.work_steps, 3 * moments.work.size());
  std::string last = Run({moments.work.front().delay}, nullptr);  // of the first thread's first point
  size_t next = 0, distinct = 0;
  for (uint32_t delay = 0; delay < moments.work_steps; ++delay) {
    const std::string seen = Run({delay}, nullptr);
    if (next < moments.work.size() && moments.work[next].delay == delay) {
      ++next;
      distinct += seen != last;
      last = seen;
    }
    ASSERT_EQ(seen, last) << "step " << delay << ", moment " << next;
  }
  EXPECT_EQ(next, moments.work.size());
  EXPECT_GT(distinct, 15u);
}

// The moments of a recovery that writes (it leaves a newer checkpoint behind): a crash there is inside it,
// whoever crashed before.
TEST_F(ExhaustiveTest, RecoveriesHaveMomentsToo) {
  std::vector<Action>& requests = base_.incarnations[0].actors.back().actions;
  const std::vector<Action> once = requests;
  requests.insert(requests.end(), once.begin() + 1, once.end());
  base_.incarnations[1].named = true;
  base_.incarnations[1].back = 1;
  Moments moments, deeper;
  Run({100'000}, &moments);  // at rest
  ASSERT_FALSE(moments.recovery.empty());
  for (const Moment& moment : moments.recovery) {
    Run({100'000, moment.delay}, &deeper);
    EXPECT_EQ(recovery_crashes_, 1u);
    for (const Moment& second : deeper.recovery) {
      Run({100'000, moment.delay, second.delay}, nullptr);
      EXPECT_EQ(recovery_crashes_, 2u);
    }
  }
}

}  // namespace
}  // namespace experiments
