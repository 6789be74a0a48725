#include "faster/cpr/replay_rules.h"

#include <algorithm>

namespace faster {

RecordFate FateOf(const LogMetadata& log, LogAddress at, RecordHeader header) {
  const uint32_t version = header.version();
  const uint64_t next = (log.version + 1) & ((uint64_t{1} << log.version_bits) - 1);
  if (at >= log.start_address && version == next) return RecordFate::kUndone;
  const bool dead = std::any_of(log.dead_ranges.begin(), log.dead_ranges.end(), [&](const DeadRange& range) {
    return at >= range.from && at < range.to && range.version == version;
  });
  return dead ? RecordFate::kDead : RecordFate::kLive;
}

LogAddress ReplayStart(const IndexMetadata* index, const LogMetadata& log) {
  LogAddress start = log.begin_address;
  if (index != nullptr) {
    start = std::min(index->checkpoint_start, log.start_address);
    // Each recovery added one dead range and one generation: range i was undone after generation i.
    const size_t recoveries = std::min(log.dead_ranges.size(), log.generations.size());
    for (size_t i = 0; i < recoveries; ++i) {
      const bool captured_before =
          GenerationOrdinal(index->generation) <= GenerationOrdinal(log.generations[i].generation);
      if (captured_before && log.dead_ranges[i].from < index->checkpoint_final)
        start = std::min(start, log.dead_ranges[i].from);
    }
    start = std::max(start, log.begin_address);  // the log may be gone below
  }
  return start & ~LogAddress{log.block_bytes - 1};
}

}  // namespace faster
