// The store of a run: which cells are done, what is judged and drawn from them, and the pages.
#include "experiments/figures/store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "experiments/common/results.h"
#include "experiments/figures/drawing.h"
#include "experiments/figures/program.h"
#include "experiments/figures/report.h"
#include "tests/figures/sample.h"

namespace experiments::figures {
namespace {

namespace fs = std::filesystem;

class Stored : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("cpr-figures-" + std::to_string(getpid()) + "-" +
                                         ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
    ASSERT_TRUE(ParseDefinition(SampleJson(), "f.json", nullptr, &definition_, &error_)) << error_;
    Make("a");
  }
  void TearDown() override { fs::remove_all(root_); }
  FigureStore& Make(const std::string& name) {
    stores_.push_back(std::make_unique<FigureStore>());
    EXPECT_TRUE(stores_.back()->Create(definition_, true, (root_ / name).string(), &error_)) << error_;
    return *stores_.back();
  }
  FigureStore& store() { return *stores_.front(); }

  // What a program and the runner leave.
  void Measure(FigureStore& store, const CellPlan& plan, double mops, uint64_t threads = 1) {
    ASSERT_TRUE(store.Prepare(plan, &error_)) << error_;
    Output output(store.Path(plan));
    output.Metric("mops", mops);
    output.Threads(threads);
    output.samples()->Columns({"seconds", "mops"});
    for (int i = 1; i <= 5; ++i) output.samples()->Row({i * 0.1 + late_, mops * i});
    ASSERT_TRUE(output.Write(&error_)) << error_;
    ProcessResult ended;
    ended.wall_seconds = 0.5;
    ASSERT_TRUE(store.Seal(plan, ended, &error_)) << error_;
  }
  void MeasureAll(FigureStore& store) {
    for (const CellPlan& plan : store.plans())
      Measure(store, plan, static_cast<double>((plan.series + 1) * (plan.x + 1) * 10 + plan.round));
    store.AddEnvironment({{"cores", 2}});
    EXPECT_EQ(store.Collect(), 0u);
  }
  std::string Get(const fs::path& path) {
    std::string text;
    EXPECT_TRUE(ReadWholeFile(path.string(), &text, &error_)) << error_;
    return text;
  }

