// TokenBucket: when transfers may take place so that together they keep a rate.
//
// A transfer of n bytes takes n / rate; the next one begins when the one before it is over. What a late
// caller has lost it catches up with, up to `burst`: so the rate holds although timers and the caller are
// late, and an idle bucket lets no more than that pass at once. Plain arithmetic on the caller's clock; not
// thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>

namespace faster {

class TokenBucket {
 public:
  // `bytes_per_second` 0: no limit.
  explicit TokenBucket(uint64_t bytes_per_second, uint64_t burst_ns = 5'000'000)
      : ns_per_byte_(bytes_per_second == 0 ? 0 : 1e9 / static_cast<double>(bytes_per_second)),
        burst_ns_(static_cast<double>(burst_ns)) {}

  bool limited() const { return ns_per_byte_ != 0; }

  // Books a transfer; the moment, in ns on the clock of `now_ns`, at which it may end. Not after `now_ns`:
  // at once. `now_ns` does not fall.
  uint64_t Take(uint64_t now_ns, uint64_t bytes) {
    if (!limited()) return now_ns;
    const double now = static_cast<double>(now_ns);
    end_ = started_ ? std::max(end_, now - burst_ns_) : now;
    started_ = true;
    end_ += static_cast<double>(bytes) * ns_per_byte_;
    return static_cast<uint64_t>(end_);
  }

 private:
  double ns_per_byte_;
  double burst_ns_;
  double end_ = 0;  // of everything booked so far
  bool started_ = false;
};

}  // namespace faster
