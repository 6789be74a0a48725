// TxnChecker: judges a TxnHistory by R7 (and the bounds of commit points), in linear time.
//
// Per incarnation: every word read was written by a transaction that took effect; the dependency graph has no
// cycle (with real time across clients if the history says `strict`); every cut is closed under it; every
// recovered state is that of its cut. See txn_problem.h for how. Where a violation is found, weaker rules are
// tried to name the first that is broken: serialisability, then closure, then the state.
//
// Sound: no false alarm. Undecided only where blind writes leave the order of versions open and neither a
// contradiction nor a serial order was found; then `what` says so.
//
// Thread-safety: one per thread; it keeps its memory. Cost: about 1 us a transaction of two keys.
#pragma once

#include "faults/oracle/txn_problem.h"

namespace faults {

class TxnChecker {
 public:
  TxnVerdict Check(const TxnHistory& history);

 private:
  bool CheckIncarnation(uint32_t incarnation, TxnVerdict* verdict);
  bool CheckReads(uint32_t incarnation, TxnVerdict* verdict);
  bool CheckState(uint32_t incarnation, TxnVerdict* verdict);
  bool CheckWord(uint32_t incarnation, uint64_t key, uint64_t word, TxnFault nobody, TxnFault aborted,
                 TxnFault lost, const std::string& reader, TxnVerdict* verdict);
  // False: a violation, classified.
  bool Try(const TxnRules& rules, TxnFault fault, TxnVerdict* verdict);
  bool CheckCuts(uint32_t incarnation, TxnVerdict* verdict);
  void NameCycle(TxnFault fault, TxnVerdict* verdict);
  TxnFault KindOfCycle() const;
  bool NameState(TxnVerdict* verdict);

  const TxnHistory* history_ = nullptr;
  std::unordered_map<uint64_t, uint64_t> base_;  // what the incarnation at hand began with
  TxnWriters writers_;
  TxnProblem problem_;
};

}  // namespace faults
