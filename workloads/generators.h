// Key and operation generators: YCSB's, formula for formula, so that "zipfian" here means what it means
// there.
//
// A drawing takes the caller's Random, so one generator serves many threads, but for SkewedLatest (its zeta
// grows with the key space: one copy a thread) and what says otherwise. Ranges are inclusive, as in YCSB.
//
// Three Zipfians, not to be confused in a result: `zipfian` (ScrambledZipfian) draws a rank over 10^10 items
// and scatters it by a hash, so its hottest key has 3.8 % of the draws whatever the table size, plus what
// collides, and a quarter of the draws is spread evenly over 40 M keys; `zipf_raw` (Zipfian) draws directly
// over the table's keys, and hot keys are neighbours; `zipf_hashed` draws as zipf_raw and scatters the rank,
// as the generators of other systems do (the hottest of 40 M keys has 5.1 % of the draws).
//
// Cost (g++ 12 -O2, AMD EPYC; see tests): a zipfian drawing ~30 ns, nearly all of it pow(). A driver that
// must not pay that draws its keys ahead (PregenerateKeys) and pays a sequential load.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace workloads {

// xoshiro256++ (Blackman, Vigna 2019), seeded by SplitMix64: equal seeds, equal sequences. One thread each.
class Random {
 public:
  explicit Random(uint64_t seed);
  uint64_t Next() {
    const uint64_t result = RotateLeft(state_[0] + state_[3], 23) + state_[0];
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = RotateLeft(state_[3], 45);
    return result;
  }
  double NextDouble() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }  // [0, 1), 53 bits
  uint64_t Below(uint64_t limit) {                                               // [0, limit), limit > 0
    return static_cast<uint64_t>(static_cast<unsigned __int128>(Next()) * limit >> 64);
  }

 private:
  static uint64_t RotateLeft(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }
  uint64_t state_[4];
};

// FNV-1a over the 8 octets of `value`, low first, and its absolute value as a signed number.
constexpr uint64_t FnvHash64(uint64_t value) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (int i = 0; i < 8; ++i) {
    hash ^= value & 0xff;
    hash *= 1099511628211ull;
    value >>= 8;
  }
  return hash >> 63 != 0 ? ~hash + 1 : hash;
}

// The record's name: "user" and the key number or its hash, zero-padded to `padding` digits.
std::string KeyName(uint64_t key_number, bool hashed, uint32_t padding);

// Sum of i^-theta for i = 1..n. Beyond a million terms the rest is Euler-Maclaurin, exact to double rounding.
double Zeta(uint64_t n, double theta);

constexpr double kZipfianTheta = 0.99;
constexpr uint64_t kScrambledItems = 10'000'000'000;
constexpr double kScrambledZeta = 26.46902820178302;  // YCSB's constant for kScrambledItems and 0.99

class UniformGenerator {
 public:
  UniformGenerator(uint64_t min, uint64_t max) : min_(min), items_(max - min + 1) {}
  uint64_t Next(Random& random) const { return min_ + random.Below(items_); }

 private:
  uint64_t min_, items_;
};

// Gray et al., "Quickly generating billion-record synthetic databases", SIGMOD 1994. 0 <= theta < 1.
class ZipfianGenerator {
 public:
  ZipfianGenerator(uint64_t min, uint64_t max, double theta = kZipfianTheta);
  ZipfianGenerator(uint64_t min, uint64_t max, double theta, double zetan);
  uint64_t Next(Random& random) const { return min_ + RankOf(random.NextDouble()); }
  // The rank (0 is the hottest) that the drawing u of [0, 1) stands for.
  uint64_t RankOf(double u) const;
  // Draws over `items` items from now on, if that is more; as YCSB does it, eta keeps the number that it
  // began with, so the ranks behind the first two are a little hotter than of a new one. Cost: one pow per
  // item added.
  void GrowTo(uint64_t items);
  uint64_t items() const { return items_; }
  double zetan() const { return zetan_; }

 private:
  void DeriveEta();

  uint64_t min_, items_, first_items_;
  double theta_, zetan_, zeta2_, alpha_, eta_, second_;
};

class ScrambledZipfianGenerator {
 public:
  ScrambledZipfianGenerator(uint64_t min, uint64_t max, double theta = kZipfianTheta);  // as YCSB's
  ScrambledZipfianGenerator(uint64_t min, uint64_t max, const ZipfianGenerator& ranks);
  uint64_t Next(Random& random) const { return KeyOf(ranks_.Next(random)); }
  uint64_t KeyOf(uint64_t rank) const { return min_ + FnvHash64(rank) % items_; }

 private:
  uint64_t min_, items_;
  ZipfianGenerator ranks_;
};

// Numbers from `start` on, each once. Thread-safe.
class CounterGenerator {
 public:
  explicit CounterGenerator(uint64_t start) : next_(start) {}
  uint64_t Next() { return next_.fetch_add(1, std::memory_order_relaxed); }
  uint64_t Last() const { return next_.load(std::memory_order_relaxed) - 1; }

 private:
  std::atomic<uint64_t> next_;
};

// A counter that tells how far its numbers have been used without a gap: Last() is the largest n such that
// all numbers up to n are acknowledged. start > 0. Thread-safe.
class AcknowledgedCounter {
 public:
  static constexpr uint64_t kWindow = 1 << 20;  // numbers that may be under way at the same time

