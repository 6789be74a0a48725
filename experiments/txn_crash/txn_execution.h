// TxnExecution: runs one TxnScenario under the scheduler, from the empty disk to the verdict of R7.
//
//   start | work, crash | recover (and crash, and recover ...), read all | work, crash | ... | come to rest,
//   read all | judge
//
// Each part is a round of the scheduler on one simulated disk. Everything is a function of the scenario and
// of the choices of the policy: the same two give the same hash. One per process at a time, reused.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "experiments/crash/execution.h"  // How
#include "experiments/crash/subject_library.h"
#include "experiments/txn_crash/txn_recorder.h"
#include "experiments/txn_crash/txn_scenario.h"
#include "faults/device/sim_storage.h"
#include "faults/oracle/txn_judge.h"
#include "faults/sched/scheduler.h"

namespace experiments {

// A subject loaded from a shared library, once per process.
class TxnLibrary {
 public:
  bool Load(const std::string& path, std::string* error);
  std::unique_ptr<TxnSubject> Make(const TxnSubjectConfig& config, faster::Storage* storage,
                                   TxnSubjectObserver* observer) const {
    return std::unique_ptr<TxnSubject>(
        reinterpret_cast<TxnSubjectCreate>(loaded_.symbol)(config, storage, observer));
  }
  const std::string& path() const { return loaded_.path; }
  uint64_t identity() const { return loaded_.identity; }

 private:
  LoadedSymbol loaded_;
};

struct TxnCrashNote {
  TxnCell cell;
  bool recovered = false;
};

struct TxnExecutionResult {
  bool violation = false;
  bool harness_error = false;  // the harness itself cannot be trusted: `what` says why
  bool undecided = false;
  std::string rule;    // "R7", "R0", "R1", "R2", "R5", "stuck", "crash", "device", "history", "disagree"
  std::string what;    // one line
  std::string detail;  // stacks, states
  faults::TxnVerdict verdict;
  TxnCell cell;  // of the last crash
  uint64_t hash = 0;
  uint64_t steps = 0, switches = 0, tape_entries = 0;
  std::vector<TxnCrashNote> crashes;
  uint32_t cells_seen = 0;
  uint64_t recovery_crashes = 0;
  uint64_t recoveries = 0;
  uint64_t recovered_split = 0;  // ... with a committed and a lost transaction of one client
  uint64_t commits = 0;
  uint64_t transactions = 0, aborted = 0, shifts = 0;
};

class TxnExecution {
 public:
  TxnExecution(const TxnLibrary* library, faults::Scheduler* scheduler)
      : library_(library), scheduler_(scheduler) {}
  ~TxnExecution() { static_cast<void>(subject_.release()); }
  // Valid until the next call.
  const TxnExecutionResult& Run(const TxnScenario& scenario, const How& how);

  const faults::TxnHistory& history() { return recorder_.history(); }
  const faults::SimStorage& storage() const { return storage_; }

 private:
  struct ClientFiber {
    TxnExecution* execution = nullptr;
    uint32_t number = 0;
    TxnSubjectClient* client = nullptr;  // in the execution's arena
    std::vector<TxnOperation> operations;
  };

  bool Round(void (*body)(TxnExecution*), const char* name, faults::Outcome* outcome);
  void Stopped(faults::Outcome outcome, const char* during);
  void Violation(const char* rule, std::string what);
  bool Start();
  bool Work(uint32_t life);
  bool Recover(uint32_t life);
  bool TryRecovery(uint32_t life, size_t attempt, bool* again);
  bool Finish();
  void Crash();
  void Judge();
  void Account();
  void SetFaults(const std::string& plan);

  // Bodies of fibers.
  void StartBody();
  void RecoverBody();
  void FinishBody();
  static void ClientMain(void* fiber);
  void AwaitPhase();
  void Act(ClientFiber* fiber, const TxnPlan& plan);
  void CommitterBody();
  void ReadAll(faults::TxnState* state);

  const TxnLibrary* const library_;
  faults::Scheduler* const scheduler_;
  faults::SimStorage storage_;
  faults::FaultPlan plan_;
  faults::TxnJudge judge_;
  TxnRecorder recorder_;
  TxnExecutionResult result_;
  const TxnScenario* scenario_ = nullptr;
  const TxnLife* life_ = nullptr;
  faults::RunResult numbers_ = {};
  std::unique_ptr<TxnSubject> subject_;  // in the execution's arena
  std::vector<ClientFiber> clients_;
  uint32_t clients_done_ = 0;     // or waiting
  bool no_more_commits_ = false;  // in this life
  uint64_t word_ = 0;             // the last one written

  struct Attempt {
    faster::Status status = faster::Status::kOk;
    std::string why;
    std::vector<TxnPoint> points;
    uint64_t number = 0;
    faults::TxnState state;
  };
  Attempt attempt_;
};

}  // namespace experiments
