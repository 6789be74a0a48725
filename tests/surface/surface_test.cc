// What faster/cpr/README.md says of the checkpoint surface is so: every file, symbol and test that its tables
// name is there, and the counts hold. And every rule can be broken.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/surface/table.h"

namespace surface {
namespace {

std::string Document() {
  std::ifstream in(CPR_SOURCE_ROOT "/faster/cpr/README.md");
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<Table> TablesOf(const std::string& markdown, const std::string& first) {
  std::vector<Table> tables;
  for (Table& table : ParseTables(markdown)) {
    if (!table.header.empty() && table.header[0] == first) tables.push_back(std::move(table));
  }
  return tables;
}

std::string Lines(const std::vector<std::string>& complaints) {
  std::string text;
  for (const std::string& line : complaints) text += line + "\n";
  return text;
}

TEST(Surface, EverythingThatTheTableNamesIsThere) {
  const Tree tree = ReadTree(CPR_SOURCE_ROOT);
  const std::vector<Table> tables = TablesOf(Document(), "oxifaster");
  ASSERT_EQ(tables.size(), 11u) << "a table is missing";
  size_t rows = 0;
  for (const Table& table : tables) {
    EXPECT_EQ(Lines(CheckItems(table, tree)), "");
    rows += table.rows.size();
  }
  EXPECT_GE(rows, 80u) << "items have gone from the table";
}

TEST(Surface, TheMapOfTheFolderHasEveryHeader) {
  const Tree tree = ReadTree(CPR_SOURCE_ROOT);
  const std::vector<Table> maps = TablesOf(Document(), "file");
  ASSERT_EQ(maps.size(), 1u);
  std::set<std::string> mapped;
  for (const Row& row : maps[0].rows) {
    for (const std::string& name : Quoted(row.cells[0])) {
      mapped.insert("cpr/" + name);
      EXPECT_TRUE(tree.files.contains("cpr/" + name)) << row.line << ": no file " << name;
    }
  }
  for (const auto& [path, text] : tree.files) {
    const bool header = path.rfind("cpr/", 0) == 0 && path.ends_with(".h");
    EXPECT_TRUE(!header || mapped.contains(path)) << path << " is not on the map";
  }
}

TEST(Surface, AsManyTestsAsTheSeed) {
  Tree tree = ReadTree(CPR_SOURCE_ROOT);
  std::string problem;
  tree.registered = CtestNames(CPR_CTEST, CPR_BUILD_ROOT, &problem);
  ASSERT_EQ(problem, "") << "build all tests first: what ctest knows is counted";
  const std::vector<Table> tables = TablesOf(Document(), "seed file");
  ASSERT_EQ(tables.size(), 1u);
  EXPECT_EQ(Lines(CheckCounts(tables[0], tree)), "");
  size_t seed = 0;
  for (const Row& row : tables[0].rows) seed += std::stoul(row.cells[1]);
  EXPECT_EQ(seed, 455u) << "of the seed's tests some are in no row";
}

// ---- every rule fires -------------------------------------------------------------------------------

Tree SmallTree() {
  Tree tree;
  tree.files = {{"cpr/a.h", "class Locks { void Take(); };"}};
  tree.scripts = {"tests/x.sh"};
  tree.tests = {"Suite.One", "Suite.Two", "Other.One"};
  tree.registered = {"Suite.One", "Suite.One", "Suite.Two"};
  tree.bugs = {"A10-point", "I01-delta", "I02-chain", "F2a-cold"};
  tree.corpus = {"wraps"};
  return tree;
}

std::string Items(const std::string& row) {
  return Lines(CheckItems(ParseTables("| oxifaster | ours | test | why |\n|---|---|---|---|\n" + row)[0],
                          SmallTree()));
}
std::string Counts(const std::string& rows) {
  const std::string head = "| seed file | n | ours | count | why |\n|---|---|---|---|---|\n";
  return Lines(CheckCounts(ParseTables(head + rows)[0], SmallTree()));
}

TEST(SurfaceRules, NamesMustExist) {
  EXPECT_EQ(Items("| x | `cpr/a.h:Locks`, `cpr/a.h` | `Suite.One`, `Other.*`, `bug A10` | |"), "");
  EXPECT_EQ(Items("| x | `cpr/a.h:Take` | `corpus wraps`, `tests/x.sh`, `bug I*` | |"), "");
  EXPECT_EQ(Items("| x | `cpr/b.h` | `Suite.One` | |"), "3: no file cpr/b.h\n");
  EXPECT_EQ(Items("| x | `cpr/a.h:Lock` | `Suite.One` | |"), "3: cpr/a.h has no Lock\n");
  EXPECT_EQ(Items("| x | `cpr/a.h` | `Suite.Three` | |"), "3: no test Suite.Three\n");
  EXPECT_EQ(Items("| x | `cpr/a.h` | `Third.*` | |"), "3: no test Third.*\n");
  EXPECT_EQ(Items("| x | `cpr/a.h` | `bug A1` | |"), "3: no test bug A1\n");
  EXPECT_EQ(Items("| x | `cpr/a.h` | `corpus wrap` | |"), "3: no test corpus wrap\n");
  EXPECT_EQ(Items("| x | — | | see `cpr/b.h` and `bug Z1` |"), "3: no file cpr/b.h\n3: no bug Z1\n");
}

TEST(SurfaceRules, ItemsNeedATestOrAReason) {
  EXPECT_EQ(Items("| x | — | | none needed |"), "");
  EXPECT_EQ(Items("| x | — | | |"), "3: neither ours nor a reason\n");
  EXPECT_EQ(Items("| x | `cpr/a.h` | | because |"), "3: ours, and no test\n");
  EXPECT_EQ(Items("| x | `cpr/a.h` | `Suite.One` |"), "3: not four cells\n");
}

TEST(SurfaceRules, CountsMustHold) {
  EXPECT_EQ(Counts("| t.rs | 3 | `Suite.*` | 3 | |"), "");             // an instance of a test is a test
  EXPECT_EQ(Counts("| t.rs | 3 | `Suite.*`, `Other.*` | 3 | |"), "");  // more than said
  EXPECT_EQ(Counts("| t.rs | 3 | `bug I*`, `Other.One` | 3 | |"), "");
  EXPECT_EQ(Counts("| t.rs | 1 | `bug F2*` | 1 | |"), "");
  EXPECT_EQ(Counts("| t.rs | 3 | `Suite.*` | 4 | |"), "3: says 4, there are 3\n");
  EXPECT_EQ(Counts("| t.rs | 4 | `Suite.*` | 3 | |"), "3: fewer than 4, and no reason\n");
  EXPECT_EQ(Counts("| t.rs | 4 | `Suite.*` | 3 | by design |"), "");
  EXPECT_EQ(Counts("| t.rs | 1 | `Suite.Three` | 0 | x |"), "3: no test Suite.Three\n");
  EXPECT_EQ(Counts("| t.rs | 1 | `Suite.Two` | 1 | |\n| u.rs | 1 | `Suite.*` | 3 | |"),
            "4: Suite.Two is counted in line 3\n");
  EXPECT_NE(Counts("| t.rs | 1 | `Suite.Two`, `Suite.Two` | 2 | |").find("counted twice"), std::string::npos);
}

TEST(SurfaceRules, NamesOfInstancesArePlain) {
  EXPECT_EQ(PlainName("Suite.Test"), "Suite.Test");
  EXPECT_EQ(PlainName("All/Suite.Test/Value"), "Suite.Test");
  EXPECT_EQ(PlainName("Suite/0.Test"), "Suite.Test");
  EXPECT_EQ(PlainName("All/Suite/12.Test"), "Suite.Test");
  EXPECT_EQ(PlainName("checkpoint_tool"), "checkpoint_tool");
}

}  // namespace
}  // namespace surface
