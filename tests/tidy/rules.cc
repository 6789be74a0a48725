#include "tests/tidy/rules.h"

#include <algorithm>
#include <cctype>
#include <sstream>

namespace tidy {
namespace {

std::vector<std::string> SplitLines(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool IsCode(const std::string& path) { return path.ends_with(".h") || path.ends_with(".cc"); }

class Complaints {
 public:
  explicit Complaints(std::string path) : path_(std::move(path)) {}
  void Add(size_t line, const std::string& what) {
    lines_.push_back(path_ + ":" + std::to_string(line) + ": " + what);
  }
  std::vector<std::string> Take() { return std::move(lines_); }

 private:
  std::string path_;
  std::vector<std::string> lines_;
};

size_t Characters(const std::string& utf8) {
  return std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xc0) != 0x80; });
}

bool HasWord(const std::string& line, const std::string& word) {
  auto part_of_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  for (size_t at = line.find(word); at != std::string::npos; at = line.find(word, at + 1)) {
    const size_t end = at + word.size();
    const bool begins = at == 0 || !part_of_word(line[at - 1]);
    const bool ends = end == line.size() || !part_of_word(line[end]);
    if (begins && ends) return true;
  }
  return false;
}

// ---- sizes and words --------------------------------------------------------------------------------

void CheckLines(const std::string& path, const std::vector<std::string>& lines, Complaints* complaints) {
  // Spelled in two halves so that this file passes its own rules.
  static const std::string kLeftovers[] = {
      "TO"
      "DO",
      "FIX"
      "ME",
      "XX"
      "X"};
  static const std::string kMachinePaths[] = {
      "/wo"
      "rk/",
      "/fa"
      "rm/",
      "/ho"
      "me/",
      "/tm"
      "p/"};
  const bool may_name_paths = path.starts_with("tests/");
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    if (!path.ends_with(".md") && Characters(line) > kLineLength)
      complaints->Add(i + 1, "longer than 110 characters");
    for (const std::string& word : kLeftovers) {
      if (HasWord(line, word)) complaints->Add(i + 1, "left over: " + word);
    }
    for (const std::string& machine_path : kMachinePaths) {
      if (!may_name_paths && line.find(machine_path) != std::string::npos) {
        complaints->Add(i + 1, "a path of one machine");
      }
    }
  }
  if (!path.ends_with(".md") && lines.size() > kFileLines) {
    complaints->Add(lines.size(), "the file has more than 500 lines");
  }
}

// What stands before a brace, since the last end of a statement or block: does a function begin here?
bool BeginsFunction(const std::string& head) {
  static const std::string kOthers[] = {"if",    "for",   "while",  "switch", "do",    "else",      "try",
                                        "catch", "class", "struct", "enum",   "union", "namespace", "return"};
  std::istringstream in(head);
  std::string first;
  in >> first;
  first = first.substr(0, first.find('('));
  if (std::find(std::begin(kOthers), std::end(kOthers), first) != std::end(kOthers)) return false;
  if (head.find('(') == std::string::npos || head.find("](") != std::string::npos) return false;
  if (head.find("operator") != std::string::npos) return true;
  int depth = 0;
  for (char c : head) {
    depth += (c == '(') - (c == ')');
    if (c == '=' && depth == 0) return false;
  }
  return true;
}

void CheckFunctions(const std::string& code, Complaints* complaints) {
  struct Block {
    size_t first_line;
    bool function;
  };
  std::vector<Block> blocks;
  std::string head;
  size_t line = 1;
  size_t head_line = 1;
  int parentheses = 0;
  for (char c : code) {
    if (c == '\n') ++line;
    parentheses += (c == '(') - (c == ')');
    if (c == '{') {
      blocks.push_back({head_line, BeginsFunction(head)});
      head.clear();
    } else if (c == '}') {
      head.clear();
      if (blocks.empty()) continue;
      const Block block = blocks.back();
      blocks.pop_back();
      if (block.function && line - block.first_line + 1 > kFunctionLines) {
        complaints->Add(block.first_line,
                        "a function of " + std::to_string(line - block.first_line + 1) + " lines");
      }
    } else if (c == ';' && parentheses <= 0) {
      head.clear();
    } else if (!std::isspace(static_cast<unsigned char>(c)) || !head.empty()) {
      if (head.empty()) head_line = line;
      head += c;
    }
  }
}

// ---- layers -----------------------------------------------------------------------------------------

struct Layer {
  std::string folder;
  std::vector<std::string> may_include;  // of ours
};

const std::vector<Layer>& Layers() {
  static const std::vector<Layer> layers = {
      {"faster/", {"faster/"}},
      {"faults/sched/", {"faults/sched/"}},
      {"faults/device/",
       {"faults/device/", "faster/device/", "faster/core/", "faults/sched/scheduler.h",
        "faults/sched/host_heap.h"}},
      {"faults/oracle/", {"faults/oracle/", "faster/core/"}},
      {"plots/", {"plots/", "experiments/common/"}},
  };
  return layers;
}

bool StartsWithAny(const std::string& text, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return text.starts_with(prefix); });
}

