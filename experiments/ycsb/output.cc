#include "experiments/ycsb/output.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <thread>

#include "plots/throughput.h"
#include "workloads/peers/peers.h"

namespace experiments::ycsb {
namespace {

using nlohmann::ordered_json;
using workloads::ycsb::CheckpointEvent;
using workloads::ycsb::Measurements;
using workloads::ycsb::PhaseResult;
using workloads::ycsb::ReportLine;

std::string Decimal(double number, int digits = 6) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, number);
  return text;
}

std::string FirstWordsAfter(const std::string& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.compare(0, key.size(), key) != 0) continue;
    const size_t colon = line.find(':');
    const size_t from = line.find_first_not_of(" \t", colon == std::string::npos ? key.size() : colon + 1);
    return from == std::string::npos ? "" : line.substr(from);
  }
  return "";
}

// The commit that is checked out, by git's own files; "" outside a clone.
std::string SourceCommit() {
  const std::string git = ProjectRoot() + "/.git/";
  std::string head, commit, ignored;
  if (!ReadWholeFile(git + "HEAD", &head, &ignored)) return "";
  head.erase(head.find_last_not_of("\n") + 1);
  if (head.compare(0, 5, "ref: ") != 0) return head;
  if (!ReadWholeFile(git + head.substr(5), &commit, &ignored)) return "";
  commit.erase(commit.find_last_not_of("\n") + 1);
  return commit;
}

std::string ThroughputCsv(const PhaseResult& run) {
  std::vector<workloads::ycsb::Sample> samples = run.samples;
  // What came after the last full interval is too short for a rate of its own: it joins that interval.
  const size_t n = samples.size();
  if (n >= 3 && samples[n - 1].seconds - samples[n - 2].seconds <
                    (samples[n - 2].seconds - samples[n - 3].seconds) / 2) {
    samples.erase(samples.end() - 2);
  }
  std::string csv = "seconds,operations,mops\n";
  double before = 0;
  uint64_t done = 0;
  for (const workloads::ycsb::Sample& sample : samples) {
    const double seconds = std::max(sample.seconds - before, 1e-6);
    const double mops = static_cast<double>(sample.operations - done) / seconds / 1e6;
    csv +=
        Decimal(sample.seconds, 3) + "," + std::to_string(sample.operations) + "," + Decimal(mops, 4) + "\n";
    before = sample.seconds;
    done = sample.operations;
  }
  return csv;
}

std::string CheckpointsCsv(const std::vector<CheckpointEvent>& events) {
  std::string csv = "token,kind,backend,requested,durable,seconds,status\n";
  for (const CheckpointEvent& event : events) {
    const bool ended = event.ended >= 0;
    csv += event.token.Text() + "," + std::string(CheckpointKindName(event.choice.kind)) + "," +
           std::string(LogBackendName(event.choice.backend)) + "," + Decimal(event.requested, 3) + "," +
           (ended ? Decimal(event.ended, 3) + "," + Decimal(event.ended - event.requested, 3) : ",") + "," +
           (ended ? std::string(StatusName(event.status)) : "unfinished") + "\n";
  }
  return csv;
}

ordered_json PhaseJson(const PhaseResult& phase) {
  ordered_json json;
  json["seconds"] = phase.seconds;
  json["operations"] = phase.operations;
  json["operations_per_second"] =
      phase.seconds > 0 ? static_cast<double>(phase.operations) / phase.seconds : 0;
  json["interrupted"] = phase.interrupted;
  json["torn_values"] = phase.torn;
  ordered_json report = ordered_json::array();
  for (const ReportLine& line : Report(phase.measurements, phase.seconds, phase.operations)) {
    report.push_back({{"metric", line.metric}, {"measurement", line.measurement}, {"value", line.value}});
  }
  json["report"] = std::move(report);
  for (const workloads::ycsb::IndexSize& size : phase.index_sizes)
    json["index_sizes"].push_back({{"seconds", size.seconds}, {"buckets", size.buckets}});
  return json;
}

