// Copies of memory that other threads may read or write at the same time: word by word, each word atomic.
//
// Race-free C++ for values shared without a lock; the words of one copy may come from different moments, so a
// caller that needs them to belong together brings its own guard (record.h). Pointers are 8-byte aligned,
// sizes in words. COST: what the plain copy costs.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace faster {

inline uint64_t LoadWord(const uint64_t* from, std::memory_order order = std::memory_order_relaxed) {
  return std::atomic_ref<uint64_t>(*const_cast<uint64_t*>(from)).load(order);
}
inline void StoreWord(uint64_t* to, uint64_t word, std::memory_order order = std::memory_order_relaxed) {
  std::atomic_ref<uint64_t>(*to).store(word, order);
}
inline void CopyFromShared(uint64_t* to, const uint64_t* from, size_t words) {
  for (size_t i = 0; i < words; ++i) to[i] = LoadWord(from + i);
}
inline void CopyToShared(uint64_t* to, const uint64_t* from, size_t words) {
  for (size_t i = 0; i < words; ++i) StoreWord(to + i, from[i]);
}

// A trivially copyable T as whole words, the last one padded with zeros.
template <class T>
struct Words {
  static constexpr size_t kCount = (sizeof(T) + 7) / 8;
  uint64_t word[kCount] = {};

  static Words Of(const T& value) {
    Words words;
    std::memcpy(words.word, &value, sizeof(T));
    return words;
  }
  T Value() const {
    T value;
    std::memcpy(&value, word, sizeof(T));
    return value;
  }
};

}  // namespace faster
