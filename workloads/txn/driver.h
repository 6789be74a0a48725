// Driver of the transactional store: threads with a client each, pinned to cores in turn, execute a workload
// for a time or a number of transactions; the calling thread samples, asks for commits at given moments,
// polls, and ends the run. Used by one thread.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "workloads/histogram.h"
#include "workloads/txn/workload.h"

namespace workloads::txn {

struct DriverOptions {
  uint32_t threads = 1;
  double seconds = 0;         // 0: until `transactions` have committed
  uint64_t transactions = 0;  // of all threads together; 0: until the time is over
  double sample_seconds = 0.1;
  std::vector<double> commits_at;  // seconds into the run, ascending
  bool commit_at_end = false;      // one more, when the threads have ended
  bool timed = false;              // the time breakdown
  uint32_t latency_every = 16;     // one of so many transactions is measured; 0: none
  uint64_t first_client = 1;       // thread t is client first_client + t
  const std::atomic<bool>* interrupted = nullptr;
};

struct Sample {
  double seconds = 0;      // since the run began; the sample is of the time since the one before
  uint64_t committed = 0;  // since the run began
  uint64_t aborted = 0;    // likewise; attempts
  double latency_ns = 0;   // mean of the transactions measured in the interval, tries included
  TxnPhase phase = TxnPhase::kRest;
  uint64_t version = 0;
};

struct PhaseChange {
  double seconds = 0;
  TxnPhase phase = TxnPhase::kRest;
  uint64_t version = 0;
};

struct CommitRun {                  // a commit that the driver asked for
  double requested = 0, ended = 0;  // seconds
  uint64_t number = 0, bytes = 0;
  Status status = Status::kPending;
  std::string why;
};

struct BreakdownNs {  // per committed transaction, without the readings of the clock
  double exec = 0, tail = 0, log = 0, abort = 0;
};

struct RunResult {
  double seconds = 0;
  uint64_t committed = 0;
  uint64_t conflicts = 0, shifts = 0;  // attempts aborted by a lock, by CPR
  uint64_t given_up = 0;               // by their body (TPC-C's entry errors): not tried again
  uint64_t failed = 0;                 // the store could not: the thread ends
  Status failure = Status::kOk;        // of the first of these
  bool interrupted = false;
  uint64_t group_commits = 0;  // WAL
  LatencyHistogram latency;    // ns
  BreakdownNs times;           // if timed
  std::vector<Sample> samples;
  std::vector<PhaseChange> phases;
  std::vector<CommitRun> commits;
};

// Takes down what the store reports. Give it to the store, then to the driver.
class RunObserver final : public TxnObserver {
 public:
  using Clock = std::chrono::steady_clock;
  struct Ended {
    double seconds;
    Commit commit;
  };
  void Begin(Clock::time_point start);
  void OnPhase(TxnPhase phase, uint64_t version) override;
  void OnCommit(const Commit& commit) override;
  std::vector<PhaseChange> TakePhases();
  std::vector<Ended> TakeCommits();

 private:
  double Now() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  std::mutex mutex_;  // guards all
  Clock::time_point start_ = Clock::now();
  std::vector<PhaseChange> phases_;
  std::vector<Ended> commits_;
};

// "" or one line that says what cannot work.
std::string CheckDriverOptions(const DriverOptions& options);

class Driver {
 public:
  // `observer` is the store's; all outlive the driver.
  Driver(const DriverOptions& options, const Workload* workload, TxnStore* store, RunObserver* observer);
  ~Driver();
  // kOk even if transactions failed (the result says so). Else *error is one line: no client to be had.
  Status Run(RunResult* result, std::string* error);

 private:
  struct alignas(64) Thread;
  void Work(Thread* thread);
  bool Attempt(Thread* thread);
  void Watch(RunResult* result);
  void AskForCommits(double now, RunResult* result);
  void NoteCommits(RunResult* result);
  void AddSample(double now, RunResult* result);
  void Finish(RunResult* result, double ns_per_tick);
  uint64_t Committed() const;

  const DriverOptions options_;
  const Workload* const workload_;
  TxnStore* const store_;
  RunObserver* const observer_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::atomic<bool> go_{false}, stop_{false};
  std::atomic<uint32_t> ready_{0}, ended_{0};
  RunObserver::Clock::time_point start_;
  size_t next_commit_ = 0;
  uint64_t sampled_latencies_ = 0, sampled_ticks_ = 0;
  double ns_per_tick_ = 1;
};

}  // namespace workloads::txn
