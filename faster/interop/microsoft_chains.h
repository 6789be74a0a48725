// Chains: which records of a log of Microsoft's FASTER a recovery of a checkpoint brings back.
//
// The rules of the original (FasterKv::Recover): the index is as in the checkpoint; then every record of
// [start, final) in the order of addresses becomes the head of its chain if its version is at most v, and is
// undone if it is v + 1. What a chain leads to is there, the newest record of a key counts, a tombstone
// hides.
//
// HOW. All chains are walked at the same time by reading the log once, downwards, page by page: an entry of
// the index is a cursor, and a record whose address is that of its class's cursor is on the chain; the cursor
// goes on to its previous address. So the log is read in order, never at random, and memory is the index
// plus one bit a record.
//
// After an index grew, a chain may run through records of the other half, so a record is looked for under the
// buckets that were one with its own, too: as many growths back as turn out to be necessary.
//
// WHAT DAMAGE IS FOUND. No file has a checksum; but chain and grid are redundant, and a flipped bit in an
// entry, header or key, a lost page or block, or a file of another checkpoint breaks one of these:
//   * a header has its final bit, no version above v (v + 1 above start), a previous address below its own
//   * every entry and every link ends at a record of its own class (14 bits of tag), not marked invalid
//   * every record that counts is on its chain. Records that are on none may be: those that lost the race for
//     their entry; those that a delete in memory took out of the index with their tombstone set; and older
//     versions of a key whose newer one is on its chain.
//   * no more slots in a row are empty than there can be threads
// What cannot be told: a bit of a value or a tombstone; a version that is a lower one now; a begin address
// that hides records, or a start address that has more replayed; a record of [start, final) that lost its
// header or is of v + 1 now; a final address that cuts records off.
//
// One thread. Blocking. COST: Find() reads the log once (its part above start twice), a cache line a record;
// index and log once more whenever chains turn out to have parted more growths ago than was thought. ForEach
// reads the log again.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "faster/interop/microsoft_index.h"
#include "faster/interop/microsoft_log.h"

namespace faster::microsoft {

class Chains {
 public:
  Chains(Storage* storage, const Checkpoint& checkpoint, const Geometry& geometry, const LogReader& log,
         const TransferObserver& observer);

  // Finds them. Must come first and succeed.
  Status Find(Diagnosis* why);
  uint64_t records() const { return records_; }        // that are on a chain and of a version that counts
  uint64_t undone() const { return undone_; }          // of v + 1
  uint64_t tombstones() const { return tombstones_; }  // of the records

  // visit(address, record) for each of them in the order of addresses. The last version of a key in that
  // order is its state. kCorruption after the last one: a record that counts was on no chain.
  template <class Visit>
  Status ForEach(Visit&& visit, Diagnosis* why) {
    for (uint64_t page = log_.first_page(); page < log_.end_page(); ++page) {
      Status status = log_.ReadPage(page, page_bytes(), why);
      const uint64_t last = grid_.SlotsBelow(page, checkpoint_.log.final_address);
      for (uint64_t slot = 0; status == Status::kOk && slot < last; ++slot) {
        if (!Marked(page, slot)) continue;
        const LogAddress at = grid_.AddressOf(page, slot);
        const LogRecord record = RecordIn(page, slot);
        if (!strays_.empty()) Explain(record.key, at);
        status = visit(at, record);
      }
      if (status != Status::kOk) return status;
      ReportPage("reading records", page);
    }
    return CheckStrays(why);
  }

 private:
  enum class Kind : uint8_t { kHole, kInvalid, kUndone, kCounts };

  Status Replay(Diagnosis* why);
  Status CheckHoles(uint64_t page, uint64_t last, Diagnosis* why) const;
  Status Walk(Diagnosis* why);
  Status WalkPage(uint64_t page, Diagnosis* why);
  Status FollowAt(LogAddress at, const LogRecord& record, Kind kind, bool* on_chain, Diagnosis* why);
  Status Classify(LogAddress at, const LogRecord& record, Kind* kind, Diagnosis* why) const;
  Status CheckCursors(uint32_t* growths, Diagnosis* why);
  Status AddStray(LogAddress at, uint64_t key, Diagnosis* why);
  void Explain(uint64_t key, LogAddress at);
  Status CheckStrays(Diagnosis* why) const;
  Status Bad(LogAddress at, std::string expected, std::string found, Diagnosis* why) const;
  void ReportPage(std::string_view step, uint64_t page) const;

  uint8_t* page_bytes() const { return static_cast<uint8_t*>(page_memory_.data()); }
  LogRecord RecordIn(uint64_t page, uint64_t slot) const {
    return RecordAt(page_bytes() + grid_.FirstIn(page) + slot * kRecordBytes);
  }
  uint64_t BitOf(uint64_t page, uint64_t slot) const {
    return grid_.SlotsIn(1) * (page - log_.first_page()) + slot;
  }
  bool Marked(uint64_t page, uint64_t slot) const { return marks_[BitOf(page, slot)]; }

  Storage* const storage_;
  const Checkpoint& checkpoint_;
  const Geometry geometry_;
  const LogReader& log_;
  const TransferObserver& observer_;
  const Grid grid_;
  std::optional<Table> table_;
  ZeroedMemory page_memory_;
  std::vector<bool> marks_;
  std::unordered_map<uint64_t, LogAddress> strays_;  // key to the newest record of it that is on no chain
  uint32_t growths_ = 0;                             // how many the chains are looked at for
  uint64_t records_ = 0;
  uint64_t undone_ = 0;
  uint64_t tombstones_ = 0;
};

}  // namespace faster::microsoft
