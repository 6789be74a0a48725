// Worker: the process that runs executions for a campaign, one after the other, until told to stop.
//
// Forked by the campaign, one a core. It shares the Tally with its parent, records every tape into a mapped
// file and says which execution it is in, so that its death is a finding like any other.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "experiments/crash/finding.h"
#include "experiments/crash/generator.h"
#include "experiments/crash/tally.h"
#include "faults/sched/policy.h"

namespace experiments {

struct CampaignPlan {
  Variation variation;
  bool has_file = false;
  Scenario from_file;  // instead of the generator's
  std::string policy;  // "": the portfolio
  uint64_t first_seed = 1;
  uint64_t executions = ~0ull;  // at most
  double deadline = 0;          // MonotonicSeconds(), 0: none
  bool stop_at_first = false;
  uint32_t double_run_every = 50;
  uint32_t findings_per_class = 4;
  uint32_t depth = 0;   // not 0: exhaustive, with so many crashes one after the other (exhaustive.h)
  uint64_t record = 0;  // so many executions are stored whatever their verdict
  std::string folder;   // of the results
};

// What execution `seed` of a campaign does, and how: a function of plan and seed (PCT's estimate of the
// number of steps excepted, which is why a tape is the replay).
class Recipe {
 public:
  explicit Recipe(const CampaignPlan& plan);
  // The policy lives as long as the recipe.
  void Prepare(uint64_t seed, Scenario* scenario, How* how, std::string* policy_name);

 private:
  const CampaignPlan& plan_;
  faults::Portfolio portfolio_;
  std::unique_ptr<faults::Policy> single_;
};

int FamilyOf(const Scenario& scenario);  // its number among Families(), or the last of kMaxFamilies

// The exit status of the process: 0, or 3 if the harness cannot be trusted.
int RunWorker(const CampaignPlan& plan, const SubjectLibrary& library, Shared* shared, int number);

std::string WorkerTapePath(const CampaignPlan& plan, int number);
// The folder for a new finding of this class, or "" if enough of them are stored.
std::string ClaimFinding(const CampaignPlan& plan, Shared* shared, const std::string& rule, const Cell& cell);

}  // namespace experiments
