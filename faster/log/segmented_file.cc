#include "faster/log/segmented_file.h"

#include <utility>

namespace faster {

SegmentedFile::SegmentedFile(Storage* storage, std::string directory, uint64_t segment_bytes)
    : storage_(storage), directory_(std::move(directory)), segment_bytes_(segment_bytes) {}

std::string SegmentedFile::PathOf(LogAddress at) const {
  const std::string name = "log." + std::to_string(at / segment_bytes_);
  return directory_.empty() ? name : directory_ + "/" + name;
}

File* SegmentedFile::Open(LogAddress at, bool for_write, Status* status) {
  const size_t index = at / segment_bytes_;
  std::lock_guard lock(mutex_);
  if (segments_.size() <= index) segments_.resize(index + 1);
  Segment& segment = segments_[index];
  *status = Status::kOk;
  if (!segment.file) {
    *status = storage_->Open(PathOf(at), for_write ? OpenMode::kCreate : OpenMode::kReadWrite, &segment.file);
    if (*status != Status::kOk) return nullptr;
    names_dirty_ |= for_write;
  }
  return segment.file.get();
}

void SegmentedFile::WriteAsync(LogAddress at, const void* from, uint64_t length, IoCallback done,
                               void* context) {
  Status status;
  File* file = Open(at, true, &status);
  if (file == nullptr) return done(context, status, 0);
  file->WriteAsync(OffsetOf(at), from, length, done, context);
}

void SegmentedFile::MarkWritten(LogAddress at) {
  std::lock_guard lock(mutex_);
  Segment& segment = segments_[at / segment_bytes_];
  segment.dirty = segment.file != nullptr;
}

void SegmentedFile::ReadAsync(LogAddress at, void* to, uint64_t length, IoCallback done, void* context) {
  Status status;
  File* file = Open(at, false, &status);
  if (file == nullptr) return done(context, status, 0);
  file->ReadAsync(OffsetOf(at), to, length, done, context);
}

Status SegmentedFile::Read(LogAddress at, void* to, uint64_t length) {
  Status status;
  File* file = Open(at, false, &status);
  return file == nullptr ? status : ReadFully(*file, OffsetOf(at), to, length);
}

Status SegmentedFile::Write(LogAddress at, const void* from, uint64_t length) {
  Status status;
  File* file = Open(at, true, &status);
  if (file != nullptr) {
    status = WriteFully(*file, OffsetOf(at), from, length);
    MarkWritten(at);
  }
  return status;
}

Status SegmentedFile::Sync() {
  for (size_t i = 0;; ++i) {
    File* file;
    {
      std::lock_guard lock(mutex_);
      if (i >= segments_.size()) break;
      if (!segments_[i].dirty) continue;
      segments_[i].dirty = false;  // a write that completes during the sync marks it again
      file = segments_[i].file.get();
    }
    const Status status = file->Sync();
    if (status == Status::kOk) continue;
    std::lock_guard lock(mutex_);
    segments_[i].dirty = true;
    return status;
  }
  bool names;
  {
    std::lock_guard lock(mutex_);
    names = std::exchange(names_dirty_, false);
  }
  if (!names) return Status::kOk;
  const Status status = storage_->SyncDirectory(directory_);
  if (status != Status::kOk) {
    std::lock_guard lock(mutex_);
    names_dirty_ = true;
  }
  return status;
}

}  // namespace faster
