// The contract of faster/device/storage.h, asked of every storage that keeps what it is given.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "faster/device/memory_storage.h"
#include "faster/device/posix_storage.h"
#include "faster/device/throttled_storage.h"
#include "faster/device/unsynced_storage.h"
#include "faults/device/shared_storage.h"
#include "faults/device/sim_storage.h"
#include "tests/device/fake_scheduler.h"
#if defined(CPR_HAS_URING)  // not in the sim world
#include "faster/device/uring_storage.h"
#endif

namespace {

using faster::File;
using faster::OpenMode;
using faster::Status;
using faster::Storage;

struct TemporaryDirectory {
  TemporaryDirectory() {
    char pattern[] = "/tmp/storage_contract_XXXXXX";
    path = ::mkdtemp(pattern);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
  std::string path;
};

// A storage and the way a test body runs on it: on this thread, or on a fiber.
struct Subject {
  virtual ~Subject() = default;
  virtual Storage& storage() = 0;
  virtual void Run(const std::function<void()>& body) { body(); }
  virtual void WaitUntil(const std::function<bool()>& ready) {
    while (!ready()) std::this_thread::yield();
  }
  virtual bool threads() const { return true; }  // may be called from several OS threads
};

struct PosixSubject : Subject {
  Storage& storage() override { return posix; }
  TemporaryDirectory directory;
  faster::PosixStorage posix{directory.path};
};

#if defined(CPR_HAS_URING)
struct UringSubject : Subject {
  explicit UringSubject(const faster::UringStorageOptions& options) : uring(directory.path, options) {}
  Storage& storage() override { return uring; }
  TemporaryDirectory directory;
  faster::UringStorage uring;

  static std::unique_ptr<Subject> Make(bool direct, bool ring, unsigned depth) {
    faster::UringStorageOptions options;
    options.direct = direct;
    options.depth = depth;
    if (!ring) options.open_ring = [](unsigned, std::unique_ptr<faster::Ring>*) { return EPERM; };
    return std::make_unique<UringSubject>(options);
  }
};
#endif

struct ThrottledSubject : Subject {
  Storage& storage() override { return throttled; }
  faster::MemoryStorage memory{{2}};
  faster::ThrottledStorage throttled{&memory, {4 << 20, 2 << 20}};
};

struct UnsyncedSubject : Subject {
  Storage& storage() override { return unsynced; }
  faster::MemoryStorage memory{{2}};
  faster::UnsyncedStorage unsynced{&memory};
};

struct MemorySubject : Subject {
  explicit MemorySubject(unsigned threads) : memory({threads}) {}
  Storage& storage() override { return memory; }
  faster::MemoryStorage memory;
};

struct SharedSubject : Subject {
  explicit SharedSubject(bool asynchronous) {
    std::string error;
    journal = faults::SharedJournal::Create({}, &error);
    shared = std::make_unique<faults::SharedStorage>(directory.path, journal.get(),
                                                     faster::PosixStorageOptions(), Objects(asynchronous));
  }
  std::unique_ptr<Storage> Objects(bool asynchronous) const {
    if (!asynchronous) return nullptr;
#if defined(CPR_HAS_URING)
    return std::make_unique<faster::UringStorage>(directory.path + ".objects");
#else
    return std::make_unique<faster::PosixStorage>(directory.path + ".objects");
#endif
  }
  ~SharedSubject() override { std::filesystem::remove_all(directory.path + ".objects"); }
  Storage& storage() override { return *shared; }
  TemporaryDirectory directory;
  std::unique_ptr<faults::SharedJournal> journal;
  std::unique_ptr<faults::SharedStorage> shared;
};

struct SimSubject : Subject {
  explicit SimSubject(uint64_t seed) : scheduler(seed) { sim.Reset({}, &scheduler, nullptr); }
  Storage& storage() override { return sim; }
  void Run(const std::function<void()>& body) override {
    scheduler.SpawnFunction(body);
    const faults::RunResult result = scheduler.Run();
    EXPECT_EQ(result.outcome, faults::Outcome::kFinished) << scheduler.explanation();
  }
  void WaitUntil(const std::function<bool()>& ready) override {
    while (!ready()) scheduler.Point(faults::PointKind::kYield, nullptr, 0);
  }
  bool threads() const override { return false; }
  faults::FakeScheduler scheduler;
  faults::SimStorage sim;
};

struct Parameter {
  const char* name;
  std::unique_ptr<Subject> (*make)();
};

const Parameter kParameters[] = {
    {"Posix", [] { return std::unique_ptr<Subject>(new PosixSubject); }},
#if defined(CPR_HAS_URING)
    {"Uring", [] { return UringSubject::Make(true, true, 256); }},
    {"UringShallow", [] { return UringSubject::Make(true, true, 2); }},
    {"UringCached", [] { return UringSubject::Make(false, true, 256); }},
    {"DirectWithoutRing", [] { return UringSubject::Make(true, false, 256); }},
    {"CachedWithoutRing", [] { return UringSubject::Make(false, false, 256); }},
#endif
    {"Throttled", [] { return std::unique_ptr<Subject>(new ThrottledSubject); }},
    {"Unsynced", [] { return std::unique_ptr<Subject>(new UnsyncedSubject); }},
    {"Memory", [] { return std::unique_ptr<Subject>(new MemorySubject(0)); }},
    {"MemoryPool", [] { return std::unique_ptr<Subject>(new MemorySubject(2)); }},
    {"Shared", [] { return std::unique_ptr<Subject>(new SharedSubject(false)); }},
    {"SharedAsynchronous", [] { return std::unique_ptr<Subject>(new SharedSubject(true)); }},
#if !defined(__SANITIZE_THREAD__)  // fibers without annotations confuse ThreadSanitizer
    {"Sim", [] { return std::unique_ptr<Subject>(new SimSubject(1)); }},
    {"SimOther", [] { return std::unique_ptr<Subject>(new SimSubject(7)); }},
#endif
};

class StorageContract : public testing::TestWithParam<Parameter> {
 protected:
  void SetUp() override { subject = GetParam().make(); }
  Storage& storage() { return subject->storage(); }

