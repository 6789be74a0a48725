// The process that runs executions for a campaign, one after the other, until told to stop.
#include <signal.h>

#include <algorithm>
#include <cstdio>

#include "experiments/common/dice.h"
#include "experiments/common/progress.h"
#include "experiments/txn_crash/txn_campaign.h"
#include "faults/sched/policy.h"

namespace experiments {
namespace {

constexpr size_t kTapeCapacity = 1 << 20;  // a sparse file
constexpr uint64_t kDoubleRunEvery = 50;

class TxnWorker {
 public:
  TxnWorker(const TxnCampaignOptions& options, double deadline, const TxnLibrary& library, TxnShared* shared,
            int number)
      : options_(options),
        deadline_(deadline),
        library_(library),
        shared_(shared),
        me_(&shared->workers[number]),
        portfolio_(options.first_seed) {
    std::string ignored;
    if (!options.policy.empty()) single_ = faults::MakePolicy(options.policy, &ignored);
  }

  int Run(int number) {
    std::string error;
    scheduler_.reset(faults::Scheduler::Create());
    if (scheduler_ == nullptr) return Distrust("this machine cannot run the scheduler");
    if (!tape_.Open(TxnTapePath(options_, number), kTapeCapacity, &error)) return Distrust(error);
    execution_ = std::make_unique<TxnExecution>(&library_, scheduler_.get());
    while (!shared_->stop.load(std::memory_order_relaxed)) {
      if (deadline_ != 0 && MonotonicSeconds() >= deadline_) break;
      const uint64_t index = shared_->next.fetch_add(1);
      if (index >= options_.executions) break;
      if (!RunOne(options_.first_seed + index, index < options_.record)) return 3;
    }
    return 0;
  }

 private:
  int Distrust(const std::string& why) {
    if (!shared_->untrusted.exchange(true))
      std::snprintf(shared_->why_untrusted, sizeof shared_->why_untrusted, "%s", why.c_str());
    shared_->stop = true;
    return 3;
  }

  // What the disk does at a crash: every fate alike, mostly new, mostly old.
  template <class Policy>
  void SetRates(Policy* policy, Dice* dice) {
    static constexpr double kFates[] = {-1, -1, 0.5, 0.15, 0.85, 0.02, 0.98};
    static constexpr double kPicks[] = {-1, -1, 0.3, 0.02};
    policy->set_rate(faults::ChoiceKind::kSectorFate, dice->Pick(kFates));
    policy->set_rate(faults::ChoiceKind::kIoPick, dice->Pick(kPicks));
  }

  void ChoosePolicy(uint64_t seed, How* how) {
    Dice dice(MixSeed(seed, 0x9011c1e6));
    if (single_ != nullptr) {
      how->policy = single_.get();
      how->plain_points = dice.Chance(70);
      policy_name_ = options_.policy;
      if (auto* drawing = dynamic_cast<faults::DrawingPolicy*>(single_.get())) SetRates(drawing, &dice);
      return;
    }
    SetRates(&portfolio_, &dice);
    const faults::Portfolio::Pick member = portfolio_.For(MixSeed(seed, 3) >> 8);
    how->policy = member.policy;
    how->plain_points = member.plain_points;
    policy_name_ = member.name;
  }

  bool RunOne(uint64_t seed, bool record) {
    How how;
    PrepareTxn(options_, seed, &scenario_, &how);
    ChoosePolicy(seed, &how);
    me_->seed = seed;
    ++me_->begun;
    how.tape = tape_.entries();
    how.tape_capacity = tape_.capacity();
    tape_.Restart(Header(how), tape_used_);
    const TxnExecutionResult& result = execution_->Run(scenario_, how);
    tape_used_ = std::min<size_t>(result.tape_entries, tape_.capacity());
    me_->tally.Add(result);
    const faults::CrashStatistics& disk = execution_->storage().disk().statistics();
    me_->tally.torn_writes += disk.torn_writes;
    me_->tally.sectors_old += disk.sectors_old;
    if (result.harness_error) {
      Distrust("execution with seed " + std::to_string(seed) + ": " + result.what);
      return false;
    }
    if (result.violation) {
      if (options_.stop_at_first) shared_->stop = true;
      const uint32_t finding = shared_->findings.fetch_add(1) + 1;
      if (finding <= kMostTxnFindings)
        Store(options_.folder + "/findings/" + std::to_string(finding) + "-" + result.rule, how, result);
    }
    if (record) Store(options_.folder + "/recorded/" + std::to_string(seed), how, result);
    const bool fits = result.tape_entries <= tape_.capacity();
    return seed % kDoubleRunEvery != 0 || !fits || SameAgain(seed, how, result.hash);
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
    const TxnExecutionResult& again = execution_->Run(scenario_, how);
    ++me_->tally.double_runs;
    if (again.hash == hash && !again.harness_error) return true;
    ++me_->tally.differing_runs;
    Distrust("execution with seed " + std::to_string(seed) + " (" + policy_name_ +
             ") was not the same when it was replayed" + (again.what.empty() ? "" : ": " + again.what));
    return false;
  }

