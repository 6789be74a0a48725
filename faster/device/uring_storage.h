// UringStorage: a Storage over the files of one directory with io_uring, past the page cache (O_DIRECT).
//
// Names, locks, directories and jobs are PosixStorage's; what its header says holds here too. Asynchronous
// reads and writes go to one ring (ring_queue.h), blocking ones are performed by the caller. Sync is
// fdatasync: it covers what had completed, that is, whose result was taken from the ring and whose callback
// was called.
//
// O_DIRECT needs memory, offsets and lengths that are multiples of what the device says (statx). Aligned
// transfers, such as whole pages of the log, are moved without a copy; reads and memory that are not aligned
// go through aligned buffers; a file stays direct until the first write at an unaligned offset or of an
// unaligned length, which sends it through the page cache from then on (direct_io.h).
//
// FALLING BACK. Where io_uring is not to be had (seccomp, kernel.io_uring_disabled, an old kernel, the limit
// on locked memory) asynchronous transfers are performed by a pool of threads, as by PosixStorage; where a
// file system has no O_DIRECT, files go through the page cache. Both are told, once, by Fallbacks(), and
// everything works on. A ring that stops taking requests, and requests that it cannot perform (-EAGAIN), go
// to the pool.
//
// Poll() takes results out of the ring on the caller's thread (ring_queue.h); sessions that wait do that.
//
// A process with a file-size limit has to ignore SIGXFSZ to see EFBIG (kNoSpace).
//
// Thread-safe as storage.h says. Destroy it after its files. COST of a transfer: a system call (one for many
// under load) and some four short mutexes; no allocation once as many have been in flight.
#pragma once

#include <fcntl.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "faster/device/direct_io.h"
#include "faster/device/posix_storage.h"
#include "faster/device/ring_queue.h"
#include "faster/device/storage.h"

namespace faster {

struct UringStorageOptions {
  bool direct = true;         // O_DIRECT where the file system has it
  unsigned depth = 512;       // transfers in the ring at a time
  PosixStorageOptions posix;  // of the pool that performs what the ring does not
  // The seams for tests: opens a ring, opens a file. 0 or an errno; a descriptor or -1 with errno.
  std::function<int(unsigned depth, std::unique_ptr<Ring>* ring)> open_ring = &OpenLinuxRing;
  std::function<int(const char* path, int flags, mode_t mode)> open_file =
      [](const char* path, int flags, mode_t mode) { return ::open(path, flags, mode); };
};

class UringFile;

struct UringCounts {    // transfers since the storage was made
  uint64_t ring = 0;    // pieces performed by the ring
  uint64_t pool = 0;    // transfers, or the rest of one, performed by the pool
  uint64_t direct = 0;  // pieces past the page cache, blocking ones too
  uint64_t copied = 0;  // of these, through an aligned buffer
};

class UringStorage : public Storage {
 public:
  explicit UringStorage(std::string_view root, const UringStorageOptions& options = {});
  ~UringStorage() override;

  Status Open(std::string_view path, OpenMode mode, std::unique_ptr<File>* file) override;
  Status CreateDirectory(std::string_view path) override { return posix_.CreateDirectory(path); }
  Status Remove(std::string_view path) override { return posix_.Remove(path); }
  Status Rename(std::string_view from, std::string_view to) override { return posix_.Rename(from, to); }
  Status List(std::string_view directory, std::vector<std::string>* names) override {
    return posix_.List(directory, names);
  }
  Status SyncDirectory(std::string_view directory) override { return posix_.SyncDirectory(directory); }
  Status Lock(std::string_view directory, std::unique_ptr<DirectoryLock>* lock) override {
    return posix_.Lock(directory, lock);
  }
  void Schedule(void (*job)(void* argument), void* argument) override { posix_.Schedule(job, argument); }
  void Poll() override {
    if (queue_ != nullptr) queue_->Poll();
  }

  // What is in force. `direct` speaks of the files opened so far; ProbeDirect() of the root's file system
  // before any is (it makes and removes a file of its own there; kUnsupported: no O_DIRECT).
  bool ring() const { return queue_ != nullptr; }
  bool direct() const { return options_.direct && !direct_refused_.load(std::memory_order_acquire); }
  Status ProbeDirect();
  std::vector<Diagnosis> Fallbacks() const;  // none: all that was asked for is in force
  UringCounts counts() const;

 private:
  friend class UringFile;
  struct Request;
  using FileId = std::pair<uint64_t, uint64_t>;  // device, inode

  Status OpenDescriptor(std::string_view path, int flags, int* fd, int* refused);
  std::shared_ptr<DirectGate> GateOf(const FileId& id, const Alignment& alignment, bool is_direct);
  void ForgetGate(const FileId& id, std::shared_ptr<DirectGate> gate);
  void NoteDirectRefused(const std::string& file, const std::string& expected, int error);

  void Begin(UringFile* file, bool write, uint64_t offset, void* buffer, uint64_t length, IoCallback done,
             void* context);
  void Admit(Request* request);
  void Resume(DirectGate::Waiter* waiting);
  void Continue(Request* request);
  void OnResult(Request* request, int32_t result);
  void Leave(Request* request);
  void HandToPool(Request* request);
  void Finish(Request* request, Status status);
  Request* Take();
  void Count(const DirectTransfer& transfer);

  const std::string root_;
  const UringStorageOptions options_;
  mutable std::mutex mutex_;  // guards gates_ and fallbacks_
  std::map<FileId, std::weak_ptr<DirectGate>> gates_;
  std::vector<Diagnosis> fallbacks_;
  std::mutex requests_mutex_;  // guards the next two
  std::vector<std::unique_ptr<Request>> requests_;
  Request* free_requests_ = nullptr;
  std::atomic<bool> direct_refused_{false};
  std::atomic<uint64_t> ring_pieces_{0}, pool_transfers_{0}, direct_pieces_{0}, copied_pieces_{0};
  BouncePool bounce_;
  std::unique_ptr<RingQueue> queue_;  // null: no ring
  IoPool pool_;
  PosixStorage posix_;  // ends first: its jobs may still do I/O
};

}  // namespace faster
