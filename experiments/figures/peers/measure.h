// One cell of the figures that compare stores: YCSB's operations on one of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/figures/program.h"
#include "experiments/figures/ycsb_cell/work.h"

namespace experiments::figures {

struct PeerSettings {
  Work work;
  std::string store;  // faster, or a peer of workloads/peers

  void AddTo(Program* program);
};

std::vector<std::string> ComparedStores();

// Ours has room for all of its log in memory, with everything mutable, and writes nothing; a peer keeps its
// files in the work folder, with its own defaults. A peer that is not in this build is refused.
Outcome MeasurePeer(const PeerSettings& settings, const Cell& cell, Output* output, std::string* problem);

}  // namespace experiments::figures
