// cpr-recovery-bench: what a recovery costs, by threads, in interleaved runs.
//
//   cpr-recovery-bench DIR [--keys N] [--rounds R] [--threads A,B,...] [--kind foldover|snapshot] [--index]
//   [--cold]
//
// Fills a store on real files in DIR/recovery-bench (removed at the end), takes one checkpoint and recovers
// it R times with each number of threads, in turn. Prints a line for each run and the medians: seconds, bytes
// read and their rate, nanoseconds for each replayed record (and of processor time, which a busy machine
// inflates less), and the share of the rate at which one thread reads the same files in order without looking
// at them, measured in the same rounds. Files come from the page cache after the first round unless memory is
// short; "cold" runs drop them (posix_fadvise) before each recovery and reading.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "faster/device/posix_storage.h"
#include "faster/store/faster_kv.h"

namespace {

namespace fs = std::filesystem;
using faster::Status;

struct Add {
  using Input = uint64_t;
  uint64_t Hash(uint64_t key) const {
    const uint64_t h = key * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 32;
  }
  uint64_t Initial(uint64_t input) const { return input; }
  uint64_t Update(uint64_t old, uint64_t input) const { return old + input; }
};
using Kv = faster::FasterKv<uint64_t, uint64_t, Add>;

struct Options {
  std::string directory;
  uint64_t keys = 4'000'000;
  uint64_t rounds = 5;
  std::vector<uint32_t> threads = {1, 2};
  bool snapshot = false, index = false, cold = false;
};

struct Run {
  double seconds = 0;
  double processor = 0;  // seconds of all threads
  uint64_t bytes = 0, records = 0;
};

struct Watcher : faster::CheckpointObserver {
  void OnRecovery(const faster::RecoveryProgress& progress) override { last = progress; }
  void OnDurable(const faster::Token&, faster::CheckpointKind, Status ended, uint64_t,
                 const std::vector<faster::SessionCommit>&) override {
    status = ended;
  }
  faster::RecoveryProgress last;
  Status status = Status::kPending;
};

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

[[noreturn]] void Fail(const std::string& what, int status) {
  std::fprintf(stderr, "cpr-recovery-bench: %s\n", what.c_str());
  std::exit(status);
}

uint64_t Number(const char* text) {
  char* end = nullptr;
  const uint64_t number = std::strtoull(text, &end, 10);
  if (end == text || *end != 0 || number == 0) Fail(std::string("not a number above 0: ") + text, 2);
  return number;
}

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&] {
      if (++i == argc) Fail(flag + " needs a value", 2);
      return argv[i];
    };
    if (flag == "--keys") {
      options.keys = Number(value());
    } else if (flag == "--rounds") {
      options.rounds = Number(value());
    } else if (flag == "--threads") {
      options.threads.clear();
      std::string list = value();
      for (char* part = std::strtok(list.data(), ","); part != nullptr; part = std::strtok(nullptr, ","))
        options.threads.push_back(static_cast<uint32_t>(Number(part)));
    } else if (flag == "--kind") {
      const std::string kind = value();
      if (kind != "foldover" && kind != "snapshot") Fail("--kind is foldover or snapshot", 2);
      options.snapshot = kind == "snapshot";
    } else if (flag == "--index") {
      options.index = true;
    } else if (flag == "--cold") {
      options.cold = true;
    } else if (flag.starts_with("--") || !options.directory.empty()) {
      Fail("cannot read " + flag, 2);
    } else {
      options.directory = flag;
    }
  }
  if (options.directory.empty()) Fail("which directory for the store's files?", 2);
  return options;
}

faster::StoreConfig Config(const Options& options) {
  faster::StoreConfig config;
  config.page_bits = 22;
  config.buffer_pages = static_cast<uint32_t>(std::bit_ceil(options.keys * 25 / (1 << 22) + 8));
  config.mutable_pages = config.buffer_pages - 4;
  config.segment_pages = 64;
  config.index_buckets = std::bit_ceil(options.keys / 2);
  return config;
}

