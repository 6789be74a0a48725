#include "experiments/figures/drawing.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "experiments/bench/statistics.h"
#include "experiments/common/results.h"
#include "plots/csv.h"

namespace experiments::figures {
namespace {

using plots::Figure;
using plots::FigureKind;
using plots::FigurePoint;
using plots::FigureSeries;
using plots::FigureSpan;

plots::FigureAxis AxisOf(const Axis& axis) {
  plots::FigureAxis result;
  result.label = axis.label;
  result.log = axis.log;
  result.from = axis.from;
  result.to = axis.to;
  return result;
}

FigurePoint PointOf(double x, std::vector<double> rounds) {
  FigurePoint point;
  point.x = x;
  point.y = bench::Median(rounds);
  const auto [low, high] = std::minmax_element(rounds.begin(), rounds.end());
  point.low = *low;
  point.high = *high;
  return point;
}

std::string ShortNumber(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

// When a checkpoint passed its moments, in each round.
struct Times {
  std::vector<double> requested, durable, flush_from, flush_to;
};

class Painter {
 public:
  Painter(const FigureStore& store, Figure* figure, std::string* error)
      : store_(store),
        definition_(store.definition()),
        scale_(definition_.scale(store.quick())),
        figure_(*figure),
        error_(*error) {}

  bool Paint() {
    const PlotSpec& plot = definition_.plot;
    figure_.name = definition_.figure;
    figure_.x = AxisOf(definition_.x_axis);
    figure_.y = AxisOf(definition_.y_axis);
    figure_.panels = plot.panels;
    figure_.kind = plot.kind == PlotKind::kTimeSeries ? FigureKind::kTimeSeries
                   : plot.kind == PlotKind::kBars     ? FigureKind::kBars
                   : plot.kind == PlotKind::kLines    ? FigureKind::kLines
                                                      : FigureKind::kStackedBars;
    if (plot.kind == PlotKind::kTimeSeries) return Courses() && (!plot.checkpoints || Spans());
    if (plot.kind == PlotKind::kStackedBars) return StackedBars();
    return plot.y.size() > 1 ? MetricsAsCategories() : Points();
  }

 private:
  // ---- metrics ----

  std::vector<double> Rounds(size_t series, size_t x, const std::string& metric, bool* oversubscribed) const {
    std::vector<double> rounds;
    for (uint64_t round = 0; round < store_.rounds(); ++round) {
      const auto cell = store_.cells().find(CellFolder(series, x, round));
      if (cell == store_.cells().end()) continue;
      const auto found = cell->second.metrics.find(metric);
      if (found != cell->second.metrics.end()) rounds.push_back(found->second);
      if (oversubscribed != nullptr) *oversubscribed |= store_.oversubscribed(cell->second);
    }
    return rounds;
  }

  bool Add(FigureSeries* to, double at, size_t series, size_t x, const std::string& metric) const {
    bool oversubscribed = false;
    std::vector<double> rounds = Rounds(series, x, metric, &oversubscribed);
    if (rounds.empty()) return false;
    for (double& value : rounds) value *= definition_.y_axis.factor;
    FigurePoint point = PointOf(at, rounds);
    point.oversubscribed = oversubscribed;
    if (!definition_.plot.label.empty()) {
      const std::vector<double> label = Rounds(series, x, definition_.plot.label, nullptr);
      if (!label.empty()) point.label = ShortNumber(bench::Median(label));
    }
    to->points.push_back(point);
    return true;
  }

  bool Points() {
    const bool numbers = definition_.plot.kind == PlotKind::kLines &&
                         std::all_of(scale_.x.begin(), scale_.x.end(),
                                     [&](size_t x) { return definition_.x_values[x].number.has_value(); });
    // Bars of a figure without x: a bar for each series, with its name below.
    const bool series_below = definition_.x_name.empty() && definition_.plot.kind == PlotKind::kBars;
    if (series_below) {
      figure_.series.push_back({"", {}});
      for (size_t s = 0; s < definition_.series.size(); ++s) {
        figure_.categories.push_back(definition_.series[s].name);
        Add(&figure_.series.front(), static_cast<double>(s), s, 0, definition_.plot.y.front());
      }
      return true;
    }
    for (size_t s = 0; s < definition_.series.size(); ++s) {
      FigureSeries series{definition_.series[s].name, {}};
      for (size_t i = 0; i < scale_.x.size(); ++i) {
        const XValue& x = definition_.x_values[scale_.x[i]];
        const double at = numbers ? *x.number * definition_.x_axis.factor : static_cast<double>(i);
        Add(&series, at, s, scale_.x[i], definition_.plot.y.front());
      }
      figure_.series.push_back(std::move(series));
    }
    if (!numbers) {
      for (const size_t x : scale_.x) figure_.categories.push_back(definition_.x_values[x].label);
    }
    return true;
  }

  // Bars of several metrics: a group for each metric, a bar for each series (and value of x).
  bool MetricsAsCategories() {
    figure_.categories = definition_.plot.y_names;
    for (size_t s = 0; s < definition_.series.size(); ++s) {
      for (const size_t x : scale_.x) {
        FigureSeries series{NameOf(s, x), {}};
        for (size_t m = 0; m < definition_.plot.y.size(); ++m)
          Add(&series, static_cast<double>(m), s, x, definition_.plot.y[m]);
        figure_.series.push_back(std::move(series));
      }
    }
    return true;
  }

  bool StackedBars() {
    for (const std::string& name : definition_.plot.y_names) figure_.series.push_back({name, {}});
    double at = 0;
    for (const size_t x : scale_.x) {
      for (size_t s = 0; s < definition_.series.size(); ++s) {
        figure_.categories.push_back(NameOf(s, x));
        for (size_t m = 0; m < definition_.plot.y.size(); ++m)
          Add(&figure_.series[m], at, s, x, definition_.plot.y[m]);
        ++at;
      }
    }
    return true;
  }

  std::string NameOf(size_t series, size_t x) const {
    const std::string& label = definition_.x_values[x].label;
    return definition_.series[series].name + (label.empty() ? "" : ", " + label);
  }

  // ---- time series ----

  bool ReadTable(size_t series, size_t x, uint64_t round, const char* file, plots::Csv* csv, bool* there) {
    const std::string folder = CellFolder(series, x, round);
    *there = store_.cells().contains(folder);
    return !*there || csv->Read(store_.folder() + "/" + folder + "/" + file, &error_);
  }

  // Samples of all rounds at nearly the same time become one point.
  bool Course(size_t s, size_t x, FigureSeries* series) {
    const std::string& column_name = definition_.plot.y.front();
    std::vector<std::vector<std::pair<double, double>>> rounds;
    std::vector<double> widths;
    for (uint64_t round = 0; round < store_.rounds(); ++round) {
      plots::Csv csv;
      bool there = false;
      if (!ReadTable(s, x, round, "samples.csv", &csv, &there)) return false;
      if (!there) continue;
      const int seconds = csv.Column("seconds"), column = csv.Column(column_name);
      if (seconds < 0 || column < 0) {
        error_ = store_.folder() + "/" + CellFolder(s, x, round) +
                 "/samples.csv: expected columns seconds and " + column_name;
        return false;
      }
      rounds.emplace_back();
      for (size_t row = 0; row < csv.rows(); ++row) {
        double at, value;
        if (!csv.Number(row, seconds, &at) || !csv.Number(row, column, &value)) continue;  // not sampled then
        if (!rounds.back().empty()) widths.push_back(at - rounds.back().back().first);
        rounds.back().emplace_back(at, value * definition_.y_axis.factor);
      }
    }
    if (widths.empty()) return true;
    const double width = std::max(bench::Median(widths), 1e-9);
    std::map<long, std::vector<double>> bins;
    for (const auto& round : rounds) {
      for (const auto& [at, value] : round) bins[std::lround(at / width)].push_back(value);
    }
    for (const auto& [bin, values] : bins) {
      const double at = static_cast<double>(bin) * width * definition_.x_axis.factor;
      if (2 * values.size() >= rounds.size()) series->points.push_back(PointOf(at, values));
    }
    return true;
  }

  bool Oversubscribed(size_t s, size_t x) const {
    for (uint64_t round = 0; round < store_.rounds(); ++round) {
      const auto cell = store_.cells().find(CellFolder(s, x, round));
      if (cell != store_.cells().end() && store_.oversubscribed(cell->second)) return true;
    }
    return false;
  }

  bool Courses() {
    for (size_t s = 0; s < definition_.series.size(); ++s) {
      for (const size_t x : scale_.x) {
        FigureSeries series{NameOf(s, x), {}};
        if (!Course(s, x, &series)) return false;
        if (Oversubscribed(s, x)) series.name += " (oversubscribed)";
        figure_.series.push_back(std::move(series));
      }
    }
    return true;
  }

  // From request to durable, and in it WaitFlush; medians over the rounds (and the series, if they share a
  // panel).
  bool Spans() {
    std::vector<std::map<size_t, Times>> panels;
    for (size_t s = 0; s < definition_.series.size(); ++s) {
      for (const size_t x : scale_.x) {
        if (panels.empty() || definition_.plot.panels) panels.emplace_back();
        for (uint64_t round = 0; round < store_.rounds(); ++round) {
          plots::Csv csv;
          bool there = false;
          if (!ReadTable(s, x, round, "checkpoints.csv", &csv, &there)) return false;
          for (size_t row = 0; there && row < csv.rows(); ++row) TakeTimes(csv, row, &panels.back()[row]);
        }
      }
    }
    for (const std::map<size_t, Times>& panel : panels) {
      figure_.spans.emplace_back();
      for (const auto& [number, times] : panel) {
        AddSpan(times.requested, times.durable, false);
        AddSpan(times.flush_from, times.flush_to, true);
      }
    }
    figure_.span_name = "checkpoint";
    figure_.dark_span_name = "WAIT_FLUSH";
    return true;
  }
  void TakeTimes(const plots::Csv& csv, size_t row, Times* times) const {
    for (const auto& [name, to] : {std::pair{"requested", &times->requested},
                                   {"durable", &times->durable},
                                   {"wait_flush", &times->flush_from},
                                   {"persistence_callback", &times->flush_to}}) {
      const int column = csv.Column(name);
      double value;
      if (column >= 0 && csv.Number(row, column, &value)) to->push_back(value * definition_.x_axis.factor);
    }
  }
  void AddSpan(const std::vector<double>& from, const std::vector<double>& to, bool dark) {
    if (from.empty() || to.empty()) return;
    figure_.spans.back().push_back({bench::Median(from), bench::Median(to), dark});
  }

  const FigureStore& store_;
  const Definition& definition_;
  const Scale& scale_;
  Figure& figure_;
  std::string& error_;
};

}  // namespace

bool MakePicture(const FigureStore& store, plots::Figure* figure, std::string* error) {
  return Painter(store, figure, error).Paint();
}

bool DrawPicture(const FigureStore& store, std::string* error) {
  plots::Figure figure;
  if (!MakePicture(store, &figure, error)) return false;
  const std::string json =
      plots::FigureJson(figure).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return WriteWholeFile(store.folder() + "/picture.json", json + "\n", error) &&
         plots::DrawFigure(figure, store.folder(), error);
}

}  // namespace experiments::figures
