// Record: its bits, and values that are never torn and never lose an update.
#include "faster/core/record.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

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
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100000; ++i) {
        record.Modify([](const Words<uint64_t>& old) { return Words<uint64_t>::Of(old.Value() + 1); });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(record.Load().Value(), 200000u);
}

TEST(Record, NeverTearsAWideValue) {
  using Rec = Record<uint64_t, Wide>;
  alignas(64) Rec record{};
  record.Fill(RecordHeader::Make(0, 1, false), Words<uint64_t>::Of(7), Words<Wide>{});
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 30000; ++i) {
        if (t == 0) {
          Wide wide;
          for (uint64_t& word : wide.word) word = i << 32;
          record.Store(Words<Wide>::Of(wide));
        } else {
          record.Modify([](const Words<Wide>& old) {
            Words<Wide> fresh = old;
            for (uint64_t& word : fresh.word) ++word;
            return fresh;
          });
        }
      }
    });
  }
  std::thread reader([&] {
    while (!stop.load()) {
      const Words<Wide> seen = record.Load();
      for (uint64_t word : seen.word) ASSERT_EQ(word, seen.word[0]);
    }
  });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  reader.join();
}

}  // namespace
}  // namespace faster
