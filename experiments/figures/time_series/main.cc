// figure-time-series: throughput, latency, phases and log of one store over time, with checkpoints at marks
// (CPR paper, Figures 12 to 14 and 18).
#include <cmath>
#include <cstdio>

#include "experiments/common/storage_choice.h"
#include "experiments/figures/program.h"
#include "experiments/figures/time_series/course.h"
#include "experiments/figures/time_series/shape.h"

namespace {

namespace figures = experiments::figures;
namespace series = experiments::figures::time_series;
using workloads::ycsb::CheckpointEvent;
using workloads::ycsb::WorkloadSpec;

struct Settings {
  uint64_t threads, records, value_bytes, memory, index_buckets, page_bits, refresh_interval, write_mb_per_s;
  double reads, updates, rmws, zipf_theta, mutable_fraction;
  double warm_up_seconds, seconds, sample_seconds, hold_in_progress_seconds;
  std::vector<double> checkpoint_at;
  std::string distribution, kind, backend, shift;
  bool latency, sync;
};

void Declare(figures::Program* p, Settings* s) {
  p->AddNumber("threads", "worker threads, a session each", &s->threads, 1, 64);
  p->AddNumber("records", "keys, loaded before", &s->records, 1000, 1'000'000'000);
  p->AddNumber("value_bytes", "8, or any larger number", &s->value_bytes, 8, 1 << 20);
  p->AddReal("reads", "share of reads", &s->reads, 0, 100);
  p->AddReal("updates", "share of blind updates", &s->updates, 0, 100);
  p->AddReal("rmws", "share of atomic read-modify-writes", &s->rmws, 0, 100);
  p->AddChoice("distribution", "of the keys", &s->distribution, {"uniform", "zipf_hashed", "zipf_raw"});
  p->AddReal("zipf_theta", "skew", &s->zipf_theta, 0, 0.9999);
  p->AddNumber("memory", "bytes of log buffer, cut down to a power of two", &s->memory, 1 << 16,
               uint64_t{1} << 40);
  p->AddReal("mutable_fraction", "share of the buffer that is updated in place", &s->mutable_fraction, 0, 1);
  p->AddNumber("page_bits", "pages of 2^N bytes", &s->page_bits, 9, 30);
  p->AddNumber("index_buckets", "a power of two, 64 bytes each", &s->index_buckets, 1, uint64_t{1} << 32);
  p->AddNumber("refresh_interval", "operations between looks at the phase", &s->refresh_interval, 1, 1 << 20);
  p->AddNumber("write_mb_per_s", "limit of the device, 10^6 bytes; 0: none", &s->write_mb_per_s, 0,
               1'000'000);
  p->AddFlag("sync", "files are synced", &s->sync);
  p->AddChoice("kind", "of checkpoints", &s->kind, {"full", "log", "incremental"});
  p->AddChoice("backend", "how the log is written", &s->backend, {"foldover", "snapshot"});
  p->AddChoice("shift", "how versions are kept apart", &s->shift, {"fine", "coarse"});
  p->AddReals("checkpoint_at", "seconds, ascending", &s->checkpoint_at, 0, 1e6);
  p->AddReal("warm_up_seconds", "of load before time 0", &s->warm_up_seconds, 0, 1e6);
  p->AddReal("seconds", "of the course", &s->seconds, 0.05, 1e6);
  p->AddReal("sample_seconds", "between samples", &s->sample_seconds, 0.001, 1e3);
  p->AddReal("hold_in_progress_seconds", "the driver stands still in IN_PROGRESS, as for a slow session",
             &s->hold_in_progress_seconds, 0, 1);
  p->AddFlag("latency", "latencies are sampled", &s->latency);
}

std::string Real(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.10g", number);
  return text;
}

bool MakeSpec(const Settings& s, uint64_t seed, WorkloadSpec* spec, std::string* error) {
  workloads::Properties properties;
  const std::string all[] = {"recordcount=" + std::to_string(s.records),
                             "operationcount=1000000000000000",
                             "threadcount=" + std::to_string(s.threads),
                             "fieldcount=1",
                             "fieldlength=" + std::to_string(s.value_bytes),
                             "readproportion=" + Real(s.reads),
                             "updateproportion=" + Real(s.updates),
                             "rmwproportion=" + Real(s.rmws),
                             "requestdistribution=" + s.distribution,
                             "zipfian_const=" + Real(s.zipf_theta),
                             "faster.memory=" + std::to_string(s.memory),
                             "faster.page_bits=" + std::to_string(s.page_bits),
                             "faster.mutable_fraction=" + Real(s.mutable_fraction),
                             "faster.index_buckets=" + std::to_string(s.index_buckets),
                             "faster.refresh_interval=" + std::to_string(s.refresh_interval),
                             "faster.prefault=true",
                             "faster.seed=" + std::to_string(seed)};
  for (const std::string& property : all) {
    if (!properties.Assign(property, error)) return false;
  }
  error->clear();
  if (!workloads::ycsb::ParseSpec(properties, true, spec, error)) return false;
  spec->shift = s.shift == "fine" ? faster::ShiftScheme::kFine : faster::ShiftScheme::kCoarse;
  return true;
}

series::CoursePlan PlanOf(const Settings& s) {
  series::CoursePlan plan;
  plan.warm_up = s.warm_up_seconds;
  plan.seconds = s.seconds;
  plan.sample_seconds = s.sample_seconds;
  plan.marks = s.checkpoint_at;
  plan.checkpoint.kind = s.kind == "full"  ? faster::CheckpointKind::kFull
                         : s.kind == "log" ? faster::CheckpointKind::kLogOnly
                                           : faster::CheckpointKind::kIncremental;
  plan.checkpoint.backend =
      s.backend == "foldover" ? faster::LogBackend::kFoldOver : faster::LogBackend::kSnapshot;
  plan.latency = s.latency;
  plan.hold_in_progress = s.hold_in_progress_seconds;
  return plan;
}

void WriteTables(const series::CourseResult& result, figures::Output* output) {
  output->samples()->Columns({"seconds", "operations", "mops", "latency_mean_ns", "latency_p99_ns", "phase",
                              "version", "log_tail", "read_only", "flushed", "log_bytes"});
  for (const series::Sample& sample : result.samples) {
    const auto& log = sample.log;
    output->samples()->Row({Real(sample.seconds), std::to_string(sample.operations), Real(sample.mops),
                            std::isnan(sample.latency_mean_ns) ? "" : Real(sample.latency_mean_ns),
                            std::isnan(sample.latency_p99_ns) ? "" : Real(sample.latency_p99_ns),
                            std::string(PhaseName(sample.phase)), std::to_string(sample.version),
                            std::to_string(log.tail), std::to_string(log.read_only),
                            std::to_string(log.flushed), std::to_string(log.tail - log.begin)});
  }
  constexpr faster::Phase kPhases[] = {
      faster::Phase::kPrepIndex,           faster::Phase::kIndex,       faster::Phase::kPrepare,
      faster::Phase::kInProgress,          faster::Phase::kWaitPending, faster::Phase::kWaitFlush,
      faster::Phase::kPersistenceCallback, faster::Phase::kRest};
  std::vector<std::string> columns = {"kind", "backend", "requested", "durable", "status"};
  for (const faster::Phase phase : kPhases) columns.push_back(series::SnakeCase(PhaseName(phase)));
  output->checkpoints()->Columns(columns);
  for (const CheckpointEvent& event : result.checkpoints) {
    std::vector<std::string> row = {std::string(CheckpointKindName(event.choice.kind)),
                                    std::string(LogBackendName(event.choice.backend)), Real(event.requested),
                                    event.ended < 0 ? "" : Real(event.ended),
                                    event.ended < 0 ? "unfinished" : std::string(StatusName(event.status))};
    for (const faster::Phase phase : kPhases) {
      std::string began;
      for (const auto& [entered, when] : event.phases) {
        if (entered == phase) began = Real(when);
      }
      row.push_back(began);
    }
    output->checkpoints()->Row(row);
  }
}

void WriteMetrics(const Settings& s, const series::CourseResult& result, figures::Output* output) {
  std::vector<double> requests;
  for (const CheckpointEvent& event : result.checkpoints) requests.push_back(event.requested);
  for (const series::Metrics& part :
       {series::ThroughputShape(result.samples, requests), series::LatencyShape(result.samples, requests),
        series::PhaseShape(result.checkpoints)}) {
    for (const auto& [name, value] : part) output->Metric(name, value);
  }
  const double before = static_cast<double>(result.before.tail - result.before.begin);
  const double after = static_cast<double>(result.after.tail - result.after.begin);
  output->Metric("log_begin_bytes", before);
  output->Metric("log_growth_bytes", after - before);
  output->Metric("log_growth", after / before);
  output->Metric("checkpoints", static_cast<double>(result.checkpoints.size()));
  output->Threads(s.threads);
}

figures::Outcome Measure(const Settings& s, const figures::Cell& cell, figures::Output* output,
                         std::string* problem) {
  if (s.reads + s.updates + s.rmws <= 0)
    return *problem = "reads, updates and rmws are all 0", figures::Outcome::kRefused;
  for (size_t i = 1; i < s.checkpoint_at.size(); ++i) {
    if (s.checkpoint_at[i] > s.checkpoint_at[i - 1]) continue;
    *problem = "checkpoint_at: expected ascending seconds";
    return figures::Outcome::kRefused;
  }
  WorkloadSpec spec;
  std::string folder;
  if (!MakeSpec(s, cell.seed, &spec, problem)) return figures::Outcome::kRefused;
  if (!output->WorkFolder(&folder, problem)) return figures::Outcome::kRefused;
  experiments::StorageChoice choice;
  choice.write_limit = s.write_mb_per_s;
  choice.no_sync = !s.sync;
  const std::unique_ptr<faster::Storage> storage = experiments::MakeStorage(choice, folder);
  const std::unique_ptr<series::Course> course = series::Course::Make(spec, storage.get(), problem);
  if (course == nullptr) return figures::Outcome::kRefused;
  series::CourseResult result;
  if (!course->Run(PlanOf(s), &result, problem)) return figures::Outcome::kViolated;
  if (result.failed != 0) {
    *problem = std::to_string(result.failed) + " operations failed or read a torn value";
    return figures::Outcome::kViolated;
  }
  for (const CheckpointEvent& event : result.checkpoints) {
    if (event.durable()) continue;
    *problem = "a checkpoint failed: " + std::string(StatusName(event.status));
    return figures::Outcome::kViolated;
  }
  WriteTables(result, output);
  WriteMetrics(s, result, output);
  return figures::Outcome::kMeasured;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  figures::Program program("figure-time-series",
                           "Throughput, latency, phases and log of one store over time, with checkpoints at "
                           "marks.");
  Declare(&program, &settings);
  return program.Run(argc, argv,
                     [&](const figures::Cell& cell, figures::Output* output, std::string* problem) {
                       return Measure(settings, cell, output, problem);
                     });
}
