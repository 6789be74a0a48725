// CaptureIndex: every bucket at its place, no address of the read cache, and the count of entries.
#include "faster/cpr/index_capture.h"

#include <gtest/gtest.h>

#include "faster/core/record.h"
#include "tests/cpr/recording_storage.h"
#include "tests/cpr/samples.h"

namespace faster {
namespace {

constexpr uint64_t kBuckets = 4;
constexpr uint64_t kEntries = 40;  // of tags 0, 1, ..: some buckets overflow

KeyHash HashOf(uint64_t i) { return {i << 50 | i % kBuckets}; }
KeyHash HashOfRecord(const void*, const uint8_t*) { return HashOf(0); }

class IndexCaptureTest : public testing::Test {
 protected:
  void Open(uint64_t cache_bytes) {
    StoreConfig config;
    config.read_cache_bytes = cache_bytes;
    cache_ = std::make_unique<ReadCache>(config, RecordSizes{24}, &epoch_, nullptr,
                                         RecordHash{HashOfRecord, nullptr});
    ASSERT_EQ(cache_->Open(false, nullptr), Status::kOk);
    ASSERT_EQ(table_.Allocate(kBuckets, false), Status::kOk);
    for (uint64_t i = 0; i < kEntries; ++i) Insert(i, 1000 + i * 8);
  }
  void Insert(uint64_t i, LogAddress address) {
    HashEntry entry;
    HashTable::Slot* const slot = table_.FindOrCreate(HashOf(i), &entry);
    slot->store(HashEntry::Make(address, HashOf(i).tag()).control);
  }
  // The words of index.dat behind its header.
  std::vector<uint64_t> Capture(uint64_t* entries) {
    MemoryStorage storage;
    std::unique_ptr<File> file;
    EXPECT_EQ(storage.Open("index.dat", OpenMode::kTruncate, &file), Status::kOk);
    IndexDataWriter writer(file.get(), SampleToken(1), kBuckets);
    LightEpoch::Entry* const mine = epoch_.Acquire();
    EXPECT_EQ(CaptureIndex({&table_, [](uint64_t) {}, cache_.get(), &epoch_, mine}, &writer, entries),
              Status::kOk);
    uint64_t overflow = 0, bytes = 0, checksum = 0;
    EXPECT_EQ(writer.Finish(&overflow, &bytes, &checksum), Status::kOk);
    EXPECT_EQ(overflow, table_.overflow_count());
    std::vector<uint64_t> words((kBuckets + overflow) * kIndexBucketWords);
    EXPECT_EQ(ReadAll(*file, kIndexHeaderBytes, words.data(), words.size() * 8), Status::kOk);
    return words;
  }
  uint64_t WordAt(const HashBucket& bucket, uint64_t i) const {
    return i == HashBucket::kEntries ? bucket.overflow.load() : bucket.entry[i].load();
  }
  void ExpectTheTable(const std::vector<uint64_t>& words) {
    for (uint64_t i = 0; i < words.size(); ++i) {
      const uint64_t at = i / kIndexBucketWords;
      const HashBucket* bucket =
          at < kBuckets ? table_.main_bucket(at) : table_.overflow_bucket(at - kBuckets + 1);
      EXPECT_EQ(words[i], WordAt(*bucket, i % kIndexBucketWords)) << i;
    }
  }

  LightEpoch epoch_{8};
  HashTable table_;
  std::unique_ptr<ReadCache> cache_;
};

TEST_F(IndexCaptureTest, CopiesMainAndOverflowBuckets) {
  Open(0);
  ASSERT_GT(table_.overflow_count(), 0u);
  uint64_t entries = 2;  // is added to
  ExpectTheTable(Capture(&entries));
  EXPECT_EQ(entries, 2 + kEntries);
}

TEST_F(IndexCaptureTest, SavesTheLogAddressBehindACachedCopy) {
  Open(1 << 16);
  LightEpoch::Entry* const mine = epoch_.Acquire();
  epoch_.Protect(mine);
  const LogAddress copy = cache_->Reserve(24);
  ASSERT_NE(copy, 0u);
  StoreWord(reinterpret_cast<uint64_t*>(cache_->At(copy)), RecordHeader::Make(4096, 1, false).control);
  Insert(3, copy);
  epoch_.Unprotect(mine);
  uint64_t entries = 0;
  const std::vector<uint64_t> words = Capture(&entries);
  EXPECT_EQ(entries, kEntries);
  Insert(3, 4096);  // what the copy of the table has there
  ExpectTheTable(words);
}

}  // namespace
}  // namespace faster
