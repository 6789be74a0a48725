#include "workloads/txn/commit_files.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "faster/core/checksum.h"

namespace workloads::txn {
namespace {

using faster::Checksum;
using faster::File;
using faster::OpenMode;
using faster::StatusName;

constexpr uint64_t kMagic = 0x31304e5854525043ull;  // "CPRTXN01"
constexpr uint64_t kBlockWords = 8192;
constexpr uint64_t kBlockHeader = 2;
constexpr uint64_t kPieceBytes = 1 << 20;  // per write; pieces are aligned for a transfer past the page cache
constexpr uint64_t kMostMarkerBytes = 256 << 20;

uint64_t BlockSeed(uint64_t number, uint64_t offset) { return number * 0x9e3779b97f4a7c15ull ^ offset; }

std::string Join(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

Status Blame(Diagnosis* why, const std::string& file, uint64_t offset, const std::string& expected,
             const std::string& found, Status status) {
  *why = {file, offset, expected, found};
  return status;
}
Status Failed(Diagnosis* why, const std::string& file, const std::string& what, Status status) {
  return Blame(why, file, 0, what, std::string(StatusName(status)), status);
}

// Gathers words and writes them from front to back in aligned pieces.
class PieceWriter {
 public:
  explicit PieceWriter(File* file)
      : file_(file), piece_(static_cast<uint8_t*>(std::aligned_alloc(4096, kPieceBytes)), &std::free) {}
  Status Append(const uint64_t* words, uint64_t count) {
    if (piece_ == nullptr) return Status::kOutOfMemory;
    const uint8_t* from = reinterpret_cast<const uint8_t*>(words);
    uint64_t bytes = count * 8;
    while (bytes != 0) {
      const uint64_t part = std::min(bytes, kPieceBytes - filled_);
      std::memcpy(piece_.get() + filled_, from, part);
      filled_ += part;
      from += part;
      bytes -= part;
      if (filled_ != kPieceBytes) continue;
      if (const Status status = Flush(); status != Status::kOk) return status;
    }
    return Status::kOk;
  }
  Status Flush() {
    const Status status =
        filled_ == 0 ? Status::kOk : faster::WriteFully(*file_, written_, piece_.get(), filled_);
    written_ += filled_;
    filled_ = 0;
    return status;
  }
  uint64_t bytes() const { return written_ + filled_; }

 private:
  File* const file_;
  const std::unique_ptr<uint8_t, void (*)(void*)> piece_;
  uint64_t filled_ = 0, written_ = 0;
};

class BlockWriter {
 public:
  BlockWriter(PieceWriter* out, uint64_t number) : out_(out), number_(number), block_(kBlockWords) {}
  // Where the next record goes: room for `words`. Null after an error.
  uint64_t* Room(uint32_t table, uint64_t words) {
    if (used_ != kBlockHeader && (table != table_ || used_ + words > kBlockWords)) {
      status_ = Seal();
      if (status_ != Status::kOk) return nullptr;
    }
    table_ = table;
    return block_.data() + used_;
  }
  void Take(uint64_t words) {
    used_ += words;
    ++records_;
  }
  Status Seal() {
    if (used_ == kBlockHeader) return status_;
    block_[1] = uint64_t{table_} << 32 | records_;
    block_[0] = Checksum(block_.data() + 1, (used_ - 1) * 8, BlockSeed(number_, out_->bytes()));
    const uint64_t words = used_;
    used_ = kBlockHeader;
    total_ += records_;
    records_ = 0;
    return out_->Append(block_.data(), words);
  }
  Status status() const { return status_; }
  uint64_t total() const { return total_; }

 private:
  PieceWriter* const out_;
  const uint64_t number_;
  std::vector<uint64_t> block_;
  uint64_t used_ = kBlockHeader, records_ = 0, total_ = 0;
  uint32_t table_ = 0;
  Status status_ = Status::kOk;
};

Status CaptureTables(File* file, Tables& tables, uint64_t next, CommitMarker* marker) {
  PieceWriter out(file);
  BlockWriter blocks(&out, marker->number);
  for (auto& table : tables) {
    const uint32_t words = table->value_words();
    for (uint64_t slot = 0; slot < table->slots(); ++slot) {
      const Record record = table->AtSlot(slot);
      if (!record.used()) continue;
      uint64_t* const room = blocks.Room(table->id(), words + 1);
      if (room == nullptr) return blocks.status();
      record.Capture(next, room + 1);
      if (std::all_of(room + 1, room + 1 + words, [](uint64_t word) { return word == 0; })) continue;
      room[0] = record.key();
      blocks.Take(words + 1);
    }
  }
  Status status = blocks.Seal();
  if (status == Status::kOk) status = out.Flush();
  marker->records = blocks.total();
  marker->data_bytes = out.bytes();
  return status;
}

std::vector<uint64_t> Encode(const CommitMarker& marker) {
  std::vector<uint64_t> words = {kMagic, marker.number, marker.version, static_cast<uint64_t>(marker.scheme),
                                 marker.tables.size()};
  for (const TableConfig& table : marker.tables) {
    words.push_back(table.value_words);
    words.push_back(table.rows);
  }
  words.push_back(marker.records);
  words.push_back(marker.data_bytes);
  words.push_back(marker.points.size());
  for (const ClientPoint& point : marker.points) {
    words.push_back(point.client);
    words.push_back(point.serial);
  }
  words.push_back(Checksum(words.data(), words.size() * 8, marker.number));
  return words;
}

// False if the words end before what they promise, or go on after it.
bool Decode(const std::vector<uint64_t>& words, CommitMarker* marker) {
  size_t at = 1;
  const size_t end = words.size() - 1;  // the checksum
  const auto next = [&](uint64_t* word) { return at < end && (*word = words[at++], true); };
  uint64_t scheme = 0, tables = 0, points = 0;
  if (!next(&marker->number) || !next(&marker->version) || !next(&scheme) || !next(&tables)) return false;
  if (scheme > static_cast<uint64_t>(CommitScheme::kWal) || tables > (end - at) / 2) return false;
  marker->scheme = static_cast<CommitScheme>(scheme);
  for (uint64_t i = 0; i < tables; ++i) {
    const uint64_t value_words = words[at++];
    if (value_words > ~uint32_t{0}) return false;
    marker->tables.push_back({static_cast<uint32_t>(value_words), words[at++]});
  }
  if (!next(&marker->records) || !next(&marker->data_bytes) || !next(&points)) return false;
  if ((end - at) % 2 != 0 || points != (end - at) / 2) return false;
  for (; at < end; at += 2) marker->points.push_back({words[at], words[at + 1]});
  return true;
}

Status WriteMarker(Storage& storage, const std::string& directory, const CommitMarker& marker,
                   Diagnosis* why) {
  const std::string path = MarkerPath(directory, marker.number), temporary = path + ".tmp";
  std::unique_ptr<File> file;
  Status status = storage.Open(temporary, OpenMode::kTruncate, &file);
  if (status != Status::kOk) return Failed(why, temporary, "a file that can be created", status);
  const std::vector<uint64_t> words = Encode(marker);
  status = faster::WriteFully(*file, 0, words.data(), words.size() * 8);
  if (status != Status::kOk) return Failed(why, temporary, "a write of the marker", status);
  status = file->Sync();
  if (status != Status::kOk) return Failed(why, temporary, "a sync of the marker", status);
  file.reset();
  status = storage.Rename(temporary, path);
  if (status != Status::kOk) return Failed(why, path, "a rename of the marker", status);
  status = storage.SyncDirectory(directory);
  return status == Status::kOk ? status : Failed(why, directory, "a directory that can be synced", status);
}

// Takes "commit.12.data" apart. Null if the name is none of ours.
const char* ParseName(const std::string& name, uint64_t* number) {
  size_t at = name.find('.');
  const std::string kind = name.substr(0, at);
  if (at == std::string::npos || (kind != "commit" && kind != "log")) return nullptr;
  const char* const begin = name.data() + at + 1;
  const char* const end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(begin, end, *number);
  if (error != std::errc() || *begin == '0') return nullptr;
  const std::string tail(rest, end);
  if (kind == "log") return tail.empty() ? "log" : nullptr;
  if (tail.empty()) return "marker";
  return tail == ".data" ? "data" : tail == ".tmp" ? "tmp" : nullptr;
}

// One block of the data file; the words behind the header are in *words.
class DataReader {
 public:
  DataReader(File* file, std::string path, const CommitMarker& marker, Diagnosis* why)
      : file_(file), path_(std::move(path)), marker_(marker), why_(why) {}

  Status ReadInto(Tables& tables) {
    uint64_t records = 0;
    while (offset_ < marker_.data_bytes) {
      if (const Status status = ReadBlock(tables); status != Status::kOk) return status;
      records += records_;
    }
    if (records == marker_.records) return Status::kOk;
    return Blame(why_, path_, 0, std::to_string(marker_.records) + " records", std::to_string(records),
                 Status::kCorruption);
  }

 private:
  Status ReadBlock(Tables& tables) {
    uint64_t header[kBlockHeader];
    const uint64_t left = marker_.data_bytes - offset_;
    if (left < sizeof header) return Torn("a block's header");
    Status status = Read(offset_, header, sizeof header);
    if (status != Status::kOk) return status;
    const uint64_t table = header[1] >> 32;
    records_ = header[1] & 0xffffffff;
    if (table >= tables.size()) return Torn("a block of one of " + std::to_string(tables.size()) + " tables");
    const uint64_t width = tables[table]->value_words() + 1;
    const uint64_t words = records_ * width;
    if (records_ == 0 || words > kBlockWords || words * 8 > left - sizeof header)
      return Torn("a block's number of records");
    words_.resize(words + 1);
    words_[0] = header[1];
    status = Read(offset_ + sizeof header, words_.data() + 1, words * 8);
    if (status != Status::kOk) return status;
    if (Checksum(words_.data(), words_.size() * 8, BlockSeed(marker_.number, offset_)) != header[0])
      return Torn("a block whose checksum is right");
    for (uint64_t i = 0; i < records_; ++i) {
      const uint64_t* const entry = words_.data() + 1 + i * width;
      const Record record = tables[table]->Find(entry[0]);
      if (record.IsNull()) return Torn("no more keys than the table has rows");
      record.WriteLive(entry + 1);
    }
    offset_ += sizeof header + words * 8;
    return Status::kOk;
  }
  Status Read(uint64_t offset, void* buffer, uint64_t bytes) {
    const Status status = faster::ReadFully(*file_, offset, buffer, bytes);
    if (status == Status::kOk) return status;
    return Blame(why_, path_, offset, std::to_string(bytes) + " bytes", std::string(StatusName(status)),
                 status == Status::kShortIo ? Status::kCorruption : status);
  }
  Status Torn(const std::string& expected) {
    return Blame(why_, path_, offset_, expected, "other bytes", Status::kCorruption);
  }

  File* const file_;
  const std::string path_;
  const CommitMarker& marker_;
  Diagnosis* const why_;
  uint64_t offset_ = 0, records_ = 0;
  std::vector<uint64_t> words_;
};

}  // namespace

std::string MarkerPath(const std::string& directory, uint64_t number) {
  return Join(directory, "commit." + std::to_string(number));
}
std::string DataPath(const std::string& directory, uint64_t number) {
  return MarkerPath(directory, number) + ".data";
}
std::string LogPath(const std::string& directory, uint64_t number) {
  return Join(directory, "log." + std::to_string(number));
}

Status WriteCommit(Storage& storage, const std::string& directory, Tables& tables, uint64_t next,
                   CommitMarker* marker, Diagnosis* why) {
  const std::string path = DataPath(directory, marker->number);
  std::unique_ptr<File> file;
  Status status = storage.Open(path, OpenMode::kTruncate, &file);
  if (status != Status::kOk) return Failed(why, path, "a file that can be created", status);
  status = CaptureTables(file.get(), tables, next, marker);
  if (status != Status::kOk) return Failed(why, path, "a write of the captured records", status);
  status = file->Sync();
  if (status != Status::kOk) return Failed(why, path, "a sync of the captured records", status);
  file.reset();
  if (marker->scheme == CommitScheme::kWal) {
    const std::string log = LogPath(directory, marker->number);
    status = storage.Open(log, OpenMode::kTruncate, &file);
    if (status != Status::kOk) return Failed(why, log, "a file that can be created", status);
    file.reset();
  }
  // The marker's rename must not outlive a crash that the names it relies on do not.
  status = storage.SyncDirectory(directory);
  if (status != Status::kOk) return Failed(why, directory, "a directory that can be synced", status);
  return WriteMarker(storage, directory, *marker, why);
}

Status ListCommits(Storage& storage, const std::string& directory, CommitNumbers* numbers, Diagnosis* why) {
  std::vector<std::string> names;
  const Status status = storage.List(directory, &names);
  if (status != Status::kOk) return Failed(why, directory, "a directory that can be listed", status);
  *numbers = {};
  for (const std::string& name : names) {
    uint64_t number = 0;
    const char* const kind = ParseName(name, &number);
    if (kind == nullptr) continue;
    numbers->highest = std::max(numbers->highest, number);
    if (std::strcmp(kind, "marker") == 0) numbers->newest = std::max(numbers->newest, number);
  }
  return Status::kOk;
}

Status ReadMarker(Storage& storage, const std::string& directory, uint64_t number, CommitMarker* marker,
                  Diagnosis* why) {
  const std::string path = MarkerPath(directory, number);
  std::unique_ptr<File> file;
  Status status = storage.Open(path, OpenMode::kRead, &file);
  if (status != Status::kOk) return Failed(why, path, "a commit's marker", status);
  uint64_t bytes = 0;
  status = file->Size(&bytes);
  if (status != Status::kOk) return Failed(why, path, "a file whose size can be had", status);
  if (bytes < 16 || bytes % 8 != 0 || bytes > kMostMarkerBytes)
    return Blame(why, path, 0, "a marker of whole words", std::to_string(bytes) + " bytes",
                 Status::kCorruption);
  std::vector<uint64_t> words(bytes / 8);
  status = faster::ReadFully(*file, 0, words.data(), bytes);
  if (status != Status::kOk) return Failed(why, path, std::to_string(bytes) + " bytes", status);
  if (words[0] != kMagic)
    return Blame(why, path, 0, "the words CPRTXN01", "other bytes", Status::kCorruption);
  if (words.back() != Checksum(words.data(), bytes - 8, number))
    return Blame(why, path, bytes - 8, "the checksum of the marker", "another", Status::kCorruption);
  *marker = {};
  if (!Decode(words, marker) || marker->number != number)
    return Blame(why, path, 8, "a marker of commit " + std::to_string(number), "other fields",
                 Status::kCorruption);
  return Status::kOk;
}

Status ReadData(Storage& storage, const std::string& directory, const CommitMarker& marker, Tables& tables,
                Diagnosis* why) {
  const std::string path = DataPath(directory, marker.number);
  std::unique_ptr<File> file;
  Status status = storage.Open(path, OpenMode::kRead, &file);
  if (status != Status::kOk)
    return Failed(why, path, "the data of a complete commit",
                  status == Status::kNotFound ? Status::kCorruption : status);
  uint64_t bytes = 0;
  status = file->Size(&bytes);
  if (status != Status::kOk) return Failed(why, path, "a file whose size can be had", status);
  if (bytes != marker.data_bytes)
    return Blame(why, path, std::min(bytes, marker.data_bytes), std::to_string(marker.data_bytes) + " bytes",
                 std::to_string(bytes), Status::kCorruption);
  return DataReader(file.get(), path, marker, why).ReadInto(tables);
}

Status Retire(Storage& storage, const std::string& directory, uint64_t number) {
  std::vector<std::string> names;
  Status first = storage.List(directory, &names);
  for (const std::string& name : names) {
    uint64_t of = 0;
    const char* const kind = ParseName(name, &of);
    const bool leftover = kind != nullptr && std::strcmp(kind, "tmp") == 0 && of <= number;
    if (kind == nullptr || (of >= number && !leftover)) continue;
    const Status status = storage.Remove(Join(directory, name));
    if (first == Status::kOk && status != Status::kNotFound) first = status;
  }
  return first;
}

}  // namespace workloads::txn
