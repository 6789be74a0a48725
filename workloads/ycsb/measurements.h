// Measurements: what one thread did and how long a sample of it took, by YCSB's names; summed up at the end.
//
// Every operation is counted; every 64th is timed (two clock readings would cost as much as an operation), so
// "Operations" is exact and latencies are of the sample. One thread each; Merge() when it has ended.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "faster/core/status.h"
#include "workloads/histogram.h"

namespace workloads::ycsb {

enum class Metric : uint8_t { kRead, kUpdate, kInsert, kReadModifyWrite, kRmw };
constexpr int kMetrics = 5;
constexpr uint64_t kSampleEvery = 64;  // a power of two

struct Measured {
  LatencyHistogram nanoseconds;
  uint64_t ok = 0;
  uint64_t not_found = 0;
  uint64_t error = 0;
  uint64_t operations() const { return ok + not_found + error; }
};

class Measurements {
 public:
  Measured& of(Metric metric) { return measured_[static_cast<size_t>(metric)]; }
  const Measured& of(Metric metric) const { return measured_[static_cast<size_t>(metric)]; }
  void Count(Metric metric, faster::Status status) {
    Measured& measured = of(metric);
    if (status == faster::Status::kOk) [[likely]]
      ++measured.ok;
    else if (status == faster::Status::kNotFound)
      ++measured.not_found;
    else
      ++measured.error;
  }
  void Merge(const Measurements& other);
  // What was measured after `before`, an earlier copy of this one.
  Measurements Since(const Measurements& before) const;
  uint64_t errors() const;

 private:
  std::array<Measured, kMetrics> measured_;
};

const char* MetricName(Metric metric);

struct ReportLine {
  std::string metric, measurement, value;
};
// YCSB's final report: [OVERALL] and a block per operation that occurred.
std::vector<ReportLine> Report(const Measurements& measurements, double seconds, uint64_t operations);

}  // namespace workloads::ycsb
