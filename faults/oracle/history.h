// History: everything a client of a checkpointing store saw, as the checkers judge it.
//
// One History covers one execution: incarnation 0 starts from the empty store, incarnation i from what the i-th
// recovery returned. Times are points of one global order (scheduler steps, or a shared counter), unique.
// Plain data; JSON Lines form in history_json.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"

namespace faults {

enum class OpType : uint8_t { kRead, kUpsert, kRmw, kDelete };
enum class OpOutcome : uint8_t {
  kOk,       // read: found; update: changed the key
  kFail,     // no effect: read/delete found nothing, refused
  kUnknown,  // no response before the crash
};

constexpr uint64_t kNever = ~0ull;

struct Operation {
  uint32_t session = 0;        // index into History::sessions
  uint32_t incarnation = 0;
  uint64_t serial = 0;         // dense per session; restarts at t[s]+1 in a new incarnation
  OpType type = OpType::kRead;
  uint64_t key = 0;
  uint64_t operand = 0;        // upsert: the word written; rmw: the operand (see RmwWord in subject.h)
  OpOutcome outcome = OpOutcome::kUnknown;
  uint64_t result = 0;         // read: word found; rmw: new word (0 if the engine does not tell)
  uint64_t invoked = 0;
  uint64_t responded = kNever;
  bool went_pending = false;
};

struct CheckpointEvent {
  uint32_t incarnation = 0;
  faster::Token token;
  faster::CheckpointKind kind = faster::CheckpointKind::kFull;
  faster::LogBackend backend = faster::LogBackend::kFoldOver;
  uint64_t requested = 0;               // time just before the request
  uint64_t callback = kNever;           // time of the durable callback, kNever if it did not come
  faster::Status status = faster::Status::kPending;  // what the callback said
  std::vector<faster::SessionCommit> reported;       // what it reported (empty for index-only)
};

struct SessionReport {                  // a commit point told to one session (callback or ContinueSession)
  uint32_t session = 0;
  uint32_t incarnation = 0;
  faster::Token token;
  uint64_t serial = 0;
  uint64_t time = 0;
};

struct Recovery {                       // ends incarnation `incarnation`, starts the next
  uint32_t incarnation = 0;
  bool named = false;                   // a named checkpoint was asked for, else the latest
  faster::Token requested;
  faster::Status status = faster::Status::kOk;
  std::string why;                      // when refused
  faster::Token log_token;              // null: recovered to the empty store is not allowed once one is durable
  std::vector<faster::SessionCommit> commits;            // t[s] for every session ever opened
  std::vector<std::pair<uint64_t, uint64_t>> state;      // R: key, word of every live key, by lookup
  std::vector<std::pair<uint64_t, uint64_t>> scanned;    // the same by log scan
  bool has_scan = false;
  uint64_t time = 0;
};

struct History {
  std::vector<faster::Guid> sessions;
  std::vector<uint64_t> session_opened;  // time each was first opened
  std::vector<Operation> operations;     // any order
  std::vector<CheckpointEvent> checkpoints;
  std::vector<SessionReport> reports;
  std::vector<Recovery> recoveries;      // by incarnation
  bool faults_survivable = true;         // only crashes and faults the guarantee must survive
  bool refresh_every_operation = true;   // R6 is asserted only then
  bool quiesced = false;                 // the last incarnation ended with nothing pending, final_state is valid
  std::vector<std::pair<uint64_t, uint64_t>> final_state;
};

enum class Rule : uint8_t { kNone, kR0, kR1, kR2, kR3, kR4, kR5, kR6, kScan, kHistory, kDisagree };

struct Verdict {
  bool ok = true;
  Rule rule = Rule::kNone;               // first rule violated
  std::string what;                      // one line for people
  std::vector<uint32_t> witness;         // indexes into History::operations, a handful
  bool undecided = false;                // the search gave up; counted, never a pass in silence
};

}  // namespace faults
