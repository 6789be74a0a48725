// AbstractStore: an abstract key-value store with concurrent prefix recovery, to make legal histories with.
//
// It has no threads: a tape of choices interleaves the invocation, the effect and the response of operations
// of several sessions, their refreshes, the steps of a checkpoint (request, version shift, capture,
// callback), crashes and recoveries. It keeps the rules that make CPR correct and nothing else: an operation
// of version v that meets a key written in v+1 makes its session shift first, an update of v+1 waits for
// operations of v that went pending on its key, the capture waits for all operations of v. With the relaxed
// guarantee what is pending when its session shifts becomes v+1 and is excluded. So every history
// is legal by construction. A tape that is used up reads as zeros, so shorter tapes are simpler histories.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "faults/oracle/history.h"

namespace faults_test {

class Tape {
 public:
  explicit Tape(std::vector<uint32_t> choices) : choices_(std::move(choices)) {}
  uint32_t Pick(uint32_t n) { return at_ < choices_.size() && n > 0 ? choices_[at_++] % n : 0; }
  bool Ended() const { return at_ >= choices_.size(); }

 private:
  std::vector<uint32_t> choices_;
  size_t at_ = 0;
};

struct StoreLimits {
  uint32_t sessions = 3;
  uint32_t keys = 3;
  uint32_t operations = 24;
  uint32_t crashes = 2;
  bool refresh_every_operation = true;
  bool relaxed = false;
};

// The history of one run; ends quiesced, or with a crash and a recovery.
faults::History RunAbstractStore(const StoreLimits& limits, Tape* tape);

}  // namespace faults_test
