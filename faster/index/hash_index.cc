#include "faster/index/hash_index.h"

#include <algorithm>
#include <bit>
#include <new>

#include "faster/log/read_cache.h"

namespace faster {

HashIndex::HashIndex(const StoreConfig& config, LightEpoch* epoch, HybridLog* log, const ReadCache* cache,
                     RecordHash hash)
    : max_buckets_(config.max_index_buckets),
      grow_percent_(config.grow_at_overflow_percent),
      huge_pages_(config.huge_pages),
      prefault_(config.prefault),
      epoch_(epoch),
      log_(log),
      cache_(cache),
      hash_(hash) {}

std::unique_ptr<HashTable> HashIndex::NewTable(uint64_t buckets) {
  std::unique_ptr<HashTable> table(new (std::nothrow) HashTable);
  if (table == nullptr || table->Allocate(buckets, huge_pages_) != Status::kOk) return nullptr;
  table->SetAlarm(&HashIndex::OnAlarm, this);
  return table;
}

void HashIndex::Arm(bool mostly_on_disk) {
  const uint64_t size = new_->size();
  if (grow_percent_ == 0 || size >= max_buckets_) return;
  const uint64_t share = size * grow_percent_ / 100 + 1;
  const uint64_t now = new_->overflow_count();
  new_->Arm(mostly_on_disk ? std::max(share, 2 * now) : share);
  if (!mostly_on_disk && now >= share) wanted_.store(true, std::memory_order_relaxed);
}

// An operation of Rest looks for work beside its own only when the epoch has some: so it is given some.
void HashIndex::OnAlarm(void* index) {
  auto* self = static_cast<HashIndex*>(index);
  self->wanted_.store(true, std::memory_order_relaxed);
  self->epoch_->BumpWith({[](void*, uint64_t) {}, nullptr, 0});
}

void HashIndex::Publish(HashTable* table) {
  current_.store(table, std::memory_order_release);
  hint_.store(reinterpret_cast<uint64_t>(table->main_bucket(0)) |
                  static_cast<uint64_t>(std::countr_zero(table->size())),
              std::memory_order_relaxed);
}

Status HashIndex::Allocate(uint64_t buckets) {
  new_ = NewTable(buckets);
  if (new_ == nullptr) return Status::kOutOfMemory;
  if (prefault_) new_->Populate();
  Publish(new_.get());
  return Status::kOk;
}

Status HashIndex::Begin() {
  const uint64_t size = new_->size();
  wanted_.store(false, std::memory_order_relaxed);
  if (size >= max_buckets_) return Status::kInvalidArgument;
  const uint32_t chunk_bits = size < kSmallTable || new_->overflow_count() > size ? 0 : kLargeChunkBits;
  std::unique_ptr<HashTable> larger = NewTable(2 * size);
  std::unique_ptr<std::atomic<uint32_t>[]> state(new (std::nothrow)
                                                     std::atomic<uint32_t>[size >> chunk_bits]());
  if (larger == nullptr || state == nullptr) return Status::kOutOfMemory;
  old_ = std::move(new_);
  new_ = std::move(larger);
  old_size_ = size;
  chunk_bits_ = chunk_bits;
  state_ = std::move(state);
  first_open_.store(0, std::memory_order_relaxed);
  entries_.store(0, std::memory_order_relaxed);
  doubled_.store(0, std::memory_order_relaxed);
  all_split_.store(false, std::memory_order_relaxed);
  growing_.store(true, std::memory_order_release);
  return Status::kOk;
}

HashIndex::Turn HashIndex::Enter(KeyHash hash, bool may_split) {
  // First: once all is split the old table and the state of its chunks may be freed.
  if (all_split_.load(std::memory_order_acquire)) return {new_.get()};
  std::atomic<uint32_t>& state = ChunkOf(hash);
  uint32_t seen = state.load(std::memory_order_acquire);
  while ((seen & (kSplit | kSplitting | kClosed)) == 0) {
    if (state.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
      return {old_.get(), &state};
    }
  }
  Turn turn;
  if ((seen & kSplit) != 0 || (may_split && TrySplit(&state, seen, &turn.out_of_memory))) {
    turn.table = new_.get();
  }
  return turn;
}

// `seen`: the state of the chunk. False: others are in it, or there is no memory.
bool HashIndex::TrySplit(std::atomic<uint32_t>* state, uint32_t seen, bool* out_of_memory) {
  if ((seen & ~kClosed) != 0) return (seen & kSplit) != 0;
  if (!state->compare_exchange_strong(seen, kSplitting, std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
    return (seen & kSplit) != 0;
  }
  const bool split = SplitChunk(static_cast<uint64_t>(state - state_.get()));
  state->store(split ? kSplit : 0, std::memory_order_release);
  *out_of_memory = !split;
  return split;
}

// Nobody else is in the chunk or in the buckets that it becomes. On failure they are empty again.
bool HashIndex::SplitChunk(uint64_t chunk) {
  const uint64_t first = chunk << chunk_bits_;
  const uint64_t end = first + (uint64_t{1} << chunk_bits_);
  Moved moved;
  // Written before they are read: else the kernel would provide their memory twice, and stop all threads.
  new_->Touch(first);
  new_->Touch(first + old_size_);
  for (uint64_t bucket = first; bucket < end; ++bucket) {
    if (SplitBucket(bucket, &moved)) continue;
    for (uint64_t undo = first; undo <= bucket; ++undo) {
      new_->Clear(undo);
      new_->Clear(undo + old_size_);
    }
    return false;
  }
  entries_.fetch_add(moved.entries, std::memory_order_relaxed);
  doubled_.fetch_add(moved.doubled, std::memory_order_relaxed);
  return true;
}

// No entry is tentative here: an insert is over before its pin goes, and without pins nobody is inserting.
bool HashIndex::SplitBucket(uint64_t number, Moved* moved) {
  const LogAddress head = log_->head();
  for (const HashBucket* bucket = old_->main_bucket(number); bucket != nullptr;) {
    for (const HashTable::Slot& slot : bucket->entry) {
      const HashEntry entry{slot.load(std::memory_order_acquire)};
      if (!entry.free() && !entry.cached() && entry.address() >= head)
        __builtin_prefetch(log_->At(entry.address()));
    }
    for (const HashTable::Slot& slot : bucket->entry) {
      const HashEntry entry{slot.load(std::memory_order_acquire)};
      if (entry.free()) continue;
      LogAddress starts[2] = {0, 0};
      ++moved->entries;
      moved->doubled += FindStarts(number, cache_->RealAddress(entry), starts);
      for (uint64_t half = 0; half < 2; ++half) {
        if (starts[half] == 0) continue;
        if (!new_->Put(number + half * old_size_, HashEntry::Make(starts[half], entry.tag()))) return false;
      }
    }
    const uint64_t next = bucket->overflow.load(std::memory_order_acquire);
    bucket = next == 0 ? nullptr : old_->overflow_bucket(next);
  }
  return true;
}

// Where the chains of both halves of a bucket start: in memory at a half's first own record, else on disk.
bool HashIndex::FindStarts(uint64_t bucket, LogAddress at, LogAddress starts[2]) const {
  const LogAddress head = log_->head();
  while (at >= head && (starts[0] == 0 || starts[1] == 0)) {
    const uint8_t* record = log_->At(at);
    const KeyHash hash = hash_(record);
    const bool own = hash.bucket(old_size_ - 1) == bucket;  // else of the other half of an earlier growth
    LogAddress* const start = &starts[hash.bucket(2 * old_size_ - 1) == bucket ? 0 : 1];
    if (own && *start == 0) *start = at;
    at = RecordHeader{LoadWord(reinterpret_cast<const uint64_t*>(record), std::memory_order_acquire)}
             .previous();
  }
  if (at < log_->begin()) return false;
  for (int half = 0; half < 2; ++half) {
    if (starts[half] == 0) starts[half] = at;
  }
  return starts[0] == starts[1] && at != 0;
}

// Nobody pins the chunk any more, however often it is needed.
void HashIndex::Close(std::atomic<uint32_t>* state) {
  uint32_t seen = state->load(std::memory_order_acquire);
  while ((seen & (kSplit | kSplitting | kClosed)) == 0 &&
         !state->compare_exchange_weak(seen, seen | kClosed, std::memory_order_acq_rel)) {
  }
}

bool HashIndex::Sweep(uint32_t buckets) {
  if (all_split_.load(std::memory_order_acquire)) return true;
  uint64_t first = first_open_.load(std::memory_order_acquire);
  while (first < chunks() && (state_[first].load(std::memory_order_acquire) & kSplit) != 0) ++first;
  uint64_t seen = first_open_.load(std::memory_order_relaxed);
  while (seen < first && !first_open_.compare_exchange_weak(seen, first, std::memory_order_acq_rel)) {
  }
  if (first == chunks()) {
    all_split_.store(true, std::memory_order_release);
    return true;
  }
  // A small table is not swept up in one go either.
  uint64_t count = buckets == 0 ? 0 : std::min<uint64_t>(buckets >> chunk_bits_, chunks() / 16 + 1);
  const uint64_t end = std::min(first + kSweepWindow + count, chunks());
  for (uint64_t chunk = first; chunk < end && count > 0; ++chunk) {
    uint32_t seen = state_[chunk].load(std::memory_order_acquire);
    if ((seen & (kSplit | kSplitting)) != 0) continue;
    bool out_of_memory = false;  // what is left is found again by the next sweep
    if (!TrySplit(&state_[chunk], seen, &out_of_memory) && !out_of_memory) Close(&state_[chunk]);
    --count;
  }
  return false;
}

void HashIndex::Retire() { Publish(new_.get()); }

void HashIndex::FreeOld() {
  old_.reset();
  state_.reset();
}

void HashIndex::End() {
  growing_.store(false, std::memory_order_release);
  Arm(2 * doubled_.load(std::memory_order_relaxed) > entries_.load(std::memory_order_relaxed));
}

GrowthProgress HashIndex::Progress() const {
  GrowthProgress progress;
  progress.buckets = size();
  if (!growing_.load(std::memory_order_acquire)) return progress;
  progress.target = 2 * old_size_;
  progress.split = std::min(first_open_.load(std::memory_order_acquire) << chunk_bits_, old_size_);
  return progress;
}

HashTable& HashIndex::TableOf(KeyHash hash) const {
  const bool open = growing_.load(std::memory_order_acquire) && !all_split_.load(std::memory_order_acquire) &&
                    (ChunkOf(hash).load(std::memory_order_acquire) & kSplit) == 0;
  return open ? *old_ : *new_;
}

}  // namespace faster
