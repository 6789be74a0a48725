#include "faster/inspect/validate.h"

#include <algorithm>

#include "faster/inspect/cold_check.h"
#include "faster/inspect/entry_check.h"
#include "faster/store/cold_index.h"

namespace faster {
namespace {

constexpr NamedHash kKnown[] = {{"bytes", 0, &HashBytes},
                                {"cold-index", 8, &HashOfNumber<ChunkFunctions<1>>}};

}  // namespace

std::span<const NamedHash> KnownHashes() { return kKnown; }

uint64_t BytesToValidate(const StoreView& view, const CatalogEntry& entry) {
  uint64_t bytes = entry.index.valid() ? entry.index.metadata.data_bytes : 0;
  if (!entry.log.valid()) return bytes;
  const CatalogEntry* const index = view.IndexFor(entry);
  if (index != nullptr && index != &entry) bytes += index->index.metadata.data_bytes;
  const CatalogPart<PairMetadata>& pair = view.PairOf(entry);
  if (pair.valid()) bytes += pair.metadata.final_address - pair.metadata.begin_address;
  return bytes + entry.log.metadata.final_address - entry.log.metadata.begin_address;
}

Status ValidateEntry(Storage* storage, std::string_view directory, const StoreView& view,
                     const CatalogEntry& entry, const ValidateOptions& options, CheckpointReport* report) {
  *report = {};
  report->token = entry.token;
  FindingList findings(options.most_findings);
  const std::unique_ptr<TaskRunner> runner = MakeTaskRunner(storage, std::max(options.threads, 1u));
  Inspection inspection{storage,   runner.get(),        options.threads > 1 ? options.threads + 6 : 0,
                        &findings, options.on_progress, {}};
  inspection.progress.bytes_total = BytesToValidate(view, entry);
  EntryTarget target;
  target.directory = directory;
  target.view = &view;
  target.entry = &entry;
  target.options = &options;
  Status status = CheckEntry(&inspection, target, report);
  const CatalogPart<PairMetadata>& pair = view.PairOf(entry);
  if (pair.broken()) findings.Add(CheckpointPart::kCold, Check::kMetadata, pair.why);
  if (status == Status::kOk && pair.valid())
    status = CheckColdHalf(&inspection, {directory, &entry.log.metadata, &pair.metadata, &options}, report);
  // Another checkpoint whose log part cannot be read refuses this one, too.
  RecoveryChoice choice;
  Diagnosis why;
  if (entry.log.valid() && !entry.index.broken() &&
      ChooseRecovery(view.entries, entry.token, {}, &choice, &why) != Status::kOk)
    findings.Add(CheckpointPart::kStore, Check::kMetadata, why);
  report->bytes_read = inspection.progress.bytes;
  report->total_findings = findings.total();
  report->findings = findings.Kept();
  if (status != Status::kOk) return status;
  return report->sound() ? Status::kOk : Status::kCorruption;
}

Status ValidateCheckpoint(Storage* storage, std::string_view directory, const std::optional<Token>& token,
                          const ValidateOptions& options, CheckpointReport* report, Diagnosis* why) {
  *report = {};
  StoreView view;
  const Status status = ReadStoreView(*storage, directory, &view, why);
  if (status != Status::kOk) return status;
  if (!token && view.latest_status != Status::kOk) {
    *why = view.latest_why;
    if (view.latest_status == Status::kNotFound) return Status::kNotFound;
    report->findings.push_back({Check::kMetadata, CheckpointPart::kStore, *why});
    report->total_findings = 1;
    return Status::kCorruption;
  }
  const Token wanted = token ? *token : view.latest;
  const CatalogEntry* const entry = view.Find(wanted);
  if (entry != nullptr && !entry->empty())
    return ValidateEntry(storage, directory, view, *entry, options, report);
  const bool abandoned =
      std::find(view.abandoned.begin(), view.abandoned.end(), wanted) != view.abandoned.end();
  *why = {wanted.Text(), 0, "a complete checkpoint",
          abandoned          ? "one that a recovery to an older one has left behind"
          : entry == nullptr ? "no such directory"
                             : "neither index.meta nor log.meta"};
  return Status::kNotFound;
}

}  // namespace faster
