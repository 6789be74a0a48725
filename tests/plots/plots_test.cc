// From tables to pictures: what is drawn, and what cannot be.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "experiments/common/results.h"
#include "plots/csv.h"
#include "plots/figure.h"
#include "plots/scaling.h"
#include "plots/throughput.h"

namespace plots {
namespace {

namespace fs = std::filesystem;

class Plots : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = (fs::temp_directory_path() / ("cpr-plots-" + std::to_string(getpid()) + "-" +
                                            ::testing::UnitTest::GetInstance()->current_test_info()->name()))
                  .string();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Put(const std::string& name, const std::string& text) {
    std::string error;
    ASSERT_TRUE(experiments::WriteWholeFile(folder_ + "/" + name, text, &error)) << error;
  }
  std::string Get(const std::string& name) {
    std::string text, error;
    EXPECT_TRUE(experiments::ReadWholeFile(folder_ + "/" + name, &text, &error)) << error;
    return text;
  }
  void PutThroughput(double dip) {
    std::string csv = "seconds,operations,mops\n";
    for (int i = 1; i <= 20; ++i) {
      csv += std::to_string(i * 0.25) + "," + std::to_string(i * 1000) + "," +
             std::to_string(i == 8 ? dip : 5.0) + "\n";
    }
    Put("throughput.csv", csv);
  }
  std::string folder_;
};

constexpr const char* kCheckpoints =
    "token,kind,backend,requested,durable,seconds,status\n"
    "a,full,foldover,1.000,1.500,0.500,ok\n"
    "b,full,foldover,3.000,3.250,0.250,no space\n"
    "c,full,foldover,4.500,,,unfinished\n";

TEST_F(Plots, DrawsTheCurveAndTheCheckpoints) {
  PutThroughput(2);
  Put("checkpoints.csv", kCheckpoints);
  std::string error;
  ASSERT_TRUE(DrawThroughput(folder_, "it's a title", &error)) << error;
  const std::string svg = Get("throughput.svg");
  EXPECT_NE(svg.find("<svg"), std::string::npos);
  EXPECT_NE(svg.find("it's a title"), std::string::npos);
  EXPECT_NE(svg.find("1: 0.50 s"), std::string::npos);  // the label of a durable one: its number and duration
  EXPECT_NE(svg.find("2: no space"), std::string::npos);
  EXPECT_NE(svg.find("3: unfinished"), std::string::npos);
  EXPECT_NE(svg.find("throughput (million operations/s)"), std::string::npos);
  const std::string png = Get("throughput.png");
  EXPECT_EQ(png.substr(1, 3), "PNG");
  EXPECT_GT(png.size(), 5000u);
}

TEST_F(Plots, ThePictureFollowsTheData) {
  std::string error;
  PutThroughput(2);
  ASSERT_TRUE(DrawThroughput(folder_, "t", &error)) << error;
  const std::string first = Get("throughput.svg");
  EXPECT_EQ(first.find("from request to durable"), std::string::npos);  // no checkpoints, no legend for them
  PutThroughput(4);
  ASSERT_TRUE(DrawThroughput(folder_, "t", &error)) << error;
  EXPECT_NE(Get("throughput.svg"), first);
}

TEST_F(Plots, SaysWhatIsWrongWithATable) {
  std::string error;
  EXPECT_FALSE(DrawThroughput(folder_, "t", &error));
  EXPECT_NE(error.find("throughput.csv"), std::string::npos);
  Put("throughput.csv", "seconds,operations,mops\n1,2\n");
  EXPECT_FALSE(DrawThroughput(folder_, "t", &error));
  EXPECT_NE(error.find("throughput.csv:2: expected 3 cells, found 2"), std::string::npos) << error;
  Put("throughput.csv", "seconds,operations,mops\n1,2,x\n");
  EXPECT_FALSE(DrawThroughput(folder_, "t", &error));
  EXPECT_NE(error.find("expected numbers"), std::string::npos) << error;
  Put("throughput.csv", "");
  EXPECT_FALSE(DrawThroughput(folder_, "t", &error));
  PutThroughput(1);
  Put("checkpoints.csv", "token,kind\na,b\n");
  EXPECT_FALSE(DrawThroughput(folder_, "t", &error));
  EXPECT_NE(error.find("checkpoints.csv"), std::string::npos) << error;
}

TEST_F(Plots, TheProgramDrawsAFolderAgain) {
  PutThroughput(3);
  Put("results.json", R"({"title": "a stored title"})");
  const std::string program = CPR_PLOT_PROGRAM;
  ASSERT_EQ(std::system((program + " " + folder_ + " >/dev/null").c_str()), 0);
  EXPECT_NE(Get("throughput.svg").find("a stored title"), std::string::npos);
  EXPECT_EQ(WEXITSTATUS(std::system((program + " " + folder_ + "/none 2>/dev/null").c_str())), 2);
  EXPECT_EQ(WEXITSTATUS(std::system((program + " 2>/dev/null").c_str())), 2);
}

TEST_F(Plots, ScalingHasAPanelForEachPart) {
  Put("scaling.csv",
      "panel,series,x,y\nthroughput,C uniform,1000,2\nthroughput,C uniform,10000,1.5\n"
      "recovery,it's two threads,0.5,3\nrecovery,it's two threads,4,20\n");
  std::string error;
  ASSERT_TRUE(DrawScaling(folder_, &error)) << error;
  const std::string svg = Get("scaling.svg");
  EXPECT_NE(svg.find("throughput by keys"), std::string::npos);
  EXPECT_NE(svg.find("it's two threads"), std::string::npos);
  EXPECT_EQ(svg.find("memory by keys"), std::string::npos);  // nothing was measured of it
  EXPECT_GT(Get("scaling.png").size(), 5000u);
  Put("scaling.csv", "panel,series,x,y\nmemory,m,1000,0\n");
  EXPECT_FALSE(DrawScaling(folder_, &error));
  EXPECT_NE(error.find("expected numbers above 0"), std::string::npos) << error;
  Put("scaling.csv", "panel,x,y\nmemory,1000,1\n");
  EXPECT_FALSE(DrawScaling(folder_, &error));
  EXPECT_NE(error.find("expected columns"), std::string::npos) << error;
}

// A bar for each of them, whatever the axis of numbers would be like.
TEST_F(Plots, CategoriesAreWrittenAsTheyAre) {
  Figure figure;
  figure.name = "bars";
  figure.kind = FigureKind::kBars;
  figure.x.log = true;
  figure.categories = {"1/4", "25 % of memory"};
  figure.series = {{"one", {{0, 1, 1, 1, "", false}, {1, 2, 2, 2, "", false}}}};
  std::string error;
  ASSERT_TRUE(DrawFigure(figure, folder_, &error)) << error;
  const std::string picture = Get("bars.svg"), script = Get("bars.gp");
  EXPECT_NE(picture.find(">1/4<"), std::string::npos);
  EXPECT_NE(picture.find(">25 % of memory<"), std::string::npos);
  EXPECT_EQ(script.find("\nset logscale x"), std::string::npos);
  EXPECT_EQ(script.find("rotate"), std::string::npos);
  for (int i = 2; i < 12; ++i) figure.categories.push_back("category number " + std::to_string(i));
  ASSERT_TRUE(DrawFigure(figure, folder_, &error)) << error;
  EXPECT_NE(Get("bars.gp").find("rotate by 90 right"), std::string::npos);
}

TEST_F(Plots, CsvKnowsItsColumns) {
  Put("t.csv", "a,b\n1,x\n2.5,\n");
  Csv csv;
  std::string error;
  ASSERT_TRUE(csv.Read(folder_ + "/t.csv", &error)) << error;
  double number = 0;
  EXPECT_EQ(csv.rows(), 2u);
  EXPECT_EQ(csv.Column("b"), 1);
  EXPECT_EQ(csv.Column("c"), -1);
  EXPECT_TRUE(csv.Number(1, 0, &number));
  EXPECT_EQ(number, 2.5);
  EXPECT_FALSE(csv.Number(0, 1, &number));
  EXPECT_FALSE(csv.Number(1, 1, &number));
}

}  // namespace
}  // namespace plots
