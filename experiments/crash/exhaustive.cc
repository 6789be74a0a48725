#include "experiments/crash/exhaustive.h"

#include <algorithm>

#include "experiments/common/dice.h"
#include "experiments/crash/fate_walk.h"
#include "experiments/crash/worker_run.h"
#include "faults/sched/heap.h"

namespace experiments {
namespace {

using Anchor = CrashPoint::Anchor;

// The recorded schedule up to the crash; then each thread as long as it can, and what the walk says about
// what the disk kept. Nothing else unusual happens then.
class ThenFates final : public faults::Policy {
 public:
  ThenFates(const std::vector<faults::TapeEntry>& tape, uint64_t crash_step, FateWalk* walk)
      : replay_(tape.data(), tape.size()), crash_step_(crash_step), walk_(walk) {}

  void Begin(uint64_t seed) override { replay_.Begin(seed); }
  int PickThread(uint64_t step, int current, uint64_t runnable, faults::PointKind kind) override {
    if (step < crash_step_) return replay_.PickThread(step, current, runnable, kind);
    return faults::FiberAtRank(current, runnable, 0);
  }
  uint32_t Choose(uint64_t step, faults::ChoiceKind kind, uint32_t count) override {
    if (step < crash_step_) return replay_.Choose(step, kind, count);
    if (kind != faults::ChoiceKind::kSectorFate) return 0;
    const faults::HostHeap host;  // this runs on a fiber, and is read after it
    asked_at_.push_back(step);
    return walk_->Choose(count);
  }
  uint64_t NextAsk(uint64_t step) override {
    return step < crash_step_ ? replay_.NextAsk(step) : ~uint64_t{0};
  }
  const char* divergence() const override { return replay_.divergence(); }
  // Questions about fates before this step.
  size_t AskedBefore(uint64_t step) const {
    return static_cast<size_t>(std::lower_bound(asked_at_.begin(), asked_at_.end(), step) -
                               asked_at_.begin());
  }

 private:
  faults::Replay replay_;
  const uint64_t crash_step_;
  FateWalk* const walk_;
  std::vector<uint64_t> asked_at_;  // ascending
};

class Explorer {
 public:
  Explorer(const CampaignPlan& plan, Shared* shared, WorkerRun* run)
      : plan_(plan), shared_(shared), run_(run), recipe_(plan) {}

  // One schedule: the workers share its moments. Several: each worker takes whole ones.
  int Run() {
    const bool one = plan_.executions == 1;
    if (one && !Record(plan_.first_seed)) return 3;
    while (run_->going()) {
      const uint64_t index = shared_->next.fetch_add(1);
      if (index >= (one ? work_.size() : plan_.executions)) break;
      if (one && !CrashAt(work_[index])) return 3;
      if (!one && !OneSchedule(plan_.first_seed + index)) return 3;
    }
    return 0;
  }

 private:
  bool OneSchedule(uint64_t seed) {
    if (!Record(seed)) return false;
    for (size_t i = 0; i < work_.size() && run_->going(); ++i) {
      if (!CrashAt(work_[i])) return false;
    }
    return true;
  }

  bool CrashAt(const Moment& moment) {
    if (!Explore({moment.delay}, moment.step, {})) return false;
    run_->me()->exhaustive.moments[0] += run_->going();  // else it may have ended before its last image
    return true;
  }

  // The schedule of a seed, by a run that is crashed only when everything has come to rest.
  bool Record(uint64_t seed) {
    recipe_.Prepare(seed, &base_, &how_, &policy_name_);
    work_.clear();
    if (!CheckExhaustible(base_).empty()) return true;  // of a family: there are others
    Moments moments;
    How how = how_;
    how.moments = &moments;
    Scenario scenario = base_;
    scenario.incarnations[0].crash = {};
    scenario.incarnations[0].crash.anchor = Anchor::kEnd;
    SetDelays({});
    run_->double_run = false;
    if (run_->Perform(scenario, how, policy_name_) == nullptr) return false;
    if (moments.work.empty()) return true;  // it violates a property before there was a crash
    tape_.assign(run_->tape(), run_->tape() + run_->tape_entries());
    work_ = moments.work;
    // The last one: everything at rest.
    work_.push_back({work_.front().step - work_.front().delay + moments.work_steps,
                     static_cast<uint32_t>(moments.work_steps)});
    // One that the workers share is recorded by each of them, and again by one that took another's place.
    if (plan_.executions != 1)
      ++shared_->schedules;
    else if (shared_->schedules.exchange(1) != 0)
      return true;
    shared_->moments += work_.size();
    shared_->work_steps += moments.work_steps;
    shared_->work_events += moments.work_events;
    return true;
  }

