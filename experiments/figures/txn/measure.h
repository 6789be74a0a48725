// Measure: one cell on the transactional store: loads it, warms up, lets the driver run, checks the result,
// and writes everything down. What the programs of YCSB and of TPC-C share. Used by one thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/figures/program.h"
#include "workloads/txn/driver.h"

namespace experiments::figures::txn {

// Of every cell, whatever the workload.
struct RunSettings {
  std::string scheme;
  uint64_t threads = 0, latency_every = 0, refresh_interval = 0, log_ring_bytes = 0, write_mb_per_s = 0;
  double warm_up_seconds = 0, seconds = 0, sample_seconds = 0;
  std::vector<double> commits_at;
  bool timed = false, sync = false;
};
void DeclareScheme(Program* program, std::string* scheme);
void DeclareRun(Program* program, RunSettings* settings);

// Lines, one for each thing that is wrong, when no transaction runs any more. serials[t]: what thread t has
// committed.
using Check = std::function<std::vector<std::string>(const workloads::txn::TxnStore& store,
                                                     const std::vector<uint64_t>& serials)>;

workloads::txn::CommitScheme SchemeOf(const std::string& name);

// kViolated: a transaction or a commit failed, or `check` found something.
Outcome Measure(const RunSettings& settings, const workloads::txn::Workload& workload, const Check& check,
                Output* output, std::string* problem);

}  // namespace experiments::figures::txn
