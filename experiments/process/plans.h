// Plans: which stores a campaign of kills works on and where it kills them, drawn from a seed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "experiments/common/dice.h"
#include "experiments/process/killed_store.h"

namespace experiments::process {

// Rows and columns of the table, as cpr-crash names them.
constexpr int kKinds = 6;
constexpr int kRows = 9;  // Rest-before, the seven phases, Rest-after
constexpr int kRestBefore = 0;
constexpr int kRestAfter = 8;

workloads::ycsb::CheckpointChoice ChoiceOf(int kind);
int KindOf(const workloads::ycsb::CheckpointChoice& choice);
std::string KindText(int kind);
std::string RowText(int row);
// The machine's own table (kNextPhase) says which phases a kind passes.
bool Reachable(int kind, int row);

// A store of a few keys and tiny pages, 2 or 3 sessions, RMWs or updates with reads.
StoreOptions SmallStore(const std::string& root, Dice& dice);
// 1,000,000 keys, three times the memory of the log, 2 sessions at full speed.
StoreOptions BigStore(const std::string& root, Dice& dice);

// How the store's versions shift and what becomes of pending operations: as told, else drawn. A full
// checkpoint of the big store may copy its index while versions shift; of a small one it does not, so that
// every phase of the table can be hit.
struct Protocol {
  std::optional<faster::ShiftScheme> shift;
  std::optional<faster::Guarantee> guarantee;
};
void DrawProtocol(const Protocol& protocol, Dice& dice, bool big, StoreOptions* options);
// What reads and writes its files: as told, else threads or io_uring, through the page cache or past it.
// Where io_uring is forbidden its fallback is met.
void DrawStorage(const std::optional<StorageChoice>& storage, Dice& dice, StoreOptions* options);

// What goes on beside operations and checkpoints: an index that grows, a log that is compacted, checkpoints
// that go, copies of what was read, a cold store; and operations in batches.
void DrawCompany(Dice& dice, bool big, StoreOptions* options);

// Kills in the cell (kind, row) of a small store.
KillPlan PlanInCell(int kind, int row, const std::vector<int>& kinds, Dice& dice);
// At any moment, between checkpoints of any kind.
KillPlan PlanAnywhere(const std::vector<int>& kinds, Dice& dice);
KillPlan PlanAtFullSpeed(const std::vector<int>& kinds, Dice& dice);

// What the store is, in one line.
std::string StoreText(const StoreOptions& options);

}  // namespace experiments::process
