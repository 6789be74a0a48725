#include "faster/cpr/snapshot_writer.h"

#include <algorithm>
#include <memory>

#include "faster/core/words.h"
#include "faster/cpr/delta_log.h"
#include "faster/cpr/formats.h"
#include "faster/cpr/stream_writer.h"

namespace faster {
namespace {

// Copied, sealed and handed on while it is in the cache. Blocks are no larger than pages, both powers of two.
constexpr uint64_t kMostAtOnce = 256 << 10;

}  // namespace

Status SnapshotWriter::Write(bool incremental, LogMetadata* metadata, LightEpoch::Entry* entry) {
  metadata->flushed_until = std::min(log_->flushed_until(), metadata->final_address);
  metadata->is_incremental = incremental && !kept_.chain.base.IsNull() &&
                             metadata->flushed_until < kept_.end &&
                             kept_.chain.deltas.size() < config_.delta_chain;
  written_ = {};
  written_.first = metadata->flushed_until;
  written_.end = metadata->final_address;
  if (metadata->is_incremental) return WriteDelta(metadata, entry);
  written_.chain.base = metadata->token;
  return WriteWhole(*metadata, entry);
}

template <class Save>
Status SnapshotWriter::ForEachPart(const LogMetadata& metadata, LightEpoch::Entry* entry, Save&& save) {
  const uint64_t most = std::max(log_->block_bytes(), std::min(log_->page_bytes(), kMostAtOnce));
  std::unique_ptr<uint64_t[]> part(new uint64_t[most / 8]);
  uint8_t* const bytes = reinterpret_cast<uint8_t*>(part.get());
  written_.seals.reserve((written_.end - written_.first) / log_->block_bytes());
  done_.store(0, std::memory_order_relaxed);
  total_.store(metadata.final_address - metadata.flushed_until, std::memory_order_release);
  for (LogAddress from = metadata.flushed_until; from < metadata.final_address;) {
    const LogAddress part_end = (from & ~(most - 1)) + most;
    const uint64_t length = std::min(part_end, metadata.final_address) - from;
    Status status = log_->CopyOut(from, length, bytes, entry);
    if (status != Status::kOk) return status;
    log_->SealBlocks(bytes, from, length);
    for (uint64_t at = 0; at < length; at += log_->block_bytes())
      written_.seals.push_back(LoadWord(reinterpret_cast<const uint64_t*>(bytes + at)));
    status = save(from, bytes, length);
    if (status != Status::kOk) return status;
    from += length;
    done_.store(from - metadata.flushed_until, std::memory_order_release);
  }
  return Status::kOk;
}

Status SnapshotWriter::WriteWhole(const LogMetadata& metadata, LightEpoch::Entry* entry) {
  std::unique_ptr<File> file;
  const std::string path = CheckpointPath(config_.directory, metadata.token, kLogSnapshotName);
  Status status = storage_->Open(path, OpenMode::kTruncate, &file);
  if (status != Status::kOk) return status;
  const SnapshotHeader header = {metadata.token, metadata.flushed_until, metadata.final_address,
                                 config_.block_bytes, log_->generation()};
  StreamWriter stream(file.get(), SnapshotOffset(header.first, header.end));
  const auto words = SnapshotHeaderWords(header);
  status = stream.Append(words.data(), sizeof words);
  if (status != Status::kOk) return status;
  status = ForEachPart(metadata, entry, [&](LogAddress, const uint8_t* bytes, uint64_t length) {
    return stream.Append(bytes, length);
  });
  if (status == Status::kOk) status = stream.Finish();
  return status == Status::kOk ? file->Sync() : status;
}

bool SnapshotWriter::Changed(LogAddress block, uint64_t seal) const {
  return block < kept_.first || block >= kept_.end ||
         kept_.seals[(block - kept_.first) / log_->block_bytes()] != seal;
}

Status SnapshotWriter::WriteDelta(LogMetadata* metadata, LightEpoch::Entry* entry) {
  std::unique_ptr<File> file;
  const std::string path = CheckpointPath(config_.directory, metadata->token, kDeltaLogName);
  Status status = storage_->Open(path, OpenMode::kTruncate, &file);
  if (status != Status::kOk) return status;
  written_.chain = kept_.chain;
  written_.chain.deltas.push_back(metadata->token);
  DeltaWriter writer(file.get(), {metadata->token, kept_.last(), kept_.chain.base, metadata->flushed_until,
                                  metadata->final_address, kept_.end, log_->generation(),
                                  written_.chain.deltas.size(), 0, config_.block_bytes, 0});
  status = ForEachPart(*metadata, entry, [&](LogAddress from, const uint8_t* bytes, uint64_t length) {
    Status saved = Status::kOk;
    for (uint64_t at = 0; at < length && saved == Status::kOk;) {
      const auto changed = [&](uint64_t offset) {
        return Changed(from + offset, LoadWord(reinterpret_cast<const uint64_t*>(bytes + offset)));
      };
      uint64_t end = at;
      while (end < length && changed(end)) end += config_.block_bytes;
      if (end != at) saved = writer.Append(from + at, bytes + at, (end - at) / config_.block_bytes);
      at = std::max(end, at + config_.block_bytes);
    }
    return saved;
  });
  if (status == Status::kOk) status = writer.Finish();
  if (status == Status::kOk) status = file->Sync();
  if (status != Status::kOk) return status;
  const DeltaHeader& header = writer.header();
  written_.chain.total_entries += header.entries;
  metadata->previous = header.previous;
  metadata->delta_bytes = writer.bytes();
  metadata->chain = written_.chain;
  metadata->delta = {metadata->token,         header.base,
                     header.previous,         metadata->version,
                     writer.bytes(),          header.previous_end,
                     metadata->final_address, header.entries,
                     header.checksum,         ""};
  return WriteDeltaMetadata(*storage_, config_.directory, *metadata);
}

}  // namespace faster
