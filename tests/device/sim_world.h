// What the tests of SimStorage share: a completion that counts, and a world of storage, plan and scheduler.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "faults/device/sim_storage.h"
#include "tests/device/fake_scheduler.h"

namespace faults {
namespace {

using faster::File;
using faster::OpenMode;
using faster::Status;

struct Completion {
  int calls = 0;
  Status status = Status::kPending;
  uint64_t bytes = 0;
  static void Done(void* context, Status status, uint64_t bytes) {
    auto* self = static_cast<Completion*>(context);
    ++self->calls;
    self->status = status;
    self->bytes = bytes;
  }
};

struct World {
  explicit World(uint64_t seed = 1, const std::string& faults = "", SimStorage::Options options = {})
      : scheduler(std::make_unique<FakeScheduler>(seed)) {
    std::string error;
    EXPECT_TRUE(FaultPlan::Parse(faults, &plan, &error)) << error;
    storage.Reset(options, scheduler.get(), &plan);
  }
  RunResult Run(std::function<void()> body) {
    scheduler->SpawnFunction(std::move(body));
    return scheduler->Run();
  }
  void Finish(std::function<void()> body) {
    EXPECT_EQ(Run(std::move(body)).outcome, Outcome::kFinished) << scheduler->explanation();
  }
  // The power goes off; the next life begins.
  void Restart(uint64_t seed) {
    storage.Crash();
    scheduler->Begin({}, seed);
    storage.Reopen();
  }
  std::unique_ptr<File> Open(const char* path, OpenMode mode = OpenMode::kCreate) {
    std::unique_ptr<File> file;
    EXPECT_EQ(storage.Open(path, mode, &file), Status::kOk) << path;
    return file;
  }
  void Wait(const Completion& completion) {
    while (completion.calls == 0) scheduler->Point(PointKind::kYield, nullptr, 0);
  }
  static std::string Get(File& file, uint64_t offset, uint64_t length) {
    std::string text(length, '?');
    uint64_t bytes = 0;
    EXPECT_EQ(file.Read(offset, text.data(), length, &bytes), Status::kOk);
    text.resize(bytes);
    return text;
  }

  std::unique_ptr<FakeScheduler> scheduler;
  FaultPlan plan;
  SimStorage storage;
};

// Every request completes exactly once, under every fault, in many orders (a faulty device that falls through
// to the real one completes twice: known bug H05).

}  // namespace
}  // namespace faults
