// PosixStorage: a Storage over the files of one directory, with pread, pwrite and a small pool of threads.
//
// What the contract in storage.h leaves open, here:
//   * Sync is fdatasync, which also covers the file's size; SyncDirectory is fsync of the directory.
//   * Blocking calls are performed by the caller, asynchronous ones by the pool; EINTR is retried, transfers
//     above Linux' limit of 0x7ffff000 bytes are split, and a transfer ends short only at the end of the
//     file. A write that fails half-way reports the error, not the half.
//   * Writes of kDirectBytes and more whose memory, offset and length are multiples of 4096 bypass the page
//     cache (O_DIRECT): the copy into it costs a loaded machine more than the device does, and what a
//     checkpoint or a page of the log holds is in memory already. Where that is refused, they do not.
//   * Lock is flock on the file LOCK of the directory, which stays there: it excludes other processes and
//     other opens in this one, and the kernel releases it when the process dies.
//   * Schedule's jobs have threads of their own and never wait behind I/O or behind each other.
//   * The root has to exist, or CreateDirectory("") makes it; its parent has to exist.
// A process with a file-size limit has to ignore SIGXFSZ to see EFBIG (kNoSpace) from blocking writes.
//
// Thread-safe as the contract says. Destroy the storage after its files. Destructor: waits for all I/O and
// jobs. Cost: asynchronous 4 KiB reads from the page cache, see tests/device/io_cost.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "faster/device/io_threads.h"
#include "faster/device/storage.h"

namespace faster {

struct PosixStorageOptions {
  unsigned threads = 4;          // at most so many asynchronous reads and writes at a time
  size_t max_queued = 1u << 16;  // beyond that the submitter performs its own I/O
};

class PosixStorage : public Storage {
 public:
  static constexpr uint64_t kDirectBytes = 64 << 10;

  explicit PosixStorage(std::string_view root, const PosixStorageOptions& options = {});
  ~PosixStorage() override;

  Status Open(std::string_view path, OpenMode mode, std::unique_ptr<File>* file) override;
  Status CreateDirectory(std::string_view path) override;
  Status Remove(std::string_view path) override;
  Status Rename(std::string_view from, std::string_view to) override;
  Status List(std::string_view directory, std::vector<std::string>* names) override;
  Status SyncDirectory(std::string_view directory) override;
  Status Lock(std::string_view directory, std::unique_ptr<DirectoryLock>* lock) override;
  void Schedule(void (*job)(void* argument), void* argument) override;

  const std::string& root() const { return root_; }

 private:
  std::string Full(std::string_view path) const;

  const std::string root_;
  IoPool pool_;
  JobRunner jobs_;  // ended before the pool: a job may still do I/O
};

// open(2)'s flags for a mode.
int OpenFlags(OpenMode mode);
// The Status of an errno value; kIoError for those that no other status fits.
Status StatusFromErrno(int error);

}  // namespace faster
