#include "faster/cpr/recovery.h"

#include <algorithm>
#include <memory>

#include "faster/cpr/abandoned.h"
#include "faster/cpr/index_data.h"

namespace faster {
namespace {

class RecoveryRun {
 public:
  RecoveryRun(const StoreConfig& config, Storage* storage, const RecordShape& shape, HybridLog* log,
              HashIndex* index, RecoveryResult* result, Diagnosis* why)
      : config_(config),
        storage_(storage),
        shape_(shape),
        log_(log),
        index_(index),
        result_(result),
        why_(why) {}

  Status Run(const std::optional<Token>& log_token, const std::optional<Token>& index_token, IdSource* ids) {
    std::vector<CatalogEntry> entries;
    Status status = ListCheckpoints(*storage_, config_.directory, &entries, why_);
    if (status != Status::kOk) return status;
    RecoveryChoice choice;
    status = ChooseRecovery(entries, log_token, index_token, &choice, why_);
    if (status != Status::kOk) return status;
    meta_ = choice.log->log.metadata;
    const IndexMetadata* index = choice.index != nullptr ? &choice.index->index.metadata : nullptr;
    if ((status = CheckGeometry()) != Status::kOk) return status;
    if ((status = AllocateIndex(index)) != Status::kOk) return status;
    if ((status = LoadPages()) != Status::kOk) return status;
    LogAddress replay_from = meta_.begin_address;
    if (index != nullptr) {
      if ((status = LoadIndex(*index)) != Status::kOk) return status;
      replay_from = ReplayStart(*index);
    }
    if ((status = Replay(replay_from)) != Status::kOk) return status;
    if ((status = AbandonNewer(entries, choice.log)) != Status::kOk) return status;
    result_->log_token = meta_.token;
    result_->index_token = index != nullptr ? index->token : Token{};
    result_->version = meta_.version;
    result_->sessions = meta_.sessions;
    log_->StartRecovered(meta_, head_, meta_.flushed_until, NextGeneration(entries, ids->Next()));
    return Status::kOk;
  }

 private:
  Status Mismatch(const char* what, uint64_t expected, uint64_t found) {
    *why_ = {CheckpointPath(config_.directory, meta_.token, kLogMetaName), 0,
             std::string(what) + " " + std::to_string(expected) + " as the store is configured",
             std::to_string(found)};
    return Status::kInvalidArgument;
  }

  // Entries before `chosen` are newer; the log goes on over what they rely on. Nothing to do for the latest.
  Status AbandonNewer(const std::vector<CatalogEntry>& entries, const CatalogEntry* chosen) {
    if (chosen == &entries.front()) return Status::kOk;
    std::vector<Token> abandoned;
    const Status status = ReadAbandoned(*storage_, config_.directory, &abandoned, why_);
    if (status != Status::kOk) return status;
    for (const CatalogEntry* newer = &entries.front(); newer != chosen; ++newer)
      abandoned.push_back(newer->token);
    return WriteAbandoned(*storage_, config_.directory, abandoned, why_);
  }

  // Never smaller than the table under which records were written: see HashIndex.
  Status AllocateIndex(const IndexMetadata* index) {
    const uint64_t rebuilt = std::max(config_.index_buckets, meta_.table_size);
    const Status status = index_->Allocate(index != nullptr ? index->table_size : rebuilt);
    if (status == Status::kOk) table_ = &index_->table();
    return status;
  }

  Status CheckGeometry() {
    if (meta_.page_bits != config_.page_bits)
      return Mismatch("page_bits", config_.page_bits, meta_.page_bits);
    if (meta_.block_bytes != config_.block_bytes) {
      return Mismatch("block_bytes", config_.block_bytes, meta_.block_bytes);
    }
    if (meta_.segment_pages != config_.segment_pages) {
      return Mismatch("segment_pages", config_.segment_pages, meta_.segment_pages);
    }
    if (meta_.version_bits != config_.version_bits) {
      return Mismatch("version_bits", config_.version_bits, meta_.version_bits);
    }
    if (meta_.key_bytes != shape_.key_bytes) return Mismatch("key bytes", shape_.key_bytes, meta_.key_bytes);
    if (meta_.value_bytes != shape_.value_bytes) {
      return Mismatch("value bytes", shape_.value_bytes, meta_.value_bytes);
    }
    return Status::kOk;
  }

  Status BadBlock(const std::string& file, uint64_t offset, Status status) {
    if (status == Status::kIoError) {
      *why_ = {file, offset, "a readable log block", "a read error of the device"};
      return status;
    }
    const bool missing = status == Status::kNotFound || status == Status::kShortIo;
    *why_ = {file, offset, "a log block with a good checksum",
             missing ? "no such bytes" : "a wrong checksum"};
    return Status::kCorruption;
  }

