// What a recovery takes for live, and from where on it replays: the same rules for whoever recovers a
// checkpoint or checks one. Pure functions, thread-safe.
#pragma once

#include "faster/core/checkpoint_types.h"
#include "faster/core/record.h"

namespace faster {

// kUndone: of the version after the checkpoint's. kDead: undone by an earlier recovery (dead_ranges).
enum class RecordFate : uint8_t { kLive, kUndone, kDead };

RecordFate FateOf(const LogMetadata& log, LogAddress at, RecordHeader header);

// min(Lis, Lhs), the block that it lies in. An index captured after the shift of the checkpoint that its
// incarnation was recovered from later may lead to records which that recovery undid: then the replay starts
// where these begin. Without an index it starts at the log's begin.
LogAddress ReplayStart(const IndexMetadata* index, const LogMetadata& log);

}  // namespace faster
