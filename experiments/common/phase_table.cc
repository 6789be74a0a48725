#include "experiments/common/phase_table.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "experiments/common/progress.h"

namespace experiments {
namespace {

std::string Padded(std::string text, size_t width, bool right) {
  if (text.size() < width) text.insert(right ? 0 : text.size(), width - text.size(), ' ');
  return text;
}

}  // namespace

std::string PhaseTableText(const std::vector<PhaseCell>& cells) {
  std::string text = Padded("checkpoint", 15, false) + Padded("phase", 21, false);
  for (const char* head : {"executions", "crashes", "recoveries", "violations"})
    text += Padded(head, 13, true);
  text += "\n";
  std::string last_kind;
  for (const PhaseCell& cell : cells) {
    const CellTally& tally = cell.tally;
    if (!cell.reachable && tally.crashes == 0) continue;
    text += Padded(cell.kind == last_kind ? "" : cell.kind, 15, false) + Padded(cell.phase, 21, false);
    for (const uint64_t count : {tally.executions, tally.crashes, tally.recoveries, tally.violations}) {
      text += Padded(Grouped(count), 13, true);
    }
    if (tally.crashes == 0) text += "  never hit";
    text += "\n";
    last_kind = cell.kind;
  }
  return text;
}

nlohmann::ordered_json PhaseTableJson(const std::vector<PhaseCell>& cells) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const PhaseCell& cell : cells) {
    json[cell.kind][cell.phase] = {{"executions", cell.tally.executions},
                                   {"crashes", cell.tally.crashes},
                                   {"recoveries", cell.tally.recoveries},
                                   {"violations", cell.tally.violations},
                                   {"reachable", cell.reachable}};
  }
  return json;
}

std::string Percent(uint64_t part, uint64_t whole) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%",
                whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole));
  return text;
}

}  // namespace experiments
