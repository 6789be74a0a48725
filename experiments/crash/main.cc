// cpr-crash: the crash-consistency suite (./cpr crash) and replays of what it found (./cpr replay).
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>

#include "experiments/common/cli.h"
#include "experiments/common/progress.h"
#include "experiments/common/results.h"
#include "experiments/crash/campaign.h"
#include "experiments/crash/exhaustive.h"
#include "experiments/crash/page.h"
#include "experiments/crash/replay.h"
#include "experiments/crash/shrink.h"

namespace experiments {
namespace {

using faster::Guarantee;
using faster::ShiftScheme;

int Wrong(const std::string& line) {
  std::fprintf(stderr, "cpr: %s\n", line.c_str());
  return 2;
}

struct Arguments {
  std::string scenario, checkpoint, log, shift, guarantee, index, policy, out, subject, mode, seeds;
  uint64_t seconds = 0, executions = 0, jobs = 0, record = 0, depth = 0;
  bool stop_at_first = false, json = false, exhaustive = false;
};

std::string FamilyList() {
  std::string text;
  for (const Family& family : Families()) text += std::string("  ") + family.name + ": " + family.what + "\n";
  return text;
}

CommandLine CrashFlags(Arguments* a) {
  CommandLine line(
      "./cpr crash [SEED] [FLAGS]",
      "Crashes the engine at every phase of every kind of checkpoint, at every step and I/O, recovers it, "
      "and\n"
      "checks that every session came back as a prefix. Without flags it varies everything for 60 seconds.\n"
      "Exit status: 0 pass, 1 a property fails, 2 wrong usage, 3 the harness itself cannot be trusted.\n\n"
      "Scenarios (--scenario NAME):\n" +
          FamilyList());
  line.AddNumber("seconds", "N", "stop after N seconds", &a->seconds, 1, 10'000'000);
  line.AddNumber("executions", "N", "stop after N executions", &a->executions, 1, ~uint64_t{0});
  line.AddText("seeds", "A..B", "exactly the executions with seeds A to B", &a->seeds);
  line.AddChoice("mode", {"sim", "process"}, "simulated crashes (default), or kills of a real process",
                 &a->mode);
  line.AddText("scenario", "NAME|FILE", "one family of scenarios, or one stored scenario with many schedules",
               &a->scenario);
  line.AddChoice("checkpoint", {"full", "log", "index", "incremental"}, "only checkpoints of this kind",
                 &a->checkpoint);
  line.AddChoice("log", {"foldover", "snapshot"}, "only checkpoints with this way to save the log", &a->log);
  line.AddChoice("shift", {"fine", "coarse"}, "only this scheme of the version shift", &a->shift);
  line.AddChoice("guarantee", {"strict", "relaxed"}, "only this guarantee for pending operations",
                 &a->guarantee);
  line.AddChoice("index-copy", {"before", "overlapped"},
                 "a full checkpoint copies its index only before the version shift, or only during it",
                 &a->index);
  line.AddText("policy", "NAME[:D]", "one scheduling policy (random:P, pct:D, rr:Q) instead of the portfolio",
               &a->policy);
  line.AddText("out", "DIR", "results there instead of store/crash/<UTC time>", &a->out);
  line.AddText(
      "subject", "FILE|txn",
      "the engine under test, a subject library; txn: the transactional store, see --subject txn --help",
      &a->subject);
  line.AddNumber("record", "N", "store the first N executions as folders that replay, whatever their verdict",
                 &a->record, 1, 1'000'000);
  line.AddSwitch(
      "exhaustive",
      "the schedule of SEED (of --seeds; with --seconds as many as there is time for) of one scenario (3 "
      "sessions, 12 operations, a checkpoint), crashed at every step and I/O, with every fate of the disk "
      "that recovery can see",
      &a->exhaustive);
  line.AddNumber("depth", "N",
                 "exhaustive: so many crashes one after the other, the second inside recovery (2)", &a->depth,
                 1, kMaxCrashDepth);
  line.AddSwitch("stop-at-first", "end at the first violation", &a->stop_at_first);
  line.AddNumber("jobs", "N", "worker processes (default: one a core)", &a->jobs, 1, kMaxWorkers);
  line.AddSwitch("json", "print results.json instead of the table", &a->json);
  return line;
}

bool ReadSeeds(const std::string& text, uint64_t* first, uint64_t* count) {
  const size_t dots = text.find("..");
  uint64_t last = 0;
  if (dots == std::string::npos || !ParseNumber(text.substr(0, dots), first) ||
      !ParseNumber(text.substr(dots + 2), &last) || last < *first || last - *first == ~uint64_t{0}) {
    return false;
  }
  *count = last - *first + 1;
  return true;
}

// Kinds that both filters leave; an index-only checkpoint saves no log.
std::vector<int> Kinds(const Arguments& a) {
  std::vector<int> kinds;
  for (int kind = 0; kind < kCheckpointKinds; ++kind) {
    const std::string text = KindText(KindOf(kind));
    const bool kind_fits = a.checkpoint.empty() || text.compare(0, a.checkpoint.size(), a.checkpoint) == 0;
    const bool log_fits =
        a.log.empty() || (text == "incremental" && a.log == "snapshot") ||
        (text.size() > a.log.size() && text.compare(text.size() - a.log.size(), a.log.size(), a.log) == 0);
    if (kind_fits && log_fits) kinds.push_back(kind);
  }
  return kinds;
}

// The scenario: a family's name or a file. "" or one line.
std::string ReadScenario(const Arguments& a, CampaignOptions* options) {
  if (a.scenario.empty()) return "";
  for (const Family& family : Families()) {
    if (a.scenario == family.name) {
      options->plan.variation.family = a.scenario;
      return "";
    }
  }
  std::error_code code;
  if (!std::filesystem::exists(a.scenario, code)) {
    return "--scenario " + ShellQuote(a.scenario) + ": neither a scenario (see --help) nor a file";
  }
  StoredExecution stored;
  std::string error;
  if (!LoadExecution(a.scenario, &stored, &error)) return error;
  options->plan.has_file = true;
  options->plan.from_file = stored.scenario;
  options->coverage_required = false;
  return "";
}

// --exhaustive: the scenario, if none was given or a family, and what cannot be said together. "" or one
// line.
std::string ReadExhaustive(const Arguments& a, CampaignOptions* options) {
  if (!a.exhaustive) return a.depth == 0 ? "" : "--depth belongs to --exhaustive";
  if (a.executions != 0 || a.record != 0)
    return "--executions and --record make no sense with --exhaustive; --seeds A..B are so many schedules";
  CampaignPlan& plan = options->plan;
  plan.depth = a.depth == 0 ? 2 : static_cast<uint32_t>(a.depth);
  if (a.seconds == 0) options->seconds = 0;                    // until all is done
  if (a.seconds == 0 && a.seeds.empty()) plan.executions = 1;  // one schedule
  options->coverage_required = false;
  if (!plan.has_file && plan.executions != 1) return "";
  Scenario scenario;
  How how;
  std::string policy;
  Recipe(plan).Prepare(plan.first_seed, &scenario, &how, &policy);
  const std::string wrong = CheckExhaustible(scenario);
  return wrong.empty() ? "" : "--exhaustive with scenario " + scenario.name + ": " + wrong;
}

std::string ReadPlan(const Arguments& a, const CommandLine& line, CampaignOptions* options) {
  CampaignPlan& plan = options->plan;
  if (line.positional().size() > 1) return "one SEED at most, not also " + ShellQuote(line.positional()[1]);
  if (!line.positional().empty() && !a.seeds.empty()) return "give a SEED or --seeds, not both";
  uint64_t seed = (static_cast<uint64_t>(std::time(nullptr)) * 1000003) % 1000000;
  if (!line.positional().empty() && (!ParseNumber(line.positional()[0], &seed) || seed >= 1'000'000'000)) {
    return "SEED " + ShellQuote(line.positional()[0]) + ": must be a number below 1000000000";
  }
  options->seed_text = std::to_string(seed);
  plan.first_seed = seed * 1'000'000'000;
  if (!a.seeds.empty()) {
    if (!ReadSeeds(a.seeds, &plan.first_seed, &plan.executions)) {
      return "--seeds " + ShellQuote(a.seeds) + ": must be two numbers A..B with A <= B";
    }
    options->seed_text = a.seeds;
  }
  if (a.executions != 0) plan.executions = std::min(plan.executions, a.executions);
  options->seconds = static_cast<double>(a.seconds);
  if (a.seconds == 0 && plan.executions == ~uint64_t{0}) options->seconds = 60;
  options->jobs = a.jobs;
  plan.stop_at_first = a.stop_at_first;
  plan.record = a.record;
  std::string error;
  if (!a.policy.empty() && faults::MakePolicy(a.policy, &error) == nullptr)
    return "--policy " + ShellQuote(a.policy) + ": " + error;
  plan.policy = a.policy;
  plan.variation.kinds = Kinds(a);
  if (!a.shift.empty())
    plan.variation.shift = a.shift == "coarse" ? ShiftScheme::kCoarse : ShiftScheme::kFine;
  if (!a.guarantee.empty())
    plan.variation.guarantee = a.guarantee == "relaxed" ? Guarantee::kRelaxed : Guarantee::kStrict;
  if (!a.index.empty()) plan.variation.overlap_index = a.index == "overlapped";
  if (plan.variation.kinds.empty())
    return "--checkpoint " + a.checkpoint + " --log " + a.log + ": no such checkpoint";
  return ReadScenario(a, options);
}

// Another program beside this build: cpr-crash-process (real threads, real files, real kills), cpr-crash-txn.
int Become(const char* name, const std::vector<std::string>& arguments) {
  std::error_code code;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", code);
  const std::string program = (self.parent_path() / name).string();
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  return Wrong("cannot start " + program + ": " + std::strerror(errno));
}

// `--subject txn`: stores with transactions have a program of their own, with other flags.
bool WantsTransactions(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--subject=txn") return true;
    if (arguments[i] == "--subject" && i + 1 < arguments.size() && arguments[i + 1] == "txn") return true;
  }
  return false;
}

int Crash(const std::vector<std::string>& arguments) {
  if (WantsTransactions(arguments)) return Become("cpr-crash-txn", arguments);
  Arguments a;
  CommandLine line = CrashFlags(&a);
  std::string error;
  if (!line.Parse(arguments, &error)) return Wrong(error);
  if (line.help_wanted()) {
    std::fputs(line.Help().c_str(), stdout);
    return 0;
  }
  if (a.mode == "process") return Become("cpr-crash-process", arguments);
  CampaignOptions options;
  error = ReadPlan(a, line, &options);
  if (!error.empty()) return Wrong(error);
  SubjectLibrary library;
  if (!library.Load(a.subject.empty() ? DefaultSubjectPath() : a.subject, &error)) return Wrong(error);
  if (!ReadPhaseTable(library, options.plan.variation.kinds, &options.plan.variation.phases, &error))
    return Wrong(error);
  if (options.plan.variation.overlap_index.value_or(false)) {  // then a full checkpoint has no IndexChkpt
    for (const size_t kind : {0, 1})
      std::erase(options.plan.variation.phases[kind], PhaseIndex("IndexChkpt"));
  }
  error = ReadExhaustive(a, &options);
  if (!error.empty()) return Wrong(error);
  ResultFolder folder;
  if (!folder.Create(ProjectRoot(), "crash", a.out, &error)) return Wrong(error);
  options.plan.folder = folder.path();
  std::error_code code;
  for (const char* old : {"findings", "recorded"}) {  // of an earlier campaign into the same --out
    std::filesystem::remove_all(folder.File(old), code);
  }
  CampaignResult result;
  if (!RunCampaign(options, library, &result, &error)) return Wrong(error);
  for (const FindingNote& finding : result.findings) {
    if (!result.interrupted && !WriteStory(finding.folder, library, false, &error)) {
      result.doubts.push_back(error);
      result.valid = false;
    }
  }
  const std::string json = ResultsJson(options, library, result);
  if (!folder.Write("results.json", json, &error) ||
      !folder.Write("report.html", CampaignPage(options, library, result), &error)) {
    return Wrong(error);
  }
  std::fputs(a.json ? json.c_str() : SummaryText(options, result).c_str(), stdout);
  if (std::fflush(stdout) != 0)
    return Wrong(std::string("cannot write the summary: ") + std::strerror(errno));
  return result.exit_status();
}

int Replay(const std::vector<std::string>& arguments) {
  ReplayOptions options;
  CommandLine line(
      "./cpr replay DIR|FILE [FLAGS]",
      "Runs a stored execution again, choice by choice, and shows what happened and the verdict.\n"
      "Exit status: 0 no violation, 1 the violation again, 2 wrong usage, 3 not the same execution.");
  line.AddText("html", "FILE", "also write the execution as a page", &options.html);
  line.AddText("subject", "FILE", "the engine under test, instead of the recorded one", &options.subject);
  line.AddSwitch("quiet", "print hash and verdict only", &options.quiet);
  line.AddSwitch("json", "print hash and verdict as JSON", &options.json);
  std::string error;
  if (!line.Parse(arguments, &error)) return Wrong(error);
  if (line.help_wanted()) {
    std::fputs(line.Help().c_str(), stdout);
    return 0;
  }
  if (line.positional().size() != 1)
    return Wrong("replay needs one folder or file (see ./cpr replay --help)");
  options.path = line.positional()[0];
  std::error_code code;
  const std::filesystem::path path = options.path;
  if (path.filename() == "txn.json" || std::filesystem::exists(path / "txn.json", code)) {
    std::vector<std::string> words = arguments;
    words.insert(words.begin(), "replay");
    return Become("cpr-crash-txn", words);
  }
  options.subject_given = !options.subject.empty();
  if (!options.subject_given) options.subject = DefaultSubjectPath();
  return RunReplay(options);
}

int Shrink(const std::vector<std::string>& arguments) {
  ShrinkOptions options;
  std::string mode;
  CommandLine line(
      "./cpr shrink DIR|FILE [FLAGS]",
      "Makes a finding of ./cpr crash smaller for as long as it fails by the same rule: fewer operations,\n"
      "sessions, preemptions, faults, sectors that were lost, a simpler geometry. Then tries every single\n"
      "decision that is left and says which of them flip the verdict. DIR is the folder of a finding, or "
      "that\n"
      "of a campaign, whose first finding is taken.\n"
      "Exit status: 0 shrunk, 2 wrong usage or input, 3 it does not fail again as recorded.\n\n"
      "Examples:\n"
      "  ./cpr shrink store/crash/latest\n"
      "  ./cpr shrink store/crash/latest/findings/2-R4 --out small --json\n"
      "  ./cpr shrink store/crash/latest --finding 3 --emit lost_update_in_prepare");
  line.AddNumber("finding", "N", "of a campaign: the finding with this number instead of the first",
                 &options.finding, 1, 1'000'000);
  line.AddNumber("seconds", "N", "take the smallest one of N seconds (20)", &options.seconds, 1, 86400);
  line.AddNumber("seed", "N", "of the schedules that are drawn on the way (1)", &options.seed, 0,
                 ~uint64_t{0});
  line.AddText("out", "DIR", "the shrunk finding there instead of store/shrink/<UTC time>", &options.out);
  line.AddText("emit", "NAME",
               "write its scenario to tests/crash/corpus/NAME.json, which every test run hunts",
               &options.emit);
  line.AddText("subject", "FILE", "the engine under test, instead of the recorded one", &options.subject);
  line.AddChoice("mode", {"sim", "process"}, "only executions of --mode sim can be run again", &mode);
  line.AddSwitch("json", "print results.json instead of the text", &options.json);
  std::string error;
  if (!line.Parse(arguments, &error)) return Wrong(error);
  if (line.help_wanted()) {
    std::fputs(line.Help().c_str(), stdout);
    return 0;
  }
  if (mode == "process")
    return Wrong("shrink: a kill of a real process cannot be run again step by step; only --mode sim can");
  if (line.positional().size() != 1)
    return Wrong("shrink needs one folder or file (see ./cpr shrink --help)");
  options.path = line.positional()[0];
  options.subject_given = !options.subject.empty();
  if (!options.subject_given) options.subject = DefaultSubjectPath();
  return RunShrink(options);
}

}  // namespace
}  // namespace experiments

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && (arguments[0] == "replay" || arguments[0] == "--replay")) {
    arguments.erase(arguments.begin());
    return experiments::Replay(arguments);
  }
  if (!arguments.empty() && arguments[0] == "shrink") {
    arguments.erase(arguments.begin());
    return experiments::Shrink(arguments);
  }
  return experiments::Crash(arguments);
}
