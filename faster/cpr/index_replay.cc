#include "faster/cpr/index_replay.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "faster/cpr/replay_rules.h"

namespace faster {
namespace {

// Several for each thread, so that all have work to the end.
uint64_t Partitions(uint32_t threads, uint64_t buckets) {
  return threads == 1 ? 1 : std::min<uint64_t>(4 * std::bit_ceil(threads), buckets);
}

}  // namespace

IndexReplay::IndexReplay(HashTable* table, const LogMetadata& meta, TaskRunner* runner)
    : table_(table),
      meta_(meta),
      runner_(runner),
      counts_(Partitions(runner->threads(), table->size())),
      shift_(std::countr_zero(table->size() / counts_.size())) {}

// A bucket is read before it is written. Were the table's memory provided at that moment, the kernel would do
// it twice, first with a page of zeros that all share, and the second time stop every other thread. Few
// records touch few pages; then it is left to them.
void IndexReplay::Expect(uint64_t records) {
  constexpr uint64_t kAtOnce = 64 * 1024;  // buckets
  constexpr uint64_t kInPage = 4096 / sizeof(HashBucket);
  if (table_->size() < kAtOnce || records < table_->size() / kInPage) return;
  runner_->ForEach(table_->size() / kAtOnce, [&](uint64_t i) { table_->Populate(i * kAtOnce, kAtOnce); });
}

void IndexReplay::Sort(Batch* batch) const {
  std::vector<uint32_t>& starts = batch->starts_;
  starts.assign(partitions() + 1, 0);
  if (partitions() == 1) {
    batch->sorted_.swap(batch->found_);
    starts[1] = static_cast<uint32_t>(batch->sorted_.size());
    return;
  }
  for (const Found& found : batch->found_) ++starts[PartitionOf(found.hash) + 1];
  for (uint64_t i = 1; i < starts.size(); ++i) starts[i] += starts[i - 1];
  batch->sorted_.resize(batch->found_.size());
  for (const Found& found : batch->found_) batch->sorted_[starts[PartitionOf(found.hash)]++] = found;
  // Each start has moved to where the next partition begins.
  for (uint64_t i = partitions(); i > 0; --i) starts[i] = starts[i - 1];
  starts[0] = 0;
}

void IndexReplay::Replay(const Batch& batch, uint64_t partition) {
  constexpr size_t kAhead = 12;
  const std::vector<Found>& sorted = batch.sorted_;
  const size_t end = batch.starts_[partition + 1];
  for (size_t i = batch.starts_[partition]; i < end; ++i) {
    if (i + kAhead < end) table_->Prefetch(sorted[i + kAhead].hash);
    ReplayRecord(sorted[i], &counts_[partition]);
  }
}

bool IndexReplay::Collect(uint64_t* replayed, uint64_t* undone) {
  bool complete = true;
  for (Counts& one : counts_) {
    complete = complete && !one.out_of_memory;
    *replayed += std::exchange(one.replayed, 0);
    *undone += std::exchange(one.undone, 0);
  }
  return complete;
}

void IndexReplay::ReplayRecord(const Found& record, Counts* counts) {
  HashEntry entry;
  const RecordFate fate = FateOf(meta_, record.at, record.header);
  if (fate == RecordFate::kLive) {
    HashTable::Slot* slot = table_->FindOrCreate(record.hash, &entry);
    if (slot == nullptr) {
      counts->out_of_memory = true;
      return;
    }
    slot->store(HashEntry::Make(record.at, record.hash.tag()).control, std::memory_order_relaxed);
    ++counts->replayed;
    return;
  }
  counts->undone += fate == RecordFate::kUndone;
  HashTable::Slot* slot = table_->Find(record.hash, &entry);
  if (slot != nullptr && entry.address() >= record.at) {
    slot->store(HashEntry::Make(record.header.previous(), record.hash.tag()).control,
                std::memory_order_relaxed);
  }
}

}  // namespace faster
