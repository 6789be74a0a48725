#include "experiments/figures/cut/cut_run.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>

#include "experiments/common/storage_choice.h"
#include "faster/store/faster_kv.h"
#include "workloads/generators.h"

namespace experiments::figures {
namespace {

using faster::Status;

uint64_t Now() { return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()); }
void SleepFor(uint64_t ns) { std::this_thread::sleep_for(std::chrono::nanoseconds(ns)); }

struct Add {
  using Input = uint64_t;
  uint64_t Hash(uint64_t key) const {
    const uint64_t h = key * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 32;
  }
  uint64_t Initial(uint64_t input) const { return input; }
  uint64_t Update(uint64_t old, uint64_t input) const { return old + input; }
};
using Kv = faster::FasterKv<uint64_t, uint64_t, Add>;

// When the newest operations of one session began.
class Beginnings {
 public:
  static constexpr uint64_t kKept = uint64_t{1} << 21;
  Beginnings() : times_(new std::atomic<uint64_t>[kKept]) {}
  void Begin(uint64_t serial, uint64_t time) {
    times_[serial % kKept].store(time, std::memory_order_relaxed);
    issued_.store(serial, std::memory_order_release);
  }
  uint64_t issued() const { return issued_.load(std::memory_order_acquire); }
  uint64_t At(uint64_t serial) const { return times_[serial % kKept].load(std::memory_order_relaxed); }
  // Those of serial and serial + 1 are there and will be for a while.
  bool Has(uint64_t serial) const {
    const uint64_t last = issued();
    return serial > 0 && last > serial && last - serial < kKept - kKept / 8;
  }

 private:
  const std::unique_ptr<std::atomic<uint64_t>[]> times_;
  std::atomic<uint64_t> issued_{0};
};

struct Durable {
  uint64_t time = 0;
  Status status = Status::kPending;
  std::vector<faster::SessionCommit> sessions;
};

class Watcher final : public faster::CheckpointObserver {
 public:
  void OnDurable(const faster::Token&, faster::CheckpointKind, Status status, uint64_t,
                 const std::vector<faster::SessionCommit>& sessions) override {
    std::lock_guard lock(mutex_);
    last_ = {Now(), status, sessions};
  }
  Durable last() const {
    std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  mutable std::mutex mutex_;
  Durable last_;
};

struct Worker {
  std::unique_ptr<Kv::SessionType> session;
  Beginnings beginnings;
  std::thread thread;
  uint64_t committed = 0, committed_at = 0;  // in the newest durable checkpoint; the watching thread's
  bool failed = false;
};

class CutRun {
 public:
  CutRun(const CutPlan& plan, const std::string& folder, CutResult* result) : plan_(plan), result_(*result) {
    StorageChoice choice;
    choice.no_sync = !plan.sync;
    below_ = MakeStorage(choice, folder);
    limits_ = MakeLimits(choice, below_.get());
  }
  ~CutRun() {
    workers_.clear();
    kv_.reset();
  }

  bool Run(std::string* error) {
    faster::Diagnosis why;
    if (Kv::Create(Config(1), storage(), {}, &watcher_, &kv_, &why) != Status::kOk)
      return *error = "cannot make the store: " + why.Text(), false;
    for (uint32_t i = 0; i < plan_.sessions; ++i) {
      workers_.push_back(std::make_unique<Worker>());
      workers_.back()->session = kv_->StartSession();
      if (workers_.back()->session == nullptr) return *error = "no room for a session", false;
    }
    for (size_t i = 0; i < workers_.size(); ++i) workers_[i]->thread = std::thread([this, i] { Work(i); });
    const uint64_t start = Now();
    const bool good = Watch(start, error);
    stop_ = true;
    for (const auto& worker : workers_) {
      worker->thread.join();
      result_.operations += worker->beginnings.issued();
      if (worker->failed) return *error = "an operation failed", false;
    }
    result_.seconds = static_cast<double>(Now() - start) / 1e9;
    return good && Recovered(error);
  }

 private:
  faster::Storage* storage() { return limits_ != nullptr ? limits_.get() : below_.get(); }
  faster::StoreConfig Config(uint64_t opening) const {
    faster::StoreConfig config;
    config.page_bits = 20;
    config.buffer_pages = 64;
    config.mutable_pages = 57;
    config.index_buckets = 1 << 14;
    config.refresh_interval = plan_.refresh_interval;
    config.shift = plan_.shift;
    config.keep_checkpoints = 2;
    config.seed = plan_.seed * 1000003 + opening;
    return config;
  }

