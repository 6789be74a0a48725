// The core of the shrinker, as pure code: what it returns fails, is 1-minimal, and does not depend on luck.
#include "experiments/crash/minimize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "experiments/common/dice.h"

namespace experiments {
namespace {

const MayGoOn kAlways = [] { return true; };

// Fails if all of `needed` are there.
KeepsFailing Needs(std::set<size_t> needed) {
  return [needed](const std::vector<size_t>& kept) {
    return std::includes(kept.begin(), kept.end(), needed.begin(), needed.end());
  };
}

// An oracle without any order in it: whether a set fails is drawn from its bits. The full one does.
struct Arbitrary {
  uint64_t seed;
  size_t count;
  bool Fails(const std::vector<size_t>& kept) const {
    if (kept.size() == count) return true;
    uint64_t bits = 0;
    for (const size_t i : kept) bits |= uint64_t{1} << i;
    return MixSeed(seed, bits) % 3 == 0;
  }
};

TEST(Minimize, KeepsWhatIsNeeded) {
  for (const std::set<size_t>& needed : {std::set<size_t>{}, {0}, {99}, {3, 4}, {0, 50, 99}, {7, 8, 9, 70}}) {
    const Minimized result = Minimize(100, Needs(needed), kAlways);
    EXPECT_TRUE(result.minimal);
    EXPECT_EQ(std::set<size_t>(result.kept.begin(), result.kept.end()), needed);
  }
}

TEST(Minimize, FewQuestionsForFewNeeded) {
  int asked = 0;
  const KeepsFailing needs = Needs({100, 700});
  Minimize(
      1000,
      [&](const std::vector<size_t>& kept) {
        ++asked;
        return needs(kept);
      },
      kAlways);
  EXPECT_LT(asked, 120);
}

// Whatever the oracle: the result is a set that it called failing, and no single thing more can go.
TEST(Minimize, IsOneMinimalForAnyOracle) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Arbitrary oracle{seed, 1 + seed % 12};
    std::set<std::vector<size_t>> failed;
    const Minimized result = Minimize(
        oracle.count,
        [&](const std::vector<size_t>& kept) {
          EXPECT_TRUE(std::is_sorted(kept.begin(), kept.end()));
          EXPECT_LT(kept.size(), oracle.count);
          if (!oracle.Fails(kept)) return false;
          failed.insert(kept);
          return true;
        },
        kAlways);
    EXPECT_TRUE(result.minimal);
    EXPECT_TRUE(result.kept.size() == oracle.count || failed.count(result.kept) == 1) << "seed " << seed;
    for (size_t i = 0; i < result.kept.size(); ++i) {
      std::vector<size_t> rest = result.kept;
      rest.erase(rest.begin() + static_cast<ptrdiff_t>(i));
      EXPECT_FALSE(oracle.Fails(rest)) << "seed " << seed << ", without " << i;
    }
  }
}

TEST(Minimize, AsksTheSameQuestionsAgain) {
  const Arbitrary oracle{17, 12};
  std::vector<std::vector<size_t>> questions[2];
  for (auto& asked : questions) {
    Minimize(
        oracle.count,
        [&](const std::vector<size_t>& kept) {
          asked.push_back(kept);
          return oracle.Fails(kept);
        },
        kAlways);
  }
  EXPECT_EQ(questions[0], questions[1]);
}

// Stopped at any point: no further question, and what it has is a set that fails, and is not called minimal.
TEST(Minimize, KeepsToItsBound) {
  const KeepsFailing needs = Needs({3, 40, 41});
  for (int bound = 0; bound < 40; ++bound) {
    int asked = 0;
    const Minimized result = Minimize(
        60,
        [&](const std::vector<size_t>& kept) {
          ++asked;
          return needs(kept);
        },
        [&] { return asked < bound; });
    EXPECT_LE(asked, bound);
    EXPECT_TRUE(needs(result.kept));
    EXPECT_FALSE(result.minimal && result.kept.size() > 3);
  }
}

TEST(Minimize, RoughlyAsksLess) {
  int asked = 0;
  const KeepsFailing needs = Needs({3, 900});
  const Minimized result = Minimize(
      1000,
      [&](const std::vector<size_t>& kept) {
        ++asked;
        return needs(kept);
      },
      kAlways, 125);
  EXPECT_TRUE(needs(result.kept));
  EXPECT_FALSE(result.minimal);
  EXPECT_LE(result.kept.size(), 250u);
  EXPECT_LE(asked, 16);
}

TEST(SmallNumber, FindsTheLowestThatFails) {
  for (uint64_t lowest = 2; lowest <= 1000; lowest += 83) {
    int asked = 0;
    const auto fails = [&](uint64_t value) {
      ++asked;
      return value >= lowest;
    };
    EXPECT_EQ(SmallNumber(2, 1000, fails, kAlways), lowest);
    EXPECT_LT(asked, 40);
  }
}

TEST(SmallNumber, ReturnsOnlyWhatFailed) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::set<uint64_t> failed = {300};
    const auto fails = [&](uint64_t value) {
      EXPECT_GE(value, 5u);
      EXPECT_LT(value, 300u);
      if (MixSeed(seed, value) % 4 != 0) return false;
      failed.insert(value);
      return true;
    };
    const uint64_t found = SmallNumber(5, 300, fails, kAlways);
    EXPECT_EQ(failed.count(found), 1u);
    EXPECT_EQ(found, *failed.begin());
  }
  EXPECT_EQ(SmallNumber(
                7, 7, [](uint64_t) { return true; }, kAlways),
            7u);
  EXPECT_EQ(SmallNumber(
                0, 9, [](uint64_t) { return true; }, [] { return false; }),
            9u);
}

}  // namespace
}  // namespace experiments
