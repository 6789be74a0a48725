// A planted bug: a patch in `git diff` form with a header that says which violation it must cause.
//
//   Name: A01-lost-drain             what the scoreboard calls it; the file's stem if missing
//   Group: A                         `./cpr test` hunts the first of each group
//   Source: known-bugs A01           where the bug was seen
//   Violation: R3, R4                any of these must occur: a rule, `stuck`, or a text of the report
//   Scenario: --log snapshot         extra flags for the crash program, when a bug needs a feature; a path
//                                    to a *.json is relative to the patch's folder
//   Mode: sim                        sim | process | harness (a bug of the harness itself) | txn (of the
//                                    transactional store)
//   What: one line                   for people
//
// A patch without any header line is a stranger's: it is hunted in sim mode and every violation counts.
// Header lines stand before the first `diff --git`. Plain data; no thread-safety needed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace experiments::mutants {

enum class Mode { kSim, kProcess, kHarness, kTxn };

const char* ModeName(Mode mode);

struct Patch {
  std::filesystem::path file;
  std::string name;
  std::string group;
  std::string source;
  std::string what;
  Mode mode = Mode::kSim;
  std::vector<std::string> violations;  // empty: any violation counts
  std::vector<std::string> scenario_flags;
  std::vector<std::string> changed_files;  // relative to the source root
};

// Reads one patch file. Returns "" or one line that says what is wrong with it.
std::string ReadPatch(const std::filesystem::path& file, Patch* patch);

// Every *.patch of a folder, by file name. `names` (empty: all) selects by Name or file stem. Returns "" or
// one line: the folder is missing or empty, a patch is malformed, a name is unknown or stands twice.
std::string ReadPatches(const std::filesystem::path& folder, const std::vector<std::string>& names,
                        std::vector<Patch>* patches);

}  // namespace experiments::mutants
