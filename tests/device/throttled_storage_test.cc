// ThrottledStorage and its TokenBucket: the rate, for every size and way of asking.
#include "faster/device/throttled_storage.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "faster/device/memory_storage.h"

namespace faster {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr uint64_t kMillisecond = 1'000'000;

TEST(TokenBucket, ATransferTakesItsLengthOverTheRate) {
  TokenBucket bucket(1'000'000);  // a byte each microsecond
  EXPECT_EQ(bucket.Take(1000, 500), 1000 + 500 * 1000);
  EXPECT_EQ(bucket.Take(1000, 500), 1000 + 1000 * 1000);  // behind the one before
  EXPECT_EQ(bucket.Take(1000, 0), 1000 + 1000 * 1000);
}

TEST(TokenBucket, CatchesUpWithALateCallerButNotWithAnIdleOne) {
  TokenBucket bucket(1'000'000, 5 * kMillisecond);
  uint64_t now = 0;
  for (int i = 0; i < 1000; ++i) now = bucket.Take(now, 1000) + 300'000;  // each is noticed 0.3 ms late
  EXPECT_NEAR(static_cast<double>(now), 1000e6, 6e6);                     // yet a second for a million bytes
  now += 3'600'000 * kMillisecond;
  uint64_t at_once = 0;
  while (bucket.Take(now, 100) <= now) at_once += 100;
  EXPECT_LE(at_once, 5000u);
  EXPECT_GE(at_once, 4900u);
}

TEST(TokenBucket, NoLimitMeansAtOnce) {
  TokenBucket bucket(0);
  EXPECT_FALSE(bucket.limited());
  EXPECT_EQ(bucket.Take(7, 1 << 30), 7u);
}

TEST(TokenBucket, KeepsARateThatIsNoDivisorOfASecond) {
  TokenBucket bucket(3'000'000'007);
  uint64_t end = 0;
  for (int i = 0; i < 1'000'000; ++i) end = bucket.Take(0, 4096);
  EXPECT_NEAR(static_cast<double>(end), 4096e6 / 3.000000007, 10.0);
}

struct Disk {
  explicit Disk(ThrottleLimits limits) : throttled(&memory, limits) {
    EXPECT_EQ(throttled.Open("f", OpenMode::kCreate, &file), Status::kOk);
  }
  MemoryStorage memory{{1}};
  ThrottledStorage throttled;
  std::unique_ptr<File> file;
};

void CountDone(void* counter, Status status, uint64_t) {
  EXPECT_EQ(status, Status::kOk);
  static_cast<std::atomic<int>*>(counter)->fetch_add(1);
}

// Does this machine have time for us? Else only the lower bounds mean something: waiting too long is no bug.
bool IsQuiet() {
  double load = 0;
  return ::getloadavg(&load, 1) == 1 && load < std::thread::hardware_concurrency();
}

// Half a second of transfers of one size, all in flight.
void ExpectRate(bool write, uint64_t size, uint64_t rate) {
  Disk disk(write ? ThrottleLimits{0, rate} : ThrottleLimits{rate, 0});
  const int count = static_cast<int>(rate / size / 2);  // half a second
  const std::string from(size, 'x');
  std::vector<std::string> to(write ? 0 : 1, from);
  std::atomic<int> done{0};
  const auto start = Clock::now();
  for (int i = 0; i < count; ++i) {
    const uint64_t offset = static_cast<uint64_t>(i) * size;
    if (write) {
      disk.file->WriteAsync(offset, from.data(), size, &CountDone, &done);
    } else {
      disk.file->ReadAsync(0, to[0].data(), size, &CountDone, &done);
    }
  }
  while (done < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const double seconds = SecondsSince(start);
  const double wanted = static_cast<double>(count) * static_cast<double>(size) / static_cast<double>(rate);
  EXPECT_GE(seconds, wanted * 0.98) << size;
  if (IsQuiet()) {
    EXPECT_LE(seconds, wanted * 1.05 + 0.05) << size;
  }
}

TEST(ThrottledStorage, WritesKeepTheirRate) {
  ExpectRate(true, 4096, 20'000'000);
  ExpectRate(true, 1'000'000, 20'000'000);
}

TEST(ThrottledStorage, ReadsKeepTheirRate) { ExpectRate(false, 4096, 20'000'000); }

TEST(ThrottledStorage, BlockingCallsKeepTheRateTogether) {
  Disk disk({0, 10'000'000});
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::string bytes(10'000, 'x');
      for (uint64_t i = 0; i < 100; ++i) {
        ASSERT_EQ(WriteFully(*disk.file, (t * 100 + i) * 10'000, bytes.data(), bytes.size()), Status::kOk);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(SecondsSince(start), 0.39);
  if (IsQuiet()) {
    EXPECT_LE(SecondsSince(start), 0.50);
  }
}

TEST(ThrottledStorage, WhatHasNoLimitDoesNotWait) {
  Disk disk({0, 1});  // a byte a second
  const auto start = Clock::now();
  std::atomic<int> done{0};
  char byte = 0;
  for (int i = 0; i < 1000; ++i) disk.file->ReadAsync(0, &byte, 1, &CountDone, &done);
  while (done < 1000) std::this_thread::yield();
  EXPECT_EQ(disk.file->Sync(), Status::kOk);
  EXPECT_LE(SecondsSince(start), 100);  // of the 1000 seconds that the limit would take
}

TEST(ThrottledStorage, ANewLimitCountsFromNow) {
  Disk disk({0, 1});  // a byte a second
  disk.throttled.SetLimits({});
  const std::string bytes(100'000, 'x');
  EXPECT_EQ(WriteFully(*disk.file, 0, bytes.data(), bytes.size()), Status::kOk);
  disk.throttled.SetLimits({0, 1'000'000});
  const auto start = Clock::now();
  EXPECT_EQ(WriteFully(*disk.file, 0, bytes.data(), bytes.size()), Status::kOk);
  EXPECT_GE(SecondsSince(start), 0.098);
}

TEST(ThrottledStorage, ReportsNothingBeforeItsTime) {
  Disk disk({0, 1'000'000});
  std::atomic<int> done{0};
  const std::string bytes(100'000, 'x');
  disk.file->WriteAsync(0, bytes.data(), bytes.size(), &CountDone, &done);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(done, 0);
  uint64_t size = 1;
  EXPECT_EQ(disk.file->Size(&size), Status::kOk);
  EXPECT_EQ(size, 0u);
  while (done < 1) std::this_thread::yield();
  EXPECT_EQ(disk.file->Size(&size), Status::kOk);
  EXPECT_EQ(size, 100'000u);
}

}  // namespace
}  // namespace faster
