// TxnHistory: what the clients of a store with multi-key transactions saw, as the checkers of R7 judge it.
//
// One history covers one execution: incarnation 0 starts from the empty store, incarnation i from what the
// i-th recovery returned. Times are points of one global order, unique. Plain data.
//
// * A TRANSACTION reads some keys and writes some; a key occurs once in it (read, written, or both). All its
//   reads precede its writes, so a read finds what others left. A client has one at a time.
// * Every WORD written names its transaction: no two writes to one key write the same word, and none writes
// 0,
//   which stands for "absent". So a word read says which transaction it was read from.
// * kCommitted: it answered, its reads are what it said. kAborted: it answered that it had no effect; what it
//   read says nothing. kUnknown: no answer before the crash; it took effect or did not, all or nothing, also
//   within a commit point (it may have aborted). What it read is unknown; what it would write is not.
// * SERIALS count the transactions of a client, from 1; after a recovery they go on at the commit point + 1.
// One
//   that aborted has a serial like any other, or 0 if the store gives it none.
// * `version` of a write is its place among the writes to that key as the store's own record says (ascending
// in
//   the key's order, 0: not told). Without it the order of writes follows from what was read and recovered.
// * A COMMIT is a checkpoint of any scheme: client c's transactions up to points[c] are in it. A store that
//   also saves by itself (a log written all the time) may recover more than the last commit, never less.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "faster/core/status.h"
#include "faults/oracle/history.h"  // kNever

namespace faults {

enum class TxnOutcome : uint8_t { kCommitted, kAborted, kUnknown };

struct TxnAccess {
  uint64_t key = 0;
  bool reads = false;
  bool writes = false;
  uint64_t read = 0;     // the word found, 0: absent
  uint64_t written = 0;  // not 0 if it writes
  uint64_t version = 0;  // of the write
};

struct Transaction {
  uint32_t client = 0;  // below TxnHistory::clients
  uint32_t incarnation = 0;
  uint64_t serial = 0;
  TxnOutcome outcome = TxnOutcome::kUnknown;
  uint64_t invoked = 0;
  uint64_t responded = kNever;
  std::vector<TxnAccess> accesses;
};

struct TxnCommit {
  uint32_t incarnation = 0;
  uint64_t requested = 0;
  uint64_t callback = kNever;                        // time it was said to have ended
  faster::Status status = faster::Status::kPending;  // what was said; points are valid with kOk
  std::vector<uint64_t> points;                      // by client
};

struct TxnReport {  // one client was told that its transactions up to `serial` are durable
  uint32_t client = 0;
  uint32_t incarnation = 0;
  uint64_t serial = 0;
  uint64_t time = 0;
};

using TxnState = std::vector<std::pair<uint64_t, uint64_t>>;  // key, word of every key that is there

constexpr uint32_t kNoCommit = ~0u;

struct TxnRecovery {  // ends incarnation `incarnation`, starts the next
  uint32_t incarnation = 0;
  faster::Status status = faster::Status::kOk;  // kNotFound: nothing was saved, the store is empty
  std::string why;                              // when refused: any other status
  uint32_t commit = kNoCommit;                  // index of the commit of this incarnation that it returned
  std::vector<uint64_t> points;                 // by client
  TxnState state;                               // R
  uint64_t time = 0;
};

struct TxnHistory {
  uint32_t clients = 0;
  bool strict = false;                    // the order of transactions respects real time across clients
  bool reads_may_lag = false;             // read-only transactions outside the cut need not follow it
  bool faults_injected = false;           // besides crashes: a commit may report failure
  bool quiesced = false;                  // the last incarnation came to rest; `final_state` is valid
  std::vector<Transaction> transactions;  // of a client and incarnation in the order of serials
  std::vector<TxnCommit> commits;         // in the order of requests
  std::vector<TxnReport> reports;
  std::vector<TxnRecovery> recoveries;  // that returned, or the last one refused; in order
  TxnState final_state;
};

// What is wrong, from the general to the special. R0: kRefused. R1: kBounds. R5: kSerials. R7: all that
// follow.
enum class TxnFault : uint8_t {
  kNone,
  kHistory,       // the recorder is broken, or the file
  kRefused,       // recovery failed, or found nothing although something was durable
  kBounds,        // a commit point beyond what was issued, or below what was promised
  kSerials,       // an incarnation did not go on at the commit point
  kNobody,        // a word was read that nobody wrote
  kDirtyRead,     // ... that an aborted transaction wrote
  kLostRead,      // ... that a transaction wrote which recovery had lost
  kLostUpdate,    // two transactions read one version of a key and both replaced it
  kWriteSkew,     // a cycle with two or more anti-dependencies
  kReadSkew,      // a cycle with one
  kCircular,      // a cycle of reads and overwrites
  kStale,         // serialisable, but not in real time across clients
  kClosure,       // a transaction of the cut depends on one outside
  kTorn,          // recovery returned some writes of a transaction and not others
  kLost,          // a transaction within the commit point is missing
  kAbove,         // one above it is there
  kAbortedState,  // one that aborted is there
  kState,         // the state is nobody's
  kDisagree,      // the two checkers differ
};

// The classes that both checkers tell apart.
enum class TxnClass : uint8_t { kNone, kHistory, kBounds, kSerialisable, kClosure, kState, kDisagree };

constexpr TxnClass ClassOf(TxnFault fault) {
  if (fault == TxnFault::kNone) return TxnClass::kNone;
  if (fault == TxnFault::kHistory) return TxnClass::kHistory;
  if (fault <= TxnFault::kSerials) return TxnClass::kBounds;
  if (fault <= TxnFault::kStale) return TxnClass::kSerialisable;
  if (fault == TxnFault::kClosure) return TxnClass::kClosure;
  return fault == TxnFault::kDisagree ? TxnClass::kDisagree : TxnClass::kState;
}

struct TxnVerdict {
  bool ok = true;
  bool undecided = false;  // with ok: it says nothing. Otherwise: broken for sure, `fault` may be a later one
  TxnFault fault = TxnFault::kNone;
  std::string what;               // one line for people: which transactions, which keys, which edges
  std::vector<uint32_t> witness;  // indexes into TxnHistory::transactions
  uint32_t incarnation = 0;
};

const char* TxnFaultName(TxnFault fault);
const char* TxnRuleName(TxnFault fault);  // "R0", "R1", "R5", "R7", "history", "disagree"

// "c1.4": client and serial; "c1.4/2" in incarnation 2.
std::string TxnName(const Transaction& transaction);
// Everything that the history says, in the order of time, the witness marked.
std::string TxnExplain(const TxnHistory& history, const TxnVerdict& verdict);

inline bool TxnReturned(const TxnRecovery& recovery) {
  return recovery.status == faster::Status::kOk || recovery.status == faster::Status::kNotFound;
}

}  // namespace faults
