#include "experiments/crash/actor.h"

#include <algorithm>

#include "faults/sched/heap.h"

namespace experiments {

using faster::Status;
using faults::HostHeap;
using faults::OpType;

void SessionUser::Begin(Recorder* recorder, Subject* subject, uint64_t operand_base) {
  Forget();
  recorder_ = recorder;
  subject_ = subject;
  operand_ = operand_base;
  has_id_ = has_inherited_ = false;
  lost_.clear();
  issued_.clear();
}

void SessionUser::Forget() {
  at_.Forget();
  left_.clear();
}

void SessionUser::Opened(std::unique_ptr<SubjectSession> session, uint64_t serial) {
  const faster::Guid id = session->id();
  at_.session = session.release();
  at_.index = recorder_->SessionIndex(id);
  at_.serial = serial;
  if (!has_id_ || id != id_) issued_.clear();
  id_ = id;
  has_id_ = true;
  durable_seen_ = 0;
  recorder_->TellHere("opens session ", id, serial);
}

void SessionUser::Start() {
  Leave();
  recorder_->SessionOpening();
  std::unique_ptr<SubjectSession> session = subject_->StartSession();
  recorder_->SessionOpened();
  if (session == nullptr) return recorder_->Unexpected("R0", "a session could not be started");
  Opened(std::move(session), 0);
}

void SessionUser::Resume(const faster::Guid& id, const faster::Token* recovered) {
  Leave();
  uint64_t serial = 0;
  const uint32_t report = recorder_->Continuing(id, recovered != nullptr ? *recovered : faster::Token{});
  std::unique_ptr<SubjectSession> session = subject_->ContinueSession(id, &serial);
  if (session == nullptr) {
    recorder_->NotContinued(report);
    return Start();
  }
  Opened(std::move(session), serial);
  recorder_->Continued(report, serial, at_.session->ExcludedSerials());
}

void SessionUser::EnsureOpen(const faster::Token* recovered) {
  if (open()) return;
  if (!has_inherited_) return Start();
  has_inherited_ = false;
  Resume(inherited_, recovered);
}

void SessionUser::Leave() {
  if (!open()) return;
  const HostHeap host;
  left_.push_back(at_);
  at_.Forget();
}

uint32_t SessionUser::Invoke(OpType type, uint64_t key, uint64_t operand) {
  const uint32_t operation = recorder_->Invoke(at_.index, at_.serial + 1, type, key, operand);
  const HostHeap host;
  issued_.push_back({type, key, at_.serial + 1});
  return operation;
}

void SessionUser::Ended(uint32_t operation, const SubjectResult& result) {
  at_.serial = result.serial;
  if (result.status == Status::kPending) {
    const HostHeap host;
    at_.pending.emplace_back(result.serial, operation);
  }
  recorder_->Respond(operation, result);
}

void SessionUser::Operate(OpType type, uint64_t key) {
  const bool writes = type == OpType::kUpsert || type == OpType::kRmw || type == OpType::kInsert;
  const uint64_t operand = writes ? ++operand_ : 0;
  const uint32_t operation = Invoke(type, key, operand);
  SubjectResult result;
  switch (type) {
    case OpType::kRead:
      result = at_.session->Read(key);
      break;
    case OpType::kUpsert:
      result = at_.session->Upsert(key, operand);
      break;
    case OpType::kRmw:
      result = at_.session->Rmw(key, operand);
      break;
    case OpType::kDelete:
      result = at_.session->Delete(key);
      break;
    case OpType::kInsert:
      result = at_.session->Insert(key, operand);
      break;
    case OpType::kTruncate:
      break;  // Truncate()
  }
  Ended(operation, result);
  if (durable_seen_ != recorder_->durable_count()) TakeCommits();
}

// An operation of a batch begins where the one before it ended: that is what the engine promises, and with
// closer times the checkers see an order that is not kept.
class SessionUser::BatchRecorder final : public OperationObserver {
 public:
  BatchRecorder(SessionUser* user, OpType type, const std::vector<uint64_t>& keys,
                const std::vector<uint64_t>& operands)
      : user_(user), type_(type), keys_(keys), operands_(operands) {
    Begin();
  }
  void OnOperation(const SubjectResult& result) override {
    if (at_ == keys_.size()) return user_->recorder_->Unexpected("R5", "a batch told of too many operations");
    user_->Ended(operation_, result);
    if (++at_ < keys_.size()) Begin();
  }
  size_t told() const { return at_; }

 private:
  void Begin() { operation_ = user_->Invoke(type_, keys_[at_], operands_[at_]); }

