// Recorder: writes down what the clients of one execution saw, arms its crash, and counts where it was.
//
// It is the observer that the engine calls, so its callbacks run on whatever fiber the engine is on; a phase
// change is a scheduling point. Everything happens on one OS thread. Times are a counter of its own: unique,
// and in the order in which things happened. Memory is the host's, never the fibers' arena, and is kept from
// one execution to the next. `Story` lines are made only when asked for.
#pragma once

#include <string>
#include <vector>

#include "experiments/crash/scenario.h"
#include "faults/oracle/history.h"
#include "faults/sched/scheduler.h"

namespace experiments {

// Rows of the table: where the machine is, with Rest before and after a checkpoint apart.
constexpr int kCellRows = 9;
constexpr int kRestBefore = 0;  // 1..7 are kPhaseName[1..7]
constexpr int kRestAfter = 8;
const char* CellRowName(int row);

struct Cell {
  int8_t kind = -1;  // KindIndex(), -1: no checkpoint was ever to be taken
  int8_t row = kRestBefore;
};

struct StoryLine {
  uint64_t step = 0;
  uint32_t incarnation = 0;
  int32_t fiber = -1;  // -1: the harness
  std::string lane;    // "session 1", "device", "checkpoint", "harness"
  std::string text;
};

class Recorder final : public SubjectObserver {
 public:
  void Begin(faults::Scheduler* scheduler, bool tells_story);

  // An incarnation begins: recovered, not at work yet. `first_kind`: of its first checkpoint, as in Cell.
  void BeginIncarnation(uint32_t incarnation, int first_kind);
  // `crash` is armed when its anchor is met; *device_faults counts what the device did wrong so far.
  void BeginWork(const CrashPoint& crash, const uint64_t* device_faults);
  // A fault was injected while sessions worked, in this incarnation or an earlier one: an operation or a
  // checkpoint may have failed. Without one neither may, whatever the plan holds.
  bool DeviceFailed();
  // The crash that has just come after so many steps, as a delay after the nearest anchor before it.
  CrashPoint CrashSince(bool at_rest, uint64_t steps) const;
  bool crash_by_event() const { return armed_ && crash_.events; }
  void EndWork();  // until the next BeginIncarnation phases are not ours: a recovery runs

  uint64_t Now() { return ++time_; }
  uint64_t time() const { return time_; }  // of the last thing that happened

  // Around StartSession: until it returns, the engine may know of a session that we do not.
  void SessionOpening() { ++sessions_opening_; }
  void SessionOpened() { --sessions_opening_; }
  uint32_t SessionIndex(const faster::Guid& id);  // opened now, if it is new
  uint32_t Invoke(uint32_t session, uint64_t serial, faults::OpType type, uint64_t key, uint64_t operand);
  void Respond(uint32_t operation, const SubjectResult& result);
  void Told(uint32_t session, const faster::CommitNotice& notice);
  // Around ContinueSession: Continuing() before the call, then one of the two.
  uint32_t Continuing(const faster::Guid& session, const faster::Token& recovered);
  void Continued(uint32_t report, uint64_t serial, const std::vector<uint64_t>& excluded);
  void NotContinued(uint32_t report);

  // A request: Requested() before the call, Answered() after it. A crash may come between.
  uint32_t Requested(const CheckpointRequest& request);
  void Answered(uint32_t request, faster::Status status, const faster::Token& token);
  // After a crash: a checkpoint may have become durable before its requester heard its token, and a session
  // may be in it before its user heard its id. Called at the crash with null, and with what recovery
  // returned.
  void ResolveRequests(const faster::Token* recovered, const std::vector<faster::SessionCommit>* commits);

  // SubjectObserver
  void OnPhase(const char* phase, uint64_t version) override;
  void OnSessionPhase(const faster::Guid& session, const char* phase, uint64_t version) override;
  void OnDurable(const faster::Token& token, faster::Status status, uint64_t version,
                 const std::vector<faster::SessionCommit>& sessions) override;

