#include "faster/cpr/recovery.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include "faster/cpr/abandoned.h"
#include "faster/cpr/checkpoint_log.h"
#include "faster/cpr/checkpointer.h"
#include "faster/cpr/index_data.h"
#include "faster/cpr/index_load.h"
#include "faster/cpr/index_replay.h"
#include "faster/cpr/recovery_progress.h"
#include "faster/cpr/replay_rules.h"
#include "faster/cpr/task_runner.h"

namespace faster {
namespace {

// Parts of the log that are read at a time, and the most that one of them is. What is remembered of their
// records should stay in the caches.
constexpr size_t kPartsPerThread = 8;
constexpr uint64_t kMostPartBytes = 512 << 10;
constexpr size_t kBlocksPerThread = 8;  // of the index, loaded at a time

class RecoveryRun {
 public:
  RecoveryRun(const StoreConfig& config, Storage* storage, const RecordShape& shape, HybridLog* log,
              HashIndex* index, CheckpointObserver* observer, RecoveryResult* result, Diagnosis* why)
      : config_(config),
        storage_(storage),
        shape_(shape),
        log_(log),
        index_(index),
        result_(result),
        why_(why),
        source_(&meta_, &log->file()),
        runner_(MakeTaskRunner(storage, config.recovery_threads)),
        observer_(observer) {}

  Status Run(const std::optional<Token>& log_token, const std::optional<Token>& index_token, IdSource* ids,
             SnapshotState* snapshot) {
    Report(RecoveryProgress::Step::kMetadata, 0);
    const Status status = RunSteps(log_token, index_token, ids, snapshot);
    Report(status == Status::kOk ? RecoveryProgress::Step::kDone : RecoveryProgress::Step::kFailed, 0);
    return status;
  }

 private:
  Status RunSteps(const std::optional<Token>& log_token, const std::optional<Token>& index_token,
                  IdSource* ids, SnapshotState* snapshot) {
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
    progress_.bytes_total = index != nullptr ? index->data_bytes : 0;
    replay_from_ = ReplayStart(index, meta_);
    if ((status = LoadPages()) != Status::kOk) return status;
    if (index != nullptr && (status = LoadIndex(*index)) != Status::kOk) return status;
    if ((status = Replay(replay_from_)) != Status::kOk) return status;
    if ((status = AbandonNewer(entries, choice.log)) != Status::kOk) return status;
    generation_ = NextGeneration(entries, ids->Next());
    if ((status = WriteWhatDoesNotFit()) != Status::kOk) return status;
    Remember(snapshot);
    result_->log_token = meta_.token;
    result_->index_token = index != nullptr ? index->token : Token{};
    result_->version = meta_.version;
    result_->sessions = meta_.sessions;
    for (const CatalogEntry& entry : entries) {
      if (entry.empty()) result_->leftovers.push_back(entry.token);
    }
    log_->StartRecovered(meta_, head_, flushed_, generation_);
    return Status::kOk;
  }

  Status Mismatch(const char* what, uint64_t expected, uint64_t found) {
    *why_ = {CheckpointPath(config_.directory, meta_.token, kLogMetaName), 0,
             std::string(what) + " " + std::to_string(expected) + " as the store is configured",
             std::to_string(found)};
    return Status::kInvalidArgument;
  }

  // Entries before `chosen` are newer; the log goes on over what they rely on. Nothing to do for the latest.
  Status AbandonNewer(const std::vector<CatalogEntry>& entries, const CatalogEntry* chosen) {
    if (chosen == &entries.front() || config_.subordinate) return Status::kOk;
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
    const uint64_t buckets = index != nullptr ? index->table_size : rebuilt;
    const Status status = index_->Allocate(buckets);
    if (status == Status::kOk)
      table_ = &index_->table();
    else
      *why_ = {index != nullptr ? CheckpointPath(config_.directory, index->token, kIndexMetaName)
                                : CheckpointPath(config_.directory, meta_.token, kLogMetaName),
               0, "memory for " + std::to_string(buckets) + " buckets of the index", "none"};
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
    if ((meta_.key_bytes == 0) != (shape_.key_bytes == 0)) {
      *why_ = {CheckpointPath(config_.directory, meta_.token, kLogMetaName), 0,
               "record_layout " + std::string(LayoutName(shape_.key_bytes)) + " as the store is configured",
               std::string(LayoutName(meta_.key_bytes))};
      return Status::kInvalidArgument;
    }
    if (meta_.key_bytes != shape_.key_bytes) return Mismatch("key bytes", shape_.key_bytes, meta_.key_bytes);
    if (meta_.value_bytes != shape_.value_bytes) {
      return Mismatch("value bytes", shape_.value_bytes, meta_.value_bytes);
    }
    return Status::kOk;
  }

