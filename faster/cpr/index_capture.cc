#include "faster/cpr/index_capture.h"

#include <algorithm>
#include <span>

namespace faster {
namespace {

static_assert(HashBucket::kEntries + 1 == kIndexBucketWords);

// Under one protection where the cache is on: few, as nothing of the cache is evicted meanwhile.
constexpr uint64_t kBucketsAtOnce = 8;
constexpr uint64_t kBucketsPerReport = 1024;

// How many of its entries are in use.
template <bool kCache>
uint64_t CopyBucket(const HashBucket& bucket, const ReadCache* cache, uint64_t* words) {
  uint64_t used = 0;
  for (int i = 0; i < HashBucket::kEntries; ++i) {
    HashEntry entry{bucket.entry[i].load(std::memory_order_acquire)};
    if (kCache && entry.cached()) entry = entry.WithAddress(cache->RealAddress(entry));
    words[i] = entry.control;
    used += !entry.free();
  }
  words[HashBucket::kEntries] = bucket.overflow.load(std::memory_order_acquire);
  return used;
}

// bucket_at(i) for i in [0, count), in order; report(i) when so many are done.
template <bool kCache, class BucketAt, class Report>
Status CopyBuckets(const IndexCapture& capture, uint64_t count, IndexDataWriter* writer, uint64_t* entries,
                   BucketAt&& bucket_at, Report&& report) {
  Status status = Status::kOk;
  for (uint64_t i = 0; i < count && status == Status::kOk;) {
    const std::span<uint64_t> room = writer->Room();
    const uint64_t end = std::min({count, i + kBucketsAtOnce, i + room.size() / kIndexBucketWords});
    uint64_t* words = room.data();
    if (kCache) capture.epoch->Protect(capture.entry);
    for (; i < end; ++i, words += kIndexBucketWords)
      *entries += CopyBucket<kCache>(*bucket_at(i), capture.cache, words);
    if (kCache) capture.epoch->Unprotect(capture.entry);
    status = writer->Took(static_cast<uint64_t>(words - room.data()));
    if (i % kBucketsPerReport == 0) report(i);
  }
  return status;
}

template <bool kCache>
Status Capture(const IndexCapture& capture, IndexDataWriter* writer, uint64_t* entries) {
  const HashTable& table = *capture.table;
  const Status status = CopyBuckets<kCache>(
      capture, table.size(), writer, entries, [&](uint64_t i) { return table.main_bucket(i); },
      [&](uint64_t done) { capture.progress(done * sizeof(HashBucket)); });
  if (status != Status::kOk) return status;
  return CopyBuckets<kCache>(
      capture, table.overflow_count(), writer, entries,
      [&](uint64_t i) { return table.overflow_bucket(i + 1); }, [](uint64_t) {});
}

}  // namespace

Status CaptureIndex(const IndexCapture& capture, IndexDataWriter* writer, uint64_t* entries) {
  const bool cached = capture.cache != nullptr && capture.cache->on();
  return cached ? Capture<true>(capture, writer, entries) : Capture<false>(capture, writer, entries);
}

}  // namespace faster
