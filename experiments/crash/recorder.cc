#include "experiments/crash/recorder.h"

#include <algorithm>

#include "faults/sched/heap.h"

namespace experiments {
namespace {

using faster::Status;
using faults::CheckpointEvent;
using faults::HostHeap;
using faults::kNever;
using faults::Operation;
using faults::OpOutcome;
using faults::OpType;
using Anchor = CrashPoint::Anchor;

constexpr int kPrepare =
    3;  // in kPhaseName. No function-local statics here: their guards are steps of a fiber.
const char g_phase_object = 0;  // what a phase change is a change of, for the trace hash

const char* OpName(OpType type) {
  constexpr const char* kNames[] = {"read", "upsert", "rmw", "delete", "insert", "truncate"};
  return kNames[static_cast<int>(type)];
}

bool LogAlone(faster::CheckpointKind kind) {
  return kind == faster::CheckpointKind::kLogOnly || kind == faster::CheckpointKind::kIncremental;
}

bool CapturesLog(const CheckpointEvent& event) { return event.kind != faster::CheckpointKind::kIndexOnly; }

void Mix(uint64_t* digest, uint64_t word) { *digest = faults::RmwWord(*digest, word); }

}  // namespace

const char* CellRowName(int row) {
  return row == kRestBefore ? "Rest-before" : row == kRestAfter ? "Rest-after" : kPhaseName[row];
}

void Recorder::Begin(faults::Scheduler* scheduler, bool tells_story) {
  scheduler_ = scheduler;
  history_.sessions.clear();
  history_.session_opened.clear();
  if (history_.phases.empty()) history_.phases.assign(kPhaseName, kPhaseName + kPhaseNames);
  session_phase_.clear();
  sessions_opening_ = 0;
  history_.operations.clear();
  history_.checkpoints.clear();
  history_.reports.clear();
  history_.recoveries.clear();
  history_.final_state.clear();
  history_.faults_survivable = true;
  history_.faults_injected = false;
  history_.quiesced = false;
  early_.clear();
  story_.clear();
  unexpected_.clear();
  tells_story_ = tells_story;
  time_ = completed_ = cells_seen_ = 0;
  retained_ = ~0u;
  growths_ = 0;
  BeginIncarnation(0, -1);
}

void Recorder::BeginIncarnation(uint32_t incarnation, int first_kind) {
  sessions_opening_ = 0;
  device_faults_ = nullptr;
  std::fill(session_phase_.begin(), session_phase_.end(), int8_t{0});
  requests_.clear();
  crash_ = {};
  armed_ = working_ = true;
  incarnation_ = incarnation;
  phase_ = growth_phase_ = 0;
  growths_here_ = 0;
  kind_ = first_kind_ = first_kind;
  started_ = requests_open_ = durable_count_ = operations_begun_ = phase_changes_ = 0;
}

void Recorder::BeginWork(const CrashPoint& crash, const uint64_t* device_faults) {
  device_faults_ = device_faults;
  faults_before_ = *device_faults;
  crash_ = crash;
  armed_ = false;
  operations_begun_ = 0;
  MarkCell();
  Pass(Anchor::kStart, crash.checkpoint);
}

void Recorder::EndWork() {
  static_cast<void>(DeviceFailed());
  armed_ = true;
  working_ = false;
}

bool Recorder::DeviceFailed() {
  if (device_faults_ != nullptr && *device_faults_ != faults_before_) {
    history_.faults_injected = true;
  }
  return history_.faults_injected;
}

// An anchor is met: notes it, and arms the crash that waits for it.
void Recorder::Pass(Anchor anchor, uint32_t checkpoint, int phase) {
  passed_ = {anchor, static_cast<uint32_t>(phase), checkpoint, false, 0};
  passed_step_ = scheduler_->step();
  if (armed_ || crash_.anchor != anchor || crash_.checkpoint != checkpoint) return;
  if (anchor == Anchor::kPhase && crash_.phase != passed_.phase) return;
  armed_ = true;
  if (crash_.events)
    scheduler_->SetCrash(kNever, scheduler_->events() + crash_.delay);
  else
    scheduler_->SetCrash(scheduler_->step() + 1 + crash_.delay, kNever);
}

CrashPoint Recorder::CrashSince(bool at_rest, uint64_t steps) const {
  CrashPoint crash = passed_;
  if (at_rest) {
    crash = {};
    crash.anchor = Anchor::kEnd;
  } else {  // an event stops its fiber before the step that it is
    crash.delay = static_cast<uint32_t>(steps + crash_by_event() - passed_step_ - 1);
  }
  return crash;
}

Cell Recorder::cell() const {
  Cell cell;
  cell.kind = static_cast<int8_t>(kind_);
  cell.row = static_cast<int8_t>(phase_ != 0 ? phase_ : started_ == 0 ? kRestBefore : kRestAfter);
  return cell;
}

void Recorder::MarkCell() {
  const Cell here = cell();
  if (here.kind >= 0) cells_seen_ |= uint64_t{1} << (here.kind * kCellRows + here.row);
}

uint32_t Recorder::SessionIndex(const faster::Guid& id) {
  const HostHeap host;
  for (uint32_t i = 0; i < history_.sessions.size(); ++i) {
    if (history_.sessions[i] == id) return i;
  }
  history_.sessions.push_back(id);
  history_.session_opened.push_back(Now());
  session_phase_.push_back(-1);
  return static_cast<uint32_t>(history_.sessions.size()) - 1;
}

uint32_t Recorder::Invoke(uint32_t session, uint64_t serial, OpType type, uint64_t key, uint64_t operand) {
  const HostHeap host;
  Operation operation;
  operation.session = session;
  operation.incarnation = incarnation_;
  operation.serial = serial;
  operation.type = type;
  operation.key = key;
  operation.operand = operand;
  operation.invoked = Now();
  operation.phase = session_phase_[session];
  history_.operations.push_back(operation);
  ++operations_begun_;
  scheduler_->Notify(&progress_);
  if (tells_story_) {
    Tell(scheduler_->fiber_name(scheduler_->current_fiber()),
         std::string(OpName(type)) + " key " + std::to_string(key) + " as #" + std::to_string(serial));
  }
  return static_cast<uint32_t>(history_.operations.size()) - 1;
}

void Recorder::Respond(uint32_t index, const SubjectResult& result) {
  Operation& operation = history_.operations[index];
  operation.serial = result.serial;
  if (result.status == Status::kPending) {
    operation.went_pending = true;
    return;
  }
  operation.responded = Now();
  operation.result = result.word;
  const bool update = operation.type != OpType::kRead && operation.type != OpType::kDelete;
  switch (result.status) {
    case Status::kOk:
      operation.outcome = OpOutcome::kOk;
      break;
    case Status::kNotFound:
      operation.outcome = OpOutcome::kFail;
      break;
    case Status::kExists:
      operation.outcome = operation.type == OpType::kInsert ? OpOutcome::kFail : OpOutcome::kUnknown;
      break;
    case Status::kAborted:
      operation.outcome = update ? OpOutcome::kFail : OpOutcome::kUnknown;
      break;
    default:
      operation.outcome = OpOutcome::kError;
      break;
  }
  if (operation.outcome != OpOutcome::kOk && result.status != Status::kExists) operation.result = 0;
  if (operation.outcome == OpOutcome::kUnknown) operation.responded = kNever;  // an answer that says nothing
  // Under injected faults a device may have lost what was on disk: saying so is right. A value that was
  // handed out in pieces is wrong whatever the device did.
  if (result.torn) {
    Unexpected("R2", std::string(OpName(operation.type)) + " of key " + std::to_string(operation.key) +
                         " met a value that does not hold together");
  } else if (operation.outcome == OpOutcome::kError && !DeviceFailed()) {
    Unexpected("R0", std::string(OpName(operation.type)) + " of key " + std::to_string(operation.key) +
                         " ended with " + std::string(StatusName(result.status)) +
                         " though no fault was injected");
  }
  if (tells_story_) {
    const HostHeap host;
    Tell(scheduler_->fiber_name(scheduler_->current_fiber()),
         "#" + std::to_string(operation.serial) + " " + std::string(StatusName(result.status)));
  }
}

void Recorder::Unexpected(const char* rule, std::string what) {
  const HostHeap host;
  if (!unexpected_.empty()) return;
  unexpected_.assign(what.data(), what.size());
  unexpected_rule_ = rule;
}

void Recorder::Told(uint32_t session, const faster::CommitNotice& notice) {
  const HostHeap host;
  history_.reports.push_back({session,
                              incarnation_,
                              notice.token,
                              notice.serial,
                              Now(),
                              {notice.excluded.begin(), notice.excluded.end()},
                              0});
}

uint32_t Recorder::Continuing(const faster::Guid& session, const faster::Token& recovered) {
  const uint32_t index = SessionIndex(session);
  const HostHeap host;
  history_.reports.push_back({index, incarnation_, recovered, 0, kNever, {}, Now()});
  return static_cast<uint32_t>(history_.reports.size()) - 1;
}

void Recorder::Continued(uint32_t report, uint64_t serial, const std::vector<uint64_t>& excluded) {
  const HostHeap host;
  faults::SessionReport& told = history_.reports[report];
  // Of this incarnation: an error that nobody had collected when the session was closed is heard of now.
  for (Operation& operation : history_.operations) {
    if (operation.session != told.session || operation.incarnation != incarnation_ ||
        operation.outcome != OpOutcome::kUnknown ||
        std::find(excluded.begin(), excluded.end(), operation.serial) == excluded.end())
      continue;
    operation.outcome = OpOutcome::kError;
    operation.responded = Now();
  }
  told.serial = serial;
  told.time = Now();
  told.excluded.assign(excluded.begin(), excluded.end());
}

void Recorder::NotContinued(uint32_t report) { history_.reports[report].called = 0; }

uint32_t Recorder::Requested(const CheckpointRequest& request) {
  const HostHeap host;
  Request entry;
  entry.event.incarnation = incarnation_;
  entry.event.kind = request.kind;
  entry.event.backend = request.backend;
  entry.event.requested = Now();
  requests_.push_back(entry);
  ++requests_open_;
  Tell("checkpoint", "requested: " + KindText(request));
  Pass(Anchor::kRequest, static_cast<uint32_t>(requests_.size()) - 1);
  return static_cast<uint32_t>(requests_.size()) - 1;
}

void Recorder::Fill(CheckpointEvent* event, const CheckpointEvent& early) {
  event->token = early.token;
  event->callback = early.callback;
  event->status = early.status;
  event->reported = early.reported;
}

void Recorder::Answered(uint32_t index, Status status, const faster::Token& token) {
  const HostHeap host;
  Request& request = requests_[index];
  request.open = false;
  --requests_open_;
  if (status != Status::kOk) {
    Tell("checkpoint", "refused: " + std::string(StatusName(status)));
    if (status != Status::kBusy && !DeviceFailed()) {
      Unexpected("R0", "a checkpoint request was answered with " + std::string(StatusName(status)));
    }
    return;
  }
  request.event.token = token;
  for (size_t i = 0; i < early_.size(); ++i) {
    if (early_[i].token != token) continue;
    Fill(&request.event, early_[i]);
    early_.erase(early_.begin() + static_cast<ptrdiff_t>(i));
    break;
  }
  request.accepted = true;
  if (request.event.callback == kNever) kind_ = KindIndex({request.event.kind, request.event.backend});
  history_.checkpoints.push_back(request.event);
  Tell("checkpoint", "began: " + token.Text());
}

void Recorder::AdoptSessions(const std::vector<faster::SessionCommit>& commits) {
  for (const faster::SessionCommit& commit : commits) {
    const auto& known = history_.sessions;
    if (sessions_opening_ == 0 || std::find(known.begin(), known.end(), commit.session) != known.end())
      continue;
    --sessions_opening_;
    static_cast<void>(SessionIndex(commit.session));
  }
}

void Recorder::ResolveRequests(const faster::Token* recovered,
                               const std::vector<faster::SessionCommit>* commits) {
  for (const CheckpointEvent& event : history_.checkpoints) AdoptSessions(event.reported);
  for (const CheckpointEvent& event : early_) AdoptSessions(event.reported);
  if (commits != nullptr) AdoptSessions(*commits);
  const auto assign = [&](const CheckpointEvent& early, bool any_kind) {
    for (Request& request : requests_) {
      if (!request.open || request.accepted) continue;
      if (!any_kind && CapturesLog(request.event) == early.reported.empty()) continue;
      Fill(&request.event, early);
      request.accepted = true;
      history_.checkpoints.push_back(request.event);
      return;
    }
  };
  for (const CheckpointEvent& early : early_) assign(early, early.status != Status::kOk);
  early_.clear();
  if (recovered == nullptr || recovered->IsNull()) return;
  for (const CheckpointEvent& event : history_.checkpoints) {
    if (event.token == *recovered) return;
  }
  CheckpointEvent unheard;
  unheard.token = *recovered;
  assign(unheard, true);
}

// The machine left Rest: for which of the requests whose token is not known yet? The first phase rules some
// out.
void Recorder::KindFromPhase(int phase) {
  for (const bool exact : {true, false}) {
    for (const Request& request : requests_) {
      const faster::CheckpointKind kind = request.event.kind;
      const bool fits = phase != kPrepare ? !LogAlone(kind)
                        : exact           ? LogAlone(kind)
                                          : kind != faster::CheckpointKind::kIndexOnly;
      if (!request.open || !fits) continue;
      kind_ = KindIndex({kind, request.event.backend});
      return;
    }
  }
}

// Not a cell of the table, which is about checkpoints: for it the machine is at rest.
void Recorder::OnGrowthPhase(int phase) {
  if (growth_phase_ == 0) ++growths_, ++growths_here_;
  growth_phase_ = phase;
  Pass(Anchor::kPhase, growths_here_ - 1, phase);
}

void Recorder::OnPhase(const char* name, uint64_t version) {
  if (!working_) return;
  const int phase = PhaseIndex(name);
  if (phase < 0)
    return Unexpected("history", std::string("the machine entered a phase that does not exist: ") + name);
  if (phase >= kFirstGrowthPhase || growth_phase_ != 0) {
    OnGrowthPhase(phase);
  } else {
    if (phase_ == 0 && phase != 0) {
      ++started_;
      KindFromPhase(phase);
    }
    phase_ = phase;
    MarkCell();
    if (started_ > 0) Pass(Anchor::kPhase, started_ - 1, phase);
  }
  ++phase_changes_;
  if (tells_story_) {
    const HostHeap host;
    Tell("checkpoint", std::string("phase ") + name + ", version " + std::to_string(version));
  }
  scheduler_->Notify(&progress_);
  if (scheduler_->current_fiber() >= 0) {
    scheduler_->Point(faults::PointKind::kPhase, &g_phase_object, static_cast<uint64_t>(phase));
  }
}

void Recorder::OnSessionPhase(const faster::Guid& session, const char* phase, uint64_t version) {
  for (size_t i = history_.sessions.size(); i-- > 0;) {
    if (history_.sessions[i] == session) session_phase_[i] = static_cast<int8_t>(PhaseIndex(phase));
  }
  if (!tells_story_) return;
  const HostHeap host;
  Tell(scheduler_->fiber_name(scheduler_->current_fiber()),
       "session " + session.Text().substr(0, 8) + " is in " + phase + ", version " + std::to_string(version));
}

void Recorder::OnDurable(const faster::Token& token, Status status, uint64_t version,
                         const std::vector<faster::SessionCommit>& sessions) {
  {
    const HostHeap host;
    CheckpointEvent event;
    event.token = token;
    event.status = status;
    event.callback = Now();
    event.reported.assign(sessions.begin(), sessions.end());
    bool known = false;
    for (CheckpointEvent& old : history_.checkpoints) {
      if (old.token != token || old.incarnation != incarnation_) continue;
      known = true;
      if (old.callback != kNever) Unexpected("R1", "checkpoint " + token.Text() + " was reported twice");
      Fill(&old, event);
    }
    if (!known) early_.push_back(event);
    if (status == Status::kOk) ++durable_count_, ++completed_;
    Tell("checkpoint",
         "callback: " + std::string(StatusName(status)) + ", version " + std::to_string(version));
  }
  if (started_ > 0) Pass(Anchor::kDurable, started_ - 1);
  scheduler_->Notify(&progress_);
  if (scheduler_->current_fiber() >= 0) scheduler_->Point(faults::PointKind::kPhase, &g_phase_object, 100);
}

void Recorder::TellHere(const char* what, const faster::Guid& session, uint64_t serial) {
  if (!tells_story_) return;
  const HostHeap host;
  Tell(scheduler_->fiber_name(scheduler_->current_fiber()),
       what + session.Text().substr(0, 8) + " after #" + std::to_string(serial));
}

void Recorder::Tell(const char* lane, std::string text) {
  if (!tells_story_) return;
  const HostHeap host;
  StoryLine line;
  line.step = scheduler_->step();
  line.incarnation = incarnation_;
  line.fiber = scheduler_->current_fiber();
  line.lane = lane;
  line.text.assign(text.data(), text.size());
  story_.push_back(std::move(line));
}

void Recorder::OnUpkeep(const char* what, Status status) {
  const HostHeap host;
  Tell("upkeep", std::string(what) + ": " + std::string(StatusName(status)));
  if (status == Status::kOk || DeviceFailed()) return;
  Unexpected("R0", std::string(what) + " in the background ended with " + std::string(StatusName(status)));
}

void Recorder::TellStatus(const char* what, Status status) {
  if (!tells_story_) return;
  const HostHeap host;
  Tell(scheduler_->fiber_name(scheduler_->current_fiber()), what + std::string(StatusName(status)));
}

uint64_t Recorder::Digest() const {
  uint64_t digest = 1;
  for (const Operation& operation : history_.operations) {
    Mix(&digest, operation.serial << 8 | static_cast<uint64_t>(operation.outcome));
    Mix(&digest, operation.result);
    Mix(&digest, operation.responded);
  }
  for (const CheckpointEvent& event : history_.checkpoints) {
    Mix(&digest, event.token.low);
    Mix(&digest, event.callback);
  }
  for (const faults::Recovery& recovery : history_.recoveries) {
    Mix(&digest, recovery.log_token.low);
    for (const auto& commit : recovery.commits) Mix(&digest, commit.serial);
    for (const auto& [key, word] : recovery.state) Mix(&digest, key ^ word);
    for (const auto& [key, word] : recovery.scanned) Mix(&digest, key ^ word);
  }
  for (const auto& [key, word] : history_.final_state) Mix(&digest, key ^ word);
  return digest;
}

}  // namespace experiments
