#include "experiments/figures/claim.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "experiments/common/near_names.h"

namespace experiments::figures {
namespace {

std::string Number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, std::fabs(value) >= 1000 ? "%.0f" : "%.3g", value);
  return text;
}

size_t IndexOf(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

// All places of the grid that a reference means, x within series.
std::vector<CellPlace> PlacesOf(const CellReference& cell, const Grid& grid) {
  std::vector<CellPlace> places;
  for (size_t s = 0; s < grid.series.size(); ++s) {
    if (cell.series && grid.series[s] != *cell.series) continue;
    for (size_t x = 0; x < grid.x.size(); ++x) {
      if (!cell.x || grid.x[x] == *cell.x) places.push_back({s, x});
    }
  }
  return places;
}

// A reference with what it leaves open filled in from `at`.
CellPlace Filled(const CellReference& cell, const Grid& grid, CellPlace at) {
  if (cell.series) at.series = IndexOf(grid.series, *cell.series);
  if (cell.x) at.x = IndexOf(grid.x, *cell.x);
  return at;
}

double Ratio(double a, double b) { return a == b ? 1 : a / b; }  // equal, also if both are 0

// The numbers of one round. Stops at the first metric that is missing.
class Round {
 public:
  Round(const Claim& claim, const Grid& grid, const Lookup& lookup, uint64_t round)
      : claim_(claim), grid_(grid), lookup_(lookup), round_(round) {}

  std::vector<double> Numbers() {
    switch (claim_.kind) {
      case ClaimKind::kValue:
        for (const CellPlace at : PlacesOf(claim_.cells[0], grid_))
          numbers_.push_back(Get(claim_.cells[0], at));
        break;
      case ClaimKind::kRatio:
        for (const CellPlace at : Open())
          numbers_.push_back(Ratio(Get(claim_.cells[0], at), Get(claim_.cells[1], at)));
        break;
      case ClaimKind::kDifference:
        for (const CellPlace at : Open())
          numbers_.push_back(Get(claim_.cells[0], at) - Get(claim_.cells[1], at));
        break;
      case ClaimKind::kOrder:
        Order();
        break;
      case ClaimKind::kSpread:
        Spread();
        break;
    }
    if (claim_.mean && !numbers_.empty()) {
      double sum = 0;
      for (const double number : numbers_) sum += number;
      numbers_ = {sum / static_cast<double>(numbers_.size())};
    }
    return numbers_;
  }
  const std::string& missing() const { return missing_; }

 private:
  double Get(const CellReference& cell, CellPlace at) {
    at = Filled(cell, grid_, at);
    const std::optional<double> value = lookup_(at.series, at.x, round_, cell.metric);
    if (value) return *value;
    if (missing_.empty()) {
      missing_ = cell.metric + " of " + grid_.series[at.series] +
                 (grid_.x[at.x].empty() ? "" : " at " + grid_.x[at.x]) + ", round " +
                 std::to_string(round_ + 1);
    }
    return NAN;
  }
  // What at least one reference leaves open, at the first place of what all of them fix.
  std::vector<CellPlace> Open() const {
    CellReference fixed;
    fixed.series = grid_.series.front();
    fixed.x = grid_.x.front();
    for (const CellReference& cell : claim_.cells) {
      if (!cell.series) fixed.series.reset();
      if (!cell.x) fixed.x.reset();
    }
    return PlacesOf(fixed, grid_);
  }
  void Order() {
    const auto neighbours = [&](double before, double after) {
      numbers_.push_back(claim_.rising ? Ratio(after, before) : Ratio(before, after));
    };
    if (claim_.cells.size() == 1) {
      const std::vector<CellPlace> places = PlacesOf(claim_.cells[0], grid_);
      for (size_t i = 1; i < places.size(); ++i) {
        // Along x, in every series; along the series only where x is fixed.
        const bool along_x = !claim_.cells[0].x && grid_.x.size() > 1;
        if (along_x && places[i].series != places[i - 1].series) continue;
        neighbours(Get(claim_.cells[0], places[i - 1]), Get(claim_.cells[0], places[i]));
      }
      return;
    }
    for (const CellPlace at : Open()) {
      for (size_t i = 1; i < claim_.cells.size(); ++i)
        neighbours(Get(claim_.cells[i - 1], at), Get(claim_.cells[i], at));
    }
  }
  void Spread() {
    std::vector<double> values;
    for (const CellPlace at : PlacesOf(claim_.cells[0], grid_)) values.push_back(Get(claim_.cells[0], at));
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    numbers_.push_back(Ratio(*most, *least));
  }

  const Claim& claim_;
  const Grid& grid_;
  const Lookup& lookup_;
  const uint64_t round_;
  std::vector<double> numbers_;
  std::string missing_;
};

Verdict OneSide(const std::vector<double>& rounds, double bound, bool at_least, bool exact) {
  if (exact) {
    const bool good = at_least ? rounds.front() >= bound : rounds.front() <= bound;
    return good ? Verdict::kHolds : Verdict::kDoesNotHold;
  }
  const std::optional<bench::Interval> interval = bench::MedianInterval(rounds);
  if (!interval) return Verdict::kNotSeparable;
  const bool low = at_least ? interval->low >= bound : interval->low <= bound;
  const bool high = at_least ? interval->high >= bound : interval->high <= bound;
  if (low && high) return Verdict::kHolds;
  return low || high ? Verdict::kNotSeparable : Verdict::kDoesNotHold;
}

Verdict Both(Verdict a, Verdict b) {
  if (a == Verdict::kDoesNotHold || b == Verdict::kDoesNotHold) return Verdict::kDoesNotHold;
  return a == Verdict::kHolds && b == Verdict::kHolds ? Verdict::kHolds : Verdict::kNotSeparable;
}

CellReference ParseReference(const JsonPlace& place) {
  CellReference cell;
  place.OnlyMembers({"metric", "series", "x"});
  cell.metric = place.At("metric").Text();
  if (place.Has("series")) cell.series = place.At("series").Text();
  if (place.Has("x")) {
    const JsonPlace x = place.At("x");
    cell.x = x.is_number() ? x.json().dump() : x.Text();
  }
  return cell;
}

void ParseBounds(const JsonPlace& place, Claim* claim) {
  constexpr double kFar = 1e300;
  const bool between = place.Has("between");
  if (place.Has("at_least")) claim->at_least = place.At("at_least").Real(-kFar, kFar);
  if (place.Has("at_most")) claim->at_most = place.At("at_most").Real(-kFar, kFar);
  if (int(between) + int(place.Has("at_least")) + int(place.Has("at_most")) != 1)
    return place.Complain("expected exactly one of at_least, at_most and between");
  if (!between) return;
  const std::vector<JsonPlace> ends = place.At("between").Items();
  if (ends.size() != 2) return place.At("between").Expected("two numbers");
  claim->at_least = ends[0].Real(-kFar, kFar);
  claim->at_most = ends[1].Real(-kFar, kFar);
  if (*claim->at_least > *claim->at_most) place.At("between").Complain("the lower bound comes first");
}

void CheckName(const std::vector<std::string>& known, const std::optional<std::string>& name,
               const char* what, const JsonPlace& place) {
  if (!name || IndexOf(known, *name) < known.size()) return;
  const std::vector<std::string> near = NearNames(*name, known, 1);
  place.Complain(std::string("there is no ") + what + " \"" + *name + "\" in this figure" +
                 (near.empty() ? "" : "; did you mean \"" + near.front() + "\"?"));
}

}  // namespace

