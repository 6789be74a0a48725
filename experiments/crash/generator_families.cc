#include <algorithm>

#include "experiments/crash/generator_build.h"

namespace experiments {
namespace {

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

// Many checkpoints: record versions of 3 bits wrap around, during the work or before it, so that all of it
// meets the ones under test.
void DrawVersions(Build& build) {
  build.knobs.checkpoints = build.dice.Between(6, 12);
  build.knobs.operations = 10;
  build.knobs.named = 30;
  build.knobs.steps = 12000;
  if (build.dice.Chance(60)) {
    build.knobs.idle_checkpoints = build.dice.Between(5, 7);
    build.knobs.checkpoints = build.dice.Between(1, 2);
    build.knobs.steps = 6000;
  }
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

// A few keys in memory that all sessions change at once, while they are in different phases: what only an
// update in place can meet.
void DrawHot(Build& build) {
  Knobs& knobs = build.knobs;
  knobs.fill = false;
  knobs.keys = build.dice.Between(1, 3);
  knobs.sessions = build.dice.Between(2, 3);
  knobs.operations = build.dice.Between(4, 10);
  knobs.await_phase = build.dice.Chance(50) ? 0 : 15;
  build.scenario.geometry.refresh_interval = build.dice.Chance(40) ? 1 : 4;  // sessions stay a phase behind
  knobs.weights[2] = 100;
  knobs.pause = 3;
  knobs.checkpoints = build.dice.Between(1, 2);
  knobs.steps = 1500;
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
    build.scenario.faults = dice.Pick(kRules) + std::to_string(dice.Between(4, 20)) + "th";
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

// A hot and a cold store: what the work needs is in the cold one, or on its way there.
void DrawTiers(Build& build) {
  Dice& dice = build.dice;
  Knobs& knobs = build.knobs;
  SubjectConfig& g = build.scenario.geometry;
  g.mutable_pages = dice.Between(1, 2);
  g.segment_pages = dice.Between(1, 3);
  g.hash = dice.Chance(50) ? HashMode::kMixed : static_cast<HashMode>(dice.Below(4));
  const bool wide =
      dice.Chance(45);  // three records fill memory: what is written is soon old enough to migrate
  if (wide) g.value_bytes = 256, g.block_bytes = 512;
  if (dice.Chance(30)) g.keep_checkpoints = dice.Between(1, 2);
  if (dice.Chance(20)) g.compact_at_bytes = dice.Between(4, 8) << g.page_bits;
  knobs.checkpoints = dice.Between(1, 3);
  knobs.incarnations = dice.Between(2, 3);
  knobs.operations = dice.Between(6, 12);
  knobs.more_operations = dice.Between(2, 5);
  knobs.checkpoint_again = 50;
  if (wide) knobs.operations = dice.Between(6, 18), knobs.keys = dice.Between(2, 6);
  knobs.weights[0] = 30;
  knobs.weights[3] = 20;
  knobs.weights[4] = 12;
  knobs.complete = dice.Between(5, 40);
  knobs.keeper = 20;
  knobs.named = 20;
  knobs.crash_in_recovery = dice.Chance(70) ? 0 : 40;
  knobs.steps = 4000 + 2500 * knobs.checkpoints;
  if (dice.Chance(8)) DrawFaults(build);
  if (!wide || !dice.Chance(35)) return;
  // The copy of a large index makes the shift long: meanwhile much of the later version is written. Not all
  // of it in one chain: of records as large as a page that is on disk, and each operation walks it again.
  g.index_buckets = 64u << dice.Below(3);
  if (g.hash == HashMode::kCollide || g.hash == HashMode::kTwoChains) g.hash = HashMode::kSameBucket;
  knobs.operations = dice.Between(16, 28);
  knobs.keys = dice.Between(6, 12);
  knobs.weights[1] = 60;
  knobs.steps += 40 * g.index_buckets;
}

// Values grow and shrink on few keys, by several sessions at once; most of it happens in memory.
void DrawLengths(Build& build) {
  Dice& dice = build.dice;
  Knobs& knobs = build.knobs;
  SubjectConfig& g = build.scenario.geometry;
  g.value_bytes = 0;
  g.mutable_pages = 2;
  knobs.sessions = dice.Between(2, 4);
  knobs.operations = dice.Between(6, 14);
  knobs.keys = dice.Between(1, 6);
  knobs.weights[2] = 60;
  knobs.fill = dice.Chance(60);
  knobs.steps = 180 * knobs.sessions * knobs.operations + 800;
}

// Updates of what is on disk, and reads that fail: before the cut, after it, with nobody there to hear of it.
void DrawReads(Build& build) {
  Dice& dice = build.dice;
  Knobs& knobs = build.knobs;
  knobs.sessions = dice.Between(2, 3);
  knobs.operations = dice.Between(3, 8);
  const uint32_t weights[] = {8, 10, 70, 12, 6};
  std::copy(std::begin(weights), std::end(weights), knobs.weights);
  knobs.complete = dice.Chance(60) ? 0 : 10;
  knobs.close = dice.Chance(50) ? 0 : 12;
  knobs.leaves_open = 30;
  knobs.await_phase = dice.Chance(50) ? 0 : 12;
  knobs.batch = 0;
  build.scenario.faults = "eio:read:*:p=1/" + std::to_string(dice.Between(2, 5));
}

const FamilyForm kFamilies[] = {
    {{"default",
      "3 sessions, 24 operations on 8 keys, records on disk, one checkpoint, crash, recovery, continuation"},
     10,
     [](Build&) {}},
    {{"hot", "one to three keys in memory that all sessions change"}, 8, DrawHot},
    {{"lengths", "keys and values of many lengths: few keys, changed in place and out of it"},
     4,
     DrawLengths},
    {{"everything", "every knob drawn anew"}, 12, DrawEverything},
    {{"collide", "all keys in one bucket, in one chain or two"},
     5,
     [](Build& b) {
       b.scenario.geometry.hash = b.dice.Chance(50) ? HashMode::kCollide : HashMode::kTwoChains;
     }},
    {{"wide", "values of 256 bytes: a page holds one record"},
     5,
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
    {{"keeping", "compactions, truncations and retention beside checkpoints"}, 7, DrawKeeping},
    {{"chains", "incremental checkpoints: base and deltas, changed in memory, recovered to any of the chain"},
     8,
     DrawChains},
    {{"versions", "6 to 12 checkpoints with record versions of 3 bits"}, 2, DrawVersions},
    {{"growth", "the index grows from one bucket or two, again and again"}, 4, [](Build&) {}},
    {{"f2", "a cold store below the hot one, migrations beside everything, checkpoints of the pair"},
     6,
     DrawTiers},
    {{"reads", "updates of what is on disk, and reads that fail"}, 3, DrawReads},
    {{"faults", "failing and short I/O, a full disk, failing syncs"}, 3, DrawFaults},
};

}  // namespace

std::span<const FamilyForm> FamilyForms() { return kFamilies; }

}  // namespace experiments
