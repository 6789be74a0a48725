#include "experiments/figures/recovery/recovery_cell.h"

#include <algorithm>
#include <cmath>

#include "experiments/bench/statistics.h"

namespace experiments::figures {
namespace {
// Of all records: below it the time is of something else.
constexpr double kEnough = 0.01;
}  // namespace

bench::RecoveredStore StoreOf(const RecoverySettings& settings, const std::string& folder) {
  bench::RecoveredStore store;
  store.folder = folder;
  store.records = settings.records;
  store.keys = settings.keys;
  store.memory_bytes = settings.memory;
  store.snapshot = settings.kind != "fold-over";
  store.index = settings.index_share == 1;
  store.deltas = settings.kind == "incremental" ? static_cast<uint32_t>(settings.deltas) : 0;
  if (!store.index)
    store.index_after =
        static_cast<uint64_t>(std::llround(settings.index_share * static_cast<double>(settings.records)));
  return store;
}

std::string CheckSettings(const RecoverySettings& settings) {
  if (settings.keys > settings.records) return "keys: not more than records";
  if (settings.kind == "incremental" && settings.index_share == 1)
    return "index_share: below 1 with kind incremental, which does not write the index";
  return "";
}

RecoveryMetrics MetricsOf(const RecoverySettings& settings, std::vector<bench::Recovery> recoveries,
                          std::vector<PlainRead> reads) {
  std::sort(recoveries.begin(), recoveries.end(),
            [](const bench::Recovery& a, const bench::Recovery& b) { return a.seconds < b.seconds; });
  const bench::Recovery& recovery = recoveries[recoveries.size() / 2];
  std::vector<double> seconds_per_byte;
  for (const PlainRead& read : reads)
    seconds_per_byte.push_back(read.seconds / static_cast<double>(std::max<uint64_t>(read.bytes, 1)));
  const double reading = bench::Median(seconds_per_byte) * static_cast<double>(recovery.bytes);
  const double replayed = static_cast<double>(recovery.records);
  RecoveryMetrics metrics = {{"recovery_seconds", recovery.seconds},
                             {"processor_seconds", recovery.processor},
                             {"replayed_records", replayed},
                             {"replayed_share", replayed / static_cast<double>(settings.records)},
                             {"read_bytes", static_cast<double>(recovery.bytes)}};
  if (replayed >= kEnough * static_cast<double>(settings.records))
    metrics.emplace_back("ns_per_record", recovery.seconds * 1e9 / replayed);
  if (reading > 0) {
    metrics.emplace_back("reading_seconds", reading);
    metrics.emplace_back("over_reading", recovery.seconds / reading);
  }
  return metrics;
}

}  // namespace experiments::figures
