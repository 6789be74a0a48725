// Execution: runs one scenario under the scheduler, from the empty disk to the verdict.
//
//   fill | work, crash | recover (and crash, and recover ...) | verify | work, crash | ... | come to rest |
//   judge
//
// Each part is a round of the scheduler on one simulated disk. What clients saw is judged by both checkers;
// beyond that, an execution fails when it gets stuck, when the engine faults, when lookup and log scan
// disagree, or when an operation ends in a way no correct engine ends it. Everything is a function of the
// scenario and of the choices of the policy: the same two give the same hash.
//
// One Execution per process at a time, reused: it keeps its buffers. Cost: the engine's steps plus ~100 us.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "experiments/crash/actor.h"
#include "experiments/crash/moments.h"
#include "experiments/crash/recorder.h"
#include "experiments/crash/scenario.h"
#include "experiments/crash/subject_library.h"
#include "faults/device/sim_storage.h"
#include "faults/oracle/judge.h"
#include "faults/sched/scheduler.h"

namespace experiments {

struct How {
  uint64_t seed = 1;  // of the scheduler, and of the engine's identities
  ExecutionFollower* follower = nullptr;
  uint64_t step_limit = 0;  // after which it counts as stuck; 0: StepLimit() of the scenario
  faults::Policy* policy = nullptr;
  bool plain_points = true;
  bool spurious_cas = false;
  faults::TapeEntry* tape = nullptr;
  size_t tape_capacity = 0;
  bool tells_story = false;
  Moments* moments = nullptr;
};

struct CrashNote {
  Cell cell;
  bool growing = false;    // while the index grew
  bool recovered = false;  // a recovery returned afterwards
};

struct ExecutionResult {
  bool violation = false;
  bool harness_error = false;  // the harness itself cannot be trusted: `what` says why
  bool undecided = false;      // the checkers gave up; no verdict
  std::string rule;    // "R0".."R6", "scan", "stuck", "crash", "device", "invariants", "history", "disagree"
  std::string what;    // one line
  std::string detail;  // stacks, states: many lines
  faults::Verdict verdict;
  Cell cell;  // of the last crash
  uint64_t hash = 0;
  uint64_t steps = 0;
  uint64_t switches = 0;
  uint64_t tape_entries = 0;
  std::vector<CrashNote> crashes;
  uint64_t cells_seen = 0;  // as in Recorder
  uint64_t recovery_crashes = 0;
  uint64_t growths = 0;            // of the index, begun
  uint64_t checkpoints = 0;        // completed
  uint64_t recoveries = 0;         // that returned
  uint64_t recovered_own = 0;      // ... a checkpoint of this execution
  uint64_t recovered_split = 0;    // ... with a committed and a lost operation in one session
  uint64_t recovered_pending = 0;  // ... with operations pending at the cut
  uint64_t recovered_undone = 0;   // ... with records undone
  bool buffered = true;            // R6 held
};

class Execution {
 public:
  Execution(const SubjectLibrary* library, faults::Scheduler* scheduler);
  ~Execution() { static_cast<void>(subject_.release()); }
  // Valid until the next call.
  const ExecutionResult& Run(const Scenario& scenario, const How& how);

  const faults::History& history() { return recorder_.history(); }
  const std::vector<StoryLine>& story() { return recorder_.story(); }
  const faults::SimStorage& storage() const { return storage_; }
  uint64_t undecided() const { return judge_.undecided(); }

 private:
  bool Fill();
  bool Work(uint32_t number);
  bool Recover(uint32_t number);
  bool TryRecovery(uint32_t number, size_t attempt, bool* again);
  bool Verify(uint32_t number);
  bool Finish();
  void Judge();
  void Crash(bool at_rest);
  bool Round(void (*body)(Execution*), const char* name, faults::Outcome* outcome);
  void Stopped(faults::Outcome outcome, const char* during);
  void Violation(const char* rule, std::string what);
  const faster::Token* NameToRecover(const Incarnation& incarnation);
  uint32_t Kept() const;
  void FollowLineage(const faster::Token& recovered, bool named);
  void Account(const faults::Recovery& recovery);
  void SetFaults(const std::string& plan);
  SubjectConfig NextConfig();

  // Bodies of fibers.
  void FillBody();
  void RecoverBody();
  void VerifyBody();
  void FinishBody();
  // False: a key could not be read. After a recovery it is then missing in *state, which no checker passes
  // over.
  bool ReadBack(std::vector<std::pair<uint64_t, uint64_t>>* state,
                const std::vector<std::pair<uint64_t, uint64_t>>* scanned);
  bool Scan(std::vector<std::pair<uint64_t, uint64_t>>* live, bool after_faults);

  const SubjectLibrary* const library_;
  faults::Scheduler* const scheduler_;
  faults::SimStorage storage_;
  faults::FaultPlan plan_;
  std::string plan_text_;
  faults::Judge judge_;
  Recorder recorder_;
  Stage stage_;
  MomentWatch watch_;
  SessionUser harness_user_;  // fills and reads back
  ExecutionResult result_;
  const Scenario* scenario_ = nullptr;
  How how_;
  faults::RunResult numbers_ = {};
  // In the execution's arena. Deleted on a fiber or, after a crash or verdict, released: its threads are
  // gone.
  std::unique_ptr<Subject> subject_;
  uint32_t lives_ = 0;
  uint32_t incarnation_ = 0;  // the one that runs or is being recovered into

  // Of the recovery at hand.
  struct Attempt {
    const faster::Token* token = nullptr;
    faster::Status status = faster::Status::kOk;
    faster::Status create_status = faster::Status::kOk;
    std::string why;
    faster::Token log_token;
    std::vector<faster::SessionCommit> sessions;
    uint64_t records_undone = 0;
  };
  Attempt attempt_;
  faster::Token recovered_token_;
  bool recovered_any_ = false;
  std::vector<faster::Token> lineage_;  // durable checkpoints of the log that still count, oldest first
  bool abandoned_ = false;              // newer ones exist on disk that a named recovery left behind
  faster::Token named_;
  std::vector<std::pair<uint64_t, uint64_t>> settled_;  // filler keys as the incarnation began
};

}  // namespace experiments
