#include "tests/property/abstract_store.h"

#include <algorithm>
#include <set>

#include "faults/oracle/words.h"

namespace faults_test {
namespace {

using namespace faults;
using faster::SessionCommit;
using faster::Status;
using State = std::map<uint64_t, uint64_t>;

constexpr size_t kMostFlights = 8;  // operations without a response at a time

enum class Phase { kRest, kPrepare, kInProgress, kCaptured };

struct Flight {  // an operation without a response
  uint32_t op = 0;
  bool done = false;     // took effect
  bool newer = false;    // of version v+1
  bool pending = false;  // its session goes on meanwhile
};

struct Session {
  bool known = false;   // may issue operations in this incarnation
  bool exists = false;  // open, or recovered and not continued
  bool shifted = false;
  uint64_t last = 0;               // serial issued
  uint64_t commit = 0;             // at the shift
  std::vector<uint64_t> excluded;  // of commit; of a recovered session that is not continued: told to nobody
  bool listed = false;             // takes part in the running checkpoint
};

struct Saved {  // a checkpoint on disk
  uint32_t event = 0;
  std::vector<SessionCommit> commits;
  State state;
};

class Store {
 public:
  Store(const StoreLimits& limits, Tape* tape) : limits_(limits), tape_(*tape) {
    history_.refresh_every_operation = limits.refresh_every_operation;
    history_.relaxed = limits.relaxed;
    for (uint32_t s = 0; s < limits_.sessions; ++s) Open();
  }

  History Run() {
    while (!tape_.Ended()) Step();
    if (tape_.Pick(4) == 3) {
      Crash();
    } else {
      Quiesce();
    }
    return std::move(history_);
  }

 private:
  uint64_t Now() { return ++time_; }

  void Step() {
    switch (tape_.Pick(16)) {
      default:
        Invoke(tape_.Pick(static_cast<uint32_t>(sessions_.size())));
        break;
      case 5:
      case 6:
      case 7:
        Effect();
        break;
      case 8:
      case 9:
        Respond();
        break;
      case 10:
        GoPending();
        break;
      case 11:
        Refresh(tape_.Pick(static_cast<uint32_t>(sessions_.size())));
        break;
      case 12:
      case 13:
        Checkpoint();
        break;
      case 14:
        if (tape_.Pick(3) == 0)
          Tell();
        else
          Checkpoint();
        break;
      case 15:
        if (tape_.Pick(8) == 0)
          Open();
        else if (crashes_ < limits_.crashes && tape_.Pick(3) == 1)
          Crash();
        break;
    }
  }

  void Open() {
    if (sessions_.size() >= limits_.sessions + 2u) return;
    Session session;
    session.known = session.exists = true;
    session.shifted = phase_ == Phase::kInProgress || phase_ == Phase::kCaptured;
    session.listed = !session.shifted;
    history_.sessions.push_back(faster::Guid{11, 100 - sessions_.size()});
    history_.session_opened.push_back(Now());
    sessions_.push_back(session);
  }

  Flight* Current(uint32_t session) {
    for (Flight& flight : flights_)
      if (!flight.pending && history_.operations[flight.op].session == session) return &flight;
    return nullptr;
  }

  void Refresh(uint32_t s) {
    if (phase_ != Phase::kInProgress || sessions_[s].shifted || Current(s) != nullptr) return;
    Shift(s);
  }

  // The session's commit point. An operation that it is in the middle of and that had no effect yet is of
  // v+1; so is, with the relaxed guarantee, what is pending.
  void Shift(uint32_t s) {
    Session& session = sessions_[s];
    session.shifted = true;
    session.commit = session.last;
    if (session.known) session.excluded.clear();
    if (Flight* current = Current(s); current != nullptr && !current->done) {
      current->newer = true;
      --session.commit;
    }
    for (Flight& flight : flights_) {
      const Operation& op = history_.operations[flight.op];
      if (!limits_.relaxed || op.session != s || !flight.pending || flight.done || flight.newer) continue;
      flight.newer = true;
      session.excluded.push_back(op.serial);
    }
    std::sort(session.excluded.begin(), session.excluded.end());
  }

  void Invoke(uint32_t s) {
    Session& session = sessions_[s];
    if (!session.known || Current(s) != nullptr || flights_.size() >= kMostFlights) return;
    if (history_.operations.size() >= limits_.operations) return;
    if (limits_.refresh_every_operation) Refresh(s);
    Operation op;
    op.session = s;
    op.incarnation = incarnation_;
    op.serial = ++session.last;
    op.key = tape_.Pick(limits_.keys);
    constexpr OpType kTypes[] = {OpType::kRmw,    OpType::kRead, OpType::kUpsert, OpType::kDelete,
                                 OpType::kUpsert, OpType::kRmw,  OpType::kRead,   OpType::kRmw};
    op.type = kTypes[tape_.Pick(8)];
    if (op.type == OpType::kUpsert || op.type == OpType::kRmw)
      op.operand = ++word_ * 0x9e3779b97f4a7c15ull | 1;
    op.invoked = Now();
    flights_.push_back(
        Flight{static_cast<uint32_t>(history_.operations.size()), false, session.shifted, false});
    history_.operations.push_back(op);
  }

