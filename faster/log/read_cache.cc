#include "faster/log/read_cache.h"

#include <algorithm>
#include <bit>

namespace faster {

ReadCache::ReadCache(const StoreConfig& config, RecordSizes sizes, LightEpoch* epoch, const HashIndex* index,
                     RecordHash hash)
    : bytes_(config.read_cache_bytes),
      sizes_(sizes),
      most_bytes_((sizes.fixed != 0 ? sizes.fixed : config.block_bytes - 8) + kSourceBytes),
      second_chance_(config.read_cache_second_chance),
      epoch_(epoch),
      index_(index),
      hash_(hash) {}

Status ReadCache::Open(bool huge_pages, Diagnosis* why) {
  if (!on()) return Status::kOk;
  const uint64_t page = std::max(std::min(bytes_ / 32, kMostPageBytes), std::bit_ceil<uint64_t>(most_bytes_));
  if (page > bytes_ / kLeastPages) {
    if (why)
      *why = {"", 0, "read_cache_bytes of at least " + std::to_string(kLeastPages * page),
              std::to_string(bytes_)};
    return Status::kInvalidArgument;
  }
  if (!frames_.Allocate(bytes_, huge_pages)) {
    if (why) *why = {"", 0, std::to_string(bytes_) + " bytes of memory for the read cache", "none"};
    return Status::kOutOfMemory;
  }
  memory_ = static_cast<uint8_t*>(frames_.data());
  evictor_entry_ = epoch_->Acquire();
  page_bits_ = static_cast<uint32_t>(std::bit_width(page)) - 1;
  pages_ = bytes_ >> page_bits_;
  lead_ = pages_ >= 8 ? 2 : 1;
  mask_ = bytes_ - 1;
  ends_.resize(pages_);
  return Status::kOk;
}

LogAddress ReadCache::Reserve(uint64_t bytes) {
  const uint64_t page_bytes = uint64_t{1} << page_bits_;
  bytes += kSourceBytes;
  uint64_t seen = tail_.load(std::memory_order_relaxed);
  for (;;) {
    if (Offset(seen) + bytes > page_bytes) {
      if (!OpenNextPage(seen)) return 0;
      seen = tail_.load(std::memory_order_relaxed);
    } else if (tail_.compare_exchange_weak(seen, seen + bytes, std::memory_order_acq_rel,
                                           std::memory_order_relaxed)) {
      return AddressOf(seen >> kOffsetBits, Offset(seen) + kSourceBytes);
    }
  }
}

bool ReadCache::OpenNextPage(uint64_t seen_tail) {
  bool opened = false;
  {
    std::unique_lock lock(page_mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return false;
    const uint64_t next = (seen_tail >> kOffsetBits) + 1;
    uint64_t now = tail_.load(std::memory_order_acquire);
    if (now >> kOffsetBits != next - 1) return true;  // another thread opened it
    if (next < pages_ + evicted_.load(std::memory_order_acquire)) {
      while (!tail_.compare_exchange_weak(now, next << kOffsetBits, std::memory_order_acq_rel)) {
      }
      ends_[(next - 1) & (pages_ - 1)] = static_cast<uint32_t>(Offset(now));
      opened = true;
    }
  }
  EvictIfNeeded();
  return opened;
}

// Begins the eviction of the oldest page if fewer than `lead_` frames are free and none is in progress.
void ReadCache::EvictIfNeeded() {
  const auto needed = [this] {
    const uint64_t open = (tail_.load(std::memory_order_acquire) >> kOffsetBits) + 1;
    return open + lead_ > pages_ + evicted_.load(std::memory_order_acquire);
  };
  while (needed()) {
    if (evicting_.exchange(true, std::memory_order_acq_rel)) return;
    if (needed()) {
      // Whoever reserved space in the page has linked it or given it up once this epoch is safe.
      epoch_->BumpWith({[](void* self, uint64_t page) { static_cast<ReadCache*>(self)->OnUnlinkable(page); },
                        this, evicted_.load(std::memory_order_relaxed)});
      return;
    }
    evicting_.store(false, std::memory_order_release);
  }
}

void ReadCache::OnUnlinkable(uint64_t page) {
  epoch_->Protect(evictor_entry_);
  Unlink(page);
  epoch_->Unprotect(evictor_entry_);
  epoch_->BumpWith(
      {[](void* self, uint64_t number) { static_cast<ReadCache*>(self)->OnUnseen(number); }, this, page});
}

void ReadCache::OnUnseen(uint64_t page) {
  evicted_.store(page + 1, std::memory_order_release);
  evicting_.store(false, std::memory_order_release);
  EvictIfNeeded();
}

// A walk over the records of a page.
struct ReadCache::Walk {
  const ReadCache& cache;
  LogAddress at;
  const LogAddress end;
  uint64_t bytes = 0;  // of the record at `at`

  Walk(const ReadCache& of, uint64_t page)
      : cache(of),
        at(of.AddressOf(page, kSourceBytes)),
        end(of.AddressOf(page, of.ends_[page & (of.pages_ - 1)])) {
    Measure();
  }
  bool more() const { return at < end; }
  void Next() {
    at += bytes + kSourceBytes;
    Measure();
  }
  void Measure() {
    if (more()) bytes = cache.sizes_(cache.At(at), end - at);
  }
};

void ReadCache::Unlink(uint64_t page) {
  uint64_t chances = second_chance_ ? (uint64_t{1} << page_bits_) / 2 : 0;  // bytes
  // While the index grows, copies are linked in the old table only, which is in use until all is split.
  HashTable& table = index_->table();
  constexpr uint32_t kAhead = 8;  // index lines are fetched that many records before they are needed
  Walk ahead(*this, page);
  const auto fetch = [&] {
    if (!ahead.more()) return;
    table.Prefetch(hash_(At(ahead.at)));
    ahead.Next();
  };
  for (uint32_t i = 0; i < kAhead; ++i) fetch();
  for (Walk walk(*this, page); walk.more(); walk.Next()) {
    fetch();
    const LogAddress address = walk.at;
    const RecordHeader header = HeaderAt(address);
    if (header.invalid()) continue;
    HashEntry entry;
    HashTable::Slot* const slot = table.Find(hash_(At(address)), &entry);
    if (slot == nullptr || (entry.control & kAddressMask) != address) continue;
    LogAddress moved = 0;
    if ((header.control & kReferenced) != 0 && chances >= walk.bytes + kSourceBytes)
      moved = Move(address, walk.bytes);
    if (moved != 0) chances -= walk.bytes + kSourceBytes;
    uint64_t expected = entry.control;
    // If the entry has changed, an update took its place: this address never comes back.
    const bool linked = slot->compare_exchange_strong(
        expected, entry.WithAddress(moved != 0 ? moved : header.previous()).control,
        std::memory_order_acq_rel);
    if (moved != 0 && !linked) {
      std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(At(moved)))
          .fetch_or(RecordHeader::kInvalid, std::memory_order_relaxed);
    }
  }
}

// A copy of the copy at the tail, not linked yet; 0 if there is no room. The page cannot be evicted before it
// is linked: one eviction runs at a time, and this is it.
LogAddress ReadCache::Move(LogAddress from, uint64_t bytes) {
  const LogAddress to = Reserve(bytes);
  if (to == 0) return 0;
  SetSource(to, Source(from));
  uint64_t* const source = reinterpret_cast<uint64_t*>(At(from));
  uint64_t* const target = reinterpret_cast<uint64_t*>(At(to));
  for (uint64_t i = 1; i < bytes / 8; ++i) StoreWord(target + i, LoadWord(source + i));
  StoreWord(target, LoadWord(source) & ~kReferenced, std::memory_order_release);
  return to;
}

bool ReadCache::Holds(LogAddress address) const {
  const uint64_t tail = tail_.load(std::memory_order_acquire);
  const LogAddress end = AddressOf(tail >> kOffsetBits, std::min(Offset(tail), uint64_t{1} << page_bits_));
  address &= kAddressMask;
  return on() && address >= AddressOf(evicted_.load(std::memory_order_acquire), 0) && address < end;
}

std::string ReadCache::Describe() const {
  if (!on()) return "";
  const uint64_t tail = tail_.load(std::memory_order_acquire);
  return "read cache: " + std::to_string(pages_) + " pages, evicted " + std::to_string(evicted_.load()) +
         (evicting_.load() ? " and evicting" : "") + ", tail " + std::to_string(tail >> kOffsetBits) + "+" +
         std::to_string(Offset(tail)) + "\n";
}

}  // namespace faster
