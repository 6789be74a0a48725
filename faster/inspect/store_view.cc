#include "faster/inspect/store_view.h"

#include <algorithm>
#include <memory>

#include "faster/cpr/delta_log.h"

namespace faster {
namespace {

template <class Metadata>
std::string StateOf(const CatalogPart<Metadata>& part) {
  if (part.valid()) return "whole";
  if (!part.broken()) return "none";
  return part.status == Status::kCorruption ? "damaged" : "unreadable";
}

void ReadPair(Storage& storage, std::string_view directory, const CatalogEntry& entry,
              CatalogPart<PairMetadata>* pair) {
  pair->status = ReadMetadata(storage, directory, entry.token, &pair->metadata, &pair->why);
  if (pair->status != Status::kNotFound) return;
  pair->status = Status::kCorruption;
  pair->why = {CheckpointPath(directory, entry.token, kPairMetaName), 0,
               "the cold half of a complete checkpoint", "no such file"};
}

void DescribeLog(const CatalogEntry& entry, CheckpointInfo* info) {
  const LogMetadata& log = entry.log.metadata;
  info->kind = entry.index.status == Status::kNotFound ? "log" : "full";
  info->backend = log.is_incremental ? "delta" : log.use_snapshot_file ? "snapshot" : "foldover";
  if (log.is_incremental) info->kind = "incremental";
  info->version = log.version;
  info->requires_ = RequiredBy(log);
  info->sessions = log.sessions.size();
  const LogAddress flushed = std::min(log.flushed_until, log.final_address);
  info->log_bytes = flushed - std::min(log.begin_address, flushed);
}

// Of one that no recovery looks at, damage is of no interest.
void DescribeAbandoned(Storage& storage, std::string_view directory, const Token& token,
                       std::vector<CheckpointInfo>* infos) {
  CatalogEntry entry;
  Diagnosis unused;
  entry.token = token;
  entry.index.status = ReadMetadata(storage, directory, token, &entry.index.metadata, &unused);
  entry.log.status = ReadMetadata(storage, directory, token, &entry.log.metadata, &unused);
  if (entry.log.valid() && entry.log.metadata.is_incremental)
    entry.log.status = ReadDeltaMetadata(storage, directory, &entry.log.metadata, &unused);
  if (entry.empty()) return;  // removed since, or never complete
  CheckpointInfo& info = infos->emplace_back();
  info.token = token;
  info.kind = "index";
  info.version = entry.index.metadata.version;
  if (entry.log.valid()) DescribeLog(entry, &info);
  info.abandoned = true;
  info.index_state = StateOf(entry.index);
  info.log_state = StateOf(entry.log);
  info.pair_state = "none";
}

}  // namespace

const CatalogEntry* StoreView::Find(const Token& token) const {
  for (const CatalogEntry& entry : entries) {
    if (entry.token == token) return &entry;
  }
  return nullptr;
}

void StoreView::ChooseLatest() {
  RecoveryChoice choice;
  latest = {};
  latest_status = ChooseRecovery(entries, {}, {}, &choice, &latest_why);
  if (latest_status != Status::kOk) return;
  latest = choice.log->token;
  const CatalogPart<PairMetadata>& pair = PairOf(*choice.log);
  if (!pair.broken()) return;
  latest_status = pair.status;
  latest_why = pair.why;
}

Status ReadStoreView(Storage& storage, std::string_view directory, StoreView* view, Diagnosis* why) {
  *view = {};
  Status status = ListCheckpoints(storage, directory, &view->entries, why, &view->abandoned);
  if (status != Status::kOk) return status;
  std::vector<std::string> names;
  status = storage.List(directory, &names);
  if (status != Status::kOk) {
    *why = {std::string(directory), 0, "a directory that can be listed", std::string(StatusName(status))};
    return status;
  }
  view->has_cold = std::find(names.begin(), names.end(), kColdIndexDirectory) != names.end();
  view->pairs.resize(view->entries.size());
  for (size_t i = 0; view->has_cold && i < view->entries.size(); ++i) {
    if (view->entries[i].log.valid()) ReadPair(storage, directory, view->entries[i], &view->pairs[i]);
  }
  view->ChooseLatest();
  return Status::kOk;
}

Status ListFiles(Storage& storage, std::string_view directory, const Token& token,
                 std::vector<CheckpointFile>* files, Diagnosis* why) {
  const std::string path = TokenDirectory(directory, token);
  std::vector<std::string> names;
  Status status = storage.List(path, &names);
  if (status == Status::kInvalidArgument) status = Status::kOk;  // a file of that name: not ours
  for (const std::string& name : names) {
    std::unique_ptr<File> file;
    CheckpointFile& listed = files->emplace_back(CheckpointFile{name, 0});
    if (storage.Open(JoinPath(path, name), OpenMode::kRead, &file) != Status::kOk) continue;  // no file
    const Status sized = file->Size(&listed.bytes);
    if (status == Status::kOk) status = sized;
  }
  if (status != Status::kOk)
    *why = {path, 0, "a directory that can be listed", std::string(StatusName(status))};
  return status;
}

Status DescribeStore(Storage& storage, std::string_view directory, const StoreView& view,
                     std::vector<CheckpointInfo>* infos, Diagnosis* why) {
  for (const CatalogEntry& entry : view.entries) {
    CheckpointInfo& info = infos->emplace_back();
    info.token = entry.token;
    info.kind = "none";
    if (entry.index.status != Status::kNotFound) {
      info.kind = "index";
      info.version = entry.index.metadata.version;
    }
    if (entry.log.status != Status::kNotFound) DescribeLog(entry, &info);
    const CatalogPart<PairMetadata>& pair = view.PairOf(entry);
    info.index_state = StateOf(entry.index);
    info.log_state = StateOf(entry.log);
    info.pair_state = StateOf(pair);
    if (entry.log.broken()) info.damage.push_back(entry.log.why);
    if (entry.index.broken()) info.damage.push_back(entry.index.why);
    if (pair.broken()) info.damage.push_back(pair.why);
    info.complete = !entry.empty() && info.damage.empty();
    info.latest = view.latest_status == Status::kOk && view.latest == entry.token;
    if (const CatalogEntry* const index = view.IndexFor(entry)) info.recovery_index = index->token;
  }
  for (const Token& token : view.abandoned) DescribeAbandoned(storage, directory, token, infos);
  for (CheckpointInfo& info : *infos) {
    const Status status = ListFiles(storage, directory, info.token, &info.files, why);
    if (status != Status::kOk && status != Status::kNotFound) return status;  // else it was removed meanwhile
    for (const CheckpointFile& file : info.files) info.bytes += file.bytes;
  }
  return Status::kOk;
}

}  // namespace faster
