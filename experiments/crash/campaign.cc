#include "experiments/crash/campaign.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "experiments/common/progress.h"
#include "experiments/common/results.h"
#include "experiments/common/running_clock.h"
#include "experiments/crash/exhaustive.h"
#include "experiments/crash/self_test.h"

namespace experiments {
namespace {

constexpr double kHangSeconds = 30;  // of one execution, while we run: milliseconds are usual
constexpr int kMaxDeaths = 40;

volatile sig_atomic_t g_interrupted = 0;
void OnInterrupt(int) { g_interrupted = 1; }

std::string DeathText(int status) {
  if (WIFSIGNALED(status)) return std::string("the process died of ") + strsignal(WTERMSIG(status));
  return "the process exited with status " + std::to_string(WEXITSTATUS(status));
}

class Parent {
 public:
  Parent(const CampaignOptions& options, const SubjectLibrary& library, CampaignResult* result)
      : options_(options),
        plan_(options.plan),
        library_(library),
        result_(result),
        progress_(options.quiet) {}

  bool Run(std::string* error);

 private:
  struct Child {
    pid_t pid = 0;
    uint64_t begun = 0;  // last seen
    double moved = 0;    // when `begun` last grew, by watched_
    bool hung = false;
  };
  bool Fork(int number, std::string* error);
  bool Reap();  // children that ended; false when none is left
  void OnDeath(int number, int status);
  void WatchForHangs();
  void ShowProgress();
  void Sum();
  void CollectFindings();
  void CheckTrust();

  const CampaignOptions& options_;
  CampaignPlan plan_;
  const SubjectLibrary& library_;
  CampaignResult* const result_;
  Progress progress_;
  Shared* shared_ = nullptr;
  std::vector<Child> children_;
  int deaths_ = 0;
  double started_ = 0;
  double stopping_since_ = 0;
  RunningClock watched_{MonotonicSeconds()};
};

bool Parent::Fork(int number, std::string* error) {
  const pid_t pid = fork();
  if (pid < 0) {
    *error = std::string("cannot start a worker: ") + std::strerror(errno);
    return false;
  }
  if (pid == 0) {
    // A death of the engine is expected here and reported by the parent: no core files, no noise.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    const int status = RunWorker(plan_, library_, shared_, number);
    _exit(status);
  }
  children_[static_cast<size_t>(number)] = {pid, 0, watched_.Look(MonotonicSeconds()), false};
  return true;
}

// The worker died in the middle of an execution: store what it was doing, with the tape it wrote into the
// mapped file.
void Parent::OnDeath(int number, int status) {
  Worker& worker = shared_->workers[number];
  const bool hung = children_[static_cast<size_t>(number)].hung;
  ++deaths_;
  if (stopping_since_ != 0 && !hung) return;  // we killed it because it did not stop in time
  ++worker.tally.violations;
  ++worker.tally.executions;
  Recipe recipe(plan_);
  StoredExecution stored;
  How how;
  std::string ignored;
  recipe.Prepare(worker.seed, &stored.scenario, &how, &ignored);
  if (plan_.depth != 0)
    stored.scenario = CrashedAt(stored.scenario, {worker.delays, worker.delays + worker.crashes});
  const std::string rule = hung ? "stuck" : "crash";
  const std::string what = hung ? "an execution did not end in " +
                                      std::to_string(static_cast<int>(kHangSeconds)) + " s of real time"
                                : DeathText(status);
  const std::string folder = ClaimFinding(plan_, shared_, rule, {});
  if (folder.empty()) return;
  stored.run = {worker.seed,
                worker.policy,
                worker.plain_points,
                worker.spurious_cas,
                0,
                library_.identity(),
                library_.path(),
                rule,
                what,
                "",
                ""};
  std::string error;
  stored.has_tape = faults::LoadTape(WorkerTapePath(plan_, number), &stored.tape, &error);
  if (!StoreExecution(folder, stored, &error)) result_->doubts.push_back(error);
  if (plan_.stop_at_first) shared_->stop = true;
}

bool Parent::Reap() {
  bool left = false;
  for (size_t i = 0; i < children_.size(); ++i) {
    if (children_[i].pid == 0) continue;
    int status = 0;
    rusage usage = {};
    const pid_t ended = wait4(children_[i].pid, &status, WNOHANG, &usage);
    if (ended == 0) {
      left = true;
      continue;
    }
    result_->peak_rss_kib = std::max<uint64_t>(result_->peak_rss_kib, static_cast<uint64_t>(usage.ru_maxrss));
    const bool died = !WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 3);
    if (died) OnDeath(static_cast<int>(i), status);
    children_[i].pid = 0;
    if (!died || shared_->stop) continue;
    std::string error;
    if (deaths_ >= kMaxDeaths)
      shared_->stop = true;
    else if (Fork(static_cast<int>(i), &error))
      left = true;
    else
      result_->doubts.push_back(error);
  }
  return left;
}

void Parent::WatchForHangs() {
  const double now = MonotonicSeconds(), watched = watched_.Look(now);
  for (size_t i = 0; i < children_.size(); ++i) {
    Child& child = children_[i];
    if (child.pid == 0) continue;
    const uint64_t begun = shared_->workers[i].begun;
    if (begun != child.begun) {
      child.begun = begun;
      child.moved = watched;
    } else if (watched - child.moved > kHangSeconds) {
      child.hung = true;
      kill(child.pid, SIGKILL);
    }
    if (stopping_since_ != 0 && now - stopping_since_ > 0.7) kill(child.pid, SIGKILL);
  }
}

void Parent::Sum() {
  result_->total = {};
  result_->exhaustive = {};
  for (const Worker& worker : shared_->workers) {
    result_->total.Add(worker.tally);
    for (size_t depth = 0; depth < kMaxCrashDepth; ++depth) {
      result_->exhaustive.moments[depth] += worker.exhaustive.moments[depth];
      result_->exhaustive.images[depth] += worker.exhaustive.images[depth];
      result_->exhaustive.cut_short[depth] += worker.exhaustive.cut_short[depth];
    }
  }
  result_->schedule = {shared_->schedules, shared_->work_steps, shared_->work_events, shared_->moments};
}

void Parent::ShowProgress() {
  if (!progress_.Due()) return;
  Sum();
  const double passed = MonotonicSeconds() - started_;
  const Tally& total = result_->total;
  std::string line =
      Grouped(total.executions) + " executions, " +
      Grouped(static_cast<unsigned long long>(static_cast<double>(total.executions) / passed)) + "/s, " +
      Grouped(total.recoveries) + " recoveries, " + Grouped(total.violations) + " violations";
  if (plan_.depth != 0) {
    const uint64_t moments = shared_->moments, done = result_->exhaustive.moments[0];
    line += ", " + Grouped(done) + " of " + Grouped(moments) + " moments of " + Grouped(shared_->schedules) +
            (shared_->schedules == 1 ? " schedule" : " schedules");
    if (done > 0 && plan_.executions == 1)
      line += ", about " +
              DurationText(passed / static_cast<double>(done) * static_cast<double>(moments - done)) +
              " left";
  }
  if (plan_.deadline != 0) line += ", " + DurationText(plan_.deadline - MonotonicSeconds()) + " left";
  progress_.Show(line);
}

void Parent::CollectFindings() {
  std::error_code code;
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(plan_.folder + "/findings", code)) {
    folders.push_back(entry.path());
  }
  const auto number = [](const std::filesystem::path& path) { return std::atoi(path.filename().c_str()); };
  std::sort(folders.begin(), folders.end(),
            [&](const auto& a, const auto& b) { return number(a) < number(b); });
  for (const std::filesystem::path& folder : folders) {
    StoredExecution stored;
    std::string error;
    if (!LoadExecution(folder.string(), &stored, &error)) {
      result_->doubts.push_back(error);
      continue;
    }
    const RunForm& run = stored.run;
    result_->findings.push_back({folder.string(), run.rule, run.what, run.kind, run.phase,
                                 stored.scenario.name, run.policy, run.seed});
    WriteWholeFile(folder.string() + "/replay.txt", ReplayCommand(folder.string()) + "\n", &error);
  }
}

