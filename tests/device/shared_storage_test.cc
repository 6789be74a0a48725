// SharedStorage: children killed with SIGKILL at random moments; what they had synced is there, what they had
// not is old or new by sector.
#include "faults/device/shared_storage.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <thread>

#include "faster/device/posix_storage.h"

namespace faults {
namespace {

using faster::File;
using faster::OpenMode;
using faster::Status;

class SharedStorageTest : public testing::Test {
 protected:
  SharedStorageTest() {
    char pattern[] = "/tmp/shared_storage_XXXXXX";
    directory = ::mkdtemp(pattern);
    root = directory + "/store";
    std::filesystem::create_directory(root);
    std::string error;
    SharedJournalOptions options;
    options.bytes = 64u << 20;
    journal = SharedJournal::Create(options, &error);
    EXPECT_NE(journal, nullptr) << error;
  }
  ~SharedStorageTest() override { std::filesystem::remove_all(directory); }

  // Runs `body` in a child; true if it was killed (by itself or by `after_us`), false if it returned.
  bool Child(const std::function<void(SharedStorage&)>& body, int after_us = -1) {
    journal->Restart();
    const pid_t child = ::fork();
    if (child == 0) {
      {
        SharedStorage storage(root, journal.get(), {2, 1024});
        if (storage.start_status() != Status::kOk) ::_exit(3);
        body(storage);
      }
      ::_exit(0);
    }
    if (after_us >= 0) {
      ::usleep(static_cast<useconds_t>(after_us));
      ::kill(child, SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << status;
    return WIFSIGNALED(status);
  }
  CrashReport Crash(CrashMode mode, uint64_t seed = 1) {
    CrashReport report;
    std::string error;
    EXPECT_EQ(ApplyCrash(root, *journal, {mode, seed, 512}, &report, &error), Status::kOk) << error;
    EXPECT_FALSE(journal->overflowed());
    return report;
  }
  std::string Contents(const char* path) {
    faster::PosixStorage storage(root);
    std::unique_ptr<File> file;
    if (storage.Open(path, OpenMode::kRead, &file) != Status::kOk) return "no file";
    uint64_t size = 0, bytes = 0;
    EXPECT_EQ(file->Size(&size), Status::kOk);
    std::string text(size, '?');
    EXPECT_EQ(file->Read(0, text.data(), size, &bytes), Status::kOk);
    return text;
  }
  std::string Letters(const char* path) {
    const std::string bytes = Contents(path);
    if (bytes == "no file") return bytes;
    std::string letters;
    for (size_t at = 0; at < bytes.size(); at += 512) letters += bytes[at] == 0 ? '0' : bytes[at];
    return letters;
  }
  static void Fill(File& file, uint32_t sector, const std::string& letters) {
    std::string bytes;
    for (const char letter : letters) bytes.append(512, letter);
    if (faster::WriteFully(file, uint64_t{sector} * 512, bytes.data(), bytes.size()) != Status::kOk)
      ::_exit(4);
  }
  static std::unique_ptr<File> Open(SharedStorage& storage, const char* path,
                                    OpenMode mode = OpenMode::kCreate) {
    std::unique_ptr<File> file;
    if (storage.Open(path, mode, &file) != Status::kOk) ::_exit(5);
    return file;
  }
  static void Must(Status status) {
    if (status != Status::kOk) ::_exit(6);
  }
  // A durable file "f" with these letters.
  void Durable(const char* letters) {
    faster::PosixStorage storage(root);
    std::unique_ptr<File> file;
    ASSERT_EQ(storage.Open("f", OpenMode::kTruncate, &file), Status::kOk);
    Fill(*file, 0, letters);
    ASSERT_EQ(Letters("f"), letters);
  }

  std::string directory, root;
  std::unique_ptr<SharedJournal> journal;
};

TEST_F(SharedStorageTest, AllNoneOrASubsetOfWhatWasNotSynced) {
  const auto work = [](SharedStorage& storage) {
    auto file = Open(storage, "f");
    Fill(*file, 0, "AB");
    Must(file->Sync());
    Fill(*file, 1, "XY");
    ::raise(SIGKILL);
  };
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    std::filesystem::remove_all(root);
    std::filesystem::create_directory(root);
    Durable("abcd");
    EXPECT_TRUE(Child(work));
    const CrashMode mode = seed == 0 ? CrashMode::kAll : seed == 1 ? CrashMode::kNone : CrashMode::kRandom;
    const CrashReport report = Crash(mode, seed);
    EXPECT_EQ(report.sectors, 2u);
    const std::string letters = Letters("f");
    if (mode == CrashMode::kAll) {
      EXPECT_EQ(letters, "AXYd");
    } else if (mode == CrashMode::kNone) {
      EXPECT_EQ(letters, "ABcd");
    }
    seen.insert(letters);
    EXPECT_FALSE(std::filesystem::exists(root + ".objects"));
  }
  EXPECT_EQ(seen, std::set<std::string>({"AXYd", "AXcd", "ABYd", "ABcd"}));
}

TEST_F(SharedStorageTest, SizesAndVersions) {
  const auto work = [](SharedStorage& storage) {
    auto file = Open(storage, "f");
    Fill(*file, 0, "X");
    Fill(*file, 0, "Y");
    Fill(*file, 2, "Z");
    ::raise(SIGKILL);
  };
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    std::filesystem::remove_all(root);
    std::filesystem::create_directory(root);
    Durable("a");
    EXPECT_TRUE(Child(work));
    Crash(CrashMode::kRandom, seed);
    seen.insert(Letters("f"));
  }
  for (const char* wanted : {"a", "X", "Y", "a0Z", "Y0Z", "Y00", "a00"})
    EXPECT_TRUE(seen.count(wanted)) << wanted;
  for (const std::string& letters : seen) {
    EXPECT_TRUE(letters.size() == 1 || letters.size() == 3) << letters;
    EXPECT_TRUE(std::strchr("aXY", letters[0])) << letters;
  }
}

TEST_F(SharedStorageTest, TruncationIsUndone) {
  for (const CrashMode mode : {CrashMode::kAll, CrashMode::kNone}) {
    std::filesystem::remove_all(root);
    std::filesystem::create_directory(root);
    Durable("abcd");
    Child([](SharedStorage& storage) {
      auto file = Open(storage, "f", OpenMode::kTruncate);
      Fill(*file, 0, "X");
      ::raise(SIGKILL);
    });
    Crash(mode);
    EXPECT_EQ(Letters("f"), mode == CrashMode::kAll ? "X" : "abcd");
  }
}

TEST_F(SharedStorageTest, NamesNeedADirectorySync) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    std::filesystem::remove_all(root);
    std::filesystem::create_directory(root);
    Durable("o");
    Child([](SharedStorage& storage) {
      Must(storage.CreateDirectory("d"));
      Must(storage.SyncDirectory(""));
      auto file = Open(storage, "d/kept");
      Fill(*file, 0, "k");
      Must(file->Sync());
      Must(storage.SyncDirectory("d"));
      file = Open(storage, "f.tmp");
      Fill(*file, 0, "n");
      Must(file->Sync());
      Must(storage.Rename("f.tmp", "f"));
      ::raise(SIGKILL);
    });
    Crash(seed == 0 ? CrashMode::kAll : seed == 1 ? CrashMode::kNone : CrashMode::kRandom, seed);
    EXPECT_EQ(Letters("d/kept"), "k");
    seen.insert(Letters("f") + " " + Letters("f.tmp"));
  }
  EXPECT_EQ(seen, std::set<std::string>({"n no file", "o no file", "o n"}));
}

