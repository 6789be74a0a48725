// Which keys are accessed in the cache simulations (policies.h), and how many accesses find nothing.
//
//   uniform   every key alike
//   zipfian   Zipf with theta over all keys (FASTER's figures: 0.99); which key has which rank is nothing to
//   a
//             policy
//   hot-set   `hot_accesses` of the accesses go to a hot set of `hot_keys` of the keys, the rest to the other
//             keys, both uniformly. The hot set drifts: it is a window over the ring of all keys, which moves
//             on by one key every `drift_every` accesses (0: never), so a key that cools down stays cold for
//             long.
//
// Deterministic in the seed. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "experiments/figures/caches/policies.h"
#include "workloads/generators.h"

namespace experiments::figures {

struct AccessPlan {
  std::string distribution = "uniform";
  uint32_t keys = 0;
  double theta = workloads::kZipfianTheta;
  double hot_keys = 0.2;
  double hot_accesses = 0.9;
  uint64_t drift_every = 0;
  uint64_t seed = 1;
};

class Accesses {
 public:
  // `plan.distribution` is one of the three; at least one key is hot and one is not.
  explicit Accesses(const AccessPlan& plan);
  uint32_t Next();
  uint32_t hot_count() const { return hot_; }

 private:
  const AccessPlan plan_;
  workloads::Random random_;
  std::unique_ptr<workloads::ZipfianGenerator> zipfian_;  // of the distribution, if it is that
  const bool moves_;
  const uint32_t hot_;
  uint32_t window_ = 0;  // first hot key
  uint64_t until_move_;
};

// Misses among `count` accesses, after `warm_up` that are not counted.
double MissRatio(const AccessPlan& plan, Cache* cache, uint64_t warm_up, uint64_t count);

}  // namespace experiments::figures
