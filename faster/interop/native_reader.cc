#include "faster/interop/native_reader.h"

#include <algorithm>

#include "faster/core/checksum.h"
#include "faster/core/words.h"
#include "faster/cpr/formats.h"

namespace faster {
namespace {

constexpr uint64_t kPartBytes = uint64_t{4} << 20;

}  // namespace

Status NativeReader::Open(Storage* storage, std::string_view directory, const std::optional<Token>& token,
                          Diagnosis* why) {
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
  if (log_.use_snapshot_file && (status = image_.Open(storage, directory, &log_, why)) != Status::kOk)
    return status;
  storage_ = storage;
  directory_ = directory;
  part_bytes_ = std::max<uint64_t>(std::min(kPartBytes, uint64_t{1} << log_.page_bits), log_.block_bytes);
  part_.reset(new uint64_t[part_bytes_ / 8]);
  return Status::kOk;
}

bool NativeReader::Counts(RecordHeader header, LogAddress at) const {
  const uint32_t fresh = static_cast<uint32_t>(log_.version + 1) & ((1u << log_.version_bits) - 1);
  if (header.invalid() || at < log_.begin_address) return false;
  if (at >= log_.start_address && header.version() == fresh) return false;
  return std::none_of(log_.dead_ranges.begin(), log_.dead_ranges.end(), [&](const DeadRange& range) {
    return at >= range.from && at < range.to && header.version() == range.version;
  });
}

Status NativeReader::ReadPart(LogAddress from, LogAddress* to, Diagnosis* why) {
  *to = std::min((from & ~(part_bytes_ - 1)) + part_bytes_, log_.final_address);
  uint8_t* const bytes = reinterpret_cast<uint8_t*>(part_.get());
  const LogAddress split = log_.use_snapshot_file ? std::clamp(log_.flushed_until, from, *to) : *to;
  const uint64_t segment_bytes = uint64_t{log_.segment_pages} << log_.page_bits;
  const std::string path = SegmentPath(directory_, from / segment_bytes);
  if (from < split) {
    Status status = Status::kOk;
    if (file_ == nullptr || path != path_) status = storage_->Open(path, OpenMode::kRead, &file_);
    path_ = path;
    if (status == Status::kOk) status = ReadAll(*file_, from % segment_bytes, bytes, split - from);
    if (status != Status::kOk) {
      path_.clear();
      return FailedIo(status, path, from % segment_bytes, "blocks of the log", why);
    }
  }
  for (LogAddress block = from; block < split; block += log_.block_bytes) {
    uint64_t generation = 0;
    for (const Generation& one : log_.generations) {
      if (one.from <= block) generation = one.generation;
    }
    const uint8_t* const at = bytes + (block - from);
    if (LoadWord(reinterpret_cast<const uint64_t*>(at)) !=
        BlockChecksum(at, log_.block_bytes, block, generation))
      return Damaged(path, block % segment_bytes, "a log block with a good checksum", "a wrong checksum",
                     why);
  }
  return split < *to ? image_.Read(split, *to, bytes + (split - from), why) : Status::kOk;
}

}  // namespace faster
