#include "workloads/generators.h"

#include <algorithm>
#include <cmath>

namespace workloads {
namespace {

uint64_t SplitMix(uint64_t* state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ z >> 27) * 0x94d049bb133111ebull;
  return z ^ z >> 31;
}

// Of Zeta; the first term that the formula for the rest leaves out is below 1e-21 then.
constexpr uint64_t kExactTerms = 1 << 16;

double SumOfTerms(uint64_t from, uint64_t to, double theta, double sum) {
  for (uint64_t i = from; i <= to; ++i) sum += 1 / std::pow(static_cast<double>(i), theta);
  return sum;
}

struct NamedDistribution {
  std::string_view name;
  Distribution distribution;
};
constexpr NamedDistribution kDistributions[] = {
    {"uniform", Distribution::kUniform},         {"zipfian", Distribution::kZipfian},
    {"zipf_raw", Distribution::kZipfRaw},        {"zipf_hashed", Distribution::kZipfHashed},
    {"latest", Distribution::kLatest},           {"hotspot", Distribution::kHotspot},
    {"exponential", Distribution::kExponential}, {"sequential", Distribution::kSequential},
};

}  // namespace

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) word = SplitMix(&seed);
}

std::string KeyName(uint64_t key_number, bool hashed, uint32_t padding) {
  const std::string digits = std::to_string(hashed ? FnvHash64(key_number) : key_number);
  std::string name = "user";
  if (digits.size() < padding) name.append(padding - digits.size(), '0');
  return name + digits;
}

double Zeta(uint64_t n, double theta) {
  double sum = SumOfTerms(1, std::min(n, kExactTerms), theta, 0);
  if (n <= kExactTerms) return sum;
  // Sum over (m, n] = integral + half the ends' difference + first Bernoulli term.
  const double m = static_cast<double>(kExactTerms), last = static_cast<double>(n);
  sum += (std::pow(last, 1 - theta) - std::pow(m, 1 - theta)) / (1 - theta);
  sum += (std::pow(last, -theta) - std::pow(m, -theta)) / 2;
  return sum + theta / 12 * (std::pow(m, -theta - 1) - std::pow(last, -theta - 1));
}

ZipfianGenerator::ZipfianGenerator(uint64_t min, uint64_t max, double theta)
    : ZipfianGenerator(min, max, theta, Zeta(max - min + 1, theta)) {}

ZipfianGenerator::ZipfianGenerator(uint64_t min, uint64_t max, double theta, double zetan)
    : min_(min),
      items_(max - min + 1),
      first_items_(items_),
      theta_(theta),
      zetan_(zetan),
      zeta2_(Zeta(2, theta)),
      alpha_(1 / (1 - theta)),
      second_(1 + std::pow(0.5, theta)) {
  DeriveEta();
}

void ZipfianGenerator::DeriveEta() {
  eta_ = (1 - std::pow(2.0 / static_cast<double>(first_items_), 1 - theta_)) / (1 - zeta2_ / zetan_);
}

void ZipfianGenerator::GrowTo(uint64_t items) {
  if (items <= items_) return;
  zetan_ = items - items_ < kExactTerms ? SumOfTerms(items_ + 1, items, theta_, zetan_) : Zeta(items, theta_);
  items_ = items;
  DeriveEta();
}

uint64_t ZipfianGenerator::RankOf(double u) const {
  const double uz = u * zetan_;
  if (uz < 1) return 0;
  if (uz < second_) return 1;
  const double rank = static_cast<double>(items_) * std::pow(eta_ * u - eta_ + 1, alpha_);
  return std::min(static_cast<uint64_t>(rank), items_ - 1);  // the largest u can round to items_ itself
}

// YCSB makes the inner generator with the range 0 .. 10^10, both included, and the zeta of 10^10.
ScrambledZipfianGenerator::ScrambledZipfianGenerator(uint64_t min, uint64_t max, double theta)
    : ScrambledZipfianGenerator(
          min, max,
          ZipfianGenerator(0, kScrambledItems, theta,
                           theta == kZipfianTheta ? kScrambledZeta : Zeta(kScrambledItems + 1, theta))) {}

