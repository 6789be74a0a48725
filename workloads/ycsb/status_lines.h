// StatusLines: YCSB's status line every so often while threads work, with the figures of each operation since
// the line before.
//
// The operations' loops never share their measurements: the watcher leaves a request in each ThreadState, and
// the thread copies what it has measured so far when it looks for the end anyway (every 64 operations). The
// difference to the last copy is the interval. A thread that is held up for longer than a second (a pending
// read, a throttled one) is missing from the line and counts in the next. Used by one thread, the watcher;
// the states outlive it, or Last() is called when their threads have ended.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "workloads/ycsb/engine.h"
#include "workloads/ycsb/report.h"

namespace workloads::ycsb {

// How YCSB's measurement types, and YCSB-cpp, say it.
struct StatusStyle {
  std::vector<MeasurementType> types = {MeasurementType::kHdr};
  bool cpp = false;
  bool on_stdout = false;
};

struct StatusPlan {
  std::string label;       // printed first
  double interval = 10;    // seconds
  uint64_t total = 0;      // operations to do
  double max_seconds = 0;  // 0: no limit
  StatusStyle style = {};
};

class StatusLines {
 public:
  using States = std::vector<std::unique_ptr<ThreadState>>;
  StatusLines(const StatusPlan& plan, const States* states);

  // To be called often; `now` is in seconds since the phase began. True: *line is to be printed.
  bool Due(double now, std::string* line);
  // The line of what was done since the last one, once all threads have ended.
  std::string Last(double now);

 private:
  void Ask();
  bool Collect();  // takes what was answered; true if nothing is awaited
  std::string Line(double now);

  const StatusPlan plan_;
  const States& states_;
  double next_;
  double asked_at_ = -1;                // < 0: no request is out
  std::vector<Measurements> answers_;   // written by the threads
  std::vector<Measurements> answered_;  // the last one of each
  Measurements before_;                 // all of them at the last line
  double last_line_ = 0;
  uint64_t last_done_ = 0;
};

// " [READ: Count=..., Max=..., ...] [UPDATE: ...]" with latencies in us; the operations that occurred.
std::string StatusText(const Measurements& interval, const StatusStyle& style = {});
// "1 hour 5 minutes", "59 seconds": as YCSB says how long something will take.
std::string RemainingText(double seconds);

}  // namespace workloads::ycsb
