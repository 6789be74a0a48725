// R1 for excluded serials, in LinearCuts: what a checkpoint may leave out below a session's commit point.
//
// Serials issued in the checkpoint's own incarnation: of operations that ended with an error, or may have and
// nobody was told; with the relaxed guarantee, of all that had no response when the checkpoint was requested.
// Serials of before: those that the recovered
// checkpoint excluded, all of them while nobody has asked to continue the session, none once somebody was
// answered.
#include <algorithm>

#include "faults/oracle/linear_cuts.h"

namespace faults {

// The first time that a client asked for a recovered session (or was answered), kNever if it did not.
uint64_t LinearCuts::FirstClaim(uint32_t incarnation, uint32_t session, bool answered) const {
  uint64_t first = kNever;
  for (const SessionReport& report : history_->reports)
    if (report.incarnation == incarnation && report.session == session && report.called != 0)
      first = std::min(first, answered ? report.time : report.called);
  for (const Operation& op : history_->operations)
    if (op.incarnation == incarnation && op.session == session) first = std::min(first, op.invoked);
  return first;
}

bool LinearCuts::EndedWithError(uint32_t incarnation, uint32_t session, uint64_t serial) const {
  return std::any_of(history_->operations.begin(), history_->operations.end(), [&](const Operation& op) {
    return op.incarnation == incarnation && op.session == session && op.serial == serial &&
           op.outcome == OpOutcome::kError;
  });
}

bool LinearCuts::CheckContinued(const SessionReport& report, const std::string& who) {
  const Serials* recovered = sets_[bases_[report.incarnation].excluded + report.session];
  bool first = report.called != 0;
  for (const SessionReport& other : history_->reports)
    first &= &other == &report || other.session != report.session ||
             other.incarnation != report.incarnation || other.called == 0 || other.called > report.called;
  if (report.called == 0 || !first)
    recovered = report.called == 0 && !report.excluded.empty() ? recovered : nullptr;
  // Closed in this incarnation, over updates that had ended with an error: told as well.
  const uint64_t start = pool_[bases_[report.incarnation].serials + report.session];
  Serials told = report.excluded;
  while (report.called != 0 && !told.empty() && told.back() > start &&
         EndedWithError(report.incarnation, report.session, told.back()))
    told.pop_back();
  const bool same = recovered == nullptr ? told.empty() : told == *recovered;
  return same || Fail(Rule::kR1, who + " with other exclusions than were recovered");
}

bool LinearCuts::CheckStillOpen(const CheckpointEvent& event, uint32_t session, const Serials& excluded,
                                const std::string& who) {
  for (uint32_t i = 0; i < history_->operations.size(); ++i) {
    const Operation& op = history_->operations[i];
    if (op.session != session || op.incarnation != event.incarnation || op.outcome == OpOutcome::kError ||
        !IsIn(&excluded, op.serial))
      continue;
    const bool may_have_failed = history_->faults_injected && op.outcome == OpOutcome::kUnknown;
    if (history_->relaxed ? op.responded > event.requested : may_have_failed) continue;
    return Fail(Rule::kR1,
                who + " excludes serial " + std::to_string(op.serial) + " of session " +
                    std::to_string(session) +
                    (history_->relaxed ? ", which had ended when it was requested"
                                       : ", but the guarantee is strict and no error ended it"),
                {i});
  }
  return true;
}

bool LinearCuts::CheckCarried(uint32_t log, uint32_t session, const Serials* excluded,
                              const std::string& who) {
  const CheckpointEvent& event = history_->checkpoints[logs_[log].event];
  const Base& base = bases_[event.incarnation];
  const uint64_t start = pool_[base.serials + session];
  const Serials* recovered = sets_[base.excluded + session];
  size_t carried = 0;
  while (excluded != nullptr && carried < excluded->size() && (*excluded)[carried] <= start) {
    if (!IsIn(recovered, (*excluded)[carried]))
      return Fail(Rule::kR1, who + " excludes serial " + std::to_string((*excluded)[carried]) +
                                 " of session " + std::to_string(session) + ", which had been recovered");
    ++carried;
  }
  if (recovered == nullptr) return true;
  if (carried != recovered->size() && FirstClaim(event.incarnation, session, false) > event.callback)
    return Fail(Rule::kR1, who + " forgets what was excluded of session " + std::to_string(session) +
                               ", which nobody continued");
  if (carried != 0 && FirstClaim(event.incarnation, session, true) < event.requested)
    return Fail(Rule::kR1, who + " still excludes serials of session " + std::to_string(session) +
                               " that its client was told of before");
  return true;
}

bool LinearCuts::CheckExcluded(uint32_t log, uint32_t session, uint64_t serial, const Serials* excluded,
                               const std::string& who) {
  const CheckpointEvent& event = history_->checkpoints[logs_[log].event];
  if (excluded != nullptr) {
    const bool ascending = std::adjacent_find(excluded->begin(), excluded->end(), [](uint64_t a, uint64_t b) {
                             return a >= b;
                           }) == excluded->end();
    if (!ascending || excluded->front() == 0 || excluded->back() > serial)
      return Fail(Rule::kR1, who + " excludes serials of session " + std::to_string(session) +
                                 " that are not ascending and within its commit point " +
                                 std::to_string(serial));
    if (!CheckStillOpen(event, session, *excluded, who)) return false;
  }
  return CheckCarried(log, session, excluded, who);
}

}  // namespace faults
