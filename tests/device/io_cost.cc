// What the storages cost: io_cost DIRECTORY [posix-read|device-read|shared-write|sim]
//   posix-read    random asynchronous 4 KiB reads from the page cache, by one submitter with 64 in flight
//   device-read   random asynchronous 4 KiB reads of a file of 4 GiB that is not in the page cache, 64 in
//                 flight by one submitter, by PosixStorage and by UringStorage through and past the cache, in
//                 turn; the median of 5 rounds. What the device can do: fio, the command is printed
//   shared-write  2 threads append pages of 1 MiB to their files and sync every 64 MiB
//   sim           executions of a little program on SimStorage without scheduler: create, 8 writes, sync,
//   rename,
//                 directory sync, crash, reopen, read back
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "faster/device/posix_storage.h"
#if defined(CPR_HAS_URING)  // not in the sim world
#include "faster/device/uring_storage.h"
#endif
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

#if defined(CPR_HAS_URING)
constexpr uint64_t kDeviceBlocks = 1 << 20;

void FillDeviceFile(faster::Storage& storage) {
  std::unique_ptr<File> file;
  Must(storage.Open("cost", OpenMode::kTruncate, &file));
  const std::string megabyte(1 << 20, 'x');
  for (uint64_t at = 0; at < kDeviceBlocks * 4096; at += megabyte.size()) {
    Must(faster::WriteFully(*file, at, megabyte.data(), megabyte.size()));
  }
  Must(file->Sync());
}

// How many transfers have ended. Who waits sleeps until as many have as it wants: yielding would give the
// processor away for milliseconds on a busy machine, and waking for each of them would measure the wake-ups.
struct Window {
  std::atomic<int> ended{0};
  std::atomic<int> wanted{-1};
  static void Done(void* context, Status status, uint64_t) {
    Must(status);
    auto* const self = static_cast<Window*>(context);
    if (self->ended.fetch_add(1) + 1 == self->wanted.load()) self->ended.notify_one();
  }
  void WaitFor(int count) {
    wanted = count;
    for (int now; (now = ended.load()) < count;) ended.wait(now);
  }
};

// Reads a second; *cpu is microseconds of processors each.
double ReadDevice(faster::Storage& storage, const std::string& root, uint64_t seed, double* cpu) {
  const int fd = ::open((root + "/cost").c_str(), O_RDONLY);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ::close(fd);
  std::unique_ptr<File> file;
  Must(storage.Open("cost", OpenMode::kReadWrite, &file));
  constexpr int kDepth = 64;
  auto* const buffers = static_cast<char*>(operator new (kDepth * 4096, std::align_val_t{4096}));
  Window window;
  std::mt19937_64 random(seed);
  int begun = 0;
  const double wall = Seconds(CLOCK_MONOTONIC), processor = Seconds(CLOCK_PROCESS_CPUTIME_ID);
  while (begun % 256 != 0 || Seconds(CLOCK_MONOTONIC) - wall < 2) {
    if (begun - window.ended.load() >= kDepth) window.WaitFor(begun - kDepth / 2);
    file->ReadAsync(random() % kDeviceBlocks * 4096, buffers + begun % kDepth * 4096, 4096, &Window::Done,
                    &window);
    ++begun;
  }
  window.WaitFor(begun);
  *cpu = 1e6 * (Seconds(CLOCK_PROCESS_CPUTIME_ID) - processor) / begun;
  const double seconds = Seconds(CLOCK_MONOTONIC) - wall;
  operator delete (buffers, std::align_val_t{4096});
  return begun / seconds;
}

void DeviceRead(const std::string& root) {
  faster::UringStorageOptions cached;
  cached.direct = false;
  faster::PosixStorage posix(root), many(root, {64, 1 << 16});
  faster::UringStorage uring(root, cached), direct(root);
  for (const faster::Diagnosis& why : direct.Fallbacks()) std::printf("note: %s\n", why.Text().c_str());
  struct Contender {
    const char* name;
    faster::Storage* storage;
    std::vector<double> speeds, cpu;
  } contenders[] = {{"posix, 4 threads", &posix, {}, {}},
                    {"posix, 64 threads", &many, {}, {}},
                    {"uring", &uring, {}, {}},
                    {"uring, direct", &direct, {}, {}}};
  FillDeviceFile(posix);
  for (uint64_t round = 0; round < 5; ++round) {
    for (Contender& one : contenders) {
      one.cpu.emplace_back();
      one.speeds.push_back(ReadDevice(*one.storage, root, round, &one.cpu.back()));
    }
  }
  for (Contender& one : contenders) {
    std::sort(one.speeds.begin(), one.speeds.end());
    std::sort(one.cpu.begin(), one.cpu.end());
    std::printf("device-read: %-18s %8.0f reads/s (%.0f to %.0f), %.1f us CPU each\n", one.name,
                one.speeds[2], one.speeds.front(), one.speeds.back(), one.cpu[2]);
  }
  std::printf(
      "the device: fio --name=x --filename=%s/cost --size=4g --rw=randread --bs=4k --direct=1 "
      "--ioengine=io_uring --iodepth=64 --time_based --runtime=4 --norandommap\n",
      root.c_str());
}
#endif

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
    std::fprintf(stderr, "usage: io_cost DIRECTORY [posix-read|device-read|shared-write|sim]\n");
    return 2;
  }
  const std::string which = argc == 3 ? argv[2] : "";
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (which.empty() || which == "posix-read") PosixRead(argv[1]);
#if defined(CPR_HAS_URING)
  if (which == "device-read") DeviceRead(argv[1]);
#endif
  if (which.empty() || which == "shared-write") SharedWrite(argv[1]);
  if (which.empty() || which == "sim") Simulation();
  return 0;
}