ordered_json CheckpointJson(const CheckpointEvent& event) {
  ordered_json json;
  json["token"] = event.token.Text();
  json["kind"] = CheckpointKindName(event.choice.kind);
  json["backend"] = LogBackendName(event.choice.backend);
  json["requested"] = event.requested;
  json["durable"] = event.ended >= 0 ? ordered_json(event.ended) : ordered_json();
  json["status"] = event.ended >= 0 ? StatusName(event.status) : "unfinished";
  ordered_json phases = ordered_json::array();
  for (const auto& [phase, time] : event.phases)
    phases.push_back({{"phase", PhaseName(phase)}, {"entered", time}});
  json["phases"] = std::move(phases);
  return json;
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

void PrintPhase(const char* name, const Options& options, const PhaseResult& phase, bool last) {
  std::vector<ReportLine> lines = Report(phase.measurements, phase.seconds, phase.operations);
  const std::vector<ReportLine> growth = GrowthLines(phase);
  lines.insert(lines.end(), growth.begin(), growth.end());
  if (options.json) {
    ordered_json array = ordered_json::array();
    for (const ReportLine& line : lines) {
      array.push_back({{"phase", name},
                       {"metric", line.metric},
                       {"measurement", line.measurement},
                       {"value", line.value}});
    }
    const std::string text = array.dump(1);
    std::printf("%s\n", text.c_str());
    return;
  }
  if (!last) std::printf("# %s phase\n", name);
  for (const ReportLine& line : lines) {
    std::printf("[%s], %s, %s\n", line.metric.c_str(), line.measurement.c_str(), line.value.c_str());
  }
}

}  // namespace

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

uint64_t RunOutcome::durable() const {
  uint64_t count = 0;
  for (const CheckpointEvent& event : checkpoints) count += event.durable();
  return count;
}

std::string TitleOf(const Options& options) {
  const std::string& file = options.workload_files.front();
  const auto& spec = options.spec;
  std::string title =
      file.substr(file.rfind('/') + 1) + ", " + std::string(DistributionName(spec.keys.distribution)) + ", " +
      std::to_string(spec.record_count) + " records of " + std::to_string(spec.value_bytes) + " bytes, " +
      std::to_string(spec.threads) + (spec.threads == 1 ? " thread" : " threads");
  if (options.checkpoint_every > 0) {
    title += "; " + std::string(CheckpointKindName(options.checkpoint.kind)) + " checkpoints (" +
             std::string(LogBackendName(options.checkpoint.backend)) + ")";
  }
  return title;
}

ordered_json ParametersJson(const Options& options) {
  const auto& spec = options.spec;
  const faster::StoreConfig store = spec.Store();
  ordered_json json;
  json["workload_files"] = options.workload_files;
  json["arguments"] = options.arguments;
  json["recordcount"] = spec.record_count;
  json["operationcount"] = spec.operation_count;
  json["insertstart"] = spec.insert_start;
  json["insertcount"] = spec.insert_count;
  json["value_bytes"] = spec.value_bytes;
  json["stored_bytes"] = spec.stored_bytes;
  json["requestdistribution"] = DistributionName(spec.keys.distribution);
  json["zipfian_const"] = spec.keys.theta;
  json["db"] = options.db;
  const workloads::peers::Peer* peer = workloads::peers::FindPeer(options.db);
  json["durability"] =
      peer != nullptr ? peer->durability : "checkpoints: everything up to a session's commit point, synced";
  json["storage"] = StorageText(options.storage);
  json["batch"] = spec.batch;
  json["threads"] = spec.threads;
  json["target"] = spec.target;
  json["maxexecutiontime"] = spec.max_seconds;
  json["keys_per_thread"] = spec.inserts() ? 0 : spec.keys_per_thread;
  json["latency_sampled_every"] = workloads::ycsb::kSampleEvery;
  json["seed"] = spec.seed;
  json["checkpoint_every"] = options.checkpoint_every;
  json["checkpoint"] = CheckpointKindName(options.checkpoint.kind);
  json["log"] = LogBackendName(options.checkpoint.backend);
  json["store"] = {{"page_bits", store.page_bits},
                   {"buffer_pages", store.buffer_pages},
                   {"mutable_pages", store.mutable_pages},
                   {"block_bytes", store.block_bytes},
                   {"segment_pages", store.segment_pages},
                   {"open_segments", store.open_segments},
                   {"index_buckets", store.index_buckets},
                   {"grow_at_overflow_percent", store.grow_at_overflow_percent},
                   {"grow_to", spec.grow_to},
                   {"version_bits", store.version_bits},
                   {"refresh_interval", store.refresh_interval},
                   {"read_cache_bytes", store.read_cache_bytes},
                   {"copy_reads_to_tail", store.copy_reads_to_tail},
                   {"huge_pages", store.huge_pages},
                   {"prefault", store.prefault},
                   {"record_bytes", spec.record_bytes()}};
  return json;
}

