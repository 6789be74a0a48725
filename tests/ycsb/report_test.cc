// YCSB's report for each measurement type, its exporters, and the properties that choose among them.
#include "workloads/ycsb/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace workloads::ycsb {
namespace {

using faster::Status;

// Reads of 1 to 100 us and two that failed, an update of 2.5 ms, all of them timed.
PhaseMeasurements Measured() {
  PhaseMeasurements phase;
  phase.seconds = 2;
  phase.began = 1'000'000;
  const auto done = [&](Metric metric, Status status, uint64_t us, uint64_t ended_ms) {
    phase.measurements.Count(metric, status);
    phase.measurements.Time(metric, status, us * 1000);
    phase.intended.Time(metric, status, us * 2000);
    phase.points.push_back({ended_ms * 1'000'000, us * 1000, metric, status});
    ++phase.operations;
  };
  for (uint64_t us = 1; us <= 100; ++us) done(Metric::kRead, Status::kOk, us, us < 50 ? 100 : 2500);
  done(Metric::kRead, Status::kNotFound, 7, 3);
  done(Metric::kRead, Status::kIoError, 9, 4);
  done(Metric::kUpdate, Status::kOk, 2500, 5);
  return phase;
}

ReportPlan Plan(std::initializer_list<const char*> assignments) {
  Properties properties;
  ReportPlan plan;
  std::string error;
  for (const char* assignment : assignments) EXPECT_TRUE(properties.Assign(assignment, &error)) << error;
  EXPECT_TRUE(ParseReport(properties, &plan, &error)) << error;
  return plan;
}

std::string Text(std::initializer_list<const char*> assignments) {
  return Exported(Report(Measured(), Plan(assignments)), Exporter::kText);
}

constexpr const char* kOverall = "[OVERALL], RunTime(ms), 2000\n[OVERALL], Throughput(ops/sec), 51.500\n";

TEST(Report, HdrHistogramAsYcsbWritesIt) {
  EXPECT_EQ(Text({}), std::string(kOverall) +
                          "[READ], Operations, 100\n"
                          "[READ], AverageLatency(us), 50.500\n"
                          "[READ], MinLatency(us), 1.000\n"
                          "[READ], MaxLatency(us), 100.000\n"
                          "[READ], 50thPercentileLatency(us), 50.047\n"
                          "[READ], 95thPercentileLatency(us), 95.231\n"
                          "[READ], 99thPercentileLatency(us), 99.071\n"
                          "[READ], Return=OK, 100\n"
                          "[READ], Return=NOT_FOUND, 1\n"
                          "[READ], Return=ERROR, 1\n"
                          "[READ-FAILED], Operations, 2\n"
                          "[READ-FAILED], AverageLatency(us), 8.000\n"
                          "[READ-FAILED], MinLatency(us), 7.000\n"
                          "[READ-FAILED], MaxLatency(us), 9.000\n"
                          "[READ-FAILED], 50thPercentileLatency(us), 7.007\n"
                          "[READ-FAILED], 95thPercentileLatency(us), 9.000\n"
                          "[READ-FAILED], 99thPercentileLatency(us), 9.000\n"
                          "[UPDATE], Operations, 1\n"
                          "[UPDATE], AverageLatency(us), 2500.000\n"
                          "[UPDATE], MinLatency(us), 2500.000\n"
                          "[UPDATE], MaxLatency(us), 2500.000\n"
                          "[UPDATE], 50thPercentileLatency(us), 2500.000\n"
                          "[UPDATE], 95thPercentileLatency(us), 2500.000\n"
                          "[UPDATE], 99thPercentileLatency(us), 2500.000\n"
                          "[UPDATE], Return=OK, 1\n");
}

TEST(Report, PercentilesByTheirOrdinals) {
  const std::string text = Text({"hdrhistogram.percentiles=1,2,3,11,12,13,21,50,99.9,100"});
  for (const char* name : {"1st", "2nd", "3rd", "11th", "12th", "13th", "21st", "50th", "99.9", "100th"})
    EXPECT_NE(text.find(std::string("[READ], ") + name + "PercentileLatency(us), "), std::string::npos)
        << name;
  EXPECT_NE(text.find("[READ], 1stPercentileLatency(us), 1.001\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("95th"), std::string::npos);
}

TEST(Report, VerboseHistogramsHaveEveryBucket) {
  const std::string hdr = Text({"measurement.histogram.verbose=true"});
  EXPECT_NE(hdr.find("[UPDATE], 2500.000, 1\n"), std::string::npos) << hdr;
  EXPECT_EQ(Text({"measurementtype=hdrhistogram"}).find("[UPDATE], 2500.000, 1\n"), std::string::npos);
}

TEST(Report, HistogramOfMilliseconds) {
  const std::string text =
      Text({"measurementtype=histogram", "histogram.buckets=2", "measurement.histogram.verbose=true"});
  EXPECT_NE(text.find("[READ], LatencyVariance(us), 833."), std::string::npos) << text;  // (100^2 - 1) / 12
  EXPECT_NE(text.find("[READ], 95thPercentileLatency(us), 0\n[READ], 99thPercentileLatency(us), 0\n"
                      "[READ], Return=OK, 100\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("[READ], 0, 100\n[READ], 1, 0\n[READ], >2, 0\n"), std::string::npos) << text;
  EXPECT_NE(text.find("[UPDATE], 0, 0\n[UPDATE], 1, 0\n[UPDATE], >2, 1\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("[UPDATE], 95th"), std::string::npos);  // beyond all buckets
  const std::string wide = Text({"measurementtype=histogram"});
  EXPECT_NE(wide.find("[UPDATE], 95thPercentileLatency(us), 2000\n"), std::string::npos) << wide;
  EXPECT_EQ(wide.find("[READ], 0, "), std::string::npos);
}

TEST(Report, TimeSeries) {
  const std::string text = Text({"measurementtype=timeseries"});
  EXPECT_NE(text.find("[READ], Return=ERROR, 1\n[READ], 0, 25.000\n[READ], 2000, 75.000\n"),
            std::string::npos)
      << text;
  EXPECT_NE(Text({"measurementtype=timeseries", "timeseries.granularity=50"})
                .find("[READ], 100, 25.000\n[READ], 2500, 75.000\n"),
            std::string::npos);
  EXPECT_TRUE(Plan({"measurementtype=timeseries"}).keeps_points());
  EXPECT_FALSE(Plan({}).keeps_points());
}

TEST(Report, RawPointsAndTheirSummary) {
  const ReportPlan plan = Plan({"measurementtype=raw"});
  const std::string lines = RawLines(Measured(), plan);
  EXPECT_EQ(lines.find("READ latency raw data: op, timestamp(ms), latency(us)\nREAD,1000100,1.000\n"), 0u)
      << lines;
  EXPECT_NE(lines.find("READ,1002500,100.000\nREAD-FAILED latency raw data: op, timestamp(ms), latency(us)\n"
                       "READ-FAILED,1000003,7.000\nREAD-FAILED,1000004,9.000\nUPDATE latency raw"),
            std::string::npos)
      << lines;
  const std::string text = Text({"measurementtype=raw"});
  EXPECT_NE(text.find("[READ], Total Operations, 100\n"
                      "[READ], Below is a summary of latency in microseconds:, -1\n"
                      "[READ], Average, 50.500\n[READ], Min, 1.000\n[READ], Max, 100.000\n"
                      "[READ], p1, 2.000\n[READ], p5, 6.000\n[READ], p50, 51.000\n[READ], p90, 91.000\n"
                      "[READ], p95, 96.000\n[READ], p99, 100.000\n[READ], p99.9, 100.000\n"
                      "[READ], p99.99, 100.000\n[READ], Return=OK, 100\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(Text({"measurementtype=raw", "measurement.raw.no_summary=true"}).find("Average"),
            std::string::npos);
  EXPECT_EQ(RawLines(Measured(), Plan({})), "");
}

TEST(Report, TwoTypesHavePrefixes) {
  const std::string both = Text({"measurementtype=hdrhistogram+histogram"});
  EXPECT_NE(both.find("[HdrREAD], 50thPercentileLatency(us)"), std::string::npos) << both;
  EXPECT_NE(both.find("[BucketREAD], LatencyVariance(us)"), std::string::npos);
  EXPECT_NE(Text({"measurementtype=hdrhistogram+raw"}).find("[RawREAD], Total Operations, 100\n"),
            std::string::npos);
  EXPECT_EQ(RawLines(Measured(), Plan({"measurementtype=hdrhistogram+raw"})).find("RawREAD latency raw"), 0u);
}

TEST(Report, IntendedIntervals) {
  const std::string both = Text({"measurement.interval=both"});
  EXPECT_NE(both.find("[READ], AverageLatency(us), 50.500\n"), std::string::npos);
  EXPECT_NE(both.find("[Intended-READ], Operations, 100\n[Intended-READ], AverageLatency(us), 101.000\n"),
            std::string::npos)
      << both;
  EXPECT_EQ(both.find("[Intended-READ], Return"), std::string::npos);  // YCSB counts results once
  const std::string intended = Text({"measurement.interval=intended"});
  EXPECT_NE(intended.find("[READ], AverageLatency(us), 101.000\n"), std::string::npos);
  EXPECT_NE(intended.find("[READ], Return=OK, 100\n"), std::string::npos);
  EXPECT_EQ(intended.find("Intended-"), std::string::npos);
}

TEST(Report, ErrorsByTheirNames) {
  const std::string each = Text({"reportlatencyforeacherror=true"});
  EXPECT_NE(each.find("[READ-NOT_FOUND], Operations, 1\n[READ-NOT_FOUND], AverageLatency(us), 7.000\n"),
            std::string::npos);
  EXPECT_NE(each.find("[READ-ERROR], AverageLatency(us), 9.000\n"), std::string::npos);
  EXPECT_EQ(each.find("FAILED"), std::string::npos);
  const std::string one = Text({"latencytrackederrors=NOT_FOUND, FORBIDDEN"});
  EXPECT_NE(one.find("[READ-NOT_FOUND], Operations, 1\n"), std::string::npos);
  EXPECT_NE(one.find("[READ-FAILED], Operations, 1\n[READ-FAILED], AverageLatency(us), 9.000\n"),
            std::string::npos);
}

TEST(Report, VerifiesEveryValueRead) {
  PhaseMeasurements phase = Measured();
  EXPECT_EQ(Text({}).find("VERIFY"), std::string::npos);
  EXPECT_NE(Text({"dataintegrity=true"}).find("[VERIFY], Operations, 100\n[VERIFY], Return=OK, 100\n"),
            std::string::npos);
  phase.torn = 3;
  EXPECT_NE(Exported(Report(phase, Plan({"dataintegrity=true"})), Exporter::kText)
                .find("[VERIFY], Return=OK, 97\n[VERIFY], Return=UNEXPECTED_STATE, 3\n"),
            std::string::npos);
}

TEST(Report, JsonExporters) {
  const std::vector<ReportLine> lines = Report(Measured(), Plan({}));
  const nlohmann::json array = nlohmann::json::parse(Exported(lines, Exporter::kJsonArray));
  ASSERT_EQ(array.size(), lines.size());
  EXPECT_EQ(array[0]["metric"], "OVERALL");
  EXPECT_EQ(array[0]["measurement"], "RunTime(ms)");
  EXPECT_EQ(array[0]["value"], 2000);
  EXPECT_EQ(array[3]["value"], 50.5);
  // The other one writes objects, one after the other.
  const std::string objects = Exported(lines, Exporter::kJson);
  EXPECT_EQ(objects.substr(0, 2), "{\n");
  size_t count = 0;
  for (size_t at = objects.find("}\n"); at != std::string::npos; at = objects.find("}\n", at + 1)) ++count;
  EXPECT_EQ(count, lines.size());
  EXPECT_EQ(nlohmann::json::parse(objects.substr(0, objects.find('}') + 1)), array[0]);
  EXPECT_EQ(Plan({"exporter=site.ycsb.measurements.exporter.JSONMeasurementsExporter"}).exporter,
            Exporter::kJson);
  EXPECT_EQ(Plan({"exporter=com.yahoo.ycsb.measurements.exporter.JSONArrayMeasurementsExporter"}).exporter,
            Exporter::kJsonArray);
}

TEST(Report, LinesOfYcsbCpp) {
  EXPECT_EQ(CppReport(Measured(), "Run"),
            "Run runtime(sec): 2\nRun operations(ops): 103\nRun throughput(ops/sec): 51.5\n");
}

TEST(Report, ImpossiblePropertiesAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"measurementtype=hgrm", "-p: measurementtype: expected one of hdrhistogram, histogram, "},
      {"measurement.interval=never", "-p: measurement.interval: expected one of op, intended, both, found"},
      {"hdrhistogram.percentiles=50,x", "-p: hdrhistogram.percentiles: expected numbers from 0 to 100"},
      {"hdrhistogram.percentiles=", "-p: hdrhistogram.percentiles: expected numbers"},
      {"hdrhistogram.percentiles=101", "-p: hdrhistogram.percentiles: expected numbers"},
      {"histogram.buckets=0", "-p: histogram.buckets: expected a whole number from 1"},
      {"timeseries.granularity=0", "-p: timeseries.granularity: expected a whole number from 1"},
      {"exporter=my.Exporter", "-p: exporter: expected one of TextMeasurementsExporter, "},
      {"exportfile=", "-p: exportfile: expected a file's name"},
      {"latencytrackederrors=LOST", "-p: latencytrackederrors: expected names of YCSB's results"},
      {"reportlatencyforeacherror=1", "-p: reportlatencyforeacherror: expected true or false, found '1'"},
      {"measurement.histogram.verbose=x", "-p: measurement.histogram.verbose: expected true or false"},
      {"measurement.raw.no_summary=x", "-p: measurement.raw.no_summary: expected true or false"},
      {"dataintegrity=x", "-p: dataintegrity: expected true or false"}};
  for (const auto& [assignment, complaint] : cases) {
    Properties properties;
    ReportPlan plan;
    std::string error;
    ASSERT_TRUE(properties.Assign(assignment, &error));
    EXPECT_FALSE(ParseReport(properties, &plan, &error)) << assignment;
    EXPECT_EQ(error.find(complaint), 0u) << error;
  }
}

}  // namespace
}  // namespace workloads::ycsb
