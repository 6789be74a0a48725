#include "workloads/ycsb/status_lines.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>

namespace workloads::ycsb {
namespace {

constexpr double kPatience = 1;  // seconds

std::string Decimal(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3f", number);
  return text;
}
std::string Microseconds(uint64_t nanoseconds) { return Decimal(static_cast<double>(nanoseconds) / 1000); }

// As Java's "#.##": two decimals, but none that are 0.
std::string Shortest(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.2f", number);
  std::string shortest = text;
  shortest.erase(shortest.find_last_not_of('0') + 1);
  if (shortest.back() == '.') shortest.pop_back();
  return shortest;
}

std::string WallClock(bool cpp) {
  const auto now = std::chrono::system_clock::now();
  const std::time_t wall = std::chrono::system_clock::to_time_t(now);
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
  std::tm parts;
  localtime_r(&wall, &parts);
  char day[32], text[48];
  std::strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &parts);
  if (cpp) return day;
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
  std::string text = plan_.label + WallClock(plan_.style.cpp) + " " +
                     std::to_string(static_cast<uint64_t>(now)) + " sec: " + std::to_string(done) +
                     " operations;";
  if (done != 0 && !plan_.style.cpp) {
    text += " " + Shortest(static_cast<double>(done - last_done_) / std::max(now - last_line_, 1e-3)) +
            " current ops/sec;";
  }
  double left = done == 0 || done >= plan_.total
                    ? 0
                    : static_cast<double>(plan_.total - done) * now / static_cast<double>(done);
  if (plan_.max_seconds > 0) left = std::min(left, plan_.max_seconds - now);
  if (left > 0 && !plan_.style.cpp) text += " est completion in " + RemainingText(left);
  last_line_ = now;
  last_done_ = done;
  Measurements all;
  for (const Measurements& answer : answered_) all.Merge(answer);
  text += StatusText(all.Since(before_), plan_.style);
  before_ = std::move(all);
  return text;
}

namespace {

std::string HdrText(const std::string& name, const Measured& measured) {
  const LatencyHistogram& times = measured.nanoseconds;
  std::string text = " [" + name + ": Count=" + std::to_string(measured.operations()) +
                     ", Max=" + Microseconds(times.max()) + ", Min=" + Microseconds(times.min()) +
                     ", Avg=" + Decimal(times.mean() / 1000);
  for (const char* percent : {"50", "90", "99", "99.9", "99.99"})
    text += std::string(", ") + percent + "=" + Microseconds(times.Percentile(std::strtod(percent, nullptr)));
  return text + "]";
}

std::string CppText(std::string name, const Measured& measured) {
  std::erase(name, '-');  // READMODIFYWRITE
  const LatencyHistogram& times = measured.nanoseconds;
  char text[160];
  std::snprintf(text, sizeof text, " [%s: Count=%llu Max=%.2f Min=%.2f Avg=%.2f", name.c_str(),
                static_cast<unsigned long long>(measured.operations()),
                static_cast<double>(times.max()) / 1e3, static_cast<double>(times.min()) / 1e3,
                times.mean() / 1e3);
  std::string line = text;
  for (const char* percent : {"90", "99", "99.9", "99.99"}) {
    std::snprintf(text, sizeof text, " %s=%.2f", percent,
                  static_cast<double>(times.Percentile(std::strtod(percent, nullptr))) / 1e3);
    line += text;
  }
  return line + "]";
}

}  // namespace

std::string StatusText(const Measurements& interval, const StatusStyle& style) {
  std::string text;
  for (int i = 0; i < kMetrics; ++i) {
    const Measured& measured = interval.of(static_cast<Metric>(i));
    if (measured.operations() == 0) continue;
    const std::string name = MetricName(static_cast<Metric>(i));
    if (style.cpp) {
      text += CppText(name, measured);
      continue;
    }
    for (const MeasurementType type : style.types) {
      const std::string named = NameOf(name, type, style.types.size());
      const std::string average = Shortest(measured.nanoseconds.mean() / 1000);
      if (type == MeasurementType::kHdr)
        text += HdrText(named, measured);
      else if (type == MeasurementType::kRaw)
        text += " " + named + " count: " + std::to_string(measured.operations()) +
                ", average latency(us): " + average;
      else
        text += " [" + named + " AverageLatency(us)=" + average + "]";
    }
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
