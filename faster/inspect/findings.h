// What is wrong with a checkpoint: findings, and a list of them that many threads add to.
//
// The list keeps the `most` that come first in the order below and counts the rest, so what it keeps does not
// depend on which thread was faster. ORDER: by check, as listed (what is cause before what is consequence),
// then file, then offset. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"

namespace faster {

// Which part of a checkpoint would have to go for a recovery to do without it.
enum class CheckpointPart : uint8_t { kStore, kIndex, kLog, kCold };

enum class Check : uint8_t {
  kMetadata,   // texts: checksum, form, relations within them
  kChecksum,   // of data files: a block, header, table or trailer; sizes
  kStructure,  // of verified bytes: buckets, records, addresses out of range
  kVersion,    // a record of a version that cannot be there
  kChain,      // a link or an entry that leads to no record
  kReach,      // a record that its key's chain does not lead to
};

constexpr std::string_view CheckName(Check check) {
  constexpr std::string_view kNames[] = {"metadata", "checksum", "structure", "version", "chain", "reach"};
  return kNames[static_cast<uint8_t>(check)];
}
constexpr std::string_view CheckpointPartName(CheckpointPart part) {
  constexpr std::string_view kNames[] = {"store", "index", "log", "cold"};
  return kNames[static_cast<uint8_t>(part)];
}

struct Finding {
  Check check = Check::kMetadata;
  CheckpointPart part = CheckpointPart::kStore;
  Diagnosis what;

  bool operator<(const Finding& other) const { return Key() < other.Key(); }

 private:
  std::tuple<Check, std::string_view, uint64_t, std::string_view, std::string_view> Key() const {
    return {check, what.file, what.offset, what.expected, what.found};
  }
};

class FindingList {
 public:
  explicit FindingList(size_t most) : most_(most == 0 ? 1 : most) {}

  void Add(CheckpointPart part, Check check, Diagnosis what) {
    std::lock_guard lock(mutex_);
    ++total_;
    kept_.insert({check, part, std::move(what)});
    if (kept_.size() > most_) kept_.erase(std::prev(kept_.end()));
  }
  uint64_t total() const {
    std::lock_guard lock(mutex_);
    return total_;
  }
  std::vector<Finding> Kept() const {
    std::lock_guard lock(mutex_);
    return {kept_.begin(), kept_.end()};
  }

 private:
  const size_t most_;
  mutable std::mutex mutex_;
  std::multiset<Finding> kept_;
  uint64_t total_ = 0;
};

}  // namespace faster
