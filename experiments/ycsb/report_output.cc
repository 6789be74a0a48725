#include "experiments/ycsb/report_output.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

namespace experiments::ycsb {
namespace {

using nlohmann::ordered_json;
using workloads::ycsb::Exporter;
using workloads::ycsb::MeasurementType;
using workloads::ycsb::PhaseResult;
using workloads::ycsb::ReportLine;

bool Put(const std::string& path, const char* mode, const std::string& text, std::string* error) {
  std::FILE* const file = std::fopen(path.c_str(), mode);
  const bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const int code = errno;
  const bool closed = file == nullptr || std::fclose(file) == 0;
  if (written && closed) return true;
  *error = path + ": cannot be written: " + std::strerror(code);
  return false;
}

// Of whole samples (the first of a phase and the rest at its end are none), while the index grew and all.
std::vector<ReportLine> GrowthLines(const PhaseResult& phase) {
  if (phase.index_sizes.empty()) return {};
  const auto& sizes = phase.index_sizes;
  std::vector<double> rates;
  for (size_t i = 1; i + 1 < phase.samples.size(); ++i) {
    const auto &before = phase.samples[i - 1], &sample = phase.samples[i];
    rates.push_back(static_cast<double>(sample.operations - before.operations) /
                    std::max(sample.seconds - before.seconds, 1e-6));
  }
  std::sort(rates.begin(), rates.end());
  std::vector<ReportLine> lines{{"GROWTH", "Buckets at start", std::to_string(sizes.front().buckets)},
                                {"GROWTH", "Buckets at end", std::to_string(sizes.back().buckets)},
                                {"GROWTH", "LastGrowthEnded(s)", Decimal(sizes.back().seconds, 2)}};
  if (rates.empty()) return lines;
  lines.push_back({"GROWTH", "WorstSample(ops/sec)", Decimal(rates.front(), 0)});
  lines.push_back({"GROWTH", "MedianSample(ops/sec)", Decimal(rates[rates.size() / 2], 0)});
  return lines;
}

class Printer {
 public:
  Printer(const Options& options, const RunOutcome& outcome) : options_(options), outcome_(outcome) {}

  bool Print(std::string* error) const {
    if (outcome_.loaded && !Phase("load", outcome_.load, !outcome_.ran, error)) return false;
    if (PrintsText(options_)) Say(Exported(MemoryReport(options_, outcome_), Exporter::kText));
    if (outcome_.ran && !Phase("run", outcome_.run, true, error)) return false;
    if (!PrintsText(options_)) return true;
    if (!options_.spec.time_all)
      std::printf("# latencies: of every %lluth operation\n",
                  static_cast<unsigned long long>(workloads::ycsb::kSampleEvery));
    if (options_.checkpoint_every > 0) {
      std::printf("# checkpoints: %llu durable of %zu requested\n",
                  static_cast<unsigned long long>(outcome_.durable()), outcome_.checkpoints.size());
    }
    return true;
  }

 private:
  static void Say(const std::string& text) { std::fputs(text.c_str(), stdout); }

  bool Phase(const std::string& name, const PhaseResult& phase, bool last, std::string* error) const {
    const workloads::ycsb::ReportPlan& plan = options_.report;
    const std::string raw = RawLines(phase, plan);
    if (!plan.raw_file.empty() && !Put(plan.raw_file, "a", raw, error)) return false;
    std::vector<ReportLine> lines = Report(phase, plan);
    const bool exports = last && !plan.export_file.empty();
    if (exports && !Put(plan.export_file, "w", Exported(lines, plan.exporter), error)) return false;
    const std::vector<ReportLine> growth = GrowthLines(phase);
    if (options_.json) {
      lines.insert(lines.end(), growth.begin(), growth.end());
      SayJson(name, lines);
      return true;
    }
    if (PrintsText(options_) && outcome_.loaded && outcome_.ran) Say("# " + name + " phase\n");
    if (plan.raw_file.empty()) Say(raw);
    if (options_.cpp_report) {
      Say(CppReport(phase, name == "load" ? "Load" : "Run"));
      return true;
    }
    if (exports) lines.clear();
    lines.insert(lines.end(), growth.begin(), growth.end());
    Say(Exported(lines, exports ? Exporter::kText : plan.exporter));
    return true;
  }

  static void SayJson(const std::string& name, const std::vector<ReportLine>& lines) {
    ordered_json array = ordered_json::array();
    for (const ReportLine& line : lines) {
      array.push_back({{"phase", name},
                       {"metric", line.metric},
                       {"measurement", line.measurement},
                       {"value", line.value}});
    }
    Say(array.dump(1) + "\n");
  }

  const Options& options_;
  const RunOutcome& outcome_;
};

}  // namespace

bool PrintsText(const Options& options) {
  return !options.json && (options.report.exporter == Exporter::kText || !options.report.export_file.empty());
}

workloads::ycsb::StatusStyle StatusStyleOf(const Options& options) {
  workloads::ycsb::StatusStyle style;
  style.types = options.report.types;
  style.cpp = options.cpp_report;
  style.on_stdout = style.cpp || style.types.front() == MeasurementType::kTimeSeries;
  return style;
}

bool CheckReportFiles(const Options& options, std::string* error) {
  for (const std::string& path : {options.report.export_file, options.report.raw_file}) {
    if (!path.empty() && !Put(path, "a", "", error)) return false;
  }
  return true;
}

bool PrintReport(const Options& options, const RunOutcome& outcome, std::string* error) {
  return Printer(options, outcome).Print(error);
}

std::vector<ReportLine> MemoryReport(const Options& options, const RunOutcome& outcome) {
  std::vector<ReportLine> lines;
  const auto add = [&](const char* name, double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.2f", value);
    lines.push_back({"MEMORY", name, text});
  };
  const double keys = static_cast<double>(outcome.load.operations);
  if (!outcome.loaded || keys == 0) return lines;
  add("ResidentBytesPerKey", static_cast<double>(outcome.resident_bytes) / keys);
  if (!options.ours) return lines;
  add("LogBytesPerKey", static_cast<double>(outcome.log_bytes) / keys);
  add("IndexBytesPerKey", static_cast<double>(outcome.index_bytes) / keys);
  add("RecordBytes", static_cast<double>(options.spec.record_bytes()));
  return lines;
}

}  // namespace experiments::ycsb
