// CheckpointPartner: another store whose state belongs to the checkpoints of this one.
//
// The checkpointer calls it on its job, where it may block. What Commit() makes durable is part of the
// checkpoint, whose commit mark (log.meta) is written after it returned kOk: one mark for both, so that no
// crash can leave a checkpoint that is complete in one store and not in the other.
#pragma once

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"

namespace faster {

class CheckpointPartner {
 public:
  virtual ~CheckpointPartner() = default;
  // The checkpoint that `log` describes is durable but for log.meta: all its addresses are taken, its token
  // directory exists. An error fails the checkpoint.
  virtual Status Commit(const LogMetadata& log, CheckpointKind kind) = 0;
  // Checkpoints have been removed, for good. Removes what only they needed.
  virtual Status AfterRetention(Diagnosis* why) = 0;
};

}  // namespace faster