  SessionUser* const user_;
  const OpType type_;
  const std::vector<uint64_t>& keys_;
  const std::vector<uint64_t>& operands_;
  size_t at_ = 0;
  uint32_t operation_ = 0;
};

void SessionUser::OperateBatch(OpType type, const std::vector<uint64_t>& keys) {
  {
    const HostHeap host;
    operands_.clear();
    for (size_t i = 0; i < keys.size(); ++i) operands_.push_back(type == OpType::kRead ? 0 : ++operand_);
  }
  BatchRecorder recorder(this, type, keys, operands_);
  const BatchType batch = type == OpType::kRead     ? BatchType::kRead
                          : type == OpType::kUpsert ? BatchType::kUpsert
                                                    : BatchType::kRmw;
  at_.session->Batch(batch, keys.size(), keys.data(), operands_.data(), &recorder);
  if (recorder.told() != keys.size())
    recorder_->Unexpected("R5", "a batch did not tell of all its operations");
  if (durable_seen_ != recorder_->durable_count()) TakeCommits();
}

void SessionUser::Truncate(uint64_t mark, uint64_t marked_at) {
  const uint32_t operation = recorder_->Invoke(at_.index, at_.serial + 1, OpType::kTruncate, 0, 0);
  recorder_->history().operations[operation].mark = marked_at;
  const SubjectResult result = at_.session->Truncate(mark);
  at_.serial = result.serial;
  recorder_->Respond(operation, result);
  if (durable_seen_ != recorder_->durable_count()) TakeCommits();
}

void SessionUser::TakeCommits() {
  durable_seen_ = recorder_->durable_count();
  std::vector<faster::CommitNotice> commits;
  at_.session->TakeCommits(&commits);
  for (const faster::CommitNotice& notice : commits) recorder_->Told(at_.index, notice);
}

void SessionUser::Refresh() {
  at_.session->Refresh();
  TakeCommits();
}

class SessionUser::PendingRecorder final : public OperationObserver {
 public:
  explicit PendingRecorder(SessionUser* user) : user_(user) {}
  void OnOperation(const SubjectResult& result) override {
    auto& pending = user_->at_.pending;
    size_t at = 0;
    while (at < pending.size() && pending[at].first != result.serial) ++at;
    if (at == pending.size()) {
      return user_->recorder_->Unexpected("R5", "a result was delivered for operation #" +
                                                    std::to_string(result.serial) +
                                                    ", which was not pending");
    }
    user_->recorder_->Respond(pending[at].second, result);
    pending.erase(pending.begin() + static_cast<ptrdiff_t>(at));
  }

