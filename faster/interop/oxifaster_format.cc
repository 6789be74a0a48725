#include "faster/interop/oxifaster_format.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace faster::oxifaster {

uint64_t HashOfKey(uint64_t key, KeyHashKind kind) {
  return kind == KeyHashKind::kXxh3 ? XXH3_64bits(&key, sizeof key) : XXH64(&key, sizeof key, 0);
}

uint64_t XorSum(const void* data, size_t bytes) {
  const auto* at = static_cast<const uint8_t*>(data);
  uint64_t sum = 0, word = 0;
  for (; bytes >= 8; at += 8, bytes -= 8) {
    std::memcpy(&word, at, 8);
    sum ^= word;
  }
  word = 0;
  std::memcpy(&word, at, bytes);
  return sum ^ word;
}

}  // namespace faster::oxifaster
