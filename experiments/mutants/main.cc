// cpr-mutants: plants every bug of a folder of patches in a copy of the source, lets the crash campaign hunt
// it, and prints the scoreboard. See hunt.h for what "found" means and patch.h for the form of a patch.
//
// Exit status: 0 all found, 1 one was missed, 2 wrong usage or a patch that does not apply, 130 interrupted.

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <set>
#include <thread>

#include "experiments/common/cli.h"
#include "experiments/common/progress.h"
#include "experiments/mutants/hunt.h"
#include "experiments/common/process.h"
#include "experiments/mutants/scoreboard.h"

namespace experiments::mutants {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string patches;
  std::string out;
  std::string junit;
  uint64_t seed = 1;
  uint64_t seeds = 1;
  uint64_t seconds = 60;
  uint64_t jobs = 0;
  uint64_t budget = 0;
  bool list = false;
  bool one_per_group = false;
  bool skip_first = false;
  std::vector<std::string> names;
};

int Usage(const std::string& line) {
  std::fprintf(stderr, "cpr mutants: %s\n", line.c_str());
  return 2;
}

// -1: go on; else the exit status.
int ParseArguments(int argc, char** argv, Arguments* arguments) {
  CommandLine line(
      "./cpr mutants [FLAGS] [NAME...]",
      "Plants each bug of a folder of patches in a copy of the source and hunts it with the crash\n"
      "campaign. NAMEs select some of them.");
  line.AddText("patches", "DIR", "patches from there (default: tests/mutants)", &arguments->patches);
  line.AddNumber("seed", "N", "seed of every hunt (1)", &arguments->seed, 0, (1u << 31) - 1);
  line.AddNumber("seeds", "N", "hunt each with N seeds, from that one on; every one must find it (1)",
                 &arguments->seeds, 1, 1000);
  line.AddNumber("seconds", "N", "time for each hunt (60)", &arguments->seconds, 1, 86400);
  line.AddNumber("jobs", "N", "hunts side by side (default: one per core)", &arguments->jobs, 1, 1024);
  line.AddText("out", "DIR", "results there (default: store/mutants/<UTC time>)", &arguments->out);
  line.AddText("junit", "FILE", "a JUnit report as well", &arguments->junit);
  line.AddNumber("budget", "SECONDS", "start no hunt after that", &arguments->budget, 1, 864000);
  line.AddSwitch("one-per-group", "only the first of each group", &arguments->one_per_group);
  line.AddSwitch("not-first", "all but the first of each group", &arguments->skip_first);
  line.AddSwitch("list", "print the names and what each bug is, and end", &arguments->list);
  std::string error;
  if (!line.Parse(std::vector<std::string>(argv + 1, argv + argc), &error)) return Usage(error);
  if (line.help_wanted()) {
    std::fputs(line.Help().c_str(), stdout);
    return 0;
  }
  arguments->names = line.positional();
  if (arguments->jobs == 0) arguments->jobs = std::max(1u, std::thread::hardware_concurrency());
  return -1;
}

void SelectByGroup(const Arguments& arguments, std::vector<Patch>* patches) {
  if (!arguments.one_per_group && !arguments.skip_first) return;
  std::set<std::string> seen;
  std::erase_if(*patches, [&](const Patch& patch) {
    const bool first = seen.insert(patch.group).second;
    return arguments.one_per_group ? !first : first;
  });
}

void PrintList(const std::vector<Patch>& patches) {
  for (const Patch& patch : patches) {
    std::string expected;
    for (const std::string& rule : patch.violations) expected += (expected.empty() ? "" : ", ") + rule;
    std::printf("%-34s %-3s %-8s %-14s %s\n", patch.name.c_str(), patch.group.c_str(), ModeName(patch.mode),
                expected.empty() ? "any" : expected.c_str(), patch.what.c_str());
  }
}

