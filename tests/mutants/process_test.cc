// Children of the hunter: copies of programs that can be started at once, and errors with their reason.
#include "experiments/common/process.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace fs = std::filesystem;
using experiments::CopyProgram;
using experiments::RunProcess;

class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("cpr-mutants-" + std::to_string(getpid()))) {
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Other threads start children all the time, as other workers of a hunt do; each child lives longer than the
// start of a copy takes. A copy written by this very process (std::filesystem::copy_file) fails here.
TEST(MutantsProcess, ACopiedProgramStartsAtOnceWhileOthersStartChildren) {
  Folder folder;
  std::atomic<bool> over{false};
  std::vector<std::thread> others;
  for (int i = 0; i < 8; ++i) {
    others.emplace_back([&over] {
      while (!over.load()) RunProcess({"sleep", "0.03"}, {});
    });
  }
  for (int i = 0; i < 60; ++i) {
    const fs::path program = folder.path() / ("program" + std::to_string(i));
    ASSERT_EQ(CopyProgram("/bin/bash", program), "");
    const auto result = RunProcess({program.string(), "-c", "true"}, {});
    EXPECT_EQ(result.status, 0) << result.error;
  }
  over.store(true);
  for (std::thread& other : others) other.join();
}

TEST(MutantsProcess, WhatCannotBeCopiedOrStartedIsNamed) {
  Folder folder;
  const fs::path missing = folder.path() / "missing";
  EXPECT_NE(CopyProgram(missing, folder.path() / "copy").find(missing.string()), std::string::npos);
  const auto result = RunProcess({missing.string()}, {});
  EXPECT_EQ(result.status, 127);
  EXPECT_NE(result.error.find(missing.string()), std::string::npos);
}

}  // namespace
