#include "experiments/figures/time_series/shape.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include "experiments/bench/statistics.h"

namespace experiments::figures::time_series {
namespace {

using workloads::ycsb::CheckpointEvent;

constexpr double kBack = 0.9;
constexpr size_t kInARow = 3;

double From(const std::vector<double>& requests) { return requests.empty() ? INFINITY : requests.front(); }

// Samples [first, last) that ended within a checkpoint's window.
struct Window {
  size_t first = 0, last = 0;
  double requested = 0;
};
std::vector<Window> Windows(const std::vector<Sample>& samples, const std::vector<double>& requests) {
  std::vector<Window> windows;
  const auto after = [&](double time) {
    return static_cast<size_t>(
        std::lower_bound(samples.begin(), samples.end(), time,
                         [](const Sample& sample, double when) { return sample.seconds < when; }) -
        samples.begin());
  };
  for (size_t i = 0; i < requests.size(); ++i) {
    const size_t last = i + 1 < requests.size() ? after(requests[i + 1]) : samples.size();
    windows.push_back({after(requests[i]), last, requests[i]});
  }
  return windows;
}

std::vector<double> Before(const std::vector<Sample>& samples, double end, double Sample::*what) {
  std::vector<double> values;
  for (const Sample& sample : samples) {
    if (sample.seconds < end && !std::isnan(sample.*what)) values.push_back(sample.*what);
  }
  return values;
}

double Width(const std::vector<Sample>& samples, size_t i) {
  return samples[i].seconds - (i == 0 ? 0 : samples[i - 1].seconds);
}

// Over the time that the samples [first, last) cover.
double Average(const std::vector<Sample>& samples, size_t first, size_t last) {
  double work = 0, time = 0;
  for (size_t i = first; i < last; ++i) {
    work += samples[i].mops * Width(samples, i);
    time += Width(samples, i);
  }
  return time > 0 ? work / time : 0;
}

// The first of the samples in a row that average least.
size_t LowestRow(const std::vector<Sample>& samples, const Window& window) {
  size_t lowest = window.first;
  for (size_t i = window.first; i + kInARow <= window.last; ++i) {
    if (Average(samples, i, i + kInARow) < Average(samples, lowest, lowest + kInARow)) lowest = i;
  }
  return lowest;
}

double Recovery(const std::vector<Sample>& samples, const Window& window, double rest) {
  // Throughput falls first: the search begins where it is lowest.
  for (size_t i = LowestRow(samples, window); i + kInARow <= window.last; ++i) {
    if (Average(samples, i, i + kInARow) >= kBack * rest)
      return (i == 0 ? 0 : samples[i - 1].seconds) - window.requested;
  }
  return samples[window.last - 1].seconds - window.requested;
}

}  // namespace

Metrics ThroughputShape(const std::vector<Sample>& samples, const std::vector<double>& requests) {
  Metrics metrics;
  const std::vector<double> before = Before(samples, From(requests), &Sample::mops);
  if (before.empty()) return metrics;
  const double rest = bench::Median(before);
  metrics.emplace_back("rest_mops", rest);
  double dip = 0, lost = 0, recovered = 1, ahead = rest;
  int number = 0;
  Metrics each;
  for (const Window& window : Windows(samples, requests)) {
    const std::string k = "_" + std::to_string(++number);
    if (window.last - window.first < kInARow) continue;
    const size_t row = LowestRow(samples, window);
    const double lowest = Average(samples, row, row + kInARow);
    const size_t quarter = std::max<size_t>(1, (window.last - window.first) / 4);
    const double after = Average(samples, window.last - quarter, window.last);
    const double around = (ahead + after) / 2;
    double here = 0;
    for (size_t i = window.first; i < window.last; ++i)
      here += (1 - samples[i].mops / around) * Width(samples, i);
    recovered = after / rest;
    ahead = after;
    dip = std::max(dip, 1 - lowest / rest);
    lost += here;
    each.insert(each.end(), {{"dip" + k, 1 - lowest / rest},
                             {"lost_seconds" + k, here},
                             {"recovery_seconds" + k, Recovery(samples, window, rest)},
                             {"recovered" + k, recovered}});
  }
  if (each.empty()) return metrics;
  metrics.insert(metrics.end(), {{"dip", dip}, {"lost_seconds", lost}, {"recovered", recovered}});
  metrics.insert(metrics.end(), each.begin(), each.end());
  return metrics;
}

Metrics LatencyShape(const std::vector<Sample>& samples, const std::vector<double>& requests) {
  const std::vector<double> before = Before(samples, From(requests), &Sample::latency_mean_ns);
  if (before.empty()) return {};
  const double rest = bench::Median(before);
  Metrics metrics = {
      {"latency_rest_ns", rest},
      {"latency_p99_rest_ns", bench::Median(Before(samples, From(requests), &Sample::latency_p99_ns))}};
  double highest = 0, highest_p99 = 0;
  int number = 0;
  Metrics each;
  std::vector<double> during;
  for (const Sample& sample : samples) {
    if (sample.phase != faster::Phase::kRest && !std::isnan(sample.latency_mean_ns))
      during.push_back(sample.latency_mean_ns);
  }
  if (!during.empty()) metrics.emplace_back("latency_during", bench::Median(during) / rest);
  for (const Window& window : Windows(samples, requests)) {
    const std::string k = "_" + std::to_string(++number);
    double here = 0;
    for (size_t i = window.first; i < window.last; ++i) {
      if (std::isnan(samples[i].latency_mean_ns)) continue;
      here = std::max(here, samples[i].latency_mean_ns);
      highest_p99 = std::max(highest_p99, samples[i].latency_p99_ns);
    }
    if (here == 0) continue;
    highest = std::max(highest, here);
    each.insert(each.end(), {{"latency_spike_ns" + k, here}, {"latency_spike" + k, here / rest}});
  }
  if (each.empty()) return metrics;
  metrics.insert(metrics.end(), {{"latency_spike_ns", highest},
                                 {"latency_spike", highest / rest},
                                 {"latency_p99_spike_ns", highest_p99}});
  metrics.insert(metrics.end(), each.begin(), each.end());
  return metrics;
}

std::vector<std::pair<faster::Phase, double>> PhaseSeconds(const CheckpointEvent& checkpoint) {
  std::vector<std::pair<faster::Phase, double>> seconds;
  const auto& phases = checkpoint.phases;
  for (size_t i = 0; i < phases.size(); ++i) {
    if (phases[i].first == faster::Phase::kRest) continue;
    // What is entered last ends when the store is at rest again; that is told, unless the run ended before.
    if (i + 1 < phases.size()) seconds.emplace_back(phases[i].first, phases[i + 1].second - phases[i].second);
  }
  return seconds;
}

Metrics PhaseShape(const std::vector<CheckpointEvent>& checkpoints) {
  std::map<faster::Phase, std::vector<double>> phases;
  std::vector<double> whole;
  for (const CheckpointEvent& checkpoint : checkpoints) {
    if (!checkpoint.durable()) continue;
    whole.push_back(checkpoint.ended - checkpoint.requested);
    for (const auto& [phase, seconds] : PhaseSeconds(checkpoint)) phases[phase].push_back(seconds);
  }
  if (whole.empty()) return {};
  Metrics metrics;
  double flush = 0, other = 0;
  for (const auto& [phase, seconds] : phases) {
    const double median = bench::Median(seconds);
    metrics.emplace_back("phase_" + SnakeCase(PhaseName(phase)) + "_seconds", median);
    if (phase == faster::Phase::kWaitFlush)
      flush = median;
    else if (phase != faster::Phase::kIndex)
      other = std::max(other, median);
  }
  metrics.emplace_back("phase_others_seconds", other);
  if (other > 0) metrics.emplace_back("flush_over_others", flush / other);
  metrics.emplace_back("checkpoint_seconds", bench::Median(whole));
  return metrics;
}

std::string SnakeCase(std::string_view name) {
  std::string text;
  for (const char letter : name) {
    const bool upper = std::isupper(static_cast<unsigned char>(letter)) != 0;
    if (upper && !text.empty()) text += '_';
    text += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return text;
}

}  // namespace experiments::figures::time_series
