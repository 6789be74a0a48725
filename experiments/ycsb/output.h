// What a run of cpr-ycsb leaves beside its report (report_output.h): throughput.csv, checkpoints.csv, the
// picture and results.json in the result folder. Errors are one line.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiments/common/results.h"
#include "experiments/ycsb/options.h"
#include "workloads/ycsb/checkpoint_log.h"
#include "workloads/ycsb/driver.h"

namespace experiments::ycsb {

struct RunOutcome {
  bool loaded = false, ran = false, interrupted = false;
  workloads::ycsb::PhaseResult load, run;
  std::vector<workloads::ycsb::CheckpointEvent> checkpoints;
  workloads::ycsb::LogState log = {};
  // Of the load phase: what the process grew by, and the store's own account of it.
  uint64_t resident_bytes = 0, log_bytes = 0, index_bytes = 0;
  uint64_t durable() const;
};

std::string Decimal(double number, int digits);  // so many of them after the point
std::string TitleOf(const Options& options);
// All parameters of the run, defaults included.
nlohmann::ordered_json ParametersJson(const Options& options);
// The machine, its load and the source.
nlohmann::ordered_json EnvironmentJson();
// CSVs, results.json and, if anything was sampled, the picture.
bool WriteResults(const ResultFolder& folder, const Options& options,
                  const nlohmann::ordered_json& environment, const RunOutcome& outcome, std::string* error);

}  // namespace experiments::ycsb
