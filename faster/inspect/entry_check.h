// CheckEntry: one checkpoint of one store, its index and its log; a pair's cold half is cold_check.h's.
#pragma once

#include "faster/inspect/validate.h"

namespace faster {

struct EntryTarget {
  std::string_view directory;
  const StoreView* view = nullptr;
  const CatalogEntry* entry = nullptr;
  const ValidateOptions* options = nullptr;
  CheckpointPart index_part = CheckpointPart::kIndex;  // that findings belong to
  CheckpointPart log_part = CheckpointPart::kLog;
  RecordVisitor on_record;  // of the log
};

// Adds to *report what it read and used. kOk, whatever was found, or kOutOfMemory.
Status CheckEntry(Inspection* inspection, const EntryTarget& target, CheckpointReport* report);
}  // namespace faster
