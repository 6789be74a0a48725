#include "experiments/crash/shrink.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "experiments/common/cli.h"
#include "experiments/common/process.h"
#include "experiments/common/progress.h"
#include "experiments/common/results.h"
#include "experiments/crash/campaign.h"
#include "experiments/crash/replay.h"
#include "experiments/crash/shrink_report.h"

namespace experiments {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kEmitSeeds = 400;       // as many as a test run hunts a scenario of the corpus with
constexpr uint64_t kStuckSteps = 150'000;  // of a run while shrinking something that never ends
constexpr double kPatience = 10;           // for one run, which takes milliseconds
constexpr double kFlipSeconds = 10;        // for trying single decisions, at most: milliseconds are usual

struct Ending {  // of the command: an exit status and a line for stderr
  int status = 0;
  std::string line;
};

// The finding that is meant: `path` itself, or one of a campaign's. "" or one line.
std::string FindFinding(const ShrinkOptions& options, std::string* path) {
  std::error_code code;
  *path = options.path;
  const fs::path given = options.path;
  if (!fs::exists(given, code)) return options.path + ": no such file or folder";
  if (given.filename() == "txn.json" || fs::exists(given / "txn.json", code))
    return options.path + ": an execution of the transactional store, which shrink does not know";
  if (!fs::is_directory(given, code) || fs::exists(given / "scenario.json", code)) return "";
  std::string text, error;
  if (!fs::exists(given / "results.json", code))
    return options.path + ": neither a finding (no scenario.json) nor a campaign (no results.json)";
  if (!ReadWholeFile((given / "results.json").string(), &text, &error)) return error;
  const nlohmann::json results = nlohmann::json::parse(text, nullptr, false);
  if (!results.is_object()) return (given / "results.json").string() + ": is not a JSON object";
  const auto mode = results.find("mode");
  if (mode != results.end() && *mode == "process")
    return options.path + ": a campaign of --mode process: kills of a real process cannot be shrunk";
  std::vector<std::pair<uint64_t, std::string>> findings;
  for (const auto& entry : fs::directory_iterator(given / "findings", code)) {
    const std::string name = entry.path().filename().string();
    uint64_t number = 0;
    if (ParseNumber(name.substr(0, name.find('-')), &number)) findings.emplace_back(number, entry.path());
  }
  std::sort(findings.begin(), findings.end());
  if (findings.empty()) return options.path + ": a campaign without findings";
  for (const auto& [number, folder] : findings) {
    if (options.finding == 0 || options.finding == number) {
      *path = folder;
      return "";
    }
  }
  return options.path + ": has no finding " + std::to_string(options.finding) + ", the first is " +
         std::to_string(findings.front().first);
}

// What is stored of the finding, checked as far as it can be without running it. "" or one line.
std::string ReadFinding(const std::string& path, StoredExecution* stored) {
  std::string error, text;
  if (!LoadExecution(path, stored, &error)) return error;
  if (stored->run.rule.empty()) return path + ": not a finding: it holds no rule that was violated";
  const fs::path folder = fs::is_directory(path) ? fs::path(path) : fs::path(path).parent_path();
  const std::string file = (folder / "verdict.json").string();
  std::error_code code;
  if (!fs::exists(file, code)) return "";  // the process died before there was one
  if (!ReadWholeFile(file, &text, &error)) return error;
  const nlohmann::json verdict = nlohmann::json::parse(text, nullptr, false);
  const auto rule = verdict.is_object() ? verdict.find("rule") : verdict.end();
  if (!verdict.is_object() || rule == verdict.end() || !rule->is_string())
    return file + ": is not a verdict: has no rule";
  if (*rule != stored->run.rule)
    return file + ": rule " + rule->get<std::string>() + ", but scenario.json says " + stored->run.rule;
  return "";
}

// The result must not take the place of what it came from.
std::string CheckOut(const ShrinkOptions& options, const std::string& finding) {
  std::error_code code;
  const fs::path folder =
      fs::is_directory(finding, code) ? fs::path(finding) : fs::path(finding).parent_path();
  const bool same = !options.out.empty() && (fs::equivalent(options.out, folder, code) ||
                                             fs::equivalent(options.out, options.path, code));
  return same ? "--out " + ShellQuote(options.out) + ": holds the finding that is to be shrunk" : "";
}

std::string CheckEmit(const ShrinkOptions& options, std::string* file) {
  if (options.emit.empty()) return "";
  const bool good =
      options.emit.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
  if (!good) return "--emit " + ShellQuote(options.emit) + ": must be of the letters a-z, digits and _";
  std::error_code code;
  const fs::path folder = fs::path(ProjectRoot()) / "tests" / "crash" / "corpus";
  *file = (folder / (options.emit + ".json")).string();
  if (!fs::is_directory(folder, code)) return "--emit: there is no folder " + folder.string();
  if (fs::exists(*file, code)) return "--emit: " + *file + " exists already";
  return "";
}

class Command {
 public:
  explicit Command(const ShrinkOptions& options) : options_(options) {}

