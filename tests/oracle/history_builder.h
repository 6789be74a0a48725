// HistoryBuilder: histories by hand, one line per event. Times are given; serials are counted.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "faults/oracle/history.h"
#include "faults/oracle/words.h"

namespace faults_test {

using faults::kNever;

class HistoryBuilder {
 public:
  faults::History history;

  explicit HistoryBuilder(uint32_t sessions) {
    for (uint32_t s = 0; s < sessions; ++s) Session(1);
  }
  uint32_t Session(uint64_t opened) {
    history.sessions.push_back(faster::Guid{7, history.sessions.size() + 1});
    history.session_opened.push_back(opened);
    return static_cast<uint32_t>(history.sessions.size() - 1);
  }

  // `responded` kNever: no response before the crash.
  uint32_t Put(uint32_t s, uint64_t key, uint64_t word, uint64_t invoked, uint64_t responded) {
    return Add(s, faults::OpType::kUpsert, key, word, 0, invoked, responded);
  }
  // An RMW that found `from` (0: nothing).
  uint32_t Rmw(uint32_t s, uint64_t key, uint64_t operand, uint64_t from, uint64_t invoked,
               uint64_t responded) {
    return Add(s, faults::OpType::kRmw, key, operand, faults::RmwWord(from, operand), invoked, responded);
  }
  // `word` 0: found nothing.
  uint32_t Get(uint32_t s, uint64_t key, uint64_t word, uint64_t invoked, uint64_t responded) {
    const uint32_t op = Add(s, faults::OpType::kRead, key, 0, word, invoked, responded);
    if (word == 0 && responded != kNever) history.operations[op].outcome = faults::OpOutcome::kFail;
    return op;
  }
  uint32_t Delete(uint32_t s, uint64_t key, uint64_t invoked, uint64_t responded, bool found = true) {
    const uint32_t op = Add(s, faults::OpType::kDelete, key, 0, 0, invoked, responded);
    if (!found && responded != kNever) history.operations[op].outcome = faults::OpOutcome::kFail;
    return op;
  }
  // `there` 0: it was inserted; else it was refused because of that word.
  uint32_t Insert(uint32_t s, uint64_t key, uint64_t word, uint64_t there, uint64_t invoked,
                  uint64_t responded) {
    const uint32_t op = Add(s, faults::OpType::kInsert, key, word, there, invoked, responded);
    if (there != 0 && responded != kNever) history.operations[op].outcome = faults::OpOutcome::kFail;
    return op;
  }
  uint32_t Truncate(uint32_t s, uint64_t mark, uint64_t invoked, uint64_t responded) {
    const uint32_t op = Add(s, faults::OpType::kTruncate, 0, 0, 0, invoked, responded);
    history.operations[op].mark = mark;
    return op;
  }

  // Commit points by session index; a negative one leaves the session out. callback kNever: none came.
  faster::Token Checkpoint(uint64_t requested, uint64_t callback, std::vector<int64_t> points,
                           faster::Status status = faster::Status::kOk) {
    faults::CheckpointEvent event;
    event.incarnation = incarnation_;
    event.token = faster::Guid{9, history.checkpoints.size() + 1};
    event.requested = requested;
    event.callback = callback;
    if (callback != kNever) event.status = status;
    if (callback != kNever && status == faster::Status::kOk) event.reported = Commits(points);
    history.checkpoints.push_back(event);
    return event.token;
  }
  faults::Recovery& Recover(uint64_t time, faster::Token token, std::vector<int64_t> points,
                            std::vector<std::pair<uint64_t, uint64_t>> state) {
    faults::Recovery recovery;
    recovery.incarnation = incarnation_++;
    recovery.log_token = token;
    if (token.IsNull()) recovery.status = faster::Status::kNotFound;
    recovery.commits = Commits(points);
    recovery.state = std::move(state);
    recovery.time = time;
    next_.clear();
    for (size_t s = 0; s < points.size(); ++s) next_[s] = points[s] < 0 ? 0 : points[s];
    history.recoveries.push_back(recovery);
    return history.recoveries.back();
  }
  void Told(uint32_t session, faster::Token token, uint64_t serial, uint64_t time) {
    history.reports.push_back(faults::SessionReport{session, incarnation_, token, serial, time});
  }
  void End(std::vector<std::pair<uint64_t, uint64_t>> state) {
    history.quiesced = true;
    history.final_state = std::move(state);
  }

 private:
  uint32_t Add(uint32_t s, faults::OpType type, uint64_t key, uint64_t operand, uint64_t result,
               uint64_t invoked, uint64_t responded) {
    faults::Operation op;
    op.session = s;
    op.incarnation = incarnation_;
    op.serial = ++next_[s];
    op.type = type;
    op.key = key;
    op.operand = operand;
    op.invoked = invoked;
    op.responded = responded;
    op.outcome = responded == kNever ? faults::OpOutcome::kUnknown : faults::OpOutcome::kOk;
    op.result = responded == kNever ? 0 : result;
    history.operations.push_back(op);
    return static_cast<uint32_t>(history.operations.size() - 1);
  }
  std::vector<faster::SessionCommit> Commits(const std::vector<int64_t>& points) const {
    std::vector<faster::SessionCommit> commits;
    for (size_t s = 0; s < points.size(); ++s)
      if (points[s] >= 0) commits.push_back({history.sessions[s], static_cast<uint64_t>(points[s])});
    return commits;
  }

  uint32_t incarnation_ = 0;
  std::map<size_t, uint64_t> next_;
};

}  // namespace faults_test
