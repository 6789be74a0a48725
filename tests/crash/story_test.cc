// The edits of the shrinker: what goes, what stays, and where the decisions of the schedule stand afterwards.
#include "experiments/crash/story.h"

#include <gtest/gtest.h>

namespace experiments {
namespace {

constexpr const char* kTwoLives = R"({"keys": 9, "preload": 6, "filler": 3,
  "faults": "eio:sync:*:2nd,short:write:*:1st", "incarnations": [
  {"actors": [{"name": "a", "actions": ["rmw 2", "upsert 5", "pause 3", "rmw 8"]},
              {"name": "b", "actions": ["checkpoint log/snapshot", "read 5"]}],
   "crash": {"after": "start", "steps": 70}},
  {"recovery": {"crashes": [{"after": "start", "steps": 3}]},
   "actors": [{"name": "a", "actions": ["replay", "read 2"]}]}]})";

Decision Preempt(uint32_t lane, uint32_t action, uint32_t at, uint32_t to) {
  Decision decision;
  decision.lane = lane;
  decision.action = action;
  decision.at = at;
  decision.to = to;
  return decision;
}

Decision Other(Decision::Type type, uint32_t lane, uint32_t action) {
  Decision decision = Preempt(lane, action, 2, 1);
  decision.type = type;
  decision.kind = faults::ChoiceKind::kSectorFate;
  decision.value = type == Decision::Type::kChoice;
  return decision;
}

Lane LaneOf(const char* name, uint32_t incarnation) {
  Lane lane;
  std::snprintf(lane.name, sizeof lane.name, "%s", name);
  lane.incarnation = incarnation;
  return lane;
}

Story TwoLives() {
  Story story;
  std::string error;
  EXPECT_TRUE(ParseScenario(kTwoLives, &story.scenario, &error)) << error;
  story.schedule.lanes = {LaneOf("a", 0), LaneOf("b", 0), LaneOf("a", 1), LaneOf("device", 1)};
  story.schedule.decisions = {Preempt(0, 1, 14, 1),
                              Preempt(0, 3, 5, 1),
                              Preempt(1, 1, 3, 0),
                              Preempt(2, 0, 9, 3),
                              Other(Decision::Type::kPick, 0, 1),
                              Other(Decision::Type::kChoice, 3, 0)};
  story.schedule.crashes = {{true, 0, 3, 4}, {}};
  return story;
}

std::vector<std::string> Texts(const Scenario& scenario, size_t incarnation, size_t actor) {
  std::vector<std::string> texts;
  for (const Action& action : scenario.incarnations[incarnation].actors[actor].actions)
    texts.push_back(ActionText(action));
  return texts;
}

using Lines = std::vector<std::string>;

TEST(Story, IsMeasured) {
  const StorySize size = SizeOf(TwoLives());
  EXPECT_EQ(size.operations, 5u + 3u);  // the replay does a's three again
  EXPECT_EQ(size.actions, 3u);
  EXPECT_EQ(size.sessions, 2u);
  EXPECT_EQ(size.preemptions, 4u);
  EXPECT_EQ(size.picks, 1u);
  EXPECT_EQ(size.fates, 1u);
  EXPECT_EQ(size.choices, 0u);
  EXPECT_EQ(size.faults, 2u);
  EXPECT_EQ(size.crashes, 2u);
  EXPECT_EQ(size.preloaded, 9u);
}

// Without `upsert 5` and `pause 3`: what was decided in the one stands at the beginning of `rmw 8`, its picks
// are gone, and what was decided in `rmw 8` stays where it was in it.
TEST(Story, ActionsGo) {
  const Story story = KeepActions(TwoLives(), {0, 3, 4, 5, 6, 7});
  EXPECT_EQ(CheckScenario(story.scenario), "");
  EXPECT_EQ(Texts(story.scenario, 0, 0), (Lines{"rmw 2", "rmw 8"}));
  EXPECT_EQ(Texts(story.scenario, 0, 1), (Lines{"checkpoint log/snapshot", "read 5"}));
  ASSERT_EQ(story.schedule.decisions.size(), 5u);
  EXPECT_EQ(story.schedule.decisions[0].action, 1u);
  EXPECT_EQ(story.schedule.decisions[0].at, 1u);
  EXPECT_EQ(story.schedule.decisions[1].action, 1u);
  EXPECT_EQ(story.schedule.decisions[1].at, 5u);
  EXPECT_EQ(story.schedule.decisions[2].action, 1u);  // of b
  EXPECT_EQ(story.schedule.decisions[2].at, 3u);
  EXPECT_EQ(story.schedule.crashes[0].action, 1u);
  EXPECT_EQ(story.schedule.crashes[0].at, 4u);
}

