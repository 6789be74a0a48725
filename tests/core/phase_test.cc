// The phase machine as data: what holds of every kind of checkpoint, and of the word that it is packed into.
#include "faster/cpr/phase.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace faster {
namespace {

constexpr CheckpointKind kKinds[] = {CheckpointKind::kFull, CheckpointKind::kIndexOnly,
                                     CheckpointKind::kLogOnly, CheckpointKind::kGrowIndex,
                                     CheckpointKind::kIncremental};

class Kinds : public ::testing::TestWithParam<CheckpointKind> {
 protected:
  static std::vector<SystemState> Walk(bool overlapped = false) {
    std::vector<SystemState> states = {{Phase::kRest, GetParam(), 4}};
    do {
      states.push_back(states.back().Next(GetParam(), overlapped));
    } while (states.back().phase != Phase::kRest && states.size() < 20);
    return states;
  }
};

INSTANTIATE_TEST_SUITE_P(All, Kinds, ::testing::ValuesIn(kKinds),
                         [](const auto& info) { return std::string(CheckpointKindName(info.param)); });

TEST_P(Kinds, EndInRest) {
  EXPECT_EQ(Walk().back().phase, Phase::kRest);
  EXPECT_EQ(Walk(true).back().phase, Phase::kRest);
}

TEST_P(Kinds, PassNoPhaseTwice) {
  std::set<Phase> seen;
  const std::vector<SystemState> states = Walk();
  for (size_t i = 1; i < states.size(); ++i) EXPECT_TRUE(seen.insert(states[i].phase).second);
}

TEST_P(Kinds, ThatShiftHaveOneNewVersionAtInProgress) {
  const std::vector<SystemState> states = Walk();
  uint64_t shifts = 0;
  for (size_t i = 1; i < states.size(); ++i) {
    const bool here = states[i].phase == Phase::kInProgress;
    EXPECT_EQ(states[i].version, states[i - 1].version + here);
    shifts += here;
  }
  const bool log = GetParam() != CheckpointKind::kIndexOnly && GetParam() != CheckpointKind::kGrowIndex;
  EXPECT_EQ(shifts, log ? 1u : 0u);
}

TEST_P(Kinds, AreInTheWord) {
  for (const SystemState& state : Walk()) EXPECT_EQ(SystemState::FromControl(state.control()), state);
}

// A phase that is not on a kind's way leads out of the machine at once, not into another kind's.
TEST_P(Kinds, LeaveForeignPhasesForRest) {
  std::set<Phase> own = {Phase::kRest};
  for (const SystemState& state : Walk()) own.insert(state.phase);
  for (int i = 0; i < kPhases; ++i) {
    const auto phase = static_cast<Phase>(i);
    if (own.contains(phase)) continue;
    EXPECT_EQ((SystemState{phase, GetParam(), 4}.Next(GetParam()).phase), Phase::kRest) << PhaseName(phase);
  }
}

TEST(Overlap, ChangesFullOnly) {
  const SystemState prep{Phase::kPrepIndex, CheckpointKind::kFull, 1};
  EXPECT_EQ(prep.Next(CheckpointKind::kFull, false).phase, Phase::kIndex);
  EXPECT_EQ(prep.Next(CheckpointKind::kFull, true).phase, Phase::kPrepare);
  const SystemState index{Phase::kPrepIndex, CheckpointKind::kIndexOnly, 1};
  EXPECT_EQ(index.Next(CheckpointKind::kIndexOnly, true).phase, Phase::kIndex);
}

TEST(StateWord, KeepsVersionsOf48Bits) {
  for (const uint64_t version : {uint64_t{1}, uint64_t{1} << 32, (uint64_t{1} << 48) - 1}) {
    const SystemState state{Phase::kWaitFlush, CheckpointKind::kIncremental, version};
    EXPECT_EQ(SystemState::FromControl(state.control()), state);
  }
}

TEST(StateWord, TellsStatesApart) {
  std::set<uint64_t> words;
  for (const CheckpointKind kind : kKinds) {
    for (int phase = 0; phase < kPhases; ++phase)
      for (const uint64_t version : {1, 2}) {
        EXPECT_TRUE(words.insert(SystemState{static_cast<Phase>(phase), kind, version}.control()).second);
      }
  }
}

TEST(PhaseNames, AreThosePeopleKnow) {
  EXPECT_EQ(PhaseName(Phase::kRest), "Rest");
  EXPECT_EQ(PhaseName(Phase::kPersistenceCallback), "PersistenceCallback");
  EXPECT_EQ(PhaseName(Phase::kGrowInProgress), "GrowInProgress");
}

TEST(PhasePredicates, VersionsDifferOnlyWhileSomeMayBeBehind) {
  for (int i = 0; i < kPhases; ++i) {
    const auto phase = static_cast<Phase>(i);
    EXPECT_EQ(VersionsDiffer(phase), phase == Phase::kInProgress || phase == Phase::kWaitPending);
    EXPECT_EQ(IsGrowing(phase), phase == Phase::kGrowPrepare || phase == Phase::kGrowInProgress);
    EXPECT_FALSE(IsGrowing(phase) && IsShifted(phase));
  }
}

}  // namespace
}  // namespace faster
