#include "plots/figure.h"

#include <gnuplot-iostream.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <sstream>

#include "experiments/common/results.h"
#include "plots/picture.h"
#include "plots/pipe_guard.h"
#include "plots/style.h"

namespace plots {
namespace {

namespace fs = std::filesystem;

constexpr double kPlotInches = 2.1, kPanelInches = 1.15;
constexpr const char *kShade = "#ececec", *kDarkShade = "#d0d0d0";
constexpr double kClusterWidth = 0.8;  // of the bars of one category

bool Bars(const Figure& figure) {
  return figure.kind == FigureKind::kBars || figure.kind == FigureKind::kStackedBars;
}

double BarWidth(const Figure& figure) {
  return figure.kind == FigureKind::kStackedBars
             ? kClusterWidth * 0.75
             : kClusterWidth / static_cast<double>(std::max<size_t>(figure.series.size(), 1));
}

std::string Text(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.10g", number);
  return text;
}

// One block a series, two empty lines between; labels in quotes as the last column.
std::string Table(const Figure& figure) {
  std::ostringstream out;
  const double width = BarWidth(figure);
  std::vector<double> below(figure.categories.size(), 0);
  for (size_t s = 0; s < figure.series.size(); ++s) {
    const FigureSeries& series = figure.series[s];
    out << "# " << series.name << "\n# x y least greatest oversubscribed label\n";
    for (const FigurePoint& point : series.points) {
      double x = point.x, y = point.y, low = point.low, high = point.high;
      if (figure.kind == FigureKind::kBars) {
        x += (static_cast<double>(s) - (static_cast<double>(figure.series.size()) - 1) / 2) * width;
      } else if (figure.kind == FigureKind::kStackedBars) {
        double& base = below[std::min(static_cast<size_t>(x), below.size() - 1)];
        low = base;
        base += y;
        y = high = base;
      }
      std::string label = point.label;
      std::replace(label.begin(), label.end(), '"', '\'');
      out << Text(x) << ' ' << Text(y) << ' ' << Text(low) << ' ' << Text(high) << ' '
          << (point.oversubscribed ? 1 : 0) << " \"" << label << "\"\n";
    }
    out << "\n\n";
  }
  return out.str();
}

void SendAxis(std::ostream& gp, const char* which, const FigureAxis& axis, bool with_label, bool is_y,
              bool tight) {
  if (with_label)
    gp << "set " << which << "label " << Quoted(axis.label) << " noenhanced offset "
       << (is_y ? "0.6,0" : "0,0.6") << "\n";
  else
    gp << "unset " << which << "label\n";
  if (axis.log)
    gp << "set logscale " << which << "\nset format " << which << " '10^{%L}'\n";
  else
    gp << "unset logscale " << which << "\nset format " << which << " '%h'\n";
  const std::string from = axis.from ? Text(*axis.from) : axis.log || !(is_y || tight) ? "*" : "0";
  const std::string to = axis.to ? Text(*axis.to) : "*";
  // Along a linear x the data end where they end, not at the next tic; a logarithmic one needs its decades.
  gp << "set " << which << "range [" << from << ":" << to << "]"
     << (tight || (!is_y && !axis.log) ? " noextend" : "") << "\n";
}

// The greatest y that is drawn, for room above bars with labels.
double Highest(const Figure& figure) {
  double highest = 0;
  for (const FigureSeries& series : figure.series) {
    for (const FigurePoint& point : series.points) highest = std::max({highest, point.y, point.high});
  }
  return highest;
}

bool ShortNames(const Figure& figure) {
  return std::all_of(figure.series.begin(), figure.series.end(),
                     [](const FigureSeries& series) { return series.name.size() <= 6; });
}

// Categories stand beside each other if the picture is wide enough for them, else aslant, upright if there
// are many.
enum class Slant { kNone, kAslant, kUpright };
size_t Longest(const Figure& figure) {
  size_t longest = 0;
  for (const std::string& category : figure.categories) longest = std::max(longest, category.size());
  return longest;
}
Slant SlantOf(const Figure& figure) {
  const size_t letters = Longest(figure) * figure.categories.size();
  return letters > 120 ? Slant::kUpright : letters > 48 ? Slant::kAslant : Slant::kNone;
}

void SendCategories(std::ostream& gp, const Figure& figure) {
  gp << "set xtics (";
  for (size_t i = 0; i < figure.categories.size(); ++i) {
    std::string label;
    for (const char c : figure.categories[i]) label += c == '%' ? "%%" : std::string(1, c);  // it is a format
    gp << (i == 0 ? "" : ", ") << Quoted(label) << ' ' << i;
  }
  constexpr const char* kRotation[] = {"", " rotate by -25", " rotate by 90 right"};
  gp << ") noenhanced scale 0" << kRotation[static_cast<int>(SlantOf(figure))] << "\n";
  if (Bars(figure)) gp << "set xrange [-0.6:" << static_cast<double>(figure.categories.size()) - 0.4 << "]\n";
}

std::string Source(size_t series) { return "data index " + std::to_string(series); }

void SendTimeSeries(std::ostream& gp, const Figure& figure, size_t first, size_t last) {
  const char* between = "plot ";
  for (size_t s = first; s < last; ++s) {
    gp << between << Source(s) << " using 1:3:4 with filledcurves fs transparent solid 0.13 noborder lc rgb '"
       << kColour[s % kStyles] << "' notitle";
    between = ", \\\n  ";
  }
  for (size_t s = first; s < last; ++s) {
    const size_t points = std::max<size_t>(figure.series[s].points.size(), 1);
    gp << between << Source(s) << " using 1:2 with linespoints lw 1.4 dt " << kDash[s % kStyles] << " pt "
       << kMark[s % kStyles] << " ps 0.35 pi " << std::max<size_t>(points / 8, 1) << " lc rgb '"
       << kColour[s % kStyles] << "' title " << Quoted(figure.series[s].name);
  }
  if (first == 0) {
    for (const auto& [name, colour] :
         {std::pair{&figure.span_name, kShade}, {&figure.dark_span_name, kDarkShade}}) {
      if (!name->empty())
        gp << between << "NaN with boxes fs solid 1 noborder lc rgb '" << colour << "' title "
           << Quoted(*name);
    }
  }
  gp << "\n";
}

void SendLines(std::ostream& gp, const Figure& figure, size_t first, size_t last) {
  const char* between = "plot ";
  for (size_t s = first; s < last; ++s) {
    const std::string colour = std::string(" lc rgb '") + kColour[s % kStyles] + "'";
    gp << between << Source(s) << " using 1:2:3:4 with yerrorbars lw 0.8 ps 0 pt 7" << colour << " notitle";
    between = ", \\\n  ";
    gp << between << Source(s) << " using 1:2 with linespoints lw 1.4 dt " << kDash[s % kStyles] << " pt "
       << kMark[s % kStyles] << " ps 0.55" << colour << " title " << Quoted(figure.series[s].name);
    const auto& points = figure.series[s].points;
    const auto any = [&](auto what) { return std::any_of(points.begin(), points.end(), what); };
    if (any([](const FigurePoint& point) { return point.oversubscribed; })) {
      gp << between << Source(s)
         << " using 1:($5 == 1 ? $2 : NaN) with points pt 7 ps 0.3 lc rgb 'white' notitle";
    }
    if (any([](const FigurePoint& point) { return !point.label.empty(); }))
      gp << between << Source(s) << " using 1:2:6 with labels noenhanced offset 0,0.7 font ',5.5' notitle";
  }
  gp << "\n";
}

void SendBars(std::ostream& gp, const Figure& figure, size_t first, size_t last) {
  const char* between = "plot ";
  const std::string width = "(" + Text(BarWidth(figure) * 0.92) + ")";
  const bool stacked = figure.kind == FigureKind::kStackedBars;
  for (size_t n = first; n < last; ++n) {
    const size_t s = stacked ? last - 1 - (n - first) : n;  // what is on top is drawn first
    gp << between << Source(s) << (stacked ? " using 1:2:" : " using 1:2:3:4:") << width
       << (stacked ? " with boxes" : " with boxerrorbars lw 0.7") << " lc rgb '" << kColour[s % kStyles]
       << "' fs solid 0.8 border lc rgb '#404040' title " << Quoted(figure.series[s].name);
    between = ", \\\n  ";
  }
  for (size_t s = first; s < last; ++s) {
    gp << between << Source(s) << " using 1:4:6 with labels noenhanced offset 0,0.6 font ',5.5' notitle";
  }
  gp << "\n";
}

void SendSpans(std::ostream& gp, const Figure& figure, size_t panel) {
  gp << "unset object\n";
  if (figure.spans.empty()) return;
  const auto& spans = figure.spans[std::min(panel, figure.spans.size() - 1)];
  for (const FigureSpan& span : spans) {
    gp << "set object rectangle from " << Text(span.from) << ",graph 0 to " << Text(span.to)
       << ",graph 1 fc rgb '" << (span.dark ? kDarkShade : kShade) << "' fs solid 1 noborder behind\n";
  }
}

void SendPlot(std::ostream& gp, const Figure& figure, size_t first, size_t last) {
  if (figure.kind == FigureKind::kTimeSeries) return SendTimeSeries(gp, figure, first, last);
  if (Bars(figure)) return SendBars(gp, figure, first, last);
  SendLines(gp, figure, first, last);
}

void SendAxes(std::ostream& gp, const Figure& figure, bool x_label) {
  FigureAxis y = figure.y;
  if (Bars(figure) && !y.log && !y.to && Highest(figure) > 0) y.to = Highest(figure) * 1.12;
  FigureAxis x = figure.x;
  if (!figure.categories.empty()) x.log = false;  // their places are 0, 1, ...
  SendAxis(gp, "x", x, x_label, false, figure.kind == FigureKind::kTimeSeries);
  SendAxis(gp, "y", y, true, true, false);
  if (!figure.categories.empty()) SendCategories(gp, figure);
  if (figure.kind == FigureKind::kLines && figure.categories.empty() && !figure.x.log)
    gp << "set offsets graph 0.03, graph 0.03, 0, 0\n";
}

double Height(const Figure& figure) {
  const double rows = std::ceil(static_cast<double>(figure.series.size()) / 2);
  const double labels = SlantOf(figure) == Slant::kUpright ? 0.05 * static_cast<double>(Longest(figure)) : 0;
  if (!figure.panels) return kPlotInches + 0.1 * rows + labels;
  return kPanelInches * static_cast<double>(figure.series.size()) + 0.4;
}

std::string Script(const Figure& figure) {
  std::ostringstream gp;
  gp << "# gnuplot " << figure.name << ".gp draws the three pictures of " << figure.name << ".dat again.\n"
     << "data = " << Quoted(figure.name + ".dat") << "\n";
  for (const char* kind : {"pdf", "svg", "png"}) {
    SendStyle(gp);
    if (ShortNames(figure)) gp << "set key width 0.5\n";  // else a name touches the next line's sample
    SendTerminal(gp, kind, figure.name + "." + kind, Height(figure));
    if (!figure.panels) {
      SendAxes(gp, figure, true);
      SendSpans(gp, figure, 0);
      SendPlot(gp, figure, 0, figure.series.size());
    } else {
      gp << "set multiplot layout " << figure.series.size() << ",1\n";
      for (size_t s = 0; s < figure.series.size(); ++s) {
        SendAxes(gp, figure, s + 1 == figure.series.size());
        SendSpans(gp, figure, s);
        SendPlot(gp, figure, s, s + 1);
      }
      gp << "unset multiplot\n";
    }
    gp << "unset output\n";
  }
  return gp.str();
}

}  // namespace

bool DrawFigure(const Figure& figure, const std::string& folder, std::string* error) {
  const std::string base = folder + "/" + figure.name;
  const bool any = std::any_of(figure.series.begin(), figure.series.end(),
                               [](const FigureSeries& series) { return !series.points.empty(); });
  if (!any) {
    *error = figure.name + ": nothing was measured that could be drawn";
    return false;
  }
  if (!experiments::WriteWholeFile(base + ".dat", Table(figure), error) ||
      !experiments::WriteWholeFile(base + ".gp", Script(figure), error))
    return false;
  if (!HasGnuplot()) {
    *error = "gnuplot is not there: apt-get install gnuplot-nox";
    return false;
  }
  std::error_code code;
  for (const char* kind : {".pdf", ".svg", ".png"}) fs::remove(base + kind, code);
  const PipeGuard guard;
  try {
    gnuplotio::Gnuplot gp("gnuplot >/dev/null 2>&1");
    gp << "cd " << Quoted(folder) << "\nload " << Quoted(figure.name + ".gp") << "\n";
    gp.flush();
  } catch (const std::exception& problem) {
    *error = std::string("gnuplot cannot be started: ") + problem.what();
    return false;
  }
  for (const char* kind : {".pdf", ".svg", ".png"}) {
    if (fs::exists(base + kind, code) && fs::file_size(base + kind, code) > 0) continue;
    *error = "gnuplot made no " + base + kind + " (is gnuplot-nox installed?)";
    return false;
  }
  return true;
}

}  // namespace plots
