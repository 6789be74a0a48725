// index.dat: round trips over block borders, every damaged byte and size found before a word of it is used.
#include "faster/cpr/index_data.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cpr/recording_storage.h"
#include "tests/cpr/samples.h"

namespace faster {
namespace {

std::vector<uint64_t> SampleWords(uint64_t buckets) {
  std::vector<uint64_t> words(buckets * kIndexBucketWords);
  for (size_t i = 0; i < words.size(); ++i) words[i] = i * 0x9e3779b97f4a7c15ull + 1;
  return words;
}

// As FORMATS.md says it: of the checksums in the file, in order.
uint64_t ChecksumOfSums(const std::string& bytes) {
  std::string sums = bytes.substr(kIndexHeaderBytes - 8, 8);
  size_t at = kIndexHeaderBytes;
  const size_t trailer = bytes.size() - kIndexTrailerBytes;
  while (at < trailer) {
    at = std::min(at + (kIndexBlockWords + 1) * 8, trailer);
    sums += bytes.substr(at - 8, 8);
  }
  sums += bytes.substr(bytes.size() - 8);
  return Checksum(sums.data(), sums.size());
}

// Gives `words` to the writer in pieces of `piece` words at most; ends at the first error.
Status Feed(IndexDataWriter* writer, const std::vector<uint64_t>& words, uint64_t piece) {
  Status status = Status::kOk;
  for (size_t i = 0; i < words.size() && status == Status::kOk;) {
    const std::span<uint64_t> room = writer->Room();
    const size_t count = std::min({static_cast<size_t>(piece), words.size() - i, room.size()});
    std::copy_n(words.begin() + static_cast<ptrdiff_t>(i), count, room.begin());
    status = writer->Took(count);
    i += count;
  }
  return status;
}

// Writes `words` in pieces of `piece` words and returns the metadata that describes the file.
IndexMetadata WriteIndex(Storage& storage, const std::vector<uint64_t>& words, uint64_t table_size,
                         uint64_t piece) {
  IndexMetadata m = SampleIndex();
  m.table_size = table_size;
  std::unique_ptr<File> file;
  EXPECT_EQ(storage.Open("index.dat", OpenMode::kTruncate, &file), Status::kOk);
  IndexDataWriter writer(file.get(), m.token, table_size);
  EXPECT_EQ(Feed(&writer, words, piece), Status::kOk);
  EXPECT_EQ(writer.Finish(&m.overflow_buckets, &m.data_bytes, &m.data_checksum), Status::kOk);
  return m;
}

// Everything a recovery does with the file; the blocks are read from the last to the first. `words` holds
// what was given out.
Status ReadIndex(Storage& storage, const IndexMetadata& m, std::vector<uint64_t>* words, Diagnosis* why) {
  std::unique_ptr<File> file;
  words->clear();
  Status status = storage.Open("index.dat", OpenMode::kRead, &file);
  if (status != Status::kOk) return status;
  IndexDataReader reader(file.get(), "t/index.dat", m);
  if ((status = reader.Open(why)) != Status::kOk) return status;
  std::vector<std::vector<uint64_t>> blocks(reader.blocks());
  Status first_error = Status::kOk;
  for (uint64_t n = reader.blocks(); n-- > 0;) {
    blocks[n].resize(kIndexBlockWords + 1);
    Diagnosis of_block;
    status = reader.ReadBlock(n, blocks[n].data(), &of_block);
    if (status == Status::kOk) continue;
    *why = of_block;
    first_error = status;
  }
  if (first_error != Status::kOk) return first_error;
  for (uint64_t n = 0; n < reader.blocks(); ++n) {
    reader.Pass(n, blocks[n].data());
    blocks[n].resize(reader.WordsIn(n));
    words->insert(words->end(), blocks[n].begin(), blocks[n].end());
  }
  return reader.Finish(why);
}

TEST(IndexData, RoundTripsOverBlockBorders) {
  for (const uint64_t table : {uint64_t{1}, uint64_t{2}, kIndexBlockBuckets, 2 * kIndexBlockBuckets}) {
    for (const uint64_t overflow :
         {uint64_t{0}, uint64_t{1}, uint64_t{3}, kIndexBlockBuckets - 1, kIndexBlockBuckets + 1}) {
      MemoryStorage storage;
      const std::vector<uint64_t> words = SampleWords(table + overflow);
      const IndexMetadata m = WriteIndex(storage, words, table, overflow % 2 == 0 ? 8 : 1000);
      EXPECT_EQ(m.overflow_buckets, overflow);
      EXPECT_EQ(m.data_bytes, IndexDataBytes(table, overflow));
      const std::string bytes = GetFile(storage, "index.dat");
      EXPECT_EQ(bytes.size(), m.data_bytes);
      EXPECT_EQ(ChecksumOfSums(bytes), m.data_checksum);
      std::vector<uint64_t> read;
      Diagnosis why;
      ASSERT_EQ(ReadIndex(storage, m, &read, &why), Status::kOk) << why.Text();
      EXPECT_EQ(read, words);
    }
  }
}

TEST(IndexData, EveryDamagedByteAndSizeIsFound) {
  MemoryStorage storage;
  const std::vector<uint64_t> words = SampleWords(3);
  const IndexMetadata m = WriteIndex(storage, words, 2, 8);
  const std::string good = GetFile(storage, "index.dat");
  ASSERT_EQ(good.size(), 64u + 3 * 64 + 8 + 32);
  for (size_t i = 0; i <= good.size(); ++i) {
    for (int bit = 0; bit < 10; ++bit) {
      std::string damaged = good;
      if (bit < 8 && i < good.size())
        damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      else if (bit == 8)
        damaged.resize(i == good.size() ? i + 1 : i);
      else
        damaged += good.substr(0, i + 1);
      PutFile(storage, "index.dat", damaged);
      std::vector<uint64_t> read;
      Diagnosis why;
      ASSERT_EQ(ReadIndex(storage, m, &read, &why), Status::kCorruption) << i << " " << bit;
      EXPECT_EQ(why.file, "t/index.dat");
      EXPECT_LE(why.offset, damaged.size());
      EXPECT_TRUE(std::equal(read.begin(), read.end(), words.begin())) << "a damaged word was given out";
      EXPECT_EQ(GetFile(storage, "index.dat"), damaged);
    }
  }
}

TEST(IndexData, DamageNamesTheBlock) {
  MemoryStorage storage;
  const IndexMetadata m =
      WriteIndex(storage, SampleWords(4 * kIndexBlockBuckets), 4 * kIndexBlockBuckets, 4096);
  std::string damaged = GetFile(storage, "index.dat");
  const uint64_t third = kIndexHeaderBytes + 2 * (kIndexBlockWords + 1) * 8;
  damaged[third + 1000] ^= 1;
  PutFile(storage, "index.dat", damaged);
  std::vector<uint64_t> read;
  Diagnosis why;
  EXPECT_EQ(ReadIndex(storage, m, &read, &why), Status::kCorruption);
  EXPECT_EQ(why.offset, third);
}

TEST(IndexData, DamageNamesTheTrailer) {
  MemoryStorage storage;
  const IndexMetadata m = WriteIndex(storage, SampleWords(3), 2, 8);
  const std::string good = GetFile(storage, "index.dat");
  const size_t trailer = good.size() - kIndexTrailerBytes;
  for (size_t i = trailer; i < good.size(); ++i) {
    std::string damaged = good;
    damaged[i] ^= 1;
    PutFile(storage, "index.dat", damaged);
    std::vector<uint64_t> read;
    Diagnosis why;
    EXPECT_EQ(ReadIndex(storage, m, &read, &why), Status::kCorruption);
    EXPECT_EQ(why.offset, trailer);
  }
}

TEST(IndexData, BlocksInEachOthersPlacesAreFound) {
  MemoryStorage storage;
  const IndexMetadata m =
      WriteIndex(storage, SampleWords(2 * kIndexBlockBuckets), 2 * kIndexBlockBuckets, 4096);
  const std::string good = GetFile(storage, "index.dat");
  const size_t block = (kIndexBlockWords + 1) * 8;
  PutFile(storage, "index.dat",
          good.substr(0, 64) + good.substr(64 + block, block) + good.substr(64, block) +
              good.substr(64 + 2 * block));
  std::vector<uint64_t> read;
  Diagnosis why;
  EXPECT_EQ(ReadIndex(storage, m, &read, &why), Status::kCorruption);
  EXPECT_EQ(why.offset, 64u);
  EXPECT_TRUE(read.empty());
}

TEST(IndexData, AnotherCheckpointsFileIsFound) {
  MemoryStorage storage;
  IndexMetadata m = WriteIndex(storage, SampleWords(3), 2, 8);
  std::vector<uint64_t> read;
  Diagnosis why;
  const IndexMetadata good = m;
  m.token = SampleToken(8);
  EXPECT_EQ(ReadIndex(storage, m, &read, &why), Status::kCorruption);
  EXPECT_EQ(why.offset, 16u);
  m = good;
  m.data_checksum ^= 1;
  EXPECT_EQ(ReadIndex(storage, m, &read, &why), Status::kCorruption);
  m = good;
  m.table_size = 1;  // same number of buckets, other division
  m.overflow_buckets = 2;
  EXPECT_EQ(ReadIndex(storage, m, &read, &why), Status::kCorruption);
  EXPECT_EQ(why.offset, 32u);
  m = good;
  m.data_bytes += 8;
  EXPECT_EQ(ReadIndex(storage, m, &read, &why), Status::kCorruption);
}

TEST(IndexData, WriterRefusesIncompleteTables) {
  MemoryStorage storage;
  std::unique_ptr<File> file;
  ASSERT_EQ(storage.Open("index.dat", OpenMode::kTruncate, &file), Status::kOk);
  uint64_t overflow = 0, bytes = 0, checksum = 0;
  IndexDataWriter few(file.get(), SampleToken(1), 4);
  EXPECT_EQ(Feed(&few, SampleWords(3), 8), Status::kOk);
  EXPECT_EQ(few.Finish(&overflow, &bytes, &checksum), Status::kInvalidArgument);
  IndexDataWriter part(file.get(), SampleToken(1), 2);
  std::vector<uint64_t> words = SampleWords(4);
  words.resize(25);
  EXPECT_EQ(Feed(&part, words, 25), Status::kOk);
  EXPECT_EQ(part.Finish(&overflow, &bytes, &checksum), Status::kInvalidArgument);
}

TEST(IndexData, ReaderWantsEveryBlock) {
  MemoryStorage storage;
  const IndexMetadata m = WriteIndex(storage, SampleWords(2 * kIndexBlockBuckets + 1), 2, 8);
  std::unique_ptr<File> file;
  ASSERT_EQ(storage.Open("index.dat", OpenMode::kRead, &file), Status::kOk);
  const auto finish = [&](const std::vector<uint64_t>& order) {
    IndexDataReader reader(file.get(), "index.dat", m);
    std::vector<uint64_t> words(kIndexBlockWords + 1);
    Diagnosis why;
    EXPECT_EQ(reader.Open(&why), Status::kOk);
    EXPECT_EQ(reader.blocks(), 3u);
    EXPECT_EQ(reader.WordsIn(2), kIndexBucketWords);
    for (const uint64_t block : order) {
      EXPECT_EQ(reader.ReadBlock(block, words.data(), &why), Status::kOk);
      reader.Pass(block, words.data());
    }
    return reader.Finish(&why);
  };
  EXPECT_EQ(finish({0, 1}), Status::kInvalidArgument);
  EXPECT_EQ(finish({0, 2, 1}), Status::kCorruption);
  EXPECT_EQ(finish({0, 1, 2}), Status::kOk);
}

TEST(IndexData, EveryFailedWriteIsReported) {
  const std::vector<uint64_t> words = SampleWords(2 * kIndexBlockBuckets);
  const int writes =
      static_cast<int>((IndexDataBytes(words.size() / kIndexBucketWords, 0) + 4095) / 4096);  // small pieces
  for (const int failing : {1, 2, 7, writes - 1, writes}) {  // call 0 is the open
    RecordingStorage storage;
    storage.fail_at = failing;
    storage.failure = Status::kNoSpace;
    std::unique_ptr<File> file;
    ASSERT_EQ(storage.Open("index.dat", OpenMode::kTruncate, &file), Status::kOk);
    IndexDataWriter writer(file.get(), SampleToken(1), 1);
    const Status appended = Feed(&writer, words, 8);
    EXPECT_EQ(appended, failing < writes ? Status::kNoSpace : Status::kOk);
    uint64_t overflow = 0, bytes = 0, checksum = 0;
    EXPECT_EQ(writer.Finish(&overflow, &bytes, &checksum), Status::kNoSpace);
    EXPECT_EQ(writer.Took(8), Status::kNoSpace);
  }
}

TEST(IndexData, ShortTransfersAreContinued) {
  RecordingStorage storage;
  storage.longest_transfer = 13;
  const std::vector<uint64_t> words = SampleWords(9);
  const IndexMetadata m = WriteIndex(storage, words, 8, 8);
  std::vector<uint64_t> read;
  Diagnosis why;
  ASSERT_EQ(ReadIndex(storage, m, &read, &why), Status::kOk) << why.Text();
  EXPECT_EQ(read, words);
}

}  // namespace
}  // namespace faster