  fs::path root_;
  double late_ = 0;  // seconds, of all samples of a cell
  Definition definition_;
  std::string error_;
  Stores stores_;
};

TEST_F(Stored, ACellIsDoneWhenEverythingIsThere) {
  const CellPlan& plan = store().plans()[7];
  EXPECT_FALSE(store().Read(plan, &error_));
  EXPECT_EQ(error_, "");
  Measure(store(), plan, 3);
  ASSERT_TRUE(store().Read(plan, &error_)) << error_;
  EXPECT_EQ(store().Read(plan, &error_)->metrics.at("mops"), 3);
  EXPECT_EQ(store().Collect(), store().plans().size() - 1);
  fs::remove(fs::path(store().Path(plan)) / "run.json");
  EXPECT_FALSE(store().Read(plan, &error_));
}

TEST_F(Stored, ACellOfOtherParametersIsNotTakenForOurs) {
  const CellPlan& plan = store().plans()[0];
  Measure(store(), plan, 3);
  nlohmann::ordered_json file = plan.file;
  file["parameters"]["speed"] = 99;
  ASSERT_TRUE(WriteWholeFile(store().Path(plan) + "/parameters.json", file.dump(), &error_));
  EXPECT_FALSE(store().Read(plan, &error_));
  EXPECT_NE(error_.find("expected the definition's parameters, found others"), std::string::npos) << error_;
}

TEST_F(Stored, DamagedCellsAreNamed) {
  const CellPlan& plan = store().plans()[0];
  for (const char* damage : {"{", "{}", "{\"metrics\": {\"mops\": \"fast\"}, \"threads\": 1, \"notes\": []}",
                             "{\"metrics\": {}, \"threads\": 0, \"notes\": []}"}) {
    Measure(store(), plan, 3);
    ASSERT_TRUE(WriteWholeFile(store().Path(plan) + "/run.json", damage, &error_));
    EXPECT_FALSE(store().Read(plan, &error_)) << damage;
    EXPECT_NE(error_.find("run.json"), std::string::npos) << error_;
  }
}

TEST_F(Stored, OpensAsItWasMade) {
  MeasureAll(store());
  ASSERT_TRUE(store().Save(&error_)) << error_;
  FigureStore again;
  ASSERT_TRUE(again.Open(store().folder(), &error_)) << error_;
  EXPECT_TRUE(again.quick());
  EXPECT_EQ(again.Collect(), 0u);
  const std::vector<Judgement> judgements = again.JudgeAll();
  EXPECT_EQ(judgements[0].verdict, Verdict::kHolds);  // 2.0 .. 1.8 against 1.2
  EXPECT_EQ(judgements[1].verdict, Verdict::kHolds);
  EXPECT_FALSE(store().Create(definition_, true, store().folder(), &error_));
  EXPECT_NE(error_.find("holds results already"), std::string::npos) << error_;
  ASSERT_TRUE(WriteWholeFile(store().folder() + "/results.json", "{\"scale\": \"quick\"}", &error_));
  EXPECT_FALSE(again.Open(store().folder(), &error_));
  EXPECT_NE(error_.find("results.json: expected a member \"definition\""), std::string::npos) << error_;
}

// One number of a robust claim hides in noise: its cells, all of that claim, get more rounds, and the others
// none; and so it is after the run was opened again.
TEST_F(Stored, FurtherRoundsAreOfWhatNoiseHides) {
  definition_.json["claims"][0]["ratio"][0]["x"] = 2;
  definition_.json["claims"][0]["ratio"][1]["x"] = 2;
  ASSERT_TRUE(
      ParseDefinition(nlohmann::ordered_json(definition_.json), "f.json", nullptr, &definition_, &error_));
  FigureStore& hidden = Make("c");
  MeasureAll(hidden);
  EXPECT_TRUE(hidden.Hidden().empty());
  for (const CellPlan& plan : hidden.plans()) {
    if (plan.series == 1 && plan.x == 1 && plan.round == 1) Measure(hidden, plan, 1);
  }
  hidden.Collect();
  const std::vector<CellPlace> places = hidden.Hidden();
  ASSERT_EQ(places, (std::vector<CellPlace>{{0, 1}, {1, 1}}));
  EXPECT_EQ(hidden.RoundSeconds(places), 1.0);
  hidden.Further(places, 3);
  EXPECT_EQ(hidden.rounds(), 8u);
  EXPECT_EQ(hidden.Collect(), 6u);
  EXPECT_TRUE(hidden.Hidden().empty());  // a cell is missing
  ASSERT_TRUE(hidden.Save(&error_)) << error_;
  FigureStore again;
  ASSERT_TRUE(again.Open(hidden.folder(), &error_)) << error_;
  ASSERT_EQ(again.Collect(), 6u);
  for (const CellPlan& plan : again.plans()) {
    if (plan.round >= 5) Measure(again, plan, static_cast<double>((plan.series + 1) * 20));
  }
  EXPECT_EQ(again.Collect(), 0u);
  EXPECT_EQ(again.JudgeAll()[0].verdict, Verdict::kHolds);
  again.Further(places, 3);
  EXPECT_EQ(again.rounds(), 11u);
  EXPECT_EQ(again.plans().size(), 30u + 2u * 6u);
}

TEST_F(Stored, DamagedFurtherRoundsAreRefused) {
  nlohmann::ordered_json json;
  ASSERT_TRUE(store().Save(&error_) && ReadJson(store().folder() + "/results.json", &json, &error_))
      << error_;
  for (const char* damage :
       {R"([{"series": "three", "x": "1", "rounds": 8}])", R"([{"series": "one", "x": "7", "rounds": 8}])",
        R"([{"series": "one", "x": 1, "rounds": 8}])", R"([{"series": "one", "x": "1", "rounds": 5}])",
        R"([{"series": "one", "x": "1", "rounds": 100000000000}])", R"([7])", R"({"a": 1})"}) {
    json["further"] = nlohmann::ordered_json::parse(damage);
    ASSERT_TRUE(WriteWholeFile(store().folder() + "/results.json", json.dump(), &error_));
    FigureStore again;
    EXPECT_FALSE(again.Open(store().folder(), &error_)) << damage;
    EXPECT_NE(error_.find("results.json: further"), std::string::npos) << error_;
  }
}

TEST_F(Stored, CellsOfTheSameFigureAreAdopted) {
  MeasureAll(store());
  ASSERT_TRUE(store().Save(&error_)) << error_;
  fs::remove(fs::path(store().Path(store().plans()[3])) / "run.json");
  FigureStore& other = Make("b");
  other.Adopt(store().folder());
  EXPECT_EQ(other.Collect(), 1u);
}

TEST_F(Stored, MoreThreadsThanCoresAreMarked) {
  Measure(store(), store().plans()[0], 3, 3);
  Measure(store(), store().plans()[1], 3, 2);
  store().AddEnvironment({{"cores", 2}});
  store().Collect();
  EXPECT_TRUE(store().oversubscribed(store().cells().at(store().plans()[0].folder)));
  EXPECT_FALSE(store().oversubscribed(store().cells().at(store().plans()[1].folder)));
}

TEST_F(Stored, PicturesShowMedianLeastAndGreatest) {
  MeasureAll(store());
  plots::Figure figure;
  ASSERT_TRUE(MakePicture(store(), &figure, &error_)) << error_;
  ASSERT_EQ(figure.series.size(), 2u);
  ASSERT_EQ(figure.categories, (std::vector<std::string>{"1", "2", "many"}));
  const plots::FigurePoint& point = figure.series[1].points[1];
  EXPECT_NEAR(point.y, 0.042, 1e-9);  // x 2 of series two, times the axis' factor
  EXPECT_NEAR(point.low, 0.040, 1e-9);
  EXPECT_NEAR(point.high, 0.044, 1e-9);
}

TEST_F(Stored, TimeSeriesAreBinnedOverTheRounds) {
  nlohmann::ordered_json json = SampleJson();
  json["plot"]["kind"] = "time series";
  json.erase("x");
  json["scales"]["full"].erase("x");
  json["claims"] = {json["claims"][0]};
  ASSERT_TRUE(ParseDefinition(json, "f.json", nullptr, &definition_, &error_)) << error_;
  FigureStore& course = Make("c");
  for (const CellPlan& plan : course.plans()) {
    late_ = (static_cast<double>(plan.round) - 2) * 0.02;  // no two rounds sample at the same moment
    Measure(course, plan, static_cast<double>(plan.round + 1) * 1000, plan.series == 0 ? 9 : 1);
  }
  course.AddEnvironment({{"cores", 2}});
  EXPECT_EQ(course.Collect(), 0u);
  plots::Figure figure;
  ASSERT_TRUE(MakePicture(course, &figure, &error_)) << error_;
  EXPECT_EQ(figure.series[0].name, "one (oversubscribed)");
  ASSERT_EQ(figure.series[1].points.size(), 5u);
  const plots::FigurePoint& point = figure.series[1].points[1];
  EXPECT_NEAR(point.x, 0.2, 1e-9);
  EXPECT_NEAR(point.y, 6, 1e-9);
  EXPECT_NEAR(point.low, 2, 1e-9);
  EXPECT_NEAR(point.high, 10, 1e-9);
  ASSERT_TRUE(DrawPicture(course, &error_)) << error_;
  for (const char* kind : {".pdf", ".svg", ".png", ".gp", ".dat"})
    EXPECT_GT(fs::file_size(root_ / "c" / (std::string("own-sample") + kind)), 100u) << kind;
  // Again from picture.json alone.
  fs::remove_all(root_ / "c" / "cells");
  fs::remove(root_ / "c" / "own-sample.svg");
  std::string name;
  ASSERT_TRUE(plots::DrawStoredFigure((root_ / "c").string(), &name, &error_)) << error_;
  EXPECT_TRUE(fs::exists(root_ / "c" / "own-sample.svg"));
}

TEST_F(Stored, ReportsSayWhatHoldsAndNeedNothingElse) {
  definition_.title = "A <b>bold</b> title";
  FigureStore& other = Make("d");
  stores_.erase(stores_.begin());
  MeasureAll(other);
  ASSERT_TRUE(DrawPicture(other, &error_)) << error_;
  ASSERT_TRUE(WriteReport(stores_, {}, root_.string(), &error_)) << error_;
  const std::string page = Get(root_ / "index.html"), markdown = Get(root_ / "claims.md");
  EXPECT_NE(
      markdown.find("| own-sample | two is faster (Figure 1) | 1.83 [1.71, 2] x | at least 1.2 x | holds |"),
      std::string::npos)
      << markdown;
  EXPECT_NE(markdown.find("2 claims hold, 0 are not separable from noise, 0 do not hold"), std::string::npos);
  EXPECT_NE(page.find("<svg"), std::string::npos);
  EXPECT_NE(page.find("A &lt;b&gt;bold&lt;/b&gt; title"), std::string::npos);
  for (const char* outside : {"<script", "<link", "src=", "@import"})
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  const auto claims = nlohmann::json::parse(Get(root_ / "claims.json"));
  ASSERT_EQ(claims.size(), 2u);
  EXPECT_EQ(claims[0]["verdict"], "holds");
  EXPECT_EQ(claims[0]["numbers"].at(0).size(), 5u);
}

TEST_F(Stored, TalliesCountRobustFailuresOnly) {
  for (const CellPlan& plan : store().plans()) Measure(store(), plan, 10);
  store().Collect();
  EXPECT_EQ(TallyOf(stores_).does_not_hold, 1u);
  EXPECT_EQ(TallyOf(stores_).robust_failures, 1u);
  for (const CellPlan& plan : store().plans())
    Measure(store(), plan, plan.series == 1 ? 30 : 10 - static_cast<double>(plan.x));
  store().Collect();
  EXPECT_EQ(TallyOf(stores_).does_not_hold, 1u);
  EXPECT_EQ(TallyOf(stores_).robust_failures, 0u);
}

// ---- what a program reads and writes ----

class Programs : public ::testing::Test {
 protected:
  Programs() : program_("figure-sample", "A sample.") {
    program_.AddNumber("threads", "how many", &threads_, 1, 8);
    program_.AddReal("share", "of what", &share_, 0, 1);
    program_.AddChoice("kind", "of what", &kind_, {"full", "log"});
    program_.AddFlag("sync", "or not", &sync_);
    program_.AddReals("marks", "when", &marks_, 0, 10);
    file_ = nlohmann::ordered_json::parse(
        R"({"figure": "f", "series": "s", "x": "", "round": 2, "seed": 18446744073709551615,
      "parameters": {"threads": 2, "share": 0.5, "kind": "log", "sync": true, "marks": [1, 2.5]}})");
  }
  std::string ErrorOf() {
    std::string error;
    program_.Read(file_, "p.json", &cell_, &error);
    return error;
  }
  Program program_;
  uint64_t threads_ = 0;
  double share_ = 0;
  std::string kind_;
  bool sync_ = false;
  std::vector<double> marks_;
  nlohmann::ordered_json file_;
  Cell cell_;
};

