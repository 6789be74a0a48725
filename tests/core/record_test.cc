// Record: its bits, and values that are never torn and never lose an update.
#include "faster/core/record.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iterator>
#include <memory>
#include <thread>

#include "tests/core/spin_barrier.h"

namespace faster {
namespace {

struct Wide {
  uint64_t word[32];
};

TEST(RecordHeader, KeepsItsParts) {
  const RecordHeader header = RecordHeader::Make(kAddressMask - 5, 0x1fff, true);
  EXPECT_EQ(header.previous(), kAddressMask - 5);
  EXPECT_EQ(header.version(), 0x1fffu);
  EXPECT_TRUE(header.tombstone());
  EXPECT_TRUE(header.present());
  EXPECT_FALSE(header.invalid());
  EXPECT_TRUE(RecordHeader::Make(0, 0, false).present());  // never a zero word
  EXPECT_FALSE(RecordHeader{0}.present());
}

TEST(Record, IsAsSmallAsItCanBe) {
  EXPECT_EQ((Record<uint64_t, uint64_t>::kBytes), 24u);
  EXPECT_EQ((Record<uint64_t, Wide>::kBytes), 8u + 8 + 8 + 256);
  EXPECT_EQ((Record<uint64_t, uint32_t>::kBytes), 24u);
}

TEST(Record, CountsEveryUpdateOfANarrowValue) {
  alignas(64) Record<uint64_t, uint64_t> record{};
  record.Fill(RecordHeader::Make(0, 1, false), Words<uint64_t>::Of(7), Words<uint64_t>::Of(0));
  const auto increment = [](const Words<uint64_t>& old) { return Words<uint64_t>::Of(old.Value() + 1); };
  constexpr int kRounds = 3000, kEach = 30;
  const uint64_t updates = 2u * kEach * testing::Together(2, kRounds, [&](int, int) {
                             for (int i = 0; i < kEach; ++i) record.Modify(increment);
                           });
  EXPECT_EQ(record.Load().Value(), updates);
  // Another update gets in between the old value and the new one.
  int calls = 0;
  record.Modify([&](const Words<uint64_t>& old) {
    if (++calls == 1) record.Modify(increment);
    return increment(old);
  });
  EXPECT_EQ(record.Load().Value(), updates + 2);
}

Words<Wide> Incremented(const Words<Wide>& old) {
  Words<Wide> fresh = old;
  for (uint64_t& word : fresh.word) ++word;
  return fresh;
}

TEST(Record, CountsEveryUpdateOfAWideValue) {
  alignas(64) Record<uint64_t, Wide> record{};
  record.Fill(RecordHeader::Make(0, 1, false), Words<uint64_t>::Of(7), Words<Wide>{});
  constexpr int kRounds = 3000, kEach = 10;
  const uint64_t updates = 2u * kEach * testing::Together(2, kRounds, [&](int, int) {
                             for (int i = 0; i < kEach; ++i) record.Modify(Incremented);
                           });
  for (const uint64_t word : record.Load().word) EXPECT_EQ(word, updates);
  // Another update that begins between the old value and the new one has to wait.
  std::atomic<bool> other_done{false};
  std::thread other;
  record.Modify([&](const Words<Wide>& old) {
    other = std::thread([&] {
      record.Modify(Incremented);
      other_done = true;
    });
    for (int i = 0; i < 50 && !other_done; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_FALSE(other_done);
    return Incremented(old);
  });
  other.join();
  for (const uint64_t word : record.Load().word) EXPECT_EQ(word, updates + 2);
}

// Wide enough that a copy of it takes longer than threads need to meet.
struct Huge {
  uint64_t word[1024];
};
Words<Huge> AllOf(uint64_t word) {
  Words<Huge> huge;
  std::fill(std::begin(huge.word), std::end(huge.word), word);
  return huge;
}
uint64_t Strangers(const Words<Huge>& value) {
  return 1024 - std::count(std::begin(value.word), std::end(value.word), value.word[0]);
}

TEST(Record, NeverTearsAWideValue) {
  const auto record = std::make_unique<Record<uint64_t, Huge>>();
  record->Fill(RecordHeader::Make(0, 1, false), Words<uint64_t>::Of(7), AllOf(0));
  uint64_t torn = 0;
  testing::Together(2, 3000, [&](int t, int round) {
    const uint64_t word = static_cast<uint64_t>(round);
    if (t == 1)
      torn += Strangers(record->Load());
    else if (round % 2 == 0)
      record->Store(AllOf(word));
    else
      record->Modify([&](const Words<Huge>&) { return AllOf(word); });
  });
  EXPECT_EQ(torn, 0u);
}

TEST(Record, AWideStoreAndAnUpdateDoNotMix) {
  const auto record = std::make_unique<Record<uint64_t, Huge>>();
  record->Fill(RecordHeader::Make(0, 1, false), Words<uint64_t>::Of(7), AllOf(0));
  uint64_t torn = 0;
  testing::SpinBarrier written(2);
  testing::Together(2, 3000, [&](int t, int round) {
    const uint64_t word = static_cast<uint64_t>(round) << 1 | static_cast<uint64_t>(t);
    if (t == 0)
      record->Store(AllOf(word));
    else
      record->Modify([&](const Words<Huge>&) { return AllOf(word); });
    written.Wait();
    if (t == 0) torn += Strangers(record->Load());
  });
  EXPECT_EQ(torn, 0u);
}

}  // namespace
}  // namespace faster
