#include "faults/oracle/linear_cuts.h"

#include <algorithm>

#include "faults/oracle/history_check.h"

namespace faults {

using faster::CheckpointKind;
using faster::SessionCommit;
using faster::Status;

bool LinearCuts::Fail(Rule rule, std::string what, std::vector<uint32_t> witness) {
  verdict_->ok = false;
  verdict_->rule = rule;
  verdict_->what = std::move(what);
  verdict_->witness = std::move(witness);
  return false;
}

bool LinearCuts::Build(const History& history, Verdict* verdict) {
  history_ = &history;
  verdict_ = verdict;
  Prepare();
  uint32_t incarnation = 0;
  if (!StartIncarnation(0)) return false;
  for (uint32_t i = 0; i < history.recoveries.size(); ++i) {
    if (!CheckRecovery(i)) return false;
    if (!Returned(history.recoveries[i])) continue;
    if (!StartIncarnation(++incarnation)) return false;
  }
  if (!CheckSerialStart()) return false;
  CollectCuts();
  return true;
}

uint32_t LinearCuts::Allocate(uint64_t value) {
  const uint32_t at = static_cast<uint32_t>(pool_.size());
  pool_.resize(at + history_->sessions.size(), value);
  return at;
}

uint32_t LinearCuts::AllocateSets() {
  const uint32_t at = static_cast<uint32_t>(sets_.size());
  sets_.resize(at + history_->sessions.size(), nullptr);
  return at;
}

void LinearCuts::Prepare() {
  pool_.clear();
  sets_.clear();
  uint32_t incarnations = 1;
  for (const Recovery& recovery : history_->recoveries) incarnations += Returned(recovery);
  bases_.assign(incarnations, Base{});
  by_guid_.resize(history_->sessions.size());
  for (uint32_t i = 0; i < by_guid_.size(); ++i) by_guid_[i] = i;
  std::sort(by_guid_.begin(), by_guid_.end(),
            [&](uint32_t a, uint32_t b) { return history_->sessions[a] < history_->sessions[b]; });
  SortCheckpoints();
  MeasureBounds();
}

void LinearCuts::SortCheckpoints() {
  logs_.clear();
  const std::vector<CheckpointEvent>& events = history_->checkpoints;
  for (uint32_t i = 0; i < events.size(); ++i) {
    if (events[i].kind == CheckpointKind::kIndexOnly) continue;
    Log log;
    log.event = i;
    log.told = Allocate(kNever);
    log.told_excluded = AllocateSets();
    log.lower = Allocate(0);
    log.upper = Allocate(0);
    logs_.push_back(log);
  }
  std::sort(logs_.begin(), logs_.end(), [&](const Log& a, const Log& b) {
    return std::pair(events[a.event].incarnation, events[a.event].requested) <
           std::pair(events[b.event].incarnation, events[b.event].requested);
  });
  by_end_.resize(logs_.size());
  for (uint32_t i = 0; i < logs_.size(); ++i) {
    by_end_[i] = i;
    Base& base = bases_[events[logs_[i].event].incarnation];
    if (base.checkpoints++ == 0) base.first_checkpoint = i;
  }
  for (const Base& base : bases_) {
    const auto begin = by_end_.begin() + base.first_checkpoint;
    std::sort(begin, begin + base.checkpoints, [&](uint32_t a, uint32_t b) {
      return events[logs_[a].event].callback < events[logs_[b].event].callback;
    });
  }
}

// lower: the largest serial that had a response when the checkpoint was requested. upper: the largest that
// was issued before it was durable. Each operation is entered at the first checkpoint it matters to; a
// running maximum over the checkpoints in order of time does the rest.
void LinearCuts::MeasureBounds() {
  const std::vector<CheckpointEvent>& events = history_->checkpoints;
  for (const Operation& op : history_->operations) {
    const Base& base = bases_[op.incarnation];
    if (base.checkpoints == 0) continue;
    const uint32_t end = base.first_checkpoint + base.checkpoints;
    uint32_t at = static_cast<uint32_t>(
        std::partition_point(logs_.begin() + base.first_checkpoint, logs_.begin() + end,
                             [&](const Log& log) { return events[log.event].requested <= op.responded; }) -
        logs_.begin());
    if (at < end) {
      uint64_t& lower = pool_[logs_[at].lower + op.session];
      lower = std::max(lower, op.serial);
    }
    at = static_cast<uint32_t>(
        std::partition_point(by_end_.begin() + base.first_checkpoint, by_end_.begin() + end,
                             [&](uint32_t log) { return events[logs_[log].event].callback <= op.invoked; }) -
        by_end_.begin());
    if (at < end) {
      uint64_t& upper = pool_[logs_[by_end_[at]].upper + op.session];
      upper = std::max(upper, op.serial);
    }
  }
  for (const Base& base : bases_) {
    for (uint32_t i = 1; i < base.checkpoints; ++i) {
      const uint32_t at = base.first_checkpoint + i;
      for (uint32_t s = 0; s < history_->sessions.size(); ++s) {
        uint64_t& lower = pool_[logs_[at].lower + s];
        lower = std::max(lower, pool_[logs_[at - 1].lower + s]);
        uint64_t& upper = pool_[logs_[by_end_[at]].upper + s];
        upper = std::max(upper, pool_[logs_[by_end_[at - 1]].upper + s]);
      }
    }
  }
}

uint32_t LinearCuts::FindSession(const faster::Guid& guid) const {
  const auto at =
      std::lower_bound(by_guid_.begin(), by_guid_.end(), guid,
                       [&](uint32_t s, const faster::Guid& g) { return history_->sessions[s] < g; });
  return at != by_guid_.end() && history_->sessions[*at] == guid ? *at : kNone;
}

uint32_t LinearCuts::FindLog(const faster::Token& token) const {
  for (uint32_t i = 0; i < logs_.size(); ++i)
    if (history_->checkpoints[logs_[i].event].token == token) return i;
  return kNone;
}

std::string LinearCuts::LogName(uint32_t log) const {
  return "checkpoint " + history_->checkpoints[logs_[log].event].token.Text();
}

// The newest checkpoint that was requested in the lineage that ends with `incarnation`.
uint32_t LinearCuts::Head(uint32_t incarnation) const {
  const Base& base = bases_[incarnation];
  return base.checkpoints > 0 ? base.first_checkpoint + base.checkpoints - 1 : base.checkpoint;
}

bool LinearCuts::DurableInLineage(uint32_t incarnation) const {
  for (uint32_t log = Head(incarnation); log != kNone; log = logs_[log].parent)
    if (logs_[log].durable) return true;
  return false;
}

bool LinearCuts::StartIncarnation(uint32_t incarnation) {
  Base& base = bases_[incarnation];
  if (incarnation == 0) base.serials = Allocate(0), base.excluded = AllocateSets();
  for (uint32_t i = 0; i < base.checkpoints; ++i)
    logs_[base.first_checkpoint + i].parent = i > 0 ? base.first_checkpoint + i - 1 : base.checkpoint;
  return CheckReports(incarnation) && CheckCallbacks(incarnation);
}

// Serials restart at t[s] + 1: nothing committed is done again, nothing lost is skipped.
bool LinearCuts::CheckSerialStart() {
  const uint32_t sessions = static_cast<uint32_t>(history_->sessions.size());
  first_serial_.assign(bases_.size() * sessions, kNever);
  for (const Operation& op : history_->operations) {
    uint64_t& first = first_serial_[op.incarnation * sessions + op.session];
    first = std::min(first, op.serial);
  }
  for (uint32_t i = 0; i < bases_.size(); ++i) {
    for (uint32_t s = 0; s < sessions; ++s) {
      const uint64_t first = first_serial_[i * sessions + s];
      if (first == kNever || first == pool_[bases_[i].serials + s] + 1) continue;
      return Fail(i == 0 ? Rule::kHistory : Rule::kR5,
                  "session " + std::to_string(s) + " begins incarnation " + std::to_string(i) +
                      " with serial " + std::to_string(first) + ", its commit point is " +
                      std::to_string(pool_[bases_[i].serials + s]));
    }
  }
  return true;
}

void LinearCuts::CollectCuts() {
  cuts_.clear();
  first_cut_.assign(1, 0);
  for (uint32_t i = 0; i < bases_.size(); ++i) {
    const Base& base = bases_[i];
    for (uint32_t c = 0; c < base.checkpoints; ++c) {
      const Log& log = logs_[base.first_checkpoint + c];
      if (log.state_recovery == kNone) continue;
      cuts_.push_back(Cut{log.state_recovery, base.first_checkpoint + c,
                          history_->checkpoints[log.event].requested,
                          &history_->recoveries[log.state_recovery].state, log.serials, log.excluded});
    }
    if (history_->quiesced && i + 1 == bases_.size())
      cuts_.push_back(Cut{kFinal, kNone, kNever, &history_->final_state, Allocate(kNever), AllocateSets()});
    first_cut_.push_back(static_cast<uint32_t>(cuts_.size()));
  }
}

}  // namespace faults
