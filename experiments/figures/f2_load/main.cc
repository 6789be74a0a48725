// figure-f2: throughput, amplification and course over time of a store larger than memory, with a cold tier
// (F2) and without (F2 paper, PVLDB'25, Figures 1, 3, 10, 12 and 13, Table 1).
#include <bit>
#include <cstdio>

#include "experiments/figures/f2_load/load.h"
#include "experiments/figures/program.h"

namespace {

namespace figures = experiments::figures;
using figures::Outcome;

struct Settings {
  uint64_t threads, most_pending, records, value_bytes, memory_budget, block_bytes, read_mb_per_s,
      write_mb_per_s;
  double reads, updates, inserts, rmws, read_modify_writes, zipf_theta, disk_budget_share;
  double warm_up_seconds, seconds, sample_seconds;
  std::string engine, distribution;
  bool read_cache;
};

void Declare(figures::Program* p, Settings* s) {
  p->AddChoice("engine", "with a cold tier, or without", &s->engine, {"f2", "faster"});
  p->AddNumber("threads", "worker threads, a session each", &s->threads, 1, 64);
  p->AddNumber("most_pending", "operations of a thread that wait for the device at a time", &s->most_pending,
               1, 100'000);
  p->AddNumber("records", "keys, loaded before", &s->records, 1000, 1'000'000'000);
  p->AddNumber("value_bytes", "8, 100, 104 or 256; without a cold tier any larger than 8", &s->value_bytes, 8,
               1 << 20);
  p->AddNumber("block_bytes", "read from the device at once, a power of two", &s->block_bytes, 512, 1 << 20);
  p->AddNumber("memory_budget", "bytes for log, index and read cache; a power of two", &s->memory_budget,
               1 << 18, uint64_t{1} << 40);
  p->AddReal("disk_budget_share",
             "length of the log, over that of the loaded data, that is kept; 0: no limit",
             &s->disk_budget_share, 0, 1000);
  p->AddFlag("read_cache", "with a cold tier: a quarter of the budget is a read cache", &s->read_cache);
  p->AddNumber("read_mb_per_s", "limit of the device, 10^6 bytes; 0: none", &s->read_mb_per_s, 0, 1'000'000);
  p->AddNumber("write_mb_per_s", "the same for writes", &s->write_mb_per_s, 0, 1'000'000);
  p->AddReal("reads", "share of reads", &s->reads, 0, 100);
  p->AddReal("updates", "share of blind updates", &s->updates, 0, 100);
  p->AddReal("inserts", "share of new keys", &s->inserts, 0, 100);
  p->AddReal("rmws", "share of atomic read-modify-writes", &s->rmws, 0, 100);
  p->AddReal("read_modify_writes", "share of YCSB's, a read and an update", &s->read_modify_writes, 0, 100);
  p->AddChoice("distribution", "of the keys", &s->distribution,
               {"uniform", "zipfian", "zipf_hashed", "latest"});
  p->AddReal("zipf_theta", "skew", &s->zipf_theta, 0, 0.9999);
  p->AddReal("warm_up_seconds", "of load before time 0", &s->warm_up_seconds, 0, 1e6);
  p->AddReal("seconds", "that are measured", &s->seconds, 0.05, 1e6);
  p->AddReal("sample_seconds", "between samples", &s->sample_seconds, 0.001, 1e3);
}

std::string Real(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.10g", number);
  return text;
}

bool MakePlan(const Settings& s, uint64_t seed, figures::LoadPlan* plan, std::string* error) {
  if (!std::has_single_bit(s.memory_budget)) return *error = "memory_budget: a power of two", false;
  workloads::Properties properties;
  const std::string all[] = {"recordcount=" + std::to_string(s.records),
                             "operationcount=1000000000000000",
                             "threadcount=" + std::to_string(s.threads),
                             "fieldcount=1",
                             "fieldlength=" + std::to_string(s.value_bytes),
                             "readproportion=" + Real(s.reads),
                             "updateproportion=" + Real(s.updates),
                             "insertproportion=" + Real(s.inserts),
                             "rmwproportion=" + Real(s.rmws),
                             "readmodifywriteproportion=" + Real(s.read_modify_writes),
                             "requestdistribution=" + s.distribution,
                             "zipfian_const=" + Real(s.zipf_theta),
                             "faster.block_bytes=" + std::to_string(s.block_bytes),
                             "faster.keys_per_thread=" + std::to_string(std::bit_ceil(s.records)),
                             "faster.seed=" + std::to_string(seed)};
  for (const std::string& property : all) {
    if (!properties.Assign(property, error)) return false;
  }
  error->clear();
  if (!workloads::ycsb::ParseSpec(properties, false, &plan->spec, error)) return false;
  plan->f2 = s.engine == "f2";
  plan->memory = figures::SplitMemory(plan->f2, s.memory_budget, s.records, s.read_cache);
  const uint64_t data = figures::DataBytes(s.records, plan->spec.record_bytes(), s.block_bytes);
  plan->disk_budget = static_cast<uint64_t>(s.disk_budget_share * static_cast<double>(data));
  plan->most_pending = static_cast<uint32_t>(s.most_pending);
  plan->read_rate = s.read_mb_per_s * 1'000'000;
  plan->write_rate = s.write_mb_per_s * 1'000'000;
  plan->warm_up = s.warm_up_seconds;
  plan->seconds = s.seconds;
  plan->sample_seconds = s.sample_seconds;
  return true;
}

// Key and value, as a client counts them.
figures::UserBytes UserBytesOf(const Settings& s) {
  const double all = s.reads + s.updates + s.inserts + s.rmws + s.read_modify_writes;
  const auto record = static_cast<double>(8 + s.value_bytes);
  return {record * (s.reads + s.rmws + s.read_modify_writes) / all,
          record * (s.updates + s.inserts + s.rmws + s.read_modify_writes) / all};
}

void WriteSamples(const std::vector<figures::LoadSample>& samples, figures::Output* output) {
  output->samples()->Columns({"seconds", "kops", "read_mb_s", "write_mb_s", "log_mb"});
  for (size_t i = 1; i < samples.size(); ++i) {
    const figures::LoadSample &from = samples[i - 1], &to = samples[i];
    const double seconds = to.seconds - from.seconds;
    const auto rate = [&](uint64_t before, uint64_t after) {
      return static_cast<double>(after - before) / seconds;
    };
    output->samples()->Row(std::vector<double>{
        to.seconds, rate(from.operations, to.operations) / 1e3, rate(from.read_bytes, to.read_bytes) / 1e6,
        rate(from.written_bytes, to.written_bytes) / 1e6, static_cast<double>(to.log_bytes) / 1e6});
  }
}

// "" or what a correct store cannot have done.
std::string Violation(const figures::LoadResult& result) {
  if (const uint64_t errors = result.measurements.errors())
    return std::to_string(errors) + " operations ended with an error";
  if (result.torn != 0) return std::to_string(result.torn) + " values were put together from two writes";
  uint64_t missing = 0;
  for (int i = 0; i < workloads::ycsb::kMetrics; ++i)
    missing += result.measurements.of(static_cast<workloads::ycsb::Metric>(i)).not_found;
  return missing == 0 ? "" : std::to_string(missing) + " keys that were loaded were not found";
}

Outcome Measure(const Settings& s, const figures::Cell& cell, figures::Output* output, std::string* problem) {
  figures::LoadPlan plan;
  std::string folder;
  if (!MakePlan(s, cell.seed, &plan, problem) || !output->WorkFolder(&folder, problem))
    return Outcome::kRefused;
  figures::LoadResult result;
  if (!RunLoad(plan, folder, &result, problem))
    return result.failed_upkeep.empty() ? Outcome::kRefused : Outcome::kViolated;
  *problem = Violation(result);
  if (!problem->empty()) return Outcome::kViolated;
  output->Threads(s.threads);
  for (const auto& [name, value] : MetricsOf(result.samples, UserBytesOf(s), plan.disk_budget))
    output->Metric(name, value);
  const uint64_t data = figures::DataBytes(s.records, plan.spec.record_bytes(), s.block_bytes);
  output->Metric("memory_bytes", static_cast<double>(plan.memory.total()));
  output->Metric("memory_share", static_cast<double>(plan.memory.total()) / static_cast<double>(data));
  output->Metric("upkeeps", static_cast<double>(result.upkeeps));
  WriteSamples(result.samples, output);
  return Outcome::kMeasured;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  figures::Program program(
      "figure-f2", "A store larger than memory under load, with a cold tier (F2) or without (FASTER).");
  Declare(&program, &settings);
  return program.Run(argc, argv,
                     [&](const figures::Cell& cell, figures::Output* output, std::string* problem) {
                       return Measure(settings, cell, output, problem);
                     });
}
