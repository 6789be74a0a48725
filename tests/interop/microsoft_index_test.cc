// ht.dat and ofb.dat: what is written is read back, and what a fuzzy copy may hold is put right.
#include "faster/interop/microsoft_index.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/cpr/samples.h"
#include "tests/interop/interop_samples.h"

namespace faster::microsoft {
namespace {

class Index : public ::testing::Test {
 protected:
  Index() {
    EXPECT_EQ(storage_.CreateDirectory("i"), Status::kOk);
    Diagnosis why;
    EXPECT_EQ(table_.Allocate(2048, &why), Status::kOk);
    checkpoint_.index_directory = "i";
    checkpoint_.index.begin = 64;
    checkpoint_.index.start = checkpoint_.log.final_address = uint64_t{1} << 40;
  }
  void Save() {
    std::vector<std::string> paths;
    Diagnosis why;
    ASSERT_EQ(table_.Write(&storage_, "i", TinyGeometry(), {}, &checkpoint_.index, &paths, &why),
              Status::kOk);
    EXPECT_EQ(paths, (std::vector<std::string>{"i/ht.dat", "i/ofb.dat"}));
  }
  Status Load(Diagnosis* why) { return loaded_.Load(&storage_, checkpoint_, TinyGeometry(), {}, why); }
  void PutWord(const std::string& path, uint64_t offset, uint64_t word) {
    std::string bytes = GetFile(storage_, path);
    std::memcpy(&bytes[offset], &word, 8);
    PutFile(storage_, path, bytes);
  }
  void ExpectDamage(const std::string& path, uint64_t offset) {
    Diagnosis why;
    EXPECT_EQ(Load(&why), Status::kCorruption);
    EXPECT_EQ(why.file, path) << why.Text();
    EXPECT_EQ(why.offset, offset) << why.Text();
  }
  // A hash of bucket 5 and this tag.
  static uint64_t Hash(uint64_t tag) { return 5 | tag << 48; }

