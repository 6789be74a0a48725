// Inspection: what the checks of one checkpoint share: where to read, how many threads, whom to tell.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "faster/cpr/task_runner.h"
#include "faster/device/storage.h"
#include "faster/inspect/findings.h"

namespace faster {

struct InspectProgress {
  std::string_view step;     // what is read
  uint64_t bytes = 0;        // so far, of the whole inspection
  uint64_t bytes_total = 0;  // that will be read, as far as is known
};

struct Inspection {
  Storage* storage;
  TaskRunner* runner;
  uint32_t jobs;  // that read ahead; 0: the caller reads
  FindingList* findings;
  std::function<void(const InspectProgress&)> on_progress;
  InspectProgress progress;

  // Pieces in memory at a time.
  uint32_t ahead() const { return 2 * jobs + 2; }
  void Read(std::string_view step, uint64_t bytes) {
    progress.step = step;
    progress.bytes += bytes;
    if (on_progress) on_progress(progress);
  }
};

}  // namespace faster
