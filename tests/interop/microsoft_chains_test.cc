// Checkpoints put together by hand: what the original's engine makes only now and then. Indexes that grew,
// versions that wrapped, records of v + 1 that the index has, holes, lost races, and damage of chains.
#include "faster/interop/microsoft_chains.h"

#include <gtest/gtest.h>

#include <cstring>
#include <optional>

#include "tests/cpr/samples.h"
#include "tests/interop/interop_samples.h"

namespace faster::microsoft {
namespace {

class HandMade : public ::testing::Test {
 protected:
  explicit HandMade(uint32_t page_bits = 9) {
    geometry_.page_bits = page_bits;
    geometry_.segment_bytes = std::max<uint64_t>(geometry_.segment_bytes, geometry_.page_bytes());
  }
  // `n` keys in a log of tiny pages, under an index of `buckets`.
  void Make(uint64_t n, uint64_t buckets) {
    for (const std::string kind : {"index-checkpoints", "cpr-checkpoints"}) {
      ASSERT_EQ(storage_.CreateDirectory(kind), Status::kOk);
      ASSERT_EQ(storage_.CreateDirectory(kind + "/" + kName), Status::kOk);
    }
    Diagnosis why;
    ASSERT_EQ(table_.Allocate(buckets, &why), Status::kOk);
    for (uint64_t key = 0; key < n; ++key) Add(key, key * 3, 5);
  }
  LogWriter& Writer() {
    if (!writer_) writer_.emplace(&storage_, "", geometry_);
    return *writer_;
  }
  void Add(uint64_t key, uint64_t value, uint32_t version, uint64_t bits = 0, bool link = true) {
    const uint64_t hash = HashOfKey(key);
    uint64_t* const entry = table_.FindOrCreate(hash);
    LogRecord record{RecordHeader::Make(AddressIn(*entry), version & 0x1fff, false), key, value};
    record.header.control |= bits;
    if (link) *entry = EntryOf(Writer().tail(), TagOf(hash));
    ASSERT_EQ(Writer().Append(record), Status::kOk);
  }
  void Close(uint32_t version, LogAddress start = 0) {
    IndexInfo index;
    LogInfo log;
    Diagnosis why;
    index.version = log.version = version;
    index.begin = 64;
    ASSERT_EQ(Writer().Finish(&log.final_address, &why), Status::kOk);
    index.start = start != 0 ? start : log.final_address;
    std::vector<std::string> paths;
    ASSERT_EQ(table_.Write(&storage_, "index-checkpoints/" + kName, geometry_, {}, &index, &paths, &why),
              Status::kOk);
    Put("index-checkpoints/", Bytes(index));
    Put("cpr-checkpoints/", Bytes(log, GuidOrder::kRfc4122));
    index_ = index;
  }
  template <size_t kBytes>
  void Put(const std::string& kind, const std::array<uint8_t, kBytes>& bytes) {
    PutFile(storage_, kind + kName + "/info.dat", {reinterpret_cast<const char*>(bytes.data()), kBytes});
  }
  // The table's file as a growth makes it when all records are on disk: each half has what both had.
  void Grow() {
    const std::string path = "index-checkpoints/" + kName + "/ht.dat";
    const std::string bytes = GetFile(storage_, path);
    PutFile(storage_, path, bytes + bytes);
    index_.table_size *= 2;
    index_.table_bytes *= 2;
    Put("index-checkpoints/", Bytes(index_));
  }
  Status Import(Diagnosis* why) {
    ImportOptions options = TinyImport();
    options.geometry = geometry_;
    MemoryStorage target;
    const Status status = microsoft::Import(&storage_, "", &target, options, &result_, why);
    if (status == Status::kOk)
      state_ = StateOf(target, "");
    else
      EXPECT_TRUE(HoldsNothing(target, ""));
    return status;
  }
  State Keys(uint64_t n) {
    State state;
    for (uint64_t key = 0; key < n; ++key) state[key] = key * 3;
    return state;
  }