  void Work(size_t number) {
    Worker& worker = *workers_[number];
    workloads::Random random(plan_.seed * 1000003 + number);
    for (uint64_t serial = 1; !stop_.load(std::memory_order_relaxed); ++serial) {
      worker.beginnings.Begin(serial, Now());
      Status status = worker.session->Rmw(random.Below(plan_.keys), 1);
      if (status == Status::kPending)
        worker.session->CompletePending(true, [&](const auto& op) { status = op.result; });
      if (status == Status::kOk) continue;
      worker.failed = true;
      return;
    }
  }

  bool Watch(uint64_t start, std::string* error) {
    uint64_t next = start + plan_.period_ns, next_loss = next, requested = 0;
    bool running = false;
    for (uint64_t now = start; running || now < start + plan_.duration_ns; now = Now()) {
      if (running && kv_->Poll()) {
        running = false;
        const Durable durable = watcher_.last();
        if (durable.status != Status::kOk)
          return *error = "a checkpoint ended with " + std::string(StatusName(durable.status)), false;
        TakeCut(requested, durable);
      }
      if (now >= next_loss) {
        TakeLosses(now);
        next_loss = now + 1'000'000;
      }
      if (!running && now >= next && now < start + plan_.duration_ns) {
        faster::Token token;
        requested = Now();
        const auto backend = plan_.snapshot ? faster::LogBackend::kSnapshot : faster::LogBackend::kFoldOver;
        running = kv_->Checkpoint(faster::CheckpointKind::kLogOnly, backend, &token) == Status::kOk;
        if (running) next = std::max(next + plan_.period_ns, requested);
      }
      SleepFor(plan_.poll_ns);
    }
    return true;
  }

  void TakeCut(uint64_t requested, const Durable& durable) {
    Cut cut{requested, durable.time, {}};
    bool whole = true;
    for (const auto& worker : workers_) {
      uint64_t serial = 0;
      for (const faster::SessionCommit& commit : durable.sessions)
        if (commit.session == worker->session->id()) serial = commit.serial;
      const Beginnings& began = worker->beginnings;
      worker->committed = 0;
      if (!began.Has(serial)) {
        whole = false;
        continue;
      }
      worker->committed = serial;
      worker->committed_at = began.At(serial + 1);
      // One that has not begun the operation after may not have returned from that one.
      const uint64_t returned = began.issued() > serial + 1 ? began.At(serial + 2) : ~uint64_t{0};
      cut.sessions.push_back({began.At(serial), began.At(serial + 1), returned});
    }
    if (whole)
      result_.cuts.push_back(std::move(cut));
    else
      ++result_.unplaced;
  }

  void TakeLosses(uint64_t now) {
    for (const auto& worker : workers_) {
      if (worker->committed == 0 || now < worker->committed_at) continue;
      result_.losses.push_back({worker->beginnings.issued() - worker->committed, now - worker->committed_at});
    }
  }

  bool Recovered(std::string* error) {
    const Durable last = watcher_.last();
    workers_.clear();
    kv_.reset();
    if (last.status != Status::kOk) return true;  // no checkpoint in this time
    result_.violated = true;
    faster::RecoveryResult recovery;
    faster::Diagnosis why;
    if (Kv::Recover(Config(2), storage(), {}, nullptr, {}, {}, &kv_, &recovery, &why) != Status::kOk)
      return *error = "the recovery failed: " + why.Text(), false;
    uint64_t sum = 0, expected = 0;
    for (const faster::SessionCommit& reported : last.sessions) {
      bool same = false;
      for (const faster::SessionCommit& commit : recovery.sessions)
        same = same || (commit.session == reported.session && commit.serial == reported.serial);
      if (!same) return *error = "a commit point that was reported has not come back", false;
      expected += reported.serial;
    }
    const auto session = kv_->StartSession();
    for (uint64_t key = 0; key < plan_.keys; ++key) {
      uint64_t value = 0;
      Status status = session->Read(key, &value);
      if (status == Status::kPending)
        session->CompletePending(true, [&](const auto& op) { value = op.value.Value(); });
      sum += status == Status::kNotFound ? 0 : value;
    }
    session->Close();
    if (sum != expected)
      *error = "the counters add up to " + std::to_string(sum) + ", the commit points to " +
               std::to_string(expected);
    else
      result_.violated = false;
    return sum == expected;
  }

  const CutPlan& plan_;
  CutResult& result_;
  std::unique_ptr<faster::Storage> below_, limits_;
  Watcher watcher_;
  std::unique_ptr<Kv> kv_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<bool> stop_{false};
};

}  // namespace

bool RunCuts(const CutPlan& plan, const std::string& folder, CutResult* result, std::string* error) {
  return CutRun(plan, folder, result).Run(error);
}

}  // namespace experiments::figures
