// Driver: YCSB's two phases on an open store. Threads with a session each, pinned to cores in turn, perform
// operations; the calling thread watches: it samples the throughput, asks for checkpoints, polls the running
// one (sessions refresh by themselves), prints the status line, and ends the phase in time or when
// interrupted. Used by one thread; spec, engine and log outlive it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "workloads/ycsb/checkpoint_log.h"
#include "workloads/ycsb/engine.h"
#include "workloads/ycsb/report.h"
#include "workloads/ycsb/spec.h"
#include "workloads/ycsb/status_lines.h"

namespace workloads::ycsb {

struct DriverOptions {
  double checkpoint_every = 0;                // seconds, 0 = none
  std::vector<CheckpointChoice> checkpoints;  // taken in turn
  bool limit_load = true;                     // maxexecutiontime and target are the load phase's, too
  bool status = false;                        // lines on stderr, but YCSB-cpp's on stdout
  StatusStyle status_style;
  std::string label;
  double sample_seconds = 0.25;
  const std::atomic<bool>* interrupted = nullptr;
  RunJournal* journal = nullptr;
  uint32_t incarnation = 0;  // named in the words written
  // Sessions to continue, one per thread, each after the operation with its serial; empty: new ones.
  std::vector<faster::SessionCommit> resume;
  bool keep_points = false;    // PhaseMeasurements::points
  bool keep_intended = false;  // PhaseMeasurements::intended
  bool points_are_intended = false;
};

struct Sample {
  double seconds;       // since the phase began
  uint64_t operations;  // completed until then
};

struct IndexSize {
  double seconds;  // when it was first seen
  uint64_t buckets;
};

struct PhaseResult : PhaseMeasurements {
  uint64_t fuzzy = 0;  // as in ThreadState
  bool interrupted = false;
  std::vector<Sample> samples;
  std::vector<IndexSize> index_sizes;  // if the index may grow: at the start, and after each growth
};

class Driver {
 public:
  Driver(const WorkloadSpec& spec, Engine* engine, CheckpointLog* log, const DriverOptions& options);

  // The keys that come from files. False: *error; before everything else, if there are any.
  bool ReadKeyFiles(bool load, bool run, std::string* error);
  // Draws the keys of the run phase (a second or two for many); nothing that is measured.
  void Prepare();
  // False: *error says why (a session could not be had). The loading sessions are closed afterwards.
  bool Load(PhaseResult* result, std::string* error);
  // The sessions stay open until the driver goes; a running checkpoint is awaited unless interrupted.
  bool Run(PhaseResult* result, std::string* error);
  // Asks for a checkpoint and waits for its end; the status it ended with.
  faster::Status CheckpointAndWait(const CheckpointChoice& choice);

 private:
  struct Thread;
  using Body = void (Driver::*)(size_t thread);

  std::unique_ptr<ThreadState> NewState() const;
  void SayStatus(const std::string& line) const;
  bool OpenSessions(std::string* error);
  bool ContinueSessions(std::string* error);
  void Perform(Body body, uint64_t total, double max_seconds, bool checkpoints, PhaseResult* result);
  void LoadThread(size_t thread);
  void RunThread(size_t thread);
  void Watch(double max_seconds, bool checkpoints, bool run, PhaseResult* result);
  void WatchCheckpoints(double now);
  bool WatchGrowth(double now, bool asks, PhaseResult* result);
  uint64_t Done() const;
  bool Interrupted() const { return options_.interrupted != nullptr && options_.interrupted->load(); }
  bool StartCheckpoint(const CheckpointChoice& choice);
  uint64_t Share(uint64_t total, size_t thread) const;
  double SecondsPerOperation() const;

  const WorkloadSpec spec_;
  Engine* const engine_;
  CheckpointLog* const log_;
  const DriverOptions options_;
  std::vector<uint64_t> loaded_keys_;        // by record number; empty: KeyOfRecord
  std::vector<std::vector<uint64_t>> keys_;  // of the run phase, for each thread
  std::unique_ptr<AcknowledgedCounter> inserted_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<ThreadState>> states_;
  std::atomic<bool> stop_{false};
  std::atomic<uint32_t> ready_{0}, ended_{0};
  std::atomic<bool> go_{false};
  CheckpointLog::Clock::time_point end_;  // of the last thread
  std::unique_ptr<StatusLines> status_;   // null: no lines
  bool checkpoint_runs_ = false;
  double next_checkpoint_ = 0;
  size_t checkpoints_started_ = 0;
};

// The seed of thread number `thread`; what a verifier needs to say what the thread did.
uint64_t ThreadSeed(const WorkloadSpec& spec, size_t thread);
// The keys (or record numbers) drawn ahead for one thread.
std::vector<uint64_t> ThreadKeys(const WorkloadSpec& spec, size_t thread, bool as_keys);

}  // namespace workloads::ycsb
