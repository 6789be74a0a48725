#include "faster/device/memory_storage.h"

#include <algorithm>
#include <cstring>
#include <shared_mutex>

#include "faster/device/path.h"

namespace faster {

struct MemoryInode {
  static constexpr uint64_t kChunk = 64u << 10;
  static constexpr uint64_t kMaxSize = uint64_t{1} << 46;  // far above what memory holds; keeps sums in range

  std::shared_mutex mutex;
  std::vector<std::unique_ptr<char[]>> chunks;  // null: all zero
  uint64_t size = 0;

  void Resize(uint64_t bytes) {
    if (bytes < size) {
      chunks.resize(std::min<uint64_t>(chunks.size(), (bytes + kChunk - 1) / kChunk));
      const uint64_t used = bytes % kChunk;  // growing again must show zeros
      if (used != 0 && bytes / kChunk < chunks.size() && chunks[bytes / kChunk] != nullptr) {
        std::memset(chunks[bytes / kChunk].get() + used, 0, kChunk - used);
      }
    }
    size = bytes;
  }
};

namespace {

class MemoryFile : public File {
 public:
  MemoryFile(std::shared_ptr<MemoryInode> inode, IoPool* pool, bool writable)
      : inode_(std::move(inode)), pool_(pool), writable_(writable) {}

  void ReadAsync(uint64_t offset, void* buffer, uint64_t length, IoCallback done, void* context) override {
    Submit({this, buffer, offset, length, done, context, false});
  }
  void WriteAsync(uint64_t offset, const void* buffer, uint64_t length, IoCallback done,
                  void* context) override {
    Submit({this, const_cast<void*>(buffer), offset, length, done, context, true});
  }

  Status Read(uint64_t offset, void* buffer, uint64_t length, uint64_t* bytes) override {
    std::shared_lock<std::shared_mutex> lock(inode_->mutex);
    *bytes = offset >= inode_->size ? 0 : std::min(length, inode_->size - offset);
    char* to = static_cast<char*>(buffer);
    ForChunks(offset, *bytes, [&](uint64_t chunk, uint64_t at, uint64_t n) {
      const bool present = chunk < inode_->chunks.size() && inode_->chunks[chunk] != nullptr;
      if (present)
        std::memcpy(to, inode_->chunks[chunk].get() + at, n);
      else
        std::memset(to, 0, n);
      to += n;
    });
    return Status::kOk;
  }

  Status Write(uint64_t offset, const void* buffer, uint64_t length, uint64_t* bytes) override {
    *bytes = 0;
    if (!writable_) return Status::kInvalidArgument;
    if (offset > MemoryInode::kMaxSize || length > MemoryInode::kMaxSize - offset) return Status::kNoSpace;
    std::lock_guard<std::shared_mutex> lock(inode_->mutex);
    const char* from = static_cast<const char*>(buffer);
    const uint64_t needed = (offset + length + MemoryInode::kChunk - 1) / MemoryInode::kChunk;
    if (length > 0 && inode_->chunks.size() < needed) inode_->chunks.resize(needed);
    ForChunks(offset, length, [&](uint64_t chunk, uint64_t at, uint64_t n) {
      std::unique_ptr<char[]>& data = inode_->chunks[chunk];
      if (data == nullptr) data = std::make_unique<char[]>(MemoryInode::kChunk);
      std::memcpy(data.get() + at, from, n);
      from += n;
    });
    if (length > 0) inode_->size = std::max(inode_->size, offset + length);
    *bytes = length;
    return Status::kOk;
  }

  Status Sync() override { return Status::kOk; }
  Status Size(uint64_t* bytes) override {
    std::shared_lock<std::shared_mutex> lock(inode_->mutex);
    *bytes = inode_->size;
    return Status::kOk;
  }
  Status Truncate(uint64_t bytes) override {
    if (!writable_) return Status::kInvalidArgument;
    if (bytes > MemoryInode::kMaxSize) return Status::kNoSpace;
    std::lock_guard<std::shared_mutex> lock(inode_->mutex);
    inode_->Resize(bytes);
    return Status::kOk;
  }

