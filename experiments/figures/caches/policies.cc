#include "experiments/figures/caches/policies.h"

#include <cmath>
#include <queue>

namespace experiments::figures {
namespace {

// The log as positions: record number n of the log is in memory while fewer than `capacity` came after it,
// and mutable while fewer than capacity - read_only did. With nothing read-only this is first in, first out.
class LogCache final : public Cache {
 public:
  LogCache(uint32_t keys, uint32_t capacity, uint32_t read_only)
      : newest_(keys, kNever), capacity_(capacity), mutable_(capacity - read_only) {}
  bool Access(uint32_t key) override {
    const uint64_t age = newest_[key] == kNever ? capacity_ : tail_ - 1 - newest_[key];
    if (age >= mutable_) newest_[key] = tail_++;
    return age < capacity_;
  }

 private:
  static constexpr uint64_t kNever = ~uint64_t{0};
  std::vector<uint64_t> newest_;  // position of the newest record of each key
  uint64_t tail_ = 0;
  const uint64_t capacity_, mutable_;
};

class ClockCache final : public Cache {
 public:
  ClockCache(uint32_t keys, uint32_t capacity) : frame_of_(keys, kNone) { frames_.reserve(capacity); }
  bool Access(uint32_t key) override {
    if (frame_of_[key] != kNone) {
      frames_[frame_of_[key]].used = true;
      return true;
    }
    if (frames_.size() < frames_.capacity()) {
      frame_of_[key] = static_cast<uint32_t>(frames_.size());
      frames_.push_back({key, false});
      return false;
    }
    for (; frames_[hand_].used; Advance()) frames_[hand_].used = false;
    frame_of_[frames_[hand_].key] = kNone;
    frame_of_[key] = hand_;
    frames_[hand_].key = key;
    Advance();
    return false;
  }

 private:
  static constexpr uint32_t kNone = ~uint32_t{0};
  struct Frame {
    uint32_t key;
    bool used;
  };
  void Advance() { hand_ = hand_ + 1 == frames_.size() ? 0 : hand_ + 1; }

  std::vector<uint32_t> frame_of_;
  std::vector<Frame> frames_;
  uint32_t hand_ = 0;
};

// Records in memory lie in a heap by the time that decides, as it was when they were put there. It only grows
// while a record stays in memory, so the one on top leaves if its time is still right, and else goes back
// with the right one: exact, and a hit costs nothing.
class LruCache final : public Cache {
 public:
  LruCache(uint32_t keys, uint32_t capacity, int k, double remembered)
      : history_(keys), capacity_(capacity), k_(k), remembered_(remembered * capacity) {}
  bool Access(uint32_t key) override {
    History& history = history_[key];
    const bool hit = history.in_memory;
    if (!hit && static_cast<double>(now_ - history.last) > remembered_) history = {};
    history.before = history.last;
    history.last = ++now_;
    if (hit) return true;
    if (heap_.size() == capacity_) Evict();
    history.in_memory = true;
    heap_.push(Place(key));
    return false;
  }

 private:
  struct History {
    uint64_t last = 0, before = 0;  // times of the last access and of the one before it; 0: there was none
    bool in_memory = false;
  };
  struct Entry {
    uint64_t decides, last;
    uint32_t key;
    bool operator<(const Entry& other) const {  // the oldest on top
      return decides != other.decides ? decides > other.decides : last > other.last;
    }
  };
  Entry Place(uint32_t key) const {
    const History& history = history_[key];
    return {k_ == 1 ? history.last : history.before, history.last, key};
  }
  void Evict() {
    for (;;) {
      const Entry top = heap_.top();
      heap_.pop();
      if (top.last == history_[top.key].last) {
        history_[top.key].in_memory = false;
        return;
      }
      heap_.push(Place(top.key));
    }
  }

  std::vector<History> history_;
  std::priority_queue<Entry> heap_;
  const uint32_t capacity_;
  const int k_;
  const double remembered_;  // accesses
  uint64_t now_ = 0;
};

}  // namespace

const std::vector<std::string_view>& CachePolicies() {
  static const std::vector<std::string_view> policies = {"fifo", "lru-1", "lru-2", "clock", "hlog"};
  return policies;
}

std::unique_ptr<Cache> MakeCache(std::string_view policy, const CacheShape& shape) {
  const uint32_t keys = shape.keys, capacity = shape.capacity;
  if (policy == "fifo") return std::make_unique<LogCache>(keys, capacity, 0);
  if (policy == "hlog") {
    const double read_only = std::round(shape.read_only * capacity);
    return std::make_unique<LogCache>(keys, capacity, static_cast<uint32_t>(read_only));
  }
  if (policy == "clock") return std::make_unique<ClockCache>(keys, capacity);
  if (policy == "lru-1") return std::make_unique<LruCache>(keys, capacity, 1, 0);
  if (policy == "lru-2") return std::make_unique<LruCache>(keys, capacity, 2, shape.history);
  return nullptr;
}

}  // namespace experiments::figures
