#include "experiments/crash/tally.h"

namespace experiments {

void Tally::Add(const ExecutionResult& result) {
  ++executions;
  crashes += result.crashes.size();
  recovery_crashes += result.recovery_crashes;
  recoveries += result.recoveries;
  violations += result.violation;
  checkpoints += result.checkpoints;
  recovered_own += result.recovered_own;
  recovered_split += result.recovered_split;
  recovered_pending += result.recovered_pending;
  recovered_undone += result.recovered_undone;
  growths += result.growths;
  steps += result.steps;
  switches += result.switches;
  undecided += result.undecided;
  unbuffered += !result.buffered;
  for (int kind = 0; kind < kCheckpointKinds; ++kind) {
    for (int row = 0; row < kCellRows; ++row) {
      cells[kind][row].executions += result.cells_seen >> (kind * kCellRows + row) & 1;
    }
  }
  for (const CrashNote& note : result.crashes) {
    crashes_growing += note.growing;
    if (note.cell.kind < 0) continue;
    CellTally& cell = cells[note.cell.kind][note.cell.row];
    ++cell.crashes;
    cell.recoveries += note.recovered;
  }
  if (result.violation && result.cell.kind >= 0) ++cells[result.cell.kind][result.cell.row].violations;
}

void Tally::Add(const Tally& other) {
  static_assert(sizeof(Tally) % sizeof(uint64_t) == 0);
  uint64_t* mine = reinterpret_cast<uint64_t*>(this);  // nothing but counters
  const uint64_t* theirs = reinterpret_cast<const uint64_t*>(&other);
  for (size_t i = 0; i < sizeof(Tally) / sizeof(uint64_t); ++i) mine[i] += theirs[i];
}

}  // namespace experiments