void Parent::CheckTrust() {
  if (shared_->untrusted) result_->doubts.push_back(shared_->why_untrusted);
  const Tally& total = result_->total;
  if (total.undecided * 1000 > total.executions) {
    result_->doubts.push_back(Grouped(total.undecided) + " executions could not be judged");
  }
  std::string missing;
  for (int kind = 0; kind < kCheckpointKinds; ++kind) {
    for (int row = 0; row < kCellRows; ++row) {
      const bool hit = total.cells[kind][row].crashes > 0;
      const std::string cell = KindText(KindOf(kind)) + " " + CellRowName(row);
      const bool reachable = result_->reachable[static_cast<size_t>(kind)][static_cast<size_t>(row)];
      if (reachable && !hit && options_.coverage_required && total.violations == 0)
        missing += (missing.empty() ? "" : ", ") + cell;
      const bool of_ours = plan_.variation.kinds.empty() ||
                           std::count(plan_.variation.kinds.begin(), plan_.variation.kinds.end(), kind) > 0;
      if (hit && !reachable && of_ours)
        result_->doubts.push_back("crashed in a cell that cannot be reached: " + cell);
    }
  }
  if (!missing.empty()) result_->doubts.push_back("never crashed in: " + missing);
  const bool unfinished = result_->exhaustive.moments[0] < result_->schedule.moments;
  if (plan_.depth != 0 && plan_.executions == 1 && unfinished && !result_->interrupted &&
      total.violations == 0)
    result_->doubts.push_back("the time was too short: " + Grouped(result_->exhaustive.moments[0]) + " of " +
                              Grouped(result_->schedule.moments) + " moments were crashed");
  if (total.executions == 0) result_->doubts.push_back("nothing was executed");
  // A harness that stopped doing one of these would pass in silence. (That the device tears and loses is
  // asked before: a correct engine reads nothing whose fate is open.)
  constexpr uint64_t kEnough = 5000;
  const auto expect = [&](uint64_t count, const char* what) {
    if (options_.coverage_required && total.executions >= kEnough && count == 0) {
      result_->doubts.push_back(std::string("never: ") + what);
    }
  };
  expect(total.switches, "a switch of threads");
  expect(total.checkpoints, "a completed checkpoint");
  expect(total.crashes, "a crash");
  if (total.growths != 0) expect(total.crashes_growing, "a crash while the index grew");
  result_->valid = result_->doubts.empty();
}

