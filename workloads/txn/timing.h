// Where a transaction's time goes (CPR paper, Figures 10e and 17e), and a clock cheap enough to ask.
//
// Client::Execute takes a timing as its template parameter. NoTiming is empty and costs nothing; TickTiming
// reads the processor's time stamp counter a few times per transaction, and counts how often: one reading
// (~10 ns) is as long as a place at an uncontended tail, so whoever compares parts has to take the readings
// off. Ticks become nanoseconds by a calibration against steady_clock. One thread each.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace workloads::txn {

inline uint64_t ReadTicks() {
#if defined(__x86_64__)
  return __rdtsc();
#else
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

// Summed up over transactions. `exec` is what a transaction that committed took beside the rest.
struct TimeParts {
  uint64_t exec = 0;
  uint64_t tail = 0;   // the place in the commit log (CALC), the LSN (WAL)
  uint64_t log = 0;    // making and writing the log record, waiting for room in the buffer
  uint64_t abort = 0;  // attempts that were aborted, all of it

  void Add(const TimeParts& other) {
    exec += other.exec;
    tail += other.tail;
    log += other.log;
    abort += other.abort;
  }
};
// In ticks; and how many readings of the clock are in each part.
struct TimeBreakdown : TimeParts {
  TimeParts readings;
};

// Ticks that one reading of the clock takes.
inline uint64_t TicksPerReading() {
  constexpr int kTries = 1001;
  uint64_t took[kTries];
  uint64_t before = ReadTicks();
  for (uint64_t& one : took) {
    const uint64_t now = ReadTicks();
    one = now - before;
    before = now;
  }
  std::nth_element(took, took + kTries / 2, took + kTries);
  return took[kTries / 2];
}

struct NoTiming {
  explicit NoTiming(TimeBreakdown*) {}
  void BeginPart() {}
  void EndTail() {}
  void EndLog() {}
  void Committed() {}
  void Aborted() {}
};

class TickTiming {
 public:
  explicit TickTiming(TimeBreakdown* sum) : sum_(sum), start_(ReadTicks()) {}
  void BeginPart() {
    part_ = ReadTicks();
    ++readings_.exec;
  }
  void EndTail() {
    tail_ += Next();
    ++readings_.tail;
  }
  void EndLog() {
    log_ += Next();
    ++readings_.log;
  }
  void Committed() {
    sum_->tail += tail_;
    sum_->log += log_;
    sum_->exec += ReadTicks() - start_ - tail_ - log_;
    ++readings_.exec;
    sum_->readings.Add(readings_);
  }
  void Aborted() {
    sum_->abort += ReadTicks() - start_;
    sum_->readings.abort += 1 + readings_.exec + readings_.tail + readings_.log;
  }

 private:
  uint64_t Next() {  // ends one part and begins the next
    const uint64_t now = ReadTicks();
    const uint64_t took = now - part_;
    part_ = now;
    return took;
  }
  TimeBreakdown* const sum_;
  const uint64_t start_;
  uint64_t part_ = 0, tail_ = 0, log_ = 0;
  TimeParts readings_;
};

}  // namespace workloads::txn
