// Checkpoint files: paths, the order of durability steps, every failing step reported and harmless, damage of
// log.meta, index.meta and log.snapshot found with its place and nothing modified.
#include "faster/cpr/formats.h"

#include <gtest/gtest.h>

#include "tests/cpr/recording_storage.h"
#include "tests/cpr/samples.h"

namespace faster {
namespace {

TEST(Paths, Names) {
  EXPECT_EQ(CheckpointPath("", SampleToken(7), kLogMetaName),
            "01234567-89ab-cdef-0000-000000000007/log.meta");
  EXPECT_EQ(CheckpointPath("a/b", SampleToken(7), "x"), "a/b/01234567-89ab-cdef-0000-000000000007/x");
  EXPECT_EQ(SegmentPath("s", 12), "s/log.12");
  uint64_t segment = 99;
  EXPECT_TRUE(ParseSegmentName("log.0", &segment));
  EXPECT_EQ(segment, 0u);
  EXPECT_TRUE(ParseSegmentName("log.683", &segment));
  EXPECT_EQ(segment, 683u);
  for (const char* name :
       {"log.", "log.01", "log.1a", "log.meta", "log.-1", "xlog.1", "log.1234567890123456"})
    EXPECT_FALSE(ParseSegmentName(name, &segment)) << name;
}

const std::string kTemporary = "t/.m.tmp";

TEST(WriteFileDurably, SyncsBeforeTheRenameAndTheDirectoryAfterIt) {
  RecordingStorage storage;
  ASSERT_EQ(storage.inner.CreateDirectory("t"), Status::kOk);
  ASSERT_EQ(WriteFileDurably(storage, "t", "m", "hello"), Status::kOk);
  const std::vector<std::string> expected = {
      "open " + kTemporary,  "write " + kTemporary,           "sync " + kTemporary,
      "close " + kTemporary, "rename " + kTemporary + " t/m", "syncdir t"};
  EXPECT_EQ(storage.calls, expected);
  EXPECT_EQ(GetFile(storage, "t/m"), "hello");
}

TEST(WriteFileDurably, EveryFailingStepIsReportedAndKeepsTheOldFile) {
  for (const Status failure : {Status::kIoError, Status::kNoSpace}) {
    const int steps[] = {0, 1, 2, 4, 5};  // 3 is the close, which cannot fail
    for (const int step : steps) {
      RecordingStorage storage;
      ASSERT_EQ(storage.inner.CreateDirectory("t"), Status::kOk);
      PutFile(storage.inner, "t/m", "old");
      storage.fail_at = step;
      storage.failure = failure;
      EXPECT_EQ(WriteFileDurably(storage, "t", "m", "new and longer"), failure) << step;
      EXPECT_EQ(GetFile(storage.inner, "t/m"), step == 5 ? "new and longer" : "old") << step;
      storage.fail_at = -1;
      EXPECT_EQ(WriteFileDurably(storage, "t", "m", "x"), Status::kOk);  // over what the failed try left
      EXPECT_EQ(GetFile(storage.inner, "t/m"), "x");
    }
  }
}

TEST(WriteFileDurably, StaleTemporaryIsOverwritten) {
  MemoryStorage storage;
  PutFile(storage, ".m.tmp", "a stale and much longer file of a crashed checkpoint");
  ASSERT_EQ(WriteFileDurably(storage, "", "m", "short"), Status::kOk);
  EXPECT_EQ(GetFile(storage, "m"), "short");
  std::vector<std::string> names;
  ASSERT_EQ(storage.List("", &names), Status::kOk);
  EXPECT_EQ(names, std::vector<std::string>{"m"});
}

TEST(Transfers, AShortTransferIsContinuedAndAStuckOneFails) {
  RecordingStorage storage;
  storage.longest_transfer = 7;
  const std::string bytes(100, 'q');
  ASSERT_EQ(WriteFileDurably(storage, "", "m", bytes), Status::kOk);
  EXPECT_EQ(std::count(storage.calls.begin(), storage.calls.end(), "write .m.tmp"), 15);
  EXPECT_EQ(GetFile(storage.inner, "m"), bytes);
  EXPECT_EQ(GetFile(storage, "m"), bytes);
  storage.longest_transfer = 0;
  EXPECT_EQ(WriteFileDurably(storage, "", "m", "z"), Status::kShortIo);
  std::string read = "untouched";
  Diagnosis why;
  EXPECT_EQ(ReadWholeFile(storage, "m", 1000, &read, &why), Status::kShortIo);
  EXPECT_EQ(read, "untouched");
  EXPECT_EQ(why.file, "m");
}

TEST(ReadWholeFile, LimitsAndMissing) {
  MemoryStorage storage;
  PutFile(storage, "m", "12345");
  std::string read;
  Diagnosis why;
  EXPECT_EQ(ReadWholeFile(storage, "m", 5, &read, &why), Status::kOk);
  EXPECT_EQ(ReadWholeFile(storage, "m", 4, &read, &why), Status::kCorruption);
  EXPECT_EQ(why.offset, 4u);
  EXPECT_EQ(ReadWholeFile(storage, "n", 4, &read, &why), Status::kNotFound);
  EXPECT_EQ(why.file, "n");
}

TEST(TokenDirectory, IsMadeDurableAndRefusesLeftOvers) {
  RecordingStorage storage;
  const Token token = SampleToken(3);
  ASSERT_EQ(CreateTokenDirectory(storage, "", token), Status::kOk);
  const std::vector<std::string> expected = {"mkdir " + token.Text(), "syncdir "};
  EXPECT_EQ(storage.calls, expected);
  EXPECT_EQ(CreateTokenDirectory(storage, "", token), Status::kOk);  // there, but empty
  PutFile(storage.inner, token.Text() + "/index.dat", "left over");
  EXPECT_EQ(CreateTokenDirectory(storage, "", token), Status::kExists);
}

template <typename Metadata>
void ExpectRecordFile(const Metadata& metadata, std::string_view name) {
  MemoryStorage storage;
  Diagnosis why;
  ASSERT_EQ(CreateTokenDirectory(storage, "", metadata.token), Status::kOk);
  Metadata read;
  EXPECT_EQ(ReadMetadata(storage, "", metadata.token, &read, &why), Status::kNotFound);
  ASSERT_EQ(WriteMetadata(storage, "", metadata, &why), Status::kOk) << why.Text();
  ASSERT_EQ(ReadMetadata(storage, "", metadata.token, &read, &why), Status::kOk) << why.Text();
  EXPECT_TRUE(Same(read, metadata));

  const std::string path = CheckpointPath("", metadata.token, name);
  const std::string good = GetFile(storage, path);
  for (size_t i = 0; i < good.size(); ++i) {
    for (const bool cut : {false, true}) {
      std::string damaged = cut ? good.substr(0, i) : good;
      if (!cut) damaged[i] = static_cast<char>(damaged[i] ^ (1 << i % 8));
      PutFile(storage, path, damaged);
      const std::vector<std::string> before = Dump(storage, "");
      Metadata untouched;
      ASSERT_EQ(ReadMetadata(storage, "", metadata.token, &untouched, &why), Status::kCorruption) << i;
      EXPECT_EQ(why.file, path);
      EXPECT_TRUE(Same(untouched, Metadata()));
      ASSERT_EQ(Dump(storage, ""), before);
    }
  }
  // A valid file in another checkpoint's directory.
  const Token other = SampleToken(8);
  ASSERT_EQ(CreateTokenDirectory(storage, "", other), Status::kOk);
  PutFile(storage, CheckpointPath("", other, name), good);
  EXPECT_EQ(ReadMetadata(storage, "", other, &read, &why), Status::kCorruption);
  EXPECT_EQ(why.found, metadata.token.Text());
  EXPECT_EQ(why.offset, good.find("\"token\""));
}

TEST(MetadataFiles, LogMeta) { ExpectRecordFile(SampleLog(), kLogMetaName); }
TEST(MetadataFiles, IndexMeta) { ExpectRecordFile(SampleIndex(), kIndexMetaName); }

TEST(MetadataFiles, AnInvalidRecordIsNotWritten) {
  RecordingStorage storage;
  LogMetadata bad = SampleLog();
  bad.generations.clear();
  Diagnosis why;
  EXPECT_EQ(WriteMetadata(storage, "", bad, &why), Status::kInvalidArgument);
  EXPECT_TRUE(storage.calls.empty());
  EXPECT_NE(why.expected.find("generations"), std::string::npos);
}

TEST(MetadataFiles, NamesOfTheDataAreDurableBeforeTheMetadataIsNamed) {
  const std::string t = SampleToken(7).Text();
  const auto expected = [&](const std::string& name) {
    const std::string temporary = t + "/." + name + ".tmp";
    return std::vector<std::string>{"syncdir " + t,       "open " + temporary,
                                    "write " + temporary, "sync " + temporary,
                                    "close " + temporary, "rename " + temporary + " " + t + "/" + name,
                                    "syncdir " + t};
  };
  RecordingStorage storage;
  ASSERT_EQ(storage.inner.CreateDirectory(t), Status::kOk);
  Diagnosis why;
  ASSERT_EQ(WriteMetadata(storage, "", SampleLog(), &why), Status::kOk);
  EXPECT_EQ(storage.calls, expected("log.meta"));
  storage.calls.clear();
  ASSERT_EQ(WriteMetadata(storage, "", SampleIndex(), &why), Status::kOk);
  EXPECT_EQ(storage.calls, expected("index.meta"));
  for (const int step : {0, 1, 2, 3, 5, 6}) {  // 4 is the close
    storage.calls.clear();
    storage.fail_at = step;
    EXPECT_EQ(WriteMetadata(storage, "", SampleLog(), &why), Status::kIoError) << step;
  }
}

TEST(MetadataFiles, AFailedWriteNamesTheFile) {
  RecordingStorage storage;
  ASSERT_EQ(storage.inner.CreateDirectory(SampleToken(7).Text()), Status::kOk);
  storage.fail_at = 2;
  Diagnosis why;
  EXPECT_EQ(WriteMetadata(storage, "", SampleLog(), &why), Status::kIoError);
  EXPECT_EQ(why.file, CheckpointPath("", SampleToken(7), kLogMetaName));
}

std::unique_ptr<File> Reopen(Storage& storage, const std::string& bytes) {
  PutFile(storage, "s", bytes);
  std::unique_ptr<File> file;
  EXPECT_EQ(storage.Open("s", OpenMode::kRead, &file), Status::kOk);
  return file;
}

TEST(SnapshotHeaderFile, RoundTripAndEveryDamage) {
  MemoryStorage storage;
  const SnapshotHeader header{SampleToken(7), 1024, 2048, 512, MakeGeneration(2, 5)};
  std::unique_ptr<File> file;
  ASSERT_EQ(storage.Open("s", OpenMode::kTruncate, &file), Status::kOk);
  const auto words = SnapshotHeaderWords(header);
  ASSERT_EQ(WriteAll(*file, 0, words.data(), sizeof words), Status::kOk);
  const std::string good = GetFile(storage, "s") + std::string(1024, 'b');
  ASSERT_EQ(good.size(), SnapshotOffset(1024, 2048));
  EXPECT_EQ(good.substr(0, 8), "CPRSNAP1");
  Diagnosis why;
  SnapshotHeader read;
  file = Reopen(storage, good);
  ASSERT_EQ(ReadSnapshotHeader(*file, "s", header.token, &read, &why), Status::kOk) << why.Text();
  EXPECT_EQ(read, header);

  for (size_t i = 0; i < kSnapshotHeaderBytes; ++i) {
    std::string damaged = good;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << i % 8));
    file = Reopen(storage, damaged);
    SnapshotHeader untouched;
    ASSERT_EQ(ReadSnapshotHeader(*file, "s", header.token, &untouched, &why), Status::kCorruption) << i;
    EXPECT_EQ(untouched, SnapshotHeader());
  }
  for (size_t size = 0; size < good.size(); ++size) {
    file = Reopen(storage, good.substr(0, size));
    ASSERT_EQ(ReadSnapshotHeader(*file, "s", header.token, &read, &why), Status::kCorruption) << size;
    EXPECT_EQ(why.offset, size);
  }
  file = Reopen(storage, good + "x");
  EXPECT_EQ(ReadSnapshotHeader(*file, "s", header.token, &read, &why), Status::kCorruption);
  EXPECT_EQ(why.offset, good.size());
  file = Reopen(storage, good);
  EXPECT_EQ(ReadSnapshotHeader(*file, "s", SampleToken(8), &read, &why), Status::kCorruption);
  EXPECT_EQ(why.offset, 16u);
}