void Fill(const Options& options, faster::Storage* storage) {
  std::unique_ptr<Kv> kv;
  faster::Diagnosis why;
  Watcher watcher;
  if (Kv::Create(Config(options), storage, {}, &watcher, &kv, &why) != Status::kOk) Fail(why.Text(), 2);
  auto session = kv->StartSession();
  for (uint64_t key = 0; key < options.keys; ++key) {
    if (session->Upsert(key * 0x9e3779b97f4a7c15ull, key) != Status::kOk) Fail("an upsert failed", 1);
  }
  session->Close();
  faster::Token token;
  const auto kind = options.index ? faster::CheckpointKind::kFull : faster::CheckpointKind::kLogOnly;
  const auto backend = options.snapshot ? faster::LogBackend::kSnapshot : faster::LogBackend::kFoldOver;
  if (kv->Checkpoint(kind, backend, &token) != Status::kOk) Fail("the checkpoint was refused", 1);
  while (!kv->Poll()) std::this_thread::yield();
  if (watcher.status != Status::kOk) Fail("the checkpoint failed", 1);
}

template <class Visit>
void ForEachFile(const std::string& directory, Visit&& visit) {
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    const int file = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) Fail("cannot open " + entry.path().string(), 1);
    visit(file);
    close(file);
  }
}

void Drop(const std::string& directory) {
  sync();
  ForEachFile(directory, [](int file) { posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED); });
}

Run ReadFiles(const std::string& directory) {
  std::vector<char> buffer(1 << 22);
  Run run;
  const double start = Seconds();
  ForEachFile(directory, [&](int file) {
    for (ssize_t got; (got = read(file, buffer.data(), buffer.size())) > 0;)
      run.bytes += static_cast<uint64_t>(got);
  });
  run.seconds = Seconds() - start;
  return run;
}

Run Recover(const Options& options, faster::Storage* storage, uint32_t threads, uint64_t seed) {
  faster::StoreConfig config = Config(options);
  config.recovery_threads = threads;
  config.seed = seed;
  std::unique_ptr<Kv> kv;
  faster::RecoveryResult result;
  faster::Diagnosis why;
  Watcher watcher;
  const double start = Seconds();
  const std::clock_t used = std::clock();
  if (Kv::Recover(config, storage, {}, &watcher, {}, {}, &kv, &result, &why) != Status::kOk)
    Fail(why.Text(), 1);
  return {Seconds() - start, static_cast<double>(std::clock() - used) / CLOCKS_PER_SEC, watcher.last.bytes,
          watcher.last.records};
}

void Print(const std::string& name, std::vector<Run> runs, double reading_rate) {
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.seconds < b.seconds; });
  const Run& run = runs[runs.size() / 2];
  const double rate = static_cast<double>(run.bytes) / run.seconds / 1e6;
  std::printf("%-10s median %.3f s (%.3f to %.3f), %.0f MB at %.0f MB/s", name.c_str(), run.seconds,
              runs.front().seconds, runs.back().seconds, static_cast<double>(run.bytes) / 1e6, rate);
  if (run.records != 0)
    std::printf(", %.1f ns a record (%.1f of processors)",
                run.seconds * 1e9 / static_cast<double>(run.records),
                run.processor * 1e9 / static_cast<double>(run.records));
  if (reading_rate != 0) std::printf(", %.2f of the rate of reading", rate / reading_rate);
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  const std::string store = options.directory + "/recovery-bench";
  std::error_code code;
  fs::remove_all(store, code);
  if (!fs::create_directories(store, code)) Fail("cannot create " + store + ": " + code.message(), 2);
  faster::PosixStorage storage(store);
  Fill(options, &storage);
  std::vector<Run> reading;
  std::vector<std::vector<Run>> runs(options.threads.size());
  for (uint64_t round = 0; round < options.rounds; ++round) {
    if (options.cold) Drop(store);
    reading.push_back(ReadFiles(store));
    for (size_t i = 0; i < options.threads.size(); ++i) {
      if (options.cold) Drop(store);
      runs[i].push_back(Recover(options, &storage, options.threads[i], 2 + round * 100 + i));
    }
  }
  Print("reading", reading, 0);
  std::vector<Run> sorted = reading;
  std::sort(sorted.begin(), sorted.end(), [](const Run& a, const Run& b) { return a.seconds < b.seconds; });
  const Run& middle = sorted[sorted.size() / 2];
  const double rate = static_cast<double>(middle.bytes) / middle.seconds / 1e6;
  for (size_t i = 0; i < options.threads.size(); ++i)
    Print(std::to_string(options.threads[i]) + " threads", runs[i], rate);
  fs::remove_all(store, code);
  return 0;
}