  void Retaining(uint32_t keep) { retained_ = keep < retained_ ? keep : retained_; }
  uint32_t retained() const { return retained_; }  // so many checkpoints may be left, in this execution
  void TellStatus(const char* what, faster::Status status);  // a line in the lane of the running fiber
  void OnUpkeep(const char* what, faster::Status status) override;

  void Tell(const char* lane, std::string text);  // a line of the story, if there is one
  // The same in the lane of the running fiber: `what`, the session, its last serial.
  void TellHere(const char* what, const faster::Guid& session, uint64_t serial);

  faults::History& history() { return history_; }
  Cell cell() const;
  uint64_t cells_seen() const { return cells_seen_; }  // bit kind * kCellRows + row
  int phase() const { return growth_phase_ != 0 ? growth_phase_ : phase_; }
  bool growing() const { return growth_phase_ != 0; }
  uint32_t growths() const { return growths_; }                  // begun in this execution
  uint32_t running() const { return requests_open_; }            // calls of StartCheckpoint not back yet
  uint32_t durable_count() const { return durable_count_; }      // good callbacks in this incarnation
  uint64_t completed_checkpoints() const { return completed_; }  // good callbacks in this execution
  const std::string& unexpected() const {
    return unexpected_;
  }  // a status no correct engine gives, "" if none
  const char* unexpected_rule() const { return unexpected_rule_; }
  void Unexpected(const char* rule, std::string what);
  bool tells_story() const { return tells_story_; }
  std::vector<StoryLine>& story() { return story_; }
  uint64_t Digest() const;  // of all that clients saw

  // Channel notified at every phase change, durable callback and operation start.
  const void* progress_channel() const { return &progress_; }
  uint32_t operations_begun() const { return operations_begun_; }  // of sessions, in this incarnation
  uint32_t phase_changes() const { return phase_changes_; }

 private:
  struct Request {
    faults::CheckpointEvent event;
    bool open = true;       // StartCheckpoint has not returned
    bool accepted = false;  // in history_.checkpoints
  };
  void Pass(CrashPoint::Anchor anchor, uint32_t checkpoint, int phase = 0);
  void MarkCell();
  void OnGrowthPhase(int phase);
  void Fill(faults::CheckpointEvent* event, const faults::CheckpointEvent& early);
  void KindFromPhase(int phase);
  void AdoptSessions(const std::vector<faster::SessionCommit>& commits);

  faults::Scheduler* scheduler_ = nullptr;
  faults::History history_;
  std::vector<Request> requests_;               // of this incarnation
  std::vector<faults::CheckpointEvent> early_;  // durable before their token was known
  CrashPoint crash_;
  const uint64_t* device_faults_ = nullptr;  // of the running work
  uint64_t faults_before_ = 0;
  CrashPoint passed_;  // the newest anchor of this incarnation's work, and when
  uint64_t passed_step_ = 0;
  bool armed_ = false;
  bool working_ = false;
  uint32_t retained_ = ~0u;
  uint64_t time_ = 0;
  uint32_t sessions_opening_ = 0;
  std::vector<int8_t> session_phase_;  // by session, as the engine told
  uint32_t incarnation_ = 0;
  int phase_ = 0;
  int growth_phase_ = 0;  // a growth excludes checkpoints: never both
  uint32_t growths_ = 0;
  uint32_t growths_here_ = 0;  // of them in this incarnation's work
  int kind_ = -1;
  int first_kind_ = -1;
  uint32_t started_ = 0;  // times the machine left Rest in this incarnation
  uint32_t requests_open_ = 0;
  uint32_t durable_count_ = 0;
  uint32_t operations_begun_ = 0;
  uint32_t phase_changes_ = 0;
  uint64_t completed_ = 0;
  uint64_t cells_seen_ = 0;
  std::string unexpected_;
  const char* unexpected_rule_ = "";
  bool tells_story_ = false;
  std::vector<StoryLine> story_;
  char progress_ = 0;
};

}  // namespace experiments
