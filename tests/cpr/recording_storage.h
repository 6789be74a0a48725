// RecordingStorage: a MemoryStorage that writes down every call, fails those on demand and may move only part
// of a transfer. For tests of the order of durability steps and of what a failed one leaves. Thread-safe once
// what shall fail is set.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "faster/device/memory_storage.h"

namespace faster {

class RecordingStorage : public Storage {
 public:
  std::vector<std::string> calls;  // "write t/.log.meta.tmp", in order; reads are left out
  int fail_at = -1;                // index of the call that fails with `failure`
  std::function<bool(const std::string& call)> fails;  // the calls that fail with it, if set
  std::function<bool(const std::string& path)> fails_reads;  // reads of such files fail with it
  Status failure = Status::kIoError;
  uint64_t longest_transfer = ~0ull;  // reads and writes move at most so many bytes; 0: none at all
  bool hold_reads = false;            // asynchronous reads wait for ReleaseReads; one thread then
  std::atomic<uint64_t> async_reads{0};
  MemoryStorage inner;

  // For stores whose own threads go on: begins a new list, whose call `step` fails (-1: none), and the list.
  void Record(int step, Status with) {
    std::lock_guard lock(mutex_);
    calls.clear();
    fail_at = step;
    failure = with;
  }
  std::vector<std::string> Recorded() {
    std::lock_guard lock(mutex_);
    fail_at = -1;
    return calls;
  }

  void ReleaseReads() {
    hold_reads = false;
    for (const auto& read : std::exchange(held_, {})) read();
  }

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
    ~RecordingFile() override { (void)storage_->Note("close", path_); }

    void ReadAsync(uint64_t offset, void* buffer, uint64_t length, IoCallback done, void* context) override {
      storage_->async_reads.fetch_add(1);
      const auto read = [=, this] {
        if (FailsReads()) return done(context, storage_->failure, 0);
        file_->ReadAsync(offset, buffer, length, done, context);
      };
      storage_->hold_reads ? storage_->held_.push_back(read) : read();
    }
    void WriteAsync(uint64_t offset, const void* buffer, uint64_t length, IoCallback done,
                    void* context) override {
      const Status status = storage_->Note("write", path_);
      if (status != Status::kOk) return done(context, status, 0);
      file_->WriteAsync(offset, buffer, std::min(length, storage_->longest_transfer), done, context);
    }
    Status Read(uint64_t offset, void* buffer, uint64_t length, uint64_t* bytes) override {
      *bytes = 0;
      if (FailsReads()) return storage_->failure;
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
    bool FailsReads() const { return storage_->fails_reads && storage_->fails_reads(path_); }

    RecordingStorage* const storage_;
    const std::string path_;
    const std::unique_ptr<File> file_;
  };

  Status Note(std::string_view what, std::string_view path) {
    std::lock_guard lock(mutex_);
    const std::string& call = calls.emplace_back(std::string(what) + " " + std::string(path));
    const bool failed = static_cast<int>(calls.size()) - 1 == fail_at || (fails && fails(call));
    return failed && what != "close" ? failure : Status::kOk;
  }

  std::mutex mutex_;  // guards calls
  std::vector<std::function<void()>> held_;
};

}  // namespace faster
