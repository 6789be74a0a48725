#include "experiments/txn_crash/txn_campaign.h"

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
#include <new>
#include <nlohmann/json.hpp>

#include "experiments/common/progress.h"
#include "experiments/common/results.h"
#include "experiments/common/running_clock.h"
#include "experiments/crash/self_test.h"

namespace experiments {
namespace {

constexpr double kHangSeconds = 30;  // of one execution, while we run: milliseconds are usual
constexpr int kMaxDeaths = 40;
constexpr uint64_t kEnough = 5000;  // executions after which every cell must have been hit

volatile sig_atomic_t g_interrupted = 0;
void OnInterrupt(int) { g_interrupted = 1; }

class Parent {
 public:
  Parent(const TxnCampaignOptions& options, const TxnLibrary& library, TxnCampaignResult* result)
      : options_(options), library_(library), result_(result), progress_(options.quiet) {}

  bool Run(std::string* error) {
    void* memory =
        mmap(nullptr, sizeof(TxnShared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      *error = std::string("cannot map shared memory: ") + std::strerror(errno);
      return false;
    }
    shared_ = new (memory) TxnShared();
    started_ = MonotonicSeconds();
    if (options_.seconds > 0) deadline_ = started_ + options_.seconds;
    struct sigaction action = {}, before_int, before_term;
    action.sa_handler = OnInterrupt;
    g_interrupted = 0;
    sigaction(SIGINT, &action, &before_int);
    sigaction(SIGTERM, &action, &before_term);
    children_.resize(static_cast<size_t>(result_->jobs));
    bool good = true;
    for (int i = 0; i < result_->jobs && good; ++i) good = Fork(i, error);
    if (!good) shared_->stop = true;
    while (Reap()) Tick();
    progress_.Clear();
    result_->seconds = MonotonicSeconds() - started_;
    sigaction(SIGINT, &before_int, nullptr);
    sigaction(SIGTERM, &before_term, nullptr);
    Sum();
    CheckTrust();
    CollectFindings();
    if (result_->first_violation_executions == 0 && !result_->findings.empty())
      result_->first_violation_executions = result_->total.executions;
    for (int i = 0; i < result_->jobs; ++i) unlink(TxnTapePath(options_, i).c_str());
    munmap(memory, sizeof(TxnShared));
    return good;
  }

 private:
  struct Child {
    pid_t pid = 0;
    uint64_t begun = 0;  // last seen
    double moved = 0;    // when `begun` last grew, by watched_
    bool hung = false;
  };

  bool Fork(int number, std::string* error) {
    const pid_t pid = fork();
    if (pid < 0) {
      *error = std::string("cannot start a worker: ") + std::strerror(errno);
      return false;
    }
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const rlimit none = {0, 0};  // a death of the store is expected here and reported by the parent
      setrlimit(RLIMIT_CORE, &none);
      _exit(RunTxnWorker(options_, deadline_, library_, shared_, number));
    }
    children_[static_cast<size_t>(number)] = {pid, 0, watched_.Look(MonotonicSeconds()), false};
    return true;
  }

