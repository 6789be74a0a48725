// What is particular to PosixStorage, its threads, MemoryStorage's sparseness and NullStorage.
#include "faster/device/posix_storage.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <future>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "faster/device/memory_storage.h"
#include "faster/device/null_storage.h"

namespace faster {
namespace {

class PosixStorageTest : public testing::Test {
 protected:
  PosixStorageTest() {
    char pattern[] = "/tmp/posix_storage_XXXXXX";
    root = ::mkdtemp(pattern);
  }
  ~PosixStorageTest() override { std::filesystem::remove_all(root); }
  std::string root;
};

void Count(void* counter, Status, uint64_t) { static_cast<std::atomic<int>*>(counter)->fetch_add(1); }

TEST_F(PosixStorageTest, LockExcludesAnotherProcessUntilItDies) {
  int started[2];
  ASSERT_EQ(::pipe(started), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    PosixStorage storage(root);
    std::unique_ptr<DirectoryLock> lock;
    const char answer = storage.Lock("", &lock) == Status::kOk ? 'y' : 'n';
    [[maybe_unused]] const auto n = ::write(started[1], &answer, 1);
    for (;;) ::pause();
  }
  char answer = 0;
  ASSERT_EQ(::read(started[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  PosixStorage storage(root);
  std::unique_ptr<DirectoryLock> lock;
  EXPECT_EQ(storage.Lock("", &lock), Status::kBusy);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(storage.Lock("", &lock), Status::kOk);
  PosixStorage second(root);
  std::unique_ptr<DirectoryLock> other;
  EXPECT_EQ(second.Lock("", &other), Status::kBusy);
  ::close(started[0]);
  ::close(started[1]);
}

TEST_F(PosixStorageTest, ErrnoBecomesAStatus) {
  EXPECT_EQ(StatusFromErrno(ENOSPC), Status::kNoSpace);
  EXPECT_EQ(StatusFromErrno(EDQUOT), Status::kNoSpace);
  EXPECT_EQ(StatusFromErrno(EFBIG), Status::kNoSpace);
  EXPECT_EQ(StatusFromErrno(ENOENT), Status::kNotFound);
  EXPECT_EQ(StatusFromErrno(EIO), Status::kIoError);
  EXPECT_EQ(StatusFromErrno(0), Status::kOk);
  PosixStorage missing(root + "/none");
  std::unique_ptr<File> file;
  EXPECT_EQ(missing.Open("f", OpenMode::kCreate, &file), Status::kNotFound);
  EXPECT_EQ(missing.CreateDirectory(""), Status::kOk);
  EXPECT_EQ(missing.Open("f", OpenMode::kCreate, &file), Status::kOk);
}

// How much of a file lies in the page cache.
size_t CachedBytes(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info;
  EXPECT_EQ(::fstat(fd, &info), 0);
  const size_t size = static_cast<size_t>(info.st_size), pages = (size + 4095) / 4096;
  void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  std::vector<unsigned char> resident(pages);
  EXPECT_EQ(::mincore(memory, size, resident.data()), 0);
  ::munmap(memory, size);
  ::close(fd);
  const auto is_there = [](unsigned char page) { return (page & 1) != 0; };
  return 4096 * static_cast<size_t>(std::count_if(resident.begin(), resident.end(), is_there));
}

// Whether files below `root` can be written past the page cache: tmpfs, for one, is all page cache.
bool HasDirectIo(const std::string& root, const void* memory) {
  struct statfs kind;
  EXPECT_EQ(::statfs(root.c_str(), &kind), 0);
  const int fd = ::open((root + "/probe").c_str(), O_WRONLY | O_CREAT | O_DIRECT | O_CLOEXEC, 0666);
  const bool writes = fd >= 0 && ::pwrite(fd, memory, 65536, 0) == 65536;
  if (fd >= 0) ::close(fd);
  constexpr long kTmpfs = 0x01021994;
  return writes && kind.f_type != kTmpfs;
}

// Writes of every kind over each other: what is read is what was written last, past the page cache or not.
TEST_F(PosixStorageTest, LargeAlignedWritesBypassThePageCache) {
  constexpr size_t kBytes = 1 << 20;
  std::unique_ptr<uint8_t, decltype(&std::free)> memory(
      static_cast<uint8_t*>(std::aligned_alloc(4096, kBytes)), &std::free);
  PosixStorage storage(root);
  std::unique_ptr<File> file;
  ASSERT_EQ(storage.Open("f", OpenMode::kCreate, &file), Status::kOk);
  std::vector<uint8_t> expected(kBytes), found(kBytes);
  std::mt19937_64 random(3);
  const auto write = [&](size_t offset, size_t length, size_t shift) {
    for (size_t i = 0; i < length; ++i) memory.get()[shift + i] = static_cast<uint8_t>(random());
    ASSERT_EQ(WriteFully(*file, offset, memory.get() + shift, length), Status::kOk);
    std::copy_n(memory.get() + shift, length, expected.begin() + static_cast<ptrdiff_t>(offset));
  };
  write(0, kBytes, 0);
  const bool direct = HasDirectIo(root, memory.get());
  EXPECT_TRUE(!direct || CachedBytes(root + "/f") == 0);
  for (int i = 0; i < 300; ++i) {
    const bool aligned = random() % 2 == 0;
    const size_t unit = aligned ? 4096 : 8, units = kBytes / unit;
    const size_t from = random() % units, count = 1 + random() % (units - from);
    const size_t shift = random() % 3 == 0 ? 8 : 0;
    write(from * unit, std::min(count * unit, kBytes - 4096), shift);
    if (i % 3 == 0) {
      ASSERT_EQ(ReadFully(*file, 0, found.data(), kBytes), Status::kOk);
      ASSERT_EQ(found, expected) << i;
    }
  }
  file.reset();
  ASSERT_EQ(storage.Open("f", OpenMode::kRead, &file), Status::kOk);
  ASSERT_EQ(ReadFully(*file, 0, found.data(), kBytes), Status::kOk);
  EXPECT_EQ(found, expected);
  // Another file under its name is none of its business.
  ASSERT_EQ(storage.Open("g", OpenMode::kCreate, &file), Status::kOk);
  ASSERT_EQ(storage.Rename("g", "h"), Status::kOk);
  std::unique_ptr<File> other;
  ASSERT_EQ(storage.Open("g", OpenMode::kCreate, &other), Status::kOk);
  ASSERT_EQ(WriteFully(*file, 0, memory.get(), kBytes), Status::kOk);
  uint64_t size = 1;
  EXPECT_EQ(other->Size(&size), Status::kOk);
  EXPECT_EQ(size, 0u);
}

// A limit on file sizes: the asynchronous write reports it, though SIGXFSZ has its default action.
TEST_F(PosixStorageTest, AFileSizeLimitIsNoSpace) {
  const pid_t child = ::fork();
  if (child == 0) {
    rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    PosixStorage storage(root);
    std::unique_ptr<File> file;
    if (storage.Open("f", OpenMode::kCreate, &file) != Status::kOk) ::_exit(1);
    std::promise<Status> answer;
    const std::string block(8192, 'x');
    file->WriteAsync(
        0, block.data(), block.size(),
        [](void* promise, Status status, uint64_t) {
          static_cast<std::promise<Status>*>(promise)->set_value(status);
        },
        &answer);
    ::_exit(answer.get_future().get() == Status::kNoSpace ? 0 : 2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(PosixStorageTest, DestructorWaitsForJobsTheirIoAndTheJobsOfCompletions) {
  std::atomic<int> ended{0};
  struct Context {
    PosixStorage* storage;
    std::atomic<int>* ended;
  } context{nullptr, &ended};
  {
    PosixStorage storage(root, {2, 16});
    context.storage = &storage;
    for (int i = 0; i < 3; ++i) {
      storage.Schedule(
          [](void* argument) {
            auto* context = static_cast<Context*>(argument);
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            std::unique_ptr<File> file;
            ASSERT_EQ(context->storage->Open("f", OpenMode::kCreate, &file), Status::kOk);
            std::atomic<int> written{0};
            file->WriteAsync(0, "x", 1, &Count, &written);
            while (written == 0) std::this_thread::yield();
            context->ended->fetch_add(1);
          },
          &context);
    }
  }
  EXPECT_EQ(ended, 3);
}

TEST_F(PosixStorageTest, AFullQueueIsServedByTheSubmitter) {
  PosixStorage storage(root, {1, 2});
  std::unique_ptr<File> file;
  ASSERT_EQ(storage.Open("f", OpenMode::kCreate, &file), Status::kOk);
  std::atomic<int> done{0};
  for (int i = 0; i < 2000; ++i) file->WriteAsync(i, "x", 1, &Count, &done);
  while (done < 2000) std::this_thread::yield();
  uint64_t size = 0;
  EXPECT_EQ(file->Size(&size), Status::kOk);
  EXPECT_EQ(size, 2000u);
}

// More jobs than any fixed number of threads, each waiting for all the others.
TEST_F(PosixStorageTest, JobsNeverWaitForAThread) {
  PosixStorage storage(root);
  constexpr int kJobs = 40;
  std::atomic<int> started{0};
  for (int i = 0; i < kJobs; ++i) {
    storage.Schedule(
        [](void* argument) {
          auto* started = static_cast<std::atomic<int>*>(argument);
          started->fetch_add(1);
          while (*started < kJobs) std::this_thread::yield();
        },
        &started);
  }
  while (started < kJobs) std::this_thread::yield();
}

TEST(MemoryStorage, FilesAreSparse) {
  MemoryStorage storage;
  std::unique_ptr<File> file;
  ASSERT_EQ(storage.Open("f", OpenMode::kCreate, &file), Status::kOk);
  constexpr uint64_t kFar = uint64_t{1} << 33;
  EXPECT_EQ(WriteFully(*file, kFar, "x", 1), Status::kOk);
  char byte = 'y';
  EXPECT_EQ(ReadFully(*file, kFar / 2, &byte, 1), Status::kOk);
  EXPECT_EQ(byte, '\0');
  EXPECT_EQ(WriteFully(*file, ~0ull - 5, "x", 1), Status::kNoSpace);
}

TEST(NullStorage, SwallowsWritesAndRefusesReads) {
  NullStorage storage;
  std::unique_ptr<File> file;
  EXPECT_EQ(storage.Open("f", OpenMode::kRead, &file), Status::kNotFound);
  ASSERT_EQ(storage.Open("f", OpenMode::kCreate, &file), Status::kOk);
  std::atomic<int> done{0};
  file->WriteAsync(4096, "abc", 3, &Count, &done);
  EXPECT_EQ(done, 1);
  uint64_t size = 0;
  EXPECT_EQ(file->Size(&size), Status::kOk);
  EXPECT_EQ(size, 4099u);
  char byte;
  EXPECT_EQ(ReadFully(*file, 4096, &byte, 1), Status::kIoError);
  EXPECT_EQ(file->Sync(), Status::kOk);
  std::vector<std::string> names = {"x"};
  EXPECT_EQ(storage.List("", &names), Status::kOk);
  EXPECT_TRUE(names.empty());
}

}  // namespace
}  // namespace faster
