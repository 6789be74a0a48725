#include "faster/device/throttled_storage.h"

#include <algorithm>
#include <chrono>

#include "faster/device/quiet_thread.h"

namespace faster {
namespace {

using Clock = std::chrono::steady_clock;

uint64_t Now() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count());
}

Clock::time_point AsTime(uint64_t ns) {
  return Clock::time_point(std::chrono::duration_cast<Clock::duration>(std::chrono::nanoseconds(ns)));
}

void HandOn(const IoRequest& request) {
  if (request.write) {
    request.file->WriteAsync(request.offset, request.buffer, request.length, request.done, request.context);
  } else {
    request.file->ReadAsync(request.offset, request.buffer, request.length, request.done, request.context);
  }
}

}  // namespace

class ThrottledFile : public File {
 public:
  ThrottledFile(ThrottledStorage* storage, std::unique_ptr<File> below)
      : storage_(storage), below_(std::move(below)) {}

  void ReadAsync(uint64_t offset, void* buffer, uint64_t length, IoCallback done, void* context) override {
    storage_->Submit({below_.get(), buffer, offset, length, done, context, false});
  }
  void WriteAsync(uint64_t offset, const void* buffer, uint64_t length, IoCallback done,
                  void* context) override {
    storage_->Submit({below_.get(), const_cast<void*>(buffer), offset, length, done, context, true});
  }
  Status Read(uint64_t offset, void* buffer, uint64_t length, uint64_t* bytes) override {
    storage_->WaitFor(false, length);
    return below_->Read(offset, buffer, length, bytes);
  }
  Status Write(uint64_t offset, const void* buffer, uint64_t length, uint64_t* bytes) override {
    storage_->WaitFor(true, length);
    return below_->Write(offset, buffer, length, bytes);
  }
  Status Sync() override { return below_->Sync(); }
  Status Size(uint64_t* bytes) override { return below_->Size(bytes); }
  Status Truncate(uint64_t bytes) override { return below_->Truncate(bytes); }

 private:
  ThrottledStorage* const storage_;
  const std::unique_ptr<File> below_;
};

ThrottledStorage::ThrottledStorage(Storage* below, const ThrottleLimits& limits)
    : below_(below), reads_(limits.read), writes_(limits.write) {}

ThrottledStorage::~ThrottledStorage() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThrottledStorage::SetLimits(const ThrottleLimits& limits) {
  std::lock_guard lock(mutex_);
  reads_ = TokenBucket(limits.read);
  writes_ = TokenBucket(limits.write);
}

Status ThrottledStorage::Open(std::string_view path, OpenMode mode, std::unique_ptr<File>* file) {
  std::unique_ptr<File> below;
  const Status status = below_->Open(path, mode, &below);
  if (status == Status::kOk) *file = std::make_unique<ThrottledFile>(this, std::move(below));
  return status;
}

uint64_t ThrottledStorage::Book(bool write, uint64_t bytes) {
  return (write ? writes_ : reads_).Take(Now(), bytes);
}

void ThrottledStorage::WaitFor(bool write, uint64_t bytes) {
  uint64_t when;
  {
    std::lock_guard lock(mutex_);
    if (!(write ? writes_ : reads_).limited()) return;
    when = Book(write, bytes);
  }
  std::this_thread::sleep_until(AsTime(when));
}

void ThrottledStorage::Submit(const IoRequest& request) {
  {
    std::lock_guard lock(mutex_);
    const bool limited = (request.write ? writes_ : reads_).limited();
    const uint64_t when = limited ? Book(request.write, request.length) : 0;
    bool waits = limited && when > Now();
    if (waits && threads_.empty()) waits = StartQuietThread(&threads_, [this] { Work(); });
    if (waits) {
      waiting_.push_back({when, order_++, request});
      std::push_heap(waiting_.begin(), waiting_.end());
      if (waiting_.front().order == order_ - 1) wake_.notify_one();  // sooner than all others
      return;
    }
  }
  HandOn(request);
}

void ThrottledStorage::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (waiting_.empty()) {
      if (stopping_) return;
      wake_.wait(lock);
      continue;
    }
    const uint64_t when = waiting_.front().when;
    if (when > Now()) {
      wake_.wait_until(lock, AsTime(when));
      continue;
    }
    const IoRequest request = waiting_.front().request;
    std::pop_heap(waiting_.begin(), waiting_.end());
    waiting_.pop_back();
    lock.unlock();
    HandOn(request);
    lock.lock();
  }
}

}  // namespace faster
