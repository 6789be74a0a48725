// What the cache simulations access: shares, drift, and ratios that are known without a simulation.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "experiments/figures/caches/accesses.h"

namespace experiments::figures {
namespace {

AccessPlan Plan(const std::string& distribution, uint32_t keys) {
  AccessPlan plan;
  plan.distribution = distribution;
  plan.keys = keys;
  return plan;
}

std::vector<int> Draw(const AccessPlan& plan, int count) {
  Accesses accesses(plan);
  std::vector<int> counts(plan.keys);
  for (int i = 0; i < count; ++i) ++counts.at(accesses.Next());
  return counts;
}

TEST(CacheAccesses, HotSetHasItsShareOfKeysAndAccesses) {
  const std::vector<int> counts = Draw(Plan("hot-set", 100), 1'000'000);
  int hot = 0;
  for (int key = 0; key < 20; ++key) hot += counts[key];
  EXPECT_NEAR(hot, 900'000, 2'000);
  for (int key = 0; key < 100; ++key) EXPECT_NEAR(counts[key], key < 20 ? 45'000 : 1'250, 1'200) << key;
}

TEST(CacheAccesses, HotSetMovesOneKeyAtATimeAndAroundTheRing) {
  AccessPlan plan = Plan("hot-set", 100);
  plan.drift_every = 1000;
  plan.hot_accesses = 1;
  Accesses accesses(plan);
  for (uint32_t window = 0; window < 250; ++window) {
    std::vector<bool> seen(100);
    for (int i = 0; i < 1000; ++i) seen[accesses.Next()] = true;
    for (uint32_t key = 0; key < 100; ++key)
      ASSERT_EQ(seen[key], (key + 250 * 100 - window) % 100 < 20) << "key " << key << ", window " << window;
  }
}

TEST(CacheAccesses, ZipfianHasItsShares) {
  const uint32_t keys = 1000;
  const std::vector<int> counts = Draw(Plan("zipfian", keys), 1'000'000);
  const double zeta = workloads::Zeta(keys, 0.99);
  EXPECT_NEAR(counts[0], 1e6 / zeta, 2'000);
  EXPECT_NEAR(counts[1], 1e6 / zeta / std::pow(2, 0.99), 2'000);
}

TEST(CacheAccesses, EqualSeedsEqualSequences) {
  for (const char* distribution : {"uniform", "zipfian", "hot-set"}) {
    AccessPlan plan = Plan(distribution, 500);
    Accesses one(plan), same(plan);
    plan.seed = 2;
    Accesses other(plan);
    int differ = 0;
    for (int i = 0; i < 1000; ++i) {
      const uint32_t key = one.Next();
      ASSERT_EQ(key, same.Next());
      differ += key != other.Next();
    }
    EXPECT_GT(differ, 500) << distribution;
  }
}

// Uniform accesses miss with 1 - capacity / keys, whoever chooses what leaves; in the HybridLog two copies of
// some records leave a little less room. What that is follows from the rate at which records are appended:
// one that has become read-only is copied before it leaves with probability p.
TEST(MissRatio, UniformIsTheShareThatIsNotInMemory) {
  constexpr uint32_t kKeys = 2000;
  for (const std::string_view policy : CachePolicies()) {
    for (const uint32_t part : {2u, 4u, 8u, 16u}) {
      const auto cache = MakeCache(policy, {kKeys, kKeys / part});
      const double ratio = MissRatio(Plan("uniform", kKeys), cache.get(), 20'000, 1'000'000);
      const double least = 1 - 1.0 / part;
      EXPECT_GT(ratio, least - 0.0015) << policy << " 1/" << part;
      EXPECT_LT(ratio, least + (policy == "hlog" ? 0.004 : 0.0015)) << policy << " 1/" << part;
    }
  }
}

// With half the memory read-only the copies show. An access that does not find its record mutable appends
// one, so of N keys a = 1 - mutable / N are appended per access. Each may be copied while it is read-only,
// which takes read_only / a accesses, and counts for nothing from then on.
TEST(MissRatio, HybridLogPaysForItsCopies) {
  constexpr double kKeys = 20'000, kMutable = 5'000, kReadOnly = 5'000;
  const double appended = 1 - kMutable / kKeys;
  const double hits_read_only = appended * (1 - std::exp(-kReadOnly / appended / kKeys));
  const double misses = appended - hits_read_only;
  EXPECT_GT(misses, 0.53);  // plain first in, first out: 0.5
  const auto cache = MakeCache("hlog", {20'000, 10'000, 0.5});
  EXPECT_NEAR(MissRatio(Plan("uniform", 20'000), cache.get(), 200'000, 2'000'000), misses, 0.002);
}

TEST(MissRatio, WarmUpIsNotCounted) {
  const auto cold = MakeCache("fifo", {1000, 1000});
  EXPECT_EQ(MissRatio(Plan("uniform", 1000), cold.get(), 20'000, 1000), 0);
  const auto counted = MakeCache("fifo", {1000, 1000});
  EXPECT_GT(MissRatio(Plan("uniform", 1000), counted.get(), 0, 1000), 0.5);
}

}  // namespace
}  // namespace experiments::figures
