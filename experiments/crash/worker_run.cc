#include "experiments/crash/worker_run.h"

#include <algorithm>
#include <cstdio>

#include "experiments/common/progress.h"

namespace experiments {

namespace {
constexpr size_t kTapeCapacity = 1 << 21;  // more than the step limit allows choices; a sparse file
}

bool WorkerRun::Open(int number) {
  std::string error;
  scheduler_.reset(faults::Scheduler::Create());
  if (scheduler_ == nullptr)
    Distrust("this machine cannot run the scheduler");
  else if (!tape_.Open(WorkerTapePath(plan_, number), kTapeCapacity, &error))
    Distrust(error);
  else
    execution_ = std::make_unique<Execution>(&library_, scheduler_.get());
  return execution_ != nullptr;
}

bool WorkerRun::going() const {
  return !shared_->stop.load(std::memory_order_relaxed) &&
         (plan_.deadline == 0 || MonotonicSeconds() < plan_.deadline);
}

int WorkerRun::Distrust(const std::string& why) {
  if (!shared_->untrusted.exchange(true))
    std::snprintf(shared_->why_untrusted, sizeof shared_->why_untrusted, "%s", why.c_str());
  shared_->stop = true;
  return 3;
}

const ExecutionResult* WorkerRun::Perform(const Scenario& scenario, How how, const std::string& policy_name) {
  scenario_ = &scenario;
  policy_name_ = policy_name;
  me_->seed = how.seed;
  me_->plain_points = how.plain_points;
  me_->spurious_cas = how.spurious_cas;
  std::snprintf(me_->policy, sizeof me_->policy, "%s", policy_name.c_str());
  ++me_->begun;
  how.tape = tape_.entries();
  how.tape_capacity = tape_.capacity();
  tape_.Restart(Header(how), tape_used_);
  const ExecutionResult& result = execution_->Run(*scenario_, how);
  tape_used_ = std::min<size_t>(result.tape_entries, tape_.capacity());
  Count(result);
  if (result.harness_error) {
    Distrust("execution with seed " + std::to_string(how.seed) + ": " + result.what);
    return nullptr;
  }
  if (result.violation) {
    if (plan_.stop_at_first) shared_->stop = true;
    const std::string folder = ClaimFinding(plan_, shared_, result.rule, result.cell);
    if (!folder.empty()) Store(folder, how, result);
  }
  if (record) Store(plan_.folder + "/recorded/" + std::to_string(how.seed), how, result);
  const bool fits = result.tape_entries <= tape_.capacity();
  if (double_run && fits && !SameAgain(how, result.hash)) return nullptr;
  return &result;
}

void WorkerRun::Count(const ExecutionResult& result) {
  Tally& tally = me_->tally;
  tally.Add(result);
  tally.operations += execution_->history().operations.size();
  ++tally.by_family[FamilyOf(*scenario_)];
  const faults::CrashStatistics& disk = execution_->storage().disk().statistics();
  tally.torn_writes += disk.torn_writes;
  tally.sectors_old += disk.sectors_old;
  tally.sectors_new += disk.sectors_new;
  tally.names_old += disk.names_old;
  tally.names_new += disk.names_new;
}

faults::TapeHeader WorkerRun::Header(const How& how) const {
  faults::Scheduler::Options options;
  options.plain_points = how.plain_points;
  options.spurious_cas = how.spurious_cas;
  return faults::MakeTapeHeader(options, how.seed, "", scenario_->name + " " + policy_name_);
}

// The same choices must give the same execution.
bool WorkerRun::SameAgain(How how, uint64_t hash) {
  entries_.assign(tape_.entries(), tape_.entries() + tape_used_);
  faults::Replay replay(entries_.data(), entries_.size());
  how.policy = &replay;
  how.tape = nullptr;
  how.tape_capacity = 0;
  how.moments = nullptr;
  const ExecutionResult& again = execution_->Run(*scenario_, how);
  ++me_->tally.double_runs;
  if (again.hash == hash && !again.harness_error) return true;
  ++me_->tally.differing_runs;
  Distrust("execution with seed " + std::to_string(how.seed) + " (" + scenario_->name + ", " + policy_name_ +
           ") was not the same when it was replayed" + (again.what.empty() ? "" : ": " + again.what));
  return false;
}

void WorkerRun::Store(const std::string& folder, const How& how, const ExecutionResult& result) {
  StoredExecution stored;
  stored.scenario = *scenario_;
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

}  // namespace experiments
