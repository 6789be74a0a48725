// cpr-checkpoint-bench: what checkpoints cost while the store works, and how near they come to the device.
//
// Rounds of checkpoint_rounds.h for each kind of checkpoint and distribution; a table with what the rounds
// say about each bar, and results.json with every round. README.md of this folder says how each figure is
// made. Every checkpoint is durable when it counts as ended: all files and directories synced.
//
// Exit status: 0, whatever the bars say; 2 wrong usage or machine, or a run that failed; 130 interrupted,
// with the rounds that were complete.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "experiments/bench/checkpoint_rounds.h"
#include "experiments/bench/device_rate.h"
#include "experiments/bench/report.h"
#include "experiments/common/cli.h"
#include "workloads/generators.h"

namespace experiments::bench {
namespace {

using nlohmann::ordered_json;

struct Options {
  CheckpointPlan plan;
  std::vector<CheckpointCell> cells;
  std::string dir, out, help;
};

const char* const kDescription =
    "Runs YCSB A (50 % reads, 50 % updates) without checkpoints and with one every few seconds, in turn, "
    "and\n"
    "prints what the checkpoints cost: throughput, the slowest samples while one runs, and the time from\n"
    "request to durable callback against the time in which the device writes as many bytes.\n"
    "\n"
    "Examples:\n"
    "  ./cpr bench --checkpoints                          everything: about an hour\n"
    "  ./cpr bench --checkpoints --kinds full/snapshot --distributions uniform\n"
    "  ./cpr bench --checkpoints --records 1000000 --seconds 6 --every 2 --rounds 5 --kinds incremental\n"
    "  ./cpr bench --checkpoints --dir /mnt/nvme          the stores on another disk";

bool Cells(const std::string& kinds, const std::string& distributions, Options* options, std::string* error) {
  for (const std::string& kind : Split(kinds)) {
    for (const std::string& distribution : Split(distributions)) {
      CheckpointCell cell{kind, distribution, {}};
      workloads::Distribution known;
      if (!ParseKind(kind, &cell.choice)) {
        *error = "--kinds " + ShellQuote(kind) +
                 ": must be of full/snapshot, full/foldover, log/snapshot, log/foldover, incremental";
        return false;
      }
      if (!workloads::ParseDistribution(distribution, &known) || distribution == "latest") {
        *error = "--distributions " + ShellQuote(distribution) +
                 ": must be of uniform, zipfian, zipf_raw, zipf_hashed, hotspot, exponential, sequential";
        return false;
      }
      options->cells.push_back(cell);
    }
  }
  return true;
}

bool Parse(const std::vector<std::string>& arguments, Options* options, std::string* error) {
  CommandLine line("./cpr bench --checkpoints [FLAGS]", kDescription);
  std::string kinds = "full/snapshot,full/foldover,log/snapshot,log/foldover,incremental";
  std::string distributions = "uniform,zipfian";
  CheckpointPlan& plan = options->plan;
  bool chosen = false;
  line.AddSwitch("checkpoints", "this benchmark", &chosen);
  line.AddText("kinds", "LIST",
               "of full/snapshot, full/foldover, log/snapshot, log/foldover, incremental (all)", &kinds);
  line.AddText("distributions", "LIST", "of YCSB's (uniform,zipfian)", &distributions);
  line.AddNumber("rounds", "N", "rounds; fewer than 5 separate nothing (5)", &plan.rounds, 1, 1000);
  line.AddNumber("seconds", "N", "of each run (20)", &plan.seconds, 2, 3600);
  line.AddNumber("every", "S", "seconds between the requests of checkpoints (4)", &plan.every, 1, 3600);
  line.AddNumber("records", "N", "keys (10000000)", &plan.records, 1000, uint64_t{1} << 32);
  line.AddNumber("threads", "N", "sessions (2)", &plan.threads, 1, 100);
  line.AddText("dir", "DIR", "the stores go below it and are removed (default: below the results)",
               &options->dir);
  line.AddText("out", "DIR", "results there instead of store/bench/<UTC time>", &options->out);
  if (!line.Parse(arguments, error)) return false;
  if (line.help_wanted()) options->help = line.Help();
  if (!line.positional().empty()) {
    *error = "unexpected argument " + ShellQuote(line.positional().front());
    return false;
  }
  if (plan.every >= plan.seconds) {
    *error = "--every " + std::to_string(plan.every) + ": a run of " + std::to_string(plan.seconds) +
             " s has no checkpoint then";
    return false;
  }
  return Cells(kinds, distributions, options, error);
}

std::string Gigabytes(uint64_t bytes) {
  char text[40];
  std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

// What does not fit is left out and said; false if nothing remains.
bool KeepWhatFits(Options* options, Report* report, std::string* error) {
  const uint64_t memory = MemoryNeeded(options->plan), available = AvailableMemory();
  if (memory > available) {
    *error = "a store of " + std::to_string(options->plan.records) + " keys needs about " +
             Gigabytes(memory) + " of memory, " + Gigabytes(available) +
             " are available: use fewer --records";
    return false;
  }
  const uint64_t free = FreeBytes(options->plan.folder);
  std::vector<CheckpointCell> kept;
  for (const CheckpointCell& cell : options->cells) {
    const uint64_t needed = DiskNeeded(options->plan, cell);
    const std::string name = cell.kind + " " + cell.distribution;
    const std::string why = "needs about " + Gigabytes(needed) + " of disk, " + Gigabytes(free) + " are free";
    if (needed <= free)
      kept.push_back(cell);
    else
      report->LeaveOut(name, why);
    *error = name + " " + why;
  }
  options->cells = kept;
  return !kept.empty();
}

ordered_json RoundJson(const CheckpointRound& round) {
  ordered_json json = {
      {"load_average", round.load_average},
      {"without", {{"ops_per_second", round.rate_without}, {"median_sample", round.median_without}}},
      {"with", {{"ops_per_second", round.rate_with}, {"samples_during", round.during}}},
      {"idle",
       {{"seconds", round.idle.seconds()},
        {"bytes", round.idle.bytes},
        {"device_seconds", round.idle_device}}}};
  ordered_json loaded = ordered_json::array();
  for (const TimedCheckpoint& one : round.loaded) {
    ordered_json entry = {{"requested", one.requested}};
    if (one.ended >= 0) entry.update({{"durable", one.ended}, {"bytes", one.bytes}});
    loaded.push_back(entry);
  }
  json["under_load"] = {{"median_seconds", round.loaded_seconds},
                        {"device_seconds", round.loaded_device},
                        {"checkpoints", loaded}};
  return json;
}

void AddFindings(const CheckpointCell& cell, const std::vector<CheckpointRound>& rounds, Report* report) {
  const std::string name = cell.kind + " " + cell.distribution;
  const bool folds = cell.choice.backend == faster::LogBackend::kFoldOver;
  Finding without{name, "throughput without checkpoints", "Mops/s", {}, {}};
  Finding ratio{name, "throughput with / without", "", {}, Bar{folds ? 0.75 : 0.80, true}};
  Finding slow{name, "5th percentile during / median without", "", {}, Bar{0.5, true}};
  Finding size{name, "bytes of an idle checkpoint", "MB", {}, {}};
  Finding device{name, "device, as many bytes", "MB/s", {}, {}};
  Finding idle{name, "idle: to durable / device", "", {}, Bar{1.3, false}};
  Finding loaded{name, "under load: to durable / device", "", {}, Bar{2, false}};
  for (const CheckpointRound& round : rounds) {
    without.rounds.push_back(round.rate_without / 1e6);
    ratio.rounds.push_back(round.rate_with / round.rate_without);
    if (!round.during.empty() && round.median_without > 0)
      slow.rounds.push_back(Percentile(round.during, 0.05) / round.median_without);
    size.rounds.push_back(static_cast<double>(round.idle.bytes) / 1e6);
    device.rounds.push_back(static_cast<double>(round.idle.bytes) / round.idle_device / 1e6);
    idle.rounds.push_back(round.idle.seconds() / round.idle_device);
    if (round.loaded_device > 0) loaded.rounds.push_back(round.loaded_seconds / round.loaded_device);
  }
  for (const Finding& finding : {without, ratio, slow, size, device, idle, loaded}) report->Add(finding);
  if (loaded.rounds.size() < rounds.size())
    report->Say(name + ": in " + std::to_string(rounds.size() - loaded.rounds.size()) +
                " rounds no checkpoint became durable before the run's end");
}

bool RunCells(const Options& options, Report* report, std::string* error) {
  const CheckpointPlan& plan = options.plan;
  const double expected = ExpectedSeconds(plan) * static_cast<double>(plan.rounds);
  report->pace().SetTotal(expected * static_cast<double>(options.cells.size()));
  for (const CheckpointCell& cell : options.cells) {
    std::vector<CheckpointRound> rounds;
    ordered_json& cells = report->json()["cells"];
    cells.push_back({{"kind", cell.kind}, {"distribution", cell.distribution}});
    bool good = true;
    while (good && rounds.size() < plan.rounds && !Interrupted()) {
      CheckpointRound round;
      good = RunRound(plan, cell, rounds.size(), &report->pace(), &round, error);
      if (!good || Interrupted()) break;
      rounds.push_back(round);
      cells.back()["rounds"].push_back(RoundJson(round));
      good = report->Save(error);
    }
    AddFindings(cell, rounds, report);
    if (Interrupted()) return true;
    if (!good) {
      *error = cell.kind + " " + cell.distribution + ": " + *error;
      return false;
    }
  }
  return true;
}

int Main(const std::vector<std::string>& arguments) {
  Options options;
  Report report;
  std::string error;
  if (!Parse(arguments, &options, &error)) return Complain(error);
  if (!options.help.empty()) return std::fputs(options.help.c_str(), stdout) < 0 ? 2 : 0;
  CatchInterrupts();
  if (!report.Open(options.out, arguments, &error)) return Complain(error);
  const std::string base = options.dir.empty() ? report.folder() : options.dir;
  options.plan.folder = base + "/cpr-bench-" + std::to_string(getpid());
  if (!MakeFolder(options.plan.folder, &error)) return Complain(error);
  const CheckpointPlan& plan = options.plan;
  report.json()["parameters"] = {{"records", plan.records}, {"threads", plan.threads},
                                 {"seconds", plan.seconds}, {"every", plan.every},
                                 {"rounds", plan.rounds},   {"record_bytes", 24}};
  const bool fits = KeepWhatFits(&options, &report, &error);
  const bool good = fits && RunCells(options, &report, &error);
  std::error_code code;
  std::filesystem::remove_all(plan.folder, code);
  if (!fits) return Complain(error);
  const int status = report.Finish();
  return good ? status : Complain(error);
}

}  // namespace
}  // namespace experiments::bench

int main(int argc, char** argv) { return experiments::bench::Main({argv + 1, argv + argc}); }
