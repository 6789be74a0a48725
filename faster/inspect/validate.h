// ValidateCheckpoint: is a checkpoint whole? Everything that its recovery would read, and what must hold of
// it, without the types of the store.
//
//   * every checksum: texts, index.dat, log.snapshot, delta.0.log, the main log's blocks that it needs, of a
//     pair the cold log and the checkpoint of the cold index;
//   * relations between the texts: those that a recovery asks for, and that a checkpoint's own index fits;
//   * buckets and records: index_check.h, log_check.h, cold_check.h.
//
// It never writes, and takes no lock: beside an open store it may find a checkpoint half removed. Blocking;
// called by one thread, reads by `threads` jobs of the Storage and works with as many. MEMORY: what
// index_check.h and log_check.h say; report.memory_bytes is what was asked for.
//
// The hash function of a store is not written anywhere (record_form.h). Without it, reach is checked below
// the address from which a recovery replays (all of a log without index: nothing) and above not.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "faster/inspect/inspection.h"
#include "faster/inspect/log_check.h"
#include "faster/inspect/record_form.h"
#include "faster/inspect/store_view.h"

namespace faster {

struct ValidateOptions {
  uint32_t threads = 1;                 // 1: all on the calling thread, in a fixed order
  std::span<const NamedHash> hashes{};  // beside those of KnownHashes()
  std::string hash = "auto";            // the name of one, or "none"
  uint64_t memory_limit = 0;            // no table for the reach of larger size; 0: any
  size_t most_findings = 1000;          // kept per checkpoint; all are counted
  std::function<void(const InspectProgress&)> on_progress{};
};

struct CheckpointReport {
  Token token;
  Token index;                    // whose index was checked with the log; null: none
  std::vector<Finding> findings;  // in their order: the first is the one to begin with
  uint64_t total_findings = 0;
  LogCensus log;
  LogCensus cold_log;
  std::string hash;       // the name of the one that was used, or ""
  std::string hash_note;  // why there is none
  uint64_t bytes_read = 0;
  uint64_t memory_bytes = 0;

  bool sound() const { return total_findings == 0; }
};

// HashBytes for keys of any length, and the one of F2's cold index.
std::span<const NamedHash> KnownHashes();

// kOk: sound. kCorruption: the report has findings. kNotFound: no such checkpoint (or, without a token, none
// that is complete), *why says so. Any other error is one of reading the directory; errors of reading a
// checkpoint's files are findings.
Status ValidateCheckpoint(Storage* storage, std::string_view directory, const std::optional<Token>& token,
                          const ValidateOptions& options, CheckpointReport* report, Diagnosis* why);

// The same for one entry of a view, whose other entries may have been edited: what is kNotFound there is not
// there. kOk or kCorruption; kOutOfMemory.
Status ValidateEntry(Storage* storage, std::string_view directory, const StoreView& view,
                     const CatalogEntry& entry, const ValidateOptions& options, CheckpointReport* report);

// How many bytes ValidateEntry would read, for progress over several.
uint64_t BytesToValidate(const StoreView& view, const CatalogEntry& entry);

}  // namespace faster
