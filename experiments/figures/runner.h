// Runner: measures the cells of a figure that its store still lacks, each in a process of its own.
//
// One cell at a time, in the order of the plan; the results are written after every cell, so that whatever
// ends the run leaves what was measured. A cell that fails ends the figure: what is measured on a broken
// program is worth nothing. Used by one thread (and that of Pace).
#pragma once

#include <string>

#include "experiments/bench/report.h"
#include "experiments/figures/store.h"

namespace experiments::figures {

enum class RunEnd {
  kComplete,
  kInterrupted,
  kViolated,  // a cell found a property violated, died or stood still
  kRefused,   // a cell refused its parameters or the machine; or a file cannot be written
};

// Where the figure-... programs are; every cell's is there, or one line in *error.
bool CheckPrograms(const Definition& definition, const std::string& programs, std::string* error);

// How long the cells that are missing should take.
double ExpectedSeconds(const FigureStore& store);

// *problem: one line, if the end is none of the first two.
RunEnd RunCells(FigureStore* store, const std::string& programs, bench::Pace* pace, std::string* problem);

}  // namespace experiments::figures
