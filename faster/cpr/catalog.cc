#include "faster/cpr/catalog.h"

#include <algorithm>
#include <string>
#include <tuple>

#include "faster/cpr/abandoned.h"
#include "faster/cpr/delta_log.h"

namespace faster {
namespace {

// Sort key: what is larger is newer. Recovery points come first, by their log part, then lone index parts.
auto Age(const CatalogEntry& entry) {
  if (entry.log.valid()) {
    const LogMetadata& m = entry.log.metadata;
    return std::tuple(2, GenerationOrdinal(m.generations.back().generation), m.version, m.final_address,
                      entry.token);
  }
  const IndexMetadata& m = entry.index.metadata;  // all zeros if it is not valid
  return std::tuple(entry.index.valid() ? 1 : 0, GenerationOrdinal(m.generation), m.version,
                    m.checkpoint_final, entry.token);
}

template <typename Metadata>
void LoadPart(Storage& storage, std::string_view directory, const Token& token, CatalogPart<Metadata>* part) {
  part->status = ReadMetadata(storage, directory, token, &part->metadata, &part->why);
  // A file, not a directory, that has the name of a token: not ours.
  if (part->status == Status::kInvalidArgument) part->status = Status::kNotFound;
}

Status Refuse(std::string_view file, std::string expected, std::string found, Status status, Diagnosis* why) {
  *why = Diagnosis{std::string(file), 0, std::move(expected), std::move(found)};
  return status;
}

const CatalogEntry* Find(const std::vector<CatalogEntry>& entries, const Token& token) {
  for (const CatalogEntry& entry : entries) {
    if (entry.token == token) return &entry;
  }
  return nullptr;
}

// The first broken part of `entry`, if any, goes to *why.
Status BrokenPart(const CatalogEntry& entry, Diagnosis* why) {
  if (entry.log.broken()) {
    *why = entry.log.why;
    return entry.log.status;
  }
  if (entry.index.broken()) {
    *why = entry.index.why;
    return entry.index.status;
  }
  return Status::kOk;
}

// A log part that the device does not give out now, or whose format only a later version of this program
// knows. It may be whole, and newer than one that is named: then the log that goes on from there overwrites
// what it relies on, and unless it is made an abandoned one a later recovery takes it for the latest.
Status UnreadableLog(const std::vector<CatalogEntry>& entries, Diagnosis* why) {
  for (const CatalogEntry& entry : entries) {
    if (!entry.log.broken() || entry.log.status == Status::kCorruption) continue;
    *why = entry.log.why;
    return entry.log.status;
  }
  return Status::kOk;
}

Status ChooseLog(const std::vector<CatalogEntry>& entries, const std::optional<Token>& token,
                 const CatalogEntry** log, Diagnosis* why) {
  if (token) {
    *log = Find(entries, *token);
    if (*log != nullptr && (*log)->log.broken()) {
      *why = (*log)->log.why;
      return (*log)->log.status;
    }
    if (*log != nullptr && (*log)->log.valid()) return UnreadableLog(entries, why);
    return Refuse(token->Text(), "a complete log checkpoint",
                  *log == nullptr ? "no such directory" : "no log.meta", Status::kNotFound, why);
  }
  for (const CatalogEntry& entry : entries) {
    if (const Status status = BrokenPart(entry, why); status != Status::kOk) return status;
  }
  for (const CatalogEntry& entry : entries) {
    if (!entry.log.valid()) continue;
    *log = &entry;
    return Status::kOk;
  }
  return Refuse("", "a complete checkpoint in the store's directory",
                "none among " + std::to_string(entries.size()) + " checkpoint directories", Status::kNotFound,
                why);
}

Status ChooseIndex(const std::vector<CatalogEntry>& entries, const CatalogEntry& log,
                   const std::optional<Token>& token, const CatalogEntry** index, Diagnosis* why) {
  *index = nullptr;
  std::string reason;
  if (token) {
    if (token->IsNull()) return Status::kOk;
    const CatalogEntry* named = Find(entries, *token);
    if (named != nullptr && named->index.broken()) {
      *why = named->index.why;
      return named->index.status;
    }
    if (named == nullptr || !named->index.valid())
      return Refuse(token->Text(), "a complete index checkpoint",
                    named == nullptr ? "no such directory" : "no index.meta", Status::kNotFound, why);
    if (!IndexFits(named->index.metadata, log.log.metadata, &reason))
      return Refuse(token->Text(), "an index checkpoint that fits log checkpoint " + log.token.Text(), reason,
                    Status::kInvalidArgument, why);
    *index = named;
    return Status::kOk;
  }
  // The log's own index half is meant too when the log is named; its damage is not passed over in silence.
  if (log.index.broken()) {
    *why = log.index.why;
    return log.index.status;
  }
  *index = NewestIndex(entries, log.log.metadata);
  return Status::kOk;
}

}  // namespace

Status ListCheckpoints(Storage& storage, std::string_view directory, std::vector<CatalogEntry>* entries,
                       Diagnosis* why, std::vector<Token>* abandoned_out) {
  std::vector<std::string> names;
  if (const Status status = storage.List(directory, &names); status != Status::kOk)
    return Refuse(directory.empty() ? "." : directory, "a store's directory that can be listed",
                  std::string(StatusName(status)), status, why);
  entries->clear();
  std::vector<Token> abandoned;
  if (const Status status = ReadAbandoned(storage, directory, &abandoned, why); status != Status::kOk)
    return status;
  if (abandoned_out != nullptr) *abandoned_out = abandoned;
  for (const std::string& name : names) {
    Token token;
    // Only the form that we write: "ABC.." and "abc.." would be two directories with one token.
    if (!Guid::Parse(name, &token) || token.IsNull() || token.Text() != name) continue;
    if (std::find(abandoned.begin(), abandoned.end(), token) != abandoned.end()) continue;
    CatalogEntry& entry = entries->emplace_back();
    entry.token = token;
    LoadPart(storage, directory, token, &entry.index);
    LoadPart(storage, directory, token, &entry.log);
    if (entry.log.valid() && entry.log.metadata.is_incremental)
      entry.log.status = ReadDeltaMetadata(storage, directory, &entry.log.metadata, &entry.log.why);
  }
  std::sort(entries->begin(), entries->end(),
            [](const CatalogEntry& a, const CatalogEntry& b) { return Age(a) > Age(b); });
  return Status::kOk;
}

std::vector<Token> RequiredBy(const LogMetadata& log) {
  std::vector<Token> required;
  if (!log.is_incremental) return required;
  required.push_back(log.chain.base);
  required.insert(required.end(), log.chain.deltas.begin(), log.chain.deltas.end() - 1);
  return required;
}

bool IndexFits(const IndexMetadata& index, const LogMetadata& log, std::string* reason) {
  size_t i = 0;
  while (i < log.generations.size() && log.generations[i].generation != index.generation) ++i;
  if (i == log.generations.size()) {
    *reason = "captured by an incarnation that is not part of the log's history";
    return false;
  }
  const LogAddress first = log.generations[i].from;
  const bool last = i + 1 == log.generations.size();
  LogAddress end = log.generations[i].until;
  if (end == 0) end = last ? log.final_address : log.generations[i + 1].from;
  if (index.checkpoint_start < first || index.checkpoint_final > end) {
    *reason = "addresses [" + std::to_string(index.checkpoint_start) + ", " +
              std::to_string(index.checkpoint_final) + ") outside the history [" + std::to_string(first) +
              ", " + std::to_string(end) + ")";
    return false;
  }
  if (index.version > log.version) {
    *reason = "version " + std::to_string(index.version) + " after the log's " + std::to_string(log.version);
    return false;
  }
  // What the log's records parted, chains of the smaller table would hold together again.
  if (index.table_size < log.table_size) {
    *reason = "captured before the table grew from " + std::to_string(index.table_size) + " to " +
              std::to_string(log.table_size) + " buckets";
    return false;
  }
  if (index.begin_address > log.begin_address) {
    *reason = "begin address " + std::to_string(index.begin_address) + " above the log's " +
              std::to_string(log.begin_address);
    return false;
  }
  return true;
}

const CatalogEntry* NewestIndex(const std::vector<CatalogEntry>& entries, const LogMetadata& log) {
  // More of the log covered is newer: the less there is to replay.
  const auto coverage = [](const IndexMetadata& m) {
    return std::tuple(m.checkpoint_start, m.checkpoint_final, m.token);
  };
  const CatalogEntry* newest = nullptr;
  std::string reason;
  for (const CatalogEntry& entry : entries) {
    if (!entry.index.valid() || !IndexFits(entry.index.metadata, log, &reason)) continue;
    if (newest == nullptr || coverage(entry.index.metadata) > coverage(newest->index.metadata))
      newest = &entry;
  }
  return newest;
}

Status ChooseRecovery(const std::vector<CatalogEntry>& entries, const std::optional<Token>& log_token,
                      const std::optional<Token>& index_token, RecoveryChoice* choice, Diagnosis* why) {
  const CatalogEntry* log = nullptr;
  Status status = ChooseLog(entries, log_token, &log, why);
  if (status != Status::kOk) return status;
  const CatalogEntry* index = nullptr;
  status = ChooseIndex(entries, *log, index_token, &index, why);
  if (status != Status::kOk) return status;
  *choice = RecoveryChoice{log, index};
  return Status::kOk;
}

uint64_t NextGeneration(const std::vector<CatalogEntry>& entries, uint64_t random) {
  uint64_t ordinal = 0;
  for (const CatalogEntry& entry : entries) {
    if (entry.index.valid()) ordinal = std::max(ordinal, GenerationOrdinal(entry.index.metadata.generation));
    if (entry.log.valid())
      ordinal = std::max(ordinal, GenerationOrdinal(entry.log.metadata.generations.back().generation));
  }
  return MakeGeneration(ordinal + 1, random);
}

}  // namespace faster
