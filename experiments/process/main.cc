// cpr-crash-process: ./cpr crash --mode process. Real processes on real threads and files, killed with
// SIGKILL.
//
// Exit status: 0 pass, 1 a property fails, 2 wrong usage or machine, 3 the harness cannot be trusted.
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>

#include "experiments/common/cli.h"
#include "experiments/common/results.h"
#include "experiments/process/campaign.h"

namespace experiments::process {
namespace {

std::atomic<bool> g_interrupted{false};

void OnSignal(int signal) {
  g_interrupted = true;
  std::signal(signal, SIG_DFL);
}

int Complain(const std::string& what) {
  std::fprintf(stderr, "cpr crash --mode process: %s\n", what.c_str());
  return 2;
}

struct Arguments {
  std::string mode, checkpoint, log, shift, guarantee, out;
  StorageChoice storage{"", false, 0, 0};
  uint64_t seconds = 0, executions = 0, seed = 0, jobs = 0;
  bool stop_at_first = false, json = false, small = false, help = false;
  bool seeded = false;
};

CommandLine Flags(Arguments* a) {
  CommandLine line(
      "./cpr crash --mode process [SEED] [FLAGS]",
      "Kills real processes (SIGKILL, real threads and files) in every phase of every kind of checkpoint, "
      "lets\n"
      "all, none or a random part of the unsynced sectors survive, recovers, and checks every key against "
      "the\n"
      "sessions' commit points. 60 seconds unless told otherwise.\n"
      "Exit status: 0 pass, 1 a property fails, 2 wrong usage, 3 the harness itself cannot be trusted.");
  line.AddChoice("mode", {"process"}, "real kills (without it: simulated crashes)", &a->mode);
  line.AddNumber("seconds", "N", "stop after N seconds (60)", &a->seconds, 1, 10'000'000);
  line.AddNumber("executions", "N", "stop after N kills", &a->executions, 1, ~uint64_t{0});
  line.Add("seed", "N", "as SEED", [a](const std::string& text, std::string* reason) {
    *reason = "must be a number";
    return a->seeded = ParseNumber(text, &a->seed);
  });
  line.AddChoice("checkpoint", {"full", "log", "index", "incremental"}, "only checkpoints of this kind",
                 &a->checkpoint);
  line.AddChoice("log", {"foldover", "snapshot"}, "only checkpoints with this way to save the log", &a->log);
  line.AddChoice("shift", {"fine", "coarse"}, "only this scheme of the version shift", &a->shift);
  line.AddChoice("guarantee", {"strict", "relaxed"}, "only this guarantee for pending operations",
                 &a->guarantee);
  AddStorageFlags(&line, &a->storage);
  line.AddText("out", "DIR", "results there instead of store/crash/<UTC time>", &a->out);
  line.AddSwitch("stop-at-first", "end at the first violation", &a->stop_at_first);
  line.AddSwitch("small", "only small stores, not the one of a million keys", &a->small);
  line.AddNumber("jobs", "N", "for symmetry with simulated crashes: one store at a time runs on all cores",
                 &a->jobs, 1, 64);
  line.AddSwitch("json", "print results.json instead of the table", &a->json);
  return line;
}

// Kinds that both filters leave; an index-only checkpoint saves no log.
std::vector<int> Kinds(const Arguments& a) {
  std::vector<int> kinds;
  for (int kind = 0; kind < kKinds; ++kind) {
    const auto choice = ChoiceOf(kind);
    const bool kind_fits = a.checkpoint.empty() || a.checkpoint == CheckpointKindName(choice.kind);
    const bool log_fits = a.log.empty() || (kind != 4 && a.log == LogBackendName(choice.backend));
    if (kind_fits && log_fits) kinds.push_back(kind);
  }
  return kinds;
}

// None of the flags: every store draws its own.
bool ChooseStorage(const Arguments& a, CampaignOptions* options, std::string* error) {
  StorageChoice choice = a.storage;
  if (choice.name.empty() && !choice.direct && !choice.limited()) return true;
  if (choice.name.empty()) choice.name = "posix";
  options->storage = choice;
  *error = CheckStorage(choice, options->folder);
  return error->empty();
}

int Main(const std::vector<std::string>& arguments) {
  Arguments a;
  CommandLine line = Flags(&a);
  std::string error;
  if (!line.Parse(arguments, &error)) return Complain(error);
  if (line.help_wanted()) {
    std::fputs(line.Help().c_str(), stdout);
    return 0;
  }
  const auto& positional = line.positional();
  if (positional.size() > 1) return Complain("one SEED at most, not also " + ShellQuote(positional[1]));
  if (!positional.empty() && !(a.seeded = ParseNumber(positional[0], &a.seed))) {
    return Complain("SEED " + ShellQuote(positional[0]) + ": must be a number");
  }
  CampaignOptions options;
  options.seed = a.seeded ? a.seed : static_cast<uint64_t>(std::time(nullptr)) % 1000000;
  options.seconds = a.seconds != 0 ? static_cast<double>(a.seconds) : a.executions != 0 ? 1e9 : 60;
  if (a.executions != 0) options.executions = a.executions;
  options.coverage_required = a.executions == 0;
  options.stop_at_first = a.stop_at_first;
  options.big = !a.small;
  options.kinds = Kinds(a);
  if (options.kinds.empty())
    return Complain("--checkpoint " + a.checkpoint + " --log " + a.log + ": no such checkpoint");
  if (!a.shift.empty())
    options.protocol.shift = a.shift == "coarse" ? faster::ShiftScheme::kCoarse : faster::ShiftScheme::kFine;
  if (!a.guarantee.empty())
    options.protocol.guarantee =
        a.guarantee == "relaxed" ? faster::Guarantee::kRelaxed : faster::Guarantee::kStrict;
  options.interrupted = &g_interrupted;
  ResultFolder folder;
  if (!folder.Create(ProjectRoot(), "crash", a.out, &error)) return Complain(error);
  options.folder = folder.path();
  if (!ChooseStorage(a, &options, &error)) return Complain(error);
  std::error_code code;
  std::filesystem::remove_all(folder.File("findings"), code);  // of an earlier campaign into the same --out
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
  const CampaignResult result = RunCampaign(options);
  const std::string json = ResultsJson(options, result);
  if (!folder.Write("results.json", json, &error)) return Complain(error);
  std::fputs(a.json ? json.c_str() : SummaryText(options, result).c_str(), stdout);
  return result.exit_status();
}

}  // namespace
}  // namespace experiments::process

int main(int argc, char** argv) { return experiments::process::Main({argv + 1, argv + argc}); }
