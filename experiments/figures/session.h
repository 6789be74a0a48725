// Session: one call of ./cpr figure: which figures, how much of them, where the results go; and what is
// printed. Used by one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/figures/catalogue.h"
#include "experiments/figures/runner.h"

namespace experiments::figures {

struct SessionOptions {
  std::vector<std::string> figures;
  bool all = false;
  bool quick = false;
  bool pictures = true;
  bool json = false;
  std::string out;                    // a folder for one figure, or with a folder for each of several
  std::string resume;                 // a folder of a figure, or of a session of several
  std::string again;                  // a folder of a figure: judged and drawn anew from its cells
  std::string definitions, programs;  // folders
  // More rounds are measured of figures with a robust claim that noise still hides, until so many seconds
  // after the start. Absent: some for --all --quick, which has a quarter of an hour; else none.
  std::optional<double> further_until;
};

// The exit status.
int RunSession(const SessionOptions& options);
int ListFigures(const SessionOptions& options);

}  // namespace experiments::figures