std::string_view VerdictText(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHolds:
      return "holds";
    case Verdict::kDoesNotHold:
      return "does not hold";
    case Verdict::kNotSeparable:
      return "not separable from noise";
    case Verdict::kNotMeasured:
      break;
  }
  return "not measured";
}

uint64_t RoundsAt(CellPlace place, const FurtherRounds& further, uint64_t rounds) {
  const auto more = further.find(place);
  return more == further.end() ? rounds : more->second;
}

uint64_t MostRounds(const FurtherRounds& further, uint64_t rounds) {
  for (const auto& [place, more] : further) rounds = std::max(rounds, more);
  return rounds;
}

std::vector<CellPlace> PlacesOf(const Claim& claim, const Grid& grid) {
  std::set<CellPlace> places;
  for (const CellReference& cell : claim.cells) {
    for (const CellPlace place : PlacesOf(cell, grid)) places.insert(place);
  }
  return {places.begin(), places.end()};
}

uint64_t RoundsOf(const Claim& claim, const Grid& grid) {
  std::optional<uint64_t> fewest;
  for (const CellPlace place : PlacesOf(claim, grid)) {
    const uint64_t rounds = RoundsAt(place, grid.further, grid.rounds);
    fewest = std::min(fewest.value_or(rounds), rounds);
  }
  return fewest.value_or(0);
}

std::string Judgement::Measured(const Claim& claim) const {
  if (verdict == Verdict::kNotMeasured) return "missing: " + missing;
  const std::string unit = claim.unit.empty() ? "" : " " + claim.unit;
  // Of a claim with two bounds both ends count; else the one that its bound is about.
  if (claim.at_least && claim.at_most && lowest != highest)
    return Number(bench::Median(numbers[lowest])) + " to " + Number(bench::Median(numbers[highest])) + unit;
  const std::vector<double>& shown = numbers[claim.at_least ? lowest : highest];
  std::string text = Number(bench::Median(shown));
  const std::optional<bench::Interval> interval = bench::MedianInterval(shown);
  if (interval) text += " [" + Number(interval->low) + ", " + Number(interval->high) + "]";
  return text + unit;
}

