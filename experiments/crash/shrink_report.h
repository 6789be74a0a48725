// ShrinkReport: what a shrunk finding says to people: before and after, the story in words, and the decisions
// that flip the verdict; as text and as JSON. Functions of their arguments, but that source lines are asked
// of addr2line.
#pragma once

#include <string>
#include <vector>

#include "experiments/crash/shrinker.h"

namespace experiments {

struct Flip {
  std::string what;  // the decision, in words
  std::string then;  // what came of the execution without it; "" if it fails all the same
};

struct ShrinkReport {
  std::string rule, what;   // of the shrunk one
  std::string what_before;  // of the finding
  StorySize before, after;
  uint64_t steps_before = 0, steps_after = 0;
  double seconds = 0;
  uint64_t runs = 0;
  bool minimal = false;
  bool same_key = true;
  std::vector<std::string> story;
  std::vector<Flip> flips;
  uint64_t untried = 0;  // decisions for which there was no time
  std::string folder, replay;
  std::string emitted;  // a file, "" if none was asked for
  uint64_t emitted_runs = 0, emitted_failures = 0;
};

std::string ShrinkText(const ShrinkReport& report);
std::string ShrinkJson(const ShrinkReport& report);

// `library`: the file of the engine, for the lines of its source.
std::vector<std::string> StoryInWords(const Story& story, const std::string& library);
std::string DecisionInWords(const Story& story, const Decision& decision, const std::string& library);
std::string CrashInWords(const CrashPoint& crash);

// The place in the source before the code at `offset` of a library: "hybrid_log.cc:242"; "" if unknown.
std::string SourceLine(const std::string& library, uint64_t offset);

}  // namespace experiments
