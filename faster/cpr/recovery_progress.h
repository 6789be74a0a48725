// RecoveryProgress: how far a recovery is. Plain values.
#pragma once

#include <cstdint>
#include <string_view>

namespace faster {

struct RecoveryProgress {
  enum class Step : uint8_t { kLoading, kIndex, kReplay, kDone };
  Step step = Step::kLoading;
  uint64_t bytes = 0;        // read so far: log pages, images of a snapshot, the index
  uint64_t bytes_total = 0;  // that will be read in all
  uint64_t records = 0;      // replayed or undone so far
};

constexpr std::string_view RecoveryStepName(RecoveryProgress::Step step) {
  constexpr std::string_view kNames[] = {"loading pages", "loading the index", "replaying", "done"};
  return kNames[static_cast<uint8_t>(step)];
}

}  // namespace faster
