// LightEpoch: what is protected stays, what is safe runs, on whichever thread drains.
#include "faster/core/epoch.h"

#include <gtest/gtest.h>

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
