#include "faults/oracle/txn_judge.h"

namespace faults {

TxnVerdict TxnJudge::Check(const TxnHistory& history) {
  ++judged_;
  TxnVerdict verdict = checker_.Check(history);
  if (history.transactions.size() <= search_limit && verdict.fault != TxnFault::kHistory) {
    ++searched_;
    verdict = ReconcileTxn(std::move(verdict), search_.Check(history));
  }
  undecided_ += verdict.ok && verdict.undecided;
  return verdict;
}

TxnVerdict ReconcileTxn(TxnVerdict graph, TxnVerdict search) {
  if (search.ok && search.undecided) return graph;
  if (graph.ok && graph.undecided) return search;
  // What is wrong first depends on weaker rules, each of which may be undecided.
  const bool sure = !graph.undecided && !search.undecided;
  if (graph.ok == search.ok && (!sure || ClassOf(graph.fault) == ClassOf(search.fault))) {
    graph.undecided = false;
    return graph;
  }
  const auto line = [](const TxnVerdict& v) {
    return v.ok ? std::string("legal") : std::string(TxnFaultName(v.fault)) + ", " + v.what;
  };
  TxnVerdict disagree;
  disagree.ok = false;
  disagree.fault = TxnFault::kDisagree;
  disagree.what = "the checkers disagree; graph: " + line(graph) + "; search: " + line(search);
  disagree.witness = graph.witness;
  disagree.incarnation = graph.ok ? search.incarnation : graph.incarnation;
  return disagree;
}

}  // namespace faults
