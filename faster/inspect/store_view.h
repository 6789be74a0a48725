// StoreView: what lies in a store's directory, read once: the catalog, the cold halves of pairs, and which
// checkpoint a recovery would take. A snapshot of names and texts; no data file is opened.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "faster/cpr/catalog.h"
#include "faster/device/storage.h"

namespace faster {

constexpr std::string_view kColdDirectory = "cold";
constexpr std::string_view kColdIndexDirectory = "cold-index";

struct StoreView {
  std::vector<CatalogEntry> entries;  // as ListCheckpoints gives them: newest first
  // Of each entry; kNotFound for one without a log part, and in a store that has no cold half.
  std::vector<CatalogPart<PairMetadata>> pairs;
  std::vector<Token> abandoned;
  bool has_cold = false;  // the store of the directory is a hot one
  // What a recovery of the latest would do.
  Status latest_status = Status::kNotFound;
  Token latest;
  Diagnosis latest_why;  // it refuses

  const CatalogEntry* Find(const Token& token) const;
  // Which entry's index a recovery of `entry` would load, damaged ones left out; null: none.
  const CatalogEntry* IndexFor(const CatalogEntry& entry) const {
    return entry.log.valid() ? NewestIndex(entries, entry.log.metadata) : nullptr;
  }
  const CatalogPart<PairMetadata>& PairOf(const CatalogEntry& entry) const {
    return pairs[static_cast<size_t>(&entry - entries.data())];
  }
  void ChooseLatest();  // again, after entries were changed
};

// Fails if the directory, or the list of abandoned checkpoints, cannot be read.
Status ReadStoreView(Storage& storage, std::string_view directory, StoreView* view, Diagnosis* why);

// Files in a checkpoint's directory, with their sizes.
struct CheckpointFile {
  std::string name;
  uint64_t bytes = 0;
};
Status ListFiles(Storage& storage, std::string_view directory, const Token& token,
                 std::vector<CheckpointFile>* files, Diagnosis* why);

// What a checkpoint is, for people.
struct CheckpointInfo {
  Token token;
  std::string kind;     // "full", "log", "index", "incremental", "none"
  std::string backend;  // "foldover", "snapshot", "delta", or "" without a log part
  uint64_t version = 0;
  bool complete = false;  // has metadata, and all of it verifies
  bool abandoned = false;
  bool latest = false;      // a recovery takes it
  std::string index_state;  // "none", "whole", "damaged", "unreadable"
  std::string log_state;
  std::string pair_state;
  std::vector<Diagnosis> damage;  // of the texts
  std::vector<Token> requires_;   // the chain: base first
  Token recovery_index;           // whose index a recovery would load; null: it rebuilds the index
  uint64_t bytes = 0;             // in its directory
  uint64_t log_bytes = 0;         // of the main log that it needs, which it shares with others
  size_t sessions = 0;
  std::vector<CheckpointFile> files;
};

// Newest first, then incomplete ones, then abandoned ones.
Status DescribeStore(Storage& storage, std::string_view directory, const StoreView& view,
                     std::vector<CheckpointInfo>* infos, Diagnosis* why);

}  // namespace faster
