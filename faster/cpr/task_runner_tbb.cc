#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include "faster/cpr/task_runner.h"

namespace faster {
namespace {

class TbbRunner final : public TaskRunner {
 public:
  explicit TbbRunner(uint32_t threads) : threads_(threads), arena_(static_cast<int>(threads)) {}
  uint32_t threads() const override { return threads_; }
  void Run(uint64_t count, void (*task)(void* context, uint64_t number), void* context) override {
    // A task reads a page or more: each is worth being stolen by itself.
    arena_.execute([&] {
      tbb::parallel_for(
          tbb::blocked_range<uint64_t>(0, count, 1),
          [&](const tbb::blocked_range<uint64_t>& range) {
            for (uint64_t number = range.begin(); number < range.end(); ++number) task(context, number);
          },
          tbb::simple_partitioner());
    });
  }

 private:
  const uint32_t threads_;
  tbb::task_arena arena_;
};

}  // namespace

std::unique_ptr<TaskRunner> MakeParallelRunner(Storage*, uint32_t threads) {
  return std::make_unique<TbbRunner>(threads);
}

}  // namespace faster
