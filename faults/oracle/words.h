// The words of the testbed's workloads: a 64-bit mixing chain that makes a value name its whole history.
//
// An upsert writes a word that no other operation of the execution writes; a read-modify-write applies
// RmwWord. The step is a bijection of the old word for a given operand (up to the one word that is replaced
// by 1, as 0 stands for "absent"), so the word an RMW left and its operand name the word it started from.
#pragma once

#include <cstdint>

namespace faults {

// The non-commutative update that makes every value name its whole history: a 64-bit mixing chain.
inline uint64_t RmwWord(uint64_t old_word, uint64_t operand) {
  uint64_t x = (old_word ^ 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull + operand;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ull;
  x ^= x >> 29;
  return x == 0 ? 1 : x;
}

namespace words_internal {
// The inverse of an odd number modulo 2^64, by Newton's iteration: every step doubles the correct low bits.
constexpr uint64_t InverseOdd(uint64_t odd) {
  uint64_t inverse = odd;  // correct to 3 bits
  for (int step = 0; step < 5; ++step) inverse *= 2 - odd * inverse;
  return inverse;
}
}  // namespace words_internal

// The old word of an RMW that left `new_word`: RmwWord(UndoRmwWord(w, operand), operand) == w.
inline uint64_t UndoRmwWord(uint64_t new_word, uint64_t operand) {
  constexpr uint64_t kFirst = words_internal::InverseOdd(0xff51afd7ed558ccdull);
  constexpr uint64_t kSecond = words_internal::InverseOdd(0xc4ceb9fe1a85ec53ull);
  uint64_t x = new_word;
  x ^= x >> 29 ^ x >> 58;
  x *= kSecond;
  x ^= x >> 33;
  return ((x - operand) * kFirst) ^ 0x9e3779b97f4a7c15ull;
}

}  // namespace faults
