// LatencyHistogram: counts of values in log-linear buckets (the layout of HdrHistogram), for nanoseconds.
//
// Values below 256 have a bucket each; above, every power of two has 256, so a bucket is at most 1/256 (0.4
// %) of its value wide. Covers all of uint64_t. One thread records; Merge() sums up threads. Cost: ~2 ns a
// Record, 114 KiB, of which only the touched buckets are ever in a cache.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace workloads {

class LatencyHistogram {
 public:
  LatencyHistogram() : counts_(kBuckets) {}

  void Record(uint64_t value) {
    ++counts_[BucketOf(value)];
    ++count_;
    sum_ += value;
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
  }
  void Merge(const LatencyHistogram& other) {
    for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
  }
  void Clear() { *this = LatencyHistogram(); }
  // What was recorded after `before`, an earlier copy of this one. Its min and max are known to their bucket.
  LatencyHistogram Since(const LatencyHistogram& before) const {
    LatencyHistogram later;
    for (size_t i = 0; i < kBuckets; ++i) {
      const uint64_t count = counts_[i] - before.counts_[i];
      if (count == 0) continue;
      later.counts_[i] = count;
      later.min_ = std::min(later.min_, std::max(FirstValueOf(i), min_));
      later.max_ = std::min(LastValueOf(i), max_);
    }
    later.count_ = count_ - before.count_;
    later.sum_ = sum_ - before.sum_;
    return later;
  }

  uint64_t count() const { return count_; }
  uint64_t min() const { return count_ == 0 ? 0 : min_; }
  uint64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_); }

  // The smallest value that at least `percentile` % of the values do not exceed, rounded up to the end of its
  // bucket but never beyond max(). 0 if nothing was recorded.
  uint64_t Percentile(double percentile) const {
    if (count_ == 0) return 0;
    const double wanted = std::ceil(std::clamp(percentile, 0.0, 100.0) / 100 * static_cast<double>(count_));
    const uint64_t rank = std::clamp<uint64_t>(static_cast<uint64_t>(wanted), 1, count_);
    uint64_t seen = 0;
    for (size_t i = 0; i < kBuckets; ++i) {
      seen += counts_[i];
      if (seen >= rank) return std::min(LastValueOf(i), max_);
    }
    return max_;
  }

  // Calls visit(first value, last value, count) for every bucket that is not empty, ascending.
  template <typename Visit>
  void ForEachBucket(Visit visit) const {
    for (size_t i = 0; i < kBuckets; ++i) {
      if (counts_[i] != 0) visit(FirstValueOf(i), LastValueOf(i), counts_[i]);
    }
  }

 private:
  static constexpr int kLinearBits = 8;
  static constexpr uint64_t kLinear = 1 << kLinearBits;
  static constexpr size_t kBuckets = (64 - kLinearBits + 1) * kLinear;

  // Bucket i >= 256 is in group g = i / 256, whose buckets are 2^(g-1) wide and begin at 2^(g+7).
  static size_t BucketOf(uint64_t value) {
    if (value < kLinear) return value;
    const int shift = std::bit_width(value) - 1 - kLinearBits;
    return (static_cast<size_t>(shift) + 1) * kLinear + (value >> shift) - kLinear;
  }
  static uint64_t FirstValueOf(size_t bucket) {
    if (bucket < kLinear) return bucket;
    const size_t shift = bucket / kLinear - 1;
    return (bucket % kLinear + kLinear) << shift;
  }
  static uint64_t LastValueOf(size_t bucket) {
    const uint64_t width = bucket < kLinear ? 1 : uint64_t{1} << (bucket / kLinear - 1);
    return FirstValueOf(bucket) + (width - 1);
  }

  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t min_ = ~uint64_t{0};
  uint64_t max_ = 0;
};

}  // namespace workloads
