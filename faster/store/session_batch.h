// Session, part 4: batches. Three stages follow each other through the keys, batch_ahead operations apart:
// hash the key and fetch its bucket's line; look into the bucket and fetch the record's line; execute the
// operation.
//
// A lookup is two cache misses of which the second depends on the first; here as many of them are under way
// as the stages are apart, where single calls wait for one pair after the other.
//
// INVARIANT: the first two stages are hints. What they saw is used for nothing but prefetches (which cannot
// fault), and the third stage looks everything up again, by then in the cache: in between the phase may have
// changed, the session may have been outside its epoch, records may have been copied, pages evicted, and the
// index may have grown. So a batch is correct for the reasons for which single calls are. The second stage
// does read the index, hence runs inside Enter() too. COST: one Enter and Leave per group, no allocation.
#pragma once

#include <algorithm>

#include "faster/store/session.h"

namespace faster {

template <class K, class V, class F>
void Session<K, V, F>::PrefetchRecord(KeyHash hash) const {
  HashEntry entry;
  if (IsGrowing(phase_)) return;  // which table has the key is found out under a pin
  if (table_->Find(hash, &entry) == nullptr) return;
  if (!entry.cached() && entry.address() < log_.head()) return;
  const uint8_t* const record = entry.cached() ? cache_.At(entry.address()) : log_.At(entry.address());
  __builtin_prefetch(record);
  __builtin_prefetch(record + L::kPrefetchBytes - 1);  // a record may lie across two lines
}

// operate(i, hash) executes one operation inside Enter() and tells `done` of it: true if it is still inside,
// with its serial given.
template <class K, class V, class F>
template <class Operate>
void Session<K, V, F>::RunBatch(size_t count, const KeyItem* keys, const Operate& operate) {
  constexpr size_t kRing = 2 * kMaxBatchAhead;  // hashes between the stages
  static_assert((kRing & (kRing - 1)) == 0);
  if (count == 0) return;
  const size_t ahead = batch_ahead_;
  KeyHash ring[kRing];
  const auto hash = [&](size_t i) {
    const KeyHash value{functions_.Hash(keys[i])};
    ring[i % kRing] = value;
    index_.Prefetch(value);
  };
  Enter();
  for (size_t i = 0; i < std::min(count, 2 * ahead); ++i) hash(i);
  for (size_t i = 0; i < std::min(count, ahead); ++i) PrefetchRecord(ring[i % kRing]);
  uint32_t inside = 0;  // operations since Enter()
  for (size_t i = 0;;) {
    const KeyHash now = ring[i % kRing];  // its place is taken by the operation 2 * ahead later
    if (i + 2 * ahead < count) hash(i + 2 * ahead);
    if (i + ahead < count) PrefetchRecord(ring[(i + ahead) % kRing]);
    if (operate(i, now)) [[likely]] {
      ++inside;
      if (++i == count) break;
      if (inside < batch_group_) [[likely]] {
        if (++since_refresh_ >= refresh_interval_) Adopt();
        continue;
      }
      LeaveAfter(inside);
    } else if (++i == count) {
      return;
    }
    inside = 0;
    Enter();
  }
  LeaveAfter(inside);
}

template <class K, class V, class F>
template <class Done>
void Session<K, V, F>::ReadBatch(size_t count, const KeyItem* keys, void* const* users, const Done& done) {
  RunBatch(count, keys, [&](size_t i, KeyHash hash) {
    typename L::Fresh value(scratch_);
    Status status;
    const bool stays = TryRead(hash, keys[i], &value.value, &status);
    if (stays) [[likely]]
      ++serial_;
    else
      status = RunRead(hash, keys[i], &value.value, users != nullptr ? users[i] : nullptr);
    done(i, status, value.value);
    return stays;
  });
}

template <class K, class V, class F>
template <class Done>
void Session<K, V, F>::UpsertBatch(size_t count, const KeyItem* keys, const ValueItem* values,
                                   void* const* users, const Done& done) {
  RunBatch(count, keys, [&](size_t i, KeyHash hash) {
    Status status = Status::kOk;
    const bool stays = TryUpsert(hash, keys[i], values[i]) || TryAppend(hash, keys[i], values[i]);
    if (stays) [[likely]]
      ++serial_;
    else
      status = RunUpsert(hash, keys[i], values[i], users != nullptr ? users[i] : nullptr);
    done(i, status);
    return stays;
  });
}

template <class K, class V, class F>
template <class Done>
void Session<K, V, F>::RmwBatch(size_t count, const KeyItem* keys, const Input* inputs, void* const* users,
                                const Done& done) {
  RunBatch(count, keys, [&](size_t i, KeyHash hash) {
    typename L::Fresh result(scratch_);
    Status status = Status::kOk;
    const bool stays = TryRmw(hash, keys[i], inputs[i], &result.value);
    if (stays) [[likely]]
      ++serial_;
    else
      status = RunRmw(hash, keys[i], inputs[i], &result.value, users != nullptr ? users[i] : nullptr);
    done(i, status, result.value);
    return stays;
  });
}

template <class K, class V, class F>
void Session<K, V, F>::ReadBatch(size_t count, const KeyItem* keys, Out* values, Status* statuses,
                                 void* const* users) {
  ReadBatch(count, keys, users, [=](size_t i, Status status, const Out& value) {
    statuses[i] = status;
    if (status == Status::kOk) values[i] = value;
  });
}

template <class K, class V, class F>
void Session<K, V, F>::UpsertBatch(size_t count, const KeyItem* keys, const ValueItem* values,
                                   Status* statuses, void* const* users) {
  UpsertBatch(count, keys, values, users, [=](size_t i, Status status) { statuses[i] = status; });
}

template <class K, class V, class F>
void Session<K, V, F>::RmwBatch(size_t count, const KeyItem* keys, const Input* inputs, Out* results,
                                Status* statuses, void* const* users) {
  RmwBatch(count, keys, inputs, users, [=](size_t i, Status status, const Out& result) {
    statuses[i] = status;
    if (status == Status::kOk) results[i] = result;
  });
}

}  // namespace faster
