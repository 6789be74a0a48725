#include "experiments/crash/generator.h"

#include <algorithm>
#include <cstring>

#include "experiments/common/dice.h"
#include "experiments/crash/generator_build.h"

namespace experiments {
namespace {

using Anchor = CrashPoint::Anchor;

// In kPhaseName: where a full checkpoint's index copy ends, before the version shift or overlapped with it.
constexpr uint32_t kIndexChkpt = 2, kPrepare = 3, kWaitPending = 5;

CheckpointRequest DrawKind(Build& build) {
  return KindOf(build.kinds[build.dice.Below(static_cast<uint32_t>(build.kinds.size()))]);
}

Action Do(Verb verb, uint32_t number = 0) { return {verb, number, {}}; }

void AddOperation(Build& build, Actor* actor) {
  Dice& dice = build.dice;
  const Knobs& knobs = build.knobs;
  // A batch is a run of one type: mostly the one before goes on.
  if (actor->batch > 1 && !actor->actions.empty() && actor->actions.back().verb <= Verb::kRmw &&
      dice.Chance(80)) {
    actor->actions.push_back(Do(actor->actions.back().verb, dice.Below(knobs.keys)));
    return;
  }
  if (dice.Chance(knobs.await_phase))
    actor->actions.push_back(Do(Verb::kAwaitPhase, dice.Below(kPhaseNames)));
  if (dice.Chance(knobs.close)) actor->actions.push_back(Do(Verb::kClose));
  if (dice.Chance(knobs.open)) actor->actions.push_back(Do(dice.Chance(50) ? Verb::kOpen : Verb::kContinue));
  if (dice.Chance(knobs.refresh)) actor->actions.push_back(Do(Verb::kRefresh));
  if (dice.Chance(knobs.pause)) actor->actions.push_back(Do(Verb::kPause, dice.Between(1, 6)));
  if (dice.Chance(knobs.complete)) {
    actor->actions.push_back(Do(dice.Chance(50) ? Verb::kComplete : Verb::kCompleteWait));
  }
  if (dice.Chance(knobs.truncate))
    actor->actions.push_back(Do(dice.Chance(40) ? Verb::kMark : Verb::kTruncate));
  const uint32_t* w = knobs.weights;
  uint32_t draw = dice.Below(w[0] + w[1] + w[2] + w[3] + w[4]);
  Verb verb = Verb::kRead;
  for (int i = 0; draw >= w[i]; ++i) {
    draw -= w[i];
    verb = static_cast<Verb>(i + 1);
  }
  actor->actions.push_back(Do(verb, dice.Below(build.knobs.keys)));
}

void AddSessions(Build& build, Incarnation* incarnation, uint32_t operations, bool replays) {
  for (uint32_t s = 0; s < build.knobs.sessions; ++s) {
    Actor actor;
    actor.name = "session " + std::to_string(s + 1);
    if (build.dice.Chance(build.knobs.batch)) actor.batch = build.dice.Between(2, 12);
    if (replays) actor.actions.push_back(Do(Verb::kReplay));
    if (!replays && build.knobs.idle_checkpoints != 0) actor.actions.push_back(Do(Verb::kAwaitOperations, 1));
    for (uint32_t i = 0; i < operations; ++i) AddOperation(build, &actor);
    actor.leaves_open = build.dice.Chance(build.knobs.leaves_open);
    incarnation->actors.push_back(std::move(actor));
  }
}

// An actor that looks after the log while the others work.
void AddKeeper(Build& build, Incarnation* incarnation, uint32_t operations) {
  Dice& dice = build.dice;
  Actor keeper;
  keeper.name = "keeper";
  const uint32_t total = operations * build.knobs.sessions;
  uint32_t at = 0;
  for (uint32_t i = dice.Between(1, 3); i > 0; --i) {
    if (dice.Chance(60)) {
      at += dice.Below(total / 2 + 1);
      keeper.actions.push_back(Do(Verb::kAwaitOperations, at));
    } else {
      // Mostly where versions differ, or are about to; a part of a block is soon done, and begin moves then.
      const bool shift = dice.Chance(60);
      keeper.actions.push_back(
          Do(Verb::kAwaitPhase, shift ? dice.Between(kPrepare, kWaitPending) : dice.Below(kPhaseNames)));
    }
    const uint32_t what = dice.Below(100);
    const uint32_t percent = dice.Chance(50) ? 100 : dice.Between(1, 99);
    if (what < 40)
      keeper.actions.push_back(Do(Verb::kCompactLookup, percent));
    else if (what < 75)
      keeper.actions.push_back(Do(Verb::kCompact, percent));
    else if (what < 88)
      keeper.actions.push_back(Do(Verb::kRetain, dice.Between(1, 2)));
    else
      keeper.actions.push_back(Do(Verb::kIterate));
  }
  incarnation->actors.push_back(std::move(keeper));
}

// The actor that takes the checkpoints. An index-only checkpoint commits nothing by itself, so that one under
// test mostly follows a checkpoint of the log; recovery then has something to return. Returns the ordinal of
// the last request.
uint32_t AddDriver(Build& build, Incarnation* incarnation, uint32_t count, uint32_t operations) {
  Dice& dice = build.dice;
  Actor driver;
  driver.name = "driver";
  std::vector<CheckpointRequest> requests;
  const uint32_t idle = build.scenario.incarnations.size() == 1 ? build.knobs.idle_checkpoints : 0;
  for (uint32_t i = 0; i < idle; ++i) {
    driver.actions.push_back({Verb::kCheckpoint, 0, DrawKind(build)});
    driver.actions.push_back(Do(Verb::kAwaitCheckpoint));
  }
  if (idle != 0) driver.actions.push_back(Do(Verb::kRead));  // what the sessions wait for
  if (build.knobs.index_first) requests.push_back(KindOf(4));
  for (uint32_t i = 0; i < count; ++i) {
    const CheckpointRequest request = DrawKind(build);
    if (i + 1 == count && requests.empty() && request.kind == faster::CheckpointKind::kIndexOnly &&
        dice.Chance(70)) {
      requests.push_back(KindOf(static_cast<int>(dice.Below(4))));
    }
    requests.push_back(request);
  }
  const uint32_t total = operations * build.knobs.sessions;
  uint32_t at = 0;
  for (const CheckpointRequest& request : requests) {
    const uint32_t share = std::max<uint32_t>(1, total * 2 / 3 / static_cast<uint32_t>(requests.size()));
    at += dice.Below(share + 1);
    driver.actions.push_back(Do(Verb::kAwaitOperations, at));
    driver.actions.push_back({Verb::kCheckpoint, 0, request});
    if (!build.knobs.same_time || dice.Chance(70)) driver.actions.push_back(Do(Verb::kAwaitCheckpoint));
  }
  driver.actions.push_back(Do(Verb::kAwaitCheckpoint));
  incarnation->actors.push_back(std::move(driver));
  return idle + static_cast<uint32_t>(requests.size()) - 1;
}

int KindOfRequest(const Incarnation& incarnation, uint32_t ordinal) {
  for (const Action& action : incarnation.actors.back().actions) {
    if (action.verb == Verb::kCheckpoint && ordinal-- == 0) return KindIndex(action.checkpoint);
  }
  return 0;
}

CrashPoint DrawCrash(Build& build, const Incarnation& incarnation, uint32_t last_request, uint32_t steps) {
  Dice& dice = build.dice;
  CrashPoint crash;
  const uint32_t draw = dice.Below(100);
  // Mostly the last checkpoint: then the earlier ones are there to come back to.
  crash.checkpoint = dice.Chance(75) ? last_request : dice.Below(last_request + 1);
  crash.events = dice.Chance(40);
  if (draw < 36) {
    crash.anchor = Anchor::kDurable;
    crash.delay = crash.events ? dice.Below(4) : dice.Skewed(steps / 2);
  } else if (draw < 72) {
    const std::vector<int>& phases =
        build.variation.phases[static_cast<size_t>(KindOfRequest(incarnation, crash.checkpoint))];
    crash.anchor = phases.empty() ? Anchor::kRequest : Anchor::kPhase;
    if (!phases.empty())
      crash.phase = static_cast<uint32_t>(phases[dice.Below(static_cast<uint32_t>(phases.size()))]);
    const bool full = KindOfRequest(incarnation, crash.checkpoint) < 2;
    if (full && build.scenario.geometry.overlap_index && crash.phase == kIndexChkpt)
      crash.phase = kWaitPending;
    crash.delay = crash.events ? dice.Skewed(8) : dice.Skewed(steps / 4);
  } else if (draw < 78) {
    crash.anchor = Anchor::kStart;
    crash.events = false;
    crash.delay = dice.Skewed(steps / 2);
  } else if (draw < 96) {
    crash.anchor = Anchor::kStart;
    crash.delay = crash.events ? dice.Below(40) : dice.Below(steps);
  } else {
    crash.anchor = Anchor::kEnd;
  }
  return crash;
}

void AddIncarnations(Build& build) {
  Dice& dice = build.dice;
  const Knobs& knobs = build.knobs;
  for (uint32_t i = 0; i < knobs.incarnations; ++i) {
    build.scenario.incarnations.emplace_back();
    Incarnation& incarnation = build.scenario.incarnations.back();
    const uint32_t operations = i == 0 ? knobs.operations : knobs.more_operations;
    const bool last = i + 1 == knobs.incarnations;
    AddSessions(build, &incarnation, operations, i > 0);
    if (dice.Chance(knobs.keeper)) AddKeeper(build, &incarnation, std::max(operations, 4u));
    uint32_t request = 0;
    const bool checkpoint = i == 0 ? knobs.checkpoints > 0 : !last || dice.Chance(knobs.checkpoint_again);
    if (checkpoint)
      request =
          AddDriver(build, &incarnation, i == 0 ? knobs.checkpoints : knobs.checkpoints_later, operations);
    if (!last) incarnation.crash = DrawCrash(build, incarnation, request, knobs.steps);
    if (i == 0) continue;
    incarnation.named = dice.Chance(knobs.named);
    if (incarnation.named) incarnation.back = dice.Chance(60) ? 0 : dice.Below(knobs.back);
    if (dice.Chance(knobs.other_memory)) {
      const uint32_t pages = build.scenario.geometry.buffer_pages;
      incarnation.buffer_pages =
          pages > 4 && dice.Chance(70) ? std::max(4u, pages >> dice.Between(1, 3)) : 2 * pages;
    }
    while (incarnation.recovery_crashes.size() < 3 && dice.Chance(knobs.crash_in_recovery)) {
      CrashPoint crash;
      crash.anchor = Anchor::kStart;
      crash.events = dice.Chance(70);
      crash.delay = crash.events ? dice.Below(30) : dice.Below(1500);
      incarnation.recovery_crashes.push_back(crash);
    }
  }
}

// So many filler keys that the first page, which holds the preloaded records, has left memory when the work
// begins.
void FillMemory(Scenario* scenario) {
  const SubjectConfig& g = scenario->geometry;
  const uint32_t record = g.value_bytes != 0 ? 24 + g.value_bytes : 48;  // of many lengths: a short one
  const uint32_t per_page = (1u << g.page_bits) / g.block_bytes * std::max(1u, (g.block_bytes - 8) / record);
  const uint32_t records = g.buffer_pages * per_page + 1;
  scenario->filler = records > scenario->preload ? records - scenario->preload : 1;
  if (scenario->filler > 100) scenario->filler = 0;  // a large memory is for work that stays in it
}

// How versions shift and sessions are kept: of every family, from dice of its own so that a seed's scenario
// is otherwise the same for every choice.
void DrawProtocol(const Variation& variation, uint64_t seed, SubjectConfig* g) {
  Dice dice(MixSeed(seed, 0xc0a25e));
  const bool coarse = dice.Chance(35), relaxed = dice.Chance(35), overlap = dice.Chance(30);
  g->shift = variation.shift.value_or(coarse ? faster::ShiftScheme::kCoarse : faster::ShiftScheme::kFine);
  g->guarantee =
      variation.guarantee.value_or(relaxed ? faster::Guarantee::kRelaxed : faster::Guarantee::kStrict);
  g->overlap_index = variation.overlap_index.value_or(overlap);
  const uint32_t slots[] = {32, 1, 2, 4};
  g->session_slots = dice.Pick(slots);
}

// Segments that are closed and opened again: with a failing `meta`, opening one fails.
void DrawOpenFiles(uint64_t seed, Scenario* scenario) {
  Dice dice(MixSeed(seed, 0xf11e5));
  if (!dice.Chance(40)) return;
  scenario->geometry.open_segments = dice.Between(1, 3);
  if (dice.Chance(60)) scenario->geometry.segment_pages = dice.Between(1, 2);
}

// Reads that fail while sessions work, of every family, from dice of their own: an operation that waits for
// one ends with the error and must have no effect, and whoever reads in the background gives up in order.
void DrawFailingReads(uint64_t seed, Scenario* scenario) {
  Dice dice(MixSeed(seed, 0xfa11ed));
  if (!dice.Chance(scenario->faults.empty() ? 5 : 40) || scenario->name == "reads") return;
  std::string rule = dice.Chance(80) ? "eio:read:*" : "short:read:*";
  const uint32_t when = dice.Below(3);
  if (when == 0)
    rule += ":p=1/" + std::to_string(dice.Between(2, 20));
  else
    rule += ":" + std::to_string(dice.Between(4, 20)) + "th" + (when == 1 && dice.Chance(30) ? "+" : "");
  scenario->faults += (scenario->faults.empty() ? "" : ",") + rule;
}

// Of every family, from dice of its own: keys and values of many lengths. The smallest blocks hold one record
// with a value of 8 bytes, the largest are a page. Not where a log is compacted: copies of records as large
// as a page push each other out of a memory of four, and an execution takes too many steps.
void DrawLengths(uint64_t seed, bool compacts, SubjectConfig* g) {
  Dice dice(MixSeed(seed, 0x7a71ab1e));
  const bool drawn = dice.Chance(20);
  if (g->value_bytes == 256 || (!drawn && g->value_bytes != 0)) return;
  g->value_bytes = 0;
  const uint32_t blocks[] = {64, 128, 128, 256, 512};
  g->block_bytes = std::min(dice.Pick(blocks), 1u << g->page_bits);
  if (compacts || g->compact_at_bytes != 0) g->block_bytes = std::min(g->block_bytes, 128u);
}

}  // namespace

const std::vector<Family>& Families() {
  static const std::vector<Family> families = [] {
    std::vector<Family> list;
    for (const FamilyForm& form : FamilyForms()) list.push_back(form.family);
    return list;
  }();
  return families;
}

Scenario Generate(const Variation& variation, uint64_t seed) {
  Build build{variation, Dice(MixSeed(seed, 0x5ce4a210)), {}, {}, variation.kinds};
  if (build.kinds.empty()) build.kinds = {0, 1, 2, 3, 4, 5};
  const FamilyForm* form = &FamilyForms()[0];
  uint32_t draw = build.dice.Below(100);
  if (variation.family.empty()) {
    for (; draw >= form->share; ++form) draw -= form->share;
  } else {
    for (const FamilyForm& candidate : FamilyForms()) {
      if (variation.family == candidate.family.name) form = &candidate;
    }
  }
  build.scenario.name = form->family.name;
  build.scenario.geometry.index_buckets = 1u << build.dice.Below(3);
  build.scenario.geometry.block_bytes = build.dice.Chance(60) ? 64 : 128;
  // Of dice of their own: all else stays as it was drawn without them.
  Dice copies(MixSeed(seed, 0xcac4e));
  SubjectConfig& geometry = build.scenario.geometry;
  if (copies.Chance(30)) geometry.read_cache_records = copies.Chance(60) ? 4 : 16;
  geometry.second_chance = copies.Chance(70);
  geometry.copy_reads_to_tail = copies.Chance(12);
  form->draw(build);
  const bool cold = std::strcmp(form->family.name, "f2") == 0;
  if (!cold) DrawLengths(seed, build.knobs.keeper != 0, &geometry);
  build.scenario.keys = build.scenario.preload = build.knobs.keys;
  if (std::strcmp(form->family.name, "everything") == 0) {
    build.scenario.preload = build.dice.Below(build.knobs.keys + 1);
  }
  if (std::strcmp(form->family.name, "everything") == 0) build.knobs.fill = build.dice.Chance(60);
  if (build.knobs.fill) FillMemory(&build.scenario);
  DrawProtocol(variation, seed, &build.scenario.geometry);
  DrawOpenFiles(seed, &build.scenario);
  DrawFailingReads(seed, &build.scenario);
  AddIncarnations(build);
  const bool grows = std::strcmp(form->family.name, "growth") == 0;
  AddGrowth(grows ? 100 : 20, grows, seed, &build.scenario);
  AddCold(cold ? 100 : 8, cold, seed, &build.scenario);
  return build.scenario;
}

}  // namespace experiments