  std::unique_ptr<File> Open(const char* path, OpenMode mode = OpenMode::kCreate) {
    std::unique_ptr<File> file;
    EXPECT_EQ(storage().Open(path, mode, &file), Status::kOk) << path;
    return file;
  }
  static void Put(File& file, uint64_t offset, const std::string& text) {
    ASSERT_EQ(faster::WriteFully(file, offset, text.data(), text.size()), Status::kOk);
  }
  static std::string Get(File& file, uint64_t offset, uint64_t length) {
    std::string text(length, '?');
    uint64_t bytes = 0;
    EXPECT_EQ(file.Read(offset, text.data(), length, &bytes), Status::kOk);
    text.resize(bytes);
    return text;
  }
  std::vector<std::string> List(const char* directory) {
    std::vector<std::string> names;
    EXPECT_EQ(storage().List(directory, &names), Status::kOk);
    return names;
  }

  std::unique_ptr<Subject> subject;
};

struct Completion {  // what a callback reports
  std::atomic<int> calls{0};
  Status status = Status::kPending;
  uint64_t bytes = 0;
  static void Done(void* context, Status status, uint64_t bytes) {
    auto* self = static_cast<Completion*>(context);
    self->status = status;
    self->bytes = bytes;
    self->calls.fetch_add(1);
  }
};

TEST_P(StorageContract, WritesAreVisible) {
  subject->Run([&] {
    auto file = Open("a");
    Put(*file, 0, "hello world");
    Put(*file, 6, "there");
    EXPECT_EQ(Get(*file, 0, 11), "hello there");
    auto again = Open("a", OpenMode::kRead);
    EXPECT_EQ(Get(*again, 6, 5), "there");
    EXPECT_EQ(file->Sync(), Status::kOk);
    EXPECT_EQ(Get(*file, 0, 11), "hello there");
  });
}

TEST_P(StorageContract, ReadsEndAtTheEnd) {
  subject->Run([&] {
    auto file = Open("a");
    Put(*file, 0, "0123456789");
    EXPECT_EQ(Get(*file, 8, 5), "89");
    EXPECT_EQ(Get(*file, 10, 5), "");
    EXPECT_EQ(Get(*file, 1000, 5), "");
    char byte;
    EXPECT_EQ(faster::ReadFully(*file, 9, &byte, 1), Status::kOk);
    char bytes[4];
    EXPECT_EQ(faster::ReadFully(*file, 8, bytes, 4), Status::kShortIo);
  });
}

TEST_P(StorageContract, HolesAndTruncationAreZeros) {
  subject->Run([&] {
    auto file = Open("a");
    Put(*file, 5000, "x");
    uint64_t size = 0;
    EXPECT_EQ(file->Size(&size), Status::kOk);
    EXPECT_EQ(size, 5001u);
    EXPECT_EQ(Get(*file, 4990, 20), std::string(10, '\0') + "x");
    Put(*file, 0, std::string(5001, 'y'));
    EXPECT_EQ(file->Truncate(700), Status::kOk);
    EXPECT_EQ(Get(*file, 690, 100), std::string(10, 'y'));
    EXPECT_EQ(file->Truncate(1500), Status::kOk);
    EXPECT_EQ(Get(*file, 690, 2000), std::string(10, 'y') + std::string(800, '\0'));
    EXPECT_EQ(file->Size(&size), Status::kOk);
    EXPECT_EQ(size, 1500u);
  });
}

TEST_P(StorageContract, OpenModes) {
  subject->Run([&] {
    std::unique_ptr<File> file;
    EXPECT_EQ(storage().Open("none", OpenMode::kRead, &file), Status::kNotFound);
    EXPECT_EQ(storage().Open("none", OpenMode::kReadWrite, &file), Status::kNotFound);
    EXPECT_TRUE(List("").empty());
    file = Open("a");
    Put(*file, 0, "abc");
    file = Open("a", OpenMode::kCreate);
    EXPECT_EQ(Get(*file, 0, 9), "abc");
    file = Open("a", OpenMode::kReadWrite);
    Put(*file, 3, "d");
    file = Open("a", OpenMode::kRead);
    EXPECT_EQ(Get(*file, 0, 9), "abcd");
    uint64_t bytes;
    EXPECT_NE(file->Write(0, "z", 1, &bytes), Status::kOk);
    file = Open("a", OpenMode::kTruncate);
    EXPECT_EQ(Get(*file, 0, 9), "");
  });
}

TEST_P(StorageContract, BadPathsAreRefused) {
  subject->Run([&] {
    std::unique_ptr<File> file;
    for (const char* path : {"/etc/passwd", "../x", "a/../b", ".", "a//b", "a/", "/", ""}) {
      EXPECT_EQ(storage().Open(path, OpenMode::kCreate, &file), Status::kInvalidArgument) << path;
      EXPECT_EQ(storage().Rename(path, "ok"), Status::kInvalidArgument) << path;
      EXPECT_EQ(storage().Remove(path), Status::kInvalidArgument) << path;
    }
    std::vector<std::string> names;
    EXPECT_EQ(storage().List("..", &names), Status::kInvalidArgument);
    EXPECT_EQ(storage().SyncDirectory("../.."), Status::kInvalidArgument);
    EXPECT_EQ(storage().CreateDirectory("/tmp"), Status::kInvalidArgument);
  });
}

TEST_P(StorageContract, Directories) {
  subject->Run([&] {
    std::unique_ptr<File> file;
    EXPECT_EQ(storage().Open("d/x", OpenMode::kCreate, &file), Status::kNotFound);
    EXPECT_EQ(storage().CreateDirectory("d"), Status::kOk);
    EXPECT_EQ(storage().CreateDirectory("d"), Status::kOk);
    EXPECT_EQ(storage().CreateDirectory("no/d"), Status::kNotFound);
    EXPECT_EQ(storage().CreateDirectory("d/e"), Status::kOk);
    file = Open("d/x");
    Put(*file, 0, "x");
    file = Open("d/b");
    EXPECT_EQ(storage().CreateDirectory("d/x"), Status::kExists);
    EXPECT_EQ(storage().Open("d", OpenMode::kRead, &file), Status::kInvalidArgument);
    EXPECT_EQ(storage().Open("d/x/y", OpenMode::kCreate, &file), Status::kInvalidArgument);
    EXPECT_EQ(List(""), std::vector<std::string>({"d"}));
    EXPECT_EQ(List("d"), std::vector<std::string>({"b", "e", "x"}));
    EXPECT_EQ(storage().SyncDirectory("d"), Status::kOk);
    EXPECT_EQ(storage().SyncDirectory(""), Status::kOk);
    EXPECT_EQ(storage().SyncDirectory("none"), Status::kNotFound);
    std::vector<std::string> names;
    EXPECT_EQ(storage().List("none", &names), Status::kNotFound);
    EXPECT_EQ(storage().Remove("d"), Status::kExists);
    EXPECT_EQ(storage().Remove("d/x"), Status::kOk);
    EXPECT_EQ(storage().Remove("d/x"), Status::kNotFound);
    EXPECT_EQ(storage().Remove("d/b"), Status::kOk);
    EXPECT_EQ(storage().Remove("d/e"), Status::kOk);
    EXPECT_EQ(storage().Remove("d"), Status::kOk);
    EXPECT_TRUE(List("").empty());
  });
}

TEST_P(StorageContract, RenameReplaces) {
  subject->Run([&] {
    ASSERT_EQ(storage().CreateDirectory("d"), Status::kOk);
    auto old_file = Open("d/meta");
    Put(*old_file, 0, "old");
    auto new_file = Open("d/meta.tmp");
    Put(*new_file, 0, "new!");
    EXPECT_EQ(storage().Rename("d/none", "d/meta"), Status::kNotFound);
    EXPECT_EQ(storage().Rename("d/meta.tmp", "d/meta"), Status::kOk);
    EXPECT_EQ(List("d"), std::vector<std::string>({"meta"}));
    EXPECT_EQ(Get(*Open("d/meta", OpenMode::kRead), 0, 9), "new!");
    EXPECT_EQ(Get(*old_file, 0, 9), "old");  // open files stay what they were
    Put(*new_file, 4, "?");
    EXPECT_EQ(Get(*Open("d/meta", OpenMode::kRead), 0, 9), "new!?");
    ASSERT_EQ(storage().CreateDirectory("e"), Status::kOk);
    EXPECT_EQ(storage().Rename("d/meta", "e/meta"), Status::kOk);
    EXPECT_TRUE(List("d").empty());
    EXPECT_EQ(storage().Rename("e", "f"), Status::kOk);
    EXPECT_EQ(Get(*Open("f/meta", OpenMode::kRead), 0, 9), "new!?");
    EXPECT_EQ(storage().Rename("f/meta", "f/meta"), Status::kOk);
    EXPECT_EQ(List("f"), std::vector<std::string>({"meta"}));
  });
}

TEST_P(StorageContract, RemovedFilesStayUsableWhileOpen) {
  subject->Run([&] {
    auto file = Open("a");
    Put(*file, 0, "still here");
    EXPECT_EQ(storage().Remove("a"), Status::kOk);
    EXPECT_EQ(Get(*file, 0, 99), "still here");
    auto fresh = Open("a");
    EXPECT_EQ(Get(*fresh, 0, 99), "");
  });
}

TEST_P(StorageContract, LockExcludesASecondOpen) {
  subject->Run([&] {
    ASSERT_EQ(storage().CreateDirectory("d"), Status::kOk);
    std::unique_ptr<faster::DirectoryLock> first, second;
    EXPECT_EQ(storage().Lock("none", &first), Status::kNotFound);
    EXPECT_EQ(storage().Lock("d", &first), Status::kOk);
    EXPECT_EQ(storage().Lock("d", &second), Status::kBusy);
    EXPECT_EQ(second, nullptr);
    EXPECT_EQ(storage().Lock("", &second), Status::kOk);
    second.reset();
    first.reset();
    EXPECT_EQ(storage().Lock("d", &first), Status::kOk);
  });
}

TEST_P(StorageContract, AsynchronousTransfers) {
  subject->Run([&] {
    constexpr int kBlocks = 100;
    constexpr uint64_t kBlock = 700;
    auto file = Open("a");
    std::vector<std::string> blocks;
    std::vector<Completion> writes(kBlocks), reads(kBlocks);
    for (int i = 0; i < kBlocks; ++i) blocks.push_back(std::string(kBlock, static_cast<char>('0' + i % 70)));
    for (int i = 0; i < kBlocks; ++i) {
      file->WriteAsync(i * kBlock, blocks[i].data(), kBlock, &Completion::Done, &writes[i]);
    }
    for (Completion& write : writes) subject->WaitUntil([&] { return write.calls > 0; });
    std::vector<std::string> found(kBlocks, std::string(kBlock, '?'));
    for (int i = 0; i < kBlocks; ++i) {
      file->ReadAsync(i * kBlock, found[i].data(), kBlock, &Completion::Done, &reads[i]);
    }
    for (Completion& read : reads) subject->WaitUntil([&] { return read.calls > 0; });
    for (int i = 0; i < kBlocks; ++i) {
      EXPECT_EQ(writes[i].calls, 1);
      EXPECT_EQ(writes[i].status, Status::kOk);
      EXPECT_EQ(writes[i].bytes, kBlock);
      EXPECT_EQ(reads[i].calls, 1);
      EXPECT_EQ(found[i], blocks[i]);
    }
    Completion end;
    char bytes[10];
    file->ReadAsync(kBlocks * kBlock - 3, bytes, 10, &Completion::Done, &end);
    subject->WaitUntil([&] { return end.calls > 0; });
    EXPECT_EQ(end.status, Status::kOk);
    EXPECT_EQ(end.bytes, 3u);
  });
}

// Jobs may block on I/O and on each other: each of these waits for the next one, the last one for a read.
TEST_P(StorageContract, JobsMayBlock) {
  subject->Run([&] {
    constexpr int kJobs = 5;
    struct Chain {
      Subject* subject;
      File* file;
      std::atomic<int> ended{0};
      std::atomic<int> started{0};
    } chain{subject.get(), nullptr};
    auto file = Open("a");
    Put(*file, 0, "data");
    chain.file = file.get();
    for (int i = 0; i < kJobs; ++i) {
      storage().Schedule(
          [](void* argument) {
            Chain& chain = *static_cast<Chain*>(argument);
            const int me = chain.started.fetch_add(1);
            if (me == kJobs - 1) {
              Completion read;
              char bytes[4];
              chain.file->ReadAsync(0, bytes, 4, &Completion::Done, &read);
              chain.subject->WaitUntil([&] { return read.calls > 0; });
              EXPECT_EQ(read.bytes, 4u);
            } else {
              chain.subject->WaitUntil([&] { return chain.ended >= kJobs - 1 - me; });
            }
            chain.ended.fetch_add(1);
          },
          &chain);
    }
    subject->WaitUntil([&] { return chain.ended == kJobs; });
  });
}

TEST_P(StorageContract, ManyThreads) {
  // SimStorage lives on the fibers of one OS thread by contract: there is nothing to run in
  // parallel. Its interleavings are what the campaign explores.
  if (!subject->threads()) GTEST_SKIP() << "one OS thread only";
  auto file = Open("a");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      std::string block(512, static_cast<char>('a' + t));
      for (int i = 0; i < 300; ++i) {
        const uint64_t offset = (random() % 64 * 4 + t) * 512;
        Completion write, read;
        file->WriteAsync(offset, block.data(), block.size(), &Completion::Done, &write);
        subject->WaitUntil([&] { return write.calls > 0; });
        std::string found(512, '?');
        file->ReadAsync(offset, found.data(), found.size(), &Completion::Done, &read);
        subject->WaitUntil([&] { return read.calls > 0; });
        ASSERT_EQ(found, block);
        if (i % 50 == 0) {
          ASSERT_EQ(file->Sync(), Status::kOk);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

INSTANTIATE_TEST_SUITE_P(All, StorageContract, testing::ValuesIn(kParameters),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
