// FlushTracker: which log ranges are being written, which are done, and up to where the log is without a gap.
//
// Writes complete in any order, a page may be written in several parts; flushed_until() moves only over the
// contiguous prefix of completed ranges, and never back. A failed range stays until it is taken for a retry.
// Thread-safe. COST: a mutex per page write, never per operation.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"

namespace faster {

class FlushTracker {
 public:
  struct Range {
    LogAddress from;
    LogAddress to;
    Status status;  // kPending while in flight, kOk when written, else the error
  };

  void Reset(LogAddress until) {
    std::lock_guard lock(mutex_);
    ranges_.clear();
    failed_.store(0, std::memory_order_relaxed);
    flushed_until_.store(until, std::memory_order_release);
  }
  void Begin(LogAddress from, LogAddress to) {
    std::lock_guard lock(mutex_);
    const Range range{from, to, Status::kPending};
    ranges_.insert(std::upper_bound(ranges_.begin(), ranges_.end(), range,
                                    [](const Range& a, const Range& b) { return a.from < b.from; }),
                   range);
  }
  void End(LogAddress from, Status status) {
    std::lock_guard lock(mutex_);
    for (Range& range : ranges_) {
      if (range.from != from) continue;
      range.status = status;
      if (status != Status::kOk) {
        failed_.fetch_add(1, std::memory_order_release);
        last_failure_.store(status, std::memory_order_relaxed);
        failures_.fetch_add(1, std::memory_order_release);
      }
    }
    size_t done = 0;
    LogAddress until = flushed_until_.load(std::memory_order_relaxed);
    while (done < ranges_.size() && ranges_[done].from == until && ranges_[done].status == Status::kOk) {
      until = ranges_[done++].to;
    }
    ranges_.erase(ranges_.begin(), ranges_.begin() + static_cast<std::ptrdiff_t>(done));
    flushed_until_.store(until, std::memory_order_release);
  }
  // A failed range, now in flight again; false if there is none.
  bool TakeFailed(Range* taken) {
    if (failed_.load(std::memory_order_acquire) == 0) return false;
    std::lock_guard lock(mutex_);
    for (Range& range : ranges_) {
      if (range.status == Status::kOk || range.status == Status::kPending) continue;
      range.status = Status::kPending;
      failed_.fetch_sub(1, std::memory_order_relaxed);
      *taken = range;
      return true;
    }
    return false;
  }
  // Writes that failed since the log was opened, retries counted, and how the last one did.
  uint64_t failures() const { return failures_.load(std::memory_order_acquire); }
  Status last_failure() const { return last_failure_.load(std::memory_order_relaxed); }
  bool in_flight() {
    std::lock_guard lock(mutex_);
    return std::any_of(ranges_.begin(), ranges_.end(),
                       [](const Range& range) { return range.status == Status::kPending; });
  }
  uint32_t failed() const { return failed_.load(std::memory_order_acquire); }
  LogAddress flushed_until() const { return flushed_until_.load(std::memory_order_acquire); }

 private:
  std::atomic<LogAddress> flushed_until_{0};
  std::atomic<uint32_t> failed_{0};  // failed ranges waiting for a retry
  std::atomic<uint64_t> failures_{0};
  std::atomic<Status> last_failure_{Status::kOk};
  std::mutex mutex_;  // guards ranges_ (sorted by `from`) and every change of flushed_until_
  std::vector<Range> ranges_;
};

}  // namespace faster
