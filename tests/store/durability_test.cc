// A store whose storage is never synced: nothing of the device is asked for, and a process that dies loses
// nothing. (What a power cut takes is the harness's: experiments/process --no-sync.)
#include <gtest/gtest.h>

#include <algorithm>

#include "faster/device/unsynced_storage.h"
#include "tests/cpr/recording_storage.h"
#include "tests/store/test_store.h"

namespace faster {
namespace {

struct Unsynced : UnsyncedStorage {
  Unsynced() : UnsyncedStorage(&below) {}
  static inline RecordingStorage below;  // outlives the store, as files outlive a process
};

size_t Syncs(const RecordingStorage& storage) {
  return static_cast<size_t>(std::count_if(storage.calls.begin(), storage.calls.end(),
                                           [](const std::string& call) { return call.starts_with("sync"); }));
}

template <class Disk>
void Fill(TestStoreOn<Disk>& store) {
  auto session = store.kv().StartSession();
  for (uint64_t key = 0; key < 300; ++key) store.Rmw(*session, key, key + 1);
}

constexpr testing::Kind kKinds[] = {{CheckpointKind::kFull, LogBackend::kFoldOver},
                                    {CheckpointKind::kLogOnly, LogBackend::kSnapshot},
                                    {CheckpointKind::kIncremental, LogBackend::kSnapshot}};

TEST(Durability, EveryCheckpointSyncs) {
  TestStoreOn<RecordingStorage> store;
  for (const testing::Kind kind : kKinds) {
    Fill(store);
    const size_t before = Syncs(store.storage());
    ASSERT_EQ(store.Checkpoint(kind), Status::kOk);
    EXPECT_GE(Syncs(store.storage()), before + 3);
  }
}

TEST(Durability, WithoutSyncsNothingIsAskedOfTheDeviceAndEverythingComesBack) {
  TestStoreOn<Unsynced> store;
  for (const testing::Kind kind : kKinds) {
    Fill(store);
    ASSERT_EQ(store.Checkpoint(kind), Status::kOk);
  }
  EXPECT_EQ(Syncs(Unsynced::below), 0u);
  EXPECT_GT(Unsynced::below.calls.size(), 10u);
  store.Recover();
  auto session = store.kv().StartSession();
  for (uint64_t key = 0; key < 300; ++key) EXPECT_EQ(store.Read(*session, key), 3 * (key + 1)) << key;
  EXPECT_EQ(Syncs(Unsynced::below), 0u);
}

// Errors of writes are still heard: only the device's later ones are not.
TEST(Durability, WithoutSyncsAFailedWriteFailsTheCheckpoint) {
  RecordingStorage device;
  UnsyncedStorage storage(&device);
  std::unique_ptr<File> file;
  ASSERT_EQ(storage.Open("f", OpenMode::kCreate, &file), Status::kOk);
  device.fails = [](const std::string& call) { return call.starts_with("write"); };
  uint64_t bytes = 0;
  EXPECT_EQ(file->Write(0, "x", 1, &bytes), Status::kIoError);
  device.fails = [](const std::string& call) { return call.starts_with("sync"); };
  EXPECT_EQ(file->Sync(), Status::kOk);
  EXPECT_EQ(storage.SyncDirectory(""), Status::kOk);
}

}  // namespace
}  // namespace faster
