// Scaling, part 3: recoveries by what they read and replay. Every log is recovered in two ways: without an
// index, so that every record is replayed, and with one, so that there is nothing but reading. The kernel's
// copies of the files are dropped before each recovery and before the plain reading that it is held against.
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <filesystem>

#include "experiments/bench/device_rate.h"
#include "experiments/bench/recovery_run.h"
#include "experiments/bench/scaling_parts.h"

namespace experiments::bench {
namespace {

constexpr uint64_t kMostKeys = 16'000'000;  // more only lengthen the index
constexpr uint64_t kBytesOnDisk = 25;       // of a record with its share of what blocks leave over

RecoveredStore LogOf(uint64_t mebibytes, const std::string& folder) {
  RecoveredStore store;
  store.folder = folder;
  store.records = (mebibytes << 20) / kBytesOnDisk;
  store.keys = std::min(store.records, kMostKeys);
  store.memory_bytes = AvailableMemory() / 4;
  store.interrupted = InterruptFlag();
  return store;
}

double SecondsOf(uint64_t mebibytes, double threads, double rounds) {
  const double size = static_cast<double>(mebibytes);
  return 1 + size / 60 + rounds * 2 * ((threads + 1) * size / 300 + 0.2);
}

}  // namespace

struct Scaling::Recovered {
  RecoveredStore store;
  uint64_t mebibytes = 0, threads = 0;
  bool index = false;
  std::vector<Recovery> runs;
  std::vector<Transfer> reads;  // of the same rounds