  bool NewerKey(uint64_t key) const { return newer_keys_.count(key) > 0; }

  // True if the operation took effect now.
  bool Effect(Flight* flight) {
    Operation& op = history_.operations[flight->op];
    // CPR_SHIFT: the session enters v+1, and this operation with it.
    if (!flight->newer && NewerKey(op.key)) Shift(op.session);
    if (!limits_.relaxed && flight->newer && op.type != OpType::kRead)
      for (const Flight& other : flights_)
        if (!other.newer && !other.done && other.pending && history_.operations[other.op].key == op.key)
          return false;
    Change(&op, &live_);
    if (!flight->newer && phase_ == Phase::kInProgress) old_ = Copied(old_, op.key);
    if (flight->newer && phase_ != Phase::kRest && op.type != OpType::kRead && op.outcome == OpOutcome::kOk)
      newer_keys_.insert(op.key);
    flight->done = true;
    return true;
  }

  State Copied(State state, uint64_t key) const {
    const auto found = live_.find(key);
    if (found == live_.end())
      state.erase(key);
    else
      state[key] = found->second;
    return state;
  }

  void Change(Operation* op, State* state) {
    const auto found = state->find(op->key);
    const bool there = found != state->end();
    op->outcome = OpOutcome::kOk;
    if (op->type == OpType::kRead) {
      op->outcome = there ? OpOutcome::kOk : OpOutcome::kFail;
      op->result = there ? found->second : 0;
    } else if (op->type == OpType::kUpsert) {
      (*state)[op->key] = op->operand;
    } else if (op->type == OpType::kRmw) {
      op->result = (*state)[op->key] = RmwWord(there ? found->second : 0, op->operand);
    } else if (there) {
      state->erase(found);
    } else if (tape_.Pick(2) == 0) {
      op->outcome = OpOutcome::kFail;  // else a tombstone on nothing
    }
  }

  void Effect() {
    std::vector<uint32_t> waiting;
    for (uint32_t i = 0; i < flights_.size(); ++i)
      if (!flights_[i].done) waiting.push_back(i);
    if (!waiting.empty()) (void)Effect(&flights_[waiting[tape_.Pick(static_cast<uint32_t>(waiting.size()))]]);
  }

  void Respond() {
    std::vector<uint32_t> ready;
    for (uint32_t i = 0; i < flights_.size(); ++i)
      if (flights_[i].done) ready.push_back(i);
    if (ready.empty()) {
      Effect();
      return;
    }
    const uint32_t at = ready[tape_.Pick(static_cast<uint32_t>(ready.size()))];
    history_.operations[flights_[at].op].responded = Now();
    flights_.erase(flights_.begin() + at);
  }

  void GoPending() {
    for (Flight& flight : flights_) {
      Operation& op = history_.operations[flight.op];
      if (flight.pending || flight.done || (!flight.newer && NewerKey(op.key)) || tape_.Pick(2) == 0)
        continue;
      flight.pending = op.went_pending = true;
      return;
    }
  }

  void Checkpoint() {
    switch (phase_) {
      case Phase::kRest: {
        CheckpointEvent event;
        event.incarnation = incarnation_;
        event.token = faster::Guid{22, ++tokens_};
        event.requested = Now();
        if (tape_.Pick(8) == 7) {
          event.kind = faster::CheckpointKind::kIndexOnly;
          event.callback = Now();
          event.status = Status::kOk;
        } else {
          phase_ = Phase::kPrepare;
          for (Session& session : sessions_) session.listed = session.exists;
        }
        history_.checkpoints.push_back(event);
        break;
      }
      case Phase::kPrepare:
        phase_ = Phase::kInProgress;
        old_ = live_;
        break;
      case Phase::kInProgress:
        Capture();
        break;
      case Phase::kCaptured: {
        CheckpointEvent& event = history_.checkpoints[saved_.back().event];
        event.callback = Now();
        event.status = Status::kOk;
        event.reported = saved_.back().commits;
        EndShift();
        break;
      }
    }
  }

  void EndShift() {
    phase_ = Phase::kRest;
    newer_keys_.clear();
    for (Session& session : sessions_) session.shifted = false;
    for (Flight& flight : flights_) flight.newer = false;
  }

