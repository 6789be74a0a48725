// RunningClock: seconds in which this process was running and looking. What passes while it is stopped, or
// while the machine sleeps, does not count: nobody else can have got on in it either. Used by one thread.
#pragma once

#include <algorithm>

namespace experiments {

class RunningClock {
 public:
  // Looks are expected more often than every `most` seconds; a longer pause counts as that.
  explicit RunningClock(double now, double most = 1) : last_(now), most_(most) {}
  double Look(double now) {
    passed_ += std::clamp(now - last_, 0.0, most_);
    last_ = now;
    return passed_;
  }

 private:
  double last_;
  double passed_ = 0;
  const double most_;
};

}  // namespace experiments
