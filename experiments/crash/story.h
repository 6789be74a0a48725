// Story: a failing execution as the shrinker varies it: what was done (the scenario) and how it happened (the
// schedule), and the edits that make it smaller.
//
// Edits are pure: they return another story, which may fail or not. Each keeps the schedule in step with the
// scenario, so that what is left happens as before: a decision that stood in an action that is gone stands at
// the beginning of the next one of its actor; lanes follow their incarnation when an earlier one goes.
#pragma once

#include <string>
#include <vector>

#include "experiments/crash/schedule.h"

namespace experiments {

struct Story {
  Scenario scenario;
  Schedule schedule;
  uint64_t seed = 1;
  bool plain_points = true;
  bool spurious_cas = false;
};

// How much there is to a story, for people and for choosing between two.
struct StorySize {
  uint64_t operations = 0;   // of sessions; a replay is all that its actor did in the life before
  uint64_t actions = 0;      // everything else that actors do
  uint64_t sessions = 0;     // actors that use one
  uint64_t preemptions = 0;  // a thread stopped where it could have gone on
  uint64_t picks = 0;        // another one than the next went on where one had to wait
  uint64_t faults = 0;       // rules of the fault plans
  uint64_t fates = 0;        // sectors, sizes and names that were not the newest after a crash
  uint64_t choices = 0;      // other decisions: order of I/O, effects of faults, failures of weak exchanges
  uint64_t crashes = 0;      // those inside recoveries included
  uint64_t preloaded = 0;    // keys written before, filler included
};
StorySize SizeOf(const Story& story);
// By a weighted sum, in which a preemption counts more than an operation, and that more than another switch.
bool Smaller(const StorySize& a, const StorySize& b);

bool IsOperation(Verb verb);  // of a session: counted in operations
bool UsesSession(Verb verb);

struct ActionRef {
  size_t incarnation, actor, action;
};
std::vector<ActionRef> ActionsOf(const Scenario& scenario);
// `kept`: indexes into ActionsOf(story.scenario), ascending. Actors stay, even without actions.
Story KeepActions(const Story& story, const std::vector<size_t>& kept);
Story WithoutActor(const Story& story, size_t incarnation, size_t actor);
Story WithoutIncarnation(const Story& story, size_t incarnation);
// The incarnation is the last one: it comes to rest instead of crashing.
Story EndingWith(const Story& story, size_t incarnation);
// What `replay` does again is written out instead: all operations that its actor had in the life before. The
// schedule says nothing about these. False: there is no replay.
bool WithoutReplays(const Story& story, Story* result);
// Keys that actions use become 0, 1, 2, ... in their order; there are no others.
Story WithFewKeys(const Story& story);

// Indexes of decisions that are not usual.
std::vector<size_t> Deviations(const Schedule& schedule);
// Those of them, and all usual picks.
Story KeepDecisions(const Story& story, const std::vector<size_t>& kept);

std::vector<std::string> FaultRules(const std::string& plan);
std::string JoinRules(const std::vector<std::string>& rules);

}  // namespace experiments
