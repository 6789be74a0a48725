// Checksums of everything the store writes: XXH3-64, with a seed that says where the bytes belong.
//
// A seed of position and incarnation turns a checksum into an identity: a block that was written to the
// wrong place (misdirected write), or by a store incarnation whose history a recovery has abandoned, does
// not verify, although its bytes are whole.
//
// Out of line on purpose: checksums are taken of private buffers only, so instrumented builds gain nothing
// from seeing each load, and this file's object is never instrumented. Thread-safe: no state but the
// stream's own. Cost: ~20 ns a call plus ~0.1 ns a byte.
#pragma once

#include <cstddef>
#include <cstdint>

#include "faster/core/checkpoint_types.h"

// Marks what code outside the uninstrumented metadata library may call; all else in it stays hidden.
#define FASTER_METADATA_API __attribute__((visibility("default")))

namespace faster {

FASTER_METADATA_API uint64_t Checksum(const void* data, size_t bytes, uint64_t seed = 0);

// Checksum of a log block that begins at `address` and was written by incarnation `generation`. The first
// 8 bytes of the block hold the result and are left out. Never 0, so that a word of zeros means "never
// written". `bytes` >= 8.
FASTER_METADATA_API uint64_t BlockChecksum(const void* block, size_t bytes, LogAddress address,
                                           uint64_t generation);

// Checksum of bytes that come in pieces: equals Checksum(all of them, seed).
class FASTER_METADATA_API ChecksumStream {
 public:
  explicit ChecksumStream(uint64_t seed = 0);
  void Update(const void* data, size_t bytes);
  uint64_t Digest() const;  // of what came so far; more may follow

 private:
  alignas(64) unsigned char state_[576];  // an XXH3_state_t, kept out of this header
};

}  // namespace faster
