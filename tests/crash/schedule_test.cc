// Schedules against the executions that they are of, on the reference subject.
#include "experiments/crash/schedule.h"

#include <gtest/gtest.h>

#include <memory>

#include "experiments/crash/generator.h"
#include "experiments/crash/shrinker.h"
#include "faults/sched/policy.h"

namespace experiments {
namespace {

class Schedules : public testing::Test {
 protected:
  void SetUp() override {
    std::string error;
    ASSERT_TRUE(library_.Load(REFERENCE_SUBJECT, &error)) << error;
    runner_ = std::make_unique<ShrinkRunner>(&library_);
    ASSERT_TRUE(runner_->Open(&error)) << error;
  }
  Story Drawn(uint64_t seed, const char* policy) {
    Story story;
    story.scenario = Generate({}, seed);
    story.seed = seed;
    story.plain_points = seed % 2 == 0;
    drawn_ = runner_->Draw(story, policy, seed, 1000);
    EXPECT_FALSE(drawn_.harness_error) << drawn_.what;
    EXPECT_TRUE(runner_->TakeSchedule(&story));
    return story;
  }

  SubjectLibrary library_;
  std::unique_ptr<ShrinkRunner> runner_;
  Trial drawn_;
};

// A schedule played on its own scenario is the same execution: with the crash where the schedule says, and
// where the scenario does. (A crash that was counted in events is one in steps then; it stops at the step
// that the event is, not before.)
TEST_F(Schedules, PlayTheSameExecution) {
  const char* const policies[] = {"random:0.1", "pct:3", "random:0.01"};
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const Story story = Drawn(seed, policies[seed % 3]);
    for (const bool places : {true, false}) {
      ShrinkRunner::FollowOptions options;
      options.places = places;
      const Trial again = runner_->Follow(story, options);
      EXPECT_GE(again.steps, drawn_.steps) << "seed " << seed << " places " << places;
      EXPECT_LE(again.steps, drawn_.steps + story.scenario.incarnations.size()) << "seed " << seed;
      EXPECT_EQ(again.hash, drawn_.hash) << "seed " << seed << " places " << places;
    }
  }
}

// What was written down while a schedule was played is that schedule.
TEST_F(Schedules, WriteDownWhatTheyPlay) {
  Story story = Drawn(5, "random:0.1");
  const size_t deviations = Deviations(story.schedule).size();
  ASSERT_GT(deviations, 10u);
  runner_->Follow(story, {});
  Story again = story;
  ASSERT_TRUE(runner_->TakeSchedule(&again));
  EXPECT_EQ(Deviations(again.schedule).size(), deviations);
  EXPECT_EQ(again.schedule.lanes, story.schedule.lanes);
}

// Without decisions nobody is preempted, and the tape holds nothing but the picks that differ.
TEST_F(Schedules, SayNothingUnusualByThemselves) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Story story = Drawn(seed, "random:0.1");
    story = KeepDecisions(story, {});
    const Trial quiet = runner_->Follow(story, {});
    ASSERT_FALSE(quiet.harness_error) << quiet.what;
    EXPECT_FALSE(quiet.violation) << quiet.what;
    ASSERT_TRUE(runner_->TakeSchedule(&story));
    EXPECT_EQ(SizeOf(story).preemptions, 0u);
    EXPECT_EQ(Deviations(story.schedule).size(), 0u);
  }
}

// Decisions that do not fit any more are passed over.
TEST_F(Schedules, SurviveAnotherScenario) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Story story = Drawn(seed, "random:0.1");
    std::vector<size_t> kept;
    for (size_t i = 0; i < ActionsOf(story.scenario).size(); i += 2) kept.push_back(i);
    const Trial trial = runner_->Follow(KeepActions(story, kept), {});
    EXPECT_FALSE(trial.harness_error) << trial.what;
    EXPECT_FALSE(trial.violation) << trial.what;
  }
}

// An execution that kills its process is an answer, and the next one runs.
TEST_F(Schedules, OutliveTheirProcess) {
  std::string error;
  SubjectLibrary deadly;
  ASSERT_TRUE(deadly.Load(PLANTED_SUBJECT, &error)) << error;
  ShrinkRunner runner(&deadly);
  ASSERT_TRUE(runner.Open(&error)) << error;
  Story story;
  const std::string actions = R"({"incarnations": [{"actors": [{"name": "a", "actions": ["upsert 1", )";
  ASSERT_TRUE(ParseScenario(actions + R"("delete 7"]}]}]})", &story.scenario, &error)) << error;
  const Trial dead = runner.Follow(story, {});
  EXPECT_TRUE(dead.died);
  EXPECT_EQ(dead.rule, "crash");
  EXPECT_EQ(dead.what, "the process died of Killed");
  ASSERT_TRUE(ParseScenario(actions + R"("delete 6"]}]}]})", &story.scenario, &error)) << error;
  const Trial alive = runner.Follow(story, {});
  EXPECT_FALSE(alive.died || alive.violation || alive.harness_error) << alive.what;
}

Trial Failing(const char* rule, const char* what, uint64_t key) {
  Trial trial;
  trial.violation = true;
  trial.rule = rule;
  trial.what = what;
  trial.has_key = key != 0;
  trial.key = key;
  return trial;
}

// What counts as the same failure: never another rule, and where no checker judged, never another kind.
TEST(Failures, AreToldApart) {
  const Failure lost = FailureOf(Failing("R2", "two RMWs", 3));
  EXPECT_TRUE(SameFailure(lost, Failing("R2", "real time", 3)));
  EXPECT_FALSE(SameFailure(lost, Failing("R4", "two RMWs", 3)));
  EXPECT_FALSE(SameFailure(lost, Failing("R2", "two RMWs", 4)));
  Trial other = Failing("R2", "two RMWs", 3);
  other.violation = false;
  EXPECT_FALSE(SameFailure(lost, other));
  other = Failing("R2", "two RMWs", 3);
  other.harness_error = true;
  EXPECT_FALSE(SameFailure(lost, other));
  EXPECT_TRUE(SameFailure(FailureOf(Failing("R4", "", kFillerKey + 7)), Failing("R4", "", kFillerKey)));
  const Failure stuck = FailureOf(Failing("stuck", "deadlock during work: version 3", 0));
  EXPECT_TRUE(SameFailure(stuck, Failing("stuck", "deadlock during recovery: version 2", 0)));
  EXPECT_FALSE(SameFailure(stuck, Failing("stuck", "livelock during work: version 3", 0)));
  const Failure freed = FailureOf(Failing("crash", "failed: use after free: read at offset 8", 0));
  EXPECT_TRUE(SameFailure(freed, Failing("crash", "failed: use after free: write at offset 16", 0)));
  EXPECT_FALSE(SameFailure(freed, Failing("crash", "failed: heap overflow: read", 0)));
}

}  // namespace
}  // namespace experiments
