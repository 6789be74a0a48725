// The end of a campaign of kills: the table and verdict as text, and results.json.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "experiments/common/cli.h"
#include "experiments/common/phase_table.h"
#include "experiments/common/progress.h"
#include "experiments/process/campaign.h"

namespace experiments::process {
namespace {

using Json = nlohmann::ordered_json;

std::vector<PhaseCell> Cells(const CampaignResult& result) {
  std::vector<PhaseCell> cells;
  for (int kind = 0; kind < kKinds; ++kind) {
    for (int row = 0; row < kRows; ++row) {
      cells.push_back({KindText(kind), RowText(row), result.cells[kind][row], Reachable(kind, row)});
    }
  }
  return cells;
}

std::string FiguresText(const CampaignOptions& options, const CampaignResult& result) {
  return Grouped(result.kills) + " kills of " + Grouped(result.stores) + " stores in " +
         DurationText(result.seconds) + ", seed " + std::to_string(options.seed) + "; " +
         Grouped(result.big_kills) + " at full speed on 1,000,000 keys larger than memory, " +
         Grouped(result.big_keys_verified) + " of their keys verified\n" + Grouped(result.checkpoints) +
         " checkpoints completed; " + Grouped(result.recoveries) + " recoveries (" +
         Grouped(result.refused_rightly) + " more before any checkpoint), " + Grouped(result.own) + " (" +
         Percent(result.own, result.recoveries) + ") returned a checkpoint of the killed process; of these " +
         Percent(result.split, result.own) + " with a committed and a lost operation in one session, " +
         Percent(result.pending, result.own) + " with operations pending at the request, " +
         Percent(result.undone, result.own) + " with records undone\n" +
         Grouped(result.operations_committed) + " operations committed, " + Grouped(result.operations_lost) +
         " lost; " + Grouped(result.keys_verified) + " keys verified; of " + Grouped(result.sectors) +
         " unsynced sectors " + Grouped(result.sectors_old) + " did not survive\n";
}

}  // namespace

std::string AgainCommand(const CampaignOptions& options) {
  std::string command = "./cpr crash --mode process --seed " + std::to_string(options.seed) + " --seconds " +
                        std::to_string(static_cast<uint64_t>(options.seconds));
  if (options.kinds.size() == 1) {
    const auto choice = ChoiceOf(options.kinds.front());
    command += " --checkpoint " + std::string(CheckpointKindName(choice.kind));
    if (options.kinds.front() < 4) command += " --log " + std::string(LogBackendName(choice.backend));
  }
  if (options.protocol.shift) command += " --shift " + std::string(ShiftSchemeName(*options.protocol.shift));
  if (options.protocol.guarantee)
    command += " --guarantee " + std::string(GuaranteeName(*options.protocol.guarantee));
  if (options.storage) {
    for (const std::string& flag : StorageFlags(*options.storage)) command += " " + flag;
    if (options.storage->name == "posix") command += " --storage posix";
  }
  return command + " --stop-at-first";
}

std::string SummaryText(const CampaignOptions& options, const CampaignResult& result) {
  std::string text = PhaseTableText(Cells(result)) + "\n" + FiguresText(options, result);
  if (result.interrupted) text += "interrupted: the figures are of what was done until then\n";
  text += "results: " + options.folder + "\n\n";
  for (const Finding& finding : result.findings) {
    text += finding.rule + " violated (" + finding.kind + ", killed in " + finding.phase + ", " +
            finding.store + "): " + finding.what + "\n    files: " + finding.folder + "\n";
  }
  for (const std::string& doubt : result.doubts) text += "not to be trusted: " + doubt + "\n";
  switch (result.exit_status()) {
    case 0:
      return text + "PASS: every session came back as a prefix in all " + Grouped(result.recoveries) +
             " recoveries\n";
    case 1:
      return text + "FAIL: " + Grouped(result.findings.size()) + " of " + Grouped(result.kills) +
             " kills violated a property; first after " + Grouped(result.first_violation_kills) +
             " kills. The same kills again (the moments are the machine's):\n" + AgainCommand(options) + "\n";
    default:
      return text + "NO VERDICT: the harness itself cannot be trusted, see above\n" + AgainCommand(options) +
             "\n";
  }
}

std::string ResultsJson(const CampaignOptions& options, const CampaignResult& result) {
  Json json;
  json["valid"] = result.doubts.empty();
  json["passed"] = result.exit_status() == 0;
  json["doubts"] = result.doubts;
  json["interrupted"] = result.interrupted;
  json["mode"] = "process";
  json["seed"] = options.seed;
  json["seconds"] = result.seconds;
  json["executions"] = result.kills;
  json["executions_per_second"] = static_cast<double>(result.kills) / std::max(result.seconds, 1e-3);
  json["crashes"] = result.kills;
  json["recoveries"] = result.recoveries;
  json["recoveries_before_any_checkpoint"] = result.refused_rightly;
  json["violations"] = result.findings.size();
  json["checkpoints_completed"] = result.checkpoints;
  json["recoveries_of_own_checkpoint"] = result.own;
  json["of_these_with_committed_and_lost_in_one_session"] = result.split;
  json["of_these_with_operations_pending_at_the_request"] = result.pending;
  json["of_these_with_records_undone"] = result.undone;
  json["stores"] = result.stores;
  json["kills_of_a_million_keys"] = result.big_kills;
  json["keys_verified"] = result.keys_verified;
  json["keys_verified_of_a_million_keys"] = result.big_keys_verified;
  json["operations_committed"] = result.operations_committed;
  json["operations_lost"] = result.operations_lost;
  json["device"] = {{"sectors_unsynced", result.sectors},
                    {"sectors_old", result.sectors_old},
                    {"sizes_old", result.sizes_old},
                    {"names_old", result.names_old}};
  json["coverage"] = PhaseTableJson(Cells(result));
  json["first_violation_seconds"] = result.first_violation_seconds;
  json["first_violation_executions"] = result.first_violation_kills;
  json["findings"] = Json::array();
  for (const Finding& finding : result.findings) {
    json["findings"].push_back({{"rule", finding.rule},
                                {"what", finding.what},
                                {"kind", finding.kind},
                                {"phase", finding.phase},
                                {"store", finding.store},
                                {"kill", finding.kill},
                                {"witnesses", finding.witnesses},
                                {"folder", finding.folder},
                                {"replay", AgainCommand(options)}});
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace experiments::process
