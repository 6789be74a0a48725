// Campaign: many executions on all cores, and what is left of them: a table, findings, results.json.
//
// The parent forks one worker a core, watches them, shows one progress line and restarts a worker that died
// (its death is a finding: the engine took the process with it). Ctrl-C or SIGTERM ends it within a second
// with valid results.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "experiments/crash/worker.h"

namespace experiments {

struct CampaignOptions {
  CampaignPlan plan;
  uint64_t jobs = 0;      // 0: one a core
  double seconds = 0;     // 0: no limit
  std::string seed_text;  // as the user may repeat it
  bool quiet = false;
  bool coverage_required = true;
};

struct FindingNote {  // as stored in a folder below findings/
  std::string folder;
  std::string rule, what, kind, phase, scenario, policy;
  uint64_t seed = 0;
};

struct CampaignResult {
  bool valid = false;               // the harness can be trusted
  std::vector<std::string> doubts;  // why not
  bool interrupted = false;
  double seconds = 0;
  int jobs = 0;
  Tally total = {};
  ExhaustiveTally exhaustive = {};  // with plan.depth
  struct {
    uint64_t schedules = 0, steps = 0, events = 0, moments = 0;
  } schedule;  // ... what was to be crashed
  std::array<std::array<bool, kCellRows>, kCheckpointKinds> reachable = {};
  std::vector<FindingNote> findings;
  double first_violation_seconds = 0;
  uint64_t first_violation_executions = 0;
  uint64_t peak_rss_kib = 0;  // of the largest worker
  int exit_status() const { return total.violations > 0 || !findings.empty() ? 1 : valid ? 0 : 3; }
};

// False: *error is one line (the machine cannot do it; results cannot be written).
bool RunCampaign(const CampaignOptions& options, const SubjectLibrary& library, CampaignResult* result,
                 std::string* error);

// The phases that the subject says each kind passes; fills reachable cells and Variation::phases.
bool ReadPhaseTable(const SubjectLibrary& library, const std::vector<int>& kinds,
                    std::array<std::vector<int>, kCheckpointKinds>* phases, std::string* error);

// The text and the JSON form of a result. `command` is what the user typed.
std::string SummaryText(const CampaignOptions& options, const CampaignResult& result);
std::string ResultsJson(const CampaignOptions& options, const SubjectLibrary& library,
                        const CampaignResult& result);
std::string ReplayCommand(const std::string& folder);

}  // namespace experiments
