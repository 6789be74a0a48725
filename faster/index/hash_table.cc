#include "faster/index/hash_table.h"

#include <thread>

namespace faster {
HashTable::~HashTable() {
  for (uint32_t c = 0; c < kChunks; ++c) {
    ZeroedMemory::Release(chunks_[c].load(), sizeof(HashBucket) << (c + kFirstChunkBits));
  }
}

Status HashTable::Allocate(uint64_t buckets, bool huge_pages) {
  if (!memory_.Allocate(buckets * sizeof(HashBucket), huge_pages)) return Status::kOutOfMemory;
  main_ = static_cast<HashBucket*>(memory_.data());
  mask_ = buckets - 1;
  return Status::kOk;
}

bool HashTable::EnsureChunk(uint32_t chunk) {
  if (chunks_[chunk].load(std::memory_order_acquire) != nullptr) return true;
  std::lock_guard lock(chunk_mutex_);
  if (chunks_[chunk].load(std::memory_order_relaxed) != nullptr) return true;
  ZeroedMemory memory;
  if (!memory.Allocate(sizeof(HashBucket) << (chunk + kFirstChunkBits), false)) return false;
  chunks_[chunk].store(static_cast<HashBucket*>(memory.Detach()), std::memory_order_release);
  return true;
}

uint64_t HashTable::NewOverflow() {
  const uint64_t number = overflow_count_.load(std::memory_order_relaxed) + 1;
  const uint64_t at = number - 1 + (uint64_t{1} << kFirstChunkBits);
  if (!EnsureChunk(63 - static_cast<uint32_t>(__builtin_clzll(at)) - kFirstChunkBits)) return 0;
  uint64_t expected = number - 1;
  // The chunk exists before the count covers it: whoever reads a count may follow any number up to it.
  if (!overflow_count_.compare_exchange_strong(expected, number, std::memory_order_acq_rel)) {
    return NewOverflow();
  }
  if (number >= alarm_at_.load(std::memory_order_acquire)) {
    alarm_at_.store(~uint64_t{0}, std::memory_order_relaxed);
    ring_(ring_context_);
  }
  return number;
}

bool HashTable::Put(uint64_t number, HashEntry entry) {
  for (HashBucket* bucket = &main_[number];;) {
    uint32_t at = KeyHash{entry.tag() << 50}.slot();
    for (int i = 0; i < HashBucket::kEntries; ++i, at = (at + 1) % HashBucket::kEntries) {
      Slot& slot = bucket->entry[at];
      if (slot.load(std::memory_order_relaxed) != 0) continue;
      slot.store(entry.control, std::memory_order_relaxed);
      return true;
    }
    uint64_t next = bucket->overflow.load(std::memory_order_relaxed);
    if (next == 0 && (next = NewOverflow()) == 0) return false;
    bucket->overflow.store(next, std::memory_order_relaxed);
    bucket = Overflow(next);
  }
}

void HashTable::Clear(uint64_t number) {
  for (HashBucket* bucket = &main_[number];;) {
    for (Slot& slot : bucket->entry) slot.store(0, std::memory_order_relaxed);
    const uint64_t next = bucket->overflow.load(std::memory_order_relaxed);
    if (next == 0) return;
    bucket = Overflow(next);
  }
}

Status HashTable::ReserveOverflow(uint64_t count) {
  for (uint64_t number = 1; number <= count; ++number) {
    if (NewOverflow() == 0) return Status::kOutOfMemory;
  }
  return Status::kOk;
}

// Of one bucket: the slot whose upper 16 bits, masked, are `wanted`, and its value.
template <uint64_t kMask>
HashTable::Slot* HashTable::FindIn(const HashBucket* bucket, uint64_t wanted, const Slot* except,
                                   HashEntry* entry) {
#pragma GCC unroll 7
  for (int i = 0; i < HashBucket::kEntries; ++i) {
    const uint64_t seen = bucket->entry[i].load(std::memory_order_acquire);
    if (((seen >> 48) & kMask) == wanted && &bucket->entry[i] != except) [[unlikely]] {
      entry->control = seen;
      return const_cast<Slot*>(&bucket->entry[i]);
    }
  }
  return nullptr;
}

HashTable::Slot* HashTable::FindElsewhere(const HashBucket* bucket, uint64_t wanted, HashEntry* entry) const {
  for (;;) {
    if (Slot* const slot = FindIn<0xffff>(bucket, wanted >> 48, nullptr, entry)) return slot;
    const uint64_t next = bucket->overflow.load(std::memory_order_acquire);
    if (next == 0) return nullptr;
    bucket = Overflow(next);
  }
}

bool HashTable::TagIsTaken(KeyHash hash, const Slot* mine) const {
  const HashBucket* bucket = &main_[hash.bucket(mask_)];
  const uint64_t wanted = hash.tag() | HashEntry::kUsed >> 48;
  HashEntry entry;
  for (;;) {
    if (FindIn<0x7fff>(bucket, wanted, mine, &entry) != nullptr) return true;  // tentative ones count
    const uint64_t next = bucket->overflow.load(std::memory_order_acquire);
    if (next == 0) return false;
    bucket = Overflow(next);
  }
}

HashTable::Slot* HashTable::Claim(KeyHash hash, uint64_t fresh) {
  HashBucket* bucket = &main_[hash.bucket(mask_)];
  for (;;) {
    uint32_t at = hash.slot();
    for (int i = 0; i < HashBucket::kEntries; ++i) {
      Slot& slot = bucket->entry[at];
      uint64_t free = 0;
      if (slot.load(std::memory_order_relaxed) == 0 &&
          slot.compare_exchange_strong(free, fresh, std::memory_order_acq_rel)) {
        return &slot;
      }
      at = at + 1 == HashBucket::kEntries ? 0 : at + 1;
    }
    uint64_t next = bucket->overflow.load(std::memory_order_acquire);
    if (next == 0) {
      const uint64_t number = NewOverflow();
      if (number == 0) return nullptr;
      // A loser's bucket stays unused: one line, and only when two threads extend one bucket at once.
      next =
          bucket->overflow.compare_exchange_strong(next, number, std::memory_order_acq_rel) ? number : next;
    }
    bucket = Overflow(next);
  }
}

HashTable::Slot* HashTable::TryClaim(KeyHash hash) {
  Slot* const claimed = Claim(hash, HashEntry::Make(0, hash.tag()).control | HashEntry::kTentative);
  if (claimed == nullptr || !TagIsTaken(hash, claimed)) return claimed;
  claimed->store(0, std::memory_order_release);
  return nullptr;
}

HashTable::Slot* HashTable::FindOrCreate(KeyHash hash, HashEntry* entry) {
  const HashEntry fresh = HashEntry::Make(0, hash.tag());
  for (;;) {
    if (Slot* slot = Find(hash, entry)) return slot;
    Slot* const claimed = Claim(hash, fresh.control | HashEntry::kTentative);
    if (claimed == nullptr) return nullptr;
    if (!TagIsTaken(hash, claimed)) {
      claimed->store(fresh.control, std::memory_order_release);
      *entry = fresh;
      return claimed;
    }
    claimed->store(0, std::memory_order_release);
    std::this_thread::yield();  // two inserters of one tag withdraw; let one of them finish first
  }
}

uint64_t HashTable::CountEntries() const {
  uint64_t used = 0;
  const auto count = [&](const HashBucket* bucket) {
    for (const Slot& slot : bucket->entry) used += slot.load(std::memory_order_relaxed) != 0;
  };
  for (uint64_t i = 0; i < size(); ++i) count(&main_[i]);
  for (uint64_t n = 1; n <= overflow_count(); ++n) count(Overflow(n));
  return used;
}

}  // namespace faster
