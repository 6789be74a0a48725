// One cell of the figures about the log: throughput, growth and fuzzy operations of one store, by how its
// memory is divided and what it writes to.
#pragma once

#include <cstdint>
#include <string>

#include "experiments/figures/program.h"
#include "experiments/figures/ycsb_cell/work.h"

namespace experiments::figures {

struct LogSettings {
  Work work;
  std::string engine;   // engines.h
  uint64_t memory = 0;  // bytes of log buffer, a power of two
  uint64_t page_bits = 0;
  double mutable_share = 0;  // of what mutable_of says
  std::string mutable_of;    // "memory", or "data": the log as it is after the load
  std::string storage;       // "null", "posix" or "uring"
  bool direct = false;
  uint64_t read_limit = 0, write_limit = 0;  // MB/s, 0: none
  bool device = false;                       // also measures what the device writes in order

  void AddTo(Program* program);
};

// Pages of the log that hold so many records of one size, whole blocks with their checksums.
uint64_t DataPages(uint64_t records, uint64_t record_bytes, uint64_t block_bytes, uint64_t page_bytes);
// Pages updated in place. 0: *problem says why that cannot be.
uint32_t MutablePages(const LogSettings& settings, uint64_t record_bytes, std::string* problem);

Outcome MeasureLog(const LogSettings& settings, const Cell& cell, Output* output, std::string* problem);

}  // namespace experiments::figures
