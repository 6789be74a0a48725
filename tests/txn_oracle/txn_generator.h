// TxnGenerator: histories as a correct store makes them, and what is wrong with them once spoiled.
//
// The store is a map; a transaction takes effect in one step somewhere between its call and its answer. A
// commit is that of the paper: after the request clients shift to the next version one by one, the first of
// the next version at a key keeps the old value, a client that is behind and meets a newer key aborts and
// shifts. So the points of a commit are no moment in time. Random, but the same for the same dice.
#pragma once

#include "experiments/common/dice.h"
#include "faults/oracle/txn_history.h"

namespace txn_test {

struct TxnShape {
  uint32_t clients = 3;
  uint32_t keys = 4;
  uint32_t transactions = 12;  // an incarnation
  uint32_t incarnations = 2;
  uint32_t most_accesses = 3;
  uint32_t blind_percent = 30;  // of writes
  uint32_t told_percent = 0;    // of writes whose version is told
  bool aborted_have_serials = true;
  bool strict = false;
  bool reads_may_lag = false;
};

TxnShape DrawShape(experiments::Dice* dice);
faults::TxnHistory MakeHistory(const TxnShape& shape, experiments::Dice* dice);
// Changes one thing, which may or may not be a violation. The name of what was changed.
const char* SpoilHistory(experiments::Dice* dice, faults::TxnHistory* history);

}  // namespace txn_test
