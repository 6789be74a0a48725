// Dice: small reproducible random numbers for generators (splitmix64). Same seed, same numbers, on any
// machine.
#pragma once

#include <cstdint>

namespace experiments {

inline uint64_t MixSeed(uint64_t a, uint64_t b) {
  uint64_t x = a + 0x9e3779b97f4a7c15ull * (b + 1);
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ x >> 27) * 0x94d049bb133111ebull;
  return x ^ x >> 31;
}

class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(MixSeed(seed, 0)) {}
  uint64_t Next() { return MixSeed(state_ += 0x9e3779b97f4a7c15ull, 0); }
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(((Next() >> 32) * n) >> 32); }  // n > 0
  uint32_t Between(uint32_t low, uint32_t high) { return low + Below(high - low + 1); }
  bool Chance(uint32_t percent) { return Below(100) < percent; }
  template <class T, uint32_t n>
  const T& Pick(const T (&items)[n]) {
    return items[Below(n)];
  }
  // Below a power of two that is itself drawn: numbers over several magnitudes, 0 among the likely ones.
  uint32_t Skewed(uint32_t high) {
    uint32_t limit = 1;
    while (limit < high && Chance(80)) limit *= 2;
    return Below(limit < high ? limit : high);
  }

 private:
  uint64_t state_;
};

}  // namespace experiments
