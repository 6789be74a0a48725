// cpr-plot: draws the figures of a result folder again, from the tables that were kept in it.
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "experiments/common/cli.h"
#include "experiments/common/results.h"
#include "plots/figure.h"
#include "plots/scaling.h"
#include "plots/throughput.h"

namespace {

std::string TitleOf(const std::string& folder) {
  std::string text, error;
  if (!experiments::ReadWholeFile(folder + "/results.json", &text, &error)) return "throughput";
  const nlohmann::json results = nlohmann::json::parse(text, nullptr, false);
  return results.is_object() ? results.value("title", "throughput") : "throughput";
}

}  // namespace

int main(int argc, char** argv) {
  experiments::CommandLine line(
      "./cpr plot DIR",
      "Draws the pictures of a result folder from its tables: of ./cpr ycsb throughput.csv and\n"
      "checkpoints.csv, which become throughput.svg and throughput.png; of ./cpr bench --scaling "
      "scaling.csv,\n"
      "which becomes scaling.svg and scaling.png; of ./cpr figure picture.json, which becomes a PDF, an SVG "
      "and\n"
      "a PNG with the gnuplot script and the table that make them.");
  std::string error;
  if (!line.Parse({argv + 1, argv + argc}, &error)) {
    std::fprintf(stderr, "cpr plot: %s\n", error.c_str());
    return 2;
  }
  if (line.help_wanted()) {
    std::fputs(line.Help().c_str(), stdout);
    return 0;
  }
  if (line.positional().size() != 1) {
    std::fprintf(stderr, "cpr plot: expected one result folder, as in ./cpr plot store/ycsb/latest\n");
    return 2;
  }
  const std::string folder = line.positional().front();
  std::error_code code;
  if (std::filesystem::exists(folder + "/picture.json", code)) {
    std::string name;
    if (!plots::DrawStoredFigure(folder, &name, &error)) {
      std::fprintf(stderr, "cpr plot: %s\n", error.c_str());
      return 2;
    }
    for (const char* kind : {"pdf", "svg", "png"})
      std::printf("%s/%s.%s\n", folder.c_str(), name.c_str(), kind);
    return 0;
  }
  const bool scaling = std::filesystem::exists(folder + "/scaling.csv", code);
  if (!(scaling ? plots::DrawScaling(folder, &error)
                : plots::DrawThroughput(folder, TitleOf(folder), &error))) {
    std::fprintf(stderr, "cpr plot: %s\n", error.c_str());
    return 2;
  }
  const char* const name = scaling ? "scaling" : "throughput";
  std::printf("%s/%s.svg\n%s/%s.png\n", folder.c_str(), name, folder.c_str(), name);
  return 0;
}