  std::string Name() const {
    return Mebibytes(mebibytes) + ", " + std::to_string(threads) + (threads == 1 ? " thread" : " threads");
  }
  // Time per byte, in terms of the plain reading's.
  std::vector<double> AgainstReading() const {
    std::vector<double> shares;
    for (size_t n = 0; n < runs.size(); ++n) {
      if (runs[n].bytes == 0 || reads[n].bytes == 0) continue;
      shares.push_back(runs[n].seconds / static_cast<double>(runs[n].bytes) /
                       (reads[n].seconds / static_cast<double>(reads[n].bytes)));
    }
    return shares;
  }
  std::vector<double> Seconds() const {
    std::vector<double> seconds;
    for (const Recovery& run : runs) seconds.push_back(run.seconds);
    return seconds;
  }
};

double Scaling::ExpectedRecoveries() const {
  double seconds = 0;
  for (const uint64_t size : plan_.logs)
    seconds += SecondsOf(size, static_cast<double>(plan_.recovery_threads.size()),
                         static_cast<double>(plan_.rounds));
  return seconds;
}

bool Scaling::RecoverOnce(Recovered* cell, uint64_t* seed, std::string* error) {
  // A recovery cannot be called off, but it writes nothing, so nobody has to wait for its end.
  const auto leave = [this](const faster::RecoveryProgress&) {
    if (!Interrupted()) return;
    const int status = report_.Finish();
    std::error_code code;
    std::filesystem::remove_all(plan_.folder, code);
    _exit(status);
  };
  Recovery recovery;
  if (!Drop(Store(), error) ||
      !Recover(cell->store, static_cast<uint32_t>(cell->threads), ++*seed, leave, &recovery, error))
    return false;
  cell->runs.push_back(recovery);
  const Transfer& read = cell->reads.back();
  report_.json()["recoveries"].push_back(
      {{"log_mebibytes", cell->mebibytes},
       {"threads", cell->threads},
       {"with_index", cell->index},
       {"seconds", recovery.seconds},
       {"processor_seconds", recovery.processor},
       {"bytes", recovery.bytes},
       {"records_replayed", recovery.records},
       {"plain_reading", {{"bytes", read.bytes}, {"seconds", read.seconds}}}});
  return report_.Save(error);
}

bool Scaling::RecoverRounds(bool index, Recovered* cells, size_t count, uint64_t* seed, std::string* error) {
  for (uint64_t n = 0; n < plan_.rounds; ++n) {
    report_.pace().Begin("recovery of " + Mebibytes(cells->mebibytes) + (index ? " with" : " without") +
                             " its index, round " + std::to_string(n + 1) + " of " +
                             std::to_string(plan_.rounds),
                         static_cast<double>(count + 1) * static_cast<double>(cells->mebibytes) / 300 + 0.2);
    Transfer read;
    if (!Drop(Store(), error) || !TimeSequentialRead(Store(), &read, error)) return false;
    for (size_t i = 0; i < count; ++i) {
      cells[i].reads.push_back(read);
      if (!RecoverOnce(&cells[i], seed, error)) return false;
    }
  }
  return true;
}

// Appends the cells of one log, as far as it came.
bool Scaling::RecoverLog(uint64_t mebibytes, std::vector<Recovered>* cells, std::string* error) {
  const RecoveredStore store = LogOf(mebibytes, Store());
  const uint64_t index = IndexBuckets(store) * 80, log = mebibytes << 20;
  if (TooLarge("recovery of " + Mebibytes(mebibytes), BufferBytes(store) + index * 2 + (uint64_t{512} << 20),
               log + log / 10 + index + (uint64_t{256} << 20))) {
    report_.pace().Skip(SecondsOf(mebibytes, static_cast<double>(plan_.recovery_threads.size()),
                                  static_cast<double>(plan_.rounds)));
    return true;
  }
  const size_t first = cells->size(), count = plan_.recovery_threads.size();
  for (const bool with : {false, true}) {
    for (const uint64_t threads : plan_.recovery_threads)
      cells->push_back({store, mebibytes, threads, with, {}, {}});
  }
  std::error_code code;
  std::filesystem::remove_all(Store(), code);
  report_.pace().Begin("writing a log of " + Mebibytes(mebibytes), 1 + static_cast<double>(mebibytes) / 60);
  uint64_t seed = 1;
  const bool good = MakeFolder(Store(), error) && Fill(store, error) &&
                    RecoverRounds(false, &(*cells)[first], count, &seed, error) &&
                    AddIndex(store, ++seed, error) &&
                    RecoverRounds(true, &(*cells)[first + count], count, &seed, error);
  std::filesystem::remove_all(Store(), code);
  return good;
}

void Scaling::AddRecovered(const std::vector<Recovered>& cells) {
  for (const Recovered& cell : cells) {
    if (cell.runs.empty()) continue;
    const std::string name = cell.Name();
    const double x = static_cast<double>(cell.runs.front().bytes) / 1e9;
    const std::string series = std::to_string(cell.threads) + (cell.threads == 1 ? " thread" : " threads");
    points_.push_back(
        {"recovery", series + (cell.index ? " with the index" : ""), x, Median(cell.Seconds())});
    if (cell.index) {
      report_.Add({name, "with the index", "s", cell.Seconds(), {}});
      report_.Add({name, "with the index / plain reading", "", cell.AgainstReading(), Bar{1.5, false}});
      continue;
    }
    Finding each{name, "for each replayed record", "ns", {}, {}},
        processor{name, "of processors, a record", "ns", {}, {}};
    for (const Recovery& run : cell.runs) {
      if (run.records == 0) continue;
      each.rounds.push_back(run.seconds * 1e9 / static_cast<double>(run.records));
      processor.rounds.push_back(run.processor * 1e9 / static_cast<double>(run.records));
    }
    report_.Add({name, "replaying every record", "s", cell.Seconds(), {}});
    report_.Add(each);
    report_.Add(processor);
    report_.Add({name, "replaying / plain reading", "", cell.AgainstReading(), {}});
  }
}

void Scaling::FitRecovered(const std::vector<Recovered>& cells) {
  for (const bool index : {false, true}) {
    for (const uint64_t threads : plan_.recovery_threads) {
      std::vector<Point> bytes, records;
      for (const Recovered& cell : cells) {
        if (cell.index != index || cell.threads != threads || cell.runs.empty()) continue;
        const double seconds = Median(cell.Seconds());
        bytes.push_back({static_cast<double>(cell.runs.front().bytes), seconds});
        records.push_back({static_cast<double>(cell.runs.front().records), seconds});
      }
      const std::string name = std::to_string(threads) + (threads == 1 ? " thread" : " threads");
      AddFit((index ? "reading, " : "replay by bytes, ") + name, bytes, "s/GB", 1e9);
      if (!index) AddFit("replay by records, " + name, records, "ns/record", 1e9);
    }
  }
}

bool Scaling::Recoveries(std::string* error) {
  std::vector<Recovered> cells;
  bool good = true;
  for (const uint64_t mebibytes : plan_.logs) good = good && RecoverLog(mebibytes, &cells, error);
  AddRecovered(cells);
  FitRecovered(cells);
  return good;
}

}  // namespace experiments::bench
