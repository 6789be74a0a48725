// cpr-crash-txn: the crash suite for stores with transactions (./cpr crash --subject txn) and its replays.
#include <cstdio>
#include <ctime>
#include <filesystem>

#include "experiments/common/cli.h"
#include "experiments/common/results.h"
#include "experiments/txn_crash/txn_campaign.h"
#include "faults/sched/policy.h"

namespace experiments {
namespace {

int Wrong(const std::string& line) {
  std::fprintf(stderr, "cpr: %s\n", line.c_str());
  return 2;
}

struct Arguments {
  std::string subject, scheme, scenario, policy, out, seeds;
  uint64_t seconds = 0, executions = 0, jobs = 0, record = 0;
  bool stop_at_first = false, json = false;
};

CommandLine Flags(Arguments* a) {
  CommandLine line(
      "./cpr crash --subject txn [SEED] [FLAGS]",
      "Crashes the transactional store at every phase of a commit, at every step and I/O, with all three\n"
      "schemes, recovers it, and checks that whole transactions came back, of every client a prefix, and "
      "none\n"
      "without what it depends on (R7). Exit status: 0 pass, 1 a property fails, 2 wrong usage, 3 the "
      "harness\n"
      "itself cannot be trusted.\n\nExamples:\n"
      "  ./cpr crash --subject txn --seconds 60\n"
      "  ./cpr crash --subject txn 7 --scheme wal --executions 20000");
  line.AddText("subject", "txn|FILE", "the store of this project, or a library that exports a TxnSubject",
               &a->subject);
  line.AddChoice("scheme", {"cpr", "calc", "wal"}, "only commits by this scheme", &a->scheme);
  line.AddNumber("seconds", "N", "stop after N seconds (default 60)", &a->seconds, 1, 10'000'000);
  line.AddNumber("executions", "N", "stop after N executions", &a->executions, 1, ~uint64_t{0});
  line.AddText("seeds", "A..B", "exactly the executions with seeds A to B", &a->seeds);
  line.AddText("scenario", "FILE", "one stored scenario (txn.json) under many schedules", &a->scenario);
  line.AddText("policy", "NAME[:D]", "one scheduling policy instead of the portfolio", &a->policy);
  line.AddText("out", "DIR", "results there instead of store/crash-txn/<UTC time>", &a->out);
  line.AddNumber("record", "N", "store the first N executions whatever their verdict", &a->record, 1,
                 1'000'000);
  line.AddSwitch("stop-at-first", "end at the first violation", &a->stop_at_first);
  line.AddNumber("jobs", "N", "worker processes (default: one a core)", &a->jobs, 1, 64);
  line.AddSwitch("json", "print results.json instead of the table", &a->json);
  return line;
}

// "" or one line.
std::string ReadOptions(const Arguments& a, const CommandLine& line, TxnCampaignOptions* options) {
  if (line.positional().size() > 1) return "one SEED at most, not also " + ShellQuote(line.positional()[1]);
  if (!line.positional().empty() && !a.seeds.empty()) return "give a SEED or --seeds, not both";
  uint64_t seed = (static_cast<uint64_t>(std::time(nullptr)) * 1000003) % 1000000;
  if (!line.positional().empty() && (!ParseNumber(line.positional()[0], &seed) || seed >= 1'000'000'000))
    return "SEED " + ShellQuote(line.positional()[0]) + ": must be a number below 1000000000";
  options->seed_text = std::to_string(seed);
  options->first_seed = seed * 1'000'000'000;
  if (!a.seeds.empty()) {
    const size_t dots = a.seeds.find("..");
    uint64_t last = 0;
    if (dots == std::string::npos || !ParseNumber(a.seeds.substr(0, dots), &options->first_seed) ||
        !ParseNumber(a.seeds.substr(dots + 2), &last) || last < options->first_seed)
      return "--seeds " + ShellQuote(a.seeds) + ": must be two numbers A..B with A <= B";
    options->executions = last - options->first_seed + 1;
    options->seed_text = a.seeds;
  }
  if (a.executions != 0) options->executions = std::min(options->executions, a.executions);
  options->seconds = static_cast<double>(a.seconds);
  if (a.seconds == 0 && options->executions == ~uint64_t{0}) options->seconds = 60;
  for (uint32_t i = 0; i < kTxnSchemes; ++i)
    if (a.scheme.empty() || a.scheme == kTxnSchemeName[i]) options->schemes.push_back(i);
  options->jobs = a.jobs;
  options->record = a.record;
  options->stop_at_first = a.stop_at_first;
  options->policy = a.policy;
  std::string error;
  if (!a.policy.empty() && faults::MakePolicy(a.policy, &error) == nullptr)
    return "--policy " + ShellQuote(a.policy) + ": " + error;
  if (a.scenario.empty()) return "";
  TxnStored stored;
  if (!LoadTxn(a.scenario, &stored, &error)) return error;
  options->has_file = true;
  options->from_file = stored.scenario;
  options->schemes = {stored.scenario.store.scheme};
  return "";
}

int Crash(const std::vector<std::string>& arguments) {
  Arguments a;
  CommandLine line = Flags(&a);
  std::string error;
  if (!line.Parse(arguments, &error)) return Wrong(error);
  if (line.help_wanted()) {
    std::fputs(line.Help().c_str(), stdout);
    return 0;
  }
  TxnCampaignOptions options;
  error = ReadOptions(a, line, &options);
  if (!error.empty()) return Wrong(error);
  TxnLibrary library;
  const bool ours = a.subject.empty() || a.subject == "txn";
  if (!library.Load(ours ? DefaultTxnSubjectPath() : a.subject, &error)) return Wrong(error);
  ResultFolder folder;
  if (!folder.Create(ProjectRoot(), "crash-txn", a.out, &error)) return Wrong(error);
  options.folder = folder.path();
  std::error_code code;
  for (const char* old : {"findings", "recorded"})  // of an earlier campaign into the same --out
    std::filesystem::remove_all(folder.File(old), code);
  TxnCampaignResult result;
  if (!RunTxnCampaign(options, library, &result, &error)) return Wrong(error);
  const std::string json = TxnResultsJson(options, library, result);
  if (!folder.Write("results.json", json, &error)) return Wrong(error);
  std::fputs(a.json ? json.c_str() : TxnSummaryText(options, result).c_str(), stdout);
  if (std::fflush(stdout) != 0) return Wrong("cannot write the summary");
  return result.exit_status();
}

int Replay(const std::vector<std::string>& arguments) {
  TxnReplayOptions options;
  CommandLine line(
      "./cpr replay DIR|FILE [FLAGS]",
      "Runs a stored execution of transactions again, choice by choice, and shows the history and the "
      "verdict.\n"
      "Exit status: 0 no violation, 1 the violation again, 2 wrong usage, 3 not the same execution.");
  line.AddText("subject", "FILE", "the store under test, instead of the recorded one", &options.subject);
  line.AddSwitch("quiet", "print hash and verdict only", &options.quiet);
  std::string error;
  if (!line.Parse(arguments, &error)) return Wrong(error);
  if (line.help_wanted()) {
    std::fputs(line.Help().c_str(), stdout);
    return 0;
  }
  if (line.positional().size() != 1)
    return Wrong("replay needs one folder or file (see ./cpr replay --help)");
  options.path = line.positional()[0];
  return ReplayTxn(options);
}

}  // namespace
}  // namespace experiments

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments[0] == "replay") {
    arguments.erase(arguments.begin());
    return experiments::Replay(arguments);
  }
  return experiments::Crash(arguments);
}
