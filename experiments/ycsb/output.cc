#include "experiments/ycsb/output.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <thread>

#include "experiments/ycsb/report_output.h"
#include "plots/throughput.h"
#include "workloads/peers/peers.h"

namespace experiments::ycsb {
namespace {

using nlohmann::ordered_json;
using workloads::ycsb::CheckpointEvent;
using workloads::ycsb::Measurements;
using workloads::ycsb::PhaseResult;
using workloads::ycsb::ReportLine;

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

ordered_json PhaseJson(const Options& options, const PhaseResult& phase) {
  ordered_json json;
  json["seconds"] = phase.seconds;
  json["operations"] = phase.operations;
  json["operations_per_second"] =
      phase.seconds > 0 ? static_cast<double>(phase.operations) / phase.seconds : 0;
  json["interrupted"] = phase.interrupted;
  json["torn_values"] = phase.torn;
  ordered_json report = ordered_json::array();
  for (const ReportLine& line : Report(phase, options.report)) {
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

}  // namespace

uint64_t RunOutcome::durable() const {
  uint64_t count = 0;
  for (const CheckpointEvent& event : checkpoints) count += event.durable();
  return count;
}

std::string Decimal(double number, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, number);
  return text;
}

std::string TitleOf(const Options& options) {
  const std::string& file = options.workload_files.front();
  const auto& spec = options.spec;
  std::string title =
      file.substr(file.rfind('/') + 1) + ", " +
      (spec.run_file.empty() ? std::string(DistributionName(spec.keys.distribution)) : "keys of a file") +
      ", " + std::to_string(spec.record_count) + " records of " +
      (spec.value_lengths == nullptr ? "" : "up to ") + std::to_string(spec.value_bytes) + " bytes, " +
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
  json["requestdistribution"] =
      spec.run_file.empty() ? std::string(DistributionName(spec.keys.distribution)) : "file";
  json["load_file"] = spec.load_file;
  json["run_file"] = spec.run_file;
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
  json["latency_sampled_every"] = spec.time_all ? 1 : workloads::ycsb::kSampleEvery;
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

bool WriteResults(const ResultFolder& folder, const Options& options, const ordered_json& environment,
                  const RunOutcome& outcome, std::string* error) {
  ordered_json json;
  json["valid"] = true;
  json["title"] = TitleOf(options);
  json["interrupted"] = outcome.interrupted;
  json["parameters"] = ParametersJson(options);
  json["environment"] = environment;
  if (outcome.loaded) json["load"] = PhaseJson(options, outcome.load);
  if (outcome.ran) json["run"] = PhaseJson(options, outcome.run);
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