  Ending Run() {
    Ending ending = Read();
    if (ending.status == 0) ending = Confirm();
    if (ending.status == 0) ending = MakeSmall();
    if (ending.status == 0) ending = Store();
    progress_.Clear();
    return ending;
  }

 private:
  Ending Read() {
    std::string path, error = FindFinding(options_, &path);
    if (error.empty()) error = ReadFinding(path, &stored_);
    if (error.empty()) error = CheckOut(options_, path);
    if (error.empty()) error = CheckEmit(options_, &emit_file_);
    ReplayOptions where;
    where.subject = options_.subject;
    where.subject_given = options_.subject_given;
    if (error.empty()) LoadSubjectOf(where, stored_, &library_, &error);
    if (error.empty()) runner_.Open(&error);
    return {error.empty() ? 0 : 2, error};
  }

  // Once as it was recorded: the same trace, and the same rule.
  Ending Confirm() {
    started_ = MonotonicSeconds();
    runner_.set_patience(kPatience);
    const Trial trial = runner_.Repeat(stored_);
    const bool other = stored_.run.subject != 0 && stored_.run.subject != library_.identity();
    const std::string build = other ? " (the subject is not the build that was recorded)" : "";
    if (trial.harness_error) return {3, "not the same execution: " + trial.what + build};
    if (stored_.run.hash != 0 && trial.hash != stored_.run.hash)
      return {3, "not the same execution: another trace than recorded" + build};
    if (!trial.violation)
      return {3, "it passes when it is run again, recorded was " + stored_.run.rule + build};
    if (trial.rule != stored_.run.rule)
      return {
          3, "it violates " + trial.rule + " when it is run again, recorded was " + stored_.run.rule + build};
    first_ = trial;
    story_.scenario = stored_.scenario;
    if (!runner_.TakeSchedule(&story_)) return {2, "its schedule is too long to be shrunk"};
    return {};
  }

  Ending MakeSmall() {
    report_.before = SizeOf(story_);
    report_.steps_before = first_.steps;
    report_.what_before = first_.what;
    // What never ends takes as long as it is watched. The result is watched to the end.
    const bool endless = first_.rule == "stuck" && !first_.died && first_.steps > kStuckSteps;
    if (endless) runner_.set_step_limit(kStuckSteps);
    ShrinkLimits limits;
    limits.deadline = started_ + static_cast<double>(options_.seconds);
    limits.seed = options_.seed;
    limits.on_run = [this, limits](const Story& best, uint64_t runs) { Show(best, runs, limits.deadline); };
    shrinker_ = std::make_unique<Shrinker>(&runner_, limits);
    if (!shrinker_->Begin(story_, first_)) {
      runner_.set_step_limit(0);
      if (!endless || !shrinker_->Begin(story_, first_))
        return {3, "it does not fail when it is played by its schedule instead of its tape"};
    }
    shrinker_->Shrink();
    runner_.set_step_limit(0);
    flips_end_ = MonotonicSeconds() + kFlipSeconds;
    report_.flips = Flips();
    report_.seconds = MonotonicSeconds() - started_;
    const auto idle = [](const Flip& flip) { return flip.then.empty(); };
    report_.minimal = shrinker_->minimal() && report_.untried == 0 &&
                      std::none_of(report_.flips.begin(), report_.flips.end(), idle);
    return {};
  }

