#include "experiments/figures/cells.h"

#include <algorithm>

#include "experiments/common/dice.h"

namespace experiments::figures {
namespace {

uint64_t SeedOf(const std::string& figure, uint64_t round) {
  uint64_t seed = 0;
  for (const char letter : figure) seed = MixSeed(seed, static_cast<unsigned char>(letter));
  return MixSeed(seed, round) >> 1;  // within what every reader of JSON takes
}

CellPlan PlanCell(const Definition& definition, const Scale& scale, size_t series, size_t x, uint64_t round) {
  CellPlan plan;
  plan.series = series;
  plan.x = x;
  plan.round = round;
  plan.program = definition.series[series].program;
  plan.folder = CellFolder(series, x, round);
  ParameterSet parameters = definition.parameters;
  parameters.update(scale.parameters);
  parameters.update(definition.series[series].parameters);
  parameters.update(definition.x_values[x].parameters);
  plan.file["figure"] = definition.cells_of;
  plan.file["series"] = definition.series[series].name;
  plan.file["x"] = definition.x_values[x].label;
  plan.file["round"] = round;
  plan.file["seed"] = SeedOf(definition.cells_of, round);
  plan.file["parameters"] = std::move(parameters);
  return plan;
}

}  // namespace

std::string CellFolder(size_t series, size_t x, uint64_t round) {
  return "cells/" + std::to_string(series) + "-" + std::to_string(x) + "-" + std::to_string(round);
}

std::string CellPlan::Text(const Definition& definition) const {
  const std::string& label = definition.x_values[x].label;
  return definition.series[series].name + (label.empty() ? "" : " at " + label) + ", round " +
         std::to_string(round + 1);
}

std::vector<CellPlan> PlanCells(const Definition& definition, bool quick, const FurtherRounds& further) {
  const Scale& scale = definition.scale(quick);
  const uint64_t rounds = MostRounds(further, scale.rounds);
  std::vector<CellPlan> plans;
  for (uint64_t round = 0; round < rounds; ++round) {
    std::vector<CellPlan> of_round;
    for (const size_t x : scale.x) {
      for (size_t series = 0; series < definition.series.size(); ++series) {
        if (round < RoundsAt({series, x}, further, scale.rounds))
          of_round.push_back(PlanCell(definition, scale, series, x, round));
      }
    }
    const size_t shift = round / 2 % of_round.size();
    std::rotate(of_round.begin(), of_round.begin() + static_cast<std::ptrdiff_t>(shift), of_round.end());
    if (round % 2 == 1) std::reverse(of_round.begin(), of_round.end());
    for (CellPlan& plan : of_round) plans.push_back(std::move(plan));
  }
  return plans;
}

}  // namespace experiments::figures
