#include "workloads/ycsb/measurements.h"

namespace workloads::ycsb {
namespace {

using Times = std::optional<LatencyHistogram>;

void MergeTimes(Times* times, const Times& other) {
  if (!other) return;
  if (!*times) times->emplace();
  (*times)->Merge(*other);
}

Times TimesSince(const Times& times, const Times& before) {
  return times && before ? times->Since(*before) : times;
}

}  // namespace

const char* MetricName(Metric metric) {
  constexpr const char* kNames[kMetrics] = {"READ", "UPDATE", "INSERT", "READ-MODIFY-WRITE", "RMW"};
  return kNames[static_cast<size_t>(metric)];
}

void Measurements::TimeOther(Times* times, uint64_t nanoseconds) {
  if (!*times) times->emplace();
  (*times)->Record(nanoseconds);
}

void Measurements::Merge(const Measurements& other) {
  for (int i = 0; i < kMetrics; ++i) {
    Measured& mine = measured_[i];
    const Measured& others = other.measured_[i];
    mine.nanoseconds.Merge(others.nanoseconds);
    MergeTimes(&mine.not_found_nanoseconds, others.not_found_nanoseconds);
    MergeTimes(&mine.error_nanoseconds, others.error_nanoseconds);
    mine.ok += others.ok;
    mine.not_found += others.not_found;
    mine.error += others.error;
  }
}

Measurements Measurements::Since(const Measurements& before) const {
  Measurements later;
  for (int i = 0; i < kMetrics; ++i) {
    const Measured &now = measured_[i], &then = before.measured_[i];
    Measured& since = later.measured_[i];
    since.nanoseconds = now.nanoseconds.Since(then.nanoseconds);
    since.not_found_nanoseconds = TimesSince(now.not_found_nanoseconds, then.not_found_nanoseconds);
    since.error_nanoseconds = TimesSince(now.error_nanoseconds, then.error_nanoseconds);
    since.ok = now.ok - then.ok;
    since.not_found = now.not_found - then.not_found;
    since.error = now.error - then.error;
  }
  return later;
}

uint64_t Measurements::errors() const {
  uint64_t errors = 0;
  for (const Measured& measured : measured_) errors += measured.error;
  return errors;
}

}  // namespace workloads::ycsb
