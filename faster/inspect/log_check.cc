#include "faster/inspect/log_check.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <memory>
#include <string>

#include "faster/cpr/replay_rules.h"
#include "faster/inspect/log_part.h"
#include "faster/inspect/ordered_loads.h"

namespace faster {
namespace {

// Calls visit(address) for each bit, the highest first.
template <class Visit>
void ForEachBitDown(uint64_t word, LogAddress base, Visit&& visit) {
  while (word != 0) {
    const int bit = 63 - std::countl_zero(word);
    word ^= uint64_t{1} << bit;
    visit(base + 8 * static_cast<LogAddress>(bit));
  }
}

class LogRun {
 public:
  LogRun(Inspection* inspection, const LogTarget& target, LogCensus* census)
      : inspection_(*inspection), target_(target), log_(*target.log), census_(*census) {
    if (target.table != nullptr)
      replay_ = std::make_unique<IndexReplay>(target.table, log_, inspection->runner);
    judging_ = target.judge_reach;
  }

  Status Run() {
    const LogAddress begin = log_.begin_address, end = log_.final_address;
    const uint64_t part_bytes = LogPartBytes(log_);
    const LogAddress first = begin & ~(part_bytes - 1);
    const uint64_t parts = begin == end ? 0 : (end - first + part_bytes - 1) / part_bytes;
    if (replay_ != nullptr) replay_->Expect((end - target_.replay_from) / RecordForm(log_).sizes().least());
    OrderedLoads<LogPart> loads(
        inspection_.storage, inspection_.jobs, inspection_.ahead(), parts, [&](uint64_t i, LogPart* part) {
          const LogAddress from = first + (parts - 1 - i) * part_bytes;
          part->out_of_memory = !LoadLogPart(&inspection_, target_, replay_.get(), std::max(from, begin),
                                             std::min(from + part_bytes, end), part);
        });
    while (LogPart* const part = loads.Next()) {
      if (!part->bad_blocks.empty()) judging_ = false;
      if (part->out_of_memory || (replay_ != nullptr && !Settle(*part))) return Status::kOutOfMemory;
      Check(*part);
      census_.Add(part->census);
      inspection_.Read(target_.step, part->to - part->from);
      loads.Release();
    }
    return Status::kOk;
  }

 private:
  void Find(LogAddress at, faster::Check check, std::string expected, std::string found) {
    FindInLog(&inspection_, target_, at, check, std::move(expected), std::move(found));
  }

  // Replays the part in reverse: the entry of a chain becomes its highest live record, unless the index had
  // that already. False: no memory for overflow buckets.
  bool Settle(const LogPart& part) {
    std::atomic<bool> complete{true};
    inspection_.runner->ForEach(replay_->partitions(), [&](uint64_t partition) {
      constexpr size_t kAhead = 12;
      const std::span<const IndexReplay::Found> records = part.records.Of(partition);
      for (size_t i = records.size(); i-- > 0;) {
        if (i >= kAhead) target_.table->Prefetch(records[i - kAhead].hash);
        if (!SettleRecord(records[i])) complete.store(false, std::memory_order_relaxed);
      }
    });
    return complete.load(std::memory_order_relaxed);
  }

  bool SettleRecord(const IndexReplay::Found& record) {
    const LogAddress at = record.at;
    HashEntry entry;
    HashTable::Slot* slot = target_.table->Find(record.hash, &entry);
    const LogAddress first = slot == nullptr ? 0 : entry.address();
    if (FateOf(log_, at, record.header) != RecordFate::kLive) {
      if (slot == nullptr || first != at) return true;
      if (at < target_.replay_from) {
        Find(at, faster::Check::kChain, "an index whose entries lead to no record that a recovery undid",
             "an entry that leads to one");
        return true;
      }
      slot->store(HashEntry::Make(record.header.previous(), record.hash.tag()).control,
                  std::memory_order_relaxed);
      return true;
    }
    if (first > at) return true;  // something of its chain must lead here
    target_.marks->Set(at);
    if (first == at) return true;
    if (at >= target_.replay_from) {
      slot = target_.table->FindOrCreate(record.hash, &entry);
      if (slot == nullptr) return false;
      slot->store(HashEntry::Make(at, record.hash.tag()).control, std::memory_order_relaxed);
    } else if (judging_) {
      Find(at, faster::Check::kReach, "a record that its key's chain leads to",
           "a chain that begins at " + std::to_string(first));
    }
    return true;
  }

  void Check(const LogPart& part) {
    for (size_t i = part.live.size(); i-- > 0;) {
      const LogAddress base = part.base() + i * AddressBits::kWordBytes;
      PassOver(part, part.passed[i], base);
      const uint64_t entered = target_.entered != nullptr ? target_.entered->Word(base) : 0;
      const uint64_t marked = target_.marks->Word(base);
      const uint64_t lost = (marked | entered) & ~(part.live[i] | part.passed[i]);
      if (lost != 0) [[unlikely]]
        LeadsNowhere(part, lost, part.invalid[i], base);
      const uint64_t alone = part.live[i] & ~marked;
      if (alone != 0) [[unlikely]]
        NotReached(alone, base);
      if (target_.on_record) {
        ForEachBitDown(part.live[i], base, [&](LogAddress at) {
          const RecordHeader header{LoadWord(reinterpret_cast<const uint64_t*>(part.At(at)))};
          target_.on_record(at, part.At(at), header, *target_.source);
        });
      }
    }
  }

  // A chain that leads to a record which does not count leads on to the one before it.
  void PassOver(const LogPart& part, uint64_t passed, LogAddress base) {
    if (passed == 0) [[likely]]
      return;
    ForEachBitDown(passed, base, [&](LogAddress at) {
      if (!target_.marks->Get(at)) return;
      const RecordHeader header{LoadWord(reinterpret_cast<const uint64_t*>(part.At(at)))};
      if (const LogAddress to = LinkFrom(&inspection_, target_, at, header); to != 0) target_.marks->Set(to);
    });
  }

  void LeadsNowhere(const LogPart& part, uint64_t lost, uint64_t invalid, LogAddress base) {
    ForEachBitDown(lost, base, [&](LogAddress at) {
      if (at < part.from || at >= part.to || part.IsBad(at, log_.block_bytes)) return;
      const bool is_invalid = (invalid >> (at / 8 % 64) & 1) != 0;
      Find(at, faster::Check::kChain, "a record, as a link or an entry of the index leads here",
           is_invalid ? "one that never got its place" : "none");
    });
  }

  void NotReached(uint64_t alone, LogAddress base) {
    ForEachBitDown(alone, base, [&](LogAddress at) {
      if (!judging_ || (target_.table == nullptr && at >= target_.replay_from)) return;
      Find(at, faster::Check::kReach, "a record that the index or another record leads to", "nothing does");
    });
  }

  Inspection& inspection_;
  const LogTarget& target_;
  const LogMetadata& log_;
  LogCensus& census_;
  std::unique_ptr<IndexReplay> replay_;
  bool judging_ = true;
};

}  // namespace

void LogCensus::Add(const LogCensus& other) {
  for (const auto& [version, count] : other.versions) {
    versions[version].live += count.live;
    versions[version].tombstones += count.tombstones;
  }
  invalid += other.invalid;
  undone += other.undone;
  dead += other.dead;
  bytes += other.bytes;
  bad_blocks += other.bad_blocks;
}

Status CheckLog(Inspection* inspection, const LogTarget& target, LogCensus* census) {
  return LogRun(inspection, target, census).Run();
}

}  // namespace faster
