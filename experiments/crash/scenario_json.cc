// The JSON form of a Scenario. Objects reject members they do not know: a misspelled knob must not pass for
// absent.
#include <nlohmann/json.hpp>

#include "experiments/crash/scenario.h"

namespace experiments {
namespace {

using Json = nlohmann::ordered_json;
using Anchor = CrashPoint::Anchor;

constexpr const char* kHashNames[] = {"mixed", "same-bucket", "collide", "two-chains", "one-tag"};
constexpr const char* kAnchorNames[] = {"none", "start", "request", "phase", "durable", "end"};

// Reads members of one object; the first thing wrong stays in *error with its path.
class Reader {
 public:
  Reader(const Json& object, std::string path, std::string* error)
      : object_(object), path_(std::move(path)), error_(error) {
    if (!object_.is_object()) Wrong("", "must be an object");
  }
  bool good() const { return error_->empty(); }
  void Wrong(const std::string& name, const std::string& what) {
    if (error_->empty()) *error_ = path_ + (name.empty() || path_.empty() ? "" : ".") + name + " " + what;
  }
  const Json* Find(const char* name) {
    if (!good()) return nullptr;
    known_.push_back(name);
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  template <class Unsigned>
  void Number(const char* name, Unsigned* value) {
    const Json* member = Find(name);
    if (member == nullptr) return;
    if (member->is_number_unsigned() && member->get<uint64_t>() <= Unsigned(~Unsigned{0}))
      *value = member->get<Unsigned>();
    else
      Wrong(name, "must be a number from 0 to " + std::to_string(Unsigned(~Unsigned{0})));
  }
  void Bool(const char* name, bool* value) {
    const Json* member = Find(name);
    if (member == nullptr) return;
    if (member->is_boolean())
      *value = member->get<bool>();
    else
      Wrong(name, "must be true or false");
  }
  void Text(const char* name, std::string* value) {
    const Json* member = Find(name);
    if (member == nullptr) return;
    if (member->is_string())
      *value = member->get<std::string>();
    else
      Wrong(name, "must be a string");
  }
  const Json* Array(const char* name) {
    const Json* member = Find(name);
    if (member != nullptr && !member->is_array()) Wrong(name, "must be an array");
    return good() ? member : nullptr;
  }
  std::string Path(const std::string& name) const { return path_.empty() ? name : path_ + "." + name; }
  void End() {  // nothing else may be there
    if (!good()) return;
    for (const auto& item : object_.items()) {
      bool known = false;
      for (const char* name : known_) known = known || item.key() == name;
      if (!known) return Wrong(item.key(), "is not a known member");
    }
  }

 private:
  const Json& object_;
  std::string path_;
  std::string* error_;
  std::vector<const char*> known_;
};

Json CrashJson(const CrashPoint& crash) {
  Json json;
  json["after"] = kAnchorNames[static_cast<int>(crash.anchor)];
  if (crash.anchor == Anchor::kPhase) json["phase"] = kPhaseName[crash.phase % kPhaseNames];
  if (crash.anchor >= Anchor::kRequest && crash.anchor <= Anchor::kDurable)
    json["checkpoint"] = crash.checkpoint;
  if (crash.anchor != Anchor::kEnd) json[crash.events ? "events" : "steps"] = crash.delay;
  return json;
}

void ReadCrash(const Json& json, const std::string& path, CrashPoint* crash, std::string* error) {
  Reader reader(json, path, error);
  std::string after, phase;
  reader.Text("after", &after);
  reader.Text("phase", &phase);
  reader.Number("checkpoint", &crash->checkpoint);
  if (json.is_object() && json.contains("events")) {
    crash->events = true;
    reader.Number("events", &crash->delay);
  } else {
    reader.Number("steps", &crash->delay);
  }
  reader.End();
  if (!reader.good()) return;
  for (int i = 1; i < 6; ++i) {
    if (after == kAnchorNames[i]) crash->anchor = static_cast<Anchor>(i);
  }
  if (crash->anchor == Anchor::kNone) reader.Wrong("after", "must be start, request, phase, durable or end");
  const int index = PhaseIndex(phase);
  if (crash->anchor == Anchor::kPhase && index < 0)
    reader.Wrong("phase", "must name a phase");
  else if (index >= 0)
    crash->phase = static_cast<uint32_t>(index);
}

Json GeometryJson(const SubjectConfig& g) {
  Json json;
  json["value_bytes"] = g.value_bytes;
  json["page_bits"] = g.page_bits;
  json["buffer_pages"] = g.buffer_pages;
  json["mutable_pages"] = g.mutable_pages;
  json["block_bytes"] = g.block_bytes;
  json["segment_pages"] = g.segment_pages;
  if (g.open_segments != SubjectConfig().open_segments) json["open_segments"] = g.open_segments;
  json["index_buckets"] = g.index_buckets;
  if (g.grow_percent != 0) json["grow_percent"] = g.grow_percent;
  json["version_bits"] = g.version_bits;
  json["refresh_interval"] = g.refresh_interval;
  if (g.keep_checkpoints != 0) json["keep_checkpoints"] = g.keep_checkpoints;
  if (g.compact_at_bytes != 0) json["compact_at_bytes"] = g.compact_at_bytes;
  json["batch_ahead"] = g.batch_ahead;
  json["batch_group"] = g.batch_group;
  if (g.recovery_threads != 1) json["recovery_threads"] = g.recovery_threads;
  if (g.read_cache_records != 0) {
    json["read_cache_records"] = g.read_cache_records;
    json["second_chance"] = g.second_chance;
  }
  if (g.copy_reads_to_tail) json["copy_reads_to_tail"] = true;
  if (g.cold_chunks != 0) json["cold_chunks"] = g.cold_chunks;
  json["hash"] = kHashNames[static_cast<int>(g.hash)];
  json["shift"] = faster::ShiftSchemeName(g.shift);
  json["guarantee"] = faster::GuaranteeName(g.guarantee);
  json["index_copy"] = g.overlap_index ? "overlapped" : "before";
  json["session_slots"] = g.session_slots;
  return json;
}

void ReadGeometry(const Json& json, SubjectConfig* g, std::string* error) {
  Reader reader(json, "geometry", error);
  reader.Number("value_bytes", &g->value_bytes);
  reader.Number("page_bits", &g->page_bits);
  reader.Number("buffer_pages", &g->buffer_pages);
  reader.Number("mutable_pages", &g->mutable_pages);
  reader.Number("block_bytes", &g->block_bytes);
  reader.Number("segment_pages", &g->segment_pages);
  reader.Number("open_segments", &g->open_segments);
  reader.Number("index_buckets", &g->index_buckets);
  reader.Number("grow_percent", &g->grow_percent);
  reader.Number("version_bits", &g->version_bits);
  reader.Number("refresh_interval", &g->refresh_interval);
  reader.Number("keep_checkpoints", &g->keep_checkpoints);
  reader.Number("compact_at_bytes", &g->compact_at_bytes);
  reader.Number("batch_ahead", &g->batch_ahead);
  reader.Number("batch_group", &g->batch_group);
  reader.Number("recovery_threads", &g->recovery_threads);
  reader.Number("read_cache_records", &g->read_cache_records);
  reader.Bool("second_chance", &g->second_chance);
  reader.Bool("copy_reads_to_tail", &g->copy_reads_to_tail);
  reader.Number("cold_chunks", &g->cold_chunks);
  std::string hash = kHashNames[static_cast<int>(g->hash)];
  reader.Text("hash", &hash);
  std::string shift(ShiftSchemeName(g->shift)), guarantee(GuaranteeName(g->guarantee)), copy = "before";
  reader.Text("shift", &shift);
  reader.Text("guarantee", &guarantee);
  reader.Text("index_copy", &copy);
  reader.Number("session_slots", &g->session_slots);
  reader.End();
  if (!ParseShift(shift, &g->shift)) reader.Wrong("shift", "must be fine or coarse");
  if (!ParseGuarantee(guarantee, &g->guarantee)) reader.Wrong("guarantee", "must be strict or relaxed");
  if (copy != "before" && copy != "overlapped") reader.Wrong("index_copy", "must be before or overlapped");
  g->overlap_index = copy == "overlapped";
  for (int i = 0; i < 5; ++i) {
    if (hash != kHashNames[i]) continue;
    g->hash = static_cast<HashMode>(i);
    return;
  }
  reader.Wrong("hash", "must be mixed, same-bucket, collide, two-chains or one-tag");
}

void ReadActor(const Json& json, const std::string& path, Actor* actor, std::string* error) {
  Reader reader(json, path, error);
  reader.Text("name", &actor->name);
  reader.Bool("leaves_open", &actor->leaves_open);
  reader.Number("batch", &actor->batch);
  const Json* actions = reader.Array("actions");
  reader.End();
  if (actions == nullptr) return;
  for (const Json& text : *actions) {
    Action action;
    std::string wrong = "must be a string";
    if (!text.is_string() || !ParseAction(text.get<std::string>(), &action, &wrong)) {
      return reader.Wrong("actions[" + std::to_string(actor->actions.size()) + "]", wrong);
    }
    actor->actions.push_back(action);
  }
}

Json IncarnationJson(const Incarnation& incarnation, bool first) {
  Json json;
  if (incarnation.buffer_pages != 0) json["buffer_pages"] = incarnation.buffer_pages;
  if (!first) {
    Json& recovery = json["recovery"];
    recovery["named"] = incarnation.named;
    if (incarnation.named) recovery["back"] = incarnation.back;
    recovery["crashes"] = Json::array();
    for (const CrashPoint& crash : incarnation.recovery_crashes)
      recovery["crashes"].push_back(CrashJson(crash));
  }
  json["actors"] = Json::array();
  for (const Actor& actor : incarnation.actors) {
    Json one;
    one["name"] = actor.name;
    if (actor.leaves_open) one["leaves_open"] = true;
    if (actor.batch != 1) one["batch"] = actor.batch;
    one["actions"] = Json::array();
    for (const Action& action : actor.actions) one["actions"].push_back(ActionText(action));
    json["actors"].push_back(one);
  }
  if (incarnation.crash.anchor != Anchor::kNone) json["crash"] = CrashJson(incarnation.crash);
  return json;
}

void ReadIncarnation(const Json& json, const std::string& path, Incarnation* incarnation,
                     std::string* error) {
  Reader reader(json, path, error);
  reader.Number("buffer_pages", &incarnation->buffer_pages);
  const Json* recovery = reader.Find("recovery");
  const Json* actors = reader.Array("actors");
  const Json* crash = reader.Find("crash");
  reader.End();
  if (recovery != nullptr && reader.good()) {
    Reader inner(*recovery, reader.Path("recovery"), error);
    inner.Bool("named", &incarnation->named);
    inner.Number("back", &incarnation->back);
    const Json* crashes = inner.Array("crashes");
    inner.End();
    for (size_t i = 0; crashes != nullptr && error->empty() && i < crashes->size(); ++i) {
      CrashPoint point;
      ReadCrash((*crashes)[i], inner.Path("crashes[" + std::to_string(i) + "]"), &point, error);
      if (error->empty() && point.anchor != Anchor::kStart)
        inner.Wrong("crashes", "must be of the form after start");
      incarnation->recovery_crashes.push_back(point);
    }
  }
  for (size_t i = 0; actors != nullptr && error->empty() && i < actors->size(); ++i) {
    incarnation->actors.emplace_back();
    ReadActor((*actors)[i], reader.Path("actors[" + std::to_string(i) + "]"), &incarnation->actors.back(),
              error);
  }
  if (crash != nullptr && error->empty()) ReadCrash(*crash, reader.Path("crash"), &incarnation->crash, error);
}

}  // namespace

std::string ScenarioJson(const Scenario& scenario, int indent) {
  Json json;
  json["name"] = scenario.name;
  json["geometry"] = GeometryJson(scenario.geometry);
  json["keys"] = scenario.keys;
  json["preload"] = scenario.preload;
  json["filler"] = scenario.filler;
  json["sector_bytes"] = scenario.sector_bytes;
  json["sector_mix"] = scenario.sector_mix;
  json["device_fibers"] = scenario.device_fibers;
  json["faults"] = scenario.faults;
  json["recovery_faults"] = scenario.recovery_faults;
  json["incarnations"] = Json::array();
  for (const Incarnation& incarnation : scenario.incarnations) {
    json["incarnations"].push_back(IncarnationJson(incarnation, json["incarnations"].empty()));
  }
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

bool ParseScenario(const std::string& text, Scenario* scenario, std::string* error) {
  *scenario = {};
  error->clear();
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) {
    *error = "is not JSON";
    return false;
  }
  Reader reader(json, "", error);
  reader.Text("name", &scenario->name);
  if (const Json* geometry = reader.Find("geometry")) ReadGeometry(*geometry, &scenario->geometry, error);
  reader.Number("keys", &scenario->keys);
  reader.Number("preload", &scenario->preload);
  reader.Number("filler", &scenario->filler);
  reader.Number("sector_bytes", &scenario->sector_bytes);
  reader.Bool("sector_mix", &scenario->sector_mix);
  reader.Number("device_fibers", &scenario->device_fibers);
  reader.Text("faults", &scenario->faults);
  reader.Text("recovery_faults", &scenario->recovery_faults);
  const Json* incarnations = reader.Array("incarnations");
  reader.End();
  for (size_t i = 0; incarnations != nullptr && error->empty() && i < incarnations->size(); ++i) {
    scenario->incarnations.emplace_back();
    ReadIncarnation((*incarnations)[i], "incarnations[" + std::to_string(i) + "]",
                    &scenario->incarnations.back(), error);
  }
  if (error->empty()) *error = CheckScenario(*scenario);
  return error->empty();
}

}  // namespace experiments