ScrambledZipfianGenerator::ScrambledZipfianGenerator(uint64_t min, uint64_t max,
                                                     const ZipfianGenerator& ranks)
    : min_(min), items_(max - min + 1), ranks_(ranks) {}

AcknowledgedCounter::AcknowledgedCounter(uint64_t start)
    : counter_(start), window_(new std::atomic<bool>[kWindow]()), limit_(start - 1) {}

bool AcknowledgedCounter::Acknowledge(uint64_t number) {
  if (number - Last() > kWindow || window_[number % kWindow].exchange(true)) return false;
  // Whoever finds another thread advancing leaves its number to it; so look again after letting go. The total
  // order of these operations makes sure that one of the two sees the other.
  while (window_[(Last() + 1) % kWindow].load() && !advancing_.test_and_set()) {
    uint64_t limit = limit_.load(std::memory_order_relaxed);
    while (window_[(limit + 1) % kWindow].load(std::memory_order_acquire)) {
      ++limit;
      window_[limit % kWindow].store(false, std::memory_order_relaxed);
    }
    limit_.store(limit, std::memory_order_release);
    advancing_.clear();
  }
  return true;
}

SkewedLatestGenerator::SkewedLatestGenerator(const AcknowledgedCounter* newest, double theta)
    : newest_(newest), ages_(0, newest->Last() - 1, theta) {}

uint64_t SkewedLatestGenerator::Next(Random& random) {
  const uint64_t newest = newest_->Last();
  ages_.GrowTo(newest);
  return newest - ages_.Next(random);
}

HotspotGenerator::HotspotGenerator(uint64_t min, uint64_t max, double hot_data, double hot_operations)
    : min_(min),
      hot_(static_cast<uint64_t>(static_cast<double>(max - min + 1) * hot_data)),
      cold_(max - min + 1 - hot_),
      hot_operations_(hot_operations) {}

uint64_t HotspotGenerator::Next(Random& random) const {
  if (random.NextDouble() < hot_operations_) return min_ + random.Below(hot_);
  return min_ + hot_ + random.Below(cold_);
}

ExponentialGenerator::ExponentialGenerator(double percentile, double range)
    : gamma_(-std::log(1 - percentile / 100) / range) {}

uint64_t ExponentialGenerator::Next(Random& random) const {
  // 1 - u is in (0, 1]: the logarithm of 0 has no integer.
  return static_cast<uint64_t>(-std::log(1 - random.NextDouble()) / gamma_);
}

void OperationChooser::Add(Operation operation, double weight) {
  if (weight <= 0) return;
  choices_.push_back({operation, weight, 0});
  double sum = 0, until = 0;
  for (const Choice& choice : choices_) sum += choice.weight;
  for (Choice& choice : choices_) choice.until = until += choice.weight / sum;
  choices_.back().until = 2;  // above every u, whatever the rounding of the sum
}

Operation OperationChooser::Choose(double u) const {
  size_t i = 0;
  while (u >= choices_[i].until) ++i;
  return choices_[i].operation;
}

bool ParseDistribution(std::string_view name, Distribution* distribution) {
  for (const NamedDistribution& named : kDistributions) {
    if (named.name != name) continue;
    *distribution = named.distribution;
    return true;
  }
  return false;
}

std::string_view DistributionName(Distribution distribution) {
  return kDistributions[static_cast<size_t>(distribution)].name;
}

