// Measurements: what one thread did and how long a sample of it took, by YCSB's names; summed up at the end.
//
// Every operation is counted; every 64th is timed (two clock readings would cost as much as an operation)
// unless all are asked for, so counts are exact and latencies are of the sample. As in YCSB the latencies of
// operations that failed are kept apart. One thread each; Merge() when it has ended.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "faster/core/status.h"
#include "workloads/histogram.h"

namespace workloads::ycsb {

enum class Metric : uint8_t { kRead, kUpdate, kInsert, kReadModifyWrite, kRmw };
constexpr int kMetrics = 5;
constexpr uint64_t kSampleEvery = 64;  // a power of two

struct Measured {
  LatencyHistogram nanoseconds;  // of those that were ok
  std::optional<LatencyHistogram> not_found_nanoseconds, error_nanoseconds;
  uint64_t ok = 0;
  uint64_t not_found = 0;
  uint64_t error = 0;
  uint64_t operations() const { return ok + not_found + error; }
  std::optional<LatencyHistogram>& OthersFor(faster::Status status) {
    return status == faster::Status::kNotFound ? not_found_nanoseconds : error_nanoseconds;
  }
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
  void Time(Metric metric, faster::Status status, uint64_t nanoseconds) {
    if (status == faster::Status::kOk) [[likely]]
      of(metric).nanoseconds.Record(nanoseconds);
    else
      TimeOther(&of(metric).OthersFor(status), nanoseconds);
  }
  void Merge(const Measurements& other);
  // What was measured after `before`, an earlier copy of this one.
  Measurements Since(const Measurements& before) const;
  uint64_t errors() const;

 private:
  static void TimeOther(std::optional<LatencyHistogram>* times, uint64_t nanoseconds);

  std::array<Measured, kMetrics> measured_;
};

const char* MetricName(Metric metric);

// One operation that was timed.
struct Point {
  uint64_t ended;  // nanoseconds since the phase began
  uint64_t nanoseconds;
  Metric metric;
  faster::Status status;
};

}  // namespace workloads::ycsb
