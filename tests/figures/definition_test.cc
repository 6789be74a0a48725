// Definitions: what is read, and that every kind of damage is one line with its place.
#include "experiments/figures/definition.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "experiments/common/results.h"
#include "experiments/figures/catalogue.h"
#include "experiments/figures/cells.h"
#include "tests/figures/sample.h"

namespace experiments::figures {
namespace {

using nlohmann::ordered_json;

std::string ErrorOf(const ordered_json& json, const Definition* base = nullptr) {
  Definition definition;
  std::string error;
  const bool good = ParseDefinition(json, "f.json", base, &definition, &error);
  EXPECT_EQ(good, error.empty());
  return error;
}

Definition Sample() {
  Definition definition;
  std::string error;
  EXPECT_TRUE(ParseDefinition(SampleJson(), "f.json", nullptr, &definition, &error)) << error;
  return definition;
}

TEST(Definitions, AreReadAsTheyStand) {
  const Definition sample = Sample();
  EXPECT_EQ(sample.figure, "own-sample");
  EXPECT_EQ(sample.page, 3u);
  EXPECT_EQ(sample.cells_of, "own-sample");
  EXPECT_EQ(sample.series.size(), 2u);
  EXPECT_EQ(sample.x_values[1].label, "2");
  EXPECT_EQ(sample.x_values[1].number, 2);
  EXPECT_EQ(sample.x_values[2].label, "many");
  EXPECT_FALSE(sample.x_values[2].number.has_value());
  EXPECT_EQ(sample.full.x, (std::vector<size_t>{0, 1}));
  EXPECT_EQ(sample.y_axis.factor, 0.001);
  EXPECT_EQ(sample.claims.size(), 2u);
  EXPECT_TRUE(sample.claims[1].rising);
}

struct Damage {
  const char* where;  // JSON pointer
  const char* value;  // JSON; "" removes the member
  const char* error;
};

// Of every member: missing, of another type, out of range, unknown, contradicting another.
constexpr Damage kDamages[] = {
    {"/figure", "", "f.json: expected a member \"figure\", found none"},
    {"/figure", "\"Upper case\"",
     "f.json: figure: expected small letters, digits and dashes, found \"Upper case\""},
    {"/figure", "7", "f.json: figure: expected a text that is not empty, found 7"},
    {"/title", "\"\"", "f.json: title: expected a text that is not empty, found \"\""},
    {"/titel", "\"x\"", "f.json: unknown member \"titel\"; did you mean \"title\"?"},
    {"/setting", "", "f.json: expected a member \"setting\", found none"},
    {"/source/page", "0", "f.json: source.page: expected a whole number from 1 to 10000, found 0"},
    {"/source", "[]", "f.json: source: expected an object, found an array"},
    {"/axes/x/label", "", "f.json: axes.x: expected a member \"label\", found none"},
    {"/axes/y/log", "1", "f.json: axes.y.log: expected true or false, found 1"},
    {"/program", "\"rm\"", "f.json: program: expected the name of a program, figure-..., found \"rm\""},
    {"/program", "\"figure-/x\"",
     "f.json: program: expected the name of a program, figure-..., found \"figure-/x\""},
    {"/exact", "\"yes\"", "f.json: exact: expected true or false, found \"yes\""},
    {"/exact", "true", "f.json: scales.quick.rounds: expected 1, as the figure is exact, found 5"},
    {"/parameters/speed", "null",
     "f.json: parameters.speed: expected a number, a text, true or false, or an array of such, found null"},
    {"/parameters/names", "[[1]]",
     "f.json: parameters.names: expected a number, a text, true or false, or an array of such, found an "
     "array"},
    {"/series", "[]", "f.json: series: expected at least one series, found an array"},
    {"/series/1/name", "\"one\"", "f.json: series[1].name: there are two series \"one\""},
    {"/series/0/nmae", "\"x\"", "f.json: series[0]: unknown member \"nmae\"; did you mean \"name\"?"},
    {"/x/values", "[]", "f.json: x.values: expected at least one value, found an array"},
    {"/x/values/1", "1", "f.json: x.values[1]: there are two values 1"},
    {"/x/name", "", "f.json: x: expected a member \"name\", found none"},
    {"/scales/full", "", "f.json: scales: expected a member \"full\", found none"},
    {"/scales/slow", "{}", "f.json: scales: unknown member \"slow\"; known: quick, full"},
    {"/scales/quick/rounds", "4",
     "f.json: scales.quick.rounds: expected at least 5, as what is measured needs an interval, found 4"},
    {"/scales/quick/rounds", "5.5",
     "f.json: scales.quick.rounds: expected a whole number from 1 to 1000, found 5.5"},
    {"/scales/quick/memory_bytes", "12",
     "f.json: scales.quick.memory_bytes: expected a whole number from 1048576 to 1099511627776, found 12"},
    {"/scales/quick/seconds", "0",
     "f.json: scales.quick.seconds: expected a number from 0.01 to 1000000, found 0"},
    {"/scales/full/x", "[3]", "f.json: scales.full.x[0]: expected one of the values of x, found 3"},
    {"/claims", "[]", "f.json: claims: expected at least one claim, found an array"},
    {"/claims/0/robust", "", "f.json: claims[0]: expected a member \"robust\", found none"},
    {"/claims/0/at_least", "", "f.json: claims[0]: expected exactly one of at_least, at_most and between"},
    {"/claims/0/at_most", "3", "f.json: claims[0]: expected exactly one of at_least, at_most and between"},
    {"/claims/0/value", "{\"metric\": \"m\"}",
     "f.json: claims[0]: expected exactly one of value, ratio, difference, order and spread"},
    {"/claims/0/ratio", "[{\"metric\": \"m\"}]",
     "f.json: claims[0].ratio: expected an array of two references, found an array"},
    {"/claims/0/ratio/0/series", "\"twoo\"",
     "f.json: claims[0]: there is no series \"twoo\" in this figure; did you mean \"two\"?"},
    {"/claims/0/ratio/0/x", "\"many\"", "f.json: claims[0]: there is no x \"many\" in this figure"},
    {"/claims/0/ratio/0/metric", "3",
     "f.json: claims[0].ratio[0].metric: expected a text that is not empty, found 3"},
    {"/claims/0/direction", "\"rising\"", "f.json: claims[0]: \"direction\" belongs to an order"},
    {"/claims/1/direction", "\"up\"",
     "f.json: claims[1].direction: expected one of rising, falling, found \"up\""},
    {"/plot/kind", "\"pie\"",
     "f.json: plot.kind: expected one of time series, lines, bars, stacked bars, found \"pie\""},
    {"/plot/y", "[\"a\", \"b\"]", "f.json: plot.y: expected one name, found an array"},
    {"/plot/y_names", "[\"a\", \"b\"]",
     "f.json: plot.y_names: expected as many names as y has, found an array"},
    {"/cells_of", "\"own-other\"", "f.json: program: a figure with \"cells_of\" has none of its own"},
};

TEST(Definitions, EveryDamageIsOneLineWithItsPlace) {
  for (const Damage& damage : kDamages) {
    ordered_json json = SampleJson();
    const ordered_json::json_pointer where(damage.where);
    if (*damage.value == 0)
      json.at(where.parent_pointer()).erase(where.back());
    else
      json[where] = ordered_json::parse(damage.value);
    EXPECT_EQ(ErrorOf(json), damage.error) << damage.where << " = " << damage.value;
  }
  EXPECT_EQ(ErrorOf(ordered_json::parse("[1]")), "f.json: expected an object, found an array");
}

TEST(Definitions, BoundsComeInOrder) {
  ordered_json json = SampleJson();
  json["claims"][0].erase("at_least");
  json["claims"][0]["between"] = {2, 1};
  EXPECT_EQ(ErrorOf(json), "f.json: claims[0].between: the lower bound comes first");
  json["claims"][0]["between"] = {1};
  EXPECT_EQ(ErrorOf(json), "f.json: claims[0].between: expected two numbers, found an array");
  json["claims"][0]["between"] = {1, 2};
  EXPECT_EQ(ErrorOf(json), "");
}

TEST(Definitions, ShowTheCellsOfAnother) {
  const Definition base = Sample();
  ordered_json json = SampleJson();
  for (const char* own : {"program", "parameters", "series", "x", "scales"}) json.erase(own);
  json["figure"] = "own-other";
  json["cells_of"] = "own-sample";
  EXPECT_EQ(ErrorOf(json), "f.json: cells_of: there is no figure \"own-sample\"");
  Definition other;
  std::string error;
  ASSERT_TRUE(ParseDefinition(json, "f.json", &base, &other, &error)) << error;
  const std::vector<CellPlan> ours = PlanCells(other, true), theirs = PlanCells(base, true);
  ASSERT_EQ(ours.size(), theirs.size());
  for (size_t i = 0; i < ours.size(); ++i) EXPECT_EQ(ours[i].file, theirs[i].file);
  EXPECT_EQ(ErrorOf(json, &other), "f.json: cells_of: own-sample has no cells of its own");
}

TEST(Cells, EachOnceARoundInterleavedWithOneSeedARound) {
  const Definition sample = Sample();
  const std::vector<CellPlan> plans = PlanCells(sample, true);
  ASSERT_EQ(plans.size(), 5u * 6u);
  std::set<std::string> folders, firsts;
  for (size_t i = 0; i < plans.size(); ++i) {
    EXPECT_EQ(plans[i].round, i / 6);
    EXPECT_EQ(plans[i].file["seed"], plans[i / 6 * 6].file["seed"]);
    folders.insert(plans[i].folder);
    if (i % 6 == 0) firsts.insert(plans[i].folder.substr(0, plans[i].folder.rfind('-')));
  }
  EXPECT_EQ(folders.size(), plans.size());
  EXPECT_GE(firsts.size(), 4u);
  EXPECT_NE(plans[0].file["seed"], plans[6].file["seed"]);
  EXPECT_EQ(PlanCells(sample, false).size(), 7u * 4u);
}

TEST(Cells, FurtherRoundsHaveTheCellsThatAskForThem) {
  const Definition sample = Sample();
  const std::vector<CellPlan> plans = PlanCells(sample, true, {{{0, 2}, 8}, {{1, 0}, 7}});
  ASSERT_EQ(plans.size(), 5u * 6u + 3u + 2u);
  std::map<CellPlace, std::set<uint64_t>> further;
  for (size_t i = 30; i < plans.size(); ++i) {
    const CellPlace place{plans[i].series, plans[i].x};
    EXPECT_TRUE(further[place].insert(plans[i].round).second);
  }
  EXPECT_EQ(further, (decltype(further){{{0, 2}, {5, 6, 7}}, {{1, 0}, {5, 6}}}));
  const std::vector<CellPlan> all = PlanCells(sample, true);
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(plans[i].file, all[i].file);
}

TEST(Cells, TheMoreSpecialParameterWins) {
  ordered_json json = SampleJson();
  json["scales"]["quick"]["parameters"]["speed"] = 4;
  json["series"][1]["parameters"]["threads"] = 77;
  Definition definition;
  std::string error;
  ASSERT_TRUE(ParseDefinition(json, "f.json", nullptr, &definition, &error)) << error;
  for (const CellPlan& plan : PlanCells(definition, true)) {
    const ordered_json& parameters = plan.file["parameters"];
    EXPECT_EQ(parameters["depth"], 2);
    EXPECT_EQ(parameters["speed"], plan.series == 1 ? 5 : 4);
    EXPECT_EQ(parameters["threads"], plan.x == 2 ? 9 : plan.x + 1);
  }
}

TEST(Catalogue, EveryDefinitionOfTheTreeIsGood) {
  Catalogue catalogue;
  std::string error;
  ASSERT_TRUE(catalogue.Read(CPR_FIGURE_DEFINITIONS, &error)) << error;
  EXPECT_GE(catalogue.figures().size(), 13u);
  for (const Definition& definition : catalogue.figures()) {
    EXPECT_TRUE(std::any_of(definition.claims.begin(), definition.claims.end(),
                            [](const Claim& claim) { return claim.robust; }))
        << definition.figure << " has no robust claim";
    EXPECT_LE(definition.quick.seconds, 45) << definition.figure;
  }
}

TEST(Catalogue, UnknownFiguresNameNearOnes) {
  Catalogue catalogue;
  std::string error;
  ASSERT_TRUE(catalogue.Read(CPR_FIGURE_DEFINITIONS, &error)) << error;
  EXPECT_EQ(catalogue.Unknown("cpr12b").find("there is no figure 'cpr12b'; near: cpr-12b"), 0u)
      << catalogue.Unknown("cpr12b");
}

TEST(Catalogue, AFileHasItsFiguresName) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("cpr-catalogue-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder / "own");
  std::string error;
  ASSERT_TRUE(WriteWholeFile((folder / "own/other.json").string(), SampleJson().dump(), &error));
  Catalogue catalogue;
  EXPECT_FALSE(catalogue.Read(folder.string(), &error));
  EXPECT_NE(error.find("other.json: figure: expected the file's name, found \"own-sample\""),
            std::string::npos)
      << error;
  ASSERT_TRUE(WriteWholeFile((folder / "own/other.json").string(), "{\n  \"figure\": ,\n}", &error));
  EXPECT_FALSE(catalogue.Read(folder.string(), &error));
  EXPECT_NE(error.find("other.json:2:13: this is not JSON"), std::string::npos) << error;
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace experiments::figures
