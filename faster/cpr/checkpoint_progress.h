// CheckpointProgress: how far the running checkpoint is, and what it waits for. A plain value, a picture of
// one moment: FasterKv::CheckpointProgress() takes it from any thread, as often as wanted; operations pay
// nothing.
#pragma once

#include <cstdint>
#include <string>

#include "faster/core/checkpoint_types.h"
#include "faster/cpr/phase.h"

namespace faster {

struct CheckpointProgress {
  bool running = false;  // else nothing below means anything
  Token token;
  CheckpointKind kind = CheckpointKind::kFull;
  Phase phase = Phase::kRest;
  uint64_t version = 0;  // that the checkpoint commits
  // The session whose acknowledgement of the phase is missing, if one is; of several the one opened first.
  bool held = false;
  Guid session;
  bool in_operation = false;  // it is inside a call; else it is idle, and the driver will act for it
  // Written so far and to be written in all: index buckets, then log bytes. 0 of 0 while nothing is.
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;

  // One line for people, without a line end.
  std::string Text() const;
};

}  // namespace faster
