// FakeScheduler: the smallest Scheduler that runs the storage model's fibers, for its own tests.
//
// Fibers are ucontexts on the calling thread. At every point the next fiber is drawn at random from the seed
// (or the current one goes on, with `switching` off); choices come from a script, then from the seed (or are
// 0). It can crash at the n-th point. Not for anything else: no tape, no instrumentation, leaks the stacks of
// fibers that never end until it is destroyed.
#pragma once

#include <ucontext.h>

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "faults/sched/scheduler.h"

namespace faults {

class FakeScheduler : public Scheduler {
 public:
  explicit FakeScheduler(uint64_t seed) : random_(seed) {}

  bool switching = true;
  bool random_choices = true;
  std::vector<uint32_t> script;  // choices to take first
  uint64_t crash_at = ~0ull;     // point
  std::vector<PointKind> points;

  void Begin(const Options&, uint64_t seed) override {  // drops all fibers
    random_.seed(seed);
    fibers_.clear();
    functions_.clear();
    crash_at = ~0ull;
    switching = true;
  }
  int Spawn(void (*body)(void*), void* argument, const char* name, bool daemon = false) override {
    fibers_.push_back(std::make_unique<Fiber>());
    Fiber& fiber = *fibers_.back();
    fiber.stack.resize(128 << 10);
    fiber.body = body;
    fiber.argument = argument;
    fiber.name = name;
    fiber.daemon = daemon;
    ::getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    fiber.context.uc_stack.ss_size = fiber.stack.size();
    fiber.context.uc_link = nullptr;
    const auto self = reinterpret_cast<uintptr_t>(this);
    ::makecontext(&fiber.context, reinterpret_cast<void (*)()>(&Start), 2, static_cast<unsigned>(self),
                  static_cast<unsigned>(self >> 32));
    return static_cast<int>(fibers_.size()) - 1;
  }
  int SpawnFunction(std::function<void()> function, const char* name = "test") {
    functions_.push_back(std::move(function));
    return Spawn([](void* f) { (*static_cast<std::function<void()>*>(f))(); }, &functions_.back(), name);
  }

  RunResult Run() override {
    outcome_ = Outcome::kFinished;
    ended_ = false;
    while (!ended_) {
      const int next = Next(-1);
      if (next < 0 || !Unfinished()) {
        if (Unfinished()) outcome_ = Outcome::kDeadlock;
        break;
      }
      current_ = next;
      ::swapcontext(&main_, &fibers_[next]->context);
      current_ = -1;
    }
    if (outcome_ != Outcome::kFinished) {  // no fiber is resumed after this
      for (auto& fiber : fibers_) fiber->ended = true;
    }
    RunResult result{};
    result.outcome = outcome_;
    result.steps = step_;
    return result;
  }

  void Point(PointKind kind, const void*, uint64_t) override {
    points.push_back(kind);
    if (step_++ == crash_at) Crash();
    if (switching) SwitchTo(Next(current_));
  }
  uint32_t Choose(ChoiceKind, uint32_t count) override {
    if (!script.empty()) {
      const uint32_t choice = script.front();
      script.erase(script.begin());
      return choice < count ? choice : count - 1;
    }
    return random_choices ? static_cast<uint32_t>(random_() % count) : 0;
  }
  void Yield() override { SwitchTo(Next(current_)); }
  void Wait(const void* channel) override {
    fibers_[current_]->waits_for = channel;
    ToMain();
  }
  void Notify(const void* channel) override {
    for (auto& fiber : fibers_) {
      if (fiber->waits_for == channel) fiber->waits_for = nullptr;
    }
  }
  void AskPolicy() override {}
  void SetCrash(uint64_t step, uint64_t) override { crash_at = step; }
  uint64_t events() const override { return step_; }
  [[noreturn]] void Crash() override { End(Outcome::kCrashed); }
  [[noreturn]] void Fail(const char* why) override {
    explanation_ = why;
    End(Outcome::kFailed);
  }
  int current_fiber() const override { return current_; }
  const char* fiber_name(int fiber) const override { return fibers_[fiber]->name; }
  uint64_t step() const override { return step_; }
  uint64_t now_ns() const override { return step_; }
  const char* explanation() const override { return explanation_.c_str(); }
  void set_observer(void (*)(void*, int, PointKind, const void*, uint64_t), void*) override {}

 private:
  struct Fiber {
    ucontext_t context;
    std::vector<char> stack;
    void (*body)(void*);
    void* argument;
    const char* name;
    bool daemon;
    bool ended = false;
    const void* waits_for = nullptr;
  };

  static void Start(unsigned low, unsigned high) {
    auto* self =
        reinterpret_cast<FakeScheduler*>(static_cast<uintptr_t>(low) | static_cast<uintptr_t>(high) << 32);
    Fiber& fiber = *self->fibers_[self->current_];
    fiber.body(fiber.argument);
    fiber.ended = true;
    self->ToMain();
  }
  bool Unfinished() const {
    for (const auto& fiber : fibers_) {
      if (!fiber->daemon && !fiber->ended) return true;
    }
    return false;
  }
  int Next(int current) {
    std::vector<int> runnable;
    for (size_t i = 0; i < fibers_.size(); ++i) {
      if (!fibers_[i]->ended && fibers_[i]->waits_for == nullptr) runnable.push_back(static_cast<int>(i));
    }
    if (runnable.empty()) return -1;
    return switching || current < 0 ? runnable[random_() % runnable.size()] : current;
  }
  void SwitchTo(int next) {
    if (next == current_) return;
    ToMain();
  }
  void ToMain() { ::swapcontext(&fibers_[current_]->context, &main_); }
  [[noreturn]] void End(Outcome outcome) {
    outcome_ = outcome;
    ended_ = true;
    ::setcontext(&main_);
    std::abort();
  }

  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::deque<std::function<void()>> functions_;
  ucontext_t main_;
  int current_ = -1;
  uint64_t step_ = 0;
  Outcome outcome_ = Outcome::kFinished;
  bool ended_ = false;
  std::string explanation_;
};

}  // namespace faults
