// Course: a store under load, watched finely: throughput, latency, phase and log over time, with checkpoints
// at given moments.
//
// Threads with a session each, pinned to cores in turn, perform an operation stream; the calling thread
// samples, asks for checkpoints at their marks (a mark that finds one running waits for its end) and polls
// the running one. Latency comes from every 64th operation; one that goes pending is timed until it has been
// completed. COST of sampling: nothing for the threads without latencies; with them each thread copies 0.6 MB
// at every sample, so samples should be 20 ms apart or more. Used by one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "faster/device/storage.h"
#include "workloads/ycsb/checkpoint_log.h"
#include "workloads/ycsb/engine.h"
#include "workloads/ycsb/spec.h"

namespace experiments::figures::time_series {

struct Sample {
  double seconds = 0;                              // when it was taken
  uint64_t operations = 0;                         // since the course began
  double mops = 0;                                 // since the sample before
  double latency_mean_ns = 0, latency_p99_ns = 0;  // NAN: no operation was timed
  faster::Phase phase = faster::Phase::kRest;
  uint64_t version = 0;
  workloads::ycsb::LogState log = {};
};

struct CoursePlan {
  double warm_up = 0;  // seconds of load before the course begins
  double seconds = 0;
  double sample_seconds = 0;
  std::vector<double> marks;  // ascending
  workloads::ycsb::CheckpointChoice checkpoint;
  bool latency = false;
  // How long the driver stands still in InProgress. Here it brings sessions to v+1 itself, between two of
  // their operations, in microseconds; where each session has to look for itself, the slowest of many
  // decides.
  double hold_in_progress = 0;  // seconds
};

struct CourseResult {
  std::vector<Sample> samples;
  std::vector<workloads::ycsb::CheckpointEvent> checkpoints;
  workloads::ycsb::LogState before = {}, after = {};
  uint64_t failed = 0;  // operations that ended in an error, or read a torn value
};

class Course {
 public:
  // Makes the store and loads it. nullptr: *error.
  static std::unique_ptr<Course> Make(const workloads::ycsb::WorkloadSpec& spec, faster::Storage* storage,
                                      std::string* error);
  ~Course();
  // Once. False: *error.
  bool Run(const CoursePlan& plan, CourseResult* result, std::string* error);

 private:
  struct Worker;
  class Watch;

  // Tells the log, and holds the driver; sessions go on meanwhile.
  class Observer final : public faster::CheckpointObserver {
   public:
    explicit Observer(workloads::ycsb::CheckpointLog* log) : log_(log) {}
    void OnPhase(faster::CheckpointKind kind, faster::Phase phase, uint64_t version) override;
    void OnDurable(const faster::Token& token, faster::CheckpointKind kind, faster::Status status,
                   uint64_t version, const std::vector<faster::SessionCommit>& sessions) override {
      log_->OnDurable(token, kind, status, version, sessions);
    }
    double hold_in_progress = 0;  // set before the first checkpoint

   private:
    workloads::ycsb::CheckpointLog* const log_;
  };

  explicit Course(const workloads::ycsb::WorkloadSpec& spec);
  bool Load(std::string* error);
  bool OpenSessions(std::string* error);

  const workloads::ycsb::WorkloadSpec spec_;
  workloads::ycsb::CheckpointLog log_;  // it and the observer outlive the engine
  Observer observer_{&log_};
  std::unique_ptr<workloads::ycsb::Engine> engine_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace experiments::figures::time_series