  static std::string_view LayoutName(uint32_t key_bytes) { return key_bytes == 0 ? "variable" : "fixed"; }

  // Fills the buffer with the newest pages.
  Status LoadPages() {
    if (const Status status = source_.Open(storage_, config_.directory, why_); status != Status::kOk)
      return status;
    // A log that ends with a full page has its tail in that page; the next one is opened by the next record.
    const uint64_t tail_page = (std::max<LogAddress>(meta_.final_address, 1) - 1) >> config_.page_bits;
    uint64_t first = tail_page + 1 > config_.buffer_pages ? tail_page + 1 - config_.buffer_pages : 0;
    first = std::max(first, meta_.begin_address >> config_.page_bits);  // pages below may have been removed
    const LogAddress first_address = first << config_.page_bits;
    head_ = std::max<LogAddress>(first_address, 8);
    flushed_ = std::max(meta_.flushed_until, first_address);
    progress_.bytes_total += meta_.final_address - std::min(first_address, meta_.final_address);
    const LogAddress begin = meta_.begin_address & ~LogAddress{config_.block_bytes - 1};
    pages_ = PageRecoveries(std::min({first_address, replay_from_, std::max(meta_.flushed_until, begin)}),
                            meta_.final_address, config_.page_bits);
    progress_.pages = &pages_;
    return ForEachPart(first_address, [&](Part& part) {
      const Status status = Read(&part, log_->At(part.from));
      if (status != Status::kOk || part.from >= replay_from_) return status;  // else they are looked at then
      return ForEachRecordOf(&part, log_->At(part.from), [](LogAddress, uint8_t*, RecordHeader) {});
    });
  }

  // A page or part of one, and what a task did with it.
  struct Part {
    LogAddress from = 0;
    LogAddress to = 0;
    Status status = Status::kOk;
    Diagnosis why;
    std::unique_ptr<uint64_t[]> bytes;  // of one that is not in the buffer
    IndexReplay::Batch records;
  };

  Status Read(Part* part, uint8_t* bytes) {
    pages_.Began(part->from);
    const Status status = source_.Read(part->from, part->to, bytes, &part->why);
    if (status == Status::kOk) pages_.Took(part->from, part->to);
    return status;
  }

  // A block of index.dat, and what a task did with it.
  struct IndexBlock {
    Status status = Status::kOk;
    Diagnosis why;
    std::unique_ptr<uint64_t[]> words;
  };

  uint64_t PartBytes() const {
    return std::max<uint64_t>(std::min(log_->page_bytes(), kMostPartBytes), config_.block_bytes);
  }

  // Calls work(part) for every part of [from, final address) in any order and on any thread, some parts at a
  // time, and then after() on this one. The error is that of the lowest part.
  template <class Work, class After>
  Status ForEachPart(LogAddress from, Work&& work, After&& after) {
    std::vector<Part> window(kPartsPerThread * runner_->threads());
    const uint64_t part_bytes = PartBytes();
    while (from < meta_.final_address) {
      size_t parts = 0;
      for (; parts < window.size() && from < meta_.final_address; ++parts) {
        Part& part = window[parts];
        part.from = from;
        from = part.to = std::min((from & ~(part_bytes - 1)) + part_bytes, meta_.final_address);
      }
      pages_.Reach(window[0].from, from);
      runner_->ForEach(parts, [&](uint64_t i) { window[i].status = work(window[i]); });
      for (size_t i = 0; i < parts; ++i) {
        if (window[i].status == Status::kOk) continue;
        *why_ = window[i].why;
        return window[i].status;
      }
      const Status status = after(window, parts);
      if (status != Status::kOk) return status;
    }
    return Status::kOk;
  }
  template <class Work>
  Status ForEachPart(LogAddress from, Work&& work) {
    return ForEachPart(from, work, [&](const std::vector<Part>& window, size_t parts) {
      Report(RecoveryProgress::Step::kLoading, window[parts - 1].to - window[0].from);
      return Status::kOk;
    });
  }

  void Report(RecoveryProgress::Step step, uint64_t bytes) {
    progress_.step = step;
    progress_.bytes += bytes;
    progress_.records = result_->records_replayed + result_->records_undone;
    if (observer_ != nullptr) observer_->OnRecovery(progress_);
  }