TEST_F(SharedStorageTest, RemovedFilesComeBackWithTheirContents) {
  Durable("abc");
  Child([](SharedStorage& storage) {
    Must(storage.Remove("f"));
    auto file = Open(storage, "f");
    Fill(*file, 0, "n");
    ::raise(SIGKILL);
  });
  Crash(CrashMode::kNone);
  EXPECT_EQ(Letters("f"), "abc");
}

TEST_F(SharedStorageTest, TheChildSeesWhatItWrote) {
  Durable("abc");
  EXPECT_FALSE(Child([](SharedStorage& storage) {
    auto file = Open(storage, "f");
    Fill(*file, 1, "XYZ");
    char bytes[2048];
    Must(faster::ReadFully(*file, 0, bytes, 2048));
    if (bytes[0] != 'a' || bytes[512] != 'X' || bytes[2047] != 'Z') ::_exit(7);
  }));
  Crash(CrashMode::kAll);
  EXPECT_EQ(Letters("f"), "aXYZ");
}

TEST_F(SharedStorageTest, AJournalThatIsFullSaysSo) {
  SharedJournalOptions options;
  options.bytes = 64 << 10;
  std::string error;
  journal = SharedJournal::Create(options, &error);
  Durable("abc");
  Child([](SharedStorage& storage) {
    auto file = Open(storage, "f");
    const std::string block(1536, 'x');
    for (int i = 0; i < 1000; ++i) {  // compaction makes room as long as there are syncs
      Must(faster::WriteFully(*file, 0, block.data(), block.size()));
      Must(file->Sync());
    }
    for (int i = 0; i < 1000; ++i) {
      if (faster::WriteFully(*file, 0, block.data(), block.size()) != Status::kOk) ::raise(SIGKILL);
    }
  });
  EXPECT_TRUE(journal->overflowed());
  CrashReport report;
  EXPECT_EQ(ApplyCrash(root, *journal, {CrashMode::kNone, 1, 512}, &report, &error), Status::kOk) << error;
  EXPECT_EQ(Letters("f"), "xxx");
}

