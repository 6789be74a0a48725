// index.dat: the hash table's buckets, streamed out and in with a checksum for each block.
//
//   header (64 bytes) | blocks: up to kIndexBlockWords words + checksum | trailer (32 bytes)
//
// The payload is the main buckets in order, then the overflow buckets 1..n, each 8 little-endian words. How
// many overflow buckets there are is known only at the end (the capture is fuzzy), so the trailer has it.
// A block's checksum is seeded by token and offset: a block of another checkpoint, or of another place of
// this one, does not verify.
//
// The metadata's checksum of the file is taken of the checksums in it, in order: each of them covers its part
// wholly, so it covers the file, and costs nothing that grows with the data.
//
// One thread per object, except for ReadBlock; blocking. The writer neither creates nor syncs its file. Cost:
// a checksum and a copy of the data, ~0.15 ns a byte; the device writes meanwhile (stream_writer.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "faster/core/checkpoint_types.h"
#include "faster/core/checksum.h"
#include "faster/core/status.h"
#include "faster/cpr/stream_writer.h"
#include "faster/device/storage.h"

namespace faster {

constexpr uint64_t kIndexBucketWords = 8;
constexpr uint64_t kIndexBlockWords = 32 * 1024;  // 256 KiB
constexpr uint64_t kIndexBlockBuckets = kIndexBlockWords / kIndexBucketWords;
constexpr uint64_t kIndexHeaderBytes = 64;
constexpr uint64_t kIndexTrailerBytes = 32;

// Size of the index.dat of a table with so many buckets.
uint64_t IndexDataBytes(uint64_t table_size, uint64_t overflow_buckets);
// Where a bucket is in the file.
uint64_t IndexBucketOffset(uint64_t bucket);

class IndexDataWriter {
 public:
  // `file` is empty, is written by nobody else and outlives the writer. `table_size` main buckets will come
  // first.
  IndexDataWriter(File* file, const Token& token, uint64_t table_size);
  ~IndexDataWriter();

  // Where the next words of the payload go, in file order: room for a bucket at least, and for whole buckets
  // only. The caller fills the front of it and says with Took() how many words that were, a whole number of
  // buckets. After an error Took() goes on returning that error, and what is filled in is lost.
  std::span<uint64_t> Room() { return {&block_[filled_], kIndexBlockWords - filled_}; }
  Status Took(uint64_t words);
  // Writes the rest. kInvalidArgument if fewer than the main buckets or part of a bucket came. *bytes and
  // *checksum (of the file, as above) go into IndexMetadata. The caller syncs the file.
  Status Finish(uint64_t* overflow_buckets, uint64_t* bytes, uint64_t* checksum);

 private:
  Status WriteHeader();
  Status WriteBlock();
  // At the end of the file; the last word of it is a checksum.
  Status Put(const uint64_t* data, uint64_t words);

  StreamWriter stream_;
  const Token token_;
  const uint64_t table_size_;
  std::unique_ptr<uint64_t[]> block_;  // kIndexBlockWords and the checksum
  uint64_t filled_ = 0;                // words in block_
  uint64_t words_ = 0;                 // of the payload so far
  ChecksumStream sums_;                // of the checksums that were written
  Status status_ = Status::kOk;
};

class IndexDataReader {
 public:
  // `file` is the index.dat that `metadata` describes, `path` its name for diagnoses; both outlive the
  // reader.
  IndexDataReader(File* file, std::string_view path, const IndexMetadata& metadata);
  ~IndexDataReader();

  // Checks size and header. Must come first and succeed.
  Status Open(Diagnosis* why);
  // The payload: buckets kIndexBlockBuckets * n and following are in block n.
  uint64_t blocks() const { return (words_ + kIndexBlockWords - 1) / kIndexBlockWords; }
  uint64_t WordsIn(uint64_t block) const {
    return std::min(words_ - block * kIndexBlockWords, kIndexBlockWords);
  }
  // One of them, in any order and on any thread, with its checksum verified. `words` has room for
  // kIndexBlockWords + 1.
  Status ReadBlock(uint64_t block, uint64_t* words, Diagnosis* why) const;
  // What to say of a bucket whose content cannot be, though its block verified.
  Diagnosis BucketWhy(uint64_t bucket) const;
  // Every block once and in order, as ReadBlock left it: for the checksum of the file.
  void Pass(uint64_t block, const uint64_t* words);
  // After all blocks have passed: checks the trailer and that checksum. kInvalidArgument before.
  Status Finish(Diagnosis* why);

 private:
  Status Get(uint64_t offset, void* data, uint64_t bytes, Diagnosis* why) const;
  Status Damaged(uint64_t offset, std::string expected, std::string found, Diagnosis* why) const;

  File* const file_;
  const std::string path_;
  const IndexMetadata metadata_;
  const uint64_t words_;  // of the payload
  uint64_t passed_ = 0;   // blocks
  ChecksumStream sums_;   // of the checksums that were read
};

}  // namespace faster
