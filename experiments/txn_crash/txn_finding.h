// A stored execution of a transactional store, as a folder that replays it:
//   txn.json     the scenario, how it ran (seed, policy, expected hash) and the verdict
//   tape         the choices (faults/sched/tape.h)
//   story.txt    the verdict in words and the history in the order of time
//   replay.txt   the command that shows it again
// A tape belongs to one build of harness and subject; the scenario outlives it.
#pragma once

#include <string>

#include "experiments/txn_crash/txn_execution.h"
#include "faults/sched/tape.h"

namespace experiments {

struct TxnStored {
  TxnScenario scenario;
  uint64_t seed = 1;
  std::string policy;
  bool plain_points = true;
  bool spurious_cas = false;
  uint64_t hash = 0;     // 0: the process died before there was one
  uint64_t subject = 0;  // TxnLibrary::identity()
  std::string subject_path;
  std::string rule;  // "" if the execution passed
  std::string what;
  std::string phase;  // of the last crash
  faults::Tape tape;
  bool has_tape = false;
};

bool StoreTxn(const std::string& folder, const TxnStored& stored, const std::string& story,
              std::string* error);
// `path`: such a folder, its txn.json, or a bare scenario.
bool LoadTxn(const std::string& path, TxnStored* stored, std::string* error);
std::string TxnReplayCommand(const std::string& folder);

struct TxnReplayOptions {
  std::string path;
  std::string subject;  // "": the recorded one, else the one beside the program
  bool quiet = false;
};
// Exit status: 0 it passed, 1 a violation, 2 bad input, 3 not the same execution.
int ReplayTxn(const TxnReplayOptions& options);

std::string DefaultTxnSubjectPath();  // txn_subject.so beside this program

}  // namespace experiments
