// Is a TxnHistory well formed? What no store can cause and both checkers rely on: indexes in range, times in
// order, serials dense, one transaction of a client at a time, words that name their writer. Reports
// TxnFault::kHistory: the recorder is broken, or the file was damaged.
//
// Thread-safety: none needed, no state. Cost: O(accesses) expected.
#pragma once

#include "faults/oracle/txn_history.h"

namespace faults {

bool CheckTxnForm(const TxnHistory& history, TxnVerdict* verdict);

}  // namespace faults
