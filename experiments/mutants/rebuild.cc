#include "experiments/mutants/rebuild.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "experiments/common/cli.h"
#include "experiments/common/process.h"

namespace experiments::mutants {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> Words(const std::string& command) {
  std::istringstream in(command);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::vector<std::string> Lines(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Output of a Ninja tool, by way of a file.
std::string NinjaTool(const fs::path& build, const std::vector<std::string>& arguments, const fs::path& work,
                      std::vector<std::string>* lines) {
  const fs::path file = work / "ninja-output";
  std::error_code ignored;
  fs::remove(file, ignored);
  std::vector<std::string> argv = {"ninja", "-C", build.string(), "-t"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  ProcessOptions options;
  options.log = file;
  const bool good = RunProcess(argv, options).ok();
  *lines = Lines(file);
  if (good) return "";
  return build.string() + ": ninja -t " + arguments[0] + ": " + (lines->empty() ? "failed" : lines->back());
}

// What a command makes: the word after -o, or the archive of `ar`.
std::string OutputOf(const std::vector<std::string>& words) {
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "-o") return words[i + 1];
  }
  for (size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.ends_with(".a") && words[i - 1].find_first_not_of("qcrsuD") == std::string::npos) return word;
  }
  return "";
}

bool NamesFile(const std::string& command, const fs::path& root, const std::string& file) {
  const std::string path = (root / file).string();
  for (size_t at = command.find(path); at != std::string::npos; at = command.find(path, at + 1)) {
    const size_t end = at + path.size();
    if (end == command.size() || std::string(" '\",;").find(command[end]) != std::string::npos) return true;
  }
  return false;
}

// What may be a file of the build folder: relative words, and absolute paths also within options
// (-Wl,--version-script=PATH). Relative to the build folder.
std::set<std::string> FilesBelow(const fs::path& build, const std::string& command) {
  const std::string prefix = build.string() + "/";
  std::set<std::string> files;
  for (const std::string& word : Words(command)) {
    if (word[0] != '-' && word[0] != '/') files.insert(word);
    for (size_t at = word.find(prefix); at != std::string::npos; at = word.find(prefix, at + 1)) {
      const size_t begin = at + prefix.size();
      files.insert(word.substr(begin, word.find_first_of("'\",;", begin) - begin));
    }
  }
  return files;
}

bool IsBuildFile(const std::string& file) {
  const std::string name = fs::path(file).filename().string();
  return name == "CMakeLists.txt" || name.ends_with(".cmake") || name == "CMakePresets.json";
}

}  // namespace

std::string BuildRecord::Read(const fs::path& build, const std::vector<std::string>& artifacts,
                              const fs::path& work) {
  build_ = build;
  if (!fs::exists(build / "build.ninja")) return build.string() + ": no finished build there";
  std::vector<std::string> lines;
  for (const std::string& artifact : artifacts) {
    const std::string wrong = NinjaTool(build, {"commands", artifact}, work, &commands_[artifact]);
    if (!wrong.empty()) return wrong;
  }
  if (std::string wrong = NinjaTool(build, {"deps"}, work, &lines); !wrong.empty()) return wrong;
  std::string output;
  for (const std::string& line : lines) {
    if (line.starts_with("    ")) {
      // ccache makes some of the paths relative to the build folder.
      outputs_by_file_[(build / line.substr(4)).lexically_normal().string()].insert(output);
    } else if (size_t mark = line.find(": #deps"); mark != std::string::npos) {
      output = line.substr(0, mark);
    }
  }
  return "";
}

std::set<std::string> BuildRecord::OutputsOf(const fs::path& root, const std::string& file) const {
  auto found = outputs_by_file_.find((root / file).lexically_normal().string());
  return found == outputs_by_file_.end() ? std::set<std::string>() : found->second;
}

std::string Rebuild::Plan(const BuildRecord& record, const fs::path& root, const std::string& artifact,
                          const std::vector<std::string>& changed_files) {
  root_ = root;
  build_ = record.build();
  steps_.clear();
  std::set<std::string> dirty;
  for (const std::string& file : changed_files) {
    if (IsBuildFile(file)) return "changes the build file " + file + ", which a planted bug must not";
    dirty.merge(record.OutputsOf(root, file));
  }
  std::set<std::string> made;
  for (const std::string& command : record.CommandsFor(artifact)) {
    const std::vector<std::string> words = Words(command);
    const std::string output = OutputOf(words);
    bool again = dirty.count(output) != 0;
    for (const std::string& word : words) again |= made.count(word) != 0;
    for (const std::string& file : changed_files) again |= NamesFile(command, root, file);
    if (!again) continue;
    steps_.push_back({command, output});
    if (!output.empty()) made.insert(output);
  }
  KeepWhatLeadsTo(artifact);
  return "";
}

