// Valid metadata records and small storage helpers for the tests of the checkpoint files.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/cpr/formats.h"
#include "faster/device/memory_storage.h"

namespace faster {

inline Token SampleToken(uint64_t n) { return Token{0x0123456789abcdefull, n}; }

inline LogMetadata SampleLog() {
  LogMetadata m;
  m.token = SampleToken(7);
  m.version = 3;
  m.version_bits = 13;
  m.page_bits = 12;
  m.block_bytes = 512;
  m.segment_pages = 4;
  m.key_bytes = 8;
  m.value_bytes = 8;
  m.table_size = 2;
  m.begin_address = 64;
  m.start_address = 1000;
  m.final_address = 2048;
  m.flushed_until = 2048;
  m.head_address = 512;
  m.sessions = {{Guid{1, 5}, 17}, {Guid{2, 1}, 0}, {Guid{2, 3}, ~0ull - 1, {1, 900, ~0ull - 1}}};
  m.dead_ranges = {{512, 1024, 2}};
  m.generations = {{0, MakeGeneration(1, 0xabc), 1024}, {512, MakeGeneration(2, 0xdef), 0}};
  return m;
}

inline IndexMetadata SampleIndex() {
  IndexMetadata m;
  m.token = SampleToken(7);
  m.version = 3;
  m.table_size = 2;
  m.overflow_buckets = 1;
  m.entries = 5;
  m.begin_address = 64;
  m.checkpoint_start = 1024;
  m.checkpoint_final = 1100;
  m.generation = MakeGeneration(2, 0xdef);
  m.data_bytes = 4711;
  m.data_checksum = 0xfedcba9876543210ull;
  return m;
}

inline bool Same(const LogMetadata& a, const LogMetadata& b) {
  return a.token == b.token && a.use_snapshot_file == b.use_snapshot_file && a.version == b.version &&
         a.version_bits == b.version_bits && a.page_bits == b.page_bits && a.block_bytes == b.block_bytes &&
         a.segment_pages == b.segment_pages && a.key_bytes == b.key_bytes && a.value_bytes == b.value_bytes &&
         a.variable_records == b.variable_records && a.table_size == b.table_size &&
         a.begin_address == b.begin_address && a.start_address == b.start_address &&
         a.final_address == b.final_address && a.flushed_until == b.flushed_until &&
         a.head_address == b.head_address && a.sessions == b.sessions && a.dead_ranges == b.dead_ranges &&
         a.generations == b.generations && a.unknown == b.unknown;
}

inline bool Same(const IndexMetadata& a, const IndexMetadata& b) {
  return a.token == b.token && a.version == b.version && a.table_size == b.table_size &&
         a.overflow_buckets == b.overflow_buckets && a.entries == b.entries &&
         a.begin_address == b.begin_address && a.checkpoint_start == b.checkpoint_start &&
         a.checkpoint_final == b.checkpoint_final && a.generation == b.generation &&
         a.data_bytes == b.data_bytes && a.data_checksum == b.data_checksum && a.unknown == b.unknown;
}

// Puts `bytes` into a file as it is, past all checks.
inline void PutFile(Storage& storage, const std::string& path, const std::string& bytes) {
  std::unique_ptr<File> file;
  ASSERT_EQ(storage.Open(path, OpenMode::kTruncate, &file), Status::kOk);
  ASSERT_EQ(WriteFully(*file, 0, bytes.data(), bytes.size()), Status::kOk);
}

inline std::string GetFile(Storage& storage, const std::string& path) {
  std::string bytes;
  Diagnosis why;
  EXPECT_EQ(ReadWholeFile(storage, path, ~0ull, &bytes, &why), Status::kOk) << why.Text();
  return bytes;
}

// Names and contents of everything below `directory`: equal before and after means nothing was modified.
inline std::vector<std::string> Dump(Storage& storage, const std::string& directory) {
  std::vector<std::string> lines, names;
  EXPECT_EQ(storage.List(directory, &names), Status::kOk);
  for (const std::string& name : names) {
    const std::string path = JoinPath(directory, name);
    std::unique_ptr<File> file;
    if (storage.Open(path, OpenMode::kRead, &file) == Status::kOk) {
      lines.push_back(path + "=" + GetFile(storage, path));
    } else {
      lines.push_back(path + "/");
      for (std::string& line : Dump(storage, path)) lines.push_back(std::move(line));
    }
  }
  return lines;
}

}  // namespace faster
