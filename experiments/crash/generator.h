// Generator: scenarios from a seed. Same family, variation and seed give the same scenario, always.
//
// A family says what is varied around which centre; "everything" draws all knobs, zero probability of each
// included (swarm testing: Groce et al., ISSTA'12). Crash points are aimed: at phases and I/O of the
// checkpoint and just after it became durable, in some executions at any step, because uniform steps seldom
// test a recovered state (reference: of 6,000 uniform crashes 633 did). Cost: some microseconds. Thread-safe:
// no state.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "experiments/crash/scenario.h"

namespace experiments {

struct Variation {
  std::string family;                        // one of FamilyNames(), or "" for a mixture of all
  std::vector<int> kinds;                    // KindIndex() values to draw from; empty: all
  std::optional<faster::ShiftScheme> shift;  // absent: drawn, as the next two
  std::optional<faster::Guarantee> guarantee;
  std::optional<bool> overlap_index;
  // Phases that the subject's machine passes, per kind; Rest is left out. From Subject::PhaseTable().
  std::array<std::vector<int>, kCheckpointKinds> phases;
};

struct Family {
  const char* name;
  const char* what;
};
const std::vector<Family>& Families();

// Lets the index of a scenario grow, in `percent` of all seeds; by dice of its own, so that all else stays as
// drawn. `narrow`: mostly one bucket, where all keys begin in one chain.
void AddGrowth(uint32_t percent, bool narrow, uint64_t seed, Scenario* scenario);

// Puts a cold store below a scenario's in `percent` of all seeds, with actors that migrate; by dice of its
// own, too. `centre`: it is what the scenario is about.
void AddCold(uint32_t percent, bool centre, uint64_t seed, Scenario* scenario);

Scenario Generate(const Variation& variation, uint64_t seed);

}  // namespace experiments
