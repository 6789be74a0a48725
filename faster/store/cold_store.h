// ColdStore: the cold log and its index as one, and their half of a pair's checkpoint.
//
// COMMIT. It runs on the job of the hot store's checkpoint, when all that this one commits has its addresses
// (f2_kv.h says why the result fits). In this order, so that what is written is a state of the cold store:
//   1. begin is noted: whatever is live lies above, and is linked, or is linked by now where it was copied to
//   2. the index's own checkpoint: every entry in it was written before its cut
//   3. the cold log is made durable up to an address above every record that an entry can lead to
//   4. pair.meta, durable, in the hot store's token directory
//
// THREAD-SAFETY: Commit and AfterRetention exclude each other by `busy_`; all else as its parts. ERRORS: of
// the first step that failed; nothing older is touched.
#pragma once

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "faster/cpr/pair.h"
#include "faster/store/cold_index.h"
#include "faster/store/cold_log.h"

namespace faster {

// The parts' configurations; directories and seeds are filled in by the store (f2_kv.h).
struct ColdConfig {
  StoreConfig log;               // geometry of the cold log; block_bytes as in the hot store
  StoreConfig index;             // of the store that holds the chunks
  uint64_t index_chunks = 1024;  // a power of two; for a store that is there, what it was made with
};

template <size_t kEntries>
class ColdStore final : public ColdTier {
 public:
  using Index = ColdIndex<kEntries>;

  // What was recovered before there is an epoch to share.
  struct Loaded {
    std::unique_ptr<Index> index;
    PairMetadata pair;
    ColdLog::Tail tail;
    std::vector<Token> leftovers;
  };

  // Makes the directories and an empty index. Takes what an incarnation without a pair left for nothing.
  static Status Create(const ColdConfig& config, Storage* storage, Loaded* loaded, Diagnosis* why) {
    loaded->index = std::make_unique<Index>(config.index_chunks);
    loaded->pair.final_address = 0;
    return loaded->index->Create(config.index, storage, why);
  }

  // Reads only: the index checkpoint that the pair names, and the end of the cold log.
  static Status Load(const ColdConfig& config, Storage* storage, const PairMetadata& pair, Loaded* loaded,
                     Diagnosis* why) {
    Status status = CheckGeometry(config, pair, why);
    if (status != Status::kOk) return status;
    loaded->pair = pair;
    loaded->index = std::make_unique<Index>(pair.chunks);
    RecoveryResult result;
    status = loaded->index->Recover(config.index, storage, pair.index, &result, why);
    if (status == Status::kNotFound) {
      *why = {CheckpointPath(config.index.directory, pair.index, kLogMetaName), 0,
              "the checkpoint of the cold index that pair.meta names", "none"};
      return Status::kCorruption;
    }
    if (status != Status::kOk) return status;
    loaded->leftovers = std::move(result.leftovers);
    return ColdLog::Load(config.log, storage, pair, &loaded->tail, why);
  }

  ColdStore(const ColdConfig& config, std::string hot_directory, Storage* storage, LightEpoch* epoch,
            Loaded loaded)
      : config_(config),
        hot_directory_(std::move(hot_directory)),
        storage_(storage),
        index_(std::move(loaded.index)),
        leftovers_(std::move(loaded.leftovers)),
        log_(config_.log, storage, epoch),
        pair_(std::move(loaded.pair)),
        tail_(std::move(loaded.tail)) {}

  Status Open(Diagnosis* why) {
    const Status status = log_.Open(why);
    if (status != Status::kOk) return status;
    // Not the index's own: no block of one log passes for that of the other at the same address.
    const uint64_t index = index_->kv().log().generation();
    const uint64_t generation = MakeGeneration(GenerationOrdinal(index), IdSource(index).Next());
    if (pair_.token.IsNull())
      log_.StartEmpty(generation);
    else
      log_.StartRecovered(pair_, std::exchange(tail_, {}), generation);
    return Status::kOk;
  }

  HybridLog& log() override { return log_.log(); }
  Index& index() { return *index_; }
  std::unique_ptr<ColdIndexSession> NewIndexSession() override { return index_->NewSession(); }

  Status Commit(const LogMetadata& hot, CheckpointKind kind) override {
    while (busy_.exchange(true, std::memory_order_acq_rel)) std::this_thread::yield();
    const Status status = CommitAlone(hot, kind);
    busy_.store(false, std::memory_order_release);
    return status;
  }
  Status AfterRetention(Diagnosis* why) override {
    if (busy_.exchange(true, std::memory_order_acq_rel)) return Status::kOk;  // the next one does it
    const ColdRetention what{hot_directory_,
                             config_.log.directory,
                             config_.index.directory,
                             config_.log.page_bytes() * config_.log.segment_pages,
                             config_.index.page_bytes() * config_.index.segment_pages,
                             &unsure_,
                             &leftovers_};
    const Status status = RetainCold(*storage_, what, why);
    busy_.store(false, std::memory_order_release);
    return status;
  }

 private:
  static Status CheckGeometry(const ColdConfig& config, const PairMetadata& pair, Diagnosis* why) {
    const auto mismatch = [&](const char* what, uint64_t expected, uint64_t found) {
      if (expected == found) return false;
      *why = {kPairMetaName.data(), 0,
              std::string(what) + " " + std::to_string(expected) + " as the store is configured",
              std::to_string(found)};
      return true;
    };
    if (mismatch("chunk_entries", kEntries, pair.chunk_entries) ||
        mismatch("page_bits", config.log.page_bits, pair.page_bits) ||
        mismatch("block_bytes", config.log.block_bytes, pair.block_bytes) ||
        mismatch("segment_pages", config.log.segment_pages, pair.segment_pages))
      return Status::kInvalidArgument;
    return Status::kOk;
  }

  Status CommitAlone(const LogMetadata& hot, CheckpointKind kind) {
    PairMetadata pair;
    pair.token = hot.token;
    pair.chunks = index_->chunks();
    pair.chunk_entries = kEntries;
    pair.page_bits = config_.log.page_bits;
    pair.block_bytes = config_.log.block_bytes;
    pair.segment_pages = config_.log.segment_pages;
    pair.begin_address = log_.log().begin();  // before the cut of the index
    const bool full = kind == CheckpointKind::kFull;
    Status status = index_->Checkpoint(full ? CheckpointKind::kFull : CheckpointKind::kLogOnly, &pair.index);
    if (status != Status::kOk) return status;
    status = log_.MakeDurable(&pair.final_address);  // after it
    if (status != Status::kOk) return status;
    pair.generations = log_.log().generations();
    for (Generation& generation : pair.generations) generation.until = 0;
    // From now on a checkpoint may be complete that names it, whatever is reported; the last one alone: an
    // earlier one has become complete, and is found, or never will.
    unsure_.assign(1, pair);
    Diagnosis why;
    return WriteMetadata(*storage_, hot_directory_, pair, &why);
  }

  const ColdConfig config_;
  const std::string hot_directory_;
  Storage* const storage_;
  const std::unique_ptr<Index> index_;
  const std::vector<Token> leftovers_;  // of the index: incomplete checkpoints of earlier incarnations
  ColdLog log_;
  const PairMetadata pair_;  // that was recovered
  ColdLog::Tail tail_;
  std::vector<PairMetadata> unsure_;
  std::atomic<bool> busy_{false};
};

}  // namespace faster
