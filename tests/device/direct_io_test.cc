// UringStorage past the page cache: what is copied, and files that leave it for the cache.
#include "faster/device/direct_io.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/device/uring_fixture.h"

namespace faster {
namespace {

TEST_F(DirectIoTest, AlignedTransfersAreNotCopied) {
  Make({});
  auto file = Open("f");
  Aligned page(64 * kPage, 'x'), found(64 * kPage);
  Completion write, read;
  file->WriteAsync(kPage, page.data, page.size, &Completion::Done, &write);
  write.Wait();
  EXPECT_EQ(write.bytes, page.size);
  file->ReadAsync(kPage, found.data, found.size, &Completion::Done, &read);
  read.Wait();
  EXPECT_EQ(found.text(), page.text());
  EXPECT_EQ(WriteFully(*file, 0, page.data, kPage), Status::kOk);  // blocking ones too
  EXPECT_EQ(storage->counts().direct, 3u);
  EXPECT_EQ(storage->counts().copied, 0u);
}

TEST_F(DirectIoTest, ReadsThatAreNotAlignedAreCopied) {
  for (const bool async : {false, true}) {
    Make({});
    auto file = Open("f", OpenMode::kTruncate);
    Aligned pages(300 * kPage);  // more than one bounce buffer
    std::mt19937_64 random(1);
    for (uint64_t i = 0; i < pages.size; ++i) pages.data[i] = static_cast<char>(random());
    ASSERT_EQ(WriteFully(*file, 0, pages.data, pages.size), Status::kOk);
    const std::string all = pages.text();
    for (int i = 0; i < 200; ++i) {
      const uint64_t offset = random() % (all.size() + 10'000);
      const uint64_t length = 1 + (i % 4 == 0 ? random() % all.size() : random() % 9000);
      std::string found(length, '?');
      uint64_t bytes = 0;
      if (async) {
        Completion read;
        file->ReadAsync(offset, found.data(), length, &Completion::Done, &read);
        read.Wait();
        ASSERT_EQ(read.status, Status::kOk);
        bytes = read.bytes;
      } else {
        ASSERT_EQ(file->Read(offset, found.data(), length, &bytes), Status::kOk);
      }
      const std::string wanted = offset < all.size() ? all.substr(offset, length) : "";
      ASSERT_EQ(bytes, wanted.size()) << offset << " " << length;
      ASSERT_EQ(found.substr(0, bytes), wanted) << offset << " " << length;
    }
    EXPECT_GT(storage->counts().copied, 100u);
    file.reset();
  }
}

TEST_F(DirectIoTest, WritesFromMemoryThatIsNotAlignedAreCopied) {
  Make({});
  auto file = Open("f");
  Aligned memory(301 * kPage);
  std::mt19937_64 random(1);
  for (uint64_t i = 0; i < memory.size; ++i) memory.data[i] = static_cast<char>(random());
  Completion write;
  file->WriteAsync(0, memory.data + 1, 300 * kPage, &Completion::Done, &write);
  write.Wait();
  EXPECT_EQ(write.bytes, 300 * kPage);
  EXPECT_EQ(Get(*file, 0, 300 * kPage), memory.text().substr(1, 300 * kPage));
  EXPECT_GE(storage->counts().copied, 5u);
}

// A write that is not aligned sends the file through the page cache, its other handles too; transfers in
// flight end first, and what comes meanwhile waits for them.
TEST_F(DirectIoTest, AWriteThatIsNotAlignedWaitsForDirectOnes) {
  Make(Faked(true));
  auto file = Open("f");
  auto other = Open("f");
  Aligned page(kPage, 'x');
  script.Hold();
  Completion direct, odd, later;
  file->WriteAsync(0, page.data, kPage, &Completion::Done, &direct);
  other->WriteAsync(100, "odd", 3, &Completion::Done, &odd);
  Aligned found(kPage);
  file->ReadAsync(kPage, found.data, kPage, &Completion::Done, &later);
  EXPECT_EQ(script.Waiting(), 1u);
  std::atomic<bool> blocking_ended{false};
  std::thread blocking([&] {
    EXPECT_EQ(WriteFully(*other, 200, "blocking", 8), Status::kOk);
    blocking_ended = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(odd.calls + later.calls, 0);
  EXPECT_FALSE(blocking_ended);
  script.Release();
  blocking.join();
  direct.Wait();
  odd.Wait();
  later.Wait();
  std::string wanted = page.text();
  wanted.replace(100, 3, "odd").replace(200, 8, "blocking");
  EXPECT_EQ(Get(*file, 0, kPage), wanted);
  const uint64_t before = storage->counts().direct;
  EXPECT_EQ(before, 1u);
  EXPECT_EQ(WriteFully(*file, kPage, page.data, kPage), Status::kOk);
  EXPECT_EQ(storage->counts().direct, before);  // for good
}

TEST_F(DirectIoTest, AnotherFileStaysDirect) {
  Make({});
  auto odd = Open("odd");
  auto even = Open("even");
  EXPECT_EQ(WriteFully(*odd, 1, "x", 1), Status::kOk);
  Aligned page(kPage, 'x');
  EXPECT_EQ(WriteFully(*even, 0, page.data, kPage), Status::kOk);
  EXPECT_EQ(storage->counts().direct, 1u);
  odd.reset();
  odd = Open("odd");  // nobody has it open: it may try again
  EXPECT_EQ(WriteFully(*odd, 0, page.data, kPage), Status::kOk);
  EXPECT_EQ(storage->counts().direct, 2u);
  EXPECT_EQ(Get(*odd, 0, kPage), page.text());
}

// Neighbours in one page, aligned ones and others, by several threads and handles: none is lost.
TEST_F(DirectIoTest, NeighboursOfOnePageDoNotLoseBytes) {
  for (const bool ring : {true, false}) {
    UringStorageOptions options;
    if (!ring) options.open_ring = [](unsigned, std::unique_ptr<Ring>*) { return EPERM; };
    Make(options);
    for (int round = 0; round < 20; ++round) {
      const std::string name = "f" + std::to_string(round);
      std::vector<std::thread> threads;
      for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
          std::unique_ptr<File> file;
          ASSERT_EQ(storage->Open(name, OpenMode::kCreate, &file), Status::kOk);
          for (int i = 0; i < 16; ++i) {
            const uint64_t at = static_cast<uint64_t>(i * 4 + t);
            const bool odd = t == 3 && i > 7;
            Aligned sector(512, static_cast<char>('a' + t));
            Completion write;
            file->WriteAsync(at * 512 + odd, sector.data, 512 - odd, &Completion::Done, &write);
            write.Wait();
            ASSERT_EQ(write.status, Status::kOk);
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      const std::string found = Get(*Open(name.c_str()), 0, 64 * 512);
      for (size_t i = 0; i < 64; ++i) {
        ASSERT_EQ(found[i * 512 + 100], static_cast<char>('a' + i % 4)) << i << " of round " << round;
      }
    }
  }
}

}  // namespace
}  // namespace faster
