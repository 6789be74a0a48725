#include "plots/style.h"

#include "plots/picture.h"

namespace plots {
namespace {

constexpr double kPixelsPerInch = 300;     // of the PNG
constexpr double kCairoDpi = 96;           // that its font sizes are meant for
constexpr double kSvgPixelsPerInch = 150;  // its fonts are in pixels

}  // namespace

void SendStyle(std::ostream& gp) {
  gp << "reset\n"
        "set encoding utf8\n"
        "set border 3 lw 0.7 lc rgb '#404040'\n"
        "set tics nomirror out scale 0.5 textcolor rgb '#202020'\n"
        "set grid ytics lw 0.5 lc rgb '#dddddd' dt solid\n"
        "set key above left Left reverse horizontal samplen 1.8 spacing 1.05 width -1 maxcols 3 noenhanced\n"
        "set style fill solid 1.0 noborder\n"
        "set errorbars 0.6\n"
        "set bars 0.6\n";
}

void SendTerminal(std::ostream& gp, const std::string& kind, const std::string& file, double height_inches) {
  if (kind == "pdf") {
    gp << "set terminal pdfcairo size " << kColumnInches << "in," << height_inches
       << "in font 'Sans,7' linewidth 0.8 dashlength 0.7\n";
  } else if (kind == "svg") {
    gp << "set terminal svg size " << kColumnInches * kSvgPixelsPerInch << ","
       << height_inches * kSvgPixelsPerInch << " font 'Helvetica,15' linewidth 1.6 background 'white'\n";
  } else {
    gp << "set terminal pngcairo size " << kColumnInches * kPixelsPerInch << ","
       << height_inches * kPixelsPerInch << " font 'Sans,7' fontscale " << kPixelsPerInch / kCairoDpi
       << " linewidth 3 dashlength 0.7 background 'white'\n";
  }
  gp << "set output " << Quoted(file) << "\n";
}

}  // namespace plots
