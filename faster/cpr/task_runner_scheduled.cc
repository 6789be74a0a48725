#include <atomic>
#include <thread>

#include "faster/cpr/task_runner.h"

namespace faster {
namespace {

class ScheduledRunner final : public TaskRunner {
 public:
  ScheduledRunner(Storage* storage, uint32_t threads) : storage_(storage), threads_(threads) {}
  uint32_t threads() const override { return threads_; }
  void Run(uint64_t count, void (*task)(void* context, uint64_t number), void* context) override {
    count_ = count;
    task_ = task;
    context_ = context;
    next_.store(0, std::memory_order_relaxed);
    helpers_.store(threads_ - 1, std::memory_order_relaxed);
    for (uint32_t i = 1; i < threads_; ++i) {
      storage_->Schedule(
          [](void* argument) {
            auto* self = static_cast<ScheduledRunner*>(argument);
            self->Work();
            self->helpers_.fetch_sub(1, std::memory_order_release);
          },
          this);
    }
    Work();
    while (helpers_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
  }

 private:
  void Work() {
    for (;;) {
      const uint64_t number = next_.fetch_add(1, std::memory_order_relaxed);
      if (number >= count_) return;
      task_(context_, number);
    }
  }

  Storage* const storage_;
  const uint32_t threads_;
  uint64_t count_ = 0;
  void (*task_)(void* context, uint64_t number) = nullptr;
  void* context_ = nullptr;
  std::atomic<uint64_t> next_{0};
  std::atomic<uint32_t> helpers_{0};
};

}  // namespace

std::unique_ptr<TaskRunner> MakeParallelRunner(Storage* storage, uint32_t threads) {
  return std::make_unique<ScheduledRunner>(storage, threads);
}

}  // namespace faster
