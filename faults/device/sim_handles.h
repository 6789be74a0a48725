// The File and DirectoryLock that SimStorage hands out. Their memory is ModelHeap's; the storage keeps a list
// of those alive, because those of a crashed life are never destroyed. Private to faults/device.
#pragma once

#include "faults/device/sim_storage.h"

namespace faults {

class SimFile final : public faster::File {
 public:
  SimFile(SimStorage* storage, DiskModel::Inode inode, uint32_t path, bool writable)
      : storage_(storage), inode_(inode), path_(path), life_(storage->life()), writable_(writable) {}
  ~SimFile() override;
  static void* operator new(size_t bytes) { return ModelAllocate(bytes); }
  static void operator delete(void* file) { ModelFree(file, sizeof(SimFile)); }

  void ReadAsync(uint64_t offset, void* buffer, uint64_t length, faster::IoCallback done,
                 void* context) override;
  void WriteAsync(uint64_t offset, const void* buffer, uint64_t length, faster::IoCallback done,
                  void* context) override;
  faster::Status Read(uint64_t offset, void* buffer, uint64_t length, uint64_t* bytes) override;
  faster::Status Write(uint64_t offset, const void* buffer, uint64_t length, uint64_t* bytes) override;
  faster::Status Sync() override;
  faster::Status Size(uint64_t* bytes) override;
  faster::Status Truncate(uint64_t bytes) override;

 private:
  friend class SimStorage;
  bool Alive() const { return storage_->alive_ && life_ == storage_->life_; }
  std::string_view path() const { return storage_->path_name(path_); }

  SimStorage* const storage_;
  const DiskModel::Inode inode_;
  const uint32_t path_;
  const uint32_t life_;
  const bool writable_;
  uint32_t in_flight_ = 0;
};

class SimLock final : public faster::DirectoryLock {
 public:
  SimLock(SimStorage* storage, DiskModel::Inode directory) : storage_(storage), directory_(directory) {}
  ~SimLock() override { storage_->Release(this); }
  static void* operator new(size_t bytes) { return ModelAllocate(bytes); }
  static void operator delete(void* lock) { ModelFree(lock, sizeof(SimLock)); }

 private:
  friend class SimStorage;
  SimStorage* const storage_;
  const DiskModel::Inode directory_;
  bool held_ = true;  // until a crash
};

}  // namespace faults
