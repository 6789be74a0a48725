// A chain put together: each block from the newest part that has it, and no part that says one thing wrong of
// itself, whatever its checksums.
#include "faster/cpr/log_image.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <tuple>

#include "tests/cpr/samples.h"

namespace faster {
namespace {

constexpr uint64_t kBlock = 128;
const Token kBase = SampleToken(1), kFirst = SampleToken(2), kSecond = SampleToken(3);
const uint64_t kGenerations[] = {MakeGeneration(1, 7), MakeGeneration(1, 7), MakeGeneration(2, 9)};

using Change = std::function<void(DeltaHeader*)>;

// The block at `address` as part `part` of the chain has it.
std::vector<uint64_t> BlockOf(LogAddress address, uint64_t part) {
  std::vector<uint64_t> words(kBlock / 8, address * 1000 + part);
  words[0] = BlockChecksum(words.data(), kBlock, address, kGenerations[part]);
  return words;
}

struct ChainFiles {
  MemoryStorage storage;
  LogMetadata log;

  // A snapshot of [512, 1536), and two deltas; `lies` are told in their headers.
  explicit ChainFiles(const Change& first = {}, const Change& second = {}) {
    for (const Token& token : {kBase, kFirst, kSecond})
      EXPECT_EQ(CreateTokenDirectory(storage, "", token), Status::kOk);
    WriteBase();
    DeltaHeader one = {kFirst, kBase, kBase, 512, 1792, 1536, kGenerations[1], 1, 0, kBlock, 0};
    WriteDelta(kFirst, one, first, 1, {640, 1536, 1664});
    DeltaHeader two = {kSecond, kFirst, kBase, 640, 2048, 1792, kGenerations[2], 2, 0, kBlock, 0};
    const DeltaHeader last = WriteDelta(kSecond, two, second, 2, {768, 1536, 1792, 1920});
    log = SampleLog();
    log.token = kSecond;
    log.block_bytes = kBlock;
    log.use_snapshot_file = log.is_incremental = true;
    log.flushed_until = 640;
    log.final_address = 2048;
    log.previous = kFirst;
    log.chain = {kBase, {kFirst, kSecond}, 7, ""};
    log.delta.header_checksum = last.checksum;  // a liar agrees with itself
    log.delta.entries = last.entries;
  }

  Status Open(LogImage* image, Diagnosis* why) { return image->Open(&storage, "", &log, why); }