// Two threads write, sync and rename as fast as they can. Shared memory says what was durable when the child
// died: block i of each thread's file holds at least the number that had been synced, and at most the last
// one submitted; every sector is whole.
TEST_F(SharedStorageTest, KilledAtAnyMoment) {
  struct Progress {
    std::atomic<uint64_t> synced[2], submitted[2], renamed;
  };
  auto* progress = static_cast<Progress*>(
      ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  constexpr uint64_t kSectors = 64;
  uint64_t old_sectors = 0, kills = 0;
  for (int round = 0; round < 25; ++round) {
    new (progress) Progress{};
    std::filesystem::remove_all(root);
    std::filesystem::create_directory(root);
    kills += Child(
        [&](SharedStorage& storage) {
          std::unique_ptr<File> files[2] = {Open(storage, "0"), Open(storage, "1")};
          Must(storage.SyncDirectory(""));
          std::thread threads[2];
          for (int t = 0; t < 2; ++t) {
            threads[t] = std::thread([&, t] {
              std::vector<uint64_t> words(kSectors * 64);
              for (uint64_t version = 1;; ++version) {
                std::fill(words.begin(), words.end(), version);
                progress->submitted[t].store(version);
                Must(faster::WriteFully(*files[t], 0, words.data(), words.size() * 8));
                if (version % 3 != 0) continue;
                Must(files[t]->Sync());
                progress->synced[t].store(version);
                if (t == 0) continue;
                auto meta = Open(storage, "meta.tmp", OpenMode::kTruncate);
                Must(faster::WriteFully(*meta, 0, &version, 8));
                Must(meta->Sync());
                Must(storage.Rename("meta.tmp", "meta"));
                Must(storage.SyncDirectory(""));
                progress->renamed.store(version);
              }
            });
          }
          threads[0].join();
        },
        round * 300);
    old_sectors += Crash(CrashMode::kRandom, static_cast<uint64_t>(round)).sectors_old;
    for (int t = 0; t < 2; ++t) {
      const uint64_t synced = progress->synced[t].load(), submitted = progress->submitted[t].load();
      const std::string bytes = Contents(t == 0 ? "0" : "1");
      if (synced == 0) continue;
      ASSERT_EQ(bytes.size(), kSectors * 512);
      const auto* words = reinterpret_cast<const uint64_t*>(bytes.data());
      for (uint64_t sector = 0; sector < kSectors; ++sector) {
        for (int w = 1; w < 64; ++w) ASSERT_EQ(words[sector * 64], words[sector * 64 + w]);
        ASSERT_GE(words[sector * 64], synced);
        ASSERT_LE(words[sector * 64], submitted);
      }
    }
    const uint64_t renamed = progress->renamed.load();
    if (renamed == 0) continue;
    const std::string meta = Contents("meta");
    ASSERT_EQ(meta.size(), 8u);
    ASSERT_GE(*reinterpret_cast<const uint64_t*>(meta.data()), renamed);
  }
  EXPECT_EQ(kills, 25u);
  EXPECT_GT(old_sectors, 0u);
  ::munmap(progress, sizeof(Progress));
}

}  // namespace
}  // namespace faults
