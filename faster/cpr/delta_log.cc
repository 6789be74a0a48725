#include "faster/cpr/delta_log.h"

#include <algorithm>
#include <memory>
#include <string>

#include "faster/core/checksum.h"
#include "faster/core/words.h"

namespace faster {
namespace {

constexpr uint64_t kMagic = 0x31544c4544525043;  // "CPRDELT1" as little-endian bytes
constexpr size_t kHeaderWords = kDeltaHeaderBytes / 8;

Status Damaged(std::string_view path, uint64_t offset, std::string expected, std::string found,
               Diagnosis* why) {
  *why = Diagnosis{std::string(path), offset, std::move(expected), std::move(found)};
  return Status::kCorruption;
}

Status Failed(std::string_view path, std::string_view what, Status status, Diagnosis* why) {
  *why = Diagnosis{std::string(path), 0, std::string(what), std::string(StatusName(status))};
  return status;
}

uint64_t TableSeed(const Token& token) { return Checksum(&token, sizeof token); }

uint64_t FileBytes(const DeltaHeader& header) {
  return DeltaOffset(header, header.entries) + header.entries * sizeof(DeltaEntry) + 8;
}

void Pack(const DeltaHeader& h, uint64_t* words) {
  const uint64_t packed[kHeaderWords] = {kMagic,
                                         kFormatVersion | uint64_t{h.block_bytes} << 32,
                                         h.token.high,
                                         h.token.low,
                                         h.previous.high,
                                         h.previous.low,
                                         h.base.high,
                                         h.base.low,
                                         h.first,
                                         h.end,
                                         h.previous_end,
                                         h.generation,
                                         h.ordinal,
                                         h.entries,
                                         0,
                                         0};
  for (size_t i = 0; i < kHeaderWords; ++i) words[i] = packed[i];
  words[kHeaderWords - 1] = Checksum(words, kDeltaHeaderBytes - 8);
}

DeltaHeader Unpack(const uint64_t* w) {
  return {{w[2], w[3]}, {w[4], w[5]}, {w[6], w[7]}, w[8],  w[9],
          w[10],        w[11],        w[12],        w[13], static_cast<uint32_t>(w[1] >> 32),
          w[15]};
}

Status CheckHeader(const uint64_t* words, std::string_view path, const Token& token, uint64_t size,
                   DeltaHeader* header, Diagnosis* why) {
  if (words[0] != kMagic) return Damaged(path, 0, "the magic of a delta", HexWord(words[0]), why);
  const uint64_t sum = Checksum(words, kDeltaHeaderBytes - 8);
  if (words[kHeaderWords - 1] != sum)
    return Damaged(path, kDeltaHeaderBytes - 8, "header checksum " + HexWord(sum),
                   HexWord(words[kHeaderWords - 1]), why);
  if (const uint32_t version = static_cast<uint32_t>(words[1]); version != kFormatVersion) {
    *why = Diagnosis{std::string(path), 8, "format version " + std::to_string(kFormatVersion),
                     std::to_string(version)};
    return Status::kUnsupported;
  }
  *header = Unpack(words);
  if (header->token != token) return Damaged(path, 16, "token " + token.Text(), header->token.Text(), why);
  const uint64_t block = header->block_bytes;
  if (header->first > header->end || header->end >= kAddressLimit || block == 0 ||
      header->first % block != 0 || header->end % block != 0 ||
      header->entries > (header->end - header->first) / block)
    return Damaged(path, 64, "a range of whole blocks and no more entries than it has",
                   std::to_string(header->entries), why);
  if (size != FileBytes(*header))
    return Damaged(path, std::min(size, FileBytes(*header)),
                   std::to_string(FileBytes(*header)) + " bytes in the file", std::to_string(size), why);
  return Status::kOk;
}

Status WriteSynced(Storage& storage, const std::string& path, const std::string& text) {
  std::unique_ptr<File> file;
  Status status = storage.Open(path, OpenMode::kTruncate, &file);
  if (status == Status::kOk) status = WriteAll(*file, 0, text.data(), text.size());
  return status == Status::kOk ? file->Sync() : status;
}

template <class Metadata>
Status ReadText(Storage& storage, const std::string& path, Metadata* metadata, Diagnosis* why) {
  std::string text;
  const Status status = ReadWholeFile(storage, path, kMaxMetadataBytes, &text, why);
  if (status == Status::kNotFound) return Damaged(path, 0, "a file that log.meta needs", "none", why);
  return status == Status::kOk ? ParseMetadata(text, path, metadata, why) : status;
}

}  // namespace

// The place of the header is kept free for it. An error of that is one of every later call.
DeltaWriter::DeltaWriter(File* file, const DeltaHeader& header)
    : file_(file), stream_(file, DeltaOffset(header, 0) + header.end - header.first), header_(header) {
  const uint64_t nothing[kHeaderWords] = {};
  (void)stream_.Append(nothing, sizeof nothing);
}

Status DeltaWriter::Append(LogAddress address, const uint8_t* blocks, uint64_t count) {
  const Status status = stream_.Append(blocks, count * header_.block_bytes);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t at = i * header_.block_bytes;
    table_.push_back({address + at, LoadWord(reinterpret_cast<const uint64_t*>(blocks + at))});
  }
  return status;
}

