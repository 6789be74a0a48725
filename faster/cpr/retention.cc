#include "faster/cpr/retention.h"

#include <algorithm>
#include <string>

namespace faster {
namespace {

bool Holds(const std::vector<Token>& tokens, const Token& token) {
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

// May a checkpoint of the log that is still to come choose this index?
bool IsNewer(const IndexMetadata& index, const LogMetadata& newest) {
  const uint64_t ordinal = GenerationOrdinal(newest.generations.back().generation);
  return GenerationOrdinal(index.generation) > ordinal ||
         (GenerationOrdinal(index.generation) == ordinal && index.checkpoint_final >= newest.final_address);
}

Status FirstDamage(const std::vector<CatalogEntry>& entries, Diagnosis* why) {
  for (const CatalogEntry& entry : entries) {
    if (entry.log.broken()) {
      *why = entry.log.why;
      return entry.log.status;
    }
    if (entry.index.broken()) {
      *why = entry.index.why;
      return entry.index.status;
    }
  }
  return Status::kOk;
}

class Applying {
 public:
  Applying(Storage& storage, std::string_view directory, RetentionReport* report, Diagnosis* why)
      : storage_(storage), directory_(directory), report_(report), why_(why) {}

  Status Run(const RetentionPlan& plan, const std::vector<Token>& leftovers, uint64_t segment_bytes) {
    std::vector<std::string> names;
    if (const Status status = storage_.List(directory_, &names); status != Status::kOk)
      return Fail(std::string(directory_), "a store's directory that can be listed", status);
    std::vector<std::string> segments;
    for (const std::string& name : names) {
      uint64_t segment;
      if (ParseSegmentName(name, &segment) && (segment + 1) * segment_bytes <= plan.needed_from)
        segments.push_back(JoinPath(directory_, name));
    }
    std::vector<Token> left;
    for (const Token& token : leftovers) {
      if (Holds(plan.kept, token)) continue;
      if (std::find(names.begin(), names.end(), token.Text()) != names.end()) left.push_back(token);
    }
    if (plan.whole.empty() && plan.log_parts.empty() && segments.empty() && left.empty()) return Status::kOk;
    Status status = MakeDurable(plan.kept);
    for (size_t i = 0; status == Status::kOk && i < plan.log_parts.size(); ++i)
      status = RemoveCheckpoint(plan.log_parts[i], true);
    for (size_t i = 0; status == Status::kOk && i < plan.whole.size(); ++i)
      status = RemoveCheckpoint(plan.whole[i], false);
    for (size_t i = 0; status == Status::kOk && i < left.size(); ++i)
      status = RemoveCheckpoint(left[i], false);
    for (size_t i = 0; status == Status::kOk && i < segments.size(); ++i) {
      status = RemoveFile(segments[i]);
      report_->segments += status == Status::kOk;
    }
    return status;
  }

 private:
  Status Fail(const std::string& file, const char* expected, Status status) {
    if (why_ != nullptr) *why_ = {file, 0, expected, std::string(StatusName(status))};
    return status;
  }

  // A process that died between the last two steps of a checkpoint leaves names that are visible and no more.
  Status MakeDurable(const std::vector<Token>& kept) {
    for (const Token& token : kept) {
      const std::string path = TokenDirectory(directory_, token);
      if (const Status status = storage_.SyncDirectory(path); status != Status::kOk)
        return Fail(path, "a directory that can be synced", status);
    }
    const Status status = storage_.SyncDirectory(directory_);
    return status == Status::kOk ? status
                                 : Fail(std::string(directory_), "a directory that can be synced", status);
  }

  Status RemoveFile(const std::string& path) {
    const Status status = storage_.Remove(path);
    if (status == Status::kOk || status == Status::kNotFound) return Status::kOk;
    return Fail(path, "a file that can be removed", status);
  }

  Status RemoveCheckpoint(const Token& token, bool log_part) {
    const std::string path = TokenDirectory(directory_, token);
    Status status = RemoveFile(JoinPath(path, kLogMetaName));
    if (status == Status::kOk && !log_part) status = RemoveFile(JoinPath(path, kIndexMetaName));
    if (status != Status::kOk) return status;
    status = storage_.SyncDirectory(path);
    if (status != Status::kOk) return Fail(path, "a directory that can be synced", status);
    std::vector<std::string> names;
    status = storage_.List(path, &names);
    if (status != Status::kOk) return Fail(path, "a directory that can be listed", status);
    for (const std::string& name : names) {
      if (log_part && (name == kIndexMetaName || name == kIndexDataName)) continue;
      if ((status = RemoveFile(JoinPath(path, name))) != Status::kOk) return status;
    }
    ++report_->checkpoints;
    return log_part ? Status::kOk : RemoveFile(path);
  }

  Storage& storage_;
  const std::string_view directory_;
  RetentionReport* const report_;
  Diagnosis* const why_;
};

}  // namespace

Status PlanRetention(const std::vector<CatalogEntry>& entries, uint32_t keep,
                     const std::vector<Token>& doubtful, LogAddress flushed, RetentionPlan* plan,
                     Diagnosis* why) {
  Diagnosis unused;
  if (why == nullptr) why = &unused;
  *plan = {};
  if (const Status status = FirstDamage(entries, why); status != Status::kOk) return status;
  std::vector<Token> logs, indexes;  // parts that are kept
  uint32_t found = 0;
  bool snapshot_seen = false;
  const LogMetadata* newest = nullptr;
  for (const CatalogEntry& entry : entries) {  // newest first
    if (!entry.log.valid()) continue;
    const LogMetadata& log = entry.log.metadata;
    const bool sure = !Holds(doubtful, entry.token);
    const bool builds = log.use_snapshot_file && !snapshot_seen && log.final_address > flushed;
    snapshot_seen = snapshot_seen || (log.use_snapshot_file && sure);
    if (found >= keep && !builds && !Holds(logs, entry.token)) continue;
    if (newest == nullptr) newest = &log;
    if (found < keep) {
      RecoveryChoice choice;
      const Status status = ChooseRecovery(entries, entry.token, {}, &choice, why);
      if (status != Status::kOk) return status;
      if (choice.index != nullptr) indexes.push_back(choice.index->token);
      found += sure;
    }
    logs.push_back(entry.token);
    for (const Token& token : RequiredBy(log)) logs.push_back(token);
    plan->needed_from = newest == &log ? log.begin_address : std::min(plan->needed_from, log.begin_address);
  }
  if (newest == nullptr) return Status::kOk;
  for (const CatalogEntry& entry : entries) {
    const bool log = entry.log.valid(), index = entry.index.valid();
    const bool keeps_log = log && Holds(logs, entry.token);
    const bool keeps_index = index && (Holds(indexes, entry.token) || Holds(doubtful, entry.token) ||
                                       IsNewer(entry.index.metadata, *newest));
    // A chain reads no log.meta of the checkpoints before: one without it may be needed, too.
    if (keeps_log || keeps_index || Holds(logs, entry.token)) plan->kept.push_back(entry.token);
    if (log && !keeps_log && keeps_index) plan->log_parts.push_back(entry.token);
    if ((log || index) && !keeps_log && !keeps_index) plan->whole.push_back(entry.token);
  }
  return Status::kOk;
}

Status ApplyRetention(Storage& storage, std::string_view directory, const RetentionPlan& plan,
                      const std::vector<Token>& leftovers, uint64_t segment_bytes, RetentionReport* report,
                      Diagnosis* why) {
  *report = {};
  return Applying(storage, directory, report, why).Run(plan, leftovers, segment_bytes);
}

}  // namespace faster
