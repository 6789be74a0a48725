// The pairs that a hot store's directory holds, and what they need of the cold store (store/f2_kv.h).
//
// A pair is a checkpoint of the hot store's log (log.meta, its commit mark) with a pair.meta beside it. A
// log.meta without a pair.meta that verifies is damage: pair.meta was durable before log.meta got its name.
//
// Blocking, no state; thread-safe as far as the Storage is.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "faster/cpr/catalog.h"
#include "faster/cpr/retention.h"

namespace faster {

// Which checkpoint of the hot store a recovery would use (the named one, or the latest) and its other half.
// Reads only. kNotFound: no complete pair. kCorruption and what is wrong.
Status ChoosePair(Storage& storage, std::string_view directory, const std::optional<Token>& token,
                  PairMetadata* pair, Diagnosis* why);

struct ColdRetention {
  std::string_view hot;  // directories
  std::string_view log;
  std::string_view index;
  uint64_t log_segment_bytes = 0;
  uint64_t index_segment_bytes = 0;
  const std::vector<PairMetadata>* extra = nullptr;  // of checkpoints that may be complete or become so
  const std::vector<Token>* leftovers = nullptr;     // incomplete checkpoints of the index
};

// Removes checkpoints of the cold index that belong to no pair, and segments of the cold log and of the
// index's log that none needs. ORDER: that a checkpoint of the hot store is gone is made durable before what
// it needed goes. ERRORS: of the first step that failed; what was not reached stays.
Status RetainCold(Storage& storage, const ColdRetention& what, Diagnosis* why);

}  // namespace faster
