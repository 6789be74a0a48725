// LiveIterator: every live key and its value, from the log, beside operations and checkpoints.
//
// It walks the log from begin to where the tail was when it began, and returns a record if it is the newest
// of its key among those (the hash chain says so; what is not in memory is read). What is returned:
//   * a key that is there during the whole iteration is returned, with a value that it had at some time
//   meanwhile;
//   * exactly once, unless the begin address moves: then the walk goes on to the tail of that time, since a
//     compaction may have copied records there, and a key may come again;
//   * a key that is inserted or deleted meanwhile may be returned or not; records of a truncation that ended
//   are
//     not.
// It belongs to no version: beside a checkpoint it may see some of v+1 and not all of it.
//
// MEMORY: one page, and the records of 64 KiB. COST: reading the log, and for records that are not
// the newest of their chain in memory one block read per hop. THREAD-SAFETY: one thread at a time; all else
// may go on. It holds an epoch entry but protects no epoch between calls, so it may be kept for any time.
// ERRORS: of the device; kCorruption.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "faster/cpr/recovery.h"
#include "faster/store/session.h"

namespace faster {

template <class K, class V, class F>
class LiveIterator {
 public:
  using L = LayoutOf<K, V>;
  using Rec = typename L::Rec;
  using SessionType = Session<K, V, F>;

  // `session` is one of the engine's own; `entry` is released at the end.
  LiveIterator(LightEpoch* epoch, LightEpoch::Entry* entry, HybridLog* log,
               std::unique_ptr<SessionType> session)
      : epoch_(epoch),
        entry_(entry),
        log_(*log),
        session_(std::move(session)),
        page_(new uint64_t[log->page_bytes() / 8]) {
    Extend(log_.begin());
    at_ = begin_;
  }
  ~LiveIterator() { epoch_->Release(entry_); }
  LiveIterator(const LiveIterator&) = delete;
  LiveIterator& operator=(const LiveIterator&) = delete;

  LogAddress end() const { return until_; }  // where the walk ends

  // kOk: *key and *value are the next. kNotFound: there are no more.
  Status Next(typename L::KeyOut* key, typename L::Out* value) {
    for (;;) {
      const LogAddress begin = log_.begin();
      if (begin != begin_) Extend(begin);
      if (next_ == found_.size()) {
        if (at_ >= until_) return Status::kNotFound;
        if (const Status status = LoadPage(); status != Status::kOk) return status;
        continue;
      }
      const Found& found = found_[next_++];
      if (found.at < begin_) continue;
      LogAddress newest = 0;
      const Status status = FindNewest(found.key, &newest);
      if (status != Status::kOk) return status;
      if (newest != found.at) continue;
      L::DeliverKey(found.key, key);
      L::Deliver(found.value, value);
      return Status::kOk;
    }
  }

 private:
  static constexpr uint64_t kMostBytes = 1 << 16;  // looked at under one protection of the epoch

  struct Found {
    LogAddress at;
    typename L::Key key;
    typename L::Value value;
  };

  void Extend(LogAddress begin) {
    begin_ = begin;
    at_ = std::max(at_ & ~LogAddress{log_.block_bytes() - 1}, begin);
    until_ = log_.tail();   // not the end of its block: what is allocated there from now on is not filled yet
    epoch_->AwaitOthers();  // every record allocated below is filled and linked now, or given up
  }

  void Collect(LogAddress at, uint8_t* memory, RecordHeader header) {
    if (header.invalid() || header.tombstone() || at < begin_ || log_.IsDead(at, header.version())) return;
    const Rec* record = Rec::At(memory);
    Found& found = found_.emplace_back(at, typename L::Key(record->key()));
    L::Load(*record, &found.value);
  }

  // The next records of the page at `at_`, read in place while it is in memory: a copy of a record that is
  // being updated may not hold together.
  Status LoadPage() {
    found_.clear();
    next_ = 0;
    const LogAddress page_end = (at_ & ~(log_.page_bytes() - 1)) + log_.page_bytes();
    const uint64_t block_bytes = log_.block_bytes();
    const LogAddress end = std::min({page_end, until_, at_ + std::max<uint64_t>(block_bytes, kMostBytes)});
    const auto collect = [&](LogAddress block, uint8_t* bytes) {
      return ForEachRecord(
          block, bytes, std::min(block_bytes, end - block), L::kSizes,
          [&](LogAddress at, uint8_t* memory, RecordHeader header) { Collect(at, memory, header); });
    };
    Status collected = Status::kOk;
    epoch_->Protect(entry_);
    const bool in_memory = at_ + 8 >= log_.head();
    for (LogAddress block = at_; in_memory && block < end && collected == Status::kOk; block += block_bytes)
      collected = collect(block, log_.At(block));
    epoch_->Unprotect(entry_);
    if (!in_memory) {
      uint8_t* const bytes = reinterpret_cast<uint8_t*>(page_.get());
      const LogAddress whole = (end + block_bytes - 1) & ~LogAddress{block_bytes - 1};
      const Status status = log_.CopyOut(at_, whole - at_, bytes, entry_);
      if (status != Status::kOk) return log_.begin() > at_ ? Status::kOk : status;  // begin moved: see Next
      for (LogAddress block = at_; block < end && collected == Status::kOk; block += block_bytes)
        collected = collect(block, bytes + (block - at_));
    }
    if (collected == Status::kOk) at_ = end;
    return collected;
  }

  // The newest record of the key below until_, 0 if there is none.
  Status FindNewest(const typename L::Key& key, LogAddress* newest) {
    Status status = session_->LocateBelow(L::ArgOf(key), until_, newest);
    if (status == Status::kPending) {
      session_->CompletePending(true, [&](const typename SessionType::Op& op) {
        status = op.result;
        *newest = op.disk_found_at;
      });
    }
    return status == Status::kNotFound ? Status::kOk : status;
  }

  LightEpoch* const epoch_;
  LightEpoch::Entry* const entry_;
  HybridLog& log_;
  const std::unique_ptr<SessionType> session_;
  const std::unique_ptr<uint64_t[]> page_;
  std::vector<Found> found_;  // of one page
  size_t next_ = 0;
  LogAddress begin_ = 0;
  LogAddress at_ = 0;
  LogAddress until_ = 0;
};

}  // namespace faster
