// WorkerRun: what a worker does around each execution, whoever decides what it is: says what it is doing, in
// memory that its parent reads when it dies; records the tape; counts; stores what violates a property; and
// runs some executions twice, as the same choices have to give the same execution. One per process.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "experiments/crash/worker.h"

namespace experiments {

class WorkerRun {
 public:
  WorkerRun(const CampaignPlan& plan, const SubjectLibrary& library, Shared* shared, int number)
      : plan_(plan), library_(library), shared_(shared), me_(&shared->workers[number]) {}

  bool Open(int number);  // false: the harness cannot run here, and that is said
  bool going() const;     // neither the deadline nor the end of the campaign has come
  // Of the next executions.
  bool double_run = false, record = false;
  // Null: the harness cannot be trusted, and that is said. Else valid until the next call.
  const ExecutionResult* Perform(const Scenario& scenario, How how, const std::string& policy_name);

  Worker* me() { return me_; }
  const faults::TapeEntry* tape() { return tape_.entries(); }  // of the last execution
  size_t tape_entries() const { return tape_used_; }
  int Distrust(const std::string& why);  // 3

 private:
  void Count(const ExecutionResult& result);
  faults::TapeHeader Header(const How& how) const;
  bool SameAgain(How how, uint64_t hash);
  void Store(const std::string& folder, const How& how, const ExecutionResult& result);

  const CampaignPlan& plan_;
  const SubjectLibrary& library_;
  Shared* const shared_;
  Worker* const me_;
  std::unique_ptr<faults::Scheduler> scheduler_;
  std::unique_ptr<Execution> execution_;
  faults::MappedTape tape_;
  size_t tape_used_ = 0;
  std::vector<faults::TapeEntry> entries_;
  const Scenario* scenario_ = nullptr;  // of the execution at hand
  std::string policy_name_;
};

}  // namespace experiments
