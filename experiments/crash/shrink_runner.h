// ShrinkRunner: runs executions for the shrinker in a child process, so that one that kills its process or
// never ends is an answer like any other.
//
// The child lives from run to run; what is asked and what came of it go through shared memory, written as it
// happens: an execution that dies leaves its verdict ("crash", "stuck") and its schedule up to there. Used by
// one thread; the child is gone when the runner is. COST: that of the execution, and ~0.1 ms for reading the
// scenario; ~10 ms for a new child.
#pragma once

#include <sys/types.h>

#include <string>

#include "experiments/crash/finding.h"
#include "experiments/crash/story.h"

namespace experiments {

// What came of a run.
struct TrialFigures {
  bool harness_error = false;  // no verdict: `what` says why
  bool violation = false;
  bool died = false;  // with its process
  bool has_key = false;
  uint64_t key = 0;
  uint32_t incarnation = 0;  // the last one that began
  uint64_t hash = 0, steps = 0;
  Cell cell;
};
struct Trial : TrialFigures {
  std::string rule, what;
};

class ShrinkRunner {
 public:
  explicit ShrinkRunner(const SubjectLibrary* library) : library_(library) {}
  ~ShrinkRunner();
  ShrinkRunner(const ShrinkRunner&) = delete;
  ShrinkRunner& operator=(const ShrinkRunner&) = delete;
  bool Open(std::string* error);

  struct FollowOptions {
    bool usual = false;  // the usual picks of the schedule as well
    bool places = true;  // crashes where the schedule says, not where the scenario does
    bool find_code = false;
  };
  Trial Follow(const Story& story, const FollowOptions& options);
  // By its tape, or by its policy and seed if it has none.
  Trial Repeat(const StoredExecution& stored);
  // Execution `seed` of a campaign over this scenario.
  Trial DrawAsCampaign(const Scenario& scenario, uint64_t seed);
  // Under a schedule drawn by `policy` ("random:P", "pct:D"); the disk does something unusual at every tenth
  // choice or so. `story.schedule` is not used. `steps`: about how many it will have.
  Trial Draw(const Story& story, const std::string& policy, uint64_t seed, uint64_t steps);

  // Steps after which a run counts as stuck; 0: as many as the scenario has by itself.
  void set_step_limit(uint64_t steps) { step_limit_ = steps; }
  // Real time after which a run is killed and counts as stuck.
  void set_patience(double seconds) { patience_ = seconds; }

  // Of the last run: the schedule as it happened and the crash points that say the same, into `story`, whose
  // scenario must be the one that ran. False: it was too long to be written down.
  bool TakeSchedule(Story* story) const;
  const faults::TapeEntry* tape() const;
  size_t tape_entries() const;
  uint64_t runs() const { return runs_; }

 private:
  struct Board;
  struct Source;
  bool StartChild(std::string* error);
  void EndChild();
  Trial Ask();
  Trial Dead(bool hung, int status) const;
  [[noreturn]] void Serve(int questions, int answers);
  void Prepare(Follower* follower, Scenario* scenario, How* how, Source* source);
  void Answer(Execution* execution, Follower* follower);
  bool PutScenario(const Scenario& scenario);

  const SubjectLibrary* const library_;
  Board* board_ = nullptr;
  pid_t child_ = 0;
  int to_child_ = -1, from_child_ = -1;
  uint64_t step_limit_ = 0;
  double patience_ = 30;
  uint64_t runs_ = 0;
};

}  // namespace experiments