  MemoryStorage storage_;
  Table table_, loaded_;
  Checkpoint checkpoint_;
};

TEST_F(Index, WhatWasWrittenIsRead) {
  const Grid grid(9);
  for (uint64_t key = 0; key < 30000; ++key) {  // 15 a bucket: most have overflow buckets
    const uint64_t hash = HashOfKey(key);
    *table_.FindOrCreate(hash) = EntryOf(grid.AddressOf(key + 1, 0), TagOf(hash));
  }
  Save();
  EXPECT_GT(checkpoint_.index.overflow_count, 1000u);
  EXPECT_EQ(GetFile(storage_, "i/ht.dat").size(), 2048u * 64);
  EXPECT_EQ(GetFile(storage_, "i/ofb.dat").size() % (16 * 64), 0u);
  EXPECT_GE(GetFile(storage_, "i/ofb.dat").size(), checkpoint_.index.overflow_bytes);
  Diagnosis why;
  ASSERT_EQ(Load(&why), Status::kOk) << why.Text();
  uint64_t entries = 0;
  EXPECT_EQ(loaded_.ForEachEntry([&](uint64_t bucket, uint64_t entry, bool, uint64_t) {
    const uint64_t* const same = table_.Find(bucket, TagIn(entry));
    EXPECT_TRUE(same != nullptr && *same == entry);
    ++entries;
    return Status::kOk;
  }),
            Status::kOk);
  EXPECT_GT(entries, 29000u);
}

TEST_F(Index, AnEmptyIndexHasOnePageOfOverflowBuckets) {
  Save();
  EXPECT_EQ(GetFile(storage_, "i/ofb.dat"), std::string(16 * 64, '\0'));
  EXPECT_EQ(checkpoint_.index.overflow_bytes, 64u);
  EXPECT_EQ(checkpoint_.index.overflow_count, 1u);
  Diagnosis why;
  EXPECT_EQ(Load(&why), Status::kOk) << why.Text();
}

TEST_F(Index, TentativeEntriesAndSecondOnesOfATagDoNotCount) {
  Save();
  PutWord("i/ht.dat", 5 * 64, EntryOf(64, 1) | Table::kTentative);
  PutWord("i/ht.dat", 5 * 64 + 8, EntryOf(88, 2));
  PutWord("i/ht.dat", 5 * 64 + 16, EntryOf(112, 2));
  PutWord("i/ht.dat", 5 * 64 + 24, EntryOf(kNoAddress, 3) | Table::kUnused);  // as the original leaves it
  Diagnosis why;
  ASSERT_EQ(Load(&why), Status::kOk) << why.Text();
  EXPECT_EQ(loaded_.Find(5, 1), nullptr);
  ASSERT_NE(loaded_.Find(5, 2), nullptr);
  EXPECT_EQ(AddressIn(*loaded_.Find(5, 2)), 88u);
  ASSERT_NE(loaded_.Find(5, 3), nullptr);
  EXPECT_EQ(*loaded_.Find(5, 3), EntryOf(kNoAddress, 3));
}

TEST_F(Index, ALinkBehindWhatWasCopiedIsCut) {
  Save();
  PutWord("i/ht.dat", 5 * 64, EntryOf(64, 1));
  PutWord("i/ht.dat", 5 * 64 + 56, 40);  // one page has 16
  checkpoint_.index.overflow_count = 41;
  Diagnosis why;
  ASSERT_EQ(Load(&why), Status::kOk) << why.Text();
  EXPECT_NE(loaded_.Find(5, 1), nullptr);
  EXPECT_EQ(loaded_.Find(5, 2), nullptr);
  checkpoint_.index.overflow_count = 40;
  ExpectDamage("i/ht.dat", 5 * 64 + 56);
}

TEST_F(Index, ABucketThatTwoLinksLeadToIsDamage) {
  for (uint64_t tag = 0; tag < 20; ++tag) *table_.FindOrCreate(Hash(tag)) = EntryOf(64, tag);  // 3 buckets
  Save();
  PutWord("i/ofb.dat", 2 * 64 + 56, 1);  // a ring
  ExpectDamage("i/ofb.dat", 2 * 64 + 56);
  PutWord("i/ofb.dat", 2 * 64 + 56, 0);
  PutWord("i/ht.dat", 9 * 64 + 56, 2);
  ExpectDamage("i/ht.dat", 9 * 64 + 56);
  PutWord("i/ht.dat", 9 * 64 + 56, uint64_t{1} << 50);
  ExpectDamage("i/ht.dat", 9 * 64 + 56);
}

TEST_F(Index, EntriesThatLeadNowhereAreDamage) {
  checkpoint_.log.final_address = checkpoint_.index.start = 1000;
  Save();
  for (const uint64_t address :
       {uint64_t{2}, uint64_t{63}, uint64_t{65}, uint64_t{1000}, uint64_t{504}, uint64_t{1} << 47}) {
    PutWord("i/ht.dat", 7 * 64 + 48, EntryOf(address, 3));
    ExpectDamage("i/ht.dat", 7 * 64 + 48);
  }
  PutWord("i/ht.dat", 7 * 64 + 48, 3ull << 48);
  ExpectDamage("i/ht.dat", 7 * 64 + 48);
}

TEST_F(Index, SizesOfTheFilesAreChecked) {
  Save();
  const std::string table = GetFile(storage_, "i/ht.dat"), overflow = GetFile(storage_, "i/ofb.dat");
  PutFile(storage_, "i/ht.dat", table.substr(0, 5000));
  ExpectDamage("i/ht.dat", 5000);
  PutFile(storage_, "i/ht.dat", table + "x");
  ExpectDamage("i/ht.dat", table.size());
  PutFile(storage_, "i/ht.dat", table);
  PutFile(storage_, "i/ofb.dat", overflow.substr(0, 63));
  ExpectDamage("i/ofb.dat", 63);
  ASSERT_EQ(storage_.Remove("i/ofb.dat"), Status::kOk);
  ExpectDamage("i/ofb.dat", 0);
  PutFile(storage_, "i/ofb.dat", overflow);
  ASSERT_EQ(storage_.Remove("i/ht.dat"), Status::kOk);
  ExpectDamage("i/ht.dat", 0);
}

}  // namespace
}  // namespace faster::microsoft