  void Tick() {
    if (g_interrupted && !result_->interrupted) {
      result_->interrupted = true;
      shared_->stop = true;
    }
    const double now = MonotonicSeconds(), watched = watched_.Look(now);
    if (deadline_ != 0 && now > deadline_ + 0.5) shared_->stop = true;
    if (shared_->stop && stopping_since_ == 0) stopping_since_ = now;
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
    if (result_->first_violation_executions == 0 && shared_->findings > 0) {
      Sum();
      result_->first_violation_executions = result_->total.executions;
    }
    ShowProgress();
    usleep(10'000);
  }

  void ShowProgress() {
    if (!progress_.Due()) return;
    Sum();
    const TxnTally& total = result_->total;
    const double passed = MonotonicSeconds() - started_;
    std::string line =
        Grouped(total.executions) + " executions, " +
        Grouped(static_cast<unsigned long long>(static_cast<double>(total.executions) / passed)) + "/s, " +
        Grouped(total.recoveries) + " recoveries, " + Grouped(total.violations) + " violations";
    if (deadline_ != 0) line += ", " + DurationText(deadline_ - MonotonicSeconds()) + " left";
    progress_.Show(line);
  }

  bool Reap() {
    bool left = false;
    for (size_t i = 0; i < children_.size(); ++i) {
      if (children_[i].pid == 0) continue;
      int status = 0;
      if (waitpid(children_[i].pid, &status, WNOHANG) == 0) {
        left = true;
        continue;
      }
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

  // The worker died in the middle of an execution: store what it was doing, with the tape it wrote.
  void OnDeath(int number, int status) {
    TxnShared::Worker& worker = shared_->workers[number];
    const bool hung = children_[static_cast<size_t>(number)].hung;
    ++deaths_;
    if (stopping_since_ != 0 && !hung) return;  // we killed it because it did not stop in time
    ++worker.tally.violations;
    ++worker.tally.executions;
    TxnStored stored;
    How how;
    PrepareTxn(options_, worker.seed, &stored.scenario, &how);
    stored.seed = how.seed;
    stored.spurious_cas = how.spurious_cas;
    stored.subject = library_.identity();
    stored.subject_path = library_.path();
    stored.rule = hung ? "stuck" : "crash";
    stored.what = hung                  ? "an execution did not end in 30 s of real time"
                  : WIFSIGNALED(status) ? std::string("the process died of ") + strsignal(WTERMSIG(status))
                                        : "the process exited with " + std::to_string(WEXITSTATUS(status));
    std::string error;
    stored.has_tape = faults::LoadTape(TxnTapePath(options_, number), &stored.tape, &error);
    if (stored.has_tape) stored.plain_points = stored.tape.header.plain_points != 0;
    const uint32_t finding = shared_->findings.fetch_add(1) + 1;
    const std::string folder = options_.folder + "/findings/" + std::to_string(finding) + "-" + stored.rule;
    if (finding <= kMostTxnFindings && !StoreTxn(folder, stored, stored.what + "\n", &error))
      result_->doubts.push_back(error);
    if (options_.stop_at_first) shared_->stop = true;
  }

  void Sum() {
    result_->total = {};
    for (const TxnShared::Worker& worker : shared_->workers) result_->total.Add(worker.tally);
  }

  void CheckTrust() {
    if (shared_->untrusted) result_->doubts.push_back(shared_->why_untrusted);
    const TxnTally& total = result_->total;
    if (total.executions == 0) result_->doubts.push_back("nothing was executed");
    if (total.undecided * 100 > total.executions)
      result_->doubts.push_back(Grouped(total.undecided) + " executions could not be judged");
    const bool enough = !options_.has_file && total.violations == 0 && total.executions >= kEnough;
    std::string missing;
    for (int kind = 0; kind < kTxnSchemes; ++kind) {
      for (int row = 0; row < kTxnRows; ++row) {
        const bool hit = total.cells[kind][row].crashes > 0, reachable = result_->reachable[kind][row];
        const std::string cell = std::string(kTxnSchemeName[kind]) + " " + kTxnRowName[row];
        if (reachable && !hit && enough) missing += (missing.empty() ? "" : ", ") + cell;
        const bool asked = options_.has_file || std::count(options_.schemes.begin(), options_.schemes.end(),
                                                           static_cast<uint32_t>(kind)) > 0;
        if (hit && !reachable && asked)
          result_->doubts.push_back("crashed in a cell that cannot be reached: " + cell);
      }
    }
    if (!missing.empty()) result_->doubts.push_back("never crashed in: " + missing);
    // A harness that stopped doing one of these would pass in silence.
    const auto expect = [&](uint64_t count, const char* what) {
      if (enough && count == 0) result_->doubts.push_back(std::string("never: ") + what);
    };
    expect(total.switches, "a switch of threads");
    expect(total.commits, "a commit that became durable");
    expect(total.recovered_split, "a recovery with a committed and a lost transaction of one client");
    expect(total.aborted, "a transaction that aborted");
    result_->valid = result_->doubts.empty();
  }

  void CollectFindings() {
    std::error_code code;
    std::vector<std::filesystem::path> folders;
    for (const auto& entry : std::filesystem::directory_iterator(options_.folder + "/findings", code))
      folders.push_back(entry.path());
    const auto number = [](const std::filesystem::path& path) { return std::atoi(path.filename().c_str()); };
    std::sort(folders.begin(), folders.end(),
              [&](const auto& a, const auto& b) { return number(a) < number(b); });
    for (const std::filesystem::path& folder : folders) {
      TxnFindingNote note{folder.string(), {}};
      std::string error;
      if (LoadTxn(folder.string(), &note.stored, &error))
        result_->findings.push_back(std::move(note));
      else
        result_->doubts.push_back(error);
    }
  }

  const TxnCampaignOptions& options_;
  const TxnLibrary& library_;
  TxnCampaignResult* const result_;
  Progress progress_;
  TxnShared* shared_ = nullptr;
  std::vector<Child> children_;
  int deaths_ = 0;
  double started_ = 0, deadline_ = 0, stopping_since_ = 0;
  RunningClock watched_{MonotonicSeconds()};
};

// The cells that the subject says its commits pass.
bool ReadTxnPhases(const TxnCampaignOptions& options, const TxnLibrary& library, TxnCampaignResult* result,
                   std::string* error) {
  faults::SimStorage storage;
  TxnRecorder recorder;
  const std::unique_ptr<TxnSubject> subject = library.Make({}, &storage, &recorder);
  const nlohmann::json table = nlohmann::json::parse(subject->PhaseTable(), nullptr, false);
  *error = "the phase table of subject " + library.path() + " ";
  for (int kind = 0; kind < kTxnSchemes; ++kind) {
    const char* name = kTxnSchemeName[kind];
    const bool asked = std::count(options.schemes.begin(), options.schemes.end(), uint32_t(kind)) > 0;
    if (!table.is_object() || !table.contains(name) || !table[name].is_array()) {
      *error += std::string("does not list the phases of ") + name;
      return false;
    }
    result->reachable[kind][0] = result->reachable[kind][kTxnRows - 1] = asked;
    for (const auto& phase : table[name]) {
      int row = -1;
      for (int i = 1; i + 1 < kTxnRows; ++i)
        if (phase == kTxnRowName[i]) row = i;
      if (row < 0) {
        *error += std::string("has an unknown phase in ") + name;
        return false;
      }
      result->reachable[kind][row] = asked;
    }
  }
  error->clear();
  return true;
}

}  // namespace

bool RunTxnCampaign(const TxnCampaignOptions& options, const TxnLibrary& library, TxnCampaignResult* result,
                    std::string* error) {
  *result = {};
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  const uint64_t jobs = options.jobs != 0 ? options.jobs : static_cast<uint64_t>(std::max(1L, cores));
  result->jobs = static_cast<int>(std::min<uint64_t>(jobs, std::size(TxnShared{}.workers)));
  if (!ReadTxnPhases(options, library, result, error)) return false;
  if (!MakeFolder(options.folder + "/findings", error)) return false;
  std::string why;
  if (!HarnessSelfTest(&why)) {
    result->doubts.push_back(why);
    return true;
  }
  return Parent(options, library, result).Run(error);
}

}  // namespace experiments
