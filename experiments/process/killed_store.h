// KilledStore: one store whose process is killed again and again, and what must be true of it each time.
//
// Kill() forks a child that opens the store on a SharedStorage (first a new one, later what the last kill
// left), runs the workload on real threads with checkpoints, and dies by SIGKILL: some time into the run, or
// while its observer holds it in a chosen phase. The parent then decides what of the unsynced sectors
// survives, a second child recovers with PosixStorage and reads every key, and the parent judges:
//   R0  recovery succeeds; the run does not end, and does not get stuck, by itself
//   R1  what was reported durable is there; commit points lie between what was issued when the checkpoint was
//       requested and what was issued at the kill, and never fall back
//   R4  every key holds what its sessions' committed operations make it (workloads/ycsb/expectation.h)
// Sessions are continued at their commit points, so an operation lost or done twice by the next incarnation
// shows too (R5). The parent must be single-threaded: it forks. After a violation the store is not to be
// killed again.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "experiments/common/storage_choice.h"
#include "faults/device/shared_storage.h"
#include "workloads/ycsb/checkpoint_log.h"
#include "workloads/ycsb/expectation.h"
#include "workloads/ycsb/journal.h"
#include "workloads/ycsb/spec.h"

namespace experiments::process {

struct StoreOptions {
  std::string root;  // a folder of its own; root.objects is used too
  workloads::ycsb::WorkloadSpec spec;
  faster::StoreConfig config;         // seed is replaced for every opening
  faster::StoreConfig verify_config;  // geometry with which it is recovered and read
  StorageChoice storage;              // below the shared one, and of the recovery
  bool cold = false;                  // with a cold store below it (values of 8 or 256 bytes)
  bool load = false;                  // load the records and take a checkpoint before the run
  uint64_t journal_bytes = uint64_t{64} << 20;
  uint64_t seed = 1;
};

struct KillPlan {
  std::vector<workloads::ycsb::CheckpointChoice> checkpoints;  // taken in turn
  double checkpoint_every = 0.01;                              // seconds
  std::optional<workloads::ycsb::HoldRequest> hold;            // checkpoint numbers count from the run phase
  double kill_after = 0;  // seconds after the run began, or after the hold did
  faults::CrashMode survive = faults::CrashMode::kRandom;
  bool verify = true;  // else only the commit points are checked, not the keys
  const std::atomic<bool>* interrupted = nullptr;
};

struct KillReport {
  bool interrupted = false;
  std::string trouble;  // the harness could not do its work; nothing else is valid then
  std::string rule;     // "" if nothing was violated
  std::string what;     // one line
  // Where it was killed.
  faster::Phase phase = faster::Phase::kRest;
  workloads::ycsb::CheckpointChoice choice;  // of the running checkpoint, the last or the first one
  bool after_checkpoint = false;             // some checkpoint of this life had ended
  uint64_t checkpoints_completed = 0;
  faults::CrashReport crash;
  // What came back.
  bool recovered = false;
  faster::Token token;
  bool own = false;      // a checkpoint of the killed process
  bool split = false;    // a session with operations of the killed process both committed and lost
  bool pending = false;  // operations were pending when the checkpoint was requested
  uint64_t records_undone = 0;
  uint64_t committed = 0, lost = 0;  // operations of the killed process, over all sessions
  uint64_t keys_verified = 0;
  uint64_t mismatches = 0;
  std::vector<std::string> witnesses;  // some of the mismatches
  std::vector<std::string> sessions;   // what became of each, for a person
  double run_seconds = 0, recover_seconds = 0;
  bool violation() const { return !rule.empty(); }
};

class KilledStore {
 public:
  static std::unique_ptr<KilledStore> Make(const StoreOptions& options, std::string* error);
  ~KilledStore();
  KilledStore(const KilledStore&) = delete;
  KilledStore& operator=(const KilledStore&) = delete;

  KillReport Kill(const KillPlan& plan);
  void RemoveFiles();
  const StoreOptions& options() const { return options_; }

 private:
  struct Recovered;  // what the recovering child says

  KilledStore() = default;
  bool MapRunJournal(std::string* error);
  [[noreturn]] void RunChild(const KillPlan& plan);
  std::string RunUntilKilled(const KillPlan& plan);  // returns why it was not
  void KillChild(const KillPlan& plan, KillReport* report);
  void DescribeKill(const KillPlan& plan, KillReport* report) const;
  [[noreturn]] void RecoverChild(bool verify, int out);
  void RecoverAndRead(bool verify, Recovered* recovered);
  void Recover(const KillPlan& plan, KillReport* report, Recovered* recovered);
  void Judge(const Recovered& recovered, KillReport* report);
  std::string JudgeToken(const Recovered& recovered, KillReport* report) const;
  std::string JudgeCommits(const std::vector<uint64_t>& commits, KillReport* report) const;
  bool AnyDurable() const;
  void Adopt(const Recovered& recovered, const std::vector<uint64_t>& commits);
  void StartOver();
  std::vector<uint64_t> CommitsOf(const Recovered& recovered, std::string* missing) const;
  std::vector<uint64_t> ExcludedOf(const Recovered& recovered, uint32_t session) const;
  std::string JudgeExclusions(const Recovered& recovered) const;
  std::vector<uint64_t> PendedOf(uint32_t session) const;

  StoreOptions options_;
  std::unique_ptr<faults::SharedJournal> disk_;
  workloads::ycsb::RunJournal* run_ = nullptr;  // shared with the child
  std::unique_ptr<workloads::ycsb::Expectation> expectation_;
  // What the last recovery that returned handed out.
  bool exists_ = false;  // a checkpoint is there
  faster::Token token_;
  std::vector<faster::SessionCommit> sessions_;
  uint32_t incarnation_ = 0;
  uint64_t openings_ = 0;
};

}  // namespace experiments::process
