#include "experiments/txn_crash/txn_execution.h"

#include <algorithm>

#include "experiments/common/dice.h"
#include "faults/sched/heap.h"

namespace experiments {
namespace {

using faster::Status;
using faults::HostHeap;
using faults::kNever;
using faults::Outcome;
using Anchor = CrashPoint::Anchor;

constexpr uint64_t kStepsOfALife = 400'000;  // a whole one is some thousand

struct Body {
  TxnExecution* execution;
  void (*run)(TxnExecution*);
};

}  // namespace

bool TxnLibrary::Load(const std::string& path, std::string* error) {
  return LoadSymbol(path, "cpr_txn_subject_create", &loaded_, error);
}

void TxnExecution::Violation(const char* rule, std::string what) {
  if (result_.violation) return;
  result_.violation = true;
  result_.rule = rule;
  result_.what = std::move(what);
}

// The execution cannot go on: stuck, faulted, or not reproducible.
void TxnExecution::Stopped(Outcome outcome, const char* during) {
  const std::string why = scheduler_->explanation();
  const std::string first = why.substr(0, why.find('\n'));
  const std::string where = std::string(" during ") + during;
  result_.detail = why;
  switch (outcome) {
    case Outcome::kDeadlock:
    case Outcome::kLivelock:
    case Outcome::kStepLimit: {
      const std::string state = subject_ == nullptr ? "" : subject_->Describe();
      Violation("stuck", std::string(OutcomeName(outcome)) + where + ": " + state);
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

bool TxnExecution::Round(void (*body)(TxnExecution*), const char* name, Outcome* outcome) {
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

void TxnExecution::SetFaults(const std::string& plan) {
  std::string error;
  plan_ = {};
  if (plan.empty() || faults::FaultPlan::Parse(plan, &plan_, &error)) return;
  result_.harness_error = true;
  result_.what = error;
}

void TxnExecution::StartBody() {
  faster::Diagnosis why;
  subject_ = library_->Make(scenario_->store, &storage_, &recorder_);
  if (subject_->Start(&why) != Status::kOk)
    recorder_.Unexpected("R0", "an empty store could not be started: " + why.Text());
}

bool TxnExecution::Start() {
  Outcome outcome;
  return Round([](TxnExecution* self) { self->StartBody(); }, "start", &outcome) &&
         recorder_.unexpected().empty();
}

void TxnExecution::AwaitPhase() {
  const int row = recorder_.row();
  ++clients_done_;
  recorder_.Notify();
  while (!no_more_commits_ && recorder_.row() == row) scheduler_->Wait(recorder_.progress_channel());
  --clients_done_;
}

void TxnExecution::Act(ClientFiber* fiber, const TxnPlan& plan) {
  if (plan.waits) return AwaitPhase();
  if (plan.uses.empty()) return fiber->client->Refresh();
  for (uint32_t attempt = 0; attempt < scenario_->tries; ++attempt) {
    {
      const HostHeap host;
      fiber->operations.clear();
      for (const TxnPlan::Use& use : plan.uses)
        fiber->operations.push_back({use.key, use.reads, use.writes, use.writes ? ++word_ : 0, 0});
    }
    const uint32_t index = recorder_.Invoke(fiber->number, fiber->client->serial() + 1, fiber->operations);
    const TxnAnswer answer = fiber->client->Execute(fiber->operations.data(), fiber->operations.size());
    recorder_.Respond(index, answer, fiber->operations);
    if (answer.end == TxnAnswer::End::kCommitted || answer.end == TxnAnswer::End::kFailed) return;
  }
}

void TxnExecution::ClientMain(void* argument) {
  ClientFiber* fiber = static_cast<ClientFiber*>(argument);
  TxnExecution* self = fiber->execution;
  const TxnActor& actor = self->life_->actors[fiber->number];
  for (const TxnPlan& plan : actor.plans) {
    if (fiber->client == nullptr) {
      fiber->client = self->subject_->StartClient(fiber->number).release();
      if (fiber->client == nullptr) {
        self->recorder_.Unexpected("R0", "a client could not be opened");
        break;
      }
    }
    self->Act(fiber, plan);
  }
  if (fiber->client != nullptr && actor.closes) {
    delete fiber->client;
    fiber->client = nullptr;
  }
  ++self->clients_done_;
  self->recorder_.Notify();
}

void TxnExecution::CommitterBody() {
  for (const uint32_t at : life_->commits) {
    while (recorder_.begun() < at && clients_done_ < clients_.size())
      scheduler_->Wait(recorder_.progress_channel());
    uint64_t number = 0;
    recorder_.Requesting();
    const Status status = subject_->RequestCommit(&number);
    recorder_.Requested(status, number);
    if (status != Status::kOk) break;
    while (!subject_->Poll()) scheduler_->Yield();
  }
  no_more_commits_ = true;
  recorder_.Notify();
}

bool TxnExecution::Work(uint32_t number) {
  life_ = &scenario_->lives[number];
  clients_.clear();
  clients_done_ = 0;
  no_more_commits_ = false;
  clients_.resize(life_->actors.size());
  for (uint32_t c = 0; c < clients_.size(); ++c) {
    clients_[c].execution = this;
    clients_[c].number = c;
  }
  SetFaults(scenario_->faults);
  recorder_.BeginWork(life_->crash, &storage_.statistics().faults);
  for (ClientFiber& fiber : clients_) scheduler_->Spawn(&TxnExecution::ClientMain, &fiber, "client");
  Outcome outcome;
  const bool ended = Round([](TxnExecution* self) { self->CommitterBody(); }, "work", &outcome);
  SetFaults("");
  scheduler_->SetCrash(kNever, kNever);
  if (!ended) return false;
  if (outcome == Outcome::kFinished && life_->crash.anchor == Anchor::kNone) return Finish();
  if (outcome == Outcome::kFinished &&
      !Round([](TxnExecution* self) { self->scheduler_->Crash(); }, "crash", &outcome))
    return false;
  Crash();
  return true;
}

void TxnExecution::Crash() {
  result_.cell = recorder_.cell();
  result_.crashes.push_back({result_.cell, false});
  recorder_.EndWork();
  storage_.Crash();
  for (ClientFiber& fiber : clients_) fiber.client = nullptr;
  static_cast<void>(subject_.release());  // its memory is the arena's
}

void TxnExecution::ReadAll(faults::TxnState* state) {
  std::vector<std::pair<uint64_t, uint64_t>> found;
  uint64_t torn = 0;
  subject_->ReadAll(&found, &torn);
  if (torn != 0)
    recorder_.Unexpected("R2", std::to_string(torn) + " values of the store do not hold together");
  const HostHeap host;
  state->assign(found.begin(), found.end());
  std::sort(state->begin(), state->end());
}

void TxnExecution::RecoverBody() {
  faster::Diagnosis why;
  TxnRecoveredState state;
  subject_ = library_->Make(scenario_->store, &storage_, &recorder_);
  attempt_.status = subject_->Recover(&state, &why);
  if (attempt_.status == Status::kOk)
    ReadAll(&attempt_.state);
  else
    subject_.reset();
  const HostHeap host;
  const std::string text = why.Text();
  attempt_.why.assign(text.data(), text.size());
  attempt_.points.assign(state.points.begin(), state.points.end());
  attempt_.number = state.number;
}

bool TxnExecution::TryRecovery(uint32_t number, size_t attempt, bool* again) {
  const std::vector<CrashPoint>& crashes = scenario_->lives[number].recovery_crashes;
  attempt_ = {};
  if (attempt < crashes.size()) {
    if (crashes[attempt].events)
      scheduler_->SetCrash(kNever, numbers_.events + crashes[attempt].delay);
    else
      scheduler_->SetCrash(numbers_.steps + 1 + crashes[attempt].delay, kNever);
  }
  Outcome outcome;
  const bool ended = Round([](TxnExecution* self) { self->RecoverBody(); }, "recovery", &outcome);
  scheduler_->SetCrash(kNever, kNever);
  if (!ended) return false;
  *again = outcome == Outcome::kCrashed;
  if (!*again) return true;
  ++result_.recovery_crashes;
  storage_.Crash();
  storage_.Reopen();
  static_cast<void>(subject_.release());
  return true;
}

bool TxnExecution::Recover(uint32_t number) {
  storage_.Reopen();
  bool again = true;
  for (size_t attempt = 0; again; ++attempt)
    if (!TryRecovery(number, attempt, &again)) return false;
  faults::TxnRecovery recovery;
  recovery.incarnation = number - 1;
  recovery.status = attempt_.status;
  if (recovery.status != Status::kOk) recovery.why = attempt_.why;
  recovery.points.assign(recorder_.history().clients, 0);
  for (const TxnPoint& point : attempt_.points) {
    if (point.client < recovery.points.size()) recovery.points[point.client] = point.serial;
  }
  recovery.state = attempt_.state;
  const std::vector<uint64_t> points = recovery.points;
  recorder_.Recovered(std::move(recovery), attempt_.number);
  if (attempt_.status != Status::kOk) return false;
  for (TxnCrashNote& note : result_.crashes) note.recovered = true;
  Account();
  recorder_.BeginLife(number, points);
  return true;
}

void TxnExecution::Account() {
  ++result_.recoveries;
  const faults::TxnRecovery& recovery = recorder_.history().recoveries.back();
  std::vector<uint8_t> seen(recovery.points.size(), 0);
  for (const faults::Transaction& transaction : recorder_.history().transactions) {
    if (transaction.incarnation != recovery.incarnation || transaction.serial == 0) continue;
    seen[transaction.client] |= transaction.serial <= recovery.points[transaction.client] ? 1 : 2;
  }
  result_.recovered_split += std::count(seen.begin(), seen.end(), 3) != 0 ? 1 : 0;
}

void TxnExecution::FinishBody() {
  while (!subject_->Poll()) scheduler_->Yield();
  for (ClientFiber& fiber : clients_) {
    delete fiber.client;
    fiber.client = nullptr;
  }
  ReadAll(&recorder_.history().final_state);
  recorder_.history().quiesced = true;
  subject_.reset();
}

bool TxnExecution::Finish() {
  Outcome outcome;
  const bool ended = Round([](TxnExecution* self) { self->FinishBody(); }, "the end", &outcome);
  recorder_.EndWork();
  return ended;
}

void TxnExecution::Judge() {
  if (result_.violation || result_.harness_error) return;
  result_.verdict = judge_.Check(recorder_.history());
  result_.undecided = result_.verdict.ok && result_.verdict.undecided;
  if (!result_.verdict.ok)
    Violation(TxnRuleName(result_.verdict.fault),
              std::string(TxnFaultName(result_.verdict.fault)) + ": " + result_.verdict.what);
  else if (!recorder_.unexpected().empty())
    Violation(recorder_.unexpected_rule(), recorder_.unexpected());
}

const TxnExecutionResult& TxnExecution::Run(const TxnScenario& scenario, const How& how) {
  scenario_ = &scenario;
  result_ = {};
  word_ = 0;
  static_cast<void>(subject_.release());
  clients_.clear();
  faults::Scheduler::Options options;
  options.policy = how.policy;
  options.tape = how.tape;
  options.tape_capacity = how.tape_capacity;
  options.step_limit = kStepsOfALife * (1 + scenario.lives.size());
  options.plain_points = how.plain_points;
  options.spurious_cas = how.spurious_cas;
  scheduler_->Begin(options, how.seed);
  SetFaults("");
  faults::SimStorage::Options disk;
  disk.disk.sector_bytes = scenario.sector_bytes;
  disk.disk.tear_mix = scenario.sector_mix;
  disk.device_fibers = scenario.device_fibers;
  storage_.Reset(disk, scheduler_, &plan_);
  recorder_.Begin(scheduler_, scenario);
  bool going = Start();
  for (uint32_t i = 0; going && i < scenario.lives.size(); ++i) going = (i == 0 || Recover(i)) && Work(i);
  Judge();
  result_.hash = MixSeed(numbers_.hash, recorder_.Digest());
  result_.steps = numbers_.steps;
  result_.switches = numbers_.switches;
  result_.tape_entries = numbers_.tape_entries;
  result_.cells_seen = recorder_.cells_seen();
  result_.commits = recorder_.commits();
  result_.shifts = recorder_.shifts();
  for (const faults::Transaction& transaction : recorder_.history().transactions) {
    ++result_.transactions;
    result_.aborted += transaction.outcome == faults::TxnOutcome::kAborted ? 1 : 0;
  }
  return result_;
}

}  // namespace experiments
