// What imports and exports share: progress, and how damage is named.
//
// A transfer never changes its source. What it writes becomes a checkpoint with its last step; an output that
// did not get that far is removed again, and if the process dies it is a directory without a checkpoint.
// Plain values and functions, thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "faster/core/status.h"

namespace faster {

// Called by the thread of the transfer, every few megabytes. `total` is known from the start of a step.
struct TransferProgress {
  std::string_view step;  // "reading the index", ...
  uint64_t done = 0;      // bytes of this step
  uint64_t total = 0;
};
using TransferObserver = std::function<void(const TransferProgress&)>;

inline void Report(const TransferObserver& observer, std::string_view step, uint64_t done, uint64_t total) {
  if (observer) observer({step, done, total});
}

// Fills in *why and returns `status`.
inline Status Refuse(Status status, std::string_view file, uint64_t offset, std::string expected,
                     std::string found, Diagnosis* why) {
  *why = {std::string(file), offset, std::move(expected), std::move(found)};
  return status;
}
inline Status Damaged(std::string_view file, uint64_t offset, std::string expected, std::string found,
                      Diagnosis* why) {
  return Refuse(Status::kCorruption, file, offset, std::move(expected), std::move(found), why);
}
// An error of the device; a file that must be there and is not, or is too short, is damage.
inline Status FailedIo(Status status, std::string_view file, uint64_t offset, std::string_view what,
                       Diagnosis* why) {
  if (status == Status::kNotFound || status == Status::kShortIo) status = Status::kCorruption;
  return Refuse(status, file, offset, std::string(what), std::string(StatusName(status)), why);
}

}  // namespace faster
