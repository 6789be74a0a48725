#include "faster/interop/oxifaster_index.h"

#include "faster/cpr/formats.h"
#include "faster/cpr/stream_writer.h"

namespace faster::oxifaster {
namespace {

constexpr uint64_t kHeaderBytes = 16;
constexpr uint64_t kPieceBuckets = 1 << 14;
constexpr uint64_t kWords = kBucketBytes / 8;
constexpr uint64_t kMostOverflow = uint64_t{1} << 40;

}  // namespace

Status ForEachEntry(Storage* storage, const Checkpoint& checkpoint, const TransferObserver& observer,
                    const std::function<Status(const IndexEntry&)>& visit, Diagnosis* why) {
  const std::string path = JoinPath(checkpoint.directory, kIndexDataName);
  std::unique_ptr<File> file;
  uint64_t size = 0, header[2] = {};
  Status status = storage->Open(path, OpenMode::kRead, &file);
  if (status == Status::kOk) status = file->Size(&size);
  if (status == Status::kOk) status = ReadAll(*file, 0, header, kHeaderBytes);
  if (status != Status::kOk)
    return FailedIo(status, path, size < kHeaderBytes ? size : 0, "buckets of an index", why);
  if (header[0] != checkpoint.index->table_size)
    return Damaged(path, 0, std::to_string(checkpoint.index->table_size) + " buckets as in index.meta",
                   std::to_string(header[0]), why);
  if (header[1] >= kMostOverflow || size != kHeaderBytes + (header[0] + header[1]) * kBucketBytes)
    return Damaged(path, std::min(size, uint64_t{8}),
                   "a file of 16 + 64 * (" + std::to_string(header[0]) + " main and " +
                       std::to_string(header[1]) + " overflow buckets) bytes",
                   std::to_string(size), why);
  const uint64_t buckets = header[0] + header[1];
  std::vector<uint64_t> piece(std::min(buckets, kPieceBuckets) * kWords);
  for (uint64_t first = 0; first < buckets; first += kPieceBuckets) {
    const uint64_t words = std::min(buckets - first, kPieceBuckets) * kWords;
    const uint64_t at = kHeaderBytes + first * kBucketBytes;
    status = ReadAll(*file, at, piece.data(), words * 8);
    if (status != Status::kOk) return FailedIo(status, path, at, "buckets of an index", why);
    for (uint64_t i = 0; i < words; ++i) {
      const uint64_t word = piece[i];
      if (i % kWords == kEntries) {
        const uint64_t link = word & kAddressMask;
        if (link > header[1])
          return Damaged(path, at + i * 8,
                         "a link to one of " + std::to_string(header[1]) + " overflow buckets",
                         std::to_string(link), why);
        continue;
      }
      if (word == 0 || (word & kTentative) != 0) continue;
      status = visit({word & kAddressMask, word >> 48 & kTagMask, (word & kReadCache) != 0, at + i * 8});
      if (status != Status::kOk) return status;
    }
    Report(observer, "looking at the index", first + words / kWords, buckets);
  }
  return Status::kOk;
}

Status WriteIndex(Storage* storage, const std::string& path, const microsoft::Table& table,
                  const TransferObserver& observer, IndexInfo* info, Diagnosis* why) {
  const auto overflow = table.overflow_buckets();
  const uint64_t header[2] = {table.size(), overflow.size()};
  std::unique_ptr<File> file;
  Status status = storage->Open(path, OpenMode::kTruncate, &file);
  if (status == Status::kOk) {
    StreamWriter stream(file.get(), kHeaderBytes + (header[0] + header[1]) * kBucketBytes);
    status = stream.Append(header, kHeaderBytes);
    info->table_size = table.size();
    for (const auto& buckets : {table.main_buckets(), overflow}) {
      for (size_t first = 0; status == Status::kOk && first < buckets.size(); first += kPieceBuckets) {
        const auto piece = buckets.subspan(first, std::min<size_t>(kPieceBuckets, buckets.size() - first));
        for (const microsoft::Table::Bucket& bucket : piece) {
          uint64_t used = 0;
          for (const uint64_t entry : bucket.entry) used += entry != 0;
          info->entries += used;
          info->used_buckets += used != 0;
        }
        status = stream.Append(piece.data(), piece.size_bytes());
        Report(observer, "writing the index", stream.bytes(), (header[0] + header[1]) * kBucketBytes);
      }
    }
    if (status == Status::kOk) status = stream.Finish();
    if (status == Status::kOk) status = file->Sync();
  }
  if (status == Status::kOk) return status;
  return Refuse(status, path, 0, "a durable write", std::string(StatusName(status)), why);
}

}  // namespace faster::oxifaster
