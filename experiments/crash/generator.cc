#include "experiments/crash/generator.h"

#include <algorithm>
#include <cstring>

#include "experiments/common/dice.h"

namespace experiments {
namespace {

using Anchor = CrashPoint::Anchor;

// In kPhaseName: where a full checkpoint's index copy ends, before the version shift or overlapped with it.
constexpr uint32_t kIndexChkpt = 2, kWaitPending = 5;

// What a family draws; the rest follows from these.
struct Knobs {
  uint32_t sessions = 3;
  uint32_t operations = 8;  // per session
  uint32_t keys = 8;
  uint32_t checkpoints = 1;                   // in incarnation 0
  uint32_t incarnations = 2;                  // the last one comes to rest
  uint32_t weights[5] = {24, 24, 38, 10, 4};  // read, upsert, rmw, delete, insert
  uint32_t keeper = 0;                        // percent per incarnation: an actor that compacts and the like
  uint32_t truncate = 0;                      // percent per operation
  uint32_t refresh = 3, complete = 5, pause = 6;  // percent per operation
  uint32_t close = 0, open = 0, await_phase = 0;  // percent per operation
  uint32_t leaves_open = 10;                      // percent per session
  uint32_t batch = 15;                            // percent of sessions that batch their operations
  uint32_t more_operations = 2;                   // per session after a recovery
  uint32_t checkpoint_again = 0;                  // percent per later incarnation
  uint32_t crash_in_recovery = 0;                 // percent per recovery, again and again
  uint32_t named = 0;                             // percent per recovery
  bool index_first = false;                       // an index checkpoint before the one under test
  uint32_t checkpoints_later = 1;                 // in an incarnation that has any
  uint32_t back = 3;                              // a named recovery goes back fewer than so many checkpoints
  uint32_t other_memory = 15;                     // percent per recovery
  bool fill = true;                               // the preloaded records have left memory
  bool same_time = false;                         // requests while another one runs
  uint32_t steps = 2600;                          // about as many as incarnation 0 takes
};

struct Build {
  const Variation& variation;
  Dice dice;
  Scenario scenario;
  Knobs knobs;
  std::vector<int> kinds;
};

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
      keeper.actions.push_back(Do(Verb::kAwaitPhase, dice.Below(kPhaseNames)));
    }
    const uint32_t what = dice.Below(100);
    const uint32_t percent = dice.Chance(60) ? 100 : dice.Between(20, 99);
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
  return static_cast<uint32_t>(requests.size()) - 1;
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
  const uint32_t record = 24 + g.value_bytes;
  const uint32_t per_page = (1u << g.page_bits) / g.block_bytes * std::max(1u, (g.block_bytes - 8) / record);
  const uint32_t records = g.buffer_pages * per_page + 1;
  scenario->filler = records > scenario->preload ? records - scenario->preload : 1;
  if (scenario->filler > 100) scenario->filler = 0;  // a large memory is for work that stays in it
}

void DrawGeometry(Build& build) {
  Dice& dice = build.dice;
  SubjectConfig& g = build.scenario.geometry;
  g.value_bytes = dice.Chance(35) ? 256 : 8;
  g.page_bits = dice.Chance(70) ? 9 : dice.Between(9, 11);
  g.buffer_pages = dice.Chance(75) ? 4 : 8;
  g.mutable_pages = dice.Between(1, g.buffer_pages - 2);
  const uint32_t blocks[] = {64, 128, 256, 512};
  g.block_bytes = g.value_bytes == 256 ? 512 : dice.Pick(blocks);
  g.segment_pages = dice.Between(1, 5);
  g.index_buckets = 1u << dice.Below(3);
  g.version_bits = dice.Chance(60) ? 3 : dice.Between(3, 13);
  g.refresh_interval = dice.Chance(60) ? 1 : 4;
  g.recovery_threads = dice.Chance(70) ? 1 : dice.Between(2, 3);
  g.hash = static_cast<HashMode>(dice.Below(4));
  if (dice.Chance(20)) g.keep_checkpoints = dice.Between(1, 3);
  build.scenario.sector_mix = dice.Chance(25);
  build.scenario.sector_bytes = dice.Chance(80) ? 512 : dice.Chance(50) ? 128 : 4096;
  build.scenario.device_fibers = dice.Between(1, 3);
}

