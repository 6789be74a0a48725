// Judge: the verdict on one history. The linear checker judges every history, the search checker every small
// one as a second opinion; if they differ, that is a failure of its own (Rule::kDisagree).
//
//   undecided linear, decided search     the search's verdict
//   both undecided                       undecided (ok is true and says nothing; count it)
//   decided and different                Rule::kDisagree with both lines
//
// On a violation the witness is reduced to operations that contradict each other by themselves (a handful),
// if the key is small enough to search; else it is what the linear checker named.
//
// Thread-safety: one Judge per thread; it keeps its memory between calls, so reuse it.
// Cost: about 5 us (linear) and 10-30 us (search) for 24 operations in 3 sessions with one recovery.
#pragma once

#include <cstdint>
#include <string>

#include "faults/oracle/history.h"
#include "faults/oracle/linear_checker.h"
#include "faults/oracle/search_checker.h"

namespace faults {

class Judge {
 public:
  // Histories with more operations than this are judged by the linear checker alone. 0: always alone.
  uint32_t search_limit = 64;

  Verdict Check(const History& history);

  uint64_t judged() const { return judged_; }
  uint64_t searched() const { return searched_; }
  uint64_t undecided() const { return undecided_; }

 private:
  LinearChecker linear_;
  SearchChecker search_;
  uint64_t judged_ = 0;
  uint64_t searched_ = 0;
  uint64_t undecided_ = 0;
};

// One verdict of two opinions, as said above.
Verdict Reconcile(Verdict linear, Verdict search);

// The story of a verdict for people: the line, then the key's operations in order of invocation with session,
// serial, phase, committed or lost, words taken apart into the updates they are made of; the witness marked
// with '>'. Without a key: the events that R0 and R1 speak of.
std::string Explain(const History& history, const Verdict& verdict);

}  // namespace faults
