#include "faster/interop/microsoft_index.h"

#include <algorithm>

#include "faster/cpr/formats.h"

namespace faster::microsoft {
namespace {

constexpr uint64_t kTablePiece = uint64_t{4} << 20;

Status SizeOf(Storage* storage, const std::string& path, uint64_t* size, Diagnosis* why) {
  std::unique_ptr<File> file;
  Status status = storage->Open(path, OpenMode::kRead, &file);
  if (status == Status::kOk) status = file->Size(size);
  return status == Status::kOk ? status : FailedIo(status, path, 0, "buckets of an index", why);
}

}  // namespace

Status Table::Allocate(uint64_t buckets, Diagnosis* why) {
  if (!memory_.Allocate(buckets * kBucketBytes, false))
    return Refuse(Status::kOutOfMemory, "", 0, std::to_string(buckets * kBucketBytes) + " bytes for an index",
                  "no memory", why);
  main_ = static_cast<Bucket*>(memory_.data());
  mask_ = buckets - 1;
  overflow_.assign(1, Bucket{});
  return Status::kOk;
}

// The first `buckets` of the file.
Status Table::ReadBuckets(Storage* storage, const std::string& path, Bucket* to, uint64_t buckets,
                          const TransferObserver& observer, Diagnosis* why) {
  std::unique_ptr<File> file;
  Status status = storage->Open(path, OpenMode::kRead, &file);
  if (status != Status::kOk) return FailedIo(status, path, 0, "buckets of an index", why);
  const uint64_t bytes = buckets * kBucketBytes;
  for (uint64_t at = 0; at < bytes; at += kTablePiece) {
    status = ReadAll(*file, at, reinterpret_cast<uint8_t*>(to) + at, std::min(kTablePiece, bytes - at));
    if (status != Status::kOk) return FailedIo(status, path, at, "buckets of an index", why);
    Report(observer, "reading the index", at, bytes);
  }
  return Status::kOk;
}

Status Table::CheckEntry(uint64_t entry, const Grid& grid, const Checkpoint& checkpoint, bool overflow,
                         uint64_t offset, Diagnosis* why) const {
  const LogAddress at = AddressIn(entry);
  const bool known = at == kNoAddress || (at >= kFirstAddress && at < checkpoint.index.begin) ||
                     (at >= checkpoint.index.begin && at < checkpoint.log.final_address && grid.IsSlot(at));
  if (known) return Status::kOk;
  return Damaged(PathOf(overflow), offset,
                 "an entry that leads to a record below " + std::to_string(checkpoint.log.final_address),
                 "address " + std::to_string(at), why);
}

// One main bucket and what is linked behind it.
Status Table::CheckChain(uint64_t main, uint64_t overflow_count, const Grid& grid,
                         const Checkpoint& checkpoint, std::vector<bool>* linked, Diagnosis* why) {
  Bucket* bucket = &main_[main];
  for (uint64_t number = 0;; bucket = &overflow_[number]) {
    const uint64_t offset = (number == 0 ? main : number) * kBucketBytes;
    for (int i = 0; i < kEntries; ++i) {
      uint64_t& entry = bucket->entry[i];
      entry = (entry & kTentative) != 0 ? 0 : entry & ~kUnused;
      if (entry == 0) continue;
      const Status status =
          CheckEntry(entry, grid, checkpoint, number != 0, offset + static_cast<uint64_t>(i) * 8, why);
      if (status != Status::kOk) return status;
      if (Find(main, TagIn(entry)) != &entry) entry = 0;  // the first one counts
    }
    const uint64_t next = bucket->overflow;
    if (next == 0) return Status::kOk;
    const bool there = next < overflow_.size();
    if (next >= overflow_count || (there && (*linked)[next]))
      return Damaged(
          PathOf(number != 0), offset + kEntries * 8,
          "a link to an overflow bucket below " + std::to_string(overflow_count) + " that no other has",
          std::to_string(next), why);
    if (!there) {
      bucket->overflow = 0;
      return Status::kOk;
    }
    (*linked)[next] = true;
    number = next;
  }
}

Status Table::Load(Storage* storage, const Checkpoint& checkpoint, const Geometry& geometry,
                   const TransferObserver& observer, Diagnosis* why) {
  const IndexInfo& info = checkpoint.index;
  table_path_ = JoinPath(checkpoint.index_directory, kTableName);
  overflow_path_ = JoinPath(checkpoint.index_directory, kOverflowName);
  // Before memory is taken for what a damaged info.dat may say.
  uint64_t size = 0;
  Status status = SizeOf(storage, table_path_, &size, why);
  if (status != Status::kOk) return status;
  if (size != info.table_bytes)
    return Damaged(table_path_, std::min(size, info.table_bytes), std::to_string(info.table_bytes) + " bytes",
                   std::to_string(size), why);
  if ((status = SizeOf(storage, overflow_path_, &size, why)) != Status::kOk) return status;
  if (size < info.overflow_bytes)
    return Damaged(overflow_path_, size, std::to_string(info.overflow_bytes) + " bytes or more",
                   std::to_string(size), why);
  if ((status = Allocate(info.table_size, why)) != Status::kOk) return status;
  // The page that the last bucket is in was written whole, with those that came later.
  const uint64_t page = geometry.overflow_page_bytes();
  const uint64_t written = std::min(size, (info.overflow_bytes + page - 1) / page * page);
  overflow_.assign(std::min(written / kBucketBytes, info.overflow_count), Bucket{});
  status = ReadBuckets(storage, table_path_, main_, info.table_size, observer, why);
  if (status == Status::kOk)
    status = ReadBuckets(storage, overflow_path_, overflow_.data(), overflow_.size(), observer, why);
  if (status != Status::kOk) return status;
  const Grid grid(geometry.page_bits);
  std::vector<bool> linked(overflow_.size());
  for (uint64_t i = 0; i < info.table_size && status == Status::kOk; ++i)
    status = CheckChain(i, info.overflow_count, grid, checkpoint, &linked, why);
  return status;
}

uint64_t* Table::Find(uint64_t bucket, uint64_t tag) {
  for (Bucket* at = &main_[bucket];; at = &overflow_[at->overflow]) {
    for (uint64_t& entry : at->entry) {
      if (entry != 0 && TagIn(entry) == tag) return &entry;
    }
    if (at->overflow == 0) return nullptr;
  }
}

uint64_t* Table::FindOrCreate(uint64_t hash) {
  Bucket* at = &main_[hash & mask_];
  uint64_t* free = nullptr;
  for (;; at = &overflow_[at->overflow]) {
    for (uint64_t& entry : at->entry) {
      if (entry != 0 && TagIn(entry) == TagOf(hash)) return &entry;
      if (entry == 0 && free == nullptr) free = &entry;
    }
    if (at->overflow == 0) break;
  }
  if (free == nullptr) {
    at->overflow = overflow_.size();
    free = &overflow_.emplace_back(Bucket{}).entry[0];  // `at` may have moved
  }
  *free = EntryOf(kNoAddress, TagOf(hash));
  return free;
}

Status Table::WriteBuckets(Storage* storage, const std::string& path, const Bucket* from, uint64_t buckets,
                           uint64_t file_bytes, const TransferObserver& observer,
                           std::vector<std::string>* paths, Diagnosis* why) const {
  std::unique_ptr<File> file;
  Status status = storage->Open(path, OpenMode::kTruncate, &file);
  paths->push_back(path);
  const uint64_t bytes = buckets * kBucketBytes;
  for (uint64_t at = 0; status == Status::kOk && at < bytes; at += kTablePiece) {
    status =
        WriteAll(*file, at, reinterpret_cast<const uint8_t*>(from) + at, std::min(kTablePiece, bytes - at));
    Report(observer, "writing the index", at, bytes);
  }
  if (status == Status::kOk && bytes != file_bytes) status = file->Truncate(file_bytes);
  if (status == Status::kOk) status = file->Sync();
  if (status != Status::kOk)
    return Refuse(status, path, 0, "a durable write", std::string(StatusName(status)), why);
  return status;
}

Status Table::Write(Storage* storage, std::string_view directory, const Geometry& geometry,
                    const TransferObserver& observer, IndexInfo* info, std::vector<std::string>* paths,
                    Diagnosis* why) const {
  const uint64_t used = overflow_.size() * kBucketBytes, page = geometry.overflow_page_bytes();
  Status status = WriteBuckets(storage, JoinPath(directory, kTableName), main_, size(), size() * kBucketBytes,
                               observer, paths, why);
  if (status == Status::kOk)
    status = WriteBuckets(storage, JoinPath(directory, kOverflowName), overflow_.data(), overflow_.size(),
                          (used + page - 1) / page * page, observer, paths, why);
  info->table_size = size();
  info->table_bytes = size() * kBucketBytes;
  info->overflow_bytes = used;
  info->overflow_count = overflow_.size();
  return status;
}

}  // namespace faster::microsoft
