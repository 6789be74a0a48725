#include "experiments/figures/ycsb_cell/work.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "experiments/common/dice.h"

namespace experiments::figures {

using workloads::Operation;
using workloads::ycsb::Driver;
using workloads::ycsb::DriverOptions;
using workloads::ycsb::Engine;
using workloads::ycsb::LogState;
using workloads::ycsb::PhaseResult;
using workloads::ycsb::WorkloadSpec;

namespace {

constexpr uint32_t kLoadBatch = 64;  // the load is not measured

bool Sound(const PhaseResult& result, std::string* problem) {
  uint64_t missing = 0;
  for (const auto metric : {workloads::ycsb::Metric::kRead, workloads::ycsb::Metric::kUpdate,
                            workloads::ycsb::Metric::kInsert, workloads::ycsb::Metric::kRmw})
    missing += result.measurements.of(metric).not_found;
  const uint64_t errors = result.measurements.errors();
  if (errors + missing + result.torn == 0) return true;
  *problem = std::to_string(errors) + " operations failed, " + std::to_string(missing) +
             " did not find their key, " + std::to_string(result.torn) + " values were torn";
  return false;
}

}  // namespace

void Work::AddTo(Program* program) {
  program->AddNumber("threads", "threads, each with a session", &threads, 1, 64);
  program->AddNumber("records", "keys", &records, 1000, uint64_t{1} << 32);
  program->AddNumber("value_bytes", "8 or 104 (or, where records are of variable length, from 8 on)",
                     &value_bytes, 8, 1024);
  program->AddReal("read_percent", "of the operations; the rest are updates", &read_percent, 0, 100);
  program->AddChoice("updates", "blind updates, or atomic read-modify-writes", &updates, {"upsert", "rmw"});
  program->AddChoice("distribution", "of the keys", &distribution,
                     {"uniform", "zipfian", "zipf_raw", "zipf_hashed"});
  program->AddReal("theta", "skew of a Zipf distribution", &theta, 0.01, 0.999);
  program->AddReal("index_share", "index buckets per key, rounded up to a power of two", &index_share, 1e-3,
                   8);
  program->AddNumber("refresh", "operations between looks at the global phase", &refresh, 1, 1 << 20);
  program->AddReal("warm_up", "operations that are not counted, per key", &warm_up, 0, 1000);
  program->AddReal("operations", "operations that are counted, per key", &operations, 0.001, 100000);
  program->AddNumber("seconds", "after which it ends, counted all or not", &seconds, 1, 3600);
}

bool Work::Spec(const Cell& cell, WorkloadSpec* spec, std::string* problem) const {
  spec->record_count = spec->insert_count = records;
  spec->value_bytes = spec->stored_bytes = static_cast<uint32_t>(value_bytes);
  if (read_percent > 0) spec->mix.Add(Operation::kRead, read_percent / 100);
  const Operation update = updates == "rmw" ? Operation::kRmw : Operation::kUpdate;
  if (read_percent < 100) spec->mix.Add(update, 1 - read_percent / 100);
  spec->keys.insert_count = records;
  spec->keys.theta = theta;
  if (!workloads::ParseDistribution(distribution, &spec->keys.distribution)) {
    *problem = "distribution: expected one of YCSB's, found " + distribution;
    return false;
  }
  *problem = CheckKeyOptions(spec->keys);
  spec->threads = static_cast<uint32_t>(threads);
  spec->index_buckets =
      std::bit_ceil(static_cast<uint64_t>(std::ceil(static_cast<double>(records) * index_share)));
  spec->segment_bytes = uint64_t{1} << 30;
  spec->prefault = true;
  spec->refresh_interval = static_cast<uint32_t>(refresh);
  spec->seed = cell.seed;
  return problem->empty();
}

void Work::SetLog(uint64_t memory, uint32_t page_bits, double mutable_share, WorkloadSpec* spec) {
  spec->memory = memory;
  spec->page_bits = page_bits;
  spec->mutable_fraction = mutable_share;
}

bool Worker::Load(std::string* problem) {
  DriverOptions options;
  options.limit_load = false;
  WorkloadSpec spec = spec_;
  spec.batch = kLoadBatch;
  Driver driver(spec, engine_, &log_, options);
  PhaseResult result;
  return driver.Load(&result, problem) && Sound(result, problem);
}

bool Worker::Perform(double operations, uint64_t seconds, uint64_t stream, PhaseResult* result,
                     LogState* before, std::string* problem) {
  WorkloadSpec spec = spec_;
  const double wanted = std::ceil(static_cast<double>(spec.record_count) * operations);
  spec.operation_count = std::max<uint64_t>(static_cast<uint64_t>(wanted), spec.threads);
  spec.max_seconds = seconds;
  spec.seed = MixSeed(spec.seed, stream);
  // No more keys than operations; a ring of four times the records repeats nothing that matters.
  const uint64_t most = std::min(spec.operation_count / spec.threads, spec.record_count * 4);
  spec.keys_per_thread = std::bit_ceil(std::clamp<uint64_t>(most, 1024, uint64_t{1} << 24));
  DriverOptions options;
  options.sample_seconds = 0.002;  // the driver sees the end of a phase so soon
  Driver driver(spec, engine_, &log_, options);
  driver.Prepare();
  *before = engine_->Log();
  return driver.Run(result, problem) && Sound(*result, problem);
}

bool Worker::WarmUp(std::string* problem) {
  PhaseResult result;
  LogState before;
  return work_.warm_up == 0 || Perform(work_.warm_up, 0, 1, &result, &before, problem);
}

bool Worker::Run(PhaseResult* result, LogState* before, std::string* problem) {
  return Perform(work_.operations, work_.seconds, 2, result, before, problem);
}

}  // namespace experiments::figures
