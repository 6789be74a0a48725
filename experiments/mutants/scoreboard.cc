#include "experiments/mutants/scoreboard.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "experiments/common/progress.h"

namespace experiments::mutants {
namespace {

std::string Xml(const std::string& text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += (static_cast<unsigned char>(c) < 32 ? ' ' : c);
    }
  }
  return out;
}

nlohmann::ordered_json SeedsJson(const HuntResult& result) {
  nlohmann::ordered_json seeds = nlohmann::ordered_json::array();
  for (const SeedResult& one : result.seeds) {
    seeds.push_back({{"seed", one.seed},
                     {"found", one.found},
                     {"rule", one.rule},
                     {"executions", one.executions},
                     {"seconds", one.seconds}});
  }
  return seeds;
}

}  // namespace

Scoreboard::Scoreboard(const std::vector<Patch>* patches, uint64_t seed, uint64_t seconds)
    : patches_(patches), results_(patches->size()), seed_(seed), seconds_(seconds) {}

void Scoreboard::Add(size_t patch, const HuntResult& result) {
  results_[patch] = result;
  if (!result.ran) return;
  ++done_;
  if (result.found) ++found_;
}

std::string Scoreboard::Line(size_t index) const {
  const Patch& patch = (*patches_)[index];
  const HuntResult& result = results_[index];
  size_t width = 0;
  for (const Patch& other : *patches_) width = std::max(width, other.name.size());
  char text[512];
  std::snprintf(text, sizeof text, "%-*s  %-3s %-6s  %-8s %12s executions %6.1f s  ", static_cast<int>(width),
                patch.name.c_str(), patch.group.c_str(), result.found ? "found" : "MISSED",
                result.rule.empty() ? "-" : result.rule.c_str(), Grouped(result.executions).c_str(),
                result.seconds);
  return text + (result.found ? result.replay : result.note);
}

bool Scoreboard::WriteJson(const ResultFolder& folder, bool finished, double seconds,
                           std::string* error) const {
  nlohmann::ordered_json mutants = nlohmann::ordered_json::array();
  for (size_t i = 0; i < results_.size(); ++i) {
    const Patch& patch = (*patches_)[i];
    const HuntResult& result = results_[i];
    if (!result.ran) continue;
    mutants.push_back({{"name", patch.name},
                       {"group", patch.group},
                       {"source", patch.source},
                       {"mode", ModeName(patch.mode)},
                       {"expected", patch.violations},
                       {"found", result.found},
                       {"rule", result.rule},
                       {"note", result.note},
                       {"executions", result.executions},
                       {"seconds", result.seconds},
                       {"seeds", SeedsJson(result)},
                       {"build_cpu_seconds", result.build_cpu_seconds},
                       {"replay", result.replay}});
  }
  std::vector<std::string> left_out;
  for (size_t i = 0; i < results_.size(); ++i) {
    if (!results_[i].ran) left_out.push_back((*patches_)[i].name);
  }
  nlohmann::ordered_json json = {{"valid", finished && missed() == 0 && left_out.empty()},
                                 {"finished", finished},
                                 {"seed", seed_},
                                 {"seconds_per_mutant", seconds_},
                                 {"seconds", seconds},
                                 {"found", found_},
                                 {"missed", missed()},
                                 {"left_out", left_out},
                                 {"mutants", mutants}};
  return folder.Write("results.json", json.dump(2) + "\n", error);
}

bool Scoreboard::WriteJunit(const std::string& file, std::string* error) const {
  std::string cases;
  for (size_t i = 0; i < results_.size(); ++i) {
    if (!results_[i].ran) continue;
    char time[32];
    std::snprintf(time, sizeof time, "%.1f", results_[i].seconds);
    cases +=
        "  <testcase classname=\"mutants\" name=\"" + Xml((*patches_)[i].name) + "\" time=\"" + time + "\"";
    cases += results_[i].found
                 ? "/>\n"
                 : ">\n    <failure message=\"" + Xml(results_[i].note) + "\"/>\n  </testcase>\n";
  }
  const std::string head =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"mutants\" tests=\"" +
      std::to_string(done_) + "\" failures=\"" + std::to_string(missed()) + "\" skipped=\"0\">\n";
  return WriteWholeFile(file, head + cases + "</testsuite>\n", error);
}

}  // namespace experiments::mutants
