#include <algorithm>

#include "experiments/common/dice.h"
#include "experiments/crash/generator.h"

namespace experiments {
namespace {

uint32_t OperationsOf(const Incarnation& incarnation) {
  uint32_t operations = 0;
  for (const Actor& actor : incarnation.actors) {
    for (const Action& action : actor.actions) operations += action.verb <= Verb::kInsert;
  }
  return operations;
}

// An actor that migrates and compacts the cold log, `first` of all what is on disk when it begins.
Actor Mover(Dice& dice, std::string name, bool first, uint32_t cold_percent, uint32_t operations) {
  Actor actor;
  actor.name = std::move(name);
  if (first) actor.actions.push_back({Verb::kCompactLookup, 100, {}});
  const uint32_t count = dice.Between(1, 4);
  uint32_t at = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t wait = dice.Below(100);
    at += dice.Below(operations / count + 1);
    if (wait < 50)
      actor.actions.push_back({Verb::kAwaitOperations, at, {}});
    else if (wait < 75)
      actor.actions.push_back({Verb::kAwaitPhase, dice.Below(kFirstGrowthPhase), {}});
    const bool cold = dice.Chance(cold_percent);
    const uint32_t percent = dice.Chance(70) ? 100 : dice.Between(20, 99);
    actor.actions.push_back({cold ? Verb::kCompact : Verb::kCompactLookup, percent, {}});
  }
  return actor;
}

// An actor that migrates again and again while versions shift, when some of what is on disk is of the later
// one.
Actor Racer(Dice& dice) {
  Actor actor;
  actor.name = "racer";
  for (uint32_t i = dice.Between(3, 8); i > 0; --i) {
    if (dice.Chance(60)) actor.actions.push_back({Verb::kAwaitPhase, dice.Between(3, 6), {}});
    if (dice.Chance(50)) actor.actions.push_back({Verb::kPause, dice.Between(1, 10), {}});
    actor.actions.push_back({Verb::kCompactLookup, 100, {}});
  }
  return actor;
}

}  // namespace

void AddCold(uint32_t percent, bool centre, uint64_t seed, Scenario* scenario) {
  Dice dice(MixSeed(seed, 0xc01d));
  SubjectConfig& geometry = scenario->geometry;
  if (!dice.Chance(percent) || geometry.value_bytes == 0) return;  // keys and values of one size only
  geometry.cold_chunks = 1u << dice.Below(3);
  // More than either memory holds. Not in one long chain on disk, where each record is looked up by a walk.
  const bool short_chains = geometry.hash == HashMode::kMixed || geometry.hash == HashMode::kSameBucket;
  const bool wide = geometry.value_bytes != 8;
  if (scenario->filler != 0 && short_chains && dice.Chance(centre ? 80 : 40))
    scenario->filler += wide ? dice.Between(1, 6) : dice.Between(8, 64);
  for (size_t i = 0; i < scenario->incarnations.size(); ++i) {
    Incarnation& incarnation = scenario->incarnations[i];
    const uint32_t operations = OperationsOf(incarnation);
    if (incarnation.actors.size() < 11 && dice.Chance(i == 0 ? 90 : 50))
      incarnation.actors.push_back(Mover(dice, "mover", i == 0 && dice.Chance(60), 35, operations));
    if (incarnation.actors.size() < 11 && dice.Chance(centre ? 40 : 15))
      incarnation.actors.push_back(Mover(dice, "compactor", false, 80, operations));
    if (incarnation.actors.size() < 11 && wide && dice.Chance(centre ? 60 : 30))
      incarnation.actors.push_back(Racer(dice));
  }
}

}  // namespace experiments