std::string CheckKeyOptions(const KeyOptions& o) {
  if (o.insert_count == 0) return "recordcount: expected at least 1 record, found 0";
  if (o.distribution == Distribution::kLatest && o.insert_start + o.insert_count < 2)
    return "recordcount: expected at least 2 records for requestdistribution=latest, found 1";
  if (!(o.theta >= 0 && o.theta < 1))
    return "zipfian_const: expected a number from 0 to below 1, found " + std::to_string(o.theta);
  if (o.distribution == Distribution::kHotspot) {
    if (!(o.hot_data > 0 && o.hot_data < 1) || o.hot_data * static_cast<double>(o.insert_count) < 1)
      return "hotspotdatafraction: expected a fraction above 0 and below 1 that holds a record, found " +
             std::to_string(o.hot_data);
    if (!(o.hot_operations >= 0 && o.hot_operations <= 1))
      return "hotspotopnfraction: expected a fraction from 0 to 1, found " + std::to_string(o.hot_operations);
  }
  if (o.distribution == Distribution::kExponential) {
    if (!(o.exponential_percentile > 0 && o.exponential_percentile < 100))
      return "exponential.percentile: expected a number above 0 and below 100, found " +
             std::to_string(o.exponential_percentile);
    if (!(o.exponential_fraction > 0))
      return "exponential.frac: expected a number above 0, found " + std::to_string(o.exponential_fraction);
  }
  return "";
}

KeyChooser::KeyChooser(const KeyOptions& o, const AcknowledgedCounter* acknowledged)
    : distribution_(o.distribution),
      acknowledged_(acknowledged),
      uniform_(o.insert_start, o.insert_start + o.insert_count - 1),
      hotspot_(o.insert_start, o.insert_start + o.insert_count - 1, o.hot_data, o.hot_operations),
      exponential_(o.exponential_percentile,
                   static_cast<double>(o.insert_start + o.insert_count) * o.exponential_fraction) {
  const uint64_t first = o.insert_start, last = o.insert_start + o.insert_count - 1;
  switch (distribution_) {
    case Distribution::kZipfian:
      // YCSB's range ends one beyond the last key; that pick is drawn again.
      scrambled_ =
          std::make_shared<const ScrambledZipfianGenerator>(first, last + 1 + o.expected_new_keys, o.theta);
      break;
    case Distribution::kZipfHashed:
      scrambled_ = std::make_shared<const ScrambledZipfianGenerator>(
          first, last, ZipfianGenerator(0, last - first, o.theta));
      break;
    case Distribution::kZipfRaw:
      zipf_raw_ = std::make_shared<const ZipfianGenerator>(first, last, o.theta);
      break;
    case Distribution::kLatest:
      latest_.emplace(acknowledged, o.theta);
      break;
    case Distribution::kSequential:
      sequential_ = std::make_shared<SequentialGenerator>(first, last);
      break;
    case Distribution::kUniform:
    case Distribution::kHotspot:
    case Distribution::kExponential:
      break;
  }
}

uint64_t KeyChooser::Draw(Random& random) {
  switch (distribution_) {
    case Distribution::kUniform:
      return uniform_.Next(random);
    case Distribution::kZipfian:
    case Distribution::kZipfHashed:
      return scrambled_->Next(random);
    case Distribution::kZipfRaw:
      return zipf_raw_->Next(random);
    case Distribution::kLatest:
      return latest_->Next(random);
    case Distribution::kHotspot:
      return hotspot_.Next(random);
    case Distribution::kExponential:
      return acknowledged_->Last() - exponential_.Next(random);  // below 0: huge
    case Distribution::kSequential:
      return sequential_->Next();
  }
  return 0;
}

uint64_t KeyChooser::Next(Random& random) {
  for (;;) {
    const uint64_t key = Draw(random);
    if (key <= acknowledged_->Last()) return key;
  }
}

std::vector<uint64_t> PregenerateKeys(const KeyOptions& options, uint64_t seed, uint64_t count, bool hashed) {
  const AcknowledgedCounter loaded(options.insert_start + options.insert_count);
  KeyChooser chooser(options, &loaded);
  Random random(seed);
  std::vector<uint64_t> keys(count);
  for (uint64_t& key : keys) key = hashed ? FnvHash64(chooser.Next(random)) : chooser.Next(random);
  return keys;
}

}  // namespace workloads
