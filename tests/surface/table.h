// The tables of a markdown document against the tree: which files, symbols and tests they name, and how many.
//
// A table whose header begins with "oxifaster" maps items: | item | ours | test | reason |. One whose header
// begins with "seed file" counts: | file | n | tests | count | reason |. In the cells, in backquotes:
//   path, path:Symbol       below faster/; the symbol is a word of that file
//   Suite.Test, Suite.*     tests by name
//   bug X, bug X*           the planted bug X-*.patch; all whose name is X and a number (or a letter)
//   corpus x, corpus *      a scenario
//   tests/path              a script
// Pure functions of their arguments, but for ReadTree and CtestNames.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace surface {

struct Row {
  int line = 0;
  std::vector<std::string> cells;
};
struct Table {
  std::vector<std::string> header;
  std::vector<Row> rows;
};

struct Tree {
  std::map<std::string, std::string> files;  // below faster/ and experiments/: path from faster/, text
  std::set<std::string> scripts;             // tests/...
  std::multiset<std::string> tests;          // "Suite.Test", as the sources have them
  std::multiset<std::string> registered;     // the same as ctest has them: each instance of one with values
  std::set<std::string> bugs;                // names of patches, without .patch
  std::set<std::string> corpus;
};

std::vector<Table> ParseTables(const std::string& markdown);
// What stands in backquotes.
std::vector<std::string> Quoted(const std::string& cell);
// "Prefix/Suite/0.Test/1" as "Suite.Test".
std::string PlainName(const std::string& registered);

// Each complaint is one line that begins with the line of the document.
std::vector<std::string> CheckItems(const Table& table, const Tree& tree);
// Beyond that: as many as said at least, each counted once, and at least n or a reason.
std::vector<std::string> CheckCounts(const Table& table, const Tree& tree);

Tree ReadTree(const std::filesystem::path& root);
// Of the build in `build`. Empty and *problem if it cannot be asked, or is not complete.
std::multiset<std::string> CtestNames(const std::string& ctest, const std::string& build,
                                      std::string* problem);

}  // namespace surface
