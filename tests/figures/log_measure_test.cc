// What figure-log computes, and cells of it whose numbers follow from what the log is.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "experiments/figures/log/engines.h"
#include "experiments/figures/log/measure.h"
#include "faster/index/hash_table.h"
#include "tests/figures/measured_cell.h"
#include "workloads/ycsb/value.h"

namespace experiments::figures {
namespace {

class LogMeasure : public MeasuredCell {
 protected:
  LogMeasure() {
    settings.work.records = 20'000;
    settings.work.updates = "rmw";
    settings.work.distribution = "uniform";
    settings.work.warm_up = 4;
    settings.work.operations = 10;
    settings.work.seconds = 60;
    settings.engine = "hybrid";
    settings.memory = 1 << 24;
    settings.page_bits = 12;
    settings.mutable_share = 1;
    settings.mutable_of = "data";
    settings.storage = "null";
  }
  Outcome Measure() {
    return Run([this](const Cell& cell, Output* output, std::string* problem) {
      return MeasureLog(settings, cell, output, problem);
    });
  }
  LogSettings settings;
};

TEST(LogPages, WholeBlocksOfWholeRecords) {
  EXPECT_EQ(DataPages(170, 24, 4096, 4096), 1u);  // 170 records of 24 bytes and a checksum
  EXPECT_EQ(DataPages(171, 24, 4096, 4096), 2u);
  EXPECT_EQ(DataPages(1360, 24, 4096, 32768), 1u);
  EXPECT_EQ(DataPages(1361, 24, 4096, 32768), 2u);
  EXPECT_EQ(DataPages(255, 16, 4096, 4096), 1u);
  EXPECT_EQ(DataPages(256, 16, 4096, 4096), 2u);  // the checksum leaves no room for it
  EXPECT_EQ(DataPages(34, 120, 4096, 4096), 1u);
  EXPECT_EQ(DataPages(35, 120, 4096, 4096), 2u);
}

TEST(LogPages, FewerTagBitsLeaveTheBucketAlone) {
  for (const int bits : {1, 4, 14}) {
    std::set<uint64_t> tags;
    for (uint64_t key = 0; key < 200'000; ++key) {
      const uint64_t whole = workloads::ycsb::AddWord<8>().Hash(workloads::FnvHash64(key));
      const faster::KeyHash hash{whole & ~TagBitsLeftOut(bits)};
      tags.insert(hash.tag());
      ASSERT_EQ(hash.bucket((1ull << 40) - 1), faster::KeyHash{whole}.bucket((1ull << 40) - 1));
    }
    EXPECT_EQ(tags.size(), size_t{1} << bits);
  }
}

TEST_F(LogMeasure, NothingIsAppendedWhereAllOfTheDataIsMutable) {
  settings.work.threads = 2;
  ASSERT_EQ(Measure(), Outcome::kMeasured) << problem_;
  EXPECT_EQ(Metric("log_bytes_per_operation"), 0);
  EXPECT_EQ(Metric("fuzzy_percent"), 0);
  EXPECT_GT(Metric("ops_per_second"), 1000);
}

TEST_F(LogMeasure, OneMinusTheFactorIsAppendedUnderUniformAccesses) {
  for (const double factor : {0.1, 0.5, 0.9}) {
    settings.mutable_share = factor;
    ASSERT_EQ(Measure(), Outcome::kMeasured) << problem_;
    EXPECT_NEAR(Metric("appended_percent"), 100 * (1 - factor), 2.5) << factor;
    EXPECT_NEAR(Metric("log_bytes_per_second") / Metric("ops_per_second"), Metric("log_bytes_per_operation"),
                0.01);
  }
}

TEST_F(LogMeasure, ReadModifyWritesMeetTheFuzzyRegion) {
  settings.work.threads = 2;
  settings.work.refresh = 256;
  settings.mutable_share = 0.2;
  ASSERT_EQ(Measure(), Outcome::kMeasured) << problem_;
  EXPECT_GT(Metric("fuzzy_percent"), 0);
  EXPECT_LT(Metric("fuzzy_percent"), 50);
  settings.work.updates = "upsert";  // which nothing keeps from appending
  ASSERT_EQ(Measure(), Outcome::kMeasured) << problem_;
  EXPECT_EQ(Metric("fuzzy_percent"), 0);
}

TEST_F(LogMeasure, AnAppendOnlyLogGrowsWithEveryUpdate) {
  settings.mutable_of = "memory";
  settings.mutable_share = 0.9;
  settings.engine = "append-only";
  ASSERT_EQ(Measure(), Outcome::kMeasured) << problem_;
  EXPECT_NEAR(Metric("appended_percent"), 101, 2);  // and what is left free in blocks
  settings.engine = "in-place";
  ASSERT_EQ(Measure(), Outcome::kMeasured) << problem_;
  EXPECT_EQ(Metric("appended_percent"), 0);
}

TEST_F(LogMeasure, FewerTagBitsFindTheSame) {
  for (const char* engine : {"tag-1", "tag-4"}) {
    settings.engine = engine;
    settings.work.read_percent = 50;
    ASSERT_EQ(Measure(), Outcome::kMeasured) << problem_;
    EXPECT_EQ(Metric("log_bytes_per_operation"), 0) << engine;
  }
}

TEST_F(LogMeasure, LargerThanMemoryOnFilesBesideTheDevice) {
  settings.work.value_bytes = 104;
  settings.work.read_percent = 50;
  settings.work.warm_up = 0.2;
  settings.work.operations = 0.5;
  settings.memory = 1 << 19;  // of 2.4 MB
  settings.mutable_share = 0.5;
  settings.mutable_of = "memory";
  settings.storage = "posix";
  settings.device = true;
  ASSERT_EQ(Measure(), Outcome::kMeasured) << problem_;
  EXPECT_GT(Metric("written_bytes_per_second"), 0);
  EXPECT_GT(Metric("device_bytes_per_second"), 0);
  EXPECT_NEAR(Metric("share_of_device"),
              Metric("written_bytes_per_second") / Metric("device_bytes_per_second"), 1e-6);
}

TEST_F(LogMeasure, WhatCannotBeMeasuredIsRefusedByName) {
  settings.memory = 1 << 18;  // the data are 480 kB
  settings.mutable_of = "memory";
  EXPECT_EQ(Measure(), Outcome::kRefused);
  EXPECT_NE(problem_.find("memory: "), std::string::npos) << problem_;
  settings.mutable_of = "data";
  settings.mutable_share = 1;
  EXPECT_EQ(Measure(), Outcome::kRefused);
  EXPECT_NE(problem_.find("mutable: "), std::string::npos) << problem_;
  settings.memory = 3 << 20;
  EXPECT_EQ(Measure(), Outcome::kRefused);
  EXPECT_NE(problem_.find("memory: expected a power of two"), std::string::npos) << problem_;
  settings.memory = 1 << 24;
  settings.work.value_bytes = 12;
  EXPECT_EQ(Measure(), Outcome::kRefused);
  EXPECT_NE(problem_.find("value_bytes: "), std::string::npos) << problem_;
  settings.engine = "append-only";
  settings.work.updates = "upsert";
  EXPECT_EQ(Measure(), Outcome::kRefused);
  EXPECT_NE(problem_.find("updates: "), std::string::npos) << problem_;
}

}  // namespace
}  // namespace experiments::figures
