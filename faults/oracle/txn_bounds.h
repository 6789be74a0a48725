// The bounds of commit points in a TxnHistory (R0, R1, R5 of DESIGN for transactions):
//   a recovery returns; the empty store only if nothing was durable;
//   the points of a commit are at least every serial that had ended when it was requested, at most the last
//   one invoked before it was reported, and never below what an earlier commit, report or recovery promised;
//   a recovery that names its commit has the points that the commit reported;
//   every incarnation goes on at the commit point + 1.
//
// Thread-safety: no state. Cost: O(transactions * log(commits) + commits * clients).
#pragma once

#include "faults/oracle/txn_history.h"

namespace faults {

bool CheckTxnBounds(const TxnHistory& history, TxnVerdict* verdict);

}  // namespace faults
