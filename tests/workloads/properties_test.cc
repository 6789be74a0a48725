// Property files: Java's syntax, precedence, typed getters and their one-line errors.
#include "workloads/properties.h"

#include <gtest/gtest.h>

#include <cstdio>

namespace workloads {
namespace {

Properties Parsed(std::string_view text) {
  Properties properties;
  std::string error;
  EXPECT_TRUE(properties.Parse(text, "file", &error)) << error;
  return properties;
}

TEST(Properties, JavaSyntax) {
  const Properties p = Parsed(
      "# comment = no\n"
      "! neither\\\n"
      "a=1\n"
      "  b : 2\r\n"
      "c 3\r"
      "d\n"
      "e = x y \t\n"
      "long = one, \\\n"
      "       two, \\\r\n"
      "\tthree\n"
      "slash = end\\\\\n"
      "f\\=g\\ h = k\\:l\n"
      "tab=\\ta\\u0041\\u00e9\\q\n"
      "eq==\n"
      "last = one \\");
  EXPECT_EQ(p.Text("a", ""), "1");
  EXPECT_EQ(p.Text("b", ""), "2");
  EXPECT_EQ(p.Text("c", ""), "3");
  EXPECT_EQ(p.Text("d", "x"), "");
  EXPECT_EQ(p.Text("e", ""), "x y");
  EXPECT_EQ(p.Text("long", ""), "one, two, three");
  EXPECT_EQ(p.Text("slash", ""), "end\\");
  EXPECT_EQ(p.Text("f=g h", ""), "k:l");
  EXPECT_EQ(p.Text("tab", ""), "\taA\xc3\xa9q");
  EXPECT_EQ(p.Text("eq", ""), "=");
  EXPECT_EQ(p.Text("last", ""), "one");
  EXPECT_FALSE(p.Has("#"));
  EXPECT_FALSE(p.Has("comment"));
  EXPECT_EQ(p.Text("none", "fallback"), "fallback");
}

TEST(Properties, LaterFilesWinAndAssignmentsAlways) {
  Properties p;
  std::string error;
  ASSERT_TRUE(p.Assign("b=command=line", &error));
  ASSERT_TRUE(p.Parse("a=1\nb=1\nc=1\nc=2\n", "one", &error));
  ASSERT_TRUE(p.Parse("a=3\n", "two", &error));
  EXPECT_EQ(p.Text("a", ""), "3");
  EXPECT_EQ(p.Text("b", ""), "command=line");
  EXPECT_EQ(p.Text("c", ""), "2");
  ASSERT_TRUE(p.Assign("b=", &error));
  EXPECT_EQ(p.Text("b", "x"), "");
}

TEST(Properties, TypedValues) {
  const Properties p = Parsed("n=18446744073709551615\nz=0\nr=.25\ne=1e-3\nt=true\nf=false\ns=zipfian\n");
  std::string error, text;
  uint64_t n = 7;
  double r = 7;
  bool t = false;
  EXPECT_TRUE(p.Number("n", 1, 0, ~0ull, &n, &error));
  EXPECT_EQ(n, ~0ull);
  EXPECT_TRUE(p.Number("none", 5, 10, 20, &n, &error));
  EXPECT_EQ(n, 5u);
  EXPECT_TRUE(p.Real("r", 1, 0, 1, &r, &error));
  EXPECT_EQ(r, 0.25);
  EXPECT_TRUE(p.Real("e", 1, 0, 1, &r, &error));
  EXPECT_EQ(r, 0.001);
  EXPECT_TRUE(p.Real("none", 0.5, 0, 1, &r, &error));
  EXPECT_EQ(r, 0.5);
  EXPECT_TRUE(p.Flag("t", false, &t, &error));
  EXPECT_TRUE(t);
  EXPECT_TRUE(p.Flag("f", true, &t, &error));
  EXPECT_FALSE(t);
  EXPECT_TRUE(p.Flag("none", true, &t, &error));
  EXPECT_TRUE(t);
  EXPECT_TRUE(p.Choice("s", "uniform", {"uniform", "zipfian"}, &text, &error));
  EXPECT_EQ(text, "zipfian");
  EXPECT_EQ(error, "");
}

TEST(Properties, ErrorsNamePlaceKeyAndValue) {
  Properties p =
      Parsed("\n# x\nrecordcount = 10k\nneg=-1\nbig=18446744073709551616\nempty\nbool=yes\nnan=nan\nd=zip\n");
  std::string error;
  uint64_t n = 7;
  double r = 7;
  bool t = true;
  EXPECT_FALSE(p.Number("recordcount", 1, 1, ~0ull, &n, &error));
  EXPECT_EQ(error, "file:3: recordcount: expected a whole number of at least 1, found '10k'");
  for (const char* key : {"neg", "big", "empty"}) EXPECT_FALSE(p.Number(key, 1, 0, ~0ull, &n, &error)) << key;
  EXPECT_EQ(error, "file:6: empty: expected a whole number of at least 0, found ''");
  EXPECT_EQ(n, 7u);
  EXPECT_FALSE(p.Flag("bool", true, &t, &error));
  EXPECT_EQ(error, "file:7: bool: expected true or false, found 'yes'");
  EXPECT_FALSE(p.Real("nan", 0, 0, 1, &r, &error));
  EXPECT_EQ(error, "file:8: nan: expected a number from 0 to 1, found 'nan'");
  EXPECT_EQ(r, 7);
  std::string text;
  EXPECT_FALSE(p.Choice("d", "uniform", {"uniform", "zipfian"}, &text, &error));
  EXPECT_EQ(error, "file:9: d: expected one of uniform, zipfian, found 'zip'");
  ASSERT_TRUE(p.Assign("threads=0", &error));
  EXPECT_FALSE(p.Number("threads", 1, 1, 64, &n, &error));
  EXPECT_EQ(error, "-p: threads: expected a whole number from 1 to 64, found '0'");
  Properties continued = Parsed("a=1, \\\n 2\nb=x\n");
  EXPECT_FALSE(continued.Number("b", 1, 1, 64, &n, &error));
  EXPECT_EQ(error.substr(0, 7), "file:3:");
  EXPECT_FALSE(continued.Number("a", 1, 1, 64, &n, &error));
  EXPECT_EQ(error.substr(0, 7), "file:1:");
  EXPECT_EQ(p.Complaint("workload", "a name"), "workload: expected a name, found nothing: it is not set");
}

TEST(Properties, BrokenInputChangesNothing) {
  Properties p = Parsed("a=1\n");
  std::string error;
  EXPECT_FALSE(p.Parse("a=2\nb=\\u00g1\n", "f", &error));
  EXPECT_EQ(error, "f:2: expected four hexadecimal digits after \\u, found 'b=\\u00g1'");
  EXPECT_FALSE(p.Parse("b=\\u12", "f", &error));
  EXPECT_FALSE(p.Parse("x=1\n=3\n", "f", &error));
  EXPECT_EQ(error, "f:2: expected KEY=VALUE, found '=3'");
  EXPECT_EQ(p.Text("a", ""), "1");
  EXPECT_FALSE(p.Has("x"));
  EXPECT_FALSE(p.Assign("novalue", &error));
  EXPECT_EQ(error, "-p: expected KEY=VALUE, found 'novalue'");
  EXPECT_FALSE(p.Assign("=x", &error));
  EXPECT_FALSE(p.Load("/nonexistent/workload", &error));
  EXPECT_EQ(error, "/nonexistent/workload: expected a properties file, found: No such file or directory");
  EXPECT_FALSE(p.Load("/", &error));  // a directory opens but cannot be read
  EXPECT_EQ(error.find("/: expected a properties file"), 0u);
}

TEST(Properties, UnusedKeysAreListed) {
  const Properties p = Parsed("recordcount=1\nrecordcuont=2\nother=3\n");
  std::string error;
  uint64_t n = 0;
  EXPECT_TRUE(p.Number("recordcount", 0, 0, 9, &n, &error));
  EXPECT_TRUE(p.Has("other"));
  EXPECT_EQ(p.Unused(), std::vector<std::string>{"recordcuont"});
}

TEST(CoreWorkloads, AreYcsbs) {
  struct Mix {
    const char* name;
    double read, update, insert, scan, read_modify_write;
    const char* distribution;
  };
  const Mix mixes[] = {{"a", .5, .5, 0, 0, 0, "zipfian"},   {"b", .95, .05, 0, 0, 0, "zipfian"},
                       {"c", 1, 0, 0, 0, 0, "zipfian"},     {"d", .95, 0, .05, 0, 0, "latest"},
                       {"e", 0, 0, .05, .95, 0, "zipfian"}, {"f", .5, 0, 0, 0, .5, "zipfian"}};
  for (const Mix& mix : mixes) {
    Properties p;
    std::string error;
    ASSERT_TRUE(p.Load(std::string(WORKLOADS_DIR "/workload") + mix.name, &error)) << error;
    const std::pair<const char*, double> proportions[] = {
        {"readproportion", mix.read},
        {"updateproportion", mix.update},
        {"insertproportion", mix.insert},
        {"scanproportion", mix.scan},
        {"readmodifywriteproportion", mix.read_modify_write}};
    for (const auto& [key, expected] : proportions) {
      double value = -1;
      ASSERT_TRUE(p.Real(key, 0, 0, 1, &value, &error)) << error;
      EXPECT_EQ(value, expected) << mix.name << " " << key;
    }
    EXPECT_EQ(p.Text("requestdistribution", ""), mix.distribution);
    EXPECT_EQ(p.Text("recordcount", ""), "1000");
    EXPECT_EQ(p.Text("operationcount", ""), "1000");
    EXPECT_EQ(p.Text("workload", ""), "site.ycsb.workloads.CoreWorkload");
  }
}

}  // namespace
}  // namespace workloads
