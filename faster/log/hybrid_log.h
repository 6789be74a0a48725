// HybridLog: the record log that spans memory and disk (FASTER paper sec. 5, CPR paper sec. 6).
//
//   begin <= update_begin <= head <= flushed_until <= safe_read_only <= read_only <= tail
//   on disk | in memory, read-only | fuzzy [safe_read_only, read_only) | mutable
//
// Memory is one circular buffer of pages; address a lives at a mod buffer size while a >= head. Bytes are
// divided into blocks of `block_bytes`: the first word of a block is its checksum (seeded by address and
// generation), no record crosses a block. A block is written exactly once in a generation, whole, after it
// became read-only, so no later write can tear what a checkpoint relies on; a checkpoint ends at a block
// boundary (CloseBlock).
//
// Records below begin are gone: a chain that leads there ends there. A truncation raises update_begin first,
// so that no update starts from a record below any more, and begin when all that did are over: whoever saw a
// key absent never sees what it was before again. Both are block boundaries. Whoever asks whether an address
// is below begin must have loaded begin before the index entry that led to it: a compaction links the copies
// of what it drops before it raises begin.
//
// INVARIANTS: addresses only grow; a page leaves memory only after it is written and no protected thread can
// hold an address in it. THREAD-SAFETY: all members, except Open*/Restore* before the log is shared;
// functions marked [protected] need an epoch entry. ERRORS: a failed write keeps its page in memory and is
// tried again by Poll() as soon as somebody needs its frame; see write_failures(). COST: Allocate is one
// fetch_add.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/config.h"
#include "faster/core/epoch.h"
#include "faster/core/memory.h"
#include "faster/log/flush_tracker.h"
#include "faster/log/segmented_file.h"

namespace faster {

class HybridLog {
 public:
  HybridLog(const StoreConfig& config, Storage* storage, LightEpoch* epoch);
  ~HybridLog();  // waits for writes in flight

  Status AllocateBuffer(Diagnosis* why);
  // Empty log written by `generation`.
  void StartEmpty(uint64_t generation);
  // Continues a recovered log: everything below `tail` is history; bytes in [head, tail) are in the buffer,
  // those below `flushed` on disk (from log.flushed_until on written by recovery and not synced yet).
  void StartRecovered(const LogMetadata& log, LogAddress head, LogAddress flushed, uint64_t generation);

  // [protected] Space for one record, zeroed; 0 if the next page is not ready: leave the epoch, Poll, retry.
  LogAddress Allocate(uint32_t bytes) {
    for (;;) {
      const uint64_t seen = tail_.load(std::memory_order_relaxed);
      if (Offset(seen) >= page_bytes_) [[unlikely]] {
        if (!OpenNextPage(seen)) return 0;
        continue;
      }
      const uint64_t taken = tail_.fetch_add(bytes, std::memory_order_acq_rel);
      const uint64_t offset = Offset(taken);
      const uint64_t in_block = offset & block_mask_;
      if (offset + bytes <= page_bytes_ && in_block != 0 && in_block + bytes <= block_mask_ + 1) [[likely]] {
        return (taken >> kOffsetBits << page_bits_) + offset;
      }
      // Crossed a block or page boundary: the space stays zero, which scans skip.
    }
  }

  // The same for records of sizes that differ, up to block_bytes() - 8: space is left out only at the end of
  // a block. (A fetch_add that crossed a boundary would leave out as much again, and, with records nearly as
  // large as a block, many times over.)
  LogAddress AllocateAny(uint32_t bytes) {
    uint64_t seen = tail_.load(std::memory_order_relaxed);
    for (;;) {
      uint64_t offset = Offset(seen);
      const uint64_t in_block = offset & block_mask_;
      if (in_block == 0) {
        offset += 8;
      } else if (in_block + bytes > block_mask_ + 1) {
        offset = (offset | block_mask_) + 1 + 8;
      }
      const uint64_t page = seen >> kOffsetBits;
      if (offset + bytes > page_bytes_) [[unlikely]] {
        if (!OpenNextPage(seen)) return 0;
        seen = tail_.load(std::memory_order_relaxed);
      } else if (tail_.compare_exchange_weak(seen, page << kOffsetBits | (offset + bytes),
                                             std::memory_order_acq_rel, std::memory_order_relaxed)) {
        return (page << page_bits_) + offset;
      }
    }
  }

  // [protected for addresses >= head()]
  uint8_t* At(LogAddress address) { return buffer_ + (address & buffer_mask_); }

  // Moves the tail to the next block boundary and returns it: no record allocated later lies below.
  LogAddress CloseBlock();
  void ShiftReadOnly(LogAddress to);   // starts the flush of everything below `to` once it is safe
  void Poll();                         // drains epochs, moves head, retries failed writes
  void PollDevice() { file_.Poll(); }  // callbacks of transfers that have ended, if they wait for a caller

