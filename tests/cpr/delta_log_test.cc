// delta.0.log, delta.meta and incremental.info: written and read back, and no damage passes.
#include "faster/cpr/delta_log.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/cpr/samples.h"

namespace faster {
namespace {

constexpr uint64_t kBlock = 128;
const char* const kPath = "delta";

DeltaHeader SampleHeader() {
  return {
      SampleToken(3), SampleToken(2), SampleToken(1), 512, 2048, 1536, MakeGeneration(1, 5), 2, 0, kBlock, 0};
}

// Blocks at 640, 768 and 1536.
void WriteSample(Storage& storage, DeltaHeader* header) {
  std::unique_ptr<File> file;
  ASSERT_EQ(storage.Open(kPath, OpenMode::kTruncate, &file), Status::kOk);
  DeltaWriter writer(file.get(), SampleHeader());
  uint64_t blocks[2 * kBlock / 8];
  for (size_t i = 0; i < std::size(blocks); ++i) blocks[i] = i * 77 + 1;
  const auto* bytes = reinterpret_cast<const uint8_t*>(blocks);
  ASSERT_EQ(writer.Append(640, bytes, 2), Status::kOk);
  ASSERT_EQ(writer.Append(1536, bytes, 1), Status::kOk);
  ASSERT_EQ(writer.Finish(), Status::kOk);
  *header = writer.header();
  uint64_t size = 0;
  ASSERT_EQ(file->Size(&size), Status::kOk);
  EXPECT_EQ(size, writer.bytes());
}

Status Read(Storage& storage, DeltaHeader* header, std::vector<DeltaEntry>* table, Diagnosis* why) {
  std::unique_ptr<File> file;
  EXPECT_EQ(storage.Open(kPath, OpenMode::kRead, &file), Status::kOk);
  return ReadDeltaTable(*file, kPath, SampleToken(3), header, table, why);
}

TEST(DeltaLog, ReadsBackItsTable) {
  MemoryStorage storage;
  DeltaHeader written, read;
  WriteSample(storage, &written);
  std::vector<DeltaEntry> table;
  Diagnosis why;
  ASSERT_EQ(Read(storage, &read, &table, &why), Status::kOk) << why.Text();
  ASSERT_EQ(table.size(), 3u);
  EXPECT_EQ(table[0], (DeltaEntry{640, 1}));
  EXPECT_EQ(table[1].address, 768u);
  EXPECT_EQ(table[2], (DeltaEntry{1536, 1}));
  EXPECT_EQ(read.previous, SampleToken(2));
  EXPECT_EQ(read.base, SampleToken(1));
  EXPECT_EQ(read.first, 512u);
  EXPECT_EQ(read.end, 2048u);
  EXPECT_EQ(read.previous_end, 1536u);
  EXPECT_EQ(read.ordinal, 2u);
  EXPECT_EQ(read.entries, 3u);
  EXPECT_EQ(read.checksum, written.checksum);
}

// The last block may have been written long before the table: only Finish() makes a delta of the file.
TEST(DeltaLog, AnUnfinishedOneIsNone) {
  MemoryStorage storage;
  std::unique_ptr<File> file;
  ASSERT_EQ(storage.Open(kPath, OpenMode::kTruncate, &file), Status::kOk);
  const std::vector<uint64_t> blocks(64 * kBlock / 8, 5);
  {
    DeltaHeader header = SampleHeader();
    header.end = header.first + 2 * 64 * kBlock;
    DeltaWriter writer(file.get(), header);
    ASSERT_EQ(writer.Append(512, reinterpret_cast<const uint8_t*>(blocks.data()), 64), Status::kOk);
  }
  uint64_t size = 0;
  ASSERT_EQ(file->Size(&size), Status::kOk);
  EXPECT_GT(size, kDeltaHeaderBytes);  // pieces were written already
  DeltaHeader header;
  std::vector<DeltaEntry> table;
  Diagnosis why;
  EXPECT_EQ(Read(storage, &header, &table, &why), Status::kCorruption);
  EXPECT_EQ(why.offset, 0u);
}

TEST(DeltaLog, NoChangedByteOfHeaderOrTablePasses) {
  MemoryStorage storage;
  DeltaHeader header;
  WriteSample(storage, &header);
  const std::string good = GetFile(storage, kPath);
  for (size_t at = 0; at < good.size(); ++at) {
    if (at >= kDeltaHeaderBytes && at < DeltaOffset(header, 3)) continue;  // blocks have their own checksums
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    PutFile(storage, kPath, bad);
    std::vector<DeltaEntry> table;
    Diagnosis why;
    EXPECT_NE(Read(storage, &header, &table, &why), Status::kOk) << "byte " << at;
    EXPECT_EQ(why.file, kPath);
  }
  for (const size_t size : {size_t{0}, size_t{100}, good.size() - 1, good.size() + 1}) {
    std::string bad = good;
    bad.resize(size);
    PutFile(storage, kPath, bad);
    std::vector<DeltaEntry> table;
    Diagnosis why;
    EXPECT_EQ(Read(storage, &header, &table, &why), Status::kCorruption) << size << " bytes";
  }
}

LogMetadata SampleIncremental() {
  LogMetadata log = SampleLog();
  log.use_snapshot_file = true;
  log.flushed_until = 512;
  log.is_incremental = true;
  log.previous = SampleToken(6);
  log.delta_bytes = 4711;
  log.delta = {log.token, SampleToken(5), log.previous, log.version, 4711, 1024, log.final_address, 3, 99,
               ""};
  log.chain = {SampleToken(5), {SampleToken(6), log.token}, 8, ""};
  return log;
}

TEST(DeltaMetadata, IsReadWithItsLog) {
  MemoryStorage storage;
  const LogMetadata log = SampleIncremental();
  Diagnosis why;
  ASSERT_EQ(CreateTokenDirectory(storage, "", log.token), Status::kOk);
  ASSERT_EQ(WriteDeltaMetadata(storage, "", log), Status::kOk);
  ASSERT_EQ(WriteMetadata(storage, "", log, &why), Status::kOk) << why.Text();
  LogMetadata read;
  ASSERT_EQ(ReadMetadata(storage, "", log.token, &read, &why), Status::kOk) << why.Text();
  ASSERT_EQ(ReadDeltaMetadata(storage, "", &read, &why), Status::kOk) << why.Text();
  EXPECT_TRUE(read.is_incremental);
  EXPECT_EQ(read.previous, log.previous);
  EXPECT_EQ(read.delta.entries, 3u);
  EXPECT_EQ(read.delta.header_checksum, 99u);
  EXPECT_EQ(read.delta.previous_final, 1024u);
  EXPECT_EQ(read.chain.base, SampleToken(5));
  EXPECT_EQ(read.chain.deltas, log.chain.deltas);
  EXPECT_EQ(read.chain.total_entries, 8u);
}

TEST(DeltaMetadata, AnotherChainThanTheLogsIsRefused) {
  const LogMetadata log = SampleIncremental();
  const std::function<void(LogMetadata*)> changes[] = {
      [](LogMetadata* m) { m->delta.version = 2; },
      [](LogMetadata* m) { m->delta.bytes = 1; },
      [](LogMetadata* m) { m->delta.token = SampleToken(9); },
      [](LogMetadata* m) { m->delta.previous = SampleToken(9); },
      [](LogMetadata* m) { m->chain.base = SampleToken(9); },
      [](LogMetadata* m) { m->chain.deltas.pop_back(); },
      [](LogMetadata* m) { m->chain.deltas.erase(m->chain.deltas.begin()); },
  };
  for (const auto& change : changes) {
    MemoryStorage storage;
    ASSERT_EQ(CreateTokenDirectory(storage, "", log.token), Status::kOk);
    LogMetadata other = log;
    change(&other);
    ASSERT_EQ(WriteDeltaMetadata(storage, "", other), Status::kOk);
    LogMetadata read = log;
    Diagnosis why;
    EXPECT_EQ(ReadDeltaMetadata(storage, "", &read, &why), Status::kCorruption);
  }
}

TEST(DeltaMetadata, AChainThatNamesATokenTwiceIsNoChain) {
  LogMetadata log = SampleIncremental();
  log.chain.deltas = {log.token, log.token};
  Diagnosis why;
  EXPECT_EQ(ValidateMetadata(log.chain, &why), Status::kInvalidArgument);
  log.chain.deltas = {SampleToken(5)};
  EXPECT_EQ(ValidateMetadata(log.chain, &why), Status::kInvalidArgument);
}

TEST(DeltaMetadata, MembersThatWeDoNotKnowAreKept) {
  const LogMetadata log = SampleIncremental();
  DeltaMetadata delta = log.delta;
  delta.unknown = R"({"timestamp":1700000000,"tool":{"name":"x"}})";
  DeltaMetadata read;
  Diagnosis why;
  ASSERT_EQ(ParseMetadata(FormatMetadata(delta), "delta.meta", &read, &why), Status::kOk) << why.Text();
  EXPECT_EQ(read.unknown, delta.unknown);
  EXPECT_EQ(FormatMetadata(read), FormatMetadata(delta));
  DeltaChain chain = log.chain, chain_read;
  chain.unknown = R"({"note":"n"})";
  ASSERT_EQ(ParseMetadata(FormatMetadata(chain), "incremental.info", &chain_read, &why), Status::kOk)
      << why.Text();
  EXPECT_EQ(FormatMetadata(chain_read), FormatMetadata(chain));
}

}  // namespace
}  // namespace faster
