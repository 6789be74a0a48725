// The end of a campaign: the table and verdict as text, and results.json.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "experiments/common/cli.h"
#include "experiments/common/phase_table.h"
#include "experiments/common/progress.h"
#include "experiments/crash/campaign.h"

namespace experiments {
namespace {

using Json = nlohmann::ordered_json;

std::vector<PhaseCell> Cells(const CampaignResult& result) {
  std::vector<PhaseCell> cells;
  for (size_t kind = 0; kind < kCheckpointKinds; ++kind) {
    for (size_t row = 0; row < kCellRows; ++row) {
      cells.push_back({KindText(KindOf(static_cast<int>(kind))), CellRowName(static_cast<int>(row)),
                       result.total.cells[kind][row], result.reachable[kind][row]});
    }
  }
  return cells;
}

std::string FiguresText(const CampaignOptions& options, const CampaignResult& result) {
  const Tally& total = result.total;
  char rate[64];
  std::snprintf(rate, sizeof rate, "%.0f/s on %d %s",
                static_cast<double>(total.executions) / std::max(result.seconds, 1e-3), result.jobs,
                result.jobs == 1 ? "core" : "cores");
  std::string text;
  text += Grouped(total.executions) + " executions in " + DurationText(result.seconds) + " (" + rate +
          "), seed " + options.seed_text + "\n";
  text += Grouped(total.crashes) + " crashes and " + Grouped(total.recovery_crashes) +
          " more inside recoveries; " + Grouped(total.checkpoints) + " checkpoints completed\n";
  text += Grouped(total.recoveries) + " recoveries, " + Grouped(total.recovered_own) + " (" +
          Percent(total.recovered_own, total.recoveries) +
          ") returned a checkpoint of their execution; of these " +
          Percent(total.recovered_split, total.recovered_own) +
          " with a committed and a lost operation in one session, " +
          Percent(total.recovered_pending, total.recovered_own) + " with operations pending at the cut, " +
          Percent(total.recovered_undone, total.recovered_own) + " with records undone\n";
  text += Grouped(total.growths) + " growths of the index, " + Grouped(total.crashes_growing) +
          " crashes in the middle of one\n";
  text += Grouped(total.double_runs) + " executions run twice, " + Grouped(total.differing_runs) +
          " differed; " + Grouped(total.undecided) +
          " without a verdict; buffered durable linearizability (R6) did not hold in " +
          Grouped(total.unbuffered) + "\n";
  return text;
}

std::string ExhaustiveText(const CampaignResult& result) {
  const ExhaustiveTally& tally = result.exhaustive;
  std::string text = "exhaustive: " + Grouped(result.schedule.schedules) +
                     (result.schedule.schedules == 1 ? " schedule, " : " schedules, ") +
                     Grouped(result.schedule.steps) + " steps with " + Grouped(result.schedule.events) +
                     " I/O events and phase changes, " + Grouped(result.schedule.moments) +
                     " of them differ for a crash; crashed at " + Grouped(tally.moments[0]) + " of these\n";
  for (size_t depth = 0; depth < kMaxCrashDepth && tally.images[depth] != 0; ++depth) {
    text += "  depth " + std::to_string(depth + 1) + ": " + Grouped(tally.moments[depth]) + " moments, " +
            Grouped(tally.images[depth]) + " images recovered";
    if (tally.cut_short[depth] != 0)
      text += "; at " + Grouped(tally.cut_short[depth]) + " moments there were too many, and some were drawn";
    text += "\n";
  }
  return text;
}

Json ExhaustiveJson(uint32_t depth, const CampaignResult& result) {
  Json depths = Json::array();
  for (size_t i = 0; i < depth; ++i) {
    depths.push_back({{"moments", result.exhaustive.moments[i]},
                      {"images", result.exhaustive.images[i]},
                      {"cut_short", result.exhaustive.cut_short[i]}});
  }
  return {{"schedules", result.schedule.schedules},
          {"steps", result.schedule.steps},
          {"events", result.schedule.events},
          {"moments", result.schedule.moments},
          {"depths", std::move(depths)}};
}

}  // namespace

std::string ReplayCommand(const std::string& folder) { return "./cpr replay " + ShellQuote(folder); }

std::string SummaryText(const CampaignOptions& options, const CampaignResult& result) {
  std::string text = PhaseTableText(Cells(result)) + "\n" + FiguresText(options, result);
  if (options.plan.depth != 0) text += ExhaustiveText(result);
  if (result.interrupted) text += "interrupted: the figures are of what was done until then\n";
  text += "results: " + options.plan.folder + "\n\n";
  for (const FindingNote& finding : result.findings) {
    text += finding.rule + " violated (" +
            (finding.kind.empty() ? "" : finding.kind + ", crash in " + finding.phase + ", ") + "scenario " +
            finding.scenario + ", seed " + std::to_string(finding.seed) + "): " + finding.what + "\n    " +
            ReplayCommand(finding.folder) + "\n";
  }
  for (const std::string& doubt : result.doubts) text += "not to be trusted: " + doubt + "\n";
  if (result.exit_status() == 0) {
    text += "PASS: every session came back as a prefix in all " + Grouped(result.total.recoveries) +
            " recoveries\n";
  } else if (result.exit_status() == 3) {
    text += "NO VERDICT: the harness itself cannot be trusted, see above\n";
  } else {
    text += "FAIL: " + Grouped(std::max<uint64_t>(result.total.violations, result.findings.size())) + " of " +
            Grouped(result.total.executions) + " executions violated a property; first after " +
            Grouped(result.first_violation_executions) + " executions\n";
    if (!result.findings.empty()) text += ReplayCommand(result.findings[0].folder) + "\n";
  }
  return text;
}

std::string ResultsJson(const CampaignOptions& options, const SubjectLibrary& library,
                        const CampaignResult& result) {
  const Tally& total = result.total;
  Json json;
  json["valid"] = result.valid;
  json["passed"] = result.exit_status() == 0;
  json["doubts"] = result.doubts;
  json["interrupted"] = result.interrupted;
  json["mode"] = "sim";
  json["seed"] = options.seed_text;
  json["family"] = options.plan.has_file ? options.plan.from_file.name : options.plan.variation.family;
  json["subject"] = library.path();
  json["jobs"] = result.jobs;
  json["seconds"] = result.seconds;
  json["executions"] = total.executions;
  json["executions_per_second"] = static_cast<double>(total.executions) / std::max(result.seconds, 1e-3);
  json["crashes"] = total.crashes;
  json["crashes_in_recovery"] = total.recovery_crashes;
  json["recoveries"] = total.recoveries;
  json["violations"] = total.violations;
  json["checkpoints_completed"] = total.checkpoints;
  json["recoveries_of_own_checkpoint"] = total.recovered_own;
  json["of_these_with_committed_and_lost_in_one_session"] = total.recovered_split;
  json["of_these_with_operations_pending_at_the_cut"] = total.recovered_pending;
  json["of_these_with_records_undone"] = total.recovered_undone;
  json["index_growths"] = total.growths;
  json["crashes_in_a_growth"] = total.crashes_growing;
  json["operations"] = total.operations;
  json["steps"] = total.steps;
  json["switches"] = total.switches;
  if (options.plan.depth != 0) json["exhaustive"] = ExhaustiveJson(options.plan.depth, result);
  json["undecided"] = total.undecided;
  json["not_buffered_durable"] = total.unbuffered;
  json["double_runs"] = total.double_runs;
  json["differing_runs"] = total.differing_runs;
  json["device"] = {{"torn_writes", total.torn_writes},
                    {"sectors_old", total.sectors_old},
                    {"sectors_new", total.sectors_new},
                    {"names_old", total.names_old},
                    {"names_new", total.names_new}};
  json["peak_rss_kib_of_a_worker"] = result.peak_rss_kib;
  for (size_t i = 0; i < Families().size(); ++i)
    json["executions_by_family"][Families()[i].name] = total.by_family[i];
  json["coverage"] = PhaseTableJson(Cells(result));
  json["first_violation_seconds"] = result.first_violation_seconds;
  json["first_violation_executions"] = result.first_violation_executions;
  json["findings"] = Json::array();
  for (const FindingNote& finding : result.findings) {
    json["findings"].push_back({{"rule", finding.rule},
                                {"what", finding.what},
                                {"kind", finding.kind},
                                {"phase", finding.phase},
                                {"scenario", finding.scenario},
                                {"policy", finding.policy},
                                {"seed", finding.seed},
                                {"folder", finding.folder},
                                {"replay", ReplayCommand(finding.folder)}});
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace experiments
