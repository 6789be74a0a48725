// Records, pages, segments and the hash of Microsoft's FASTER.
#include "faster/interop/microsoft_log.h"

#include <gtest/gtest.h>

#include <set>

#include "faster/core/words.h"
#include "tests/cpr/samples.h"
#include "tests/interop/interop_samples.h"

namespace faster::microsoft {
namespace {

TEST(MicrosoftHash, IsThatOfTheOriginal) {
  // FasterHashHelper<uint64_t>::compute of these keys.
  const std::pair<uint64_t, uint64_t> known[] = {{0, 0x805a7eb9771c7163},
                                                 {1, 0x8e8845b95b2109c1},
                                                 {2, 0x9cb60cb93f45a21f},
                                                 {255, 0x9ff3b79db2f03713},
                                                 {65535, 0x392c9bd992f5e733},
                                                 {65536, 0xf753c6b377fc716a},
                                                 {0x0123456789abcdef, 0x8f11390c760e0638},
                                                 {~0ull, 0x2a86c959fd1d5e31},
                                                 {0x8000000000000000, 0x80645829771c7163},
                                                 {1000000007, 0x082cc4521ab8900f}};
  for (const auto& [key, hash] : known) EXPECT_EQ(HashOfKey(key), hash) << key;
}

TEST(MicrosoftHash, TagIsBits48To61) {
  EXPECT_EQ(TagOf(0x3fffull << 48), 0x3fffu);
  EXPECT_EQ(TagOf(0xc000ull << 48), 0u);
  EXPECT_EQ(TagOf(~(0x3fffull << 48)), 0u);
}

TEST(MicrosoftHash, TheNativeFormKeepsBucketAndTag) {
  for (uint64_t key = 0; key < 1000; ++key) {
    const KeyHash native{NativeHashOfKey(key)};
    EXPECT_EQ(native.tag(), TagOf(HashOfKey(key)));
    EXPECT_EQ(native.bucket((1 << 20) - 1), HashOfKey(key) & ((1 << 20) - 1));
  }
}

TEST(MicrosoftHash, SpreadsOverBucketsAndTags) {
  std::set<uint64_t> buckets, tags;
  for (uint64_t key = 0; key < 10000; ++key) {
    buckets.insert(HashOfKey(key) & 1023);
    tags.insert(TagOf(HashOfKey(key)));
  }
  EXPECT_EQ(buckets.size(), 1024u);
  EXPECT_GT(tags.size(), 1000u);
}

TEST(MicrosoftRecord, HeaderBits) {
  RecordHeader header = RecordHeader::Make(0x123456789abc, 0x1fff, true);
  EXPECT_EQ(header.control, 0x123456789abcull | 0x1fffull << 48 | 1ull << 62 | 1ull << 63);
  header.control = 0x123456789abcull | 5ull << 48 | 1ull << 61 | 1ull << 63;
  EXPECT_EQ(header.previous(), 0x123456789abcu);
  EXPECT_EQ(header.version(), 5u);
  EXPECT_TRUE(header.invalid());
  EXPECT_FALSE(header.tombstone());
  EXPECT_TRUE(header.present());
}

TEST(MicrosoftRecord, IsThreeWordsInOrder) {
  const uint64_t words[] = {RecordHeader::Make(64, 1, false).control, 7, 8};
  const LogRecord record = RecordAt(reinterpret_cast<const uint8_t*>(words));
  EXPECT_EQ(record.header.previous(), 64u);
  EXPECT_EQ(record.key, 7u);
  EXPECT_EQ(record.value, 8u);
  EXPECT_FALSE(record.hole());
}

TEST(MicrosoftRecord, OnlyThreeZerosAreAHole) {
  EXPECT_TRUE(LogRecord{}.hole());
  LogRecord record;
  record.key = 1;
  EXPECT_FALSE(record.hole());
  record = {};
  record.value = 1;
  EXPECT_FALSE(record.hole());
  record = {};
  record.header.control = 1;
  EXPECT_FALSE(record.hole());
}

TEST(MicrosoftGrid, FirstRecordIsAt64) {
  const Grid grid(25);
  EXPECT_EQ(grid.AddressOf(0, 0), 64u);
  EXPECT_EQ(grid.AddressOf(1, 0), 33554432u);
  EXPECT_FALSE(grid.IsSlot(0));
  EXPECT_FALSE(grid.IsSlot(63));
  EXPECT_TRUE(grid.IsSlot(64));
  EXPECT_FALSE(grid.IsSlot(65));
  EXPECT_TRUE(grid.IsSlot(88));
}

TEST(MicrosoftGrid, NoRecordCrossesAPage) {
  const Grid grid(25);
  EXPECT_EQ(grid.SlotsIn(0), (33554432u - 64) / 24);
  EXPECT_EQ(grid.SlotsIn(1), 33554432u / 24);
  const LogAddress last = grid.AddressOf(0, grid.SlotsIn(0) - 1);
  EXPECT_TRUE(grid.IsSlot(last));
  EXPECT_FALSE(grid.IsSlot(last + 24));
  EXPECT_TRUE(grid.IsSlot(33554432));
  EXPECT_FALSE(grid.IsSlot(33554432 + 8));
}

TEST(MicrosoftGrid, RangesOfSlots) {
  const Grid grid(9);
  EXPECT_EQ(grid.SlotFrom(0, 64), 0u);
  EXPECT_EQ(grid.SlotFrom(0, 65), 1u);
  EXPECT_EQ(grid.SlotFrom(0, 88), 1u);
  EXPECT_EQ(grid.SlotFrom(1, 100), 0u);
  EXPECT_EQ(grid.SlotFrom(0, 5000), grid.SlotsIn(0));
  EXPECT_EQ(grid.SlotsBelow(0, 87), 0u);
  EXPECT_EQ(grid.SlotsBelow(0, 88), 1u);
  EXPECT_EQ(grid.SlotsBelow(0, 511), grid.SlotsIn(0));  // their tail when a page is full
  EXPECT_EQ(grid.SlotsBelow(1, 511), 0u);
}

class Written : public ::testing::Test {
 protected:
  // Records with keys 0, 1, ... ; returns the final address.
  LogAddress Write(uint64_t records, uint64_t snapshot_from = ~0ull) {
    LogWriter writer(&storage_, "", geometry_);
    if (snapshot_from != ~0ull) writer.SnapshotFrom(snapshot_from, "snapshot.dat");
    for (uint64_t i = 0; i < records; ++i) {
      LogRecord record{RecordHeader::Make(1, 1, false), i, i * i};
      addresses_.push_back(writer.tail());
      EXPECT_EQ(writer.Append(record), Status::kOk);
    }
    LogAddress final_address = 0;
    Diagnosis why;
    EXPECT_EQ(writer.Finish(&final_address, &why), Status::kOk) << why.Text();
    checkpoint_.index.begin = 64;
    checkpoint_.log.final_address = final_address;
    checkpoint_.log.snapshot = snapshot_from != ~0ull;
    checkpoint_.log.flushed = std::max<uint64_t>(64, snapshot_from << geometry_.page_bits);
    return final_address;
  }
  void ExpectAll() {
    LogReader reader(read_geometry_);
    Diagnosis why;
    ASSERT_EQ(reader.Open(&storage_, "", checkpoint_, &why), Status::kOk) << why.Text();
    for (size_t i = 0; i < addresses_.size(); ++i) {
      LogRecord record;
      ASSERT_EQ(reader.ReadRecord(addresses_[i], &record, &why), Status::kOk) << why.Text();
      EXPECT_EQ(record.key, i);
      EXPECT_EQ(record.value, i * i);
    }
    std::vector<uint8_t> page(512);
    for (uint64_t i = 0; i < reader.end_page(); ++i)
      ASSERT_EQ(reader.ReadPage(i, page.data(), &why), Status::kOk) << why.Text();
  }
  Status Refused(std::string* file, Diagnosis* why) {
    LogReader reader(read_geometry_);
    const Status status = reader.Open(&storage_, "", checkpoint_, why);
    *file = why->file;
    return status;
  }
  MemoryStorage storage_;
  Geometry geometry_ = TinyGeometry();
  Geometry read_geometry_ = [] {
    Geometry g = TinyGeometry();
    g.segment_bytes = 0;  // as the files tell
    return g;
  }();
  Checkpoint checkpoint_;
  std::vector<LogAddress> addresses_;
};

TEST_F(Written, SegmentsHoldWholePages) {
  const LogAddress end = Write(200);  // 18 + 21 a page: 10 pages, 2.5 segments
  EXPECT_EQ(end, 9 * 512 + (200 - 18 - 8 * 21) * 24u);
  EXPECT_EQ(GetFile(storage_, "log.log0").size(), 2048u);
  EXPECT_EQ(GetFile(storage_, "log.log1").size(), 2048u);
  EXPECT_EQ(GetFile(storage_, "log.log2").size(), 1024u);
  EXPECT_EQ(GetFile(storage_, "log.log0").substr(0, 64), std::string(64, '\0'));
  ExpectAll();
}

TEST_F(Written, AFullLastPageEndsAtTheNext) {
  EXPECT_EQ(Write(18), 512u);
  EXPECT_EQ(GetFile(storage_, "log.log0").size(), 512u);
  ExpectAll();
}

TEST_F(Written, AnEmptyLogHasAPage) {
  EXPECT_EQ(Write(0), 64u);
  EXPECT_EQ(GetFile(storage_, "log.log0"), std::string(512, '\0'));
  ExpectAll();
}

TEST_F(Written, SnapshotBeginsWithThePageOfTheFlushedAddress) {
  Write(100, 2);  // pages 0 to 4
  EXPECT_EQ(GetFile(storage_, "log.log0").size(), 1024u);
  EXPECT_EQ(GetFile(storage_, "snapshot.dat").size(), 3 * 512u);
  ExpectAll();
  checkpoint_.log.flushed += 100;  // within the page: as the original has it
  ExpectAll();
}

TEST_F(Written, MissingAndShortFilesAreNamed) {
  Write(200);
  std::string file;
  Diagnosis why;
  const std::string last = GetFile(storage_, "log.log2");
  PutFile(storage_, "log.log2", last.substr(0, 400));
  EXPECT_EQ(Refused(&file, &why), Status::kCorruption);
  EXPECT_EQ(file, "log.log2");
  EXPECT_EQ(why.offset, 400u);
  ASSERT_EQ(storage_.Remove("log.log2"), Status::kOk);
  EXPECT_EQ(Refused(&file, &why), Status::kCorruption);
  EXPECT_EQ(file, "log.log2");
  PutFile(storage_, "log.log2", last);
  PutFile(storage_, "log.log1", GetFile(storage_, "log.log1").substr(0, 2047));
  EXPECT_EQ(Refused(&file, &why), Status::kCorruption);
  EXPECT_EQ(file, "log.log1");
  PutFile(storage_, "log.log0", GetFile(storage_, "log.log0").substr(0, 2000));
  EXPECT_EQ(Refused(&file, &why), Status::kCorruption);
  EXPECT_EQ(file, "log.log0");
}

TEST_F(Written, ASingleLaterSegmentNeedsItsSize) {
  Write(150);  // pages 0 to 7: two segments
  ASSERT_EQ(storage_.Remove("log.log0"), Status::kOk);
  checkpoint_.index.begin = 2048;
  std::string file;
  Diagnosis why;
  EXPECT_EQ(Refused(&file, &why), Status::kInvalidArgument);
  EXPECT_EQ(file, "log.log1");
  read_geometry_.segment_bytes = 2048;
  EXPECT_EQ(Refused(&file, &why), Status::kOk);
}

TEST_F(Written, AShortSnapshotIsNamed) {
  Write(100, 2);
  PutFile(storage_, "snapshot.dat", GetFile(storage_, "snapshot.dat").substr(0, 1030));
  std::string file;
  Diagnosis why;
  EXPECT_EQ(Refused(&file, &why), Status::kCorruption);
  EXPECT_EQ(file, "snapshot.dat");
}

}  // namespace
}  // namespace faster::microsoft