void CheckInclude(const std::string& path, size_t line, const std::string& included, Complaints* complaints) {
  for (const Layer& layer : Layers()) {
    if (path.starts_with(layer.folder) && !StartsWithAny(included, layer.may_include)) {
      complaints->Add(line, layer.folder + " must not include " + included);
    }
  }
}

void CheckIncludes(const std::string& path, const std::vector<std::string>& lines,
                   const std::vector<std::string>& headers, Complaints* complaints) {
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    if (!line.starts_with("#include")) continue;
    const size_t open = line.find_first_of("\"<");
    const size_t close = line.find_first_of("\">", open + 1);
    if (open == std::string::npos || close == std::string::npos) continue;
    const std::string included = line.substr(open + 1, close - open - 1);
    const bool ours = std::binary_search(headers.begin(), headers.end(), included);
    if (line[open] == '"' && !ours) complaints->Add(i + 1, "\"" + included + "\" is no header from the root");
    if (line[open] == '<' && ours) complaints->Add(i + 1, "our own header in <>");
    if (ours) CheckInclude(path, i + 1, included, complaints);
  }
}

// The engine does not know that tests exist, keeps nothing per thread or process, and asks no hidden source.
void CheckEngineWords(const std::string& path, const std::string& text, const std::string& code,
                      Complaints* complaints) {
  if (!path.starts_with("faster/")) return;
  const std::vector<std::string> lines = SplitLines(text);
  for (size_t i = 0; i < lines.size(); ++i) {
    for (const char* word : {"CPR_TEST", "CPR_WORLD", "gtest"}) {
      if (HasWord(lines[i], word)) complaints->Add(i + 1, std::string("the engine knows of tests: ") + word);
    }
    if (lines[i].find("faults/") != std::string::npos) complaints->Add(i + 1, "the engine knows of faults/");
  }
  const std::vector<std::string> code_lines = SplitLines(code);
  for (size_t i = 0; i < code_lines.size(); ++i) {
    for (const char* word : {"thread_local", "__thread", "random_device", "system_clock", "rand", "throw"}) {
      if (HasWord(code_lines[i], word)) complaints->Add(i + 1, std::string("not in the engine: ") + word);
    }
  }
}

// ---- the lexer --------------------------------------------------------------------------------------

// Blanks text[begin, end) but for its line breaks.
void Blank(std::string* text, size_t begin, size_t end) {
  for (size_t i = begin; i < end && i < text->size(); ++i) {
    if ((*text)[i] != '\n') (*text)[i] = ' ';
  }
}

size_t EndOfQuoted(const std::string& text, size_t begin) {
  const char quote = text[begin];
  for (size_t i = begin + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == quote || text[i] == '\n') {
      return i + 1;
    }
  }
  return text.size();
}

size_t EndOfRawString(const std::string& text, size_t quote) {
  const size_t open = text.find('(', quote);
  if (open == std::string::npos) return text.size();
  const std::string close = ")" + text.substr(quote + 1, open - quote - 1) + "\"";
  const size_t end = text.find(close, open);
  return end == std::string::npos ? text.size() : end + close.size();
}

size_t EndOfDirective(const std::string& text, size_t begin) {
  size_t end = text.find('\n', begin);
  while (end != std::string::npos && end > 0 && text[end - 1] == '\\') end = text.find('\n', end + 1);
  return end == std::string::npos ? text.size() : end;
}

bool AtLineStart(const std::string& text, size_t at) {
  while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t')) --at;
  return at == 0 || text[at - 1] == '\n';
}

}  // namespace

std::string CodeOnly(const std::string& text) {
  std::string code = text;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    const bool digit_separator = i > 0 && std::isalnum(static_cast<unsigned char>(text[i - 1])) != 0;
    if (text.compare(i, 2, "//") == 0) {
      end = std::min(text.find('\n', i), text.size());
    } else if (text.compare(i, 2, "/*") == 0) {
      const size_t close = text.find("*/", i + 2);
      end = close == std::string::npos ? text.size() : close + 2;
    } else if (text.compare(i, 2, "R\"") == 0) {
      end = EndOfRawString(text, i + 1);
    } else if (text[i] == '"' || (text[i] == '\'' && !digit_separator)) {
      end = EndOfQuoted(text, i);
    } else if (text[i] == '#' && AtLineStart(code, i)) {
      end = EndOfDirective(text, i);
    }
    Blank(&code, i, end);
    i = std::max(end, i + 1);
  }
  return code;
}

std::vector<std::string> CheckFile(const std::string& path, const std::string& text,
                                   const std::vector<std::string>& headers) {
  Complaints complaints(path);
  const std::vector<std::string> lines = SplitLines(text);
  CheckLines(path, lines, &complaints);
  if (IsCode(path)) {
    const std::string code = CodeOnly(text);
    CheckFunctions(code, &complaints);
    CheckIncludes(path, lines, headers, &complaints);
    CheckEngineWords(path, text, code, &complaints);
    if (path.ends_with(".h") && text.find("#pragma once") == std::string::npos) {
      complaints.Add(1, "a header without #pragma once");
    }
  }
  return complaints.Take();
}

}  // namespace tidy
