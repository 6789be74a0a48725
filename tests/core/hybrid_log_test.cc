// HybridLog: allocation, regions, flush order and failures, sealed blocks.
#include "faster/log/hybrid_log.h"

#include <gtest/gtest.h>

#include <vector>

#include "faster/device/memory_storage.h"

namespace faster {
namespace {

StoreConfig Tiny() {
  StoreConfig config;
  config.page_bits = 9;
  config.buffer_pages = 4;
  config.mutable_pages = 2;
  config.block_bytes = 128;
  config.segment_pages = 2;
  return config;
}

class HybridLogTest : public ::testing::Test {
 protected:
  HybridLogTest() : epoch_(4), log_(config_, &storage_, &epoch_), entry_(epoch_.Acquire()) {
    EXPECT_EQ(log_.AllocateBuffer(nullptr), Status::kOk);
    log_.StartEmpty(MakeGeneration(1, 99));
  }
  LogAddress Allocate(uint32_t bytes) {
    for (int tries = 0; tries < 1000; ++tries) {
      epoch_.Protect(entry_);
      const LogAddress address = log_.Allocate(bytes);
      epoch_.Unprotect(entry_);
      if (address != 0) return address;
      log_.Poll();
    }
    return 0;
  }
  const StoreConfig config_ = Tiny();
  MemoryStorage storage_;
  LightEpoch epoch_;
  HybridLog log_;
  LightEpoch::Entry* entry_;
};

TEST_F(HybridLogTest, RecordsNeverCrossABlockNorCoverItsChecksum) {
  LogAddress last = 0;
  for (int i = 0; i < 300; ++i) {
    const LogAddress address = Allocate(24);
    ASSERT_NE(address, 0u);
    EXPECT_GT(address, last);
    EXPECT_GE(address % 128, 8u);
    EXPECT_LE(address % 128 + 24, 128u);
    last = address;
  }
}

TEST_F(HybridLogTest, RegionsStayInOrderAndPagesAreWrittenBeforeTheyLeave) {
  for (int i = 0; i < 500; ++i) {
    ASSERT_NE(Allocate(24), 0u);
    EXPECT_LE(log_.head() & ~LogAddress{511}, log_.flushed_until());
    EXPECT_LE(log_.flushed_until(), log_.safe_read_only());
    EXPECT_LE(log_.safe_read_only(), log_.read_only());
    EXPECT_LE(log_.read_only(), log_.tail());
    EXPECT_LE(log_.tail() - (log_.head() & ~LogAddress{511}), 4u * 512);
  }
}

TEST_F(HybridLogTest, CloseBlockIsABoundaryThatNothingCrosses) {
  Allocate(24);
  const LogAddress boundary = log_.CloseBlock();
  EXPECT_EQ(boundary, 128u);
  EXPECT_EQ(log_.CloseBlock(), boundary);  // nothing since
  EXPECT_GT(Allocate(24), boundary);
}

TEST_F(HybridLogTest, EvictedBlocksReadBackWithTheirChecksum) {
  const LogAddress first = Allocate(24);
  std::memset(log_.At(first), 0x5a, 24);
  while (log_.head() <= 512) ASSERT_NE(Allocate(24), 0u);
  std::vector<uint8_t> page(512);
  EXPECT_EQ(log_.CopyOut(0, 512, page.data(), entry_), Status::kOk);
  EXPECT_EQ(page[first], 0x5a);
  std::unique_ptr<File> file;
  ASSERT_EQ(storage_.Open("log.0", OpenMode::kReadWrite, &file), Status::kOk);
  page[first + 3] ^= 1;
  ASSERT_EQ(WriteFully(*file, 0, page.data(), 512), Status::kOk);
  EXPECT_EQ(log_.CopyOut(0, 512, page.data(), entry_), Status::kCorruption);
}

TEST(FlushTracker, MovesOverTheContiguousPrefixOnly) {
  FlushTracker tracker;
  tracker.Begin(512, 1024);
  tracker.Begin(0, 512);
  tracker.Begin(1024, 1536);
  tracker.End(512, Status::kOk);
  EXPECT_EQ(tracker.flushed_until(), 0u);
  tracker.End(0, Status::kOk);
  EXPECT_EQ(tracker.flushed_until(), 1024u);
  tracker.End(1024, Status::kOk);
  EXPECT_EQ(tracker.flushed_until(), 1536u);
}

TEST(FlushTracker, KeepsAFailedRangeUntilItIsWritten) {
  FlushTracker tracker;
  tracker.Begin(0, 512);
  tracker.Begin(512, 1024);
  tracker.End(0, Status::kNoSpace);
  tracker.End(512, Status::kOk);
  EXPECT_EQ(tracker.flushed_until(), 0u);
  EXPECT_EQ(tracker.failures(), 1u);
  EXPECT_EQ(tracker.last_failure(), Status::kNoSpace);
  FlushTracker::Range range;
  ASSERT_TRUE(tracker.TakeFailed(&range));
  EXPECT_EQ(range.from, 0u);
  EXPECT_FALSE(tracker.TakeFailed(&range));
  EXPECT_EQ(tracker.failed(), 0u);
  tracker.End(0, Status::kOk);
  EXPECT_EQ(tracker.flushed_until(), 1024u);
}

}  // namespace
}  // namespace faster
