// ThrottledStorage: another Storage with a limit on the bytes per second that are read and written.
//
// For experiments that need a device of a certain speed: the ratio of flush time to the gap between commits,
// say. Reads and writes have a limit each. A transfer of n bytes is handed on n / rate after it was asked for
// or after the one before it was through, whichever is later; syncs and names are handed on at once. The rate
// holds within 1 % over a second, whatever the sizes, for callers that are no slower themselves; a blocking
// caller waits, asynchronous transfers wait for a thread of this object. The durability contract is that of
// the storage below: nothing is reported before that storage has reported it.
//
// Thread-safe as storage.h says. `below` must outlive it; destroy it after its files. COST: a mutex and a
// clock per transfer.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "faster/device/io_threads.h"
#include "faster/device/storage.h"
#include "faster/device/token_bucket.h"

namespace faster {

struct ThrottleLimits {  // bytes per second, 0: no limit
  uint64_t read = 0;
  uint64_t write = 0;
};

class ThrottledStorage : public Storage {
 public:
  ThrottledStorage(Storage* below, const ThrottleLimits& limits);
  ~ThrottledStorage() override;
  // From now on; what waits keeps the time that it was given.
  void SetLimits(const ThrottleLimits& limits);

  Status Open(std::string_view path, OpenMode mode, std::unique_ptr<File>* file) override;
  Status CreateDirectory(std::string_view path) override { return below_->CreateDirectory(path); }
  Status Remove(std::string_view path) override { return below_->Remove(path); }
  Status Rename(std::string_view from, std::string_view to) override { return below_->Rename(from, to); }
  Status List(std::string_view directory, std::vector<std::string>* names) override {
    return below_->List(directory, names);
  }
  Status SyncDirectory(std::string_view directory) override { return below_->SyncDirectory(directory); }
  Status Lock(std::string_view directory, std::unique_ptr<DirectoryLock>* lock) override {
    return below_->Lock(directory, lock);
  }
  void Schedule(void (*job)(void* argument), void* argument) override { below_->Schedule(job, argument); }
  void Poll() override { below_->Poll(); }

 private:
  friend class ThrottledFile;
  struct Waiting {
    uint64_t when;  // ns, steady clock
    uint64_t order;
    IoRequest request;
    bool operator<(const Waiting& other) const {  // for a heap with the earliest on top
      return when != other.when ? when > other.when : order > other.order;
    }
  };

  uint64_t Book(bool write, uint64_t bytes);
  void Submit(const IoRequest& request);
  void WaitFor(bool write, uint64_t bytes);
  void Work();

  Storage* const below_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  TokenBucket reads_;
  TokenBucket writes_;
  std::vector<Waiting> waiting_;  // a heap
  uint64_t order_ = 0;
  std::vector<std::thread> threads_;
  bool stopping_ = false;
};

}  // namespace faster