 private:
  SessionUser* const user_;
};

void SessionUser::Complete(bool wait) {
  PendingRecorder recorder(this);
  at_.session->CompletePending(wait, &recorder);
  if (wait && !at_.pending.empty()) {
    recorder_->Unexpected("R0", "operation #" + std::to_string(at_.pending[0].first) +
                                    " is still pending after all were waited for");
  }
  TakeCommits();
}

void SessionUser::Close() {
  at_.session->Close();
  delete at_.session;
  at_.Forget();
}

void SessionUser::FinishAll() {
  for (bool more = open() || !left_.empty(); more; more = !left_.empty()) {
    if (!open()) {
      std::swap(at_, left_.back());
      left_.pop_back();
    }
    Complete(true);
    Close();
  }
}

void SessionUser::ContinueLast(const faster::Token* recovered) {
  if (open()) return;
  if (has_id_)
    Resume(id_, nullptr);
  else
    EnsureOpen(recovered);
}

void SessionUser::Inherit(const SessionUser& from, const std::vector<faster::SessionCommit>& commits) {
  has_inherited_ = from.has_id_;
  inherited_ = from.id_;
  const faster::SessionCommit* point = nullptr;
  for (const faster::SessionCommit& commit : commits) {
    if (commit.session == from.id_) point = &commit;
  }
  lost_.clear();
  for (const Issued& issued : from.issued_) {
    const bool committed = point != nullptr && issued.serial <= point->serial &&
                           !std::binary_search(point->excluded.begin(), point->excluded.end(), issued.serial);
    if (!committed) lost_.push_back(issued);
  }
}

void SessionUser::ReplayLost(const faster::Token* recovered) {
  EnsureOpen(recovered);
  for (size_t i = 0; i < lost_.size() && open(); ++i) Operate(lost_[i].type, lost_[i].key);
  lost_.clear();
}

void Stage::Begin(faults::Scheduler* scheduler, Recorder* recorder, Subject* subject,
                  const Incarnation& incarnation, uint32_t number, const faster::Token* recovered,
                  const std::vector<faster::SessionCommit>& commits,
                  const std::vector<std::pair<uint64_t, uint64_t>>* settled, ExecutionFollower* follower) {
  settled_ = settled;
  follower_ = follower;
  abilities_ = subject->abilities();
  marked_at_ = 0;
  truncated_ = false;
  scheduler_ = scheduler;
  recorder_ = recorder;
  subject_ = subject;
  recovered_ = recovered;
  std::swap(actors_, before_);
  used_before_ = number == 0 ? 0 : used_;
  used_ = incarnation.actors.size();
  if (actors_.size() < used_) actors_.resize(used_);
  for (size_t i = 0; i < used_; ++i) {
    ActorFiber& actor = actors_[i];
    actor.stage = this;
    actor.script = &incarnation.actors[i];
    actor.waiting = false;
    actor.user.Begin(recorder, subject, uint64_t{number + 1} << 40 | uint64_t{i + 1} << 32);
    for (size_t j = 0; j < used_before_; ++j) {
      if (before_[j].script->name == actor.script->name) actor.user.Inherit(before_[j].user, commits);
    }
  }
  ended_ = 0;
}

void Stage::Spawn() {
  for (size_t i = 0; i < used_; ++i) scheduler_->Spawn(&Main, &actors_[i], actors_[i].script->name.c_str());
}

void Stage::Forget() {
  for (size_t i = 0; i < used_; ++i) actors_[i].user.Forget();
}

bool Stage::AllWaitInVain(const ActorFiber* actor) const {
  uint32_t waiting = 0;
  for (size_t i = 0; i < used_; ++i) {
    if (&actors_[i] != actor) waiting += actors_[i].waiting && actors_[i].looked_at == Stamp();
  }
  return waiting + 1 + ended_ == used_;
}

template <class Condition>
void Stage::Await(ActorFiber* actor, Condition condition) {
  const uint32_t generation = released_;
  while (!condition() && generation == released_) {
    actor->looked_at = Stamp();
    if (AllWaitInVain(actor)) {
      ++released_;
      scheduler_->Notify(recorder_->progress_channel());
      return;
    }
    actor->waiting = true;
    scheduler_->Wait(recorder_->progress_channel());
    actor->waiting = false;
  }
}

void Stage::RequestCheckpoint(const CheckpointRequest& request) {
  const uint32_t number = recorder_->Requested(request);
  faster::Token token;
  const Status status = subject_->StartCheckpoint(request, &token);
  recorder_->Answered(number, status, token);
}

void Stage::Mark() {
  mark_ = subject_->LogMark();
  marked_at_ = recorder_->Now();
}

void Stage::Compact(bool by_lookup, uint32_t percent) {
  if (!abilities_.compact) return;
  const Status status = subject_->Compact(by_lookup, percent);
  recorder_->TellStatus(by_lookup ? "compaction by lookup: " : "compaction by scan: ", status);
  if (status == Status::kOk || status == Status::kBusy || recorder_->DeviceFailed()) return;
  recorder_->Unexpected("R0", "a compaction ended with " + std::string(StatusName(status)));
}

void Stage::Retain(uint32_t keep) {
  if (!abilities_.retain) return;
  recorder_->Retaining(keep);
  const Status status = subject_->Retain(keep);
  recorder_->TellStatus("retention: ", status);
  if (status == Status::kOk || status == Status::kBusy || recorder_->DeviceFailed()) return;
  recorder_->Unexpected("R0", "a retention ended with " + std::string(StatusName(status)));
}

// Keys that nobody touches are there all the time: each must be found, with its word.
void Stage::Iterate() {
  if (!abilities_.iterate) return;
  std::vector<std::pair<uint64_t, uint64_t>> found;
  uint64_t torn = 0;
  const Status status = subject_->Iterate(&found, &torn);
  recorder_->TellStatus("iteration: ", status);
  if (torn != 0) recorder_->Unexpected("R2", "an iteration met a torn value");
  if (status != Status::kOk) {
    if (!recorder_->DeviceFailed())
      recorder_->Unexpected("R0", "an iteration ended with " + std::string(StatusName(status)));
    return;
  }
  for (const auto& [key, word] : *settled_) {
    bool right = false;
    for (const auto& [other, there] : found) {
      if (other == key && there != word)
        recorder_->Unexpected("scan", "an iteration found key " + std::to_string(key) + " with a wrong word");
      right = right || other == key;
    }
    if (!right && !truncated_)
      recorder_->Unexpected("scan", "an iteration missed key " + std::to_string(key));
  }
}

void Stage::AwaitCheckpoint() {
  while (!subject_->Poll()) scheduler_->Yield();
}

void Stage::Grow() {
  const Status status = subject_->GrowIndex();
  recorder_->Tell("checkpoint", "growth of the index: " + std::string(StatusName(status)));
  const bool fine = status == Status::kOk || status == Status::kBusy || status == Status::kUnsupported ||
                    status == Status::kInvalidArgument;  // as large as it may be
  if (!fine) recorder_->Unexpected("R0", "a growth was answered with " + std::string(StatusName(status)));
}

void Stage::Act(ActorFiber* actor, const Action& action) {
  SessionUser& user = actor->user;
  const bool uses_session = action.verb <= Verb::kCompleteWait;
  if (uses_session) user.EnsureOpen(recovered_);
  if (uses_session && !user.open()) return;
  switch (action.verb) {
    case Verb::kRead:
      return user.Operate(OpType::kRead, action.number);
    case Verb::kUpsert:
      return user.Operate(OpType::kUpsert, action.number);
    case Verb::kRmw:
      return user.Operate(OpType::kRmw, action.number);
    case Verb::kDelete:
      return user.Operate(OpType::kDelete, action.number);
    case Verb::kInsert:
      return abilities_.insert ? user.Operate(OpType::kInsert, action.number) : void();
    case Verb::kTruncate:
      if (!abilities_.truncate) return;
      if (marked_at_ == 0) Mark();
      truncated_ = true;
      return user.Truncate(mark_, marked_at_);
    case Verb::kMark:
      return abilities_.truncate ? Mark() : void();
    case Verb::kCompact:
    case Verb::kCompactLookup:
      return Compact(action.verb == Verb::kCompactLookup, action.number);
    case Verb::kRetain:
      return Retain(action.number);
    case Verb::kIterate:
      return Iterate();
    case Verb::kRefresh:
      return user.Refresh();
    case Verb::kComplete:
      return user.Complete(false);
    case Verb::kCompleteWait:
      return user.Complete(true);
    case Verb::kPause: {
      const uint32_t until = recorder_->operations_begun() + action.number;
      return Await(actor, [&] { return recorder_->operations_begun() >= until; });
    }
    case Verb::kAwaitOperations:
      return Await(actor, [&] { return recorder_->operations_begun() >= action.number; });
    case Verb::kAwaitPhase:
      return Await(actor, [&] { return recorder_->phase() == static_cast<int>(action.number); });
    case Verb::kOpen:
      return user.Start();
    case Verb::kContinue:
      return user.ContinueLast(recovered_);
    case Verb::kReplay:
      return user.ReplayLost(recovered_);
    case Verb::kClose:
      if (user.open()) user.Close();
      return;
    case Verb::kCheckpoint:
      return RequestCheckpoint(action.checkpoint);
    case Verb::kAwaitCheckpoint:
      return AwaitCheckpoint();
    case Verb::kGrow:
      return Grow();
  }
}

// Acts the longest run of operations of one type from `first` on that the actor puts into one batch; returns
// their number, 0 if the action at `first` is acted by itself.
size_t Stage::Batch(ActorFiber* actor, size_t first) {
  const std::vector<Action>& actions = actor->script->actions;
  const Verb verb = actions[first].verb;
  size_t count = 1;
  while (count < actor->script->batch && first + count < actions.size() &&
         actions[first + count].verb == verb) {
    ++count;
  }
  if (count < 2 || verb > Verb::kRmw) return 0;
  actor->user.EnsureOpen(recovered_);
  if (!actor->user.open()) return count;
  {
    const HostHeap host;
    actor->keys.clear();
    for (size_t i = 0; i < count; ++i) actor->keys.push_back(actions[first + i].number);
  }
  actor->user.OperateBatch(static_cast<OpType>(verb), actor->keys);
  return count;
}

void Stage::Main(void* argument) {
  ActorFiber* actor = static_cast<ActorFiber*>(argument);
  Stage* stage = actor->stage;
  const std::vector<Action>& actions = actor->script->actions;
  for (size_t i = 0; i < actions.size();) {
    if (stage->follower_ != nullptr)
      stage->follower_->OnAction(stage->scheduler_->current_fiber(), static_cast<uint32_t>(i));
    const size_t batched = stage->Batch(actor, i);
    if (batched == 0) stage->Act(actor, actions[i]);
    i += batched == 0 ? 1 : batched;
  }
  if (actor->user.open() && !actor->script->leaves_open) {
    actor->user.Complete(true);
    actor->user.Close();
  }
  ++stage->ended_;
  stage->scheduler_->Notify(stage->recorder_->progress_channel());
}

void Stage::CompleteAll() {
  for (size_t i = 0; i < used_; ++i) actors_[i].user.FinishAll();
  AwaitCheckpoint();
}

}  // namespace experiments
