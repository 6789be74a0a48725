// The reads, writes and syncs of SimStorage: submission, the device fibers, faults.
#include <algorithm>
#include <cstring>

#include "faults/device/sim_handles.h"
#include "faults/device/sim_storage.h"

namespace faults {

using faster::Status;

SimFile::~SimFile() { storage_->Release(this); }

void SimFile::ReadAsync(uint64_t offset, void* buffer, uint64_t length, faster::IoCallback done,
                        void* context) {
  if (!Alive()) return done(context, Status::kIoError, 0);
  storage_->Submit(
      {0, this, inode_, path_, false, true, FaultKind::kNone, offset, length, buffer, -1, done, context});
}

void SimFile::WriteAsync(uint64_t offset, const void* buffer, uint64_t length, faster::IoCallback done,
                         void* context) {
  if (!Alive()) return done(context, Status::kIoError, 0);
  storage_->Submit({0, this, inode_, path_, true, writable_, FaultKind::kNone, offset, length,
                    const_cast<void*>(buffer), -1, done, context});
}

Status SimFile::Read(uint64_t offset, void* buffer, uint64_t length, uint64_t* bytes) {
  *bytes = 0;
  if (!Alive()) return Status::kIoError;
  return storage_->Blocking(
      {0, this, inode_, path_, false, true, FaultKind::kNone, offset, length, buffer, -1, nullptr, nullptr},
      bytes);
}

Status SimFile::Write(uint64_t offset, const void* buffer, uint64_t length, uint64_t* bytes) {
  *bytes = 0;
  if (!Alive()) return Status::kIoError;
  return storage_->Blocking({0, this, inode_, path_, true, writable_, FaultKind::kNone, offset, length,
                             const_cast<void*>(buffer), -1, nullptr, nullptr},
                            bytes);
}

Status SimFile::Sync() {
  if (!Alive()) return Status::kIoError;
  const uint64_t sequence =
      storage_->disk_.sequence();  // what completes at the point below is not covered (D8)
  ++storage_->statistics_.syncs;
  const FaultKind fault = storage_->DecideFault(IoOperation::kSync, path());
  storage_->Point(PointKind::kIoSync, storage_->ObjectOf(inode_), sequence);
  Status status = Status::kOk;
  if (fault == FaultKind::kIoError) {
    using How = DiskModel::FailedSync;
    constexpr How kFates[] = {How::kMarkedClean, How::kStaysDirty, How::kDropped};
    storage_->disk_.FailSync(inode_, sequence, kFates[storage_->Choose(ChoiceKind::kIoFate, 3)]);
    status = Status::kIoError;
  } else {
    storage_->disk_.Sync(inode_, sequence);
  }
  storage_->Log(IoEventKind::kSync, status, fault, path_, 0, 0, 0);
  return status;
}

Status SimFile::Size(uint64_t* bytes) {
  *bytes = 0;
  if (!Alive()) return Status::kIoError;
  bool perform;
  const Status injected = storage_->Meta(IoEventKind::kSize, IoOperation::kMeta, path(), &perform);
  if (injected == Status::kOk) *bytes = storage_->disk_.Size(inode_);
  return storage_->Done(IoEventKind::kSize, path(), injected, Status::kOk);
}

Status SimFile::Truncate(uint64_t bytes) {
  if (!Alive()) return Status::kIoError;
  if (!writable_) return Status::kInvalidArgument;
  if (bytes > storage_->options_.max_file_bytes) return Status::kNoSpace;
  bool perform;
  const Status injected = storage_->Meta(IoEventKind::kTruncate, IoOperation::kMeta, path(), &perform);
  if (perform) storage_->disk_.Truncate(inode_, bytes);
  return storage_->Done(IoEventKind::kTruncate, path(), injected, Status::kOk);
}

// --- Submission -----------------------------------------------------------------------------------------

int32_t SimStorage::NewCopy(const void* bytes, uint64_t length) {
  if (free_copies_.empty()) {
    free_copies_.push_back(static_cast<int32_t>(copies_.size()));
    copies_.emplace_back();
  }
  const int32_t copy = free_copies_.back();
  free_copies_.pop_back();
  const uint8_t* from = static_cast<const uint8_t*>(bytes);
  copies_[copy].assign(from, from + length);
  return copy;
}

void SimStorage::StartDevices() {
  const unsigned wanted = std::max(1u, options_.device_fibers);
  while (device_fibers_ < wanted) {
    ++device_fibers_;
    scheduler_->Spawn(&DeviceMain, this, "device", true);
  }
}

void SimStorage::Submit(Request request) {
  ++(request.write ? statistics_.writes : statistics_.reads);
  ++statistics_.submitted;
  const IoOperation operation = request.write ? IoOperation::kWrite : IoOperation::kRead;
  request.fault = DecideFault(operation, path_name(request.path));
  Point(PointKind::kIoSubmit, ObjectOf(request.inode), request.offset);
  request.id = next_request_++;
  Log(request.write ? IoEventKind::kSubmitWrite : IoEventKind::kSubmitRead, Status::kPending, request.fault,
      request.path, request.id, request.offset, request.length);
  if (!OnFiber()) {
    uint64_t bytes = 0;
    const Status status = Perform(request, &bytes);
    ++statistics_.completed;
    return request.done(request.context, status, bytes);
  }
  if (request.write && request.length <= options_.max_file_bytes) {
    request.copy = NewCopy(request.buffer, request.length);
  }
  ++request.file->in_flight_;
  queue_.push_back(request);
  StartDevices();
  scheduler_->Notify(&queue_channel_);
}

Status SimStorage::Blocking(Request request, uint64_t* bytes) {
  ++(request.write ? statistics_.writes : statistics_.reads);
  const IoOperation operation = request.write ? IoOperation::kWrite : IoOperation::kRead;
  request.fault = DecideFault(operation, path_name(request.path));
  request.id = next_request_++;
  ++request.file->in_flight_;
  blocking_.push_back(request);
  Point(PointKind::kIoSubmit, ObjectOf(request.inode), request.offset);
  const auto mine = std::find_if(blocking_.begin(), blocking_.end(),
                                 [&](const Request& other) { return other.id == request.id; });
  blocking_.erase(mine);
  --request.file->in_flight_;
  return Perform(request, bytes);
}

// --- The device -----------------------------------------------------------------------------------------

// The next request to complete: any of those that are not slow, or of all if they all are.
size_t SimStorage::Pick() {
  uint32_t eligible = 0;
  for (const Request& request : queue_) eligible += request.fault != FaultKind::kSlow;
  const bool all_slow = eligible == 0;
  if (all_slow) eligible = static_cast<uint32_t>(queue_.size());
  uint32_t left = Choose(ChoiceKind::kIoPick, eligible);
  size_t pick = 0;
  for (;; ++pick) {
    if (!all_slow && queue_[pick].fault == FaultKind::kSlow) continue;
    if (left-- == 0) break;
  }
  if (pick != 0) ++statistics_.reordered;
  return pick;
}

void SimStorage::DeviceMain(void* storage) { static_cast<SimStorage*>(storage)->DeviceLoop(); }

void SimStorage::DeviceLoop() {
  for (;;) {
    while (queue_.empty()) scheduler_->Wait(&queue_channel_);
    Point(PointKind::kIoComplete, &queue_channel_, queue_.size());
    if (queue_.empty()) continue;  // another device fiber was faster
    const size_t pick = Pick();
    Request request = queue_[pick];
    queue_.erase(queue_.begin() + static_cast<ptrdiff_t>(pick));
    uint64_t bytes = 0;
    const Status status = Perform(request, &bytes);
    if (request.copy >= 0) free_copies_.push_back(request.copy);
    Point(PointKind::kIoComplete, ObjectOf(request.inode), request.offset);
    if (request.file != nullptr) --request.file->in_flight_;
    ++statistics_.completed;
    request.done(request.context, status, bytes);
  }
}

Status SimStorage::Perform(Request& request, uint64_t* bytes) {
  *bytes = 0;
  const Status status = request.write ? PerformWrite(request, bytes) : PerformRead(request, bytes);
  Log(request.write ? IoEventKind::kWriteDone : IoEventKind::kReadDone, status, request.fault, request.path,
      request.id, request.offset, *bytes);
  return status;
}

uint64_t SimStorage::ShortLength(uint64_t length) {
  if (length == 0) return 0;
  const uint64_t sector = options_.disk.sector_bytes;
  const uint64_t half = length / 2 >= sector ? length / 2 / sector * sector : length / 2;
  const uint64_t lengths[] = {half, 0, length - 1};
  return lengths[Choose(ChoiceKind::kIoFate, 3)];
}

Status SimStorage::PerformRead(Request& request, uint64_t* bytes) {
  uint64_t length = request.length;
  if (request.fault == FaultKind::kIoError) {
    if (Choose(ChoiceKind::kIoFate, 2) == 1) {
      disk_.Read(request.inode, request.offset, request.buffer, length / 2);
    }
    return Status::kIoError;
  }
  if (request.fault == FaultKind::kShort) length = ShortLength(length);
  *bytes = disk_.Read(request.inode, request.offset, request.buffer, length);
  if (request.fault == FaultKind::kRot && *bytes > 0) {
    const uint32_t range = static_cast<uint32_t>(std::min<uint64_t>(*bytes, 65535));
    const uint64_t at = request.offset + Choose(ChoiceKind::kIoFate, range);
    disk_.FlipBit(request.inode, at, Choose(ChoiceKind::kIoFate, 8));
    disk_.Read(request.inode, request.offset, request.buffer, *bytes);
  }
  return Status::kOk;
}

const uint8_t* SimStorage::CapturedBytes(const Request& request) {
  const uint8_t* now = static_cast<const uint8_t*>(request.buffer);
  if (request.copy < 0) return now;
  const uint8_t* then = copies_[request.copy].data();
  if (std::memcmp(then, now, request.length) == 0) return now;
  ++statistics_.changed_in_flight;
  return Choose(ChoiceKind::kIoFate, 2) == 0 ? now : then;
}

// EIO: the bytes addressed are old, new or a mixture by sector.
Status SimStorage::FailedWrite(const Request& request, const uint8_t* bytes) {
  const uint32_t fate = Choose(ChoiceKind::kIoFate, 3);
  if (fate == 0) return Status::kIoError;
  const uint64_t sector = options_.disk.sector_bytes;
  for (uint64_t at = 0; at < request.length;) {
    const uint64_t n = std::min(request.length - at, sector - (request.offset + at) % sector);
    const bool arrives = fate == 1 || Choose(ChoiceKind::kSectorFate, 2) == 1;
    if (arrives) disk_.Write(request.inode, request.offset + at, bytes + at, n);
    at += n;
  }
  return Status::kIoError;
}

Status SimStorage::PerformWrite(Request& request, uint64_t* bytes) {
  if (!request.allowed) return Status::kInvalidArgument;
  const uint64_t limit = options_.max_file_bytes;
  if (request.offset > limit || request.length > limit - request.offset) return Status::kNoSpace;
  const uint8_t* from = CapturedBytes(request);
  uint64_t length = request.length;
  uint64_t offset = request.offset;
  if (request.fault == FaultKind::kIoError) return FailedWrite(request, from);
  if (request.fault == FaultKind::kNoSpace) {
    if (Choose(ChoiceKind::kIoFate, 2) == 1) disk_.Write(request.inode, offset, from, length / 2);
    return Status::kNoSpace;
  }
  if (faults_ != nullptr && faults_->capacity() != FaultPlan::kUnlimited) {
    const uint64_t size = disk_.Size(request.inode);
    const uint64_t growth = offset + length > size ? offset + length - size : 0;
    const uint64_t used = disk_.UsedBytes();
    if (growth > 0 && used + growth > faults_->capacity()) {
      ++statistics_.faults;
      request.fault = FaultKind::kNoSpace;
      return Status::kNoSpace;
    }
  }
  if (request.fault == FaultKind::kShort) length = ShortLength(length);
  if (request.fault == FaultKind::kMisdirect) {
    const uint64_t shift = (1 + Choose(ChoiceKind::kIoFate, 4)) * uint64_t{options_.disk.sector_bytes};
    offset = offset >= shift ? offset - shift : std::min(offset + shift, limit - length);
  }
  disk_.Write(request.inode, offset, from, length);
  *bytes = length;
  return Status::kOk;
}

// --- Reports --------------------------------------------------------------------------------------------

void SimStorage::DescribeRequests(const ModelVector<Request>& requests, std::string* text) const {
  for (const Request& request : requests) {
    *text += request.write ? "in flight: write " : "in flight: read ";
    *text += std::string(path_name(request.path)) + " [" + std::to_string(request.offset) + ", +" +
             std::to_string(request.length) + ")";
    if (request.copy < 0) *text += " blocking";
    if (request.fault != FaultKind::kNone) *text += ", fault " + std::string(FaultKindName(request.fault));
    *text += "\n";
  }
}

std::string SimStorage::DescribeDisk() const {
  std::string text = disk_.Describe();
  if (!alive_) {
    DescribeRequests(at_crash_, &text);
  } else {
    DescribeRequests(queue_, &text);
    DescribeRequests(blocking_, &text);
  }
  return text;
}

std::vector<IoEvent> SimStorage::Events() const {
  std::vector<IoEvent> events;
  if (events_.empty()) return events;
  const uint64_t kept = std::min<uint64_t>(events_logged_, events_.size());
  for (uint64_t i = events_logged_ - kept; i < events_logged_; ++i)
    events.push_back(events_[i % events_.size()]);
  return events;
}

}  // namespace faults
