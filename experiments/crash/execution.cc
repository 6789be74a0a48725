#include "experiments/crash/execution.h"

#include <algorithm>

#include "experiments/common/dice.h"
#include "faults/sched/heap.h"

namespace experiments {
namespace {

using faster::Status;
using faults::HostHeap;
using faults::kNever;
using faults::OpOutcome;
using faults::Outcome;
using Anchor = CrashPoint::Anchor;

int FirstKind(const Incarnation& incarnation) {
  for (const Actor& actor : incarnation.actors) {
    for (const Action& action : actor.actions) {
      if (action.verb == Verb::kCheckpoint) return KindIndex(action.checkpoint);
    }
  }
  return -1;
}

// What an engine may say when the device had failed: it names the device or what the device did.
bool SaysDeviceFailed(Status status) {
  return status == Status::kIoError || status == Status::kShortIo || status == Status::kCorruption;
}

struct Body {
  Execution* execution;
  void (*run)(Execution*);
};

}  // namespace

Execution::Execution(const SubjectLibrary* library, faults::Scheduler* scheduler)
    : library_(library), scheduler_(scheduler), watch_(scheduler, &storage_, &recorder_) {
  judge_.search_limit = 512;
}

void Execution::Violation(const char* rule, std::string what) {
  if (result_.violation) return;
  result_.violation = true;
  result_.rule = rule;
  result_.what = std::move(what);
}

// The execution cannot go on: stuck, faulted, or not reproducible.
void Execution::Stopped(Outcome outcome, const char* during) {
  std::string why = scheduler_->explanation();
  const size_t line = why.find('\n');
  const std::string first = why.substr(0, line);
  const std::string where = std::string(" during ") + during;
  result_.detail = why;
  switch (outcome) {
    case Outcome::kDeadlock:
    case Outcome::kLivelock:
    case Outcome::kStepLimit: {
      const std::string state = subject_ == nullptr ? "" : subject_->Describe();
      result_.detail += "\n" + state;
      Violation("stuck",
                std::string(OutcomeName(outcome)) + where + ": " + state.substr(0, state.find('\n')));
      break;
    }
    case Outcome::kFailed:
      Violation(first.find("in flight") != std::string::npos ? "device" : "crash", first + where);
      break;
    default:
      result_.harness_error = true;
      result_.what = std::string(OutcomeName(outcome)) + where + ": " + first;
      break;
  }
}

// Runs one body on a fiber of its own. False: it did not end, and Stopped() said so; true with *outcome
// otherwise.
bool Execution::Round(void (*body)(Execution*), const char* name, Outcome* outcome) {
  Body argument{this, body};
  scheduler_->Spawn(
      [](void* context) {
        const Body* body = static_cast<Body*>(context);
        body->run(body->execution);
      },
      &argument, name);
  numbers_ = scheduler_->Run();
  *outcome = numbers_.outcome;
  if (*outcome == Outcome::kFinished || *outcome == Outcome::kCrashed) return true;
  Stopped(*outcome, name);
  return false;
}

void Execution::SetFaults(const std::string& plan) {
  if (plan == plan_text_) return;
  plan_text_ = plan;
  std::string error;
  if (faults::FaultPlan::Parse(plan, &plan_, &error)) return;
  plan_ = {};  // CheckScenario() refuses such a plan in a file; one that was drawn is a bug of the generator
  result_.harness_error = true;
  result_.what = error;
}

SubjectConfig Execution::NextConfig() {
  SubjectConfig config = scenario_->geometry;
  if (const uint32_t pages = scenario_->incarnations[incarnation_].buffer_pages; pages != 0) {
    config.buffer_pages = pages;
    config.mutable_pages = std::min(config.mutable_pages, pages - 2);
  }
  config.seed = MixSeed(how_.seed, ++lives_) | 1;
  return config;
}

void Execution::FillBody() {
  faster::Diagnosis why;
  subject_ = library_->Make(NextConfig(), &storage_, &recorder_);
  const Status status = subject_->Create(&why);
  if (status != Status::kOk) {
    return recorder_.Unexpected("R0", "an empty store could not be created: " + why.Text());
  }
  if (scenario_->preload + scenario_->filler == 0) return;
  harness_user_.Begin(&recorder_, subject_.get(), uint64_t{1} << 60);
  harness_user_.Start();
  if (!harness_user_.open()) return;
  for (uint32_t key = 0; key < scenario_->preload; ++key) harness_user_.Operate(faults::OpType::kUpsert, key);
  for (uint32_t i = 0; i < scenario_->filler; ++i)
    harness_user_.Operate(faults::OpType::kUpsert, kFillerKey + i);
  harness_user_.Complete(true);
  harness_user_.Close();
  const HostHeap host;
  for (const faults::Operation& operation : recorder_.history().operations) {
    if (operation.key >= kFillerKey) settled_.emplace_back(operation.key, operation.operand);
  }
}

bool Execution::Fill() {
  Outcome outcome;
  settled_.clear();
  return Round([](Execution* self) { self->FillBody(); }, "loader", &outcome) &&
         recorder_.unexpected().empty();
}

void Execution::Crash(bool at_rest) {
  result_.cell = recorder_.cell();
  if (how_.follower != nullptr)
    how_.follower->OnCrash(incarnation_, recorder_.CrashSince(at_rest, numbers_.steps),
                           !at_rest && recorder_.crash_by_event());
  result_.crashes.push_back({result_.cell, recorder_.growing(), false});
  recorder_.Tell("harness", std::string("CRASH in ") + CellRowName(result_.cell.row));
  recorder_.EndWork();
  storage_.Crash();
  stage_.Forget();
  static_cast<void>(subject_.release());  // its memory is the arena's
}

bool Execution::Work(uint32_t number) {
  const Incarnation& incarnation = scenario_->incarnations[number];
  SetFaults(scenario_->faults);
  stage_.Begin(scheduler_, &recorder_, subject_.get(), incarnation, number,
               recovered_any_ ? &recovered_token_ : nullptr, attempt_.sessions, &settled_, how_.follower);
  scheduler_->SetCrash(kNever, kNever);
  CrashPoint crash = incarnation.crash;
  if (how_.follower != nullptr && how_.follower->OnWork(number)) crash.anchor = Anchor::kEnd;
  recorder_.BeginWork(crash, &storage_.statistics().faults);
  stage_.Spawn();
  const faults::RunResult before = numbers_;
  const bool watched = how_.moments != nullptr && number == 0;
  if (watched) watch_.Start(&how_.moments->work, true);
  numbers_ = scheduler_->Run();
  watch_.Stop();
  if (watched) {
    how_.moments->work_steps = numbers_.steps - before.steps;
    how_.moments->work_events = numbers_.events - before.events;
  }
  SetFaults("");
  scheduler_->SetCrash(kNever, kNever);
  if (numbers_.outcome == Outcome::kFinished && incarnation.crash.anchor == Anchor::kNone) return Finish();
  if (numbers_.outcome != Outcome::kFinished && numbers_.outcome != Outcome::kCrashed) {
    Stopped(numbers_.outcome, "work");
    return false;
  }
  bool at_rest = false;
  if (numbers_.outcome == Outcome::kFinished) {  // at rest: the store's background fibers still have to die
    Outcome outcome;
    if (!Round([](Execution* self) { self->scheduler_->Crash(); }, "crash", &outcome)) return false;
    at_rest = true;
  }
  Crash(at_rest);
  return true;
}

void Execution::RecoverBody() {
  faster::Diagnosis why;
  RecoveredState state;
  subject_ = library_->Make(NextConfig(), &storage_, &recorder_);
  attempt_.status = subject_->Recover(attempt_.token, &state, &why);
  if (attempt_.status == Status::kNotFound && attempt_.token == nullptr) {
    subject_.reset();
    subject_ = library_->Make(NextConfig(), &storage_, &recorder_);
    attempt_.create_status = subject_->Create(&why);
  }
  const bool refused = attempt_.create_status != Status::kOk ||
                       (attempt_.status != Status::kOk &&
                        !(attempt_.status == Status::kNotFound && attempt_.token == nullptr));
  if (refused) subject_.reset();
  const HostHeap host;
  const std::string text = why.Text();
  attempt_.why.assign(text.data(), text.size());
  attempt_.log_token = state.log_token;
  attempt_.sessions.assign(state.sessions.begin(), state.sessions.end());
  attempt_.records_undone = state.records_undone;
}

// One try; *again if it did not return a state but another try is due.
bool Execution::TryRecovery(uint32_t number, size_t attempt, bool* again) {
  const Incarnation& incarnation = scenario_->incarnations[number];
  const faster::Token* token = attempt_.token;
  attempt_ = {};
  attempt_.token = token;
  if (attempt < incarnation.recovery_crashes.size()) {
    const CrashPoint& crash = incarnation.recovery_crashes[attempt];
    if (crash.events)
      scheduler_->SetCrash(kNever, numbers_.events + crash.delay);
    else
      scheduler_->SetCrash(numbers_.steps + 1 + crash.delay, kNever);
  }
  const uint64_t faults_before = storage_.statistics().faults;
  const bool watched =
      how_.moments != nullptr && number == 1 && attempt == incarnation.recovery_crashes.size();
  if (watched) watch_.Start(&how_.moments->recovery, false);
  Outcome outcome;
  const bool ended = Round([](Execution* self) { self->RecoverBody(); }, "recovery", &outcome);
  watch_.Stop();
  scheduler_->SetCrash(kNever, kNever);
  if (!ended) return false;
  if (outcome == Outcome::kCrashed) {
    ++result_.recovery_crashes;
    recorder_.Tell("harness", "CRASH inside recovery");
    storage_.Crash();
    storage_.Reopen();
    static_cast<void>(subject_.release());
    return *again = true;
  }
  const bool empty = attempt_.status == Status::kNotFound && attempt_.token == nullptr;
  const bool refused = attempt_.create_status != Status::kOk || (attempt_.status != Status::kOk && !empty);
  *again = refused && storage_.statistics().faults != faults_before;
  if (*again) recorder_.Tell("harness", "recovery refused under injected faults: " + attempt_.why);
  return true;
}

bool Execution::Recover(uint32_t number) {
  const Incarnation& incarnation = scenario_->incarnations[number];
  recorder_.ResolveRequests(nullptr, nullptr);
  const faster::Token* token = NameToRecover(incarnation);
  storage_.Reopen();
  incarnation_ = number;
  if (how_.follower != nullptr) how_.follower->OnIncarnation(number);
  bool again = true;
  for (size_t attempt = 0; again; ++attempt) {
    again = false;
    SetFaults(attempt == 0 ? scenario_->recovery_faults : "");
    attempt_.token = token;
    if (!TryRecovery(number, attempt, &again)) return false;
  }
  SetFaults("");
  if (attempt_.status == Status::kOk) recorder_.ResolveRequests(&attempt_.log_token, &attempt_.sessions);
  faults::Recovery recovery;
  recovery.incarnation = number - 1;
  recovery.named = token != nullptr;
  if (token != nullptr) recovery.requested = *token;
  recovery.status = attempt_.create_status != Status::kOk ? attempt_.create_status : attempt_.status;
  if (recovery.status != Status::kOk) recovery.why = attempt_.why;
  recovery.log_token = attempt_.log_token;
  recovery.commits = attempt_.sessions;
  std::sort(recovery.commits.begin(), recovery.commits.end(),
            [](const auto& a, const auto& b) { return a.session < b.session; });
  recovery.time = recorder_.Now();
  recorder_.history().recoveries.push_back(recovery);
  recorder_.Tell("harness", recovery.status == Status::kOk ? "recovered " + recovery.log_token.Text()
                                                           : "recovery: " + recovery.why);
  if (!faults::Returned(recovery)) return false;
  for (CrashNote& note : result_.crashes) note.recovered = true;
  Account(recovery);
  recovered_any_ = recovery.status == Status::kOk;
  recovered_token_ = recovery.log_token;
  if (recovered_any_)
    FollowLineage(recovery.log_token, recovery.named);
  else
    lineage_.clear();
  recorder_.BeginIncarnation(number, FirstKind(incarnation));
  return Verify(number);
}

// `after_faults`: the device has failed in this execution and may have lost what was not synced; a scan that
// says so by name is right. After a recovery it is not: what was recovered had been made durable.
bool Execution::Scan(std::vector<std::pair<uint64_t, uint64_t>>* live, bool after_faults) {
  std::vector<std::pair<uint64_t, uint64_t>> found;
  uint64_t torn = 0;
  const Status status = subject_->ScanLive(&found, &torn);
  const std::string wrong = subject_->CheckInvariants();
  if (!wrong.empty()) recorder_.Unexpected("invariants", wrong);
  if (torn != 0) recorder_.Unexpected("R2", "the log holds " + std::to_string(torn) + " torn values");
  if (after_faults && SaysDeviceFailed(status)) return false;
  if (status != Status::kOk) {
    recorder_.Unexpected("scan", "the log scan ended with " + std::string(StatusName(status)));
    return false;
  }
  const HostHeap host;
  live->assign(found.begin(), found.end());
  std::sort(live->begin(), live->end());
  return true;
}

// Looks up every key. With much filler, most executions take its words from the scan, which found them
// without the index; one in four looks them up as well.
bool Execution::ReadBack(std::vector<std::pair<uint64_t, uint64_t>>* state,
                         const std::vector<std::pair<uint64_t, uint64_t>>* scanned) {
  const faults::History& history = recorder_.history();
  const size_t first = history.operations.size();
  harness_user_.Begin(&recorder_, subject_.get(), uint64_t{2} << 60);
  harness_user_.Start();
  if (!harness_user_.open()) return false;
  for (uint32_t key = 0; key < scenario_->keys; ++key) harness_user_.Operate(faults::OpType::kRead, key);
  const bool all = scanned == nullptr || scenario_->filler <= 16 || how_.seed % 4 == 0;
  for (uint32_t i = 0; all && i < scenario_->filler; ++i) {
    harness_user_.Operate(faults::OpType::kRead, kFillerKey + i);
  }
  harness_user_.Complete(true);
  harness_user_.Close();
  const HostHeap host;
  bool all_read = true;
  for (size_t i = first; i < history.operations.size(); ++i) {
    const faults::Operation& read = history.operations[i];
    if (read.outcome == OpOutcome::kOk) state->emplace_back(read.key, read.result);
    all_read &= read.outcome != OpOutcome::kError;
  }
  for (size_t i = 0; !all && i < scanned->size(); ++i) {
    if ((*scanned)[i].first >= scenario_->keys) state->push_back((*scanned)[i]);
  }
  return all_read;
}

void Execution::VerifyBody() {
  faults::Recovery& recovery = recorder_.history().recoveries.back();
  recovery.has_scan = Scan(&recovery.scanned, false);
  ReadBack(&recovery.state, recovery.has_scan ? &recovery.scanned : nullptr);
  const HostHeap host;
  settled_.clear();
  for (const auto& entry : recovery.state) {
    if (entry.first >= kFillerKey) settled_.push_back(entry);
  }
}

bool Execution::Verify(uint32_t number) {
  Outcome outcome;
  return Round([](Execution* self) { self->VerifyBody(); }, "verification", &outcome);
}

void Execution::FinishBody() {
  stage_.CompleteAll();
  faults::History& history = recorder_.history();
  std::vector<std::pair<uint64_t, uint64_t>> live;
  const bool scanned = Scan(&live, recorder_.DeviceFailed());
  const bool all_read = ReadBack(&history.final_state, scanned ? &live : nullptr);
  std::sort(history.final_state.begin(), history.final_state.end());
  if (scanned && live != history.final_state) {
    recorder_.Unexpected("scan", "at the end lookups found " + std::to_string(history.final_state.size()) +
                                     " keys and the log scan " + std::to_string(live.size()) +
                                     ", or with other words");
  }
  // An operation whose result nobody heard (its session was closed over it) leaves the end open, and so does
  // a key that could not be read back.
  history.quiesced = std::none_of(history.operations.begin(), history.operations.end(),
                                  [&](const auto& operation) {
                                    return operation.incarnation == history.recoveries.size() &&
                                           operation.outcome == OpOutcome::kUnknown;
                                  }) &&
                     all_read;
  subject_.reset();
}

bool Execution::Finish() {
  Outcome outcome;
  return Round([](Execution* self) { self->FinishBody(); }, "the end", &outcome);
}

void Execution::Judge() {
  if (result_.violation || result_.harness_error) return;
  result_.verdict = judge_.Check(recorder_.history());
  result_.undecided = result_.verdict.undecided;
  result_.buffered = result_.verdict.buffered;
  if (!result_.verdict.ok)
    Violation(RuleName(result_.verdict.rule), result_.verdict.what);
  else if (!recorder_.unexpected().empty())
    Violation(recorder_.unexpected_rule(), recorder_.unexpected());
}

const ExecutionResult& Execution::Run(const Scenario& scenario, const How& how) {
  scenario_ = &scenario;
  how_ = how;
  result_ = {};
  lives_ = 0;
  incarnation_ = 0;
  lineage_.clear();
  recovered_any_ = abandoned_ = false;
  attempt_ = {};
  static_cast<void>(subject_.release());
  stage_.Forget();
  faults::Scheduler::Options options;
  options.policy = how.policy;
  options.tape = how.tape;
  options.tape_capacity = how.tape_capacity;
  options.step_limit = how.step_limit != 0 ? how.step_limit : StepLimit(scenario);
  options.plain_points = how.plain_points;
  options.spurious_cas = how.spurious_cas;
  if (how.follower != nullptr) how.follower->OnIncarnation(0);
  scheduler_->Begin(options, how.seed);
  SetFaults("");
  faults::SimStorage::Options disk;
  disk.disk.sector_bytes = scenario.sector_bytes;
  disk.disk.tear_mix = scenario.sector_mix;
  disk.device_fibers = scenario.device_fibers;
  storage_.Reset(disk, scheduler_, &plan_);
  recorder_.Begin(scheduler_, how.tells_story);
  recorder_.history().relaxed = scenario.geometry.guarantee == faster::Guarantee::kRelaxed;
  recorder_.history().refresh_every_operation = scenario.geometry.refresh_interval == 1;
  recorder_.BeginIncarnation(0, FirstKind(scenario.incarnations[0]));
  bool going = Fill();
  for (uint32_t i = 0; going && i < scenario.incarnations.size(); ++i) {
    going = (i == 0 || Recover(i)) && Work(i);
  }
  Judge();
  result_.hash = MixSeed(numbers_.hash, recorder_.Digest());
  result_.steps = numbers_.steps;
  result_.switches = numbers_.switches;
  result_.tape_entries = numbers_.tape_entries;
  result_.cells_seen = recorder_.cells_seen();
  result_.checkpoints = recorder_.completed_checkpoints();
  result_.growths = recorder_.growths();
  return result_;
}

}  // namespace experiments
