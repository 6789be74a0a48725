// MeasuredStore: a store of its own on real files, worked on by the YCSB driver, whose checkpoints are timed
// and whose writes are counted.
//
// Its folder is made with it and removed with it. Errors are one line; an interruption ends every call early
// without an error. Used by one thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "experiments/bench/counting_storage.h"
#include "workloads/ycsb/checkpoint_log.h"
#include "workloads/ycsb/driver.h"

namespace experiments::bench {

struct Workload {
  std::string letter = "a";  // of workloads/ycsb
  std::string distribution = "uniform";
  uint64_t records = 0, threads = 0, seconds = 0;
  std::vector<std::string> properties;  // further ones, "name=value"
};
// 8-byte keys and values.
bool MakeSpec(const Workload& workload, workloads::ycsb::WorkloadSpec* spec, std::string* error);

struct TimedCheckpoint {
  double requested = 0, ended = -1;  // seconds since the run phase began; -1: not durable
  uint64_t bytes = 0;                // written between request and durable callback, by whomever
  double seconds() const { return ended - requested; }
};

// Operations per second of each whole sample, with the time at which it ended.
struct Rate {
  double from = 0, to = 0, operations_per_second = 0;
};
std::vector<Rate> SampleRates(const workloads::ycsb::PhaseResult& phase);

class MeasuredStore {
 public:
  // nullptr: *error.
  static std::unique_ptr<MeasuredStore> Make(const workloads::ycsb::WorkloadSpec& spec,
                                             const std::string& folder, std::string* error);
  ~MeasuredStore();

  // Inserts the spec's records; a later load may insert others into the same store.
  bool Load(const workloads::ycsb::WorkloadSpec& spec, workloads::ycsb::PhaseResult* result,
            std::string* error);
  // Works for spec.max_seconds. every > 0: takes such checkpoints meanwhile, and waits for the last one. The
  // sessions stay open, but idle, until the next call.
  bool Run(const workloads::ycsb::WorkloadSpec& spec, double every,
           const workloads::ycsb::CheckpointChoice& choice, workloads::ycsb::PhaseResult* result,
           std::vector<TimedCheckpoint>* checkpoints, std::string* error);
  // A checkpoint while no session works.
  bool Checkpoint(const workloads::ycsb::CheckpointChoice& choice, TimedCheckpoint* timed,
                  std::string* error);

  uint64_t log_bytes() const;
  uint64_t index_bytes() const { return engine_->IndexBytes(); }

 private:
  // Passes on to the log what it is told, and notes how much had been written.
  class Observer final : public faster::CheckpointObserver {
   public:
    Observer(workloads::ycsb::CheckpointLog* log, const CountingStorage* storage)
        : log_(log), storage_(storage) {}
    void OnPhase(faster::CheckpointKind kind, faster::Phase phase, uint64_t version) override;
    void OnDurable(const faster::Token& token, faster::CheckpointKind kind, faster::Status status,
                   uint64_t version, const std::vector<faster::SessionCommit>& sessions) override;
    uint64_t BytesOf(const faster::Token& token) const;

   private:
    workloads::ycsb::CheckpointLog* const log_;
    const CountingStorage* const storage_;
    mutable std::mutex mutex_;
    bool running_ = false;
    uint64_t before_ = 0;
    std::map<std::string, uint64_t> bytes_;
  };

  MeasuredStore(const std::string& folder) : folder_(folder), storage_(folder), observer_(&log_, &storage_) {}
  void Renew(const workloads::ycsb::WorkloadSpec& spec, double every,
             const workloads::ycsb::CheckpointChoice& choice);
  TimedCheckpoint Timed(const workloads::ycsb::CheckpointEvent& event) const;

  const std::string folder_;
  CountingStorage storage_;
  workloads::ycsb::CheckpointLog log_;
  Observer observer_;
  std::unique_ptr<workloads::ycsb::Engine> engine_;
  std::unique_ptr<workloads::ycsb::Driver> driver_;
};

}  // namespace experiments::bench
