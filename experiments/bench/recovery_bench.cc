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
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/bench/device_rate.h"
#include "experiments/bench/recovery_run.h"

namespace {

namespace fs = std::filesystem;
using experiments::bench::RecoveredStore;
using experiments::bench::Recovery;
using experiments::bench::Transfer;

struct Options {
  std::string directory;
  uint64_t keys = 4'000'000;
  uint64_t rounds = 5;
  std::vector<uint32_t> threads = {1, 2};
  bool snapshot = false, index = false, cold = false;
};

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

RecoveredStore StoreOf(const Options& options, const std::string& folder) {
  RecoveredStore store;
  store.folder = folder;
  store.records = store.keys = options.keys;
  store.snapshot = options.snapshot;
  store.index = options.index;
  return store;
}

void Check(bool good, const std::string& error) {
  if (!good) Fail(error, 1);
}

void Print(const std::string& name, std::vector<Recovery> runs, double reading_rate) {
  std::sort(runs.begin(), runs.end(),
            [](const Recovery& a, const Recovery& b) { return a.seconds < b.seconds; });
  const Recovery& run = runs[runs.size() / 2];
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
  const RecoveredStore settings = StoreOf(options, store);
  std::string error;
  Check(Fill(settings, &error), error);
  std::vector<Recovery> reading;
  std::vector<std::vector<Recovery>> runs(options.threads.size());
  for (uint64_t round = 0; round < options.rounds; ++round) {
    if (options.cold) Check(experiments::bench::Drop(store, &error), error);
    Transfer read;
    Check(TimeSequentialRead(store, &read, &error), error);
    reading.push_back({read.seconds, 0, read.bytes, 0});
    for (size_t i = 0; i < options.threads.size(); ++i) {
      if (options.cold) Check(experiments::bench::Drop(store, &error), error);
      Recovery run;
      Check(Recover(settings, options.threads[i], 2 + round * 100 + i, {}, &run, &error), error);
      runs[i].push_back(run);
    }
  }
  Print("reading", reading, 0);
  std::sort(reading.begin(), reading.end(),
            [](const Recovery& a, const Recovery& b) { return a.seconds < b.seconds; });
  const Recovery& middle = reading[reading.size() / 2];
  const double rate = static_cast<double>(middle.bytes) / middle.seconds / 1e6;
  for (size_t i = 0; i < options.threads.size(); ++i)
    Print(std::to_string(options.threads[i]) + " threads", runs[i], rate);
  fs::remove_all(store, code);
  return 0;
}
