// TxnJudge: the verdict on one TxnHistory. TxnChecker judges every one, TxnSearch every small one as a second
// opinion; if they differ, in the verdict or in the class of what is wrong, that is a failure of its own
// (TxnFault::kDisagree).
//
// Thread-safety: one per thread. Cost: some us (checker) and some 100 us (search) for 24 transactions.
#pragma once

#include "faults/oracle/txn_checker.h"
#include "faults/oracle/txn_search.h"

namespace faults {

class TxnJudge {
 public:
  uint32_t search_limit = 40;  // transactions of a history that is searched
  TxnVerdict Check(const TxnHistory& history);

  uint64_t judged() const { return judged_; }
  uint64_t searched() const { return searched_; }
  uint64_t undecided() const { return undecided_; }

 private:
  TxnChecker checker_;
  TxnSearch search_;
  uint64_t judged_ = 0, searched_ = 0, undecided_ = 0;
};

// The verdict of both: the decided one; kDisagree if both are decided and differ.
TxnVerdict ReconcileTxn(TxnVerdict graph, TxnVerdict search);

}  // namespace faults
