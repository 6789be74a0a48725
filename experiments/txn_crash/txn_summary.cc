// The end of a campaign of transactions: the table and verdict as text, and results.json.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "experiments/common/progress.h"
#include "experiments/txn_crash/txn_campaign.h"

namespace experiments {
namespace {

using Json = nlohmann::ordered_json;

std::vector<PhaseCell> Cells(const TxnCampaignResult& result) {
  std::vector<PhaseCell> cells;
  for (int kind = 0; kind < kTxnSchemes; ++kind)
    for (int row = 0; row < kTxnRows; ++row)
      cells.push_back({kTxnSchemeName[kind], kTxnRowName[row], result.total.cells[kind][row],
                       result.reachable[kind][row]});
  return cells;
}

}  // namespace

std::string TxnSummaryText(const TxnCampaignOptions& options, const TxnCampaignResult& result) {
  const TxnTally& total = result.total;
  char rate[64];
  std::snprintf(rate, sizeof rate, "%.0f/s on %d %s",
                static_cast<double>(total.executions) / std::max(result.seconds, 1e-3), result.jobs,
                result.jobs == 1 ? "core" : "cores");
  std::string text = PhaseTableText(Cells(result)) + "\n";
  text += Grouped(total.executions) + " executions in " + DurationText(result.seconds) + " (" + rate +
          "), seed " + options.seed_text + "\n";
  text += Grouped(total.transactions) + " transactions begun, " + Grouped(total.aborted) + " aborted (" +
          Grouped(total.shifts) + " CPR aborts); " + Grouped(total.commits) + " commits became durable\n";
  text += Grouped(total.crashes) + " crashes and " + Grouped(total.recovery_crashes) +
          " more inside recoveries; " + Grouped(total.recoveries) + " recoveries, " +
          Percent(total.recovered_split, total.recoveries) +
          " with a committed and a lost transaction of one client\n";
  text += Grouped(total.double_runs) + " executions run twice, " + Grouped(total.differing_runs) +
          " differed; " + Grouped(total.undecided) + " without a verdict\n";
  if (result.interrupted) text += "interrupted: the figures are of what was done until then\n";
  text += "results: " + options.folder + "\n\n";
  for (const TxnFindingNote& finding : result.findings)
    text += finding.stored.rule + " violated (crash in " + finding.stored.phase + ", seed " +
            std::to_string(finding.stored.seed) + "): " + finding.stored.what + "\n    " +
            TxnReplayCommand(finding.folder) + "\n";
  for (const std::string& doubt : result.doubts) text += "not to be trusted: " + doubt + "\n";
  if (result.exit_status() == 0) {
    text += "PASS: every client came back as a prefix of whole transactions in all " +
            Grouped(total.recoveries) + " recoveries\n";
  } else if (result.exit_status() == 3) {
    text += "NO VERDICT: the harness itself cannot be trusted, see above\n";
  } else {
    text += "FAIL: " + Grouped(std::max<uint64_t>(total.violations, result.findings.size())) + " of " +
            Grouped(total.executions) + " executions violated a property; first after " +
            Grouped(result.first_violation_executions) + " executions\n";
    if (!result.findings.empty()) text += TxnReplayCommand(result.findings[0].folder) + "\n";
  }
  return text;
}

std::string TxnResultsJson(const TxnCampaignOptions& options, const TxnLibrary& library,
                           const TxnCampaignResult& result) {
  const TxnTally& total = result.total;
  Json json;
  json["valid"] = result.valid;
  json["passed"] = result.exit_status() == 0;
  json["doubts"] = result.doubts;
  json["interrupted"] = result.interrupted;
  json["mode"] = "sim";
  json["seed"] = options.seed_text;
  json["family"] = "transactions";
  json["subject"] = library.path();
  json["jobs"] = result.jobs;
  json["seconds"] = result.seconds;
  json["executions"] = total.executions;
  json["executions_per_second"] = static_cast<double>(total.executions) / std::max(result.seconds, 1e-3);
  json["crashes"] = total.crashes;
  json["crashes_in_recovery"] = total.recovery_crashes;
  json["recoveries"] = total.recoveries;
  json["recoveries_with_committed_and_lost_of_one_client"] = total.recovered_split;
  json["violations"] = total.violations;
  json["commits_durable"] = total.commits;
  json["transactions"] = total.transactions;
  json["transactions_aborted"] = total.aborted;
  json["cpr_aborts"] = total.shifts;
  json["steps"] = total.steps;
  json["switches"] = total.switches;
  json["undecided"] = total.undecided;
  json["double_runs"] = total.double_runs;
  json["differing_runs"] = total.differing_runs;
  json["device"] = {{"torn_writes", total.torn_writes}, {"sectors_old", total.sectors_old}};
  json["coverage"] = PhaseTableJson(Cells(result));
  json["first_violation_executions"] = result.first_violation_executions;
  json["findings"] = Json::array();
  for (const TxnFindingNote& finding : result.findings)
    json["findings"].push_back({{"rule", finding.stored.rule},
                                {"what", finding.stored.what},
                                {"phase", finding.stored.phase},
                                {"policy", finding.stored.policy},
                                {"seed", finding.stored.seed},
                                {"folder", finding.folder},
                                {"replay", TxnReplayCommand(finding.folder)}});
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace experiments
