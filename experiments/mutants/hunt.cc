#include "experiments/mutants/hunt.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "experiments/common/cli.h"
#include "experiments/common/progress.h"
#include "experiments/common/process.h"

namespace experiments::mutants {

namespace fs = std::filesystem;

namespace {

// Time beyond the asked seconds in which a campaign must have ended: it finishes its execution and writes.
constexpr double kGraceSeconds = 30;
constexpr int kUntrusted = 3;  // exit status: the harness cannot be trusted

// The clean engine must pass the found scenario this often, within this time, under all kinds of schedules.
constexpr int kCleanExecutions = 2000;
constexpr int kCleanSeconds = 10;

// The programs that a campaign consists of, each either of the clean build or rebuilt with the bug.
struct Programs {
  fs::path program;
  fs::path subject;  // empty in process mode
};

struct Campaign {
  int status = 0;
  uint64_t executions = 0;
  double seconds = 0;
  std::vector<std::string> rules;  // of the violations
  std::string text;                // the first violation, or why the harness doubts itself; for people
  std::string scenario;            // of the first violation: a folder to replay
  std::string error;               // the campaign itself failed
};

fs::path FolderOf(const HuntSettings& settings, const Patch& patch) { return settings.work / patch.name; }

Programs CleanPrograms(const Builds& builds, Mode mode) {
  if (mode == Mode::kProcess) return {builds.release.build() / builds.process, ""};
  if (mode == Mode::kTxn)
    return {builds.sim.build() / builds.txn_host, builds.sim.build() / builds.txn_subject};
  return {builds.sim.build() / builds.host, builds.sim.build() / builds.subject};
}

// Rebuilds `artifact` if the patch reaches it; *path is then the new one, kept in the results so that the
// replay command stays good.
std::string RebuildOne(const HuntSettings& settings, const Patch& patch, const BuildRecord& record,
                       const std::string& artifact, fs::path* path, bool* reached, double* cpu_seconds) {
  const fs::path folder = FolderOf(settings, patch);
  Rebuild rebuild;
  std::string wrong = rebuild.Plan(record, settings.builds->root, artifact, patch.changed_files);
  if (!wrong.empty() || !rebuild.needed()) return wrong;
  wrong = rebuild.Run(folder / "src", folder / "build", folder / "build.log", cpu_seconds);
  if (!wrong.empty()) return wrong;
  *reached = true;
  *path = settings.out / patch.name / fs::path(artifact).filename();
  return CopyProgram(folder / "build" / artifact, *path);
}

std::string BuildMutant(const HuntSettings& settings, const Patch& patch, Programs* programs,
                        double* cpu_seconds) {
  const Builds& builds = *settings.builds;
  std::error_code ignored;
  fs::remove(FolderOf(settings, patch) / "build.log", ignored);
  bool reached = false;
  std::string wrong;
  if (patch.mode == Mode::kProcess) {
    wrong = RebuildOne(settings, patch, builds.release, builds.process, &programs->program, &reached,
                       cpu_seconds);
  } else {
    const bool txn = patch.mode == Mode::kTxn;
    wrong = RebuildOne(settings, patch, builds.sim, txn ? builds.txn_subject : builds.subject,
                       &programs->subject, &reached, cpu_seconds);
    if (wrong.empty()) {
      wrong = RebuildOne(settings, patch, builds.sim, txn ? builds.txn_host : builds.host, &programs->program,
                         &reached, cpu_seconds);
    }
  }
  if (wrong.empty() && !reached) return "changes nothing that the program is built from";
  return wrong;
}

void ReadResults(const fs::path& file, Campaign* campaign) {
  std::ifstream in(file);
  const nlohmann::json json = nlohmann::json::parse(in, nullptr, false);
  if (!json.is_object()) {
    campaign->error = "left no readable " + file.filename().string();
    return;
  }
  campaign->executions = json.value("executions", uint64_t{0});
  for (const auto& finding : json.value("findings", nlohmann::json::array())) {
    campaign->rules.push_back(finding.value("rule", "?"));
    if (campaign->rules.size() > 1) continue;
    campaign->text = finding.value("what", "");
    campaign->scenario = finding.value("folder", "");
  }
  if (!campaign->rules.empty()) return;
  for (const auto& doubt : json.value("doubts", nlohmann::json::array())) {
    campaign->text += (campaign->text.empty() ? "" : "; ") + doubt.get<std::string>();
  }
}

Campaign RunCampaign(const HuntSettings& settings, const Patch& patch, const Programs& programs,
                     const fs::path& out, uint64_t seconds, const std::vector<std::string>& extra) {
  Campaign campaign;
  std::error_code error;
  fs::remove_all(out, error);
  fs::create_directories(out, error);
  std::vector<std::string> argv = {programs.program.string()};
  if (!programs.subject.empty()) argv.insert(argv.end(), {"--subject", programs.subject.string()});
  argv.insert(argv.end(), {std::to_string(settings.seed), "--seconds", std::to_string(seconds), "--jobs",
                           std::to_string(settings.workers), "--stop-at-first", "--out", out.string()});
  argv.insert(argv.end(), patch.scenario_flags.begin(), patch.scenario_flags.end());
  argv.insert(argv.end(), extra.begin(), extra.end());
  ProcessOptions options;
  options.log = out / "log";
  options.limit_seconds = double(seconds) + kGraceSeconds;
  const ProcessResult result = RunProcess(argv, options);
  campaign.status = result.status;
  campaign.seconds = result.wall_seconds;
  ReadResults(out / "results.json", &campaign);
  if (!result.error.empty()) campaign.error = "could not be started: " + result.error;
  if (result.timed_out) campaign.error = "did not end in time";
  return campaign;
}

// The violation of the header that occurred, or "".
std::string Matching(const Patch& patch, const Campaign& campaign, const std::string& log_text) {
  if (patch.violations.empty()) return campaign.rules.empty() ? "" : campaign.rules.front();
  for (const std::string& wanted : patch.violations) {
    for (const std::string& rule : campaign.rules) {
      if (rule == wanted) return rule;
    }
    if (wanted.size() > 2 && log_text.find(wanted) != std::string::npos &&
        (!campaign.rules.empty() || campaign.status == kUntrusted)) {
      return campaign.rules.empty() ? wanted : campaign.rules.front();
    }
  }
  return "";
}

// ./cpr replay would build the clean harness, and knows nothing of kills on real threads: there the campaign
// itself is what can be repeated.
std::string ReplayCommand(const HuntSettings& settings, const Patch& patch, const Programs& programs,
                          const Campaign& campaign) {
  if (patch.mode == Mode::kProcess) {
    std::string command = ShellQuote(programs.program.string()) + " " + std::to_string(settings.seed);
    for (const std::string& flag : patch.scenario_flags) command += " " + ShellQuote(flag);
    return command + " --stop-at-first --seconds " + std::to_string(settings.seconds);
  }
  if (campaign.scenario.empty()) return "";
  const bool clean_host = programs.program == CleanPrograms(*settings.builds, patch.mode).program;
  std::string command = clean_host ? "./cpr replay" : ShellQuote(programs.program.string()) + " replay";
  return command + " " + ShellQuote(campaign.scenario) + " --subject " +
         ShellQuote(programs.subject.string());
}

// Lets the clean engine run the scenario that was found, under many schedules; in process mode, where an
// execution cannot be singled out, the same kills. "" or why it does not pass.
std::string CleanPasses(const HuntSettings& settings, const Patch& patch, const Campaign& found) {
  std::vector<std::string> extra = {"--executions"};
  uint64_t seconds = kCleanSeconds;
  if (patch.mode == Mode::kProcess) {
    extra.push_back(std::to_string(std::max<uint64_t>(found.executions, 1)));
    seconds = settings.seconds;
  } else {
    extra.push_back(std::to_string(kCleanExecutions));
    const char* const file = patch.mode == Mode::kTxn ? "/txn.json" : "/scenario.json";
    if (!found.scenario.empty()) extra.insert(extra.end(), {"--scenario", found.scenario + file});
  }
  const Campaign clean = RunCampaign(settings, patch, CleanPrograms(*settings.builds, patch.mode),
                                     settings.out / patch.name / "clean", seconds, extra);
  if (!clean.rules.empty()) return "the clean engine violates " + clean.rules.front() + " too: " + clean.text;
  if (!clean.error.empty()) return "the clean engine's campaign " + clean.error;
  return "";
}

fs::path HuntFolder(const HuntSettings& settings, const Patch& patch) {
  return settings.out / patch.name / (settings.seeds == 1 ? "hunt" : "hunt-" + std::to_string(settings.seed));
}

void Judge(const HuntSettings& settings, const Patch& patch, const Programs& programs,
           const Campaign& campaign, HuntResult* result) {
  const std::string log_text = TailOfFile(HuntFolder(settings, patch) / "log", 400);
  result->rule = Matching(patch, campaign, campaign.text + "\n" + log_text);
  if (!result->rule.empty()) {
    result->replay = ReplayCommand(settings, patch, programs, campaign);
    result->note = campaign.text;
    const std::string wrong = CleanPasses(settings, patch, campaign);
    result->found = wrong.empty();
    if (!wrong.empty()) result->note = wrong;
  } else if (!campaign.rules.empty()) {
    result->rule = campaign.rules.front();
    result->note = "another violation than the header names: " + campaign.text;
    result->replay = ReplayCommand(settings, patch, programs, campaign);
  } else if (!campaign.error.empty()) {
    result->note = "the campaign " + campaign.error + " (status " + std::to_string(campaign.status) + ")";
  } else {
    result->note = campaign.text.empty() ? "no violation" : "no violation; " + campaign.text;
  }
}

// What the scoreboard shows of several seeds: the first that missed it, else the slowest.
void Take(HuntResult one, bool first, HuntResult* result) {
  if (!first && !(result->found && (!one.found || one.seconds > result->seconds))) return;
  one.seeds = std::move(result->seeds);
  one.build_cpu_seconds = result->build_cpu_seconds;
  *result = std::move(one);
}

}  // namespace

std::string Prepare(const HuntSettings& settings, const Patch& patch) {
  const fs::path source = FolderOf(settings, patch) / "src";
  std::string wrong = CopySource(settings.builds->root, source);
  if (!wrong.empty()) return wrong;
  return ApplyPatch(patch.file, source, false, FolderOf(settings, patch) / "apply.log");
}

HuntResult Hunt(const HuntSettings& all, const Patch& patch) {
  HuntSettings settings = all;
  HuntResult result;
  std::error_code error;
  fs::create_directories(settings.out / patch.name, error);
  Programs programs = CleanPrograms(*settings.builds, patch.mode);
  const std::string wrong = BuildMutant(settings, patch, &programs, &result.build_cpu_seconds);
  if (g_stop.load()) return result;
  if (!wrong.empty()) {
    result.ran = true;
    result.note = wrong;
    return result;
  }
  for (uint64_t i = 0; i < all.seeds; ++i, ++settings.seed) {
    HuntResult one;
    const Campaign campaign =
        RunCampaign(settings, patch, programs, HuntFolder(settings, patch), settings.seconds, {});
    one.executions = campaign.executions;
    one.seconds = campaign.seconds;
    if (g_stop.load()) return result;
    Judge(settings, patch, programs, campaign, &one);
    result.seeds.push_back({settings.seed, one.found, one.rule, one.executions, one.seconds});
    Take(std::move(one), i == 0, &result);
  }
  result.ran = !g_stop.load();
  return result;
}

}  // namespace experiments::mutants
