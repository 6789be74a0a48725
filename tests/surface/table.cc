#include "tests/surface/table.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <regex>
#include <sstream>

namespace surface {
namespace {

namespace fs = std::filesystem;

std::string Trim(const std::string& text) {
  const size_t from = text.find_first_not_of(" \t");
  return from == std::string::npos ? "" : text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

// The cells of a line that is a row of a table; a bar within backquotes is none.
std::vector<std::string> Cells(const std::string& line) {
  std::vector<std::string> cells;
  std::string cell;
  bool quoted = false;
  for (size_t i = 1; i < line.size(); ++i) {
    if (line[i] == '`') quoted = !quoted;
    if (line[i] == '|' && !quoted) {
      cells.push_back(Trim(cell));
      cell.clear();
    } else {
      cell += line[i];
    }
  }
  return cells;
}

bool IsWordOf(const std::string& text, const std::string& word) {
  const auto part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !part(text[at - 1])) && (end == text.size() || !part(text[end]))) return true;
  }
  return false;
}

std::string Read(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool StartsWith(const std::string& text, const std::string& start) { return text.rfind(start, 0) == 0; }

// "I*" is I01, I02, ...; "F2*" is F2a, F2b, ...
std::vector<std::string> BugsLike(const std::string& name, const Tree& tree) {
  std::vector<std::string> found;
  const bool all = name.ends_with('*');
  const std::string prefix = all ? name.substr(0, name.size() - 1) : name;
  for (const std::string& bug : tree.bugs) {
    if (!StartsWith(bug, prefix)) continue;
    const char next = bug.size() > prefix.size() ? bug[prefix.size()] : '-';
    const bool letter = !prefix.empty() && std::isalpha(static_cast<unsigned char>(prefix.back())) != 0;
    const bool more = letter ? std::isdigit(static_cast<unsigned char>(next)) != 0
                             : std::isalpha(static_cast<unsigned char>(next)) != 0;
    if (all ? more : next == '-') found.push_back("bug " + bug);
  }
  return found;
}

std::vector<std::string> TestsLike(const std::string& name, const std::multiset<std::string>& tests) {
  std::vector<std::string> found;
  const bool all = name.ends_with(".*");
  const std::string suite = name.substr(0, name.size() - 1);
  for (const std::string& test : tests) {
    if (all ? StartsWith(test, suite) : test == name) found.push_back(test);
  }
  return found;
}

// The tests that a reference stands for; none: there is no such thing.
std::vector<std::string> Resolve(const std::string& reference, const Tree& tree) {
  if (StartsWith(reference, "bug ")) return BugsLike(reference.substr(4), tree);
  if (StartsWith(reference, "tests/")) {
    if (!tree.scripts.contains(reference)) return {};
    return {reference};
  }
  if (StartsWith(reference, "corpus ")) {
    std::vector<std::string> found;
    for (const std::string& scenario : tree.corpus) {
      if (reference == "corpus *" || reference == "corpus " + scenario) found.push_back("corpus " + scenario);
    }
    return found;
  }
  std::vector<std::string> found = TestsLike(reference, tree.registered);
  return found.empty() ? TestsLike(reference, tree.tests) : found;  // of the other world
}

std::optional<std::string> WrongPlace(const std::string& place, const Tree& tree) {
  const size_t colon = place.find(':');
  const auto file = tree.files.find(place.substr(0, colon));
  if (file == tree.files.end()) return "no file " + place.substr(0, colon);
  if (colon != std::string::npos && !IsWordOf(file->second, place.substr(colon + 1)))
    return place.substr(0, colon) + " has no " + place.substr(colon + 1);
  return std::nullopt;
}

std::string At(const Row& row) { return std::to_string(row.line) + ": "; }

}  // namespace

std::vector<Table> ParseTables(const std::string& markdown) {
  std::vector<Table> tables;
  std::istringstream in(markdown);
  bool inside = false;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line[0] != '|') {
      inside = false;
    } else if (!inside) {
      inside = true;
      tables.push_back({Cells(line), {}});
    } else if (!StartsWith(line, "|---")) {
      tables.back().rows.push_back({number, Cells(line)});
    }
  }
  return tables;
}

std::vector<std::string> Quoted(const std::string& cell) {
  std::vector<std::string> quoted;
  for (size_t at = cell.find('`'); at != std::string::npos;) {
    const size_t end = cell.find('`', at + 1);
    if (end == std::string::npos) break;
    quoted.push_back(cell.substr(at + 1, end - at - 1));
    at = cell.find('`', end + 1);
  }
  return quoted;
}

std::string PlainName(const std::string& registered) {
  const size_t dot = registered.find('.');
  if (dot == std::string::npos) return registered;
  std::string suite = registered.substr(0, dot);
  const std::string test = registered.substr(dot + 1, registered.find('/', dot) - dot - 1);
  const size_t last = suite.rfind('/');
  if (last != std::string::npos && std::isdigit(static_cast<unsigned char>(suite[last + 1])) != 0)
    suite.resize(last);  // of typed tests
  const size_t prefix = suite.rfind('/');
  return (prefix == std::string::npos ? suite : suite.substr(prefix + 1)) + "." + test;
}

