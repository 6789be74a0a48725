// The generators against YCSB's published formulas, computed here a second time, and against their
// distributions.
#include "workloads/generators.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <thread>

namespace workloads {
namespace {

TEST(FnvHash, KnownValues) {
  // FNV-1a of eight zero octets is basis * prime^8 mod 2^64, its absolute value taken as a signed number.
  uint64_t zero = 0xcbf29ce484222325ull;
  for (int i = 0; i < 8; ++i) zero *= 0x100000001b3ull;
  EXPECT_EQ(FnvHash64(0), zero >> 63 != 0 ? 0 - zero : zero);
  EXPECT_EQ(FnvHash64(0), 6284781860667377211ull);  // YCSB's first hashed key: user6284781860667377211
  EXPECT_EQ(FnvHash64(1), 8517097267634966620ull);
  for (uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(FnvHash64(i) >> 63, 0u);
}

TEST(KeyName, HashesAndPads) {
  EXPECT_EQ(KeyName(0, true, 1), "user6284781860667377211");
  EXPECT_EQ(KeyName(42, false, 1), "user42");
  EXPECT_EQ(KeyName(42, false, 6), "user000042");
}

// Terms from + 1 .. to of the sum, smallest first.
long double TermsReference(uint64_t from, uint64_t to, long double theta) {
  long double sum = 0;
  for (uint64_t i = to; i > from; --i) sum += 1 / std::pow(static_cast<long double>(i), theta);
  return sum;
}

TEST(Zeta, SumsAndConstant) {
  EXPECT_DOUBLE_EQ(Zeta(1, 0.99), 1);
  EXPECT_DOUBLE_EQ(Zeta(2, 0.99), 1 + std::pow(0.5, 0.99));
  EXPECT_NEAR(Zeta(1000, 0.99), static_cast<double>(TermsReference(0, 1000, 0.99L)), 1e-12);
  for (const double theta : {0.1, 0.99}) {  // over the border of the exact sum
    const double beyond = static_cast<double>(TermsReference(1'000'000, 1'020'000, theta));
    EXPECT_NEAR((Zeta(1'020'000, theta) - Zeta(1'000'000, theta)) / beyond, 1, 1e-8) << theta;
  }
  EXPECT_NEAR(Zeta(kScrambledItems, 0.99), kScrambledZeta, 1e-10);  // YCSB's own sum carries its rounding
}

// Gray et al.'s method as YCSB's ZipfianGenerator has it, in long double and step by step.
uint64_t RankReference(uint64_t items, long double theta, long double zetan, long double u) {
  const long double zeta2 = 1 + std::pow(0.5L, theta);
  const long double alpha = 1 / (1 - theta);
  const long double eta =
      (1 - std::pow(2.0L / static_cast<long double>(items), 1 - theta)) / (1 - zeta2 / zetan);
  const long double uz = u * zetan;
  if (uz < 1) return 0;
  if (uz < 1 + std::pow(0.5L, theta)) return 1;
  return static_cast<uint64_t>(static_cast<long double>(items) * std::pow(eta * u - eta + 1, alpha));
}

TEST(Zipfian, EveryRankIsTheFormulas) {
  for (const double theta : {0.1, 0.5, 0.9, 0.99}) {
    for (const uint64_t items : {uint64_t{3}, uint64_t{10}, uint64_t{1000}, uint64_t{100'000}}) {
      const ZipfianGenerator zipf(0, items - 1, theta);
      const long double zetan = TermsReference(0, items, theta);
      for (int i = 0; i < 2000; ++i) {
        const double u = (i + 0.37) / 2000;
        const uint64_t rank = zipf.RankOf(u), expected = RankReference(items, theta, zetan, u);
        EXPECT_LE(std::max(rank, expected) - std::min(rank, expected), 1u)
            << items << " " << theta << " " << u;
        if (expected < 2) {
          EXPECT_EQ(rank, expected);
        }
      }
    }
  }
}

TEST(Zipfian, BordersOfTheFirstTwoRanks) {
  for (const double theta : {0.1, 0.5, 0.99}) {
    const ZipfianGenerator zipf(0, 999, theta);
    const double first = 1 / zipf.zetan(), second = (1 + std::pow(0.5, theta)) / zipf.zetan();
    EXPECT_EQ(zipf.RankOf(0), 0u);
    EXPECT_EQ(zipf.RankOf(first - 1e-9), 0u);
    EXPECT_EQ(zipf.RankOf(first + 1e-9), 1u);
    EXPECT_EQ(zipf.RankOf(second - 1e-9), 1u);
    EXPECT_EQ(zipf.RankOf(second + 1e-9), RankReference(1000, theta, zipf.zetan(), second + 1e-9));
    EXPECT_GE(zipf.RankOf(second + 1e-9), 2u);
    EXPECT_LT(zipf.RankOf(std::nextafter(1.0, 0.0)), 1000u);
  }
}

TEST(Zipfian, MassOfTheHotKeysIsTheLaws) {
  const uint64_t items = 1000;
  ZipfianGenerator zipf(50, 50 + items - 1);
  Random random(1);
  std::map<uint64_t, double> counts;
  const int draws = 1'000'000;
  for (int i = 0; i < draws; ++i) ++counts[zipf.Next(random)];
  EXPECT_GE(counts.begin()->first, 50u);
  EXPECT_LT(counts.rbegin()->first, 50 + items);
  const double zeta = Zeta(items, 0.99);
  EXPECT_NEAR(counts[50] / draws, 1 / zeta, 0.002);  // exact for the first two
  EXPECT_NEAR(counts[51] / draws, std::pow(0.5, 0.99) / zeta, 0.002);
  double head = 0;
  for (uint64_t key = 50; key < 150; ++key) head += counts[key];
  EXPECT_NEAR(head / draws, Zeta(100, 0.99) / zeta, 0.02);  // the rest is Gray's approximation
}

TEST(Zipfian, GrownHasTheZetaOfANewOne) {
  ZipfianGenerator grown(0, 9);
  grown.GrowTo(10);
  for (uint64_t items = 11; items < 3000; items += 7) grown.GrowTo(items);
  const ZipfianGenerator fresh(0, grown.items() - 1);
  EXPECT_NEAR(grown.zetan(), fresh.zetan(), 1e-12);
  const double second = (1 + std::pow(0.5, 0.99)) / fresh.zetan();
  for (const double u : {0.0, 0.9 * second, 1.0 - 1e-12}) EXPECT_EQ(grown.RankOf(u), fresh.RankOf(u)) << u;
  const double zetan = grown.zetan();
  grown.GrowTo(500);  // never back
  EXPECT_EQ(grown.zetan(), zetan);
}

TEST(ScrambledZipfian, ScattersRanksOfTenBillionItems) {
  const ScrambledZipfianGenerator keys(100, 1099);
  for (uint64_t rank = 0; rank < 100; ++rank) EXPECT_EQ(keys.KeyOf(rank), 100 + FnvHash64(rank) % 1000);
  const ScrambledZipfianGenerator large(0, 9'999'999);
  Random random(2);
  const int draws = 1'000'000;
  int hottest = 0, second = 0;
  for (int i = 0; i < draws; ++i) {
    const uint64_t key = large.Next(random);
    ASSERT_LT(key, 10'000'000u);
    hottest += key == FnvHash64(0) % 10'000'000;
    second += key == FnvHash64(1) % 10'000'000;
  }
  EXPECT_NEAR(static_cast<double>(hottest) / draws, 1 / kScrambledZeta, 0.001);  // 3.78 %
  EXPECT_NEAR(static_cast<double>(second) / draws, std::pow(0.5, 0.99) / kScrambledZeta, 0.001);
}

TEST(ScrambledZipfian, InnerGeneratorHasYcsbsRange) {
  Random a(3), b(3);
  const ScrambledZipfianGenerator keys(0, 999);
  for (int i = 0; i < 10000; ++i) {
    const double u = b.NextDouble();
    const uint64_t rank = RankReference(kScrambledItems + 1, 0.99, kScrambledZeta, u);
    const uint64_t key = keys.Next(a);
    // Double and long double may round to neighbouring ranks far out in the tail, where ranks are 10^9.
    if (rank < 10'000) {
      EXPECT_EQ(key, FnvHash64(rank) % 1000) << u;
    }
  }
}

TEST(Counters, AcknowledgedAdvancesWithoutGaps) {
  AcknowledgedCounter counter(100);
  EXPECT_EQ(counter.Last(), 99u);
  EXPECT_EQ(counter.Next(), 100u);
  EXPECT_EQ(counter.Next(), 101u);
  EXPECT_EQ(counter.Next(), 102u);
  EXPECT_TRUE(counter.Acknowledge(101));
  EXPECT_EQ(counter.Last(), 99u);
  EXPECT_TRUE(counter.Acknowledge(100));
  EXPECT_EQ(counter.Last(), 101u);
  EXPECT_TRUE(counter.Acknowledge(102));
  EXPECT_EQ(counter.Last(), 102u);
  EXPECT_FALSE(counter.Acknowledge(102 + AcknowledgedCounter::kWindow + 1));
  EXPECT_TRUE(counter.Acknowledge(102 + AcknowledgedCounter::kWindow));
  EXPECT_FALSE(counter.Acknowledge(102 + AcknowledgedCounter::kWindow));
  EXPECT_EQ(counter.Last(), 102u);
}

TEST(Counters, NoAcknowledgementIsLostBetweenThreads) {
  AcknowledgedCounter counter(1);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&counter] {
      for (int i = 0; i < 50'000; ++i) {
        const uint64_t n = counter.Next();
        while (!counter.Acknowledge(n)) std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.Last(), 200'000u);
}

// Two threads acknowledge neighbours at the same moment, again and again: one of them must advance over both.
TEST(Counters, TheLastAcknowledgementIsNotLeftBehind) {
  constexpr uint64_t kRounds = 40'000;
  AcknowledgedCounter counter(1);
  std::atomic<uint64_t> arrived{0};
  std::atomic<uint64_t> left_behind{0};
  const auto body = [&](uint64_t mine) {
    for (uint64_t round = 0; round < kRounds; ++round) {
      arrived.fetch_add(1);
      for (int spins = 0; arrived.load() < 4 * round + 2; ++spins) {
        if (spins > 1000) std::this_thread::yield();
      }
      if (!counter.Acknowledge(2 * round + mine)) left_behind = round;
      arrived.fetch_add(1);
      for (int spins = 0; arrived.load() < 4 * round + 4; ++spins) {
        if (spins > 1000) std::this_thread::yield();
      }
      if (counter.Last() < 2 * round + 2) left_behind = round + 1;
    }
  };
  std::thread other(body, 2);
  body(1);
  other.join();
  EXPECT_EQ(left_behind.load(), 0u);
}

TEST(Latest, NewestIsHottestAndTheKeySpaceGrows) {
  AcknowledgedCounter counter(1000);
  SkewedLatestGenerator latest(&counter);
  Random random(4), same(4);
  const ZipfianGenerator ages(0, 998);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(latest.Next(random), 999 - ages.Next(same));
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(counter.Acknowledge(counter.Next()));
  ZipfianGenerator more(0, 998);
  more.GrowTo(1499);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(latest.Next(random), 1499 - more.Next(same));
}

TEST(Hotspot, FractionsHold) {
  const HotspotGenerator hotspot(10, 109, 0.2, 0.8);
  Random random(5);
  std::map<uint64_t, int> counts;
  for (int i = 0; i < 100'000; ++i) ++counts[hotspot.Next(random)];
  EXPECT_EQ(counts.begin()->first, 10u);
  EXPECT_EQ(counts.rbegin()->first, 109u);
  int hot = 0;
  for (uint64_t key = 10; key < 30; ++key) hot += counts[key];
  EXPECT_NEAR(hot, 80'000, 1000);
  EXPECT_NEAR(counts[29], 4000, 400);
  EXPECT_NEAR(counts[30], 250, 100);
}

TEST(Exponential, PercentileHolds) {
  const ExponentialGenerator exponential(95, 857.0);
  Random random(6);
  int below = 0, below_half = 0;
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t value = exponential.Next(random);
    below += value < 857;
    below_half += value < 428;
  }
  EXPECT_NEAR(below, 95'000, 400);
  EXPECT_NEAR(below_half, 100'000 * (1 - std::sqrt(0.05)), 800);
}

TEST(Operations, WeightsInOrder) {
  OperationChooser chooser;
  EXPECT_TRUE(chooser.empty());
  chooser.Add(Operation::kRead, 0.5);
  chooser.Add(Operation::kUpdate, 0.25);
  chooser.Add(Operation::kInsert, 0);
  chooser.Add(Operation::kReadModifyWrite, 0.25);
  EXPECT_EQ(chooser.Choose(0), Operation::kRead);
  EXPECT_EQ(chooser.Choose(0.499), Operation::kRead);
  EXPECT_EQ(chooser.Choose(0.5), Operation::kUpdate);
  EXPECT_EQ(chooser.Choose(0.749), Operation::kUpdate);
  EXPECT_EQ(chooser.Choose(0.75), Operation::kReadModifyWrite);
  EXPECT_EQ(chooser.Choose(0.9999999999999999), Operation::kReadModifyWrite);
  OperationChooser scaled;  // weights that add up to 4
  scaled.Add(Operation::kRead, 3);
  scaled.Add(Operation::kUpdate, 1);
  EXPECT_EQ(scaled.Choose(0.74), Operation::kRead);
  EXPECT_EQ(scaled.Choose(0.76), Operation::kUpdate);
}

KeyOptions Options(Distribution distribution, uint64_t start, uint64_t count) {
  KeyOptions options;
  options.distribution = distribution;
  options.insert_start = start;
  options.insert_count = count;
  return options;
}

TEST(KeyChooser, EveryDistributionStaysAmongTheLoadedKeys) {
  for (const char* name :
       {"uniform", "zipfian", "zipf_raw", "zipf_hashed", "latest", "hotspot", "exponential", "sequential"}) {
    Distribution distribution;
    ASSERT_TRUE(ParseDistribution(name, &distribution));
    EXPECT_EQ(DistributionName(distribution), name);
    const KeyOptions options = Options(distribution, 0, 100);
    ASSERT_EQ(CheckKeyOptions(options), "");
    const AcknowledgedCounter loaded(100);
    KeyChooser chooser(options, &loaded);
    Random random(7);
    std::vector<int> counts(100);
    for (int i = 0; i < 20'000; ++i) {
      const uint64_t key = chooser.Next(random);
      ASSERT_LT(key, 100u) << name;
      ++counts[key];
    }
    const auto reached = std::count_if(counts.begin(), counts.end(), [](int count) { return count != 0; });
    // latest never draws key 0; of the hashes of 100 ranks some are equal
    const int most = name == std::string("zipf_hashed") ? 60 : name == std::string("latest") ? 98 : 99;
    EXPECT_GE(reached, most) << name;
  }
  Distribution unused;
  EXPECT_FALSE(ParseDistribution("zipf", &unused));
}

TEST(KeyChooser, AHashedZipfianScattersTheRanks) {
  const AcknowledgedCounter loaded(1100);
  KeyChooser raw(Options(Distribution::kZipfRaw, 100, 1000), &loaded);
  KeyChooser hashed(Options(Distribution::kZipfHashed, 100, 1000), &loaded);
  Random first(8), second(8);
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t rank = raw.Next(first) - 100;
    ASSERT_EQ(hashed.Next(second), 100 + FnvHash64(rank) % 1000);
  }
}

TEST(KeyChooser, ZipfianReachesInsertedKeysAndNoneBefore) {
  KeyOptions options = Options(Distribution::kZipfian, 0, 100);
  options.expected_new_keys = 100;
  AcknowledgedCounter loaded(100);
  KeyChooser chooser(options, &loaded);
  Random random(8);
  for (int i = 0; i < 10'000; ++i) ASSERT_LT(chooser.Next(random), 100u);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(loaded.Acknowledge(loaded.Next()));
  bool reached = false;
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t key = chooser.Next(random);
    ASSERT_LT(key, 150u);
    reached |= key >= 100;
  }
  EXPECT_TRUE(reached);
}

TEST(KeyChooser, SequentialIsSharedByCopies) {
  const AcknowledgedCounter loaded(10);
  KeyChooser first(Options(Distribution::kSequential, 7, 3), &loaded);
  KeyChooser second = first;
  Random random(9);
  EXPECT_EQ(first.Next(random), 7u);
  EXPECT_EQ(second.Next(random), 8u);
  EXPECT_EQ(first.Next(random), 9u);
  EXPECT_EQ(second.Next(random), 7u);
}

TEST(KeyChooser, PregeneratedAreTheSameDraws) {
  const KeyOptions options = Options(Distribution::kZipfian, 0, 1000);
  const AcknowledgedCounter loaded(1000);
  KeyChooser chooser(options, &loaded);
  Random random(11);
  const std::vector<uint64_t> plain = PregenerateKeys(options, 11, 500, false);
  const std::vector<uint64_t> hashed = PregenerateKeys(options, 11, 500, true);
  for (size_t i = 0; i < 500; ++i) {
    const uint64_t key = chooser.Next(random);
    EXPECT_EQ(plain[i], key);
    EXPECT_EQ(hashed[i], FnvHash64(key));
  }
  EXPECT_NE(PregenerateKeys(options, 12, 500, false), plain);
}

TEST(KeyChooser, OptionsThatCannotWorkAreNamed) {
  const auto complains = [](const KeyOptions& options, const std::string& key) {
    const std::string line = CheckKeyOptions(options);
    EXPECT_EQ(line.substr(0, key.size()), key);
    EXPECT_EQ(line.find('\n'), std::string::npos);
  };
  complains(Options(Distribution::kUniform, 0, 0), "recordcount");
  complains(Options(Distribution::kLatest, 0, 1), "recordcount");
  KeyOptions options = Options(Distribution::kZipfian, 0, 10);
  for (const double theta : {1.0, 1.5, -0.1, std::nan("")}) {
    options.theta = theta;
    complains(options, "zipfian_const");
  }
  options = Options(Distribution::kHotspot, 0, 10);
  for (const double fraction : {0.0, 0.05, 1.0, std::nan("")}) {
    options.hot_data = fraction;
    complains(options, "hotspotdatafraction");
  }
  options.hot_data = 0.5;
  options.hot_operations = 1.1;
  complains(options, "hotspotopnfraction");
  options = Options(Distribution::kExponential, 0, 10);
  options.exponential_percentile = 100;
  complains(options, "exponential.percentile");
  options.exponential_percentile = 95;
  options.exponential_fraction = 0;
  complains(options, "exponential.frac");
}

TEST(RandomNumbers, SeedsAndRanges) {
  Random a(1), b(1), c(2);
  EXPECT_EQ(a.Next(), b.Next());
  EXPECT_NE(a.Next(), c.Next());
  double sum = 0;
  std::vector<int> cells(7);
  for (int i = 0; i < 70'000; ++i) {
    const double u = a.NextDouble();
    ASSERT_TRUE(u >= 0 && u < 1);
    sum += u;
    ++cells[a.Below(7)];
  }
  EXPECT_NEAR(sum / 70'000, 0.5, 0.01);
  for (const int cell : cells) EXPECT_NEAR(cell, 10'000, 500);
}

}  // namespace
}  // namespace workloads
