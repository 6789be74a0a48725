#include "faster/device/io_threads.h"

#include <algorithm>

#include "faster/device/quiet_thread.h"

namespace faster {
namespace {

void Perform(const IoRequest& request) {
  uint64_t bytes = 0;
  const Status status = request.write
                            ? request.file->Write(request.offset, request.buffer, request.length, &bytes)
                            : request.file->Read(request.offset, request.buffer, request.length, &bytes);
  request.done(request.context, status, bytes);  // the file may be gone from here on
}

// A request or job that is still being performed may add threads while we join: repeat until none is left.
void JoinAll(std::mutex* mutex, std::condition_variable* wake, std::vector<std::thread>* threads,
             bool* stopping) {
  std::unique_lock<std::mutex> lock(*mutex);
  *stopping = true;
  wake->notify_all();
  while (!threads->empty()) {
    std::thread thread = std::move(threads->back());
    threads->pop_back();
    lock.unlock();
    thread.join();
    lock.lock();
  }
}

}  // namespace

IoPool::IoPool(unsigned max_threads, size_t max_queued)
    : max_threads_(std::max(1u, max_threads)), max_queued_(std::max<size_t>(1, max_queued)) {}

IoPool::~IoPool() { JoinAll(&mutex_, &wake_, &threads_, &stopping_); }

void IoPool::Drain() {
  std::unique_lock<std::mutex> lock(mutex_);
  ++draining_;
  drained_.wait(lock, [this] { return queue_.empty() && busy_ == 0; });
  --draining_;
}

bool IoPool::AddThread() {
  return StartQuietThread(&threads_, [this] { Work(); });
}

void IoPool::Submit(const IoRequest& request) {
  bool notify = false;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    const bool nobody_free = sleeping_ == woken_;
    if (nobody_free && threads_.size() < max_threads_ && !AddThread() && threads_.empty()) {
      lock.unlock();
      return Perform(request);
    }
    if (queue_.size() >= max_queued_) {
      lock.unlock();
      return Perform(request);
    }
    queue_.push_back(request);
    if (sleeping_ > woken_) {
      ++woken_;
      notify = true;
    }
  }
  if (notify) wake_.notify_one();
}

void IoPool::Work() {
  IoRequest batch[kBatch];
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    while (queue_.empty()) {
      if (stopping_) return;
      ++sleeping_;
      wake_.wait(lock);
      --sleeping_;
      // A spurious wake-up counts for the notification it may overtake; the late one then finds nobody that
      // needs it, since this worker looks at the queue before it sleeps again.
      if (woken_ > 0) --woken_;
    }
    // A fair share, so that a burst is spread over the workers before any of them takes a second request.
    const size_t workers = std::max<size_t>(1, threads_.size());
    const size_t share = std::min(kBatch, (queue_.size() + workers - 1) / workers);
    for (size_t i = 0; i < share; ++i) {
      batch[i] = queue_.front();
      queue_.pop_front();
    }
    ++busy_;
    lock.unlock();
    for (size_t i = 0; i < share; ++i) Perform(batch[i]);
    lock.lock();
    --busy_;
    if (draining_ > 0 && busy_ == 0 && queue_.empty()) drained_.notify_all();
  }
}

JobRunner::~JobRunner() { JoinAll(&mutex_, &wake_, &threads_, &stopping_); }

void JobRunner::Schedule(void (*job)(void*), void* argument) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const bool need_thread = idle_ <= queue_.size();  // every idle thread has a job waiting already
    const bool have_thread = !need_thread || StartQuietThread(&threads_, [this] { Work(); });
    if (have_thread || !threads_.empty()) {
      queue_.push_back({job, argument});
      job = nullptr;
    }
  }
  if (job != nullptr) return job(argument);  // no thread can be had at all
  wake_.notify_one();
}

void JobRunner::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    while (queue_.empty()) {
      if (stopping_) return;
      ++idle_;
      wake_.wait(lock);
      --idle_;
    }
    const Job job = queue_.front();
    queue_.pop_front();
    lock.unlock();
    job.run(job.argument);
    lock.lock();
  }
}

}  // namespace faster