// The crash stood in the last action: without it the life ends at rest.
TEST(Story, TheActionOfTheCrashGoes) {
  const Story story = KeepActions(TwoLives(), {0, 1, 2, 4, 5, 6, 7});
  EXPECT_FALSE(story.schedule.crashes[0].set);
  EXPECT_EQ(story.scenario.incarnations[0].crash.anchor, CrashPoint::Anchor::kEnd);
  EXPECT_EQ(story.schedule.decisions.size(), 5u);
}

TEST(Story, ActorsGo) {
  const Story story = WithoutActor(TwoLives(), 0, 0);
  EXPECT_EQ(CheckScenario(story.scenario), "");
  ASSERT_EQ(story.scenario.incarnations[0].actors.size(), 1u);
  EXPECT_EQ(story.scenario.incarnations[0].actors[0].name, "b");
  ASSERT_EQ(story.schedule.decisions.size(), 3u);  // b's, and those of life 2
  EXPECT_EQ(story.schedule.decisions[0].lane, 1u);
  EXPECT_FALSE(story.schedule.crashes[0].set);
}

TEST(Story, TheFirstLifeGoes) {
  const Story story = WithoutIncarnation(TwoLives(), 0);
  EXPECT_EQ(CheckScenario(story.scenario), "");
  ASSERT_EQ(story.scenario.incarnations.size(), 1u);
  EXPECT_EQ(story.schedule.lanes[2], LaneOf("a", 0));
  EXPECT_EQ(story.schedule.lanes[3].incarnation, 0u);
  EXPECT_GT(story.schedule.lanes[0].incarnation, 16u);  // the lane of nobody
}

TEST(Story, TheLastLifeGoes) {
  for (const Story& story : {WithoutIncarnation(TwoLives(), 1), EndingWith(TwoLives(), 0)}) {
    EXPECT_EQ(CheckScenario(story.scenario), "");
    ASSERT_EQ(story.scenario.incarnations.size(), 1u);
    EXPECT_EQ(story.scenario.incarnations[0].crash.anchor, CrashPoint::Anchor::kNone);
    EXPECT_FALSE(story.schedule.crashes[0].set);
  }
}

TEST(Story, KeysAreRenumbered) {
  const Story story = WithFewKeys(TwoLives());
  EXPECT_EQ(CheckScenario(story.scenario), "");
  EXPECT_EQ(story.scenario.keys, 3u);     // 2, 5, 8
  EXPECT_EQ(story.scenario.preload, 2u);  // 2 and 5 were there
  EXPECT_EQ(Texts(story.scenario, 0, 0), (Lines{"rmw 0", "upsert 1", "pause 3", "rmw 2"}));
  EXPECT_EQ(Texts(story.scenario, 1, 0), (Lines{"replay", "read 0"}));
}

TEST(Story, ReplaysAreWrittenOut) {
  Story story;
  EXPECT_TRUE(WithoutReplays(TwoLives(), &story));
  EXPECT_EQ(Texts(story.scenario, 1, 0), (Lines{"rmw 2", "upsert 5", "rmw 8", "read 2"}));
  EXPECT_EQ(SizeOf(story).operations, SizeOf(TwoLives()).operations);
  Story again;
  EXPECT_FALSE(WithoutReplays(story, &again));
}

TEST(Story, DecisionsGo) {
  Story story = TwoLives();
  story.schedule.decisions[4].usual = true;
  EXPECT_EQ(Deviations(story.schedule), (std::vector<size_t>{0, 1, 2, 3, 5}));
  const Story fewer = KeepDecisions(story, {1, 5});
  ASSERT_EQ(fewer.schedule.decisions.size(), 3u);  // and the usual one
  EXPECT_EQ(fewer.schedule.decisions[0].action, 3u);
  EXPECT_TRUE(fewer.schedule.decisions[1].usual);
}

TEST(Story, RulesOfAFaultPlan) {
  EXPECT_EQ(FaultRules(""), Lines{});
  const Lines rules = FaultRules("eio:sync:*:2nd,enospc:after=4096");
  EXPECT_EQ(rules, (Lines{"eio:sync:*:2nd", "enospc:after=4096"}));
  EXPECT_EQ(JoinRules(rules), "eio:sync:*:2nd,enospc:after=4096");
  EXPECT_EQ(JoinRules({}), "");
}

}  // namespace
}  // namespace experiments
