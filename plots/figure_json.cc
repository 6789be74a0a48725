#include <nlohmann/json.hpp>

#include "experiments/common/results.h"
#include "plots/figure.h"

namespace plots {
namespace {

using nlohmann::ordered_json;

constexpr const char* kKinds[] = {"time series", "lines", "bars", "stacked bars"};

ordered_json AxisJson(const FigureAxis& axis) {
  ordered_json json = {{"label", axis.label}, {"log", axis.log}};
  if (axis.from) json["from"] = *axis.from;
  if (axis.to) json["to"] = *axis.to;
  return json;
}

FigureAxis AxisOf(const ordered_json& json) {
  FigureAxis axis;
  axis.label = json.at("label").get<std::string>();
  axis.log = json.at("log").get<bool>();
  if (json.contains("from")) axis.from = json.at("from").get<double>();
  if (json.contains("to")) axis.to = json.at("to").get<double>();
  return axis;
}

FigureSeries SeriesOf(const ordered_json& json) {
  FigureSeries series;
  series.name = json.at("name").get<std::string>();
  for (const ordered_json& row : json.at("points")) {
    FigurePoint point;
    point.x = row.at(0).get<double>();
    point.y = row.at(1).get<double>();
    point.low = row.at(2).get<double>();
    point.high = row.at(3).get<double>();
    point.label = row.at(4).get<std::string>();
    point.oversubscribed = row.at(5).get<bool>();
    series.points.push_back(std::move(point));
  }
  return series;
}

}  // namespace

ordered_json FigureJson(const Figure& figure) {
  ordered_json json;
  json["name"] = figure.name;
  json["kind"] = kKinds[static_cast<size_t>(figure.kind)];
  json["x"] = AxisJson(figure.x);
  json["y"] = AxisJson(figure.y);
  json["categories"] = figure.categories;
  json["panels"] = figure.panels;
  json["span_name"] = figure.span_name;
  json["dark_span_name"] = figure.dark_span_name;
  json["spans"] = ordered_json::array();
  for (const auto& panel : figure.spans) {
    ordered_json spans = ordered_json::array();
    for (const FigureSpan& span : panel) spans.push_back({span.from, span.to, span.dark});
    json["spans"].push_back(std::move(spans));
  }
  json["series"] = ordered_json::array();
  for (const FigureSeries& series : figure.series) {
    ordered_json points = ordered_json::array();
    for (const FigurePoint& point : series.points)
      points.push_back({point.x, point.y, point.low, point.high, point.label, point.oversubscribed});
    json["series"].push_back({{"name", series.name}, {"points", std::move(points)}});
  }
  return json;
}

bool ReadFigure(const ordered_json& json, const std::string& path, Figure* figure, std::string* error) {
  try {
    figure->name = json.at("name").get<std::string>();
    const std::string kind = json.at("kind").get<std::string>();
    size_t number = 0;
    while (number < std::size(kKinds) && kind != kKinds[number]) ++number;
    if (number == std::size(kKinds) || figure->name.empty() || figure->name.find('/') != std::string::npos) {
      *error = path + ": expected a name and a kind of figure";
      return false;
    }
    figure->kind = static_cast<FigureKind>(number);
    figure->x = AxisOf(json.at("x"));
    figure->y = AxisOf(json.at("y"));
    figure->categories = json.at("categories").get<std::vector<std::string>>();
    figure->panels = json.at("panels").get<bool>();
    figure->span_name = json.at("span_name").get<std::string>();
    figure->dark_span_name = json.at("dark_span_name").get<std::string>();
    for (const ordered_json& panel : json.at("spans")) {
      figure->spans.emplace_back();
      for (const ordered_json& span : panel)
        figure->spans.back().push_back(
            {span.at(0).get<double>(), span.at(1).get<double>(), span.at(2).get<bool>()});
    }
    for (const ordered_json& series : json.at("series")) figure->series.push_back(SeriesOf(series));
    return true;
  } catch (const nlohmann::json::exception& problem) {
    *error = path + ": this is no picture: " + problem.what();
  }
  return false;
}

bool DrawStoredFigure(const std::string& folder, std::string* name, std::string* error) {
  const std::string path = folder + "/picture.json";
  std::string text;
  if (!experiments::ReadWholeFile(path, &text, error)) return false;
  Figure figure;
  if (!ReadFigure(ordered_json::parse(text, nullptr, false), path, &figure, error)) return false;
  *name = figure.name;
  return DrawFigure(figure, folder, error);
}

}  // namespace plots
