// The hash index of Microsoft's FASTER in memory, as ht.dat and ofb.dat hold it.
//
//   bucket   7 entries and the number of an overflow bucket (48 bits, 0: none), 64 bytes
//   entry    address 48 | tag 14 | unused | tentative; all zero: free; address 1: nothing in the log yet.
//            The original leaves the unused bit as it finds it in memory, so it may be set
//   ht.dat   the main buckets in order
//   ofb.dat  overflow buckets by number, in whole pages of 2^overflow_page_bits; number 0 is not used
//
// The files are a fuzzy copy: words were copied one by one while operations went on. Load() makes of them
// what the original does: tentative entries count for nothing, and of two entries with one tag the first
// counts. A link to an overflow bucket that was made after the copy began may lead behind what was copied; as
// what such a bucket holds is younger than `start` the replay of the log brings it back, and the link is cut.
//
// One thread; blocking. COST: memory for the table and its overflow buckets, 64 bytes each; Load and Write
// stream the files in pieces of a few megabytes. ERRORS: kCorruption: an entry or link that cannot be, by
// file and offset. kOutOfMemory.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "faster/core/memory.h"
#include "faster/device/storage.h"
#include "faster/interop/microsoft_checkpoint.h"
#include "faster/interop/microsoft_log.h"
#include "faster/interop/transfer.h"

namespace faster::microsoft {

class Table {
 public:
  static constexpr uint64_t kTentative = uint64_t{1} << 63;
  static constexpr uint64_t kUnused = uint64_t{1} << 62;
  static constexpr int kEntries = 7;
  struct Bucket {
    uint64_t entry[kEntries];
    uint64_t overflow;
  };
  static_assert(sizeof(Bucket) == kBucketBytes);

  // Empty. `buckets` is a power of two.
  Status Allocate(uint64_t buckets, Diagnosis* why);
  // As a checkpoint has it. Entries are checked against the log's grid and its final address.
  Status Load(Storage* storage, const Checkpoint& checkpoint, const Geometry& geometry,
              const TransferObserver& observer, Diagnosis* why);
  // Writes both files into `directory` and makes them durable, but not their names; fills in the sizes in
  // *info. *paths has the files from when they are made.
  Status Write(Storage* storage, std::string_view directory, const Geometry& geometry,
               const TransferObserver& observer, IndexInfo* info, std::vector<std::string>* paths,
               Diagnosis* why) const;

  uint64_t size() const { return mask_ + 1; }
  std::span<const Bucket> main_buckets() const { return {main_, size()}; }
  std::span<const Bucket> overflow_buckets() const {
    return std::span(overflow_).subspan(1);
  }  // from number 1
  void Prefetch(uint64_t hash) const { __builtin_prefetch(&main_[hash & mask_]); }
  // The entry for `tag` in a main bucket or behind it; nullptr if there is none. It stays where it is until
  // FindOrCreate.
  uint64_t* Find(uint64_t bucket, uint64_t tag);
  // The same for a hash; made with address kNoAddress if missing.
  uint64_t* FindOrCreate(uint64_t hash);

  // visit(main bucket, entry, whether it is in ofb.dat, its offset there or in ht.dat) for every entry in
  // use, until it returns another status than kOk.
  template <class Visit>
  Status ForEachEntry(Visit&& visit) const {
    for (uint64_t i = 0; i < size(); ++i) {
      const Bucket* bucket = &main_[i];
      for (uint64_t number = 0;; bucket = &overflow_[number]) {
        for (int slot = 0; slot < kEntries; ++slot) {
          if (bucket->entry[slot] == 0) continue;
          const uint64_t offset = (number == 0 ? i : number) * kBucketBytes + static_cast<uint64_t>(slot) * 8;
          const Status status = visit(i, bucket->entry[slot], number != 0, offset);
          if (status != Status::kOk) return status;
        }
        number = bucket->overflow;
        if (number == 0) break;
      }
    }
    return Status::kOk;
  }
  std::string PathOf(bool overflow) const { return overflow ? overflow_path_ : table_path_; }

 private:
  Status ReadBuckets(Storage* storage, const std::string& path, Bucket* to, uint64_t buckets,
                     const TransferObserver& observer, Diagnosis* why);
  Status WriteBuckets(Storage* storage, const std::string& path, const Bucket* from, uint64_t buckets,
                      uint64_t file_bytes, const TransferObserver& observer, std::vector<std::string>* paths,
                      Diagnosis* why) const;
  Status CheckChain(uint64_t main, uint64_t overflow_count, const Grid& grid, const Checkpoint& checkpoint,
                    std::vector<bool>* linked, Diagnosis* why);
  Status CheckEntry(uint64_t entry, const Grid& grid, const Checkpoint& checkpoint, bool overflow,
                    uint64_t offset, Diagnosis* why) const;

  ZeroedMemory memory_;
  Bucket* main_ = nullptr;
  uint64_t mask_ = 0;
  std::vector<Bucket> overflow_{Bucket{}};
  std::string table_path_;
  std::string overflow_path_;
};

constexpr LogAddress AddressIn(uint64_t entry) { return entry & kAddressMask; }
constexpr uint64_t TagIn(uint64_t entry) { return TagOf(entry); }
constexpr uint64_t EntryOf(LogAddress address, uint64_t tag) { return address | tag << 48; }

}  // namespace faster::microsoft
