// CheckpointLog: watches the checkpoints of a run: when each was requested, passed its phases and became
// durable.
//
// An ordinary CheckpointObserver, and the one place that writes a RunJournal's phases and checkpoints. It can
// also hold the store in a phase: the notification then does not return for a while, sessions go on
// meanwhile, and a parent process has time to kill exactly there. Thread-safe; times are seconds since
// SetOrigin.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "faster/cpr/checkpointer.h"
#include "workloads/ycsb/journal.h"

namespace workloads::ycsb {

struct CheckpointChoice {
  faster::CheckpointKind kind = faster::CheckpointKind::kFull;
  faster::LogBackend backend = faster::LogBackend::kFoldOver;
};

struct CheckpointEvent {
  faster::Token token;
  CheckpointChoice choice;
  double requested = 0;
  double ended = -1;  // seconds; -1: had not ended when the run did
  faster::Status status = faster::Status::kPending;
  std::vector<std::pair<faster::Phase, double>> phases;  // entered when
  bool durable() const { return ended >= 0 && status == faster::Status::kOk; }
};

// Stand still for `seconds` when checkpoint number `checkpoint` (from 0) enters `phase`.
struct HoldRequest {
  uint32_t checkpoint = 0;
  faster::Phase phase = faster::Phase::kRest;
  double seconds = 0;
};

class CheckpointLog final : public faster::CheckpointObserver {
 public:
  using Clock = std::chrono::steady_clock;

  explicit CheckpointLog(RunJournal* journal = nullptr, std::optional<HoldRequest> hold = {})
      : journal_(journal), hold_(hold) {}
  void SetOrigin(Clock::time_point origin) { origin_ = origin; }

  // Around FasterKv::Checkpoint, as phases are told of before it returns. One checkpoint at a time.
  void Requested(const CheckpointChoice& choice);
  void Named(const faster::Token& token);
  void Refused();

  void OnPhase(faster::CheckpointKind kind, faster::Phase phase, uint64_t version) override;
  void OnDurable(const faster::Token& token, faster::CheckpointKind kind, faster::Status status,
                 uint64_t version, const std::vector<faster::SessionCommit>& sessions) override;

  std::vector<CheckpointEvent> events() const;

 private:
  double Now() const { return std::chrono::duration<double>(Clock::now() - origin_).count(); }
  void JournalDurable(const faster::Token& token, faster::Status status,
                      const std::vector<faster::SessionCommit>& sessions);

  RunJournal* const journal_;
  const std::optional<HoldRequest> hold_;
  Clock::time_point origin_ = Clock::now();
  mutable std::mutex mutex_;
  std::vector<CheckpointEvent> events_;
};

}  // namespace workloads::ycsb
