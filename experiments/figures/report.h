// Report: the claims of one or more figures beside what was measured: claims.md, claims.json and a page,
// index.html, that holds all pictures itself and needs nothing else. Errors are one line. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "experiments/figures/store.h"

namespace experiments::figures {

using Stores = std::vector<std::unique_ptr<FigureStore>>;

// Counts by verdict; the exit status is about the robust ones that fail or are not separable.
struct Tally {
  size_t holds = 0, not_separable = 0, does_not_hold = 0, not_measured = 0;
  size_t robust_failures = 0, robust_undecided = 0;
  std::string Text() const;  // "12 hold, 3 are not separable from noise, 1 does not hold"
};
Tally TallyOf(const FigureStore& store);
Tally TallyOf(const Stores& stores);

nlohmann::ordered_json ClaimsJson(const Stores& stores);
// `left_out`: figures that this machine cannot measure, a line each that says why.
std::string ClaimsMarkdown(const Stores& stores, const std::vector<std::string>& left_out);
std::string Page(const Stores& stores, const std::vector<std::string>& left_out);

bool WriteReport(const Stores& stores, const std::vector<std::string>& left_out, const std::string& folder,
                 std::string* error);

}  // namespace experiments::figures
