// The two modes of a checkpoint lock, each against the other: what one allows and forbids, counts, and many
// threads at once. And the table of locks, in every size that a store may have.
#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "faster/cpr/checkpoint_locks.h"
#include "tests/core/spin_barrier.h"

namespace faster {
namespace {

enum class Mode { kOld, kNew };

class Modes : public ::testing::TestWithParam<Mode> {
 protected:
  static bool TryMine(AtomicCheckpointLock& lock) { return Try(lock, GetParam() == Mode::kOld); }
  static bool TryOther(AtomicCheckpointLock& lock) { return Try(lock, GetParam() != Mode::kOld); }
  static void UnlockMine(AtomicCheckpointLock& lock) { Unlock(lock, GetParam() == Mode::kOld); }
  static void UnlockOther(AtomicCheckpointLock& lock) { Unlock(lock, GetParam() != Mode::kOld); }
  static uint32_t Mine(const AtomicCheckpointLock& lock) { return Count(lock, GetParam() == Mode::kOld); }
  static uint32_t Other(const AtomicCheckpointLock& lock) { return Count(lock, GetParam() != Mode::kOld); }

 private:
  static bool Try(AtomicCheckpointLock& lock, bool old) {
    return old ? lock.TryLockOld() : lock.TryLockNew();
  }
  static void Unlock(AtomicCheckpointLock& lock, bool old) { old ? lock.UnlockOld() : lock.UnlockNew(); }
  static uint32_t Count(const AtomicCheckpointLock& lock, bool old) {
    return old ? lock.load().old_count : lock.load().new_count;
  }
};

INSTANTIATE_TEST_SUITE_P(Both, Modes, ::testing::Values(Mode::kOld, Mode::kNew), [](const auto& info) {
  return std::string(info.param == Mode::kOld ? "Old" : "New");
});

TEST_P(Modes, AFreeLockIsHad) {
  AtomicCheckpointLock lock;
  EXPECT_EQ(lock.load().control(), 0u);
  EXPECT_TRUE(TryMine(lock));
  EXPECT_EQ(Mine(lock), 1u);
  EXPECT_EQ(Other(lock), 0u);
  UnlockMine(lock);
  EXPECT_EQ(lock.load().control(), 0u);
}

TEST_P(Modes, ManyShareIt) {
  AtomicCheckpointLock lock;
  for (uint32_t holders = 1; holders <= 1000; ++holders) {
    ASSERT_TRUE(TryMine(lock));
    ASSERT_EQ(Mine(lock), holders);
  }
  EXPECT_EQ(Other(lock), 0u);
  for (uint32_t holders = 1000; holders-- > 0;) {
    UnlockMine(lock);
    ASSERT_EQ(Mine(lock), holders);
  }
}

TEST_P(Modes, TheOtherWaitsForTheLast) {
  AtomicCheckpointLock lock;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(TryMine(lock));
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(TryOther(lock));
    UnlockMine(lock);
  }
  EXPECT_TRUE(TryOther(lock));
}

TEST_P(Modes, ARefusalLeavesNoTrace) {
  AtomicCheckpointLock lock;
  ASSERT_TRUE(TryMine(lock));
  const uint64_t before = lock.load().control();
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(TryOther(lock));
  EXPECT_EQ(lock.load().control(), before);
}

TEST_P(Modes, AreHadInTurn) {
  AtomicCheckpointLock lock;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(TryMine(lock));
    UnlockMine(lock);
    ASSERT_TRUE(TryOther(lock));
    UnlockOther(lock);
  }
  EXPECT_EQ(lock.load().control(), 0u);
}

// A full count does not reach the other mode's half.
TEST_P(Modes, ALargeCountStaysInItsHalf) {
  AtomicCheckpointLock lock;
  constexpr uint32_t kMany = 3 << 16;
  for (uint32_t i = 0; i < kMany; ++i) ASSERT_TRUE(TryMine(lock));
  EXPECT_EQ(Mine(lock), kMany);
  EXPECT_EQ(Other(lock), 0u);
  EXPECT_FALSE(TryOther(lock));
}

