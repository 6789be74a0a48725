// WordTable: a reusable open-addressing map from 64-bit words to 32-bit indexes. Clear() is O(1): slots carry
// the number of the clearing they belong to. No thread-safety. Load factor at most 1/2.
#pragma once

#include <cstdint>
#include <vector>

namespace faults {

class WordTable {
 public:
  static constexpr uint32_t kNone = ~0u;

  // Empties the table and makes room for `entries`.
  void Clear(uint32_t entries) {
    size_t want = 16;
    while (want < 2 * static_cast<size_t>(entries) + 2) want *= 2;
    count_ = 0;
    if (want > slots_.size() || ++stamp_ == 0) {
      slots_.assign(want > slots_.size() ? want : slots_.size(), Slot{});
      stamp_ = 1;
    }
  }
  uint32_t Find(uint64_t word) const {
    for (size_t i = Mix(word) & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].stamp != stamp_) return kNone;
      if (slots_[i].word == word) return slots_[i].index;
    }
  }
  // The index already there, or kNone if `word` was new and is now `index`.
  uint32_t Insert(uint64_t word, uint32_t index) {
    if (2 * (count_ + 1) > slots_.size()) Grow();
    for (size_t i = Mix(word) & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].stamp != stamp_) {
        slots_[i] = Slot{word, index, stamp_};
        ++count_;
        return kNone;
      }
      if (slots_[i].word == word) return slots_[i].index;
    }
  }

 private:
  struct Slot {
    uint64_t word = 0;
    uint32_t index = 0;
    uint32_t stamp = 0;
  };
  static uint64_t Mix(uint64_t x) {
    x *= 0x9e3779b97f4a7c15ull;
    return x ^ x >> 32;
  }
  void Grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    const uint32_t stamp = stamp_;
    stamp_ = 1;
    count_ = 0;
    for (const Slot& slot : old)
      if (slot.stamp == stamp) Insert(slot.word, slot.index);
  }
  std::vector<Slot> slots_ = std::vector<Slot>(16);
  uint32_t stamp_ = 1;
  size_t count_ = 0;
};

}  // namespace faults
