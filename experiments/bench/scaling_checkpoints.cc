// Scaling, part 2: checkpoints by what they write.
#include <bit>

#include "experiments/bench/device_rate.h"
#include "experiments/bench/measured_store.h"
#include "experiments/bench/scaling_parts.h"

namespace experiments::bench {

using workloads::ycsb::PhaseResult;
using workloads::ycsb::WorkloadSpec;

double Scaling::ExpectedCheckpoints() const {
  return static_cast<double>(plan_.rounds * 2) * (static_cast<double>(Sum(plan_.dirty)) / 50 + 1);
}

// What each size of one back end cost, by rounds.
struct Scaling::Dirtied {
  std::vector<double> bytes, seconds, device;
};

// A fresh store; before each checkpoint so many bytes of new records.
bool Scaling::DirtyRound(faster::LogBackend backend, std::vector<Dirtied>* sizes, std::string* error) {
  const uint64_t most = Sum(plan_.dirty) << 20;
  std::unique_ptr<MeasuredStore> store;
  Workload workload;
  workload.threads = plan_.threads;
  for (size_t i = 0; i < plan_.dirty.size(); ++i) {
    const uint64_t before = workload.records, added = (plan_.dirty[i] << 20) / kRecordBytes;
    workload.records = before + added;
    workload.properties = {"faster.memory=" + std::to_string(std::bit_ceil(most * 5 / 4)),
                           "insertstart=" + std::to_string(before), "insertcount=" + std::to_string(added),
                           "faster.index_buckets=" + std::to_string(std::bit_ceil(most / kRecordBytes / 2))};
    WorkloadSpec spec;
    PhaseResult load;
    TimedCheckpoint timed;
    double device = 0;
    if (!MakeSpec(workload, &spec, error)) return false;
    if (store == nullptr) store = MeasuredStore::Make(spec, Store(), error);
    if (store == nullptr || !store->Load(spec, &load, error) || Interrupted()) return false;
    Settle(plan_.folder);
    if (!store->Checkpoint({faster::CheckpointKind::kLogOnly, backend}, &timed, error) || Interrupted() ||
        !TimeSequentialWrite(plan_.folder, timed.bytes, &device, error)) {
      return false;
    }
    Dirtied& size = (*sizes)[i];
    size.bytes.push_back(static_cast<double>(timed.bytes));
    size.seconds.push_back(timed.seconds());
    size.device.push_back(device);
    report_.json()["checkpoints"].push_back({{"backend", LogBackendName(backend)},
                                             {"bytes", timed.bytes},
                                             {"seconds", timed.seconds()},
                                             {"device_seconds", device}});
  }
  return report_.Save(error);
}

void Scaling::AddDirtied(faster::LogBackend backend, const std::vector<Dirtied>& sizes) {
  const std::string name(LogBackendName(backend));
  std::vector<Point> points;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const Dirtied& size = sizes[i];
    if (size.seconds.empty()) continue;
    const std::string cell = name + ", " + Mebibytes(plan_.dirty[i]) + " more";
    Finding written{cell, "written by a log checkpoint, idle", "MB", {}, {}};
    Finding took{cell, "to durable", "s", size.seconds, {}},
        share{cell, "to durable / device", "", {}, Bar{1.3, false}};
    for (size_t n = 0; n < size.seconds.size(); ++n) {
      written.rounds.push_back(size.bytes[n] / 1e6);
      share.rounds.push_back(size.seconds[n] / size.device[n]);
    }
    for (const Finding& finding : {written, took, share}) report_.Add(finding);
    points.push_back({Median(size.bytes), Median(size.seconds)});
    points_.push_back({"checkpoint", name, points.back().x / 1e6, points.back().y});
  }
  AddFit("checkpoint, " + name, points, "s/GB", 1e9);
}

bool Scaling::Checkpoints(std::string* error) {
  const uint64_t most = Sum(plan_.dirty) << 20;
  if (TooLarge("checkpoints by dirty bytes", std::bit_ceil(most * 5 / 4) + most * 4 + (uint64_t{256} << 20),
               most * 4))
    return true;
  for (const auto backend : {faster::LogBackend::kFoldOver, faster::LogBackend::kSnapshot}) {
    std::vector<Dirtied> sizes(plan_.dirty.size());
    bool good = true;
    for (uint64_t n = 0; n < plan_.rounds && good; ++n) {
      report_.pace().Begin("checkpoints by size, " + std::string(LogBackendName(backend)) + ", round " +
                               std::to_string(n + 1) + " of " + std::to_string(plan_.rounds),
                           ExpectedCheckpoints() / static_cast<double>(2 * plan_.rounds));
      good = DirtyRound(backend, &sizes, error);
    }
    AddDirtied(backend, sizes);
    if (!good) return false;
  }
  return true;
}

}  // namespace experiments::bench
