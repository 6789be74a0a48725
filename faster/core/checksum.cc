#include "faster/core/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <new>

namespace faster {

static_assert(sizeof(XXH3_state_t) <= 576 && alignof(XXH3_state_t) <= 64);

uint64_t Checksum(const void* data, size_t bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(data, bytes, seed);
}

uint64_t BlockChecksum(const void* block, size_t bytes, LogAddress address, uint64_t generation) {
  // Address and generation are mixed first: seeds that differ in few bits, as neighbouring blocks have, must
  // not give related checksums for a block of zeros.
  const uint64_t place[2] = {address, generation};
  const uint64_t seed = XXH3_64bits(place, sizeof place);
  const uint64_t sum = XXH3_64bits_withSeed(static_cast<const char*>(block) + 8, bytes - 8, seed);
  return sum == 0 ? 1 : sum;
}

ChecksumStream::ChecksumStream(uint64_t seed) {
  auto* state = new (state_) XXH3_state_t;
  XXH3_INITSTATE(state);
  (void)XXH3_64bits_reset_withSeed(state, seed);
}

void ChecksumStream::Update(const void* data, size_t bytes) {
  (void)XXH3_64bits_update(reinterpret_cast<XXH3_state_t*>(state_), data, bytes);
}

uint64_t ChecksumStream::Digest() const {
  return XXH3_64bits_digest(reinterpret_cast<const XXH3_state_t*>(state_));
}

}  // namespace faster
