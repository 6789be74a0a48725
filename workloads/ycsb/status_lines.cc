#include "workloads/ycsb/status_lines.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace workloads::ycsb {
namespace {

constexpr double kPatience = 1;  // seconds

std::string Decimal(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3f", number);
  return text;
}
std::string Microseconds(uint64_t nanoseconds) { return Decimal(static_cast<double>(nanoseconds) / 1000); }

std::string WallClock() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t wall = std::chrono::system_clock::to_time_t(now);
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
  std::tm parts;
  localtime_r(&wall, &parts);
  char day[32], text[48];
  std::strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &parts);
  std::snprintf(text, sizeof text, "%s:%03d", day, static_cast<int>(since.count() % 1000));
  return text;
}

}  // namespace

StatusLines::StatusLines(const StatusPlan& plan, const States* states)
    : plan_(plan),
      states_(*states),
      next_(plan.interval),
      answers_(states->size()),
      answered_(states->size()) {}

void StatusLines::Ask() {
  for (size_t i = 0; i < states_.size(); ++i) {
    states_[i]->wanted.store(&answers_[i], std::memory_order_release);
  }
}

bool StatusLines::Collect() {
  bool all = true;
  for (size_t i = 0; i < states_.size(); ++i) {
    ThreadState& state = *states_[i];
    if (state.wanted.load(std::memory_order_acquire) == nullptr) {
      answered_[i] = answers_[i];
    } else if (state.ended.load(std::memory_order_acquire)) {
      state.wanted.store(nullptr, std::memory_order_relaxed);
      answered_[i] = answers_[i] = state.measurements;
    } else {
      all = false;
    }
  }
  return all;
}

bool StatusLines::Due(double now, std::string* line) {
  if (asked_at_ < 0) {
    if (now < next_) return false;
    while (next_ <= now) next_ += plan_.interval;
    asked_at_ = now;
    Ask();
  }
  if (!Collect() && now < asked_at_ + kPatience) return false;
  asked_at_ = -1;
  *line = Line(now);
  return true;
}

std::string StatusLines::Last(double now) {
  Ask();
  Collect();
  return Line(now);
}

std::string StatusLines::Line(double now) {
  uint64_t done = 0;
  for (const auto& state : states_) done += state->done.load(std::memory_order_relaxed);
  std::string text = plan_.label + WallClock() + " " + std::to_string(static_cast<uint64_t>(now)) +
                     " sec: " + std::to_string(done) + " operations;";
  if (done != 0) {
    char rate[40];
    std::snprintf(rate, sizeof rate, " %.2f current ops/sec;",
                  static_cast<double>(done - last_done_) / std::max(now - last_line_, 1e-3));
    text += rate;
  }
  double left = done == 0 || done >= plan_.total
                    ? 0
                    : static_cast<double>(plan_.total - done) * now / static_cast<double>(done);
  if (plan_.max_seconds > 0) left = std::min(left, plan_.max_seconds - now);
  if (left > 0) text += " est completion in " + RemainingText(left);
  last_line_ = now;
  last_done_ = done;
  Measurements all;
  for (const Measurements& answer : answered_) all.Merge(answer);
  text += StatusText(all.Since(before_));
  before_ = std::move(all);
  return text;
}

std::string StatusText(const Measurements& interval) {
  std::string text;
  for (int i = 0; i < kMetrics; ++i) {
    const Measured& measured = interval.of(static_cast<Metric>(i));
    if (measured.operations() == 0) continue;
    const LatencyHistogram& times = measured.nanoseconds;
    text += std::string(" [") + MetricName(static_cast<Metric>(i)) +
            ": Count=" + std::to_string(measured.operations()) + ", Max=" + Microseconds(times.max()) +
            ", Min=" + Microseconds(times.min()) + ", Avg=" + Decimal(times.mean() / 1000);
    for (const char* percent : {"50", "90", "99", "99.9", "99.99"}) {
      text +=
          std::string(", ") + percent + "=" + Microseconds(times.Percentile(std::strtod(percent, nullptr)));
    }
    text += "]";
  }
  return text;
}

std::string RemainingText(double seconds) {
  uint64_t left = static_cast<uint64_t>(seconds + 0.5);
  struct Unit {
    const char* name;
    uint64_t seconds;
  };
  std::string text;
  bool days = false;
  for (const Unit& unit : {Unit{"day", 86400}, Unit{"hour", 3600}, Unit{"minute", 60}}) {
    const uint64_t count = left / unit.seconds;
    left %= unit.seconds;
    if (count == 0 || (days && unit.seconds == 60)) continue;  // minutes do not matter for days
    days |= unit.seconds == 86400;
    text += std::to_string(count) + " " + unit.name + (count == 1 ? " " : "s ");
  }
  if (text.empty()) text = std::to_string(left) + (left == 1 ? " second " : " seconds ");
  text.pop_back();
  return text;
}

}  // namespace workloads::ycsb
