#include "faster/log/segmented_file.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace faster {

SegmentedFile::SegmentedFile(Storage* storage, std::string directory, uint64_t segment_bytes,
                             uint32_t open_limit, OpenMode mode)
    : storage_(storage),
      directory_(std::move(directory)),
      segment_bytes_(segment_bytes),
      open_limit_(std::max(1u, open_limit)),
      mode_(mode) {}

SegmentedFile::~SegmentedFile() {
  while (cleaning_.load(std::memory_order_acquire)) std::this_thread::yield();
}

std::string SegmentedFile::PathOf(LogAddress at) const {
  const std::string name = "log." + std::to_string(at / segment_bytes_);
  return directory_.empty() ? name : directory_ + "/" + name;
}

size_t SegmentedFile::open_files() {
  std::lock_guard lock(mutex_);
  return open_.size();
}

// --- Which segments are open ----------------------------------------------------------------------------

SegmentedFile::Segment* SegmentedFile::Find(uint64_t index) {
  const auto at = std::lower_bound(open_.begin(), open_.end(), index,
                                   [](const auto& segment, uint64_t i) { return segment->index < i; });
  return at != open_.end() && (*at)->index == index ? at->get() : nullptr;
}

// The unused segment that was used longest ago, among those that wait for a sync or those that do not.
SegmentedFile::Segment* SegmentedFile::Oldest(bool dirty, uint32_t* how_many) {
  Segment* oldest = nullptr;
  *how_many = 0;
  for (const auto& segment : open_) {
    if (segment->dirty != dirty) continue;
    ++*how_many;
    if (segment->users.load(std::memory_order_acquire) != 0) continue;
    if (oldest == nullptr || segment->last_use < oldest->last_use) oldest = segment.get();
  }
  return oldest;
}

void SegmentedFile::Detach(Segment* segment, Closing* closing) {
  const auto at =
      std::find_if(open_.begin(), open_.end(), [&](const auto& other) { return other.get() == segment; });
  closing->push_back(std::move(*at));
  open_.erase(at);
}

void SegmentedFile::DetachRemoved(Closing* closing) {
  for (size_t i = open_.size(); i-- > 0;) {
    Segment* const segment = open_[i].get();
    if (segment->removed && segment->users.load(std::memory_order_acquire) == 0) Detach(segment, closing);
  }
}

// The lock is given up meanwhile. More than the limit stay open only if all are in use.
void SegmentedFile::MakeRoom(std::unique_lock<std::mutex>* lock) {
  for (;;) {
    Closing closing;
    DetachRemoved(&closing);
    if (open_.size() >= open_limit_) {
      uint32_t count;
      Segment* const oldest = Oldest(false, &count);
      if (oldest != nullptr) Detach(oldest, &closing);
    }
    if (!closing.empty()) {
      lock->unlock();
      closing.clear();
      lock->lock();
      continue;
    }
    if (open_.size() < open_limit_) return;
    lock->unlock();
    const bool synced = SyncOldest(0);
    lock->lock();
    if (!synced) return;
  }
}

SegmentedFile::Segment* SegmentedFile::OpenSegment(LogAddress at, bool for_write, Status* status) {
  const uint64_t index = at / segment_bytes_;
  if (for_write && mode_ == OpenMode::kRead) return *status = Status::kInvalidArgument, nullptr;
  const bool is_new = for_write && (named_.size() <= index || !named_[index]);
  std::unique_ptr<File> file;
  *status = storage_->Open(PathOf(at), is_new ? OpenMode::kCreate : mode_, &file);
  if (*status == Status::kNotFound && !for_write) *status = Status::kShortIo;
  if (*status != Status::kOk) return nullptr;
  if (is_new) {
    if (named_.size() <= index) named_.resize(index + 1);
    names_dirty_ = named_[index] = true;
  }
  auto segment = std::make_unique<Segment>();
  segment->index = index;
  segment->file = std::move(file);
  const auto before = std::lower_bound(open_.begin(), open_.end(), index,
                                       [](const auto& other, uint64_t i) { return other->index < i; });
  return open_.insert(before, std::move(segment))->get();
}

// The segment of `at`, in use once for the caller and, if there is a transfer to begin, once for that.
SegmentedFile::Segment* SegmentedFile::Acquire(LogAddress at, bool for_write, Transfer** transfer,
                                               Status* status) {
  *status = Status::kOk;
  std::unique_lock lock(mutex_);
  Segment* segment = Find(at / segment_bytes_);
  if (segment == nullptr) {
    MakeRoom(&lock);
    segment = Find(at / segment_bytes_);  // another thread may have opened it
    if (segment == nullptr) segment = OpenSegment(at, for_write, status);
    if (segment == nullptr) return nullptr;
  }
  segment->last_use = ++uses_;
  segment->users.fetch_add(transfer != nullptr ? 2 : 1, std::memory_order_relaxed);
  if (transfer != nullptr) {
    if (free_transfers_ == nullptr) {
      transfers_.emplace_back();
      transfers_.back().next = nullptr;
      free_transfers_ = &transfers_.back();
    }
    *transfer = std::exchange(free_transfers_, free_transfers_->next);
  }
  if (for_write) CleanIfMany(&lock);
  return segment;
}

