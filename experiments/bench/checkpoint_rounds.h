// One round of "checkpoints under load": the same run without checkpoints and with, on fresh stores, and what
// the device needs for as many bytes as the checkpoints wrote.
//
// In the round without, an idle checkpoint follows the run, while the sessions stand still; in the round
// with, checkpoints are taken every so often. Which of the two comes first alternates. An incremental
// checkpoint needs something to build on: then both stores take a first one before the run, which counts
// nowhere.
#pragma once

#include <string>
#include <vector>

#include "experiments/bench/measured_store.h"

namespace experiments::bench {

struct CheckpointCell {
  std::string kind;  // full/snapshot, full/foldover, log/snapshot, log/foldover, incremental
  std::string distribution;
  workloads::ycsb::CheckpointChoice choice;
};
// False: no such kind.
bool ParseKind(const std::string& text, workloads::ycsb::CheckpointChoice* choice);

struct CheckpointPlan {
  uint64_t rounds = 5, seconds = 20, records = 10'000'000, threads = 2, every = 4;
  std::string folder;                                             // for the stores
  uint64_t checkpoints() const { return (seconds - 1) / every; }  // of one run, at most
};

// Bytes that a run needs at most; both are estimates from the sizes, on the safe side.
uint64_t DiskNeeded(const CheckpointPlan& plan, const CheckpointCell& cell);
uint64_t MemoryNeeded(const CheckpointPlan& plan);

struct CheckpointRound {
  double load_average = 0;
  double rate_without = 0, rate_with = 0;  // operations per second
  double median_without = 0;               // of the samples
  std::vector<double> during;              // samples while a checkpoint ran
  TimedCheckpoint idle;
  double idle_device = 0;  // seconds for as many bytes
  std::vector<TimedCheckpoint> loaded;
  double loaded_seconds = 0, loaded_device = 0;  // medians; 0: none became durable while sessions worked
};

// False: *error, or empty if interrupted. Begins the steps of the pace.
bool RunRound(const CheckpointPlan& plan, const CheckpointCell& cell, uint64_t round, class Pace* pace,
              CheckpointRound* result, std::string* error);
double ExpectedSeconds(const CheckpointPlan& plan);  // of a round

}  // namespace experiments::bench