std::vector<std::string> CheckItems(const Table& table, const Tree& tree) {
  std::vector<std::string> complaints;
  for (const Row& row : table.rows) {
    if (row.cells.size() != 4) {
      complaints.push_back(At(row) + "not four cells");
      continue;
    }
    const std::vector<std::string> places = Quoted(row.cells[1]), tests = Quoted(row.cells[2]);
    for (const std::string& place : places) {
      if (const auto wrong = WrongPlace(place, tree)) complaints.push_back(At(row) + *wrong);
    }
    for (const std::string& test : tests) {
      if (Resolve(test, tree).empty()) complaints.push_back(At(row) + "no test " + test);
    }
    if (places.empty() && row.cells[3].empty()) complaints.push_back(At(row) + "neither ours nor a reason");
    if (!places.empty() && tests.empty()) complaints.push_back(At(row) + "ours, and no test");
    // Files that a reason names.
    for (const std::string& word : Quoted(row.cells[3])) {
      const bool path = word.ends_with(".h") || word.ends_with(".cc");
      if (path && !tree.files.contains(word)) complaints.push_back(At(row) + "no file " + word);
      if (StartsWith(word, "bug ") && Resolve(word, tree).empty())
        complaints.push_back(At(row) + "no " + word);
    }
  }
  return complaints;
}

std::vector<std::string> CheckCounts(const Table& table, const Tree& tree) {
  std::vector<std::string> complaints;
  std::map<std::string, int> counted;  // test: line that has counted it
  for (const Row& row : table.rows) {
    if (row.cells.size() != 5) {
      complaints.push_back(At(row) + "not five cells");
      continue;
    }
    size_t count = 0;
    std::set<std::string> here;
    for (const std::string& reference : Quoted(row.cells[2])) {
      const std::vector<std::string> found = Resolve(reference, tree);
      if (found.empty()) complaints.push_back(At(row) + "no test " + reference);
      if (!found.empty() && here.contains(found.front()))
        complaints.push_back(At(row) + reference + " is counted twice");
      here.insert(found.begin(), found.end());
      count += found.size();
    }
    for (const std::string& test : here) {
      const auto [at, first] = counted.emplace(test, row.line);
      if (!first) complaints.push_back(At(row) + test + " is counted in line " + std::to_string(at->second));
    }
    if (count < std::stoul(row.cells[3]))  // others may add to a suite
      complaints.push_back(At(row) + "says " + row.cells[3] + ", there are " + std::to_string(count));
    if (count < std::stoul(row.cells[1]) && row.cells[4].empty())
      complaints.push_back(At(row) + "fewer than " + row.cells[1] + ", and no reason");
  }
  return complaints;
}

Tree ReadTree(const fs::path& root) {
  Tree tree;
  const fs::path engine = root / "faster";
  for (const fs::path& folder : {engine, root / "experiments"}) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file())
        tree.files[entry.path().lexically_relative(engine).string()] = Read(entry.path());
    }
  }
  const std::regex macro(R"((?:^|\n)(?:TEST|TEST_F|TEST_P|TYPED_TEST|RC_GTEST_PROP)\(\s*(\w+)\s*,\s*(\w+))");
  for (const auto& entry : fs::recursive_directory_iterator(root / "tests")) {
    const fs::path& path = entry.path();
    if (path.extension() == ".sh") tree.scripts.insert(path.lexically_relative(root).string());
    if (path.extension() == ".patch") tree.bugs.insert(path.stem().string());
    if (path.extension() == ".json" && path.parent_path().filename() == "corpus")
      tree.corpus.insert(path.stem().string());
    if (path.extension() != ".cc") continue;
    const std::string text = Read(path);
    for (std::sregex_iterator at(text.begin(), text.end(), macro), end; at != end; ++at)
      tree.tests.insert((*at)[1].str() + "." + (*at)[2].str());
  }
  return tree;
}

std::multiset<std::string> CtestNames(const std::string& ctest, const std::string& build,
                                      std::string* problem) {
  std::multiset<std::string> names;
  std::FILE* pipe = ::popen((ctest + " -N --test-dir " + build + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) {
    *problem = "ctest cannot be started: " + ctest;
    return names;
  }
  char line[1024];
  while (std::fgets(line, sizeof line, pipe) != nullptr) {
    const std::string text = line;
    const size_t colon = text.find(": ");
    if (text.find("Test ") == std::string::npos || text.find('#') == std::string::npos ||
        colon == std::string::npos)
      continue;
    const std::string name = Trim(text.substr(colon + 2, text.find('\n') - colon - 2));
    if (name.ends_with("_NOT_BUILT")) *problem += "not built: " + name + "\n";
    names.insert(PlainName(name));
  }
  if (::pclose(pipe) != 0 || names.empty()) *problem += "ctest lists no test in " + build;
  return problem->empty() ? names : std::multiset<std::string>();
}

}  // namespace surface
