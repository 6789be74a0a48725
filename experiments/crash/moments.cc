#include "experiments/crash/moments.h"

namespace experiments {

void MomentWatch::Start(std::vector<Moment>* moments, bool with_start) {
  moments_ = moments;
  moments_->clear();
  first_ = with_start;
  start_ = scheduler_->step();
  changes_ = storage_->changes();
  time_ = recorder_->time();
  phases_ = recorder_->phase_changes();
  scheduler_->set_observer([](void* self, int, faults::PointKind, const void*,
                              uint64_t) { static_cast<MomentWatch*>(self)->Look(); },
                           this);
}

void MomentWatch::Stop() {
  if (moments_ == nullptr) return;
  scheduler_->set_observer(nullptr, nullptr);
  moments_ = nullptr;
}

void MomentWatch::Look() {
  const uint64_t step = scheduler_->step(), changes = storage_->changes(), time = recorder_->time();
  const uint32_t phases = recorder_->phase_changes();
  if (!first_ && changes == changes_ && time == time_ && phases == phases_) return;
  changes_ = changes;
  time_ = time;
  phases_ = phases;
  if (step <= start_) return;
  first_ = false;
  moments_->push_back({step, static_cast<uint32_t>(step - start_ - 1)});
}

}  // namespace experiments
