#include "experiments/figures/runner.h"

#include <unistd.h>

#include <filesystem>

#include "experiments/common/cli.h"
#include "experiments/common/process.h"

namespace experiments::figures {
namespace {

namespace fs = std::filesystem;

double CellSeconds(const FigureStore& store) {
  const Scale& scale = store.definition().scale(store.quick());
  const size_t cells = scale.rounds * scale.x.size() * store.definition().series.size();
  return scale.seconds / static_cast<double>(cells);
}

std::string LastLine(const std::string& log) {
  std::string text = TailOfFile(log, 1);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string CommandText(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + ShellQuote(word);
  return text;
}

// What went wrong with a cell, and how to see it again.
std::string ProblemOf(const FigureStore& store, const CellPlan& plan, const ProcessResult& ended,
                      const std::vector<std::string>& command) {
  const std::string log = store.Path(plan) + "/log";
  std::string what;
  if (!ended.error.empty())
    what = ended.error;
  else if (ended.timed_out)
    what = "did not end within its time";
  else if (ended.status > 128)
    what = "ended by signal " + std::to_string(ended.status - 128);
  else
    what = LastLine(log);
  if (what.empty()) what = "exit status " + std::to_string(ended.status);
  return store.definition().figure + ": " + plan.Text(store.definition()) + ": " + what +
         "\nagain: " + CommandText(command);
}

}  // namespace

bool CheckPrograms(const Definition& definition, const std::string& programs, std::string* error) {
  for (const Series& series : definition.series) {
    const std::string path = programs + "/" + series.program;
    if (access(path.c_str(), X_OK) == 0) continue;
    *error = definition.figure + " needs the program " + path + ", which is not built here";
    return false;
  }
  return true;
}

double ExpectedSeconds(const FigureStore& store) {
  const size_t missing = store.plans().size() - store.cells().size();
  return CellSeconds(store) * static_cast<double>(missing);
}

RunEnd RunCells(FigureStore* store, const std::string& programs, bench::Pace* pace, std::string* problem) {
  const Definition& definition = store->definition();
  const std::vector<CellPlan>& plans = store->plans();
  const double timeout = definition.scale(store->quick()).cell_timeout;
  store->Collect();
  for (size_t i = 0; i < plans.size(); ++i) {
    const CellPlan& plan = plans[i];
    if (store->cells().contains(plan.folder)) continue;
    pace->Begin(definition.figure + ": cell " + std::to_string(i + 1) + " of " +
                    std::to_string(plans.size()) + " (" + plan.Text(definition) + ")",
                CellSeconds(*store));
    if (!store->Prepare(plan, problem)) return RunEnd::kRefused;
    const std::string folder = store->Path(plan);
    const std::vector<std::string> command = {programs + "/" + plan.program, "--parameters",
                                              folder + "/parameters.json", "--out", folder};
    ProcessOptions options;
    options.log = folder + "/log";
    options.limit_seconds = timeout;
    const ProcessResult ended = RunProcess(command, options);
    std::error_code code;
    fs::remove_all(folder + "/work", code);  // of a program that was killed
    if (g_stop.load()) return RunEnd::kInterrupted;
    if (!ended.ok()) {
      *problem = ProblemOf(*store, plan, ended, command);
      return ended.status == 2 && !ended.timed_out ? RunEnd::kRefused : RunEnd::kViolated;
    }
    if (!store->Seal(plan, ended, problem)) return RunEnd::kRefused;
    if (!store->Take(plan, problem) || !store->Save(problem)) return RunEnd::kRefused;
  }
  return RunEnd::kComplete;
}

}  // namespace experiments::figures