void SegmentedFile::CloseBelow(LogAddress until) {
  Closing closing;
  std::lock_guard lock(mutex_);
  for (const auto& segment : open_) segment->removed |= (segment->index + 1) * segment_bytes_ <= until;
  DetachRemoved(&closing);
}

// --- Transfers ------------------------------------------------------------------------------------------

void SegmentedFile::WriteAsync(LogAddress at, const void* from, uint64_t length, IoCallback done,
                               void* context) {
  Status status;
  Transfer* transfer;
  Segment* const segment = Acquire(at, true, &transfer, &status);
  if (segment == nullptr) return done(context, status, 0);
  *transfer = {this, segment, done, context, true, nullptr};
  segment->file->WriteAsync(OffsetOf(at), from, length, &SegmentedFile::OnTransferred, transfer);
  Release(segment);
}

void SegmentedFile::ReadAsync(LogAddress at, void* to, uint64_t length, IoCallback done, void* context) {
  Status status;
  Transfer* transfer;
  Segment* const segment = Acquire(at, false, &transfer, &status);
  if (segment == nullptr) return done(context, status, 0);
  *transfer = {this, segment, done, context, false, nullptr};
  segment->file->ReadAsync(OffsetOf(at), to, length, &SegmentedFile::OnTransferred, transfer);
  Release(segment);
}

// Only a write that has completed is covered by a sync, so only its completion calls for one: marked when it
// is submitted, a sync in between would clear the mark and miss the write. Nothing of this object is touched
// once the segment is released.
void SegmentedFile::OnTransferred(void* context, Status status, uint64_t bytes) {
  auto* const transfer = static_cast<Transfer*>(context);
  const Transfer ended = *transfer;
  {
    std::lock_guard lock(ended.log->mutex_);
    ended.segment->dirty |= ended.write;
    transfer->next = std::exchange(ended.log->free_transfers_, transfer);
  }
  Release(ended.segment);
  ended.done(ended.context, status, bytes);
}

Status SegmentedFile::Read(LogAddress at, void* to, uint64_t length) {
  Status status;
  Segment* const segment = Acquire(at, false, nullptr, &status);
  if (segment == nullptr) return status;
  status = ReadFully(*segment->file, OffsetOf(at), to, length);
  Release(segment);
  return status;
}

Status SegmentedFile::Write(LogAddress at, const void* from, uint64_t length) {
  Status status;
  Segment* const segment = Acquire(at, true, nullptr, &status);
  if (segment == nullptr) return status;
  status = WriteFully(*segment->file, OffsetOf(at), from, length);
  {
    std::lock_guard lock(mutex_);
    segment->dirty = true;
  }
  Release(segment);
  return status;
}

// --- Syncs ----------------------------------------------------------------------------------------------

// Of a segment in use by the caller, who holds sync_mutex_ and has cleared its mark: a write that completes
// during the sync marks it again.
Status SegmentedFile::SyncOne(Segment* segment) {
  const Status status = segment->file->Sync();
  if (status != Status::kOk) {
    std::lock_guard lock(mutex_);
    segment->dirty = true;
  }
  Release(segment);
  return status;
}

// Syncs the oldest segment that is not in use, if more than `spare` wait for a sync; false if there is none.
// After a failed sync it may be closed like any other: the failure is told, and its data is written again.
bool SegmentedFile::SyncOldest(uint32_t spare) {
  std::lock_guard sync(sync_mutex_);
  Segment* segment;
  {
    std::lock_guard lock(mutex_);
    uint32_t dirty;
    segment = Oldest(true, &dirty);
    if (segment == nullptr || dirty <= spare) return false;
    segment->dirty = false;
    segment->users.fetch_add(1, std::memory_order_relaxed);
  }
  const Status status = segment->file->Sync();
  if (status != Status::kOk) {
    std::lock_guard lock(mutex_);
    failed_ = status;
  }
  Release(segment);
  return true;
}

void SegmentedFile::CleanIfMany(std::unique_lock<std::mutex>* lock) {
  if (open_.size() <= open_limit_ / 2 || cleaning_.load(std::memory_order_relaxed)) return;
  uint32_t dirty;
  if (Oldest(true, &dirty) == nullptr || dirty <= open_limit_ / 2) return;
  cleaning_.store(true, std::memory_order_relaxed);
  lock->unlock();
  storage_->Schedule(&SegmentedFile::Clean, this);
}

void SegmentedFile::Clean(void* self) {
  auto* const log = static_cast<SegmentedFile*>(self);
  while (log->SyncOldest(log->open_limit_ / 2)) {
  }
  log->cleaning_.store(false, std::memory_order_release);
}

Status SegmentedFile::Sync() {
  std::lock_guard sync(sync_mutex_);
  {
    std::lock_guard lock(mutex_);
    if (const Status failed = std::exchange(failed_, Status::kOk); failed != Status::kOk) return failed;
  }
  for (uint64_t next = 0;;) {
    Segment* segment = nullptr;
    {
      std::lock_guard lock(mutex_);
      for (const auto& open : open_) {
        if (open->index < next || !open->dirty) continue;
        segment = open.get();
        break;
      }
      if (segment == nullptr) break;
      segment->dirty = false;
      segment->users.fetch_add(1, std::memory_order_relaxed);
      next = segment->index + 1;
    }
    if (const Status status = SyncOne(segment); status != Status::kOk) return status;
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
