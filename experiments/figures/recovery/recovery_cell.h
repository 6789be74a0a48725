// RecoveryCell: one store, recovered a few times, beside a plain reading of its files.
//
// No paper times recovery. What is measured is the whole of it: finding the checkpoint, reading and verifying
// what the log and the index have, replaying the records that the index does not know, until the store takes
// operations. Plain values; blocking; used by one thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "experiments/bench/recovery_run.h"

namespace experiments::figures {

struct RecoverySettings {
  uint64_t records = 0, keys = 0, memory = 0, threads = 1, deltas = 1, recoveries = 1;
  double index_share = 0;  // of the records that the index checkpoint knows: 0 none, 1 it is of the same cut
  std::string kind;        // "fold-over", "snapshot", "incremental"
  bool cold = false;       // the page cache is asked to forget the files before each reading
};

struct PlainRead {
  double seconds = 0;
  uint64_t bytes = 0;
};

bench::RecoveredStore StoreOf(const RecoverySettings& settings, const std::string& folder);
// "" or what cannot be had together.
std::string CheckSettings(const RecoverySettings& settings);

// Of the recovery with the median time:
//   recovery_seconds, processor_seconds
//   replayed_records, replayed_share (of all), read_bytes
//   ns_per_record     time per replayed record; absent if fewer than 1 % of all were replayed
//   reading_seconds   for as many bytes as it read, at the rate of the plain readings (median)
//   over_reading      recovery_seconds / reading_seconds
using RecoveryMetrics = std::vector<std::pair<std::string, double>>;
RecoveryMetrics MetricsOf(const RecoverySettings& settings, std::vector<bench::Recovery> recoveries,
                          std::vector<PlainRead> reads);

}  // namespace experiments::figures
