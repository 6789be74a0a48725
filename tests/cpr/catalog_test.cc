// The catalog: what is listed, in which order, which log and index checkpoint a recovery gets, and what is
// refused.
#include "faster/cpr/catalog.h"

#include <gtest/gtest.h>

#include "faster/cpr/abandoned.h"
#include "tests/cpr/recording_storage.h"
#include "tests/cpr/samples.h"

namespace faster {
namespace {

constexpr uint64_t kFirst = MakeGeneration(1, 0xa);
constexpr uint64_t kSecond = MakeGeneration(2, 0xb);

LogMetadata Log(uint64_t token, uint64_t version, LogAddress final_address,
                std::vector<Generation> generations = {{0, kFirst, 0}}) {
  LogMetadata m = SampleLog();
  m.token = SampleToken(token);
  m.version = version;
  m.start_address = std::min<LogAddress>(m.start_address, final_address);
  m.final_address = final_address;
  m.flushed_until = final_address;
  m.dead_ranges.clear();
  m.generations = std::move(generations);
  return m;
}

IndexMetadata Index(uint64_t token, uint64_t version, LogAddress start, LogAddress final_address,
                    uint64_t generation = kFirst) {
  IndexMetadata m = SampleIndex();
  m.token = SampleToken(token);
  m.version = version;
  m.checkpoint_start = start;
  m.checkpoint_final = final_address;
  m.generation = generation;
  return m;
}

class Catalog : public testing::Test {
 protected:
  template <typename Metadata>
  void Put(const Metadata& metadata) {
    ASSERT_EQ(storage_.CreateDirectory(metadata.token.Text()), Status::kOk);
    ASSERT_EQ(WriteMetadata(storage_, "", metadata, &why_), Status::kOk) << why_.Text();
  }
  void Damage(uint64_t token, std::string_view name) {
    const std::string path = CheckpointPath("", SampleToken(token), name);
    std::string bytes = GetFile(storage_, path);
    bytes[bytes.size() / 2] ^= 4;
    PutFile(storage_, path, bytes);
  }
  Status Choose(std::optional<Token> log = {}, std::optional<Token> index = {}) {
    EXPECT_EQ(ListCheckpoints(storage_, "", &entries_, &why_), Status::kOk);
    choice_ = RecoveryChoice();
    why_ = Diagnosis();
    return ChooseRecovery(entries_, log, index, &choice_, &why_);
  }
  uint64_t ChosenLog() const { return choice_.log == nullptr ? 0 : choice_.log->token.low; }
  uint64_t ChosenIndex() const { return choice_.index == nullptr ? 0 : choice_.index->token.low; }

