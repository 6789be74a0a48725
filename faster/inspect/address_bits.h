// AddressBits: one bit for every word of a range of the log, set by many threads.
//
// MEMORY: 1/64 of the range, taken from the kernel as it is touched. THREAD-SAFETY: Set and Word on any
// threads; who wants to see what others set synchronises with them first.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "faster/core/checkpoint_types.h"
#include "faster/core/memory.h"
#include "faster/core/status.h"

namespace faster {

class AddressBits {
 public:
  static constexpr uint64_t kWordBytes = 512;  // of the log, in a word of 64 bits

  Status Allocate(LogAddress from, LogAddress to) {
    from_ = from & ~(kWordBytes - 1);
    to_ = to;
    const uint64_t words = (to - from_ + kWordBytes - 1) / kWordBytes;
    return memory_.Allocate((words + 1) * 8, true) ? Status::kOk : Status::kOutOfMemory;
  }
  uint64_t bytes() const { return (to_ - from_) / 64; }
  bool Covers(LogAddress at) const { return at >= from_ && at < to_; }

  // [at in range, a multiple of 8]
  void Set(LogAddress at) {
    std::atomic_ref<uint64_t> word(words()[(at - from_) / kWordBytes]);
    const uint64_t bit = uint64_t{1} << (at / 8 % 64);
    if ((word.load(std::memory_order_relaxed) & bit) == 0) word.fetch_or(bit, std::memory_order_relaxed);
  }
  // The same for many, in whatever order: their words are fetched ahead, which the processor does not do
  // across atomic changes.
  void SetAll(std::span<const LogAddress> addresses) {
    constexpr size_t kAhead = 24;
    for (size_t i = 0; i < addresses.size(); ++i) {
      if (i + kAhead < addresses.size())
        __builtin_prefetch(&words()[(addresses[i + kAhead] - from_) / kWordBytes], 1);
      Set(addresses[i]);
    }
  }
  // The bits of [at, at + kWordBytes); `at` is a multiple of that.
  uint64_t Word(LogAddress at) const {
    if (at < from_ || at >= to_) return 0;
    return std::atomic_ref<uint64_t>(words()[(at - from_) / kWordBytes]).load(std::memory_order_relaxed);
  }
  bool Get(LogAddress at) const { return (Word(at & ~(kWordBytes - 1)) >> (at / 8 % 64) & 1) != 0; }

 private:
  uint64_t* words() const { return static_cast<uint64_t*>(memory_.data()); }

  LogAddress from_ = 0;
  LogAddress to_ = 0;
  ZeroedMemory memory_;
};

}  // namespace faster
