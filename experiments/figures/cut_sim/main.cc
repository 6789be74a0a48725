// figure-cut-sim: how many cuts of CPR are not buffered durably linearizable under a scheduler that tries
// switches at every step, where figure-cut shows how many are on a machine.
//
// It runs cpr-crash of the sim build with executions of fixed seeds, so the numbers are the same everywhere.
#include <unistd.h>

#include "experiments/common/process.h"
#include "experiments/common/results.h"
#include "experiments/figures/cut_sim/cut_scenario.h"
#include "experiments/figures/program.h"

namespace {

namespace figures = experiments::figures;
using figures::Outcome;

struct Settings {
  figures::CutScenario scenario;
  uint64_t executions = 0, first_seed = 0;
};

void Declare(figures::Program* p, Settings* s) {
  p->AddNumber("sessions", "that update", &s->scenario.sessions, 1, 16);
  p->AddNumber("operations", "of each session", &s->scenario.operations, 4, 1000);
  p->AddNumber("keys", "that they update", &s->scenario.keys, 1, 64);
  p->AddNumber("refresh_interval", "operations between looks at the phase", &s->scenario.refresh_interval, 1,
               1024);
  p->AddChoice("checkpoint", "the one that is taken", &s->scenario.checkpoint,
               {"log/foldover", "log/snapshot", "full/foldover", "full/snapshot"});
  p->AddNumber("executions", "schedules tried", &s->executions, 1, 100'000'000);
  p->AddNumber("first_seed", "of the schedules", &s->first_seed, 0, 1'000'000'000);
}

// The campaign's exit status.
int Campaign(const std::string& program, const std::string& scenario, const Settings& s,
             const std::string& out) {
  const std::string seeds =
      std::to_string(s.first_seed) + ".." + std::to_string(s.first_seed + s.executions - 1);
  experiments::ProcessOptions options;
  options.log = out + ".log";
  return experiments::RunProcess({program, "--scenario", scenario, "--seeds", seeds, "--out", out},
                                 options)
      .status;
}

Outcome Measure(const Settings& s, figures::Output* output, std::string* problem) {
  const std::string program = experiments::ProjectRoot() + "/build/sim/experiments/crash/cpr-crash";
  if (access(program.c_str(), X_OK) != 0) {
    *problem = program + " is missing: ./cpr crash --seconds 1 builds it";
    return Outcome::kRefused;
  }
  std::string folder;
  if (!output->WorkFolder(&folder, problem)) return Outcome::kRefused;
  const std::string scenario = folder + "/scenario.json", results = folder + "/campaign";
  if (!experiments::WriteWholeFile(scenario, ScenarioOf(s.scenario).dump(1), problem))
    return Outcome::kRefused;
  const int status = Campaign(program, scenario, s, results);
  if (status != 0) {
    *problem = "the campaign ended with status " + std::to_string(status) + ": " +
               experiments::TailOfFile(results + ".log", 1);
    return status == 1 ? Outcome::kViolated : Outcome::kRefused;
  }
  nlohmann::ordered_json json;
  figures::CutTally tally;
  if (!figures::ReadJson(results + "/results.json", &json, problem) || !TallyOf(json, &tally, problem))
    return Outcome::kRefused;
  output->Metric("executions", tally.executions);
  output->Metric("recovered_share", tally.recovered / tally.executions);
  output->Metric("unbuffered_share", tally.unbuffered / tally.recovered);
  return Outcome::kMeasured;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  figures::Program program("figure-cut-sim", "Cuts under the deterministic scheduler.");
  Declare(&program, &settings);
  return program.Run(argc, argv, [&](const figures::Cell&, figures::Output* output, std::string* problem) {
    return Measure(settings, output, problem);
  });
}
