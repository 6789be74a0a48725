#include "faster/interop/native_reader.h"

#include <string>
#include <vector>

#include "faster/cpr/catalog.h"
#include "faster/cpr/formats.h"

namespace faster {
namespace {

constexpr uint64_t kMostPartBytes = uint64_t{4} << 20;

}  // namespace

Status NativeReader::Open(Storage* storage, std::string_view directory, const std::optional<Token>& token,
                          Diagnosis* why) {
  directory_ = directory;
  std::vector<CatalogEntry> entries;
  Status status = ListCheckpoints(*storage, directory, &entries, why);
  if (status != Status::kOk) return status;
  RecoveryChoice choice;
  // The index is not needed: the log says everything.
  if ((status = ChooseRecovery(entries, token, Token{}, &choice, why)) != Status::kOk) return status;
  log_ = choice.log->log.metadata;
  const std::string path = CheckpointPath(directory, log_.token, kLogMetaName);
  if (log_.variable_records || log_.key_bytes != 8 || log_.value_bytes != 8)
    return Refuse(Status::kUnsupported, path, 0, "keys and values of 8 bytes",
                  log_.variable_records ? "records of any length"
                                        : std::to_string(log_.key_bytes) + " and " +
                                              std::to_string(log_.value_bytes) + " bytes",
                  why);
  std::unique_ptr<File> pair;
  const std::string pair_path = CheckpointPath(directory, log_.token, kPairMetaName);
  status = storage->Open(pair_path, OpenMode::kRead, &pair);
  if (status == Status::kOk)
    return Refuse(Status::kUnsupported, pair_path, 0, "a store of its own", "the hot half of two", why);
  if (status != Status::kNotFound)
    return Refuse(status, pair_path, 0, "no other half", std::string(StatusName(status)), why);
  const uint64_t segment_bytes = uint64_t{log_.segment_pages} << log_.page_bits;
  file_ = std::make_unique<SegmentedFile>(storage, std::string(directory), segment_bytes, 1, OpenMode::kRead);
  return source_.emplace(&log_, file_.get()).Open(storage, directory, why);
}

Status NativeReader::RequirePlainSessions(size_t most, Diagnosis* why) const {
  const std::string path = CheckpointPath(directory_, log_.token, kLogMetaName);
  if (log_.sessions.size() > most)
    return Refuse(Status::kUnsupported, path, 0, "at most " + std::to_string(most) + " sessions",
                  std::to_string(log_.sessions.size()), why);
  for (const SessionCommit& session : log_.sessions) {
    if (!session.excluded.empty())
      return Refuse(Status::kUnsupported, path, 0, "no serials excluded from a commit point",
                    std::to_string(session.excluded.size()) + " of session " + session.session.Text(), why);
  }
  return Status::kOk;
}

uint64_t NativeReader::PartBytes() const {
  return std::max<uint64_t>(std::min(kMostPartBytes, uint64_t{1} << log_.page_bits), log_.block_bytes);
}

}  // namespace faster
