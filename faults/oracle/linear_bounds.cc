// The R0 and R1 half of LinearCuts: what callbacks, sessions and recoveries said against each other and
// against what the clients had seen by then.
#include <algorithm>

#include "faults/oracle/history_check.h"
#include "faults/oracle/linear_cuts.h"

namespace faults {

using faster::CheckpointKind;
using faster::SessionCommit;
using faster::Status;

bool LinearCuts::CheckCallbacks(uint32_t incarnation) {
  for (const CheckpointEvent& event : history_->checkpoints) {
    if (event.incarnation != incarnation || event.callback == kNever || event.status == Status::kOk) continue;
    if (history_->faults_survivable && !history_->faults_injected)
      return Fail(Rule::kR0, "checkpoint " + event.token.Text() +
                                 " failed without a fault: " + std::string(StatusName(event.status)));
  }
  const Base& base = bases_[incarnation];
  for (uint32_t i = 0; i < base.checkpoints; ++i) {
    const uint32_t at = base.first_checkpoint + i;
    const CheckpointEvent& event = history_->checkpoints[logs_[at].event];
    if (event.callback == kNever || event.status != Status::kOk) continue;
    const std::string who = "the callback of " + LogName(at);
    const uint32_t serials = Allocate(0);
    logs_[at].excluded = AllocateSets();
    if (!Spread(event.reported, serials, logs_[at].excluded, who) || !CheckBounds(at, serials, present_, who))
      return false;
    logs_[at].serials = serials;
    logs_[at].known = logs_[at].durable = true;
    if (!CheckKnown(at, who)) return false;
  }
  return true;
}

bool LinearCuts::CheckReports(uint32_t incarnation) {
  for (const SessionReport& report : history_->reports)
    if (report.incarnation == incarnation && !CheckReport(report)) return false;
  return true;
}

bool LinearCuts::CheckReport(const SessionReport& report) {
  if (report.time == kNever) return true;
  const Base& base = bases_[report.incarnation];
  const std::string who = "session " + std::to_string(report.session) + " was told " +
                          std::to_string(report.serial) + " for " + report.token.Text();
  const uint64_t start = pool_[base.serials + report.session];
  const uint32_t log = report.token.IsNull() ? kNone : FindLog(report.token);
  if (report.token.IsNull() ||
      (log != kNone &&
       log == base.checkpoint)) {  // ContinueSession, after a recovery or after a close in this incarnation
    if (report.serial == start) return CheckContinued(report, who);
    for (const Operation& op : history_->operations)
      if (op.session == report.session && op.incarnation == report.incarnation && op.invoked < report.time &&
          op.serial >= report.serial && report.serial > start)
        return CheckContinued(report, who);
    return Fail(Rule::kR1, who + ", its recovered commit point is " + std::to_string(start));
  }
  if (log == kNone || history_->checkpoints[logs_[log].event].incarnation != report.incarnation)
    return Fail(Rule::kR1, who + ", which is no checkpoint of its incarnation");
  if (report.time < history_->checkpoints[logs_[log].event].requested)
    return Fail(Rule::kR1, who + " before that was requested");
  uint64_t& told = pool_[logs_[log].told + report.session];
  const Serials*& told_excluded = sets_[logs_[log].told_excluded + report.session];
  const Serials* const excluded = report.excluded.empty() ? nullptr : &report.excluded;
  if (told != kNever && told != report.serial)
    return Fail(Rule::kR1, who + " and before that " + std::to_string(told));
  if (told != kNever && (told_excluded == nullptr) != (excluded == nullptr))
    return Fail(Rule::kR1, who + " with other exclusions than before");
  if (told != kNever && excluded != nullptr && *told_excluded != *excluded)
    return Fail(Rule::kR1, who + " with other exclusions than before");
  told = report.serial;
  told_excluded = excluded;
  logs_[log].durable = true;
  const uint64_t lower = std::max(start, pool_[logs_[log].lower + report.session]);
  const uint64_t upper = std::max(start, pool_[logs_[log].upper + report.session]);
  if (report.serial < lower || report.serial > upper)
    return Fail(Rule::kR1, who + ", outside " + std::to_string(lower) + ".." + std::to_string(upper));
  return CheckExcluded(log, report.session, report.serial, excluded, who);
}

// Commit points by session index; present_ says which were given.
bool LinearCuts::Spread(const std::vector<SessionCommit>& commits, uint32_t serials, uint32_t excluded,
                        const std::string& who) {
  present_.assign(history_->sessions.size(), false);
  for (const SessionCommit& commit : commits) {
    const uint32_t session = FindSession(commit.session);
    if (session == kNone)
      return Fail(Rule::kR1, who + " names session " + commit.session.Text() + ", which was never opened");
    if (present_[session])
      return Fail(Rule::kR1, who + " names session " + std::to_string(session) + " twice");
    present_[session] = true;
    pool_[serials + session] = commit.serial;
    sets_[excluded + session] = commit.excluded.empty() ? nullptr : &commit.excluded;
  }
  return true;
}

bool LinearCuts::CheckBounds(uint32_t log, uint32_t serials, const std::vector<bool>& present,
                             const std::string& who) {
  const CheckpointEvent& event = history_->checkpoints[logs_[log].event];
  const Base& base = bases_[event.incarnation];
  const uint64_t since = base.recovery == kNone ? 0 : history_->recoveries[base.recovery].time;
  auto missing = [&](uint32_t session) {
    return Fail(Rule::kR1, who + " has no commit point for session " + std::to_string(session) +
                               ", which was open or known when the checkpoint was requested");
  };
  for (uint32_t s = 0; s < history_->sessions.size(); ++s) {
    const uint64_t opened = history_->session_opened[s];
    if (!present[s] && opened >= since && opened < event.requested) return missing(s);
    const uint64_t t = pool_[serials + s];
    const uint64_t start = pool_[base.serials + s];
    const uint64_t lower = std::max(start, pool_[logs_[log].lower + s]);
    const uint64_t upper = std::max(start, pool_[logs_[log].upper + s]);
    if (t >= lower && t <= upper) continue;
    return Fail(
        Rule::kR1,
        who + " has commit point " + std::to_string(t) + " for session " + std::to_string(s) +
            (t < lower ? ", which had completed serial " + std::to_string(lower) + " when it was requested"
                       : ", which had issued only serial " + std::to_string(upper)));
  }
  if (base.recovery == kNone) return true;
  for (const SessionCommit& commit : history_->recoveries[base.recovery].commits) {
    const uint32_t s = FindSession(commit.session);
    if (s != kNone && !present[s]) return missing(s);
  }
  return true;
}

namespace {
bool Same(const std::vector<uint64_t>* one, const std::vector<uint64_t>* two) {
  return one == nullptr || two == nullptr ? one == two : *one == *two;
}
}  // namespace

// A later checkpoint of the incarnation holds what an earlier one held.
bool LinearCuts::CheckNeighbour(uint32_t log, uint32_t other, uint32_t session, const std::string& who) {
  const Log& it = logs_[other];
  const uint64_t told = pool_[it.told + session];
  if (other == log || (!it.known && told == kNever)) return true;
  const uint64_t t = pool_[logs_[log].serials + session];
  const uint64_t its = it.known ? pool_[it.serials + session] : told;
  if (other < log ? its > t : its < t)
    return Fail(Rule::kR1, who + " has commit point " + std::to_string(t) + " for session " +
                               std::to_string(session) + ", " + LogName(other) + " has " +
                               std::to_string(its));
  const Serials* mine = sets_[logs_[log].excluded + session];
  const Serials* others = sets_[(it.known ? it.excluded : it.told_excluded) + session];
  const Serials* later = other < log ? mine : others;
  const Serials* earlier = other < log ? others : mine;
  for (size_t i = 0; later != nullptr && i < later->size(); ++i)
    if ((*later)[i] <= std::min(t, its) && !IsIn(earlier, (*later)[i]))
      return Fail(Rule::kR1, who + " and " + LogName(other) + ": the later one excludes serial " +
                                 std::to_string((*later)[i]) + " of session " + std::to_string(session) +
                                 ", which the earlier one holds");
  return true;
}

// The commit points of `log` against what sessions were told, and against its neighbours: they only grow.
bool LinearCuts::CheckKnown(uint32_t log, const std::string& who) {
  const Base& base = bases_[history_->checkpoints[logs_[log].event].incarnation];
  for (uint32_t s = 0; s < history_->sessions.size(); ++s) {
    const uint64_t t = pool_[logs_[log].serials + s];
    const uint64_t told = pool_[logs_[log].told + s];
    if (told != kNever && told != t)
      return Fail(Rule::kR1, who + " has commit point " + std::to_string(t) + " for session " +
                                 std::to_string(s) + ", which was told " + std::to_string(told));
    const Serials* const excluded = sets_[logs_[log].excluded + s];
    if (told != kNever && !Same(sets_[logs_[log].told_excluded + s], excluded))
      return Fail(Rule::kR1, who + " excludes other serials of session " + std::to_string(s) +
                                 " than that session was told");
    if (!CheckExcluded(log, s, t, excluded, who)) return false;
    for (uint32_t i = 0; i < base.checkpoints; ++i)
      if (!CheckNeighbour(log, base.first_checkpoint + i, s, who)) return false;
  }
  return true;
}

bool LinearCuts::CheckRefusal(const Recovery& recovery) {
  if (!history_->faults_survivable) return true;
  if (recovery.named) {  // it must be there only if it was durable and not abandoned
    const uint32_t wanted = FindLog(recovery.requested);
    uint32_t at = Head(recovery.incarnation);
    while (at != kNone && at != wanted) at = logs_[at].parent;
    if (wanted == kNone || at == kNone || !logs_[at].durable) return true;
  }
  return Fail(Rule::kR0, "recovery at the end of incarnation " + std::to_string(recovery.incarnation) +
                             " was refused (" + std::string(StatusName(recovery.status)) +
                             "): " + recovery.why);
}

// Recovery to the empty store: there was no checkpoint.
bool LinearCuts::CheckEmpty(uint32_t index) {
  const Recovery& recovery = history_->recoveries[index];
  const std::string who = "recovery at the end of incarnation " + std::to_string(recovery.incarnation);
  if (history_->faults_survivable && DurableInLineage(recovery.incarnation))
    return Fail(recovery.status == Status::kOk ? Rule::kR1 : Rule::kR0,
                who + " found no checkpoint, but one was durable");
  for (const SessionCommit& commit : recovery.commits)
    if (commit.serial != 0)
      return Fail(Rule::kR1,
                  who + " found no checkpoint and says commit point " + std::to_string(commit.serial));
  if (!recovery.state.empty()) return Fail(Rule::kR4, who + " found no checkpoint and has a state");
  Base& next = bases_[recovery.incarnation + 1];
  next.recovery = index;
  next.serials = Allocate(0);
  next.excluded = AllocateSets();
  return true;
}

bool LinearCuts::CheckLatest(uint32_t log, const Recovery& recovery) {
  if (recovery.named || !history_->faults_survivable) return true;
  const std::string who = "recovery at the end of incarnation " + std::to_string(recovery.incarnation) +
                          " returned " + LogName(log);
  uint32_t at = Head(recovery.incarnation);
  for (; at != kNone && at != log; at = logs_[at].parent)
    if (logs_[at].durable) return Fail(Rule::kR1, who + ", but " + LogName(at) + " is newer and was durable");
  if (at == kNone) return Fail(Rule::kR1, who + ", which an earlier recovery had abandoned");
  return true;
}

bool LinearCuts::CheckRecovery(uint32_t index) {
  const Recovery& recovery = history_->recoveries[index];
  if (!Returned(recovery)) return CheckRefusal(recovery);
  if (recovery.status != Status::kOk || recovery.log_token.IsNull()) {
    if (recovery.named) return Fail(Rule::kR1, "a recovery to a named checkpoint returned the empty store");
    return CheckEmpty(index);
  }
  const std::string who = "recovery at the end of incarnation " + std::to_string(recovery.incarnation);
  const uint32_t log = FindLog(recovery.log_token);
  if (log == kNone || history_->checkpoints[logs_[log].event].requested >= recovery.time)
    return Fail(Rule::kR1, who + " returned " + recovery.log_token.Text() + ", which is no log checkpoint");
  if (recovery.named && recovery.log_token != recovery.requested)
    return Fail(Rule::kR1, who + " returned " + LogName(log) + " instead of " + recovery.requested.Text());
  const uint32_t serials = Allocate(0);
  const uint32_t excluded = AllocateSets();
  if (!Spread(recovery.commits, serials, excluded, who) || !CheckBounds(log, serials, present_, who))
    return false;
  Log& it = logs_[log];
  for (uint32_t s = 0; it.known && s < history_->sessions.size(); ++s)
    if (!Same(sets_[it.excluded + s], sets_[excluded + s]))
      return Fail(Rule::kR1, who + " excludes other serials of session " + std::to_string(s) + " than " +
                                 LogName(log) + " was recorded with");
  for (uint32_t s = 0; it.known && s < history_->sessions.size(); ++s)
    if (pool_[it.serials + s] != pool_[serials + s])
      return Fail(Rule::kR1, who + " has commit point " + std::to_string(pool_[serials + s]) +
                                 " for session " + std::to_string(s) + ", " + LogName(log) +
                                 " was recorded with " + std::to_string(pool_[it.serials + s]));
  it.serials = serials;
  it.excluded = excluded;
  it.known = true;
  if (!CheckKnown(log, who) || !CheckLatest(log, recovery)) return false;
  it.durable = true;
  if (it.state_recovery == kNone) {
    it.state_recovery = index;
  } else {
    auto one = history_->recoveries[it.state_recovery].state;
    auto two = recovery.state;
    std::sort(one.begin(), one.end());
    std::sort(two.begin(), two.end());
    if (one != two)
      return Fail(Rule::kR4, who + " returned another state than an earlier recovery to " + LogName(log));
  }
  Base& next = bases_[recovery.incarnation + 1];
  next.recovery = index;
  next.checkpoint = log;
  next.serials = serials;
  next.excluded = excluded;
  return true;
}

}  // namespace faults
