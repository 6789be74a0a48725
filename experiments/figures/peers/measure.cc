#include "experiments/figures/peers/measure.h"

#include <algorithm>
#include <bit>
#include <memory>

#include "faster/device/null_storage.h"
#include "workloads/peers/peers.h"

namespace experiments::figures {

using faster::Status;
using workloads::peers::FindPeer;
using workloads::peers::Peer;
using workloads::ycsb::Engine;
using workloads::ycsb::PhaseResult;
using workloads::ycsb::WorkloadSpec;

namespace {

std::unique_ptr<Engine> MakeStore(const PeerSettings& settings, const std::string& folder, Output* output,
                                  std::string* problem) {
  const uint32_t bytes = static_cast<uint32_t>(settings.work.value_bytes);
  if (bytes != 8 && bytes != 104) {
    *problem = "value_bytes: expected 8 or 104, found " + std::to_string(bytes);
    return nullptr;
  }
  if (settings.store == "faster") return Engine::Make(bytes);
  const Peer* const peer = FindPeer(settings.store);
  if (peer->make == nullptr) {
    *problem = "store: " + settings.store + " is not in this build; install " + peer->package;
    return nullptr;
  }
  output->Note("durability of " + peer->name + ": " + peer->durability);
  return peer->make(bytes, folder);
}

}  // namespace

std::vector<std::string> ComparedStores() {
  std::vector<std::string> names = {"faster"};
  for (const Peer& peer : workloads::peers::Peers()) {
    if (!peer.ours) names.push_back(peer.name);
  }
  return names;
}

void PeerSettings::AddTo(Program* program) {
  work.AddTo(program);
  program->AddChoice("store", "which one", &store, ComparedStores());
}

Outcome MeasurePeer(const PeerSettings& settings, const Cell& cell, Output* output, std::string* problem) {
  WorkloadSpec spec;
  std::string folder;
  if (!settings.work.Spec(cell, &spec, problem) || !output->WorkFolder(&folder, problem))
    return Outcome::kRefused;
  const uint64_t data = spec.record_count * spec.record_bytes();
  const uint64_t memory = std::bit_ceil(std::max<uint64_t>(data * 3 / 2, 1 << 22));
  Work::SetLog(memory, static_cast<uint32_t>(std::bit_width(memory) - 1 - 6), 1, &spec);
  const std::unique_ptr<Engine> engine = MakeStore(settings, folder, output, problem);
  if (engine == nullptr) return Outcome::kRefused;
  faster::NullStorage storage;
  faster::Diagnosis why;
  const Status status = engine->Create(spec.Store(), &storage, nullptr, &why);
  if (status != Status::kOk) {
    *problem = "cannot make the store: " + std::string(StatusName(status)) + ": " + why.Text();
    return Outcome::kRefused;
  }
  output->Threads(settings.work.threads);
  Worker worker(settings.work, spec, engine.get());
  PhaseResult result;
  workloads::ycsb::LogState before;
  if (!worker.Load(problem) || !worker.WarmUp(problem) || !worker.Run(&result, &before, problem))
    return Outcome::kViolated;
  output->Metric("ops_per_second", static_cast<double>(result.operations) / result.seconds);
  output->Metric("seconds", result.seconds);
  return Outcome::kMeasured;
}

}  // namespace experiments::figures
