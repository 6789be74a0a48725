// F2Iterator: every live key of a hot and a cold store and its value; first the hot log, then the cold one.
//
// A record of the cold log is returned if the hot log, as far as its walk went, has none of its key, and
// then, asked in this order, the chain leads to it before any other of its key that this walk will come to.
// What migrates meanwhile is in the one or the other when it is asked for. What is promised is what
// LiveIterator promises; a key that migrates or moves within the cold log meanwhile may come twice.
//
// MEMORY: one page of the hot log, 64 KiB of the cold one. THREAD-SAFETY: one thread at a time; all else may
// go on. ERRORS: of the device; kCorruption.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "faster/store/live_iterator.h"

namespace faster {

template <class K, class V, class F>
class F2Iterator {
 public:
  using L = FixedLayout<K, V>;
  using Rec = typename L::Rec;
  using SessionType = Session<K, V, F>;
  struct Parts {
    std::unique_ptr<LiveIterator<K, V, F>> hot;
    std::unique_ptr<SessionType> session;  // of the hot store, the engine's own
    LightEpoch* epoch;
    LightEpoch::Entry* entry;  // released at the end
    const F* functions;
    HybridLog* cold;
    std::unique_ptr<ColdIndexSession> index;
  };

  explicit F2Iterator(Parts parts)
      : parts_(std::move(parts)),
        bytes_(new uint64_t[std::max<uint64_t>(kMostBytes, parts_.cold->block_bytes()) / 8]),
        block_(new uint64_t[parts_.cold->block_bytes() / 8]) {}
  ~F2Iterator() {
    parts_.hot.reset();
    parts_.session.reset();
    parts_.index.reset();
    parts_.epoch->Release(parts_.entry);
  }
  F2Iterator(const F2Iterator&) = delete;
  F2Iterator& operator=(const F2Iterator&) = delete;

  // kOk: *key and *value are the next. kNotFound: there are no more.
  Status Next(K* key, V* value) {
    if (parts_.hot != nullptr) {
      const Status status = parts_.hot->Next(key, value);
      if (status != Status::kNotFound) return status;
      hot_end_ = parts_.hot->end();
      parts_.hot.reset();
      StartCold();
    }
    for (;;) {
      if (parts_.cold->begin() != begin_) StartCold();
      if (next_ == found_.size()) {
        if (at_ >= until_) return Status::kNotFound;
        if (const Status status = Load(); status != Status::kOk) return status;
        continue;
      }
      const Found& found = found_[next_++];
      bool live = false;
      Status status = IsVisible(found, &live);
      if (status == Status::kOk && live) status = IsNewest(found, &live);
      if (status != Status::kOk) return status;
      if (!live) continue;
      *key = found.key.Value();
      *value = found.value.Value();
      return Status::kOk;
    }
  }

 private:
  static constexpr uint64_t kMostBytes = 1 << 16;
  struct Found {
    LogAddress at;
    Words<K> key;
    Words<V> value;
  };

  // A compaction of the cold log may copy what lies below its begin to the tail: then the walk goes on to
  // there.
  void StartCold() {
    HybridLog& log = *parts_.cold;
    begin_ = log.begin();
    at_ = std::max(at_, begin_ & ~LogAddress{log.block_bytes() - 1});
    until_ = log.tail();
    parts_.epoch->AwaitOthers();  // every record allocated below is filled, or given up
  }

  Status Load() {
    HybridLog& log = *parts_.cold;
    found_.clear();
    next_ = 0;
    const uint64_t block_bytes = log.block_bytes();
    const LogAddress page_end = (at_ & ~(log.page_bytes() - 1)) + log.page_bytes();
    const LogAddress end = std::min({page_end, (until_ + block_bytes - 1) & ~LogAddress{block_bytes - 1},
                                     at_ + std::max<uint64_t>(kMostBytes, block_bytes)});
    if (at_ >= end) return Status::kOk;
    uint8_t* const bytes = reinterpret_cast<uint8_t*>(bytes_.get());
    Status status = log.CopyOut(at_, end - at_, bytes, parts_.entry);
    if (status != Status::kOk) return log.begin() > at_ ? Status::kOk : status;  // looked at again
    for (LogAddress block = at_; block < end && status == Status::kOk; block += block_bytes) {
      status = ForEachRecord(block, bytes + (block - at_), std::min(block_bytes, until_ - block), L::kSizes,
                             [&](LogAddress at, uint8_t* memory, RecordHeader header) {
                               if (at < begin_ || header.invalid() || header.tombstone()) return;
                               found_.push_back({at, Rec::At(memory)->key(), Rec::At(memory)->Load()});
                             });
    }
    at_ = end;
    return status;
  }

  // *visible: the hot log, up to where it was walked, has no record of the key.
  Status IsVisible(const Found& found, bool* visible) {
    LogAddress at = 0;
    Status status = parts_.session->LocateBelow(found.key.Value(), hot_end_, &at);
    if (status == Status::kPending) {
      parts_.session->CompletePending(true, [&](const typename SessionType::Op& op) {
        status = op.result;
        at = op.disk_found_at;
      });
    }
    *visible = at == 0;
    return status == Status::kNotFound ? Status::kOk : status;
  }

  Status IsNewest(const Found& found, bool* newest) {
    LogAddress entry = 0;
    const KeyHash hash{parts_.functions->Hash(found.key.Value())};
    Status status = parts_.index->First(hash, &entry, &entry);
    struct Waiting {
      const ColdIndexSession* index;
      KeyHash hash;
      LogAddress* entry;
      Status status;
    } waiting{parts_.index.get(), hash, &entry, status};
    while (waiting.status == Status::kPending) {
      parts_.index->Collect(
          [](void* client, void*, Status ended, const LogAddress* chunk) {
            auto* const at = static_cast<Waiting*>(client);
            at->status = ended;
            *at->entry = at->index->Entry(chunk, at->hash);
          },
          &waiting);
      if (waiting.status == Status::kPending) std::this_thread::yield();
    }
    if (waiting.status != Status::kOk) return waiting.status;
    HybridLog& log = *parts_.cold;
    uint8_t* const bytes = reinterpret_cast<uint8_t*>(block_.get());
    while (entry > found.at) {
      const LogAddress start = entry & ~LogAddress{log.block_bytes() - 1};
      status = log.CopyOut(start, log.block_bytes(), bytes, parts_.entry);
      if (status != Status::kOk && entry < log.begin()) break;  // then found lies below, too
      if (status != Status::kOk) return status;
      const Rec* record = Rec::At(bytes + (entry - start));
      const RecordHeader header = record->header();
      if (!header.present() || header.previous() >= entry) return Status::kCorruption;
      if (entry < until_ && record->KeyIs(found.key)) break;
      entry = header.previous();
    }
    *newest = entry == found.at;
    return Status::kOk;
  }

  Parts parts_;
  const std::unique_ptr<uint64_t[]> bytes_;
  const std::unique_ptr<uint64_t[]> block_;
  std::vector<Found> found_;
  size_t next_ = 0;
  LogAddress hot_end_ = 0;
  LogAddress begin_ = 0;  // of the cold log
  LogAddress at_ = 0;
  LogAddress until_ = 0;
};

}  // namespace faster
