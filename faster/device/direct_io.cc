#include "faster/device/direct_io.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace faster {
namespace {

constexpr std::align_val_t kBounceAlignment{4096};
constexpr uint64_t kLongestPiece = uint64_t{1} << 30;  // Linux moves less than 2 GiB at a time

}  // namespace

BouncePool::~BouncePool() {
  for (char* buffer : free_) operator delete(buffer, kBounceAlignment);
}

char* BouncePool::Take() {
  {
    std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      char* const buffer = free_.back();
      free_.pop_back();
      return buffer;
    }
  }
  return static_cast<char*>(operator new(kBytes, kBounceAlignment, std::nothrow));
}

void BouncePool::Give(char* buffer) {
  {
    std::lock_guard lock(mutex_);
    if (free_.size() < most_kept_) return free_.push_back(buffer);
  }
  operator delete(buffer, kBounceAlignment);
}

bool DirectTransfer::Next(BouncePool* pool, Piece* piece) {
  const bool fits = !direct_ || (alignment_.Fits(offset(), left()) && alignment_.Fits(buffer()));
  if (fits) {
    GiveBack(pool);
    piece_ = {buffer(), offset(), static_cast<uint32_t>(std::min(left(), kLongestPiece))};
  } else {
    if (bounce_ == nullptr) bounce_ = pool->Take();
    if (bounce_ == nullptr) return false;
    const uint64_t mask = alignment_.offset - 1;
    const uint64_t from = offset() & ~mask;
    const uint64_t to = std::min((offset() + left() + mask) & ~mask, from + BouncePool::kBytes);
    piece_ = {bounce_, from, static_cast<uint32_t>(to - from)};
    if (write_) std::memcpy(bounce_, buffer(), piece_.length);
  }
  *piece = piece_;
  return true;
}

bool DirectTransfer::Advance(uint64_t bytes) {
  if (bounce_ != nullptr && !write_) {
    const uint64_t before = offset() - piece_.offset;
    const uint64_t useful = bytes > before ? std::min(bytes - before, left()) : 0;
    std::memcpy(buffer(), bounce_ + before, useful);
    done_ += useful;
    return left() == 0 || useful == 0;
  }
  done_ += bytes;
  if (left() == 0 || bytes == 0) return true;
  // A direct write that was cut off where no other can begin stays short.
  return direct_ && write_ && !alignment_.Fits(offset(), 0);
}

void DirectTransfer::GiveBack(BouncePool* pool) {
  if (bounce_ != nullptr) pool->Give(std::exchange(bounce_, nullptr));
}

DirectGate::Way DirectGate::Enter(bool aligned, Waiter* waiter) {
  std::lock_guard lock(mutex_);
  if (way_ == Way::kDirect && !aligned) way_ = in_flight_ == 0 ? Way::kBuffered : Way::kLater;
  if (way_ == Way::kDirect) ++in_flight_;
  if (way_ == Way::kLater) waiter->next_waiter = std::exchange(waiting_, waiter);
  return way_;
}

DirectGate::Way DirectGate::EnterBlocking(bool aligned) {
  std::unique_lock lock(mutex_);
  if (way_ == Way::kDirect && !aligned) way_ = in_flight_ == 0 ? Way::kBuffered : Way::kLater;
  opened_.wait(lock, [this] { return way_ != Way::kLater; });
  if (way_ == Way::kDirect) ++in_flight_;
  return way_;
}

DirectGate::Waiter* DirectGate::Leave() {
  Waiter* waiting = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (--in_flight_ != 0 || way_ != Way::kLater) return nullptr;
    way_ = Way::kBuffered;
    waiting = std::exchange(waiting_, nullptr);
    opened_.notify_all();
  }
  return waiting;
}

}  // namespace faster
