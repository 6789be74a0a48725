// Keys and values of many lengths for a crash subject: bytes that say which word of the harness they stand
// for, and whether they hold together.
//
// KEYS. Small even ones are prefixes of one text, the empty one among them; the others are the number and a
// tail, so that lengths from 0 to 21 bytes occur. VALUES. Eight bytes that are the word, then as many as the
// word says, of a pattern that follows from it: 8 bytes at least, `most` at most. About one word in 40 asks
// for more than any store takes when an upsert writes it: that is refused, without effect. (Not when an RMW
// does, which may be pending first: a checker that never hears how it ended would take it for done.)
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace experiments {

constexpr uint32_t kPrefixKeys = 16;  // below, even keys are prefixes
constexpr uint32_t kMostKeyBytes = 24;
constexpr std::string_view kPrefixText = "all of them begin alike";

struct VariableKey {
  char bytes[kMostKeyBytes];
  uint32_t size = 0;

  static VariableKey Of(uint64_t key) {
    VariableKey made;
    if (key < kPrefixKeys && key % 2 == 0) {
      made.size = static_cast<uint32_t>(key / 2 * 3);
      kPrefixText.copy(made.bytes, made.size);
      return made;
    }
    const uint64_t number = key | uint64_t{0xee} << 56;  // no text has this byte
    std::memcpy(made.bytes, &number, 8);
    made.size = static_cast<uint32_t>(8 + key % 8);
    std::memset(made.bytes + 8, 0, made.size - 8);
    return made;
  }
  // Of any bytes: ~0 if they are no key.
  static uint64_t NumberOf(std::string_view bytes) {
    uint64_t number = 0;
    if (bytes.size() >= 8) std::memcpy(&number, bytes.data(), 8);
    const bool text = number >> 56 != 0xee;
    const uint64_t key = text ? bytes.size() / 3 * 2 : number & ~(uint64_t{0xff} << 56);
    return bytes == std::string_view(Of(key)) ? key : ~uint64_t{0};
  }
  operator std::string_view() const { return {bytes, size}; }
};

// What words are written as, in records with room for values of up to `most` bytes.
struct VariableValues {
  uint32_t most;

  // With the longest key such a value fills a block of the log: behind the block's checksum come three words
  // of the record and the key.
  static constexpr uint32_t MostOf(uint32_t block_bytes) { return block_bytes - 8 - 24 - kMostKeyBytes; }

  static uint64_t Mixed(uint64_t word, uint64_t salt) {
    uint64_t h = (word ^ salt) * 0x9e3779b97f4a7c15ull;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93ull;
    return h ^ h >> 29;
  }
  static bool TooLarge(uint64_t word) { return Mixed(word, 3) % 40 == 0; }
  uint32_t LengthOf(uint64_t word) const {
    const uint64_t h = Mixed(word, 1);
    const uint64_t longest = most - 8;
    switch (h % 8) {
      case 0:
        return 8;
      case 1:
        return static_cast<uint32_t>(8 + (h >> 8) % (longest < 9 ? longest + 1 : 9));
      case 2:
        return most;
      default:
        return static_cast<uint32_t>(8 + (h >> 8) % (longest + 1));
    }
  }
  // `to` has room for LengthOf(word) bytes.
  static void Write(uint64_t word, uint32_t length, char* to) {
    std::memcpy(to, &word, 8);
    for (uint32_t at = 8; at < length; at += 8) {
      const uint64_t pattern = Mixed(word, 0x100 + at);
      std::memcpy(to + at, &pattern, length - at < 8 ? length - at : 8);
    }
  }
  static uint64_t WordOf(std::string_view bytes) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), bytes.size() < 8 ? bytes.size() : 8);
    return word;
  }
  // The length is the word's, and so is every byte.
  bool Whole(std::string_view bytes) const {
    if (bytes.size() < 8) return false;
    const uint64_t word = WordOf(bytes);
    if (bytes.size() != LengthOf(word)) return false;
    for (uint32_t at = 8; at < bytes.size(); at += 8) {
      const uint64_t pattern = Mixed(word, 0x100 + at);
      if (std::memcmp(bytes.data() + at, &pattern, bytes.size() - at < 8 ? bytes.size() - at : 8) != 0)
        return false;
    }
    return true;
  }
};

}  // namespace experiments
