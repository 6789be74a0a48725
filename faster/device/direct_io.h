// Transfers that bypass the page cache: what has to be aligned, copies for what is not, and when a file may.
//
// DirectTransfer cuts one read or write into pieces that the device takes, and adds up what they moved. A
// piece whose memory, offset and length are aligned is moved where it lies; else it goes through an aligned
// buffer of a BouncePool: for a read the aligned range around it is read.
//
// DirectGate decides for one file, however many handles there are: its transfers bypass the page cache until
// the first write whose offset or length is not aligned. From then on all go through the page cache: the same
// page in the cache and past it at the same time could lose a neighbour's bytes. Those in flight at that
// moment are waited for, not blocked.
//
// BouncePool and DirectGate are thread-safe, a DirectTransfer belongs to one thread at a time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace faster {

struct Alignment {  // bytes, powers of two
  uint32_t memory = 4096;
  uint32_t offset = 4096;  // of lengths too

  bool Fits(uint64_t at, uint64_t length) const { return ((at | length) & (offset - 1)) == 0; }
  bool Fits(const void* buffer) const { return (reinterpret_cast<uintptr_t>(buffer) & (memory - 1)) == 0; }
};

class BouncePool {
 public:
  static constexpr uint64_t kBytes = 256 << 10;  // of a buffer; what is never touched takes no memory

  explicit BouncePool(size_t most_kept) : most_kept_(most_kept) {}
  ~BouncePool();
  BouncePool(const BouncePool&) = delete;
  BouncePool& operator=(const BouncePool&) = delete;

  char* Take();  // aligned to a page or better; null: no memory
  void Give(char* buffer);

 private:
  const size_t most_kept_;
  std::mutex mutex_;
  std::vector<char*> free_;
};

class DirectTransfer {
 public:
  struct Piece {
    char* buffer;
    uint64_t offset;
    uint32_t length;
  };

  DirectTransfer() = default;
  DirectTransfer(bool write, uint64_t offset, void* buffer, uint64_t length)
      : write_(write), offset_(offset), buffer_(static_cast<char*>(buffer)), length_(length) {}

  // How the next pieces are to be cut: for the page cache, or past it with `alignment`.
  void SetBuffered() { direct_ = false; }
  void SetDirect(const Alignment& alignment) { direct_ = true, alignment_ = alignment; }

  bool Next(BouncePool* pool, Piece* piece);  // false: no memory
  // `bytes` of the last piece were moved; true: that is all, or the file ends here.
  bool Advance(uint64_t bytes);
  void GiveBack(BouncePool* pool);  // at the end, or before the rest is done in another way

  bool write() const { return write_; }
  bool direct() const { return direct_; }
  bool copied() const { return bounce_ != nullptr; }
  uint64_t offset() const { return offset_ + done_; }  // of what is left
  char* buffer() const { return buffer_ + done_; }
  uint64_t left() const { return length_ - done_; }
  uint64_t done() const { return done_; }
  void AddDone(uint64_t bytes) { done_ += bytes; }  // moved in another way

 private:
  bool write_ = false;
  bool direct_ = false;
  uint64_t offset_ = 0;
  char* buffer_ = nullptr;
  uint64_t length_ = 0;
  uint64_t done_ = 0;
  Alignment alignment_;
  Piece piece_ = {};
  char* bounce_ = nullptr;
};

class DirectGate {
 public:
  enum class Way : uint8_t { kDirect, kBuffered, kLater };
  struct Waiter {
    Waiter* next_waiter = nullptr;
  };

  // `direct` false: this file never bypasses the page cache.
  explicit DirectGate(const Alignment& alignment, bool direct)
      : alignment_(alignment), way_(direct ? Way::kDirect : Way::kBuffered) {}

  const Alignment& alignment() const { return alignment_; }
  // `aligned`: the transfer may bypass the page cache. kLater: `waiter` is kept until a Leave returns it, and
  // enters again then. After kDirect, and only then, Leave has to follow.
  Way Enter(bool aligned, Waiter* waiter);
  Way EnterBlocking(bool aligned);  // waits instead; never kLater
  Waiter* Leave();                  // those who may enter now, in a list

 private:
  const Alignment alignment_;
  std::mutex mutex_;
  std::condition_variable opened_;
  Way way_;  // of those who enter; kLater: until the direct ones have left
  uint64_t in_flight_ = 0;
  Waiter* waiting_ = nullptr;
};

}  // namespace faster
