// The commands `export` and `import` as a person calls them: exit status, what stays, one line for bad input.
#include "experiments/checkpoint/transfer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "experiments/common/results.h"
#include "tests/interop/interop_samples.h"

namespace experiments::checkpoint {
namespace {

using faster::Status;
namespace microsoft = faster::microsoft;
namespace fs = std::filesystem;

class Transfer : public ::testing::Test {
 protected:
  Transfer() {
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  ~Transfer() override { fs::remove_all(root_); }
  int Run(const std::string& command, std::vector<std::string> arguments) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int status = RunTransfer(command, arguments);
    out_ = ::testing::internal::GetCapturedStdout();
    errors_ = ::testing::internal::GetCapturedStderr();
    return status;
  }
  std::string In(const std::string& name) const { return (root_ / name).string(); }
  // One line that names the command.
  void ExpectComplaint(const std::string& what) {
    EXPECT_EQ(std::count(errors_.begin(), errors_.end(), '\n'), 1) << errors_;
    EXPECT_NE(errors_.find("cpr checkpoint "), std::string::npos) << errors_;
    EXPECT_NE(errors_.find(what), std::string::npos) << errors_;
    EXPECT_EQ(out_, "");
  }

  const fs::path root_ =
      fs::path(::testing::TempDir()) /
      ("transfer." + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
  const std::string data_ = std::string(INTEROP_DATA) + "/snap";
  std::string out_, errors_;
};

TEST_F(Transfer, ImportAndExportAndImportAgain) {
  const std::vector<std::string> tiny = {"--format", "microsoft", "--json", "--page-bits", "12"};
  std::vector<std::string> arguments = {data_, "--out", In("ours")};
  arguments.insert(arguments.end(), tiny.begin(), tiny.end());
  ASSERT_EQ(Run("import", arguments), 0) << errors_;
  const auto first = nlohmann::json::parse(out_);
  EXPECT_EQ(first["sessions"], 3);
  EXPECT_EQ(first["log"], "snapshot");
  ASSERT_EQ(Run("export",
                {In("ours"), first["token"].get<std::string>(), "--format=microsoft", "--out", In("theirs"),
                 "--json", "--their-page-bits", "12", "--log", "snapshot", "--log-pages", "1"}),
            0)
      << errors_;
  EXPECT_EQ(nlohmann::json::parse(out_)["records"], first["records"]);
  ASSERT_EQ(
      Run("import", {In("theirs"), "--format=microsoft", "--out", In("back"), "--their-page-bits", "12"}), 0)
      << errors_;
  EXPECT_NE(out_.find(first["token"].get<std::string>()), std::string::npos) << out_;
  faster::PosixStorage back(In("back"));
  EXPECT_EQ(microsoft::StateOf(back, ""), microsoft::Expected("snap").state);
}

TEST_F(Transfer, WrongUsageIsSaidInOneLine) {
  const std::string out = In("new");
  EXPECT_EQ(Run("import", {data_, "--out", out}), 2);
  ExpectComplaint("--format");
  EXPECT_EQ(Run("import", {data_, "--format", "microsoft"}), 2);
  ExpectComplaint("--out");
  EXPECT_EQ(Run("export", {data_, "--out", out, "--format", "other"}), 2);
  ExpectComplaint("microsoft");
  EXPECT_EQ(Run("import", {"--out", out, "--format", "microsoft"}), 2);
  ExpectComplaint("DIR");
  EXPECT_EQ(Run("import", {In("nothing"), "--out", out, "--format", "microsoft"}), 2);
  ExpectComplaint("no directory");
  EXPECT_EQ(Run("import", {data_, "12", "--out", out, "--format", "microsoft"}), 2);
  ExpectComplaint("guid");
  EXPECT_EQ(Run("import", {data_, "--out", out, "--format", "microsoft", "--index-buckets", "3"}), 2);
  ExpectComplaint("power of two");
  EXPECT_EQ(Run("import", {data_, "--out", data_, "--format", "microsoft"}), 2);
  ExpectComplaint("another directory");
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(Transfer, WhatFailsLeavesNoDirectory) {
  EXPECT_EQ(Run("import",
                {data_, "01234567-0000-0000-0000-000000000001", "--out", In("new"), "--format", "microsoft"}),
            2);
  ExpectComplaint("no such directory");
  EXPECT_FALSE(fs::exists(In("new")));
  EXPECT_EQ(Run("export", {data_, "--out", In("new"), "--format", "microsoft"}), 2);
  ExpectComplaint("checkpoint");
  EXPECT_FALSE(fs::exists(In("new")));
}

TEST_F(Transfer, DamageIsStatusOne) {
  fs::copy(data_, In("damaged"), fs::copy_options::recursive);
  for (const auto& entry : fs::recursive_directory_iterator(In("damaged"))) {
    if (entry.path().filename() == "ht.dat") fs::resize_file(entry.path(), 1000);
  }
  EXPECT_EQ(Run("import", {In("damaged"), "--out", In("new"), "--format", "microsoft"}), 1);
  ExpectComplaint("ht.dat at offset 1000");
  EXPECT_FALSE(fs::exists(In("new")));
}

TEST_F(Transfer, HelpHasExamples) {
  for (const char* command : {"import", "export"}) {
    EXPECT_EQ(Run(command, {"--help"}), 0);
    EXPECT_NE(out_.find(std::string("./cpr checkpoint ") + command), std::string::npos);
  }
}

}  // namespace
}  // namespace experiments::checkpoint
