#include "experiments/bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <sstream>

namespace experiments::bench {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double Percentile(std::vector<double> values, double fraction) {
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(fraction * static_cast<double>(values.size()));
  const size_t at = rank < 1 ? 0 : static_cast<size_t>(rank) - 1;
  return values[std::min(at, values.size() - 1)];
}

std::optional<Interval> MedianInterval(std::vector<double> values) {
  const size_t n = values.size();
  std::sort(values.begin(), values.end());
  // The interval from the k-th smallest to the k-th largest misses the median if fewer than k of n coins show
  // heads, or fewer than k tails.
  std::optional<Interval> best;
  double term = std::exp2(-static_cast<double>(n)), below = 0;
  for (size_t k = 1; 2 * k <= n; ++k) {
    below += term;
    term *= static_cast<double>(n - k + 1) / static_cast<double>(k);
    if (2 * below > 0.1) break;
    best = Interval{values[k - 1], values[n - k]};
  }
  return best;
}

std::string_view Verdict(const std::vector<double>& values, const Bar& bar) {
  const std::optional<Interval> interval = MedianInterval(values);
  if (!interval) return "not separable";
  const bool low = bar.at_least ? interval->low >= bar.value : interval->low <= bar.value;
  const bool high = bar.at_least ? interval->high >= bar.value : interval->high <= bar.value;
  if (low != high) return "not separable";
  return low ? "holds" : "does not hold";
}

namespace {

// Weighted by 1/y^2; `fixed` is held at 0 if `through_zero`.
Line Fit(const std::vector<Point>& points, bool through_zero) {
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (const Point& point : points) {
    const double weight = 1 / (point.y * point.y);
    n += weight;
    x += weight * point.x;
    y += weight * point.y;
    xx += weight * point.x * point.x;
    xy += weight * point.x * point.y;
  }
  const double determinant = n * xx - x * x;
  if (through_zero || determinant <= 1e-9 * n * xx) return {0, xx > 0 ? xy / xx : 0};
  return {(xx * y - x * xy) / determinant, (n * xy - x * y) / determinant};
}

}  // namespace

Line FitLine(const std::vector<Point>& points) {
  const Line line = Fit(points, false);
  return line.fixed < 0 ? Fit(points, true) : line;
}

double WorstDeviation(const Line& line, const std::vector<Point>& points) {
  double worst = 0;
  for (const Point& point : points) {
    const double expected = line.At(point.x);
    if (expected > 0) worst = std::max(worst, std::fabs(point.y - expected) / expected);
  }
  return worst;
}

std::vector<std::string> Split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

}  // namespace experiments::bench
