// The damage table: one file of a checkpoint damaged in the ways in which Microsoft's FASTER for C++ was
// damaged, and what a recovery makes of it, as a table in Markdown. Deterministic.
#pragma once

#include <string>

namespace damage {

struct TableResult {
  std::string markdown;
  bool holds = true;  // every row is detected, or harmless and shown so
};
TableResult MakeTable();

}  // namespace damage