  explicit AcknowledgedCounter(uint64_t start);
  uint64_t Next() { return counter_.Next(); }
  // False, and nothing is changed, if more than kWindow numbers are under way.
  [[nodiscard]] bool Acknowledge(uint64_t number);
  uint64_t Last() const { return limit_.load(std::memory_order_acquire); }

 private:
  CounterGenerator counter_;
  std::unique_ptr<std::atomic<bool>[]> window_;
  std::atomic<uint64_t> limit_;
  std::atomic_flag advancing_ = ATOMIC_FLAG_INIT;
};

// Zipfian over how recently a key was inserted; the newest acknowledged key is the hottest. As in YCSB the
// very first key is never drawn. Keeps state: one copy per thread. `newest` > 0 and outlives it.
class SkewedLatestGenerator {
 public:
  SkewedLatestGenerator(const AcknowledgedCounter* newest, double theta = kZipfianTheta);
  uint64_t Next(Random& random);

 private:
  const AcknowledgedCounter* newest_;
  ZipfianGenerator ages_;
};

// `hot_operations` of the draws go uniformly to the first `hot_data` of the keys.
class HotspotGenerator {
 public:
  HotspotGenerator(uint64_t min, uint64_t max, double hot_data, double hot_operations);
  uint64_t Next(Random& random) const;

 private:
  uint64_t min_, hot_, cold_;
  double hot_operations_;
};

// `percentile` % of the draws are below `range`.
class ExponentialGenerator {
 public:
  ExponentialGenerator(double percentile, double range);
  uint64_t Next(Random& random) const;

 private:
  double gamma_;
};

// min, min + 1, ..., max, min, ... over all threads that share it. Thread-safe.
class SequentialGenerator {
 public:
  SequentialGenerator(uint64_t min, uint64_t max) : min_(min), items_(max - min + 1), drawn_(0) {}
  uint64_t Next() { return min_ + drawn_.Next() % items_; }

 private:
  uint64_t min_, items_;
  CounterGenerator drawn_;
};

// What to do next, by weights, in the order they were added (YCSB's DiscreteGenerator).
enum class Operation : uint8_t { kRead, kUpdate, kInsert, kScan, kReadModifyWrite, kRmw };

class OperationChooser {
 public:
  // Weights need not add up to 1. A weight of 0 is left out.
  void Add(Operation operation, double weight);
  bool empty() const { return choices_.empty(); }
  Operation Next(Random& random) const { return Choose(random.NextDouble()); }
  Operation Choose(double u) const;

 private:
  struct Choice {
    Operation operation;
    double weight;
    double until;  // u below it and not below the one before chooses it
  };
  std::vector<Choice> choices_;
};

// --- what a driver uses ---

enum class Distribution : uint8_t {
  kUniform,
  kZipfian,
  kZipfRaw,
  kZipfHashed,
  kLatest,
  kHotspot,
  kExponential,
  kSequential
};

// False if `name` is none of uniform, zipfian, zipf_raw, zipf_hashed, latest, hotspot, exponential,
// sequential.
bool ParseDistribution(std::string_view name, Distribution* distribution);
std::string_view DistributionName(Distribution distribution);

struct KeyOptions {
  Distribution distribution = Distribution::kUniform;
  uint64_t insert_start = 0;
  uint64_t insert_count = 0;       // keys loaded: insert_start .. insert_start + insert_count - 1
  uint64_t expected_new_keys = 0;  // zipfian: operationcount * insertproportion * 2
  double theta = kZipfianTheta;
  double hot_data = 0.2, hot_operations = 0.8;
  double exponential_percentile = 95, exponential_fraction = 0.8571428571;
};

// "" or one line that says which property cannot work.
std::string CheckKeyOptions(const KeyOptions& options);

// Key numbers of CoreWorkload: the distribution over the loaded keys, drawn again while the pick lies beyond
// the last acknowledged key. One copy per thread; copies share the counter of `sequential`.
class KeyChooser {
 public:
  // `acknowledged` started at insert_start + insert_count; it outlives the chooser. Options must pass the
  // check.
  KeyChooser(const KeyOptions& options, const AcknowledgedCounter* acknowledged);
  uint64_t Next(Random& random);

 private:
  uint64_t Draw(Random& random);

  Distribution distribution_;
  const AcknowledgedCounter* acknowledged_;
  UniformGenerator uniform_;
  HotspotGenerator hotspot_;
  ExponentialGenerator exponential_;
  std::shared_ptr<const ScrambledZipfianGenerator> scrambled_;  // zipfian, zipf_hashed
  std::shared_ptr<const ZipfianGenerator> zipf_raw_;
  std::optional<SkewedLatestGenerator> latest_;  // has state: each copy its own
  std::shared_ptr<SequentialGenerator> sequential_;
};

// `count` key numbers drawn ahead, for workloads without inserts: a thread that walks them in a ring pays a
// sequential load for each. `hashed`: FnvHash64 of each, the key as YCSB stores it.
std::vector<uint64_t> PregenerateKeys(const KeyOptions& options, uint64_t seed, uint64_t count, bool hashed);

}  // namespace workloads
