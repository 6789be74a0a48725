// The words of a log's frames and records (wal.h), for those who write them and those who read them.
#pragma once

#include <cstdint>
#include <vector>

#include "faster/core/checksum.h"

namespace workloads::txn {

constexpr uint64_t kFrameMagic = 0x31474f4c57525043ull;  // "CPRWLOG1"
constexpr uint64_t kFrameHeader = 4;                     // words
constexpr uint64_t kRecordHeader = 3;                    // words: kind and length, client, serial
constexpr uint64_t kWordsMask = (uint64_t{1} << 56) - 1;
enum : uint64_t { kTransactionRecord = 1, kPointRecord = 2 };

inline uint64_t FrameChecksum(const uint64_t* frame, uint64_t words, uint64_t number, uint64_t offset) {
  return faster::Checksum(frame + 1, (words - 1) * 8, number * 0x9e3779b97f4a7c15ull ^ offset);
}
// Fills in the header of a frame that goes to byte `offset` of log `number`.
inline void SealFrame(std::vector<uint64_t>* frame, uint64_t number, uint64_t offset, uint64_t sequence) {
  (*frame)[1] = kFrameMagic;
  (*frame)[2] = sequence;
  (*frame)[3] = frame->size() - kFrameHeader;
  (*frame)[0] = FrameChecksum(frame->data(), frame->size(), number, offset);
}

}  // namespace workloads::txn