  LogAddress begin() const { return begin_.load(std::memory_order_acquire); }
  LogAddress update_begin() const { return update_begin_.load(std::memory_order_acquire); }
  // A block boundary, at most head(). Updates start from nothing below; see Checkpointer::ShiftBegin.
  void AnnounceBegin(LogAddress to);
  void ShiftBegin(LogAddress to);  // announced before, or nothing below is the newest of its key
  LogAddress head() const { return head_.load(std::memory_order_acquire); }
  LogAddress read_only() const { return read_only_.load(std::memory_order_acquire); }
  LogAddress safe_read_only() const { return safe_read_only_.load(std::memory_order_acquire); }
  LogAddress flushed_until() const { return flushes_.flushed_until(); }
  LogAddress tail() const;
  // Page writes that failed so far, retries counted, and how the last one did.
  uint64_t write_failures() const { return flushes_.failures(); }
  Status last_write_failure() const { return flushes_.last_failure(); }
  void RetryFailedWrites();

  // Makes everything below `until` durable; it has been flushed before. After a failed sync all that was
  // written since the last good one is written again first, as the device may have dropped it. Blocking, one
  // at a time.
  Status SyncUntil(LogAddress until, LightEpoch::Entry* entry);
  // Copies [from, from + length) within one page: from memory, or from disk once evicted. Blocking.
  Status CopyOut(LogAddress from, uint64_t length, uint8_t* to, LightEpoch::Entry* entry);
  // Fills the checksum word of each block of a copy of [from, from + length).
  void SealBlocks(uint8_t* blocks, LogAddress from, uint64_t length) const;
  bool BlockIsGood(const uint8_t* block, LogAddress address) const;
  // Reads the block that holds `address` into `block` (block_bytes); check it with BlockIsGood.
  void ReadBlockAsync(LogAddress address, uint8_t* block, IoCallback done, void* context);

  bool IsDead(LogAddress address, uint32_t version) const;
  const std::vector<DeadRange>& dead_ranges() const { return dead_ranges_; }
  const std::vector<Generation>& generations() const { return generations_; }
  uint64_t generation() const { return generations_.back().generation; }
  SegmentedFile& file() { return file_; }
  uint64_t page_bytes() const { return page_bytes_; }
  uint64_t block_bytes() const { return block_mask_ + 1; }
  uint64_t buffer_bytes() const { return buffer_mask_ + 1; }

 private:
  static constexpr uint32_t kOffsetBits =
      32;  // tail_ = page number << 32 | offset, offset may overrun the page
  struct FlushIo {
    HybridLog* log;
    LogAddress from;
    uint64_t length;
  };

  static uint64_t Offset(uint64_t tail) { return tail & ((uint64_t{1} << kOffsetBits) - 1); }
  bool OpenNextPage(uint64_t seen_tail);
  void MoveHead();
  void OnSafeReadOnly(LogAddress to);
  void OnClosed(LogAddress to);
  void WriteRange(LogAddress from, LogAddress to);
  void SubmitWrite(LogAddress from, LogAddress to);
  static void OnWritten(void* context, Status status, uint64_t bytes);
  uint64_t GenerationOf(LogAddress address) const;

  const uint32_t page_bits_;
  const uint64_t page_bytes_;
  const uint64_t block_mask_;
  const uint64_t buffer_mask_;
  const uint32_t buffer_pages_;
  const uint32_t mutable_pages_;
  const bool huge_pages_;
  const bool prefault_;
  LightEpoch* const epoch_;
  ZeroedMemory memory_;
  uint8_t* buffer_ = nullptr;  // memory_'s bytes

  alignas(64) std::atomic<uint64_t> tail_{0};
  alignas(64) std::atomic<LogAddress> read_only_{0};  // read by every update, written once a page
  std::atomic<LogAddress> safe_read_only_{0};
  std::atomic<LogAddress> head_{8};  // never 0, so that `address >= head()` excludes the null address
  alignas(64) std::atomic<LogAddress> closed_until_{0};  // pages below are out of every thread's sight
  std::atomic<LogAddress> wanted_head_{0};
  std::atomic<LogAddress> begin_{0};
  std::atomic<LogAddress> update_begin_{0};
  std::mutex page_mutex_;   // guards opening of pages
  bool recovered_ = false;  // the buffer held recovered pages: no frame is known to be zero
  FlushTracker flushes_;
  std::atomic<uint32_t> writes_in_flight_{0};
  SegmentedFile file_;
  LogAddress synced_until_ = 0;   // used by SyncUntil only, as the next
  LogAddress rewrite_until_ = 0;  // a failed sync may have lost what lies in [synced_until_, this)
  std::vector<DeadRange> dead_ranges_;
  std::vector<Generation> generations_;
};

}  // namespace faster
