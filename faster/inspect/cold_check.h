// CheckColdHalf: the cold half of a pair: the checkpoint of the cold index that it names, and the cold log.
//
// Every chunk of the index in its newest version leads to records of the cold log, and so do their links;
// every block of [begin, final) verifies. A record that nothing leads to is none of our business here: it
// lost the race for its entry, or was moved again.
#pragma once

#include "faster/inspect/validate.h"

namespace faster {

struct ColdTarget {
  std::string_view directory;  // of the hot store
  const LogMetadata* hot;
  const PairMetadata* pair;
  const ValidateOptions* options;
};

// Adds to *report. kOk, whatever was found, or kOutOfMemory.
Status CheckColdHalf(Inspection* inspection, const ColdTarget& target, CheckpointReport* report);
}  // namespace faster
