#include "experiments/crash/schedule.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>

#include "faults/sched/heap.h"
#include "faults/sched/policy.h"

namespace experiments {
namespace {

using faults::ChoiceKind;
using faults::HostHeap;
using faults::kNever;
using faults::PointKind;
using Type = Decision::Type;

// Whoever asks: the order in which the disk is asked is what holds, not which of its fibers asks.
bool OfTheDisk(ChoiceKind kind) {
  return kind == ChoiceKind::kIoPick || kind == ChoiceKind::kIoFate || kind == ChoiceKind::kSectorFate;
}

bool Before(const Decision& decision, uint32_t action, uint64_t at) {
  return decision.action != action ? decision.action < action : decision.at < at;
}

bool IsAt(const Decision& decision, uint32_t action, uint64_t at) {
  return decision.action == action && decision.at == at;
}

void Sort(std::vector<Decision>* decisions) {
  std::stable_sort(decisions->begin(), decisions->end(),
                   [](const Decision& a, const Decision& b) { return Before(a, b.action, b.at); });
}

}  // namespace

void ScheduleLog::Forget() {
  lanes = decisions = spans = incarnation = 0;
  overflow = false;
  for (uint32_t i = 0; i < kMaxLives; ++i) {
    crashed[i] = false;
    place[i] = {};
  }
}

void ScheduleLog::CopyTo(Schedule* schedule) const {
  schedule->lanes.assign(lane, lane + lanes);
  schedule->decisions.assign(decision, decision + decisions);
  schedule->crashes.assign(place, place + kMaxLives);
  schedule->spans.assign(span, span + spans);
}

void Follower::Follow(const Schedule& schedule, bool usual, bool places) {
  source_ = nullptr;
  planned_lanes_ = schedule.lanes;
  planned_.assign(schedule.lanes.size(), {});
  places_ = schedule.crashes;
  uses_places_ = places;
  for (const Decision& decision : schedule.decisions) {
    if (decision.usual && !usual) continue;
    Planned& lane = planned_[decision.lane];
    if (decision.type == Type::kPreempt)
      lane.preempts.push_back(decision);
    else if (decision.type == Type::kPick)
      lane.picks.push_back(decision);
    else
      lane.choices[static_cast<size_t>(decision.kind)].push_back(decision);
  }
  for (Planned& lane : planned_) {
    Sort(&lane.preempts);
    Sort(&lane.picks);
    for (auto& choices : lane.choices) Sort(&choices);
  }
}

void Follower::Watch(faults::Policy* source) {
  source_ = source;
  planned_lanes_.clear();
  planned_.clear();
  uses_places_ = false;
}

void Follower::Begin(uint64_t seed) {
  for (Planned& lane : planned_) {
    lane.next_preempt = lane.next_pick = 0;
    lane.next_choice = {};
    lane.fiber = -1;
  }
  running_ = -1;
  since_ = 0;
  if (source_ != nullptr) source_->Begin(seed);
}

void Follower::OnIncarnation(uint32_t number) {
  if (number == 0) log_->Forget();
  incarnation_ = log_->incarnation = number;
  working_ = aimed_ = false;
  Enter(kHarness, "harness");
}

bool Follower::OnWork(uint32_t number) {
  working_ = source_ == nullptr && uses_places_ && number < places_.size() && places_[number].set;
  return working_;
}

// `fiber` is a lane of the log from now on and, if the schedule knows one of that name, that lane of it.
void Follower::Enter(int fiber, const char* name) {
  const HostHeap host;
  Live& live = live_[static_cast<size_t>(fiber)];
  live = {};
  Lane lane;
  std::snprintf(lane.name, sizeof lane.name, "%s", name);
  lane.incarnation = incarnation_;
  for (uint32_t i = 0; i < log_->lanes; ++i) {
    const Lane& other = log_->lane[i];
    if (other.incarnation == lane.incarnation && std::strcmp(other.name, lane.name) == 0) ++lane.ordinal;
  }
  if (log_->lanes == kMaxLanes) {
    log_->overflow = true;
    return;
  }
  live.lane = log_->lanes;
  log_->lane[log_->lanes++] = lane;
  const auto found = std::find(planned_lanes_.begin(), planned_lanes_.end(), lane);
  if (found == planned_lanes_.end()) return;
  live.planned = static_cast<int>(found - planned_lanes_.begin());
  planned_[static_cast<size_t>(live.planned)].fiber = fiber;
}

void Follower::OnSpawn(int fiber) {
  Enter(fiber, scheduler_->fiber_name(fiber));
  if (source_ != nullptr) source_->OnSpawn(fiber);
}

void Follower::OnYield(int fiber) {
  if (source_ != nullptr) source_->OnYield(fiber);
}

void Follower::OnAction(int fiber, uint32_t action) {
  const uint64_t step = scheduler_->step();
  Advance(step);
  Live& live = live_[static_cast<size_t>(fiber)];
  live.actor = true;
  live.action = action;
  live.local = 0;
  live.picks = 0;
  live.choices = {};
  live.span = log_->spans < kMaxSpans ? log_->spans++ : kMaxSpans;
  if (live.span < kMaxSpans) log_->span[live.span] = {live.lane, action, 0};
  if (source_ == nullptr && live.planned >= 0) scheduler_->AskPolicy();
  AimCrash(step);
}

void Follower::Advance(uint64_t step) {
  if (running_ >= 0) {
    Live& live = live_[static_cast<size_t>(running_)];
    live.local += step - since_;
    if (live.span < kMaxSpans) log_->span[live.span].steps = static_cast<uint32_t>(live.local);
  }
  since_ = step;
}

void Follower::OnEnd(uint64_t steps) {
  Advance(steps);
  end_ = {};  // a crash before any fiber ran has no place
  if (running_ >= 0) {
    const Live& live = live_[static_cast<size_t>(running_)];
    end_ = {true, live.lane, live.action, static_cast<uint32_t>(live.local)};
  }
  running_ = -1;
  if (source_ != nullptr) source_->OnEnd(steps);
}

void Follower::OnCrash(uint32_t number, const CrashPoint& crash, bool by_event) {
  if (number >= kMaxLives) return;
  log_->crashed[number] = true;
  log_->crash[number] = crash;
  log_->place[number] = end_;
  log_->place[number].set = end_.set && crash.anchor != CrashPoint::Anchor::kEnd;
  if (by_event || log_->place[number].at == 0) ++log_->place[number].at;
}

// The crash is a step of one fiber: armed while that one runs in that action, else not.
void Follower::AimCrash(uint64_t step) {
  if (!working_) return;
  const Place& place = places_[incarnation_];
  uint64_t aim = kNever;
  if (running_ >= 0) {
    const Live& live = live_[static_cast<size_t>(running_)];
    if (live.planned >= 0 && static_cast<uint32_t>(live.planned) == place.lane &&
        live.action == place.action && place.at > live.local) {
      aim = step + (place.at - live.local);
    }
  }
  if (aim == kNever && !aimed_) return;
  aimed_ = aim != kNever;
  scheduler_->SetCrash(aim, kNever);
}

void Follower::Write(const Decision& decision) {
  if (decision.usual && log_->decisions >= kMaxUsual) return;
  if (log_->decisions == kMaxDecisions) {
    log_->overflow = true;
    return;
  }
  log_->decision[log_->decisions++] = decision;
}

int Follower::Runnable(uint32_t planned_lane, uint64_t runnable) const {
  const int fiber = planned_[planned_lane].fiber;
  if (fiber < 0 || ((runnable >> fiber) & 1) == 0) return -1;
  const bool is_it = live_[static_cast<size_t>(fiber)].planned == static_cast<int>(planned_lane);
  return is_it ? fiber : -1;
}

// By the schedule; `usual` where it says nothing or what it says cannot be done.
int Follower::Decide(const Live& live, int current, uint64_t runnable, bool goes_on, int usual) {
  if (live.planned < 0) return usual;
  Planned& planned = planned_[static_cast<size_t>(live.planned)];
  std::vector<Decision>& decisions = goes_on ? planned.preempts : planned.picks;
  size_t& next = goes_on ? planned.next_preempt : planned.next_pick;
  const uint64_t at = goes_on ? live.local : live.picks;
  while (next < decisions.size() && Before(decisions[next], live.action, at)) ++next;
  if (next == decisions.size() || !IsAt(decisions[next], live.action, at)) return usual;
  const int to = Runnable(decisions[next++].to, runnable);
  return to < 0 || (goes_on && to == current) ? usual : to;
}

int Follower::PickThread(uint64_t step, int current, uint64_t runnable, PointKind kind) {
  Advance(step);
  const bool can_go_on = current >= 0 && ((runnable >> current) & 1) != 0;
  const bool goes_on = can_go_on && kind != PointKind::kYield;
  Live& live = live_[static_cast<size_t>(current < 0 ? kHarness : current)];
  // Who offers its turn waits for others: they come first.
  const int turn = can_go_on && !goes_on && std::popcount(runnable) > 1 ? 1 : 0;
  const int usual = goes_on ? current : faults::FiberAtRank(current, runnable, turn);
  const int to = source_ != nullptr ? source_->PickThread(step, current, runnable, kind)
                                    : Decide(live, current, runnable, goes_on, usual);
  Decision decision;
  decision.lane = live.lane;
  decision.action = live.action;
  decision.step = step;
  decision.to = live_[static_cast<size_t>(to)].lane;
  if (!goes_on) {
    decision.type = Type::kPick;
    decision.at = live.picks++;
    decision.usual = to == usual;
    if (std::popcount(runnable) > 1) Write(decision);
    if (!live.actor && current >= 0) {
      ++live.action;
      live.local = 0;
      live.picks = 0;
    }
  } else if (to != current) {
    decision.at = static_cast<uint32_t>(live.local);
    decision.code = FindCode();
    Write(decision);
  }
  running_ = to;
  AimCrash(step);
  return to;
}

uint32_t Follower::Choose(uint64_t step, ChoiceKind kind, uint32_t count) {
  const size_t index = static_cast<size_t>(kind);
  Live& live = live_[static_cast<size_t>(OfTheDisk(kind) || running_ < 0 ? kHarness : running_)];
  const uint32_t at = live.choices[index]++;
  uint32_t value = 0;
  if (source_ != nullptr) {
    value = source_->Choose(step, kind, count);
  } else if (live.planned >= 0) {
    Planned& planned = planned_[static_cast<size_t>(live.planned)];
    size_t& next = planned.next_choice[index];
    const std::vector<Decision>& decisions = planned.choices[index];
    while (next < decisions.size() && Before(decisions[next], live.action, at)) ++next;
    if (next < decisions.size() && IsAt(decisions[next], live.action, at))
      value = std::min(decisions[next++].value, count - 1);
  }
  if (value != 0) {
    Decision decision;
    decision.type = Type::kChoice;
    decision.kind = kind;
    decision.lane = live.lane;
    decision.action = live.action;
    decision.at = at;
    decision.value = value;
    decision.count = count;
    decision.step = step;
    Write(decision);
  }
  return value;
}

uint64_t Follower::NextAsk(uint64_t step) {
  if (source_ != nullptr) return source_->NextAsk(step);
  if (running_ < 0) return kNever;
  const Live& live = live_[static_cast<size_t>(running_)];
  if (live.planned < 0) return kNever;
  Planned& planned = planned_[static_cast<size_t>(live.planned)];
  const uint64_t local = live.local + (step - since_);
  size_t& next = planned.next_preempt;
  while (next < planned.preempts.size() && Before(planned.preempts[next], live.action, local + 1)) ++next;
  if (next == planned.preempts.size()) return kNever;
  const Decision& decision = planned.preempts[next];
  // In a later action: that begins by OnAction, or when the fiber runs again after it had to wait.
  return decision.action == live.action ? step + (decision.at - local) : kNever;
}

// The stack above us is the host's up to the hook that was called by the engine; frames have no pointers, so
// the first word that points into the engine is taken for the return address.
__attribute__((noinline)) uint64_t Follower::FindCode() const {
  if (code_low_ == code_high_) return 0;
  const uintptr_t* word = reinterpret_cast<const uintptr_t*>(__builtin_frame_address(0));
  for (int i = 0; i < 256; ++i) {
    if (word[i] >= code_low_ && word[i] < code_high_) return word[i] - code_low_;
  }
  return 0;
}

}  // namespace experiments
