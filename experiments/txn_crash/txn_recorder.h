// TxnRecorder: turns what happens in an execution into a TxnHistory, places the crash, and says where in a
// commit the store is.
//
// Host code on the scheduler's OS thread. Times are a counter of its own. Memory is the host's. A request for
// a commit is one of the history; with WAL, what group commits report without a request are reports to
// clients.
#pragma once

#include <string>
#include <vector>

#include "experiments/txn_crash/txn_scenario.h"
#include "faults/oracle/txn_history.h"
#include "faults/sched/scheduler.h"

namespace experiments {

struct TxnCell {
  int8_t kind = 0;  // the scheme
  int8_t row = 0;   // of kTxnRowName
};

class TxnRecorder final : public TxnSubjectObserver {
 public:
  void Begin(faults::Scheduler* scheduler, const TxnScenario& scenario);
  void BeginLife(uint32_t life, const std::vector<uint64_t>& points);
  // The crash is armed when its anchor is met; *device_faults counts what the device did wrong so far.
  void BeginWork(const CrashPoint& crash, const uint64_t* device_faults);
  void EndWork();
  bool DeviceFailed();

  uint64_t Now() { return ++time_; }
  uint32_t Invoke(uint32_t client, uint64_t serial, const std::vector<TxnOperation>& operations);
  void Respond(uint32_t transaction, const TxnAnswer& answer, const std::vector<TxnOperation>& operations);
  void Requesting();
  void Requested(faster::Status status, uint64_t number);
  void Recovered(faults::TxnRecovery recovery, uint64_t number);
  void Unexpected(const char* rule, std::string what);

  // TxnSubjectObserver
  void OnPhase(const char* phase, uint64_t version) override;
  void OnCommit(uint64_t number, faster::Status status, const std::vector<TxnPoint>& points) override;

  faults::TxnHistory& history() { return history_; }
  TxnCell cell() const;
  int row() const { return row_; }
  uint32_t begun() const { return begun_; }  // transactions in this life
  const std::string& unexpected() const { return unexpected_; }
  const char* unexpected_rule() const { return unexpected_rule_; }
  const void* progress_channel() const { return &progress_; }
  void Notify() { scheduler_->Notify(&progress_); }
  uint32_t cells_seen() const { return cells_seen_; }  // bits, by row
  uint64_t commits() const { return commits_; }        // that became durable
  uint64_t shifts() const { return shifts_; }          // CPR aborts
  uint64_t Digest() const;                             // of all that clients saw

 private:
  void Arm(CrashPoint::Anchor anchor, uint32_t commit);
  void Enter(int row);

  faults::Scheduler* scheduler_ = nullptr;
  faults::TxnHistory history_;
  uint32_t scheme_ = 0;
  uint32_t life_ = 0;
  uint64_t time_ = 0;
  CrashPoint crash_;
  const uint64_t* device_faults_ = nullptr;
  uint64_t faults_before_ = 0;
  bool armed_ = true;
  bool working_ = false;
  int row_ = 0;
  uint32_t cells_seen_ = 0;
  uint32_t begun_ = 0;
  uint32_t requests_ = 0;          // accepted in this life
  uint32_t first_commit_ = 0;      // of this life, in history_.commits
  bool requesting_ = false;        // RequestCommit has not returned
  bool open_ = false;              // the last commit of the history has not ended
  uint64_t open_number_ = 0;       // its number, 0: not known yet
  std::vector<uint64_t> numbers_;  // of the commits of this life
  std::vector<uint64_t> durable_;  // by client, as told
  uint64_t commits_ = 0, shifts_ = 0;
  std::string unexpected_;
  const char* unexpected_rule_ = "";
  char progress_ = 0;
};

}  // namespace experiments
