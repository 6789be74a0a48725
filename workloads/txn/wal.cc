#include "workloads/txn/wal.h"

#include <algorithm>
#include <bit>
#include <thread>

#include "workloads/txn/wal_format.h"

namespace workloads::txn {

using faster::LoadWord;
using faster::StatusName;
using faster::StoreWord;

WriteAheadLog::WriteAheadLog(Storage* storage, uint64_t ring_words,
                             std::function<void(std::vector<ClientPoint>*)> serials)
    : storage_(storage),
      ring_words_(std::bit_ceil(std::max<uint64_t>(ring_words, 64))),
      serials_(std::move(serials)) {
  static_cast<void>(ring_.Allocate(ring_words_ * 8, false));  // allocated() says so
}

WriteAheadLog::~WriteAheadLog() {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return !running_; });
}

Status WriteAheadLog::Open(const std::string& directory, uint64_t number,
                           const std::vector<ClientPoint>& known, Diagnosis* why) {
  path_ = LogPath(directory, number);
  number_ = number;
  durable_ = known;
  const Status status = storage_->Open(path_, faster::OpenMode::kReadWrite, &file_);
  if (status != Status::kOk) *why = {path_, 0, "the log of the commit", std::string(StatusName(status))};
  return status;
}

// The ring is full. kOk when it is worth another look.
Status WriteAheadLog::AwaitRoom(uint64_t words) {
  if (words > ring_words_) return Status::kTooLarge;
  const Status last = last_.load(std::memory_order_acquire);
  if (last != Status::kOk) return last;
  static_cast<void>(StartFlush());  // 0: one runs, and makes room
  std::this_thread::yield();
  return Status::kOk;
}

uint64_t WriteAheadLog::StartFlush() {
  uint64_t number;
  {
    std::lock_guard lock(mutex_);
    if (running_) return 0;
    running_ = true;
    number = ++flushes_;
  }
  storage_->Schedule(&WriteAheadLog::FlushJob, this);
  return number;
}

void WriteAheadLog::TakeFinished(std::vector<GroupCommit>* finished) {
  std::lock_guard lock(mutex_);
  finished->swap(finished_);
  finished_.clear();
}

uint64_t WriteAheadLog::NextFlush() {
  std::lock_guard lock(mutex_);
  return flushes_ + 1;
}

void WriteAheadLog::FlushJob(void* log) { static_cast<WriteAheadLog*>(log)->Flush(); }

void WriteAheadLog::Flush() {
  GroupCommit commit;
  std::vector<ClientPoint> serials;
  serials_(&serials);  // before the tail is read: all that they cover is below it then
  frame_.assign(kFrameHeader, 0);
  const uint64_t until = Collect(&frame_, &commit);
  AddPoints(serials, &frame_, &commit);
  if (frame_.size() > kFrameHeader) commit.status = WriteFrame(&frame_, &commit.why);
  if (commit.status == Status::kOk) {
    commit.bytes = frame_.size() > kFrameHeader ? frame_.size() * 8 : 0;
    Consume(until, &commit);
  } else {
    commit.points.clear();
  }
  last_.store(commit.status, std::memory_order_release);
  std::lock_guard lock(mutex_);
  commit.number = flushes_;
  finished_.push_back(std::move(commit));
  running_ = false;
  ended_.notify_all();  // with the lock held: the log may be gone as soon as it is given up
}

// Copies all records between head and tail behind *frame; where they end.
uint64_t WriteAheadLog::Collect(std::vector<uint64_t>* frame, GroupCommit* commit) {
  const uint64_t until = tail_.load(std::memory_order_acquire);
  const uint64_t* const ring = static_cast<const uint64_t*>(ring_.data());
  const uint64_t mask = ring_words_ - 1;
  for (uint64_t at = head_.load(std::memory_order_relaxed); at < until;) {
    uint64_t header;
    while ((header = LoadWord(&ring[at & mask], std::memory_order_acquire)) == 0) std::this_thread::yield();
    const uint64_t words = header & kWordsMask;
    frame->push_back(header);
    for (uint64_t i = 1; i < words; ++i) frame->push_back(LoadWord(&ring[(at + i) & mask]));
    const uint64_t* const record = frame->data() + frame->size() - words;
    MovePoint(record[1], record[2], &commit->points);
    at += words;
  }
  return until;
}

// Records for the clients whose last transactions only read.
void WriteAheadLog::AddPoints(const std::vector<ClientPoint>& serials, std::vector<uint64_t>* frame,
                              GroupCommit* commit) {
  for (const ClientPoint& point : serials) {
    const auto same = [&](const ClientPoint& other) { return other.client == point.client; };
    const auto moved = std::find_if(commit->points.begin(), commit->points.end(), same);
    if (moved != commit->points.end() && moved->serial >= point.serial) continue;
    const auto known = std::find_if(durable_.begin(), durable_.end(), same);
    if (known != durable_.end() && known->serial >= point.serial) continue;
    frame->insert(frame->end(), {kPointRecord << 56 | kRecordHeader, point.client, point.serial});
    MovePoint(point.client, point.serial, &commit->points);
  }
}

void WriteAheadLog::MovePoint(uint64_t client, uint64_t serial, std::vector<ClientPoint>* points) const {
  for (ClientPoint& point : *points) {
    if (point.client == client) {
      point.serial = serial;
      return;
    }
  }
  points->push_back({client, serial});
}

Status WriteAheadLog::WriteFrame(std::vector<uint64_t>* frame, Diagnosis* why) {
  SealFrame(frame, number_, file_offset_, sequence_);
  Status status = faster::WriteFully(*file_, file_offset_, frame->data(), frame->size() * 8);
  if (status == Status::kOk) status = file_->Sync();
  if (status != Status::kOk)
    *why = {path_, file_offset_, "a frame written and synced", std::string(StatusName(status))};
  return status;
}

void WriteAheadLog::Consume(uint64_t until, GroupCommit* commit) {
  uint64_t* const ring = static_cast<uint64_t*>(ring_.data());
  for (uint64_t at = head_.load(std::memory_order_relaxed); at < until; ++at)
    StoreWord(&ring[at & (ring_words_ - 1)], 0);
  head_.store(until, std::memory_order_release);
  for (const ClientPoint& point : commit->points) MovePoint(point.client, point.serial, &durable_);
  commit->points = durable_;
  if (commit->bytes == 0) return;
  file_offset_ += commit->bytes;
  ++sequence_;
}

}  // namespace workloads::txn