// Ninja also lists what must merely be built before (a program and the library that it loads at run time).
void Rebuild::KeepWhatLeadsTo(const std::string& artifact) {
  std::set<std::string> wanted = {artifact};
  std::vector<RebuildStep> kept;
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    if (wanted.count(step->output) == 0) continue;
    wanted.merge(FilesBelow(build_, step->command));
    kept.insert(kept.begin(), *step);
  }
  steps_ = std::move(kept);
}

std::string Rebuild::Moved(std::string text, const fs::path& source, const fs::path& shadow) const {
  // The build folder may lie inside the root, so it goes first, by way of a mark that no path holds.
  const std::string mark = "\x01";
  auto replace = [&text](const std::string& from, const std::string& to) {
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
      text.replace(at, from.size(), to);
    }
  };
  replace(build_.string(), mark);
  replace(root_.string(), source.string());
  replace(mark, shadow.string());
  return text;
}

// Whatever the steps read from the build folder and do not make themselves.
void Rebuild::Link(const fs::path& shadow) const {
  std::set<std::string> made;
  for (const RebuildStep& step : steps_) made.insert(step.output);
  for (const RebuildStep& step : steps_) {
    std::error_code ignored;
    if (!step.output.empty()) fs::create_directories((shadow / step.output).parent_path(), ignored);
    for (const std::string& file : FilesBelow(build_, step.command)) {
      if (made.count(file) != 0 || !fs::is_regular_file(build_ / file, ignored)) continue;
      fs::create_directories((shadow / file).parent_path(), ignored);
      fs::remove(shadow / file, ignored);
      fs::create_symlink(build_ / file, shadow / file, ignored);
    }
  }
}

std::string Rebuild::Run(const fs::path& source, const fs::path& shadow, const fs::path& log_file,
                         double* cpu_seconds) const {
  std::error_code error;
  fs::create_directories(shadow, error);
  if (error) return shadow.string() + ": " + error.message();
  Link(shadow);
  for (const RebuildStep& step : steps_) {
    // An output that is still a link would be written through into the finished build.
    if (!step.output.empty()) fs::remove(shadow / step.output, error);
    const std::string command = Moved(step.command, source, shadow);
    std::ofstream(log_file, std::ios::app) << "$ " << command << "\n";
    ProcessOptions options;
    options.directory = shadow;
    options.log = log_file;
    const ProcessResult result = RunProcess({"/bin/sh", "-c", command}, options);
    *cpu_seconds += result.cpu_seconds;
    if (!result.ok()) return g_stop.load() ? "stopped" : "does not build (log: " + log_file.string() + ")";
  }
  return "";
}

std::string CopySource(const fs::path& root, const fs::path& copy) {
  static const std::set<std::string> kNotSource = {"build", "store", "notebooks"};
  std::error_code error;
  fs::remove_all(copy, error);
  fs::create_directories(copy, error);
  for (const auto& entry : fs::directory_iterator(root, error)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory() || name[0] == '.' || kNotSource.count(name) != 0) continue;
    fs::copy(entry.path(), copy / name, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
    if (error) return "copying " + entry.path().string() + ": " + error.message();
  }
  return error ? copy.string() + ": " + error.message() : "";
}

std::string ApplyPatch(const fs::path& patch, const fs::path& source, bool check_only,
                       const fs::path& log_file) {
  std::error_code ignored;
  fs::remove(log_file, ignored);
  // The copy lies below a repository, in which git would look for the files' names from the top.
  ProcessOptions options;
  options.directory = source;
  options.log = log_file;
  options.environment = {"GIT_CEILING_DIRECTORIES=" + source.parent_path().string(), "LC_ALL=C"};
  std::vector<std::string> argv = {"git", "apply"};
  if (check_only) argv.push_back("--check");
  argv.push_back(fs::absolute(patch).string());
  if (RunProcess(argv, options).ok()) return "";
  if (g_stop.load()) return "stopped";
  const std::string first = TailOfFile(log_file, 1000);
  return patch.string() + ": does not apply: " + first.substr(0, first.find('\n'));
}

}  // namespace experiments::mutants
