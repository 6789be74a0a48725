// Figure: a picture of measured series, drawn in the house style (style.h) as PDF, SVG and PNG.
//
// Everything that a picture shows is in a Figure, which is kept as picture.json beside the pictures, so that
// they can be drawn again without what was measured. What makes them stays beside them, too: a .gp script and
// a .dat table, for whoever wants another font or another axis. Plain values; drawing needs gnuplot, blocks
// for about a second, and tells what went wrong in one line.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace plots {

enum class FigureKind { kTimeSeries, kLines, kBars, kStackedBars };

struct FigurePoint {
  double x = 0;
  double y = 0, low = 0, high = 0;  // median, least and greatest of the rounds
  std::string label;                // written at the point
  bool oversubscribed = false;      // more threads than cores: drawn open
};
struct FigureSeries {
  std::string name;
  std::vector<FigurePoint> points;
};
// A shaded part of a time series, behind it.
struct FigureSpan {
  double from = 0, to = 0;
  bool dark = false;
};
struct FigureAxis {
  std::string label;
  bool log = false;
  std::optional<double> from, to;  // else from 0 (the data if log) to the data
};

struct Figure {
  std::string name;  // of the files
  FigureKind kind = FigureKind::kLines;
  FigureAxis x, y;
  std::vector<FigureSeries> series;            // kStackedBars: the parts, from below; a point per bar
  std::vector<std::string> categories;         // names of x = 0, 1, ...; empty: numbers
  std::vector<std::vector<FigureSpan>> spans;  // one list for all, or one per panel
  std::string span_name, dark_span_name;       // what shading means; "" if there is none
  bool panels = false;                         // a panel per series, one above the other
};

nlohmann::ordered_json FigureJson(const Figure& figure);
// False: one line in *error, with `path`.
bool ReadFigure(const nlohmann::ordered_json& json, const std::string& path, Figure* figure,
                std::string* error);

// Writes <folder>/<name>.{gp,dat,pdf,svg,png}.
bool DrawFigure(const Figure& figure, const std::string& folder, std::string* error);
// The same from <folder>/picture.json.
bool DrawStoredFigure(const std::string& folder, std::string* name, std::string* error);

}  // namespace plots
