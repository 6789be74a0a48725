#include "faster/inspect/index_check.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "faster/cpr/formats.h"
#include "faster/cpr/index_data.h"
#include "faster/cpr/index_load.h"
#include "faster/inspect/ordered_loads.h"

namespace faster {
namespace {

constexpr std::string_view kStep = "index";

class IndexRun {
 public:
  IndexRun(Inspection* inspection, std::string_view directory, const IndexMetadata& index,
           const IndexTarget& target)
      : inspection_(*inspection),
        index_(index),
        target_(target),
        path_(CheckpointPath(directory, index.token, kIndexDataName)) {}

  Status Run() {
    std::unique_ptr<File> file;
    Diagnosis why;
    Status status = inspection_.storage->Open(path_, OpenMode::kRead, &file);
    if (status != Status::kOk) {
      why = {path_, 0, "the buckets of the index", std::string(StatusName(status))};
      return Fail(status == Status::kIoError ? status : Status::kCorruption, why);
    }
    IndexDataReader reader(file.get(), path_, index_);
    if ((status = reader.Open(&why)) != Status::kOk) return Fail(status, why);
    if (!Allocate()) return Status::kOutOfMemory;
    OrderedLoads<Block> loads(inspection_.storage, inspection_.jobs, inspection_.ahead(), reader.blocks(),
                              [&](uint64_t number, Block* block) { Load(reader, number, block); });
    for (uint64_t number = 0; Block* const block = loads.Next(); ++number) {
      if (block->status != Status::kOk) static_cast<void>(Fail(block->status, block->why));
      reader.Pass(number, block->words.get());
      entries_ += block->entries;
      inspection_.Read(kStep, (reader.WordsIn(number) + 1) * 8);
      loads.Release();
    }
    if (status_ == Status::kOk && (status = reader.Finish(&why)) != Status::kOk) return Fail(status, why);
    if (status_ == Status::kOk) Conclude();
    return status_;
  }

 private:
  struct Block {
    Status status = Status::kOk;
    Diagnosis why;
    std::unique_ptr<uint64_t[]> words;
    uint64_t entries = 0;
    std::vector<LogAddress> entered;
  };

  Status Fail(Status status, const Diagnosis& why) {
    inspection_.findings->Add(target_.part, Check::kChecksum, why);
    if (status_.load(std::memory_order_relaxed) == Status::kOk) status_.store(status);
    return status;
  }
  void Find(uint64_t bucket, int word, std::string expected, std::string found) {
    inspection_.findings->Add(
        target_.part, Check::kStructure,
        {path_, IndexBucketOffset(bucket) + 8 * word, std::move(expected), std::move(found)});
    status_.store(Status::kCorruption);
  }

  bool Allocate() {
    const uint64_t count = index_.overflow_buckets;
    overflow_.reset(new (std::nothrow) HashBucketWords[count]);
    linked_.reset(new (std::nothrow) std::atomic<uint8_t>[count + 1]());
    if (overflow_ == nullptr || linked_ == nullptr) return false;
    return target_.table == nullptr || target_.table->ReserveOverflow(count) == Status::kOk;
  }

  // On any thread.
  void Load(const IndexDataReader& reader, uint64_t number, Block* block) {
    if (block->words == nullptr) block->words.reset(new uint64_t[kIndexBlockWords + 1]);
    block->entries = 0;
    block->entered.clear();
    uint64_t* words = block->words.get();
    block->status = reader.ReadBlock(number, words, &block->why);
    if (block->status != Status::kOk) return;
    if (target_.table != nullptr)
      LoadIndexBlock(words, reader.WordsIn(number), number, index_, target_.table);
    const uint64_t first = number * kIndexBlockBuckets;
    for (uint64_t at = first, end = first + reader.WordsIn(number) / kIndexBucketWords; at < end; ++at) {
      CheckBucket(at, words, &block->entries);
      if (at < index_.table_size) {
        Collect(words, &block->entered);
        Link(at, words[HashBucket::kEntries]);
      } else {
        std::copy_n(words, kIndexBucketWords, overflow_[at - index_.table_size].word);
      }
      words += kIndexBucketWords;
    }
    if (target_.entered != nullptr) target_.entered->SetAll(block->entered);
  }