  // What the snapshot holds and this memory does not is written to the main log, as the incarnation that
  // begins here would write it once it needs the room: with its generation, above everything that a
  // checkpoint of the history relies on there. A crash leaves blocks of an incarnation that nobody knows. Not
  // synced: the next checkpoint does that, and until then there is the snapshot.
  Status WriteWhatDoesNotFit() {
    std::unique_ptr<uint64_t[]> page;
    const LogAddress begin = meta_.begin_address & ~LogAddress{config_.block_bytes - 1};
    for (LogAddress from = std::max(meta_.flushed_until, begin); from < flushed_;) {
      if (!page) page.reset(new uint64_t[log_->page_bytes() / 8]);
      uint8_t* const bytes = reinterpret_cast<uint8_t*>(page.get());
      const LogAddress to = std::min((from & ~(log_->page_bytes() - 1)) + log_->page_bytes(), flushed_);
      pages_.Writes(from);
      Status status = source_.Read(from, to, bytes, why_);
      if (status != Status::kOk) return status;
      for (LogAddress block = from; block < to; block += config_.block_bytes) {
        uint8_t* const at = bytes + (block - from);
        const uint64_t sum = BlockChecksum(at, config_.block_bytes, block, generation_);
        StoreWord(reinterpret_cast<uint64_t*>(at), sum);
      }
      status = log_->file().Write(from, bytes, to - from);
      if (status != Status::kOk) {
        *why_ = {log_->file().PathOf(from), log_->file().OffsetOf(from),
                 "room for log pages that this memory does not hold", std::string(StatusName(status))};
        return status;
      }
      pages_.Wrote(from);
      from = to;
    }
    return Status::kOk;
  }

  // The next delta can build on what was recovered.
  void Remember(SnapshotState* snapshot) {
    if (!meta_.use_snapshot_file) return;
    snapshot->chain = meta_.chain;
    if (!meta_.is_incremental) snapshot->chain.base = meta_.token;
    snapshot->first = flushed_;
    snapshot->end = meta_.final_address;
    for (LogAddress block = flushed_; block < meta_.final_address; block += config_.block_bytes)
      snapshot->seals.push_back(BlockChecksum(log_->At(block), config_.block_bytes, block, generation_));
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
    const uint64_t at_once = kBlocksPerThread * runner_->threads();
    std::vector<IndexBlock> window(std::min(at_once, reader.blocks()));
    for (IndexBlock& block : window) block.words.reset(new uint64_t[kIndexBlockWords + 1]);
    linked_ = std::vector<std::atomic<uint64_t>>(index.overflow_buckets / 64 + 1);
    for (uint64_t first = 0; first < reader.blocks(); first += window.size()) {
      const uint64_t count = std::min<uint64_t>(window.size(), reader.blocks() - first);
      runner_->ForEach(count, [&](uint64_t i) { LoadBlock(reader, first + i, index, &window[i]); });
      for (uint64_t i = 0; i < count; ++i) {
        if (window[i].status != Status::kOk) return *why_ = window[i].why, window[i].status;
        reader.Pass(first + i, window[i].words.get());
      }
    }
    status = reader.Finish(why_);
    if (status == Status::kOk) Report(RecoveryProgress::Step::kIndex, index.data_bytes);
    return status;
  }

  // Any thread: no two blocks share a bucket.
  void LoadBlock(const IndexDataReader& reader, uint64_t number, const IndexMetadata& index,
                 IndexBlock* block) {
    block->status = reader.ReadBlock(number, block->words.get(), &block->why);
    if (block->status != Status::kOk) return;
    LoadIndexBlock(block->words.get(), reader.WordsIn(number), number, index, table_);
    CheckBuckets(reader, number, index, block);
  }

  // What stands in a block whose checksum is good is looked at before a lookup follows it.
  void CheckBuckets(const IndexDataReader& reader, uint64_t number, const IndexMetadata& index,
                    IndexBlock* block) {
    const uint64_t* words = block->words.get();
    const LogAddress end = std::max<LogAddress>(index.checkpoint_final, 1);
    for (uint64_t i = 0; i < reader.WordsIn(number) / kIndexBucketWords; ++i, words += kIndexBucketWords) {
      const bool sound = std::all_of(words, words + HashBucket::kEntries, [&](uint64_t word) {
        const HashEntry entry{word};
        return entry.tentative() || (entry.address() < end && entry.address() % 8 == 0);
      });
      const uint64_t next = words[HashBucket::kEntries];
      if (sound && (next == 0 || next > index.overflow_buckets || IsFirstLink(next))) continue;
      block->why = reader.BucketWhy(number * kIndexBlockBuckets + i);
      block->status = Status::kCorruption;
      return;
    }
  }

