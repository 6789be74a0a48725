// PhaseTable: where the crashes of a campaign struck, checkpoint kind by phase, for people and as JSON.
// Whatever the way to crash, the table and the JSON have the same form. Plain values, no thread-safety.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace experiments {

// Counters of one cell. Not initialised here: they may lie in memory that processes share.
struct CellTally {
  uint64_t executions, crashes, recoveries, violations;
};

struct PhaseCell {
  std::string kind, phase;
  CellTally tally;
  bool reachable;  // a kind never passes some phases
};

// One line a cell, those of a kind together; a cell that is neither reachable nor hit is left out, and a
// reachable one without a crash is marked.
std::string PhaseTableText(const std::vector<PhaseCell>& cells);
// kind -> phase -> the counters and `reachable`, for every cell.
nlohmann::ordered_json PhaseTableJson(const std::vector<PhaseCell>& cells);

// "12.5 %"; "0.0 %" of nothing.
std::string Percent(uint64_t part, uint64_t whole);

}  // namespace experiments
