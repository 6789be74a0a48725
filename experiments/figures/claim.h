// Claim: what a paper says of a figure, as an expression over the metrics of its cells, with a bound that was
// fixed before the run; and what the rounds say about it.
//
// The expression gives one number or several (of the series and the x that it leaves open) in every round.
// Each of them has to reach `at_least` and must not pass `at_most`; with "mean" it is their mean that has to.
// Over the rounds each number makes an interval of its median (at least 90 %, by order statistics):
//
//   holds                every interval is on the right side of the bound
//   does not hold        one of them is on the wrong side
//   not separable        the bound lies within one: noise, or too few rounds
//   not measured         a cell or a metric is missing
//
// Some cells may have more rounds than the others; a claim has those that all cells of its expression have.
// An exact figure has one round and no interval. Plain values.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/bench/statistics.h"
#include "experiments/figures/json_place.h"

namespace experiments::figures {

// Metrics of cells. Without a series (or an x) it means every series (every x).
struct CellReference {
  std::string metric;
  std::optional<std::string> series, x;
};

enum class ClaimKind {
  kValue,       // the metric itself
  kRatio,       // of two references; what one of them leaves open is the same cell in both
  kDifference,  // first - second, likewise
  kOrder,       // the ratios of neighbours (later / earlier if rising): at_least 1 is the strict order
  kSpread,      // greatest / least over what the reference leaves open
};

struct Claim {
  std::string text;    // what the paper says, in our words
  std::string source;  // "section 7.3.1, Figure 12b"
  bool robust = true;  // a shape that one machine can show: the exit status depends on it
  ClaimKind kind = ClaimKind::kValue;
  std::vector<CellReference> cells;
  bool rising = false;  // kOrder
  bool mean = false;    // of the numbers; else each of them counts
  std::optional<double> at_least, at_most;
  std::string unit;   // of the value, for people
  double factor = 1;  // measured x factor = what people read; the bound is in what people read
};

enum class Verdict { kHolds, kDoesNotHold, kNotSeparable, kNotMeasured };
std::string_view VerdictText(Verdict verdict);

struct Judgement {
  Verdict verdict = Verdict::kNotMeasured;
  std::string missing;                       // which metric of which cell, if not measured
  std::vector<std::vector<double>> numbers;  // of the expression, each over the rounds
  size_t lowest = 0, highest = 0;            // which of them have the least and the greatest median
  // Of the number that is nearest to the bound, or beyond it the farthest: "5.3 [5.1, 6.0] x".
  std::string Measured(const Claim& claim) const;
};

// The metric of a cell, or nothing.
using Lookup =
    std::function<std::optional<double>(size_t series, size_t x, uint64_t round, const std::string& metric)>;
// Where a cell is, whatever its round: numbers of a series and of a value of x.
struct CellPlace {
  size_t series = 0, x = 0;
  auto operator<=>(const CellPlace&) const = default;
};
// The places with more rounds than the scale asks for: how many in all.
using FurtherRounds = std::map<CellPlace, uint64_t>;
uint64_t RoundsAt(CellPlace place, const FurtherRounds& further, uint64_t rounds);  // `rounds`: of the others
uint64_t MostRounds(const FurtherRounds& further, uint64_t rounds);

struct Grid {
  std::vector<std::string> series;
  std::vector<std::string> x;  // the labels that this scale measures
  uint64_t rounds = 0;         // of all places but those in `further`
  bool exact = false;
  FurtherRounds further;
};

// The places that a claim's expression is about, and how many rounds all of them have.
std::vector<CellPlace> PlacesOf(const Claim& claim, const Grid& grid);
uint64_t RoundsOf(const Claim& claim, const Grid& grid);

Judgement Judge(const Claim& claim, const Grid& grid, const Lookup& lookup);
nlohmann::ordered_json JudgementJson(const Claim& claim, const Judgement& judgement);
std::string BoundText(const Claim& claim);  // "at least 5", "from 0.9 to 1.1"

// Complains at the place.
Claim ParseClaim(const JsonPlace& place);
// Does it name what the grid has? Complains at the place.
void CheckClaim(const Claim& claim, const Grid& grid, const JsonPlace& place);

}  // namespace experiments::figures
