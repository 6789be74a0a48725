// TxnCampaign: many executions of a transactional store on all cores, and what is left of them: a table of
// scheme by phase, findings, results.json.
//
// The parent forks one worker a core, watches them, shows one progress line and restarts a worker that died
// or hung (that is a finding). Ctrl-C or SIGTERM ends it within a second with valid results.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "experiments/common/phase_table.h"
#include "experiments/txn_crash/txn_finding.h"

namespace experiments {

struct TxnTally {  // in memory that parent and workers share; each worker writes its own
  uint64_t executions, crashes, recovery_crashes, recoveries, recovered_split, violations, commits;
  uint64_t transactions, aborted, shifts, steps, switches, undecided, double_runs, differing_runs;
  uint64_t torn_writes, sectors_old;
  CellTally cells[kTxnSchemes][kTxnRows];
  void Add(const TxnTally& other);
  void Add(const TxnExecutionResult& result);
};

struct TxnCampaignOptions {
  std::vector<uint32_t> schemes;
  bool has_file = false;
  TxnScenario from_file;  // instead of the generator's
  std::string policy;     // "": the portfolio
  uint64_t first_seed = 1;
  uint64_t executions = ~0ull;  // at most
  double seconds = 0;           // 0: no limit
  bool stop_at_first = false;
  uint64_t jobs = 0;  // 0: one a core
  uint64_t record = 0;
  std::string seed_text;
  std::string folder;
  bool quiet = false;
};

struct TxnFindingNote {
  std::string folder;
  TxnStored stored;
};

struct TxnCampaignResult {
  bool valid = false;               // the harness can be trusted
  std::vector<std::string> doubts;  // why not
  bool interrupted = false;
  double seconds = 0;
  int jobs = 0;
  TxnTally total = {};
  bool reachable[kTxnSchemes][kTxnRows] = {};
  std::vector<TxnFindingNote> findings;
  uint64_t first_violation_executions = 0;
  int exit_status() const { return total.violations > 0 || !findings.empty() ? 1 : valid ? 0 : 3; }
};

// False: *error is one line.
bool RunTxnCampaign(const TxnCampaignOptions& options, const TxnLibrary& library, TxnCampaignResult* result,
                    std::string* error);
std::string TxnSummaryText(const TxnCampaignOptions& options, const TxnCampaignResult& result);
std::string TxnResultsJson(const TxnCampaignOptions& options, const TxnLibrary& library,
                           const TxnCampaignResult& result);

// The worker's side.
struct TxnShared {
  std::atomic<bool> stop;
  std::atomic<uint64_t> next;  // number of the next execution
  std::atomic<uint32_t> findings;
  std::atomic<bool> untrusted;
  char why_untrusted[512];
  struct Worker {
    TxnTally tally;
    std::atomic<uint64_t> seed, begun;
  } workers[64];
};
constexpr uint32_t kMostTxnFindings = 24;
// What execution `seed` does and how, as far as it does not depend on the policy's memory.
void PrepareTxn(const TxnCampaignOptions& options, uint64_t seed, TxnScenario* scenario, How* how);
int RunTxnWorker(const TxnCampaignOptions& options, double deadline, const TxnLibrary& library,
                 TxnShared* shared, int number);
std::string TxnTapePath(const TxnCampaignOptions& options, int number);

}  // namespace experiments
