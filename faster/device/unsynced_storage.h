// UnsyncedStorage: another Storage that is never asked to make anything durable.
//
// DURABILITY: what is written through it outlives the process, if the storage below keeps completed writes
// then (files do: the kernel has them), and not the machine: after a power cut a checkpoint that was reported
// durable may be lost or damaged. Sync and SyncDirectory say nothing of an earlier write's error. For
// experiments that ask what syncs cost, and for who recovers from dead processes only.
//
// Thread-safe as storage.h says. `below` must outlive it; destroy it after its files. COST: a call more per
// I/O.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "faster/device/storage.h"

namespace faster {

class UnsyncedStorage : public Storage {
 public:
  explicit UnsyncedStorage(Storage* below) : below_(below) {}

  Status Open(std::string_view path, OpenMode mode, std::unique_ptr<File>* file) override {
    std::unique_ptr<File> opened;
    const Status status = below_->Open(path, mode, &opened);
    if (status == Status::kOk) *file = std::make_unique<UnsyncedFile>(std::move(opened));
    return status;
  }
  Status CreateDirectory(std::string_view path) override { return below_->CreateDirectory(path); }
  Status Remove(std::string_view path) override { return below_->Remove(path); }
  Status Rename(std::string_view from, std::string_view to) override { return below_->Rename(from, to); }
  Status List(std::string_view directory, std::vector<std::string>* names) override {
    return below_->List(directory, names);
  }
  Status SyncDirectory(std::string_view directory) override {  // one that is not there is an error still
    std::vector<std::string> names;
    return below_->List(directory, &names);
  }
  Status Lock(std::string_view directory, std::unique_ptr<DirectoryLock>* lock) override {
    return below_->Lock(directory, lock);
  }
  void Schedule(void (*job)(void* argument), void* argument) override { below_->Schedule(job, argument); }
  void Poll() override { below_->Poll(); }

 private:
  class UnsyncedFile : public File {
   public:
    explicit UnsyncedFile(std::unique_ptr<File> below) : below_(std::move(below)) {}
    void ReadAsync(uint64_t offset, void* buffer, uint64_t length, IoCallback done, void* context) override {
      below_->ReadAsync(offset, buffer, length, done, context);
    }
    void WriteAsync(uint64_t offset, const void* buffer, uint64_t length, IoCallback done,
                    void* context) override {
      below_->WriteAsync(offset, buffer, length, done, context);
    }
    Status Read(uint64_t offset, void* buffer, uint64_t length, uint64_t* bytes) override {
      return below_->Read(offset, buffer, length, bytes);
    }
    Status Write(uint64_t offset, const void* buffer, uint64_t length, uint64_t* bytes) override {
      return below_->Write(offset, buffer, length, bytes);
    }
    Status Sync() override { return Status::kOk; }
    Status Size(uint64_t* bytes) override { return below_->Size(bytes); }
    Status Truncate(uint64_t bytes) override { return below_->Truncate(bytes); }

   private:
    const std::unique_ptr<File> below_;
  };

  Storage* const below_;
};

}  // namespace faster
