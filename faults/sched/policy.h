// Policies: which thread runs next, and what a choice returns. Mechanism is the scheduler's; a policy holds
// only its own random state. Not thread-safe; one scheduler uses a policy at a time.
//
// A policy names the next step at which it wants to be asked (NextAsk), so that a step without a switch costs
// the scheduler one compare: a random walk draws its geometric skip in advance, PCT its change points.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "faults/sched/scheduler.h"

namespace faults {

// Order of alternatives on the tape: rank 0 is `current` if it is runnable, then ascending ids, cyclically.
int FiberAtRank(int current, uint64_t runnable, int rank);
int RankOfFiber(int current, uint64_t runnable, int fiber);

// Common base of the policies that draw: xorshift64*, and for every kind of choice but kThread the
// probability that it is not 0 (drawn uniformly among the rest then). A negative rate means uniform over all
// alternatives.
class DrawingPolicy : public Policy {
 public:
  void Begin(uint64_t seed) override;
  uint32_t Choose(uint64_t step, ChoiceKind kind, uint32_t count) override;
  void set_rate(ChoiceKind kind, double probability) { rates_[static_cast<int>(kind)] = probability; }

 protected:
  uint64_t Next();
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(((Next() >> 32) * n) >> 32); }
  double Unit() { return static_cast<double>((Next() >> 11) + 1) * 0x1.0p-53; }  // (0, 1]

 private:
  uint64_t state_ = 1;
  std::array<double, kChoiceKinds> rates_ = {-1, 0.02, -1, -1, -1, -1, -1, -1};
};

// At every point with probability p: a uniformly chosen runnable thread, the current one included.
class RandomWalk : public DrawingPolicy {
 public:
  explicit RandomWalk(double p);
  void Begin(uint64_t seed) override;
  int PickThread(uint64_t step, int current, uint64_t runnable, PointKind kind) override;
  uint64_t NextAsk(uint64_t step) override;

 private:
  double inverse_log_;  // 1 / log(1 - p); 0 for p = 1
  uint64_t next_ = 0;
};

// Long runs of one thread, few switches: finds what constant switching hides.
inline std::unique_ptr<RandomWalk> MostlySequential() { return std::make_unique<RandomWalk>(0.003); }

// PCT (Burckhardt et al., ASPLOS'10): random priorities, d-1 change points among the first k steps at which
// the running thread falls to the bottom. A thread that yields falls below all. k is the mean of earlier
// executions.
class Pct : public DrawingPolicy {
 public:
  explicit Pct(int depth, uint64_t steps_estimate = 1000);
  void Begin(uint64_t seed) override;
  int PickThread(uint64_t step, int current, uint64_t runnable, PointKind kind) override;
  uint64_t NextAsk(uint64_t step) override;
  void OnYield(int fiber) override;
  void OnSpawn(int fiber) override;
  void OnEnd(uint64_t steps) override;
  bool asks_on_wake() const override { return true; }
  uint64_t steps_estimate() const { return static_cast<uint64_t>(estimate_); }

 private:
  int depth_;
  double estimate_;
  uint64_t last_steps_ = 0;
  std::vector<uint64_t> changes_;  // ascending
  size_t next_change_ = 0;
  int64_t lowest_ = 0;
  std::array<int64_t, 64> priority_ = {};
};

// Every `quantum` points the next thread in cyclic order; every choice is 0. Deterministic without a seed.
class RoundRobin : public Policy {
 public:
  explicit RoundRobin(uint64_t quantum = 1) : quantum_(quantum) {}
  void Begin(uint64_t) override {}
  int PickThread(uint64_t step, int current, uint64_t runnable, PointKind kind) override;
  uint32_t Choose(uint64_t, ChoiceKind, uint32_t) override { return 0; }
  uint64_t NextAsk(uint64_t step) override { return step + quantum_; }

 private:
  uint64_t quantum_;
};

// Decides by a tape; where it has no entry, 0. Strict: an entry that does not fit is a divergence and ends
// the run. Lenient (for shrinking, where entries were removed): it is skipped, or taken modulo the
// alternatives there are.
class Replay : public Policy {
 public:
  Replay(const TapeEntry* entries, size_t count, bool strict = true)
      : entries_(entries), count_(count), strict_(strict) {}
  void Begin(uint64_t) override;
  int PickThread(uint64_t step, int current, uint64_t runnable, PointKind kind) override;
  uint32_t Choose(uint64_t step, ChoiceKind kind, uint32_t count) override;
  uint64_t NextAsk(uint64_t step) override;
  const char* divergence() const override { return strict_ && diverged_ ? why_ : nullptr; }
  size_t remaining() const { return count_ - cursor_; }  // entries not reached; not 0 at the end = diverged
  size_t misfits() const { return misfits_; }            // entries that did not fit (lenient)

 private:
  uint32_t Take(uint64_t step, ChoiceKind kind, uint32_t count);
  void Misfit(uint64_t step, const TapeEntry& entry, ChoiceKind kind, uint32_t count);

  const TapeEntry* entries_;
  size_t count_;
  bool strict_;
  bool diverged_ = false;
  size_t cursor_ = 0;
  size_t misfits_ = 0;
  char why_[192] = {};
};

// The default portfolio: random walk at 0.1, 0.01 and 0.003, PCT 3 and 6, each with and without plain points,
// because no single one dominates. Execution i is the same whatever ran before it, but for PCT's estimate of
// k: record the tape, it is the replay. Pick() of i owns nothing; the policies live as long as the portfolio.
class Portfolio {
 public:
  explicit Portfolio(uint64_t seed);
  struct Pick {
    DrawingPolicy* policy;
    bool plain_points;
    const char* name;  // "random:0.1+plain", "pct:3", ...
    uint64_t seed;     // for Scheduler::Begin
  };
  Pick For(uint64_t execution);
  int size() const { return static_cast<int>(members_.size()); }
  void set_rate(ChoiceKind kind, double probability);  // for all members

 private:
  struct Member {
    std::unique_ptr<DrawingPolicy> policy;
    bool plain_points;
    std::string name;
  };
  std::vector<Member> members_;
  uint64_t seed_;
};

// "random:P", "pct:D", "rr:Q", "sequential"; null with one line in *error if it is none of these.
// `steps`: what PCT takes an execution for before it has seen one.
std::unique_ptr<Policy> MakePolicy(const std::string& name, std::string* error, uint64_t steps = 1000);

}  // namespace faults
