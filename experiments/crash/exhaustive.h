// Exhaustive crashes: one scenario under one schedule, crashed at every step and I/O event of its first
// incarnation, with every fate of what was not durable that recovery can see; and each of these recoveries
// crashed again.
//
// The schedule is recorded once, from a seed and a policy, and replayed up to the crash; what follows runs
// one thread as long as it can. A crash at a step leaves what one at the step before leaves, unless the disk
// or what clients saw has changed in between: such steps are merged, so that some hundred MOMENTS stand for
// all steps. At each of them the disk's fates are decided when recovery first looks (DESIGN.md 6), and a
// FateWalk goes through them: an IMAGE is what one such recovery saw. With depth 2 each of these recoveries
// is crashed at every moment at which it had changed the disk since the one before; with 3, those once more.
//
// Every execution is one of `Execution`: a violation is a finding like any other and replays without this.
// Cost: one execution an image.
#pragma once

#include <string>
#include <vector>

#include "experiments/crash/worker.h"

namespace experiments {

class WorkerRun;

// 3 sessions, 12 operations, a checkpoint of this kind, and 3 operations of each session after recovery.
Scenario ReferenceScenario(const CheckpointRequest& checkpoint);

// "" or one line that says why a scenario cannot be crashed exhaustively.
std::string CheckExhaustible(const Scenario& scenario);

// The scenario with a crash of its first incarnation after so many steps, and the recovery from it crashed
// after so many each.
Scenario CrashedAt(const Scenario& scenario, const std::vector<uint32_t>& delays);

// The part of a worker's campaign: shared->next counts the moments of the schedule. The exit status.
int RunExhaustively(const CampaignPlan& plan, Shared* shared, WorkerRun* run);

}  // namespace experiments
