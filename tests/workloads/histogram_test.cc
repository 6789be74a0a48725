// The latency histogram against exact order statistics.
#include "workloads/histogram.h"

#include <gtest/gtest.h>

#include <vector>

#include "workloads/generators.h"

namespace workloads {
namespace {

TEST(Histogram, EmptyIsZero) {
  const LatencyHistogram h;
  EXPECT_EQ(h.count(), 0u);
  EXPECT_EQ(h.min(), 0u);
  EXPECT_EQ(h.max(), 0u);
  EXPECT_EQ(h.mean(), 0);
  EXPECT_EQ(h.Percentile(99), 0u);
}

TEST(Histogram, SmallValuesAreExact) {
  LatencyHistogram h;
  for (uint64_t v = 1; v <= 100; ++v) h.Record(v);
  EXPECT_EQ(h.Percentile(0), 1u);
  EXPECT_EQ(h.Percentile(50), 50u);
  EXPECT_EQ(h.Percentile(95), 95u);
  EXPECT_EQ(h.Percentile(99), 99u);
  EXPECT_EQ(h.Percentile(100), 100u);
  EXPECT_EQ(h.mean(), 50.5);
}

TEST(Histogram, EveryBucketHoldsItsValueAndIsNarrow) {
  std::vector<uint64_t> values = {0, 1, 255, 256, 257, 511, 512, 513, ~0ull, ~0ull - 1, 1ull << 63};
  Random random(1);
  for (int i = 0; i < 2000; ++i) values.push_back(random.Next() >> random.Below(64));
  for (const uint64_t value : values) {
    LatencyHistogram h;
    h.Record(value);
    int buckets = 0;
    h.ForEachBucket([&](uint64_t first, uint64_t last, uint64_t count) {
      ++buckets;
      EXPECT_EQ(count, 1u);
      EXPECT_LE(first, value);
      EXPECT_GE(last, value);
      EXPECT_LE(last - first, first / 256) << value;
    });
    EXPECT_EQ(buckets, 1);
    EXPECT_EQ(h.Percentile(50), value);  // never beyond the maximum
  }
}

TEST(Histogram, PercentilesOfManyValues) {
  LatencyHistogram h, half, other;
  std::vector<uint64_t> values;
  Random random(2);
  for (int i = 0; i < 50'000; ++i) {
    const uint64_t value = 100 + (random.Next() >> (40 + random.Below(24)));
    values.push_back(value);
    h.Record(value);
    (i % 2 == 0 ? half : other).Record(value);
  }
  std::sort(values.begin(), values.end());
  half.Merge(other);
  for (const double p : {0.1, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
    const uint64_t exact = values[static_cast<size_t>(std::ceil(p / 100 * 50'000)) - 1];
    EXPECT_GE(h.Percentile(p), exact) << p;
    EXPECT_LE(h.Percentile(p), exact + exact / 256 + 1) << p;
    EXPECT_EQ(half.Percentile(p), h.Percentile(p));
  }
  EXPECT_EQ(half.count(), 50'000u);
  EXPECT_EQ(half.min(), values.front());
  EXPECT_EQ(half.max(), values.back());
  EXPECT_EQ(half.mean(), h.mean());
  LatencyHistogram low, high;
  low.Record(3);
  high.Record(1000);
  LatencyHistogram both = high;
  both.Merge(low);
  EXPECT_EQ(both.min(), 3u);
  EXPECT_EQ(both.max(), 1000u);
  low.Merge(high);
  EXPECT_EQ(low.min(), 3u);
  EXPECT_EQ(low.max(), 1000u);
  half.Clear();
  EXPECT_EQ(half.count(), 0u);
}

}  // namespace
}  // namespace workloads
