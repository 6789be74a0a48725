#include "experiments/figures/f2_load/load.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "faster/device/throttled_storage.h"
#include "workloads/ycsb/driver.h"

namespace experiments::figures {
namespace {

using workloads::ycsb::Client;
using workloads::ycsb::Engine;
using workloads::ycsb::RunPlan;
using workloads::ycsb::ThreadState;
using Clock = std::chrono::steady_clock;

constexpr double kSettle = 0.05;  // seconds at the device's rate that are not measured

double Since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class UpkeepWatcher final : public faster::CheckpointObserver {
 public:
  void OnUpkeep(faster::Upkeep, faster::Status status) override {
    std::lock_guard lock(mutex_);
    if (status == faster::Status::kOk)
      ++ended_;
    else
      failed_ = std::string(StatusName(status));
  }
  void Report(LoadResult* result) {
    std::lock_guard lock(mutex_);
    result->upkeeps = ended_;
    result->failed_upkeep = failed_;
  }

 private:
  std::mutex mutex_;
  uint64_t ended_ = 0;
  std::string failed_;
};

class Load {
 public:
  Load(const LoadPlan& plan, const std::string& folder)
      : plan_(plan),
        device_(folder),
        storage_(&device_, {}),
        engine_(plan.f2 ? Engine::MakeF2(plan.spec.stored_bytes, ColdOf(plan.memory, plan.disk_budget))
                        : Engine::Make(plan.spec.stored_bytes)) {}

  bool Run(LoadResult* result, std::string* error) {
    return Open(error) && Fill(error) && Perform(result, error);
  }

 private:
  struct Worker {
    std::unique_ptr<Client> client;
    ThreadState state;
    std::vector<uint64_t> keys;
    std::thread thread;
  };

  bool Open(std::string* error) {
    if (engine_ == nullptr)
      return *error = "value_bytes: a store of two tiers has values of 8, 104 or 256", false;
    faster::Diagnosis why;
    const auto config = StoreOf(plan_.memory, plan_.spec, plan_.disk_budget, plan_.f2);
    const faster::Status status = engine_->Create(config, &storage_, &watcher_, &why);
    if (status == faster::Status::kOk) return true;
    *error = "cannot make the store: " + std::string(StatusName(status)) + ": " + why.Text();
    return false;
  }

  bool OpenSessions(std::string* error) {
    workers_.clear();
    for (uint32_t i = 0; i < plan_.spec.threads; ++i) {
      workers_.push_back(std::make_unique<Worker>());
      workers_.back()->client = engine_->Start();
      if (workers_.back()->client == nullptr) return *error = "the store has no room for a session", false;
    }
    return true;
  }

  // One thread, so that the log has the records in order. Upkeep goes on meanwhile.
  bool Fill(std::string* error) {
    if (!OpenSessions(error)) return false;
    Worker& worker = *workers_.front();
    worker.thread = std::thread([&] {
      workloads::ycsb::LoadPlan load;
      load.count = plan_.spec.record_count;
      load.hashed = plan_.spec.hashed_keys;
      worker.client->Load(load, &worker.state);
    });
    while (!worker.state.ended.load(std::memory_order_acquire)) Poll();
    worker.thread.join();
    const uint64_t errors = worker.state.measurements.errors();
    if (errors != 0) *error = std::to_string(errors) + " records could not be loaded";
    return errors == 0 && OpenSessions(error);
  }

  void Poll() {
    static_cast<void>(engine_->Poll());
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }

  bool Perform(LoadResult* result, std::string* error) {
    std::atomic<bool> stop{false};
    workloads::AcknowledgedCounter inserted(plan_.spec.insert_start + plan_.spec.insert_count);
    if (!plan_.spec.inserts())
      for (size_t i = 0; i < workers_.size(); ++i)
        workers_[i]->keys = workloads::ycsb::ThreadKeys(plan_.spec, i, true);
    for (size_t i = 0; i < workers_.size(); ++i)
      workers_[i]->thread = std::thread([&, i] { Work(i, &inserted, &stop); });
    // At full speed: a device as slow as that of the run would need minutes until memory holds what is hot.
    for (const auto start = Clock::now(); Since(start) < plan_.warm_up;) Poll();
    storage_.SetLimits({plan_.read_rate, plan_.write_rate});
    for (const auto start = Clock::now(); Since(start) < kSettle;) Poll();
    Watch(result);
    stop = true;
    for (const auto& worker : workers_) {
      while (!worker->state.ended.load(std::memory_order_acquire)) Poll();
      worker->thread.join();
      result->measurements.Merge(worker->state.measurements);
      result->torn += worker->state.torn;
    }
    workers_.clear();
    engine_.reset();  // ends upkeep
    watcher_.Report(result);
    if (!result->failed_upkeep.empty())
      *error = "a migration or compaction ended with " + result->failed_upkeep;
    return result->failed_upkeep.empty();
  }

