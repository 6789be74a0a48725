// The phases of a CPR checkpoint and the order in which each kind walks them, as data (CPR paper sec. 6,
// Fig. 8).
//
//   Rest            operations as without checkpoints
//   PrepIndexChkpt  every operation that started before is over; then the index may be copied
//   IndexChkpt      the index is copied and made durable in the background
//   Prepare         v operations take old locks; a session that meets a v+1 record shifts (CPR_SHIFT)
//   InProgress      sessions pass their CPR point one by one; v+1 operations copy old records under new locks
//   WaitPending     every session is at v+1; pending v operations end, an overlapped index copy ends
//   WaitFlush       v is complete up to the final address: it is flushed, snapshotted, described, synced
//   PersistenceCallback  durable: sessions are told. v+1 operations neither copy nor update an old record in
//                   the mutable region: some sessions still copy (WaitFlush), others are in Rest again
//
// and of an index growth (index/hash_index.h; FASTER paper sec. 3.4), an action of the same machine:
//
//   GrowPrepare     sessions say which part of the old table they are in
//   GrowInProgress  its parts are split, by operations that need them and by the driver; then it is freed
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "faster/core/checkpoint_types.h"

namespace faster {

enum class Phase : uint8_t {
  kRest,
  kPrepIndex,
  kIndex,
  kPrepare,
  kInProgress,
  kWaitPending,
  kWaitFlush,
  kPersistenceCallback,
  kGrowPrepare,
  kGrowInProgress
};
constexpr int kPhases = 10;

constexpr std::string_view PhaseName(Phase phase) {
  constexpr std::string_view kNames[kPhases] = {
      "Rest",        "PrepIndexChkpt", "IndexChkpt",          "Prepare",     "InProgress",
      "WaitPending", "WaitFlush",      "PersistenceCallback", "GrowPrepare", "GrowInProgress"};
  return kNames[static_cast<uint8_t>(phase)];
}

// kNextPhase[kind][phase]; a phase that the kind never enters leads to Rest.
constexpr Phase kNextPhase[6][kPhases] = {
    /* full  */ {Phase::kPrepIndex, Phase::kIndex, Phase::kPrepare, Phase::kInProgress, Phase::kWaitPending,
                 Phase::kWaitFlush, Phase::kPersistenceCallback, Phase::kRest, Phase::kRest, Phase::kRest},
    /* index */
    {Phase::kPrepIndex, Phase::kIndex, Phase::kRest, Phase::kRest, Phase::kRest, Phase::kRest, Phase::kRest,
     Phase::kRest, Phase::kRest, Phase::kRest},
    /* log   */
    {Phase::kPrepare, Phase::kRest, Phase::kRest, Phase::kInProgress, Phase::kWaitPending, Phase::kWaitFlush,
     Phase::kPersistenceCallback, Phase::kRest, Phase::kRest, Phase::kRest},
    /* grow  */
    {Phase::kGrowPrepare, Phase::kRest, Phase::kRest, Phase::kRest, Phase::kRest, Phase::kRest, Phase::kRest,
     Phase::kRest, Phase::kGrowInProgress, Phase::kRest},
    /* incremental */
    {Phase::kPrepare, Phase::kRest, Phase::kRest, Phase::kInProgress, Phase::kWaitPending, Phase::kWaitFlush,
     Phase::kPersistenceCallback, Phase::kRest, Phase::kRest, Phase::kRest},
    /* full, the index copied from Prepare to WaitPending */
    {Phase::kPrepIndex, Phase::kPrepare, Phase::kRest, Phase::kInProgress, Phase::kWaitPending,
     Phase::kWaitFlush, Phase::kPersistenceCallback, Phase::kRest, Phase::kRest, Phase::kRest},
};
constexpr uint8_t kOverlappedRow = 5;

// Phase, kind of the running checkpoint and store version in one word.
struct SystemState {
  Phase phase = Phase::kRest;
  CheckpointKind kind = CheckpointKind::kFull;
  uint64_t version = 1;  // 48 bits

  uint64_t control() const {
    return version << 16 | uint64_t{static_cast<uint8_t>(kind)} << 8 | static_cast<uint8_t>(phase);
  }
  static SystemState FromControl(uint64_t control) {
    return {static_cast<Phase>(control & 0xff), static_cast<CheckpointKind>(control >> 8 & 0xff),
            control >> 16};
  }
  bool operator==(const SystemState&) const = default;

  // The state after this one in a checkpoint of `of_kind`; the version grows on entering InProgress.
  // `overlapped`: a full checkpoint copies the index while versions shift.
  SystemState Next(CheckpointKind of_kind, bool overlapped = false) const {
    const uint8_t row =
        overlapped && of_kind == CheckpointKind::kFull ? kOverlappedRow : static_cast<uint8_t>(of_kind);
    SystemState next{kNextPhase[row][static_cast<uint8_t>(phase)], of_kind, version};
    if (next.phase == Phase::kInProgress) ++next.version;
    return next;
  }
};

// Sessions at v+1 exist and version v is not durable yet: old records are copied, not changed.
constexpr bool IsShifted(Phase phase) {
  return phase == Phase::kInProgress || phase == Phase::kWaitPending || phase == Phase::kWaitFlush ||
         phase == Phase::kPersistenceCallback;
}

// Operations look for their table before they work in it.
constexpr bool IsGrowing(Phase phase) {
  return phase == Phase::kGrowPrepare || phase == Phase::kGrowInProgress;
}

// Some sessions may be at v and others at v+1, or operations of v be pending in sessions at v+1.
constexpr bool VersionsDiffer(Phase phase) {
  return phase == Phase::kInProgress || phase == Phase::kWaitPending;
}

}  // namespace faster
