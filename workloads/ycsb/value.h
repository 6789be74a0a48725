// Values and update functions of the YCSB stores: a word that names its writer, and a pattern derived from
// it.
//
// A YCSB record is one value of fieldcount x fieldlength bytes. Its first word carries the information; the
// others follow from it, so that a value put together from two writes is noticed when it is read (Whole). An
// RMW adds its operand to the first word: additions commute, so a key's final word is known from the set of
// its committed RMWs alone, whatever their order was.
#pragma once

#include <cstddef>
#include <cstdint>

namespace workloads::ycsb {

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15ull;

template <size_t kBytes>
struct Value {
  static_assert(kBytes % 8 == 0 && kBytes > 0);
  static constexpr size_t kWords = kBytes / 8;
  uint64_t word[kWords];

  static Value Of(uint64_t first) {
    Value value;
    for (size_t i = 0; i < kWords; ++i) value.word[i] = first + i * kGolden;
    return value;
  }
  bool Whole() const {
    for (size_t i = 1; i < kWords; ++i) {
      if (word[i] != word[0] + i * kGolden) return false;
    }
    return true;
  }
};

// The template parameter F of FasterKv (faster/store/session.h).
template <size_t kBytes>
struct AddWord {
  using Input = uint64_t;
  // Keys are FNV hashes already; one multiplication spreads them over bucket (low bits) and tag (high bits).
  uint64_t Hash(uint64_t key) const {
    const uint64_t x = key * kGolden;
    return x ^ x >> 32;
  }
  Value<kBytes> Initial(uint64_t input) const { return Value<kBytes>::Of(input); }
  Value<kBytes> Update(const Value<kBytes>& old, uint64_t input) const {
    return Value<kBytes>::Of(old.word[0] + input);
  }
};

// --- what the words say ---

constexpr int kSerialBits = 48;
constexpr uint32_t kLoader =
    0xff;  // "session" that wrote the loaded records; its serial is the record number

// The word that the operation `serial` of session `session` writes in incarnation `incarnation` (the number
// of recoveries before it). Below 255 sessions and 256 incarnations every operation has a word of its own;
// never 0.
constexpr uint64_t WriterWord(uint32_t session, uint32_t incarnation, uint64_t serial) {
  return uint64_t{(session + 1) & 0xff} << 56 | uint64_t{incarnation & 0xff} << kSerialBits |
         (serial & ((uint64_t{1} << kSerialBits) - 1));
}
constexpr uint64_t LoadedWord(uint64_t record) { return WriterWord(kLoader - 1, 0, record + 1); }
constexpr uint64_t SerialOf(uint64_t word) { return word & ((uint64_t{1} << kSerialBits) - 1); }
constexpr uint32_t SessionOf(uint64_t word) { return static_cast<uint32_t>(word >> 56) - 1; }

// What the RMW with this writer's word adds: scattered, so that a lost and a repeated one do not cancel out.
constexpr uint64_t OperandOf(uint64_t writer) {
  uint64_t x = writer * kGolden;
  x = (x ^ x >> 31) * 0xbf58476d1ce4e5b9ull;
  return x ^ x >> 29;
}

}  // namespace workloads::ycsb
