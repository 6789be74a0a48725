#include "plots/scaling.h"

#include <cstdio>
#include <map>
#include <vector>

#include "plots/csv.h"
#include "plots/picture.h"

namespace plots {
namespace {

struct Panel {
  const char* name;
  const char* title;
  const char* x;
  const char* y;
};
constexpr Panel kPanels[] = {
    {"throughput", "throughput by keys", "keys", "million operations/s"},
    {"memory", "memory by keys", "keys", "bytes per key"},
    {"checkpoint", "checkpoint by what it writes", "MB", "seconds"},
    {"recovery", "recovery by what it reads", "GB", "seconds"},
};
// Okabe and Ito's, which people of any colour vision can tell apart.
constexpr const char* kColours[] = {"#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"};

using Points = std::vector<std::pair<double, double>>;
using Curves = std::map<std::string, std::map<std::string, Points>>;  // by panel and series

bool ReadCurves(const std::string& path, Curves* curves, std::string* error) {
  Csv csv;
  if (!csv.Read(path, error)) return false;
  const int panel = csv.Column("panel"), series = csv.Column("series"), x = csv.Column("x"),
            y = csv.Column("y");
  if (panel < 0 || series < 0 || x < 0 || y < 0 || csv.rows() == 0) {
    *error = path + ": expected columns panel, series, x and y, and a row";
    return false;
  }
  for (size_t row = 0; row < csv.rows(); ++row) {
    double at, value;
    if (!csv.Number(row, x, &at) || !csv.Number(row, y, &value) || at <= 0 || value <= 0) {
      *error = path + ": row " + std::to_string(row + 1) + ": expected numbers above 0";
      return false;
    }
    (*curves)[csv.Cell(row, panel)][csv.Cell(row, series)].emplace_back(at, value);
  }
  return true;
}

void SendPanel(std::ostream& gp, const Panel& panel, const std::map<std::string, Points>& curves) {
  gp << "set title " << Quoted(panel.title) << " noenhanced\nset xlabel " << Quoted(panel.x)
     << "\nset ylabel " << Quoted(panel.y) << "\n";
  int number = 0;
  for (const auto& [series, curve] : curves) {
    gp << "$series" << ++number << " << EOD\n";
    for (const auto& [x, y] : curve) gp << x << ' ' << y << '\n';
    gp << "EOD\n";
  }
  number = 0;
  for (const auto& [series, curve] : curves) {
    gp << (number == 0 ? "plot " : ", ") << "$series" << number + 1
       << " with linespoints lw 2 pt 7 ps 0.7 lc rgb '" << kColours[static_cast<size_t>(number) % 6]
       << "' title " << Quoted(series) << " noenhanced";
    ++number;
  }
  gp << "\n";
}

void Send(std::ostream& gp, const Curves& curves) {
  gp << "reset\nset logscale xy\nset grid lc rgb '#dddddd'\nset border 3\nset tics nomirror out\n";
  gp << "set key top left samplen 2\nset offsets graph 0.05, graph 0.05, graph 0.3, graph 0.1\n";
  const size_t columns = curves.size() > 1 ? 2 : 1, rows = (curves.size() + columns - 1) / columns;
  gp << "set multiplot layout " << rows << "," << columns << "\n";
  for (const Panel& panel : kPanels) {
    const auto found = curves.find(panel.name);
    if (found != curves.end()) SendPanel(gp, panel, found->second);
  }
  gp << "unset multiplot\n";
}

}  // namespace

bool DrawScaling(const std::string& folder, std::string* error) {
  Curves curves;
  if (!ReadCurves(folder + "/scaling.csv", &curves, error)) return false;
  return MakePicture(
      folder + "/scaling", 1000, 800, [&](std::ostream& gp) { Send(gp, curves); }, error);
}

}  // namespace plots
