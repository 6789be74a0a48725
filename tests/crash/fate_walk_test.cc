// FateWalk against trees of questions whose leaves are known.
#include "experiments/crash/fate_walk.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace experiments {
namespace {

using Path = std::vector<uint32_t>;

// All paths that a walk takes through a tree: `next` gives the number of alternatives after a path, 0 at its
// end.
std::vector<Path> Walk(FateWalk* walk, const std::function<uint32_t(const Path&)>& next) {
  std::vector<Path> paths;
  do {
    walk->Begin();
    Path path;
    for (uint32_t count = next(path); count != 0; count = next(path)) path.push_back(walk->Choose(count));
    EXPECT_EQ(walk->Answers(path.size()), path);
    EXPECT_EQ(walk->Answers(2), Path(path.begin(), path.begin() + std::min<ptrdiff_t>(2, std::ssize(path))));
    paths.push_back(path);
  } while (walk->Next() && paths.size() < 100000);
  return paths;
}

TEST(FateWalk, NoQuestionIsOneRun) {
  FateWalk walk({}, {}, 1);
  EXPECT_EQ(Walk(&walk, [](const Path&) { return 0u; }), (std::vector<Path>{{}}));
  EXPECT_FALSE(walk.cut_short());
}

// What is asked depends on the answers: each leaf once, the newest first.
TEST(FateWalk, EveryPathOfASmallTreeOnce) {
  FateWalk walk({}, {}, 1);
  const std::vector<Path> paths = Walk(&walk, [](const Path& path) -> uint32_t {
    if (path.empty()) return 3;
    if (path.size() == 1) return path[0] == 1 ? 0 : 2;
    return path.size() == 2 && path == Path{2, 1} ? 2 : 0;
  });
  EXPECT_EQ(paths, (std::vector<Path>{{0, 0}, {0, 1}, {1}, {2, 0}, {2, 1, 0}, {2, 1, 1}}));
  EXPECT_FALSE(walk.cut_short());
}

TEST(FateWalk, EightQuestionsAreWalkedInFull) {
  FateWalk walk({}, {}, 1);
  const std::vector<Path> paths = Walk(&walk, [](const Path& path) { return path.size() < 8 ? 2u : 0u; });
  EXPECT_EQ(std::set<Path>(paths.begin(), paths.end()).size(), 256u);
  EXPECT_EQ(paths.size(), 256u);
  EXPECT_FALSE(walk.cut_short());
}

// More than eight: all new, all old, each alternative alone, every prefix old, and some drawn.
TEST(FateWalk, OfManyQuestionsTheTellingOnes) {
  FateWalk walk({}, {8, 64}, 7);
  const auto tree = [](const Path& path) { return path.size() < 10 ? path.size() == 4 ? 3u : 2u : 0u; };
  const std::vector<Path> paths = Walk(&walk, tree);
  EXPECT_TRUE(walk.cut_short());
  const std::set<Path> seen(paths.begin(), paths.end());
  const Path fresh(10, 0);
  Path old(10, 1);
  old[4] = 2;
  EXPECT_EQ(paths[0], fresh);
  EXPECT_TRUE(seen.count(old));
  for (size_t i = 0; i < 10; ++i) {
    for (uint32_t value = 1; value <= old[i]; ++value) {
      Path alone = fresh;
      alone[i] = value;
      EXPECT_TRUE(seen.count(alone)) << i << " " << value;
    }
    Path prefix = fresh;
    std::copy(old.begin(), old.begin() + static_cast<ptrdiff_t>(i), prefix.begin());
    EXPECT_TRUE(seen.count(prefix)) << i;
  }
  EXPECT_EQ(paths.size(), 1u + 1u + 11u + 8u + 64u);
  EXPECT_GE(seen.size(), 70u);
  FateWalk again({}, {8, 64}, 7);
  EXPECT_EQ(Walk(&again, tree), paths);
}

// A tree that is small where it is new and deep where it is old is not walked without end, and that is said.
TEST(FateWalk, DeepPathsAreCutShort) {
  FateWalk walk({}, {3, 4}, 1);
  const std::vector<Path> paths = Walk(&walk, [](const Path& path) {
    return path.size() < (path.empty() || path[0] == 0 ? 2u : 12u) ? 2u : 0u;
  });
  EXPECT_EQ(paths.size(), 2u + 4u);
  EXPECT_TRUE(walk.cut_short());
}

TEST(FateWalk, WhatIsFixedIsNotVaried) {
  FateWalk walk({1, 0, 2}, {}, 1);
  const std::vector<Path> paths = Walk(&walk, [](const Path& path) { return path.size() < 5 ? 3u : 0u; });
  EXPECT_EQ(paths.size(), 9u);
  for (const Path& path : paths) EXPECT_EQ(Path(path.begin(), path.begin() + 3), (Path{1, 0, 2}));
  EXPECT_EQ(std::set<Path>(paths.begin(), paths.end()).size(), 9u);
}

// An answer that the question does not allow (another path than before) becomes the last one allowed.
TEST(FateWalk, AnswersFitTheirQuestion) {
  FateWalk walk({7}, {}, 1);
  walk.Begin();
  EXPECT_EQ(walk.Choose(2), 1u);
}

}  // namespace
}  // namespace experiments
