// History: everything a client of a checkpointing store saw, as the checkers judge it.
//
// One History covers one execution: incarnation 0 starts from the empty store, incarnation i from what the
// i-th recovery returned. Times are points of one global order (scheduler steps, or a shared counter),
// unique. Plain data; JSON Lines form in history_json.h.
//
// What the fields mean to the checkers (DESIGN: R0-R6):
// * A delete with kOk wrote a tombstone and is an update whether or not the key was there; a delete with
//   kFail found nothing and counts as a read. An upsert or RMW with kFail was refused and says nothing.
// * An insert with kOk found the key absent and wrote `operand`; with kFail it was refused because of the
// word
//   `result`, and counts as a read of it.
// * A truncate is of no key: with kOk or kUnknown it may, for each key by itself, have removed what was there
//   when it was invoked. It may not have removed an update that was invoked after `mark`, the time at which
//   the place to truncate at was taken from the end of what memory holds: such a key is above that place.
// * kUnknown: no response before the crash. It is in the recovered state if its serial is within the commit
//   point; otherwise it may or may not have taken effect before the crash.
// * A commit point is a serial t and the serials x <= t that are not in the checkpoint all the same
// (`excluded`,
//   ascending): with the relaxed guarantee what was pending at the session's CPR point. They may concern a
//   serial of an earlier incarnation, while nobody continued the session since. An update that ended with an
//   error which its client had not heard of by then is excluded with the strict guarantee too.
// * Words are not 0. For the linear checker upsert words and RMW operands are unique within a key.
// * recoveries are in order of time. A recovery with kOk, or an unnamed one with kNotFound (the empty store),
//   returned and starts the next incarnation; any other status is a refusal, and the next entry (same
//   incarnation) is the next try. A recovery that crashed itself is not in the list.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"

namespace faults {

enum class OpType : uint8_t { kRead, kUpsert, kRmw, kDelete, kInsert, kTruncate };
enum class OpOutcome : uint8_t {
  kOk,       // read: found; update: changed the key
  kFail,     // no effect: read/delete found nothing, refused
  kUnknown,  // no response before the crash
  kError,    // ended with an error: no effect, whatever its type, and it says nothing
};

constexpr uint64_t kNever = ~0ull;

struct Operation {
  uint32_t session = 0;  // index into History::sessions
  uint32_t incarnation = 0;
  uint64_t serial = 0;  // dense per session; restarts at t[s]+1 in a new incarnation
  OpType type = OpType::kRead;
  uint64_t key = 0;
  uint64_t operand = 0;  // upsert, insert: the word written; rmw: the operand (see words.h)
  OpOutcome outcome = OpOutcome::kUnknown;
  uint64_t result = 0;  // read, refused insert: word found; rmw: new word (0 if the engine does not tell)
  uint64_t mark = 0;    // truncate
  uint64_t invoked = 0;
  uint64_t responded = kNever;
  bool went_pending = false;
  int8_t phase = -1;  // of the session when it was invoked: index into History::phases, -1 unknown
};

struct CheckpointEvent {
  uint32_t incarnation = 0;
  faster::Token token;
  faster::CheckpointKind kind = faster::CheckpointKind::kFull;
  faster::LogBackend backend = faster::LogBackend::kFoldOver;
  uint64_t requested = 0;      // time just before the request
  uint64_t callback = kNever;  // time of the durable callback, kNever if it did not come
  faster::Status status = faster::Status::kPending;  // what the callback said
  std::vector<faster::SessionCommit> reported;       // what it reported (empty for index-only)
};

struct SessionReport {  // a commit point told to one session (callback or ContinueSession)
  uint32_t session = 0;
  uint32_t incarnation = 0;
  faster::Token token;
  uint64_t serial = 0;
  uint64_t time = 0;  // kNever: ContinueSession had not returned before the crash, serial means nothing
  std::vector<uint64_t> excluded{};
  uint64_t called = 0;  // when ContinueSession was called; 0: a callback
};

struct Recovery {  // ends incarnation `incarnation`, starts the next
  uint32_t incarnation = 0;
  bool named = false;  // a named checkpoint was asked for, else the latest
  faster::Token requested;
  faster::Status status = faster::Status::kOk;
  std::string why;          // when refused
  faster::Token log_token;  // null: recovered to the empty store is not allowed once one is durable
  std::vector<faster::SessionCommit> commits;          // t[s] for every session ever opened
  std::vector<std::pair<uint64_t, uint64_t>> state;    // R: key, word of every live key, by lookup
  std::vector<std::pair<uint64_t, uint64_t>> scanned;  // the same by log scan
  bool has_scan = false;
  uint64_t time = 0;
};

struct History {
  std::vector<faster::Guid> sessions;
  std::vector<uint64_t> session_opened;  // time StartSession had returned, when each was first opened
  std::vector<std::string> phases;       // names for Operation::phase, for people
  std::vector<Operation> operations;     // any order
  std::vector<CheckpointEvent> checkpoints;
  std::vector<SessionReport> reports;
  std::vector<Recovery> recoveries;  // by incarnation
  bool faults_survivable = true;     // only crashes and faults the guarantee must survive
  bool faults_injected = false;      // some survivable fault besides crashes: a checkpoint may report failure
  bool relaxed = false;              // the guarantee: commit points may exclude serials
  bool refresh_every_operation = true;  // R6 is asserted only then
  bool quiesced = false;  // the last incarnation ended with nothing pending, final_state is valid
  std::vector<std::pair<uint64_t, uint64_t>> final_state;
};

enum class Rule : uint8_t { kNone, kR0, kR1, kR2, kR3, kR4, kR5, kR6, kScan, kHistory, kDisagree };

struct Verdict {
  bool ok = true;
  Rule rule = Rule::kNone;        // first rule violated
  std::string what;               // one line for people
  std::vector<uint32_t> witness;  // indexes into History::operations, a handful
  bool undecided = false;         // the search gave up; counted, never a pass in silence
  bool has_key = false;           // the violation is one of `key` in `incarnation`
  uint64_t key = 0;
  uint32_t incarnation = 0;
  bool buffered = true;       // R6 held; false with ok = true: it did not and was not asserted
  std::string buffered_what;  // one line on R6 if it did not hold
  std::vector<uint32_t> buffered_witness;
};

constexpr const char* RuleName(Rule rule) {
  constexpr const char* kNames[] = {"none", "R0", "R1",   "R2",      "R3",      "R4",
                                    "R5",   "R6", "scan", "history", "disagree"};
  return kNames[static_cast<uint8_t>(rule)];
}

}  // namespace faults
