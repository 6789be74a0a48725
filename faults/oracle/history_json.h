// A History as JSON Lines: one object a line, so that a history can be written while it grows and read by any
// tool. faults/oracle/FORMAT.md describes every field.
//
// The reader takes nothing on trust: every line must be an object of a known type with exactly the fields of
// that type, every number in range. The first thing that is not so ends the reading with the line number and
// what was expected. Whether the events make sense together is HistoryCheck's business.
#pragma once

#include <cstdint>
#include <istream>
#include <ostream>
#include <string>

#include "faults/oracle/history.h"

namespace faults {

struct HistoryError {
  uint64_t line = 0;  // from 1
  std::string expected;
  std::string found;
  std::string Text() const {
    return "line " + std::to_string(line) + ": expected " + expected +
           (found.empty() ? "" : ", found " + found);
  }
};

void WriteHistory(const History& history, std::ostream* out);

// False and *error on the first line that is wrong; *history is then unspecified. A stream that fails while
// being read is an error too.
bool ReadHistory(std::istream* in, History* history, HistoryError* error);

}  // namespace faults
