#include "workloads/ycsb/report.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>

namespace workloads::ycsb {
namespace {

std::string Decimal(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3f", number);
  return text;
}
std::string Microseconds(uint64_t nanoseconds) { return Decimal(static_cast<double>(nanoseconds) / 1000); }

// What is reported under one name: latencies, and counts of results if it is an operation's own name.
struct Entry {
  std::string name;
  uint64_t operations = 0;
  LatencyHistogram times;
  const Measured* results = nullptr;
  std::vector<const Point*> points;
};

class Writer {
 public:
  Writer(const PhaseMeasurements& phase, const ReportPlan& plan) : phase_(phase), plan_(plan) {}

  std::vector<ReportLine> Take() && { return std::move(lines_); }
  void Add(const std::string& metric, const std::string& measurement, std::string value) {
    lines_.push_back({metric, measurement, std::move(value)});
  }
  void AddOverall() {
    const double seconds = phase_.seconds;
    Add("OVERALL", "RunTime(ms)", std::to_string(static_cast<uint64_t>(seconds * 1000 + 0.5)));
    Add("OVERALL", "Throughput(ops/sec)",
        Decimal(seconds > 0 ? static_cast<double>(phase_.operations) / seconds : 0));
  }
  void AddEntry(const Entry& entry) {
    for (const MeasurementType type : plan_.types) {
      name_ = NameOf(entry.name, type, plan_.types.size());
      switch (type) {
        case MeasurementType::kHdr:
          AddHdr(entry);
          break;
        case MeasurementType::kHistogram:
          AddHistogram(entry);
          break;
        case MeasurementType::kRaw:
          AddRaw(entry);
          break;
        case MeasurementType::kTimeSeries:
          AddTimeSeries(entry);
          break;
      }
    }
  }
  void AddVerify() {
    const uint64_t read = phase_.measurements.of(Metric::kRead).ok, torn = std::min(read, phase_.torn);
    if (read == 0) return;
    Add("VERIFY", "Operations", std::to_string(read));
    if (read != torn) Add("VERIFY", "Return=OK", std::to_string(read - torn));
    if (torn != 0) Add("VERIFY", "Return=UNEXPECTED_STATE", std::to_string(torn));
  }

 private:
  static bool HasTimes(const Entry& entry) { return entry.times.count() != 0; }

  void AddBasics(const Entry& entry, bool variance) {
    Add(name_, "Operations", std::to_string(entry.operations));
    if (!HasTimes(entry)) return;
    Add(name_, "AverageLatency(us)", Decimal(entry.times.mean() / 1000));
    if (variance) Add(name_, "LatencyVariance(us)", Decimal(Variance(entry.times)));
    Add(name_, "MinLatency(us)", Microseconds(entry.times.min()));
    Add(name_, "MaxLatency(us)", Microseconds(entry.times.max()));
  }
  void AddReturns(const Entry& entry) {
    if (entry.results == nullptr) return;
    const std::pair<const char*, uint64_t> counts[] = {
        {"OK", entry.results->ok}, {"NOT_FOUND", entry.results->not_found}, {"ERROR", entry.results->error}};
    for (const auto& [result, count] : counts) {
      if (count != 0) Add(name_, std::string("Return=") + result, std::to_string(count));
    }
  }

  void AddHdr(const Entry& entry) {
    AddBasics(entry, false);
    for (const std::string& percentile : plan_.percentiles) {
      if (HasTimes(entry))
        Add(name_, Ordinal(percentile) + "PercentileLatency(us)",
            Microseconds(entry.times.Percentile(std::strtod(percentile.c_str(), nullptr))));
    }
    AddReturns(entry);
    if (!plan_.verbose || !HasTimes(entry)) return;
    entry.times.ForEachBucket([&](uint64_t, uint64_t last, uint64_t count) {
      Add(name_, Microseconds(std::min(last, entry.times.max())), std::to_string(count));
    });
  }

  // Of the histogram's buckets, which are at most 1/256 of their value wide.
  static double Variance(const LatencyHistogram& times) {
    double squares = 0;
    times.ForEachBucket([&](uint64_t first, uint64_t last, uint64_t count) {
      const double us = (static_cast<double>(first) + static_cast<double>(last)) / 2000;
      squares += us * us * static_cast<double>(count);
    });
    const double mean = times.mean() / 1000;
    return std::max(squares / static_cast<double>(times.count()) - mean * mean, 0.0);
  }