Judgement Judge(const Claim& claim, const Grid& grid, const Lookup& lookup) {
  Judgement judgement;
  const uint64_t rounds = RoundsOf(claim, grid);
  for (uint64_t r = 0; r < rounds; ++r) {
    Round round(claim, grid, lookup, r);
    const std::vector<double> numbers = round.Numbers();
    judgement.missing = round.missing();
    if (numbers.empty()) judgement.missing = "nothing to compare";
    if (!judgement.missing.empty()) return judgement;
    judgement.numbers.resize(numbers.size());
    for (size_t i = 0; i < numbers.size(); ++i) judgement.numbers[i].push_back(numbers[i] * claim.factor);
  }
  if (judgement.numbers.empty()) {
    judgement.missing = "no round";
    return judgement;
  }
  judgement.verdict = Verdict::kHolds;
  for (size_t i = 0; i < judgement.numbers.size(); ++i) {
    const std::vector<double>& number = judgement.numbers[i];
    const double median = bench::Median(number);
    if (median < bench::Median(judgement.numbers[judgement.lowest])) judgement.lowest = i;
    if (median > bench::Median(judgement.numbers[judgement.highest])) judgement.highest = i;
    if (claim.at_least)
      judgement.verdict = Both(judgement.verdict, OneSide(number, *claim.at_least, true, grid.exact));
    if (claim.at_most)
      judgement.verdict = Both(judgement.verdict, OneSide(number, *claim.at_most, false, grid.exact));
  }
  return judgement;
}

nlohmann::ordered_json JudgementJson(const Claim& claim, const Judgement& judgement) {
  nlohmann::ordered_json json;
  json["text"] = claim.text;
  json["source"] = claim.source;
  json["robust"] = claim.robust;
  json["bound"] = BoundText(claim);
  json["verdict"] = VerdictText(judgement.verdict);
  json["measured"] = judgement.Measured(claim);
  json["numbers"] = judgement.numbers;
  return json;
}

std::string BoundText(const Claim& claim) {
  const std::string unit = claim.unit.empty() ? "" : " " + claim.unit;
  if (claim.at_least && claim.at_most)
    return "from " + Number(*claim.at_least) + " to " + Number(*claim.at_most) + unit;
  if (claim.at_least) return "at least " + Number(*claim.at_least) + unit;
  return "at most " + Number(*claim.at_most) + unit;
}

Claim ParseClaim(const JsonPlace& place) {
  Claim claim;
  place.OnlyMembers({"text", "source", "robust", "value", "ratio", "difference", "order", "spread",
                     "direction", "mean", "at_least", "at_most", "between", "unit", "factor"});
  claim.text = place.At("text").Text();
  claim.source = place.At("source").Text();
  claim.robust = place.At("robust").Flag();
  if (place.Has("mean")) claim.mean = place.At("mean").Flag();
  if (place.Has("unit")) claim.unit = place.At("unit").Text();
  if (place.Has("factor")) claim.factor = place.At("factor").Real(1e-300, 1e300);
  constexpr std::pair<const char*, ClaimKind> kKinds[] = {{"value", ClaimKind::kValue},
                                                          {"ratio", ClaimKind::kRatio},
                                                          {"difference", ClaimKind::kDifference},
                                                          {"order", ClaimKind::kOrder},
                                                          {"spread", ClaimKind::kSpread}};
  const auto expressions = std::count_if(std::begin(kKinds), std::end(kKinds),
                                         [&](const auto& kind) { return place.Has(kind.first); });
  if (expressions != 1) place.Complain("expected exactly one of value, ratio, difference, order and spread");
  for (const auto& [name, kind] : kKinds) {
    if (!place.Has(name)) continue;
    claim.kind = kind;
    const JsonPlace expression = place.At(name);
    if (expression.is_array()) {
      for (const JsonPlace& item : expression.Items()) claim.cells.push_back(ParseReference(item));
    } else {
      claim.cells.push_back(ParseReference(expression));
    }
    const size_t n = claim.cells.size();
    const bool two = kind == ClaimKind::kRatio || kind == ClaimKind::kDifference;
    if (two && n != 2) expression.Expected("an array of two references");
    if (!two && kind != ClaimKind::kOrder && n != 1) expression.Expected("one reference");
    if (kind == ClaimKind::kOrder && n == 0) expression.Expected("references");
  }
  if (claim.kind == ClaimKind::kOrder && !place.failed())
    claim.rising = place.At("direction").Choice({"rising", "falling"}) == "rising";
  else if (place.Has("direction"))
    place.Complain("\"direction\" belongs to an order");
  ParseBounds(place, &claim);
  return claim;
}

void CheckClaim(const Claim& claim, const Grid& grid, const JsonPlace& place) {
  for (const CellReference& cell : claim.cells) {
    CheckName(grid.series, cell.series, "series", place);
    CheckName(grid.x, cell.x, "x", place);
  }
}

}  // namespace experiments::figures