TEST(Checksums, KnownValuesAndPlaces) {
  EXPECT_EQ(Checksum("", 0), 0x2d06800538d394c2ull);  // XXH3-64 of nothing, as published with the algorithm
  const std::string text(5000, 'x');
  ChecksumStream stream(9);
  for (size_t i = 0; i < text.size(); i += 37)
    stream.Update(text.data() + i, std::min<size_t>(37, text.size() - i));
  EXPECT_EQ(stream.Digest(), Checksum(text.data(), text.size(), 9));
  EXPECT_NE(stream.Digest(), Checksum(text.data(), text.size()));

  uint64_t block[16] = {};
  const uint64_t sum = BlockChecksum(block, sizeof block, 128, 5);
  EXPECT_NE(sum, 0u);
  block[0] = 77;  // the place of the checksum itself
  EXPECT_EQ(BlockChecksum(block, sizeof block, 128, 5), sum);
  EXPECT_NE(BlockChecksum(block, sizeof block, 256, 5), sum);
  EXPECT_NE(BlockChecksum(block, sizeof block, 128, 6), sum);
  for (int bit = 64; bit < 1024; ++bit) {
    block[bit / 64] ^= 1ull << bit % 64;
    EXPECT_NE(BlockChecksum(block, sizeof block, 128, 5), sum) << bit;
    block[bit / 64] ^= 1ull << bit % 64;
  }
}

}  // namespace
}  // namespace faster
