// NullStorage: a Storage that swallows what is written. For benchmarks of a store that fits in memory.
//
// Writes, syncs and names succeed and leave nothing behind, except that an open file knows its size; every
// read fails with kIoError, so that nothing ever takes invented bytes for data. Opening what must exist is
// kNotFound; lists are empty; Lock never refuses. Calls complete before they return; jobs get threads.
// Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "faster/device/io_threads.h"
#include "faster/device/storage.h"

namespace faster {

class NullStorage : public Storage {
 public:
  Status Open(std::string_view path, OpenMode mode, std::unique_ptr<File>* file) override;
  Status CreateDirectory(std::string_view path) override;
  Status Remove(std::string_view path) override;
  Status Rename(std::string_view from, std::string_view to) override;
  Status List(std::string_view directory, std::vector<std::string>* names) override;
  Status SyncDirectory(std::string_view directory) override;
  Status Lock(std::string_view directory, std::unique_ptr<DirectoryLock>* lock) override;
  void Schedule(void (*job)(void* argument), void* argument) override;

 private:
  JobRunner jobs_;
};

}  // namespace faster
