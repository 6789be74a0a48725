// IndexReplay: makes the index say what the log says (CPR paper sec. 6.4): records become the newest of their
// chains in the order of their addresses, records of the version that was not committed are undone.
//
// Records come in batches, each of one part of the log. A batch is sorted by partition, a contiguous part of
// the table, and each partition then replays its share of the batches in order. A chain lies within one
// partition, so threads neither share a bucket nor change the order in it.
//
// THREAD-SAFETY: batches may be filled and sorted on any threads, one thread per batch; Replay on any thread,
// one per partition at a time. Memory of a batch is used again after Clear(): to give it back and take it
// anew would stop all other threads each time, for the sake of their page tables. ERRORS: without memory for
// an overflow bucket Collect() says so. COST: 24 bytes of memory twice for a record in a batch; some 80 ns of
// processor time a record, reading it included, most of it for the bucket.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/record.h"
#include "faster/cpr/task_runner.h"
#include "faster/index/hash_table.h"

namespace faster {

class IndexReplay {
 public:
  struct Found {  // a record as the replay needs it
    KeyHash hash;
    LogAddress at;
    RecordHeader header;
  };
  class Batch {
   public:
    void Clear(uint64_t most) {  // how many will follow
      found_.clear();
      found_.reserve(most);
    }
    void Add(const Found& found) { found_.push_back(found); }
    // After Sort: of one partition, in the order in which they were added.
    std::span<const Found> Of(uint64_t partition) const {
      return {sorted_.data() + starts_[partition], sorted_.data() + starts_[partition + 1]};
    }

   private:
    friend class IndexReplay;
    std::vector<Found> found_;
    std::vector<Found> sorted_;     // by partition; in one, as they came
    std::vector<uint32_t> starts_;  // of the partitions in it, and its end
  };

  // All outlive the replay. The table is not shared yet.
  IndexReplay(HashTable* table, const LogMetadata& meta, TaskRunner* runner);

  // To be called before the first batch: about so many records will come.
  void Expect(uint64_t records);
  uint64_t partitions() const { return counts_.size(); }
  void Sort(Batch* batch) const;
  void Replay(const Batch& batch, uint64_t partition);
  // Adds what was counted since the last time. False: memory ran out.
  bool Collect(uint64_t* replayed, uint64_t* undone);

 private:
  struct alignas(64) Counts {
    uint64_t replayed = 0;
    uint64_t undone = 0;
    bool out_of_memory = false;
  };
  uint64_t PartitionOf(KeyHash hash) const { return hash.bucket(table_->size() - 1) >> shift_; }
  void ReplayRecord(const Found& record, Counts* counts);

  HashTable* const table_;
  const LogMetadata& meta_;
  TaskRunner* const runner_;
  std::vector<Counts> counts_;  // by partition; a power of two
  int shift_;                   // from a bucket's number to its partition's
};

}  // namespace faster