TEST_F(Programs, TakeWhatIsDeclared) {
  ASSERT_EQ(ErrorOf(), "");
  EXPECT_EQ(threads_, 2u);
  EXPECT_EQ(kind_, "log");
  EXPECT_TRUE(sync_);
  EXPECT_EQ(marks_, (std::vector<double>{1, 2.5}));
  EXPECT_EQ(cell_.round, 2u);
  EXPECT_EQ(cell_.seed, ~uint64_t{0});
}

TEST_F(Programs, RefuseByName) {
  file_["parameters"].erase("share");
  EXPECT_EQ(ErrorOf(), "p.json: parameters: expected a member \"share\", found none");
  file_["parameters"]["share"] = 1.5;
  EXPECT_EQ(ErrorOf(), "p.json: parameters.share: expected a number from 0 to 1, found 1.5");
  file_["parameters"]["share"] = 1;
  file_["parameters"]["thraeds"] = 1;
  EXPECT_EQ(ErrorOf(), "p.json: parameters: unknown member \"thraeds\"; did you mean \"threads\"?");
  file_["parameters"].erase("thraeds");
  file_["parameters"]["threads"] = -1;
  EXPECT_EQ(ErrorOf(), "p.json: parameters.threads: expected a whole number from 1 to 8, found -1");
  file_["parameters"]["threads"] = 1;
  file_["parameters"]["marks"] = {1, "soon"};
  EXPECT_EQ(ErrorOf(), "p.json: parameters.marks[1]: expected a number from 0 to 10, found \"soon\"");
  file_["parameters"]["marks"] = nlohmann::ordered_json::array();
  EXPECT_EQ(ErrorOf(), "");
  file_.erase("seed");
  EXPECT_EQ(ErrorOf(), "p.json: expected a member \"seed\", found none");
}

TEST_F(Programs, WriteNoNumberThatIsNone) {
  const fs::path folder = fs::temp_directory_path() / ("cpr-output-" + std::to_string(getpid()));
  fs::create_directories(folder);
  Output output(folder.string());
  output.Metric("bad", 0.0 / 0.0);
  std::string error;
  EXPECT_FALSE(output.Write(&error));
  EXPECT_EQ(error, "metric bad is no finite number");
  EXPECT_FALSE(fs::exists(folder / "run.json"));
  Output table(folder.string());
  table.samples()->Columns({"seconds", "what"});
  table.samples()->Row(std::vector<std::string>{"1", "a,b"});
  EXPECT_FALSE(table.Write(&error));
  EXPECT_FALSE(fs::exists(folder / "samples.csv"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace experiments::figures
