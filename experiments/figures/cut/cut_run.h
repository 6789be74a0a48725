// CutRun: sessions that add to shared counters as fast as they can while checkpoints are taken every so
// often; when each of their operations began is kept, so that the commit points of a checkpoint can be found
// in time.
//
// A clock reading per operation (some 25 ns) is part of what is measured. An operation that goes pending is
// waited for, so a session's operations follow each other. At the end the store is recovered: the commit
// points that come back have to be those reported last, and the counters their sum. Used by one thread.
#pragma once

#include <string>

#include "experiments/figures/cut/cut.h"
#include "faster/core/config.h"

namespace experiments::figures {

struct CutPlan {
  uint32_t sessions = 0;  // a thread each
  uint64_t keys = 0;
  uint32_t refresh_interval = 1;
  uint64_t period_ns = 0;  // between requests; one that finds a checkpoint running waits for its end
  uint64_t duration_ns = 0;
  uint64_t poll_ns = 0;   // between polls of a running checkpoint
  bool snapshot = false;  // else fold-over
  bool sync = true;
  faster::ShiftScheme shift = faster::ShiftScheme::kFine;
  uint64_t seed = 1;
};

struct CutResult {
  std::vector<Cut> cuts;
  std::vector<Loss> losses;  // of every session, at moments 1 ms apart
  uint64_t unplaced = 0;     // cuts with a session that had done nothing since, or too much
  uint64_t operations = 0;
  double seconds = 0;
  bool violated = false;  // by what *error says
};

// False: *error.
bool RunCuts(const CutPlan& plan, const std::string& folder, CutResult* result, std::string* error);

}  // namespace experiments::figures
