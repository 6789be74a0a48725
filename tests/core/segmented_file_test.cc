// SegmentedFile: how many segments are open, and what a closed one still owes.
#include "faster/log/segmented_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/cpr/recording_storage.h"

namespace faster {
namespace {

constexpr uint64_t kSegment = 1024;

// Jobs are over when Schedule returns, so that calls have one order.
struct OneThread : RecordingStorage {
  void Schedule(void (*job)(void* argument), void* argument) override { job(argument); }
};

struct Log {
  explicit Log(uint32_t limit) : file(&storage, "", kSegment, limit) {}
  Status Put(uint64_t segment, char letter, uint64_t offset = 0) {
    const std::string bytes(64, letter);
    return file.Write(segment * kSegment + offset, bytes.data(), bytes.size());
  }
  char Get(uint64_t segment, uint64_t offset = 0) {
    std::string bytes(64, '?');
    EXPECT_EQ(file.Read(segment * kSegment + offset, bytes.data(), bytes.size()), Status::kOk);
    return bytes == std::string(64, bytes[0]) ? bytes[0] : '!';
  }
  // Where in the order of calls.
  std::vector<size_t> Calls(const std::string& what) {
    std::vector<size_t> found;
    for (size_t i = 0; i < storage.calls.size(); ++i) {
      if (storage.calls[i] == what) found.push_back(i);
    }
    return found;
  }
  OneThread storage;
  SegmentedFile file;
};

TEST(SegmentedFile, OnlySoManyFilesAreOpen) {
  Log log(3);
  for (uint64_t i = 0; i < 20; ++i) {
    ASSERT_EQ(log.Put(i, static_cast<char>('a' + i)), Status::kOk);
    EXPECT_LE(log.file.open_files(), 3u);
  }
  for (uint64_t i = 20; i-- > 0;) {
    EXPECT_EQ(log.Get(i), static_cast<char>('a' + i));
    EXPECT_LE(log.file.open_files(), 3u);
  }
  ASSERT_EQ(log.Put(3, 'x', 64), Status::kOk);  // opened again to be written: what is there stays
  EXPECT_EQ(log.Get(3), 'd');
  EXPECT_EQ(log.Get(3, 64), 'x');
}

TEST(SegmentedFile, TheOneUsedLongestAgoIsClosed) {
  Log log(3);
  for (uint64_t i = 0; i < 3; ++i) ASSERT_EQ(log.Put(i, 'a'), Status::kOk);
  ASSERT_EQ(log.file.Sync(), Status::kOk);
  EXPECT_EQ(log.Get(0), 'a');
  ASSERT_EQ(log.Put(3, 'a'), Status::kOk);
  EXPECT_EQ(log.Calls("close log.0").size(), 0u);
  EXPECT_EQ(log.Calls("close log.1").size(), 1u);
}

TEST(SegmentedFile, WhatWasWrittenIsSyncedBeforeItIsClosed) {
  for (const uint32_t limit : {1u, 2u, 5u}) {
    std::vector<std::string> calls;
    {
      auto log = std::make_unique<Log>(limit);
      for (uint64_t i = 0; i < 12; ++i) ASSERT_EQ(log->Put(i % 6, 'a'), Status::kOk);
      ASSERT_EQ(log->file.Sync(), Status::kOk);
      calls = log->storage.calls;
    }
    for (uint64_t i = 0; i < 6; ++i) {
      const std::string name = " log." + std::to_string(i);
      bool dirty = false;
      for (const std::string& call : calls) {
        if (call == "write" + name) dirty = true;
        if (call == "sync" + name) dirty = false;
        if (call == "close" + name) {
          EXPECT_FALSE(dirty) << name << ", limit " << limit;
        }
      }
      EXPECT_FALSE(dirty) << name;  // by Sync() at the latest
    }
  }
}

TEST(SegmentedFile, AFailedSyncOfAClosedSegmentFailsTheNextSync) {
  Log log(1);
  bool broken = true;
  log.storage.fails = [&](const std::string& call) { return broken && call == "sync log.0"; };
  ASSERT_EQ(log.Put(0, 'a'), Status::kOk);
  ASSERT_EQ(log.Put(1, 'a'), Status::kOk);  // closes segment 0; who writes need not hear of it
  EXPECT_EQ(log.Calls("close log.0").size(), 1u);
  EXPECT_EQ(log.file.Sync(), Status::kIoError);
  broken = false;
  EXPECT_EQ(log.Put(0, 'a'), Status::kOk);  // as its user has to, after a failed sync
  EXPECT_EQ(log.file.Sync(), Status::kOk);
  EXPECT_EQ(log.file.Sync(), Status::kOk);
}

TEST(SegmentedFile, NamesAreSyncedOnceHoweverOftenTheyAreOpened) {
  Log log(1);
  for (uint64_t i = 0; i < 4; ++i) ASSERT_EQ(log.Put(i, 'a'), Status::kOk);
  ASSERT_EQ(log.file.Sync(), Status::kOk);
  EXPECT_EQ(log.Calls("syncdir ").size(), 1u);
  for (uint64_t i = 0; i < 4; ++i) ASSERT_EQ(log.Put(i, 'b'), Status::kOk);
  ASSERT_EQ(log.file.Sync(), Status::kOk);
  EXPECT_EQ(log.Calls("syncdir ").size(), 1u);
  ASSERT_EQ(log.Put(4, 'b'), Status::kOk);
  ASSERT_EQ(log.file.Sync(), Status::kOk);
  EXPECT_EQ(log.Calls("syncdir ").size(), 2u);
}

void Count(void* counter, Status status, uint64_t bytes) {
  EXPECT_EQ(status, Status::kOk);
  EXPECT_EQ(bytes, 64u);
  ++*static_cast<int*>(counter);
}

TEST(SegmentedFile, WhatIsInUseStaysOpenBeyondTheLimit) {
  Log log(2);
  for (uint64_t i = 0; i < 6; ++i) ASSERT_EQ(log.Put(i, static_cast<char>('a' + i)), Status::kOk);
  ASSERT_EQ(log.file.Sync(), Status::kOk);
  log.storage.hold_reads = true;
  int done = 0;
  std::vector<std::string> found(5, std::string(64, '?'));
  for (uint64_t i = 0; i < 5; ++i) log.file.ReadAsync(i * kSegment, found[i].data(), 64, &Count, &done);
  EXPECT_EQ(log.file.open_files(), 5u);
  log.storage.ReleaseReads();
  EXPECT_EQ(done, 5);
  for (uint64_t i = 0; i < 5; ++i) EXPECT_EQ(found[i], std::string(64, static_cast<char>('a' + i)));
  EXPECT_EQ(log.Get(5), 'f');
  EXPECT_EQ(log.file.open_files(), 2u);
}

TEST(SegmentedFile, ClosesWhatNobodyNeedsAnyMore) {
  Log log(10);
  for (uint64_t i = 0; i < 6; ++i) ASSERT_EQ(log.Put(i, 'a'), Status::kOk);
  ASSERT_EQ(log.file.Sync(), Status::kOk);
  log.storage.hold_reads = true;
  int done = 0;
  std::string found(64, '?');
  log.file.ReadAsync(1 * kSegment, found.data(), 64, &Count, &done);
  log.file.CloseBelow(3 * kSegment + 100);  // segment 3 is needed in part, 1 is in use
  EXPECT_EQ(log.Calls("close log.0").size(), 1u);
  EXPECT_EQ(log.Calls("close log.1").size(), 0u);
  EXPECT_EQ(log.Calls("close log.2").size(), 1u);
  EXPECT_EQ(log.Calls("close log.3").size(), 0u);
  log.storage.ReleaseReads();
  EXPECT_EQ(found, std::string(64, 'a'));
  log.file.CloseBelow(3 * kSegment);
  EXPECT_EQ(log.Calls("close log.1").size(), 1u);
  EXPECT_EQ(log.file.open_files(), 3u);
}

TEST(SegmentedFile, ASegmentThatIsGoneHasNoBytes) {
  Log log(1);
  ASSERT_EQ(log.Put(0, 'a'), Status::kOk);
  ASSERT_EQ(log.file.Sync(), Status::kOk);
  ASSERT_EQ(log.storage.Remove("log.0"), Status::kOk);
  log.file.CloseBelow(kSegment);
  char byte;
  EXPECT_EQ(log.file.Read(0, &byte, 1), Status::kShortIo);
  EXPECT_EQ(log.Put(0, 'a'), Status::kNotFound);  // nothing is ever written there again
  Status outcome = Status::kPending;
  log.file.ReadAsync(
      0, &byte, 1, [](void* context, Status status, uint64_t) { *static_cast<Status*>(context) = status; },
      &outcome);
  EXPECT_EQ(outcome, Status::kShortIo);
}

// Transfers, blocking ones and syncs of many segments by several threads, with room for two.
TEST(SegmentedFile, ManyThreads) {
  for (const unsigned pool : {0u, 2u}) {
    MemoryStorage storage({pool});
    SegmentedFile file(&storage, "", kSegment, 2);
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937_64 random(t);
        for (int i = 0; i < 400; ++i) {
          const LogAddress at = random() % 12 * kSegment + t * 64;
          const std::string bytes(64, static_cast<char>('a' + random() % 26));
          std::string found(64, '?');
          std::atomic<int> done{0};
          const auto count = [](void* done, Status status, uint64_t) {
            EXPECT_EQ(status, Status::kOk);
            static_cast<std::atomic<int>*>(done)->fetch_add(1);
          };
          if (i % 3 == 0) {
            ASSERT_EQ(file.Write(at, bytes.data(), 64), Status::kOk);
          } else {
            file.WriteAsync(at, bytes.data(), 64, count, &done);
            while (done != 1) std::this_thread::yield();
          }
          done = 0;
          file.ReadAsync(at, found.data(), 64, count, &done);
          while (done != 1) std::this_thread::yield();
          ASSERT_EQ(found, bytes);
          if (i % 16 == 0) {
            ASSERT_EQ(file.Sync(), Status::kOk);
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_LE(file.open_files(), 5u);
  }
}

}  // namespace
}  // namespace faster
