// Report: YCSB's final report, for each of its measurement types, and its exporters.
//
// Names, order and units are those of YCSB's OneMeasurement* classes; latencies are in us with three decimals
// (an operation takes less than one). Pure functions of what was measured; ParseReport reads the properties
// that choose among them.
#pragma once

#include <string>
#include <vector>

#include "workloads/properties.h"
#include "workloads/ycsb/measurements.h"

namespace workloads::ycsb {

// hdrhistogram+histogram and hdrhistogram+raw are two types, whose names are "HdrREAD" and "BucketREAD".
enum class MeasurementType : uint8_t { kHdr, kHistogram, kRaw, kTimeSeries };
enum class Exporter : uint8_t { kText, kJson, kJsonArray };
enum class Intervals : uint8_t { kOperation, kIntended, kBoth };

struct ReportPlan {
  std::vector<MeasurementType> types = {MeasurementType::kHdr};
  Intervals intervals = Intervals::kOperation;
  std::vector<std::string> percentiles = {"50", "95", "99"};  // as they were written
  bool verbose = false;                                       // buckets of the histograms
  uint64_t buckets = 1000;                                    // of 1 ms
  uint64_t granularity = 1000;                                // of the time series, ms
  bool each_error = false;                                    // latencies of errors by what they were
  std::vector<std::string> tracked_errors;                    // those of these only
  bool raw_summary = true;
  std::string raw_file;  // "": stdout
  bool verify = false;   // dataintegrity
  Exporter exporter = Exporter::kText;
  std::string export_file;  // "": stdout

  bool keeps_points() const;
};

bool ParseReport(const Properties& properties, ReportPlan* plan, std::string* error);

// What a phase measured.
struct PhaseMeasurements {
  double seconds = 0;
  uint64_t operations = 0;
  uint64_t torn = 0;
  Measurements measurements;
  Measurements intended;      // from when an operation should have begun; if asked for
  std::vector<Point> points;  // if asked for
  double began = 0;           // ms since 1970
};

struct ReportLine {
  std::string metric, measurement, value;  // the value is a number
};
// [OVERALL] and a block per operation that occurred.
std::vector<ReportLine> Report(const PhaseMeasurements& phase, const ReportPlan& plan);
// measurementtype=raw: "READ,<ms since 1970>,<us>" for every operation that was timed, with YCSB's headlines;
// "" for other types.
std::string RawLines(const PhaseMeasurements& phase, const ReportPlan& plan);
// The report as YCSB-cpp prints it; `name` is "Load" or "Run".
std::string CppReport(const PhaseMeasurements& phase, const std::string& name);

std::string Exported(const std::vector<ReportLine>& lines, Exporter exporter);

// "READ", or "RawREAD" if there is another type beside it.
std::string NameOf(const std::string& name, MeasurementType type, size_t types);
// "50th", "99.9": as YCSB names a percentile.
std::string Ordinal(const std::string& percentile);

}  // namespace workloads::ycsb
