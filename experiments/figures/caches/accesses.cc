#include "experiments/figures/caches/accesses.h"

#include <algorithm>
#include <cmath>

namespace experiments::figures {
namespace {

uint32_t HotCount(const AccessPlan& plan) {
  const double wanted = std::round(plan.hot_keys * plan.keys);
  return static_cast<uint32_t>(std::clamp(wanted, 1.0, std::max(1.0, plan.keys - 1.0)));
}

}  // namespace

Accesses::Accesses(const AccessPlan& plan)
    : plan_(plan),
      random_(plan.seed),
      zipfian_(plan.distribution == "zipfian"
                   ? std::make_unique<workloads::ZipfianGenerator>(0, plan.keys - 1, plan.theta)
                   : nullptr),
      moves_(plan.distribution == "hot-set"),
      hot_(HotCount(plan)),
      until_move_(plan.drift_every) {}

uint32_t Accesses::Next() {
  if (zipfian_ != nullptr) return static_cast<uint32_t>(zipfian_->Next(random_));
  if (!moves_) return static_cast<uint32_t>(random_.Below(plan_.keys));
  if (plan_.drift_every != 0 && until_move_-- == 0) {
    window_ = window_ + 1 == plan_.keys ? 0 : window_ + 1;
    until_move_ = plan_.drift_every - 1;
  }
  const bool hot = random_.NextDouble() < plan_.hot_accesses;
  const uint64_t at = window_ + (hot ? random_.Below(hot_) : hot_ + random_.Below(plan_.keys - hot_));
  return static_cast<uint32_t>(at % plan_.keys);
}

double MissRatio(const AccessPlan& plan, Cache* cache, uint64_t warm_up, uint64_t count) {
  Accesses accesses(plan);
  for (uint64_t i = 0; i < warm_up; ++i) cache->Access(accesses.Next());
  uint64_t misses = 0;
  for (uint64_t i = 0; i < count; ++i) misses += !cache->Access(accesses.Next());
  return static_cast<double>(misses) / static_cast<double>(count);
}

}  // namespace experiments::figures
