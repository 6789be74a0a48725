// ReferenceModel: the store as a sequential map, with a CPR cut. What tests drive and compare against.
//
// Semantics as history.h has them: an update may be a delete of an absent key. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "faults/oracle/history.h"
#include "faults/oracle/words.h"

namespace faults {

class ReferenceModel {
 public:
  using State = std::vector<std::pair<uint64_t, uint64_t>>;

  ReferenceModel() = default;
  explicit ReferenceModel(const State& state) : words_(state.begin(), state.end()) {}

  // Runs the operation now: sets its outcome and result. `tombstone_on_absent`: a delete of an absent key
  // writes a tombstone (kOk) instead of finding nothing (kFail).
  void Apply(Operation* op, bool tombstone_on_absent = false) {
    const auto found = words_.find(op->key);
    op->outcome = OpOutcome::kOk;
    switch (op->type) {
      case OpType::kRead:
        if (found == words_.end()) op->outcome = OpOutcome::kFail;
        op->result = found == words_.end() ? 0 : found->second;
        break;
      case OpType::kUpsert:
        words_[op->key] = op->operand;
        break;
      case OpType::kRmw:
        op->result = RmwWord(found == words_.end() ? 0 : found->second, op->operand);
        words_[op->key] = op->result;
        break;
      case OpType::kDelete:
        if (found == words_.end() && !tombstone_on_absent) op->outcome = OpOutcome::kFail;
        if (found != words_.end()) words_.erase(found);
        break;
      case OpType::kInsert:
        if (found != words_.end()) {
          op->outcome = OpOutcome::kFail;
          op->result = found->second;
        } else {
          words_[op->key] = op->operand;
        }
        break;
      case OpType::kTruncate:  // removes nothing: it may
        break;
    }
  }

  State Snapshot() const { return State(words_.begin(), words_.end()); }

 private:
  std::map<uint64_t, uint64_t> words_;
};

}  // namespace faults
