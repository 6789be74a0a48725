// CheckpointLocks and the phase machine as data.
#include "faster/cpr/checkpoint_locks.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "faster/cpr/phase.h"
#include "tests/core/spin_barrier.h"

namespace faster {
namespace {

TEST(CheckpointLock, PacksItsCounts) {
  const CheckpointLock lock{3, 0xffffffff};
  EXPECT_EQ(CheckpointLock::FromControl(lock.control()).old_count, 3u);
  EXPECT_EQ(CheckpointLock::FromControl(lock.control()).new_count, 0xffffffffu);
}

TEST(CheckpointLock, SharesWithinAModeAndExcludesTheOther) {
  AtomicCheckpointLock lock;
  EXPECT_TRUE(lock.TryLockOld());
  EXPECT_TRUE(lock.TryLockOld());
  EXPECT_FALSE(lock.TryLockNew());
  lock.UnlockOld();
  EXPECT_FALSE(lock.TryLockNew());
  lock.UnlockOld();
  EXPECT_TRUE(lock.TryLockNew());
  EXPECT_TRUE(lock.TryLockNew());
  EXPECT_FALSE(lock.TryLockOld());
  EXPECT_EQ(lock.load().new_count, 2u);
  lock.UnlockNew();
  lock.UnlockNew();
  EXPECT_TRUE(lock.TryLockOld());
}

TEST(CheckpointLock, NeverHoldsBothModes) {
  AtomicCheckpointLock lock;
  std::atomic<int> both{0};
  testing::Together(2, 2000, [&](int t, int) {
    for (int i = 0; i < 50; ++i) {
      if (!(t == 0 ? lock.TryLockOld() : lock.TryLockNew())) continue;
      const CheckpointLock seen = lock.load();
      both += seen.old_count != 0 && seen.new_count != 0;
      t == 0 ? lock.UnlockOld() : lock.UnlockNew();
    }
  });
  EXPECT_EQ(both, 0);
  EXPECT_EQ(lock.load().control(), 0u);
}

TEST(CheckpointLocks, OneLockForAllKeysOfATag) {
  CheckpointLocks locks(8);
  EXPECT_EQ(locks.size(), 8u);
  EXPECT_EQ(&locks.Of(3), &locks.Of(3 + 8));
  EXPECT_NE(&locks.Of(3), &locks.Of(4));
  EXPECT_FALSE(locks.AnyHeld());
  for (uint64_t bucket = 0; bucket < 8; ++bucket) {
    ASSERT_TRUE(locks.Of(bucket).TryLockOld());
    EXPECT_TRUE(locks.AnyHeld());
    locks.Of(bucket).UnlockOld();
    EXPECT_FALSE(locks.AnyHeld());
  }
  EXPECT_EQ(CheckpointLocks(uint64_t{1} << 30).size(), uint64_t{1} << 14);  // as many as there are tags
}

std::vector<Phase> Walk(CheckpointKind kind) {
  std::vector<Phase> phases;
  SystemState state{Phase::kRest, kind, 4};
  do {
    state = state.Next(kind);
    phases.push_back(state.phase);
  } while (state.phase != Phase::kRest && phases.size() < 20);
  return phases;
}

TEST(Phases, EachKindWalksItsOwn) {
  using enum Phase;
  EXPECT_EQ(Walk(CheckpointKind::kFull), (std::vector{kPrepIndex, kIndex, kPrepare, kInProgress, kWaitPending,
                                                      kWaitFlush, kPersistenceCallback, kRest}));
  EXPECT_EQ(Walk(CheckpointKind::kIndexOnly), (std::vector{kPrepIndex, kIndex, kRest}));
  EXPECT_EQ(Walk(CheckpointKind::kGrowIndex), (std::vector{kGrowPrepare, kGrowInProgress, kRest}));
  EXPECT_EQ(Walk(CheckpointKind::kLogOnly),
            (std::vector{kPrepare, kInProgress, kWaitPending, kWaitFlush, kPersistenceCallback, kRest}));
}

TEST(Phases, VersionGrowsOnceAndSurvivesPacking) {
  for (const CheckpointKind kind :
       {CheckpointKind::kFull, CheckpointKind::kIndexOnly, CheckpointKind::kLogOnly}) {
    const uint64_t first = (uint64_t{1} << 40) + 1;
    SystemState state{Phase::kRest, kind, first};
    do {
      const uint64_t before = state.version;
      state = state.Next(kind);
      EXPECT_EQ(state.version, before + (state.phase == Phase::kInProgress));
      EXPECT_EQ(SystemState::FromControl(state.control()), state);
    } while (state.phase != Phase::kRest);
    EXPECT_EQ(state.version, first + (kind != CheckpointKind::kIndexOnly));
  }
}

TEST(Phases, ShiftedFromInProgressUntilRest) {
  bool shifted = false;
  for (const Phase phase : Walk(CheckpointKind::kFull)) {
    shifted = phase == Phase::kInProgress || (shifted && phase != Phase::kRest);
    EXPECT_EQ(IsShifted(phase), shifted) << PhaseName(phase);
  }
}

}  // namespace
}  // namespace faster
