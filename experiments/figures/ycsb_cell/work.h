// Work: the part of a figure's cell that is YCSB on one open store: its parameters, and the load, a warm-up
// and what is measured, each by the YCSB driver. Shared by the programs whose figures plot throughput.
// Errors are one line. Used by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "experiments/figures/program.h"
#include "workloads/ycsb/driver.h"

namespace experiments::figures {

struct Work {
  uint64_t threads = 1, records = 0, value_bytes = 8;
  double read_percent = 0;   // of the operations; the others are updates
  std::string updates;       // "upsert" or "rmw"
  std::string distribution;  // of YCSB's; zipf_hashed is the plain Zipf over the store's keys
  double theta = 0.99;
  double index_share = 0.5;  // buckets per record, rounded up to a power of two
  uint64_t refresh = 64;     // operations between looks at the global phase
  double warm_up = 0;        // operations per record that are not counted
  double operations = 0;     // operations per record that are
  uint64_t seconds = 0;      // if they take longer, this ends it

  void AddTo(Program* program);
  // Without log and pages: 8-byte keys, values as parameters say. False: *problem.
  bool Spec(const Cell& cell, workloads::ycsb::WorkloadSpec* spec, std::string* problem) const;
  // Sets what depends on the log: pages of 2^page_bits in `memory` bytes (a power of two).
  static void SetLog(uint64_t memory, uint32_t page_bits, double mutable_share,
                     workloads::ycsb::WorkloadSpec* spec);
};

// One store's phases, one after another. The engine outlives it.
class Worker {
 public:
  Worker(const Work& work, const workloads::ycsb::WorkloadSpec& spec, workloads::ycsb::Engine* engine)
      : work_(work), spec_(spec), engine_(engine) {}
  bool Load(std::string* problem);
  bool WarmUp(std::string* problem);
  // Every key is in the store, so an operation that found nothing fails it too, as does a torn value.
  // *before: the log as the first operation found it.
  bool Run(workloads::ycsb::PhaseResult* result, workloads::ycsb::LogState* before, std::string* problem);

 private:
  bool Perform(double operations, uint64_t seconds, uint64_t stream, workloads::ycsb::PhaseResult* result,
               workloads::ycsb::LogState* before, std::string* problem);

  const Work& work_;
  const workloads::ycsb::WorkloadSpec spec_;
  workloads::ycsb::Engine* const engine_;
  workloads::ycsb::CheckpointLog log_;
};

}  // namespace experiments::figures