 private:
  void WriteBase() {
    std::unique_ptr<File> file;
    ASSERT_EQ(storage.Open(CheckpointPath("", kBase, kLogSnapshotName), OpenMode::kTruncate, &file),
              Status::kOk);
    const auto header = SnapshotHeaderWords({kBase, 512, 1536, kBlock, kGenerations[0]});
    ASSERT_EQ(WriteFully(*file, 0, header.data(), sizeof header), Status::kOk);
    for (LogAddress at = 512; at < 1536; at += kBlock) {
      const std::vector<uint64_t> block = BlockOf(at, 0);
      ASSERT_EQ(WriteFully(*file, SnapshotOffset(512, at), block.data(), kBlock), Status::kOk);
    }
  }
  DeltaHeader WriteDelta(const Token& token, DeltaHeader header, const Change& lie, uint64_t part,
                         const std::vector<LogAddress>& addresses) {
    if (lie) lie(&header);
    std::unique_ptr<File> file;
    EXPECT_EQ(storage.Open(CheckpointPath("", token, kDeltaLogName), OpenMode::kTruncate, &file),
              Status::kOk);
    DeltaWriter writer(file.get(), header);
    for (const LogAddress at : addresses) {
      const std::vector<uint64_t> block = BlockOf(at, part);
      EXPECT_EQ(writer.Append(at, reinterpret_cast<const uint8_t*>(block.data()), 1), Status::kOk);
    }
    EXPECT_EQ(writer.Finish(), Status::kOk);
    return writer.header();
  }
};

TEST(LogImage, TakesEachBlockFromTheNewestPart) {
  ChainFiles chain;
  LogImage image;
  Diagnosis why;
  ASSERT_EQ(chain.Open(&image, &why), Status::kOk) << why.Text();
  EXPECT_EQ(image.entries(), 7u);
  std::vector<uint64_t> all((2048 - 640) / 8);
  ASSERT_EQ(image.Read(640, 2048, reinterpret_cast<uint8_t*>(all.data()), &why), Status::kOk) << why.Text();
  for (LogAddress at = 640; at < 2048; at += kBlock) {
    const bool second = at == 768 || at == 1536 || at >= 1792;
    const bool first = at == 640 || at == 1664;
    EXPECT_EQ(all[(at - 640) / 8 + 1], at * 1000 + (second ? 2 : first ? 1 : 0)) << at;
  }
}

TEST(LogImage, ReadsAnyPieceAsItIsInTheWhole) {
  ChainFiles chain;
  LogImage image;
  Diagnosis why;
  ASSERT_EQ(chain.Open(&image, &why), Status::kOk) << why.Text();
  std::vector<uint64_t> all(1408 / 8), piece(1408 / 8);
  ASSERT_EQ(image.Read(640, 2048, reinterpret_cast<uint8_t*>(all.data()), &why), Status::kOk);
  for (LogAddress from = 640; from < 2048; from += kBlock) {
    for (LogAddress to = from + kBlock; to <= 2048; to += kBlock) {
      ASSERT_EQ(image.Read(from, to, reinterpret_cast<uint8_t*>(piece.data()), &why), Status::kOk);
      EXPECT_TRUE(std::equal(piece.begin(), piece.begin() + (to - from) / 8, all.begin() + (from - 640) / 8));
    }
  }
}

TEST(LogImage, NamesThePlaceOfABlock) {
  ChainFiles chain;
  LogImage image;
  Diagnosis why;
  ASSERT_EQ(chain.Open(&image, &why), Status::kOk) << why.Text();
  EXPECT_EQ(image.PlaceOf(896).file, CheckpointPath("", kBase, kLogSnapshotName));
  EXPECT_EQ(image.PlaceOf(896).offset, SnapshotOffset(512, 896));
  EXPECT_EQ(image.PlaceOf(640).file, CheckpointPath("", kFirst, kDeltaLogName));
  EXPECT_EQ(image.PlaceOf(1536).file, CheckpointPath("", kSecond, kDeltaLogName));
  EXPECT_EQ(image.PlaceOf(1536).offset, kDeltaHeaderBytes + kBlock);
}

TEST(LogImage, OfAnEarlierDeltaNeedsNoLaterOne) {
  ChainFiles chain;
  EXPECT_EQ(chain.storage.Remove(CheckpointPath("", kSecond, kDeltaLogName)), Status::kOk);
  std::unique_ptr<File> file;
  ASSERT_EQ(chain.storage.Open(CheckpointPath("", kFirst, kDeltaLogName), OpenMode::kRead, &file),
            Status::kOk);
  DeltaHeader header;
  std::vector<DeltaEntry> table;
  Diagnosis why;
  ASSERT_EQ(ReadDeltaTable(*file, "", kFirst, &header, &table, &why), Status::kOk);
  chain.log.token = kFirst;
  chain.log.flushed_until = 512;
  chain.log.final_address = 1792;
  chain.log.chain = {kBase, {kFirst}, 3, ""};
  chain.log.delta.header_checksum = header.checksum;
  chain.log.delta.entries = 3;
  LogImage image;
  EXPECT_EQ(chain.Open(&image, &why), Status::kOk) << why.Text();
  EXPECT_EQ(image.PlaceOf(1536).file, CheckpointPath("", kFirst, kDeltaLogName));
}

// Of each byte of each part that is used for a block.
TEST(LogImage, NoWrongByteOfABlockPasses) {
  for (const auto& [token, name] : {std::pair(kBase, kLogSnapshotName), std::pair(kFirst, kDeltaLogName),
                                    std::pair(kSecond, kDeltaLogName)}) {
    ChainFiles chain;
    LogImage image;
    Diagnosis why;
    ASSERT_EQ(chain.Open(&image, &why), Status::kOk) << why.Text();
    const LogAddress block = token == kBase ? 896 : token == kFirst ? 640 : 768;
    const Diagnosis place = image.PlaceOf(block);
    const std::string good = GetFile(chain.storage, place.file);
    std::vector<uint64_t> words(kBlock / 8);
    for (uint64_t at = place.offset; at < place.offset + kBlock; ++at) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 0x10);
      PutFile(chain.storage, place.file, bad);
      EXPECT_EQ(image.Read(block, block + kBlock, reinterpret_cast<uint8_t*>(words.data()), &why),
                Status::kCorruption)
          << at;
      EXPECT_EQ(why.file, place.file);
    }
  }
}

