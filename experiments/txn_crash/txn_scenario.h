// TxnScenario: what one crash execution of a transactional store does; how it happens is the tape's.
//
// LIVES of the store follow each other: the first starts empty, every later one begins with a recovery, which
// may itself be stopped a few times. In a life CLIENTS act side by side, each a list of transactions, one of
// them asking for commits. A crash ends each life but the last, which comes to rest and is read back. A
// transaction is a text, "r0 w3 u1": reads key 0, writes key 3 blindly, reads and writes key 1; "refresh" and
// "await-phase" are others. One that is
// refused (a lock, a CPR shift) is tried again, so often. Client c of a life is client c of every life.
//
// Plain values; the same seed draws the same scenario.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/crash/scenario.h"
#include "experiments/txn_crash/txn_subject.h"

namespace experiments {

struct TxnPlan {
  struct Use {
    uint64_t key;
    bool reads, writes;
  };
  std::vector<Use> uses;  // no transaction, if there is none: the client refreshes, or waits
  bool waits = false;     // until the commit is in another phase, or none will come
};
std::string TxnPlanText(const TxnPlan& plan);
bool ParseTxnPlan(const std::string& text, TxnPlan* plan);

struct TxnActor {
  std::vector<TxnPlan> plans;
  bool closes = true;  // when it is done; else it stays open and idle
};

// As CrashPoint, with the phases of a commit: kRowPrepare ...
constexpr int kTxnRows = 5;
constexpr const char* kTxnRowName[kTxnRows] = {"Rest-before", "Prepare", "InProgress", "WaitFlush",
                                               "Rest-after"};

struct TxnLife {
  std::vector<CrashPoint> recovery_crashes;  // kStart only
  std::vector<TxnActor> actors;
  std::vector<uint32_t> commits;  // each requested once so many transactions have begun in this life
  CrashPoint crash;               // phase: a row
};

struct TxnScenario {
  std::string name = "transactions";
  TxnSubjectConfig store;
  uint32_t tries = 3;  // of a transaction
  uint32_t sector_bytes = 512;
  bool sector_mix = false;
  uint32_t device_fibers = 2;
  std::string faults;  // a FaultPlan in force while clients work
  std::vector<TxnLife> lives;
};

// `schemes`: to draw from, not empty.
TxnScenario DrawTxnScenario(const std::vector<uint32_t>& schemes, uint64_t seed);

std::string TxnScenarioJson(const TxnScenario& scenario, int indent = 1);
// False: *error is one line with the path of the wrong value.
bool ParseTxnScenario(const std::string& json, TxnScenario* scenario, std::string* error);

}  // namespace experiments
