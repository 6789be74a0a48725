// ReadCache: copies of records that were read from disk, in a circular log of their own that never reaches
// the disk (FASTER paper sec. 7.1; a bit of the 48-bit address marks its addresses).
//
//   index entry -> [cache record] -> first record of the chain in the log -> ... -> disk
//
// An entry leads to one cache record at most; that record's `previous` is the log address that the entry
// would have without it. RealAddress() is the one place where an entry becomes a log address; all who follow,
// save or move chains ask it. A copy is linked by a CAS on the entry whose chain held nothing newer of the
// key, and every update replaces the entry by one without it: so a linked copy is the newest record of its
// key, and updates need not look at the cache. `source` is the address that was copied: below begin() the
// copy counts for nothing.
//
// Pages are filled in order and evicted in order, one at a time, in two steps of the epoch. First no thread
// is left that could still link a record of the page; then its entries are set back to their log addresses;
// then no thread is left that read such an entry before. Only now the frame has a new tenant. A record read
// again since it was copied gets a second chance: it moves to the tail, up to half a page of them.
//
// A growth of the index drops the copies of the buckets that it splits, and nothing is cached while it runs.
//
// INVARIANTS: cache addresses are never used twice (so the CAS on an entry sees every change); no file ever
// holds one. THREAD-SAFETY: all members but Open; [protected] ones need an epoch entry, held from before the
// entry was loaded. ERRORS: none; without a free frame nothing is cached. COST: off, nothing; a hit is one
// cache line more than a record in memory; a page evicted costs a look at the index per record.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "faster/core/config.h"
#include "faster/core/epoch.h"
#include "faster/core/layout.h"
#include "faster/core/memory.h"
#include "faster/core/words.h"
#include "faster/index/hash_index.h"

namespace faster {

class ReadCache {
 public:
  // The version field of a record has no meaning here: its lowest bit says "read since it was copied".
  static constexpr uint64_t kReferenced = uint64_t{1} << 48;
  static constexpr uint32_t kSourceBytes = 8;  // the address copied, before the record
  static constexpr uint64_t kLeastPages = 4;

  ReadCache(const StoreConfig& config, RecordSizes sizes, LightEpoch* epoch, const HashIndex* index,
            RecordHash hash);

  Status Open(bool huge_pages, Diagnosis* why);
  bool on() const { return bytes_ != 0; }

  // [protected] Where the chain of an entry begins in the log.
  LogAddress RealAddress(HashEntry entry) const {
    if (!entry.cached()) [[likely]]
      return entry.address();
    return HeaderAt(entry.address()).previous();
  }

  // [protected] Space for a copy of so many bytes that the caller fills at once, whole, and then links or
  // marks invalid; 0 if there is no room now.
  LogAddress Reserve(uint64_t bytes);
  uint8_t* At(LogAddress address) const { return memory_ + (address & mask_); }
  LogAddress Source(LogAddress address) const { return LoadWord(SourceAt(address)); }
  void SetSource(LogAddress address, LogAddress source) { StoreWord(SourceAt(address), source); }
  // [protected] Notes that the copy was of use.
  void Touch(LogAddress address) {
    uint64_t* const header = reinterpret_cast<uint64_t*>(At(address));
    if (!second_chance_ || (LoadWord(header) & kReferenced) != 0) return;  // a hot record is written once
    std::atomic_ref<uint64_t>(*header).fetch_or(kReferenced, std::memory_order_relaxed);
  }

  // For checks: does the address lie in a page that is not evicted?
  bool Holds(LogAddress address) const;
  std::string Describe() const;

 private:
  static constexpr uint32_t kOffsetBits = 32;  // tail_ = page number << 32 | offset, which may overrun
  static constexpr uint64_t kMostPageBytes = 1 << 20;

  static uint64_t Offset(uint64_t tail) { return tail & ((uint64_t{1} << kOffsetBits) - 1); }
  RecordHeader HeaderAt(LogAddress address) const {
    return {LoadWord(reinterpret_cast<const uint64_t*>(At(address)), std::memory_order_acquire)};
  }
  uint64_t* SourceAt(LogAddress address) const {
    return reinterpret_cast<uint64_t*>(At(address) - kSourceBytes);
  }
  LogAddress AddressOf(uint64_t page, uint64_t offset) const {
    return HashEntry::kCached | ((page << page_bits_) + offset);
  }
  bool OpenNextPage(uint64_t seen_tail);
  void EvictIfNeeded();
  void OnUnlinkable(uint64_t page);
  void OnUnseen(uint64_t page);
  struct Walk;
  void Unlink(uint64_t page);
  LogAddress Move(LogAddress from, uint64_t bytes);

  const uint64_t bytes_;  // 0: off
  const RecordSizes sizes_;
  const uint64_t most_bytes_;  // of a record, with its source
  const bool second_chance_;
  LightEpoch* const epoch_;
  const HashIndex* const index_;
  const RecordHash hash_;
  uint32_t page_bits_ = 0;
  uint64_t pages_ = 0;  // frames
  uint64_t lead_ = 1;   // frames kept free ahead of the tail
  uint64_t mask_ = 0;
  ZeroedMemory frames_;
  uint8_t* memory_ = nullptr;   // frames_'s bytes
  std::vector<uint32_t> ends_;  // where the records of a full page end, by frame; guarded by page_mutex_
  LightEpoch::Entry* evictor_entry_ = nullptr;  // of the eviction in progress

  alignas(64) std::atomic<uint64_t> tail_{0};
  alignas(64) std::atomic<uint64_t> evicted_{0};  // pages below are gone, their frames free
  std::atomic<bool> evicting_{false};
  std::mutex page_mutex_;  // guards opening of pages
};

}  // namespace faster
