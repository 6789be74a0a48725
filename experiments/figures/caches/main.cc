// figure-caches: the miss ratio of one cache policy over one kind of accesses (FASTER figures 14 to 16).
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "experiments/figures/caches/accesses.h"
#include "experiments/figures/program.h"

namespace {

using namespace experiments::figures;

struct Settings {
  std::string policy;
  AccessPlan plan;
  uint64_t keys = 0;
  double cache = 0, read_only = 0, history = 0, drift = 0, warm_up = 0, accesses = 0;
  std::string cache_of;
};

Outcome Measure(const Settings& settings, const Cell& cell, Output* output, std::string* problem) {
  AccessPlan plan = settings.plan;
  plan.keys = static_cast<uint32_t>(settings.keys);
  plan.seed = cell.seed;
  const double keys = static_cast<double>(settings.keys);
  plan.drift_every = settings.drift == 0 ? 0 : static_cast<uint64_t>(std::llround(settings.drift));
  const double whole = settings.cache_of == "keys" ? keys : keys * plan.hot_keys;
  const double capacity = std::round(whole * settings.cache);
  if (capacity < 1 || capacity > keys) {
    *problem = "cache: expected 1 record to all keys, found " + std::to_string(capacity);
    return Outcome::kRefused;
  }
  const auto cache = MakeCache(
      settings.policy, {plan.keys, static_cast<uint32_t>(capacity), settings.read_only, settings.history});
  const double ratio =
      MissRatio(plan, cache.get(), static_cast<uint64_t>(std::llround(keys * settings.warm_up)),
                static_cast<uint64_t>(std::llround(keys * settings.accesses)));
  output->Metric("miss_ratio", ratio);
  output->Metric("cache_records", capacity);
  return Outcome::kMeasured;
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  Program program(
      "figure-caches",
      "Simulates a cache policy, the HybridLog among them, and counts the accesses that find nothing.");
  std::vector<std::string> policies;
  for (const std::string_view policy : CachePolicies()) policies.emplace_back(policy);
  program.AddChoice("policy", "what decides who leaves (policies.h)", &s.policy, policies);
  program.AddChoice("distribution", "of the accesses", &s.plan.distribution,
                    {"uniform", "zipfian", "hot-set"});
  program.AddNumber("keys", "records in all", &s.keys, 2, 1u << 28);
  program.AddReal("cache", "memory, as a share of what cache_of says", &s.cache, 0, 100);
  program.AddChoice("cache_of", "all keys, or the hot ones", &s.cache_of, {"keys", "hot-keys"});
  program.AddReal("read_only", "hlog: share of the memory that is read-only", &s.read_only, 0, 1);
  program.AddReal("history", "lru-2: accesses for which what left is remembered, in capacities", &s.history,
                  0, 1e12);
  program.AddReal("theta", "zipfian: skew", &s.plan.theta, 0.01, 0.999);
  program.AddReal("hot_keys", "hot-set: share of the keys", &s.plan.hot_keys, 0.0001, 0.9999);
  program.AddReal("hot_accesses", "hot-set: share of the accesses", &s.plan.hot_accesses, 0, 1);
  program.AddReal("drift", "hot-set: accesses after which it moves on by one key, 0: it stays", &s.drift, 0,
                  1e12);
  program.AddReal("warm_up", "accesses that are not counted, per key", &s.warm_up, 0, 1e6);
  program.AddReal("accesses", "accesses that are counted, per key", &s.accesses, 0.001, 1e6);
  return program.Run(argc, argv, [&](const Cell& cell, Output* output, std::string* problem) {
    return Measure(s, cell, output, problem);
  });
}