struct Lie {
  const char* name;
  Change tell;
};
const Lie kLies[] = {
    {"AnotherToken", [](DeltaHeader* h) { h->token = SampleToken(9); }},
    {"AnotherPrevious", [](DeltaHeader* h) { h->previous = SampleToken(9); }},
    {"AnotherBase", [](DeltaHeader* h) { h->base = SampleToken(9); }},
    {"ItselfAsPrevious", [](DeltaHeader* h) { h->previous = h->token; }},
    {"ALowerFirst", [](DeltaHeader* h) { h->first = 384; }},
    {"AFirstWithinABlock", [](DeltaHeader* h) { h->first += 64; }},
    {"AFirstAboveItsBlocks", [](DeltaHeader* h) { h->first = 1280; }},
    {"ALowerEnd", [](DeltaHeader* h) { h->end -= kBlock; }},
    {"AHigherEnd", [](DeltaHeader* h) { h->end += kBlock; }},
    {"AnEndWithinABlock", [](DeltaHeader* h) { h->end += 64; }},
    {"AnEndThatNoFileHolds", [](DeltaHeader* h) { h->end += uint64_t{1} << 40; }},
    {"AnEndBelowFirst", [](DeltaHeader* h) { h->end = h->first - kBlock; }},
    {"ALowerPreviousEnd", [](DeltaHeader* h) { h->previous_end -= kBlock; }},
    {"AHigherPreviousEnd", [](DeltaHeader* h) { h->previous_end += kBlock; }},
    {"ALowerOrdinal", [](DeltaHeader* h) { --h->ordinal; }},
    {"AHigherOrdinal", [](DeltaHeader* h) { ++h->ordinal; }},
    {"SmallerBlocks", [](DeltaHeader* h) { h->block_bytes = 64; }},
};

class ALyingDelta : public ::testing::TestWithParam<std::tuple<size_t, int>> {};

TEST_P(ALyingDelta, IsRefused) {
  const auto [lie, which] = GetParam();
  ChainFiles chain(which == 1 ? kLies[lie].tell : Change(), which == 2 ? kLies[lie].tell : Change());
  LogImage image;
  Diagnosis why;
  EXPECT_EQ(chain.Open(&image, &why), Status::kCorruption) << kLies[lie].name;
  EXPECT_TRUE(why.file.ends_with(kDeltaLogName)) << why.file;
  EXPECT_FALSE(why.expected.empty());
}

INSTANTIATE_TEST_SUITE_P(Headers, ALyingDelta,
                         ::testing::Combine(::testing::Range(size_t{0}, std::size(kLies)),
                                            ::testing::Values(1, 2)),
                         [](const auto& info) {
                           return std::string(kLies[std::get<0>(info.param)].name) +
                                  (std::get<1>(info.param) == 1 ? "First" : "Last");
                         });

// What log.meta and delta.meta say of the chain against what is there.
struct Claim {
  const char* name;
  std::function<void(LogMetadata*)> make;
};
const Claim kClaims[] = {
    {"AnotherBase", [](LogMetadata* m) { m->chain.base = kFirst; }},
    {"ABaseThatIsNotThere", [](LogMetadata* m) { m->chain.base = SampleToken(9); }},
    {"TheBaseAsADelta", [](LogMetadata* m) { m->chain.deltas[0] = kBase; }},
    {"DeltasTheOtherWayRound", [](LogMetadata* m) { std::swap(m->chain.deltas[0], m->chain.deltas[1]); }},
    {"ADeltaLess", [](LogMetadata* m) { m->chain.deltas.erase(m->chain.deltas.begin()); }},
    {"ADeltaThatIsNotThere", [](LogMetadata* m) { m->chain.deltas[0] = SampleToken(9); }},
    {"ADeltaTwice", [](LogMetadata* m) { m->chain.deltas.push_back(kSecond); }},
    {"OtherBlocks", [](LogMetadata* m) { m->block_bytes = 256; }},
    {"ALowerStart", [](LogMetadata* m) { m->flushed_until = 512; }},
    {"AHigherStart", [](LogMetadata* m) { m->flushed_until = 768; }},
    {"ALowerEnd", [](LogMetadata* m) { m->final_address = 1920; }},
    {"AHigherEnd", [](LogMetadata* m) { m->final_address = 2176; }},
    {"AnotherHeader", [](LogMetadata* m) { m->delta.header_checksum ^= 1; }},
    {"MoreEntries", [](LogMetadata* m) { ++m->delta.entries; }},
    {"NoDelta", [](LogMetadata* m) { m->is_incremental = false; }},
};

class AWrongClaim : public ::testing::TestWithParam<size_t> {};

TEST_P(AWrongClaim, IsRefused) {
  ChainFiles chain;
  kClaims[GetParam()].make(&chain.log);
  LogImage image;
  Diagnosis why;
  EXPECT_NE(chain.Open(&image, &why), Status::kOk) << kClaims[GetParam()].name;
  EXPECT_FALSE(why.file.empty());
}

INSTANTIATE_TEST_SUITE_P(Texts, AWrongClaim, ::testing::Range(size_t{0}, std::size(kClaims)),
                         [](const auto& info) { return std::string(kClaims[info.param].name); });

}  // namespace
}  // namespace faster
