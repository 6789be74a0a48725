// LightEpoch: what is protected stays, what is safe runs, on whichever thread drains.
#include "faster/core/epoch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace faster {
namespace {

struct Count {
  int runs = 0;
  LightEpoch::Action action() {
    return {[](void* self, uint64_t n) { static_cast<Count*>(self)->runs += static_cast<int>(n); }, this, 1};
  }
};

TEST(LightEpoch, RunsAtOnceWhenNobodyIsProtected) {
  LightEpoch epoch(4);
  Count count;
  epoch.BumpWith(count.action());
  EXPECT_EQ(count.runs, 1);
  EXPECT_FALSE(epoch.has_actions());
}

TEST(LightEpoch, EveryEntryHoldsAnActionBack) {
  LightEpoch epoch(5);
  std::vector<LightEpoch::Entry*> entries;
  for (int i = 0; i < 5; ++i) entries.push_back(epoch.Acquire());
  EXPECT_EQ(epoch.Acquire(), nullptr);
  for (LightEpoch::Entry* entry : entries) {
    Count count;
    epoch.Protect(entry);
    epoch.BumpWith(count.action());
    epoch.Drain();
    EXPECT_EQ(count.runs, 0);
    epoch.Unprotect(entry);
    epoch.Drain();
    EXPECT_EQ(count.runs, 1);
  }
}

// Entries come in chunks: the first, then each as large as all before it, the last one cut off by the limit.
TEST(LightEpoch, GrowsAndEveryEntryHoldsAnActionBack) {
  LightEpoch epoch(23, 2);
  std::vector<LightEpoch::Entry*> entries;
  for (int i = 0; i < 23; ++i) {
    entries.push_back(epoch.Acquire());
    ASSERT_NE(entries.back(), nullptr);
    EXPECT_EQ(std::count(entries.begin(), entries.end(), entries.back()), 1);
    Count count;
    epoch.Protect(entries.back());
    epoch.BumpWith(count.action());
    epoch.Drain();
    EXPECT_EQ(count.runs, 0) << i;
    epoch.Unprotect(entries.back());
    epoch.Drain();
    EXPECT_EQ(count.runs, 1) << i;
  }
  EXPECT_EQ(epoch.entries(), 23u);
  EXPECT_EQ(epoch.Acquire(), nullptr);
  epoch.Release(entries[7]);
  EXPECT_EQ(epoch.Acquire(), entries[7]);
}

// Entries are added while others are protected, scanned and given back.
TEST(LightEpoch, GrowsUnderLoad) {
  LightEpoch epoch(200, 1);
  std::atomic<uint64_t> freed{0};  // the newest value that no protected thread may still see
  std::atomic<uint64_t> current{1};
  std::atomic<bool> wrong{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      std::vector<LightEpoch::Entry*> mine;
      for (int i = 0; i < 60; ++i) {
        mine.push_back(epoch.Acquire());
        for (int n = 0; n < 30; ++n) {
          epoch.Protect(mine.back());
          const uint64_t seen = current.load();
          std::this_thread::yield();
          if (freed.load() >= seen) wrong = true;
          epoch.Unprotect(mine.back());
        }
      }
      for (LightEpoch::Entry* entry : mine) epoch.Release(entry);
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; i < 2000; ++i) {
      const uint64_t old = current.fetch_add(1);
      epoch.BumpWith({[](void* target, uint64_t value) {
                        auto* freed = static_cast<std::atomic<uint64_t>*>(target);
                        uint64_t before = freed->load();
                        while (before < value && !freed->compare_exchange_weak(before, value)) {
                        }
                      },
                      &freed, old});
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(wrong);
}

TEST(LightEpoch, ThoseWhoCameLaterHoldNothingBack) {
  LightEpoch epoch(2);
  LightEpoch::Entry* first = epoch.Acquire();
  LightEpoch::Entry* second = epoch.Acquire();
  Count count;
  epoch.Protect(first);
  epoch.BumpWith(count.action());
  epoch.Protect(second);
  epoch.Unprotect(first);
  epoch.Drain();
  EXPECT_EQ(count.runs, 1);
}

TEST(LightEpoch, AnActionMayOpenAnotherEpoch) {
  LightEpoch epoch(2);
  struct Chain {
    LightEpoch* epoch;
    int left;
    static void Run(void* self, uint64_t) {
      auto* chain = static_cast<Chain*>(self);
      if (--chain->left > 0) chain->epoch->BumpWith({&Chain::Run, chain, 0});
    }
  } chain{&epoch, 5};
  epoch.BumpWith({&Chain::Run, &chain, 0});
  while (epoch.has_actions()) epoch.Drain();
  EXPECT_EQ(chain.left, 0);
}

TEST(LightEpoch, TakesOverIdleEntriesOnly) {
  LightEpoch epoch(1);
  LightEpoch::Entry* entry = epoch.Acquire();
  epoch.Protect(entry);
  EXPECT_FALSE(epoch.TakeOver(entry));
  EXPECT_EQ(entry->taken_over.load(), 0u);
  epoch.Unprotect(entry);
  EXPECT_TRUE(epoch.TakeOver(entry));
  EXPECT_EQ(entry->taken_over.load(), 1u);
  epoch.GiveBack(entry);
  EXPECT_EQ(entry->taken_over.load(), 0u);
}

// A freed cell must never be read by a thread that was protected when it was unlinked.
TEST(LightEpoch, NoReaderSeesReclaimedMemory) {
  LightEpoch epoch(3);
  struct Cell {
    std::atomic<int> alive{1};
  };
  std::vector<Cell> cells(20000);
  std::atomic<size_t> current{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      LightEpoch::Entry* entry = epoch.Acquire();
      while (!stop.load()) {
        epoch.Protect(entry);
        Cell& cell = cells[current.load()];
        EXPECT_EQ(cell.alive.load(), 1);
        EXPECT_EQ(cell.alive.load(), 1);
        epoch.Unprotect(entry);
      }
    });
  }
  for (size_t i = 1; i < cells.size(); ++i) {
    current.store(i);
    epoch.BumpWith(
        {[](void* cell, uint64_t) { static_cast<Cell*>(cell)->alive.store(0); }, &cells[i - 1], 0});
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace faster