  const std::string kName = Token{1, 2}.Text();
  MemoryStorage storage_;
  Table table_;
  Geometry geometry_ = TinyGeometry();
  std::optional<LogWriter> writer_;
  IndexInfo index_;
  ImportResult result_;
  State state_;
};

TEST_F(HandMade, ChainsThatAGrowthShares) {
  Make(700, 256);
  Close(5);
  for (int growths = 0; growths < 4; ++growths) {
    Diagnosis why;
    ASSERT_EQ(Import(&why), Status::kOk) << growths << ": " << why.Text();
    EXPECT_EQ(state_, Keys(700));
    EXPECT_EQ(result_.records, 700u);
    Grow();
  }
}

// Keys of one tag that part only as the table grows: their records are on one chain, in turn.
TEST_F(HandMade, ChainsWithRecordsOfBothHalves) {
  Make(0, 256);
  std::map<uint64_t, uint64_t> classes;
  State expected;
  IdSource keys(1);
  for (int i = 0; i < 60000; ++i) {
    const uint64_t key = keys.Next(), hash = HashOfKey(key);
    const auto [other, fresh] = classes.emplace(TagOf(hash) << 8 | (hash & 255), key);
    if (fresh || ((hash ^ HashOfKey(other->second)) & 256) == 0) continue;
    for (uint64_t turn = 0; turn < 3; ++turn) {
      for (const uint64_t one : {key, other->second}) Add(one, turn, 5), expected[one] = turn;
    }
  }
  ASSERT_GT(expected.size(), 200u);
  Close(5);
  for (int growths = 0; growths < 3; ++growths) {
    Diagnosis why;
    ASSERT_EQ(Import(&why), Status::kOk) << growths << ": " << why.Text();
    EXPECT_EQ(state_, expected);
    Grow();
  }
}

TEST_F(HandMade, AChainOfTheOtherHalfIsNoWayToAKey) {
  Make(700, 256);
  Close(5);
  Grow();
  uint64_t key = 0;
  while ((HashOfKey(key) & 256) == 0) ++key;
  const uint64_t bucket = HashOfKey(key) & 511;
  Diagnosis why;
  const std::string path = "index-checkpoints/" + kName + "/ht.dat";
  std::string bytes = GetFile(storage_, path);
  for (uint64_t at = bucket * 64; at < bucket * 64 + 56; at += 8) {
    uint64_t entry;
    std::memcpy(&entry, &bytes[at], 8);
    if (entry != 0 && TagIn(entry) == TagOf(HashOfKey(key))) std::memset(&bytes[at], 0, 8);
  }
  PutFile(storage_, path, bytes);
  EXPECT_EQ(Import(&why), Status::kCorruption);
  EXPECT_EQ(why.file, path) << why.Text();
  EXPECT_EQ(why.offset, bucket * 64);
}

class WidePages : public HandMade {
 protected:
  WidePages() : HandMade(13) {}
  Status ImportWithHoles(int holes) {
    Make(20, 256);
    const LogAddress start = Writer().tail();
    Add(3, 4, 5);
    for (int i = 0; i < holes; ++i) EXPECT_EQ(Writer().Append({}), Status::kOk);
    Add(4, 5, 5);
    Close(5, start);
    Diagnosis why;
    return Import(&why);
  }
};

TEST_F(WidePages, AsManyHolesAsThereCanBeThreads) {
  EXPECT_EQ(ImportWithHoles(96), Status::kOk);
  EXPECT_EQ(state_[3], 4u);
  EXPECT_EQ(state_[4], 5u);
}
TEST_F(WidePages, MoreHolesAreDamage) { EXPECT_EQ(ImportWithHoles(97), Status::kCorruption); }

TEST_F(HandMade, RecordsAboveTheCutAreUndoneAlsoWhereTheIndexHasThem) {
  Make(300, 256);
  const LogAddress start = Writer().tail();
  for (uint64_t key = 0; key < 50; ++key) Add(key, 1000 + key, 5, 0, key % 2 == 0);  // replayed
  for (uint64_t key = 25; key < 320; ++key) Add(key, 2000, 6);                       // v + 1
  for (uint64_t key = 40; key < 60; ++key) Add(key, 3000, 6);
  Close(5, start);
  Diagnosis why;
  ASSERT_EQ(Import(&why), Status::kOk) << why.Text();
  State expected = Keys(300);
  for (uint64_t key = 0; key < 50; ++key) expected[key] = 1000 + key;
  EXPECT_EQ(state_, expected);
  EXPECT_EQ(result_.undone, 315u);
}

TEST_F(HandMade, AVersionThatWrappedIsUndoneToo) {
  Make(100, 256);
  const LogAddress start = Writer().tail();
  for (uint64_t key = 0; key < 100; ++key) Add(key, 7, 8192);  // 0 in the record
  Close(8191, start);
  Diagnosis why;
  ASSERT_EQ(Import(&why), Status::kOk) << why.Text();
  EXPECT_EQ(state_, Keys(100));
}

TEST_F(HandMade, RecordsThatLostTheRaceForTheirEntry) {
  Make(100, 256);
  Add(7, 1, 5, RecordHeader::kInvalid, false);
  Add(8, 1, 5, 0, false);  // not marked in time; the client tried again
  Add(8, 2, 5);
  Add(9, 1, 5, RecordHeader::kTombstone, false);  // deleted in memory, and its entry taken out
  Close(5);
  Diagnosis why;
  ASSERT_EQ(Import(&why), Status::kOk) << why.Text();
  State expected = Keys(100);
  expected[8] = 2;
  EXPECT_EQ(state_, expected);
}

TEST_F(HandMade, AKeyThatNoChainLeadsToIsDamage) {
  Make(100, 256);
  Add(8, 2, 5, 0, false);
  Close(5);
  Diagnosis why;
  EXPECT_EQ(Import(&why), Status::kCorruption);
  EXPECT_TRUE(why.file.ends_with("ht.dat")) << why.Text();
}

TEST_F(HandMade, ALaterVersionBelowTheStartIsDamage) {
  Make(100, 256);
  Add(8, 2, 6);
  Close(5);
  Diagnosis why;
  EXPECT_EQ(Import(&why), Status::kCorruption);
  EXPECT_EQ(why.file, "log.log1") << why.Text();
}

TEST_F(HandMade, AnInvalidRecordOnAChainIsDamage) {
  Make(30, 256);
  Add(8, 2, 5, RecordHeader::kInvalid);
  Close(5);
  Diagnosis why;
  EXPECT_EQ(Import(&why), Status::kCorruption);
  EXPECT_EQ(why.file, "log.log0") << why.Text();
}

TEST_F(HandMade, WhatLiesBelowTheBeginAddressIsGone) {
  Make(100, 256);
  const LogAddress begin = Writer().tail();
  for (uint64_t key = 50; key < 150; ++key) Add(key, 9, 5);
  Close(5);
  index_.begin = begin + 24;  // the first of them is gone, too
  Put("index-checkpoints/", Bytes(index_));
  Diagnosis why;
  ASSERT_EQ(Import(&why), Status::kOk) << why.Text();
  State expected;
  for (uint64_t key = 51; key < 150; ++key) expected[key] = 9;
  EXPECT_EQ(state_, expected);
  ASSERT_EQ(storage_.Remove("log.log0"), Status::kOk);  // a segment below it
  ASSERT_EQ(Import(&why), Status::kOk) << why.Text();
  EXPECT_EQ(state_, expected);
}

}  // namespace
}  // namespace faster::microsoft
