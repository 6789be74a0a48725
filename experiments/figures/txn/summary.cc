#include "experiments/figures/txn/summary.h"

#include <algorithm>

#include "experiments/bench/statistics.h"

namespace experiments::figures::txn {

using workloads::txn::CommitRun;
using workloads::txn::RunResult;
using workloads::txn::Sample;

namespace {

double Share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// Sample i is of the time from Begin(i) to samples[i].seconds.
double Begin(const std::vector<Sample>& samples, size_t i) { return i == 0 ? 0 : samples[i - 1].seconds; }
uint64_t Before(const std::vector<Sample>& samples, size_t i) {
  return i == 0 ? 0 : samples[i - 1].committed;
}

}  // namespace

Metrics RunMetrics(const RunResult& result, uint64_t threads) {
  const double seconds = std::max(result.seconds, 1e-9);
  const uint64_t attempts = result.committed + result.conflicts + result.shifts;
  Metrics metrics = {{"throughput", static_cast<double>(result.committed) / seconds},
                     {"abort_rate", Share(result.conflicts + result.shifts, attempts)},
                     {"conflict_rate", Share(result.conflicts, attempts)},
                     {"shift_rate", Share(result.shifts, attempts)},
                     {"given_up_rate", Share(result.given_up, result.given_up + result.committed)},
                     {"commits", static_cast<double>(result.commits.size())},
                     {"group_commits_per_second", static_cast<double>(result.group_commits) / seconds}};
  if (result.committed != 0) {
    metrics.emplace_back("transaction_ns", static_cast<double>(threads) * seconds * 1e9 /
                                               static_cast<double>(result.committed));
  }
  if (result.latency.count() != 0) {
    metrics.insert(metrics.end(), {{"latency_mean_ns", result.latency.mean()},
                                   {"latency_p50_ns", static_cast<double>(result.latency.Percentile(50))},
                                   {"latency_p99_ns", static_cast<double>(result.latency.Percentile(99))}});
  }
  return metrics;
}

Metrics BreakdownMetrics(const workloads::txn::BreakdownNs& times) {
  const double sum = times.exec + times.tail + times.log + times.abort;
  if (!(sum > 0)) return {};
  const double percent = 100 / sum;
  return {{"exec_ns", times.exec},
          {"tail_ns", times.tail},
          {"log_ns", times.log},
          {"abort_ns", times.abort},
          {"exec_percent", times.exec * percent},
          {"tail_percent", times.tail * percent},
          {"log_percent", times.log * percent},
          {"abort_percent", times.abort * percent}};
}

std::vector<double> Rates(const std::vector<Sample>& samples) {
  std::vector<double> rates;
  for (size_t i = 0; i < samples.size(); ++i) {
    const double width = std::max(samples[i].seconds - Begin(samples, i), 1e-6);
    rates.push_back(static_cast<double>(samples[i].committed - Before(samples, i)) / width);
  }
  return rates;
}

Metrics CommitMetrics(const std::vector<Sample>& samples, const std::vector<CommitRun>& commits) {
  const std::vector<double> rates = Rates(samples);
  std::vector<double> rest, lengths;
  std::vector<const CommitRun*> good;
  for (const CommitRun& commit : commits) {
    if (commit.status != faster::Status::kOk) continue;
    good.push_back(&commit);
    lengths.push_back(commit.ended - commit.requested);
  }
  for (size_t i = 0; i < samples.size(); ++i) {
    const bool touched = std::any_of(commits.begin(), commits.end(), [&](const CommitRun& commit) {
      return Begin(samples, i) < commit.ended && commit.requested < samples[i].seconds;
    });
    if (!touched) rest.push_back(rates[i]);
  }
  if (rest.empty() || !(bench::Median(rest) > 0)) return {};
  const double usual = bench::Median(rest);
  Metrics metrics = {{"rest_throughput", usual}}, each;
  std::vector<double> ratios;
  for (size_t k = 0; k < good.size(); ++k) {
    double seconds = 0;
    uint64_t committed = 0;
    for (size_t i = 0; i < samples.size(); ++i) {
      if (Begin(samples, i) < good[k]->requested || samples[i].seconds > good[k]->ended) continue;
      seconds += samples[i].seconds - Begin(samples, i);
      committed += samples[i].committed - Before(samples, i);
    }
    if (!(seconds > 0)) continue;
    const double rate = static_cast<double>(committed) / seconds;
    ratios.push_back(rate / usual);
    const std::string number = "_" + std::to_string(k + 1);
    each.insert(each.end(), {{"commit_throughput" + number, rate}, {"commit_ratio" + number, rate / usual}});
  }
  if (!lengths.empty()) metrics.emplace_back("commit_seconds", bench::Median(lengths));
  if (!ratios.empty()) metrics.emplace_back("commit_ratio", bench::Median(ratios));
  metrics.insert(metrics.end(), each.begin(), each.end());
  return metrics;
}

}  // namespace experiments::figures::txn
