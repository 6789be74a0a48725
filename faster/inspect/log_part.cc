#include "faster/inspect/log_part.h"

#include <algorithm>
#include <string>

#include "faster/cpr/recovery.h"
#include "faster/cpr/replay_rules.h"

namespace faster {
namespace {

class Loading {
 public:
  Loading(Inspection* inspection, const LogTarget& target, LogPart* part)
      : inspection_(*inspection), target_(target), log_(*target.log), form_(log_), part_(*part) {}

  bool Read() {
    if (part_.bytes.data() == nullptr && !part_.bytes.Allocate(LogPartBytes(log_), false)) return false;
    uint8_t* const bytes = static_cast<uint8_t*>(part_.bytes.data());
    Diagnosis why;
    if (target_.source->Read(part_.from, part_.to, bytes, &why) == Status::kOk) return true;
    // Which of them, and what is good of the rest.
    for (LogAddress block = part_.from; block < part_.to; block += log_.block_bytes) {
      const LogAddress end = block + log_.block_bytes;
      if (target_.source->Read(block, end, bytes + (block - part_.from), &why) == Status::kOk) continue;
      inspection_.findings->Add(target_.part, Check::kChecksum, why);
      part_.bad_blocks.push_back(block);
    }
    return true;
  }

  void TakeApart(const IndexReplay* replay) {
    const uint64_t words = (part_.to - part_.base() + AddressBits::kWordBytes - 1) / AddressBits::kWordBytes;
    for (auto* bits : {&part_.live, &part_.passed, &part_.invalid}) bits->assign(words, 0);
    if (replay != nullptr) part_.records.Clear((part_.to - part_.from) / form_.sizes().least());
    auto bad = part_.bad_blocks.begin();
    for (LogAddress block = part_.from; block < part_.to; block += log_.block_bytes) {
      if (bad != part_.bad_blocks.end() && *bad == block) {
        ++bad;
        continue;
      }
      LogAddress last = block;
      uint8_t* const bytes = static_cast<uint8_t*>(part_.bytes.data()) + (block - part_.from);
      const Status status = ForEachRecord(block, bytes, log_.block_bytes, form_.sizes(),
                                          [&](LogAddress at, uint8_t* record, RecordHeader header) {
                                            last = at;
                                            if (at >= log_.begin_address)
                                              Look(at, record, header, replay != nullptr);
                                          });
      if (status != Status::kOk)
        Find(last, Check::kStructure, "records that end in their block", "one behind this that does not");
    }
    target_.marks->SetAll(part_.links);
    if (replay != nullptr) replay->Sort(&part_.records);
    part_.census.bad_blocks = part_.bad_blocks.size();
    part_.census.bytes = part_.to - part_.from;
  }

 private:
  void Find(LogAddress at, Check check, std::string expected, std::string found) {
    FindInLog(&inspection_, target_, at, check, std::move(expected), std::move(found));
  }
  void SetIn(std::vector<uint64_t>* bits, LogAddress at) const {
    (*bits)[(at - part_.base()) / AddressBits::kWordBytes] |= uint64_t{1} << (at / 8 % 64);
  }

  void Look(LogAddress at, const uint8_t* record, RecordHeader header, bool hashed) {
    if (header.invalid()) {
      ++part_.census.invalid;
      return SetIn(&part_.invalid, at);
    }
    const RecordFate fate = FateOf(log_, at, header);
    if (hashed) part_.records.Add({KeyHash{target_.hash(form_.Key(record))}, at, header});
    if (fate != RecordFate::kLive) {
      ++(fate == RecordFate::kUndone ? part_.census.undone : part_.census.dead);
      return SetIn(&part_.passed, at);
    }
    SetIn(&part_.live, at);
    Count(header);
    if (form_.Locked(record)) Find(at, Check::kStructure, "a value that nobody is changing", "a locked one");
    CheckVersion(at, header);
    if (const LogAddress to = LinkFrom(&inspection_, target_, at, header); to != 0) part_.links.push_back(to);
  }

  void Count(RecordHeader header) {
    if (counted_ == nullptr || header.version() != version_) {
      version_ = header.version();
      counted_ = &part_.census.versions[version_];
    }
    ++counted_->live;
    counted_->tombstones += header.tombstone();
  }

  // From the checkpoint's start on there are just two versions, and the later one is undone. Below it none is
  // later than the checkpoint's; that can be told until versions come again.
  void CheckVersion(LogAddress at, RecordHeader header) {
    const uint64_t versions = uint64_t{1} << log_.version_bits;
    const bool good = at >= log_.start_address
                          ? header.version() == log_.version % versions
                          : log_.version + 1 >= versions || header.version() <= log_.version;
    if (good) return;
    Find(at, Check::kVersion,
         "a record of version " + std::to_string(log_.version) +
             (at >= log_.start_address ? "" : " or before"),
         "one of version " + std::to_string(header.version()));
  }

  Inspection& inspection_;
  const LogTarget& target_;
  const LogMetadata& log_;
  const RecordForm form_;
  LogPart& part_;
  LogCensus::OfVersion* counted_ = nullptr;
  uint32_t version_ = 0;
};

}  // namespace

bool LogPart::IsBad(LogAddress at, uint64_t block_bytes) const {
  return std::binary_search(bad_blocks.begin(), bad_blocks.end(), at & ~(block_bytes - 1));
}

void FindInLog(Inspection* inspection, const LogTarget& target, LogAddress at, Check check,
               std::string expected, std::string found) {
  Diagnosis what = target.source->PlaceOf(at);
  what.expected = std::move(expected);
  what.found = std::move(found) + " (address " + std::to_string(at) + ")";
  inspection->findings->Add(target.part, check, std::move(what));
}

LogAddress LinkFrom(Inspection* inspection, const LogTarget& target, LogAddress at, RecordHeader header) {
  const LogAddress to = header.previous();
  if (to == 0 || to < target.log->begin_address) return 0;
  if (header.Descends(at) && CanHoldRecord(to, target.log->block_bytes)) return to;
  FindInLog(inspection, target, at, Check::kChain, "a link to a record below",
            "one to " + std::to_string(to));
  return 0;
}

bool LoadLogPart(Inspection* inspection, const LogTarget& target, const IndexReplay* replay, LogAddress from,
                 LogAddress to, LogPart* part) {
  part->from = from;
  part->to = to;
  part->bad_blocks.clear();
  part->links.clear();
  part->census = {};
  Loading loading(inspection, target, part);
  if (!loading.Read()) return false;
  loading.TakeApart(replay);
  return true;
}

}  // namespace faster
