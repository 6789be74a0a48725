#include "experiments/figures/cut/cut.h"

#include <algorithm>

#include "experiments/bench/statistics.h"

namespace experiments::figures {

bool IsBuffered(const Cut& cut) {
  for (const SessionCut& outside : cut.sessions) {
    for (const SessionCut& inside : cut.sessions) {
      // Within one session the inner operation is always the earlier one.
      if (&outside != &inside && outside.first_returned < inside.last_invoked) return false;
    }
  }
  return true;
}

uint64_t Spread(const Cut& cut) {
  if (cut.sessions.empty()) return 0;
  const auto [least, most] =
      std::minmax_element(cut.sessions.begin(), cut.sessions.end(),
                          [](const SessionCut& a, const SessionCut& b) { return a.point < b.point; });
  return most->point - least->point;
}

CutMetrics MetricsOf(const std::vector<Cut>& cuts, const std::vector<Loss>& losses) {
  if (cuts.empty()) return {};
  std::vector<double> spreads, commits;
  double unbuffered = 0;
  for (const Cut& cut : cuts) {
    spreads.push_back(static_cast<double>(Spread(cut)) / 1e3);
    commits.push_back(static_cast<double>(cut.durable - cut.requested) / 1e6);
    unbuffered += !IsBuffered(cut);
  }
  CutMetrics metrics = {{"cuts", static_cast<double>(cuts.size())},
                        {"unbuffered_share", unbuffered / static_cast<double>(cuts.size())},
                        {"spread_us", bench::Median(spreads)},
                        {"spread_p95_us", bench::Percentile(spreads, 0.95)},
                        {"commit_ms", bench::Median(commits)}};
  if (losses.empty()) return metrics;
  Loss sum, most;
  for (const Loss& loss : losses) {
    sum.operations += loss.operations;
    sum.ns += loss.ns;
    most.operations = std::max(most.operations, loss.operations);
    most.ns = std::max(most.ns, loss.ns);
  }
  const auto count = static_cast<double>(losses.size());
  metrics.insert(metrics.end(), {{"lost_operations", static_cast<double>(sum.operations) / count},
                                 {"lost_ms", static_cast<double>(sum.ns) / count / 1e6},
                                 {"lost_most", static_cast<double>(most.operations)},
                                 {"lost_most_ms", static_cast<double>(most.ns) / 1e6}});
  return metrics;
}

}  // namespace experiments::figures