// A folder for copies and objects that no other run uses now; the lock lives as long as this process.
fs::path ClaimWorkFolder(const fs::path& root) {
  for (int slot = 0;; ++slot) {
    const fs::path folder = root / "build" / "mutants" / std::to_string(slot);
    std::error_code error;
    fs::create_directories(folder, error);
    const int file = open((folder / ".lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    if (file < 0) return "";
    if (flock(file, LOCK_EX | LOCK_NB) == 0) return folder;
    close(file);
  }
}

std::string ReadBuilds(const std::vector<Patch>& patches, const fs::path& work, Builds* builds) {
  // Only what is hunted: the programs of a mode need not be built for the others.
  std::vector<std::string> sim, release;
  for (const Patch& patch : patches) {
    if (patch.mode == Mode::kProcess)
      release = {builds->process};
    else if (patch.mode == Mode::kTxn)
      sim.insert(sim.end(), {builds->txn_host, builds->txn_subject});
    else
      sim.insert(sim.end(), {builds->host, builds->subject});
  }
  std::sort(sim.begin(), sim.end());
  sim.erase(std::unique(sim.begin(), sim.end()), sim.end());
  std::string wrong;
  if (!sim.empty()) wrong = builds->sim.Read(builds->root / "build" / "sim", sim, work);
  if (wrong.empty() && !release.empty())
    wrong = builds->release.Read(builds->root / "build" / "release", release, work);
  return wrong;
}

// The hunts, by a few threads; results in the order in which they end.
class Run {
 public:
  Run(const HuntSettings& settings, const std::vector<Patch>& patches, const ResultFolder& folder,
      const Arguments& arguments)
      : settings_(settings),
        patches_(patches),
        folder_(folder),
        arguments_(arguments),
        board_(&patches, arguments.seed, arguments.seconds) {}

  int Go() {
    std::vector<std::thread> threads;
    const size_t jobs = std::min<size_t>(arguments_.jobs, patches_.size());
    for (size_t i = 0; i < jobs; ++i) threads.emplace_back([this] { Work(); });
    while (ended_.load() < jobs) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      std::lock_guard lock(mutex_);
      if (progress_.Due()) progress_.Show(ProgressLine());
    }
    for (std::thread& thread : threads) thread.join();
    progress_.Clear();
    return Finish();
  }

 private:
  bool OutOfTime() const {
    return arguments_.budget != 0 && MonotonicSeconds() - begin_ > double(arguments_.budget);
  }

  void Work() {
    for (;;) {
      const size_t mine = next_.fetch_add(1);
      if (mine >= patches_.size() || g_stop.load() || OutOfTime()) break;
      const HuntResult result = Hunt(settings_, patches_[mine]);
      if (!result.ran) break;
      std::lock_guard lock(mutex_);
      board_.Add(mine, result);
      progress_.Clear();
      std::printf("%s\n", board_.Line(mine).c_str());
      std::fflush(stdout);
      Write(false);
    }
    ended_.fetch_add(1);
  }

  std::string ProgressLine() const {
    const double elapsed = MonotonicSeconds() - begin_;
    std::string line = std::to_string(board_.done()) + " of " + std::to_string(patches_.size()) +
                       " hunted, " + std::to_string(board_.missed()) + " missed, " + DurationText(elapsed);
    if (board_.done() > 0) {
      line += ", about " +
              DurationText(elapsed / double(board_.done()) * double(patches_.size() - board_.done())) +
              " left";
    }
    return line;
  }

  bool Write(bool finished) {
    std::string error;
    if (board_.WriteJson(folder_, finished, MonotonicSeconds() - begin_, &error)) return true;
    std::fprintf(stderr, "cpr mutants: %s\n", error.c_str());
    return false;
  }

  int Finish() {
    const bool stopped = g_stop.load();
    bool good = Write(!stopped && board_.done() == patches_.size());
    std::string error;
    if (!arguments_.junit.empty() && !board_.WriteJunit(arguments_.junit, &error)) {
      std::fprintf(stderr, "cpr mutants: %s\n", error.c_str());
      good = false;
    }
    const size_t left_out = patches_.size() - board_.done();
    if (left_out != 0)
      std::printf("left out: %zu (%s)\n", left_out, stopped ? "interrupted" : "no time left");
    std::printf("%zu found, %zu missed, results in %s\n", board_.found(), board_.missed(),
                folder_.path().c_str());
    if (stopped) return 130;
    if (!good) return 3;
    return board_.missed() == 0 ? 0 : 1;
  }

  const HuntSettings& settings_;
  const std::vector<Patch>& patches_;
  const ResultFolder& folder_;
  const Arguments& arguments_;
  Scoreboard board_;
  Progress progress_;
  std::mutex mutex_;  // board_, progress_, stdout
  std::atomic<size_t> next_{0};
  std::atomic<size_t> ended_{0};
  const double begin_ = MonotonicSeconds();
};

int Main(int argc, char** argv) {
  Arguments arguments;
  if (int status = ParseArguments(argc, argv, &arguments); status >= 0) return status;
  Builds builds;
  builds.root = fs::canonical(ProjectRoot());
  const fs::path folder =
      arguments.patches.empty() ? builds.root / "tests" / "mutants" : fs::path(arguments.patches);
  std::vector<Patch> patches;
  std::string wrong = ReadPatches(folder, arguments.names, &patches);
  if (!wrong.empty()) return Usage(wrong);
  SelectByGroup(arguments, &patches);
  if (arguments.list) {
    PrintList(patches);
    return 0;
  }
  StopOnSignals();
  HuntSettings settings;
  settings.builds = &builds;
  settings.seed = arguments.seed;
  settings.seeds = arguments.seeds;
  settings.seconds = arguments.seconds;
  const uint64_t cores = std::max(1u, std::thread::hardware_concurrency());
  settings.workers = std::max<uint64_t>(1, cores / std::clamp<uint64_t>(patches.size(), 1, arguments.jobs));
  settings.work = ClaimWorkFolder(builds.root);
  if (settings.work.empty()) return Usage("cannot write below " + (builds.root / "build").string());
  // Every patch that has gone stale, not only the first: whoever changed the engine has to mend them all.
  int stale = 0;
  for (const Patch& patch : patches) {
    wrong = Prepare(settings, patch);
    if (g_stop.load()) return 130;
    if (!wrong.empty()) stale = Usage(wrong);
  }
  if (stale != 0) return stale;
  if (wrong = ReadBuilds(patches, settings.work, &builds); !wrong.empty()) return Usage(wrong);
  ResultFolder results;
  if (!results.Create(builds.root.string(), "mutants", arguments.out, &wrong)) return Usage(wrong);
  settings.out = fs::absolute(results.path());
  return Run(settings, patches, results, arguments).Go();
}

}  // namespace
}  // namespace experiments::mutants

int main(int argc, char** argv) { return experiments::mutants::Main(argc, argv); }
