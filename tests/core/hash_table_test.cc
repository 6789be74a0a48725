// HashTable: one entry per tag, overflow, and inserts that race.
#include "faster/index/hash_table.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

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
  for (int round = 0; round < 300; ++round) {
    HashTable table;
    ASSERT_EQ(table.Allocate(1, false), Status::kOk);
    std::vector<std::vector<HashTable::Slot*>> slots(3, std::vector<HashTable::Slot*>(12));
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        HashEntry entry;
        for (uint64_t tag = 0; tag < 12; ++tag) slots[t][tag] = table.FindOrCreate(HashOf(0, tag), &entry);
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(table.CountEntries(), 12u);
    for (int t = 1; t < 3; ++t) EXPECT_EQ(slots[t], slots[0]);
  }
}

}  // namespace
}  // namespace faster
