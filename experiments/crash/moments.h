// Moments: the steps of a round at which a crash leaves something else than a crash at the step before,
// because the disk has changed in between, or what clients saw; and the first step of each phase.
//
// MomentWatch notes them while a round of an execution runs. It looks before each step takes effect, where a
// crash at that step would stop it. Cost: the round takes the scheduler's slow path at every step.
#pragma once

#include <cstdint>
#include <vector>

#include "experiments/crash/recorder.h"
#include "faults/device/sim_storage.h"
#include "faults/sched/scheduler.h"

namespace experiments {

struct Moment {
  uint64_t step = 0;
  uint32_t delay = 0;  // of the CrashPoint with anchor kStart that crashes there
};

// Filled by an execution that is asked for them.
struct Moments {
  std::vector<Moment> work;  // of incarnation 0; the first step of a thread is one
  // Of the recovery into incarnation 1 that was not crashed: where it had changed the disk.
  std::vector<Moment> recovery;
  uint64_t work_steps = 0, work_events = 0;
};

class MomentWatch {
 public:
  MomentWatch(faults::Scheduler* scheduler, const faults::SimStorage* storage, const Recorder* recorder)
      : scheduler_(scheduler), storage_(storage), recorder_(recorder) {}
  // Just before the round; `with_start`: its first point is a moment.
  void Start(std::vector<Moment>* moments, bool with_start);
  void Stop();  // after it, if there was a start

 private:
  void Look();

  faults::Scheduler* const scheduler_;
  const faults::SimStorage* const storage_;
  const Recorder* const recorder_;
  std::vector<Moment>* moments_ = nullptr;
  bool first_ = false;
  uint64_t start_ = 0;  // the last step before the round
  uint64_t changes_ = 0, time_ = 0;
  uint32_t phases_ = 0;
};

}  // namespace experiments
