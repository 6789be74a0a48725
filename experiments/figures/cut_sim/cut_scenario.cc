#include "experiments/figures/cut_sim/cut_scenario.h"

namespace experiments::figures {

using Json = nlohmann::ordered_json;

Json ScenarioOf(const CutScenario& scenario) {
  Json actors = Json::array();
  for (uint64_t session = 0; session < scenario.sessions; ++session) {
    Json actions = Json::array();
    for (uint64_t i = 0; i < scenario.operations; ++i)
      actions.push_back("rmw " + std::to_string((session + i) % scenario.keys));
    actors.push_back({{"name", "session " + std::to_string(session + 1)}, {"actions", actions}});
  }
  const uint64_t quarter = scenario.sessions * scenario.operations / 4;
  actors.push_back({{"name", "driver"},
                    {"actions", Json::array({"await-operations " + std::to_string(quarter),
                                             "checkpoint " + scenario.checkpoint, "await-checkpoint"})}});
  return {
      {"name", "cut"},
      {"geometry",
       {{"value_bytes", 8},
        {"page_bits", 12},
        {"buffer_pages", 8},
        {"mutable_pages", 6},
        {"block_bytes", 512},
        {"segment_pages", 4},
        {"index_buckets", 4},
        {"version_bits", 13},
        {"refresh_interval", scenario.refresh_interval},
        {"hash", "mixed"}}},
      {"keys", scenario.keys},
      {"preload", scenario.keys},
      {"filler", 0},
      {"sector_bytes", 512},
      {"sector_mix", false},
      {"device_fibers", 2},
      {"faults", ""},
      {"recovery_faults", ""},
      {"incarnations",
       Json::array({{{"actors", actors}, {"crash", {{"after", "durable"}, {"checkpoint", 0}, {"steps", 20}}}},
                    {{"recovery", {{"named", false}, {"back", 0}, {"crashes", Json::array()}}},
                     {"actors", Json::array()}}})}};
}

bool TallyOf(const Json& results, CutTally* tally, std::string* error) {
  for (const auto& [name, to] : {std::pair{"executions", &tally->executions},
                                 {"recoveries_of_own_checkpoint", &tally->recovered},
                                 {"not_buffered_durable", &tally->unbuffered}}) {
    if (!results.contains(name) || !results[name].is_number()) {
      *error = std::string("results.json of the campaign has no number ") + name;
      return false;
    }
    *to = results[name].get<double>();
  }
  if (tally->recovered > 0) return true;
  *error = "no execution came back to its checkpoint";
  return false;
}

}  // namespace experiments::figures
