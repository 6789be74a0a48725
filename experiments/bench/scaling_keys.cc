// Scaling, part 1: throughput and memory by the number of keys.
#include <malloc.h>

#include <algorithm>

#include "experiments/bench/device_rate.h"
#include "experiments/bench/measured_store.h"
#include "experiments/bench/scaling_parts.h"

namespace experiments::bench {

using workloads::ycsb::PhaseResult;
using workloads::ycsb::WorkloadSpec;

namespace {

double PerSecond(const PhaseResult& phase) {
  return phase.seconds > 0 ? static_cast<double>(phase.operations) / phase.seconds : 0;
}

}  // namespace

struct Scaling::KeysRound {
  double load = 0, c = 0, a = 0;            // operations per second
  double resident = 0, log = 0, index = 0;  // bytes per key
};

double Scaling::ExpectedKeys() const {
  double seconds = 0;
  for (const uint64_t keys : plan_.keys)
    seconds += static_cast<double>(keys) / 1.5e6 + 2 * static_cast<double>(plan_.seconds) + 1;
  return seconds * static_cast<double>(plan_.rounds);
}

bool Scaling::KeysOf(uint64_t keys, KeysRound* round, std::string* error) {
  Workload workload;
  workload.letter = "c";
  workload.records = keys;
  workload.threads = plan_.threads;
  workload.seconds = plan_.seconds;
  WorkloadSpec c, a;
  if (!MakeSpec(workload, &c, error)) return false;
  workload.letter = "a";
  if (!MakeSpec(workload, &a, error)) return false;
  malloc_trim(0);  // what the last store left behind is no memory of this one
  const uint64_t before = ResidentBytes();
  auto store = MeasuredStore::Make(c, Store(), error);
  PhaseResult load, reading, updating;
  if (store == nullptr || !store->Load(c, &load, error)) return false;
  const double count = static_cast<double>(std::max<uint64_t>(load.operations, 1));
  round->resident = static_cast<double>(std::max(ResidentBytes(), before) - before) / count;
  round->log = static_cast<double>(store->log_bytes()) / count;
  round->index = static_cast<double>(store->index_bytes()) / count;
  round->load = PerSecond(load);
  if (!store->Run(c, 0, {}, &reading, nullptr, error) || !store->Run(a, 0, {}, &updating, nullptr, error))
    return false;
  round->c = PerSecond(reading);
  round->a = PerSecond(updating);
  return !Interrupted();
}

void Scaling::AddKeys(uint64_t keys, const std::vector<KeysRound>& rounds) {
  if (rounds.empty()) return;
  const std::string name = Amount(keys) + " keys";
  Finding load{name, "load", "Mops/s", {}, {}}, c{name, "C uniform", "Mops/s", {}, {}};
  Finding a{name, "A uniform", "Mops/s", {}, {}}, index{name, "index", "bytes/key", {}, {}};
  Finding resident{name, "memory", "bytes/key", {}, {}};
  Finding share{name, "memory / (record + index)", "", {}, Bar{1.1, false}};
  for (const KeysRound& round : rounds) {
    load.rounds.push_back(round.load / 1e6);
    c.rounds.push_back(round.c / 1e6);
    a.rounds.push_back(round.a / 1e6);
    index.rounds.push_back(round.index);
    resident.rounds.push_back(round.resident);
    share.rounds.push_back(round.resident / (kRecordBytes + round.index));
  }
  for (const Finding& finding : {load, c, a, index, resident, share}) report_.Add(finding);
  const double x = static_cast<double>(keys);
  points_.push_back({"throughput", "C", x, Median(c.rounds)});
  points_.push_back({"throughput", "A", x, Median(a.rounds)});
  points_.push_back({"throughput", "load", x, Median(load.rounds)});
  points_.push_back({"memory", "bytes per key", x, Median(resident.rounds)});
}

// Sizes take turns within a round, so what disturbs the machine disturbs all of them.
bool Scaling::Keys(std::string* error) {
  std::vector<uint64_t> sizes;
  for (const uint64_t keys : plan_.keys) {
    if (!TooLarge(Amount(keys) + " keys", MemoryOfKeys(keys, plan_.threads), 0)) sizes.push_back(keys);
  }
  std::vector<std::vector<KeysRound>> rounds(sizes.size());
  bool good = true;
  for (uint64_t n = 0; n < plan_.rounds * sizes.size() && good && !Interrupted(); ++n) {
    const uint64_t keys = sizes[n % sizes.size()];
    report_.pace().Begin("round " + std::to_string(n / sizes.size() + 1) + " of " +
                             std::to_string(plan_.rounds) + ", " + Amount(keys) + " keys",
                         static_cast<double>(keys) / 1.5e6 + 2 * static_cast<double>(plan_.seconds) + 1);
    KeysRound round;
    good = KeysOf(keys, &round, error);
    if (!good) break;
    rounds[n % sizes.size()].push_back(round);
    report_.json()["keys"].push_back({{"keys", keys},
                                      {"load_ops_per_second", round.load},
                                      {"c_ops_per_second", round.c},
                                      {"a_ops_per_second", round.a},
                                      {"resident_bytes_per_key", round.resident},
                                      {"log_bytes_per_key", round.log},
                                      {"index_bytes_per_key", round.index}});
    good = report_.Save(error);
  }
  for (size_t i = 0; i < sizes.size(); ++i) AddKeys(sizes[i], rounds[i]);
  return good && !Interrupted();
}

}  // namespace experiments::bench
