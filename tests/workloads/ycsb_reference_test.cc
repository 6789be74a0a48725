// Our generators against YCSB's published definition (ycsb_reference.h), number by number: both get the same
// random numbers and must name the same keys, with no tolerance.
#include "tests/workloads/ycsb_reference.h"

#include <gtest/gtest.h>

#include "workloads/generators.h"

namespace workloads {
namespace {

constexpr int kDraws = 20'000;

KeyOptions Loaded(Distribution distribution, uint64_t start, uint64_t count) {
  KeyOptions options;
  options.distribution = distribution;
  options.insert_start = start;
  options.insert_count = count;
  return options;
}

TEST(YcsbReference, Fnv) {
  for (uint64_t i = 0; i < 100'000; ++i)
    ASSERT_EQ(FnvHash64(i), ycsb_reference::Fnv(static_cast<int64_t>(i)));
  Random random(1);
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t number = random.Next() >> 1;
    ASSERT_EQ(FnvHash64(number), ycsb_reference::Fnv(static_cast<int64_t>(number)));
  }
}

TEST(YcsbReference, KeyNames) {
  for (const bool hashed : {false, true}) {
    for (const int padding : {1, 8, 25}) {
      for (int64_t number = 0; number < 2000; ++number)
        ASSERT_EQ(KeyName(static_cast<uint64_t>(number), hashed, static_cast<uint32_t>(padding)),
                  ycsb_reference::KeyName(number, padding, !hashed));
    }
  }
}

TEST(YcsbReference, Zipfian) {
  for (const double theta : {0.2, 0.8, 0.99}) {
    for (const uint64_t items : {3ull, 10ull, 1000ull, 300'000ull}) {
      const ZipfianGenerator ours(17, 16 + items, theta);
      ycsb_reference::Zipfian theirs(17, static_cast<int64_t>(16 + items), theta);
      Random random(2), same(2);
      for (int i = 0; i < kDraws; ++i)
        ASSERT_EQ(ours.Next(random), static_cast<uint64_t>(theirs.Next(same.NextDouble()))) << items;
    }
  }
}

// What requestdistribution=zipfian draws: a range that ends one beyond the last key and what inserts are
// expected to add, and draws beyond the last acknowledged key are drawn again.
TEST(YcsbReference, ScrambledZipfianWithRedraws) {
  for (const uint64_t expected : {0u, 200u}) {
    KeyOptions options = Loaded(Distribution::kZipfian, 50, 1000);
    options.expected_new_keys = expected;
    AcknowledgedCounter inserted(1050);
    KeyChooser ours(options, &inserted);
    ycsb_reference::ScrambledZipfian theirs(50, static_cast<int64_t>(50 + 1000 + expected));
    Random random(3), same(3);
    int redraws = 0;
    for (int i = 0; i < kDraws; ++i) {
      if (i % 200 == 0 && expected != 0) {
        ASSERT_TRUE(inserted.Acknowledge(inserted.Next()));
      }
      int64_t key;
      while ((key = theirs.Next(same.NextDouble())) > static_cast<int64_t>(inserted.Last())) ++redraws;
      ASSERT_EQ(ours.Next(random), static_cast<uint64_t>(key)) << i;
    }
    EXPECT_GT(redraws, 0);
  }
}

// The key space grows by inserts; a number that is drawn but not acknowledged is not there yet.
TEST(YcsbReference, LatestWhileKeysAreInserted) {
  for (const uint64_t start : {100u, 5000u}) {
    AcknowledgedCounter inserted(start);
    KeyChooser ours(Loaded(Distribution::kLatest, 0, start), &inserted);
    ycsb_reference::Latest theirs(static_cast<int64_t>(start) - 1);
    Random random(4), same(4);
    uint64_t held = 0;  // drawn, and acknowledged out of order
    for (int i = 0; i < kDraws; ++i) {
      if (i % 5 == 0) {
        const uint64_t number = inserted.Next();
        if (i % 3 == 0 && held == 0)
          held = number;
        else
          ASSERT_TRUE(inserted.Acknowledge(number));
      }
      if (i % 97 == 0 && held != 0) {
        ASSERT_TRUE(inserted.Acknowledge(held));
        held = 0;
      }
      const int64_t key = theirs.Next(static_cast<int64_t>(inserted.Last()), same.NextDouble());
      ASSERT_EQ(ours.Next(random), static_cast<uint64_t>(key)) << start << " " << i;
    }
    EXPECT_GT(inserted.Last(), start + kDraws / 8);
  }
}

TEST(YcsbReference, Hotspot) {
  for (const double data : {0.2, 0.37}) {
    KeyOptions options = Loaded(Distribution::kHotspot, 10, 995);
    options.hot_data = data;
    options.hot_operations = 0.7;
    const AcknowledgedCounter loaded(1005);
    KeyChooser ours(options, &loaded);
    const ycsb_reference::Hotspot theirs(10, 1004, data, 0.7);
    Random random(5), same(5);
    for (int i = 0; i < kDraws; ++i) {
      const double u = same.NextDouble();
      const uint64_t pick = same.Below(static_cast<uint64_t>(theirs.IsHot(u) ? theirs.hot : theirs.cold));
      ASSERT_EQ(ours.Next(random), static_cast<uint64_t>(theirs.Key(u, static_cast<int64_t>(pick))));
    }
  }
}

// Counted from the last acknowledged key backwards, and drawn again below 0.
TEST(YcsbReference, Exponential) {
  KeyOptions options = Loaded(Distribution::kExponential, 0, 1000);
  AcknowledgedCounter inserted(1000);
  KeyChooser ours(options, &inserted);
  Random random(6), same(6);
  int redraws = 0;
  for (int i = 0; i < kDraws; ++i) {
    if (i % 100 == 0) {
      ASSERT_TRUE(inserted.Acknowledge(inserted.Next()));
    }
    int64_t key = -1;
    for (;; ++redraws) {
      const double age = ycsb_reference::Exponential(95, 1000 * 0.8571428571, 1 - same.NextDouble());
      key = static_cast<int64_t>(inserted.Last()) - static_cast<int64_t>(age);
      if (key >= 0) break;
    }
    ASSERT_EQ(ours.Next(random), static_cast<uint64_t>(key)) << i;
  }
  EXPECT_GT(redraws, 0);
}

TEST(YcsbReference, UniformAndSequential) {
  const AcknowledgedCounter loaded(107);
  KeyChooser uniform(Loaded(Distribution::kUniform, 7, 100), &loaded);
  KeyChooser sequential(Loaded(Distribution::kSequential, 7, 100), &loaded);
  Random random(7), same(7);
  for (uint64_t i = 0; i < kDraws; ++i) {
    ASSERT_EQ(uniform.Next(random), 7 + same.Below(100));
    ASSERT_EQ(sequential.Next(random), 7 + i % 100);
  }
}

TEST(YcsbReference, OperationsByTheirWeights) {
  const std::vector<std::vector<double>> mixes = {{0.95, 0.05}, {0.5, 0.3, 0.2}, {1, 1, 2}, {0.1, 0.1, 0.1}};
  constexpr Operation kOperations[] = {Operation::kRead, Operation::kUpdate, Operation::kInsert};
  for (const std::vector<double>& weights : mixes) {
    OperationChooser ours;
    for (size_t i = 0; i < weights.size(); ++i) ours.Add(kOperations[i], weights[i]);
    Random random(8), same(8);
    for (int i = 0; i < kDraws; ++i)
      ASSERT_EQ(ours.Next(random), kOperations[ycsb_reference::Discrete(weights, same.NextDouble())]);
  }
}

}  // namespace
}  // namespace workloads
