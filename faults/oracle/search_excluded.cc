// R1 for excluded serials, for the search checker: as it is written, for every serial and operation.
#include <algorithm>

#include "faults/oracle/search_checker.h"

namespace faults {

using faster::SessionCommit;

namespace {
bool Reject(Verdict* verdict, const char* what) {
  verdict->ok = false;
  verdict->rule = Rule::kR1;
  verdict->what = what;
  return false;
}
}  // namespace

bool SearchChecker::Excludes(const std::vector<SessionCommit>& commits, const faster::Guid& session,
                             uint64_t serial) {
  for (const SessionCommit& commit : commits)
    if (commit.session == session)
      return std::find(commit.excluded.begin(), commit.excluded.end(), serial) != commit.excluded.end();
  return false;
}

// Somebody took the recovered session up again (or had heard of it) before that time.
bool SearchChecker::Asked(uint32_t incarnation, uint32_t session, uint64_t before, bool answered) const {
  for (const SessionReport& report : history_->reports) {
    if (report.incarnation != incarnation || report.session != session || report.called == 0) continue;
    if ((answered ? report.time : report.called) < before) return true;
  }
  for (const Operation& op : history_->operations)
    if (op.incarnation == incarnation && op.session == session && op.invoked < before) return true;
  return false;
}

bool SearchChecker::MayExclude(const Operation& op, const CheckpointEvent& checkpoint) const {
  if (op.outcome == OpOutcome::kError) return true;  // it has no effect
  if (history_->relaxed) return op.responded == kNever || op.responded > checkpoint.requested;
  return history_->faults_injected && op.outcome == OpOutcome::kUnknown;
}

bool SearchChecker::MayExclude(const CheckpointEvent& checkpoint, uint32_t session, uint64_t serial) const {
  const Recovery* base = incarnations_[checkpoint.incarnation].base;
  if (serial <= StartSerial(checkpoint.incarnation, session)) {
    return base != nullptr && Excludes(base->commits, history_->sessions[session], serial);
  }
  for (const Operation& op : history_->operations)
    if (op.incarnation == checkpoint.incarnation && op.session == session && op.serial == serial)
      return MayExclude(op, checkpoint);
  return true;  // never issued: the bounds of the commit point say so
}

// `complete`: of all sessions; else of those listed.
bool SearchChecker::CheckExclusions(const CheckpointEvent& checkpoint,
                                    const std::vector<SessionCommit>& commits, bool complete,
                                    Verdict* verdict) {
  const Recovery* base = incarnations_[checkpoint.incarnation].base;
  for (uint32_t s = 0; s < history_->sessions.size(); ++s) {
    const faster::Guid& id = history_->sessions[s];
    bool listed = false;
    uint64_t last = 0;
    bool carries = false;
    for (const SessionCommit& commit : commits) {
      if (commit.session != id) continue;
      listed = true;
      for (uint64_t x : commit.excluded) {
        if (x <= last || x > commit.serial)
          return Reject(verdict, "search: excluded serials out of order or beyond the commit point");
        if (!MayExclude(checkpoint, s, x))
          return Reject(verdict, "search: a serial is excluded that must be in the checkpoint");
        last = x;
        carries |= x <= StartSerial(checkpoint.incarnation, s);
      }
    }
    if (carries && Asked(checkpoint.incarnation, s, checkpoint.requested, true))
      return Reject(verdict, "search: serials are excluded that the client knows of");
    if (base == nullptr || !(listed || complete) ||
        Asked(checkpoint.incarnation, s, checkpoint.callback, false))
      continue;
    for (const SessionCommit& commit : base->commits)
      for (uint64_t x : commit.excluded)
        if (commit.session == id && !Excludes(commits, id, x))
          return Reject(verdict, "search: an exclusion was forgotten before anybody asked");
  }
  return true;
}

bool SearchChecker::CheckWhatWasToldOnReturn(const SessionReport& report, Verdict* verdict) {
  const Recovery* base = incarnations_[report.incarnation].base;
  std::vector<uint64_t> expected;
  for (size_t i = 0; base != nullptr && i < base->commits.size(); ++i)
    if (base->commits[i].session == history_->sessions[report.session]) expected = base->commits[i].excluded;
  for (const SessionReport& other : history_->reports)
    if (other.session == report.session && other.incarnation == report.incarnation && other.called != 0 &&
        other.called < report.called)
      expected.clear();  // told already
  // Closed in this incarnation, over updates that had ended with an error: told as well.
  const uint64_t start = StartSerial(report.incarnation, report.session);
  const auto failed_here = [&](uint64_t serial) {
    for (const Operation& op : history_->operations)
      if (op.incarnation == report.incarnation && op.session == report.session && op.serial == serial)
        return op.outcome == OpOutcome::kError;
    return false;
  };
  std::vector<uint64_t> told = report.excluded;
  while (report.called != 0 && !told.empty() && told.back() > start && failed_here(told.back()))
    told.pop_back();
  if (told == expected || (report.called == 0 && report.excluded.empty())) return true;
  return Reject(verdict, "search: a session continued with other exclusions than were recovered");
}

}  // namespace faults