Status DeltaWriter::Finish() {
  header_.entries = table_.size();
  const uint64_t length = table_.size() * sizeof(DeltaEntry);
  const uint64_t sum = Checksum(table_.data(), length, TableSeed(header_.token));
  Status status = stream_.Append(table_.data(), length);
  if (status == Status::kOk) status = stream_.Append(&sum, sizeof sum);
  if (status == Status::kOk) status = stream_.Finish();
  uint64_t words[kHeaderWords];
  Pack(header_, words);
  header_.checksum = words[kHeaderWords - 1];
  return status == Status::kOk ? WriteAll(*file_, 0, words, sizeof words) : status;
}

uint64_t DeltaWriter::bytes() const { return FileBytes(header_); }

Status ReadDeltaTable(File& file, std::string_view path, const Token& token, DeltaHeader* header,
                      std::vector<DeltaEntry>* table, Diagnosis* why) {
  uint64_t size = 0;
  Status status = file.Size(&size);
  if (status != Status::kOk) return Failed(path, "a file whose size can be read", status, why);
  if (size < kDeltaHeaderBytes)
    return Damaged(path, size, "a header of 128 bytes", "the end of the file after " + std::to_string(size),
                   why);
  uint64_t words[kHeaderWords];
  status = ReadAll(file, 0, words, sizeof words);
  if (status != Status::kOk) return Failed(path, "a header that can be read", status, why);
  status = CheckHeader(words, path, token, size, header, why);
  if (status != Status::kOk) return status;
  table->resize(header->entries);
  const uint64_t offset = DeltaOffset(*header, header->entries);
  const uint64_t length = header->entries * sizeof(DeltaEntry);
  uint64_t stored = 0;
  status = ReadAll(file, offset, table->data(), length);
  if (status == Status::kOk) status = ReadAll(file, offset + length, &stored, sizeof stored);
  if (status != Status::kOk) return Failed(path, "a table that can be read", status, why);
  const uint64_t sum = Checksum(table->data(), length, TableSeed(token));
  if (sum != stored)
    return Damaged(path, offset + length, "table checksum " + HexWord(sum), HexWord(stored), why);
  LogAddress next = header->first;
  for (const DeltaEntry& entry : *table) {
    if (entry.address < next || entry.address + header->block_bytes > header->end ||
        entry.address % header->block_bytes != 0)
      return Damaged(path, offset, "ascending blocks of the range", std::to_string(entry.address), why);
    next = entry.address + header->block_bytes;
  }
  return Status::kOk;
}

Status WriteDeltaMetadata(Storage& storage, std::string_view directory, const LogMetadata& log) {
  Diagnosis why;
  Status status = ValidateMetadata(log.delta, &why);
  if (status == Status::kOk) status = ValidateMetadata(log.chain, &why);
  if (status != Status::kOk) return status;
  status =
      WriteSynced(storage, CheckpointPath(directory, log.token, kDeltaMetaName), FormatMetadata(log.delta));
  if (status != Status::kOk) return status;
  return WriteSynced(storage, CheckpointPath(directory, log.token, kIncrementalInfoName),
                     FormatMetadata(log.chain));
}

Status ReadDeltaMetadata(Storage& storage, std::string_view directory, LogMetadata* log, Diagnosis* why) {
  const std::string delta_path = CheckpointPath(directory, log->token, kDeltaMetaName);
  const std::string chain_path = CheckpointPath(directory, log->token, kIncrementalInfoName);
  DeltaMetadata delta;
  DeltaChain chain;
  Status status = ReadText(storage, delta_path, &delta, why);
  if (status == Status::kOk) status = ReadText(storage, chain_path, &chain, why);
  if (status != Status::kOk) return status;
  if (delta.token != log->token || delta.version != log->version || delta.bytes != log->delta_bytes ||
      delta.previous != log->previous || delta.final_address != log->final_address)
    return Damaged(delta_path, 0, "the delta that log.meta names", delta.token.Text(), why);
  const size_t last = chain.deltas.size() - 1;
  const Token& before = last == 0 ? chain.base : chain.deltas[last - 1];
  if (chain.deltas[last] != log->token || before != log->previous || chain.base != delta.base)
    return Damaged(chain_path, 0, "a chain that ends with this checkpoint", chain.deltas[last].Text(), why);
  log->delta = std::move(delta);
  log->chain = std::move(chain);
  return Status::kOk;
}

}  // namespace faster