  MemoryStorage storage_;
  std::vector<CatalogEntry> entries_;
  RecoveryChoice choice_;
  Diagnosis why_;
};

TEST_F(Catalog, EmptyAndMissingDirectory) {
  EXPECT_EQ(Choose(), Status::kNotFound);
  EXPECT_NE(why_.Text().find("complete checkpoint"), std::string::npos);
  EXPECT_EQ(ListCheckpoints(storage_, "nowhere", &entries_, &why_), Status::kNotFound);
  EXPECT_EQ(why_.file, "nowhere");
}

TEST_F(Catalog, ForeignAndIncompleteNamesAreSkipped) {
  Put(Log(1, 1, 1024));
  PutFile(storage_, "log.0", "segment");
  PutFile(storage_, "notes.txt", "x");
  PutFile(storage_, SampleToken(99).Text(), "a file named like a token");
  const std::string other_spelling = "01234567-89AB-CDEF-0000-000000000001";
  ASSERT_EQ(storage_.CreateDirectory(other_spelling), Status::kOk);
  PutFile(storage_, other_spelling + "/log.meta",
          GetFile(storage_, CheckpointPath("", SampleToken(1), kLogMetaName)));
  ASSERT_EQ(CreateTokenDirectory(storage_, "", SampleToken(5)), Status::kOk);
  PutFile(storage_, CheckpointPath("", SampleToken(5), kIndexDataName), "crashed before its metadata");
  PutFile(storage_, CheckpointPath("", SampleToken(5), ".log.meta.tmp"), "torn");
  EXPECT_EQ(Choose(), Status::kOk) << why_.Text();
  EXPECT_EQ(ChosenLog(), 1u);
  EXPECT_EQ(ChosenIndex(), 0u);
  EXPECT_EQ(entries_.size(), 3u);  // 1, 5 and 99, whose file holds no part of a checkpoint
  EXPECT_EQ(Choose(SampleToken(5)), Status::kNotFound);
  EXPECT_EQ(Choose(SampleToken(6)), Status::kNotFound);
}

TEST_F(Catalog, NewestFirst) {
  Put(Log(2, 2, 1024));
  Put(Log(1, 3, 1024));
  Put(Log(3, 3, 2048));
  Put(Index(4, 9, 1024, 1024));
  ASSERT_EQ(CreateTokenDirectory(storage_, "", SampleToken(5)), Status::kOk);
  ASSERT_EQ(ListCheckpoints(storage_, "", &entries_, &why_), Status::kOk);
  std::vector<uint64_t> order;
  for (const CatalogEntry& entry : entries_) order.push_back(entry.token.low);
  EXPECT_EQ(order, (std::vector<uint64_t>{3, 1, 2, 4, 5}));
}

TEST_F(Catalog, ALaterIncarnationIsNewerThanAnyVersionOfAnAbandonedOne) {
  Put(Log(1, 2, 1024));
  Put(Log(2, 5, 4096));  // abandoned: somebody recovered to 1 by name and went on
  Put(Log(3, 3, 1536, {{0, kFirst, 1024}, {1024, kSecond, 0}}));
  EXPECT_EQ(Choose(), Status::kOk);
  EXPECT_EQ(ChosenLog(), 3u);
  EXPECT_EQ(GenerationOrdinal(NextGeneration(entries_, 77)), 3u);
  EXPECT_EQ(NextGeneration({}, 77), MakeGeneration(1, 77));
}

TEST_F(Catalog, IndexOnlyIsNoRecoveryPoint) {
  Put(Index(4, 9, 1024, 1024));
  EXPECT_EQ(Choose(), Status::kNotFound);
}

TEST_F(Catalog, NewestFittingIndex) {
  Put(Log(1, 2, 1024));
  Put(Index(1, 2, 512, 600));
  Put(Log(2, 3, 2048));
  Put(Index(3, 3, 1200, 1300));
  EXPECT_EQ(Choose(), Status::kOk);
  EXPECT_EQ(ChosenLog(), 2u);
  EXPECT_EQ(ChosenIndex(), 3u);
  EXPECT_EQ(Choose(SampleToken(1)), Status::kOk);  // index 3 ends after log 1
  EXPECT_EQ(ChosenLog(), 1u);
  EXPECT_EQ(ChosenIndex(), 1u);
  EXPECT_EQ(Choose(SampleToken(2), SampleToken(1)), Status::kOk);
  EXPECT_EQ(ChosenIndex(), 1u);
  EXPECT_EQ(Choose({}, SampleToken(1)), Status::kOk);
  EXPECT_EQ(ChosenLog(), 2u);
  EXPECT_EQ(ChosenIndex(), 1u);
  EXPECT_EQ(Choose(SampleToken(2), Token()), Status::kOk);  // the null token: rebuild
  EXPECT_EQ(ChosenIndex(), 0u);
  EXPECT_EQ(Choose(SampleToken(1), SampleToken(3)), Status::kInvalidArgument);
  EXPECT_NE(why_.Text().find("outside the history"), std::string::npos) << why_.Text();
  EXPECT_EQ(Choose(SampleToken(1), SampleToken(9)), Status::kNotFound);
  EXPECT_EQ(Choose(SampleToken(3)), Status::kNotFound);  // an index is no log checkpoint
}

TEST_F(Catalog, Pairing) {
  const LogMetadata log = Log(1, 3, 2048, {{0, kFirst, 1024}, {512, kSecond, 0}});
  std::string reason;
  EXPECT_TRUE(IndexFits(Index(2, 3, 1100, 2048, kSecond), log, &reason)) << reason;
  EXPECT_FALSE(IndexFits(Index(2, 3, 1100, 2049, kSecond), log, &reason));
  EXPECT_FALSE(IndexFits(Index(2, 3, 511, 1100, kSecond), log, &reason));
  EXPECT_TRUE(IndexFits(Index(2, 2, 700, 1024, kFirst), log, &reason)) << reason;
  EXPECT_FALSE(IndexFits(Index(2, 2, 700, 1025, kFirst), log, &reason));  // in the abandoned part
  EXPECT_FALSE(IndexFits(Index(2, 3, 700, 800, MakeGeneration(2, 0xc)), log, &reason));
  EXPECT_NE(reason.find("incarnation"), std::string::npos);
  EXPECT_FALSE(IndexFits(Index(2, 4, 1100, 1200, kSecond), log, &reason));
  EXPECT_NE(reason.find("version"), std::string::npos);
  IndexMetadata truncated = Index(2, 3, 1100, 1200, kSecond);
  truncated.begin_address = log.begin_address + 1;
  EXPECT_FALSE(IndexFits(truncated, log, &reason));
  EXPECT_NE(reason.find("begin address"), std::string::npos);
  LogMetadata grown = log;
  grown.table_size = 2 * log.table_size;
  EXPECT_FALSE(IndexFits(Index(2, 2, 700, 1024, kFirst), grown, &reason));
  EXPECT_NE(reason.find("grew"), std::string::npos);
  LogMetadata old = log;  // without `until` the next generation's first block is the limit
  old.generations[0].until = 0;
  EXPECT_FALSE(IndexFits(Index(2, 2, 700, 1024, kFirst), old, &reason));
  EXPECT_TRUE(IndexFits(Index(2, 2, 500, 512, kFirst), old, &reason)) << reason;
}

TEST_F(Catalog, DamageRefusesLatestAndSparesNamedOnes) {
  Put(Log(1, 2, 1024));
  Put(Log(2, 3, 2048));
  Damage(2, kLogMetaName);
  const std::vector<std::string> before = Dump(storage_, "");
  EXPECT_EQ(Choose(), Status::kCorruption);
  EXPECT_EQ(why_.file, CheckpointPath("", SampleToken(2), kLogMetaName));
  EXPECT_EQ(choice_.log, nullptr);
  EXPECT_EQ(Choose(SampleToken(2)), Status::kCorruption);
  EXPECT_EQ(why_.file, CheckpointPath("", SampleToken(2), kLogMetaName));
  EXPECT_EQ(Choose(SampleToken(1)), Status::kOk) << why_.Text();
  EXPECT_EQ(ChosenLog(), 1u);
  EXPECT_EQ(Dump(storage_, ""), before);
}

// Unlike damage: what cannot be read now may be whole tomorrow, and newer than what is named.
TEST(CatalogOfAFailingDevice, ALogPartThatCannotBeReadStopsNamedRecoveriesToo) {
  RecordingStorage storage;
  Diagnosis why;
  for (const uint64_t token : {1, 2}) {
    ASSERT_EQ(storage.CreateDirectory(SampleToken(token).Text()), Status::kOk);
    ASSERT_EQ(WriteMetadata(storage, "", Log(token, token, token * 1024), &why), Status::kOk) << why.Text();
  }
  const std::string unreadable = CheckpointPath("", SampleToken(2), kLogMetaName);
  std::vector<CatalogEntry> entries;
  RecoveryChoice choice;
  storage.fails_reads = [&](const std::string& path) { return path == unreadable; };
  for (const Status failure : {Status::kIoError, Status::kUnsupported}) {
    storage.failure = failure;
    ASSERT_EQ(ListCheckpoints(storage, "", &entries, &why), Status::kOk);
    EXPECT_EQ(ChooseRecovery(entries, SampleToken(1), {}, &choice, &why), failure);
    EXPECT_EQ(why.file, unreadable);
  }
  storage.fails_reads = {};
  ASSERT_EQ(ListCheckpoints(storage, "", &entries, &why), Status::kOk);
  ASSERT_EQ(ChooseRecovery(entries, SampleToken(1), {}, &choice, &why), Status::kOk);
  EXPECT_EQ(choice.log->token, SampleToken(1));
}

TEST_F(Catalog, EmptyMetadataIsDamageToo) {  // the rename without a sync before it: known bug Y12
  Put(Log(1, 2, 1024));
  ASSERT_EQ(CreateTokenDirectory(storage_, "", SampleToken(2)), Status::kOk);
  PutFile(storage_, CheckpointPath("", SampleToken(2), kLogMetaName), "");
  EXPECT_EQ(Choose(), Status::kCorruption);
  EXPECT_EQ(why_.file, CheckpointPath("", SampleToken(2), kLogMetaName));
}

TEST_F(Catalog, DamagedIndexMeta) {
  Put(Log(1, 2, 1024));
  Put(Index(1, 2, 512, 600));
  Put(Index(2, 2, 400, 500));
  Damage(1, kIndexMetaName);
  EXPECT_EQ(Choose(), Status::kCorruption);
  EXPECT_EQ(why_.file, CheckpointPath("", SampleToken(1), kIndexMetaName));
  EXPECT_EQ(Choose(SampleToken(1)), Status::kCorruption);
  EXPECT_EQ(Choose(SampleToken(1), SampleToken(1)), Status::kCorruption);
  EXPECT_EQ(Choose(SampleToken(1), SampleToken(2)), Status::kOk);
  EXPECT_EQ(ChosenIndex(), 2u);
  EXPECT_EQ(Choose(SampleToken(1), Token()), Status::kOk);
  EXPECT_EQ(ChosenIndex(), 0u);
}

TEST_F(Catalog, AbandonedCheckpointsAreNotThere) {
  Put(Log(1, 2, 1024));
  Put(Log(2, 3, 2048));
  std::vector<Token> abandoned;
  EXPECT_EQ(ReadAbandoned(storage_, "", &abandoned, &why_), Status::kOk);  // no list, none abandoned
  EXPECT_EQ(abandoned, std::vector<Token>());
  ASSERT_EQ(WriteAbandoned(storage_, "", {SampleToken(2), SampleToken(9)}, &why_), Status::kOk);
  EXPECT_EQ(ReadAbandoned(storage_, "", &abandoned, &why_), Status::kOk);
  EXPECT_EQ(abandoned, (std::vector<Token>{SampleToken(2), SampleToken(9)}));
  EXPECT_EQ(Choose(), Status::kOk);
  EXPECT_EQ(ChosenLog(), 1u);
  EXPECT_EQ(Choose(SampleToken(2)), Status::kNotFound);
}

TEST_F(Catalog, DamageOfTheAbandonedListIsFound) {
  Put(Log(1, 2, 1024));
  ASSERT_EQ(WriteAbandoned(storage_, "", {SampleToken(2)}, &why_), Status::kOk);
  const std::string path(kAbandonedName);
  const std::string good = GetFile(storage_, path);
  for (size_t i = 0; i < good.size(); ++i) {
    for (const bool cut : {false, true}) {
      std::string damaged = cut ? good.substr(0, i) : good;
      if (!cut) damaged[i] = static_cast<char>(damaged[i] ^ (1 << i % 8));
      PutFile(storage_, path, damaged);
      EXPECT_EQ(ListCheckpoints(storage_, "", &entries_, &why_), Status::kCorruption) << i << cut;
      EXPECT_EQ(why_.file, path);
      EXPECT_EQ(GetFile(storage_, path), damaged);
    }
  }
}

TEST_F(Catalog, DamageNeverMakesAnEntryVanish) {
  Put(Log(1, 2, 1024));
  Put(Index(1, 2, 512, 600));
  Damage(1, kLogMetaName);
  ASSERT_EQ(ListCheckpoints(storage_, "", &entries_, &why_), Status::kOk);
  ASSERT_EQ(entries_.size(), 1u);
  EXPECT_TRUE(entries_[0].index.valid());
  EXPECT_TRUE(entries_[0].log.broken());
  EXPECT_FALSE(entries_[0].log.why.expected.empty());
}

}  // namespace
}  // namespace faster
