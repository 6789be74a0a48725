#include "experiments/bench/scaling_parts.h"

#include <algorithm>
#include <bit>
#include <cstdio>

#include "experiments/bench/device_rate.h"

namespace experiments::bench {
namespace {

constexpr double kStraight = 0.25;  // deviation from the line up to which a cost counts as linear

}  // namespace

uint64_t Sum(const std::vector<uint64_t>& numbers) {
  uint64_t sum = 0;
  for (const uint64_t number : numbers) sum += number;
  return sum;
}

std::string Mebibytes(uint64_t mebibytes) {
  return mebibytes % 1024 == 0 ? std::to_string(mebibytes / 1024) + " GiB"
                               : std::to_string(mebibytes) + " MiB";
}

uint64_t MemoryOfKeys(uint64_t keys, uint64_t threads) {
  return std::bit_ceil(keys * 24 * 2) + std::bit_ceil(keys / 2 + 1) * 80 +
         std::clamp<uint64_t>(keys * 2, 1 << 20, 1 << 24) * 8 * threads + (uint64_t{256} << 20);
}

std::string Amount(uint64_t number) {
  if (number >= 1'000'000 && number % 100'000 == 0) {
    char text[32];
    std::snprintf(text, sizeof text, "%g M", static_cast<double>(number) / 1e6);
    return text;
  }
  return number >= 1000 && number % 1000 == 0 ? std::to_string(number / 1000) + " K" : std::to_string(number);
}

bool Scaling::TooLarge(const std::string& what, uint64_t memory, uint64_t disk) {
  const uint64_t available = AvailableMemory(), free = FreeBytes(plan_.folder);
  char why[160];
  if (memory > available) {
    std::snprintf(why, sizeof why, "needs about %.1f GB of memory, %.1f GB are available",
                  static_cast<double>(memory) / 1e9, static_cast<double>(available) / 1e9);
  } else if (disk > free) {
    std::snprintf(why, sizeof why, "needs about %.1f GB of disk, %.1f GB are free",
                  static_cast<double>(disk) / 1e9, static_cast<double>(free) / 1e9);
  } else {
    return false;
  }
  report_.LeaveOut(what, why);
  return true;
}

// y in seconds; `slope` names the cost of one more unit of x, scaled by slope_unit.
void Scaling::AddFit(const std::string& cell, const std::vector<Point>& points, const std::string& slope,
                     double slope_unit) {
  if (points.size() < 2) return;
  const Line line = FitLine(points);
  const double worst = WorstDeviation(line, points);
  const std::string verdict = points.size() < 3    ? "two sizes show no line"
                              : worst <= kStraight ? "linear"
                                                   : "not linear";
  char text[200];
  std::snprintf(text, sizeof text,
                "%-26s line through the medians: %.4f s + %.4g %s; residual %.1f %% (<= %.0f %%): %s",
                cell.c_str(), line.fixed, line.slope * slope_unit, slope.c_str(), worst * 100,
                kStraight * 100, verdict.c_str());
  report_.Say(text);
  report_.json()["fits"].push_back({{"cell", cell},
                                    {"fixed_seconds", line.fixed},
                                    {"slope", line.slope * slope_unit},
                                    {"slope_unit", slope},
                                    {"largest_deviation", worst},
                                    {"verdict", verdict}});
}

}  // namespace experiments::bench
