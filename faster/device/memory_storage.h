// MemoryStorage: a Storage that keeps everything in memory and forgets it when destroyed.
//
// For unit tests and for runs in which the disk should cost nothing. Sync and SyncDirectory succeed and do
// nothing: there is no crash to survive. Asynchronous calls complete before they return, or on a pool of
// threads if asked for. Lock is kept per storage object. Files are sparse, in chunks of 64 KiB.
//
// Thread-safe as storage.h says; reads of one file run in parallel, writes one after another. Destroy the
// storage after its files.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "faster/device/io_threads.h"
#include "faster/device/storage.h"

namespace faster {

struct MemoryStorageOptions {
  unsigned threads = 0;  // 0: asynchronous calls complete before they return
};

struct MemoryInode;

class MemoryStorage : public Storage {
 public:
  explicit MemoryStorage(const MemoryStorageOptions& options = {});
  ~MemoryStorage() override;

  Status Open(std::string_view path, OpenMode mode, std::unique_ptr<File>* file) override;
  Status CreateDirectory(std::string_view path) override;
  Status Remove(std::string_view path) override;
  Status Rename(std::string_view from, std::string_view to) override;
  Status List(std::string_view directory, std::vector<std::string>* names) override;
  Status SyncDirectory(std::string_view directory) override;
  Status Lock(std::string_view directory, std::unique_ptr<DirectoryLock>* lock) override;
  void Schedule(void (*job)(void* argument), void* argument) override;

 private:
  friend class MemoryLock;
  using Nodes = std::map<std::string, std::shared_ptr<MemoryInode>, std::less<>>;

  Status CheckDirectory(std::string_view path) const;  // kOk, kNotFound, or kInvalidArgument for a file
  bool IsEmptyDirectory(std::string_view path) const;
  void MoveSubtree(std::string_view from, std::string_view to);

  std::mutex mutex_;  // guards the names
  Nodes nodes_;       // by full path; a null inode is a directory; the root is implied
  std::set<std::string, std::less<>> locks_;
  std::unique_ptr<IoPool> pool_;  // null: complete at once
  JobRunner jobs_;                // ended before the pool: a job may still do I/O
};

}  // namespace faster