  // All images of a crash after these delays. `fixed`: the fates that the crashes before the last one
  // decided.
  bool Explore(const std::vector<uint32_t>& delays, uint64_t crash_step, std::vector<uint32_t> fixed) {
    const Scenario scenario = CrashedAt(base_, delays);
    const size_t depth = delays.size() - 1;
    ExhaustiveTally& tally = run_->me()->exhaustive;
    FateWalk walk(std::move(fixed), {}, MixSeed(how_.seed, delays.back()));
    do {
      if (!run_->going()) return true;
      walk.Begin();
      ThenFates policy(tape_, crash_step, &walk);
      Moments moments;
      How how = how_;
      how.policy = &policy;
      how.moments = &moments;
      SetDelays(delays);
      run_->double_run = ++performed_ % plan_.double_run_every == 0;
      const ExecutionResult* result = run_->Perform(scenario, how, policy_name_);
      if (result == nullptr) return false;
      ++tally.images[depth];
      if (result->violation || delays.size() >= plan_.depth) continue;
      for (const Moment& moment : moments.recovery) {
        std::vector<uint32_t> further = delays;
        further.push_back(moment.delay);
        ++tally.moments[depth + 1];
        if (!Explore(further, crash_step, walk.Answers(policy.AskedBefore(moment.step)))) return false;
      }
    } while (walk.Next());
    tally.cut_short[depth] += walk.cut_short();
    return true;
  }

  void SetDelays(const std::vector<uint32_t>& delays) {
    run_->me()->crashes = static_cast<uint32_t>(delays.size());
    std::copy(delays.begin(), delays.end(), run_->me()->delays);
  }

  const CampaignPlan& plan_;
  Shared* const shared_;
  WorkerRun* const run_;
  Recipe recipe_;
  Scenario base_;
  How how_;
  std::string policy_name_;
  std::vector<faults::TapeEntry> tape_;
  std::vector<Moment> work_;
  uint64_t performed_ = 0;
};

Actor SessionOf(uint32_t number, std::initializer_list<const char*> actions) {
  Actor actor;
  actor.name = "session " + std::to_string(number);
  for (const char* text : actions) {
    std::string error;
    ParseAction(text, &actor.actions.emplace_back(), &error);
  }
  return actor;
}

}  // namespace

Scenario ReferenceScenario(const CheckpointRequest& checkpoint) {
  Scenario scenario;
  scenario.name = "reference";
  scenario.keys = scenario.preload = 4;
  scenario.filler = 24;  // with pages of 512 bytes: some on disk, some in memory, two files
  scenario.geometry.page_bits = 9;
  scenario.geometry.buffer_pages = 4;
  scenario.geometry.mutable_pages = 1;
  scenario.geometry.block_bytes = 128;
  scenario.geometry.segment_pages = 2;
  scenario.geometry.index_buckets = 2;
  const std::string request = "checkpoint " + KindText(checkpoint);
  Incarnation before, after;
  before.actors = {SessionOf(1, {"upsert 0", "rmw 1", "refresh", "read 2", "rmw 0"}),
                   SessionOf(2, {"rmw 1", "delete 2", "refresh", "upsert 3", "rmw 0"}),
                   SessionOf(3, {"rmw 0", "rmw 3", "refresh", "upsert 1", "read 1"}),
                   SessionOf(4, {"await-operations 3", request.c_str(), "await-checkpoint"})};
  before.actors.back().name = "checkpointer";
  before.crash.anchor = Anchor::kEnd;
  after.actors = {SessionOf(1, {"rmw 0", "read 1", "upsert 2"}), SessionOf(2, {"rmw 1", "read 3", "rmw 0"}),
                  SessionOf(3, {"rmw 3", "delete 0", "read 2"})};
  scenario.incarnations = {before, after};
  return scenario;
}

std::string CheckExhaustible(const Scenario& scenario) {
  if (scenario.incarnations.size() < 2) return "it never recovers: expected two incarnations at least";
  if (!scenario.recovery_faults.empty())
    return "it has faults while it recovers; crashes are to be the only ones";
  return "";
}

Scenario CrashedAt(const Scenario& scenario, const std::vector<uint32_t>& delays) {
  Scenario crashed = scenario;
  std::vector<CrashPoint> points;
  for (const uint32_t delay : delays) {
    points.emplace_back().anchor = Anchor::kStart;
    points.back().delay = delay;
  }
  if (points.empty()) return crashed;
  crashed.incarnations[0].crash = points.front();
  crashed.incarnations[1].recovery_crashes.assign(points.begin() + 1, points.end());
  return crashed;
}

int RunExhaustively(const CampaignPlan& plan, Shared* shared, WorkerRun* run) {
  return Explorer(plan, shared, run).Run();
}

}  // namespace experiments
