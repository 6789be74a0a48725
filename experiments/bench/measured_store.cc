#include "experiments/bench/measured_store.h"

#include <filesystem>
#include <random>

#include "experiments/bench/report.h"
#include "experiments/common/results.h"

namespace experiments::bench {
namespace {

using workloads::ycsb::CheckpointChoice;
using workloads::ycsb::CheckpointEvent;
using workloads::ycsb::Driver;
using workloads::ycsb::DriverOptions;
using workloads::ycsb::Engine;
using workloads::ycsb::PhaseResult;
using workloads::ycsb::WorkloadSpec;

bool Sound(const PhaseResult& result, std::string* error) {
  const uint64_t errors = result.measurements.errors();
  if (errors + result.torn == 0) return true;
  *error =
      std::to_string(errors) + " operations failed, " + std::to_string(result.torn) + " values were torn";
  return false;
}

}  // namespace

bool MakeSpec(const Workload& workload, WorkloadSpec* spec, std::string* error) {
  workloads::Properties properties;
  if (!properties.Load(ProjectRoot() + "/workloads/ycsb/workload" + workload.letter, error)) return false;
  std::vector<std::string> all = {"recordcount=" + std::to_string(workload.records),
                                  "operationcount=1000000000000",
                                  "maxexecutiontime=" + std::to_string(workload.seconds),
                                  "requestdistribution=" + workload.distribution,
                                  "threadcount=" + std::to_string(workload.threads),
                                  "fieldcount=1",
                                  "fieldlength=8"};
  all.insert(all.end(), workload.properties.begin(), workload.properties.end());
  for (const std::string& property : all) {
    if (!properties.Assign(property, error)) return false;
  }
  error->clear();
  return workloads::ycsb::ParseSpec(properties, false, spec, error);
}

std::vector<Rate> SampleRates(const PhaseResult& phase) {
  std::vector<Rate> rates;
  double from = 0;
  uint64_t before = 0;
  for (const workloads::ycsb::Sample& sample : phase.samples) {
    const double seconds = sample.seconds - from;
    // What is left at the end is no sample; neither is one that the watcher took too soon after a late one.
    if (seconds >= 0.125)
      rates.push_back({from, sample.seconds, static_cast<double>(sample.operations - before) / seconds});
    from = sample.seconds;
    before = sample.operations;
  }
  return rates;
}

void MeasuredStore::Observer::OnPhase(faster::CheckpointKind kind, faster::Phase phase, uint64_t version) {
  if (kind != faster::CheckpointKind::kGrowIndex && phase != faster::Phase::kRest) {
    std::lock_guard lock(mutex_);
    if (!running_) before_ = storage_->written();
    running_ = true;
  }
  log_->OnPhase(kind, phase, version);
}

void MeasuredStore::Observer::OnDurable(const faster::Token& token, faster::CheckpointKind kind,
                                        faster::Status status, uint64_t version,
                                        const std::vector<faster::SessionCommit>& sessions) {
  log_->OnDurable(token, kind, status, version, sessions);
  std::lock_guard lock(mutex_);
  bytes_[token.Text()] = storage_->written() - before_;
  running_ = false;
}

uint64_t MeasuredStore::Observer::BytesOf(const faster::Token& token) const {
  std::lock_guard lock(mutex_);
  const auto found = bytes_.find(token.Text());
  return found == bytes_.end() ? 0 : found->second;
}

std::unique_ptr<MeasuredStore> MeasuredStore::Make(const WorkloadSpec& spec, const std::string& folder,
                                                   std::string* error) {
  std::error_code code;
  std::filesystem::remove_all(folder, code);
  if (!MakeFolder(folder, error)) return nullptr;
  std::unique_ptr<MeasuredStore> store(new MeasuredStore(folder));
  store->engine_ = Engine::Make(spec.stored_bytes);
  faster::StoreConfig config = spec.Store();
  std::random_device device;
  config.seed = uint64_t{device()} << 32 | device();  // every opening of a store needs one of its own
  faster::Diagnosis why;
  const faster::Status status = store->engine_->Create(config, &store->storage_, &store->observer_, &why);
  if (status == faster::Status::kOk) return store;
  *error = "cannot make the store: " + std::string(StatusName(status)) +
           (why.expected.empty() ? "" : ": " + why.Text());
  return nullptr;
}

MeasuredStore::~MeasuredStore() {
  driver_.reset();  // with its sessions
  engine_.reset();
  std::error_code code;
  std::filesystem::remove_all(folder_, code);
}

void MeasuredStore::Renew(const WorkloadSpec& spec, double every, const CheckpointChoice& choice) {
  DriverOptions options;
  options.checkpoint_every = every;
  options.checkpoints = {choice};
  options.limit_load = false;
  options.interrupted = InterruptFlag();
  driver_.reset();
  driver_ = std::make_unique<Driver>(spec, engine_.get(), &log_, options);
}

bool MeasuredStore::Load(const WorkloadSpec& spec, PhaseResult* result, std::string* error) {
  Renew(spec, 0, {});
  return driver_->Load(result, error) && Sound(*result, error);
}

bool MeasuredStore::Run(const WorkloadSpec& spec, double every, const CheckpointChoice& choice,
                        PhaseResult* result, std::vector<TimedCheckpoint>* checkpoints, std::string* error) {
  const size_t before = log_.events().size();
  Renew(spec, every, choice);
  driver_->Prepare();
  if (!driver_->Run(result, error) || !Sound(*result, error)) return false;
  const std::vector<CheckpointEvent> events = log_.events();
  for (size_t i = before; i < events.size(); ++i) {
    if (events[i].ended >= 0 && !events[i].durable()) {
      *error = "a checkpoint failed: " + std::string(StatusName(events[i].status));
      return false;
    }
    if (checkpoints != nullptr) checkpoints->push_back(Timed(events[i]));
  }
  return true;
}

bool MeasuredStore::Checkpoint(const CheckpointChoice& choice, TimedCheckpoint* timed, std::string* error) {
  const faster::Status status = driver_->CheckpointAndWait(choice);
  if (status == faster::Status::kOk) {
    *timed = Timed(log_.events().back());
    return true;
  }
  if (!Interrupted()) *error = "a checkpoint failed: " + std::string(StatusName(status));
  return Interrupted();
}

TimedCheckpoint MeasuredStore::Timed(const CheckpointEvent& event) const {
  if (!event.durable()) return {event.requested, -1, 0};
  return {event.requested, event.ended, observer_.BytesOf(event.token)};
}

uint64_t MeasuredStore::log_bytes() const {
  const workloads::ycsb::LogState log = engine_->Log();
  return log.tail - log.begin;
}

}  // namespace experiments::bench