  void Work(size_t i, workloads::AcknowledgedCounter* inserted, const std::atomic<bool>* stop) {
    Worker& worker = *workers_[i];
    RunPlan run;
    run.count = ~uint64_t{0};
    run.most_pending = plan_.most_pending;
    run.session = static_cast<uint32_t>(i);
    run.stop = stop;
    if (plan_.spec.inserts()) {
      workloads::ycsb::DrawnKeys drawn{workloads::KeyChooser(plan_.spec.keys, inserted),
                                       workloads::Random(workloads::ycsb::ThreadSeed(plan_.spec, i)),
                                       plan_.spec.mix, inserted, plan_.spec.hashed_keys};
      run.drawn = &drawn;
      worker.client->Run(run, &worker.state);
      return;
    }
    const workloads::ycsb::OperationStream stream(plan_.spec.mix, workloads::ycsb::ThreadSeed(plan_.spec, i),
                                                  &worker.keys);
    run.stream = &stream;
    worker.client->Run(run, &worker.state);
  }

  LoadSample Now(double seconds) const {
    LoadSample sample;
    sample.seconds = seconds;
    for (const auto& worker : workers_)
      sample.operations += worker->state.done.load(std::memory_order_relaxed);
    sample.read_bytes = device_.read();
    sample.written_bytes = device_.written();
    const workloads::ycsb::LogState log = engine_->Log();
    sample.log_bytes = log.tail - log.begin;
    return sample;
  }

  void Watch(LoadResult* result) {
    const auto start = Clock::now();
    const LoadSample first = Now(0);
    result->samples.push_back({0, 0, 0, 0, first.log_bytes});
    double next = plan_.sample_seconds;
    for (double now = 0; now < plan_.seconds; now = Since(start)) {
      Poll();
      if (Since(start) < next) continue;
      LoadSample sample = Now(Since(start));
      sample.operations -= first.operations;
      sample.read_bytes -= first.read_bytes;
      sample.written_bytes -= first.written_bytes;
      result->samples.push_back(sample);
      while (next <= sample.seconds) next += plan_.sample_seconds;
    }
  }

  const LoadPlan& plan_;
  UpkeepWatcher watcher_;
  bench::CountingStorage device_;
  faster::ThrottledStorage storage_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

double Kops(const LoadSample& from, const LoadSample& to) {
  return static_cast<double>(to.operations - from.operations) / std::max(to.seconds - from.seconds, 1e-9) /
         1e3;
}

}  // namespace

bool RunLoad(const LoadPlan& plan, const std::string& folder, LoadResult* result, std::string* error) {
  return Load(plan, folder).Run(result, error);
}

LoadMetrics MetricsOf(const std::vector<LoadSample>& samples, const UserBytes& user, uint64_t budget) {
  if (samples.size() < 2) return {};
  const LoadSample &first = samples.front(), &last = samples.back();
  const double seconds = last.seconds - first.seconds;
  const auto read = static_cast<double>(last.read_bytes - first.read_bytes);
  const auto written = static_cast<double>(last.written_bytes - first.written_bytes);
  const auto operations = static_cast<double>(last.operations - first.operations);
  LoadMetrics metrics = {{"kops", Kops(first, last)},
                         {"read_mb_s", read / seconds / 1e6},
                         {"write_mb_s", written / seconds / 1e6}};
  if (operations > 0 && user.read > 0)
    metrics.emplace_back("read_amplification", read / (operations * user.read));
  if (operations > 0 && user.written > 0)
    metrics.emplace_back("write_amplification", written / (operations * user.written));
  const size_t quarter = std::max<size_t>(samples.size() / 4, 1);
  metrics.emplace_back("first_kops", Kops(first, samples[quarter]));
  metrics.emplace_back("last_kops", Kops(samples[samples.size() - 1 - quarter], last));
  const auto full = std::find_if(samples.begin(), samples.end(),
                                 [&](const LoadSample& sample) { return sample.log_bytes >= budget; });
  if (budget != 0 && full != samples.begin() && full < samples.end() - 1) {
    metrics.emplace_back("before_kops", Kops(first, *full));
    metrics.emplace_back("after_kops", Kops(*full, last));
  }
  return metrics;
}

}  // namespace experiments::figures
