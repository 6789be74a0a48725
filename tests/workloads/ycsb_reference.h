// YCSB's generators, stated a second time from its published definition (core/src/main/java/site/ycsb of
// YCSB 0.18-SNAPSHOT, Utils and generator/), for comparison number by number. Nothing here comes from
// workloads/: where Java draws from its thread's random numbers, these take what was drawn.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace ycsb_reference {

// Utils.fnvhash64: Java's long, so the product wraps and abs() is of a signed number.
inline int64_t Fnv(int64_t number) {
  int64_t hash = static_cast<int64_t>(0xCBF29CE484222325ull);
  for (int octets = 0; octets < 8; ++octets) {
    const int64_t octet = number & 0xff;
    number = number >> 8;
    hash = hash ^ octet;
    hash = static_cast<int64_t>(static_cast<uint64_t>(hash) * 1099511628211ull);
  }
  return hash < 0 ? -hash : hash;
}

// CoreWorkload.buildKeyName.
inline std::string KeyName(int64_t number, int padding, bool ordered) {
  const std::string digits = std::to_string(ordered ? number : Fnv(number));
  std::string name = "user";
  for (int fill = padding - static_cast<int>(digits.size()); fill > 0; --fill) name += '0';
  return name + digits;
}

class Zipfian {
 public:
  Zipfian(int64_t min, int64_t max, double theta)
      : Zipfian(min, max, theta, Sum(0, max - min + 1, theta, 0)) {}
  Zipfian(int64_t min, int64_t max, double theta, double zetan)
      : items_(max - min + 1),
        base_(min),
        theta_(theta),
        zetan_(zetan),
        zeta2_(Sum(0, 2, theta, 0)),
        counted_(max - min + 1) {
    SetEta();
  }
  int64_t Next(double u) { return NextOf(items_, u); }
  int64_t NextOf(int64_t count, double u) {
    if (count > counted_) {
      zetan_ = Sum(counted_, count, theta_, zetan_);
      counted_ = count;
      SetEta();
    }
    const double uz = u * zetan_;
    if (uz < 1.0) return base_;
    if (uz < 1.0 + std::pow(0.5, theta_)) return base_ + 1;
    const double alpha = 1.0 / (1.0 - theta_);
    return base_ + static_cast<int64_t>(static_cast<double>(count) * std::pow(eta_ * u - eta_ + 1, alpha));
  }

 private:
  static double Sum(int64_t from, int64_t to, double theta, double sum) {
    for (int64_t i = from; i < to; ++i) sum += 1 / std::pow(static_cast<double>(i + 1), theta);
    return sum;
  }
  void SetEta() {  // of the items at the beginning, whatever `counted_` is
    eta_ = (1 - std::pow(2.0 / static_cast<double>(items_), 1 - theta_)) / (1 - zeta2_ / zetan_);
  }

  const int64_t items_, base_;
  const double theta_;
  double zetan_;
  const double zeta2_;
  int64_t counted_;
  double eta_ = 0;
};

class ScrambledZipfian {
 public:
  ScrambledZipfian(int64_t min, int64_t max)
      : min_(min), count_(max - min + 1), ranks_(0, 10000000000, 0.99, 26.46902820178302) {}
  int64_t Next(double u) { return min_ + Fnv(ranks_.Next(u)) % count_; }

 private:
  const int64_t min_, count_;
  Zipfian ranks_;
};

// SkewedLatestGenerator over a counter; the caller says what its last value is.
class Latest {
 public:
  explicit Latest(int64_t last) : ages_(0, last - 1, 0.99) {}
  int64_t Next(int64_t last, double u) { return last - ages_.NextOf(last, u); }

 private:
  Zipfian ages_;
};

// HotspotIntegerGenerator: `pick` is the number drawn within a set of `size` keys.
struct Hotspot {
  Hotspot(int64_t low, int64_t high, double data, double operations)
      : low(low),
        hot(static_cast<int>(static_cast<double>(high - low + 1) * data)),
        cold(high - low + 1 - hot),
        operations(operations) {}
  bool IsHot(double u) const { return u < operations; }
  int64_t Key(double u, int64_t pick) const { return IsHot(u) ? low + pick : low + hot + pick; }
  int64_t low, hot, cold;
  double operations;
};

// ExponentialGenerator; Java's u is from (0, 1] turned round by the caller.
inline double Exponential(double percentile, double range, double u) {
  const double gamma = -std::log(1.0 - percentile / 100.0) / range;
  return -std::log(u) / gamma;
}

// DiscreteGenerator: the place of the operation that u chooses.
inline size_t Discrete(const std::vector<double>& weights, double u) {
  double sum = 0;
  for (const double weight : weights) sum += weight;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (u < weights[i] / sum) return i;
    u -= weights[i] / sum;
  }
  return weights.size();
}

}  // namespace ycsb_reference
