#include "experiments/crash/finding.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "experiments/common/results.h"
#include "faults/oracle/history_json.h"

namespace experiments {
namespace {

using Json = nlohmann::ordered_json;

std::string HexText(uint64_t word) {
  char text[24];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(word));
  return text;
}

std::string Dump(const Json& json) { return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n"; }

// Reads one member of "run"; false if it is there with another type.
template <class T>
bool Take(const Json& run, const char* name, T* value) {
  const auto found = run.find(name);
  if (found == run.end()) return true;
  if constexpr (std::is_same_v<T, std::string>) {
    if (!found->is_string()) return false;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!found->is_boolean()) return false;
  } else {
    if (!found->is_number_unsigned()) return false;
  }
  *value = found->template get<T>();
  return true;
}

bool TakeHex(const Json& run, const char* name, uint64_t* word) {
  std::string text;
  if (!Take(run, name, &text)) return false;
  if (text.empty()) return true;
  char* end = nullptr;
  *word = std::strtoull(text.c_str(), &end, 16);
  return *end == 0;
}

}  // namespace

std::string CellText(const Cell& cell) {
  return (cell.kind < 0 ? std::string("no checkpoint") : KindText(KindOf(cell.kind))) + ", " +
         CellRowName(cell.row);
}

bool StoreExecution(const std::string& folder, const StoredExecution& stored, std::string* error) {
  const RunForm& run = stored.run;
  Json json;
  json["format"] = 1;
  Json& form = json["run"];
  form["seed"] = run.seed;
  form["policy"] = run.policy;
  form["plain_points"] = run.plain_points;
  form["spurious_cas"] = run.spurious_cas;
  if (run.hash != 0) form["hash"] = HexText(run.hash);
  form["subject"] = HexText(run.subject);
  form["subject_path"] = run.subject_path;
  form["rule"] = run.rule;
  form["what"] = run.what;
  form["kind"] = run.kind;
  form["phase"] = run.phase;
  json["scenario"] = Json::parse(ScenarioJson(stored.scenario));
  return MakeFolder(folder, error) && WriteWholeFile(folder + "/scenario.json", Dump(json), error) &&
         (!stored.has_tape || faults::SaveTape(folder + "/tape", stored.tape, error));
}

bool LoadExecution(const std::string& path, StoredExecution* stored, std::string* error) {
  std::error_code code;
  const bool folder = std::filesystem::is_directory(path, code);
  const std::string file = folder ? path + "/scenario.json" : path;
  std::string text;
  if (!ReadWholeFile(file, &text, error)) return false;
  const Json json = Json::parse(text, nullptr, false);
  std::string wrong;
  if (json.is_discarded()) wrong = "is not JSON";
  const bool wrapped = json.is_object() && json.contains("scenario");
  if (wrong.empty() && !ParseScenario(wrapped ? json["scenario"].dump() : text, &stored->scenario, &wrong)) {
    if (wrapped) wrong = "scenario: " + wrong;
  }
  if (wrong.empty() && wrapped) {
    const Json run = json.value("run", Json::object());
    RunForm& form = stored->run;
    const bool good =
        run.is_object() && Take(run, "seed", &form.seed) && Take(run, "policy", &form.policy) &&
        Take(run, "plain_points", &form.plain_points) && Take(run, "spurious_cas", &form.spurious_cas) &&
        TakeHex(run, "hash", &form.hash) && TakeHex(run, "subject", &form.subject) &&
        Take(run, "subject_path", &form.subject_path) && Take(run, "rule", &form.rule) &&
        Take(run, "what", &form.what) && Take(run, "kind", &form.kind) && Take(run, "phase", &form.phase);
    if (!good) wrong = "run: has a member of the wrong type";
  }
  if (!wrong.empty()) {
    *error = file + ": " + wrong;
    return false;
  }
  const std::string tape = std::filesystem::path(file).parent_path() / "tape";
  stored->has_tape = wrapped && std::filesystem::exists(tape, code);
  return !stored->has_tape || faults::LoadTape(tape, &stored->tape, error);
}

bool StoreVerdict(const std::string& folder, const ExecutionResult& result, const faults::History& history,
                  std::string* error) {
  Json json;
  json["rule"] = result.rule;
  json["what"] = result.what;
  json["crash"] = CellText(result.cell);
  if (result.verdict.has_key) json["key"] = result.verdict.key;
  json["witness"] = Json::array();
  for (const uint32_t index : result.verdict.witness) {
    const faults::Operation& operation = history.operations[index];
    json["witness"].push_back({{"operation", index},
                               {"session", operation.session},
                               {"incarnation", operation.incarnation},
                               {"serial", operation.serial},
                               {"key", operation.key}});
  }
  json["explanation"] = Explain(history, result.verdict);
  if (!result.detail.empty()) json["detail"] = result.detail;
  std::ostringstream lines;
  faults::WriteHistory(history, &lines);
  return WriteWholeFile(folder + "/verdict.json", Dump(json), error) &&
         WriteWholeFile(folder + "/history.jsonl", lines.str(), error);
}

}  // namespace experiments
