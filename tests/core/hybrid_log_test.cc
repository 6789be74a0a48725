// HybridLog: allocation, regions, flush order and failures, sealed blocks.
#include "faster/log/hybrid_log.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/cpr/recording_storage.h"
#include "tests/cpr/samples.h"

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
  RecordingStorage storage_;
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

TEST_F(HybridLogTest, NothingIsWrittenWhileSomebodyMayChangeIt) {
  Allocate(24);
  LightEpoch::Entry* writer = epoch_.Acquire();
  epoch_.Protect(writer);
  const LogAddress boundary = log_.CloseBlock();
  log_.ShiftReadOnly(boundary);
  log_.Poll();
  EXPECT_EQ(log_.read_only(), boundary);
  EXPECT_EQ(log_.safe_read_only(), 0u);
  EXPECT_EQ(storage_.calls, std::vector<std::string>());
  epoch_.Unprotect(writer);
  log_.Poll();
  EXPECT_EQ(log_.safe_read_only(), boundary);
  EXPECT_EQ(log_.flushed_until(), boundary);
}

TEST_F(HybridLogTest, APageInSightKeepsItsFrame) {
  const LogAddress first = Allocate(24);
  std::memset(log_.At(first), 0x5a, 24);
  LightEpoch::Entry* reader = epoch_.Acquire();
  epoch_.Protect(reader);
  int records = 0;
  while (Allocate(24) != 0) ASSERT_LT(++records, 1000);
  EXPECT_EQ(log_.tail(), 4u * 512);  // the buffer is full
  EXPECT_EQ(log_.At(first)[0], 0x5a);
  epoch_.Unprotect(reader);
  EXPECT_EQ(Allocate(24), 4u * 512 + 8);
}

TEST_F(HybridLogTest, ANewRecordLiesInZeros) {
  for (int i = 0; i < 300; ++i) {  // several tenants for every frame
    const LogAddress address = Allocate(24);
    ASSERT_NE(address, 0u);
    for (int at = 0; at < 24; ++at) ASSERT_EQ(log_.At(address)[at], 0) << address;
    std::memset(log_.At(address), 0xff, 24);
  }
}

TEST_F(HybridLogTest, BlocksInEachOthersPlacesAreFound) {
  while (log_.head() <= 512) {
    const LogAddress address = Allocate(24);
    std::memset(log_.At(address), 0x5a, 24);  // all blocks alike
  }
  std::string bytes(512, 0);
  std::unique_ptr<File> file;
  ASSERT_EQ(storage_.Open("log.0", OpenMode::kReadWrite, &file), Status::kOk);
  ASSERT_EQ(ReadFully(*file, 0, bytes.data(), 512), Status::kOk);
  const std::string swapped = bytes.substr(128, 128) + bytes.substr(0, 128) + bytes.substr(256);
  ASSERT_EQ(WriteFully(*file, 0, swapped.data(), 512), Status::kOk);
  EXPECT_EQ(log_.CopyOut(0, 512, reinterpret_cast<uint8_t*>(bytes.data()), entry_), Status::kCorruption);
}

TEST_F(HybridLogTest, AFailedOrShortWriteIsTriedAgain) {
  for (const bool is_short : {false, true}) {
    const uint64_t failures = log_.write_failures();
    const LogAddress tail = log_.tail();
    storage_.failure = Status::kNoSpace;
    storage_.fails = [&](const std::string& call) { return !is_short && call.starts_with("write"); };
    storage_.longest_transfer = is_short ? 100 : ~0ull;
    while (log_.write_failures() == failures) ASSERT_NE(Allocate(24), 0u);
    EXPECT_EQ(log_.last_write_failure(), is_short ? Status::kShortIo : Status::kNoSpace);
    EXPECT_LT(log_.flushed_until(), log_.read_only());
    while (Allocate(24) != 0) {  // until nothing can leave memory
    }
    EXPECT_LE(log_.head() & ~LogAddress{511}, log_.flushed_until());
    storage_.fails = nullptr;
    storage_.longest_transfer = ~0ull;
    while (log_.head() < tail + 1024) ASSERT_NE(Allocate(24), 0u);
    std::vector<uint8_t> page(512);
    EXPECT_EQ(log_.CopyOut(tail & ~LogAddress{511}, 512, page.data(), entry_), Status::kOk);
  }
}

// A device that failed a sync may have dropped what it was given, and says nothing more about it.
TEST_F(HybridLogTest, AfterAFailedSyncAllIsWrittenAgain) {
  for (int i = 0; i < 40; ++i) Allocate(24);
  const LogAddress boundary = log_.CloseBlock();
  log_.ShiftReadOnly(boundary);
  log_.Poll();
  ASSERT_EQ(log_.flushed_until(), boundary);
  storage_.fails = [](const std::string& call) { return call == "sync log.0"; };
  EXPECT_EQ(log_.SyncUntil(boundary, entry_), Status::kIoError);
  const std::string before = GetFile(storage_.inner, "log.0");
  PutFile(storage_.inner, "log.0", std::string(before.size(), 0));
  storage_.fails = nullptr;
  EXPECT_EQ(log_.SyncUntil(boundary, entry_), Status::kOk);
  EXPECT_EQ(GetFile(storage_.inner, "log.0"), before);
  storage_.calls.clear();
  EXPECT_EQ(log_.SyncUntil(boundary, entry_), Status::kOk);
  EXPECT_EQ(storage_.calls, std::vector<std::string>());  // nothing is left to do
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

TEST(FlushTracker, WaitsForARangeThatIsNotEvenBegun) {
  FlushTracker tracker;
  tracker.Begin(512, 1024);
  tracker.End(512, Status::kOk);
  EXPECT_EQ(tracker.flushed_until(), 0u);
  tracker.Begin(0, 512);
  tracker.End(0, Status::kOk);
  EXPECT_EQ(tracker.flushed_until(), 1024u);
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
