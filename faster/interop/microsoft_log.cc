#include "faster/interop/microsoft_log.h"

#include <algorithm>
#include <bit>

#include "faster/cpr/formats.h"
#include "faster/interop/transfer.h"

namespace faster::microsoft {
namespace {

// Bytes that one call moves: large enough for the device, small enough to be counted.
constexpr uint64_t kLogPiece = uint64_t{4} << 20;

std::string SegmentPathOf(std::string_view directory, uint64_t segment) {
  return JoinPath(directory, std::string(kLogName) + std::to_string(segment));
}

// True if `name` is that of a segment, without leading zeros.
bool ParseSegment(std::string_view name, uint64_t* segment) {
  if (!name.starts_with(kLogName)) return false;
  return ParseSegmentName("log." + std::string(name.substr(kLogName.size())), segment);
}

}  // namespace

uint64_t Grid::SlotFrom(uint64_t page, LogAddress at) const {
  const LogAddress first = AddressOf(page, 0);
  if (at <= first) return 0;
  return std::min((at - first + kRecordBytes - 1) / kRecordBytes, SlotsIn(page));
}

uint64_t Grid::SlotsBelow(uint64_t page, LogAddress at) const {
  const LogAddress first = AddressOf(page, 0);
  return at <= first ? 0 : std::min((at - first) / kRecordBytes, SlotsIn(page));
}

// A segment is full when there is another one behind it. A single file says nothing; but then everything is
// in it, unless segments before it are gone.
Status LogReader::FindSegmentBytes(const std::map<uint64_t, uint64_t>& sizes, Diagnosis* why) {
  if (geometry_.segment_bytes != 0) return Status::kOk;
  if (sizes.size() > 1) {
    geometry_.segment_bytes = sizes.begin()->second;
    if (std::has_single_bit(geometry_.segment_bytes) && geometry_.segment_bytes >= geometry_.page_bytes())
      return Status::kOk;
    return Damaged(SegmentPathOf(directory_, sizes.begin()->first), geometry_.segment_bytes,
                   "a full segment, a power of two of at least a page, as there is another one behind it",
                   std::to_string(geometry_.segment_bytes) + " bytes", why);
  }
  if (sizes.empty() || sizes.begin()->first == 0) {
    geometry_.segment_bytes = kAddressLimit;
    return Status::kOk;
  }
  return Refuse(Status::kInvalidArgument, SegmentPathOf(directory_, sizes.begin()->first), 0,
                "the size of a segment, as there is only one that is not the first", "none given", why);
}

Status LogReader::OpenSegments(Storage* storage, std::string_view directory, LogAddress end, Diagnosis* why) {
  std::vector<std::string> names;
  Status status = storage->List(directory, &names);
  if (status != Status::kOk) return FailedIo(status, directory, 0, "a directory that can be listed", why);
  std::map<uint64_t, uint64_t> sizes;
  for (const std::string& name : names) {
    uint64_t segment;
    if (!ParseSegment(name, &segment)) continue;
    std::unique_ptr<File> file;
    const std::string path = JoinPath(directory, name);
    status = storage->Open(path, OpenMode::kRead, &file);
    if (status == Status::kOk) status = file->Size(&sizes[segment]);
    if (status != Status::kOk) return FailedIo(status, path, 0, "a segment of the log", why);
    segments_[segment] = std::move(file);
  }
  const LogAddress from = grid_.StartOf(first_page());
  if (from >= end) return Status::kOk;
  if ((status = FindSegmentBytes(sizes, why)) != Status::kOk) return status;
  const uint64_t bytes = geometry_.segment_bytes;
  for (uint64_t segment = from / bytes; segment <= (end - 1) / bytes; ++segment) {
    const uint64_t needed = std::min(end - segment * bytes, bytes);
    const auto found = sizes.find(segment);
    if (found == sizes.end())
      return Damaged(SegmentPathOf(directory, segment), 0, "a segment of the log", "no such file", why);
    if (found->second < needed || found->second > bytes)
      return Damaged(SegmentPathOf(directory, segment), found->second,
                     std::to_string(needed) + " bytes of the log, at most " + std::to_string(bytes),
                     std::to_string(found->second), why);
  }
  return Status::kOk;
}

Status LogReader::Open(Storage* storage, std::string_view directory, const Checkpoint& checkpoint,
                       Diagnosis* why) {
  directory_ = directory;
  begin_ = checkpoint.index.begin;
  final_ = checkpoint.log.final_address;
  snapshot_from_ = checkpoint.log.snapshot ? grid_.StartOf(grid_.PageOf(checkpoint.log.flushed)) : final_;
  Status status = OpenSegments(storage, directory, snapshot_from_, why);
  if (status != Status::kOk) return status;
  if (!checkpoint.log.snapshot) return Status::kOk;
  snapshot_path_ = JoinPath(checkpoint.log_directory, kSnapshotName);
  uint64_t size = 0;
  status = storage->Open(snapshot_path_, OpenMode::kRead, &snapshot_);
  if (status == Status::kOk) status = snapshot_->Size(&size);
  if (status != Status::kOk) return FailedIo(status, snapshot_path_, 0, "the pages of a snapshot", why);
  if (size < final_ - snapshot_from_)
    return Damaged(snapshot_path_, size, std::to_string(final_ - snapshot_from_) + " bytes of the log",
                   std::to_string(size), why);
  return Status::kOk;
}

std::string LogReader::PathOf(LogAddress at) const {
  return InSnapshot(at) ? snapshot_path_ : SegmentPathOf(directory_, at / geometry_.segment_bytes);
}

uint64_t LogReader::OffsetOf(LogAddress at) const {
  return InSnapshot(at) ? at - snapshot_from_ : at % geometry_.segment_bytes;
}

// Within one page.
Status LogReader::Read(LogAddress from, uint8_t* bytes, uint64_t length, Diagnosis* why) const {
  File* const file = InSnapshot(from) ? snapshot_.get() : segments_.at(from / geometry_.segment_bytes).get();
  const Status status = ReadAll(*file, OffsetOf(from), bytes, length);
  return status == Status::kOk ? status : FailedIo(status, PathOf(from), OffsetOf(from), "the log", why);
}

Status LogReader::ReadPage(uint64_t page, uint8_t* bytes, Diagnosis* why) const {
  const LogAddress start = grid_.StartOf(page);
  const LogAddress end = std::min(start + grid_.page_bytes(), final_);
  for (LogAddress from = start; from < end; from += kLogPiece) {
    const uint64_t length = std::min(end - from, kLogPiece);
    const Status status = Read(from, bytes + (from - start), length, why);
    if (status != Status::kOk) return status;
  }
  return Status::kOk;
}

Status LogReader::ReadRecord(LogAddress at, LogRecord* record, Diagnosis* why) const {
  uint8_t bytes[kRecordBytes];
  const Status status = Read(at, bytes, kRecordBytes, why);
  if (status == Status::kOk) *record = RecordAt(bytes);
  return status;
}

LogWriter::LogWriter(Storage* storage, std::string directory, const Geometry& geometry)
    : storage_(storage), directory_(std::move(directory)), geometry_(geometry), grid_(geometry.page_bits) {
  if (!memory_.Allocate(grid_.page_bytes(), false)) {
    status_ = Status::kOutOfMemory;
    why_ = {"", 0, "memory for a page of the log", "none"};
  }
}

Status LogWriter::Append(const LogRecord& record) {
  if (status_ != Status::kOk) return status_;
  if (tail() + grid_.page_bytes() >= kAddressLimit) {
    why_ = {"", 0, "a log below 2^48", std::to_string(tail())};
    return status_ = Status::kNoSpace;
  }
  uint8_t* const at = static_cast<uint8_t*>(memory_.data()) + grid_.FirstIn(page_) + slot_ * kRecordBytes;
  std::memcpy(at, &record.header.control, 8);
  std::memcpy(at + 8, &record.key, 8);
  std::memcpy(at + 16, &record.value, 8);
  if (++slot_ < grid_.SlotsIn(page_)) return Status::kOk;
  status_ = WritePage();
  std::memset(memory_.data(), 0, grid_.page_bytes());
  ++page_;
  slot_ = 0;
  return status_;
}

// Opens what a page is written to, if it is not the file of the page before.
Status LogWriter::OpenFor(uint64_t page, uint64_t* offset) {
  const bool snapshot = page >= snapshot_from_;
  const uint64_t segment_bytes = geometry_.segment_bytes;
  const LogAddress start = grid_.StartOf(page);
  *offset = snapshot ? grid_.StartOf(page - snapshot_from_) : start % segment_bytes;
  const std::string path = snapshot ? snapshot_path_ : SegmentPathOf(directory_, start / segment_bytes);
  if (file_ != nullptr && paths_.back() == path) return Status::kOk;
  Status status = CloseFile();
  if (status != Status::kOk) return status;
  status = storage_->Open(path, OpenMode::kTruncate, &file_);
  paths_.push_back(path);
  if (status != Status::kOk) why_ = {path, 0, "a new file for the log", std::string(StatusName(status))};
  return status;
}

Status LogWriter::WritePage() {
  uint64_t offset;
  Status status = OpenFor(page_, &offset);
  const uint64_t length = std::min(grid_.page_bytes(), kLogPiece);
  for (uint64_t at = 0; status == Status::kOk && at < grid_.page_bytes(); at += length) {
    status = WriteAll(*file_, offset + at, static_cast<uint8_t*>(memory_.data()) + at, length);
    if (status != Status::kOk)
      why_ = {paths_.back(), offset + at, "room for the log", std::string(StatusName(status))};
  }
  return status;
}

Status LogWriter::CloseFile() {
  if (file_ == nullptr) return Status::kOk;
  const Status status = file_->Sync();
  if (status != Status::kOk) why_ = {paths_.back(), 0, "a sync", std::string(StatusName(status))};
  file_.reset();
  return status;
}

Status LogWriter::Finish(LogAddress* final_address, Diagnosis* why) {
  *final_address = tail();
  // An empty page is there too if nothing else is: the original opens the file of the page of its tail.
  if (status_ == Status::kOk && (slot_ != 0 || page_ == 0)) status_ = WritePage();
  if (status_ == Status::kOk) status_ = CloseFile();
  if (status_ != Status::kOk) *why = why_;
  return status_;
}

}  // namespace faster::microsoft