// Faults that the guarantee must survive (the atlas in fault_plan.h): errors, short transfers, a full disk;
// once, by chance, or for good: then operations that need the disk end with its error.
void DrawFaults(Build& build) {
  Dice& dice = build.dice;
  static constexpr const char* kRules[] = {"eio:write:*",   "eio:sync:*",     "eio:dirsync:*", "eio:meta:*",
                                           "short:write:*", "enospc:write:*", "slow:any:*"};
  std::string& plan = build.scenario.faults;
  for (uint32_t rules = dice.Between(1, 2); rules > 0; --rules) {
    if (!plan.empty()) plan += ",";
    plan += dice.Pick(kRules);
    static constexpr const char* kFirst[] = {":1st", ":2nd", ":3rd"};
    const uint32_t when = dice.Below(3);
    if (when == 0)
      plan += ":p=1/" + std::to_string(dice.Between(8, 60));
    else
      plan += (dice.Chance(40) ? dice.Pick(kFirst) : ":" + std::to_string(dice.Between(4, 20)) + "th") +
              (when == 1 && dice.Chance(30) ? "+" : "");
  }
  if (dice.Chance(25))
    build.scenario.recovery_faults = "eio:read:*:p=1/" + std::to_string(dice.Between(5, 40));
}

void DrawEverything(Build& build) {
  Dice& dice = build.dice;
  Knobs& knobs = build.knobs;
  DrawGeometry(build);
  knobs.sessions = dice.Between(1, 5);
  knobs.operations = dice.Between(1, 14);
  knobs.keys = dice.Between(1, 8);
  knobs.checkpoints = dice.Chance(60) ? 1 : dice.Between(1, 4);
  knobs.incarnations = dice.Between(2, 4);
  for (uint32_t& weight : knobs.weights) weight = dice.Chance(25) ? 0 : dice.Between(1, 50);
  knobs.weights[2] += 1;
  for (uint32_t* chance :
       {&knobs.refresh, &knobs.complete, &knobs.pause, &knobs.close, &knobs.open, &knobs.await_phase}) {
    *chance = dice.Chance(45) ? 0 : dice.Between(1, 30);
  }
  if (dice.Chance(25)) knobs.keeper = 60;
  if (dice.Chance(15)) knobs.truncate = dice.Between(1, 15);
  knobs.leaves_open = dice.Chance(50) ? 0 : dice.Below(60);
  knobs.batch = dice.Chance(50) ? 0 : 50;
  knobs.more_operations = dice.Below(5);
  knobs.checkpoint_again = dice.Chance(50) ? 0 : 60;
  knobs.crash_in_recovery = dice.Chance(60) ? 0 : 40;
  knobs.named = dice.Chance(60) ? 0 : 40;
  knobs.index_first = dice.Chance(20);
  knobs.same_time = dice.Chance(20);
  if (dice.Chance(15)) DrawFaults(build);
  knobs.steps = 150 * knobs.sessions * knobs.operations + 800 * knobs.checkpoints;
}

void DrawVersions(Build& build) {  // many checkpoints: record versions of 3 bits wrap around
  build.knobs.checkpoints = build.dice.Between(6, 12);
  build.knobs.operations = 10;
  build.knobs.named = 30;
  build.knobs.steps = 12000;
  build.scenario.geometry.hash = static_cast<HashMode>(build.dice.Below(4));
}

void DrawSessions(Build& build) {  // sessions come, go, return and sleep in every phase
  Knobs& knobs = build.knobs;
  knobs.close = 12;
  knobs.open = 12;
  knobs.await_phase = 15;
  knobs.leaves_open = 40;
  knobs.checkpoints = build.dice.Between(1, 2);
}

void DrawBatches(Build& build) {  // short stages and short groups: every seam of a batch is met
  Knobs& knobs = build.knobs;
  knobs.batch = 100;
  knobs.operations = build.dice.Between(8, 16);
  knobs.steps = 4200;
  SubjectConfig& g = build.scenario.geometry;
  g.batch_ahead = build.dice.Between(1, 4);
  g.batch_group = build.dice.Between(1, 8);
  g.refresh_interval = build.dice.Chance(70) ? 1 : 3;
  g.hash = static_cast<HashMode>(build.dice.Below(4));
}

