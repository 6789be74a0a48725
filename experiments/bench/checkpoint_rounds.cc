#include "experiments/bench/checkpoint_rounds.h"

#include <algorithm>
#include <bit>
#include <fstream>

#include "experiments/bench/device_rate.h"
#include "experiments/bench/report.h"

namespace experiments::bench {
namespace {

using faster::CheckpointKind;
using faster::LogBackend;
using workloads::ycsb::PhaseResult;
using workloads::ycsb::WorkloadSpec;

constexpr uint64_t kRecordBytes = 24;

uint64_t IndexBytes(const CheckpointPlan& plan) { return std::bit_ceil(plan.records / 2 + 1) * 64 * 5 / 4; }

double LoadSeconds(const CheckpointPlan& plan) { return 0.5 + static_cast<double>(plan.records) / 3e6; }

// Every checkpoint lets each key be copied to the tail once more; all of it stays in memory.
uint64_t BufferBytes(const CheckpointPlan& plan) {
  return std::max<uint64_t>(std::bit_ceil(plan.records * kRecordBytes * (plan.checkpoints() + 3)), 1 << 20);
}

bool MakeSpecs(const CheckpointPlan& plan, const CheckpointCell& cell, WorkloadSpec* spec,
               std::string* error) {
  Workload workload;
  workload.distribution = cell.distribution;
  workload.records = plan.records;
  workload.threads = plan.threads;
  workload.seconds = plan.seconds;
  // A log buffer that has been around once is in memory; here it would be touched for the first time.
  workload.properties = {"faster.memory=" + std::to_string(BufferBytes(plan)), "faster.prefault=true"};
  return MakeSpec(workload, spec, error);
}

// A store with all records in it, and the base of a chain if the kind needs one.
std::unique_ptr<MeasuredStore> Loaded(const CheckpointPlan& plan, const CheckpointCell& cell,
                                      const WorkloadSpec& spec, std::string* error) {
  auto store = MeasuredStore::Make(spec, plan.folder + "/store", error);
  PhaseResult load;
  TimedCheckpoint base;
  if (store == nullptr || !store->Load(spec, &load, error)) return nullptr;
  if (cell.choice.kind == CheckpointKind::kIncremental && !store->Checkpoint(cell.choice, &base, error))
    return nullptr;
  Settle(plan.folder);
  return store;
}

bool RunWithout(const CheckpointPlan& plan, const CheckpointCell& cell, const WorkloadSpec& spec,
                CheckpointRound* result, std::string* error) {
  auto store = Loaded(plan, cell, spec, error);
  if (store == nullptr) return false;
  PhaseResult run;
  if (!store->Run(spec, 0, {}, &run, nullptr, error)) return false;
  if (Interrupted()) return false;
  result->rate_without = static_cast<double>(run.operations) / run.seconds;
  std::vector<double> rates;
  for (const Rate& rate : SampleRates(run)) rates.push_back(rate.operations_per_second);
  result->median_without = Median(rates);
  if (!store->Checkpoint(cell.choice, &result->idle, error)) return false;
  store.reset();
  return !Interrupted() && TimeSequentialWrite(plan.folder, result->idle.bytes, &result->idle_device, error);
}

// Samples that belong to a checkpoint: at least half of the sample, or half of the checkpoint, lies in it.
std::vector<double> During(const std::vector<Rate>& rates, const std::vector<TimedCheckpoint>& checkpoints) {
  std::vector<double> during;
  for (const Rate& rate : rates) {
    for (const TimedCheckpoint& checkpoint : checkpoints) {
      const double end = checkpoint.ended < 0 ? rates.back().to : checkpoint.ended;
      const double shared = std::min(rate.to, end) - std::max(rate.from, checkpoint.requested);
      if (shared < std::min(rate.to - rate.from, end - checkpoint.requested) / 2) continue;
      during.push_back(rate.operations_per_second);
      break;
    }
  }
  return during;
}

bool RunWith(const CheckpointPlan& plan, const CheckpointCell& cell, const WorkloadSpec& spec,
             CheckpointRound* result, std::string* error) {
  auto store = Loaded(plan, cell, spec, error);
  if (store == nullptr) return false;
  PhaseResult run;
  if (!store->Run(spec, static_cast<double>(plan.every), cell.choice, &run, &result->loaded, error))
    return false;
  if (Interrupted()) return false;
  result->rate_with = static_cast<double>(run.operations) / run.seconds;
  result->during = During(SampleRates(run), result->loaded);
  std::vector<double> seconds, bytes;
  for (const TimedCheckpoint& checkpoint : result->loaded) {
    if (checkpoint.ended < 0 || checkpoint.ended > run.seconds) continue;  // its end was no longer under load
    seconds.push_back(checkpoint.seconds());
    bytes.push_back(static_cast<double>(checkpoint.bytes));
  }
  if (seconds.empty()) return true;
  store.reset();
  const double size = Median(bytes);
  result->loaded_seconds = Median(seconds);
  return TimeSequentialWrite(plan.folder, static_cast<uint64_t>(size), &result->loaded_device, error);
}

}  // namespace

bool ParseKind(const std::string& text, workloads::ycsb::CheckpointChoice* choice) {
  if (text == "full/snapshot") return *choice = {CheckpointKind::kFull, LogBackend::kSnapshot}, true;
  if (text == "full/foldover") return *choice = {CheckpointKind::kFull, LogBackend::kFoldOver}, true;
  if (text == "log/snapshot") return *choice = {CheckpointKind::kLogOnly, LogBackend::kSnapshot}, true;
  if (text == "log/foldover") return *choice = {CheckpointKind::kLogOnly, LogBackend::kFoldOver}, true;
  if (text == "incremental") return *choice = {CheckpointKind::kIncremental, LogBackend::kSnapshot}, true;
  return false;
}

uint64_t DiskNeeded(const CheckpointPlan& plan, const CheckpointCell& cell) {
  const uint64_t log = plan.records * kRecordBytes, taken = plan.checkpoints() + 1;
  const bool index = cell.choice.kind == CheckpointKind::kFull;
  // A fold-over writes each record once, a snapshot all that the log has grown to.
  const uint64_t logs =
      cell.choice.backend == LogBackend::kFoldOver ? log * (taken + 1) : log * (taken + 1) * (taken + 2) / 2;
  return logs + (index ? taken * IndexBytes(plan) : 0) + (uint64_t{64} << 20);
}

uint64_t MemoryNeeded(const CheckpointPlan& plan) {
  const uint64_t keys = std::clamp<uint64_t>(plan.records * 2, 1 << 20, 1 << 24) * 8 * plan.threads;
  return BufferBytes(plan) + IndexBytes(plan) + keys + (uint64_t{256} << 20);
}

double ExpectedSeconds(const CheckpointPlan& plan) {
  return 2 * (static_cast<double>(plan.seconds) + LoadSeconds(plan) * 2);
}

bool RunRound(const CheckpointPlan& plan, const CheckpointCell& cell, uint64_t round, Pace* pace,
              CheckpointRound* result, std::string* error) {
  WorkloadSpec spec;
  if (!MakeSpecs(plan, cell, &spec, error)) return false;
  std::ifstream("/proc/loadavg") >> result->load_average;
  const std::string title = cell.kind + " " + cell.distribution + ", round " + std::to_string(round + 1) +
                            " of " + std::to_string(plan.rounds);
  for (const bool with : {round % 2 == 1, round % 2 == 0}) {
    pace->Begin(title + (with ? ", with checkpoints" : ", without"), ExpectedSeconds(plan) / 2);
    Settle(plan.folder);
    if (!(with ? RunWith : RunWithout)(plan, cell, spec, result, error)) return false;
  }
  return true;
}

}  // namespace experiments::bench
