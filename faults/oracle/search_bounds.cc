// R0 and R1 for the search checker, as they are written: for every checkpoint, session, operation.
#include <algorithm>

#include "faults/oracle/search_checker.h"

namespace faults {

using faster::CheckpointKind;
using faster::SessionCommit;
using faster::Status;

namespace {
bool Reject(Verdict* verdict, Rule rule, const char* what) {
  verdict->ok = false;
  verdict->rule = rule;
  verdict->what = what;
  return false;
}

bool SaidDurable(const CheckpointEvent& checkpoint) {
  return checkpoint.callback != kNever && checkpoint.status == Status::kOk;
}
}  // namespace

const CheckpointEvent* SearchChecker::FindCheckpoint(const faster::Token& token) const {
  for (const CheckpointEvent& checkpoint : history_->checkpoints)
    if (checkpoint.token == token && checkpoint.kind != CheckpointKind::kIndexOnly) return &checkpoint;
  return nullptr;
}

uint64_t SearchChecker::SerialOf(const std::vector<SessionCommit>& commits, uint32_t session) const {
  for (const SessionCommit& commit : commits)
    if (commit.session == history_->sessions[session]) return commit.serial;
  return 0;
}

uint64_t SearchChecker::StartSerial(uint32_t incarnation, uint32_t session) const {
  const Recovery* base = incarnations_[incarnation].base;
  return base == nullptr ? 0 : SerialOf(base->commits, session);
}

bool SearchChecker::BuildIncarnations(Verdict* verdict) {
  incarnations_.assign(1, Incarnation{});
  for (const CheckpointEvent& checkpoint : history_->checkpoints) {
    if (incarnations_.size() <= checkpoint.incarnation) incarnations_.resize(checkpoint.incarnation + 1);
    if (checkpoint.kind != CheckpointKind::kIndexOnly)
      incarnations_[checkpoint.incarnation].taken.push_back(&checkpoint);
  }
  for (Incarnation& incarnation : incarnations_)
    std::stable_sort(incarnation.taken.begin(), incarnation.taken.end(),
                     [](auto* a, auto* b) { return a->requested < b->requested; });
  for (const Recovery& recovery : history_->recoveries) {
    if (incarnations_.size() <= recovery.incarnation + 1u) incarnations_.resize(recovery.incarnation + 2);
    Incarnation& ended = incarnations_[recovery.incarnation];
    if (Returned(recovery)) {
      if (!CheckReturned(recovery, &ended, verdict)) return false;
      continue;
    }
    if (!history_->faults_survivable) continue;
    if (!recovery.named) return Reject(verdict, Rule::kR0, "search: recovery was refused");
    std::vector<const CheckpointEvent*> there = ended.lineage;
    there.insert(there.end(), ended.taken.begin(), ended.taken.end());
    for (const CheckpointEvent* checkpoint : there)
      if (checkpoint->token == recovery.requested && Promised(*checkpoint, recovery))
        return Reject(verdict, Rule::kR0, "search: recovery to a durable checkpoint was refused");
  }
  size_t returned = 1;
  for (const Recovery& recovery : history_->recoveries) returned += Returned(recovery);
  incarnations_.resize(returned);
  return true;
}

// The client was told, before `before`, that this checkpoint is durable.
bool SearchChecker::Promised(const CheckpointEvent& checkpoint, const Recovery& before) const {
  if (SaidDurable(checkpoint) && checkpoint.callback < before.time) return true;
  for (const SessionReport& report : history_->reports)
    if (report.token == checkpoint.token && report.time < before.time) return true;
  for (const Recovery& recovery : history_->recoveries)
    if (Returned(recovery) && recovery.time < before.time && recovery.status == Status::kOk &&
        recovery.log_token == checkpoint.token)
      return true;
  return false;
}

bool SearchChecker::CheckEmptyStore(const Recovery& recovery, const Incarnation& ended, Verdict* verdict) {
  if (recovery.named) return Reject(verdict, Rule::kR1, "search: a named recovery gave the empty store");
  const Rule rule = recovery.status == Status::kOk ? Rule::kR1 : Rule::kR0;
  for (const auto* list : {&ended.lineage, &ended.taken})
    for (const CheckpointEvent* checkpoint : *list)
      if (history_->faults_survivable && Promised(*checkpoint, recovery))
        return Reject(verdict, rule, "search: recovery found no checkpoint, but one was durable");
  for (const SessionCommit& commit : recovery.commits)
    if (commit.serial > 0) return Reject(verdict, Rule::kR1, "search: a commit point without a checkpoint");
  if (!recovery.state.empty()) return Reject(verdict, Rule::kR4, "search: a state without a checkpoint");
  return true;
}

bool SearchChecker::CheckReturned(const Recovery& recovery, Incarnation* ended, Verdict* verdict) {
  Incarnation& next = incarnations_[recovery.incarnation + 1];
  next.base = &recovery;
  if (recovery.status != Status::kOk || recovery.log_token.IsNull())
    return CheckEmptyStore(recovery, *ended, verdict);
  const CheckpointEvent* found = FindCheckpoint(recovery.log_token);
  if (found == nullptr || found->requested >= recovery.time)
    return Reject(verdict, Rule::kR1, "search: recovery returned what is no log checkpoint");
  if (recovery.named && recovery.requested != recovery.log_token)
    return Reject(verdict, Rule::kR1, "search: recovery returned another checkpoint than the one named");
  if (!CheckCommits(*found, recovery.commits, verdict)) return false;
  std::vector<const CheckpointEvent*> line = ended->lineage;
  line.insert(line.end(), ended->taken.begin(), ended->taken.end());
  auto at = std::find(line.begin(), line.end(), found);
  if (!recovery.named && history_->faults_survivable) {
    if (at == line.end())
      return Reject(verdict, Rule::kR1, "search: recovery returned an abandoned checkpoint");
    for (auto newer = at + 1; newer != line.end(); ++newer)
      if (Promised(**newer, recovery))
        return Reject(verdict, Rule::kR1, "search: recovery passed over a newer durable checkpoint");
  }
  if (at == line.end()) {  // named, of an abandoned line: that line is taken up again
    line = incarnations_[found->incarnation].lineage;
    const auto& taken = incarnations_[found->incarnation].taken;
    line.insert(line.end(), taken.begin(), taken.end());
    at = std::find(line.begin(), line.end(), found);
  }
  next.lineage.assign(line.begin(), at + 1);
  return true;
}

// R1's bounds for commit points that are said to be those of `checkpoint`.
bool SearchChecker::CheckCommits(const CheckpointEvent& checkpoint, const std::vector<SessionCommit>& commits,
                                 Verdict* verdict) {
  std::vector<bool> given(history_->sessions.size(), false);
  for (const SessionCommit& commit : commits) {
    const auto at = std::find(history_->sessions.begin(), history_->sessions.end(), commit.session);
    if (at == history_->sessions.end())
      return Reject(verdict, Rule::kR1, "search: a commit point for a session that was never opened");
    if (given[at - history_->sessions.begin()])
      return Reject(verdict, Rule::kR1, "search: two commit points for one session");
    given[at - history_->sessions.begin()] = true;
  }
  const Recovery* base = incarnations_[checkpoint.incarnation].base;
  for (uint32_t s = 0; s < given.size(); ++s) {
    bool known = history_->session_opened[s] < checkpoint.requested &&
                 (base == nullptr || history_->session_opened[s] >= base->time);
    for (size_t i = 0; base != nullptr && i < base->commits.size(); ++i)
      known |= base->commits[i].session == history_->sessions[s];
    if (known && !given[s]) return Reject(verdict, Rule::kR1, "search: a session has no commit point");
    const uint64_t t = SerialOf(commits, s);
    uint64_t issued = StartSerial(checkpoint.incarnation, s);
    if (t < issued) return Reject(verdict, Rule::kR1, "search: a commit point went back");
    for (const Operation& op : history_->operations) {
      if (op.incarnation != checkpoint.incarnation || op.session != s) continue;
      if (op.responded < checkpoint.requested && op.serial > t)
        return Reject(verdict, Rule::kR1,
                      "search: an operation done before the request is not in the checkpoint");
      if (op.invoked < checkpoint.callback) issued = std::max(issued, op.serial);
    }
    if (t > issued) return Reject(verdict, Rule::kR1, "search: a commit point beyond what was issued");
  }
  return CheckExclusions(checkpoint, commits, true, verdict);
}

bool SearchChecker::CheckReport(const SessionReport& report, Verdict* verdict) {
  if (report.time == kNever) return true;  // it was never told
  const uint64_t start = StartSerial(report.incarnation, report.session);
  const Recovery* base = incarnations_[report.incarnation].base;
  const bool continued = report.token.IsNull() ||
                         (base != nullptr && base->status == Status::kOk && base->log_token == report.token);
  if (continued) {
    if (!CheckWhatWasToldOnReturn(report, verdict)) return false;
    if (report.serial == start) return true;
    bool issued = false;
    for (const Operation& op : history_->operations)
      issued |= op.session == report.session && op.incarnation == report.incarnation &&
                op.invoked < report.time && op.serial >= report.serial;
    return (report.serial > start && issued) ||
           Reject(verdict, Rule::kR1,
                  "search: a session continued from another serial than its commit point");
  }
  const CheckpointEvent* checkpoint = FindCheckpoint(report.token);
  if (checkpoint == nullptr || checkpoint->incarnation != report.incarnation ||
      checkpoint->requested > report.time)
    return Reject(verdict, Rule::kR1, "search: a session was told of a checkpoint that it cannot know");
  uint64_t lower = start;
  uint64_t upper = start;
  for (const Operation& op : history_->operations) {
    if (op.session != report.session || op.incarnation != report.incarnation) continue;
    if (op.responded < checkpoint->requested) lower = std::max(lower, op.serial);
    if (op.invoked < checkpoint->callback) upper = std::max(upper, op.serial);
  }
  if (report.serial < lower || report.serial > upper)
    return Reject(verdict, Rule::kR1, "search: a session was told an impossible commit point");
  return CheckExclusions(*checkpoint,
                         {SessionCommit{history_->sessions[report.session], report.serial, report.excluded}},
                         false, verdict);
}

// Everything ever said about one checkpoint is the same, and later checkpoints hold what earlier ones held.
bool SearchChecker::CheckOrderOfCommits(Verdict* verdict) {
  struct Said {
    const CheckpointEvent* checkpoint;
    uint32_t session;
    uint64_t serial;
    std::vector<uint64_t> excluded;
  };
  const auto excluded_of = [&](const std::vector<SessionCommit>& commits, uint32_t session) {
    for (const SessionCommit& commit : commits)
      if (commit.session == history_->sessions[session]) return commit.excluded;
    return std::vector<uint64_t>{};
  };
  std::vector<Said> said;
  const uint32_t sessions = static_cast<uint32_t>(history_->sessions.size());
  for (const CheckpointEvent& checkpoint : history_->checkpoints) {
    if (checkpoint.kind == CheckpointKind::kIndexOnly || !SaidDurable(checkpoint)) continue;
    for (uint32_t s = 0; s < sessions; ++s)
      said.push_back({&checkpoint, s, SerialOf(checkpoint.reported, s), excluded_of(checkpoint.reported, s)});
  }
  for (const Recovery& recovery : history_->recoveries) {
    if (recovery.status != Status::kOk || recovery.log_token.IsNull()) continue;
    const CheckpointEvent* checkpoint = FindCheckpoint(recovery.log_token);
    for (uint32_t s = 0; s < sessions; ++s)
      said.push_back({checkpoint, s, SerialOf(recovery.commits, s), excluded_of(recovery.commits, s)});
  }
  for (const SessionReport& report : history_->reports) {
    const CheckpointEvent* checkpoint = FindCheckpoint(report.token);
    if (checkpoint != nullptr && checkpoint->incarnation == report.incarnation && report.time != kNever)
      said.push_back({checkpoint, report.session, report.serial, report.excluded});
  }
  for (const Said& a : said)
    for (const Said& b : said) {
      if (a.session != b.session || a.checkpoint->incarnation != b.checkpoint->incarnation) continue;
      if (a.checkpoint == b.checkpoint && a.serial != b.serial)
        return Reject(verdict, Rule::kR1, "search: two commit points of one session in one checkpoint");
      if (a.checkpoint == b.checkpoint && a.excluded != b.excluded)
        return Reject(verdict, Rule::kR1, "search: other exclusions of one session in one checkpoint");
      if (a.checkpoint->requested >= b.checkpoint->requested) continue;
      if (a.serial > b.serial) return Reject(verdict, Rule::kR1, "search: a later checkpoint holds less");
      for (uint64_t x : b.excluded)
        if (x <= a.serial && std::find(a.excluded.begin(), a.excluded.end(), x) == a.excluded.end())
          return Reject(verdict, Rule::kR1, "search: a later checkpoint excludes what an earlier one holds");
    }
  return true;
}

bool SearchChecker::CheckCheckpoints(Verdict* verdict) {
  for (const CheckpointEvent& checkpoint : history_->checkpoints) {
    if (checkpoint.callback == kNever) continue;
    if (checkpoint.status != Status::kOk && history_->faults_survivable && !history_->faults_injected)
      return Reject(verdict, Rule::kR0, "search: a checkpoint failed without a fault");
    if (checkpoint.status == Status::kOk && checkpoint.kind != CheckpointKind::kIndexOnly &&
        !CheckCommits(checkpoint, checkpoint.reported, verdict))
      return false;
  }
  for (const SessionReport& report : history_->reports)
    if (!CheckReport(report, verdict)) return false;
  return CheckOrderOfCommits(verdict) && CheckSerials(verdict);
}

bool SearchChecker::CheckSerials(Verdict* verdict) {
  for (const Operation& op : history_->operations) {
    const uint64_t start = StartSerial(op.incarnation, op.session);
    bool follows = op.serial == start + 1;
    for (const Operation& other : history_->operations)
      follows |= other.session == op.session && other.incarnation == op.incarnation &&
                 other.serial + 1 == op.serial && op.serial > start;
    if (!follows)
      return Reject(verdict, op.incarnation == 0 ? Rule::kHistory : Rule::kR5,
                    "search: serials do not go on from the commit point");
  }
  return true;
}

}  // namespace faults
