// Subject: the key-value engine under test, as the crash harness sees it.
//
// An engine joins the testbed by implementing this interface in a shared library compiled with
// -fsanitize=thread (not linked with libtsan) that exports `cpr_subject_create`. The harness supplies the
// __tsan_* functions, threads, time and the Storage, so every atomic operation, every shared access and
// every I/O of the engine is a scheduling point and a possible crash point. A native build of the same
// library serves --mode process.
//
// KEYS are 64-bit. VALUES are 64-bit words to the harness; a subject with wider values stores a pattern
// derived from the word (see `value_bytes`) and must say `torn` when a value read does not hold together:
// the device may lose or spoil what it was not asked to keep, no device excuses a torn value.
// RMW is `new = RmwWord(old, operand)`, or RmwWord(0, operand) on an absent key.
//
// THREADS. One fiber (sim) or thread (process) uses a session at a time. Poll() may be called by any.
// Describe() and PhaseTable() are also called outside every fiber, after a stuck or crashed execution: they
// take no locks.
//
// STATUSES of operations. kOk: a read found the key; an update changed it. kNotFound: a read or delete found
// nothing. kAborted: no effect (a value that does not fit is refused like this), the serial is used up all
// the same. kPending: CompletePending() delivers the result under the same serial. An I/O error or
// kCorruption ends the operation without a result.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"
#include "faster/device/storage.h"
#include "faults/oracle/words.h"

