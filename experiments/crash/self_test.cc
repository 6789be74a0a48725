#include "experiments/crash/self_test.h"

#include "faults/device/self_test.h"
#include "faults/oracle/judge.h"
#include "faults/sched/self_test.h"

namespace experiments {
namespace {

using faults::History;
using faults::Rule;

// One session: an upsert that a checkpoint commits, one that it does not; a crash; a recovery that is right.
History RightHistory() {
  History history;
  const faster::Guid session{1, 1};
  const faster::Token token{2, 2};
  history.sessions = {session};
  history.session_opened = {1};
  faults::Operation first;
  first.serial = 1;
  first.type = faults::OpType::kUpsert;
  first.key = 7;
  first.operand = 100;
  first.outcome = faults::OpOutcome::kOk;
  first.invoked = 2;
  first.responded = 3;
  faults::Operation second = first;
  second.serial = 2;
  second.operand = 200;
  second.invoked = 6;
  second.responded = 7;
  history.operations = {first, second};
  faults::CheckpointEvent checkpoint;
  checkpoint.token = token;
  checkpoint.kind = faster::CheckpointKind::kLogOnly;
  checkpoint.requested = 4;
  checkpoint.callback = 8;
  checkpoint.status = faster::Status::kOk;
  checkpoint.reported = {{session, 1}};
  history.checkpoints = {checkpoint};
  faults::Recovery recovery;
  recovery.log_token = token;
  recovery.commits = {{session, 1}};
  recovery.state = {{7, 100}};
  recovery.scanned = recovery.state;
  recovery.has_scan = true;
  recovery.time = 10;
  history.recoveries = {recovery};
  return history;
}

struct Wrong {
  const char* what;
  void (*spoil)(History* history);
};

constexpr Wrong kWrong[] = {
    {"a recovery that refuses", [](History* h) { h->recoveries[0].status = faster::Status::kCorruption; }},
    {"a commit point that was not reported", [](History* h) { h->recoveries[0].commits[0].serial = 0; }},
    {"a lost committed update", [](History* h) { h->recoveries[0].state.clear(); }},
    {"a lost update that came back", [](History* h) { h->recoveries[0].state[0].second = 200; }},
    {"a word that nobody wrote", [](History* h) { h->recoveries[0].state[0].second = 300; }},
    {"a log scan that finds something else", [](History* h) { h->recoveries[0].scanned.clear(); }},
};

bool JudgeSelfTest(std::string* why) {
  faults::Judge judge;
  const faults::Verdict right = judge.Check(RightHistory());
  if (!right.ok || right.undecided) {
    *why = "the checkers reject a history that is right: " + right.what;
    return false;
  }
  for (const Wrong& wrong : kWrong) {
    History history = RightHistory();
    wrong.spoil(&history);
    const faults::Verdict verdict = judge.Check(history);
    if (!verdict.ok && verdict.rule != Rule::kDisagree) continue;
    *why = std::string("the checkers ") + (verdict.ok ? "pass " : "disagree about ") + wrong.what;
    return false;
  }
  return true;
}

}  // namespace

bool HarnessSelfTest(std::string* why) {
  std::string device;
  if (!faults::DeviceSelfTest(&device)) {
    *why = "the storage model does not do what it claims: " + device;
    return false;
  }
  std::string scheduler;
  if (!faults::SchedulerSelfTest(&scheduler)) {
    *why = "the scheduler does not do what it claims: " + scheduler;
    return false;
  }
  return JudgeSelfTest(why);
}

}  // namespace experiments