  void Capture() {
    // Sessions at rest are shifted for, sooner or later.
    const bool all = tape_.Pick(4) == 3;
    const uint32_t one = tape_.Pick(static_cast<uint32_t>(sessions_.size()));
    for (uint32_t s = 0; s < sessions_.size(); ++s)
      if (all || s == one) Refresh(s);
    for (const Session& session : sessions_)
      if (session.listed && !session.shifted) return;
    for (const Flight& flight : flights_)
      if (!flight.newer && !flight.done) return;
    Saved saved;
    saved.event = static_cast<uint32_t>(history_.checkpoints.size()) - 1;
    for (uint32_t s = 0; s < sessions_.size(); ++s)
      if (sessions_[s].listed)
        saved.commits.push_back({history_.sessions[s], sessions_[s].commit, sessions_[s].excluded});
    saved.state = old_;
    saved_.push_back(std::move(saved));
    phase_ = Phase::kCaptured;
  }

  // Tells a session the commit point of the newest durable checkpoint.
  void Tell() {
    if (saved_.empty() || phase_ == Phase::kCaptured) return;
    const Saved& saved = saved_.back();
    const CheckpointEvent& event = history_.checkpoints[saved.event];
    if (event.incarnation != incarnation_ || saved.commits.empty()) return;
    const SessionCommit& commit = saved.commits[tape_.Pick(static_cast<uint32_t>(saved.commits.size()))];
    const auto at = std::find(history_.sessions.begin(), history_.sessions.end(), commit.session);
    history_.reports.push_back(SessionReport{static_cast<uint32_t>(at - history_.sessions.begin()),
                                             incarnation_, event.token, commit.serial, Now(), commit.excluded,
                                             0});
  }

  void Crash() {
    ++crashes_;
    for (const Flight& flight : flights_) {
      Operation& op = history_.operations[flight.op];
      op.outcome = OpOutcome::kUnknown;
      op.result = 0;
    }
    flights_.clear();
    if (phase_ == Phase::kCaptured && tape_.Pick(2) == 0) saved_.pop_back();  // its last write was lost
    Recovery recovery;
    recovery.incarnation = incarnation_;
    recovery.time = Now();
    if (saved_.size() > 1 && tape_.Pick(6) == 5) {  // an older one is asked for
      saved_.pop_back();
      recovery.named = true;
      recovery.requested = history_.checkpoints[saved_.back().event].token;
    }
    live_.clear();
    if (saved_.empty()) {
      recovery.status = Status::kNotFound;
    } else {
      recovery.log_token = history_.checkpoints[saved_.back().event].token;
      recovery.commits = saved_.back().commits;
      live_ = saved_.back().state;
    }
    recovery.state.assign(live_.begin(), live_.end());
    recovery.scanned.assign(live_.rbegin(), live_.rend());
    recovery.has_scan = true;
    history_.recoveries.push_back(recovery);
    ++incarnation_;
    EndShift();
    Continue(recovery);
  }

  void Continue(const Recovery& recovery) {
    for (uint32_t s = 0; s < sessions_.size(); ++s) {
      Session& session = sessions_[s];
      session.known = session.exists = session.listed = false;
      for (const SessionCommit& commit : recovery.commits) {
        if (commit.session != history_.sessions[s]) continue;
        session.exists = true;
        session.known = tape_.Pick(4) != 3;
        session.last = session.commit = commit.serial;
        session.excluded = commit.excluded;
        if (!session.known) continue;
        const uint64_t called = Now();
        history_.reports.push_back(SessionReport{s, incarnation_, recovery.log_token, commit.serial, Now(),
                                                 commit.excluded, called});
      }
    }
    if (recovery.commits.empty()) Open();
  }

  void Quiesce() {
    while (!flights_.empty()) {
      for (bool again = true; again;) {
        again = false;
        for (Flight& flight : flights_) again |= !flight.done && Effect(&flight);
      }
      for (const Flight& flight : flights_) history_.operations[flight.op].responded = Now();
      flights_.clear();
    }
    history_.quiesced = true;
    history_.final_state.assign(live_.begin(), live_.end());
  }

  StoreLimits limits_;
  Tape& tape_;
  History history_;
  std::vector<Session> sessions_;
  std::vector<Flight> flights_;
  std::vector<Saved> saved_;  // the lineage, oldest first
  State live_;
  State old_;  // of version v while sessions are in v+1
  std::set<uint64_t> newer_keys_;
  Phase phase_ = Phase::kRest;
  uint32_t incarnation_ = 0;
  uint32_t crashes_ = 0;
  uint64_t time_ = 0;
  uint64_t word_ = 0;
  uint64_t tokens_ = 0;
};

}  // namespace

History RunAbstractStore(const StoreLimits& limits, Tape* tape) { return Store(limits, tape).Run(); }

}  // namespace faults_test
