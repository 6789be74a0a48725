// Storage: the one seam between the engine and any disk.
//
// DURABILITY CONTRACT (what an implementation promises, and what it does not)
//   * A completed write is visible to every later read through this Storage. It is NOT durable: a crash
//     may keep all, none or any subset of its sectors, in any order with other unsynced writes.
//   * File::Sync() == kOk: every write to that file that had completed before Sync was called is durable,
//     and so is the file's size. If Sync fails, writes since the previous successful Sync may be lost for
//     good, even if a later Sync succeeds: the writer has to write them again.
//   * A name made by Open(kCreate), CreateDirectory or Rename, or removed by Remove, is durable only after
//     SyncDirectory() of the directory that holds it. Until then a crash may show the old or the new state;
//     Rename is atomic (never both, never neither). Syncing a file does not make its name durable.
//   * An error leaves the addressed bytes undefined: old, new or a mixture by sector.
//   * Reads and writes may be short without an error; the caller compares `bytes` with what it asked for.
//
// COMPLETION. Every asynchronous call ends with exactly one call of its callback, on a thread of the
// storage's choice, possibly before the call returns. Callbacks are short and do not block. Blocking calls
// block the caller only. Who waits for a callback may call Poll, which calls some that are due; nothing
// depends on it. `Schedule` runs a job on a background thread of the storage; a job may block.
//
// THREAD-SAFETY. All members may be called from any thread, except that a File is destroyed by one thread
// when no call on it is in flight. PATHS are relative to the storage's root, with '/' between parts; "" is
// the root. COST: one indirect call per I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "faster/core/status.h"

namespace faster {

// `bytes` is how many were transferred; meaningful for kOk only.
using IoCallback = void (*)(void* context, Status status, uint64_t bytes);

enum class OpenMode : uint8_t {
  kRead,       // must exist; kNotFound otherwise; never creates anything
  kReadWrite,  // must exist
  kCreate,     // created if missing, contents kept if present
  kTruncate,   // created if missing, emptied if present
};

class File {
 public:
  virtual ~File() = default;
  virtual void ReadAsync(uint64_t offset, void* buffer, uint64_t length, IoCallback done, void* context) = 0;
  virtual void WriteAsync(uint64_t offset, const void* buffer, uint64_t length, IoCallback done,
                          void* context) = 0;
  virtual Status Read(uint64_t offset, void* buffer, uint64_t length, uint64_t* bytes) = 0;
  virtual Status Write(uint64_t offset, const void* buffer, uint64_t length, uint64_t* bytes) = 0;
  virtual Status Sync() = 0;
  virtual Status Size(uint64_t* bytes) = 0;
  virtual Status Truncate(uint64_t bytes) = 0;
};

// Held while a store is open on a directory; released by its destructor.
class DirectoryLock {
 public:
  virtual ~DirectoryLock() = default;
};

class Storage {
 public:
  virtual ~Storage() = default;
  virtual Status Open(std::string_view path, OpenMode mode, std::unique_ptr<File>* file) = 0;
  virtual Status CreateDirectory(
      std::string_view path) = 0;                    // kOk if it is there already; parents must exist
  virtual Status Remove(std::string_view path) = 0;  // a file or an empty directory
  virtual Status Rename(std::string_view from, std::string_view to) = 0;                 // replaces `to`
  virtual Status List(std::string_view directory, std::vector<std::string>* names) = 0;  // sorted
  virtual Status SyncDirectory(std::string_view directory) = 0;
  // kBusy if any process, this one included, holds the lock already.
  virtual Status Lock(std::string_view directory, std::unique_ptr<DirectoryLock>* lock) = 0;
  virtual void Schedule(void (*job)(void* argument), void* argument) = 0;
  virtual void Poll() {}  // calls callbacks that are due, if it can, on the caller's thread; never blocks
};

// Whole transfers: a short read or write without an error becomes kShortIo.
inline Status ReadFully(File& file, uint64_t offset, void* buffer, uint64_t length) {
  uint64_t bytes = 0;
  const Status status = file.Read(offset, buffer, length, &bytes);
  return status == Status::kOk && bytes != length ? Status::kShortIo : status;
}
inline Status WriteFully(File& file, uint64_t offset, const void* buffer, uint64_t length) {
  uint64_t bytes = 0;
  const Status status = file.Write(offset, buffer, length, &bytes);
  return status == Status::kOk && bytes != length ? Status::kShortIo : status;
}

}  // namespace faster
