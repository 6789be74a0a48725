// Cells: the points of a figure in the order in which they are measured.
//
// Round by round, every cell once in each, so that what the machine does meanwhile (others' load, a warmer
// processor) meets all series alike; each round begins elsewhere and every other one goes backwards, so that
// no series is always the first. All cells of a round have one seed: they see the same keys. Rounds beyond
// those of the scale have the cells that ask for them. Plain values.
#pragma once

#include <string>
#include <vector>

#include "experiments/figures/definition.h"

namespace experiments::figures {

struct CellPlan {
  size_t series = 0, x = 0;  // of the definition
  uint64_t round = 0;
  std::string program;
  nlohmann::ordered_json file;                           // what the program reads
  std::string folder;                                    // within the figure's: "cells/<series>-<x>-<round>"
  std::string Text(const Definition& definition) const;  // "fold-over, Zipf at 2, round 3"
};

std::string CellFolder(size_t series, size_t x, uint64_t round);
// `further`: x is the number of the definition's value.
std::vector<CellPlan> PlanCells(const Definition& definition, bool quick, const FurtherRounds& further = {});

}  // namespace experiments::figures
