// FakeRing: a Ring that performs transfers with pread and pwrite, when and as well as a test says.
//
// Results are held back until Release(), or come at once, newest first if `reversed`. `result` may replace
// what a transfer moves: fewer bytes, an errno below 0. Thread-safe.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "faster/device/ring.h"

namespace faster {

struct RingScript {
  // How many bytes of a transfer are moved, or an errno below 0; `number` counts transfers from 0.
  using Result = std::function<int64_t(uint64_t number, const RingTransfer& transfer)>;

  void Answer(Result wanted) {
    std::lock_guard lock(mutex);
    result = std::move(wanted);
  }
  void Hold() {  // nothing is performed until Release()
    std::lock_guard lock(mutex);
    hold = true;
  }
  void DieAfter(uint64_t transfers) {  // so many are taken and no more
    std::lock_guard lock(mutex);
    dies_at = transfers;
  }
  void Reverse() {
    std::lock_guard lock(mutex);
    reversed = true;
  }
  void KeepAsleep() {  // Wait does not return until WakeUp()
    std::lock_guard lock(mutex);
    asleep = true;
  }
  void WakeUp() {
    std::lock_guard lock(mutex);
    asleep = false;
    wake.notify_all();
  }

  size_t Waiting() {
    std::lock_guard lock(mutex);
    return waiting.size();
  }
  void Release() {
    std::lock_guard lock(mutex);
    hold = false;
    wake.notify_all();
  }

  std::mutex mutex;  // guards what follows
  std::condition_variable wake;
  Result result;
  uint64_t dies_at = ~0ull;
  bool hold = false;
  bool reversed = false;
  std::vector<RingTransfer> waiting;
  uint64_t taken = 0;
  unsigned most_waiting = 0;
  bool woken = false;
  bool asleep = false;
};

class FakeRing : public Ring {
 public:
  explicit FakeRing(RingScript* script) : script_(*script) {}

  unsigned Submit(const RingTransfer* transfers, unsigned count) override {
    std::lock_guard lock(script_.mutex);
    unsigned taken = 0;
    for (; taken < count && script_.taken < script_.dies_at; ++taken, ++script_.taken) {
      script_.waiting.push_back(transfers[taken]);
    }
    script_.most_waiting = std::max(script_.most_waiting, static_cast<unsigned>(script_.waiting.size()));
    script_.wake.notify_all();
    return taken;
  }
  void Wake() override {
    std::lock_guard lock(script_.mutex);
    script_.woken = true;
    script_.wake.notify_all();
  }
  void Wait(bool) override {
    std::unique_lock lock(script_.mutex);
    const auto due = [&] {
      return !script_.asleep && (script_.woken || (!script_.hold && !script_.waiting.empty()));
    };
    script_.wake.wait(lock, due);
    script_.woken = false;
  }
  unsigned Take(RingResult* results, unsigned capacity) override {
    std::lock_guard lock(script_.mutex);
    unsigned count = 0;
    while (!script_.hold && !script_.waiting.empty() && count < capacity) {
      const auto at = script_.reversed ? script_.waiting.end() - 1 : script_.waiting.begin();
      results[count++] = {at->tag, Perform(*at)};
      script_.waiting.erase(at);
    }
    return count;
  }

 private:
  int32_t Perform(const RingTransfer& t) {
    const uint64_t number = performed_++;
    int64_t bytes = t.length;
    if (script_.result) bytes = std::min<int64_t>(bytes, script_.result(number, t));
    if (bytes <= 0) return static_cast<int32_t>(bytes);
    const auto length = static_cast<size_t>(bytes);
    const auto at = static_cast<off_t>(t.offset);
    const ssize_t n = t.write ? ::pwrite(t.fd, t.buffer, length, at) : ::pread(t.fd, t.buffer, length, at);
    return n < 0 ? -errno : static_cast<int32_t>(n);
  }

  RingScript& script_;
  uint64_t performed_ = 0;
};

}  // namespace faster
