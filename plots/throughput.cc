#include "plots/throughput.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <vector>

#include "plots/csv.h"
#include "plots/picture.h"

namespace plots {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBlue = "#0072B2";
constexpr const char* kOrange = "#E69F00";
constexpr const char* kVermillion = "#D55E00";

struct Span {
  double from, to;
  std::string label;
  bool durable;
};
struct Curve {
  std::vector<std::pair<double, double>> points;  // seconds, million operations per second
  double highest = 0, last = 0;
};

bool ReadCurve(const std::string& path, Curve* curve, std::string* error) {
  Csv csv;
  if (!csv.Read(path, error)) return false;
  const int seconds = csv.Column("seconds"), mops = csv.Column("mops");
  if (seconds < 0 || mops < 0 || csv.rows() == 0) {
    *error = path + ": expected columns seconds and mops, and a row";
    return false;
  }
  for (size_t row = 0; row < csv.rows(); ++row) {
    double x, y;
    if (!csv.Number(row, seconds, &x) || !csv.Number(row, mops, &y)) {
      *error = path + ": row " + std::to_string(row + 1) + ": expected numbers";
      return false;
    }
    curve->points.emplace_back(x, y);
    curve->highest = std::max(curve->highest, y);
    curve->last = std::max(curve->last, x);
  }
  return true;
}

bool ReadSpans(const std::string& path, double end, std::vector<Span>* spans, std::string* error) {
  std::error_code code;
  if (!fs::exists(path, code)) return true;
  Csv csv;
  if (!csv.Read(path, error)) return false;
  const int kind = csv.Column("kind"), from = csv.Column("requested"), to = csv.Column("durable"),
            status = csv.Column("status");
  if (kind < 0 || from < 0 || to < 0 || status < 0) {
    *error = path + ": expected columns kind, requested, durable and status";
    return false;
  }
  for (size_t row = 0; row < csv.rows(); ++row) {
    Span span;
    if (!csv.Number(row, from, &span.from)) {
      *error = path + ": row " + std::to_string(row + 1) + ": expected a number for requested";
      return false;
    }
    const bool ended = csv.Number(row, to, &span.to);
    if (!ended) span.to = end;
    span.durable = csv.Cell(row, status) == "ok";
    char label[64];
    std::snprintf(label, sizeof label, "%zu: %.2f s", row + 1, span.to - span.from);
    span.label = span.durable ? label : std::to_string(row + 1) + ": " + csv.Cell(row, status);
    spans->push_back(span);
  }
  return true;
}

void Send(std::ostream& gp, const std::string& csv_path, const Curve& curve, const std::vector<Span>& spans,
          const std::string& title) {
  const double top = curve.highest > 0 ? curve.highest * 1.4 : 1;  // labels stand above the curve
  gp << "reset\nset datafile separator ','\nset datafile columnheaders\n";
  gp << "set title " << Quoted(title) << " noenhanced\n";
  gp << "set xlabel 'time (s)'\nset ylabel 'throughput (million operations/s)'\n";
  gp << "set xrange [0:" << std::max(curve.last, 0.001) << "]\nset yrange [0:" << top << "]\n";
  gp << "set grid ytics lc rgb '#dddddd'\nset border 3\nset tics nomirror out\n";
  gp << "set key top right horizontal samplen 2\n";
  int number = 0;
  bool any_failed = false;
  for (const Span& span : spans) {
    ++number;
    any_failed |= !span.durable;
    gp << "set object " << number << " rectangle from " << span.from << ",0 to " << span.to << ","
       << top * 0.9 << " fillcolor rgb '" << (span.durable ? kOrange : kVermillion)
       << "' fillstyle solid 0.35 noborder behind\n";
    gp << "set label " << number << ' ' << Quoted(span.label) << " at " << (span.from + span.to) / 2 << ","
       << top * 0.75 << " rotate by 90 left front font ',9' noenhanced\n";
  }
  gp << "plot " << Quoted(csv_path) << " using 'seconds':'mops' with lines lw 2 lc rgb '" << kBlue
     << "' title 'throughput'";
  if (!spans.empty()) {
    gp << ", NaN with boxes fillstyle solid 0.35 noborder lc rgb '" << kOrange
       << "' title 'checkpoint, from request to durable'";
  }
  if (any_failed) {
    gp << ", NaN with boxes fillstyle solid 0.35 noborder lc rgb '" << kVermillion << "' title 'not durable'";
  }
  gp << "\n";
}

}  // namespace

bool DrawThroughput(const std::string& folder, const std::string& title, std::string* error) {
  const std::string csv = folder + "/throughput.csv";
  Curve curve;
  std::vector<Span> spans;
  if (!ReadCurve(csv, &curve, error)) return false;
  if (!ReadSpans(folder + "/checkpoints.csv", curve.last, &spans, error)) return false;
  return MakePicture(
      folder + "/throughput", 1000, 480, [&](std::ostream& gp) { Send(gp, csv, curve, spans, title); },
      error);
}

}  // namespace plots
