// The house style of all figures: readable at the width of a paper's column, in print without colours, and by
// people of any colour vision (Okabe and Ito's palette, and a mark and a dash for each series besides).
#pragma once

#include <cstddef>
#include <ostream>
#include <string>

namespace plots {

constexpr size_t kStyles = 8;
constexpr const char* kColour[kStyles] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                          "#E69F00", "#56B4E9", "#000000", "#999933"};
constexpr int kMark[kStyles] = {7, 5, 9, 11, 13, 6, 4, 8};      // filled circle, square, triangles, ...
constexpr int kOpenMark[kStyles] = {6, 4, 8, 10, 12, 6, 4, 8};  // the same, not filled
constexpr const char* kDash[kStyles] = {"solid", "'-'", "'.'", "'-.'", "solid", "'-'", "'.'", "'-.'"};

constexpr double kColumnInches = 3.4;

// Everything before the axes: reset, borders, grid, fonts.
void SendStyle(std::ostream& gp);
// The terminal and the output file of one of the three: "pdf", "svg" or "png".
void SendTerminal(std::ostream& gp, const std::string& kind, const std::string& file, double height_inches);

}  // namespace plots
