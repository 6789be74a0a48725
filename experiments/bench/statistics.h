// Statistics of a few rounds: medians, intervals, what they say about a bar, and straight lines through them.
// Plain functions of plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace experiments::bench {

double Median(std::vector<double> values);  // of at least one value
// By nearest rank; fraction in (0, 1].
double Percentile(std::vector<double> values, double fraction);

struct Interval {
  double low = 0, high = 0;
};
// What the true median is in with at least 90 % confidence, by order statistics (no assumption on the
// distribution): of 5 to 7 rounds their extremes. Fewer than 5 rounds have none.
std::optional<Interval> MedianInterval(std::vector<double> values);

struct Bar {
  double value = 0;
  bool at_least = true;  // else at most
};
// "holds" or "does not hold" if the whole interval lies on that side; else "not separable".
std::string_view Verdict(const std::vector<double>& values, const Bar& bar);

// y = fixed + slope * x, fitted so that the relative deviations are least, as sizes span orders of magnitude.
// The fixed part is not negative.
struct Line {
  double fixed = 0, slope = 0;
  double At(double x) const { return fixed + slope * x; }
};
struct Point {
  double x = 0, y = 0;  // both above 0
};
Line FitLine(const std::vector<Point>& points);
// The largest |y - line| / line over the points.
double WorstDeviation(const Line& line, const std::vector<Point>& points);

// The parts of "a,b,c"; empty ones too.
std::vector<std::string> Split(const std::string& text);

}  // namespace experiments::bench
