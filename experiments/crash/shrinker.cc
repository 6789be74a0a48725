#include "experiments/crash/shrinker.h"

#include <algorithm>

#include "experiments/common/dice.h"
#include "experiments/common/process.h"
#include "experiments/common/progress.h"

namespace experiments {
namespace {

// What a person reads without turning pages; beyond it the shrinker tries harder.
constexpr uint64_t kFewOperations = 8;
constexpr uint64_t kFewPreemptions = 3;

constexpr size_t kRough = 8;     // in how many parts things are left out before they are looked at singly
constexpr uint32_t kDraws = 18;  // of a candidate that is worth more than a look
constexpr size_t kDense = 60;    // decisions: so many that another schedule is looked for at once ...
constexpr uint32_t kSparseDraws = 60;  // ... among so many
constexpr uint32_t kManyDraws = 240;   // of the best one

// Steps of executions, all together, after which nothing is drawn any more: about three seconds. Not a time:
// the result must not depend on the machine.
constexpr uint64_t kHardWork = 25'000'000;

bool Long(const StorySize& size) {
  return size.operations > kFewOperations || size.preemptions > kFewPreemptions;
}

// Of a candidate as it is played, to ask about none twice.
uint64_t NameOf(const Story& story, int effort) {
  uint64_t name = MixSeed(story.seed, static_cast<uint64_t>(effort) + 1);
  for (const char c : ScenarioJson(story.scenario, -1))
    name = (name ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  const auto mix = [&](uint64_t word) { name = MixSeed(name, word); };
  for (const Lane& lane : story.schedule.lanes) {
    for (const char* c = lane.name; *c != 0; ++c) name = (name ^ static_cast<uint8_t>(*c)) * 0x100000001b3;
    mix(uint64_t{lane.incarnation} << 32 | lane.ordinal);
  }
  for (const Decision& d : story.schedule.decisions) {
    if (d.usual) continue;
    mix(static_cast<uint64_t>(d.type) << 56 | static_cast<uint64_t>(d.kind) << 48 | d.value);
    mix(uint64_t{d.lane} << 32 | d.to);
    mix(uint64_t{d.action} << 32 | d.at);
  }
  for (const Place& place : story.schedule.crashes) {
    mix(place.set ? uint64_t{place.lane} << 48 | uint64_t{place.action} << 32 | place.at : 0);
  }
  return name;
}

// Of a verdict that no checker gave, what is the same in every telling of it.
std::string KindOfFailure(const Trial& trial) {
  if (trial.rule == "stuck") return trial.what.substr(0, trial.what.find(" during"));
  if (trial.rule != "crash" && trial.rule != "device") return "";
  constexpr std::string_view kSaid = "failed: ";  // by the scheduler, of all of them
  const std::string what = trial.what.substr(trial.what.starts_with(kSaid) ? kSaid.size() : 0);
  return what.substr(0, what.find_first_of(":(0123456789"));
}

}  // namespace

Failure FailureOf(const Trial& trial) { return {trial.rule, KindOfFailure(trial), trial.has_key, trial.key}; }

bool SameFailure(const Failure& wanted, const Trial& trial) {
  if (trial.harness_error || !trial.violation || trial.rule != wanted.rule) return false;
  if (KindOfFailure(trial) != wanted.kind) return false;
  if (!wanted.has_key) return true;
  const bool filler = wanted.key >= kFillerKey;  // one is as good as another
  return trial.has_key && (filler ? trial.key >= kFillerKey : trial.key == wanted.key);
}

bool Shrinker::MayGoOn() const {
  if (g_stop.load()) return false;
  if (limits_.runs != 0 && runner_->runs() >= limits_.runs) return false;
  return limits_.deadline == 0 || MonotonicSeconds() < limits_.deadline;
}

bool Shrinker::Begin(const Story& story, const Trial& trial) {
  wanted_ = FailureOf(trial);
  best_ = story;
  best_trial_ = trial;
  return Try(story, Effort::kFull);
}

bool Shrinker::Accept(const Story& candidate, const Trial& trial) {
  Story taken = candidate;
  if (!runner_->TakeSchedule(&taken)) return false;
  best_ = std::move(taken);
  best_trial_ = trial;
  return true;
}

bool Shrinker::Follow(const Story& candidate, bool usual, bool places) {
  ShrinkRunner::FollowOptions options;
  options.usual = usual;
  options.places = places;
  const Trial trial = runner_->Follow(candidate, options);
  steps_ += trial.steps;
  const bool good = !Mismatch(trial) && Accept(candidate, trial);
  if (limits_.on_run) limits_.on_run(best_, runner_->runs());
  return good;
}

bool Shrinker::Fails(const Story& candidate, Trial* trial) {
  if (!CheckScenario(candidate.scenario).empty()) return false;
  *trial = runner_->Follow(candidate, {});
  return !Mismatch(*trial);
}

// Runs the scenario under so many schedules drawn anew, and keeps the first that fails.
bool Shrinker::Draw(const Story& candidate, uint32_t draws) {
  static constexpr const char* kPolicies[] = {"pct:2", "pct:3", "random:0.003", "pct:4", "random:0.01"};
  for (uint32_t i = 0; i < draws && MayGoOn() && steps_ < kHardWork; ++i) {
    const uint64_t seed = MixSeed(limits_.seed, draws_++);
    const Trial trial =
        runner_->Draw(candidate, kPolicies[i % std::size(kPolicies)], seed, best_trial_.steps);
    steps_ += trial.steps;
    if (limits_.on_run) limits_.on_run(best_, runner_->runs());
    if (!Mismatch(trial) && Accept(candidate, trial)) return true;
  }
  return false;
}

bool Shrinker::Try(const Story& candidate, Effort effort) {
  if (!CheckScenario(candidate.scenario).empty()) return false;
  const uint64_t name = NameOf(candidate, static_cast<int>(effort));
  if (failed_.count(name) != 0) return false;
  if (Follow(candidate, false, true)) return true;
  if (effort == Effort::kFull && (Follow(candidate, true, true) || Follow(candidate, false, false)))
    return true;
  if (effort == Effort::kDraw && Draw(candidate, kDraws)) return true;
  failed_.insert(name);
  return false;
}

// ---- passes ----

void Shrinker::Incarnations() {
  for (size_t i = 0; i + 1 < best_.scenario.incarnations.size() && MayGoOn(); ++i) {
    if (Try(EndingWith(best_, i), Effort::kFull)) break;
  }
  for (size_t i = best_.scenario.incarnations.size(); i-- > 0 && MayGoOn();) {
    if (best_.scenario.incarnations.size() > 1) Try(WithoutIncarnation(best_, i), Effort::kFull);
  }
}

void Shrinker::Actors() {
  for (size_t i = best_.scenario.incarnations.size(); i-- > 0;) {
    for (size_t a = best_.scenario.incarnations[i].actors.size(); a-- > 0 && MayGoOn();)
      Try(WithoutActor(best_, i, a), Effort::kFull);
  }
}

void Shrinker::Faults() {
  for (std::string Scenario::*plan : {&Scenario::faults, &Scenario::recovery_faults}) {
    const std::vector<std::string> rules = FaultRules(best_.scenario.*plan);
    const auto fails = [&](const std::vector<size_t>& kept) {
      Story candidate = best_;
      std::vector<std::string> left;
      for (const size_t i : kept) left.push_back(rules[i]);
      candidate.scenario.*plan = JoinRules(left);
      return Try(candidate, Effort::kFull);
    };
    Minimize(rules.size(), fails, [&] { return MayGoOn(); });
  }
  for (size_t i = 1; i < best_.scenario.incarnations.size(); ++i) {
    for (size_t k = best_.scenario.incarnations[i].recovery_crashes.size(); k-- > 0 && MayGoOn();) {
      Story candidate = best_;
      std::vector<CrashPoint>& crashes = candidate.scenario.incarnations[i].recovery_crashes;
      crashes.erase(crashes.begin() + static_cast<ptrdiff_t>(k));
      Try(candidate, Effort::kFull);
    }
  }
}

void Shrinker::Actions(Effort effort, bool roughly) {
  // The actions of the best story are those of `current`, in the same order.
  std::vector<size_t> current;
  for (size_t i = 0; i < ActionsOf(best_.scenario).size(); ++i) current.push_back(i);
  const auto fails = [&](const std::vector<size_t>& kept) {
    std::vector<size_t> places;
    for (size_t i = 0, next = 0; i < current.size(); ++i) {
      if (next == kept.size() || current[i] != kept[next]) continue;
      places.push_back(i);
      ++next;
    }
    if (!Try(KeepActions(best_, places), effort)) return false;
    current = kept;
    return true;
  };
  Minimize(
      current.size(), fails, [&] { return MayGoOn(); }, roughly ? current.size() / kRough : 1);
}

// All decisions of one kind at once: most of what a random schedule decides is of no account.
void Shrinker::DecisionsOfOneKind() {
  const auto without = [&](const std::function<bool(const Decision&)>& gone) {
    std::vector<size_t> kept;
    bool any = false;
    for (const size_t i : Deviations(best_.schedule)) {
      if (gone(best_.schedule.decisions[i]))
        any = true;
      else
        kept.push_back(i);
    }
    if (any && MayGoOn()) Try(KeepDecisions(best_, kept), Effort::kOnce);
  };
  for (int kind = 0; kind < faults::kChoiceKinds; ++kind) {
    without([&](const Decision& decision) {
      return decision.type == Decision::Type::kChoice && static_cast<int>(decision.kind) == kind;
    });
  }
  without([](const Decision& decision) { return decision.type == Decision::Type::kPick; });
  without([](const Decision& decision) { return decision.type == Decision::Type::kPreempt; });
}

void Shrinker::Decisions(bool roughly) {
  DecisionsOfOneKind();
  const Story base = best_;
  const std::vector<size_t> all = Deviations(base.schedule);
  const auto fails = [&](const std::vector<size_t>& kept) {
    std::vector<size_t> decisions;
    for (const size_t i : kept) decisions.push_back(all[i]);
    return Try(KeepDecisions(base, decisions), Effort::kOnce);
  };
  Minimize(
      all.size(), fails, [&] { return MayGoOn(); }, roughly ? all.size() / kRough : 1);
}

// Each crash when all is done, else as soon after its anchor as can be.
void Shrinker::Crashes() {
  const auto with = [&](size_t incarnation, const CrashPoint& crash) {
    Story candidate = best_;
    candidate.scenario.incarnations[incarnation].crash = crash;
    if (incarnation < candidate.schedule.crashes.size()) candidate.schedule.crashes[incarnation].set = false;
    return candidate;
  };
  for (size_t i = 0; i + 1 < best_.scenario.incarnations.size() && MayGoOn(); ++i) {
    CrashPoint crash;
    crash.anchor = CrashPoint::Anchor::kEnd;
    if (best_.scenario.incarnations[i].crash.anchor == crash.anchor) continue;
    if (Try(with(i, crash), Effort::kOnce)) continue;
    crash = best_.scenario.incarnations[i].crash;
    const auto fails = [&](uint64_t delay) {
      CrashPoint sooner = crash;
      sooner.delay = static_cast<uint32_t>(delay);
      return Try(with(i, sooner), Effort::kOnce);
    };
    SmallNumber(0, crash.delay, fails, [&] { return MayGoOn(); });
  }
  for (size_t i = 1; i < best_.scenario.incarnations.size(); ++i) {
    for (size_t k = 0; k < best_.scenario.incarnations[i].recovery_crashes.size(); ++k) {
      Lower([i, k](Scenario& s) -> uint32_t& { return s.incarnations[i].recovery_crashes[k].delay; }, 0);
    }
  }
}

void Shrinker::Lower(const std::function<uint32_t&(Scenario&)>& number, uint32_t low) {
  const uint32_t now = number(best_.scenario);
  const auto fails = [&](uint64_t value) {
    Story candidate = best_;
    number(candidate.scenario) = static_cast<uint32_t>(value);
    return Try(candidate, Effort::kFull);
  };
  if (now > low) SmallNumber(low, now, fails, [&] { return MayGoOn(); });
}

// One edit of the scenario; it says whether there was anything to edit.
void Shrinker::Reset(const std::function<bool(Scenario&)>& edit) {
  Story candidate = best_;
  if (edit(candidate.scenario) && MayGoOn()) Try(candidate, Effort::kFull);
}

void Shrinker::Numbers() {
  Lower([](Scenario& s) -> uint32_t& { return s.filler; }, 0);
  Lower([](Scenario& s) -> uint32_t& { return s.preload; }, 0);
  Lower([](Scenario& s) -> uint32_t& { return s.device_fibers; }, 1);
  for (const ActionRef& ref : ActionsOf(best_.scenario)) {
    const Verb verb = best_.scenario.incarnations[ref.incarnation].actors[ref.actor].actions[ref.action].verb;
    if (verb != Verb::kPause && verb != Verb::kAwaitOperations) continue;
    Lower(
        [ref](Scenario& s) -> uint32_t& {
          return s.incarnations[ref.incarnation].actors[ref.actor].actions[ref.action].number;
        },
        1);
  }
  for (size_t i = 0; i < best_.scenario.incarnations.size(); ++i) {
    Reset([i](Scenario& s) { return std::exchange(s.incarnations[i].buffer_pages, 0u) != 0; });
    Reset([i](Scenario& s) {
      const bool named = std::exchange(s.incarnations[i].named, false);
      return std::exchange(s.incarnations[i].back, 0u) != 0 || named;
    });
    for (size_t a = 0; a < best_.scenario.incarnations[i].actors.size(); ++a) {
      Reset([i, a](Scenario& s) { return std::exchange(s.incarnations[i].actors[a].batch, 1u) != 1; });
      Reset([i, a](Scenario& s) { return std::exchange(s.incarnations[i].actors[a].leaves_open, false); });
    }
  }
}

void Shrinker::Keys() {
  const Story candidate = WithFewKeys(best_);
  if (candidate.scenario.keys == best_.scenario.keys || !MayGoOn()) return;
  // The key of the witness has another number then.
  const Failure before = wanted_;
  wanted_.has_key = false;
  if (Try(candidate, Effort::kFull) && !key_free_) wanted_ = FailureOf(best_trial_);
  if (best_.scenario.keys != candidate.scenario.keys) wanted_ = before;
}

// Whatever of the geometry is not needed is as simple as it gets.
void Shrinker::Geometry() {
  const SubjectConfig plain;
  const auto number = [&](uint32_t SubjectConfig::*member, uint32_t value) {
    Reset([=](Scenario& s) { return std::exchange(s.geometry.*member, value) != value; });
  };
  const auto flag = [&](bool SubjectConfig::*member, bool value) {
    Reset([=](Scenario& s) { return std::exchange(s.geometry.*member, value) != value; });
  };
  number(&SubjectConfig::cold_chunks, 0);
  number(&SubjectConfig::read_cache_records, 0);
  number(&SubjectConfig::grow_percent, 0);
  number(&SubjectConfig::keep_checkpoints, 0);
  Reset([](Scenario& s) { return std::exchange(s.geometry.compact_at_bytes, 0u) != 0; });
  flag(&SubjectConfig::copy_reads_to_tail, false);
  flag(&SubjectConfig::overlap_index, false);
  flag(&SubjectConfig::second_chance, plain.second_chance);
  Reset([](Scenario& s) {
    return std::exchange(s.geometry.shift, faster::ShiftScheme::kFine) != faster::ShiftScheme::kFine;
  });
  Reset([](Scenario& s) {
    return std::exchange(s.geometry.guarantee, faster::Guarantee::kStrict) != faster::Guarantee::kStrict;
  });
  Reset([](Scenario& s) { return std::exchange(s.sector_mix, false); });
  Reset([](Scenario& s) { return std::exchange(s.sector_bytes, 512u) != 512; });
  number(&SubjectConfig::recovery_threads, 1);
  number(&SubjectConfig::refresh_interval, plain.refresh_interval);
  number(&SubjectConfig::value_bytes, plain.value_bytes);
  number(&SubjectConfig::open_segments, plain.open_segments);
  number(&SubjectConfig::session_slots, plain.session_slots);
  number(&SubjectConfig::batch_ahead, plain.batch_ahead);
  number(&SubjectConfig::batch_group, plain.batch_group);
  number(&SubjectConfig::segment_pages, plain.segment_pages);
  number(&SubjectConfig::version_bits, plain.version_bits);
  number(&SubjectConfig::block_bytes, plain.block_bytes);
  number(&SubjectConfig::page_bits, plain.page_bits);
  number(&SubjectConfig::mutable_pages, plain.mutable_pages);
  number(&SubjectConfig::buffer_pages, plain.buffer_pages);
  Reset([](Scenario& s) { return std::exchange(s.geometry.index_buckets, 1u) != 1; });
  Reset([](Scenario& s) { return std::exchange(s.geometry.hash, HashMode::kMixed) != HashMode::kMixed; });
}

// The same scenario under schedules drawn anew: what is left of one may be shorter.
void Shrinker::OtherSchedules() {
  for (int i = 0; i < 3 && MayGoOn() && Long(SizeOf(best_)); ++i) {
    const Story before = best_;
    const Trial trial_before = best_trial_;
    if (!Draw(before, kManyDraws)) return;
    Decisions(false);
    if (Smaller(SizeOf(best_), SizeOf(before))) continue;
    best_ = before;
    best_trial_ = trial_before;
  }
}

// `base` with one more preemption, wherever an actor can be stopped for another one. True: one of them fails.
bool Shrinker::OneMore(const Story& base, uint64_t limit) {
  const std::vector<Span>& spans = base.schedule.spans;
  std::vector<uint32_t> actors;
  for (const Span& span : spans) {
    if (std::find(actors.begin(), actors.end(), span.lane) == actors.end()) actors.push_back(span.lane);
  }
  const auto life = [&](uint32_t lane) { return base.schedule.lanes[lane].incarnation; };
  for (size_t i = spans.size(); i-- > 0;) {  // the last life first: that is where most things come to light
    for (uint32_t at = 1; at <= spans[i].steps; ++at) {
      for (const uint32_t to : actors) {
        if (to == spans[i].lane || life(to) != life(spans[i].lane)) continue;
        if (!MayGoOn() || steps_ >= limit) return false;
        Story candidate = base;
        Decision decision;
        decision.lane = spans[i].lane;
        decision.action = spans[i].action;
        decision.at = at;
        decision.to = to;
        candidate.schedule.decisions.push_back(decision);
        if (Follow(candidate, false, true)) return true;
      }
    }
  }
  return false;
}

// Instead of all preemptions a single one, or one beside a single one of those there are.
void Shrinker::OnePreemption() {
  const Story before = best_;
  std::vector<size_t> others, preemptions;
  for (const size_t i : Deviations(before.schedule)) {
    const bool preempts = before.schedule.decisions[i].type == Decision::Type::kPreempt;
    (preempts ? preemptions : others).push_back(i);
  }
  if (preemptions.size() < 2) return;
  const uint64_t limit = std::min(kHardWork, steps_ + kHardWork / 3);
  bool found = OneMore(KeepDecisions(before, others), limit);
  for (size_t i = 0; i < preemptions.size() && preemptions.size() > 2 && !found; ++i) {
    std::vector<size_t> kept = others;
    kept.insert(std::upper_bound(kept.begin(), kept.end(), preemptions[i]), preemptions[i]);
    found = OneMore(KeepDecisions(before, kept), limit);
  }
  if (found) Decisions(false);
}

// A schedule of hundreds of decisions breaks whenever something goes: another one that fails with fewer is
// the better one to start from.
void Shrinker::Sparser() {
  if (Deviations(best_.schedule).size() < kDense) return;
  const Story before = best_;
  const Trial trial_before = best_trial_;
  if (!Draw(before, kSparseDraws)) return;
  DecisionsOfOneKind();
  if (Deviations(best_.schedule).size() < Deviations(before.schedule).size()) return;
  best_ = before;
  best_trial_ = trial_before;
}

// A replay needs the life before, with all that is replayed; its operations by themselves may not.
void Shrinker::Replays() {
  Story candidate;
  if (MayGoOn() && WithoutReplays(best_, &candidate) && !Try(candidate, Effort::kFull))
    Draw(candidate, kManyDraws / 2);
}

void Shrinker::Round(Effort of_actions) {
  Incarnations();
  Faults();
  Actors();
  Actions(of_actions, true);
  Decisions(true);
  Actions(of_actions, false);
  Crashes();
  Numbers();
  Keys();
  Decisions(false);
  Replays();
}

void Shrinker::Shrink() {
  DecisionsOfOneKind();
  Sparser();
  // 0: as it is; 1: harder, since it is long; 2: and whatever the key of the witness.
  for (int level = 0; level < 3 && MayGoOn(); ++level) {
    if (level > 0 && (!Long(SizeOf(best_)) || steps_ > kHardWork)) break;
    const Story story_before = best_;
    const Trial trial_before = best_trial_;
    const Failure wanted_before = wanted_;
    if (level == 2) {
      if (!wanted_.has_key) break;
      wanted_.has_key = false;
      key_free_ = true;
      failed_.clear();
    }
    for (bool again = true; again && MayGoOn() && (level == 0 || steps_ < kHardWork);) {
      const StorySize before = SizeOf(best_);
      Round(level == 0 ? Effort::kOnce : Effort::kDraw);
      if (level > 0) OtherSchedules();
      if (level > 0) OnePreemption();
      again = Smaller(SizeOf(best_), before);
    }
    Geometry();
    Round(Effort::kOnce);
    if (level == 0 || Smaller(SizeOf(best_), SizeOf(story_before))) continue;
    best_ = story_before;
    best_trial_ = trial_before;
    wanted_ = wanted_before;
    key_free_ = wanted_.has_key ? false : key_free_;
  }
  minimal_ = MayGoOn();
}

}  // namespace experiments
