// The JSON form of a TxnScenario.
#include <nlohmann/json.hpp>

#include "experiments/txn_crash/txn_scenario.h"
#include "faults/device/fault_plan.h"

namespace experiments {
namespace {

using Json = nlohmann::ordered_json;
using Anchor = CrashPoint::Anchor;

constexpr const char* kAnchors[] = {"none", "start", "request", "phase", "durable", "end"};

Json CrashJson(const CrashPoint& crash) {
  Json json = {{"after", kAnchors[static_cast<int>(crash.anchor)]}};
  if (crash.anchor == Anchor::kPhase) json["phase"] = kTxnRowName[crash.phase];
  if (crash.checkpoint != 0) json["commit"] = crash.checkpoint;
  json[crash.events ? "events" : "steps"] = crash.delay;
  return json;
}

// Reads members one after the other; the first that is wrong is kept.
class Reader {
 public:
  explicit Reader(std::string* error) : error_(error) { error_->clear(); }
  bool good() const { return error_->empty(); }
  void Wrong(const std::string& path, const std::string& expected) {
    if (good()) *error_ = path + ": must be " + expected;
  }
  void Number(const Json& json, const char* name, const std::string& path, uint64_t low, uint64_t high,
              uint32_t* value) {
    const auto found = json.find(name);
    if (found == json.end()) return;
    if (!found->is_number_unsigned() || found->get<uint64_t>() < low || found->get<uint64_t>() > high)
      return Wrong(path + name, "a number from " + std::to_string(low) + " to " + std::to_string(high));
    *value = found->get<uint32_t>();
  }
  void Switch(const Json& json, const char* name, const std::string& path, bool* value) {
    const auto found = json.find(name);
    if (found == json.end()) return;
    if (!found->is_boolean()) return Wrong(path + name, "true or false");
    *value = found->get<bool>();
  }
  void Crash(const Json& json, const std::string& path, CrashPoint* crash) {
    if (!json.is_object()) return Wrong(path, "an object");
    const std::string after = Text(json, "after", path, "none");
    for (size_t i = 0; i < std::size(kAnchors); ++i)
      if (after == kAnchors[i]) crash->anchor = static_cast<Anchor>(i);
    if (after != kAnchors[static_cast<int>(crash->anchor)])
      Wrong(path + "after", "none, start, request, phase, durable or end");
    if (crash->anchor == Anchor::kPhase) {
      const std::string phase = Text(json, "phase", path, "");
      crash->phase = 0;
      for (uint32_t row = 1; row + 1 < kTxnRows; ++row)
        if (phase == kTxnRowName[row]) crash->phase = row;
      if (crash->phase == 0) Wrong(path + "phase", "Prepare, InProgress or WaitFlush");
    }
    Number(json, "commit", path, 0, 1000, &crash->checkpoint);
    crash->events = json.contains("events");
    Number(json, crash->events ? "events" : "steps", path, 0, 10'000'000, &crash->delay);
  }
  std::string Text(const Json& json, const char* name, const std::string& path, const char* otherwise) {
    const auto found = json.find(name);
    if (found == json.end()) return otherwise;
    if (found->is_string()) return found->get<std::string>();
    Wrong(path + name, "a text");
    return otherwise;
  }
  // Calls each(element, path) of a list that may be missing.
  template <class Each>
  void List(const Json& json, const char* name, const std::string& path, size_t most, Each each) {
    const auto found = json.find(name);
    if (found == json.end()) return;
    if (!found->is_array() || found->size() > most)
      return Wrong(path + name, "a list of at most " + std::to_string(most));
    for (size_t i = 0; i < found->size() && good(); ++i)
      each((*found)[i], path + name + "[" + std::to_string(i) + "].");
  }

