// The tables of workloads/ycsb/README.md against the tree: every property that the program reads has a row,
// every row is of a property that it reads, and every test that a row names is there.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>

#include "tests/surface/table.h"

namespace surface {
namespace {

std::string TextOf(const std::string& path) {
  std::ifstream in(CPR_SOURCE_ROOT "/" + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<Row> RowsOf(const std::string& markdown) {
  std::vector<Row> rows;
  for (const Table& table : ParseTables(markdown)) {
    if (table.header.size() == 4 && table.header[0] == "property")
      rows.insert(rows.end(), table.rows.begin(), table.rows.end());
  }
  return rows;
}

// The names that source text hands to the getters of Properties, alone or in a list to loop over.
std::set<std::string> PropertiesRead(const std::string& source) {
  const std::regex getter(R"re(\b(?:p|properties)\.(?:Number|Real|Flag|Choice|Text|Has)\(\s*"([a-z_.]+)")re");
  const std::regex list(R"re(const char\* key\s*:\s*\{([^}]*)\})re"), name(R"re("([a-z_.]+)")re");
  const std::regex part(R"re(\{"([a-z]+proportion)")re");
  std::set<std::string> names;
  for (const std::regex* pattern : {&getter, &part}) {
    for (std::sregex_iterator at(source.begin(), source.end(), *pattern), end; at != end; ++at)
      names.insert((*at)[1].str());
  }
  for (std::sregex_iterator at(source.begin(), source.end(), list), end; at != end; ++at) {
    const std::string names_of_list = (*at)[1].str();
    for (std::sregex_iterator in(names_of_list.begin(), names_of_list.end(), name); in != end; ++in)
      names.insert((*in)[1].str());
  }
  return names;
}

std::string Check(const std::vector<Row>& rows, const std::set<std::string>& read,
                  const std::multiset<std::string>& tests) {
  std::string complaints;
  std::set<std::string> described;
  for (const Row& row : rows) {
    const std::string at = std::to_string(row.line) + ": ";
    if (row.cells.size() != 4) {
      complaints += at + "not four cells\n";
      continue;
    }
    const std::vector<std::string> names = Quoted(row.cells[0]), named = Quoted(row.cells[3]);
    if (names.size() != 1 || row.cells[1].empty() || row.cells[2].empty() || named.empty()) {
      complaints += at + "not a property, its default, what it does and a test\n";
      continue;
    }
    if (!described.insert(names[0]).second) complaints += at + names[0] + " is there twice\n";
    if (!read.contains(names[0])) complaints += at + "nobody reads " + names[0] + "\n";
    for (const std::string& test : named) {
      if (!tests.contains(test)) complaints += at + "no test " + test + "\n";
    }
  }
  for (const std::string& name : read) {
    if (!described.contains(name)) complaints += name + " is in no table\n";
  }
  return complaints;
}

std::set<std::string> AllRead() {
  std::string source;
  for (const char* file : {"workloads/ycsb/spec.cc", "workloads/ycsb/report_plan.cc",
                           "experiments/ycsb/options.cc", "experiments/ycsb/ycsb_flags.cc"})
    source += TextOf(file);
  return PropertiesRead(source);
}

TEST(YcsbTables, AreTheProgramsProperties) {
  const std::vector<Row> rows = RowsOf(TextOf("workloads/ycsb/README.md"));
  EXPECT_GE(rows.size(), 80u) << "rows have gone";
  EXPECT_EQ(Check(rows, AllRead(), ReadTree(CPR_SOURCE_ROOT).tests), "");
}

TEST(YcsbTables, TheHelpHasEveryPropertyOfTheStore) {
  const std::string help = TextOf("experiments/ycsb/options.cc");
  for (const std::string& name : AllRead()) {
    if (name.rfind("faster.", 0) != 0) continue;
    EXPECT_NE(help.find(name.substr(7)), std::string::npos) << name << " is not in the help";
  }
}

TEST(YcsbTables, EveryRuleFires) {
  const std::multiset<std::string> tests = {"A.B"};
  const auto check = [&](const std::string& row, const std::set<std::string>& read) {
    return Check(RowsOf("| property | default | here | test |\n|---|---|---|---|\n" + row), read, tests);
  };
  EXPECT_EQ(check("| `x` | 1 | y | `A.B` |\n", {"x"}), "");
  EXPECT_EQ(check("| `x` | 1 | y | `A.C` |\n", {"x"}), "3: no test A.C\n");
  EXPECT_EQ(check("| `x` | 1 | y | `A.B` |\n", {}), "3: nobody reads x\n");
  EXPECT_EQ(check("| `x` | 1 | y | `A.B` |\n", {"x", "z"}), "z is in no table\n");
  EXPECT_EQ(check("| `x` | 1 | y | `A.B` |\n| `x` | 1 | y | `A.B` |\n", {"x"}), "4: x is there twice\n");
  const std::string incomplete = "3: not a property, its default, what it does and a test\n";
  EXPECT_EQ(check("| `x` | 1 | y | |\n", {}), incomplete);
  EXPECT_EQ(check("| `x` | | y | `A.B` |\n", {}), incomplete);
  EXPECT_EQ(check("| x | 1 | y | `A.B` |\n", {}), incomplete);
  EXPECT_EQ(check("| `x` | 1 | `A.B` |\n", {}), "3: not four cells\n");
  EXPECT_EQ(PropertiesRead(
                "p.Flag(\"a\", x); properties.Text(\"b.c\", d); for (const char* key : {\"e\", \"f_g\"}) "
                "{{\"readproportion\", 1}}; q.Flag(\"h\")"),
            (std::set<std::string>{"a", "b.c", "e", "f_g", "readproportion"}));
}

}  // namespace
}  // namespace surface
