#include "faster/inspect/cold_check.h"

#include <cstring>
#include <string>
#include <vector>

#include "faster/inspect/entry_check.h"

namespace faster {
namespace {

// The cold log of a pair as if a checkpoint of a store were all of it.
LogMetadata ColdLogMetadata(const LogMetadata& hot, const PairMetadata& pair) {
  LogMetadata log;
  log.token = pair.token;
  log.version_bits = 1;
  log.page_bits = pair.page_bits;
  log.block_bytes = pair.block_bytes;
  log.segment_pages = pair.segment_pages;
  log.variable_records = hot.variable_records;
  log.key_bytes = hot.key_bytes;
  log.value_bytes = hot.value_bytes;
  log.table_size = 1;
  log.begin_address = pair.begin_address;
  log.start_address = log.final_address = log.flushed_until = pair.final_address;
  log.generations = pair.generations;
  return log;
}

class ColdRun {
 public:
  ColdRun(Inspection* inspection, const ColdTarget& target, CheckpointReport* report)
      : inspection_(*inspection),
        target_(target),
        pair_(*target.pair),
        report_(*report),
        log_(ColdLogMetadata(*target.hot, pair_)) {}

  Status Run() {
    Status status = marks_.Allocate(pair_.begin_address, pair_.final_address);
    if (status != Status::kOk) return status;
    report_.memory_bytes += marks_.bytes();
    if ((status = CheckIndex()) != Status::kOk) return status;
    const std::string directory = JoinPath(target_.directory, kColdDirectory);
    SegmentedFile file(inspection_.storage, directory, uint64_t{pair_.segment_pages} << pair_.page_bits, 128,
                       OpenMode::kRead);
    const CheckpointLog source(&log_, &file);
    LogTarget walk;
    walk.step = "cold log";
    walk.part = CheckpointPart::kCold;
    walk.log = &log_;
    walk.source = &source;
    walk.replay_from = log_.begin_address;
    walk.marks = &marks_;
    walk.judge_reach = false;
    return CheckLog(&inspection_, walk, &report_.cold_log);
  }

 private:
  void Find(Check check, Diagnosis what) {
    inspection_.findings->Add(CheckpointPart::kCold, check, std::move(what));
  }
  void FindInPair(std::string expected, std::string found) {
    Find(Check::kMetadata, {CheckpointPath(target_.directory, pair_.token, kPairMetaName), 0,
                            std::move(expected), std::move(found)});
  }

  Status CheckIndex() {
    const std::string directory = JoinPath(target_.directory, kColdIndexDirectory);
    StoreView view;
    Diagnosis why;
    const Status read = ReadStoreView(*inspection_.storage, directory, &view, &why);
    if (read != Status::kOk) return Find(Check::kMetadata, why), Status::kOk;
    const CatalogEntry* const entry = view.Find(pair_.index);
    if (entry == nullptr || entry->log.status == Status::kNotFound) {
      FindInPair("a complete checkpoint " + pair_.index.Text() + " in " + directory, "none");
      return Status::kOk;
    }
    const LogMetadata& log = entry->log.metadata;
    const uint64_t chunk_bytes = uint64_t{8} * pair_.chunk_entries;
    const bool fits = !log.variable_records && log.key_bytes == 8 && log.value_bytes == chunk_bytes;
    if (entry->log.valid() && !fits) {
      FindInPair("chunks of " + std::to_string(chunk_bytes) + " bytes in the cold index",
                 std::to_string(log.value_bytes));
      return Status::kOk;
    }
    ValidateOptions options = *target_.options;
    options.hash = options.hash == "none" ? "none" : "cold-index";
    EntryTarget target;
    target.directory = directory;
    target.view = &view;
    target.entry = entry;
    target.options = &options;
    target.index_part = target.log_part = CheckpointPart::kCold;
    seen_.assign(pair_.chunks / 64 + 1, 0);
    const RecordForm form(log);
    target.on_record = [&](LogAddress at, const uint8_t* record, RecordHeader, const CheckpointLog& source) {
      TakeChunk(at, form.Key(record), form.Value(record), source);
    };
    CheckpointReport report;
    const Status status = CheckEntry(&inspection_, target, &report);
    report_.memory_bytes += report.memory_bytes;
    return status;
  }

  // Of each chunk the first that comes, as the highest address does.
  void TakeChunk(LogAddress at, std::string_view key, std::string_view value, const CheckpointLog& source) {
    uint64_t number;
    std::memcpy(&number, key.data(), sizeof number);
    if (number >= pair_.chunks) {
      Diagnosis what = source.PlaceOf(at);
      what.expected = "a chunk below " + std::to_string(pair_.chunks);
      what.found = "chunk " + std::to_string(number);
      return Find(Check::kStructure, what);
    }
    const uint64_t bit = uint64_t{1} << number % 64;
    if ((seen_[number / 64] & bit) != 0) return;
    seen_[number / 64] |= bit;
    for (size_t i = 0; i < value.size() / 8; ++i) {
      LogAddress to;
      std::memcpy(&to, value.data() + 8 * i, sizeof to);
      if (to == 0 || to < pair_.begin_address) continue;
      if (to < pair_.final_address && CanHoldRecord(to, pair_.block_bytes)) {
        marks_.Set(to);
        continue;
      }
      Diagnosis what = source.PlaceOf(at);
      what.expected = "an entry that leads to a record below " + std::to_string(pair_.final_address);
      what.found =
          "entry " + std::to_string(i) + " of chunk " + std::to_string(number) + " to " + std::to_string(to);
      Find(Check::kStructure, what);
    }
  }

  Inspection& inspection_;
  const ColdTarget& target_;
  const PairMetadata& pair_;
  CheckpointReport& report_;
  const LogMetadata log_;
  AddressBits marks_;
  std::vector<uint64_t> seen_;  // bits of chunks
};

}  // namespace

Status CheckColdHalf(Inspection* inspection, const ColdTarget& target, CheckpointReport* report) {
  return ColdRun(inspection, target, report).Run();
}

}  // namespace faster
