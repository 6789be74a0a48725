// What figure-f2 computes: how memory is split, the metrics of given samples, and a short load of each kind.
#include <gtest/gtest.h>

#include <bit>
#include <filesystem>
#include <map>

#include "experiments/figures/f2_load/load.h"

namespace experiments::figures {
namespace {

TEST(MemorySplit, KeepsToTheBudget) {
  for (uint64_t budget = 1 << 18; budget <= 1 << 26; budget *= 2) {
    for (const bool f2 : {false, true}) {
      const MemorySplit split = SplitMemory(f2, budget, 100'000, true);
      EXPECT_LE(split.total(), budget) << f2;
      EXPECT_GE(split.total(), budget / 2) << f2;
      EXPECT_TRUE(std::has_single_bit(split.log) && std::has_single_bit(split.index_buckets));
    }
  }
}

TEST(MemorySplit, AnIndexIsNotLargerThanItsKeysNeed) {
  EXPECT_EQ(SplitMemory(false, 1 << 20, 1'000'000, false).index_buckets, (1u << 19) / 64);
  EXPECT_EQ(SplitMemory(false, 1 << 20, 1000, false).index_buckets, 512u);
}

TEST(MemorySplit, BlocksHoldWholeRecords) { EXPECT_EQ(DataBytes(15, 128, 1024), 3 * 1024u); }

std::vector<LoadSample> Samples() {  // 1000 operations in each of 8 seconds, then 500
  std::vector<LoadSample> samples;
  for (uint64_t i = 0; i <= 16; ++i)
    samples.push_back({static_cast<double>(i), std::min<uint64_t>(i, 8) * 1000 + (i > 8 ? (i - 8) * 500 : 0),
                       i * 2'000'000, i * 1'000'000, i * 100});
  return samples;
}

TEST(Load, Metrics) {
  const LoadMetrics list = MetricsOf(Samples(), {100, 50}, 800);
  const std::map<std::string, double> metrics(list.begin(), list.end());
  EXPECT_DOUBLE_EQ(metrics.at("kops"), 12.0 / 16);
  EXPECT_DOUBLE_EQ(metrics.at("read_mb_s"), 2);
  EXPECT_DOUBLE_EQ(metrics.at("read_amplification"), 32e6 / (12'000 * 100.0));
  EXPECT_DOUBLE_EQ(metrics.at("write_amplification"), 16e6 / (12'000 * 50.0));
  EXPECT_DOUBLE_EQ(metrics.at("first_kops"), 1);
  EXPECT_DOUBLE_EQ(metrics.at("last_kops"), 0.5);
  EXPECT_DOUBLE_EQ(metrics.at("before_kops"), 1);
  EXPECT_DOUBLE_EQ(metrics.at("after_kops"), 0.5);
}

TEST(Load, ABudgetThatIsNotReachedHasNoBeforeAndAfter) {
  const LoadMetrics list = MetricsOf(Samples(), {100, 0}, 10'000);
  const std::map<std::string, double> metrics(list.begin(), list.end());
  EXPECT_EQ(metrics.count("before_kops"), 0u);
  EXPECT_EQ(metrics.count("write_amplification"), 0u);
}

class ShortLoad : public ::testing::TestWithParam<bool> {};

TEST_P(ShortLoad, MigratesOrCompactsAndLosesNothing) {
  const std::string folder = ::testing::TempDir() + (GetParam() ? "short_load_f2" : "short_load_faster");
  std::filesystem::create_directories(folder);
  LoadPlan plan;
  workloads::Properties properties;
  std::string error;
  for (const char* property : {"recordcount=20000", "operationcount=1000000000", "fieldcount=1",
                               "fieldlength=100", "readproportion=50", "updateproportion=50",
                               "faster.block_bytes=1024", "faster.keys_per_thread=32768"})
    ASSERT_TRUE(properties.Assign(property, &error)) << error;
  error.clear();
  ASSERT_TRUE(workloads::ycsb::ParseSpec(properties, false, &plan.spec, &error)) << error;
  plan.f2 = GetParam();
  plan.memory = SplitMemory(plan.f2, 1 << 18, 20'000, true);
  plan.disk_budget = DataBytes(20'000, plan.spec.record_bytes(), 1024);
  plan.seconds = 1;
  plan.sample_seconds = 0.05;
  LoadResult result;
  ASSERT_TRUE(RunLoad(plan, folder, &result, &error)) << error;
  EXPECT_GE(result.upkeeps, 1u);
  EXPECT_EQ(result.torn, 0u);
  EXPECT_EQ(result.measurements.errors(), 0u);
  EXPECT_EQ(result.measurements.of(workloads::ycsb::Metric::kRead).not_found, 0u);
  EXPECT_GE(result.samples.size(), 10u);
  EXPECT_GT(result.samples.back().read_bytes, 0u);
  std::filesystem::remove_all(folder);
}
INSTANTIATE_TEST_SUITE_P(Both, ShortLoad, ::testing::Bool());

}  // namespace
}  // namespace experiments::figures
