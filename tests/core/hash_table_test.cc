// HashTable: one entry per tag, overflow, and inserts that race.
#include "faster/index/hash_table.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/core/spin_barrier.h"

namespace faster {
namespace {

KeyHash HashOf(uint64_t bucket, uint64_t tag) { return KeyHash{tag << 50 | bucket}; }

TEST(HashTable, FindsWhatWasPutAndNothingElse) {
  HashTable table;
  ASSERT_EQ(table.Allocate(2, false), Status::kOk);
  HashEntry entry;
  EXPECT_EQ(table.Find(HashOf(1, 0), &entry), nullptr);
  HashTable::Slot* slot = table.FindOrCreate(HashOf(1, 0), &entry);
  EXPECT_EQ(entry.address(), 0u);
  EXPECT_FALSE(entry.free());
  slot->store(HashEntry::Make(4711, 0).control);
  EXPECT_EQ(table.Find(HashOf(1, 0), &entry), slot);
  EXPECT_EQ(entry.address(), 4711u);
  EXPECT_EQ(table.Find(HashOf(0, 0), &entry), nullptr);
  EXPECT_EQ(table.Find(HashOf(1, 1), &entry), nullptr);
}

TEST(HashTable, GrowsIntoOverflowBuckets) {
  HashTable table;
  ASSERT_EQ(table.Allocate(1, false), Status::kOk);
  HashEntry entry;
  for (uint64_t tag = 0; tag < 1000; ++tag) {
    table.FindOrCreate(HashOf(0, tag), &entry)->store(HashEntry::Make(tag + 8, tag).control);
  }
  EXPECT_EQ(table.overflow_count(), (1000 + 6) / 7 - 1);
  for (uint64_t tag = 0; tag < 1000; ++tag) {
    ASSERT_NE(table.Find(HashOf(0, tag), &entry), nullptr);
    EXPECT_EQ(entry.address(), tag + 8);
  }
  EXPECT_EQ(table.CountEntries(), 1000u);
}

TEST(HashTable, IgnoresTentativeEntries) {
  HashTable table;
  ASSERT_EQ(table.Allocate(1, false), Status::kOk);
  table.main_bucket(0)->entry[2].store(HashEntry::Make(8, 5).control | HashEntry::kTentative);
  HashEntry entry;
  EXPECT_EQ(table.Find(HashOf(0, 5), &entry), nullptr);
}

TEST(HashTable, RacingInsertsOfOneTagMakeOneEntry) {
  constexpr int kRounds = 400, kTags = 64;
  std::vector<HashTable> tables(kRounds);
  for (HashTable& table : tables) ASSERT_EQ(table.Allocate(1, false), Status::kOk);
  std::vector<HashTable::Slot*> slots[2];
  for (auto& slot : slots) slot.resize(kRounds * kTags);
  const int rounds = testing::Together(2, kRounds, [&](int t, int round) {
    HashEntry entry;
    for (uint64_t tag = 0; tag < kTags; ++tag) {
      slots[t][round * kTags + tag] = tables[round].FindOrCreate(HashOf(0, tag), &entry);
    }
  });
  for (int round = 0; round < rounds; ++round) ASSERT_EQ(tables[round].CountEntries(), 64u) << round;
  EXPECT_EQ(slots[0], slots[1]);
}

}  // namespace
}  // namespace faster
