// The clients' buffers of figure-buffer against a queue, and cells of it.
#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "experiments/figures/buffer/measure.h"
#include "experiments/figures/buffer/replay_buffer.h"
#include "tests/figures/measured_cell.h"
#include "workloads/generators.h"

namespace experiments::figures {
namespace {

TEST(ReplayBuffer, IsAQueueOfWhatIsNotDurable) {
  workloads::Random random(3);
  for (int run = 0; run < 200; ++run) {
    const uint64_t entries = 1 + random.Below(20);
    const double share = 0.1 + 0.9 * random.NextDouble();
    ReplayBuffer buffer(entries, share);
    std::deque<std::pair<uint64_t, uint64_t>> model;  // serial, key
    uint64_t issued = 0, durable = 0;
    for (int step = 0; step < 300; ++step) {
      ASSERT_EQ(buffer.Full(), model.size() == entries);
      ASSERT_EQ(buffer.WantsCommit(),
                model.size() >= static_cast<uint64_t>(static_cast<double>(entries) * share));
      if (random.Below(3) != 0 && model.size() < entries) {
        const uint64_t key = random.Next();
        buffer.Add(key, ++issued);
        model.emplace_back(issued, key);
      } else {
        const uint64_t point = durable + random.Below(issued - durable + 1);
        ASSERT_TRUE(buffer.Release(point));
        durable = point;
        while (!model.empty() && model.front().first <= point) model.pop_front();
      }
      ASSERT_EQ(buffer.used(), model.size());
      for (const auto& [serial, key] : model) {
        ASSERT_EQ(buffer.At(serial).key, key);
        ASSERT_EQ(buffer.At(serial).word, serial);
      }
    }
    EXPECT_FALSE(buffer.Release(issued + 1));
    if (durable > 0) {
      EXPECT_FALSE(buffer.Release(durable - 1));
    }
    EXPECT_EQ(buffer.durable(), durable);
  }
}

class BufferMeasure : public MeasuredCell {
 protected:
  BufferMeasure() {
    settings.work.threads = 2;
    settings.work.records = 20'000;
    settings.work.updates = "upsert";
    settings.work.distribution = "uniform";
    settings.work.read_percent = 50;
    settings.before = 0.05;
    settings.measured = 0.3;
    settings.memory = 1 << 25;
    settings.page_bits = 16;
    settings.backend = "foldover";
    settings.storage = "posix";
  }
  Outcome Measure() {
    return Run([this](const Cell& cell, Output* output, std::string* problem) {
      return MeasureBuffer(settings, cell, output, problem);
    });
  }
  BufferSettings settings;
};

TEST_F(BufferMeasure, ASmallBufferBlocksItsClientAndCommitsMoreOften) {
  settings.entries = 1024;
  ASSERT_EQ(Measure(), Outcome::kMeasured) << problem_;
  const auto per_commit = [this] { return Metric("ops_per_second") * Metric("commit_interval"); };
  EXPECT_GT(Metric("blocked_percent"), 0);  // a commit syncs files; it takes longer than 200 operations
  EXPECT_LE(Metric("blocked_percent"), 101);
  // A commit makes room for what one buffer holds, at most.
  const double small = per_commit();
  EXPECT_LE(small, 2 * 1024 * 1.2);
  settings.entries = 1 << 16;
  ASSERT_EQ(Measure(), Outcome::kMeasured) << problem_;
  EXPECT_GT(per_commit(), small);
}

TEST_F(BufferMeasure, SnapshotsDo) {
  settings.backend = "snapshot";
  settings.entries = 4096;
  ASSERT_EQ(Measure(), Outcome::kMeasured) << problem_;
  EXPECT_GT(Metric("ops_per_second"), 0);
}

TEST_F(BufferMeasure, ATimeWithoutACommitIsRefused) {
  settings.entries = 1 << 22;
  settings.measured = 0.01;
  settings.before = 0;
  EXPECT_EQ(Measure(), Outcome::kRefused);
  EXPECT_NE(problem_.find("measured: "), std::string::npos) << problem_;
}

}  // namespace
}  // namespace experiments::figures