ordered_json EnvironmentJson() {
  const unsigned cores = std::thread::hardware_concurrency();
  utsname name = {};
  uname(&name);
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  ordered_json json;
  json["time"] = UtcTime();
  json["source"] = SourceCommit();
  json["cores"] = cores;
  json["cpu"] = FirstWordsAfter("/proc/cpuinfo", "model name");
  json["memory"] = FirstWordsAfter("/proc/meminfo", "MemTotal");
  json["kernel"] = std::string(name.sysname) + " " + name.release;
  json["compiler"] = "g++ " __VERSION__;
  json["load_average_before"] = load;
  json["quiet"] = load < 0.5;  // else others were running, and the throughput says little
  return json;
}

void PrintReport(const Options& options, const RunOutcome& outcome) {
  if (outcome.loaded) PrintPhase("load", options, outcome.load, !outcome.ran);
  for (const ReportLine& line : MemoryReport(options, outcome)) {
    if (!options.json)
      std::printf("[%s], %s, %s\n", line.metric.c_str(), line.measurement.c_str(), line.value.c_str());
  }
  if (outcome.loaded && outcome.ran && !options.json) std::printf("# run phase\n");
  if (outcome.ran) PrintPhase("run", options, outcome.run, true);
  if (options.json) return;
  std::printf("# latencies: of every %lluth operation\n",
              static_cast<unsigned long long>(workloads::ycsb::kSampleEvery));
  if (options.checkpoint_every > 0) {
    std::printf("# checkpoints: %llu durable of %zu requested\n",
                static_cast<unsigned long long>(outcome.durable()), outcome.checkpoints.size());
  }
}

bool WriteResults(const ResultFolder& folder, const Options& options, const ordered_json& environment,
                  const RunOutcome& outcome, std::string* error) {
  ordered_json json;
  json["valid"] = true;
  json["title"] = TitleOf(options);
  json["interrupted"] = outcome.interrupted;
  json["parameters"] = ParametersJson(options);
  json["environment"] = environment;
  if (outcome.loaded) json["load"] = PhaseJson(outcome.load);
  if (outcome.ran) json["run"] = PhaseJson(outcome.run);
  for (const ReportLine& line : MemoryReport(options, outcome))
    json["memory"][line.measurement] = std::strtod(line.value.c_str(), nullptr);
  json["checkpoints_requested"] = outcome.checkpoints.size();
  json["checkpoints_durable"] = outcome.durable();
  ordered_json checkpoints = ordered_json::array();
  for (const CheckpointEvent& event : outcome.checkpoints) checkpoints.push_back(CheckpointJson(event));
  json["checkpoints"] = std::move(checkpoints);
  json["log"] = {{"begin", outcome.log.begin},
                 {"head", outcome.log.head},
                 {"flushed", outcome.log.flushed},
                 {"read_only", outcome.log.read_only},
                 {"tail", outcome.log.tail}};
  if (!folder.Write("results.json", json.dump(1) + "\n", error)) return false;
  if (!outcome.ran) return true;
  return folder.Write("throughput.csv", ThroughputCsv(outcome.run), error) &&
         folder.Write("checkpoints.csv", CheckpointsCsv(outcome.checkpoints), error) &&
         plots::DrawThroughput(folder.path(), TitleOf(options), error);
}

}  // namespace experiments::ycsb