 private:
  template <class Visit>
  static void ForChunks(uint64_t offset, uint64_t length, Visit visit) {
    while (length > 0) {
      const uint64_t at = offset % MemoryInode::kChunk;
      const uint64_t n = std::min(length, MemoryInode::kChunk - at);
      visit(offset / MemoryInode::kChunk, at, n);
      offset += n;
      length -= n;
    }
  }

  void Submit(const IoRequest& request) {
    if (pool_ != nullptr) return pool_->Submit(request);
    uint64_t bytes = 0;
    const Status status = request.write ? Write(request.offset, request.buffer, request.length, &bytes)
                                        : Read(request.offset, request.buffer, request.length, &bytes);
    request.done(request.context, status, bytes);
  }

  const std::shared_ptr<MemoryInode> inode_;
  IoPool* const pool_;
  const bool writable_;
};

std::string Prefix(std::string_view directory) {
  return directory.empty() ? std::string() : std::string(directory) + "/";
}

}  // namespace

class MemoryLock : public DirectoryLock {
 public:
  MemoryLock(MemoryStorage* storage, std::string directory)
      : storage_(storage), directory_(std::move(directory)) {}
  ~MemoryLock() override {
    std::lock_guard<std::mutex> lock(storage_->mutex_);
    storage_->locks_.erase(directory_);
  }

