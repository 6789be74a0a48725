#include "experiments/figures/definition.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "experiments/common/near_names.h"

namespace experiments::figures {
namespace {

constexpr uint64_t kTera = uint64_t{1} << 40;
constexpr uint64_t kFewestRounds = 5;  // an interval of the median needs so many

ParameterSet ParseParameters(const JsonPlace& place) {
  for (const auto& [name, value] : place.Members()) {
    bool flat = value.json().is_primitive() && !value.json().is_null();
    if (value.is_array()) {
      flat = std::all_of(value.json().begin(), value.json().end(),
                         [](const auto& item) { return item.is_primitive() && !item.is_null(); });
    }
    if (!flat) value.Expected("a number, a text, true or false, or an array of such");
  }
  return place.failed() ? ParameterSet::object() : place.json();
}

void ParseSource(const JsonPlace& place, Definition* definition) {
  place.OnlyMembers({"paper", "figure", "page"});
  definition->paper = place.At("paper").Text();
  definition->number = place.At("figure").Text();
  if (place.Has("page")) definition->page = place.At("page").Whole(1, 10000);
}

Axis ParseAxis(const JsonPlace& place) {
  Axis axis;
  place.OnlyMembers({"label", "log", "factor", "from", "to"});
  axis.label = place.At("label").Text();
  if (place.Has("log")) axis.log = place.At("log").Flag();
  if (place.Has("factor")) axis.factor = place.At("factor").Real(1e-18, 1e18);
  if (place.Has("from")) axis.from = place.At("from").Real(-1e18, 1e18);
  if (place.Has("to")) axis.to = place.At("to").Real(-1e18, 1e18);
  return axis;
}

void ParseSeries(const JsonPlace& place, const std::string& program, Definition* definition) {
  std::set<std::string> seen;
  for (const JsonPlace& item : place.Items()) {
    item.OnlyMembers({"name", "program", "parameters"});
    Series series;
    series.name = item.At("name").Text();
    series.program = item.Has("program") ? item.At("program").Text() : program;
    series.parameters =
        item.Has("parameters") ? ParseParameters(item.At("parameters")) : ParameterSet::object();
    if (!seen.insert(series.name).second)
      item.At("name").Complain("there are two series \"" + series.name + "\"");
    definition->series.push_back(std::move(series));
  }
  if (definition->series.empty()) place.Expected("at least one series");
}

void ParseX(const JsonPlace& root, Definition* definition) {
  if (!root.Has("x")) {
    definition->x_values.push_back({"", {}, ParameterSet::object()});
    return;
  }
  const JsonPlace place = root.At("x");
  place.OnlyMembers({"name", "values"});
  definition->x_name = place.At("name").Text();
  std::set<std::string> seen;
  for (const JsonPlace& item : place.At("values").Items()) {
    XValue value;
    value.parameters = ParameterSet::object();
    if (item.is_object()) {
      item.OnlyMembers({"label", "number", "parameters"});
      value.label = item.At("label").Text();
      if (item.Has("number")) value.number = item.At("number").Real(-1e18, 1e18);
      value.parameters = ParseParameters(item.At("parameters"));
    } else if (item.is_number()) {
      value.label = item.json().dump();
      value.number = item.json().get<double>();
      value.parameters[definition->x_name] = item.json();
    } else {
      value.label = item.Text();
      value.parameters[definition->x_name] = value.label;
    }
    if (!seen.insert(value.label).second) item.Complain("there are two values " + value.label);
    definition->x_values.push_back(std::move(value));
  }
  if (definition->x_values.empty()) place.At("values").Expected("at least one value");
}

Scale ParseScale(const JsonPlace& place, const Definition& definition) {
  Scale scale;
  place.OnlyMembers({"parameters", "rounds", "memory_bytes", "disk_bytes", "seconds", "cell_timeout", "x"});
  scale.parameters = ParseParameters(place.At("parameters"));
  scale.memory_bytes = place.At("memory_bytes").Whole(1 << 20, kTera);
  scale.disk_bytes = place.At("disk_bytes").Whole(0, kTera);
  scale.seconds = place.At("seconds").Real(0.01, 1e6);
  // Long enough for a machine that is busy; a cell that stands still ends the figure.
  scale.cell_timeout =
      place.Has("cell_timeout") ? place.At("cell_timeout").Real(1, 1e6) : std::max(60.0, scale.seconds);
  const JsonPlace rounds = place.At("rounds");
  scale.rounds = rounds.Whole(1, 1000);
  if (definition.exact && scale.rounds > 1) rounds.Expected("1, as the figure is exact");
  if (!definition.exact && scale.rounds < kFewestRounds && !rounds.failed())
    rounds.Expected("at least " + std::to_string(kFewestRounds) + ", as what is measured needs an interval");
  if (!place.Has("x")) {
    for (size_t i = 0; i < definition.x_values.size(); ++i) scale.x.push_back(i);
    return scale;
  }
  for (const JsonPlace& item : place.At("x").Items()) {
    const int index = definition.XIndex(item.is_number() ? item.json().dump() : item.Text());
    if (index < 0) item.Expected("one of the values of x");
    scale.x.push_back(static_cast<size_t>(std::max(index, 0)));
  }
  if (scale.x.empty()) place.At("x").Expected("at least one value");
  return scale;
}

PlotSpec ParsePlot(const JsonPlace& place) {
  PlotSpec plot;
  place.OnlyMembers({"kind", "y", "y_names", "checkpoints", "panels", "label"});
  const std::string kind = place.At("kind").Choice({"time series", "lines", "bars", "stacked bars"});
  plot.kind = kind == "time series"    ? PlotKind::kTimeSeries
              : kind == "lines"        ? PlotKind::kLines
              : kind == "stacked bars" ? PlotKind::kStackedBars
                                       : PlotKind::kBars;
  const JsonPlace y = place.At("y");
  if (y.is_array()) {
    for (const JsonPlace& item : y.Items()) plot.y.push_back(item.Text());
  } else {
    plot.y.push_back(y.Text());
  }
  const bool several = plot.kind == PlotKind::kStackedBars || plot.kind == PlotKind::kBars;
  if (plot.y.empty() || (plot.y.size() > 1 && !several)) y.Expected(several ? "metrics" : "one name");
  if (place.Has("y_names")) {
    for (const JsonPlace& item : place.At("y_names").Items()) plot.y_names.push_back(item.Text());
    if (plot.y_names.size() != plot.y.size()) place.At("y_names").Expected("as many names as y has");
  } else {
    plot.y_names = plot.y;
  }
  if (place.Has("checkpoints")) plot.checkpoints = place.At("checkpoints").Flag();
  if (place.Has("panels")) plot.panels = place.At("panels").Flag();
  if (place.Has("label")) plot.label = place.At("label").Text();
  return plot;
}

// What makes the cells: of the definition itself, or of the one whose cells it shows.
void ParseCells(const JsonPlace& root, const Definition* base, Definition* definition) {
  constexpr const char* kOwn[] = {"program", "exact", "parameters", "series", "x", "scales"};
  if (root.Has("cells_of")) {
    for (const char* member : kOwn) {
      if (root.Has(member)) return root.At(member).Complain("a figure with \"cells_of\" has none of its own");
    }
    const JsonPlace of = root.At("cells_of");
    const std::string name = of.Text();
    if (base == nullptr) return of.Complain("there is no figure \"" + name + "\"");
    if (base->cells_of != base->figure) return of.Complain(name + " has no cells of its own");
    definition->cells_of = name;
    definition->base_json = base->json;
    definition->exact = base->exact;
    definition->parameters = base->parameters;
    definition->x_name = base->x_name;
    definition->x_values = base->x_values;
    definition->series = base->series;
    definition->quick = base->quick;
    definition->full = base->full;
    return;
  }
  definition->cells_of = definition->figure;
  if (root.Has("exact")) definition->exact = root.At("exact").Flag();
  definition->parameters = ParseParameters(root.At("parameters"));
  ParseSeries(root.At("series"), root.At("program").Text(), definition);
  for (const Series& series : definition->series) {
    const std::string& program = series.program;
    if (!program.starts_with("figure-") || program.find('/') != std::string::npos)
      root.At("program").Expected("the name of a program, figure-...");
  }
  ParseX(root, definition);
  const JsonPlace scales = root.At("scales");
  scales.OnlyMembers({"quick", "full"});
  definition->quick = ParseScale(scales.At("quick"), *definition);
  definition->full = ParseScale(scales.At("full"), *definition);
}

void ParseClaims(const JsonPlace& place, Definition* definition) {
  for (const JsonPlace& item : place.Items()) {
    definition->claims.push_back(ParseClaim(item));
    for (const Scale* scale : {&definition->quick, &definition->full}) {
      Grid grid;
      for (const Series& series : definition->series) grid.series.push_back(series.name);
      for (const size_t x : scale->x) grid.x.push_back(definition->x_values[x].label);
      CheckClaim(definition->claims.back(), grid, item);
    }
  }
  if (definition->claims.empty()) place.Expected("at least one claim");
}

bool IsFigureName(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::islower(c) || std::isdigit(c) || c == '-';
  });
}

}  // namespace

