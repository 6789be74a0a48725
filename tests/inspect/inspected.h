// Helpers of the tests of faster/inspect: validating what a test store has written, and changing bytes of it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "faster/cpr/formats.h"
#include "faster/device/memory_storage.h"
#include "faster/inspect/validate.h"
#include "tests/store/test_store.h"

namespace faster {

inline constexpr testing::Kind kFullFold{CheckpointKind::kFull, LogBackend::kFoldOver};
inline constexpr testing::Kind kFullSnapshot{CheckpointKind::kFull, LogBackend::kSnapshot};
inline constexpr testing::Kind kLogFold{CheckpointKind::kLogOnly, LogBackend::kFoldOver};
inline constexpr testing::Kind kLogSnapshot{CheckpointKind::kLogOnly, LogBackend::kSnapshot};
inline constexpr testing::Kind kIndexOnly{CheckpointKind::kIndexOnly, LogBackend::kFoldOver};
inline constexpr testing::Kind kIncremental{CheckpointKind::kIncremental, LogBackend::kSnapshot};

// Of AddFunctions, that most test stores have.
inline constexpr NamedHash kTestHashes[] = {{"test", 8, &HashOfNumber<AddFunctions>}};

inline ValidateOptions TestOptions(uint32_t threads = 1, std::string hash = "auto") {
  ValidateOptions options;
  options.threads = threads;
  options.hashes = kTestHashes;
  options.hash = std::move(hash);
  return options;
}

inline std::string TextOf(const CheckpointReport& report) {
  std::string text =
      "hash " + report.hash + report.hash_note + ", " + std::to_string(report.total_findings) + " findings\n";
  for (size_t i = 0; i < report.findings.size() && i < 10; ++i) {
    const Finding& one = report.findings[i];
    text += std::string(CheckName(one.check)) + " of " + std::string(CheckpointPartName(one.part)) + ": " +
            one.what.Text() + "\n";
  }
  return text;
}

// Every checkpoint of the store in every way to look at it.
inline void ExpectAllSound(Storage& storage, std::string_view directory = "") {
  StoreView view;
  Diagnosis why;
  ASSERT_EQ(ReadStoreView(storage, directory, &view, &why), Status::kOk) << why.Text();
  for (const CatalogEntry& entry : view.entries) {
    if (entry.empty()) continue;
    for (const uint32_t threads : {1u, 2u}) {
      for (const char* const hash : {"auto", "none"}) {
        CheckpointReport report;
        const Status status =
            ValidateEntry(&storage, directory, view, entry, TestOptions(threads, hash), &report);
        EXPECT_EQ(status, Status::kOk)
            << entry.token.Text() << ", " << threads << " threads, " << TextOf(report);
      }
    }
  }
}

// Every file, at any depth.
inline std::vector<std::string> PathsBelow(Storage& storage, const std::string& directory) {
  std::vector<std::string> names, paths;
  if (storage.List(directory, &names) != Status::kOk) return paths;
  for (const std::string& name : names) {
    const std::string path = JoinPath(directory, name);
    std::unique_ptr<File> file;
    if (storage.Open(path, OpenMode::kRead, &file) == Status::kOk) {
      paths.push_back(path);
      continue;
    }
    const std::vector<std::string> below = PathsBelow(storage, path);
    paths.insert(paths.end(), below.begin(), below.end());
  }
  return paths;
}
inline std::string NameIn(const std::string& path) { return path.substr(path.rfind('/') + 1); }

inline uint64_t SizeOf(Storage& storage, const std::string& path) {
  std::unique_ptr<File> file;
  uint64_t bytes = 0;
  EXPECT_EQ(storage.Open(path, OpenMode::kRead, &file), Status::kOk) << path;
  if (file == nullptr) return 0;
  EXPECT_EQ(file->Size(&bytes), Status::kOk);
  return bytes;
}

inline void FlipByte(Storage& storage, const std::string& path, uint64_t offset) {
  std::unique_ptr<File> file;
  ASSERT_EQ(storage.Open(path, OpenMode::kReadWrite, &file), Status::kOk) << path;
  uint8_t byte = 0;
  ASSERT_EQ(ReadAll(*file, offset, &byte, 1), Status::kOk) << path << " at " << offset;
  byte ^= 0x10;
  ASSERT_EQ(WriteAll(*file, offset, &byte, 1), Status::kOk);
}

}  // namespace faster
