// Catalog: which checkpoints a store's directory holds, and which of them a recovery should use.
//
// WHAT COUNTS. A checkpoint directory without metadata is incomplete: a crash ended the checkpoint before its
// last step. It is skipped in silence, like every name that is not ours. Metadata that exists but does not
// verify is damage: its bytes were synced before it got its name, so no crash produces it. Recovering to an
// older checkpoint then would lose, in silence, what the damaged one had acknowledged; so "latest" is refused
// (kCorruption) while any damaged log.meta or index.meta is there, and the person decides: by naming the
// checkpoint to use, or by removing the damaged directory.
//
// ORDER IN TIME. (ordinal of the last generation, version, final address, token), larger is newer. The
// ordinal comes first: after a recovery to an older checkpoint the store uses the same versions again, and
// what it acknowledged since then is in the later incarnation, whatever versions the abandoned one had
// reached.
//
// ABANDONED. Checkpoints that a recovery to an older one has left behind (abandoned.h) are not listed.
//
// CHAINS. The log part of an incremental checkpoint is its log.meta with delta.meta and incremental.info; one
// of them missing or damaged is damage. The data files of the chain are opened by the recovery only.
//
// PAIRING (CPR paper 6.3 lets an older index go with a newer log). An index checkpoint fits a log checkpoint
// if it was captured by a generation in the log's lineage, lies wholly inside that generation's part of the
// log and below the log's final address, is of no later version, knows no larger begin address, and has as
// many buckets as the log's records were written under: a growth parts chains for good (index/hash_index.h).
//
// Blocking, reads only, no state; thread-safe as far as the Storage is.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"
#include "faster/cpr/formats.h"
#include "faster/device/storage.h"

namespace faster {

// One half of a checkpoint: kOk, and `metadata` is valid; kNotFound, it has none; or damaged or unreadable,
// and `why` says so.
template <typename Metadata>
struct CatalogPart {
  Status status = Status::kNotFound;
  Metadata metadata;
  Diagnosis why;

  bool valid() const { return status == Status::kOk; }
  bool broken() const { return status != Status::kOk && status != Status::kNotFound; }
};

struct CatalogEntry {
  Token token;
  CatalogPart<IndexMetadata> index;
  CatalogPart<LogMetadata> log;

  // What a checkpoint that did not become durable leaves behind. A part that cannot be read now may be whole.
  bool empty() const { return index.status == Status::kNotFound && log.status == Status::kNotFound; }
};

// Every checkpoint directory in `directory` (*abandoned_out, if asked for, has the tokens that a recovery to
// an older one left behind): those with a valid log part, newest first; then those with only a valid index
// part, newest first; then the rest. An unreadable or damaged part is not an error of the list. Fails if the
// directory itself cannot be listed.
Status ListCheckpoints(Storage& storage, std::string_view directory, std::vector<CatalogEntry>* entries,
                       Diagnosis* why, std::vector<Token>* abandoned_out = nullptr);

// The other checkpoints whose files a recovery of `log` (as ListCheckpoints gave it) reads: the base and the
// deltas before it. Whoever removes checkpoints keeps these as long as `log` is kept.
std::vector<Token> RequiredBy(const LogMetadata& log);

// True if a recovery of `log` may start from `index`; if not, *reason says why (one phrase).
bool IndexFits(const IndexMetadata& index, const LogMetadata& log, std::string* reason);

struct RecoveryChoice {
  const CatalogEntry* log = nullptr;
  const CatalogEntry* index = nullptr;  // null: rebuild the index from the log's begin address
};

// Of the valid index parts that fit `log` the one that leaves the least to replay; null: none fits.
const CatalogEntry* NewestIndex(const std::vector<CatalogEntry>& entries, const LogMetadata& log);

// Picks from `entries` (as ListCheckpoints gave them; *choice points into them).
//   log_token    absent: the newest complete log checkpoint.
//   index_token  absent: the newest that fits, or none; the null token: none, rebuild the index.
// kNotFound: no complete checkpoint, or not the named one. kCorruption: a named one is broken, or nothing is
// named and one is. The error of the read: any log part cannot be read, named or not, since it may be newer;
// repair it or remove its directory. kInvalidArgument: the named index does not fit the log.
Status ChooseRecovery(const std::vector<CatalogEntry>& entries, const std::optional<Token>& log_token,
                      const std::optional<Token>& index_token, RecoveryChoice* choice, Diagnosis* why);

// The generation of the next store incarnation on this directory: an ordinal above all in `entries`, and
// `random` bits that keep it apart from incarnations that left blocks in the log but no checkpoint. An empty
// store starts with NextGeneration({}, random).
uint64_t NextGeneration(const std::vector<CatalogEntry>& entries, uint64_t random);

}  // namespace faster
