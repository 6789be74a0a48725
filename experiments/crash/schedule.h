// Schedule: how an execution happened, told by what its threads were doing instead of by step numbers.
//
// A tape says "at step 8123 another thread"; take one operation away and 8123 is somewhere else. A schedule
// says "`session 2`, in its third action, after 14 steps of it: `session 1` goes on". So it can be played on
// a scenario from which actions were removed, and on itself with decisions left out, which is what shrinking
// needs. Where it says nothing, nothing unusual happens: a thread runs until it cannot, then the next one in
// the order of the scheduler; no fault, the newest content of every sector.
//
// A LANE is a fiber, named by its name and incarnation and how many of that name there were before. A place
// in an actor's lane is (action, steps in it); in the lane of another fiber, which has no actions, the times
// that it had to wait take their place. Choices of the disk (which I/O, which fate) are counted over an
// incarnation, whichever fiber asks.
//
// The Follower plays a schedule, or lets another policy decide, and writes down what was decided into memory
// that may be shared with another process, so that the log outlives an execution that kills its own. Not
// thread-safe. It allocates on the host's heap only. Cost: as another policy, and a call for each action.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "experiments/crash/execution.h"

namespace experiments {

struct Lane {
  char name[48] = {};
  uint32_t incarnation = 0;
  uint32_t ordinal = 0;
  bool operator==(const Lane&) const = default;
};

struct Decision {
  enum class Type : uint8_t {
    kPreempt,  // the fiber could go on, another one did: `at` is the step of the action
    kPick,     // the fiber could not go on, or offered its turn: `at` counts such picks of the action
    kChoice,   // of `kind`: `at` counts those of this kind
  };
  Type type = Type::kPreempt;
  faults::ChoiceKind kind = faults::ChoiceKind::kThread;
  bool usual = false;  // kPick: what happens anyway
  uint32_t lane = 0;
  uint32_t action = 0;
  uint32_t at = 0;
  uint32_t to = 0;     // kPreempt, kPick: the lane that goes on
  uint32_t value = 0;  // kChoice: the alternative taken ...
  uint32_t count = 0;  // ... of so many
  uint64_t step = 0;   // where it was seen, for people; no part of what is played
  uint64_t code = 0;  // kPreempt: the engine's code after the access, as an offset in its library; 0: unknown
};

// Where an incarnation crashes: before the step `at` of an action.
struct Place {
  bool set = false;
  uint32_t lane = 0;
  uint32_t action = 0;
  uint32_t at = 0;
};

// How long an action of an actor took.
struct Span {
  uint32_t lane = 0;
  uint32_t action = 0;
  uint32_t steps = 0;
};

struct Schedule {
  std::vector<Lane> lanes;
  std::vector<Decision> decisions;  // in the order in which they were taken
  std::vector<Place> crashes;       // by incarnation
  std::vector<Span> spans;          // as they began; no part of what is played
};

constexpr uint32_t kMaxLanes = 4096;
constexpr uint32_t kMaxDecisions = 1u << 19;
constexpr uint32_t kMaxUsual = 1u << 17;  // usual picks are written down only so far
constexpr uint32_t kMaxSpans = 1u << 13;  // written down only so far
constexpr uint32_t kMaxLives = 16;        // incarnations of a scenario

// Plain memory, zero is empty. 30 MiB that are touched only as far as they are used.
struct ScheduleLog {
  uint32_t lanes;
  uint32_t decisions;
  uint32_t spans;
  uint32_t incarnation;  // the last one that was begun
  bool overflow;         // decisions were lost
  bool crashed[kMaxLives];
  CrashPoint crash[kMaxLives];  // as the scenario says it
  Place place[kMaxLives];
  Lane lane[kMaxLanes];
  Decision decision[kMaxDecisions];
  Span span[kMaxSpans];

  void Forget();
  void CopyTo(Schedule* schedule) const;
};

class Follower final : public faults::Policy, public ExecutionFollower {
 public:
  Follower(faults::Scheduler* scheduler, ScheduleLog* log) : scheduler_(scheduler), log_(log) {}

  // What decides the next execution: this schedule, with the usual picks in it or without; crashing where it
  // says (`places`) or where the scenario does. Or another policy, which is only watched.
  void Follow(const Schedule& schedule, bool usual, bool places);
  void Watch(faults::Policy* source);
  // Code addresses between the two are the engine's; they are looked for at every preemption. 0, 0: nowhere.
  void LookFor(uintptr_t low, uintptr_t high) { code_low_ = low, code_high_ = high; }

  void Begin(uint64_t seed) override;
  int PickThread(uint64_t step, int current, uint64_t runnable, faults::PointKind kind) override;
  uint32_t Choose(uint64_t step, faults::ChoiceKind kind, uint32_t count) override;
  uint64_t NextAsk(uint64_t step) override;
  void OnYield(int fiber) override;
  void OnSpawn(int fiber) override;
  void OnEnd(uint64_t steps) override;
  bool asks_on_wake() const override { return source_ != nullptr && source_->asks_on_wake(); }
  const char* divergence() const override { return source_ == nullptr ? nullptr : source_->divergence(); }

  void OnIncarnation(uint32_t number) override;
  bool OnWork(uint32_t number) override;
  void OnAction(int fiber, uint32_t action) override;
  void OnCrash(uint32_t number, const CrashPoint& crash, bool by_event) override;

 private:
  struct Planned {  // of one lane of the schedule, in the order in which they come up
    std::vector<Decision> preempts, picks;
    std::array<std::vector<Decision>, faults::kChoiceKinds> choices;
    size_t next_preempt = 0, next_pick = 0;
    std::array<size_t, faults::kChoiceKinds> next_choice = {};
    int fiber = -1;  // that is this lane now
  };
  struct Live {  // a fiber
    uint32_t lane = 0;
    int planned = -1;
    bool actor = false;
    uint32_t action = 0;
    uint32_t span = kMaxSpans;  // of the log, for this action
    uint64_t local = 0;         // steps in the action
    uint32_t picks = 0;         // in the action
    std::array<uint32_t, faults::kChoiceKinds> choices = {};
  };
  static constexpr int kHarness = 64;  // stands for everything outside fibers, and the disk

  void Enter(int fiber, const char* name);
  void Advance(uint64_t step);
  int Decide(const Live& live, int current, uint64_t runnable, bool goes_on, int usual);
  int Runnable(uint32_t planned_lane, uint64_t runnable) const;
  void Write(const Decision& decision);
  void AimCrash(uint64_t step);
  uint64_t FindCode() const;

  faults::Scheduler* const scheduler_;
  ScheduleLog* const log_;
  faults::Policy* source_ = nullptr;
  std::vector<Lane> planned_lanes_;
  std::vector<Planned> planned_;
  std::vector<Place> places_;
  bool uses_places_ = false;
  std::array<Live, kHarness + 1> live_;
  int running_ = -1;
  uint64_t since_ = 0;  // the step at which it began to run
  uint32_t incarnation_ = 0;
  bool working_ = false;  // and the crash of this incarnation is ours
  bool aimed_ = false;    // a crash is armed
  Place end_;             // where the last round ended
  uintptr_t code_low_ = 0, code_high_ = 0;
};

}  // namespace experiments
