#include "faster/interop/oxifaster_records.h"

#include <algorithm>

#include "faster/cpr/formats.h"
#include "faster/interop/oxifaster_index.h"

namespace faster::oxifaster {
namespace {

// Races for an entry are few: as many at a time as there are threads.
constexpr size_t kMostLate = 1 << 16;
// Slots of zeros that are kept in mind: one record at most looks so, and files may have any number of holes.
constexpr size_t kMostZeros = 16;

std::string Number(uint64_t n) { return std::to_string(n); }

}  // namespace

void Records::ReportPage(std::string_view step, uint64_t page) const {
  const uint64_t bytes = log_.grid().page_bytes();
  Report(observer_, step, (page + 1 - log_.first_page()) * bytes,
         (log_.end_page() - log_.first_page()) * bytes);
}

Status Records::BadLink(LogAddress at, std::string expected, LogAddress to, Diagnosis* why) const {
  return Damaged(log_.PathOf(at), log_.OffsetOf(at), std::move(expected), "address " + Number(to), why);
}

// Where the record's chain goes on, or kNoAddress. A copy of a compaction ends it: its header says 0, as that
// of the second record of a key does whose first one is at address 0.
LogAddress Records::LinkOf(LogAddress at, const LogRecord& record) const {
  const LogAddress to = record.header.previous();
  if (to == kNoAddress || to < checkpoint_.log.begin) return kNoAddress;
  if (record.header.control != 0) return to;
  const bool second = at != 0 && InLog(0) && TagIn(SlotAt(0)) == TagIn(SlotAt(at));
  return second ? 0 : kNoAddress;
}

// What is in a slot whose tag is known. One of zeros is none, or a second record of key 0: if something leads
// to it (Resolve).
Status Records::Classify(LogAddress at, const LogRecord& record, bool covered, Kind* kind, Diagnosis* why) {
  const bool links = LinkOf(at, record) != kNoAddress;
  *kind = record.header.invalid() ? kInvalid : record.header.control == 0 && !links ? kCopy : kCounts;
  if (record.hole()) {
    *kind = kHole;
    const bool kept = links && zeros_.size() < kMostZeros;
    if (kept) zeros_.push_back(at);
    return covered || kept ? Status::kOk : BadHole(at, why);
  }
  if (covered) return Status::kOk;
  const auto no = [&](std::string expected, std::string found) {
    return Damaged(log_.PathOf(at), log_.OffsetOf(at), std::move(expected), std::move(found), why);
  };
  if (record.header.present()) return no("a header without its highest bit", HexWord(record.header.control));
  if (record.header.tombstone() && record.value != 0)
    return no("a tombstone of value 0", Number(record.value));
  return Status::kOk;
}

// Something leads to the slot: a copy of a compaction counts, and so do zeros that may be a record.
void Records::Resolve(LogAddress at, uint64_t tag) {
  const Kind kind = KindIn(SlotAt(at));
  if (kind == kInvalid || kind == kCounts || TagIn(SlotAt(at)) != tag) return;
  if (kind == kHole && !std::binary_search(zeros_.begin(), zeros_.end(), at)) return;
  SlotAt(at) = static_cast<uint16_t>(kCounts << kTagBits | tag);
  ++records_;
  copies_ -= kind == kCopy;
}

Status Records::BadHole(LogAddress at, Diagnosis* why) const {
  return Damaged(
      log_.PathOf(at), log_.OffsetOf(at),
      "a record; pages may be smaller (--their-page-bits), and oxifaster 0.1.3 does not write a page "
      "again that grew after it was on the device",
      "zeros", why);
}

// The link of the record at `at`, whose slot is known, and whose target's is.
Status Records::FollowLink(LogAddress at, Diagnosis* why) {
  const LogAddress to = upwards_.back().second;
  upwards_.pop_back();
  Resolve(to, TagIn(SlotAt(at)));
  const uint16_t target = SlotAt(to);
  if (KindIn(target) == kHole) return BadHole(to, why);
  if (TagIn(target) != TagIn(SlotAt(at)))
    return BadLink(at,
                   "a previous record of its class, tag " + Number(TagIn(SlotAt(at))) +
                       " (or keys are hashed with another function: --their-hash)",
                   to, why);
  if (KindIn(target) == kInvalid && !CoveredAt(to))
    return Damaged(log_.PathOf(to), log_.OffsetOf(to), "a record that is valid, as one links to it",
                   "an invalid one", why);
  return Status::kOk;
}

Status Records::SurveyPage(uint64_t page, const uint8_t* bytes, Diagnosis* why) {
  const Grid& grid = log_.grid();
  const bool covered = covered_.back();
  const uint64_t end = grid.SlotsBelow(page, checkpoint_.log.final_address);
  pages_.emplace_back(end);
  for (uint64_t slot = grid.SlotFrom(page, checkpoint_.log.begin); slot < end; ++slot) {
    const LogAddress at = Grid::AddressOf(page, slot);
    const LogRecord record = RecordAt(bytes + slot * kRecordBytes);
    SlotAt(at) = static_cast<uint16_t>(TagOf(HashOfKey(record.key, hash_)));
    Kind kind = kHole;
    Status status = Classify(at, record, covered, &kind, why);
    if (status != Status::kOk) return status;
    SlotAt(at) = static_cast<uint16_t>(kind << kTagBits | TagIn(SlotAt(at)));
    records_ += kind == kCounts;
    copies_ += kind == kCopy;
    left_out_ += kind == kInvalid;
    const LogAddress to = kind == kHole ? kNoAddress : LinkOf(at, record);
    if (to == kNoAddress) continue;
    if (to >= checkpoint_.log.final_address) {
      if (covered) continue;
      return BadLink(at, "a previous record below " + Number(checkpoint_.log.final_address), to, why);
    }
    if (!grid.IsSlot(to) || to == at) return BadLink(at, "the address of a previous record", to, why);
    upwards_.emplace_back(at, to);
    if (to > at) {
      if (upwards_.size() > kMostLate) return BadLink(at, "a previous record below its own", to, why);
      continue;
    }
    if ((status = FollowLink(at, why)) != Status::kOk) return status;
  }
  return Status::kOk;
}

Status Records::ForEachPage(std::string_view step, const PageVisit& visit, Diagnosis* why) {
  ZeroedMemory memory;
  if (!memory.Allocate(log_.grid().page_bytes(), false))
    return Refuse(Status::kOutOfMemory, "", 0, "memory for a page of the log", "none", why);
  auto* const bytes = static_cast<uint8_t*>(memory.data());
  for (uint64_t page = log_.first_page(); page < log_.end_page(); ++page) {
    bool covered = false;
    Status status = log_.ReadPage(page, bytes, &covered, why);
    if (status == Status::kOk) status = visit(page, bytes, covered);
    if (status != Status::kOk) return status;
    ReportPage(step, page);
  }
  return Status::kOk;
}

Status Records::Survey(Warnings* warnings, Diagnosis* why) {
  const auto survey = [&](uint64_t page, const uint8_t* bytes, bool covered) {
    covered_.push_back(covered);
    all_covered_ = all_covered_ && covered;
    return SurveyPage(page, bytes, why);
  };
  Status status = ForEachPage("looking at records", survey, why);
  if (status != Status::kOk) return status;
  while (!upwards_.empty()) {
    if ((status = FollowLink(upwards_.back().first, why)) != Status::kOk) return status;
  }
  return CheckIndex(warnings, why);
}

// Entries against records. The index decides about copies only.
Status Records::CheckIndex(Warnings* warnings, Diagnosis* why) {
  if (!checkpoint_.index) return CheckCopies(false, warnings, why);
  const std::string path = JoinPath(checkpoint_.directory, kIndexDataName);
  const auto bad = [&](const IndexEntry& entry, Diagnosis* diagnosis) {
    const auto no = [&](const std::string& expected) {
      return Damaged(path, entry.offset, expected, "address " + Number(entry.address), diagnosis);
    };
    if (entry.address == kNoAddress || entry.read_cache || entry.address < checkpoint_.log.begin)
      return Status::kOk;
    if (!InLog(entry.address) || !log_.grid().IsSlot(entry.address))
      return no("an entry that leads to a record below " + Number(checkpoint_.log.final_address));
    Resolve(entry.address, entry.tag);
    if (KindIn(SlotAt(entry.address)) == kHole) return no("an entry that leads to a record; it is zeros");
    if (TagIn(SlotAt(entry.address)) != entry.tag)
      return no("an entry that leads to a record of its tag " + Number(entry.tag) +
                " (or keys are hashed with another function: --their-hash)");
    if (KindIn(SlotAt(entry.address)) == kInvalid && !CoveredAt(entry.address))
      return no("an entry that leads to a valid record");
    return Status::kOk;
  };
  uint64_t wrong = 0;
  Diagnosis first;
  const auto visit = [&](const IndexEntry& entry) {
    Diagnosis own;
    const Status status = bad(entry, &own);
    if (status != Status::kOk && wrong++ == 0) first = own;
    return all_covered_ ? Status::kOk : status;
  };
  Status status = ForEachEntry(storage_, checkpoint_, observer_, visit, why);
  if (!all_covered_ && wrong != 0) *why = first;
  if (status != Status::kOk && (!all_covered_ || status != Status::kCorruption)) return status;
  if (status != Status::kOk || wrong != 0)
    warnings->push_back((wrong != 0 ? first : *why).Text() +
                        "; the log is whole and says everything, the index is not used");
  return CheckCopies(status == Status::kOk && wrong == 0, warnings, why);
}

// Copies of a compaction that nothing leads to.
Status Records::CheckCopies(bool index_whole, Warnings* warnings, Diagnosis* why) {
  for (const LogAddress at : zeros_) {
    if (!CoveredAt(at) && KindIn(SlotAt(at)) == kHole) return BadHole(at, why);
  }
  if (copies_ == 0) return Status::kOk;
  if (!index_whole)
    return Damaged(JoinPath(checkpoint_.directory, kIndexDataName), 0,
                   "an index, to tell which of " + Number(copies_) + " copies of a compaction count", "none",
                   why);
  left_out_ += copies_;
  warnings->push_back(Number(copies_) + " copies that a compaction gave up are left out");
  return Status::kOk;
}

Status Records::Give(const LogRecord& record, const Visit& visit) {
  ++given_;
  tombstones_ += record.header.tombstone();
  return visit(record.key, record.value, record.header.tombstone());
}

// Gives the record out, and those that have waited for it; or it waits.
Status Records::Handle(const Node& node, const Visit& visit, Diagnosis* why) {
  const LogAddress to = LinkOf(node.at, node.record);
  if (to != kNoAddress && (to > node.at || late_.contains(to))) {
    if (late_.size() >= kMostLate) return BadLink(node.at, "a previous record below its own", to, why);
    late_.insert(node.at);
    waiting_[to].push_back(node);
    return Status::kOk;
  }
  Status status = node.counts ? Give(node.record, visit) : Status::kOk;
  if (waiting_.empty()) return status;
  for (std::vector<LogAddress> given{node.at}; status == Status::kOk && !given.empty();) {
    const auto next = waiting_.extract(given.back());
    given.pop_back();
    if (next.empty()) continue;
    for (const Node& one : next.mapped()) {
      late_.erase(one.at);
      given.push_back(one.at);
      if (one.counts && (status = Give(one.record, visit)) != Status::kOk) return status;
    }
  }
  return status;
}

Status Records::HandlePage(uint64_t page, const uint8_t* bytes, const Visit& visit, Diagnosis* why) {
  const std::vector<uint16_t>& slots = pages_[page - log_.first_page()];
  for (uint64_t slot = log_.grid().SlotFrom(page, checkpoint_.log.begin); slot < slots.size(); ++slot) {
    const Kind kind = KindIn(slots[slot]);
    if (kind == kHole || kind == kCopy) continue;
    const Node node{Grid::AddressOf(page, slot), RecordAt(bytes + slot * kRecordBytes), kind == kCounts};
    const Status status = Handle(node, visit, why);
    if (status != Status::kOk) return status;
  }
  return Status::kOk;
}

// What waits for a record at or above the final address, directly or not, came after the checkpoint.
Status Records::DropLater(Diagnosis* why) {
  std::vector<LogAddress> later;
  for (const auto& [to, nodes] : waiting_) {
    if (to >= checkpoint_.log.final_address) later.push_back(to);
  }
  while (!later.empty()) {
    const auto next = waiting_.extract(later.back());
    later.pop_back();
    if (next.empty()) continue;
    for (const Node& one : next.mapped()) {
      later.push_back(one.at);
      left_out_ += one.counts;
    }
  }
  if (waiting_.empty()) return Status::kOk;
  const Node& node = waiting_.begin()->second.front();
  return BadLink(node.at, "a chain that ends; its links run in a circle", node.record.header.previous(), why);
}

Status Records::ForEach(const Visit& visit, Diagnosis* why) {
  const auto handle = [&](uint64_t page, const uint8_t* bytes, bool) {
    return HandlePage(page, bytes, visit, why);
  };
  const Status status = ForEachPage("reading records", handle, why);
  return status == Status::kOk ? DropLater(why) : status;
}

}  // namespace faster::oxifaster
