// Scenario: what one crash execution does. How it happens (which thread runs, which sector survives) is the
// tape's.
//
// An execution is a list of INCARNATIONS of the store. Incarnation 0 starts empty and is filled; every later
// one starts with a recovery, which may itself crash a few times first. In an incarnation ACTORS run side by
// side, each a list of actions: operations of a session, waiting, opening and closing, checkpoint requests.
// Its CRASH ends it; the last incarnation has none, comes to rest and is read back in full.
//
// Any list of actions is legal: an operation opens a session if the actor has none (it continues the session
// that the actor had before the crash, if recovery knows it), a wait for something that cannot happen any
// more ends. So a shrinker may remove whatever it likes. Actions are lines of text ("rmw 3", "checkpoint
// log/snapshot"), as in the JSON form: see README of experiments/crash. Plain values; nothing here runs
// inside a fiber.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/crash/subject.h"

namespace experiments {

enum class Verb : uint8_t {
  kRead,
  kUpsert,
  kRmw,
  kDelete,
  kInsert,    // number: the key
  kTruncate,  // to where `mark` was said last in this incarnation, else to what is on disk now
  kRefresh,
  kComplete,  // CompletePending without waiting
  kCompleteWait,
  kPause,            // until `number` more operations of others began
  kAwaitOperations,  // until the incarnation's operations began `number` times
  kAwaitPhase,       // until a checkpoint is in phase `number`
  kOpen,             // a new session, the one at hand stays open and idle
  kContinue,         // the session that this actor closed last, else as kOpen
  kReplay,           // the operations of the session that the last recovery lost, again
  kClose,
  kMark,             // notes where the log is, for `truncate`
  kCompact,          // the oldest `number` percent of what is on disk, by scanning
  kCompactLookup,    // the same by looking up
  kRetain,           // keeps `number` checkpoints
  kIterate,          // over live keys
  kCheckpoint,       // requests `checkpoint`
  kAwaitCheckpoint,  // polls until no checkpoint and no growth runs
  kGrow,             // doubles the index, unless a checkpoint or a growth runs
};

// The phases of the machine by name, in the order of a full checkpoint; Rest is first. Then those of a
// growth.
constexpr int kPhaseNames = 10;
constexpr int kFirstGrowthPhase = 8;
extern const char* const kPhaseName[kPhaseNames];
int PhaseIndex(std::string_view name);  // -1: none of them

bool ParseShift(std::string_view text, faster::ShiftScheme* shift);
bool ParseGuarantee(std::string_view text, faster::Guarantee* guarantee);

struct Action {
  Verb verb = Verb::kRead;
  uint32_t number = 0;
  CheckpointRequest checkpoint;
};
std::string ActionText(const Action& action);
bool ParseAction(const std::string& text, Action* action, std::string* error);

// "full/foldover", "log/snapshot", "index", "incremental", ...: the kinds of the table.
constexpr int kCheckpointKinds = 6;
std::string KindText(const CheckpointRequest& request);
int KindIndex(const CheckpointRequest& request);
CheckpointRequest KindOf(int index);

struct Actor {
  std::string name;
  std::vector<Action> actions;
  bool leaves_open = false;  // ends without completing and closing its session
  uint32_t batch = 1;        // so many consecutive reads, upserts or RMWs at most are one batched call
};

// When the process dies: `delay` steps or interesting events (I/O, phase changes) after the anchor. If the
// anchor or the delay is not reached, when everything has come to rest.
struct CrashPoint {
  enum class Anchor : uint8_t { kNone, kStart, kRequest, kPhase, kDurable, kEnd };
  Anchor anchor = Anchor::kNone;
  uint32_t phase = 0;       // kPhase
  uint32_t checkpoint = 0;  // kRequest, kPhase, kDurable: of which checkpoint of the incarnation, from 0
  bool events = false;      // the unit of delay
  uint32_t delay = 0;
};

struct Incarnation {
  uint32_t buffer_pages = 0;  // memory of this life of the store; 0: as the scenario's geometry
  bool named = false;         // how it recovers: a named checkpoint, or the latest
  uint32_t back = 0;          // named: this many durable checkpoints before the newest
  std::vector<CrashPoint> recovery_crashes;  // kStart only: crashes of the recovery, one after the other
  std::vector<Actor> actors;
  CrashPoint crash;
};

struct Scenario {
  std::string name;
  SubjectConfig geometry;
  uint32_t keys = 8;     // keys 0..keys-1 are used by actions
  uint32_t preload = 8;  // of them are written before incarnation 0 begins
  uint32_t filler = 0;   // further keys written after these, to push them towards the disk
  uint32_t sector_bytes = 512;
  bool sector_mix = false;  // a sector may mix old and new bytes
  uint32_t device_fibers = 2;
  std::string faults;           // a FaultPlan (faults/device/fault_plan.h) in force while actors run
  std::string recovery_faults;  // the same for a first try of every recovery; a refusal is then no violation
  std::vector<Incarnation> incarnations;
};

constexpr uint64_t kFillerKey = 1000;  // the first key of the filler

// "" or one line that says what cannot work.
std::string CheckScenario(const Scenario& scenario);

// Steps after which an execution counts as stuck.
uint64_t StepLimit(const Scenario& scenario);

std::string ScenarioJson(const Scenario& scenario, int indent = 1);
// False: *error is one line with the path of the wrong value.
bool ParseScenario(const std::string& json, Scenario* scenario, std::string* error);

}  // namespace experiments
