// MeasuredCell: runs what a figure's program measures into a folder of its own and reads the metrics back.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "experiments/figures/program.h"

namespace experiments::figures {

class MeasuredCell : public testing::Test {
 protected:
  MeasuredCell() : folder_(testing::TempDir() + "/cell-" + std::to_string(getpid())) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~MeasuredCell() override { std::filesystem::remove_all(folder_); }

  // measure(cell, output, problem)
  template <class Measure>
  Outcome Run(const Measure& measure) {
    problem_.clear();
    Output output(folder_);
    const Outcome outcome = measure(Cell{"test", "series", "x", 0, 42}, &output, &problem_);
    std::string error;
    if (outcome == Outcome::kMeasured) {
      EXPECT_TRUE(output.Write(&error)) << error;
    }
    std::filesystem::remove_all(folder_ + "/work");
    std::ifstream file(folder_ + "/run.json");
    run_ = outcome == Outcome::kMeasured ? nlohmann::json::parse(file) : nlohmann::json();
    return outcome;
  }
  double Metric(const std::string& name) const { return run_["metrics"].at(name).get<double>(); }
  bool Has(const std::string& name) const { return run_["metrics"].contains(name); }

  std::string problem_;

 private:
  const std::string folder_;
  nlohmann::json run_;
};

}  // namespace experiments::figures
