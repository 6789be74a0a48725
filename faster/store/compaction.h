// Compaction: lets the log begin later without losing a key, by copying what is live below to the tail.
//
// Two ways to find what is live in [begin, until):
//   kLookup  every record asks its hash chain whether a newer one of its key lies above it (what is not in
//   memory
//            is read); memory for one page and the reads in flight
//   kScan    the region goes into a table (key -> newest record), the rest of the log on disk is scanned to
//   take
//            out what is overwritten there, and only what is in memory is asked of the index; memory for
//            every key of the region, but no random reads to speak of
// Both copy with Session::CopyToTail, a conditional insert: it is linked only if the chain has not changed
// since it was walked, so it never overtakes an update and never brings back a deleted key. Tombstones are
// not copied: the region starts at begin, so nothing older is left that could come back. When all copies are
// linked begin moves to `until` (Checkpointer::ShiftBegin); the files below stay until no checkpoint needs
// them (Retention).
//
// The copies are operations of a session of the engine's own, which obeys the version rules like any other:
// its copies belong to the version that commits them, and a checkpoint that does not have a copy has the
// begin that still covers the record. No client's serial is used. So everything may go on meanwhile:
// operations, checkpoints in every phase, a truncation.
//
// Step() does a bounded amount of work and never waits for another thread but for a page of the log; Run()
// goes on to the end. THREAD-SAFETY: one thread at a time; one compaction per store. ERRORS: an I/O error or
// kCorruption ends it with that status and begin where it was; what was copied is only a duplicate.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <unordered_map>
#include <utility>

#include "faster/cpr/recovery.h"
#include "faster/store/session.h"

namespace faster {

enum class CompactionKind : uint8_t { kScan, kLookup };

struct CompactionProgress {
  LogAddress begin = 0;  // of the region
  LogAddress at = 0;     // how far it has been scanned
  LogAddress until = 0;
  uint64_t copied = 0;
  uint64_t superseded = 0;  // records with a newer one of their key
  uint64_t tombstones = 0;
};

template <class K, class V, class F>
class Compaction {
 public:
  using SessionType = Session<K, V, F>;
  using L = LayoutOf<K, V>;
  using Rec = typename L::Rec;
  struct Parts {
    HybridLog* log;
    Checkpointer* checkpointer;
    LightEpoch* epoch;
    LightEpoch::Entry* entry;    // for reading the log; released at the end
    std::atomic<bool>* running;  // of the store, set by whoever makes this; cleared at the end
    std::unique_ptr<SessionType> session;
  };

  // `until` is cut down to a block boundary of what is on disk.
  Compaction(Parts parts, LogAddress until, CompactionKind kind)
      : parts_(std::move(parts)), kind_(kind), page_(new uint64_t[parts_.log->page_bytes() / 8]) {
    const HybridLog& log = *parts_.log;
    progress_.begin = progress_.at = log.begin();
    progress_.until = std::min(until, log.head()) & ~LogAddress{log.block_bytes() - 1};
    rest_end_ = log.head() & ~LogAddress{log.block_bytes() - 1};
    at_ = progress_.begin;
    if (progress_.until <= progress_.begin) stage_ = Stage::kDone;
  }
  ~Compaction() {
    if (parts_.session != nullptr) parts_.session->Close();
    parts_.session.reset();
    parts_.epoch->Release(parts_.entry);
    parts_.running->store(false, std::memory_order_release);
  }
  Compaction(const Compaction&) = delete;
  Compaction& operator=(const Compaction&) = delete;

  const CompactionProgress& progress() const { return progress_; }

  // kPending: there is more to do. kOk: the log begins at `until`.
  Status Step() {
    Collect();
    if (status_ != Status::kOk) return status_;
    switch (stage_) {
      case Stage::kRegion:
        if (in_flight_ < kMostInFlight) ScanRegion();
        break;
      case Stage::kRest:
        ScanRest();
        break;
      case Stage::kCopy:
        CopyTable();
        break;
      case Stage::kShift:
        if (in_flight_ == 0 && parts_.checkpointer->ShiftBegin(progress_.until) == Status::kOk)
          stage_ = Stage::kDone;
        break;
      case Stage::kDone:
        return Status::kOk;
    }
    return status_ == Status::kOk ? Status::kPending : status_;
  }

  // Steps until the end, or until *stop (may be null): then kAborted.
  Status Run(const std::atomic<bool>* stop) {
    for (;;) {
      const CompactionProgress before = progress_;
      const Status status = Step();
      if (status != Status::kPending) return status;
      if (stop != nullptr && stop->load(std::memory_order_acquire)) return Status::kAborted;
      if (before.at == progress_.at && before.copied == progress_.copied) std::this_thread::yield();
    }
  }