bool Parent::Run(std::string* error) {
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    *error = std::string("cannot map shared memory: ") + std::strerror(errno);
    return false;
  }
  shared_ = new (memory) Shared();
  started_ = MonotonicSeconds();
  if (options_.seconds > 0) plan_.deadline = started_ + options_.seconds;
  g_interrupted = 0;
  struct sigaction action = {}, before_int, before_term;
  action.sa_handler = OnInterrupt;
  sigaction(SIGINT, &action, &before_int);
  sigaction(SIGTERM, &action, &before_term);
  children_.resize(static_cast<size_t>(result_->jobs));
  bool good = true;
  for (int i = 0; i < result_->jobs && good; ++i) good = Fork(i, error);
  if (!good) shared_->stop = true;
  while (Reap()) {
    if (g_interrupted && !result_->interrupted) {
      result_->interrupted = true;
      shared_->stop = true;
    }
    const double now = MonotonicSeconds();
    if (plan_.deadline != 0 && now > plan_.deadline + 0.5) shared_->stop = true;
    if (shared_->stop && stopping_since_ == 0) stopping_since_ = now;
    WatchForHangs();
    ShowProgress();
    if (result_->first_violation_seconds == 0 && shared_->findings > 0) {
      Sum();
      result_->first_violation_seconds = now - started_;
      result_->first_violation_executions = result_->total.executions;
    }
    usleep(10'000);
  }
  progress_.Clear();
  result_->seconds = MonotonicSeconds() - started_;
  sigaction(SIGINT, &before_int, nullptr);
  sigaction(SIGTERM, &before_term, nullptr);
  Sum();
  CheckTrust();
  CollectFindings();
  if (result_->first_violation_seconds == 0 && !result_->findings.empty()) {
    result_->first_violation_seconds = result_->seconds;
    result_->first_violation_executions = result_->total.executions;
  }
  for (int i = 0; i < result_->jobs; ++i) unlink(WorkerTapePath(plan_, i).c_str());
  munmap(memory, sizeof(Shared));
  return good;
}

}  // namespace

bool ReadPhaseTable(const SubjectLibrary& library, const std::vector<int>& kinds,
                    std::array<std::vector<int>, kCheckpointKinds>* phases, std::string* error) {
  faults::SimStorage storage;
  Recorder recorder;
  const std::unique_ptr<Subject> subject = library.Make({}, &storage, &recorder);
  const nlohmann::json table = nlohmann::json::parse(subject->PhaseTable(), nullptr, false);
  *error = "the phase table of subject " + library.path() + " ";
  for (int kind = 0; kind < kCheckpointKinds; ++kind) {
    const std::string name = KindText(KindOf(kind));
    (*phases)[static_cast<size_t>(kind)].clear();
    if (!kinds.empty() && std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) continue;
    if (!table.is_object() || !table.contains(name) || !table[name].is_array()) {
      *error += "does not list the phases of " + name;
      return false;
    }
    for (const auto& phase : table[name]) {
      const int index = phase.is_string() ? PhaseIndex(phase.get<std::string>()) : -1;
      if (index < 0) {
        *error += "has an unknown phase in " + name;
        return false;
      }
      if (index > 0) (*phases)[static_cast<size_t>(kind)].push_back(index);
    }
  }
  error->clear();
  return true;
}

bool RunCampaign(const CampaignOptions& options, const SubjectLibrary& library, CampaignResult* result,
                 std::string* error) {
  *result = {};
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  const uint64_t jobs = options.jobs != 0 ? options.jobs : static_cast<uint64_t>(std::max(1L, cores));
  result->jobs = static_cast<int>(std::min<uint64_t>(jobs, kMaxWorkers));
  for (size_t kind = 0; kind < kCheckpointKinds; ++kind) {
    const std::vector<int>& phases = options.plan.variation.phases[kind];
    for (const int phase : phases) result->reachable[kind][static_cast<size_t>(phase)] = true;
    result->reachable[kind][kRestBefore] = result->reachable[kind][kRestAfter] = !phases.empty();
  }
  if (!MakeFolder(options.plan.folder + "/findings", error)) return false;
  std::string why;
  if (!HarnessSelfTest(&why)) {
    result->doubts.push_back(why);
    return true;
  }
  return Parent(options, library, result).Run(error);
}

}  // namespace experiments
