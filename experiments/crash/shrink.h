// Shrink: a finding made as small as it gets, stored as a finding of its own (./cpr shrink).
//
// The finding is run once, by its tape, and has to fail as it did; then a Shrinker makes it smaller, every
// decision that is left is tried by itself, and the result is written with a tape that was replayed once.
#pragma once

#include <cstdint>
#include <string>

namespace experiments {

struct ShrinkOptions {
  std::string path;      // a finding's folder, its scenario.json, or the folder of a campaign
  uint64_t finding = 0;  // of a campaign: by the number of its folder; 0: the first there is
  std::string subject;   // instead of the recorded one
  bool subject_given = false;
  std::string out;   // "": store/shrink/<UTC time>
  std::string emit;  // also as a scenario of the corpus, of this name
  uint64_t seconds = 20;
  uint64_t seed = 1;
  bool json = false;
};

// Exit status: 0 shrunk, 2 bad input, 3 it does not fail again as recorded.
int RunShrink(const ShrinkOptions& options);

}  // namespace experiments