  void AddHistogram(const Entry& entry) {
    AddBasics(entry, true);
    std::vector<uint64_t> buckets(plan_.buckets);
    uint64_t beyond = 0, all = 0;
    if (HasTimes(entry)) {
      all = entry.times.count();
      entry.times.ForEachBucket([&](uint64_t first, uint64_t, uint64_t count) {
        const uint64_t ms = first / 1'000'000;
        (ms < buckets.size() ? buckets[ms] : beyond) += count;
      });
      for (const double percent : {95.0, 99.0}) {
        uint64_t seen = 0;
        for (size_t ms = 0; ms < buckets.size(); ++ms) {
          seen += buckets[ms];
          if (static_cast<double>(seen) / static_cast<double>(all) < percent / 100) continue;
          Add(name_, Ordinal(std::to_string(static_cast<int>(percent))) + "PercentileLatency(us)",
              std::to_string(ms * 1000));
          break;
        }
      }
    }
    AddReturns(entry);
    if (!plan_.verbose) return;
    for (size_t ms = 0; ms < buckets.size(); ++ms)
      Add(name_, std::to_string(ms), std::to_string(buckets[ms]));
    Add(name_, ">" + std::to_string(buckets.size()), std::to_string(beyond));
  }

  void AddTimeSeries(const Entry& entry) {
    AddBasics(entry, false);
    AddReturns(entry);
    std::map<uint64_t, std::pair<uint64_t, uint64_t>> units;  // ms: sum of ns, count
    for (const Point* point : entry.points) {
      auto& [sum, count] = units[point->ended / 1'000'000 / plan_.granularity * plan_.granularity];
      sum += point->nanoseconds;
      ++count;
    }
    for (const auto& [ms, unit] : units) {
      Add(name_, std::to_string(ms),
          Decimal(static_cast<double>(unit.first) / 1000 / static_cast<double>(unit.second)));
    }
  }

  void AddRaw(const Entry& entry) {
    std::vector<uint64_t> sorted;
    for (const Point* point : entry.points) sorted.push_back(point->nanoseconds);
    std::sort(sorted.begin(), sorted.end());
    Add(name_, "Total Operations", std::to_string(sorted.size()));
    if (!sorted.empty() && plan_.raw_summary) {
      double sum = 0;
      for (const uint64_t time : sorted) sum += static_cast<double>(time);
      const double count = static_cast<double>(sorted.size());
      Add(name_, "Below is a summary of latency in microseconds:", "-1");
      Add(name_, "Average", Decimal(sum / count / 1000));
      Add(name_, "Min", Microseconds(sorted.front()));
      Add(name_, "Max", Microseconds(sorted.back()));
      const std::pair<const char*, double> marks[] = {{"p1", 0.01},     {"p5", 0.05},      {"p50", 0.5},
                                                      {"p90", 0.9},     {"p95", 0.95},     {"p99", 0.99},
                                                      {"p99.9", 0.999}, {"p99.99", 0.9999}};
      for (const auto& [name, part] : marks)
        Add(name_, name, Microseconds(sorted[static_cast<size_t>(count * part)]));
    }
    AddReturns(entry);
  }

  const PhaseMeasurements& phase_;
  const ReportPlan& plan_;
  std::vector<ReportLine> lines_;
  std::string name_;
};

// The entries of a report: each operation's own, and those of what failed.
class Entries {
 public:
  Entries(const PhaseMeasurements& phase, const ReportPlan& plan) : phase_(phase), plan_(plan) {}

  std::vector<Entry> Take() && {
    const bool intended_only = plan_.intervals == Intervals::kIntended;
    AddAll(intended_only ? phase_.intended : phase_.measurements, "", true);
    if (plan_.intervals == Intervals::kBoth) AddAll(phase_.intended, "Intended-", false);
    return std::move(entries_);
  }

 private:
  void AddAll(const Measurements& latencies, const std::string& prefix, bool own) {
    for (int i = 0; i < kMetrics; ++i) {
      const Metric metric = static_cast<Metric>(i);
      const Measured& counts = phase_.measurements.of(metric);
      const Measured& times = latencies.of(metric);
      if (counts.operations() == 0) continue;
      const std::string name = prefix + MetricName(metric);
      entries_.push_back({name, counts.ok, times.nanoseconds, own ? &counts : nullptr, {}});
      if (own) TakePoints(metric, [](const char* result) { return result == nullptr; });
      AddFailed(metric, name, own, counts, times);
    }
  }

  void AddFailed(Metric metric, const std::string& name, bool own, const Measured& counts,
                 const Measured& times) {
    struct Kind {
      const char* result;
      uint64_t count;
      const std::optional<LatencyHistogram>& times;
    };
    Entry failed{name + "-FAILED", 0, {}, nullptr, {}};
    for (const Kind& kind : {Kind{"NOT_FOUND", counts.not_found, times.not_found_nanoseconds},
                             Kind{"ERROR", counts.error, times.error_nanoseconds}}) {
      if (kind.count == 0) continue;
      if (!IsTracked(kind.result)) {
        failed.operations += kind.count;
        if (kind.times) failed.times.Merge(*kind.times);
        continue;
      }
      entries_.push_back(
          {name + "-" + kind.result, kind.count, kind.times ? *kind.times : LatencyHistogram(), nullptr, {}});
      if (own)
        TakePoints(metric, [&](const char* result) {
          return result != nullptr && result == std::string(kind.result);
        });
    }
    if (failed.operations == 0) return;
    entries_.push_back(std::move(failed));
    if (own) TakePoints(metric, [&](const char* result) { return result != nullptr && !IsTracked(result); });
  }