  // Reads [from, to) of one page, each byte from the file that holds it, and verifies every block.
  Status ReadRange(LogAddress from, LogAddress to, uint8_t* bytes) {
    const LogAddress split = std::clamp(meta_.flushed_until, from, to);
    if (from < split) {
      const Status status = log_->file().Read(from, bytes, split - from);
      if (status != Status::kOk)
        return BadBlock(log_->file().PathOf(from), log_->file().OffsetOf(from), status);
    }
    if (split < to) {
      const Status status = ReadFully(*snapshot_, SnapshotOffset(meta_.flushed_until, split),
                                      bytes + (split - from), to - split);
      if (status != Status::kOk) {
        return BadBlock(snapshot_path_, SnapshotOffset(meta_.flushed_until, split), status);
      }
    }
    for (LogAddress block = from; block < to; block += config_.block_bytes) {
      const uint8_t* const at = bytes + (block - from);
      const uint64_t sum = BlockChecksum(at, config_.block_bytes, block, GenerationOf(block));
      if (LoadWord(reinterpret_cast<const uint64_t*>(at)) == sum) continue;
      return block < split
                 ? BadBlock(log_->file().PathOf(block), log_->file().OffsetOf(block), Status::kCorruption)
                 : BadBlock(snapshot_path_, SnapshotOffset(meta_.flushed_until, block), Status::kCorruption);
    }
    return Status::kOk;
  }

  uint64_t GenerationOf(LogAddress address) const {
    for (size_t i = meta_.generations.size(); i-- > 0;) {
      if (meta_.generations[i].from <= address) return meta_.generations[i].generation;
    }
    return 0;
  }

  Status OpenSnapshot() {
    snapshot_path_ = CheckpointPath(config_.directory, meta_.token, kLogSnapshotName);
    const Status status = storage_->Open(snapshot_path_, OpenMode::kRead, &snapshot_);
    if (status != Status::kOk) return BadBlock(snapshot_path_, 0, status);
    SnapshotHeader header;
    const Status read = ReadSnapshotHeader(*snapshot_, snapshot_path_, meta_.token, &header, why_);
    if (read != Status::kOk) return read;
    if (header.first == meta_.flushed_until && header.end == meta_.final_address) return Status::kOk;
    *why_ = {snapshot_path_, 0, "the range of the log that log.meta names", "another range"};
    return Status::kCorruption;
  }

  // Fills the buffer with the newest pages.
  Status LoadPages() {
    if (meta_.use_snapshot_file) {
      const Status status = OpenSnapshot();
      if (status != Status::kOk) return status;
    }
    // A log that ends with a full page has its tail in that page; the next one is opened by the next record.
    const uint64_t tail_page = (std::max<LogAddress>(meta_.final_address, 1) - 1) >> config_.page_bits;
    uint64_t first = tail_page + 1 > config_.buffer_pages ? tail_page + 1 - config_.buffer_pages : 0;
    first = std::max(first, meta_.begin_address >> config_.page_bits);  // pages below may have been removed
    const LogAddress first_address = first << config_.page_bits;
    head_ = std::max<LogAddress>(first_address, 8);
    if (meta_.flushed_until < first_address) {
      return Mismatch("a buffer of at most these pages:", config_.buffer_pages,
                      tail_page + 1 - (meta_.flushed_until >> config_.page_bits));
    }
    for (LogAddress from = first_address; from < meta_.final_address; from += log_->page_bytes()) {
      const LogAddress to = std::min(from + log_->page_bytes(), meta_.final_address);
      const Status status = ReadRange(from, to, log_->At(from));
      if (status != Status::kOk) return status;
    }
    return Status::kOk;
  }

  Status LoadIndex(const IndexMetadata& index) {
    const std::string path = CheckpointPath(config_.directory, index.token, kIndexDataName);
    std::unique_ptr<File> file;
    Status status = storage_->Open(path, OpenMode::kRead, &file);
    if (status != Status::kOk) {
      *why_ = {path, 0, "the buckets of the index", std::string(StatusName(status))};
      return status == Status::kIoError ? status : Status::kCorruption;
    }
    IndexDataReader reader(file.get(), path, index);
    if ((status = reader.Open(why_)) != Status::kOk) return status;
    if (table_->ReserveOverflow(index.overflow_buckets) != Status::kOk) return Status::kOutOfMemory;
    const auto load = [&](HashBucket* bucket) {
      uint64_t words[kIndexBucketWords];
      if ((status = reader.Read(words, kIndexBucketWords, why_)) != Status::kOk) return;
      for (int i = 0; i < HashBucket::kEntries; ++i) {
        // A tentative entry was a claim in the making when it was copied; its record is replayed.
        const HashEntry entry{words[i]};
        bucket->entry[i].store(entry.tentative() ? 0 : words[i], std::memory_order_relaxed);
      }
      // A link to an overflow bucket made after the count was taken leads nowhere; its entries are replayed.
      const uint64_t next = words[HashBucket::kEntries];
      bucket->overflow.store(next <= index.overflow_buckets ? next : 0, std::memory_order_relaxed);
    };
    for (uint64_t i = 0; i < table_->size() && status == Status::kOk; ++i) load(table_->main_bucket(i));
    for (uint64_t n = 1; n <= index.overflow_buckets && status == Status::kOk; ++n)
      load(table_->overflow_bucket(n));
    return status == Status::kOk ? reader.Finish(why_) : status;
  }