void DrawNested(Build& build) {  // crashes of recoveries, and of what was recovered
  build.knobs.incarnations = build.dice.Between(3, 4);
  build.knobs.crash_in_recovery = 60;
  build.scenario.geometry.recovery_threads = build.dice.Chance(60) ? 1 : build.dice.Between(2, 3);
  build.knobs.named = 25;
  build.knobs.more_operations = 3;
  build.scenario.sector_mix = build.dice.Chance(50);
}

void DrawKeeping(Build& build) {  // the log is compacted and truncated, old checkpoints go
  Dice& dice = build.dice;
  Knobs& knobs = build.knobs;
  SubjectConfig& g = build.scenario.geometry;
  g.segment_pages = dice.Between(1, 2);
  g.mutable_pages = dice.Between(1, 2);
  g.hash = dice.Chance(60) ? HashMode::kMixed : HashMode::kTwoChains;
  g.keep_checkpoints = dice.Below(3);
  if (dice.Chance(30)) g.compact_at_bytes = dice.Between(2, 6) << g.page_bits;
  knobs.keeper = 85;
  knobs.truncate = dice.Chance(50) ? 0 : dice.Between(2, 10);
  knobs.checkpoints = dice.Between(1, 3);
  knobs.incarnations = dice.Between(2, 3);
  knobs.weights[3] = 20;
  knobs.weights[4] = 10;
  knobs.complete = 15;
  knobs.named = 30;
  knobs.steps = 3000 + 1500 * knobs.checkpoints;
}

// Incremental checkpoints in chains: work that mostly stays in memory, changed again and again between them.
void DrawChains(Build& build) {
  Dice& dice = build.dice;
  Knobs& knobs = build.knobs;
  SubjectConfig& g = build.scenario.geometry;
  g.buffer_pages = dice.Chance(70) ? 8 : 16;
  g.mutable_pages = dice.Between(g.buffer_pages / 2, g.buffer_pages - 2);
  if (dice.Chance(15)) g.value_bytes = 256, g.block_bytes = 512;
  const auto allowed = [&](int kind) {
    const std::vector<int>& kinds = build.kinds;
    return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
  };
  if (allowed(5)) {
    const std::vector<int> drawn = build.kinds;
    build.kinds.assign(8, 5);
    for (const int kind : drawn)
      if (kind != 5 && dice.Chance(40)) build.kinds.push_back(kind);
  }
  g.recovery_threads = dice.Chance(70) ? 1 : 2;
  knobs.checkpoints = dice.Between(2, 4);
  knobs.operations = dice.Between(4, 10);
  knobs.more_operations = dice.Between(2, 6);
  knobs.checkpoint_again = 60;
  knobs.checkpoints_later = dice.Between(1, 3);
  knobs.incarnations = dice.Between(2, 4);
  knobs.named = dice.Chance(50) ? 0 : 50;
  knobs.back = 5;
  knobs.crash_in_recovery = dice.Chance(70) ? 0 : 40;
  knobs.other_memory = 30;
  knobs.fill = dice.Chance(30);
  knobs.steps = 150 * knobs.sessions * knobs.operations + 800 * knobs.checkpoints;
  if (dice.Chance(20)) {  // one checkpoint of the chain fails, the next one must not build on it
    static constexpr const char* kRules[] = {"eio:sync:*:", "eio:dirsync:*:", "eio:meta:*:"};
    build.scenario.faults = dice.Pick(kRules) + std::to_string(dice.Between(4, 24)) + "th";
  } else if (dice.Chance(10)) {
    DrawFaults(build);
  }
}

