// Load: a store under load on a device that gives so many bytes a second, watched over time.
//
// Records are loaded, then threads with a session each perform operations for a warm-up, both at the full
// speed of the machine's own device, and then for the seconds that are measured; an operation that waits for
// the disk does not hold its thread up, up to most_pending of them. The calling thread polls the store, which
// lets it migrate and compact by itself. Used by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "experiments/bench/counting_storage.h"
#include "experiments/figures/f2_load/memory_split.h"

namespace experiments::figures {

struct LoadPlan {
  workloads::ycsb::WorkloadSpec spec;
  bool f2 = false;
  MemorySplit memory;
  uint64_t disk_budget = 0;                // bytes of log, 0: no limit
  uint64_t read_rate = 0, write_rate = 0;  // bytes a second, 0: no limit
  uint32_t most_pending = 64;              // operations of one thread that wait for the disk
  double warm_up = 0, seconds = 0, sample_seconds = 0;
};

struct LoadSample {
  double seconds = 0;       // since the end of the warm-up
  uint64_t operations = 0;  // so are the next ones
  uint64_t read_bytes = 0, written_bytes = 0;
  uint64_t log_bytes = 0;  // of the log that clients write to
};

struct LoadResult {
  std::vector<LoadSample> samples;
  workloads::ycsb::Measurements measurements;  // with the warm-up
  uint64_t torn = 0;
  uint64_t upkeeps = 0;       // migrations and compactions that ended well
  std::string failed_upkeep;  // "" or how one ended
};

// False: *error.
bool RunLoad(const LoadPlan& plan, const std::string& folder, LoadResult* result, std::string* error);

struct UserBytes {  // of one operation, on average
  double read = 0, written = 0;
};
//   kops, read_mb_s, write_mb_s     over all samples
//   read_amplification, write_amplification   device's bytes over the users', if users read (write) any
//   first_kops, last_kops           of the first and of the last quarter
//   before_kops, after_kops         until the log was as long as `budget` for the first time, and from then
//   on;
//                                   absent if that was not within the time, or from the beginning
using LoadMetrics = std::vector<std::pair<std::string, double>>;
LoadMetrics MetricsOf(const std::vector<LoadSample>& samples, const UserBytes& user, uint64_t budget);

}  // namespace experiments::figures
