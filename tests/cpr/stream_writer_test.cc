// What is appended piece by piece is in the file when Finish() returns, and no error is lost on the way.
#include "faster/cpr/stream_writer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "faster/device/memory_storage.h"

namespace faster {
namespace {

// A file whose writes wait until they are let through, in any order, on a thread of their own.
class HeldFile : public File {
 public:
  explicit HeldFile(File* below) : below_(below) {}
  void WriteAsync(uint64_t offset, const void* buffer, uint64_t length, IoCallback done,
                  void* context) override {
    std::lock_guard lock(mutex_);
    writes_.push_back({offset, buffer, length, done, context});
    aligned_ &= offset % StreamWriter::kAlignment == 0 &&
                reinterpret_cast<uintptr_t>(buffer) % StreamWriter::kAlignment == 0;
    most_ = std::max(most_, writes_.size());
    begun_.notify_all();
  }
  // The last of those that wait, with a status of its own.
  void LetThrough(Status status = Status::kOk, uint64_t less = 0) {
    Held held;
    {
      std::unique_lock lock(mutex_);
      begun_.wait(lock, [this] { return !writes_.empty(); });
      held = writes_.back();
      writes_.pop_back();
    }
    if (status == Status::kOk) {
      uint64_t bytes;
      status = below_->Write(held.offset, held.buffer, held.length - less, &bytes);
    }
    held.done(held.context, status, held.length - less);
  }
  size_t waiting() {
    std::lock_guard lock(mutex_);
    return writes_.size();
  }
  bool aligned() const { return aligned_; }
  size_t most() const { return most_; }

  void ReadAsync(uint64_t, void*, uint64_t, IoCallback done, void* context) override {
    done(context, Status::kUnsupported, 0);
  }
  Status Read(uint64_t, void*, uint64_t, uint64_t*) override { return Status::kUnsupported; }
  Status Write(uint64_t, const void*, uint64_t, uint64_t*) override { return Status::kUnsupported; }
  Status Sync() override { return Status::kOk; }
  Status Size(uint64_t* bytes) override { return below_->Size(bytes); }
  Status Truncate(uint64_t) override { return Status::kUnsupported; }

 private:
  struct Held {
    uint64_t offset;
    const void* buffer;
    uint64_t length;
    IoCallback done;
    void* context;
  };
  File* const below_;
  std::mutex mutex_;
  std::condition_variable begun_;
  std::vector<Held> writes_;
  bool aligned_ = true;
  size_t most_ = 0;
};

class Stream : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(storage_.Open("f", OpenMode::kTruncate, &below_), Status::kOk); }
  std::vector<uint8_t> Contents() {
    uint64_t size = 0;
    EXPECT_EQ(below_->Size(&size), Status::kOk);
    std::vector<uint8_t> bytes(size);
    EXPECT_EQ(ReadFully(*below_, 0, bytes.data(), size), Status::kOk);
    return bytes;
  }
  MemoryStorage storage_;
  std::unique_ptr<File> below_;
};

std::vector<uint8_t> Noise(size_t bytes) {
  std::mt19937_64 random(bytes);
  std::vector<uint8_t> noise(bytes);
  for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random());
  return noise;
}

TEST_F(Stream, HoldsWhatWasAppended) {
  for (const uint64_t bytes : {0, 1, 4095, 4096, 4097, 16384, 100000, 5 << 20}) {
    for (const uint64_t expected : {uint64_t{0}, bytes, uint64_t{1} << 40}) {
      ASSERT_EQ(storage_.Open("f", OpenMode::kTruncate, &below_), Status::kOk);
      const std::vector<uint8_t> noise = Noise(bytes);
      StreamWriter writer(below_.get(), expected);
      for (uint64_t at = 0, part = 1; at < bytes; at += part, part = part * 3 + 1) {
        part = std::min(part, bytes - at);
        ASSERT_EQ(writer.Append(noise.data() + at, part), Status::kOk);
      }
      ASSERT_EQ(writer.Finish(), Status::kOk);
      EXPECT_EQ(writer.bytes(), bytes);
      EXPECT_EQ(Contents(), noise) << bytes << " expected " << expected;
    }
  }
}

TEST_F(Stream, SeveralPiecesAreUnderWayAndFinishWaitsForAll) {
  HeldFile held(below_.get());
  const std::vector<uint8_t> noise = Noise(40 * 4096 + 17);
  std::atomic<bool> finished{false};
  std::thread caller([&] {
    StreamWriter writer(&held, 0);
    EXPECT_EQ(writer.Append(noise.data(), noise.size()), Status::kOk);
    EXPECT_EQ(writer.Finish(), Status::kOk);
    finished = true;
  });
  for (int i = 0; i < 41; ++i) {
    if (i > 36) std::this_thread::sleep_for(std::chrono::milliseconds(5));  // all is appended; does it wait?
    EXPECT_FALSE(finished.load());
    held.LetThrough();
  }
  caller.join();
  EXPECT_TRUE(held.aligned());
  EXPECT_GT(held.most(), 1u);
  EXPECT_LE(held.most(), static_cast<size_t>(StreamWriter::kPieces));
  EXPECT_EQ(Contents(), noise);
}

TEST_F(Stream, AWriteThatMovesAPartIsContinued) {
  HeldFile held(below_.get());
  const std::vector<uint8_t> noise = Noise(3 * 4096);
  StreamWriter writer(&held, 0);
  ASSERT_EQ(writer.Append(noise.data(), noise.size()), Status::kOk);
  for (const uint64_t less : {100, 50, 0, 4000}) {
    ASSERT_NE(held.waiting(), 0u) << "the rest was not written";
    held.LetThrough(Status::kOk, less);
  }
  while (held.waiting() != 0) held.LetThrough();
  ASSERT_EQ(writer.Finish(), Status::kOk);
  EXPECT_EQ(Contents(), noise);
}

TEST_F(Stream, AnErrorStays) {
  const std::vector<uint8_t> noise = Noise(20 * 4096);
  for (const bool is_short : {false, true}) {
    HeldFile held(below_.get());
    std::atomic<bool> stop{false};
    std::thread device([&] {
      for (int i = 0; !stop.load();) {
        if (held.waiting() == 0) continue;
        if (++i == 2)
          held.LetThrough(is_short ? Status::kOk : Status::kNoSpace, is_short ? 4096 : 0);
        else
          held.LetThrough();
      }
    });
    {
      StreamWriter writer(&held, 0);
      Status status = Status::kOk;
      for (int i = 0; i < 20 && status == Status::kOk; ++i)
        status = writer.Append(noise.data() + i * 4096, 4096);
      EXPECT_EQ(status, is_short ? Status::kShortIo : Status::kNoSpace);  // short of all
      EXPECT_EQ(writer.Append(noise.data(), 1), status);
      EXPECT_EQ(writer.Finish(), status);
    }
    EXPECT_EQ(held.waiting(), 0u);
    stop = true;
    device.join();
  }
}

}  // namespace
}  // namespace faster
