// Campaign: kills on many stores until the time is over, the table of where they struck, and results.json.
//
// Small stores are killed in chosen phases (the cell hit least is next) and at random moments; a share of the
// time goes to a store of a million keys, larger than memory, at full speed, with every key verified.
// Everything but the moments of the kills follows from the seed. Used by one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "experiments/common/phase_table.h"
#include "experiments/process/plans.h"

namespace experiments::process {

struct CampaignOptions {
  std::string folder;  // results
  uint64_t seed = 1;
  double seconds = 60;
  uint64_t executions = ~uint64_t{0};  // kills at most
  bool stop_at_first = false;
  bool big = true;  // with kills of the big store
  bool coverage_required = true;
  std::vector<int> kinds;
  Protocol protocol;
  std::optional<StorageChoice> storage;  // absent: drawn
  const std::atomic<bool>* interrupted = nullptr;
};

struct Finding {
  std::string rule, what, kind, phase, store, folder;
  uint64_t kill = 0;  // number of the kill in the campaign
  std::vector<std::string> witnesses;
};

struct CampaignResult {
  bool interrupted = false;
  double seconds = 0;
  uint64_t kills = 0, big_kills = 0, stores = 0;
  uint64_t recoveries = 0, refused_rightly = 0, own = 0, split = 0, pending = 0, undone = 0;
  uint64_t checkpoints = 0, keys_verified = 0, big_keys_verified = 0;
  uint64_t operations_committed = 0, operations_lost = 0;
  uint64_t sectors = 0, sectors_old = 0, names_old = 0, sizes_old = 0;
  CellTally cells[kKinds][kRows] = {};
  std::vector<Finding> findings;
  std::vector<std::string> doubts;  // why the harness cannot be trusted
  double first_violation_seconds = 0;
  uint64_t first_violation_kills = 0;
  int exit_status() const { return !findings.empty() ? 1 : doubts.empty() ? 0 : 3; }
};

CampaignResult RunCampaign(const CampaignOptions& options);

std::string SummaryText(const CampaignOptions& options, const CampaignResult& result);
std::string ResultsJson(const CampaignOptions& options, const CampaignResult& result);
// The command that does the same kills again; where exactly they strike is up to the machine.
std::string AgainCommand(const CampaignOptions& options);

}  // namespace experiments::process
