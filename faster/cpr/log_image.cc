#include "faster/cpr/log_image.h"

#include <algorithm>

#include "faster/core/checksum.h"
#include "faster/core/words.h"

namespace faster {
namespace {

Status Refuse(const std::string& file, uint64_t offset, std::string expected, std::string found,
              Diagnosis* why) {
  *why = {file, offset, std::move(expected), std::move(found)};
  return Status::kCorruption;
}

}  // namespace

Status LogImage::OpenPart(Storage* storage, std::string_view directory, const Token& token,
                          std::string_view name, Diagnosis* why) {
  Part& part = parts_.emplace_back();
  part.path = CheckpointPath(directory, token, name);
  const Status status = storage->Open(part.path, OpenMode::kRead, &part.file);
  if (status == Status::kOk) return status;
  *why = {part.path, 0, "a file that checkpoint " + log_->token.Text() + " needs",
          std::string(StatusName(status))};
  return status == Status::kIoError ? status : Status::kCorruption;
}

Status LogImage::OpenBase(Storage* storage, std::string_view directory, const Token& token, Diagnosis* why) {
  Status status = OpenPart(storage, directory, token, kLogSnapshotName, why);
  if (status != Status::kOk) return status;
  Part& part = parts_.back();
  status = ReadSnapshotHeader(*part.file, part.path, token, &base_, why);
  part.generation = base_.generation;
  if (status == Status::kOk && base_.block_bytes != log_->block_bytes)
    return Refuse(part.path, 12, "blocks of " + std::to_string(log_->block_bytes) + " bytes",
                  std::to_string(base_.block_bytes), why);
  return status;
}

// Makes places for the blocks below `end`.
void LogImage::Cover(LogAddress end) {
  end = std::min(end, log_->final_address);
  if (end <= log_->flushed_until) return;
  places_.resize(std::max<uint64_t>(places_.size(), (end - log_->flushed_until) / log_->block_bytes));
}

// *first, *end: the range of the part before it, then its own.
Status LogImage::AddDelta(Storage* storage, std::string_view directory, size_t ordinal, LogAddress* first,
                          LogAddress* end, Diagnosis* why) {
  const DeltaChain& chain = log_->chain;
  const Token& token = chain.deltas[ordinal - 1];
  Status status = OpenPart(storage, directory, token, kDeltaLogName, why);
  if (status != Status::kOk) return status;
  Part& part = parts_.back();
  DeltaHeader header;
  std::vector<DeltaEntry> table;
  status = ReadDeltaTable(*part.file, part.path, token, &header, &table, why);
  if (status != Status::kOk) return status;
  part.generation = header.generation;
  entries_ += header.entries;
  const Token& before = ordinal == 1 ? chain.base : chain.deltas[ordinal - 2];
  if (header.previous != before || header.base != chain.base || header.ordinal != ordinal ||
      header.previous_end != *end || header.first < *first || header.first > *end || header.end < *end ||
      header.block_bytes != log_->block_bytes)
    return Refuse(part.path, 0, "delta " + std::to_string(ordinal) + " on " + before.Text(),
                  "delta " + std::to_string(header.ordinal) + " on " + header.previous.Text(), why);
  // All that is above the part before it is in the delta. So the table of places grows no larger than files.
  if ((header.end - *end) / log_->block_bytes > header.entries)
    return Refuse(part.path, 72, "as many blocks as it adds to the log", std::to_string(header.entries), why);
  *first = header.first;
  *end = header.end;
  Cover(*end);
  for (size_t i = 0; i < table.size(); ++i) {
    if (table[i].address < log_->flushed_until || table[i].address >= log_->final_address) continue;
    places_[(table[i].address - log_->flushed_until) / log_->block_bytes] = {
        table[i].checksum, static_cast<uint32_t>(ordinal), static_cast<uint32_t>(i)};
  }
  const bool last = ordinal == chain.deltas.size();
  if (last && (header.checksum != log_->delta.header_checksum || header.entries != log_->delta.entries))
    return Refuse(part.path, 0, "the delta that delta.meta describes", "another one", why);
  return Status::kOk;
}

Status LogImage::Open(Storage* storage, std::string_view directory, const LogMetadata* log, Diagnosis* why) {
  log_ = log;
  Status status = OpenBase(storage, directory, log->is_incremental ? log->chain.base : log->token, why);
  if (status != Status::kOk) return status;
  LogAddress first = base_.first, end = base_.end;
  if (log->is_incremental) {
    if (first > log->flushed_until)
      return Refuse(parts_.back().path, 32, "the log from " + std::to_string(log->flushed_until) + " on",
                    "the log from " + std::to_string(first) + " on", why);
    Cover(end);
    for (size_t i = 1; i <= log->chain.deltas.size() && status == Status::kOk; ++i)
      status = AddDelta(storage, directory, i, &first, &end, why);
    if (status != Status::kOk) return status;
  }
  if (first != log->flushed_until || end != log->final_address)
    return Refuse(parts_.back().path, 0, "the range of the log that log.meta names", "another range", why);
  for (size_t i = 0; i < places_.size(); ++i) {
    const LogAddress block = log->flushed_until + i * log->block_bytes;
    if (places_[i].part != 0 || (block >= base_.first && block < base_.end)) continue;
    return Refuse(parts_.back().path, 0, "every block of the log from some part of the chain",
                  "none for the one at " + std::to_string(block), why);
  }
  return Status::kOk;
}

uint32_t LogImage::PartOf(LogAddress block) const {
  return places_.empty() ? 0 : places_[(block - log_->flushed_until) / log_->block_bytes].part;
}

uint64_t LogImage::OffsetOf(LogAddress block, uint32_t part) const {
  if (part == 0) return SnapshotOffset(base_.first, block);
  const Place& place = places_[(block - log_->flushed_until) / log_->block_bytes];
  return kDeltaHeaderBytes + uint64_t{place.entry} * log_->block_bytes;
}

Diagnosis LogImage::PlaceOf(LogAddress block) const {
  const uint32_t part = PartOf(block);
  return {parts_[part].path, OffsetOf(block, part), "", ""};
}

Status LogImage::Check(LogAddress block, const uint8_t* bytes, Diagnosis* why) const {
  const uint32_t part = PartOf(block);
  const uint64_t sum = BlockChecksum(bytes, log_->block_bytes, block, parts_[part].generation);
  const bool listed = part == 0 || places_[(block - log_->flushed_until) / log_->block_bytes].checksum == sum;
  if (listed && LoadWord(reinterpret_cast<const uint64_t*>(bytes)) == sum) return Status::kOk;
  return Refuse(parts_[part].path, OffsetOf(block, part), "a log block with a good checksum",
                "a wrong checksum", why);
}

Status LogImage::Read(LogAddress from, LogAddress to, uint8_t* bytes, Diagnosis* why) const {
  const uint64_t block_bytes = log_->block_bytes;
  for (LogAddress run = from; run < to;) {
    const uint32_t part = PartOf(run);
    const uint64_t offset = OffsetOf(run, part);
    LogAddress end = run + block_bytes;
    while (end < to && PartOf(end) == part && OffsetOf(end, part) == offset + (end - run)) end += block_bytes;
    const Status status = ReadFully(*parts_[part].file, offset, bytes + (run - from), end - run);
    if (status != Status::kOk) {
      *why = {parts_[part].path, offset, "readable log blocks", std::string(StatusName(status))};
      return status == Status::kIoError ? status : Status::kCorruption;
    }
    for (; run < end; run += block_bytes) {
      const Status checked = Check(run, bytes + (run - from), why);
      if (checked != Status::kOk) return checked;
    }
  }
  return Status::kOk;
}

}  // namespace faster
