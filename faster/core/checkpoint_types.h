// What a checkpoint is, in memory: kinds, tokens, session commit points and the two metadata records.
// The files that hold them are described in faster/cpr/formats.h. Plain values, no thread-safety.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "faster/core/guid.h"

namespace faster {

using Token = Guid;           // identity of one checkpoint, and the name of its directory
using LogAddress = uint64_t;  // 48-bit logical address in the hybrid log; 0 is "none"

// What the phase machine does. Growth of the index is no checkpoint, but excludes them; it writes nothing.
// kIncremental: a log checkpoint that writes only what changed in memory since the last snapshot or delta; a
// snapshot of the log if there is none to build on.
enum class CheckpointKind : uint8_t { kFull, kIndexOnly, kLogOnly, kGrowIndex, kIncremental };
enum class LogBackend : uint8_t { kFoldOver, kSnapshot };

constexpr std::string_view CheckpointKindName(CheckpointKind kind) {
  constexpr std::string_view kNames[] = {"full", "index", "log", "grow", "incremental"};
  return kNames[static_cast<uint8_t>(kind)];
}
constexpr std::string_view LogBackendName(LogBackend backend) {
  return backend == LogBackend::kFoldOver ? "foldover" : "snapshot";
}

// How versions v and v+1 are kept apart while sessions pass their CPR point one by one (CPR paper sec. 6.2
// and App. C; faster/store/session_execute.h says what each lets an operation do).
enum class ShiftScheme : uint8_t {
  kFine,    // a lock of the key's bucket around every update of v during Prepare
  kCoarse,  // no lock; a v+1 update waits where a session at v may still change the record in place
};

// What becomes of an operation that is pending when its session passes its CPR point.
enum class Guarantee : uint8_t {
  kStrict,   // it is of version v: the checkpoint waits for it (WaitPending)
  kRelaxed,  // it becomes an operation of v+1, and its serial is excluded from the checkpoint
};

constexpr std::string_view ShiftSchemeName(ShiftScheme shift) {
  return shift == ShiftScheme::kFine ? "fine" : "coarse";
}
constexpr std::string_view GuaranteeName(Guarantee guarantee) {
  return guarantee == Guarantee::kStrict ? "strict" : "relaxed";
}

// The CPR point of one session: every operation with serial <= `serial` is in the checkpoint, but for those
// in `excluded`, and none after. With the strict guarantee nothing is excluded.
struct SessionCommit {
  Guid session;
  uint64_t serial = 0;
  std::vector<uint64_t> excluded{};  // ascending
  bool operator==(const SessionCommit&) const = default;
};

// A session that a store knows, as it is at the moment.
struct SessionState {
  Guid session;
  bool open = false;                 // else it may be continued
  std::optional<uint64_t> serial{};  // of the last operation issued; none: an open one is inside a call
  std::vector<uint64_t> excluded{};  // of one that is not open: what it will be told when it is continued
  bool operator==(const SessionState&) const = default;
};

// A commit point as its session hears of it.
struct CommitNotice {
  Token token;
  uint64_t serial = 0;
  std::vector<uint64_t> excluded{};
  bool operator==(const CommitNotice&) const = default;
};

// Records of version `version` in [from, to) were undone by a recovery and are dead for ever. Recovery
// writes nothing to the log: every later checkpoint carries these ranges instead (a "durable undo").
struct DeadRange {
  LogAddress from = 0;
  LogAddress to = 0;
  uint32_t version = 0;
  bool operator==(const DeadRange&) const = default;
};

// From `from` on (until the next entry), log blocks were written by the store incarnation `generation`.
// Every recovery starts a new generation, so blocks of an abandoned history never pass for live ones.
//
// A generation number is unique (its low bits are random) and later incarnations have larger ordinals (its
// high bits): the ordinal orders checkpoints of different histories in time, where versions cannot, since
// after a recovery to an older checkpoint the same versions are used again. See NextGeneration, catalog.h.
//
// `until`: where the history of this incarnation ends, the final address of the checkpoint that the next one
// recovered; 0 for the running one. It lies above the next `from` if that was a snapshot, whose blocks above
// flushed_until the next incarnation writes anew. An index captured by this incarnation is good up to here.
struct Generation {
  LogAddress from = 0;
  uint64_t generation = 0;
  LogAddress until = 0;
  bool operator==(const Generation&) const = default;
};

constexpr uint32_t kGenerationRandomBits = 40;
constexpr uint64_t GenerationOrdinal(uint64_t generation) { return generation >> kGenerationRandomBits; }
constexpr uint64_t MakeGeneration(uint64_t ordinal, uint64_t random) {
  return ordinal << kGenerationRandomBits | (random & ((1ull << kGenerationRandomBits) - 1));
}

struct IndexMetadata {
  Token token;
  uint64_t version = 0;           // store version when the index was captured
  uint64_t table_size = 0;        // main buckets, a power of two
  uint64_t overflow_buckets = 0;  // overflow buckets in index.dat, addresses 1..n
  uint64_t entries = 0;           // used entries written, for people
  LogAddress begin_address = 0;
  LogAddress checkpoint_start = 0;  // Lis: log tail before the first bucket was copied
  LogAddress checkpoint_final = 0;  // Lie: log tail after the last bucket was copied
  uint64_t generation = 0;          // incarnation that captured it
  uint64_t data_bytes = 0;          // size of index.dat
  uint64_t data_checksum = 0;       // XXH3-64 of index.dat
  std::string unknown;  // JSON members that a later writer added: kept when the record is written again
};

// The chain that a delta ends: the snapshot that it began with and the deltas since, oldest first, its own
// last. Every one of them is needed to recover it.
struct DeltaChain {
  Token base;
  std::vector<Token> deltas;
  uint64_t total_entries = 0;  // blocks in all of them
  std::string unknown;         // as above
};

// One delta: the blocks of [flushed_until, final) that differ from what the chain before it holds.
struct DeltaMetadata {
  Token token;
  Token base;
  Token previous;  // the delta before, or the base
  uint64_t version = 0;
  uint64_t bytes = 0;  // size of the file
  LogAddress previous_final = 0;
  LogAddress final_address = 0;
  uint64_t entries = 0;          // blocks in it
  uint64_t header_checksum = 0;  // binds this record to one file
  std::string unknown;           // as above
};

struct LogMetadata {
  Token token;
  bool use_snapshot_file = false;
  uint64_t version = 0;       // v: the version this checkpoint commits
  uint32_t version_bits = 0;  // width of the record version on disk
  uint32_t page_bits = 0;
  uint32_t block_bytes = 0;
  uint32_t segment_pages = 0;
  bool variable_records = false;  // keys and values of any length: the two sizes are 0
  uint32_t key_bytes = 0;
  uint32_t value_bytes = 0;
  uint64_t table_size = 0;  // index size to rebuild with when no index checkpoint fits
  LogAddress begin_address = 0;
  LogAddress start_address = 0;  // Lhs: log tail when PREPARE began
  LogAddress final_address = 0;  // Lhe: end of the checkpoint, a block boundary
  LogAddress flushed_until = 0;  // snapshot: main log is good below this, the snapshot file above
  LogAddress head_address = 0;
  std::vector<SessionCommit> sessions;  // every session ever opened, sorted by session
  std::vector<DeadRange> dead_ranges;
  std::vector<Generation> generations;  // ascending by `from`
  // An incremental checkpoint: use_snapshot_file, and what the chain holds takes the place of log.snapshot.
  bool is_incremental = false;
  Token previous;            // prev_snapshot_token
  uint64_t delta_bytes = 0;  // delta_tail_address
  DeltaMetadata delta;       // of delta.meta and incremental.info, read with log.meta
  DeltaChain chain;
  std::string unknown;  // as above
};

// pair.meta: the state of the cold store that belongs to a checkpoint of the hot one (store/f2_kv.h). All
// that the entries of the cold index in checkpoint `index` lead to lies in [begin, final) of the cold log.
struct PairMetadata {
  Token token;                 // of the hot store's checkpoint, in whose directory this is
  Token index;                 // checkpoint of the store that holds the chunks of the cold index
  uint64_t chunks = 0;         // of the cold index, a power of two
  uint32_t chunk_entries = 0;  // in each of them, a power of two
  uint32_t page_bits = 0;      // of the cold log, as the next two
  uint32_t block_bytes = 0;
  uint32_t segment_pages = 0;
  LogAddress begin_address = 0;
  LogAddress final_address = 0;         // a block boundary
  std::vector<Generation> generations;  // of the cold log, ascending by `from`; `until` is not used
  std::string unknown;                  // as above
};

}  // namespace faster
