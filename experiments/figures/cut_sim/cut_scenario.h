// CutScenario: the scenario of a crash campaign (experiments/crash/README.md) that is about its cut: sessions
// update a few keys while one checkpoint of the log is taken; the crash comes soon after it is durable. And
// what the campaign's results.json says of it. Plain functions.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace experiments::figures {

struct CutScenario {
  uint64_t sessions = 0;
  uint64_t operations = 0;  // of each
  uint64_t keys = 0;
  uint64_t refresh_interval = 0;
  std::string checkpoint;  // "log/foldover", ...
};
nlohmann::ordered_json ScenarioOf(const CutScenario& scenario);

struct CutTally {
  double executions = 0;
  double recovered = 0;   // that came back to the checkpoint of their execution
  double unbuffered = 0;  // whose cut is not buffered durably linearizable (R6)
};
// False: *error.
bool TallyOf(const nlohmann::ordered_json& results, CutTally* tally, std::string* error);

}  // namespace experiments::figures
