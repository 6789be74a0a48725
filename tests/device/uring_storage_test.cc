// What is particular to UringStorage: falling back, results that are not whole, completion.
#include "faster/device/uring_storage.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/device/uring_fixture.h"

namespace faster {
namespace {

using UringDirectTest = DirectIoTest;  // a suite has one file

// --- Falling back ---------------------------------------------------------------------------------------

TEST_F(UringStorageTest, WithoutIoUringAPoolDoesTheWorkAndSaysSo) {
  struct Case {
    int error;
    const char* word;
  };
  for (const Case& one : {Case{EPERM, "seccomp"}, {ENOSYS, "kernel"}, {ENOMEM, "locked memory"}}) {
    UringStorageOptions options;
    options.direct = false;
    options.open_ring = [&](unsigned, std::unique_ptr<Ring>*) { return one.error; };
    Make(options);
    EXPECT_FALSE(storage->ring());
    ASSERT_EQ(storage->Fallbacks().size(), 1u);
    const std::string text = storage->Fallbacks().front().Text();
    EXPECT_NE(text.find("io_uring"), std::string::npos) << text;
    EXPECT_NE(text.find(one.word), std::string::npos) << text;
    auto file = Open("f");
    Completion write, read;
    file->WriteAsync(3, "abc", 3, &Completion::Done, &write);
    write.Wait();
    EXPECT_EQ(write.status, Status::kOk);
    char found[3];
    file->ReadAsync(3, found, 3, &Completion::Done, &read);
    read.Wait();
    EXPECT_EQ(std::string(found, 3), "abc");
    EXPECT_EQ(storage->counts().pool, 2u);
    EXPECT_EQ(storage->counts().ring, 0u);
    file.reset();
  }
}

TEST_F(UringStorageTest, WithoutODirectFilesGoThroughThePageCacheAndItSaysSo) {
  UringStorageOptions options;
  options.open_file = [](const char* path, int flags, mode_t mode) {
    if ((flags & O_DIRECT) == 0) return ::open(path, flags, mode);
    errno = EINVAL;
    return -1;
  };
  Make(options);
  EXPECT_TRUE(storage->direct());  // nothing is known yet
  ASSERT_EQ(storage->CreateDirectory("d"), Status::kOk);
  std::unique_ptr<File> none;
  EXPECT_EQ(storage->Open("d", OpenMode::kRead, &none), Status::kInvalidArgument);
  EXPECT_EQ(storage->Open("missing", OpenMode::kRead, &none), Status::kNotFound);
  EXPECT_TRUE(storage->Fallbacks().empty() || !storage->ring());
  const size_t before = storage->Fallbacks().size();
  auto file = Open("f");
  auto another = Open("g");
  EXPECT_FALSE(storage->direct());
  ASSERT_EQ(storage->Fallbacks().size(), before + 1);  // once
  EXPECT_NE(storage->Fallbacks().back().Text().find("page cache"), std::string::npos);
  EXPECT_EQ(storage->ProbeDirect(), Status::kUnsupported);
  Aligned page(kPage, 'x');
  EXPECT_EQ(WriteFully(*file, 0, page.data, kPage), Status::kOk);
  EXPECT_EQ(Get(*file, 10, 3), "xxx");
  EXPECT_EQ(storage->counts().direct, 0u);
}

TEST_F(UringStorageTest, TheKernelsRingIsUsedWhereItIsAllowed) {
  std::unique_ptr<Ring> ring;
  if (const int error = OpenLinuxRing(1, &ring); error != 0) GTEST_SKIP() << "errno " << error;
  ring.reset();
  Make({});
  EXPECT_TRUE(storage->ring());
  auto file = Open("f");
  Aligned page(kPage, 'x');
  Completion write;
  file->WriteAsync(0, page.data, kPage, &Completion::Done, &write);
  write.Wait();
  EXPECT_EQ(write.bytes, kPage);
  EXPECT_EQ(storage->counts().ring, 1u);
  EXPECT_EQ(storage->counts().pool, 0u);
  EXPECT_EQ(Get(*file, 0, kPage), page.text());
}

// Threads that wait for their own transfers end each other's, and the ring's thread some, each once.
TEST_F(UringStorageTest, WhoeverWaitsMayPoll) {
  Make({});
  auto file = Open("f");
  ASSERT_EQ(WriteFully(*file, 0, std::string(64 * kPage, 'x').data(), 64 * kPage), Status::kOk);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      Aligned page(kPage);
      for (uint64_t i = 0; i < 500; ++i) {
        Completion read;
        file->ReadAsync((i * 7 + static_cast<uint64_t>(t)) % 64 * kPage, page.data, kPage, &Completion::Done,
                        &read);
        while (read.calls == 0) storage->Poll();
        wrong += read.calls != 1 || read.bytes != kPage || page.data[i] != 'x';
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(UringStorageTest, ProbeLeavesNothingBehind) {
  Make({});
  (void)storage->ProbeDirect();
  std::vector<std::string> names;
  EXPECT_EQ(storage->List("", &names), Status::kOk);
  EXPECT_TRUE(names.empty());
  UringStorage missing(root + "/none");
  EXPECT_EQ(missing.ProbeDirect(), Status::kNotFound);
}

// --- Results --------------------------------------------------------------------------------------------

TEST_F(UringStorageTest, ShortResultsAreAskedForAgain) {
  Make(Faked());
  script.Answer([](uint64_t, const RingTransfer&) { return 700; });
  auto file = Open("f");
  const std::string bytes(3000, 'x');
  Completion write, read, end;
  file->WriteAsync(5, bytes.data(), bytes.size(), &Completion::Done, &write);
  write.Wait();
  EXPECT_EQ(write.status, Status::kOk);
  EXPECT_EQ(write.bytes, 3000u);
  std::string found(3000, '?');
  file->ReadAsync(5, found.data(), found.size(), &Completion::Done, &read);
  read.Wait();
  EXPECT_EQ(read.bytes, 3000u);
  EXPECT_EQ(found, bytes);
  file->ReadAsync(2005, found.data(), found.size(), &Completion::Done, &end);
  end.Wait();
  EXPECT_EQ(end.bytes, 1000u);
}

TEST_F(UringDirectTest, ShortDirectResultsAreAskedForAgain) {
  Make(Faked(true));
  script.Answer([](uint64_t, const RingTransfer&) { return 4096; });
  auto file = Open("f");
  Aligned pages(4 * kPage, 'x'), found(4 * kPage);
  Completion write, read, odd;
  file->WriteAsync(0, pages.data, pages.size, &Completion::Done, &write);
  write.Wait();
  EXPECT_EQ(write.bytes, pages.size);
  file->ReadAsync(0, found.data, found.size, &Completion::Done, &read);
  read.Wait();
  EXPECT_EQ(read.bytes, found.size);
  EXPECT_EQ(found.text(), pages.text());
  file->ReadAsync(100, found.data, 3 * kPage, &Completion::Done, &odd);
  odd.Wait();
  EXPECT_EQ(odd.bytes, 3 * kPage);
}

TEST_F(UringStorageTest, ErrorsBecomeStatuses) {
  Make(Faked());
  const std::pair<int64_t, Status> cases[] = {{-EIO, Status::kIoError},
                                              {-ENOSPC, Status::kNoSpace},
                                              {-EFBIG, Status::kNoSpace},
                                              {-ENOMEM, Status::kOutOfMemory}};
  for (const auto& [result, status] : cases) {
    script.Answer([result](uint64_t, const RingTransfer&) { return result; });
    auto file = Open("f");
    char byte = 'x';
    Completion write, read;
    file->WriteAsync(0, &byte, 1, &Completion::Done, &write);
    write.Wait();
    EXPECT_EQ(write.status, status);
    file->ReadAsync(0, &byte, 1, &Completion::Done, &read);
    read.Wait();
    EXPECT_EQ(read.status, status);
  }
}

// An error in the middle of a transfer that came in pieces is the error, not the half.
TEST_F(UringStorageTest, AnErrorAfterAShortResultIsTheError) {
  Make(Faked());
  script.Answer([](uint64_t number, const RingTransfer&) { return number == 0 ? 10 : -EIO; });
  auto file = Open("f");
  Completion write;
  file->WriteAsync(0, "0123456789abcdef", 16, &Completion::Done, &write);
  write.Wait();
  EXPECT_EQ(write.status, Status::kIoError);
}

// What the ring cannot do right now, or not any more, is done by the pool, from where the ring stopped.
TEST_F(UringStorageTest, ThePoolEndsWhatTheRingCannot) {
  for (const int error : {EAGAIN, EINTR, ECANCELED}) {
    for (const bool direct : {false, true}) {
      Make(Faked(direct));
      script.Answer([error](uint64_t number, const RingTransfer&) { return number == 0 ? 4096 : -error; });
      auto file = Open("f", OpenMode::kTruncate);
      Aligned pages(2 * kPage, 'x'), found(2 * kPage);
      Completion write, read;
      file->WriteAsync(0, pages.data, pages.size, &Completion::Done, &write);
      write.Wait();
      EXPECT_EQ(write.status, Status::kOk);
      EXPECT_EQ(write.bytes, pages.size);
      file->ReadAsync(0, found.data, found.size, &Completion::Done, &read);
      read.Wait();
      EXPECT_EQ(read.bytes, found.size);
      EXPECT_EQ(found.text(), pages.text());
      EXPECT_EQ(storage->counts().pool, 2u);
      file.reset();
    }
  }
}

TEST_F(UringStorageTest, ARingThatDiesIsReplacedByThePool) {
  Make(Faked());
  script.DieAfter(5);
  auto file = Open("f");
  std::vector<Completion> writes(20);
  for (uint64_t i = 0; i < 20; ++i) file->WriteAsync(i, "x", 1, &Completion::Done, &writes[i]);
  for (const Completion& write : writes) {
    write.Wait();
    EXPECT_EQ(write.status, Status::kOk);
  }
  EXPECT_EQ(Get(*file, 0, 30), std::string(20, 'x'));
  EXPECT_EQ(storage->counts().pool, 15u);
}

// A device that opens files with O_DIRECT and then refuses the transfers.
TEST_F(UringDirectTest, ATransferThatIsRefusedGoesThroughThePageCache) {
  Make(Faked(true));
  script.Answer([](uint64_t, const RingTransfer& t) {
    return (::fcntl(t.fd, F_GETFL) & O_DIRECT) != 0 ? -EINVAL : int64_t{t.length};
  });
  auto file = Open("f");
  Aligned page(kPage, 'x');
  std::vector<Completion> writes(4);
  for (uint64_t i = 0; i < 4; ++i) {
    file->WriteAsync(i * kPage, page.data, kPage, &Completion::Done, &writes[i]);
  }
  for (const Completion& write : writes) {
    write.Wait();
    EXPECT_EQ(write.status, Status::kOk);
    EXPECT_EQ(write.bytes, kPage);
  }
  EXPECT_FALSE(storage->direct());
  EXPECT_EQ(storage->Fallbacks().size(), 1u);
  EXPECT_EQ(Get(*file, 3 * kPage, 4), "xxxx");
}

// --- Completion and durability --------------------------------------------------------------------------

TEST_F(UringStorageTest, AWriteIsReportedWhenItIsDoneNotBefore) {
  Make(Faked());
  script.Hold();
  auto file = Open("f");
  Completion write;
  file->WriteAsync(0, "abc", 3, &Completion::Done, &write);
  EXPECT_EQ(file->Sync(), Status::kOk);  // covers nothing that is in flight, and does not wait for it
  EXPECT_EQ(write.calls, 0);
  uint64_t size = 1;
  EXPECT_EQ(file->Size(&size), Status::kOk);
  EXPECT_EQ(size, 0u);
  script.Release();
  write.Wait();
  EXPECT_EQ(Get(*file, 0, 3), "abc");
}

// The thread that began a transfer may end before the transfer does.
TEST_F(UringStorageTest, ATransferOutlivesItsThread) {
  Make({});
  auto file = Open("f");
  constexpr int kWrites = 64;
  std::vector<Completion> writes(kWrites);
  Aligned page(64 * kPage, 'x');
  for (int i = 0; i < kWrites; ++i) {
    std::thread([&, i] {
      file->WriteAsync(static_cast<uint64_t>(i) * page.size, page.data, page.size, &Completion::Done,
                       &writes[i]);
    }).join();
  }
  for (const Completion& write : writes) {
    write.Wait();
    EXPECT_EQ(write.status, Status::kOk);
    EXPECT_EQ(write.bytes, page.size);
  }
}

// Descriptors are closed: a storage that opens and closes files for ever may.
TEST_F(UringStorageTest, FilesAreClosed) {
  Make({});
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  const auto before = open_files();
  for (int i = 0; i < 100; ++i) {
    auto file = Open("f");
    EXPECT_EQ(WriteFully(*file, 0, "x", 1), Status::kOk);
  }
  EXPECT_EQ(open_files(), before);
  storage.reset();
  Make({});
  storage.reset();
  EXPECT_LE(open_files(), before);
}

}  // namespace
}  // namespace faster
