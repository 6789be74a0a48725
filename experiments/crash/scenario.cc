#include "experiments/crash/scenario.h"

#include <bit>

#include "experiments/common/cli.h"
#include "faults/device/fault_plan.h"

namespace experiments {
namespace {

using faster::CheckpointKind;
using faster::LogBackend;

struct VerbForm {
  Verb verb;
  const char* text;
  enum { kNothing, kKey, kCount, kPhaseName, kKind } argument;
};
constexpr VerbForm kVerbs[] = {
    {Verb::kRead, "read", VerbForm::kKey},
    {Verb::kUpsert, "upsert", VerbForm::kKey},
    {Verb::kRmw, "rmw", VerbForm::kKey},
    {Verb::kDelete, "delete", VerbForm::kKey},
    {Verb::kInsert, "insert", VerbForm::kKey},
    {Verb::kTruncate, "truncate", VerbForm::kNothing},
    {Verb::kRefresh, "refresh", VerbForm::kNothing},
    {Verb::kComplete, "complete", VerbForm::kNothing},
    {Verb::kCompleteWait, "complete-wait", VerbForm::kNothing},
    {Verb::kPause, "pause", VerbForm::kCount},
    {Verb::kAwaitOperations, "await-operations", VerbForm::kCount},
    {Verb::kAwaitPhase, "await-phase", VerbForm::kPhaseName},
    {Verb::kOpen, "open", VerbForm::kNothing},
    {Verb::kContinue, "continue", VerbForm::kNothing},
    {Verb::kReplay, "replay", VerbForm::kNothing},
    {Verb::kClose, "close", VerbForm::kNothing},
    {Verb::kMark, "mark", VerbForm::kNothing},
    {Verb::kCompact, "compact", VerbForm::kCount},
    {Verb::kCompactLookup, "compact-lookup", VerbForm::kCount},
    {Verb::kRetain, "retain", VerbForm::kCount},
    {Verb::kIterate, "iterate", VerbForm::kNothing},
    {Verb::kCheckpoint, "checkpoint", VerbForm::kKind},
    {Verb::kAwaitCheckpoint, "await-checkpoint", VerbForm::kNothing},
    {Verb::kGrow, "grow", VerbForm::kNothing},
};

std::string CheckGeometry(const SubjectConfig& g) {
  if (g.value_bytes != 0 && g.value_bytes != 8 && g.value_bytes != 256)
    return "geometry.value_bytes must be 8 or 256, or 0 for many lengths";
  if (g.page_bits < 9 || g.page_bits > 20) return "geometry.page_bits must be 9 to 20";
  if (!std::has_single_bit(g.buffer_pages) || g.buffer_pages < 4 || g.buffer_pages > 1024) {
    return "geometry.buffer_pages must be a power of two from 4 to 1024";
  }
  if (g.mutable_pages < 1 || g.mutable_pages >= g.buffer_pages) {
    return "geometry.mutable_pages must be 1 to buffer_pages - 1";
  }
  if (!std::has_single_bit(g.block_bytes) || g.block_bytes < 64 || g.block_bytes > 1u << g.page_bits) {
    return "geometry.block_bytes must be a power of two from 64 to the page size";
  }
  if (g.value_bytes + 32 > g.block_bytes)
    return "geometry.block_bytes must hold a record: value_bytes + 32 or more";
  if (g.segment_pages < 1 || g.segment_pages > 1u << 16) return "geometry.segment_pages must be 1 to 65536";
  if (!std::has_single_bit(g.index_buckets) || g.index_buckets > 1u << 20) {
    return "geometry.index_buckets must be a power of two up to 1048576";
  }
  if (g.keep_checkpoints > 1000) return "geometry.keep_checkpoints must be 0 to 1000";
  if (g.grow_percent > 1000) return "geometry.grow_percent must be 0 to 1000";
  if (g.version_bits < 3 || g.version_bits > 13) return "geometry.version_bits must be 3 to 13";
  if (g.recovery_threads < 1 || g.recovery_threads > 8) return "geometry.recovery_threads must be 1 to 8";
  if (g.cold_chunks != 0 && (!std::has_single_bit(g.cold_chunks) || g.cold_chunks > 1024))
    return "geometry.cold_chunks must be 0 or a power of two up to 1024";
  if (g.cold_chunks != 0 && g.value_bytes == 0)
    return "geometry.cold_chunks must be 0 where value_bytes is 0: a cold store has values of one size";
  if (g.read_cache_records > 1024) return "geometry.read_cache_records must be 0 to 1024";
  if (g.refresh_interval < 1 || g.refresh_interval > 1024)
    return "geometry.refresh_interval must be 1 to 1024";
  if (g.batch_ahead < 1 || g.batch_ahead > 16) return "geometry.batch_ahead must be 1 to 16";
  if (g.batch_group < 1 || g.batch_group > 1024) return "geometry.batch_group must be 1 to 1024";
  if (g.open_segments < 1 || g.open_segments > 1u << 20) return "geometry.open_segments must be 1 to 2^20";
  if (g.session_slots < 1 || g.session_slots > 1024) return "geometry.session_slots must be 1 to 1024";
  return "";
}

std::string CheckIncarnation(const Scenario& scenario, size_t index) {
  const Incarnation& incarnation = scenario.incarnations[index];
  const std::string where = "incarnations[" + std::to_string(index) + "]";
  const bool last = index + 1 == scenario.incarnations.size();
  if (incarnation.actors.size() > 12) return where + ".actors must be 12 at most";
  if (incarnation.recovery_crashes.size() > 8) return where + ".recovery.crashes must be 8 at most";
  if (incarnation.buffer_pages != 0) {
    SubjectConfig geometry = scenario.geometry;
    geometry.buffer_pages = incarnation.buffer_pages;
    geometry.mutable_pages = 1;
    const std::string wrong = CheckGeometry(geometry);
    if (!wrong.empty()) return where + ": " + wrong;
  }
  if (index == 0 && (incarnation.named || !incarnation.recovery_crashes.empty())) {
    return where + ".recovery: the first incarnation starts empty";
  }
  if (last && incarnation.crash.anchor != CrashPoint::Anchor::kNone) {
    return where + ".crash: the last incarnation must come to rest; add one that recovers";
  }
  if (!last && incarnation.crash.anchor == CrashPoint::Anchor::kNone) {
    return where + ".crash is missing: only the last incarnation has none";
  }
  for (const Actor& actor : incarnation.actors) {
    if (actor.batch < 1 || actor.batch > 1024)
      return where + ": actor " + actor.name + ": batch must be 1 to 1024";
    if (actor.actions.size() > 100000) return where + ": actor " + actor.name + " has too many actions";
    for (const Action& action : actor.actions) {
      if (action.verb <= Verb::kInsert && action.number >= scenario.keys) {
        return where + ": actor " + actor.name + ": " + ActionText(action) + ": keys are 0 to " +
               std::to_string(scenario.keys - 1);
      }
      if (action.verb == Verb::kRetain && action.number < 1)
        return where + ": actor " + actor.name + ": retain keeps 1 or more";
    }
  }
  return "";
}

}  // namespace

const char* const kPhaseName[kPhaseNames] = {
    "Rest",        "PrepIndexChkpt", "IndexChkpt",          "Prepare",     "InProgress",
    "WaitPending", "WaitFlush",      "PersistenceCallback", "GrowPrepare", "GrowInProgress"};

int PhaseIndex(std::string_view name) {
  for (int i = 0; i < kPhaseNames; ++i) {
    if (name == kPhaseName[i]) return i;
  }
  return -1;
}

bool ParseShift(std::string_view text, faster::ShiftScheme* shift) {
  *shift = text == "coarse" ? faster::ShiftScheme::kCoarse : faster::ShiftScheme::kFine;
  return text == ShiftSchemeName(*shift);
}

bool ParseGuarantee(std::string_view text, faster::Guarantee* guarantee) {
  *guarantee = text == "relaxed" ? faster::Guarantee::kRelaxed : faster::Guarantee::kStrict;
  return text == GuaranteeName(*guarantee);
}

std::string KindText(const CheckpointRequest& request) {
  std::string text(faster::CheckpointKindName(request.kind));
  if (request.kind == CheckpointKind::kFull || request.kind == CheckpointKind::kLogOnly)
    text += "/" + std::string(faster::LogBackendName(request.backend));
  return text;
}

int KindIndex(const CheckpointRequest& request) {
  if (request.kind == CheckpointKind::kIndexOnly) return 4;
  if (request.kind == CheckpointKind::kIncremental) return 5;
  return (request.kind == CheckpointKind::kFull ? 0 : 2) + (request.backend == LogBackend::kFoldOver ? 0 : 1);
}

CheckpointRequest KindOf(int index) {
  if (index == 4) return {CheckpointKind::kIndexOnly, LogBackend::kFoldOver};
  if (index == 5) return {CheckpointKind::kIncremental, LogBackend::kSnapshot};
  return {index < 2 ? CheckpointKind::kFull : CheckpointKind::kLogOnly,
          index % 2 == 0 ? LogBackend::kFoldOver : LogBackend::kSnapshot};
}

std::string ActionText(const Action& action) {
  const VerbForm& form = kVerbs[static_cast<size_t>(action.verb)];
  std::string text = form.text;
  switch (form.argument) {
    case VerbForm::kNothing:
      break;
    case VerbForm::kKey:
    case VerbForm::kCount:
      text += " " + std::to_string(action.number);
      break;
    case VerbForm::kPhaseName:
      text += std::string(" ") + kPhaseName[action.number % kPhaseNames];
      break;
    case VerbForm::kKind:
      text += " " + KindText(action.checkpoint);
      break;
  }
  return text;
}

bool ParseAction(const std::string& text, Action* action, std::string* error) {
  const size_t blank = text.find(' ');
  const std::string verb = text.substr(0, blank);
  const std::string argument = blank == std::string::npos ? "" : text.substr(blank + 1);
  for (const VerbForm& form : kVerbs) {
    if (verb != form.text) continue;
    *action = {};
    action->verb = form.verb;
    uint64_t number = 0;
    int phase;
    switch (form.argument) {
      case VerbForm::kNothing:
        if (argument.empty()) return true;
        *error = "\"" + text + "\": " + verb + " takes no argument";
        return false;
      case VerbForm::kKey:
      case VerbForm::kCount:
        action->number =
            ParseNumber(argument, &number) && number < 1u << 30 ? static_cast<uint32_t>(number) : ~0u;
        if (action->number != ~0u) return true;
        *error = "\"" + text + "\": " + verb + " needs a number";
        return false;
      case VerbForm::kPhaseName:
        phase = PhaseIndex(argument);
        action->number = static_cast<uint32_t>(phase);
        if (phase >= 0) return true;
        *error = "\"" + text + "\": no such phase";
        return false;
      case VerbForm::kKind:
        for (int kind = 0; kind < kCheckpointKinds; ++kind) {
          action->checkpoint = KindOf(kind);
          if (KindText(action->checkpoint) == argument) return true;
        }
        *error = "\"" + text +
                 "\": kinds are full/foldover, full/snapshot, log/foldover, log/snapshot, index, incremental";
        return false;
    }
  }
  *error = "\"" + text + "\": no such action";
  return false;
}

std::string CheckScenario(const Scenario& scenario) {
  std::string wrong = CheckGeometry(scenario.geometry);
  if (!wrong.empty()) return wrong;
  if (scenario.keys < 1 || scenario.keys > kFillerKey)
    return "keys must be 1 to " + std::to_string(kFillerKey);
  if (scenario.preload > scenario.keys) return "preload must not exceed keys";
  if (scenario.filler > 100000) return "filler must be 100000 at most";
  if (!std::has_single_bit(scenario.sector_bytes) || scenario.sector_bytes < 8 ||
      scenario.sector_bytes > 65536) {
    return "sector_bytes must be a power of two from 8 to 65536";
  }
  if (scenario.device_fibers < 1 || scenario.device_fibers > 8) return "device_fibers must be 1 to 8";
  faults::FaultPlan plan;
  if (!faults::FaultPlan::Parse(scenario.faults, &plan, &wrong)) return "faults: " + wrong;
  if (!faults::FaultPlan::Parse(scenario.recovery_faults, &plan, &wrong)) return "recovery_faults: " + wrong;
  if (scenario.incarnations.empty() || scenario.incarnations.size() > 16)
    return "incarnations must be 1 to 16";
  for (size_t i = 0; i < scenario.incarnations.size(); ++i) {
    wrong = CheckIncarnation(scenario, i);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

// A part for each incarnation and the fill, and two for each compaction; 5,000 to 30,000 steps are usual.
// Walks of one chain of large records, over and over, have taken 300,000; a compaction that looks up every
// record of such a chain on disk, 1,700,000.
uint64_t StepLimit(const Scenario& scenario) {
  constexpr uint64_t kPart = 1'000'000;
  uint64_t parts = 1 + scenario.incarnations.size();
  for (const Incarnation& incarnation : scenario.incarnations) {
    for (const Actor& actor : incarnation.actors) {
      for (const Action& action : actor.actions) {
        if (action.verb == Verb::kCompact || action.verb == Verb::kCompactLookup) parts += 2;
      }
    }
  }
  return kPart * parts;
}

}  // namespace experiments
