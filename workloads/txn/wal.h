// WriteAheadLog: the redo log of the WAL scheme; group commit.
//
// A transaction that wrote takes its place (LSN) at a shared tail while it holds its locks, copies its record
// into a ring there, and goes on; so the order of the log is the order of the conflicts. A flush, one at a
// time and in the background, collects all records below the tail, writes them as one frame and syncs the
// file: that is a group commit. It also notes the serials of clients that have done nothing but read since,
// so that what a client was told and what a recovery finds are the same. Until its frame is synced a record
// stays in the ring: after an error the next flush writes it again, in the same place.
//
// FRAME, in words: XXH3-64 of all after it seeded by its offset and the log's number, magic, sequence (dense,
// from 1), payload words, payload. RECORD: kind << 56 | words; then client, serial; a transaction's record
// goes on with its writes: table << 32 | value words, key, value. Little-endian.
//
// TAIL. A frame that is not whole ends the log, unless a whole one of a higher sequence follows: a frame is
// written only when the one before is durable, so that is damage. (Damage to the last frame and a write that
// a crash tore cannot be told apart; both are reported as a torn tail.)
//
// Thread-safe: Append by any client's thread, StartFlush and TakeFinished from anywhere, Replay before both.
// The ring is 8-byte words, all relaxed atomics, published by a record's first word.
// COST: one compare-and-swap at the tail per transaction that wrote, and the copy.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "faster/core/memory.h"
#include "workloads/txn/commit_files.h"
#include "workloads/txn/timing.h"
#include "workloads/txn/wal_format.h"

namespace workloads::txn {

// A group commit that ended.
struct GroupCommit {
  uint64_t number = 0;  // of the flush, from 1
  Status status = Status::kOk;
  Diagnosis why;
  uint64_t bytes = 0;               // of the frame
  std::vector<ClientPoint> points;  // of every client, if kOk
};

struct LogEnd {
  uint64_t frames = 0;
  uint64_t bytes = 0;       // of whole frames
  uint64_t torn_bytes = 0;  // after them
};

class WriteAheadLog {
 public:
  // `serials` appends the last serial of every client; called by flushes, without locks of this class.
  WriteAheadLog(Storage* storage, uint64_t ring_words,
                std::function<void(std::vector<ClientPoint>*)> serials);
  ~WriteAheadLog();  // waits for a running flush; what is not flushed is lost
  WriteAheadLog(const WriteAheadLog&) = delete;
  WriteAheadLog& operator=(const WriteAheadLog&) = delete;

  // Opens the empty log of commit `number`; `known` is what its marker says.
  Status Open(const std::string& directory, uint64_t number, const std::vector<ClientPoint>& known,
              Diagnosis* why);

  // Appends record[0..words): its first word is filled in. Waits while the ring is full; if it is and the
  // last flush failed, that is the error. kTooLarge: longer than the ring. The caller holds its locks.
  template <class Timing>
  Status Append(uint64_t* record, uint64_t words, Timing* timing) {
    uint64_t at = tail_.load(std::memory_order_relaxed);
    do {
      while (at + words > head_.load(std::memory_order_acquire) + ring_words_) {
        timing->EndTail();
        const Status status = AwaitRoom(words);
        timing->EndLog();
        if (status != Status::kOk) return status;
        at = tail_.load(std::memory_order_relaxed);
      }
    } while (
        !tail_.compare_exchange_weak(at, at + words, std::memory_order_acq_rel, std::memory_order_relaxed));
    timing->EndTail();
    uint64_t* const ring = static_cast<uint64_t*>(ring_.data());
    for (uint64_t i = 1; i < words; ++i) faster::StoreWord(&ring[(at + i) & (ring_words_ - 1)], record[i]);
    faster::StoreWord(&ring[at & (ring_words_ - 1)], kTransactionRecord << 56 | words,
                      std::memory_order_release);
    return Status::kOk;
  }

  // Starts a flush of all that is in the log now unless one runs. Its number; 0 if one runs.
  uint64_t StartFlush();
  uint64_t NextFlush();  // the number of the next one
  void TakeFinished(std::vector<GroupCommit>* finished);
  // Something is there that no flush that ended well has covered, as far as the ring says.
  bool HasUnflushed() const {
    return tail_.load(std::memory_order_acquire) != head_.load(std::memory_order_acquire);
  }
  Status allocated() const { return ring_.data() != nullptr ? Status::kOk : Status::kOutOfMemory; }

  // Applies the log of `marker` to `tables` and moves marker->points on.
  static Status Replay(Storage& storage, const std::string& directory, CommitMarker* marker, Tables& tables,
                       LogEnd* end, Diagnosis* why);

 private:
  Status AwaitRoom(uint64_t words);
  static void FlushJob(void* log);
  void Flush();
  uint64_t Collect(std::vector<uint64_t>* frame, GroupCommit* commit);
  void AddPoints(const std::vector<ClientPoint>& serials, std::vector<uint64_t>* frame, GroupCommit* commit);
  void MovePoint(uint64_t client, uint64_t serial, std::vector<ClientPoint>* points) const;
  Status WriteFrame(std::vector<uint64_t>* frame, Diagnosis* why);
  void Consume(uint64_t until, GroupCommit* commit);

  Storage* const storage_;
  const uint64_t ring_words_;
  const std::function<void(std::vector<ClientPoint>*)> serials_;
  faster::ZeroedMemory ring_;
  alignas(64) std::atomic<uint64_t> tail_{0};
  alignas(64) std::atomic<uint64_t> head_{0};  // below it all is durable and the ring is free again
  std::atomic<Status> last_{Status::kOk};      // how the last flush ended

  // Of the flush that runs.
  std::unique_ptr<faster::File> file_;
  std::string path_;
  uint64_t number_ = 0;       // of the commit that the log belongs to
  uint64_t file_offset_ = 0;  // where the next frame goes
  uint64_t sequence_ = 1;     // its sequence
  std::vector<ClientPoint> durable_;
  std::vector<uint64_t> frame_;  // kept: new pages for each of some megabytes would cost more than the copy

  std::mutex mutex_;  // guards what follows; never held over I/O
  std::condition_variable ended_;
  bool running_ = false;
  uint64_t flushes_ = 0;
  std::vector<GroupCommit> finished_;
};

}  // namespace workloads::txn
