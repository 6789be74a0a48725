#include "workloads/ycsb/measurements.h"

#include <cstdio>

namespace workloads::ycsb {
namespace {

std::string Decimal(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3f", number);
  return text;
}
std::string Microseconds(uint64_t nanoseconds) { return Decimal(static_cast<double>(nanoseconds) / 1000); }

}  // namespace

const char* MetricName(Metric metric) {
  constexpr const char* kNames[kMetrics] = {"READ", "UPDATE", "INSERT", "READ-MODIFY-WRITE", "RMW"};
  return kNames[static_cast<size_t>(metric)];
}

void Measurements::Merge(const Measurements& other) {
  for (int i = 0; i < kMetrics; ++i) {
    measured_[i].nanoseconds.Merge(other.measured_[i].nanoseconds);
    measured_[i].ok += other.measured_[i].ok;
    measured_[i].not_found += other.measured_[i].not_found;
    measured_[i].error += other.measured_[i].error;
  }
}

Measurements Measurements::Since(const Measurements& before) const {
  Measurements later;
  for (int i = 0; i < kMetrics; ++i) {
    const Measured& then = before.measured_[i];
    later.measured_[i].nanoseconds = measured_[i].nanoseconds.Since(then.nanoseconds);
    later.measured_[i].ok = measured_[i].ok - then.ok;
    later.measured_[i].not_found = measured_[i].not_found - then.not_found;
    later.measured_[i].error = measured_[i].error - then.error;
  }
  return later;
}

uint64_t Measurements::errors() const {
  uint64_t errors = 0;
  for (const Measured& measured : measured_) errors += measured.error;
  return errors;
}

std::vector<ReportLine> Report(const Measurements& measurements, double seconds, uint64_t operations) {
  std::vector<ReportLine> lines;
  lines.push_back({"OVERALL", "RunTime(ms)", std::to_string(static_cast<uint64_t>(seconds * 1000 + 0.5))});
  lines.push_back({"OVERALL", "Throughput(ops/sec)",
                   Decimal(seconds > 0 ? static_cast<double>(operations) / seconds : 0)});
  for (int i = 0; i < kMetrics; ++i) {
    const Metric metric = static_cast<Metric>(i);
    const Measured& measured = measurements.of(metric);
    if (measured.operations() == 0) continue;
    const LatencyHistogram& times = measured.nanoseconds;
    const std::string name = MetricName(metric);
    lines.push_back({name, "Operations", std::to_string(measured.operations())});
    if (times.count() != 0) {
      lines.push_back({name, "AverageLatency(us)", Decimal(times.mean() / 1000)});
      lines.push_back({name, "MinLatency(us)", Microseconds(times.min())});
      lines.push_back({name, "MaxLatency(us)", Microseconds(times.max())});
      lines.push_back({name, "50thPercentileLatency(us)", Microseconds(times.Percentile(50))});
      lines.push_back({name, "95thPercentileLatency(us)", Microseconds(times.Percentile(95))});
      lines.push_back({name, "99thPercentileLatency(us)", Microseconds(times.Percentile(99))});
    }
    if (measured.ok != 0) lines.push_back({name, "Return=OK", std::to_string(measured.ok)});
    if (measured.not_found != 0)
      lines.push_back({name, "Return=NOT_FOUND", std::to_string(measured.not_found)});
    if (measured.error != 0) lines.push_back({name, "Return=ERROR", std::to_string(measured.error)});
  }
  return lines;
}

}  // namespace workloads::ycsb
