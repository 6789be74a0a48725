#include "faults/sched/policy.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace faults {
namespace {

uint64_t Scramble(uint64_t x) {  // splitmix64's finaliser: nearby seeds give unrelated streams
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

// The mask turned so that bit 0 is `current`.
uint64_t Turned(int current, uint64_t runnable) { return std::rotr(runnable, current < 0 ? 0 : current); }

}  // namespace

int FiberAtRank(int current, uint64_t runnable, int rank) {
  uint64_t turned = Turned(current, runnable);
  while (rank-- > 0) turned &= turned - 1;
  return (std::countr_zero(turned) + (current < 0 ? 0 : current)) & 63;
}

int RankOfFiber(int current, uint64_t runnable, int fiber) {
  const int place = (fiber - (current < 0 ? 0 : current)) & 63;
  return std::popcount(Turned(current, runnable) & ((uint64_t{1} << place) - 1));
}

void DrawingPolicy::Begin(uint64_t seed) { state_ = Scramble(seed) | 1; }

uint64_t DrawingPolicy::Next() {
  state_ ^= state_ >> 12;
  state_ ^= state_ << 25;
  state_ ^= state_ >> 27;
  return state_ * 0x2545f4914f6cdd1dull;
}

uint32_t DrawingPolicy::Choose(uint64_t, ChoiceKind kind, uint32_t count) {
  if (count <= 1) return 0;
  const double rate = rates_[static_cast<int>(kind)];
  if (rate < 0) return Below(count);
  if (Unit() > rate) return 0;
  return 1 + Below(count - 1);
}

RandomWalk::RandomWalk(double p) : inverse_log_(p >= 1 ? 0 : 1 / std::log1p(-std::max(p, 1e-9))) {}

void RandomWalk::Begin(uint64_t seed) {
  DrawingPolicy::Begin(seed);
  next_ = 0;
}

int RandomWalk::PickThread(uint64_t, int current, uint64_t runnable, PointKind kind) {
  const uint64_t self = current < 0 ? 0 : uint64_t{1} << current;
  if (kind == PointKind::kYield && (runnable & ~self) != 0) runnable &= ~self;
  const int count = std::popcount(runnable);
  return FiberAtRank(current, runnable,
                     count == 1 ? 0 : static_cast<int>(Below(static_cast<uint32_t>(count))));
}

uint64_t RandomWalk::NextAsk(uint64_t step) {
  if (next_ <= step) {
    next_ = step + 1;
    if (inverse_log_ != 0) next_ += static_cast<uint64_t>(std::log(Unit()) * inverse_log_);
  }
  return next_;
}

Pct::Pct(int depth, uint64_t steps_estimate)
    : depth_(depth), estimate_(static_cast<double>(steps_estimate)) {}

void Pct::Begin(uint64_t seed) {
  if (last_steps_ != 0) estimate_ += (static_cast<double>(last_steps_) - estimate_) * 0.1;
  last_steps_ = 0;
  DrawingPolicy::Begin(seed);
  changes_.clear();
  const uint32_t k = static_cast<uint32_t>(std::clamp(estimate_, 1.0, 4e9));
  for (int i = 1; i < depth_; ++i) changes_.push_back(1 + Below(k));
  std::sort(changes_.begin(), changes_.end());
  changes_.erase(std::unique(changes_.begin(), changes_.end()), changes_.end());
  next_change_ = 0;
  lowest_ = 0;
  priority_.fill(0);
}

void Pct::OnSpawn(int fiber) { priority_[fiber] = 1 + static_cast<int64_t>(Next() >> 2); }

void Pct::OnYield(int fiber) { priority_[fiber] = --lowest_; }

void Pct::OnEnd(uint64_t steps) { last_steps_ = std::max(last_steps_, steps); }

int Pct::PickThread(uint64_t step, int current, uint64_t runnable, PointKind) {
  while (next_change_ < changes_.size() && changes_[next_change_] <= step) {
    ++next_change_;
    if (current >= 0) priority_[current] = --lowest_;
  }
  int best = std::countr_zero(runnable);
  for (uint64_t rest = runnable & (runnable - 1); rest != 0; rest &= rest - 1) {
    const int fiber = std::countr_zero(rest);
    if (priority_[fiber] > priority_[best]) best = fiber;
  }
  return best;
}

uint64_t Pct::NextAsk(uint64_t step) {
  return next_change_ < changes_.size() ? std::max(changes_[next_change_], step + 1) : ~uint64_t{0};
}

int RoundRobin::PickThread(uint64_t, int current, uint64_t runnable, PointKind) {
  const bool goes_on = current >= 0 && ((runnable >> current) & 1) != 0;
  return FiberAtRank(current, runnable, goes_on && std::popcount(runnable) > 1 ? 1 : 0);
}

void Replay::Begin(uint64_t) {
  cursor_ = 0;
  misfits_ = 0;
  diverged_ = false;
}

void Replay::Misfit(uint64_t step, const TapeEntry& entry, ChoiceKind kind, uint32_t count) {
  ++misfits_;
  if (diverged_ || !strict_) return;
  diverged_ = true;
  std::snprintf(why_, sizeof why_,
                "step %llu: the tape's next choice is %s of %u at step %u, the execution asks %s of %u",
                static_cast<unsigned long long>(step), ChoiceKindName(static_cast<ChoiceKind>(entry.kind)),
                entry.count, entry.step, ChoiceKindName(kind), count);
}

uint32_t Replay::Take(uint64_t step, ChoiceKind kind, uint32_t count) {
  while (cursor_ < count_ && entries_[cursor_].step < step) Misfit(step, entries_[cursor_++], kind, count);
  if (cursor_ == count_ || entries_[cursor_].step != step) return 0;
  const TapeEntry& entry = entries_[cursor_++];
  if (entry.kind != static_cast<uint8_t>(kind) || entry.count != std::min(count, 65535u)) {
    Misfit(step, entry, kind, count);
    if (strict_ || entry.kind != static_cast<uint8_t>(kind)) return 0;
  }
  return entry.value % count;
}

int Replay::PickThread(uint64_t step, int current, uint64_t runnable, PointKind) {
  const uint32_t count = static_cast<uint32_t>(std::popcount(runnable));
  return FiberAtRank(current, runnable, static_cast<int>(Take(step, ChoiceKind::kThread, count)));
}

uint32_t Replay::Choose(uint64_t step, ChoiceKind kind, uint32_t count) { return Take(step, kind, count); }

uint64_t Replay::NextAsk(uint64_t step) {
  return cursor_ < count_ ? std::max<uint64_t>(entries_[cursor_].step, step + 1) : ~uint64_t{0};
}

Portfolio::Portfolio(uint64_t seed) : seed_(seed) {
  for (bool plain : {true, false}) {
    const char* end = plain ? "+plain" : "";
    for (const char* p : {"0.1", "0.01", "0.003"}) {
      members_.push_back(
          {std::make_unique<RandomWalk>(std::atof(p)), plain, std::string("random:") + p + end});
    }
    for (int d : {3, 6}) {
      members_.push_back({std::make_unique<Pct>(d), plain, "pct:" + std::to_string(d) + end});
    }
  }
}

Portfolio::Pick Portfolio::For(uint64_t execution) {
  const Member& member = members_[execution % members_.size()];
  return {member.policy.get(), member.plain_points, member.name.c_str(),
          Scramble(seed_ ^ Scramble(execution))};
}

void Portfolio::set_rate(ChoiceKind kind, double probability) {
  for (Member& member : members_) member.policy->set_rate(kind, probability);
}

std::unique_ptr<Policy> MakePolicy(const std::string& name, std::string* error, uint64_t steps) {
  const size_t colon = name.find(':');
  const std::string kind = name.substr(0, colon);
  const std::string text = colon == std::string::npos ? "" : name.substr(colon + 1);
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  const bool good = !text.empty() && *end == 0;
  const bool whole = good && number >= 1 && number <= 1e6 && number == std::floor(number);
  if (kind == "random" && good && number > 0 && number <= 1) return std::make_unique<RandomWalk>(number);
  if (kind == "pct" && whole) return std::make_unique<Pct>(static_cast<int>(number), steps);
  if (kind == "rr" && whole) return std::make_unique<RoundRobin>(static_cast<uint64_t>(number));
  if (name == "sequential") return MostlySequential();
  *error = "unknown policy '" + name + "': want random:P (0 < P <= 1), pct:D, rr:Q or sequential";
  return nullptr;
}

}  // namespace faults
