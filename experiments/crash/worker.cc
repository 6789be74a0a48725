#include "experiments/crash/worker.h"

#include <signal.h>

#include <cstdio>
#include <cstring>

#include "experiments/common/dice.h"
#include "experiments/common/progress.h"

namespace experiments {
namespace {

constexpr size_t kTapeCapacity = 1 << 21;  // more than the step limit allows choices; a sparse file

class WorkerRun {
 public:
  WorkerRun(const CampaignPlan& plan, const SubjectLibrary& library, Shared* shared, int number)
      : plan_(plan), library_(library), shared_(shared), me_(&shared->workers[number]), recipe_(plan) {}

  int Run(int number) {
    std::string error;
    scheduler_.reset(faults::Scheduler::Create());
    if (scheduler_ == nullptr) return Distrust("this machine cannot run the scheduler");
    if (!tape_.Open(WorkerTapePath(plan_, number), kTapeCapacity, &error)) return Distrust(error);
    execution_ = std::make_unique<Execution>(&library_, scheduler_.get());
    while (!shared_->stop.load(std::memory_order_relaxed)) {
      if (plan_.deadline != 0 && MonotonicSeconds() >= plan_.deadline) break;
      const uint64_t index = shared_->next.fetch_add(1);
      if (index >= plan_.executions) break;
      if (!RunOne(plan_.first_seed + index, index < plan_.record)) return 3;
    }
    return 0;
  }

 private:
  int Distrust(const std::string& why) {
    if (!shared_->untrusted.exchange(true)) {
      std::snprintf(shared_->why_untrusted, sizeof shared_->why_untrusted, "%s", why.c_str());
    }
    shared_->stop = true;
    return 3;
  }

  bool RunOne(uint64_t seed, bool record) {
    How how;
    recipe_.Prepare(seed, &scenario_, &how, &policy_name_);
    me_->seed = seed;
    me_->plain_points = how.plain_points;
    me_->spurious_cas = how.spurious_cas;
    std::snprintf(me_->policy, sizeof me_->policy, "%s", policy_name_.c_str());
    ++me_->begun;
    how.tape = tape_.entries();
    how.tape_capacity = tape_.capacity();
    tape_.Restart(Header(how), tape_used_);
    const ExecutionResult& result = execution_->Run(scenario_, how);
    tape_used_ = std::min<size_t>(result.tape_entries, tape_.capacity());
    Count(result);
    if (result.harness_error) {
      Distrust("execution with seed " + std::to_string(seed) + ": " + result.what);
      return false;
    }
    if (result.violation) Keep(how, result);
    if (record) Store(plan_.folder + "/recorded/" + std::to_string(seed), how, result);
    const bool fits = result.tape_entries <= tape_.capacity();
    return seed % plan_.double_run_every != 0 || !fits || SameAgain(seed, how, result.hash);
  }

  void Count(const ExecutionResult& result) {
    Tally& tally = me_->tally;
    tally.Add(result);
    tally.operations += execution_->history().operations.size();
    ++tally.by_family[recipe_.family(scenario_)];
    const faults::CrashStatistics& disk = execution_->storage().disk().statistics();
    tally.torn_writes += disk.torn_writes;
    tally.sectors_old += disk.sectors_old;
    tally.sectors_new += disk.sectors_new;
    tally.names_old += disk.names_old;
    tally.names_new += disk.names_new;
  }

  faults::TapeHeader Header(const How& how) const {
    faults::Scheduler::Options options;
    options.plain_points = how.plain_points;
    options.spurious_cas = how.spurious_cas;
    return faults::MakeTapeHeader(options, how.seed, "", scenario_.name + " " + policy_name_);
  }

  // The same choices must give the same execution.
  bool SameAgain(uint64_t seed, How how, uint64_t hash) {
    entries_.assign(tape_.entries(), tape_.entries() + tape_used_);
    faults::Replay replay(entries_.data(), entries_.size());
    how.policy = &replay;
    how.tape = nullptr;
    how.tape_capacity = 0;
    const ExecutionResult& again = execution_->Run(scenario_, how);
    ++me_->tally.double_runs;
    if (again.hash == hash && !again.harness_error) return true;
    ++me_->tally.differing_runs;
    Distrust("execution with seed " + std::to_string(seed) + " (" + scenario_.name + ", " + policy_name_ +
             ") was not the same when it was replayed" + (again.what.empty() ? "" : ": " + again.what));
    return false;
  }

  void Keep(const How& how, const ExecutionResult& result) {
    if (plan_.stop_at_first) shared_->stop = true;
    const std::string folder = ClaimFinding(plan_, shared_, result.rule, result.cell);
    if (!folder.empty()) Store(folder, how, result);
  }

