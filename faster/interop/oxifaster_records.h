// Records: which records of an oxifaster log count, in the order in which they were linked.
//
// THE LOG IS THE AUTHORITY, not the index: every record of [begin, final) that is not marked invalid counts.
// Their own recovery takes the index as it was copied before the final address was taken, and has no replay,
// so under load it loses what came between. Of a key the newest record in its chain is its state. A record
// that lost a race for its entry is linked again where it stands, so a chain may lead to a higher address:
// records are given out after the one that they link to, else in the order of addresses.
//
// WHAT IS LEFT OUT. Invalid records. Copies of a compaction (a header of zeros) that nothing leads to: it
// gave them up. Records that link to one at or above the final address: they came after the checkpoint.
//
// WHAT DAMAGE IS FOUND. Everywhere: a link off the grid, to nothing, to a record of another class (14 bits of
// tag) or in a circle. In pages without a checksum (oxifaster_log.h) also: empty slots, records that are
// invalid or come later but are linked to, bits and values that a record cannot have, and entries of the
// index that lead to no record of their class. With all pages covered such an entry is only warned of. An
// index whose tags are right is no proof of more: flips of values and version bits of uncovered pages, of a
// tombstone whose value is 0, and of a begin address pass.
//
// One thread. Blocking. COST: Survey() and ForEach() read the log once each, Survey the index too; memory is
// two bytes a record, a page, and what waits for a later record.
#pragma once

#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "faster/core/memory.h"
#include "faster/interop/oxifaster_log.h"

namespace faster::oxifaster {

class Records {
 public:
  // visit(key, value, tombstone), until it returns another status than kOk.
  using Visit = std::function<Status(uint64_t, uint64_t, bool)>;

  Records(Storage* storage, const Checkpoint& checkpoint, const LogReader& log, KeyHashKind hash,
          const TransferObserver& observer)
      : storage_(storage), checkpoint_(checkpoint), log_(log), hash_(hash), observer_(observer) {}

  // Looks at all of it. Must come first and succeed.
  Status Survey(Warnings* warnings, Diagnosis* why);
  uint64_t records() const { return records_; }  // that ForEach gives out, at most
  Status ForEach(const Visit& visit, Diagnosis* why);
  // Afterwards: records that it gave out, tombstones among them, and records that it did not.
  uint64_t given() const { return given_; }
  uint64_t tombstones() const { return tombstones_; }
  uint64_t left_out() const { return left_out_; }

 private:
  // A slot in 16 bits: what is in it, and the tag.
  enum Kind : uint16_t { kHole = 0, kInvalid = 1, kCopy = 2, kCounts = 3 };
  struct Node {
    LogAddress at = 0;
    LogRecord record;
    bool counts = false;
  };

  using PageVisit = std::function<Status(uint64_t page, const uint8_t* bytes, bool covered)>;
  Status ForEachPage(std::string_view step, const PageVisit& visit, Diagnosis* why);
  Status SurveyPage(uint64_t page, const uint8_t* bytes, Diagnosis* why);
  Status Classify(LogAddress at, const LogRecord& record, bool covered, Kind* kind, Diagnosis* why);
  Status BadHole(LogAddress at, Diagnosis* why) const;
  void Resolve(LogAddress at, uint64_t tag);
  Status FollowLink(LogAddress at, Diagnosis* why);
  Status CheckIndex(Warnings* warnings, Diagnosis* why);
  Status CheckCopies(bool index_whole, Warnings* warnings, Diagnosis* why);
  Status BadLink(LogAddress at, std::string expected, LogAddress to, Diagnosis* why) const;
  Status Give(const LogRecord& record, const Visit& visit);
  Status Handle(const Node& node, const Visit& visit, Diagnosis* why);
  Status HandlePage(uint64_t page, const uint8_t* bytes, const Visit& visit, Diagnosis* why);
  Status DropLater(Diagnosis* why);
  LogAddress LinkOf(LogAddress at, const LogRecord& record) const;
  void ReportPage(std::string_view step, uint64_t page) const;

  uint16_t& SlotAt(LogAddress at) { return pages_[Grid::PageOf(at) - log_.first_page()][Grid::SlotOf(at)]; }
  uint16_t SlotAt(LogAddress at) const {
    return pages_[Grid::PageOf(at) - log_.first_page()][Grid::SlotOf(at)];
  }
  static Kind KindIn(uint16_t slot) { return static_cast<Kind>(slot >> kTagBits); }
  static uint64_t TagIn(uint16_t slot) { return slot & kTagMask; }
  bool InLog(LogAddress at) const {
    return at >= checkpoint_.log.begin && at < checkpoint_.log.final_address;
  }
  bool CoveredAt(LogAddress at) const { return covered_[Grid::PageOf(at) - log_.first_page()]; }

  Storage* const storage_;
  const Checkpoint& checkpoint_;
  const LogReader& log_;
  const KeyHashKind hash_;
  const TransferObserver& observer_;
  std::vector<std::vector<uint16_t>> pages_;
  std::vector<bool> covered_;
  bool all_covered_ = true;
  std::vector<std::pair<LogAddress, LogAddress>> upwards_;     // links to records that Survey had not seen
  std::unordered_map<LogAddress, std::vector<Node>> waiting_;  // by the record that they wait for
  std::unordered_set<LogAddress> late_;                        // that wait
  std::vector<LogAddress> zeros_;                              // slots that may be a record, ascending
  uint64_t copies_ = 0;
  uint64_t records_ = 0;
  uint64_t given_ = 0;
  uint64_t left_out_ = 0;
  uint64_t tombstones_ = 0;
};

}  // namespace faster::oxifaster
