// cpr-figure: measures the figures of the papers, judges their claims and draws them.
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "experiments/common/cli.h"
#include "experiments/common/results.h"
#include "experiments/figures/session.h"

namespace {

constexpr const char* kDescription =
    "Measures figures of the CPR, FASTER and F2 papers, draws them, and says for each claim what the paper\n"
    "says, what was measured here and whether it holds.\n"
    "\n"
    "Examples:\n"
    "  ./cpr figure --list                    what there is\n"
    "  ./cpr figure cpr-12b --quick           one figure, in seconds\n"
    "  ./cpr figure --all --quick             all of them, in minutes, with claims.md and index.html\n"
    "  ./cpr figure --resume store/figures/latest\n"
    "  ./cpr plot store/figure-cpr-12b/latest\n"
    "\n"
    "Without --quick the sizes are as near to the paper's as one machine allows; that takes hours. Exit\n"
    "status: 0 every robust claim holds or is not separable from noise; 1 one does not hold, or a program\n"
    "failed; 2 wrong input or machine.";

// The measuring programs lie beside this one.
std::string OwnFolder() {
  std::error_code code;
  return std::filesystem::read_symlink("/proc/self/exe", code).parent_path().string();
}

int Complain(const std::string& what) {
  std::fprintf(stderr, "cpr figure: %s\n", what.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  experiments::figures::SessionOptions options;
  bool list = false, no_pictures = false;
  constexpr uint64_t kUnsaid = ~uint64_t{0};
  uint64_t further = kUnsaid;
  options.definitions = experiments::ProjectRoot() + "/experiments/figures";
  options.programs = OwnFolder();
  experiments::CommandLine line("./cpr figure NAME...|--all [--quick]", kDescription);
  line.AddSwitch("all", "every figure", &options.all);
  line.AddSwitch("quick", "small sizes, seconds per figure", &options.quick);
  line.AddSwitch("list", "the names of the figures, and how long they take", &list);
  line.AddText("out", "DIR", "results there instead of store/figure-NAME/<UTC time>", &options.out);
  line.AddText("resume", "DIR", "measure what an interrupted run lacks", &options.resume);
  line.AddText("again", "DIR", "judge and draw a stored run again, measure nothing", &options.again);
  line.AddNumber(
      "further", "S",
      "more rounds of what noise hides until S seconds after the start; default 870 with --all --quick",
      &further, 0, 1000000);
  line.AddSwitch("no-pictures", "measure and judge only", &no_pictures);
  line.AddSwitch("json", "the claims as JSON on stdout", &options.json);
  line.AddText("definitions", "DIR", "other figures than experiments/figures/*/*.json", &options.definitions);
  line.AddText("programs", "DIR", "other measuring programs than those that were built", &options.programs);
  std::string error;
  if (!line.Parse({argv + 1, argv + argc}, &error)) return Complain(error);
  if (line.help_wanted()) {
    std::fputs(line.Help().c_str(), stdout);
    return 0;
  }
  options.pictures = !no_pictures;
  if (further != kUnsaid) options.further_until = static_cast<double>(further);
  options.figures = line.positional();
  if (list) return experiments::figures::ListFigures(options);
  const int ways = int(!options.figures.empty()) + int(options.all) + int(!options.resume.empty()) +
                   int(!options.again.empty());
  if (ways != 1)
    return Complain("expected names of figures, or one of --all, --resume and --again (./cpr figure --list)");
  if ((options.quick || !options.out.empty()) && !options.resume.empty())
    return Complain("--resume goes on with the run as it was begun: without --quick and --out");
  return experiments::figures::RunSession(options);
}
