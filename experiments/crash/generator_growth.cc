#include <algorithm>

#include "experiments/common/dice.h"
#include "experiments/crash/generator.h"

namespace experiments {
namespace {

using Anchor = CrashPoint::Anchor;

uint32_t OperationsOf(const Incarnation& incarnation) {
  uint32_t operations = 0;
  for (const Actor& actor : incarnation.actors) {
    for (const Action& action : actor.actions) operations += action.verb <= Verb::kDelete;
  }
  return operations;
}

// An actor that asks for `count` growths, mostly while nothing else runs, sometimes when it is likely
// refused.
Actor Grower(Dice& dice, uint32_t count, uint32_t operations) {
  Actor actor;
  actor.name = "grower";
  uint32_t at = 0;
  for (uint32_t i = 0; i < count; ++i) {
    at += dice.Below(operations / count + 1);
    actor.actions.push_back({Verb::kAwaitOperations, at, {}});
    if (dice.Chance(60)) actor.actions.push_back({Verb::kAwaitCheckpoint, 0, {}});
    actor.actions.push_back({Verb::kGrow, 0, {}});
    if (dice.Chance(40)) actor.actions.push_back({Verb::kAwaitCheckpoint, 0, {}});
  }
  return actor;
}

}  // namespace

void AddGrowth(uint32_t percent, bool narrow, uint64_t seed, Scenario* scenario) {
  Dice dice(MixSeed(seed, 0x69c0e7));
  if (!dice.Chance(percent)) return;
  SubjectConfig& geometry = scenario->geometry;
  if (dice.Chance(narrow ? 60 : 30)) geometry.hash = HashMode::kOneTag;
  if (narrow) geometry.index_buckets = 1u << dice.Below(2);
  if (dice.Chance(15)) geometry.grow_percent = dice.Between(1, 100);
  for (size_t i = 0; i < scenario->incarnations.size(); ++i) {
    Incarnation& incarnation = scenario->incarnations[i];
    if (incarnation.actors.size() >= 12 || (i > 0 && !dice.Chance(40))) continue;
    const uint32_t growths = dice.Between(1, narrow ? 4 : 2);
    incarnation.actors.push_back(Grower(dice, growths, OperationsOf(incarnation)));
    if (incarnation.crash.anchor == Anchor::kNone || !dice.Chance(narrow ? 40 : 25)) continue;
    incarnation.crash.anchor = Anchor::kPhase;
    incarnation.crash.phase = kFirstGrowthPhase + dice.Below(2);
    incarnation.crash.checkpoint = dice.Below(growths);
    incarnation.crash.delay = incarnation.crash.events ? dice.Below(4) : dice.Skewed(600);
  }
}

}  // namespace experiments