// Records read from disk are kept in memory: reads that complete soon, keys that are read again, a cache that
// has no room for all of them.
void DrawCopies(Build& build) {
  Dice& dice = build.dice;
  SubjectConfig& g = build.scenario.geometry;
  constexpr uint32_t kRecords[] = {4, 8, 16};
  if (dice.Chance(75)) g.read_cache_records = dice.Pick(kRecords);
  g.second_chance = dice.Chance(70);
  g.copy_reads_to_tail = g.read_cache_records == 0 || dice.Chance(20);
  g.value_bytes = dice.Chance(20) ? 256 : 8;
  if (g.value_bytes == 256) g.block_bytes = 512;
  if (dice.Chance(50)) g.hash = static_cast<HashMode>(dice.Below(4));
  Knobs& knobs = build.knobs;
  knobs.weights[0] = dice.Between(40, 150);
  knobs.operations = dice.Between(8, 14);
  knobs.keys = dice.Between(2, 12);
  knobs.complete = dice.Between(10, 60);
  knobs.steps = 150 * knobs.sessions * knobs.operations;
}

struct FamilyForm {
  Family family;
  uint32_t share;  // of the mixture, percent
  void (*draw)(Build&);
};

const FamilyForm kFamilies[] = {
    {{"default",
      "3 sessions, 24 operations on 8 keys, records on disk, one checkpoint, crash, recovery, continuation"},
     22,
     [](Build&) {}},
    {{"everything", "every knob drawn anew"}, 18, DrawEverything},
    {{"collide", "all keys in one bucket, in one chain or two"},
     6,
     [](Build& b) {
       b.scenario.geometry.hash = b.dice.Chance(50) ? HashMode::kCollide : HashMode::kTwoChains;
     }},
    {{"wide", "values of 256 bytes: a page holds one record"},
     6,
     [](Build& b) { b.scenario.geometry.value_bytes = 256, b.scenario.geometry.block_bytes = 512; }},
    {{"copies", "records read from disk are kept in a tiny read cache, or appended to the log again"},
     4,
     DrawCopies},
    {{"sessions", "sessions are opened, closed, continued and left idle in every phase"}, 6, DrawSessions},
    {{"batches", "every session hands its operations over in batches"}, 4, DrawBatches},
    {{"pairs", "an index checkpoint and a later one of the log"},
     4,
     [](Build& b) { b.knobs.index_first = true; }},
    {{"nested", "recovery crashes, and what was recovered crashes again"}, 5, DrawNested},
    {{"keeping", "compactions, truncations and retention beside checkpoints"}, 8, DrawKeeping},
    {{"chains", "incremental checkpoints: base and deltas, changed in memory, recovered to any of the chain"},
     8,
     DrawChains},
    {{"versions", "6 to 12 checkpoints with record versions of 3 bits"}, 2, DrawVersions},
    {{"growth", "the index grows from one bucket or two, again and again"}, 4, [](Build&) {}},
    {{"faults", "failing and short I/O, a full disk, failing syncs"}, 3, DrawFaults},
};

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

}  // namespace

const std::vector<Family>& Families() {
  static const std::vector<Family> families = [] {
    std::vector<Family> list;
    for (const FamilyForm& form : kFamilies) list.push_back(form.family);
    return list;
  }();
  return families;
}

Scenario Generate(const Variation& variation, uint64_t seed) {
  Build build{variation, Dice(MixSeed(seed, 0x5ce4a210)), {}, {}, variation.kinds};
  if (build.kinds.empty()) build.kinds = {0, 1, 2, 3, 4, 5};
  const FamilyForm* form = &kFamilies[0];
  uint32_t draw = build.dice.Below(100);
  if (variation.family.empty()) {
    for (form = kFamilies; draw >= form->share; ++form) draw -= form->share;
  } else {
    for (const FamilyForm& candidate : kFamilies) {
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
  build.scenario.keys = build.scenario.preload = build.knobs.keys;
  if (std::strcmp(form->family.name, "everything") == 0) {
    build.scenario.preload = build.dice.Below(build.knobs.keys + 1);
  }
  if (std::strcmp(form->family.name, "everything") == 0) build.knobs.fill = build.dice.Chance(60);
  if (build.knobs.fill) FillMemory(&build.scenario);
  DrawProtocol(variation, seed, &build.scenario.geometry);
  AddIncarnations(build);
  const bool grows = std::strcmp(form->family.name, "growth") == 0;
  AddGrowth(grows ? 100 : 20, grows, seed, &build.scenario);
  return build.scenario;
}

}  // namespace experiments
