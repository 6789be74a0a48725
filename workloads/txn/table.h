// Table: records of one size under 64-bit keys, in memory, found by hashing.
//
// Open addressing with linear probing over a fixed array; the record lies in its slot. A record is made when
// its key is first looked up, and stays: a key that nobody wrote has a value of zeros, and a value of zeros
// is not kept by a commit, so "absent" and "all zero" are the same. (This way a transaction that reads an
// absent key locks it, and there are no phantoms.)
//
// Thread-safe. Errors: a table that is full has no record for a new key. COST: one cache miss for a small
// record; the array is filled to 3/4 at most by the rows asked for.
#pragma once

#include <cstdint>

#include "faster/core/memory.h"
#include "faster/core/status.h"
#include "workloads/txn/record.h"

namespace workloads::txn {

struct TableConfig {
  uint32_t value_words = 1;
  uint64_t rows = 0;  // keys that there must be room for
};

class Table {
 public:
  static constexpr uint64_t kMaxKey = ~uint64_t{0} - 1;

  // `keeps_stable`: records have a second value (CPR and CALC). kOutOfMemory, kInvalidArgument.
  faster::Status Allocate(const TableConfig& config, uint32_t id, bool keeps_stable);

  void Populate() { memory_.Populate(); }

  // The record of `key`, made if need be; null if the table is full or the key above kMaxKey.
  Record Find(uint64_t key) { return Search<true>(key); }
  Record Lookup(uint64_t key) { return Search<false>(key); }  // null if there is none
  Record AtSlot(uint64_t slot) { return Record(WordsOf(slot), value_words_); }

  uint32_t id() const { return id_; }
  uint32_t value_words() const { return value_words_; }
  uint64_t rows() const { return rows_; }
  uint64_t slots() const { return slots_; }

 private:
  template <bool kMake>
  Record Search(uint64_t key) {
    const uint64_t tag = key + 1;
    if (tag == 0) [[unlikely]]
      return {};
    uint64_t slot = key * 0x9e3779b97f4a7c15ull >> shift_;
    for (uint64_t probes = 0; probes < slots_; ++probes, slot = (slot + 1) & (slots_ - 1)) {
      uint64_t* const words = WordsOf(slot);
      uint64_t found = faster::LoadWord(words, std::memory_order_acquire);
      if (found == 0 && (!kMake || !Claim(words, tag, &found))) return {};
      if (found == tag) [[likely]]
        return Record(words, value_words_);
    }
    return {};
  }
  uint64_t* WordsOf(uint64_t slot) { return static_cast<uint64_t*>(memory_.data()) + slot * record_words_; }
  // *found: the tag that the slot has now. False if the table has all the keys that it may have.
  bool Claim(uint64_t* words, uint64_t tag, uint64_t* found);

  faster::ZeroedMemory memory_;
  uint64_t slots_ = 0, rows_ = 0;
  uint32_t value_words_ = 0, record_words_ = 0, shift_ = 0, id_ = 0;
  alignas(64) std::atomic<uint64_t> used_{0};
};

}  // namespace workloads::txn