int Definition::SeriesIndex(const std::string& name) const {
  for (size_t i = 0; i < series.size(); ++i) {
    if (series[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

int Definition::XIndex(const std::string& label) const {
  for (size_t i = 0; i < x_values.size(); ++i) {
    if (x_values[i].label == label) return static_cast<int>(i);
  }
  return -1;
}

std::string CellsOf(const nlohmann::ordered_json& json) {
  return json.is_object() && json.contains("cells_of") && json["cells_of"].is_string()
             ? json["cells_of"].get<std::string>()
             : "";
}

bool ParseDefinition(const nlohmann::ordered_json& json, const std::string& file, const Definition* base,
                     Definition* definition, std::string* error) {
  error->clear();
  *definition = {};
  definition->file = file;
  definition->json = json;
  const JsonPlace root(json, file, error);
  root.OnlyMembers({"figure", "title", "source", "setting", "cells_of", "program", "exact", "axes",
                    "parameters", "series", "x", "scales", "claims", "plot"});
  const JsonPlace name = root.At("figure");
  definition->figure = name.Text();
  if (!IsFigureName(definition->figure)) name.Expected("small letters, digits and dashes");
  definition->title = root.At("title").Text();
  ParseSource(root.At("source"), definition);
  definition->setting = root.At("setting").Text();
  const JsonPlace axes = root.At("axes");
  axes.OnlyMembers({"x", "y"});
  definition->x_axis = ParseAxis(axes.At("x"));
  definition->y_axis = ParseAxis(axes.At("y"));
  definition->plot = ParsePlot(root.At("plot"));
  ParseCells(root, base, definition);
  if (error->empty()) ParseClaims(root.At("claims"), definition);
  return error->empty();
}

}  // namespace experiments::figures
