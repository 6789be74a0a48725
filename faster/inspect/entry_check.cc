#include "faster/inspect/entry_check.h"

#include <algorithm>
#include <string>

#include "faster/cpr/replay_rules.h"
#include "faster/inspect/hash_choice.h"
#include "faster/inspect/index_check.h"

namespace faster {
namespace {

constexpr uint32_t kMostPageBits = 30;  // StoreConfig's

class EntryRun {
 public:
  EntryRun(Inspection* inspection, const EntryTarget& target, CheckpointReport* report)
      : inspection_(*inspection), target_(target), entry_(*target.entry), report_(*report) {}

  Status Run() {
    CheckTexts();
    const CatalogEntry* const index = target_.view->IndexFor(entry_);
    if (index != nullptr) report_.index = index->token;
    if (entry_.index.valid() && index != &entry_) {
      if (const Status status = CheckIndexAlone(entry_.index.metadata); status != Status::kOk) return status;
    }
    return entry_.log.valid() && LogIsUsable() ? CheckLogWith(index) : Status::kOk;
  }

 private:
  void Find(CheckpointPart part, Check check, Diagnosis what) {
    inspection_.findings->Add(part, check, std::move(what));
  }
  Diagnosis InMeta(std::string expected, std::string found) const {
    return {CheckpointPath(target_.directory, entry_.token, kLogMetaName), 0, std::move(expected),
            std::move(found)};
  }

  void CheckTexts() {
    if (entry_.log.broken()) Find(target_.log_part, Check::kMetadata, entry_.log.why);
    if (entry_.index.broken()) Find(target_.index_part, Check::kMetadata, entry_.index.why);
    std::string reason;
    if (entry_.log.valid() && entry_.index.valid() &&
        !IndexFits(entry_.index.metadata, entry_.log.metadata, &reason))
      Find(target_.index_part, Check::kMetadata,
           {CheckpointPath(target_.directory, entry_.token, kIndexMetaName), 0,
            "an index that fits the log of its own checkpoint", reason});
  }

  // What the text's own checks let pass and no store is configured with.
  bool LogIsUsable() {
    const LogMetadata& log = entry_.log.metadata;
    if (log.page_bits <= kMostPageBits && log.version_bits <= kMaxVersionBits) return true;
    Find(target_.log_part, Check::kMetadata,
         InMeta("page_bits up to 30 and version_bits up to 13",
                std::to_string(log.page_bits) + " and " + std::to_string(log.version_bits)));
    return false;
  }

  Status CheckLogWith(const CatalogEntry* index_entry) {
    const LogMetadata& log = entry_.log.metadata;
    const IndexMetadata* const index = index_entry == nullptr ? nullptr : &index_entry->index.metadata;
    SegmentedFile file(inspection_.storage, std::string(target_.directory),
                       uint64_t{log.segment_pages} << log.page_bits, 128, OpenMode::kRead);
    CheckpointLog source(&log, &file);
    Diagnosis why;
    const Status opened = source.Open(inspection_.storage, target_.directory, &why);
    if (opened != Status::kOk) {
      Find(target_.log_part, Check::kChecksum, why);
      return index == nullptr ? Status::kOk : CheckIndexAlone(*index);
    }
    if (log.is_incremental && source.delta_entries() != log.chain.total_entries)
      Find(target_.log_part, Check::kMetadata,
           {CheckpointPath(target_.directory, entry_.token, kIncrementalInfoName), 0,
            std::to_string(source.delta_entries()) + " blocks in all deltas of the chain",
            std::to_string(log.chain.total_entries)});
    return Walk(source, index, Hash(source, index));
  }

  // kOk, whatever was found, or kOutOfMemory.
  Status CheckIndexAlone(const IndexMetadata& index) {
    const Status status = CheckIndexData(&inspection_, target_.directory, index, {target_.index_part});
    return status == Status::kOutOfMemory ? status : Status::kOk;
  }

  const NamedHash* Hash(const CheckpointLog& source, const IndexMetadata* index) {
    const LogMetadata& log = entry_.log.metadata;
    const bool ask = target_.options->hash == "auto";
    for (const auto& list : {KnownHashes(), target_.options->hashes}) {
      for (const NamedHash& hash : list) {
        const bool wanted = ask || target_.options->hash == hash.name;
        if (wanted && hash.key_bytes == log.key_bytes) known_.push_back(hash);
      }
    }
    const NamedHash* hash = known_.empty() ? nullptr : &known_.front();
    if (ask) hash = ChooseHash(inspection_.storage, target_.directory, log, source, index, known_);
    const uint64_t buckets = index == nullptr ? log.table_size : index->table_size + index->overflow_buckets;
    if (hash == nullptr) {
      report_.hash_note = target_.options->hash == "none" ? "not wanted" : "none that is known fits";
      return nullptr;
    }
    if (target_.options->memory_limit != 0 && buckets * sizeof(HashBucket) > target_.options->memory_limit) {
      report_.hash_note = std::string(hash->name) + " fits; its table would need " +
                          std::to_string(buckets * sizeof(HashBucket)) + " bytes";
      return nullptr;
    }
    report_.hash = hash->name;
    report_.memory_bytes += buckets * sizeof(HashBucket);
    return hash;
  }

  Status Walk(const CheckpointLog& source, const IndexMetadata* index, const NamedHash* hash) {
    const LogMetadata& log = entry_.log.metadata;
    AddressBits marks, entered;
    HashTable table;
    Status status = marks.Allocate(log.begin_address, log.final_address);
    if (status == Status::kOk && hash != nullptr)
      status = entered.Allocate(log.begin_address, log.final_address);
    if (status == Status::kOk && hash != nullptr)
      status = table.Allocate(index != nullptr ? index->table_size : log.table_size, true);
    if (status != Status::kOk) return status;
    report_.memory_bytes += marks.bytes() * (hash != nullptr ? 2 : 1);
    LogTarget walk;
    walk.step = "log";
    walk.part = target_.log_part;
    walk.log = &log;
    walk.source = &source;
    walk.replay_from = ReplayStart(index, log);
    walk.marks = &marks;
    walk.on_record = target_.on_record;
    if (hash != nullptr) {
      walk.entered = &entered;
      walk.table = &table;
      walk.hash = hash->of;
    }
    if (index != nullptr) {
      const IndexTarget to = {target_.index_part, log.begin_address, log.block_bytes,
                              hash != nullptr ? &entered : &marks, walk.table};
      status = CheckIndexData(&inspection_, target_.directory, *index, to);
      if (status == Status::kOutOfMemory) return status;
      walk.judge_reach = status == Status::kOk;
    }
    return CheckLog(&inspection_, walk, &report_.log);
  }

  Inspection& inspection_;
  const EntryTarget& target_;
  const CatalogEntry& entry_;
  CheckpointReport& report_;
  std::vector<NamedHash> known_;
};

}  // namespace

Status CheckEntry(Inspection* inspection, const EntryTarget& target, CheckpointReport* report) {
  return EntryRun(inspection, target, report).Run();
}

}  // namespace faster
