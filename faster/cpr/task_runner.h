// TaskRunner: runs the numbered tasks of one step of a recovery on several threads, and returns when all are
// over.
//
// Tasks of one Run() are independent of each other; what they wrote is visible after it. Native builds use
// oneTBB (task_runner_tbb.cc); worlds whose runtime must see every thread and every synchronisation run the
// tasks as jobs of the Storage (task_runner_scheduled.cc). One Run() at a time.
#pragma once

#include <cstdint>
#include <memory>

#include "faster/device/storage.h"

namespace faster {

class TaskRunner {
 public:
  virtual ~TaskRunner() = default;
  virtual uint32_t threads() const = 0;
  // task(context, n) for every n below `count`, in any order.
  virtual void Run(uint64_t count, void (*task)(void* context, uint64_t number), void* context) = 0;

  template <class Task>
  void ForEach(uint64_t count, Task&& task) {
    Run(
        count, [](void* context, uint64_t number) { (*static_cast<Task*>(context))(number); }, &task);
  }
};

// On the calling thread, in order.
class SequentialRunner final : public TaskRunner {
 public:
  uint32_t threads() const override { return 1; }
  void Run(uint64_t count, void (*task)(void* context, uint64_t number), void* context) override {
    for (uint64_t number = 0; number < count; ++number) task(context, number);
  }
};

// `threads` of at least 2. `storage` outlives it.
std::unique_ptr<TaskRunner> MakeParallelRunner(Storage* storage, uint32_t threads);

inline std::unique_ptr<TaskRunner> MakeTaskRunner(Storage* storage, uint32_t threads) {
  if (threads > 1) return MakeParallelRunner(storage, threads);
  return std::make_unique<SequentialRunner>();
}

}  // namespace faster
