// The log of an oxifaster checkpoint, page by page: from log.snapshot, from the device, or from a snapshot
// with a delta on top.
//
//   log.snapshot       u64 begin, final, bytes of a page, pages in memory; {u64 page, its bytes} for each
//                      page of [begin, final); u64 all ones
//   log.snapshot.crc   u64 n; n times u64 page, u64 sum of its bytes
//   device             page p at p << 25, whole; one file, or FILE.<n> of `segment_bytes` each. The log of a
//                      fold-over checkpoint. A page's size is in no file
//
// WHAT LIES. In memory page p shares a buffer with p + n * "pages in memory". Their snapshot copies that
// buffer for p even if a later page is in it by then. Such a page was evicted, so it is on the device, and is
// read there.
//
// A page is `covered` if all of it that was read has a sum that fits. Thread-compatible: reads are const.
// Blocking. ERRORS: kCorruption names file and offset. kInvalidArgument: no device, or another page size.
// kNotFound: the device's file. COST: a word a page of the snapshot.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "faster/device/storage.h"
#include "faster/interop/oxifaster_checkpoint.h"
#include "faster/interop/oxifaster_delta.h"
#include "faster/interop/oxifaster_format.h"

namespace faster::oxifaster {

struct Device {
  Storage* storage = nullptr;  // null: none
  std::string path;
  uint64_t segment_bytes = 0;  // 0: one file
};

class LogReader {
 public:
  // `page_bits` is that of a fold-over checkpoint; 0: the usual one. log.snapshot says its own.
  Status Open(Storage* storage, const Checkpoint& checkpoint, const Device& device, uint32_t page_bits,
              Warnings* warnings, Diagnosis* why);
  const Grid& grid() const { return grid_; }
  uint64_t first_page() const { return Grid::PageOf(begin_); }
  uint64_t end_page() const { return std::max(first_page(), Grid::EndPage(final_)); }
  // The whole page into `bytes`; what is behind the final address may be anything.
  Status ReadPage(uint64_t page, uint8_t* bytes, bool* covered, Diagnosis* why) const;
  // For diagnoses: the file that holds `at`, and where in it.
  std::string PathOf(LogAddress at) const;
  uint64_t OffsetOf(LogAddress at) const;

 private:
  Status OpenSnapshot(Storage* storage, const LogInfo& log, uint32_t page_bits, Warnings* warnings,
                      Diagnosis* why);
  Status CheckSnapshotHeader(const uint64_t* header, const LogInfo& log, uint32_t page_bits, Diagnosis* why);
  Status ReadSnapshotSums(Storage* storage, Warnings* warnings, Diagnosis* why);
  Status CheckDevice(const Checkpoint& checkpoint, Diagnosis* why) const;
  Status CheckDevicePageSize(Diagnosis* why) const;
  Status ReadSnapshotPage(uint64_t page, uint8_t* bytes, bool* covered, Diagnosis* why) const;
  Status ReadDevice(LogAddress from, uint8_t* bytes, uint64_t length, Diagnosis* why) const;
  Status ReadPart(uint64_t page, uint8_t* bytes, Diagnosis* why) const;
  // The snapshot has the page, and it is the page's own.
  bool InSnapshot(uint64_t page) const {
    return snapshot_ != nullptr && page >= snapshot_first_ && page < snapshot_end_ &&
           snapshot_end_ - page <= buffer_pages_;
  }
  uint64_t SnapshotOffset(uint64_t page) const;
  const DeltaPart* PartOf(LogAddress at) const;

  Grid grid_;
  LogAddress begin_ = 0;
  LogAddress final_ = 0;
  Device device_;
  std::string snapshot_path_;
  std::unique_ptr<File> snapshot_;
  LogAddress snapshot_final_ = 0;
  uint64_t snapshot_first_ = 0;  // pages
  uint64_t snapshot_end_ = 0;
  uint64_t buffer_pages_ = 0;
  std::vector<uint64_t> sums_;  // of the snapshot's pages; empty: there are none
  std::string delta_path_;
  std::unique_ptr<File> delta_;
  LogAddress delta_from_ = 0;  // the device has [snapshot_final_, delta_from_)
  std::vector<DeltaPart> parts_;
};

}  // namespace faster::oxifaster
