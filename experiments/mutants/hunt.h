// Hunt: one planted bug from patch to verdict. Copy, apply, rebuild what changed, let the crash campaign run
// with its default portfolio until the first violation, compare that with what the header names, and run the
// same campaign up to the same execution on the clean engine, where nothing may be wrong.
//
// A bug counts as found only if the named violation occurred and the clean engine passes; of several seeds,
// with each of them. Hunt() may run on several threads at once for different patches; the settings are only
// read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/mutants/patch.h"
#include "experiments/mutants/rebuild.h"

namespace experiments::mutants {

// Where the finished builds of the clean source are.
struct Builds {
  std::filesystem::path root;  // the clean source
  BuildRecord sim;
  BuildRecord release;
  std::string host = "experiments/crash/cpr-crash";              // within sim
  std::string subject = "experiments/crash/faster_subject.so";   // within sim
  std::string txn_host = "experiments/crash/cpr-crash-txn";      // within sim
  std::string txn_subject = "experiments/crash/txn_subject.so";  // within sim
  std::string process = "experiments/crash/cpr-crash-process";   // within release
};

struct HuntSettings {
  const Builds* builds = nullptr;
  std::filesystem::path work;  // copies and objects, one folder per mutant; reused by the next run
  std::filesystem::path out;   // results, one folder per mutant
  uint64_t seed = 1;
  uint64_t seeds = 1;     // the bug is hunted with seed, seed + 1, ... so often
  uint64_t seconds = 60;  // for the hunt itself, with each seed
  uint64_t workers = 1;   // processes of one campaign
};

// Of one seed.
struct SeedResult {
  uint64_t seed = 0;
  bool found = false;
  std::string rule;
  uint64_t executions = 0;
  double seconds = 0;
};

struct HuntResult {
  bool ran = false;  // false: stopped or left out before a verdict
  std::vector<SeedResult> seeds;
  // The rest is of the first seed that did not find it, else of the one that took longest.
  bool found = false;
  std::string rule;  // the rule that was violated, "" if none was
  std::string note;  // why it was not found, or what was violated, in one line
  uint64_t executions = 0;
  double seconds = 0;  // of the hunt
  double build_cpu_seconds = 0;
  std::string replay;  // a command for a shell, "" if nothing was violated
};

// Copies and patches the source of one mutant. Returns "" or one line; nothing else can be wrong with a patch
// that a person has to mend before a hunt makes sense.
std::string Prepare(const HuntSettings& settings, const Patch& patch);

HuntResult Hunt(const HuntSettings& settings, const Patch& patch);

}  // namespace experiments::mutants