  // min(Lis, Lhs). An index captured after the shift of the checkpoint that its incarnation was recovered
  // from later may lead to records which that recovery undid: then the replay starts where these begin.
  LogAddress ReplayStart(const IndexMetadata& index) const {
    LogAddress start = std::min(index.checkpoint_start, meta_.start_address);
    // Each recovery added one dead range and one generation: range i was undone after generation i.
    const size_t recoveries = std::min(meta_.dead_ranges.size(), meta_.generations.size());
    for (size_t i = 0; i < recoveries; ++i) {
      const bool captured_before =
          GenerationOrdinal(index.generation) <= GenerationOrdinal(meta_.generations[i].generation);
      if (captured_before && meta_.dead_ranges[i].from < index.checkpoint_final) {
        start = std::min(start, meta_.dead_ranges[i].from);
      }
    }
    return std::max(start, meta_.begin_address);  // the log may be gone below
  }

  Status Replay(LogAddress from) {
    std::unique_ptr<uint64_t[]> page;
    from &= ~LogAddress{config_.block_bytes - 1};
    while (from < meta_.final_address) {
      const LogAddress page_start = from & ~(log_->page_bytes() - 1);
      const LogAddress to = std::min(page_start + log_->page_bytes(), meta_.final_address);
      uint8_t* bytes = log_->At(from);
      if (page_start + 8 < head_) {  // head_ is a page start, or 8 in page 0
        if (!page) page.reset(new uint64_t[log_->page_bytes() / 8]);
        bytes = reinterpret_cast<uint8_t*>(page.get());
        const Status status = ReadRange(from, to, bytes);
        if (status != Status::kOk) return status;
      }
      for (LogAddress block = from; block < to; block += config_.block_bytes) {
        ForEachRecord(
            block, bytes + (block - from), config_.block_bytes, shape_.record_bytes,
            [&](LogAddress at, uint8_t* record, RecordHeader header) { ReplayRecord(at, record, header); });
      }
      if (out_of_memory_) return Status::kOutOfMemory;
      from = to;
    }
    return Status::kOk;
  }

  void ReplayRecord(LogAddress at, const uint8_t* record, RecordHeader header) {
    if (header.invalid() || at < meta_.begin_address) return;
    const KeyHash hash = shape_.hash(record);
    HashEntry entry;
    const uint32_t new_version = static_cast<uint32_t>(meta_.version + 1) & ((1u << meta_.version_bits) - 1);
    const bool undone = at >= meta_.start_address && header.version() == new_version;
    if (!undone && !WasDead(at, header.version())) {
      HashTable::Slot* slot = table_->FindOrCreate(hash, &entry);
      if (slot == nullptr) {
        out_of_memory_ = true;
        return;
      }
      slot->store(HashEntry::Make(at, hash.tag()).control, std::memory_order_relaxed);
      ++result_->records_replayed;
      return;
    }
    result_->records_undone += undone;
    HashTable::Slot* slot = table_->Find(hash, &entry);
    if (slot != nullptr && entry.address() >= at) {
      slot->store(HashEntry::Make(header.previous(), hash.tag()).control, std::memory_order_relaxed);
    }
  }

  bool WasDead(LogAddress at, uint32_t version) const {
    return std::any_of(meta_.dead_ranges.begin(), meta_.dead_ranges.end(), [&](const DeadRange& range) {
      return at >= range.from && at < range.to && range.version == version;
    });
  }

  const StoreConfig& config_;
  Storage* const storage_;
  const RecordShape& shape_;
  HybridLog* const log_;
  HashIndex* const index_;
  HashTable* table_ = nullptr;
  RecoveryResult* const result_;
  Diagnosis* const why_;
  LogMetadata meta_;
  std::unique_ptr<File> snapshot_;
  std::string snapshot_path_;
  LogAddress head_ = 0;
  bool out_of_memory_ = false;
};

}  // namespace

Status RecoverStore(const StoreConfig& config, Storage* storage, const RecordShape& shape,
                    const std::optional<Token>& log_token, const std::optional<Token>& index_token,
                    IdSource* ids, HybridLog* log, HashIndex* index, RecoveryResult* result, Diagnosis* why) {
  Diagnosis unused;
  return RecoveryRun(config, storage, shape, log, index, result, why != nullptr ? why : &unused)
      .Run(log_token, index_token, ids);
}

}  // namespace faster
