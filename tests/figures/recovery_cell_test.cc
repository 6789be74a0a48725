// What figure-recovery computes: the store it asks for, and the metrics of given recoveries.
#include "experiments/figures/recovery/recovery_cell.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

namespace experiments::figures {
namespace {

RecoverySettings Settings() {
  RecoverySettings settings;
  settings.records = 40'000;
  settings.keys = 40'000;
  settings.memory = uint64_t{64} << 20;
  settings.kind = "fold-over";
  return settings;
}

std::map<std::string, double> Metrics(const RecoverySettings& settings,
                                      const std::vector<bench::Recovery>& recoveries,
                                      const std::vector<PlainRead>& reads) {
  const RecoveryMetrics metrics = MetricsOf(settings, recoveries, reads);
  return {metrics.begin(), metrics.end()};
}

TEST(RecoveryCell, TakesTheMedianRecoveryAndTheMedianRateOfReading) {
  RecoverySettings settings = Settings();
  settings.records = 1000;
  // Readings: 1, 4 and 2 ns a byte.
  const auto metrics =
      Metrics(settings, {{0.9, 1, 4000, 500, 0}, {0.2, 0.3, 4000, 500, 0}, {0.1, 1, 4000, 500, 0}},
              {{1e-6, 1000}, {4e-6, 1000}, {4e-6, 2000}});
  EXPECT_DOUBLE_EQ(metrics.at("recovery_seconds"), 0.2);
  EXPECT_DOUBLE_EQ(metrics.at("processor_seconds"), 0.3);
  EXPECT_DOUBLE_EQ(metrics.at("replayed_share"), 0.5);
  EXPECT_DOUBLE_EQ(metrics.at("ns_per_record"), 0.2e9 / 500);
  EXPECT_DOUBLE_EQ(metrics.at("reading_seconds"), 8e-6);
  EXPECT_DOUBLE_EQ(metrics.at("over_reading"), 0.2 / 8e-6);
}

TEST(RecoveryCell, NextToNothingReplayedHasNoTimePerRecord) {
  const auto metrics = Metrics(Settings(), {{0.2, 0.3, 0, 160, 0}}, {{1, 1000}});
  EXPECT_EQ(metrics.count("ns_per_record"), 0u);
  EXPECT_EQ(metrics.count("over_reading"), 0u);
}

TEST(RecoveryCell, SettingsThatContradictEachOther) {
  EXPECT_EQ(CheckSettings(Settings()), "");
  RecoverySettings settings = Settings();
  settings.keys = settings.records + 1;
  EXPECT_NE(CheckSettings(settings), "");
  settings = Settings();
  settings.kind = "incremental";
  settings.index_share = 1;
  EXPECT_NE(CheckSettings(settings), "");
}

class Recovered : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  bench::Recovery Of(const RecoverySettings& settings) {
    std::string error;
    const bench::RecoveredStore store = StoreOf(settings, folder_);
    bench::Recovery recovery;
    EXPECT_TRUE(Fill(store, &error)) << error;
    EXPECT_TRUE(Recover(store, 1, 77, {}, &recovery, &error)) << error;
    EXPECT_EQ(recovery.serial, settings.records);
    return recovery;
  }
  const std::string folder_ = ::testing::TempDir() + "recovery_cell_" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(Recovered, WithoutAnIndexEveryRecordIsReplayed) { EXPECT_EQ(Of(Settings()).records, 40'000u); }

TEST_F(Recovered, TheIndexOfTheSameCheckpointLeavesTheRestOfABlock) {
  RecoverySettings settings = Settings();
  settings.index_share = 1;
  EXPECT_LE(Of(settings).records, 170u);  // as many as a block holds
}

TEST_F(Recovered, AnOlderIndexLeavesWhatItDoesNotKnow) {
  RecoverySettings settings = Settings();
  settings.index_share = 0.75;
  EXPECT_NEAR(static_cast<double>(Of(settings).records), 10'000, 200);  // a block holds 170 records
}

TEST_F(Recovered, AChainOfDeltasBringsAllBack) {
  RecoverySettings settings = Settings();
  settings.kind = "incremental";
  settings.deltas = 3;
  EXPECT_EQ(Of(settings).records, 40'000u);
  size_t deltas = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_))
    deltas += entry.path().filename().string().find("delta") != std::string::npos;
  EXPECT_GE(deltas, 1u);
}

}  // namespace
}  // namespace experiments::figures