  // Of all that lead to that overflow bucket. With one each, a chain that begins in the table ends.
  bool IsFirstLink(uint64_t number) {
    const uint64_t bit = uint64_t{1} << number % 64;
    return (linked_[number / 64].fetch_or(bit, std::memory_order_relaxed) & bit) == 0;
  }

  // Some parts at a time: they are read, if they are not in memory, and taken apart into records; then these
  // are replayed.
  Status Replay(LogAddress from) {
    progress_.bytes_total += std::max(head_ & ~(log_->page_bytes() - 1), from) - from;
    IndexReplay replay(table_, meta_, runner_.get());
    replay.Expect((meta_.final_address - std::min(from, meta_.final_address)) / shape_.sizes.least());
    return ForEachPart(
        from, [&](Part& part) { return TakeApart(&part, replay); },
        [&](std::vector<Part>& window, size_t parts) {
          runner_->ForEach(replay.partitions(), [&](uint64_t partition) {
            for (size_t i = 0; i < parts; ++i) replay.Replay(window[i].records, partition);
          });
          const bool complete = replay.Collect(&result_->records_replayed, &result_->records_undone);
          const LogAddress on_disk = std::min(window[parts - 1].to, head_ & ~(log_->page_bytes() - 1));
          Report(RecoveryProgress::Step::kReplay, on_disk > window[0].from ? on_disk - window[0].from : 0);
          return complete ? Status::kOk : Status::kOutOfMemory;
        });
  }

  Status TakeApart(Part* part, const IndexReplay& replay) {
    uint8_t* bytes = log_->At(part->from);
    if ((part->from & ~(log_->page_bytes() - 1)) + 8 < head_) {  // head_ is a page start, or 8 in page 0
      if (!part->bytes) part->bytes.reset(new uint64_t[PartBytes() / 8]);
      bytes = reinterpret_cast<uint8_t*>(part->bytes.get());
      const Status status = Read(part, bytes);
      if (status != Status::kOk) return status;
    }
    part->records.Clear((part->to - part->from) / shape_.sizes.least());
    const Status status =
        ForEachRecordOf(part, bytes, [&](LogAddress at, uint8_t* record, RecordHeader header) {
          if (header.invalid() || at < meta_.begin_address) return;
          part->records.Add({shape_.hash(record), at, header});
        });
    if (status == Status::kOk) replay.Sort(&part->records);
    return status;
  }

  // The records of a part whose bytes are at `bytes`. They are looked at even in blocks whose checksum is
  // good, before anybody relies on them: that one ends in its block, and leads to one below it.
  template <class Visit>
  Status ForEachRecordOf(Part* part, uint8_t* bytes, Visit&& visit) {
    for (LogAddress block = part->from; block < part->to; block += config_.block_bytes) {
      LogAddress last = block, ascending = 0;
      const Status status =
          ForEachRecord(block, bytes + (block - part->from), config_.block_bytes, shape_.sizes,
                        [&](LogAddress at, uint8_t* record, RecordHeader header) {
                          last = at;
                          if (ascending == 0 && !header.invalid() && !header.Descends(at)) ascending = at;
                          visit(at, record, header);
                        });
      if (status == Status::kOk && ascending == 0) continue;
      part->why = source_.PlaceOf(block);
      part->why.expected = "a log block of records that end in it, each of which leads to one below it";
      part->why.found = "one that does not, " + (ascending != 0 ? "at address " + std::to_string(ascending)
                                                                : "behind address " + std::to_string(last));
      return Status::kCorruption;
    }
    return Status::kOk;
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
  CheckpointLog source_;                       // of meta_
  uint64_t generation_ = 0;                    // of the incarnation that begins
  std::vector<std::atomic<uint64_t>> linked_;  // a bit for each overflow bucket that another leads to
  LogAddress head_ = 0;
  LogAddress flushed_ = 0;
  LogAddress replay_from_ = 0;  // a block boundary
  const std::unique_ptr<TaskRunner> runner_;
  CheckpointObserver* const observer_;
  RecoveryProgress progress_;
  PageRecoveries pages_;
};

}  // namespace

Status RecoverStore(const StoreConfig& config, Storage* storage, const RecordShape& shape,
                    const std::optional<Token>& log_token, const std::optional<Token>& index_token,
                    IdSource* ids, HybridLog* log, HashIndex* index, SnapshotState* snapshot,
                    CheckpointObserver* observer, RecoveryResult* result, Diagnosis* why) {
  Diagnosis unused;
  return RecoveryRun(config, storage, shape, log, index, observer, result, why != nullptr ? why : &unused)
      .Run(log_token, index_token, ids, snapshot);
}

}  // namespace faster
