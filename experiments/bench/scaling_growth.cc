// Scaling, part 4: the index grows from a few buckets to many while sessions work.
#include <algorithm>

#include "experiments/bench/measured_store.h"
#include "experiments/bench/scaling_parts.h"

namespace experiments::bench {

using workloads::ycsb::PhaseResult;
using workloads::ycsb::WorkloadSpec;

namespace {

constexpr double kAskedAfter = 1;  // seconds into the run phase (the driver's)

}  // namespace

struct GrowthPhase {
  double seconds = 0;           // from the first to the last growth's end
  double worst = 0, usual = 0;  // sample while it grew; median of the others, or of all if there are none
  uint64_t buckets = 0;         // at the end
};

namespace {

// `asked_at`: when growth began; a load grows from its beginning. `target`: buckets, 0 if it has none; short
// of it the index was growing until the end.
GrowthPhase Describe(const PhaseResult& phase, double asked_at, uint64_t target) {
  GrowthPhase growth;
  if (phase.index_sizes.empty()) return growth;
  growth.buckets = phase.index_sizes.back().buckets;
  const double end = growth.buckets < target ? phase.seconds : phase.index_sizes.back().seconds;
  growth.seconds = std::max(end - asked_at, 0.0);
  std::vector<double> others, all;
  double worst = -1;
  for (const Rate& rate : SampleRates(phase)) {
    const bool grew = rate.to > asked_at && rate.from < end;
    all.push_back(rate.operations_per_second);
    if (grew && (worst < 0 || rate.operations_per_second < worst)) worst = rate.operations_per_second;
    if (!grew) others.push_back(rate.operations_per_second);
  }
  growth.worst = std::max(worst, 0.0);
  if (others.empty()) others = all;
  if (!others.empty()) growth.usual = Median(others);
  return growth;
}

}  // namespace

double Scaling::ExpectedGrowth() const {
  return static_cast<double>(plan_.rounds) *
         (static_cast<double>(plan_.growth_seconds) + static_cast<double>(plan_.growth_keys) / 1e6);
}

struct Scaling::GrowthRound {
  GrowthPhase load, run;
};

bool Scaling::GrowOnce(const WorkloadSpec& spec, GrowthRound* round, std::string* error) {
  auto store = MeasuredStore::Make(spec, Store(), error);
  PhaseResult load, run;
  if (store == nullptr || !store->Load(spec, &load, error) || Interrupted()) return false;
  if (!store->Run(spec, 0, {}, &run, nullptr, error) || Interrupted()) return false;
  *round = {Describe(load, 0, 0), Describe(run, kAskedAfter, plan_.grow_to)};
  nlohmann::ordered_json json;
  const auto add = [&](const char* name, const PhaseResult& phase, const GrowthPhase& growth) {
    json[name] = {{"seconds", growth.seconds},
                  {"worst_sample_ops_per_second", growth.worst},
                  {"usual_sample_ops_per_second", growth.usual}};
    for (const auto& size : phase.index_sizes)
      json[name]["sizes"].push_back({{"seconds", size.seconds}, {"buckets", size.buckets}});
  };
  add("load", load, round->load);
  add("run", run, round->run);
  report_.json()["growth"].push_back(json);
  return report_.Save(error);
}

void Scaling::AddGrowth(const std::vector<GrowthRound>& rounds) {
  const std::string name = "index growth";
  Finding load_time{name, "load: from the start to its last growth", "s", {}, {}};
  Finding load_worst{name, "load: worst sample / median", "", {}, {}};
  Finding time{name, "A: from request to the last growth", "s", {}, {}};
  Finding worst{name, "A: worst 0.25 s sample", "Mops/s", {}, {}};
  Finding share{name, "A: worst sample / median without growth", "", {}, {}};
  Finding reached{name, "buckets at the end", "2^20", {}, {}};
  for (const GrowthRound& round : rounds) {
    load_time.rounds.push_back(round.load.seconds);
    if (round.load.usual > 0) load_worst.rounds.push_back(round.load.worst / round.load.usual);
    time.rounds.push_back(round.run.seconds);
    worst.rounds.push_back(round.run.worst / 1e6);
    if (round.run.usual > 0) share.rounds.push_back(round.run.worst / round.run.usual);
    reached.rounds.push_back(static_cast<double>(round.run.buckets) / (1 << 20));
    if (round.run.buckets < plan_.grow_to)
      report_.Say("the index did not reach " + std::to_string(plan_.grow_to) +
                  " buckets: use more --growth-seconds");
  }
  for (const Finding& finding : {load_time, load_worst, time, worst, share, reached}) report_.Add(finding);
}

bool Scaling::Growth(std::string* error) {
  const uint64_t memory = MemoryOfKeys(plan_.growth_keys, plan_.threads) + plan_.grow_to * 64 * 2;
  if (TooLarge("index growth", memory, 0)) return true;
  Workload workload;
  workload.records = plan_.growth_keys;
  workload.threads = plan_.threads;
  workload.seconds = plan_.growth_seconds;
  workload.properties = {"faster.index_buckets=" + std::to_string(plan_.grow_from), "faster.grow_percent=50",
                         "faster.grow_to=" + std::to_string(plan_.grow_to)};
  WorkloadSpec spec;
  if (!MakeSpec(workload, &spec, error)) return false;
  std::vector<GrowthRound> rounds;
  bool good = true;
  while (good && rounds.size() < plan_.rounds) {
    report_.pace().Begin(
        "index growth, round " + std::to_string(rounds.size() + 1) + " of " + std::to_string(plan_.rounds),
        ExpectedGrowth() / static_cast<double>(plan_.rounds));
    GrowthRound round;
    good = GrowOnce(spec, &round, error);
    if (good) rounds.push_back(round);
  }
  AddGrowth(rounds);
  return good;
}

}  // namespace experiments::bench
