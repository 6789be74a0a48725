// RecordingStorage: a MemoryStorage that writes down every call, fails one on demand and may move only part
// of a transfer. For tests of the order of durability steps.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "faster/device/memory_storage.h"

namespace faster {

class RecordingStorage : public Storage {
 public:
  std::vector<std::string> calls;  // "write t/.log.meta.tmp", in order; reads are left out
  int fail_at = -1;                // index of the call that fails with `failure`
  Status failure = Status::kIoError;
  uint64_t longest_transfer = ~0ull;  // reads and writes move at most so many bytes; 0: none at all
  MemoryStorage inner;

  Status Open(std::string_view path, OpenMode mode, std::unique_ptr<File>* file) override {
    if (mode != OpenMode::kRead) {
      if (const Status status = Note("open", path); status != Status::kOk) return status;
    }
    std::unique_ptr<File> opened;
    const Status status = inner.Open(path, mode, &opened);
    if (status == Status::kOk)
      *file = std::make_unique<RecordingFile>(this, std::string(path), std::move(opened));
    return status;
  }
  Status CreateDirectory(std::string_view path) override {
    const Status status = Note("mkdir", path);
    return status == Status::kOk ? inner.CreateDirectory(path) : status;
  }
  Status Remove(std::string_view path) override {
    const Status status = Note("remove", path);
    return status == Status::kOk ? inner.Remove(path) : status;
  }
  Status Rename(std::string_view from, std::string_view to) override {
    const Status status = Note("rename", std::string(from) + " " + std::string(to));
    return status == Status::kOk ? inner.Rename(from, to) : status;
  }
  Status List(std::string_view directory, std::vector<std::string>* names) override {
    return inner.List(directory, names);
  }
  Status SyncDirectory(std::string_view directory) override {
    const Status status = Note("syncdir", directory);
    return status == Status::kOk ? inner.SyncDirectory(directory) : status;
  }
  Status Lock(std::string_view directory, std::unique_ptr<DirectoryLock>* lock) override {
    return inner.Lock(directory, lock);
  }
  void Schedule(void (*job)(void* argument), void* argument) override { inner.Schedule(job, argument); }

 private:
  class RecordingFile : public File {
   public:
    RecordingFile(RecordingStorage* storage, std::string path, std::unique_ptr<File> file)
        : storage_(storage), path_(std::move(path)), file_(std::move(file)) {}
    ~RecordingFile() override { storage_->calls.push_back("close " + path_); }

    void ReadAsync(uint64_t offset, void* buffer, uint64_t length, IoCallback done, void* context) override {
      file_->ReadAsync(offset, buffer, length, done, context);
    }
    void WriteAsync(uint64_t offset, const void* buffer, uint64_t length, IoCallback done,
                    void* context) override {
      file_->WriteAsync(offset, buffer, length, done, context);
    }
    Status Read(uint64_t offset, void* buffer, uint64_t length, uint64_t* bytes) override {
      return file_->Read(offset, buffer, std::min(length, storage_->longest_transfer), bytes);
    }
    Status Write(uint64_t offset, const void* buffer, uint64_t length, uint64_t* bytes) override {
      const Status status = storage_->Note("write", path_);
      if (status != Status::kOk) return status;
      return file_->Write(offset, buffer, std::min(length, storage_->longest_transfer), bytes);
    }
    Status Sync() override {
      const Status status = storage_->Note("sync", path_);
      return status == Status::kOk ? file_->Sync() : status;
    }
    Status Size(uint64_t* bytes) override { return file_->Size(bytes); }
    Status Truncate(uint64_t bytes) override { return file_->Truncate(bytes); }

   private:
    RecordingStorage* const storage_;
    const std::string path_;
    const std::unique_ptr<File> file_;
  };

  Status Note(std::string_view what, std::string_view path) {
    calls.push_back(std::string(what) + " " + std::string(path));
    return static_cast<int>(calls.size()) - 1 == fail_at ? failure : Status::kOk;
  }
};

}  // namespace faster
