// Rebuild: the few commands of a finished Ninja build that a patch makes necessary, run on a copy of the
// source.
//
// No configure and no second build tree: Ninja says which commands lead to an artifact and which headers each
// object was made from; a command runs again if it names or depends on a patched file or on the output of a
// command that runs again. Its paths are moved from the source root to the copy and from the build folder to
// a shadow folder, where everything it does not make itself is a link into the finished build. The finished
// build is only read. One object serves one artifact; different objects may be used by different threads.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace experiments::mutants {

// Which objects were made from which files, and by which commands, for one build folder; read once and
// shared.
class BuildRecord {
 public:
  // Reads what leads to the `artifacts` (relative to the build folder). Returns "" or one line (no finished
  // build there, an artifact that it does not know). Leaves its scratch files in `work`.
  std::string Read(const std::filesystem::path& build, const std::vector<std::string>& artifacts,
                   const std::filesystem::path& work);
  // Outputs (as Ninja names them) made from a file given relative to `root`.
  std::set<std::string> OutputsOf(const std::filesystem::path& root, const std::string& file) const;
  // In the order in which they have to run.
  const std::vector<std::string>& CommandsFor(const std::string& artifact) const {
    return commands_.at(artifact);
  }
  const std::filesystem::path& build() const { return build_; }

 private:
  std::filesystem::path build_;
  std::map<std::string, std::set<std::string>> outputs_by_file_;
  std::map<std::string, std::vector<std::string>> commands_;
};

struct RebuildStep {
  std::string command;  // as Ninja runs it, in the build folder
  std::string output;
};

class Rebuild {
 public:
  // Plans what `changed_files` (relative to `root`) make necessary for `artifact` (relative to the build
  // folder). Returns "" or one line.
  std::string Plan(const BuildRecord& record, const std::filesystem::path& root, const std::string& artifact,
                   const std::vector<std::string>& changed_files);

  bool needed() const { return !steps_.empty(); }
  size_t steps() const { return steps_.size(); }

  // Runs the plan with `source` in place of the root and `shadow` in place of the build folder. The artifact
  // is then shadow/artifact. Adds the CPU time used to *cpu_seconds. Returns "" or one line; details in
  // `log_file`.
  std::string Run(const std::filesystem::path& source, const std::filesystem::path& shadow,
                  const std::filesystem::path& log_file, double* cpu_seconds) const;

 private:
  void KeepWhatLeadsTo(const std::string& artifact);
  std::string Moved(std::string text, const std::filesystem::path& source,
                    const std::filesystem::path& shadow) const;
  void Link(const std::filesystem::path& shadow) const;

  std::filesystem::path root_;
  std::filesystem::path build_;
  std::vector<RebuildStep> steps_;
};

// Copies what can be compiled (no results, no build folders, no repository) from `root` to the new folder
// `copy`. Returns "" or one line.
std::string CopySource(const std::filesystem::path& root, const std::filesystem::path& copy);

// `git apply` of a patch in a copy of the source; with `check_only` nothing changes. Returns "" or one line.
std::string ApplyPatch(const std::filesystem::path& patch, const std::filesystem::path& source,
                       bool check_only, const std::filesystem::path& log_file);

}  // namespace experiments::mutants
