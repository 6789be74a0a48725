// Minimize: delta debugging (Zeller and Hildebrandt, 2002) over a list of things of which some make a test
// fail. Pure: what the things are and what failing means is the oracle's.
//
// The result is 1-MINIMAL: it fails, and leaving out any single one of what is left makes it not fail, unless
// `may_go_on` said no before that was known (then `minimal` is false, and it still fails). Only sets that the
// oracle called failing are ever returned; the full set is taken to fail and not asked about. The order of
// questions depends on nothing but the answers. Later things go first: leaving them out changes nothing about
// what came before them. COST: about k log n questions if k of n are needed and are needed each by itself,
// n^2 at worst.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace experiments {

// True: keeping exactly these (ascending indexes) still fails.
using KeepsFailing = std::function<bool(const std::vector<size_t>& kept)>;
using MayGoOn = std::function<bool()>;

struct Minimized {
  std::vector<size_t> kept;
  bool minimal = true;
};

namespace minimize_internal {

inline std::vector<size_t> Without(const std::vector<size_t>& all, size_t from, size_t count) {
  std::vector<size_t> kept(all.begin(), all.begin() + static_cast<ptrdiff_t>(from));
  kept.insert(kept.end(), all.begin() + static_cast<ptrdiff_t>(from + count), all.end());
  return kept;
}

// One round: each chunk of `size`, from the end, left out if the rest still fails. True: one was.
inline bool LeaveOutChunks(size_t size, const KeepsFailing& fails, const MayGoOn& may_go_on,
                           Minimized* result) {
  bool any = false;
  for (size_t end = result->kept.size(); end > 0;) {
    const size_t count = size < end ? size : end;
    const size_t from = end - count;
    if (!may_go_on()) {
      result->minimal = false;
      return any;
    }
    std::vector<size_t> rest = Without(result->kept, from, count);
    if (fails(rest)) {
      result->kept = std::move(rest);
      any = true;
    }
    end = from;
  }
  return any;
}

}  // namespace minimize_internal

// `coarsest`: chunks are no smaller than this, and the result is then not minimal but was found with few
// questions.
inline Minimized Minimize(size_t count, const KeepsFailing& fails, const MayGoOn& may_go_on,
                          size_t coarsest = 1) {
  Minimized result;
  for (size_t i = 0; i < count; ++i) result.kept.push_back(i);
  // Halves, quarters, ...; a chunk as large as all that is left is the question whether any is needed.
  for (size_t size = count; size > 1 && size >= coarsest && result.minimal; size = (size + 1) / 2) {
    minimize_internal::LeaveOutChunks(size, fails, may_go_on, &result);
  }
  if (coarsest > 1) {
    result.minimal = false;
    return result;
  }
  // One by one until a whole round leaves out none: what was needed beside another may not be any more.
  while (result.minimal && minimize_internal::LeaveOutChunks(1, fails, may_go_on, &result)) {
  }
  return result;
}

// A small number from `low` to `now` that fails, given that `now` does: the lowest if that fails, else by
// ever smaller steps down for as long as they fail. `fails` need not be monotonous.
inline uint64_t SmallNumber(uint64_t low, uint64_t now, const std::function<bool(uint64_t)>& fails,
                            const MayGoOn& may_go_on) {
  for (uint64_t step = now - low; now > low && step > 0;) {
    if (!may_go_on()) return now;
    if (step <= now - low && fails(now - step))
      now -= step;
    else
      step /= 2;
  }
  return now;
}

}  // namespace experiments
