// Finding: one execution worth keeping, as a folder that replays it.
//
//   scenario.json  what was done, and how to do it again: seed, policy, crash points, the expected hash
//   tape           the choices (faults/sched/tape.h)
//   history.jsonl  what the clients saw (faults/oracle/history_json.h)
//   verdict.json   rule, line, witness
//   story.txt      the execution as a text timeline; page.html: the same as a picture
//   replay.txt     the command that shows it again
// A tape belongs to one build of harness and subject; scenario.json outlives it.
#pragma once

#include <string>
#include <vector>

#include "experiments/crash/execution.h"
#include "faults/sched/tape.h"

namespace experiments {

struct RunForm {  // the "run" member of a stored scenario
  uint64_t seed = 0;
  std::string policy;  // "random:0.01", ...
  bool plain_points = true;
  bool spurious_cas = false;
  uint64_t hash = 0;     // 0: the process died before there was one
  uint64_t subject = 0;  // SubjectLibrary::identity()
  std::string subject_path;
  std::string rule;  // "" if the execution passed
  std::string what;
  std::string kind;  // of the checkpoint that was running at the crash
  std::string phase;
};

struct StoredExecution {
  Scenario scenario;
  RunForm run;
  faults::Tape tape;
  bool has_tape = false;
};

bool StoreExecution(const std::string& folder, const StoredExecution& stored, std::string* error);
// `path`: such a folder, its scenario.json, or a bare scenario (then run.seed is 0).
bool LoadExecution(const std::string& path, StoredExecution* stored, std::string* error);

// verdict.json and history.jsonl of an execution that ended.
bool StoreVerdict(const std::string& folder, const ExecutionResult& result, const faults::History& history,
                  std::string* error);

std::string CellText(const Cell& cell);  // "full/snapshot, InProgress"

}  // namespace experiments
