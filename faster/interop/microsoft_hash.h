// How Microsoft's FASTER hashes a key of 8 bytes, and what a hash means to its index. Pure.
#pragma once

#include <bit>
#include <cstdint>

namespace faster::microsoft {

// FasterHashHelper<uint64_t> of the original. Bits 0..47 choose the bucket, 48..61 are the tag.
constexpr uint64_t HashOfKey(uint64_t key) {
  constexpr uint64_t kMagic = 40343;
  uint64_t hash = 8;
  for (int part = 0; part < 4; ++part) hash = kMagic * hash + (key >> 16 * part & 0xffff);
  return std::rotr(kMagic * hash, 43);
}
constexpr uint32_t kTagBits = 14;
constexpr uint64_t TagOf(uint64_t hash) { return hash >> 48 & ((1u << kTagBits) - 1); }

// The same spread over the hash of a store of ours (index/hash_table.h): its bucket is the low bits too, its
// tag the highest 14.
constexpr uint64_t NativeHashOfKey(uint64_t key) {
  const uint64_t hash = HashOfKey(key);
  return (hash & ((uint64_t{1} << 48) - 1)) | TagOf(hash) << 50;
}

}  // namespace faster::microsoft
