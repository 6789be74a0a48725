// The properties that choose what is reported.
#include <algorithm>
#include <charconv>

#include "workloads/ycsb/report.h"

namespace workloads::ycsb {
namespace {

std::vector<std::string> Split(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    std::string part = text.substr(at, end - at);
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    parts.push_back(part);
    at = end + 1;
  }
  return parts;
}

bool IsPercentile(const std::string& text) {
  double number = -1;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  return parsed.ec == std::errc() && parsed.ptr == end && number >= 0 && number <= 100;
}

bool ParseTypes(const Properties& p, ReportPlan* plan, std::string* error) {
  std::string type, interval;
  // "basic" is YCSB-cpp's; what it prints is a part of what is printed here.
  if (!p.Choice("measurementtype", "hdrhistogram",
                {"hdrhistogram", "histogram", "hdrhistogram+histogram", "hdrhistogram+raw", "timeseries",
                 "raw", "basic"},
                &type, error) ||
      !p.Choice("measurement.interval", "op", {"op", "intended", "both"}, &interval, error)) {
    return false;
  }
  using enum MeasurementType;
  plan->types = type == "histogram"                ? std::vector{kHistogram}
                : type == "hdrhistogram+histogram" ? std::vector{kHdr, kHistogram}
                : type == "hdrhistogram+raw"       ? std::vector{kHdr, kRaw}
                : type == "timeseries"             ? std::vector{kTimeSeries}
                : type == "raw"                    ? std::vector{kRaw}
                                                   : std::vector{kHdr};
  plan->intervals = interval == "op"     ? Intervals::kOperation
                    : interval == "both" ? Intervals::kBoth
                                         : Intervals::kIntended;
  return true;
}

bool ParseExporter(const Properties& p, ReportPlan* plan, std::string* error) {
  std::string name = p.Text("exporter", "TextMeasurementsExporter");
  name.erase(0, name.rfind('.') + 1);  // of a class; npos + 1 is 0
  if (name == "TextMeasurementsExporter") {
    plan->exporter = Exporter::kText;
  } else if (name == "JSONMeasurementsExporter") {
    plan->exporter = Exporter::kJson;
  } else if (name == "JSONArrayMeasurementsExporter") {
    plan->exporter = Exporter::kJsonArray;
  } else {
    *error = p.Complaint("exporter",
                         "one of TextMeasurementsExporter, JSONMeasurementsExporter, "
                         "JSONArrayMeasurementsExporter (with or without site.ycsb.measurements.exporter.)");
    return false;
  }
  plan->export_file = p.Text("exportfile", "");
  if (p.Has("exportfile") && plan->export_file.empty()) *error = p.Complaint("exportfile", "a file's name");
  return error->empty();
}

bool ParseErrors(const Properties& p, ReportPlan* plan, std::string* error) {
  if (!p.Flag("reportlatencyforeacherror", false, &plan->each_error, error)) return false;
  if (!p.Has("latencytrackederrors")) return true;
  constexpr const char* kNames[] = {"ERROR",       "NOT_FOUND", "NOT_IMPLEMENTED",    "UNEXPECTED_STATE",
                                    "BAD_REQUEST", "FORBIDDEN", "SERVICE_UNAVAILABLE"};
  plan->tracked_errors = Split(p.Text("latencytrackederrors", ""));
  for (const std::string& name : plan->tracked_errors) {
    if (std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames)) continue;
    *error = p.Complaint("latencytrackederrors", "names of YCSB's results, such as NOT_FOUND,ERROR");
    return false;
  }
  return true;
}

}  // namespace

bool ReportPlan::keeps_points() const {
  return std::any_of(types.begin(), types.end(), [](MeasurementType type) {
    return type == MeasurementType::kRaw || type == MeasurementType::kTimeSeries;
  });
}

bool ParseReport(const Properties& p, ReportPlan* plan, std::string* error) {
  bool no_summary = false;
  if (!ParseTypes(p, plan, error) || !ParseExporter(p, plan, error) || !ParseErrors(p, plan, error) ||
      !p.Flag("measurement.histogram.verbose", false, &plan->verbose, error) ||
      !p.Number("histogram.buckets", 1000, 1, 1u << 20, &plan->buckets, error) ||
      !p.Number("timeseries.granularity", 1000, 1, 1u << 30, &plan->granularity, error) ||
      !p.Flag("measurement.raw.no_summary", false, &no_summary, error) ||
      !p.Flag("dataintegrity", false, &plan->verify, error)) {
    return false;
  }
  plan->raw_summary = !no_summary;
  plan->raw_file = p.Text("measurement.raw.output_file", "");
  plan->percentiles = Split(p.Text("hdrhistogram.percentiles", "50,95,99"));
  if (std::all_of(plan->percentiles.begin(), plan->percentiles.end(), IsPercentile)) return true;
  *error = p.Complaint("hdrhistogram.percentiles", "numbers from 0 to 100 with commas between");
  return false;
}

}  // namespace workloads::ycsb
