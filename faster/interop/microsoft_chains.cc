#include "faster/interop/microsoft_chains.h"

#include <algorithm>
#include <bit>

namespace faster::microsoft {
namespace {

constexpr uint64_t kVersions = uint64_t{1} << kMaxVersionBits;
constexpr size_t kMostStrays = 1 << 20;
constexpr uint32_t kMostGrowths = 8;
constexpr uint64_t kAhead = 12;  // slots between a prefetch and the use

}  // namespace

Chains::Chains(Storage* storage, const Checkpoint& checkpoint, const Geometry& geometry, const LogReader& log,
               const TransferObserver& observer)
    : storage_(storage),
      checkpoint_(checkpoint),
      geometry_(geometry),
      log_(log),
      observer_(observer),
      grid_(log.grid()) {}

Status Chains::Bad(LogAddress at, std::string expected, std::string found, Diagnosis* why) const {
  return Damaged(log_.PathOf(at), log_.OffsetOf(at), std::move(expected), std::move(found), why);
}

void Chains::ReportPage(std::string_view step, uint64_t page) const {
  Report(observer_, step, (page - log_.first_page() + 1) * grid_.page_bytes(),
         (log_.end_page() - log_.first_page()) * grid_.page_bytes());
}

Status Chains::Find(Diagnosis* why) {
  if (!page_memory_.Allocate(grid_.page_bytes(), false))
    return Refuse(Status::kOutOfMemory, "", 0, "memory for a page of the log", "none", why);
  for (;;) {
    Status status = table_.emplace().Load(storage_, checkpoint_, geometry_, observer_, why);
    if (status == Status::kOk) status = Replay(why);
    if (status == Status::kOk) status = Walk(why);
    uint32_t growths = growths_;
    if (status == Status::kOk) status = CheckCursors(&growths, why);
    if (status != Status::kOk) return status;
    if (growths == growths_) break;
    growths_ = growths;
  }
  table_.reset();
  return Status::kOk;
}

// What a record is, and whether it can be one.
Status Chains::Classify(LogAddress at, const LogRecord& record, Kind* kind, Diagnosis* why) const {
  *kind = Kind::kHole;
  if (record.hole()) return Status::kOk;
  if (!record.header.present())
    return Bad(at, "a record's header with its highest bit set, or 24 bytes of zeros",
               std::to_string(record.header.control), why);
  *kind = Kind::kInvalid;
  if (record.header.invalid()) return Status::kOk;
  const uint64_t v = checkpoint_.log.version, version = record.header.version();
  const bool fuzzy = at >= checkpoint_.index.start;
  *kind = fuzzy && version == (v + 1) % kVersions ? Kind::kUndone : Kind::kCounts;
  // Versions beyond 13 bits have wrapped: then nothing more can be said about them.
  if (*kind == Kind::kCounts && v < kVersions && version > v)
    return Bad(at, "a record of version " + std::to_string(v) + " or below", std::to_string(version), why);
  return Status::kOk;
}

// Records of [start, final) become the heads of their chains.
Status Chains::Replay(Diagnosis* why) {
  const LogAddress start = checkpoint_.index.start, end = checkpoint_.log.final_address;
  for (uint64_t page = grid_.PageOf(start); page < log_.end_page(); ++page) {
    Status status = log_.ReadPage(page, page_bytes(), why);
    if (status != Status::kOk) return status;
    const uint64_t last = grid_.SlotsBelow(page, end);
    if ((status = CheckHoles(page, last, why)) != Status::kOk) return status;
    for (uint64_t slot = grid_.SlotFrom(page, start); slot < last; ++slot) {
      const LogRecord record = RecordIn(page, slot);
      const LogAddress at = grid_.AddressOf(page, slot);
      Kind kind;
      if ((status = Classify(at, record, &kind, why)) != Status::kOk) return status;
      if (kind != Kind::kCounts) continue;
      const uint64_t hash = HashOfKey(record.key);
      *table_->FindOrCreate(hash) = EntryOf(at, TagOf(hash));
    }
    ReportPage("replaying the log", page);
  }
  return Status::kOk;
}

// An allocation below the read-only address is given up: each thread may leave a hole when that moves. More
// of them in a row are a part of the file that was lost. (Below start the chains tell.) The rest of a page
// that was left behind, as their resizing of the buffer does, is none.
Status Chains::CheckHoles(uint64_t page, uint64_t last, Diagnosis* why) const {
  uint64_t run = 0;
  for (uint64_t slot = grid_.SlotFrom(page, checkpoint_.index.start); slot < last; ++slot) {
    if (RecordIn(page, slot).hole()) {
      ++run;
      if (slot + 1 < last || last == grid_.SlotsIn(page)) continue;
    }
    if (run > kMaxSessions)
      return Bad(grid_.AddressOf(page, slot - run), "records", std::to_string(run) + " empty slots", why);
    run = 0;
  }
  return Status::kOk;
}

Status Chains::Walk(Diagnosis* why) {
  records_ = undone_ = tombstones_ = 0;
  strays_.clear();
  marks_.assign(grid_.SlotsIn(1) * (log_.end_page() - log_.first_page()), false);
  for (uint64_t page = log_.end_page(); page-- > log_.first_page();) {
    Status status = log_.ReadPage(page, page_bytes(), why);
    if (status == Status::kOk) status = WalkPage(page, why);
    if (status != Status::kOk) return status;
    Report(observer_, "walking the chains", (log_.end_page() - page) * grid_.page_bytes(),
           (log_.end_page() - log_.first_page()) * grid_.page_bytes());
  }
  return Status::kOk;
}

Status Chains::WalkPage(uint64_t page, Diagnosis* why) {
  const uint64_t first = grid_.SlotFrom(page, checkpoint_.index.begin);
  for (uint64_t slot = grid_.SlotsBelow(page, checkpoint_.log.final_address); slot-- > first;) {
    if (slot >= first + kAhead) table_->Prefetch(HashOfKey(RecordIn(page, slot - kAhead).key));
    const LogRecord record = RecordIn(page, slot);
    const LogAddress at = grid_.AddressOf(page, slot);
    Kind kind;
    Status status = Classify(at, record, &kind, why);
    if (status != Status::kOk) return status;
    if (kind == Kind::kHole) continue;
    bool on_chain = false;
    if ((status = FollowAt(at, record, kind, &on_chain, why)) != Status::kOk) return status;
    undone_ += kind == Kind::kUndone;
    if (kind != Kind::kCounts) continue;
    if (on_chain) {
      marks_[BitOf(page, slot)] = true;
      ++records_;
      tombstones_ += record.header.tombstone();
    } else if (!record.header.tombstone() && (status = AddStray(at, record.key, why)) != Status::kOk) {
      return status;
    }
  }
  return Status::kOk;
}

// Moves the cursors that stand at the record on.
Status Chains::FollowAt(LogAddress at, const LogRecord& record, Kind kind, bool* on_chain, Diagnosis* why) {
  const uint64_t hash = HashOfKey(record.key), bucket = hash & (table_->size() - 1);
  const uint64_t top = static_cast<uint64_t>(std::countr_zero(table_->size())) - growths_;
  for (uint64_t half = 0; half < uint64_t{1} << growths_; ++half) {
    uint64_t* const cursor = table_->Find(bucket ^ half << top, TagOf(hash));
    if (cursor == nullptr || AddressIn(*cursor) != at) continue;
    const LogAddress previous = record.header.previous();
    if (kind == Kind::kInvalid)
      return Bad(at, "a record that counts, as its chain leads to it", "one that is marked invalid", why);
    const bool ends =
        previous <= kNoAddress || (previous >= kFirstAddress && previous < checkpoint_.index.begin);
    if (previous >= at || (!ends && !grid_.IsSlot(previous)))
      return Bad(at, "a previous record's address below " + std::to_string(at), std::to_string(previous),
                 why);
    *cursor = EntryOf(std::max(previous, kNoAddress), TagOf(hash));
    *on_chain |= half == 0;  // another half's chain only runs through it
  }
  return Status::kOk;
}

// All have run to their ends, unless a chain goes on among records of the other half of a table that grew:
// then *growths says how many growths ago they parted.
Status Chains::CheckCursors(uint32_t* growths, Diagnosis* why) {
  return table_->ForEachEntry([&](uint64_t bucket, uint64_t entry, bool overflow, uint64_t offset) {
    const LogAddress at = AddressIn(entry);
    if (at < checkpoint_.index.begin || at == kNoAddress) return Status::kOk;
    LogRecord record;
    const Status status = log_.ReadRecord(at, &record, why);
    if (status != Status::kOk) return status;
    const uint64_t hash = HashOfKey(record.key), own = hash & (table_->size() - 1);
    if (!record.hole() && TagOf(hash) == TagIn(entry) && own != bucket) {
      // The lowest bit in which they differ was the highest of the table when the two parted.
      const auto parted =
          static_cast<uint32_t>(std::countr_zero(table_->size()) - std::countr_zero(own ^ bucket));
      if (parted > growths_ && parted <= kMostGrowths) {
        *growths = std::max(*growths, parted);
        return Status::kOk;
      }
    }
    return Bad(at,
               "a record of bucket " + std::to_string(bucket) + " and tag " + std::to_string(TagIn(entry)) +
                   ", as its chain leads here (entry at offset " + std::to_string(offset) + " of " +
                   table_->PathOf(overflow) + ")",
               record.hole()
                   ? "none"
                   : "one of bucket " + std::to_string(own) + " and tag " + std::to_string(TagOf(hash)),
               why);
  });
}

Status Chains::AddStray(LogAddress at, uint64_t key, Diagnosis* why) {
  strays_.emplace(key, at);  // downwards: the first is the newest
  return strays_.size() <= kMostStrays ? Status::kOk : CheckStrays(why);
}

void Chains::Explain(uint64_t key, LogAddress at) {
  const auto found = strays_.find(key);
  if (found != strays_.end() && found->second < at) strays_.erase(found);
}

Status Chains::CheckStrays(Diagnosis* why) const {
  if (strays_.empty()) return Status::kOk;
  const auto first = std::min_element(strays_.begin(), strays_.end(),
                                      [](const auto& a, const auto& b) { return a.second < b.second; });
  const uint64_t hash = HashOfKey(first->first);
  const uint64_t bucket = hash & (checkpoint_.index.table_size - 1);
  return Damaged(checkpoint_.index_directory + "/" + std::string(kTableName), bucket * kBucketBytes,
                 "an entry of tag " + std::to_string(TagOf(hash)) + " that leads to the record at " +
                     std::to_string(first->second) + " (" + log_.PathOf(first->second) + " offset " +
                     std::to_string(log_.OffsetOf(first->second)) + ")",
                 "none; " + std::to_string(strays_.size()) + " keys are not reached", why);
}

}  // namespace faster::microsoft