  void CheckBucket(uint64_t number, const uint64_t* words, uint64_t* entries) {
    uint64_t seen = 0;  // by the low bits of tags: nearly always enough to tell that none comes twice
    for (int i = 0; i < HashBucket::kEntries; ++i) {
      const HashEntry entry{words[i]};
      if (entry.free()) continue;
      ++*entries;
      if (entry.tentative()) continue;  // a claim in the making
      const uint64_t bit = uint64_t{1} << (entry.tag() % 64);
      if ((seen & bit) != 0) CheckTag(number, words, i);
      seen |= bit;
      const LogAddress at = entry.address();
      const uint64_t in_block = target_.block_bytes == 0 ? 8 : at & (target_.block_bytes - 1);
      const bool placed = at < target_.begin || (at % 8 == 0 && in_block != 0);
      const bool below = at == 0 || (at < index_.checkpoint_final && placed);
      if ((entry.control & HashEntry::kUsed) == 0 || entry.cached() || !below)
        Find(number, i, "an entry that leads to a record below " + std::to_string(index_.checkpoint_final),
             "entry " + HexWord(entry.control));
    }
  }
  void CheckTag(uint64_t number, const uint64_t* words, int i) {
    const HashEntry entry{words[i]};
    for (int j = 0; j < i; ++j) {
      const HashEntry other{words[j]};
      if (other.free() || other.tentative() || other.tag() != entry.tag()) continue;
      Find(number, i, "a tag that the bucket has once", "tag " + std::to_string(entry.tag()) + " again");
    }
  }

  void Collect(const uint64_t* words, std::vector<LogAddress>* entered) const {
    if (target_.entered == nullptr) return;
    for (int i = 0; i < HashBucket::kEntries; ++i) {
      const HashEntry entry{words[i]};
      const LogAddress at = entry.address();
      if (entry.free() || entry.tentative() || at < target_.begin || at % 8 != 0) continue;
      if (target_.entered->Covers(at)) entered->push_back(at);
    }
  }

  // A link that was made after the overflow buckets were counted is none. False: not to be followed.
  bool Link(uint64_t bucket, uint64_t next) {
    if (next == 0 || next > index_.overflow_buckets) return false;
    if (linked_[next].exchange(1, std::memory_order_relaxed) == 0) return true;
    Find(bucket, HashBucket::kEntries, "a link to an overflow bucket that has no other",
         "one to number " + std::to_string(next));
    return false;
  }

  // Overflow buckets that a main bucket leads to, and those behind them.
  void Conclude() {
    std::vector<uint64_t> next;
    std::vector<LogAddress> entered;
    for (uint64_t number = 1; number <= index_.overflow_buckets; ++number) {
      if (linked_[number].load(std::memory_order_relaxed) != 0) next.push_back(number);
    }
    while (!next.empty()) {
      const uint64_t number = next.back();
      next.pop_back();
      const uint64_t* const words = overflow_[number - 1].word;
      Collect(words, &entered);
      if (Link(index_.table_size + number - 1, words[HashBucket::kEntries]))
        next.push_back(words[HashBucket::kEntries]);
    }
    if (target_.entered != nullptr) target_.entered->SetAll(entered);
    if (entries_ == index_.entries) return;
    inspection_.findings->Add(target_.part, Check::kStructure,
                              {path_, kIndexHeaderBytes, std::to_string(index_.entries) + " entries in use",
                               std::to_string(entries_)});
    status_.store(Status::kCorruption);
  }

  struct HashBucketWords {
    uint64_t word[kIndexBucketWords];
  };

  Inspection& inspection_;
  const IndexMetadata& index_;
  const IndexTarget target_;
  const std::string path_;
  std::unique_ptr<HashBucketWords[]> overflow_;     // bucket n at n - 1
  std::unique_ptr<std::atomic<uint8_t>[]> linked_;  // by number
  uint64_t entries_ = 0;
  std::atomic<Status> status_{Status::kOk};
};

}  // namespace

Status CheckIndexData(Inspection* inspection, std::string_view directory, const IndexMetadata& index,
                      const IndexTarget& target) {
  return IndexRun(inspection, directory, index, target).Run();
}

}  // namespace faster