  void Show(const Story& best, uint64_t runs, double deadline) {
    if (options_.json || !progress_.Due()) return;
    const StorySize size = SizeOf(best);
    progress_.Show(std::to_string(size.operations) + " operations, " + std::to_string(size.preemptions) +
                   " preemptions, " + Grouped(runs) + " executions, at most " +
                   DurationText(std::max(0.0, deadline - MonotonicSeconds())) + " left");
  }

  void TryWithout(const Story& candidate, const std::string& what, std::vector<Flip>* flips) {
    Trial trial;
    std::string then;
    if (!CheckScenario(candidate.scenario).empty()) return;
    if (g_stop.load() || MonotonicSeconds() > flips_end_) {
      ++report_.untried;
      return;
    }
    if (!shrinker_->Fails(candidate, &trial))
      then = trial.violation ? "violates " + trial.rule + ": " + trial.what : "passes";
    flips->push_back({what, then});
  }

  // Every decision that is left, by itself.
  std::vector<Flip> Flips() {
    std::vector<Flip> flips;
    const std::string& library = library_.path();
    // The accesses at which threads are stopped are looked up now, where it takes time.
    ShrinkRunner::FollowOptions look;
    look.find_code = true;
    best_ = shrinker_->best();
    runner_.Follow(best_, look);
    runner_.TakeSchedule(&best_);
    const std::vector<size_t> all = Deviations(best_.schedule);
    for (const size_t gone : all) {
      std::vector<size_t> kept = all;
      std::erase(kept, gone);
      TryWithout(KeepDecisions(best_, kept), DecisionInWords(best_, best_.schedule.decisions[gone], library),
                 &flips);
    }
    const std::vector<ActionRef> actions = ActionsOf(best_.scenario);
    for (size_t gone = 0; gone < actions.size(); ++gone) {
      std::vector<size_t> kept;
      for (size_t i = 0; i < actions.size(); ++i) {
        if (i != gone) kept.push_back(i);
      }
      const ActionRef& ref = actions[gone];
      const Actor& actor = best_.scenario.incarnations[ref.incarnation].actors[ref.actor];
      const std::string life =
          best_.scenario.incarnations.size() < 2 ? "" : " in life " + std::to_string(ref.incarnation + 1);
      TryWithout(KeepActions(best_, kept),
                 "`" + ActionText(actor.actions[ref.action]) + "` of '" + actor.name + "'" + life, &flips);
    }
    FlipFaults(&flips);
    return flips;
  }

  void FlipFaults(std::vector<Flip>* flips) {
    for (std::string Scenario::*plan : {&Scenario::faults, &Scenario::recovery_faults}) {
      const std::vector<std::string> rules = FaultRules(best_.scenario.*plan);
      for (const std::string& gone : rules) {
        std::vector<std::string> left = rules;
        left.erase(std::find(left.begin(), left.end(), gone));
        Story candidate = best_;
        candidate.scenario.*plan = JoinRules(left);
        TryWithout(candidate, "fault " + gone, flips);
      }
    }
    for (size_t i = 0; i < best_.scenario.incarnations.size(); ++i) {
      const std::vector<CrashPoint>& crashes = best_.scenario.incarnations[i].recovery_crashes;
      for (size_t k = 0; k < crashes.size(); ++k) {
        Story candidate = best_;
        std::vector<CrashPoint>& left = candidate.scenario.incarnations[i].recovery_crashes;
        left.erase(left.begin() + static_cast<ptrdiff_t>(k));
        TryWithout(candidate, "in recovery " + std::to_string(i) + ": " + CrashInWords(crashes[k]), flips);
      }
    }
  }

