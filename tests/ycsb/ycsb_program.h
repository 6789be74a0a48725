// cpr-ycsb as a program: its exit status, what it prints, and the results that it leaves.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "experiments/common/results.h"

namespace ycsb_program {

struct Outcome {
  int status = -1;
  std::string text;  // stdout and stderr
  // The value of YCSB's line "[METRIC], MEASUREMENT, VALUE"; the last one, which is the run phase's.
  double Value(const std::string& metric, const std::string& measurement) const {
    const std::string start = "[" + metric + "], " + measurement + ", ";
    const size_t at = text.rfind(start);
    return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + start.size(), nullptr);
  }
};

// Runs the program on a result folder of the test's own.
class Ycsb : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = (std::filesystem::temp_directory_path() /
               ("cpr-ycsb-" + std::to_string(getpid()) + "-" +
                ::testing::UnitTest::GetInstance()->current_test_info()->name()))
                  .string();
    std::filesystem::remove_all(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Outcome Run(const std::string& workload, const std::string& arguments) {
    return Call("-P " + std::string(CPR_WORKLOADS) + workload + " --out " + folder_ + " " + arguments);
  }
  // `more` may redirect.
  Outcome Call(const std::string& arguments, const std::string& more = "2>&1") {
    const std::string command = std::string(CPR_YCSB_PROGRAM) + " " + arguments + " " + more;
    Outcome outcome;
    std::FILE* pipe = popen(command.c_str(), "r");
    char buffer[4096];
    for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) outcome.text.append(buffer, n);
    const int status = pclose(pipe);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
    return outcome;
  }
  nlohmann::json Results() {
    std::string text, error;
    EXPECT_TRUE(experiments::ReadWholeFile(folder_ + "/results.json", &text, &error)) << error;
    return nlohmann::json::parse(text, nullptr, false);
  }
  std::string folder_;
};

}  // namespace ycsb_program
