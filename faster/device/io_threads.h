// IoPool and JobRunner: the threads behind the storages that have no asynchronous interface of their own.
//
// IoPool turns File's blocking Read and Write into the asynchronous ones. One bounded queue feeds a few
// workers, made when first needed; a worker takes several requests at a time while more of them wait than
// there are workers, and a submission wakes a worker only if one sleeps that nobody has woken yet, so a busy
// pool costs two short critical sections per request and no system call. When the queue is full the
// submitter performs the request itself (the contract allows a callback before the call returns).
//
// JobRunner runs jobs that may block, on other jobs too: a job never waits for a thread, because a thread is
// added when none is idle. There are never more threads than there were jobs running at one moment.
//
// Thread-safe. Destructors finish everything that was submitted, then join. Workers block all signals, so
// that a program's handlers run on its own threads and a write beyond RLIMIT_FSIZE is an error (EFBIG).
// Errors: a thread that cannot be created leaves the request to those that exist, or to the caller.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "faster/device/storage.h"

namespace faster {

struct IoRequest {
  File* file;
  void* buffer;  // only read from if `write`
  uint64_t offset;
  uint64_t length;
  IoCallback done;
  void* context;
  bool write;
};

class IoPool {
 public:
  explicit IoPool(unsigned max_threads, size_t max_queued = 1u << 16);
  ~IoPool();
  IoPool(const IoPool&) = delete;
  IoPool& operator=(const IoPool&) = delete;

  void Submit(const IoRequest& request);
  void Drain();  // until no request is queued or being performed by a worker

 private:
  static constexpr size_t kBatch = 8;

  void Work();
  bool AddThread();

  const unsigned max_threads_;
  const size_t max_queued_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable drained_;
  std::deque<IoRequest> queue_;
  std::vector<std::thread> threads_;
  unsigned sleeping_ = 0;
  unsigned woken_ = 0;  // of those sleeping, how many have a notification on its way
  unsigned busy_ = 0;   // workers that hold requests
  unsigned draining_ = 0;
  bool stopping_ = false;
};

class JobRunner {
 public:
  JobRunner() = default;
  ~JobRunner();
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  void Schedule(void (*job)(void*), void* argument);

 private:
  struct Job {
    void (*run)(void*);
    void* argument;
  };

  void Work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace faster
