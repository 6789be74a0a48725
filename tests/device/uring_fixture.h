// What the tests of UringStorage share: aligned memory, a completion, a storage on the kernel's ring or a
// fake.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

#include "faster/device/uring_storage.h"
#include "tests/device/fake_ring.h"

namespace faster {
namespace {

constexpr uint64_t kPage = 4096;

struct Aligned {  // memory that O_DIRECT takes as it is
  explicit Aligned(uint64_t bytes, char letter = 0)
      : size(bytes), data(static_cast<char*>(operator new (bytes, std::align_val_t{4096}))) {
    std::fill_n(data, bytes, letter);
  }
  ~Aligned() { operator delete (data, std::align_val_t{4096}); }
  std::string text() const { return std::string(data, size); }
  const uint64_t size;
  char* const data;
};

struct Completion {
  std::atomic<int> calls{0};
  Status status = Status::kPending;
  uint64_t bytes = 0;
  static void Done(void* context, Status status, uint64_t bytes) {
    auto* const self = static_cast<Completion*>(context);
    self->status = status;
    self->bytes = bytes;
    self->calls.fetch_add(1);
  }
  void Wait() const {
    while (calls == 0) std::this_thread::yield();
    EXPECT_EQ(calls, 1);
  }
};

class UringStorageTest : public testing::Test {
 protected:
  UringStorageTest() {
    char pattern[] = "/tmp/uring_storage_XXXXXX";
    root = ::mkdtemp(pattern);
  }
  ~UringStorageTest() override {
    storage.reset();
    std::filesystem::remove_all(root);
  }
  void Make(const UringStorageOptions& options) {
    storage.reset();  // or two rings would follow one script
    storage = std::make_unique<UringStorage>(root, options);
  }
  UringStorageOptions Faked(bool direct = false) {
    UringStorageOptions options;
    options.direct = direct;
    options.open_ring = [this](unsigned, std::unique_ptr<Ring>* ring) {
      *ring = std::make_unique<FakeRing>(&script);
      return 0;
    };
    return options;
  }
  std::unique_ptr<File> Open(const char* path, OpenMode mode = OpenMode::kCreate) {
    std::unique_ptr<File> file;
    EXPECT_EQ(storage->Open(path, mode, &file), Status::kOk);
    return file;
  }
  static std::string Get(File& file, uint64_t offset, uint64_t length) {
    std::string text(length, '?');
    uint64_t bytes = 0;
    EXPECT_EQ(file.Read(offset, text.data(), length, &bytes), Status::kOk);
    text.resize(bytes);
    return text;
  }
  std::string root;
  RingScript script;
  std::unique_ptr<UringStorage> storage;
};

// Transfers past the page cache. Where the file system of /tmp has no O_DIRECT UringStorage never leaves the
// cache, so there is nothing that these tests could look at; that it works on all the same is tested
// everywhere, with an open that refuses O_DIRECT.
class DirectIoTest : public UringStorageTest {
 protected:
  void SetUp() override {
    UringStorage probe(root);
    // Only where the kernel refuses O_DIRECT here (tmpfs of older kernels): then no code of ours is asked.
    if (probe.ProbeDirect() != Status::kOk)
      GTEST_SKIP() << "the file system of " << root << " has no O_DIRECT";
  }
};

}  // namespace
}  // namespace faster
