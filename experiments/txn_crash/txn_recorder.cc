#include "experiments/txn_crash/txn_recorder.h"

#include <algorithm>
#include <cstring>

#include "faults/oracle/words.h"
#include "faults/sched/heap.h"

namespace experiments {
namespace {

using faster::Status;
using faults::HostHeap;
using faults::kNever;
using faults::TxnOutcome;
using Anchor = CrashPoint::Anchor;

constexpr int kRowWaitFlush = 3;
constexpr int kRowRestAfter = 4;
constexpr uint32_t kWal = 2;
const char g_phase_object = 0;  // what a phase change is a change of, for the trace hash

}  // namespace

void TxnRecorder::Begin(faults::Scheduler* scheduler, const TxnScenario& scenario) {
  scheduler_ = scheduler;
  history_ = {};
  history_.clients = static_cast<uint32_t>(scenario.lives[0].actors.size());
  history_.strict = true;  // locks are held until the end
  scheme_ = scenario.store.scheme;
  // A log holds what wrote; what only read is in it when a flush says so, and may come after what replaced
  // it.
  history_.reads_may_lag = scheme_ == kWal;
  time_ = commits_ = shifts_ = 0;
  cells_seen_ = 0;
  unexpected_.clear();
  BeginLife(0, std::vector<uint64_t>(history_.clients, 0));
}

void TxnRecorder::BeginLife(uint32_t life, const std::vector<uint64_t>& points) {
  const HostHeap host;
  life_ = life;
  crash_ = {};
  armed_ = true;
  working_ = false;
  device_faults_ = nullptr;
  row_ = 0;
  begun_ = requests_ = 0;
  first_commit_ = static_cast<uint32_t>(history_.commits.size());
  requesting_ = open_ = false;
  open_number_ = 0;
  numbers_.clear();
  durable_ = points;
}

void TxnRecorder::BeginWork(const CrashPoint& crash, const uint64_t* device_faults) {
  device_faults_ = device_faults;
  faults_before_ = *device_faults;
  crash_ = crash;
  armed_ = false;
  working_ = true;
  Enter(row_);
  if (crash.anchor == Anchor::kStart) Arm(Anchor::kStart, crash.checkpoint);
}

void TxnRecorder::EndWork() {
  static_cast<void>(DeviceFailed());
  armed_ = true;
  working_ = false;
}

bool TxnRecorder::DeviceFailed() {
  if (device_faults_ != nullptr && *device_faults_ != faults_before_) history_.faults_injected = true;
  return history_.faults_injected;
}

void TxnRecorder::Arm(Anchor anchor, uint32_t commit) {
  if (armed_ || crash_.anchor != anchor || crash_.checkpoint != commit) return;
  armed_ = true;
  if (crash_.events)
    scheduler_->SetCrash(kNever, scheduler_->events() + crash_.delay);
  else
    scheduler_->SetCrash(scheduler_->step() + 1 + crash_.delay, kNever);
}

void TxnRecorder::Enter(int row) {
  row_ = row;
  cells_seen_ |= 1u << row;
  if (row > 0 && row < kRowRestAfter && crash_.anchor == Anchor::kPhase &&
      static_cast<uint32_t>(row) == crash_.phase && requests_ > 0)
    Arm(Anchor::kPhase, requests_ - 1);
}

TxnCell TxnRecorder::cell() const { return {static_cast<int8_t>(scheme_), static_cast<int8_t>(row_)}; }

uint32_t TxnRecorder::Invoke(uint32_t client, uint64_t serial, const std::vector<TxnOperation>& operations) {
  const HostHeap host;
  faults::Transaction transaction;
  transaction.client = client;
  transaction.incarnation = life_;
  transaction.serial = serial;
  transaction.invoked = Now();
  for (const TxnOperation& operation : operations)
    transaction.accesses.push_back(
        {operation.key, operation.reads, operation.writes, 0, operation.written, 0});
  history_.transactions.push_back(std::move(transaction));
  ++begun_;
  Notify();
  return static_cast<uint32_t>(history_.transactions.size()) - 1;
}

void TxnRecorder::Respond(uint32_t index, const TxnAnswer& answer,
                          const std::vector<TxnOperation>& operations) {
  faults::Transaction& transaction = history_.transactions[index];
  transaction.responded = Now();
  if (answer.torn) {
    Unexpected("R2", TxnName(transaction) + " met a value that does not hold together");
  }
  if (answer.end == TxnAnswer::End::kCommitted) {
    transaction.outcome = TxnOutcome::kCommitted;
    transaction.serial = answer.serial;
    for (size_t i = 0; i < operations.size(); ++i)
      if (operations[i].reads) transaction.accesses[i].read = operations[i].read;
    return;
  }
  transaction.outcome = TxnOutcome::kAborted;
  transaction.serial = 0;
  shifts_ += answer.end == TxnAnswer::End::kShift ? 1 : 0;
  if (answer.end == TxnAnswer::End::kFailed && !DeviceFailed())
    Unexpected("R0", "a transaction ended with " + std::string(faster::StatusName(answer.status)) +
                         " though no fault was injected");
}

void TxnRecorder::Requesting() {
  const HostHeap host;
  history_.commits.push_back({life_, Now(), kNever, Status::kPending, {}});
  requesting_ = open_ = true;
  open_number_ = 0;
  ++requests_;
  Arm(Anchor::kRequest, requests_ - 1);
  if (scheme_ == kWal) Enter(kRowWaitFlush);
  Notify();
}

void TxnRecorder::Requested(Status status, uint64_t number) {
  const HostHeap host;
  requesting_ = false;
  if (status == Status::kOk) {
    numbers_.push_back(number);
    open_number_ = number;
    return;
  }
  Unexpected("R0", "a request for a commit was answered with " + std::string(faster::StatusName(status)));
}

// The commit that was requested: the one that is open (CPR and CALC have one at a time), or the group commit
// that it was promised.
void TxnRecorder::OnCommit(uint64_t number, Status status, const std::vector<TxnPoint>& points) {
  const HostHeap host;
  const uint64_t now = Now();
  if (status == Status::kOk) {
    for (const TxnPoint& point : points) {
      if (point.client >= history_.clients) {
        Unexpected("R1", "a commit names a client that there is not");
        continue;
      }
      if (scheme_ == kWal)
        history_.reports.push_back({static_cast<uint32_t>(point.client), life_, point.serial, Now()});
      durable_[point.client] = point.serial;
    }
  }
  const bool requested = open_ && (scheme_ != kWal || (open_number_ != 0 && number >= open_number_));
  if (!requested) return;
  open_ = false;
  faults::TxnCommit& commit = history_.commits.back();
  commit.callback = scheme_ == kWal ? Now() : now;
  commit.status = status;
  if (status == Status::kOk) {
    commit.points = durable_;
    ++commits_;
  } else {
    static_cast<void>(DeviceFailed());
  }
  Enter(kRowRestAfter);
  if (status == Status::kOk) Arm(Anchor::kDurable, requests_ - 1);
  Notify();
}

void TxnRecorder::OnPhase(const char* name, uint64_t version) {
  if (!working_) return;
  int row = std::strcmp(name, "Rest") == 0 ? kRowRestAfter : -1;
  for (int i = 1; i < kRowRestAfter; ++i)
    if (std::strcmp(name, kTxnRowName[i]) == 0) row = i;
  if (row < 0) return Unexpected("history", std::string("a phase that does not exist: ") + name);
  if (row != kRowRestAfter) Enter(row);  // the end is what OnCommit says
  Notify();
  if (scheduler_->current_fiber() >= 0)
    scheduler_->Point(faults::PointKind::kPhase, &g_phase_object, static_cast<uint64_t>(row));
}

void TxnRecorder::Recovered(faults::TxnRecovery recovery, uint64_t number) {
  if (scheme_ != kWal) {
    for (uint32_t i = 0; i < numbers_.size(); ++i)
      if (numbers_[i] == number) recovery.commit = first_commit_ + i;
    // Its request had not returned when everything stopped, so nobody heard its number.
    const uint64_t known = numbers_.empty() ? 0 : numbers_.back();
    if (requesting_ && number > known && recovery.commit == faults::kNoCommit && recovery.points != durable_)
      recovery.commit = static_cast<uint32_t>(history_.commits.size()) - 1;
  }
  recovery.time = Now();
  history_.recoveries.push_back(std::move(recovery));
}

void TxnRecorder::Unexpected(const char* rule, std::string what) {
  const HostHeap host;
  if (!unexpected_.empty()) return;
  unexpected_.assign(what.data(), what.size());
  unexpected_rule_ = rule;
}

uint64_t TxnRecorder::Digest() const {
  uint64_t digest = 1;
  const auto mix = [&](uint64_t word) { digest = faults::RmwWord(digest, word); };
  for (const faults::Transaction& transaction : history_.transactions) {
    mix(transaction.client << 8 | static_cast<uint64_t>(transaction.outcome));
    mix(transaction.serial);
    mix(transaction.responded);
    for (const faults::TxnAccess& access : transaction.accesses) mix(access.read);
  }
  for (const faults::TxnRecovery& recovery : history_.recoveries) {
    for (const uint64_t point : recovery.points) mix(point);
    for (const auto& [key, word] : recovery.state) mix(key ^ word);
  }
  for (const auto& [key, word] : history_.final_state) mix(key ^ word);
  return digest;
}

}  // namespace experiments
