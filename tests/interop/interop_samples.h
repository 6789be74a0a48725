// The checkpoints that the original made, small geometries of both engines, and a store's state as a map.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

#include "faster/device/memory_storage.h"
#include "faster/device/posix_storage.h"
#include "faster/interop/microsoft_export.h"
#include "faster/interop/microsoft_import.h"
#include "faster/interop/native_reader.h"
#include "tests/store/test_store.h"

namespace faster::microsoft {

using State = std::map<uint64_t, uint64_t>;

inline uint64_t TestHash(uint64_t key) { return AddFunctions().Hash(key); }

// What the program that made the data computed from its own operations up to the commit points.
struct Expected {
  State state;
  std::vector<SessionCommit> sessions;

  explicit Expected(const std::string& name) {
    const std::string folder = std::string(INTEROP_DATA) + "/" + name + "/";
    std::ifstream pairs(folder + "expected", std::ios::binary);
    uint64_t pair[2];
    while (pairs.read(reinterpret_cast<char*>(pair), sizeof pair)) state[pair[0]] = pair[1];
    std::ifstream lines(folder + "sessions");
    std::string text;
    SessionCommit commit;
    while (lines >> text >> commit.serial) {
      EXPECT_TRUE(Guid::Parse(text, &commit.session));
      sessions.push_back(commit);
    }
    std::sort(sessions.begin(), sessions.end(),
              [](const SessionCommit& a, const SessionCommit& b) { return a.session < b.session; });
    EXPECT_EQ(sessions.size(), 3u);
    EXPECT_GT(state.size(), 400u);
  }
};

inline constexpr testing::Kind kFold{CheckpointKind::kFull, LogBackend::kFoldOver};
inline constexpr testing::Kind kSnap{CheckpointKind::kFull, LogBackend::kSnapshot};

// Sessions, updates in place and copies, deletes; returns what is there.
inline State Fill(TestStore& store, uint64_t keys, std::vector<Guid>* sessions = nullptr) {
  State state;
  for (int s = 0; s < 3; ++s) {
    auto session = store.kv().StartSession();
    if (sessions != nullptr) sessions->push_back(session->id());
    for (uint64_t i = 0; i < keys; ++i) {
      const uint64_t key = (i * 7919 + static_cast<uint64_t>(s)) % keys;
      if (i % 11 == 3) {
        EXPECT_FALSE(IsFailure(session->Delete(key)));
        session->CompletePending(true, [](const auto&) {});
        state.erase(key);
      } else {
        store.Rmw(*session, key, i + 1);
        state[key] += i + 1;
      }
    }
    if (s == 1) {
      EXPECT_EQ(store.Checkpoint(kSnap), Status::kOk);
    }
  }
  return state;
}

// The state of a store's newest checkpoint, without the engine.
inline State StateOf(Storage& storage, const std::string& directory) {
  NativeReader reader;
  Diagnosis why;
  State state;
  EXPECT_EQ(reader.Open(&storage, directory, std::nullopt, &why), Status::kOk) << why.Text();
  const Status status = reader.ForEach(
      {},
      [&](uint64_t key, uint64_t value, bool tombstone) {
        if (tombstone)
          state.erase(key);
        else
          state[key] = value;
        return Status::kOk;
      },
      &why);
  EXPECT_EQ(status, Status::kOk) << why.Text();
  return state;
}

// Of the engine that made the data: 32 MiB pages. Of exports made here: pages of 512 bytes, so that page,
// segment and snapshot boundaries are everywhere.
inline Geometry TinyGeometry() {
  Geometry geometry;
  geometry.page_bits = 9;
  geometry.overflow_page_bits = 4;
  geometry.segment_bytes = 2048;
  return geometry;
}

inline ImportOptions TinyImport() {
  ImportOptions options;
  options.config = TestStore::TinyConfig();
  options.config.index_buckets = 0;
  options.hash = TestHash;
  return options;
}

inline bool HoldsNothing(Storage& storage, const std::string& directory) {
  std::vector<std::string> names;
  EXPECT_EQ(storage.List(directory, &names), Status::kOk);
  return names.empty() || (names.size() == 1 && names[0] == "LOCK");
}

}  // namespace faster::microsoft
