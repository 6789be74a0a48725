#include "faster/cpr/formats.h"

#include <cstring>
#include <memory>
#include <vector>

#include "faster/core/checksum.h"

namespace faster {
namespace {

constexpr uint64_t kSnapshotMagic = 0x3150414e53525043;  // "CPRSNAP1" as little-endian bytes
constexpr size_t kSnapshotWords = kSnapshotHeaderBytes / 8;

Status Damaged(std::string_view path, uint64_t offset, std::string expected, std::string found,
               Diagnosis* why) {
  *why = Diagnosis{std::string(path), offset, std::move(expected), std::move(found)};
  return Status::kCorruption;
}

Status Failed(std::string_view path, std::string_view what, Status status, Diagnosis* why) {
  *why = Diagnosis{std::string(path), 0, std::string(what), std::string(StatusName(status))};
  return status;
}

template <typename Metadata>
Status WriteRecord(Storage& storage, std::string_view directory, std::string_view name,
                   const Metadata& metadata, Diagnosis* why) {
  if (const Status status = ValidateMetadata(metadata, why); status != Status::kOk) {
    why->file = CheckpointPath(directory, metadata.token, name);
    return status;
  }
  // The data files' names first: a crash may keep any subset of the names made since the last directory sync,
  // and must not find the metadata without the files that it describes.
  const std::string token_directory = TokenDirectory(directory, metadata.token);
  Status status = storage.SyncDirectory(token_directory);
  if (status == Status::kOk)
    status = WriteFileDurably(storage, token_directory, name, FormatMetadata(metadata));
  if (status == Status::kOk) return status;
  return Failed(CheckpointPath(directory, metadata.token, name), "a durable write", status, why);
}

template <typename Metadata>
Status ReadRecord(Storage& storage, std::string_view directory, std::string_view name, const Token& token,
                  Metadata* metadata, Diagnosis* why) {
  const std::string path = CheckpointPath(directory, token, name);
  std::string text;
  Status status = ReadWholeFile(storage, path, kMaxMetadataBytes, &text, why);
  if (status != Status::kOk) return status;
  Metadata result;
  status = ParseMetadata(text, path, &result, why);
  if (status != Status::kOk) return status;
  if (result.token != token)
    return Damaged(path, text.find("\"token\""), "token " + token.Text(), result.token.Text(), why);
  *metadata = std::move(result);
  return Status::kOk;
}

}  // namespace

std::string JoinPath(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (!path.empty()) path += '/';
  path += name;
  return path;
}

std::string TokenDirectory(std::string_view directory, const Token& token) {
  return JoinPath(directory, token.Text());
}

std::string CheckpointPath(std::string_view directory, const Token& token, std::string_view name) {
  return JoinPath(TokenDirectory(directory, token), name);
}

std::string SegmentPath(std::string_view directory, uint64_t segment) {
  return JoinPath(directory, "log." + std::to_string(segment));
}

bool ParseSegmentName(std::string_view name, uint64_t* segment) {
  if (!name.starts_with("log.") || name.size() > 4 + 15) return false;
  const std::string_view digits = name.substr(4);
  if (digits.empty() || (digits[0] == '0' && digits.size() > 1)) return false;
  uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  *segment = value;
  return true;
}

Status ReadAll(File& file, uint64_t offset, void* buffer, uint64_t bytes) {
  while (bytes != 0) {
    uint64_t moved = 0;
    if (const Status status = file.Read(offset, buffer, bytes, &moved); status != Status::kOk) return status;
    if (moved == 0 || moved > bytes) return Status::kShortIo;
    buffer = static_cast<char*>(buffer) + moved;
    offset += moved;
    bytes -= moved;
  }
  return Status::kOk;
}

Status WriteAll(File& file, uint64_t offset, const void* buffer, uint64_t bytes) {
  while (bytes != 0) {
    uint64_t moved = 0;
    if (const Status status = file.Write(offset, buffer, bytes, &moved); status != Status::kOk) return status;
    if (moved == 0 || moved > bytes) return Status::kShortIo;
    buffer = static_cast<const char*>(buffer) + moved;
    offset += moved;
    bytes -= moved;
  }
  return Status::kOk;
}

Status WriteFileDurably(Storage& storage, std::string_view directory, std::string_view name,
                        std::string_view bytes) {
  const std::string temporary = JoinPath(directory, "." + std::string(name) + ".tmp");
  std::unique_ptr<File> file;
  Status status = storage.Open(temporary, OpenMode::kTruncate, &file);
  if (status != Status::kOk) return status;
  status = WriteAll(*file, 0, bytes.data(), bytes.size());
  if (status != Status::kOk) return status;
  // Before the rename: a name that points to contents not yet durable would replace a good file by a torn
  // one.
  status = file->Sync();
  if (status != Status::kOk) return status;
  file.reset();
  status = storage.Rename(temporary, JoinPath(directory, name));
  if (status != Status::kOk) return status;
  return storage.SyncDirectory(directory);
}

Status ReadWholeFile(Storage& storage, std::string_view path, uint64_t limit, std::string* bytes,
                     Diagnosis* why) {
  std::unique_ptr<File> file;
  Status status = storage.Open(path, OpenMode::kRead, &file);
  if (status != Status::kOk) return Failed(path, "a file that can be opened", status, why);
  uint64_t size = 0;
  status = file->Size(&size);
  if (status != Status::kOk) return Failed(path, "a file whose size can be read", status, why);
  if (size > limit)
    return Damaged(path, limit, "at most " + std::to_string(limit) + " bytes",
                   std::to_string(size) + " bytes", why);
  std::string contents(size, '\0');
  status = ReadAll(*file, 0, contents.data(), size);
  if (status != Status::kOk) return Failed(path, "a file that can be read", status, why);
  *bytes = std::move(contents);
  return Status::kOk;
}

Status CreateTokenDirectory(Storage& storage, std::string_view directory, const Token& token) {
  const std::string path = TokenDirectory(directory, token);
  Status status = storage.CreateDirectory(path);
  if (status != Status::kOk) return status;
  std::vector<std::string> names;
  status = storage.List(path, &names);
  if (status != Status::kOk) return status;
  if (!names.empty()) return Status::kExists;
  return storage.SyncDirectory(directory);
}

Status WriteMetadata(Storage& storage, std::string_view directory, const IndexMetadata& metadata,
                     Diagnosis* why) {
  return WriteRecord(storage, directory, kIndexMetaName, metadata, why);
}
Status WriteMetadata(Storage& storage, std::string_view directory, const LogMetadata& metadata,
                     Diagnosis* why) {
  return WriteRecord(storage, directory, kLogMetaName, metadata, why);
}
Status WriteMetadata(Storage& storage, std::string_view directory, const PairMetadata& metadata,
                     Diagnosis* why) {
  return WriteRecord(storage, directory, kPairMetaName, metadata, why);
}
Status ReadMetadata(Storage& storage, std::string_view directory, const Token& token, PairMetadata* metadata,
                    Diagnosis* why) {
  return ReadRecord(storage, directory, kPairMetaName, token, metadata, why);
}
Status ReadMetadata(Storage& storage, std::string_view directory, const Token& token, IndexMetadata* metadata,
                    Diagnosis* why) {
  return ReadRecord(storage, directory, kIndexMetaName, token, metadata, why);
}
Status ReadMetadata(Storage& storage, std::string_view directory, const Token& token, LogMetadata* metadata,
                    Diagnosis* why) {
  return ReadRecord(storage, directory, kLogMetaName, token, metadata, why);
}

std::array<uint64_t, kSnapshotWords> SnapshotHeaderWords(const SnapshotHeader& header) {
  std::array<uint64_t, kSnapshotWords> words = {
      kSnapshotMagic,    kFormatVersion | static_cast<uint64_t>(header.block_bytes) << 32,
      header.token.high, header.token.low,
      header.first,      header.end,
      header.generation, 0};
  words[kSnapshotWords - 1] = Checksum(words.data(), sizeof words - 8);
  return words;
}

Status ReadSnapshotHeader(File& file, std::string_view path, const Token& token, SnapshotHeader* header,
                          Diagnosis* why) {
  uint64_t size = 0;
  Status status = file.Size(&size);
  if (status != Status::kOk) return Failed(path, "a file whose size can be read", status, why);
  if (size < kSnapshotHeaderBytes)
    return Damaged(path, size, "a header of 64 bytes", "the end of the file after " + std::to_string(size),
                   why);
  uint64_t words[kSnapshotWords];
  status = ReadAll(file, 0, words, sizeof words);
  if (status != Status::kOk) return Failed(path, "a header that can be read", status, why);
  if (words[0] != kSnapshotMagic)
    return Damaged(path, 0, "the magic of a log snapshot", HexWord(words[0]), why);
  const uint64_t sum = Checksum(words, sizeof words - 8);
  if (words[kSnapshotWords - 1] != sum)
    return Damaged(path, 56, "header checksum " + HexWord(sum), HexWord(words[kSnapshotWords - 1]), why);
  if (const uint32_t version = static_cast<uint32_t>(words[1]); version != kFormatVersion) {
    *why = Diagnosis{std::string(path), 8, "format version " + std::to_string(kFormatVersion),
                     std::to_string(version)};
    return Status::kUnsupported;
  }
  const SnapshotHeader found{
      {words[2], words[3]}, words[4], words[5], static_cast<uint32_t>(words[1] >> 32), words[6]};
  if (found.token != token) return Damaged(path, 16, "token " + token.Text(), found.token.Text(), why);
  if (found.first > found.end || found.end >= kAddressLimit)
    return Damaged(path, 32, "first address <= end address < 2^48",
                   std::to_string(found.first) + " and " + std::to_string(found.end), why);
  const uint64_t expected = SnapshotOffset(found.first, found.end);
  if (size != expected)
    return Damaged(path, size < expected ? size : expected, std::to_string(expected) + " bytes in the file",
                   std::to_string(size), why);
  *header = found;
  return Status::kOk;
}

}  // namespace faster
