// Actors: the fibers that act a scenario's script on a store, and what they share in one incarnation.
//
// Host code, not instrumented: between two calls of the engine nothing else runs, so plain variables suffice.
// Waiting goes through one channel; when every living actor waits, all waits end, since nothing they wait for
// can happen any more. A crash abandons the fibers: Forget() then drops what they held without calling the
// engine.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "experiments/crash/recorder.h"
#include "experiments/crash/scenario.h"
#include "faults/sched/scheduler.h"

namespace experiments {

// One session as its user sees it. Lives in host memory, the engine's object in the execution's arena.
class SessionUser {
 public:
  void Begin(Recorder* recorder, Subject* subject, uint64_t operand_base);
  void Forget();  // the crash took the engine's object
  bool open() const { return at_.session != nullptr; }
  void Start();                                                         // a new session
  void Resume(const faster::Guid& id, const faster::Token* recovered);  // falls back to Start()
  void EnsureOpen(const faster::Token* recovered);
  void Operate(faults::OpType type, uint64_t key);
  void Truncate(uint64_t mark, uint64_t marked_at);  // marked_at: the time of LogMark
  void OperateBatch(faults::OpType type, const std::vector<uint64_t>& keys);  // one call of the engine
  void Refresh();
  void Complete(bool wait);
  void Close();                                       // whatever is pending then ends without a result
  void FinishAll();                                   // completes and closes what is open, idle ones too
  void ContinueLast(const faster::Token* recovered);  // the one used last, closed since
  void Leave();                                       // the open session stays as it is, idle
  // Of the incarnation before: the session to continue and the operations of it that recovery lost.
  void Inherit(const SessionUser& from, const std::vector<faster::SessionCommit>& commits);
  void ReplayLost(const faster::Token* recovered);

 private:
  struct Slot {  // one open session
    SubjectSession* session = nullptr;
    uint32_t index = 0;                                  // in History::sessions
    uint64_t serial = 0;                                 // of the last operation
    std::vector<std::pair<uint64_t, uint32_t>> pending;  // serial, index of the operation
    void Forget() {
      session = nullptr;
      pending.clear();
    }
  };
  struct Issued {
    faults::OpType type;
    uint64_t key;
    uint64_t serial;
  };
  class BatchRecorder;
  class PendingRecorder;
  uint32_t Invoke(faults::OpType type, uint64_t key, uint64_t operand);
  void Ended(uint32_t operation, const SubjectResult& result);
  void Opened(std::unique_ptr<SubjectSession> session, uint64_t serial);
  void TakeCommits();

  Recorder* recorder_ = nullptr;
  Subject* subject_ = nullptr;
  Slot at_;                 // the session at hand
  std::vector<Slot> left_;  // idle ones
  uint64_t operand_ = 0;
  faster::Guid id_;  // of the session used last
  bool has_id_ = false;
  uint32_t durable_seen_ = 0;
  std::vector<uint64_t> operands_;  // of the batch at hand
  std::vector<Issued> issued_;      // by the session used last, in this incarnation
  std::vector<Issued> lost_;
  faster::Guid inherited_;
  bool has_inherited_ = false;
};

// Hears where an execution is, so that a policy can name its decisions by what the threads were doing instead
// of by steps (schedule.h). Calls change nothing in the execution; those without a note come from outside
// every fiber.
class ExecutionFollower {
 public:
  virtual ~ExecutionFollower() = default;
  virtual void OnIncarnation(uint32_t number) = 0;  // it is filled or recovered now
  // Its actors are about to run. True: the follower says when it crashes, not the scenario.
  virtual bool OnWork(uint32_t number) = 0;
  virtual void OnAction(int fiber, uint32_t action) = 0;  // of an actor's script; inside the fiber
  // It crashed; `crash` is the same moment as a scenario says it, from the nearest anchor. `by_event`: the
  // step of the event was still to come.
  virtual void OnCrash(uint32_t number, const CrashPoint& crash, bool by_event) = 0;
};

class Stage;

struct ActorFiber {
  Stage* stage = nullptr;
  const Actor* script = nullptr;
  SessionUser user;
  std::vector<uint64_t> keys;  // of the batch at hand
  bool waiting = false;
  uint32_t looked_at = 0;  // Stage::Stamp() when the condition waited for was last found false
};

// The actors of one incarnation.
class Stage {
 public:
  void Begin(faults::Scheduler* scheduler, Recorder* recorder, Subject* subject,
             const Incarnation& incarnation, uint32_t number, const faster::Token* recovered,
             const std::vector<faster::SessionCommit>& commits,
             const std::vector<std::pair<uint64_t, uint64_t>>* settled, ExecutionFollower* follower);
  void Spawn();        // every actor becomes a fiber
  void CompleteAll();  // inside a fiber, when the actors are done: no session stays open
  void Forget();

 private:
  friend struct ActorFiber;
  static void Main(void* actor);
  size_t Batch(ActorFiber* actor, size_t first);
  void Act(ActorFiber* actor, const Action& action);
  template <class Condition>
  void Await(ActorFiber* actor, Condition condition);
  uint32_t Stamp() const { return recorder_->operations_begun() + recorder_->phase_changes() + ended_; }
  bool AllWaitInVain(const ActorFiber* actor) const;
  void AwaitCheckpoint();
  void Grow();
  void RequestCheckpoint(const CheckpointRequest& request);
  void Mark();
  void Compact(bool by_lookup, uint32_t percent);
  void Retain(uint32_t keep);
  void Iterate();

  faults::Scheduler* scheduler_ = nullptr;
  Recorder* recorder_ = nullptr;
  Subject* subject_ = nullptr;
  ExecutionFollower* follower_ = nullptr;  // null: nobody asks
  const faster::Token* recovered_ = nullptr;
  // Keys that no actor touches, as this incarnation began.
  const std::vector<std::pair<uint64_t, uint64_t>>* settled_ = nullptr;
  SubjectAbilities abilities_;
  uint64_t mark_ = 0;
  uint64_t marked_at_ = 0;          // 0: not yet
  bool truncated_ = false;          // an actor has asked for it
  std::vector<ActorFiber> actors_;  // grows only; used_ of them act
  std::vector<ActorFiber> before_;  // those of the previous incarnation
  size_t used_ = 0;
  size_t used_before_ = 0;
  uint32_t ended_ = 0;     // actors that are done
  uint32_t released_ = 0;  // times that all waits were ended
};

}  // namespace experiments