namespace experiments {

using faults::RmwWord;  // the update that makes every value name its whole history

enum class HashMode : uint8_t {
  kMixed,       // a good hash
  kSameBucket,  // every key in one bucket, different tags
  kCollide,     // every key in one bucket with one tag: one chain for all
  kTwoChains,   // keys alternate between two chains of one bucket
  kOneTag,      // many buckets, one tag: keys that share a bucket share a chain, until the index grows
};

struct SubjectConfig {
  uint32_t value_bytes = 8;   // 8 or 256; 0: keys and values of many lengths, which follow from key and word
  uint32_t page_bits = 9;     // >= 9
  uint32_t buffer_pages = 4;  // >= 4
  uint32_t mutable_pages = 2;
  uint32_t block_bytes = 128;
  uint32_t segment_pages = 4;
  uint32_t open_segments = 128;  // files of the log that are open at a time, for an engine that closes some
  uint64_t index_buckets = 1;
  uint32_t grow_percent = 0;  // overflow buckets of so many percent make the index grow by itself; 0 = never
  uint32_t version_bits = 3;
  uint32_t recovery_threads = 1;  // that a recovery works with
  uint32_t refresh_interval = 1;  // operations between looks at the global phase; 1 = every operation
  uint32_t batch_ahead = 2;       // operations between the stages of a batch
  uint32_t batch_group = 4;       // operations of a batch under one epoch protection
  HashMode hash = HashMode::kMixed;
  uint32_t keep_checkpoints = 0;  // complete checkpoints of the log that the engine keeps; 0 = all
  uint64_t compact_at_bytes = 0;  // the engine compacts its log by itself when it is longer; 0 = never
  faster::ShiftScheme shift = faster::ShiftScheme::kFine;
  faster::Guarantee guarantee = faster::Guarantee::kStrict;
  bool overlap_index = false;   // a full checkpoint copies its index while versions shift
  uint32_t session_slots = 32;  // sessions that there is room for before some table has to grow
  // Copies of records read from disk, for a subject that keeps them in memory.
  uint32_t read_cache_records = 0;  // about as many are kept; 0: off
  bool second_chance = true;        // records read again are kept longer
  bool copy_reads_to_tail = false;  // a record read is written to the log again
  // Above 0, for a subject that has one: a cold store below a hot one, with so many chunks of index in it.
  uint32_t cold_chunks = 0;
  uint64_t seed = 1;                // source of tokens, session ids and generations; same seed, same ids
  std::string directory;            // the store's directory within the storage, "" = root
};

struct CheckpointRequest {
  faster::CheckpointKind kind = faster::CheckpointKind::kFull;
  faster::LogBackend backend = faster::LogBackend::kFoldOver;
};

// How an operation ended. Updates: kOk changed the key, kNotFound had no effect (delete of an absent key).
struct SubjectResult {
  faster::Status status = faster::Status::kOk;
  uint64_t serial = 0;  // given to the operation by the session; dense, counts reads too
  uint64_t word = 0;    // read: the value; rmw: the new value
  bool torn = false;    // the value holds words of more than one update: wrong under every fault
};

// What a subject can do beyond reads, upserts, RMWs and deletes. Actions that it cannot do are left out.
struct SubjectAbilities {
  bool insert = false;    // SubjectSession::Insert
  bool truncate = false;  // LogMark, SubjectSession::Truncate
  bool compact = false;   // Compact
  bool retain = false;    // Retain, and `keep_checkpoints`
  bool iterate = false;   // Iterate
};

// Hears of every operation of a batch when it has ended or went pending, before the next one is executed; and
// of a pending one when it ends, no later than the engine takes its outcome for known. Must not call the
// engine.
class OperationObserver {
 public:
  virtual ~OperationObserver() = default;
  virtual void OnOperation(const SubjectResult& result) = 0;
};

enum class BatchType : uint8_t { kRead, kUpsert, kRmw };

class SubjectSession {
 public:
  virtual ~SubjectSession() = default;
  virtual faster::Guid id() const = 0;
  virtual SubjectResult Read(uint64_t key) = 0;
  virtual SubjectResult Upsert(uint64_t key, uint64_t word) = 0;
  virtual SubjectResult Rmw(uint64_t key, uint64_t operand) = 0;
  virtual SubjectResult Delete(uint64_t key) = 0;
  // kOk: the key was absent and has `word` now. kExists: it was there, `word` of the result says with what.
  virtual SubjectResult Insert(uint64_t, uint64_t) { return {faster::Status::kUnsupported, 0, 0, false}; }
  // Forgets every record below `mark` (a LogMark of this incarnation) that the engine can forget. kAborted:
  // not now; no effect.
  virtual SubjectResult Truncate(uint64_t mark) { return {faster::Status::kUnsupported, 0, 0, false}; }
  // `count` operations of one type, in order; `words` (upserts) or operands (RMWs) may be null for reads. An
  // engine without batches does them one by one.
  virtual void Batch(BatchType type, size_t count, const uint64_t* keys, const uint64_t* words,
                     OperationObserver* observer) {
    for (size_t i = 0; i < count; ++i) {
      observer->OnOperation(type == BatchType::kRead     ? Read(keys[i])
                            : type == BatchType::kUpsert ? Upsert(keys[i], words[i])
                                                         : Rmw(keys[i], words[i]));
    }
  }
  // Ends pending operations; their results are appended to *done. With `wait`, returns when none is left.
  // Without, returns after a bounded amount of work.
  virtual void CompletePending(bool wait, OperationObserver* observer) = 0;
  virtual void Refresh() = 0;
  // Commit points this session was told (its persistence callback) since the last call.
  virtual void TakeCommits(std::vector<faster::CommitNotice>* commits) = 0;
  // Of a continued session: the serials up to its last one that the recovered checkpoint does not hold
  // (relaxed guarantee); ascending. They are told once: the user issues them again.
  virtual std::vector<uint64_t> ExcludedSerials() const { return {}; }
  virtual void Close() = 0;  // pending operations are completed first; the object is then unusable
};

struct RecoveredState {
  faster::Token log_token;
  faster::Token index_token;  // null if the index was rebuilt from the log alone
  uint64_t version = 0;
  uint64_t records_undone = 0;
  std::vector<faster::SessionCommit> sessions;
};

// Called by the engine while it runs, from any thread. Implementations must not call the engine.
class SubjectObserver {
 public:
  virtual ~SubjectObserver() = default;
  // The global phase changed. `phase` is a name from PhaseNames() of the machine ("Prepare", ...).
  virtual void OnPhase(const char* phase, uint64_t version) = 0;
  virtual void OnSessionPhase(const faster::Guid& session, const char* phase, uint64_t version) = 0;
  // The checkpoint `token` ended: durable if status is kOk. `sessions` empty for an index-only checkpoint.
  virtual void OnDurable(const faster::Token& token, faster::Status status, uint64_t version,
                         const std::vector<faster::SessionCommit>& sessions) = 0;
  // Something that the engine does by itself (a compaction, removing old checkpoints) ended.
  virtual void OnUpkeep(const char* what, faster::Status status) = 0;
};

class Subject {
 public:
  virtual ~Subject() = default;  // closes the store; no session may be open
  // Opens an empty store (Create) or the newest complete checkpoint / the named one (Recover). One of the two
  // is called once, first. Recover says kNotFound when the directory holds no complete checkpoint; another
  // Subject then opens the same directory with Create, which must not mistake what an abandoned incarnation
  // left for its own.
  virtual faster::Status Create(faster::Diagnosis* why) = 0;
  virtual faster::Status Recover(const faster::Token* token, RecoveredState* state,
                                 faster::Diagnosis* why) = 0;
  virtual std::unique_ptr<SubjectSession> StartSession() = 0;
  // Takes up a session that the last recovery returned or that was closed since; *serial is its last serial
  // that counts, and the next operation has *serial + 1. Null if the id is not known. Both may be called in
  // any phase and must not wait for a checkpoint; null otherwise means that the engine has no room for
  // another session.
  virtual std::unique_ptr<SubjectSession> ContinueSession(const faster::Guid& id, uint64_t* serial) = 0;
  // kBusy while another checkpoint runs. On kOk the checkpoint has begun and *token names it.
  virtual faster::Status StartCheckpoint(const CheckpointRequest& request, faster::Token* token) = 0;
  // Doubles the index while sessions work. kBusy while a checkpoint or another growth runs.
  virtual faster::Status GrowIndex() { return faster::Status::kUnsupported; }
  // Does what can be done now for the checkpoint, a growth and for background work; true when none runs.
  virtual bool Poll() = 0;
  virtual SubjectAbilities abilities() const { return {}; }
  // An address: every update that begins later is above it.
  virtual uint64_t LogMark() { return 0; }
  // Copies what is live in the oldest `percent` of the log to its end and forgets the rest. Blocking, may be
  // called beside everything else. kBusy: another compaction runs.
  virtual faster::Status Compact(bool by_lookup, uint32_t percent) { return faster::Status::kUnsupported; }
  // Removes all but the newest `keep` checkpoints and what these need. Blocking.
  virtual faster::Status Retain(uint32_t keep) { return faster::Status::kUnsupported; }
  // Live keys and words, beside operations: each that is there all the time at least once. *torn as in
  // ScanLive.
  virtual faster::Status Iterate(std::vector<std::pair<uint64_t, uint64_t>>* live, uint64_t* torn) {
    return faster::Status::kUnsupported;
  }
  // Every live key and word, by a scan of the log rather than through the index. No session may be active.
  // *torn: how many records, dead ones included, hold a torn value.
  virtual faster::Status ScanLive(std::vector<std::pair<uint64_t, uint64_t>>* live, uint64_t* torn) = 0;
  // Checks chain invariants (addresses descend, new versions before old); "" or what is wrong.
  virtual std::string CheckInvariants() = 0;
  // For a stuck verdict: global and per-session phase and epoch, drain list, log addresses.
  virtual std::string Describe() = 0;
  // The machine's own table: which phases a checkpoint of each kind passes, in order, as JSON text with
  // static lifetime: {"full/foldover": ["PrepIndexChkpt", ..., "Rest"], "full/snapshot": [...],
  // "log/foldover": [...], "log/snapshot": [...], "index": [...], "incremental": [...]}. A campaign must
  // crash in every phase of every kind that it names.
  virtual const char* PhaseTable() const = 0;
};

// `storage` and `observer` outlive the subject. Exported with C linkage by a subject library.
using SubjectCreate = Subject* (*)(const SubjectConfig& config, faster::Storage* storage,
                                   SubjectObserver* observer);

}  // namespace experiments