TEST_P(Modes, NoCountIsLostBetweenThreads) {
  AtomicCheckpointLock lock;
  const int run = testing::Together(2, 1000, [&](int, int) { EXPECT_TRUE(TryMine(lock)); });
  EXPECT_EQ(Mine(lock), 2u * static_cast<uint32_t>(run));
  const int back = testing::Together(2, run, [&](int, int) { UnlockMine(lock); });
  EXPECT_EQ(Mine(lock), 2u * static_cast<uint32_t>(run - back));
  EXPECT_EQ(Other(lock), 0u);
}

TEST_P(Modes, HeldTheOtherIsNeverHad) {
  AtomicCheckpointLock lock;
  std::atomic<int> wrong{0};
  testing::Together(2, 1000, [&](int t, int) {
    if (t == 0) {
      while (!TryMine(lock)) std::this_thread::yield();
      wrong += Other(lock) != 0;
      UnlockMine(lock);
    } else if (TryOther(lock)) {
      wrong += Mine(lock) != 0;
      UnlockOther(lock);
    }
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(lock.load().control(), 0u);
}

// What was done under one mode is seen whole under the other.
TEST_P(Modes, WorkUnderOneIsSeenWholeUnderTheOther) {
  AtomicCheckpointLock lock;
  uint64_t first = 0, second = 0;  // plain: the lock orders them
  std::atomic<int> torn{0};
  testing::Together(2, 1000, [&](int t, int) {
    if (t == 0) {
      while (!TryMine(lock)) std::this_thread::yield();
      ++first;
      ++second;
      UnlockMine(lock);
    } else if (TryOther(lock)) {
      torn += first != second;
      UnlockOther(lock);
    }
  });
  EXPECT_EQ(torn, 0);
}

TEST(LockWord, IsFreeAtZero) {
  EXPECT_EQ(CheckpointLock::FromControl(0).old_count, 0u);
  EXPECT_EQ(CheckpointLock::FromControl(0).new_count, 0u);
}
TEST(LockWord, HasTheOldCountBelow) { EXPECT_EQ((CheckpointLock{7, 0}.control()), 7u); }
TEST(LockWord, HasTheNewCountAbove) { EXPECT_EQ((CheckpointLock{0, 7}.control()), uint64_t{7} << 32); }
TEST(LockWord, KeepsBothAtTheirMost) {
  const CheckpointLock most = CheckpointLock::FromControl(~uint64_t{0});
  EXPECT_EQ(most.old_count, ~uint32_t{0});
  EXPECT_EQ(most.new_count, ~uint32_t{0});
  EXPECT_EQ(most.control(), ~uint64_t{0});
}
TEST(LockWord, IsEightBytes) { EXPECT_EQ(sizeof(AtomicCheckpointLock), 8u); }

class LockTables : public ::testing::TestWithParam<uint64_t> {};

INSTANTIATE_TEST_SUITE_P(Sizes, LockTables, ::testing::Values(1, 2, 32, 64, uint64_t{1} << 20));

TEST_P(LockTables, HaveAsManyAsATinyIndexHasBuckets) {
  EXPECT_EQ(CheckpointLocks(GetParam()).size(), GetParam() < 64 ? GetParam() : uint64_t{1} << 14);
}

TEST_P(LockTables, EveryTagHasOneAndTheSameAlways) {
  CheckpointLocks locks(GetParam());
  for (uint64_t tag = 0; tag < uint64_t{1} << 14; tag += 7) {
    AtomicCheckpointLock& lock = locks.Of(tag);
    EXPECT_EQ(&lock, &locks.Of(tag));
    EXPECT_EQ(&lock, &locks.Of(tag + locks.size()));
    ASSERT_TRUE(lock.TryLockOld());
    EXPECT_TRUE(locks.AnyHeld());
    lock.UnlockOld();
  }
  EXPECT_FALSE(locks.AnyHeld());
}

TEST_P(LockTables, OneHeldLeavesTheOthersFree) {
  CheckpointLocks locks(GetParam());
  ASSERT_TRUE(locks.Of(0).TryLockNew());
  EXPECT_TRUE(locks.AnyHeld());
  for (uint64_t tag = 1; tag < locks.size(); ++tag) {
    ASSERT_TRUE(locks.Of(tag).TryLockOld()) << tag;
    locks.Of(tag).UnlockOld();
  }
  EXPECT_FALSE(locks.Of(0).TryLockOld());
  locks.Of(0).UnlockNew();
  EXPECT_FALSE(locks.AnyHeld());
}

}  // namespace
}  // namespace faster
