// ChoiceEnumerator: walks through every sequence of choices that some code can be given, one run per
// sequence.
//
//   ChoiceEnumerator all;
//   do { RunTheCode(all.chooser()); } while (all.Next());
//
// The code must ask the same questions when given the same answers. Not thread-safe. The number of runs is
// the number of leaves of the tree of choices: for small scenarios only.
#pragma once

#include <cstdint>
#include <vector>

#include "faults/device/disk_model.h"

namespace faults {

class ChoiceEnumerator {
 public:
  Chooser chooser() {
    return {[](void* self, ChoiceKind, uint32_t count) {
              return static_cast<ChoiceEnumerator*>(self)->Choose(count);
            },
            this};
  }
  uint32_t Choose(uint32_t count) {
    if (depth_ == taken_.size()) taken_.push_back({0, count});
    return taken_[depth_++].value;
  }
  bool Next() {  // false: that was the last sequence
    depth_ = 0;
    while (!taken_.empty() && taken_.back().value + 1 == taken_.back().count) taken_.pop_back();
    if (taken_.empty()) return false;
    ++taken_.back().value;
    return true;
  }

 private:
  struct Choice {
    uint32_t value;
    uint32_t count;
  };
  std::vector<Choice> taken_;
  size_t depth_ = 0;
};

}  // namespace faults
