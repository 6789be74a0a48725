#include "faster/cpr/pair.h"

#include <algorithm>

namespace faster {
namespace {

Status Damaged(std::string_view directory, const Token& token, Status status, Diagnosis* why) {
  if (status != Status::kNotFound) return status;
  *why = {CheckpointPath(directory, token, kPairMetaName), 0, "the cold half of a complete checkpoint",
          "no such file"};
  return Status::kCorruption;
}

bool Holds(const std::vector<Token>& tokens, const Token& token) {
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

// What all pairs need together.
struct Needs {
  std::vector<Token> indexes;
  LogAddress log_from = ~LogAddress{0};
  void Add(const PairMetadata& pair) {
    indexes.push_back(pair.index);
    log_from = std::min(log_from, pair.begin_address);
  }
};

Status CollectNeeds(Storage& storage, std::string_view directory, Needs* needs, Diagnosis* why) {
  std::vector<CatalogEntry> entries;
  Status status = ListCheckpoints(storage, directory, &entries, why);
  if (status != Status::kOk) return status;
  for (const CatalogEntry& entry : entries) {
    if (entry.log.broken()) {
      *why = entry.log.why;
      return entry.log.status;
    }
    if (!entry.log.valid()) {
      // Its log.meta may have been removed and not be gone for good.
      const std::string path = TokenDirectory(directory, entry.token);
      status = storage.SyncDirectory(path);
      if (status == Status::kOk || status == Status::kNotFound) continue;
      *why = {path, 0, "a directory that can be synced", std::string(StatusName(status))};
      return status;
    }
    PairMetadata pair;
    status = ReadMetadata(storage, directory, entry.token, &pair, why);
    if (status != Status::kOk) return Damaged(directory, entry.token, status, why);
    needs->Add(pair);
  }
  return Status::kOk;
}

// Everything but the needed checkpoints and the indexes that their recoveries would choose.
Status PlanIndex(const std::vector<CatalogEntry>& entries, const std::vector<Token>& needed,
                 RetentionPlan* plan, Diagnosis* why) {
  std::vector<Token> indexes;
  plan->needed_from = 0;
  bool first = true;
  for (const CatalogEntry& entry : entries) {
    if (!Holds(needed, entry.token) || !entry.log.valid()) continue;
    RecoveryChoice choice;
    const Status status = ChooseRecovery(entries, entry.token, {}, &choice, why);
    if (status != Status::kOk) return status;
    if (choice.index != nullptr) indexes.push_back(choice.index->token);
    const LogAddress begin = entry.log.metadata.begin_address;
    plan->needed_from = first ? begin : std::min(plan->needed_from, begin);
    first = false;
  }
  for (const CatalogEntry& entry : entries) {
    const bool log = entry.log.valid(), index = entry.index.valid();
    const bool keeps_log = Holds(needed, entry.token), keeps_index = Holds(indexes, entry.token);
    if (keeps_log || keeps_index) plan->kept.push_back(entry.token);
    if (log && !keeps_log && keeps_index) plan->log_parts.push_back(entry.token);
    if ((log || index) && !keeps_log && !keeps_index) plan->whole.push_back(entry.token);
  }
  return Status::kOk;
}

}  // namespace

Status ChoosePair(Storage& storage, std::string_view directory, const std::optional<Token>& token,
                  PairMetadata* pair, Diagnosis* why) {
  std::vector<CatalogEntry> entries;
  Status status = ListCheckpoints(storage, directory, &entries, why);
  if (status != Status::kOk) return status;
  RecoveryChoice choice;
  status = ChooseRecovery(entries, token, {}, &choice, why);
  if (status != Status::kOk) return status;
  status = ReadMetadata(storage, directory, choice.log->token, pair, why);
  return status == Status::kOk ? status : Damaged(directory, choice.log->token, status, why);
}

Status RetainCold(Storage& storage, const ColdRetention& what, Diagnosis* why) {
  Diagnosis unused;
  if (why == nullptr) why = &unused;
  Needs needs;
  Status status = CollectNeeds(storage, what.hot, &needs, why);
  if (status != Status::kOk) return status;
  for (const PairMetadata& pair : *what.extra) needs.Add(pair);
  if (needs.indexes.empty()) return Status::kOk;
  std::vector<CatalogEntry> entries;
  status = ListCheckpoints(storage, what.index, &entries, why);
  if (status != Status::kOk) return status;
  RetentionPlan plan;
  status = PlanIndex(entries, needs.indexes, &plan, why);
  if (status != Status::kOk) return status;
  RetentionReport report;
  status = ApplyRetention(storage, what.index, plan, *what.leftovers, what.index_segment_bytes, &report, why);
  if (status != Status::kOk) return status;
  RetentionPlan segments;
  segments.needed_from = needs.log_from;
  return ApplyRetention(storage, what.log, segments, {}, what.log_segment_bytes, &report, why);
}

}  // namespace faster
