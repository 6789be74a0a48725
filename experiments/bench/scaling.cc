// cpr-scaling: what the store costs as keys, dirty bytes, log and index grow.
//
// The parts are in scaling_parts.h; README.md of this folder says how each figure is made. Leaves
// results.json, scaling.csv and a picture of them.
//
// Exit status: 0, whatever the bars say; 2 wrong usage or machine, or a run that failed; 130 interrupted,
// with what had been measured.
#include "plots/scaling.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <filesystem>

#include "experiments/bench/scaling_parts.h"
#include "experiments/common/cli.h"

namespace experiments::bench {
namespace {

struct Options {
  ScalingPlan plan;
  std::vector<std::string> parts = {"keys", "checkpoint", "recovery", "growth"};
  bool quick = false;
  std::string dir, out, help;
};

const char* const kDescription =
    "Measures what grows: throughput and memory with the keys, checkpoints with the dirty bytes, recoveries\n"
    "with the log and its records, and throughput while the index grows. Fits lines and says how straight\n"
    "they are. What does not fit into the memory and the disk that are free is left out, and said.\n"
    "\n"
    "Examples:\n"
    "  ./cpr bench --scaling                              everything: about an hour\n"
    "  ./cpr bench --scaling --quick                      small sizes, one round, under two minutes\n"
    "  ./cpr bench --scaling --parts recovery --logs 1024,4096 --recovery-threads 1,2,4\n"
    "  ./cpr bench --scaling --parts keys --keys 1000000,10000000,50000000 --threads 2";

void MakeQuick(ScalingPlan* plan) {
  plan->keys = {250'000, 1'000'000, 4'000'000};
  plan->dirty = {8, 32, 128};
  plan->logs = {32, 128, 512};
  plan->growth_keys = 1'000'000;
  plan->grow_to = uint64_t{1} << 21;
  plan->rounds = 1;
  plan->seconds = 1;
  plan->growth_seconds = 6;
}

void AddNumbers(CommandLine* line, const std::string& name, const std::string& help, uint64_t low,
                uint64_t high, std::vector<uint64_t>* numbers) {
  line->Add(name, "LIST", help, [=](const std::string& text, std::string* reason) {
    *reason =
        "must be numbers from " + std::to_string(low) + " to " + std::to_string(high) + " between commas";
    numbers->clear();
    for (const std::string& part : Split(text)) {
      uint64_t number;
      if (!ParseNumber(part, &number) || number < low || number > high) return false;
      numbers->push_back(number);
    }
    return !numbers->empty();
  });
}

bool Check(const CommandLine& line, const std::string& parts, Options* options, std::string* error) {
  if (!line.positional().empty()) {
    *error = "unexpected argument " + ShellQuote(line.positional().front());
    return false;
  }
  const std::vector<std::string> known = options->parts;
  if (!parts.empty()) options->parts = Split(parts);
  for (const std::string& part : options->parts) {
    if (std::find(known.begin(), known.end(), part) != known.end()) continue;
    *error = "--parts " + ShellQuote(part) + ": must be of keys, checkpoint, recovery, growth";
    return false;
  }
  if (std::has_single_bit(options->plan.grow_to)) return true;
  *error = "--grow-to " + std::to_string(options->plan.grow_to) + ": must be a power of two";
  return false;
}

bool Parse(const std::vector<std::string>& arguments, Options* options, std::string* error) {
  CommandLine line("./cpr bench --scaling [FLAGS]", kDescription);
  ScalingPlan& plan = options->plan;
  std::string parts;
  bool chosen = false;
  // Before the other flags, which win over it.
  if (std::find(arguments.begin(), arguments.end(), "--quick") != arguments.end()) MakeQuick(&plan);
  line.AddSwitch("scaling", "this benchmark", &chosen);
  line.AddSwitch("quick", "small sizes and one round, which show that it works and separate nothing",
                 &options->quick);
  line.AddText("parts", "LIST", "of keys, checkpoint, recovery, growth (all)", &parts);
  line.AddNumber("rounds", "N", "rounds; fewer than 5 separate nothing (5)", &plan.rounds, 1, 1000);
  line.AddNumber("seconds", "N", "of each run by keys (5)", &plan.seconds, 1, 3600);
  line.AddNumber("threads", "N", "sessions (2)", &plan.threads, 1, 100);
  AddNumbers(&line, "keys", "numbers of keys (1000000,10000000,50000000)", 1000, uint64_t{1} << 32,
             &plan.keys);
  AddNumbers(&line, "dirty", "MiB inserted before each checkpoint (64,256,1024)", 1, 1 << 20, &plan.dirty);
  AddNumbers(&line, "logs", "MiB of the logs to recover (1024,4096,16384)", 1, 1 << 24, &plan.logs);
  AddNumbers(&line, "recovery-threads", "threads of a recovery (1,2)", 1, 256, &plan.recovery_threads);
  line.AddNumber("growth-keys", "N", "keys while the index grows (10000000)", &plan.growth_keys, 1000,
                 uint64_t{1} << 32);
  line.AddNumber("grow-to", "N", "buckets, a power of two; it begins with 1024 (16777216)", &plan.grow_to,
                 2048, uint64_t{1} << 32);
  line.AddNumber("growth-seconds", "N", "of the run in which the index grows (60)", &plan.growth_seconds, 2,
                 3600);
  line.AddText("dir", "DIR", "the stores go below it and are removed (default: below the results)",
               &options->dir);
  line.AddText("out", "DIR", "results there instead of store/bench/<UTC time>", &options->out);
  if (!line.Parse(arguments, error)) return false;
  if (line.help_wanted()) options->help = line.Help();
  return Check(line, parts, options, error);
}

bool Wanted(const Options& options, const char* part) {
  return std::find(options.parts.begin(), options.parts.end(), part) != options.parts.end();
}

bool RunParts(const Options& options, Report* report, Scaling* scaling, std::string* error) {
  struct Part {
    const char* name;
    double expected;
    bool (Scaling::*run)(std::string*);
  };
  const Part parts[] = {{"keys", scaling->ExpectedKeys(), &Scaling::Keys},
                        {"checkpoint", scaling->ExpectedCheckpoints(), &Scaling::Checkpoints},
                        {"recovery", scaling->ExpectedRecoveries(), &Scaling::Recoveries},
                        {"growth", scaling->ExpectedGrowth(), &Scaling::Growth}};
  double total = 0;
  for (const Part& part : parts) total += Wanted(options, part.name) ? part.expected : 0;
  report->pace().SetTotal(total);
  for (const Part& part : parts) {
    if (!Wanted(options, part.name)) continue;
    const bool good = (scaling->*part.run)(error);
    if (Interrupted()) return true;
    if (!good) {
      *error = std::string(part.name) + ": " + *error;
      return false;
    }
  }
  return true;
}

bool Draw(const Report& report, const Scaling& scaling, std::string* error) {
  if (scaling.points().empty()) return true;
  std::string csv = "panel,series,x,y\n";
  for (const PicturePoint& point : scaling.points()) {
    csv += point.panel + "," + point.series + "," + std::to_string(point.x) + "," + std::to_string(point.y) +
           "\n";
  }
  return WriteWholeFile(report.folder() + "/scaling.csv", csv, error) &&
         plots::DrawScaling(report.folder(), error);
}

int Main(const std::vector<std::string>& arguments) {
  Options options;
  Report report;
  std::string error;
  if (!Parse(arguments, &options, &error)) return Complain(error);
  if (!options.help.empty()) return std::fputs(options.help.c_str(), stdout) < 0 ? 2 : 0;
  CatchInterrupts();
  if (!report.Open(options.out, arguments, &error)) return Complain(error);
  ScalingPlan& plan = options.plan;
  plan.folder =
      (options.dir.empty() ? report.folder() : options.dir) + "/cpr-bench-" + std::to_string(getpid());
  if (!MakeFolder(plan.folder, &error)) return Complain(error);
  report.json()["parameters"] = {{"keys", plan.keys},
                                 {"dirty_mebibytes", plan.dirty},
                                 {"log_mebibytes", plan.logs},
                                 {"recovery_threads", plan.recovery_threads},
                                 {"growth_keys", plan.growth_keys},
                                 {"grow_from", plan.grow_from},
                                 {"grow_to", plan.grow_to},
                                 {"rounds", plan.rounds},
                                 {"seconds", plan.seconds},
                                 {"threads", plan.threads}};
  Scaling scaling(plan, &report);
  bool good = RunParts(options, &report, &scaling, &error);
  std::error_code code;
  std::filesystem::remove_all(plan.folder, code);
  report.pace().End();
  const nlohmann::ordered_json& left_out = report.json()["left_out"];
  if (good && !Interrupted() && report.json()["findings"].empty() && !left_out.empty())
    return Complain(left_out.front()["what"].get<std::string>() + " " +
                    left_out.front()["why"].get<std::string>());
  good = good && Draw(report, scaling, &error);
  const int status = report.Finish();
  return good ? status : Complain(error);
}

}  // namespace
}  // namespace experiments::bench

int main(int argc, char** argv) { return experiments::bench::Main({argv + 1, argv + argc}); }
