#include "experiments/process/killed_store.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>

#include "experiments/common/dice.h"
#include "experiments/common/progress.h"
#include "experiments/common/results.h"
#include "experiments/process/child.h"
#include "experiments/process/recovered.h"
#include "workloads/ycsb/driver.h"

namespace experiments::process {
namespace {

using faster::SessionCommit;
using faster::Status;
using workloads::ycsb::CheckpointJournal;
using workloads::ycsb::Expectation;
using workloads::ycsb::RunJournal;

constexpr double kStuckSeconds = 60;  // a hold that is not reached by then never is

bool HasLog(const CheckpointJournal& checkpoint) {
  return static_cast<faster::CheckpointKind>(checkpoint.kind.load()) != faster::CheckpointKind::kIndexOnly;
}

std::unique_ptr<workloads::ycsb::Engine> MakeEngine(const StoreOptions& options) {
  using workloads::ycsb::Engine;
  return options.cold ? Engine::MakeF2(options.spec.stored_bytes)
                      : Engine::Make(options.spec.stored_bytes, options.spec.value_lengths);
}

uint32_t Requested(const RunJournal& run) {
  return std::min(run.checkpoints.load(), workloads::ycsb::kJournalCheckpoints);
}

}  // namespace

std::unique_ptr<KilledStore> KilledStore::Make(const StoreOptions& options, std::string* error) {
  std::unique_ptr<KilledStore> store(new KilledStore);
  store->options_ = options;
  faults::SharedJournalOptions disk;
  disk.bytes = options.journal_bytes;
  disk.name_bytes = uint64_t{4} << 20;
  disk.max_files = 1 << 14;
  store->disk_ = faults::SharedJournal::Create(disk, error);
  if (store->disk_ == nullptr) return nullptr;
  store->RemoveFiles();
  if (!MakeFolder(options.root, error)) return nullptr;
  store->StartOver();
  return store;
}

KilledStore::~KilledStore() {
  if (run_ != nullptr) munmap(run_, sizeof(RunJournal));
}

void KilledStore::RemoveFiles() {
  std::error_code ignored;
  std::filesystem::remove_all(options_.root, ignored);
  std::filesystem::remove_all(options_.root + ".objects", ignored);
}

void KilledStore::StartOver() {
  expectation_ = std::make_unique<Expectation>(options_.spec, options_.spec.threads, options_.load);
  exists_ = false;
  sessions_.clear();
}

// A new mapping for each child: zero pages that nobody has touched cost nothing.
bool KilledStore::MapRunJournal(std::string* error) {
  if (run_ != nullptr) munmap(run_, sizeof(RunJournal));
  run_ = nullptr;
  void* memory = mmap(nullptr, sizeof(RunJournal), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    *error = std::string("no memory to share with a child: ") + std::strerror(errno);
    return false;
  }
  run_ = static_cast<RunJournal*>(memory);  // all of its members are right when they are zero
  return true;
}

KillReport KilledStore::Kill(const KillPlan& plan) {
  KillReport report;
  if (!MapRunJournal(&report.trouble)) return report;
  disk_->Restart();
  ++openings_;
  const double start = MonotonicSeconds();
  KillChild(plan, &report);
  report.run_seconds = MonotonicSeconds() - start;
  if (!report.trouble.empty() || report.interrupted) return report;
  DescribeKill(plan, &report);
  if (disk_->overflowed()) {
    report.trouble =
        "the journal of unsynced writes ran full: the store writes more between syncs than it holds";
    return report;
  }
  faults::CrashOptions crash;
  crash.mode = plan.survive;
  crash.seed = MixSeed(options_.seed, openings_);
  std::string error;
  if (faults::ApplyCrash(options_.root, *disk_, crash, &report.crash, &error) != Status::kOk) {
    report.trouble = "cannot apply the crash: " + error;
    return report;
  }
  if (report.violation()) return report;  // it ended by itself
  const double killed = MonotonicSeconds();
  Recovered recovered;
  Recover(plan, &report, &recovered);
  report.recover_seconds = MonotonicSeconds() - killed;
  if (report.trouble.empty() && !report.violation() && !report.interrupted) Judge(recovered, &report);
  return report;
}

void KilledStore::KillChild(const KillPlan& plan, KillReport* report) {
  Child child;
  if (!child.Fork(&report->trouble)) return;
  if (child.is_child()) RunChild(plan);
  const double start = MonotonicSeconds();
  const std::atomic<uint32_t>& awaited = plan.hold ? run_->held : run_->running;
  const auto stop_waiting = [&] { return plan.interrupted != nullptr && plan.interrupted->load(); };
  while (awaited.load() == 0 && !child.Ended() && MonotonicSeconds() - start < kStuckSeconds &&
         !stop_waiting()) {
    usleep(50);
  }
  const bool reached = awaited.load() != 0;
  if (reached) child.Sleep(plan.kill_after, stop_waiting);
  report->interrupted = stop_waiting();
  child.Kill();
  if (report->interrupted) return;
  if (!child.killed_by_us()) {
    report->rule = "R0";
    report->what =
        "the run ended by itself: " + (run_->failed.load() != 0 ? std::string(run_->error) : child.EndText());
  } else if (!reached) {
    report->rule = "stuck";
    report->what = plan.hold ? "no checkpoint reached " + std::string(PhaseName(plan.hold->phase)) + " in " +
                                   std::to_string(static_cast<int>(kStuckSeconds)) + " s"
                             : "the store was not loaded in time";
  }
}

void KilledStore::RunChild(const KillPlan& plan) {
  const std::string why = RunUntilKilled(plan);
  std::strncpy(run_->error, why.c_str(), sizeof run_->error - 1);
  run_->failed.store(1);
  _exit(1);
}

std::string KilledStore::RunUntilKilled(const KillPlan& plan) {
  using namespace workloads::ycsb;
  StorageChoice below = options_.storage;
  below.read_limit = below.write_limit = 0;  // what is saved for the parent is not to be counted
  below.no_sync = false;
  faults::SharedStorage shared(
      options_.root, disk_.get(), {},
      below.name == "posix" ? nullptr : MakeStorage(below, options_.root + ".objects"));
  if (shared.start_status() != Status::kOk)
    return "the storage: " + std::string(StatusName(shared.start_status()));
  const std::unique_ptr<faster::Storage> limited = MakeLimits(options_.storage, &shared);
  faster::Storage* const storage = limited != nullptr ? limited.get() : &shared;
  const bool load = options_.load && !exists_;
  std::optional<HoldRequest> hold = plan.hold;
  if (hold && load) ++hold->checkpoint;  // the one after loading comes first
  CheckpointLog log(run_, hold);
  const std::unique_ptr<Engine> engine = MakeEngine(options_);
  faster::StoreConfig config = options_.config;
  config.seed = MixSeed(options_.seed, 2 * openings_);
  faster::Diagnosis why;
  faster::RecoveryResult result;
  const Status status = exists_ ? engine->Recover(config, storage, &log, &result, &why)
                                : engine->Create(config, storage, &log, &why);
  if (status != Status::kOk)
    return std::string("cannot open: ") + std::string(StatusName(status)) + ": " + why.Text();
  DriverOptions settings;
  settings.checkpoint_every = plan.checkpoint_every;
  settings.checkpoints = plan.checkpoints;
  settings.journal = run_;
  settings.incarnation = incarnation_;
  settings.resume = sessions_;
  Driver driver(options_.spec, engine.get(), &log, settings);
  driver.Prepare();
  std::string error;
  PhaseResult phase;
  if (load) {
    if (!driver.Load(&phase, &error)) return error;
    const Status base = driver.CheckpointAndWait({});
    if (base != Status::kOk) return "the checkpoint after loading failed: " + std::string(StatusName(base));
  }
  PhaseResult ran;
  if (!driver.Run(&ran, &error)) return error;
  return "all operations were done before the kill";
}

void KilledStore::DescribeKill(const KillPlan& plan, KillReport* report) const {
  report->phase = static_cast<faster::Phase>(run_->phase.load());
  report->checkpoints_completed = run_->ended.load();
  const uint32_t base =
      options_.load && !exists_ ? 1 : 0;  // the checkpoint after loading is not one of the plan
  report->after_checkpoint = report->checkpoints_completed > base;
  report->choice = plan.checkpoints.front();
  if (Requested(*run_) <= base) return;
  const CheckpointJournal& last = run_->checkpoint[Requested(*run_) - 1];
  report->choice = {static_cast<faster::CheckpointKind>(last.kind.load()),
                    static_cast<faster::LogBackend>(last.backend.load())};
}

void KilledStore::Recover(const KillPlan& plan, KillReport* report, Recovered* recovered) {
  int ends[2];
  if (pipe(ends) != 0) {
    report->trouble = std::string("no pipe: ") + std::strerror(errno);
    return;
  }
  Child child;
  const bool forked = child.Fork(&report->trouble);
  if (forked && child.is_child()) {
    close(ends[0]);
    RecoverChild(plan.verify, ends[1]);
  }
  close(ends[1]);
  std::string text;
  const auto stop = [&] { return plan.interrupted != nullptr && plan.interrupted->load(); };
  const bool complete = forked && child.ReadAll(ends[0], 2 * kStuckSeconds, stop, &text);
  close(ends[0]);
  if (!forked) return;
  report->interrupted = stop();
  if (!complete) child.Kill();
  if (report->interrupted) return;
  if (complete) child.Wait();
  if (complete && recovered->Parse(text)) return;
  report->rule = complete ? "R0" : "stuck";
  report->what =
      complete ? "the recovering process ended by itself: " + child.EndText() : "recovery does not end";
}

void KilledStore::RecoverChild(bool verify, int out) {
  Recovered recovered;
  RecoverAndRead(verify, &recovered);
  _exit(recovered.Send(out) ? 0 : 1);
}

void KilledStore::RecoverAndRead(bool verify, Recovered* recovered) {
  using namespace workloads::ycsb;
  // The process ends with _exit: storage, store and session are not closed, which would only take time.
  faster::Storage* const storage = MakeStorage(options_.storage, options_.root).release();
  Engine* const engine = MakeEngine(options_).release();
  faster::StoreConfig config = options_.verify_config;
  config.seed = MixSeed(options_.seed, 2 * openings_ + 1);
  faster::Diagnosis why;
  recovered->status = engine->Recover(config, storage, nullptr, &recovered->result, &why);
  if (recovered->status != Status::kOk && !why.expected.empty()) recovered->why = why.Text();
  if (recovered->status != Status::kOk || !verify) return;
  std::string missing;
  const std::vector<uint64_t> commits = CommitsOf(*recovered, &missing);
  for (uint32_t i = 0; i < commits.size(); ++i) {
    const uint64_t before = i < sessions_.size() ? sessions_[i].serial : 0;
    // A commit point beyond what was issued is for JudgeCommits to tell.
    const uint64_t to = std::min(commits[i], run_->session[i].issued.load());
    if (to > before)
      expectation_->Commit(i, incarnation_, before, to, PendedOf(i), ExcludedOf(*recovered, i));
  }
  Client* const client = engine->Start().release();
  client->ReadRecords(options_.spec.insert_start, options_.spec.insert_count, options_.spec.hashed_keys,
                      [&](uint64_t record, Status status, uint64_t word, bool whole) {
                        Mismatch mismatch;
                        ++recovered->keys;
                        if (expectation_->Check(record, status, word, whole, &mismatch)) return;
                        ++recovered->mismatches;
                        if (recovered->witnesses.size() >= 5) return;
                        recovered->witnesses.push_back("record " + std::to_string(mismatch.record) +
                                                       ": expected " + mismatch.expected + "; found " +
                                                       mismatch.found);
                      });
}

// Commit points in the order of the sessions of the run; 0 for a session that the checkpoint does not know.
std::vector<uint64_t> KilledStore::CommitsOf(const Recovered& recovered, std::string* missing) const {
  std::vector<uint64_t> commits;
  for (uint32_t i = 0; i < run_->sessions.load(); ++i) {
    const faster::Guid id = run_->session[i].id();
    const auto& all = recovered.result.sessions;
    const auto at =
        std::find_if(all.begin(), all.end(), [&](const SessionCommit& one) { return one.session == id; });
    if (at == all.end()) *missing = id.Text();
    commits.push_back(at == all.end() ? 0 : at->serial);
  }
  return commits;
}

// Serials that the recovered checkpoint leaves out though they are within the session's commit point. They
// are not issued again: what they would have done is in no later state either.
std::vector<uint64_t> KilledStore::ExcludedOf(const Recovered& recovered, uint32_t session) const {
  const faster::Guid id = run_->session[session].id();
  for (const SessionCommit& one : recovered.result.sessions) {
    if (one.session == id) return one.excluded;
  }
  return {};
}

std::vector<uint64_t> KilledStore::PendedOf(uint32_t session) const {
  const auto& journal = run_->session[session];
  const uint64_t count = std::min<uint64_t>(journal.pended_count.load(), workloads::ycsb::kJournalPended);
  std::vector<uint64_t> serials;
  for (uint64_t i = 0; i < count; ++i) serials.push_back(journal.pended[i].load());
  return serials;
}

bool KilledStore::AnyDurable() const {
  if (exists_) return true;
  for (uint32_t i = 0; i < Requested(*run_); ++i) {
    if (run_->checkpoint[i].state.load() == CheckpointJournal::kDurable && HasLog(run_->checkpoint[i]))
      return true;
  }
  return false;
}

void KilledStore::Judge(const Recovered& recovered, KillReport* report) {
  if (recovered.status == Status::kNotFound && !AnyDurable()) {
    StartOver();  // nothing was promised, nothing is there
    ++incarnation_;
    return;
  }
  if (recovered.status != Status::kOk) {
    report->rule = recovered.status == Status::kNotFound ? "R1" : "R0";
    report->what = "recovery refused: " + std::string(StatusName(recovered.status)) +
                   (recovered.why.empty() ? "" : ": " + recovered.why);
    return;
  }
  report->recovered = true;
  report->token = recovered.result.log_token;
  report->records_undone = recovered.result.records_undone;
  report->keys_verified = recovered.keys;
  report->mismatches = recovered.mismatches;
  report->witnesses = recovered.witnesses;
  std::string missing;
  const std::vector<uint64_t> commits = CommitsOf(recovered, &missing);
  for (uint32_t i = 0; i < commits.size(); ++i) {
    const uint64_t before = i < sessions_.size() ? sessions_[i].serial : 0;
    report->sessions.push_back("session " + std::to_string(i) + ": began after " + std::to_string(before) +
                               ", committed to " + std::to_string(commits[i]) + ", issued to " +
                               std::to_string(run_->session[i].issued.load()) + ", incarnation " +
                               std::to_string(incarnation_));
  }
  report->own = !exists_ || recovered.result.log_token != token_;
  std::string wrong = JudgeToken(recovered, report);
  if (wrong.empty() && !missing.empty() && report->own) {
    // The base checkpoint after loading was taken before the sessions began.
    const bool base = options_.load && !exists_ && run_->checkpoint[0].token() == recovered.result.log_token;
    if (!base) wrong = "the checkpoint does not know session " + missing;
  }
  if (wrong.empty()) wrong = JudgeCommits(commits, report);
  if (wrong.empty()) wrong = JudgeExclusions(recovered);
  if (!wrong.empty()) {
    report->rule = "R1";
    report->what = wrong;
  } else if (recovered.mismatches != 0) {
    report->rule = "R4";
    report->what = std::to_string(recovered.mismatches) + " of " + std::to_string(recovered.keys) +
                   " keys are wrong; " + recovered.witnesses.front();
  } else {
    Adopt(recovered, commits);
  }
}

// "Latest" returns the newest checkpoint whose callback fired, or a newer one that is complete.
std::string KilledStore::JudgeToken(const Recovered& recovered, KillReport* report) const {
  const CheckpointJournal* newest = nullptr;
  const CheckpointJournal* returned = nullptr;
  for (uint32_t i = 0; i < Requested(*run_); ++i) {
    const CheckpointJournal& entry = run_->checkpoint[i];
    if (!HasLog(entry)) continue;
    const uint32_t state = entry.state.load();
    if (state == CheckpointJournal::kDurable) newest = &entry;
    if (state != CheckpointJournal::kRequested && entry.token() == recovered.result.log_token)
      returned = &entry;
    if (state == CheckpointJournal::kRequested && report->own && returned == nullptr) returned = &entry;
  }
  if (newest != nullptr && !report->own) {
    return "checkpoint " + newest->token().Text() + " was reported durable, an older one came back";
  }
  if (newest != nullptr && returned != nullptr && returned < newest) {
    return "checkpoint " + newest->token().Text() + " was reported durable, " + returned->token().Text() +
           " came back";
  }
  if (returned == nullptr) return report->own ? "a checkpoint came back that nobody asked for" : "";
  report->pending = returned->pending_before.load() != 0;
  const std::vector<uint64_t> commits = [&] {
    std::string ignored;
    return CommitsOf(recovered, &ignored);
  }();
  for (uint32_t i = 0; i < commits.size(); ++i) {
    if (commits[i] < returned->issued_before[i].load()) {
      return "session " + std::to_string(i) + " came back to serial " + std::to_string(commits[i]) +
             ", but had issued " + std::to_string(returned->issued_before[i].load()) +
             " when the checkpoint was requested";
    }
    if (returned->state.load() == CheckpointJournal::kDurable && commits[i] != returned->reported[i].load()) {
      return "session " + std::to_string(i) + " came back to serial " + std::to_string(commits[i]) +
             ", reported was " + std::to_string(returned->reported[i].load());
    }
  }
  return "";
}

std::string KilledStore::JudgeCommits(const std::vector<uint64_t>& commits, KillReport* report) const {
  for (uint32_t i = 0; i < commits.size(); ++i) {
    const uint64_t issued = run_->session[i].issued.load();
    const uint64_t before = i < sessions_.size() ? sessions_[i].serial : 0;
    const std::string session =
        "session " + std::to_string(i) + " came back to serial " + std::to_string(commits[i]);
    if (commits[i] > issued) return session + ", but had issued only " + std::to_string(issued);
    if (commits[i] < before) return session + ", behind its earlier commit point " + std::to_string(before);
    report->committed += commits[i] - before;
    report->lost += issued - commits[i];
    report->split |= commits[i] > before && issued > commits[i];
  }
  return "";
}

std::string KilledStore::JudgeExclusions(const Recovered& recovered) const {
  for (const SessionCommit& one : recovered.result.sessions) {
    if (!one.excluded.empty() && options_.config.guarantee == faster::Guarantee::kStrict)
      return "session " + one.session.Text() + " came back without serial " +
             std::to_string(one.excluded.front()) + ", but the guarantee is strict";
  }
  return "";
}

void KilledStore::Adopt(const Recovered& recovered, const std::vector<uint64_t>& commits) {
  std::vector<SessionCommit> sessions;
  for (uint32_t i = 0; i < commits.size(); ++i) {
    const uint64_t before = i < sessions_.size() ? sessions_[i].serial : 0;
    expectation_->Commit(i, incarnation_, before, commits[i], PendedOf(i), ExcludedOf(recovered, i));
    sessions.push_back({run_->session[i].id(), commits[i]});
  }
  // Killed before its sessions existed: those of the life before it, if any, go on.
  if (!sessions.empty()) sessions_ = std::move(sessions);
  std::string missing;
  (void)CommitsOf(recovered, &missing);
  if (!missing.empty()) sessions_.clear();  // only the base checkpoint, which knows none of them
  exists_ = true;
  token_ = recovered.result.log_token;
  ++incarnation_;
}

}  // namespace experiments::process