  bool IsTracked(const std::string& result) const {
    const auto& tracked = plan_.tracked_errors;
    return plan_.each_error || std::find(tracked.begin(), tracked.end(), result) != tracked.end();
  }
  // Of the last entry; `wanted` is told what the operation failed with, null if it did not.
  template <class Wanted>
  void TakePoints(Metric metric, const Wanted& wanted) {
    for (const Point& point : phase_.points) {
      const bool good = point.status == faster::Status::kOk;
      const char* const result = point.status == faster::Status::kNotFound ? "NOT_FOUND" : "ERROR";
      if (point.metric == metric && wanted(good ? nullptr : result)) entries_.back().points.push_back(&point);
    }
  }

  const PhaseMeasurements& phase_;
  const ReportPlan& plan_;
  std::vector<Entry> entries_;
};

}  // namespace

std::string NameOf(const std::string& name, MeasurementType type, size_t types) {
  if (types < 2) return name;
  return (type == MeasurementType::kHdr ? "Hdr" : type == MeasurementType::kRaw ? "Raw" : "Bucket") + name;
}

std::string Ordinal(const std::string& percentile) {
  const double number = std::strtod(percentile.c_str(), nullptr);
  const int whole = static_cast<int>(number);
  if (number != whole) return percentile;
  constexpr const char* kSuffixes[] = {"th", "st", "nd", "rd", "th", "th", "th", "th", "th", "th"};
  const bool teen = whole % 100 >= 11 && whole % 100 <= 13;
  return std::to_string(whole) + (teen ? "th" : kSuffixes[whole % 10]);
}

std::vector<ReportLine> Report(const PhaseMeasurements& phase, const ReportPlan& plan) {
  Writer writer(phase, plan);
  writer.AddOverall();
  for (const Entry& entry : Entries(phase, plan).Take()) writer.AddEntry(entry);
  if (plan.verify) writer.AddVerify();
  return std::move(writer).Take();
}

std::string RawLines(const PhaseMeasurements& phase, const ReportPlan& plan) {
  if (std::find(plan.types.begin(), plan.types.end(), MeasurementType::kRaw) == plan.types.end()) return "";
  std::string text;
  for (const Entry& entry : Entries(phase, plan).Take()) {
    if (entry.points.empty()) continue;
    const std::string name = NameOf(entry.name, MeasurementType::kRaw, plan.types.size());
    text += name + " latency raw data: op, timestamp(ms), latency(us)\n";
    for (const Point* point : entry.points) {
      const double ended = phase.began + static_cast<double>(point->ended) / 1e6;
      text += name + "," + std::to_string(static_cast<uint64_t>(ended)) + "," +
              Microseconds(point->nanoseconds) + "\n";
    }
  }
  return text;
}

std::string CppReport(const PhaseMeasurements& phase, const std::string& name) {
  const double rate = phase.seconds > 0 ? static_cast<double>(phase.operations) / phase.seconds : 0;
  char text[256];
  std::snprintf(text, sizeof text,
                "%s runtime(sec): %g\n%s operations(ops): %llu\n%s throughput(ops/sec): %g\n", name.c_str(),
                phase.seconds, name.c_str(), static_cast<unsigned long long>(phase.operations), name.c_str(),
                rate);
  return text;
}

std::string Exported(const std::vector<ReportLine>& lines, Exporter exporter) {
  std::string text = exporter == Exporter::kJsonArray ? "[ " : "";
  bool first = true;
  for (const ReportLine& line : lines) {
    if (exporter == Exporter::kText) {
      text += "[" + line.metric + "], " + line.measurement + ", " + line.value + "\n";
      continue;
    }
    if (!first) text += exporter == Exporter::kJsonArray ? ", " : "\n";
    first = false;
    // Names and numbers of ours: nothing in them needs an escape.
    text += "{\n  \"metric\" : \"" + line.metric + "\",\n  \"measurement\" : \"" + line.measurement +
            "\",\n  \"value\" : " + line.value + "\n}";
  }
  return text + (exporter == Exporter::kText ? "" : exporter == Exporter::kJsonArray ? " ]\n" : "\n");
}

}  // namespace workloads::ycsb
