// The log of Microsoft's FASTER: records on a grid, in pages, in segments log.log<N> and snapshot.dat.
//
// A record of 8-byte key and value is three words: header, key, value. The header has the bits of ours
// (core/record.h): previous address 48, version 13, invalid, tombstone, final (always 1). Nothing but records
// is in a page, one behind the other: the first of page 0 is at 64, of any other at 0, and a page's rest that
// is too small for one is zero. A slot whose words are all zero is a hole: an allocation that was never used.
//
// Page p is at p * page_bytes of the log, so in log.log<p * page_bytes / segment_bytes>. In a checkpoint with
// a snapshot, pages from that of `flushed` on are in snapshot.dat instead, the first of them at its start.
//
// THREAD-SAFETY: Grid is a value; LogReader is immutable after Open; LogWriter is of one thread. Blocking.
// ERRORS: kCorruption names the file and offset, also of a file that is missing or too short.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "faster/core/memory.h"
#include "faster/core/record.h"
#include "faster/device/storage.h"
#include "faster/interop/microsoft_checkpoint.h"
#include "faster/interop/microsoft_hash.h"

namespace faster::microsoft {

struct LogRecord {
  RecordHeader header;
  uint64_t key = 0;
  uint64_t value = 0;

  bool hole() const { return (header.control | key | value) == 0; }
};

// Where records are.
class Grid {
 public:
  explicit Grid(uint32_t page_bits) : page_bits_(page_bits) {}
  uint64_t page_bytes() const { return uint64_t{1} << page_bits_; }
  uint64_t PageOf(LogAddress at) const { return at >> page_bits_; }
  LogAddress StartOf(uint64_t page) const { return page << page_bits_; }
  uint64_t FirstIn(uint64_t page) const { return page == 0 ? kFirstAddress : 0; }  // offset in the page
  uint64_t SlotsIn(uint64_t page) const { return (page_bytes() - FirstIn(page)) / kRecordBytes; }
  LogAddress AddressOf(uint64_t page, uint64_t slot) const {
    return StartOf(page) + FirstIn(page) + slot * kRecordBytes;
  }
  bool IsSlot(LogAddress at) const {
    const uint64_t page = PageOf(at), offset = at - StartOf(page);
    return offset >= FirstIn(page) && (offset - FirstIn(page)) % kRecordBytes == 0 &&
           offset + kRecordBytes <= page_bytes();
  }
  // The first slot of `page` at or above `at`, and the first that does not end by `at`.
  uint64_t SlotFrom(uint64_t page, LogAddress at) const;
  uint64_t SlotsBelow(uint64_t page, LogAddress at) const;

 private:
  uint32_t page_bits_;
};

class LogReader {
 public:
  // Of a geometry that is valid.
  explicit LogReader(const Geometry& geometry) : geometry_(geometry), grid_(geometry.page_bits) {}

  // Checks that the files have all of [begin, final). `storage` outlives the reader.
  Status Open(Storage* storage, std::string_view directory, const Checkpoint& checkpoint, Diagnosis* why);
  const Grid& grid() const { return grid_; }
  uint64_t first_page() const { return grid_.PageOf(begin_); }
  uint64_t end_page() const { return grid_.PageOf(final_ - 1) + 1; }
  // The page's bytes up to the final address. `bytes` has room for a page.
  Status ReadPage(uint64_t page, uint8_t* bytes, Diagnosis* why) const;
  Status ReadRecord(LogAddress at, LogRecord* record, Diagnosis* why) const;
  // For diagnoses: the file that holds `at`, and where in it.
  std::string PathOf(LogAddress at) const;
  uint64_t OffsetOf(LogAddress at) const;

 private:
  Status Read(LogAddress from, uint8_t* bytes, uint64_t length, Diagnosis* why) const;
  Status OpenSegments(Storage* storage, std::string_view directory, LogAddress end, Diagnosis* why);
  Status FindSegmentBytes(const std::map<uint64_t, uint64_t>& sizes, Diagnosis* why);
  bool InSnapshot(LogAddress at) const { return snapshot_ && at >= snapshot_from_; }

  Geometry geometry_;
  const Grid grid_;
  std::string directory_;
  std::string snapshot_path_;
  LogAddress begin_ = 0;
  LogAddress final_ = 0;
  LogAddress snapshot_from_ = 0;  // a page's start
  std::map<uint64_t, std::unique_ptr<File>> segments_;
  std::unique_ptr<File> snapshot_;
};

class LogWriter {
 public:
  LogWriter(Storage* storage, std::string directory, const Geometry& geometry);

  // Pages from `page` on go to this file instead of segments, the first of them at its start.
  void SnapshotFrom(uint64_t page, std::string path) {
    snapshot_from_ = page, snapshot_path_ = std::move(path);
  }
  // Where the next record goes.
  LogAddress tail() const { return grid_.AddressOf(page_, slot_); }
  // The record at tail(). kNoSpace: the address space is used up.
  Status Append(const LogRecord& record);
  // Writes the last page and makes all files durable, but not their names. *final_address is behind the last
  // record. `why` of this or an earlier call's error.
  Status Finish(LogAddress* final_address, Diagnosis* why);
  const std::vector<std::string>& paths() const { return paths_; }  // of the files it made
  uint64_t pages() const { return page_; }                          // that are full

 private:
  Status WritePage();
  Status OpenFor(uint64_t page, uint64_t* offset);
  Status CloseFile();

  Storage* const storage_;
  const std::string directory_;
  const Geometry geometry_;
  const Grid grid_;
  uint64_t snapshot_from_ = ~uint64_t{0};
  std::string snapshot_path_;
  ZeroedMemory memory_;
  uint64_t page_ = 0;
  uint64_t slot_ = 0;
  std::unique_ptr<File> file_;
  std::vector<std::string> paths_;
  Status status_ = Status::kOk;
  Diagnosis why_;
};

inline LogRecord RecordAt(const uint8_t* bytes) {
  LogRecord record;
  std::memcpy(&record.header.control, bytes, 8);
  std::memcpy(&record.key, bytes + 8, 8);
  std::memcpy(&record.value, bytes + 16, 8);
  return record;
}

}  // namespace faster::microsoft
