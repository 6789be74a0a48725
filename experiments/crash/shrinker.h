// Shrinker: makes a failing story smaller for as long as it fails in the same way.
//
// THE SAME WAY is the same rule; for what no checker judged (stuck, crash, device) also the same kind of it,
// such as a deadlock or a use after free; and at first the same key of the witness. The key is given up only
// when everything else has been tried and the story is still long, and the result says so.
//
// Passes leave out or lessen one kind of thing: incarnations, actors, faults, actions, decisions of the
// schedule, numbers, geometry. They are repeated until none finds anything. If the story is then longer than
// a person wants to read, its scenario is also run under other schedules, drawn anew, and with fewer actions
// still. Every candidate is run; the best one is always a story that was seen to fail. Deterministic for a
// story and a seed unless the time runs out. Used by one thread.
#pragma once

#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "experiments/crash/minimize.h"
#include "experiments/crash/shrink_runner.h"

namespace experiments {

struct ShrinkLimits {
  double deadline = 0;  // MonotonicSeconds() at which the best so far has to do; 0: none
  uint64_t runs = 0;    // so many runs at most; 0: no limit
  uint64_t seed = 1;    // of the schedules that are drawn
  std::function<void(const Story& best, uint64_t runs)> on_run;  // after each, for progress
};

// What a trial has to show to count as the same failure.
struct Failure {
  std::string rule, kind;
  bool has_key = false;
  uint64_t key = 0;
};
Failure FailureOf(const Trial& trial);
bool SameFailure(const Failure& wanted, const Trial& trial);

class Shrinker {
 public:
  Shrinker(ShrinkRunner* runner, const ShrinkLimits& limits) : runner_(runner), limits_(limits) {}

  // `story` has just been seen to fail as `trial` says. False: played by its schedule it does not.
  bool Begin(const Story& story, const Trial& trial);
  void Shrink();

  const Story& best() const { return best_; }
  const Trial& trial() const { return best_trial_; }
  bool minimal() const { return minimal_; }        // the passes ended by themselves
  bool key_given_up() const { return key_free_; }  // the witness may be of another key
  bool MayGoOn() const;

  // Runs a candidate without keeping it. True: it fails in the same way.
  bool Fails(const Story& candidate, Trial* trial);

 private:
  // As it is; also with the usual picks, or crashing where the scenario says; also under drawn schedules.
  enum class Effort { kOnce, kFull, kDraw };
  bool Try(const Story& candidate, Effort effort);
  bool Follow(const Story& candidate, bool usual, bool places);
  bool Accept(const Story& candidate, const Trial& trial);
  bool Draw(const Story& candidate, uint32_t draws);
  bool Mismatch(const Trial& trial) const { return !SameFailure(wanted_, trial); }

  void Round(Effort of_actions);
  void Incarnations();
  void Actors();
  void Faults();
  void Actions(Effort effort, bool roughly);
  void Decisions(bool roughly);
  void DecisionsOfOneKind();
  void Crashes();
  void Numbers();
  void Keys();
  void Geometry();
  void OtherSchedules();
  void OnePreemption();
  bool OneMore(const Story& base, uint64_t limit);
  void Replays();
  void Sparser();
  void Lower(const std::function<uint32_t&(Scenario&)>& number, uint32_t low);
  void Reset(const std::function<bool(Scenario&)>& edit);

  ShrinkRunner* const runner_;
  const ShrinkLimits limits_;
  Failure wanted_;
  bool key_free_ = false;
  bool minimal_ = false;
  Story best_;
  Trial best_trial_;
  uint64_t steps_ = 0;                   // of all runs
  uint64_t draws_ = 0;                   // schedules drawn so far
  std::unordered_set<uint64_t> failed_;  // candidates that did not fail
};

}  // namespace experiments