 private:
  std::string* const error_;
};

void ReadLife(Reader& reader, const Json& json, const std::string& path, uint32_t keys, TxnLife* life) {
  if (!json.is_object()) return reader.Wrong(path, "an object");
  reader.List(json, "recovery_crashes", path, 8, [&](const Json& one, const std::string& at) {
    reader.Crash(one, at, &life->recovery_crashes.emplace_back());
    if (life->recovery_crashes.back().anchor != Anchor::kStart) reader.Wrong(at + "after", "start");
  });
  reader.List(json, "clients", path, 8, [&](const Json& one, const std::string& at) {
    if (!one.is_object()) return reader.Wrong(at, "an object");
    TxnActor& actor = life->actors.emplace_back();
    reader.Switch(one, "closes", at, &actor.closes);
    reader.List(one, "transactions", at, 1000, [&](const Json& text, const std::string& where) {
      TxnPlan plan;
      if (!text.is_string() || !ParseTxnPlan(text.get<std::string>(), &plan))
        return reader.Wrong(
            where, "a text such as \"r0 w3 u1\" with every key once, \"refresh\" or \"await-phase\"");
      for (const TxnPlan::Use& use : plan.uses)
        if (use.key >= keys) reader.Wrong(where, "of keys below store.keys");
      actor.plans.push_back(std::move(plan));
    });
  });
  reader.List(json, "commits", path, 100, [&](const Json& at, const std::string& where) {
    if (!at.is_number_unsigned() || at.get<uint64_t>() > 1'000'000) return reader.Wrong(where, "a number");
    life->commits.push_back(at.get<uint32_t>());
  });
  if (json.contains("crash")) reader.Crash(json["crash"], path + "crash.", &life->crash);
}

}  // namespace

std::string TxnScenarioJson(const TxnScenario& scenario, int indent) {
  const TxnSubjectConfig& store = scenario.store;
  Json json;
  json["name"] = scenario.name;
  json["store"] = {{"scheme", kTxnSchemeName[store.scheme]},
                   {"keys", store.keys},
                   {"value_words", store.value_words},
                   {"refresh_interval", store.refresh_interval},
                   {"log_ring_bytes", store.log_ring_bytes}};
  json["tries"] = scenario.tries;
  json["sector_bytes"] = scenario.sector_bytes;
  json["sector_mix"] = scenario.sector_mix;
  json["device_fibers"] = scenario.device_fibers;
  if (!scenario.faults.empty()) json["faults"] = scenario.faults;
  json["lives"] = Json::array();
  for (const TxnLife& life : scenario.lives) {
    Json one = Json::object();
    for (const CrashPoint& crash : life.recovery_crashes) one["recovery_crashes"].push_back(CrashJson(crash));
    one["clients"] = Json::array();
    for (const TxnActor& actor : life.actors) {
      Json client = {{"closes", actor.closes}, {"transactions", Json::array()}};
      for (const TxnPlan& plan : actor.plans) client["transactions"].push_back(TxnPlanText(plan));
      one["clients"].push_back(client);
    }
    one["commits"] = life.commits;
    if (life.crash.anchor != Anchor::kNone) one["crash"] = CrashJson(life.crash);
    json["lives"].push_back(one);
  }
  return json.dump(indent) + "\n";
}

bool ParseTxnScenario(const std::string& text, TxnScenario* scenario, std::string* error) {
  *scenario = {};
  const Json json = Json::parse(text, nullptr, false);
  Reader reader(error);
  if (!json.is_object()) {
    reader.Wrong("the scenario", "a JSON object");
    return false;
  }
  scenario->name = reader.Text(json, "name", "", "transactions");
  TxnSubjectConfig& store = scenario->store;
  if (json.contains("store") && json["store"].is_object()) {
    const Json& form = json["store"];
    const std::string scheme = reader.Text(form, "scheme", "store.", kTxnSchemeName[0]);
    store.scheme = kTxnSchemes;
    for (uint32_t i = 0; i < kTxnSchemes; ++i)
      if (scheme == kTxnSchemeName[i]) store.scheme = i;
    if (store.scheme == kTxnSchemes) reader.Wrong("store.scheme", "cpr, calc or wal");
    reader.Number(form, "keys", "store.", 1, 1000, &store.keys);
    reader.Number(form, "value_words", "store.", 1, 256, &store.value_words);
    reader.Number(form, "refresh_interval", "store.", 1, 1000, &store.refresh_interval);
    reader.Number(form, "log_ring_bytes", "store.", 512, 1 << 24, &store.log_ring_bytes);
  } else {
    reader.Wrong("store", "an object");
  }
  reader.Number(json, "tries", "", 1, 100, &scenario->tries);
  reader.Number(json, "sector_bytes", "", 8, 65536, &scenario->sector_bytes);
  reader.Switch(json, "sector_mix", "", &scenario->sector_mix);
  reader.Number(json, "device_fibers", "", 1, 8, &scenario->device_fibers);
  scenario->faults = reader.Text(json, "faults", "", "");
  faults::FaultPlan plan;
  std::string wrong;
  if (!scenario->faults.empty() && !faults::FaultPlan::Parse(scenario->faults, &plan, &wrong))
    reader.Wrong("faults", "a fault plan; " + wrong);
  reader.List(json, "lives", "", 20, [&](const Json& one, const std::string& path) {
    ReadLife(reader, one, path, store.keys, &scenario->lives.emplace_back());
  });
  if (scenario->lives.empty()) reader.Wrong("lives", "a list that is not empty");
  for (size_t i = 0; i + 1 < scenario->lives.size(); ++i)
    if (scenario->lives[i].crash.anchor == Anchor::kNone)
      reader.Wrong("lives[" + std::to_string(i) + "].crash", "given, but for the last");
  for (const TxnLife& life : scenario->lives)
    if (life.actors.size() != scenario->lives[0].actors.size())
      reader.Wrong("lives", "lives with the same number of clients");
  return reader.good();
}

}  // namespace experiments
