// Scoreboard: what came of each planted bug, as lines for people, results.json, and JUnit for machines.
// results.json is rewritten after every hunt, so that an interrupted run leaves what it found. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/common/results.h"
#include "experiments/mutants/hunt.h"
#include "experiments/mutants/patch.h"

namespace experiments::mutants {

class Scoreboard {
 public:
  Scoreboard(const std::vector<Patch>* patches, uint64_t seed, uint64_t seconds);

  void Add(size_t patch, const HuntResult& result);
  // Without a terminal too: this is the command's output.
  std::string Line(size_t patch) const;

  size_t done() const { return done_; }
  size_t found() const { return found_; }
  size_t missed() const { return done_ - found_; }

  // Each returns true, or false and one line.
  bool WriteJson(const ResultFolder& folder, bool finished, double seconds, std::string* error) const;
  bool WriteJunit(const std::string& file, std::string* error) const;

 private:
  const std::vector<Patch>* patches_;
  std::vector<HuntResult> results_;
  uint64_t seed_;
  uint64_t seconds_;
  size_t done_ = 0;
  size_t found_ = 0;
};

}  // namespace experiments::mutants
