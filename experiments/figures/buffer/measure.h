// One cell of CPR figure 15: clients with a buffer each for what is not durable, and the throughput and
// commit interval that follow.
#pragma once

#include <cstdint>
#include <string>

#include "experiments/figures/program.h"
#include "experiments/figures/ycsb_cell/work.h"

namespace experiments::figures {

struct BufferSettings {
  Work work;             // threads, keys, mix; the rest of it is not used
  uint64_t entries = 0;  // of each client's buffer
  double commit_at = 0.8;
  double measured = 0;  // seconds
  double before = 0;    // seconds that are not counted
  uint64_t memory = 0;  // bytes of log buffer, a power of two
  uint64_t page_bits = 0;
  std::string backend;  // of the commits: "foldover" or "snapshot"
  std::string storage;  // "posix" or "uring"
  bool direct = false;
  uint64_t write_limit = 0;  // MB/s, 0: none

  void AddTo(Program* program);
};

Outcome MeasureBuffer(const BufferSettings& settings, const Cell& cell, Output* output, std::string* problem);

}  // namespace experiments::figures
