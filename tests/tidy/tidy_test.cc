// The tree keeps the rules of rules.h, and every rule can be broken.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/tidy/rules.h"

namespace tidy {
namespace {

namespace fs = std::filesystem;

std::string Read(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Source, scripts and documents of the tree, relative to its root. Patches and stored data are not ours to
// format.
std::vector<std::string> OurFiles(const fs::path& root) {
  std::vector<std::string> files = {"cpr", ".ci/run", "CMakeLists.txt"};
  for (const auto& entry : fs::directory_iterator(root)) {
    if (entry.path().extension() == ".md") files.push_back(entry.path().filename().string());
  }
  for (const char* folder :
       {"faster", "faults", "workloads", "experiments", "plots", "tests", "notebooks", "docs"}) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension().string();
      // A notebook is JSON; tests/notebooks has its rules.
      const bool wanted = extension == ".h" || extension == ".cc" || extension == ".sh" ||
                          extension == ".md" || extension == ".py" ||
                          entry.path().filename() == "CMakeLists.txt";
      const bool own_root = entry.path().string().find("/fixture/") != std::string::npos;
      if (!wanted || own_root || !entry.is_regular_file()) continue;
      files.push_back(entry.path().lexically_relative(root).string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> HeadersAmong(const std::vector<std::string>& files) {
  std::vector<std::string> headers;
  std::copy_if(files.begin(), files.end(), std::back_inserter(headers),
               [](const std::string& file) { return file.ends_with(".h"); });
  return headers;
}

TEST(Tidy, TheTreeKeepsTheRules) {
  const fs::path root = CPR_SOURCE_ROOT;
  const std::vector<std::string> files = OurFiles(root);
  const std::vector<std::string> headers = HeadersAmong(files);
  ASSERT_GT(headers.size(), 10u) << "the tree was not found at " << root;
  std::string complaints;
  for (const std::string& file : files) {
    for (const std::string& line : CheckFile(file, Read(root / file), headers)) complaints += line + "\n";
  }
  EXPECT_TRUE(complaints.empty()) << complaints;
}

// ---- every rule fires -------------------------------------------------------------------------------

const std::vector<std::string> kHeaders = {"faster/core/a.h", "faster/log/b.h", "faults/oracle/c.h",
                                           "faults/sched/scheduler.h", "faults/sched/tape.h"};

// The only complaint, without its path; "" if there is none.
std::string Complaint(const std::string& path, const std::string& text) {
  const std::vector<std::string> all = CheckFile(path, text, kHeaders);
  if (all.empty()) return "";
  return all.size() == 1 ? all[0].substr(path.size() + 1) : "more than one: " + all[0] + " and " + all[1];
}

std::string FunctionOf(int lines) {
  std::string text = "int F(int a,\n      int b) {\n";
  for (int i = 0; i < lines - 3; ++i) text += "  if (a < b) { a += '}'; }  // {\n";
  return text + "}\n";
}

TEST(TidyRules, SizesAreBounded) {
  EXPECT_EQ(Complaint("faster/a.cc", std::string(110, 'x') + "\n"), "");
  EXPECT_EQ(Complaint("faster/a.cc", std::string(111, 'x') + "\n"), "1: longer than 110 characters");
  std::string text;
  for (int i = 0; i < 500; ++i) text += "int x;\n";
  EXPECT_EQ(Complaint("faster/a.cc", text), "");
  EXPECT_EQ(Complaint("faster/a.cc", text + "\n"), "501: the file has more than 500 lines");
}

TEST(TidyRules, FunctionsAreBounded) {
  EXPECT_EQ(Complaint("faster/a.cc", FunctionOf(70)), "");
  EXPECT_EQ(Complaint("faster/a.cc", "\n" + FunctionOf(71)), "2: a function of 71 lines");
  EXPECT_EQ(Complaint("faster/a.cc", "namespace a {\nclass B {\n" + FunctionOf(71) + "};\n}\n"),
            "3: a function of 71 lines");
  // A long class or table is no long function.
  std::string table = "const int kTable[] = {\n";
  for (int i = 0; i < 100; ++i) table += "    1,\n";
  EXPECT_EQ(Complaint("faster/a.cc", "class A {\n" + table + "};\n};\n"), "");
}

TEST(TidyRules, LayersHold) {
  EXPECT_EQ(Complaint("faster/log/x.cc", "#include \"faster/core/a.h\"\n"), "");
  EXPECT_EQ(Complaint("faults/device/x.cc", "#include \"faults/sched/scheduler.h\"\n"), "");
  EXPECT_EQ(Complaint("faults/oracle/x.cc", "#include \"faster/core/a.h\"\n"), "");
  EXPECT_EQ(Complaint("faults/oracle/x.cc", "#include \"faster/log/b.h\"\n"),
            "1: faults/oracle/ must not include faster/log/b.h");
  EXPECT_EQ(Complaint("faults/sched/x.cc", "#include \"faster/core/a.h\"\n"),
            "1: faults/sched/ must not include faster/core/a.h");
  EXPECT_EQ(Complaint("faults/device/x.cc", "#include \"faults/sched/tape.h\"\n"),
            "1: faults/device/ must not include faults/sched/tape.h");
  EXPECT_EQ(Complaint("plots/x.cc", "#include \"faster/core/a.h\"\n"),
            "1: plots/ must not include faster/core/a.h");
  EXPECT_NE(Complaint("faster/x.cc", "#include \"faults/oracle/c.h\"\n"), "");
  EXPECT_EQ(Complaint("tests/x.cc", "#include \"a.h\"\n"), "1: \"a.h\" is no header from the root");
  EXPECT_EQ(Complaint("tests/x.cc", "#include <faster/core/a.h>\n"), "1: our own header in <>");
}

TEST(TidyRules, TheEngineKnowsNoTests) {
  EXPECT_EQ(Complaint("faster/x.cc", "#ifdef CPR_TEST\n"), "1: the engine knows of tests: CPR_TEST");
  EXPECT_EQ(Complaint("faster/x.cc", "// see faults/device\n"), "1: the engine knows of faults/");
  EXPECT_EQ(Complaint("faster/x.cc", "int a;\nthread_local int b;\n"), "2: not in the engine: thread_local");
  EXPECT_EQ(Complaint("faster/x.cc", "int a;  // no thread_local\nint operand;\n"), "");
  EXPECT_EQ(Complaint("faults/x.cc", "thread_local int b;\n"), "");
}

TEST(TidyRules, NothingIsLeftOver) {
  EXPECT_EQ(Complaint("README.md", std::string("TO") + "DO: more\n"), std::string("1: left over: TO") + "DO");
  EXPECT_EQ(Complaint("faster/a.cc", std::string("// FIX") + "ME\n"),
            std::string("1: left over: FIX") + "ME");
  EXPECT_EQ(Complaint("README.md", std::string("see /ho") + "me/someone\n"), "1: a path of one machine");
  EXPECT_EQ(Complaint("faster/a.h", "int a;\n"), "1: a header without #pragma once");
}

TEST(TidyRules, TheLexerKeepsCodeOnly) {
  EXPECT_EQ(CodeOnly("a \"{\\\"\" b // {\nc"), "a       b     \nc");
  EXPECT_EQ(CodeOnly("x = 1'000; y = '{'; /* {\n} */ z"), "x = 1'000; y =    ;     \n     z");
  EXPECT_EQ(CodeOnly("R\"(\"{)\" a\n#define X {\\\n {\nb"), "        a\n            \n  \nb");
}

}  // namespace
}  // namespace tidy
