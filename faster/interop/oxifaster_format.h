// The layout of oxifaster 0.1.3 (74e48ebf), a Rust engine: what its checkpoints' bytes mean. Pure.
//
//   address  page 23 | offset in the page 25, whatever a page's size is; bit 47: in the read cache
//   record   header, key, value of 8 bytes each; header: previous address 48 | version 13 | invalid |
//            tombstone | final (never set). Previous address 1: none
//   page     records from offset 0 on, one behind the other; what is left at its end is zero
//   entry    address 48 | tag 14 | unused | tentative; all zero: free; address 1: nothing in the log yet
//   hash     of a key: XXH3-64 of its bytes (or XXH64, as the engine was compiled). The bucket is its low
//            bits, the tag bits 48 to 61
//   sum      XOR of the little-endian words of the bytes, the last one padded with zeros
//
// A header of zeros is a copy that a compaction made: it links to nothing. The record at address 0 with tag
// 0 has an entry that says "free", and is lost to that engine.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "faster/core/record.h"
#include "faster/interop/transfer.h"

namespace faster::oxifaster {

constexpr uint32_t kOffsetBits = 25;
constexpr uint32_t kLeastPageBits = 10;
constexpr uint32_t kUsualPageBits = 22;  // of FasterKvConfig
constexpr uint64_t kRecordBytes = 24;
constexpr LogAddress kNoAddress = 1;
constexpr LogAddress kAddressEnd = LogAddress{1} << 47;
constexpr uint32_t kTagBits = 14;
constexpr uint64_t kTagMask = (uint64_t{1} << kTagBits) - 1;
constexpr uint64_t kTentative = uint64_t{1} << 63;
constexpr uint64_t kReadCache = uint64_t{1} << 47;
constexpr uint64_t kEntries = 7;  // of a bucket; a link to an overflow bucket follows
constexpr uint64_t kBucketBytes = 64;
constexpr uint64_t kMostTable = uint64_t{1} << 30;
constexpr uint64_t kMostSessions = 96;  // MAX_THREADS

enum class KeyHashKind : uint8_t { kXxh3, kXxh64 };
uint64_t HashOfKey(uint64_t key, KeyHashKind kind);
constexpr uint64_t TagOf(uint64_t hash) { return hash >> 48 & kTagMask; }

uint64_t XorSum(const void* data, size_t bytes);

struct LogRecord {
  RecordHeader header;
  uint64_t key = 0;
  uint64_t value = 0;

  bool hole() const { return (header.control | key | value) == 0; }
};
inline LogRecord RecordAt(const uint8_t* bytes) {
  LogRecord record;
  std::memcpy(&record.header.control, bytes, 8);
  std::memcpy(&record.key, bytes + 8, 8);
  std::memcpy(&record.value, bytes + 16, 8);
  return record;
}

// Where records are.
class Grid {
 public:
  explicit Grid(uint32_t page_bits = kUsualPageBits) : page_bytes_(uint64_t{1} << page_bits) {}
  uint64_t page_bytes() const { return page_bytes_; }
  uint64_t slots() const { return page_bytes_ / kRecordBytes; }
  static uint64_t PageOf(LogAddress at) { return at >> kOffsetBits; }
  static uint64_t OffsetOf(LogAddress at) { return at & ((uint64_t{1} << kOffsetBits) - 1); }
  static LogAddress StartOf(uint64_t page) { return page << kOffsetBits; }
  static LogAddress AddressOf(uint64_t page, uint64_t slot) { return StartOf(page) + slot * kRecordBytes; }
  static uint64_t SlotOf(LogAddress at) { return OffsetOf(at) / kRecordBytes; }
  bool IsSlot(LogAddress at) const {
    return OffsetOf(at) % kRecordBytes == 0 && OffsetOf(at) + kRecordBytes <= page_bytes_;
  }
  // The tail may stand behind the last slot of a page, at any distance: allocations that did not fit.
  bool IsEnd(LogAddress at) const {
    return OffsetOf(at) % kRecordBytes == 0 || OffsetOf(at) >= slots() * kRecordBytes;
  }
  // The first slot of `page` at or above `at`, and how many of its slots end by `at`.
  uint64_t SlotFrom(uint64_t page, LogAddress at) const {
    if (PageOf(at) != page) return PageOf(at) < page ? 0 : slots();
    return std::min(slots(), (OffsetOf(at) + kRecordBytes - 1) / kRecordBytes);
  }
  uint64_t SlotsBelow(uint64_t page, LogAddress at) const {
    if (PageOf(at) != page) return PageOf(at) < page ? 0 : slots();
    return std::min(slots(), OffsetOf(at) / kRecordBytes);
  }
  // Pages of [begin, end) are those from PageOf(begin) up to this one, without it.
  static uint64_t EndPage(LogAddress end) { return PageOf(end) + (OffsetOf(end) != 0 ? 1 : 0); }

 private:
  uint64_t page_bytes_;
};

}  // namespace faster::oxifaster
