// Cut: the commit points of one checkpoint in real time.
//
// CPR commits a prefix of each session, not all that came before one moment. A cut is buffered durably
// linearizable (R6) only if its operations could have been first in one order that respects real time: if no
// operation inside it was invoked after one outside it had returned. All operations here are updates; cuts
// that only the order within a key would break are not looked for (CPR excludes them: R3). Plain functions.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace experiments::figures {

struct SessionCut {             // ns
  uint64_t last_invoked = 0;    // of the last operation inside
  uint64_t point = 0;           // when it had returned: the next one was invoked
  uint64_t first_returned = 0;  // of the first operation outside; not before it did
};
struct Cut {
  uint64_t requested = 0, durable = 0;
  std::vector<SessionCut> sessions;
};

bool IsBuffered(const Cut& cut);
uint64_t Spread(const Cut& cut);  // between the earliest and the latest commit point

// What a crash at some moment would take from one session.
struct Loss {
  uint64_t operations = 0;
  uint64_t ns = 0;  // since its commit point in the newest durable checkpoint
};

//   cuts, unbuffered_share, spread_us (median), spread_p95_us, commit_ms (median from request to durable)
//   lost_operations, lost_ms (means of the losses), lost_most, lost_most_ms
// Nothing without a cut; the second line only with losses.
using CutMetrics = std::vector<std::pair<std::string, double>>;
CutMetrics MetricsOf(const std::vector<Cut>& cuts, const std::vector<Loss>& losses);

}  // namespace experiments::figures