  // The result as a finding: with its own tape, which has to give the same execution.
  Ending Store() {
    const Trial last = runner_.Follow(best_, {});
    stored_.scenario = best_.scenario;
    RunForm& run = stored_.run;
    run.seed = best_.seed;
    run.plain_points = best_.plain_points;
    run.spurious_cas = best_.spurious_cas;
    run.hash = last.died ? 0 : last.hash;
    run.subject = library_.identity();
    run.subject_path = library_.path();
    run.what = last.what;
    run.kind = KindText(KindOf(std::max<int>(last.cell.kind, 0)));
    run.phase = CellRowName(last.cell.row);
    faults::Scheduler::Options options;
    options.plain_points = run.plain_points;
    options.spurious_cas = run.spurious_cas;
    stored_.has_tape = true;
    stored_.tape.header = faults::MakeTapeHeader(options, run.seed, "", best_.scenario.name + " shrunk");
    stored_.tape.header.hash = run.hash;
    stored_.tape.entries.assign(runner_.tape(), runner_.tape() + runner_.tape_entries());
    const Trial again = runner_.Repeat(stored_);
    if (again.harness_error || again.rule != run.rule || (run.hash != 0 && again.hash != run.hash))
      return {3, "the shrunk execution is not the same when it is replayed: " + again.what};
    std::string error;
    ResultFolder folder;
    if (!folder.Create(ProjectRoot(), "shrink", options_.out, &error)) return {2, error};
    std::error_code code;
    for (const char* old : {"verdict.json", "history.jsonl", "story.txt", "page.html"})
      fs::remove(folder.File(old), code);  // of another one that was put there; not every finding has them
    report_.folder = folder.path();
    report_.rule = again.rule;
    report_.what = again.what;
    report_.same_key = !first_.has_key || again.key == first_.key || !shrinker_->key_given_up();
    report_.after = SizeOf(best_);
    report_.steps_after = again.steps;
    report_.story = StoryInWords(best_, library_.path());
    report_.replay = ReplayCommand(folder.path());
    if (!StoreExecution(folder.path(), stored_, &error) || !WriteStory(folder.path(), library_, true, &error))
      return {2, error};
    Emit();
    report_.runs = runner_.runs();
    const std::string json = ShrinkJson(report_);
    if (!folder.Write("replay.txt", report_.replay + "\n", &error) ||
        !folder.Write("results.json", json, &error) ||
        (!emit_file_.empty() && !WriteWholeFile(emit_file_, emitted_, &error))) {
      return {2, error};
    }
    progress_.Clear();
    std::fputs(options_.json ? json.c_str() : ShrinkText(report_).c_str(), stdout);
    return {};
  }

  // The scenario alone, and how often a campaign over it fails like this.
  void Emit() {
    if (emit_file_.empty()) return;
    Scenario scenario = best_.scenario;
    scenario.name = options_.emit;
    emitted_ = ScenarioJson(scenario) + "\n";
    report_.emitted = emit_file_;
    for (uint64_t seed = 1; seed <= kEmitSeeds && !g_stop.load(); ++seed) {
      const Trial trial = runner_.DrawAsCampaign(scenario, seed);
      ++report_.emitted_runs;
      report_.emitted_failures += trial.violation && trial.rule == report_.rule;
    }
  }

  const ShrinkOptions& options_;
  StoredExecution stored_;
  SubjectLibrary library_;
  ShrinkRunner runner_{&library_};
  Progress progress_;
  double started_ = 0, flips_end_ = 0;
  Trial first_;
  Story story_, best_;
  std::unique_ptr<Shrinker> shrinker_;
  ShrinkReport report_;
  std::string emit_file_, emitted_;
};

}  // namespace

int RunShrink(const ShrinkOptions& options) {
  StopOnSignals();
  const Ending ending = Command(options).Run();
  if (!ending.line.empty()) std::fprintf(stderr, "cpr: %s\n", ending.line.c_str());
  return ending.status;
}

}  // namespace experiments
