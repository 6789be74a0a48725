// Is a History well formed? What no engine can cause and every checker relies on: indexes in range, times in
// order, serials dense within a session and incarnation. Reports Rule::kHistory: the recorder is broken, or
// the file was damaged. Where the serials of an incarnation start is the engine's doing and judged by R5.
//
// Thread-safety: one HistoryCheck per thread (it keeps scratch memory). Cost: O(operations), O(n log n) if
// the operations are not in order of invocation.
#pragma once

#include <vector>

#include "faults/oracle/history.h"

namespace faults {

// True if the recovery handed out a state and so started the next incarnation.
inline bool Returned(const Recovery& recovery) {
  return recovery.status == faster::Status::kOk ||
         (recovery.status == faster::Status::kNotFound && !recovery.named);
}

class HistoryCheck {
 public:
  // ok, or rule kHistory with what and witness.
  bool Check(const History& history, Verdict* verdict);

 private:
  bool CheckEvents(const History& history, Verdict* verdict);
  bool CheckOperations(const History& history, Verdict* verdict);
  bool CheckSerials(const History& history, Verdict* verdict);
  bool CheckSerialsSorted(const History& history, Verdict* verdict);

  struct Window {
    uint64_t from = 0;
    uint64_t to = kNever;
  };
  struct Last {
    uint64_t serial = 0;
    uint64_t invoked = 0;
  };
  std::vector<Window> windows_;  // of time, by incarnation
  std::vector<Last> last_;
  std::vector<uint32_t> sorted_;
};

}  // namespace faults
