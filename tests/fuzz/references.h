// Small files that are whole, and what they say: the undamaged state of the targets for index.dat,
// log.snapshot and delta.0.log, and the first inputs of their corpora.
#pragma once

#include <cstring>
#include <string>

#include "faster/core/checksum.h"
#include "faster/cpr/delta_log.h"
#include "faster/cpr/formats.h"
#include "faster/cpr/index_data.h"
#include "faster/device/memory_storage.h"
#include "tests/fuzz/image.h"
#include "tests/fuzz/target.h"

namespace fuzz {

using namespace faster;

const Token kIndexToken{0x0123456789abcdef, 42};

struct IndexReference {
  IndexMetadata metadata;
  std::string bytes;

  IndexReference() {
    metadata.token = kIndexToken;
    metadata.table_size = 4;
    MemoryStorage storage;
    std::unique_ptr<File> file;
    Require(storage.Open("f", OpenMode::kTruncate, &file) == Status::kOk, "a file");
    IndexDataWriter writer(file.get(), kIndexToken, 4);
    for (uint64_t bucket = 0; bucket < 6; ++bucket) {
      const auto room = writer.Room();
      for (uint64_t i = 0; i < kIndexBucketWords; ++i) room[i] = bucket * 100 + i;
      Require(writer.Took(kIndexBucketWords) == Status::kOk, "room");
    }
    Require(writer.Finish(&metadata.overflow_buckets, &metadata.data_bytes, &metadata.data_checksum) ==
                Status::kOk,
            "an index");
    bytes = *damage::TakeImage(storage).at("f");
  }
};

constexpr uint32_t kBlock = 128;
constexpr LogAddress kFirst = 256, kBaseEnd = 768, kEnd = 1024;
constexpr uint64_t kGeneration = 7;
const Token kBase{1, 2}, kDelta{3, 4};

inline std::string BlockOf(LogAddress address, uint64_t content) {
  std::string block(kBlock, '\0');
  for (size_t i = 8; i < kBlock; ++i) block[i] = static_cast<char>(address / 7 + content * i);
  const uint64_t sum = BlockChecksum(block.data(), kBlock, address, kGeneration);
  std::memcpy(block.data(), &sum, 8);
  return block;
}

// The checkpoint, its files, and the log that it holds.
struct ImageReference {
  LogMetadata log;
  damage::Image image;
  std::string path;  // of the file that the target takes
  std::string blocks;

  explicit ImageReference(bool delta) {
    std::string base;
    const auto header = SnapshotHeaderWords({kBase, kFirst, kBaseEnd, kBlock, kGeneration});
    base.append(reinterpret_cast<const char*>(header.data()), sizeof header);
    for (LogAddress at = kFirst; at < kBaseEnd; at += kBlock) base += BlockOf(at, 1);
    log.token = delta ? kDelta : kBase;
    log.use_snapshot_file = true;
    log.block_bytes = kBlock;
    log.flushed_until = kFirst;
    log.final_address = delta ? kEnd : kBaseEnd;
    for (LogAddress at = kFirst; at < log.final_address; at += kBlock)
      blocks += BlockOf(at, delta && (at == kFirst || at >= kBaseEnd) ? 2 : 1);
    path = CheckpointPath("", log.token, delta ? kDeltaLogName : kLogSnapshotName);
    image[TokenDirectory("", kBase)] = image[TokenDirectory("", kDelta)] = nullptr;
    image[CheckpointPath("", kBase, kLogSnapshotName)] = std::make_shared<const std::string>(base);
    if (delta) MakeDelta();
  }

  void MakeDelta() {
    MemoryStorage storage;
    std::unique_ptr<File> file;
    Require(storage.Open("f", OpenMode::kTruncate, &file) == Status::kOk, "a file");
    DeltaHeader header{kDelta, kBase, kBase, kFirst, kEnd, kBaseEnd, kGeneration, 1, 0, kBlock, 0};
    DeltaWriter writer(file.get(), header);
    const auto append = [&](LogAddress at) {
      const std::string block = BlockOf(at, 2);
      Require(writer.Append(at, reinterpret_cast<const uint8_t*>(block.data()), 1) == Status::kOk, "a block");
    };
    append(kFirst);
    for (LogAddress at = kBaseEnd; at < kEnd; at += kBlock) append(at);
    Require(writer.Finish() == Status::kOk, "a delta");
    image[path] = damage::TakeImage(storage).at("f");
    log.is_incremental = true;
    log.previous = kBase;
    log.chain = {kBase, {kDelta}, 3, ""};
    log.delta.entries = 3;
    log.delta.header_checksum = writer.header().checksum;
  }
};

}  // namespace fuzz
