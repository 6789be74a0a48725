#include "experiments/crash/worker.h"

#include <signal.h>

#include "experiments/common/dice.h"
#include "experiments/crash/exhaustive.h"
#include "experiments/crash/worker_run.h"

namespace experiments {
namespace {

class SeededWorker {
 public:
  SeededWorker(const CampaignPlan& plan, Shared* shared, WorkerRun* run)
      : plan_(plan), shared_(shared), run_(run), recipe_(plan) {}

  int Run() {
    while (run_->going()) {
      const uint64_t index = shared_->next.fetch_add(1);
      if (index >= plan_.executions) break;
      const uint64_t seed = plan_.first_seed + index;
      How how;
      recipe_.Prepare(seed, &scenario_, &how, &policy_name_);
      run_->double_run = seed % plan_.double_run_every == 0;
      run_->record = index < plan_.record;
      if (run_->Perform(scenario_, how, policy_name_) == nullptr) return 3;
    }
    return 0;
  }

 private:
  const CampaignPlan& plan_;
  Shared* const shared_;
  WorkerRun* const run_;
  Recipe recipe_;
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

int FamilyOf(const Scenario& scenario) {
  const std::vector<Family>& families = Families();
  for (size_t i = 0; i < families.size(); ++i) {
    if (scenario.name == families[i].name) return static_cast<int>(i);
  }
  return kMaxFamilies - 1;
}

void Recipe::Prepare(uint64_t seed, Scenario* scenario, How* how, std::string* policy_name) {
  if (plan_.has_file)
    *scenario = plan_.from_file;
  else if (plan_.depth != 0 && plan_.variation.family.empty())  // one schedule: a full checkpoint, if it may
    *scenario = ReferenceScenario(
        KindOf(plan_.variation.kinds[plan_.executions == 1 ? 0 : seed % plan_.variation.kinds.size()]));
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
  WorkerRun run(plan, library, shared, number);
  if (!run.Open(number)) return 3;
  return plan.depth != 0 ? RunExhaustively(plan, shared, &run) : SeededWorker(plan, shared, &run).Run();
}

}  // namespace experiments
