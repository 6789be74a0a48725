// Recovery's side of the log: walks the frames, applies their records, and says how the log ends.
#include <algorithm>

#include "workloads/txn/wal.h"
#include "workloads/txn/wal_format.h"

namespace workloads::txn {

using faster::File;
using faster::StatusName;

namespace {

class LogReader {
 public:
  LogReader(File* file, std::string path, CommitMarker* marker, Tables* tables, Diagnosis* why)
      : file_(file), path_(std::move(path)), marker_(marker), tables_(tables), why_(why) {}

  Status Run(LogEnd* end) {
    Status status = file_->Size(&size_);
    if (status != Status::kOk) return Blame(0, "a file whose size can be had", status);
    uint64_t offset = 0;
    for (;;) {
      bool whole = false;
      status = ReadFrame(offset, &whole);
      if (status != Status::kOk) return status;
      if (!whole || frame_[2] != end->frames + 1) break;
      status = Apply(offset);
      if (status != Status::kOk) return status;
      offset += frame_.size() * 8;
      ++end->frames;
    }
    end->bytes = offset;
    end->torn_bytes = size_ - offset;
    return LookForLater(offset, end->frames + 1);
  }

 private:
  // *whole: there is a frame at `offset`, now in frame_.
  Status ReadFrame(uint64_t offset, bool* whole) {
    *whole = false;
    const uint64_t left = size_ - offset;
    if (left < kFrameHeader * 8) return Status::kOk;
    frame_.resize(kFrameHeader);
    Status status = Read(offset, frame_.data(), kFrameHeader * 8);
    if (status != Status::kOk) return status;
    const uint64_t payload = frame_[3];
    if (frame_[1] != kFrameMagic || payload == 0 || payload > left / 8 - kFrameHeader) return Status::kOk;
    frame_.resize(kFrameHeader + payload);
    status = Read(offset + kFrameHeader * 8, frame_.data() + kFrameHeader, payload * 8);
    if (status != Status::kOk) return status;
    *whole = FrameChecksum(frame_.data(), frame_.size(), marker_->number, offset) == frame_[0];
    return Status::kOk;
  }

  Status Apply(uint64_t offset) {
    for (size_t at = kFrameHeader; at < frame_.size();) {
      const uint64_t kind = frame_[at] >> 56, words = frame_[at] & kWordsMask;
      if (words < kRecordHeader || words > frame_.size() - at) return Malformed(offset, at);
      if (kind != kTransactionRecord && (kind != kPointRecord || words != kRecordHeader))
        return Malformed(offset, at);
      if (!MovePoint(frame_[at + 1], frame_[at + 2])) return Malformed(offset, at);
      size_t write = at + kRecordHeader;
      for (at += words; write < at;) {
        const uint64_t table = frame_[write] >> 32, value_words = frame_[write] & 0xffffffff;
        if (table >= tables_->size() || (*tables_)[table]->value_words() != value_words ||
            at - write < 2 + value_words)
          return Malformed(offset, write);
        const Record record = (*tables_)[table]->Find(frame_[write + 1]);
        if (record.IsNull()) return Malformed(offset, write);
        record.WriteLive(frame_.data() + write + 2);
        write += 2 + value_words;
      }
    }
    return Status::kOk;
  }

  bool MovePoint(uint64_t client, uint64_t serial) {
    for (ClientPoint& point : marker_->points) {
      if (point.client != client) continue;
      if (serial <= point.serial) return false;
      point.serial = serial;
      return true;
    }
    marker_->points.push_back({client, serial});
    return true;
  }

  // A whole frame of a higher sequence behind `offset` is there only if the one at `offset` once was.
  Status LookForLater(uint64_t offset, uint64_t sequence) {
    constexpr uint64_t kWindow = 1 << 17;  // words
    std::vector<uint64_t> window;
    for (uint64_t from = offset + 8; from + kFrameHeader * 8 <= size_; from += window.size() * 8) {
      window.resize(std::min(kWindow, (size_ - from) / 8));
      Status status = Read(from, window.data(), window.size() * 8);
      if (status != Status::kOk) return status;
      for (size_t i = 0; i < window.size(); ++i) {
        const uint64_t at = from + i * 8 - 8;  // the magic is a frame's second word
        bool whole = false;
        if (window[i] != kFrameMagic || at == offset) continue;
        status = ReadFrame(at, &whole);
        if (status != Status::kOk) return status;
        if (!whole || frame_[2] <= sequence) continue;
        *why_ = {path_, offset, "frame " + std::to_string(sequence) + ", as a later one is whole",
                 "other bytes"};
        return Status::kCorruption;
      }
    }
    return Status::kOk;
  }

  Status Read(uint64_t offset, void* buffer, uint64_t bytes) {
    const Status status = faster::ReadFully(*file_, offset, buffer, bytes);
    return status == Status::kOk ? status : Blame(offset, std::to_string(bytes) + " bytes", status);
  }
  Status Blame(uint64_t offset, const std::string& expected, Status status) {
    *why_ = {path_, offset, expected, std::string(StatusName(status))};
    return status;
  }
  Status Malformed(uint64_t offset, size_t word) {
    *why_ = {path_, offset + word * 8, "a record of the tables, in a client's order", "other words"};
    return Status::kCorruption;
  }

  File* const file_;
  const std::string path_;
  CommitMarker* const marker_;
  Tables* const tables_;
  Diagnosis* const why_;
  uint64_t size_ = 0;
  std::vector<uint64_t> frame_;
};

}  // namespace

Status WriteAheadLog::Replay(Storage& storage, const std::string& directory, CommitMarker* marker,
                             Tables& tables, LogEnd* end, Diagnosis* why) {
  const std::string path = LogPath(directory, marker->number);
  std::unique_ptr<File> file;
  const Status status = storage.Open(path, faster::OpenMode::kRead, &file);
  if (status != Status::kOk) {
    *why = {path, 0, "the log of a complete commit", std::string(StatusName(status))};
    return status == Status::kNotFound ? Status::kCorruption : status;
  }
  *end = {};
  return LogReader(file.get(), path, marker, &tables, why).Run(end);
}

}  // namespace workloads::txn
