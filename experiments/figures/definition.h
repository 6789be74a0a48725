// Definition: what one figure is: which program measures which cells, what the paper claims about them, and
// how the picture looks. Read from experiments/figures/<paper>/<figure>.json (the form: README.md) before
// anything runs; whatever is wrong there is one line with its place. Plain values.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "experiments/figures/claim.h"

namespace experiments::figures {

using ParameterSet = nlohmann::ordered_json;  // a flat object

struct Series {
  std::string name;
  std::string program;  // "figure-log"
  ParameterSet parameters;
};
// A cell's parameters are those of the figure, then of the scale, of the series and of the point: the later
// ones replace the earlier ones.

struct XValue {
  std::string label;
  std::optional<double> number;  // absent: a category
  ParameterSet parameters;
};

// How much is measured: "quick" (seconds) or "full" (as near to the paper as one machine allows).
struct Scale {
  ParameterSet parameters;
  uint64_t rounds = 0;
  uint64_t memory_bytes = 0, disk_bytes = 0;  // what one cell needs at most
  double seconds = 0;                         // expected, for the whole figure
  double cell_timeout = 0;                    // seconds
  std::vector<size_t> x;                      // which of the definition's values
};

struct Axis {
  std::string label;  // as the paper has it, with the unit
  bool log = false;
  double factor = 1;               // measured value x factor = what the axis shows
  std::optional<double> from, to;  // of the axis; else 0 (or the data if log) and the data
};

enum class PlotKind { kTimeSeries, kLines, kBars, kStackedBars };

struct PlotSpec {
  PlotKind kind = PlotKind::kLines;
  std::vector<std::string> y;        // a column of samples.csv, or metrics (more than one: stacked)
  std::vector<std::string> y_names;  // what the key calls them; as many as y
  bool checkpoints = false;          // shaded, with their phases if there are any
  bool panels = false;               // a panel for each series rather than one for all
  std::string label;                 // a metric written at each bar or point; "": none
};

struct Definition {
  std::string file;    // where it was read from
  std::string figure;  // "cpr-12b"
  std::string title;
  std::string paper, number;  // "CPR, SIGMOD 2019", "Figure 12b"
  uint64_t page = 0;          // 0: none
  std::string setting;        // one sentence: what here differs from the paper's
  std::string cells_of;       // the figure whose cells this one shows; its own name if it has its own
  bool exact = false;         // the same numbers whatever the machine: one round, no interval
  Axis x_axis, y_axis;
  ParameterSet parameters;
  std::string x_name;            // parameter; "": one point per series
  std::vector<XValue> x_values;  // one without a label if x_name is empty
  std::vector<Series> series;
  Scale quick, full;
  std::vector<Claim> claims;
  PlotSpec plot;
  nlohmann::ordered_json json;       // as read
  nlohmann::ordered_json base_json;  // of the figure that "cells_of" names; null if none

  const Scale& scale(bool quick_one) const { return quick_one ? quick : full; }
  // -1 if there is none.
  int SeriesIndex(const std::string& name) const;
  int XIndex(const std::string& label) const;
};

// False: *error is one line. `base` is the definition that "cells_of" names; null if there is none of it.
bool ParseDefinition(const nlohmann::ordered_json& json, const std::string& file, const Definition* base,
                     Definition* definition, std::string* error);
// The figure that a definition takes its cells from, or "".
std::string CellsOf(const nlohmann::ordered_json& json);

}  // namespace experiments::figures