 private:
  enum class Stage : uint8_t { kRegion, kRest, kCopy, kShift, kDone };
  static constexpr uint32_t kMostInFlight = 64;  // copies that wait for the disk

  struct Live {  // the newest record of a key in the region
    LogAddress at;
    typename L::Value value;
    bool tombstone;
  };

  // visit(address, record, tombstone) for each record of the page that `at_` is in, up to `end`; *at_ moves
  // on.
  template <class Visit>
  void ScanPage(LogAddress end, Visit&& visit) {
    HybridLog& log = *parts_.log;
    at_ = std::max(at_, log.begin());  // a truncation may have come
    if (at_ >= end) return;
    const LogAddress page_end = (at_ & ~(log.page_bytes() - 1)) + log.page_bytes();
    const uint64_t length = std::min(page_end, end) - at_;
    uint8_t* const bytes = reinterpret_cast<uint8_t*>(page_.get());
    const Status status = log.CopyOut(at_, length, bytes, parts_.entry);
    if (status != Status::kOk) {
      if (at_ >= log.begin()) status_ = status;
      return;
    }
    for (uint64_t block = 0; block < length && status_ == Status::kOk; block += log.block_bytes()) {
      const Status walked = ForEachRecord(at_ + block, bytes + block, log.block_bytes(), L::kSizes,
                                          [&](LogAddress at, uint8_t* memory, RecordHeader header) {
                                            if (!header.invalid() && !log.IsDead(at, header.version()))
                                              visit(at, Rec::At(memory), header.tombstone());
                                          });
      if (status_ == Status::kOk) status_ = walked;  // a copy may have failed meanwhile
    }
    at_ += length;
  }

  void ScanRegion() {
    ScanPage(progress_.until, [&](LogAddress at, const Rec* record, bool tombstone) {
      progress_.tombstones += tombstone;
      Live live{at, {}, tombstone};
      L::LoadStill(*record, &live.value);
      if (kind_ == CompactionKind::kScan) {
        const auto [found, fresh] = table_.insert_or_assign(typename L::Key(record->key()), std::move(live));
        progress_.superseded += !fresh;
      } else if (!tombstone) {
        Copy(record->key(), live.value, at, at + 8);
      }
    });
    progress_.at = at_;
    if (at_ >= progress_.until) stage_ = kind_ == CompactionKind::kScan ? Stage::kRest : Stage::kShift;
  }

  // What lies between the region and memory: a record there, a tombstone too, is newer.
  void ScanRest() {
    ScanPage(rest_end_, [&](LogAddress, const Rec* record, bool) {
      progress_.superseded += table_.erase(typename L::Key(record->key()));
    });
    if (at_ >= rest_end_) stage_ = Stage::kCopy;
  }

  void CopyTable() {
    while (!table_.empty() && in_flight_ < kMostInFlight && status_ == Status::kOk) {
      const auto entry = table_.extract(table_.begin());
      const Live& live = entry.mapped();
      if (!live.tombstone) Copy(entry.key(), live.value, live.at, rest_end_);
    }
    if (table_.empty()) stage_ = Stage::kShift;
  }

  void Copy(typename L::KeyRef key, typename L::ValueRef value, LogAddress from, LogAddress search_from) {
    if (status_ != Status::kOk) return;
    const Status status = parts_.session->CopyToTail(L::ArgOf(key), L::ArgOfValue(value), from, search_from);
    if (status == Status::kPending)
      ++in_flight_;
    else
      Account(status);
  }

  void Collect() {
    parts_.session->CompletePending(false, [&](const typename SessionType::Op& op) {
      --in_flight_;
      Account(op.result);
    });
  }

  void Account(Status result) {
    if (result == Status::kOk)
      ++progress_.copied;
    else if (result == Status::kNotFound)
      ++progress_.superseded;
    else if (status_ == Status::kOk)
      status_ = result;
  }

  Parts parts_;
  const CompactionKind kind_;
  const std::unique_ptr<uint64_t[]> page_;
  std::unordered_map<typename L::Key, Live, typename L::HashOfKey, typename L::SameKey> table_;
  Stage stage_ = Stage::kRegion;
  CompactionProgress progress_;
  LogAddress at_ = 0;
  LogAddress rest_end_ = 0;  // kScan: the log below has been scanned
  uint32_t in_flight_ = 0;
  Status status_ = Status::kOk;
};

}  // namespace faster
