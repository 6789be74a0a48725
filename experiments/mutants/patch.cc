#include "experiments/mutants/patch.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

namespace experiments::mutants {
namespace {

std::string Trim(const std::string& text) {
  size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::vector<std::string> SplitWords(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::vector<std::string> SplitCommas(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> parts;
  for (std::string part; std::getline(in, part, ',');) {
    if (!Trim(part).empty()) parts.push_back(Trim(part));
  }
  return parts;
}

bool ParseMode(const std::string& text, Mode* mode) {
  for (Mode candidate : {Mode::kSim, Mode::kProcess, Mode::kHarness, Mode::kTxn}) {
    if (text == ModeName(candidate)) {
      *mode = candidate;
      return true;
    }
  }
  return false;
}

// One `Key: value` line into the patch; false if the value makes no sense. Unknown keys are prose.
bool TakeHeaderLine(const std::string& line, Patch* patch, bool* has_header) {
  size_t colon = line.find(": ");
  if (colon == std::string::npos) return true;
  const std::string key = line.substr(0, colon);
  const std::string value = Trim(line.substr(colon + 2));
  bool known = true;
  if (key == "Name") {
    patch->name = value;
  } else if (key == "Group") {
    patch->group = value;
  } else if (key == "Source") {
    patch->source = value;
  } else if (key == "What") {
    patch->what = value;
  } else if (key == "Violation") {
    patch->violations = SplitCommas(value);
  } else if (key == "Scenario") {
    patch->scenario_flags = SplitWords(value);
  } else if (key == "Mode") {
    return *has_header = true, ParseMode(value, &patch->mode);
  } else {
    known = false;
  }
  *has_header |= known;
  return true;
}

// The name becomes a folder and a word of a command line.
bool IsPlainName(const std::string& name) {
  return !name.empty() && name[0] != '.' && name[0] != '-' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
             std::string::npos;
}

}  // namespace

const char* ModeName(Mode mode) {
  switch (mode) {
    case Mode::kSim:
      return "sim";
    case Mode::kProcess:
      return "process";
    case Mode::kHarness:
      return "harness";
    case Mode::kTxn:
      return "txn";
  }
  return "?";
}

std::string ReadPatch(const std::filesystem::path& file, Patch* patch) {
  std::ifstream in(file);
  if (!in) return file.string() + ": cannot be read";
  patch->file = file;
  patch->name = file.stem().string();
  bool has_header = false;
  bool in_diff = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("diff --git ") || line.starts_with("--- ")) in_diff = true;
    if (!in_diff && !TakeHeaderLine(line, patch, &has_header)) {
      return file.string() + ": the header line '" + line + "' is not understood";
    }
    // Both sides: a patch may create or remove a file. "/dev/null" has no side prefix.
    const bool names_file = line.starts_with("--- a/") || line.starts_with("+++ b/");
    if (in_diff && names_file) patch->changed_files.push_back(Trim(line.substr(6, line.find('\t') - 6)));
  }
  for (std::string& flag : patch->scenario_flags) {
    if (flag.ends_with(".json")) flag = std::filesystem::weakly_canonical(file.parent_path() / flag).string();
  }
  auto& changed = patch->changed_files;
  std::sort(changed.begin(), changed.end());
  changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  if (changed.empty()) return file.string() + ": holds no `git diff` of any file";
  if (!IsPlainName(patch->name))
    return file.string() + ": the name '" + patch->name + "' is not a plain word";
  if (patch->group.empty()) patch->group = "-";
  if (has_header && patch->violations.empty()) {
    return file.string() + ": the header names no Violation";
  }
  return "";
}

std::string ReadPatches(const std::filesystem::path& folder, const std::vector<std::string>& names,
                        std::vector<Patch>* patches) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".patch") files.push_back(entry.path());
  }
  if (error) return folder.string() + ": " + error.message();
  if (files.empty()) return folder.string() + ": holds no *.patch file";
  std::sort(files.begin(), files.end());
  std::set<std::string> seen;
  std::set<std::string> unknown(names.begin(), names.end());
  for (const auto& file : files) {
    Patch patch;
    std::string wrong = ReadPatch(file, &patch);
    if (!wrong.empty()) return wrong;
    if (!seen.insert(patch.name).second)
      return file.string() + ": the name '" + patch.name + "' stands twice";
    const std::string stem = file.stem().string();
    const bool chosen = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return name == patch.name || name == stem;
    });
    unknown.erase(patch.name);
    unknown.erase(stem);
    if (names.empty() || chosen) patches->push_back(std::move(patch));
  }
  if (!unknown.empty()) return "no patch is named '" + *unknown.begin() + "' in " + folder.string();
  return "";
}

}  // namespace experiments::mutants
