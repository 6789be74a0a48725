#include "faster/device/null_storage.h"

#include <atomic>

#include "faster/device/path.h"

namespace faster {
namespace {

class NullFile : public File {
 public:
  void ReadAsync(uint64_t, void*, uint64_t, IoCallback done, void* context) override {
    done(context, Status::kIoError, 0);
  }
  void WriteAsync(uint64_t offset, const void* buffer, uint64_t length, IoCallback done,
                  void* context) override {
    uint64_t bytes = 0;
    const Status status = Write(offset, buffer, length, &bytes);
    done(context, status, bytes);
  }
  Status Read(uint64_t, void*, uint64_t, uint64_t* bytes) override {
    *bytes = 0;
    return Status::kIoError;
  }
  Status Write(uint64_t offset, const void*, uint64_t length, uint64_t* bytes) override {
    uint64_t size = size_.load(std::memory_order_relaxed);
    while (size < offset + length && !size_.compare_exchange_weak(size, offset + length)) {
    }
    *bytes = length;
    return Status::kOk;
  }
  Status Sync() override { return Status::kOk; }
  Status Size(uint64_t* bytes) override {
    *bytes = size_.load(std::memory_order_relaxed);
    return Status::kOk;
  }
  Status Truncate(uint64_t bytes) override {
    size_.store(bytes, std::memory_order_relaxed);
    return Status::kOk;
  }

 private:
  std::atomic<uint64_t> size_{0};
};

Status Check(std::string_view path) { return IsValidPath(path) ? Status::kOk : Status::kInvalidArgument; }

}  // namespace

Status NullStorage::Open(std::string_view path, OpenMode mode, std::unique_ptr<File>* file) {
  if (path.empty() || !IsValidPath(path)) return Status::kInvalidArgument;
  if (mode == OpenMode::kRead || mode == OpenMode::kReadWrite) return Status::kNotFound;
  *file = std::make_unique<NullFile>();
  return Status::kOk;
}

Status NullStorage::CreateDirectory(std::string_view path) { return Check(path); }
Status NullStorage::Remove(std::string_view path) { return Check(path); }
Status NullStorage::Rename(std::string_view from, std::string_view to) {
  return IsValidPath(from) ? Check(to) : Status::kInvalidArgument;
}
Status NullStorage::List(std::string_view directory, std::vector<std::string>* names) {
  names->clear();
  return Check(directory);
}
Status NullStorage::SyncDirectory(std::string_view directory) { return Check(directory); }

Status NullStorage::Lock(std::string_view directory, std::unique_ptr<DirectoryLock>* lock) {
  if (!IsValidPath(directory)) return Status::kInvalidArgument;
  *lock = std::make_unique<DirectoryLock>();
  return Status::kOk;
}

void NullStorage::Schedule(void (*job)(void* argument), void* argument) { jobs_.Schedule(job, argument); }

}  // namespace faster
