// What the storages cost: io_cost DIRECTORY [posix-read|shared-write|sim]
//   posix-read    random asynchronous 4 KiB reads from the page cache, by one submitter with 64 in flight
//   shared-write  2 threads append pages of 1 MiB to their files and sync every 64 MiB
//   sim           executions of a little program on SimStorage without scheduler: create, 8 writes, sync,
//   rename,
//                 directory sync, crash, reopen, read back
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "faster/device/posix_storage.h"
#include "faults/device/shared_storage.h"
#include "faults/device/sim_storage.h"

namespace {

using faster::File;
using faster::OpenMode;
using faster::Status;

double Seconds(clockid_t clock) {
  timespec now;
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void Must(Status status) {
  if (status == Status::kOk) return;
  std::fprintf(stderr, "io_cost: %s\n", std::string(faster::StatusName(status)).c_str());
  std::exit(1);
}

void PosixRead(const std::string& root) {
  faster::PosixStorage storage(root);
  std::unique_ptr<File> file;
  Must(storage.Open("cost", OpenMode::kTruncate, &file));
  constexpr uint64_t kPages = 16384;
  const std::string page(4096, 'x');
  for (uint64_t i = 0; i < kPages; ++i) Must(faster::WriteFully(*file, i * 4096, page.data(), 4096));
  constexpr int kDepth = 64, kReads = 600000;
  std::vector<std::string> buffers(kDepth, page);
  std::atomic<int> done{0};
  std::mt19937_64 random(1);
  const double wall = Seconds(CLOCK_MONOTONIC), cpu = Seconds(CLOCK_PROCESS_CPUTIME_ID);
  for (int i = 0; i < kReads; ++i) {
    while (i - done.load(std::memory_order_acquire) >= kDepth) std::this_thread::yield();
    file->ReadAsync(
        random() % kPages * 4096, buffers[i % kDepth].data(), 4096,
        [](void* done, Status, uint64_t) {
          static_cast<std::atomic<int>*>(done)->fetch_add(1, std::memory_order_release);
        },
        &done);
  }
  while (done < kReads) std::this_thread::yield();
  const double seconds = Seconds(CLOCK_MONOTONIC) - wall;
  std::printf("posix-read: %.0f reads/s, %.2f us CPU each\n", kReads / seconds,
              1e6 * (Seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / kReads);
  Must(storage.Remove("cost"));
}

void SharedWrite(const std::string& directory) {
  const std::string root = directory + "/shared";
  std::filesystem::create_directory(root);
  std::string error;
  auto journal = faults::SharedJournal::Create({}, &error);
  if (journal == nullptr) std::exit((std::fprintf(stderr, "%s\n", error.c_str()), 1));
  if (const pid_t child = ::fork(); child != 0) {
    ::waitpid(child, nullptr, 0);
    const double start = Seconds(CLOCK_MONOTONIC);
    faults::CrashReport report;
    Must(faults::ApplyCrash(root, *journal, {faults::CrashMode::kRandom, 3, 512}, &report, &error));
    std::printf("shared-write: crash applied in %.2f s: %llu sectors, %llu old, journal %llu bytes\n",
                Seconds(CLOCK_MONOTONIC) - start, static_cast<unsigned long long>(report.sectors),
                static_cast<unsigned long long>(report.sectors_old),
                static_cast<unsigned long long>(report.journal_bytes));
    std::filesystem::remove_all(root);
    return;
  }
  {
    faults::SharedStorage storage(root, journal.get());
    constexpr uint64_t kPage = 1u << 20, kPages = 512;
    const double start = Seconds(CLOCK_MONOTONIC);
    std::thread threads[2];
    for (int t = 0; t < 2; ++t) {
      threads[t] = std::thread([&, t] {
        std::unique_ptr<File> file;
        Must(storage.Open(std::to_string(t), OpenMode::kCreate, &file));
        Must(storage.SyncDirectory(""));
        const std::string page(kPage, 'x');
        for (uint64_t i = 0; i < kPages; ++i) {
          Must(faster::WriteFully(*file, i * kPage, page.data(), kPage));
          if (i % 64 == 50) Must(file->Sync());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::printf("shared-write: %.0f MB/s\n", 2 * kPages * kPage / 1e6 / (Seconds(CLOCK_MONOTONIC) - start));
    std::fflush(stdout);
  }
  ::_exit(0);
}

void Simulation() {
  faults::SimStorage storage;
  constexpr int kExecutions = 20000;
  const double start = Seconds(CLOCK_PROCESS_CPUTIME_ID);
  const std::string page(1024, 'x');
  for (int i = 0; i < kExecutions; ++i) {
    storage.Reset({}, nullptr, nullptr);
    {
      std::unique_ptr<File> file;
      Must(storage.CreateDirectory("d"));
      Must(storage.Open("d/new", OpenMode::kCreate, &file));
      for (int w = 0; w < 8; ++w) Must(faster::WriteFully(*file, w * 1024, page.data(), 1024));
      Must(file->Sync());
      Must(storage.Rename("d/new", "d/old"));
      Must(storage.SyncDirectory("d"));
      Must(storage.SyncDirectory(""));
      for (int w = 0; w < 8; ++w) Must(faster::WriteFully(*file, w * 1024, page.data(), 1024));
    }
    storage.Crash();
    storage.Reopen();
    std::unique_ptr<File> file;
    char bytes[8192];
    Must(storage.Open("d/old", OpenMode::kRead, &file));
    Must(faster::ReadFully(*file, 0, bytes, sizeof bytes));
  }
  std::printf("sim: %.2f us per execution of 25 calls\n",
              1e6 * (Seconds(CLOCK_PROCESS_CPUTIME_ID) - start) / kExecutions);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: io_cost DIRECTORY [posix-read|shared-write|sim]\n");
    return 2;
  }
  const std::string which = argc == 3 ? argv[2] : "";
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (which.empty() || which == "posix-read") PosixRead(argv[1]);
  if (which.empty() || which == "shared-write") SharedWrite(argv[1]);
  if (which.empty() || which == "sim") Simulation();
  return 0;
}