  void Store(const std::string& folder, const How& how, const TxnExecutionResult& result) {
    TxnStored stored;
    stored.scenario = scenario_;
    stored.seed = how.seed;
    stored.policy = policy_name_;
    stored.plain_points = how.plain_points;
    stored.spurious_cas = how.spurious_cas;
    stored.hash = result.hash;
    stored.subject = library_.identity();
    stored.subject_path = library_.path();
    stored.rule = result.rule;
    stored.what = result.what;
    stored.phase = std::string(kTxnSchemeName[result.cell.kind]) + " " + kTxnRowName[result.cell.row];
    stored.has_tape = result.tape_entries <= tape_.capacity();
    stored.tape.header = Header(how);
    stored.tape.header.hash = result.hash;
    stored.tape.entries.assign(tape_.entries(), tape_.entries() + tape_used_);
    std::string story = TxnExplain(execution_->history(), result.verdict);
    if (result.verdict.ok && result.violation) story = result.rule + ": " + result.what + "\n" + story;
    std::string error;
    if (!StoreTxn(folder, stored, story + result.detail + "\n", &error)) Distrust(error);
  }

  const TxnCampaignOptions& options_;
  const double deadline_;
  const TxnLibrary& library_;
  TxnShared* const shared_;
  TxnShared::Worker* const me_;
  faults::Portfolio portfolio_;
  std::unique_ptr<faults::Policy> single_;
  std::unique_ptr<faults::Scheduler> scheduler_;
  std::unique_ptr<TxnExecution> execution_;
  faults::MappedTape tape_;
  size_t tape_used_ = 0;
  std::vector<faults::TapeEntry> entries_;
  TxnScenario scenario_;
  std::string policy_name_;
};

}  // namespace

void TxnTally::Add(const TxnExecutionResult& result) {
  ++executions;
  violations += result.violation ? 1 : 0;
  recovery_crashes += result.recovery_crashes;
  recoveries += result.recoveries;
  recovered_split += result.recovered_split;
  commits += result.commits;
  transactions += result.transactions;
  aborted += result.aborted;
  shifts += result.shifts;
  steps += result.steps;
  switches += result.switches;
  undecided += result.undecided ? 1 : 0;
  const int kind = result.cell.kind;
  for (int row = 0; row < kTxnRows; ++row) cells[kind][row].executions += result.cells_seen >> row & 1;
  for (const TxnCrashNote& crash : result.crashes) {
    CellTally& cell = cells[crash.cell.kind][crash.cell.row];
    ++crashes;
    ++cell.crashes;
    cell.recoveries += crash.recovered ? 1 : 0;
  }
  if (result.violation) ++cells[kind][result.cell.row].violations;
}

void TxnTally::Add(const TxnTally& other) {
  static_assert(sizeof(TxnTally) % sizeof(uint64_t) == 0, "counters only");
  uint64_t* const mine = reinterpret_cast<uint64_t*>(this);
  const uint64_t* const theirs = reinterpret_cast<const uint64_t*>(&other);
  for (size_t i = 0; i < sizeof(TxnTally) / sizeof(uint64_t); ++i) mine[i] += theirs[i];
}

void PrepareTxn(const TxnCampaignOptions& options, uint64_t seed, TxnScenario* scenario, How* how) {
  *scenario = options.has_file ? options.from_file : DrawTxnScenario(options.schemes, seed);
  Dice dice(MixSeed(seed, 0x9011c1e5));
  how->seed = seed;
  how->spurious_cas = dice.Chance(20);
}

std::string TxnTapePath(const TxnCampaignOptions& options, int number) {
  return options.folder + "/.tape-" + std::to_string(number);
}

int RunTxnWorker(const TxnCampaignOptions& options, double deadline, const TxnLibrary& library,
                 TxnShared* shared, int number) {
  signal(SIGINT, SIG_IGN);
  return TxnWorker(options, deadline, library, shared, number).Run(number);
}

}  // namespace experiments