  void Store(const std::string& folder, const How& how, const ExecutionResult& result) {
    StoredExecution stored;
    stored.scenario = scenario_;
    stored.run = {how.seed,
                  policy_name_,
                  how.plain_points,
                  how.spurious_cas,
                  result.hash,
                  library_.identity(),
                  library_.path(),
                  result.rule,
                  result.what,
                  KindText(KindOf(std::max<int>(result.cell.kind, 0))),
                  CellRowName(result.cell.row)};
    stored.has_tape = result.tape_entries <= tape_.capacity();
    stored.tape.header = Header(how);
    stored.tape.header.hash = result.hash;
    stored.tape.entries.assign(tape_.entries(), tape_.entries() + tape_used_);
    std::string error;
    if (!StoreExecution(folder, stored, &error) ||
        !StoreVerdict(folder, result, execution_->history(), &error)) {
      Distrust(error);
    }
  }

  const CampaignPlan& plan_;
  const SubjectLibrary& library_;
  Shared* const shared_;
  Worker* const me_;
  Recipe recipe_;
  std::unique_ptr<faults::Scheduler> scheduler_;
  std::unique_ptr<Execution> execution_;
  faults::MappedTape tape_;
  size_t tape_used_ = 0;
  std::vector<faults::TapeEntry> entries_;
  Scenario scenario_;
  std::string policy_name_;
};

uint64_t ClassName(const std::string& rule, const Cell& cell) {
  uint64_t name = MixSeed(static_cast<uint64_t>(cell.kind + 1), 77);
  for (const char c : rule) name = MixSeed(name, static_cast<uint64_t>(c));
  return name | 1;
}

}  // namespace

Recipe::Recipe(const CampaignPlan& plan) : plan_(plan), portfolio_(plan.first_seed) {
  std::string ignored;
  if (!plan.policy.empty()) single_ = faults::MakePolicy(plan.policy, &ignored);
}

int Recipe::family(const Scenario& scenario) const {
  const std::vector<Family>& families = Families();
  for (size_t i = 0; i < families.size(); ++i) {
    if (scenario.name == families[i].name) return static_cast<int>(i);
  }
  return kMaxFamilies - 1;
}

void Recipe::Prepare(uint64_t seed, Scenario* scenario, How* how, std::string* policy_name) {
  if (plan_.has_file)
    *scenario = plan_.from_file;
  else
    *scenario = Generate(plan_.variation, seed);
  Dice dice(MixSeed(seed, 0x9011c1e5));
  how->seed = seed;
  how->spurious_cas = dice.Chance(20);
  // What the disk does at a crash: every fate alike, mostly new, mostly old. Which one is as telling as the
  // fates.
  static constexpr double kFates[] = {-1, -1, 0.5, 0.15, 0.85, 0.02, 0.98};
  static constexpr double kPicks[] = {-1, -1, 0.3, 0.02};
  const double fate = dice.Pick(kFates);
  const double pick = dice.Pick(kPicks);
  if (single_ != nullptr) {
    how->policy = single_.get();
    how->plain_points = dice.Chance(70);
    *policy_name = plan_.policy;
    if (auto* drawing = dynamic_cast<faults::DrawingPolicy*>(single_.get())) {
      drawing->set_rate(faults::ChoiceKind::kSectorFate, fate);
      drawing->set_rate(faults::ChoiceKind::kIoPick, pick);
    }
    return;
  }
  portfolio_.set_rate(faults::ChoiceKind::kSectorFate, fate);
  portfolio_.set_rate(faults::ChoiceKind::kIoPick, pick);
  const faults::Portfolio::Pick member = portfolio_.For(MixSeed(seed, 3) >> 8);
  how->policy = member.policy;
  how->plain_points = member.plain_points;
  *policy_name = member.name;
}

std::string WorkerTapePath(const CampaignPlan& plan, int number) {
  return plan.folder + "/.tape-" + std::to_string(number);
}

std::string ClaimFinding(const CampaignPlan& plan, Shared* shared, const std::string& rule,
                         const Cell& cell) {
  const uint64_t name = ClassName(rule, cell);
  for (FindingClass& entry : shared->classes) {
    uint64_t expected = 0;
    if (!entry.name.compare_exchange_strong(expected, name) && expected != name) continue;
    if (entry.stored.fetch_add(1) >= plan.findings_per_class) return "";
    const uint32_t number = shared->findings.fetch_add(1) + 1;
    return plan.folder + "/findings/" + std::to_string(number) + "-" + rule;
  }
  return "";
}

int RunWorker(const CampaignPlan& plan, const SubjectLibrary& library, Shared* shared, int number) {
  signal(SIGINT, SIG_IGN);
  return WorkerRun(plan, library, shared, number).Run(number);
}

}  // namespace experiments