 private:
  MemoryStorage* const storage_;
  const std::string directory_;
};

MemoryStorage::MemoryStorage(const MemoryStorageOptions& options)
    : pool_(options.threads == 0 ? nullptr : std::make_unique<IoPool>(options.threads)) {}

MemoryStorage::~MemoryStorage() {
  if (pool_ != nullptr) pool_->Drain();  // completions may schedule jobs, which end next
}

Status MemoryStorage::CheckDirectory(std::string_view path) const {
  if (path.empty()) return Status::kOk;
  const auto found = nodes_.find(path);
  if (found != nodes_.end()) return found->second == nullptr ? Status::kOk : Status::kInvalidArgument;
  return CheckDirectory(ParentPath(path)) == Status::kInvalidArgument ? Status::kInvalidArgument
                                                                      : Status::kNotFound;
}

bool MemoryStorage::IsEmptyDirectory(std::string_view path) const {
  const std::string prefix = Prefix(path);
  const auto next = nodes_.lower_bound(prefix);
  return next == nodes_.end() || next->first.compare(0, prefix.size(), prefix) != 0;
}

Status MemoryStorage::Open(std::string_view path, OpenMode mode, std::unique_ptr<File>* file) {
  if (path.empty() || !IsValidPath(path)) return Status::kInvalidArgument;
  std::lock_guard<std::mutex> lock(mutex_);
  const Status parent = CheckDirectory(ParentPath(path));
  if (parent != Status::kOk) return parent;
  auto found = nodes_.find(path);
  const bool creates = mode == OpenMode::kCreate || mode == OpenMode::kTruncate;
  if (found == nodes_.end()) {
    if (!creates) return Status::kNotFound;
    found = nodes_.emplace(std::string(path), std::make_shared<MemoryInode>()).first;
  } else if (found->second == nullptr) {
    return Status::kInvalidArgument;
  } else if (mode == OpenMode::kTruncate) {
    std::lock_guard<std::shared_mutex> contents(found->second->mutex);
    found->second->Resize(0);
  }
  *file = std::make_unique<MemoryFile>(found->second, pool_.get(), mode != OpenMode::kRead);
  return Status::kOk;
}

Status MemoryStorage::CreateDirectory(std::string_view path) {
  if (!IsValidPath(path)) return Status::kInvalidArgument;
  if (path.empty()) return Status::kOk;
  std::lock_guard<std::mutex> lock(mutex_);
  const Status parent = CheckDirectory(ParentPath(path));
  if (parent != Status::kOk) return parent;
  const auto [node, added] = nodes_.try_emplace(std::string(path), nullptr);
  return node->second == nullptr ? Status::kOk : Status::kExists;
}

Status MemoryStorage::Remove(std::string_view path) {
  if (path.empty() || !IsValidPath(path)) return Status::kInvalidArgument;
  std::lock_guard<std::mutex> lock(mutex_);
  const Status parent = CheckDirectory(ParentPath(path));
  if (parent != Status::kOk) return parent;
  const auto found = nodes_.find(path);
  if (found == nodes_.end()) return Status::kNotFound;
  if (found->second == nullptr && !IsEmptyDirectory(path)) return Status::kExists;
  nodes_.erase(found);
  return Status::kOk;
}

void MemoryStorage::MoveSubtree(std::string_view from, std::string_view to) {
  const std::string prefix = Prefix(from);
  for (auto node = nodes_.lower_bound(prefix);
       node != nodes_.end() && node->first.compare(0, prefix.size(), prefix) == 0;) {
    auto moved = nodes_.extract(node++);
    moved.key() = Prefix(to) + moved.key().substr(prefix.size());
    nodes_.insert(std::move(moved));
  }
}

Status MemoryStorage::Rename(std::string_view from, std::string_view to) {
  if (from.empty() || to.empty() || !IsValidPath(from) || !IsValidPath(to)) return Status::kInvalidArgument;
  std::lock_guard<std::mutex> lock(mutex_);
  Status parent = CheckDirectory(ParentPath(from));
  if (parent != Status::kOk) return parent;
  const auto source = nodes_.find(from);
  if (source == nodes_.end()) return Status::kNotFound;
  parent = CheckDirectory(ParentPath(to));
  if (parent != Status::kOk) return parent;
  if (from == to) return Status::kOk;
  const bool directory = source->second == nullptr;
  if (directory && to.substr(0, from.size() + 1) == Prefix(from)) return Status::kInvalidArgument;
  const auto target = nodes_.find(to);
  if (target != nodes_.end()) {
    if (directory != (target->second == nullptr)) return Status::kInvalidArgument;
    if (directory && !IsEmptyDirectory(to)) return Status::kExists;
    nodes_.erase(target);
  }
  auto node = nodes_.extract(source);
  node.key() = std::string(to);
  nodes_.insert(std::move(node));
  if (directory) MoveSubtree(from, to);
  return Status::kOk;
}

Status MemoryStorage::List(std::string_view directory, std::vector<std::string>* names) {
  names->clear();
  if (!IsValidPath(directory)) return Status::kInvalidArgument;
  std::lock_guard<std::mutex> lock(mutex_);
  const Status status = CheckDirectory(directory);
  if (status != Status::kOk) return status;
  const std::string prefix = Prefix(directory);
  for (auto node = nodes_.lower_bound(prefix);
       node != nodes_.end() && node->first.compare(0, prefix.size(), prefix) == 0; ++node) {
    if (node->first.find('/', prefix.size()) == std::string::npos) {
      names->push_back(node->first.substr(prefix.size()));
    }
  }
  return Status::kOk;
}

Status MemoryStorage::SyncDirectory(std::string_view directory) {
  if (!IsValidPath(directory)) return Status::kInvalidArgument;
  std::lock_guard<std::mutex> lock(mutex_);
  return CheckDirectory(directory);
}

Status MemoryStorage::Lock(std::string_view directory, std::unique_ptr<DirectoryLock>* lock) {
  if (!IsValidPath(directory)) return Status::kInvalidArgument;
  std::lock_guard<std::mutex> guard(mutex_);
  const Status status = CheckDirectory(directory);
  if (status != Status::kOk) return status;
  if (!locks_.emplace(directory).second) return Status::kBusy;
  *lock = std::make_unique<MemoryLock>(this, std::string(directory));
  return Status::kOk;
}

void MemoryStorage::Schedule(void (*job)(void* argument), void* argument) { jobs_.Schedule(job, argument); }

}  // namespace faster
