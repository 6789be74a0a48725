// ReplayBuffer: the operations of one client that are not durable yet, as it would issue them again after a
// crash (CPR paper sec. 7.3.4): a ring of 16-byte entries by serial. One thread. COST: one store an
// operation.
#pragma once

#include <cstdint>
#include <vector>

namespace experiments::figures {

class ReplayBuffer {
 public:
  struct Entry {
    uint64_t key;
    uint64_t word;  // what an update writes; 0: a read
  };

  // `entries` > 0. A commit is wanted once `commit_at` of them are used.
  ReplayBuffer(uint64_t entries, double commit_at)
      : entries_(entries), commit_at_(static_cast<uint64_t>(static_cast<double>(entries) * commit_at)) {}

  // The operation with the serial after the last one. Not if Full().
  void Add(uint64_t key, uint64_t word) {
    entries_[at_] = {key, word};
    at_ = at_ + 1 == entries_.size() ? 0 : at_ + 1;
    ++issued_;
  }
  // Operations up to `serial` are durable. False, and nothing happens: it lies before an earlier such point,
  // or beyond what was issued.
  [[nodiscard]] bool Release(uint64_t serial) {
    if (serial < durable_ || serial > issued_) return false;
    durable_ = serial;
    return true;
  }
  bool Full() const { return used() == entries_.size(); }
  bool WantsCommit() const { return used() >= commit_at_; }
  uint64_t used() const { return issued_ - durable_; }
  uint64_t issued() const { return issued_; }
  uint64_t durable() const { return durable_; }
  // Of an operation that is not durable.
  const Entry& At(uint64_t serial) const {
    const uint64_t back = issued_ - serial + 1;
    return entries_[at_ >= back ? at_ - back : at_ + entries_.size() - back];
  }

 private:
  std::vector<Entry> entries_;
  const uint64_t commit_at_;
  uint64_t at_ = 0;  // where the next entry goes
  uint64_t issued_ = 0, durable_ = 0;
};

}  // namespace experiments::figures
