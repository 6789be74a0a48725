// The four parts of the scaling benchmark: each measures, adds findings to the report and points to the
// picture.
//
//   keys        throughput (YCSB C and A, uniform) and bytes per key, by number of keys
//   checkpoint  time to a durable checkpoint, by bytes it has to write
//   recovery    time to recover, by bytes it reads, records it replays and threads
//   growth      throughput while the index grows, and how long that takes
//
// False: *error; or empty and false: interrupted, with what was measured so far in the report.
#pragma once

#include <string>
#include <vector>

#include "experiments/bench/report.h"
#include "faster/core/checkpoint_types.h"
#include "workloads/ycsb/spec.h"

namespace experiments::bench {

struct ScalingPlan {
  std::vector<uint64_t> keys = {1'000'000, 10'000'000, 50'000'000};
  std::vector<uint64_t> dirty = {64, 256, 1024};     // MiB
  std::vector<uint64_t> logs = {1024, 4096, 16384};  // MiB
  std::vector<uint64_t> recovery_threads = {1, 2};
  uint64_t growth_keys = 10'000'000, grow_from = 1024, grow_to = uint64_t{1} << 24;
  uint64_t rounds = 5, seconds = 5, growth_seconds = 60, threads = 2;
  std::string folder;  // for the stores
};

uint64_t Sum(const std::vector<uint64_t>& numbers);
std::string Mebibytes(uint64_t mebibytes);  // "64 MiB", "4 GiB"
std::string Amount(uint64_t number);        // "10 M", "500 K"
uint64_t MemoryOfKeys(uint64_t keys, uint64_t threads);

constexpr uint64_t kRecordBytes = 24;  // of a record in the log: header, key and value of 8 bytes

struct PicturePoint {
  std::string panel, series;
  double x, y;
};

class Scaling {
 public:
  Scaling(const ScalingPlan& plan, Report* report) : plan_(plan), report_(*report) {}
  // The parts' expected seconds, for the time left.
  double ExpectedKeys() const, ExpectedCheckpoints() const, ExpectedRecoveries() const,
      ExpectedGrowth() const;
  bool Keys(std::string* error);
  bool Checkpoints(std::string* error);
  bool Recoveries(std::string* error);
  bool Growth(std::string* error);
  const std::vector<PicturePoint>& points() const { return points_; }

 private:
  struct KeysRound;
  bool KeysOf(uint64_t keys, KeysRound* round, std::string* error);
  void AddKeys(uint64_t keys, const std::vector<KeysRound>& rounds);
  struct Dirtied;
  bool DirtyRound(faster::LogBackend backend, std::vector<Dirtied>* sizes, std::string* error);
  void AddDirtied(faster::LogBackend backend, const std::vector<Dirtied>& sizes);
  struct Recovered;
  bool RecoverLog(uint64_t mebibytes, std::vector<Recovered>* cells, std::string* error);
  bool RecoverRounds(bool index, Recovered* cells, size_t count, uint64_t* seed, std::string* error);
  bool RecoverOnce(Recovered* cell, uint64_t* seed, std::string* error);
  void AddRecovered(const std::vector<Recovered>& cells);
  void FitRecovered(const std::vector<Recovered>& cells);
  struct GrowthRound;
  bool GrowOnce(const workloads::ycsb::WorkloadSpec& spec, GrowthRound* round, std::string* error);
  void AddGrowth(const std::vector<GrowthRound>& rounds);
  // Through the medians; `slope` is the name of the cost of slope_unit of x.
  void AddFit(const std::string& cell, const std::vector<Point>& points, const std::string& slope,
              double slope_unit);
  // True and a line in the report: it has to be left out.
  bool TooLarge(const std::string& what, uint64_t memory, uint64_t disk);
  std::string Store() const { return plan_.folder + "/store"; }

  const ScalingPlan plan_;
  Report& report_;
  std::vector<PicturePoint> points_;
};

}  // namespace experiments::bench
