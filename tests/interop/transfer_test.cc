// The commands `export` and `import` as a person calls them: exit status, what stays, one line for bad input.
#include "experiments/checkpoint/transfer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "experiments/common/results.h"
#include "faster/interop/microsoft_hash.h"
#include "tests/interop/interop_samples.h"
#include "workloads/ycsb/value.h"

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

// Flags become options: what they say is found in the files.
TEST_F(Transfer, FlagsOfAnImport) {
  ASSERT_EQ(Run("import", {data_, "--format=microsoft", "--json", "--out", In("ours"), "--page-bits=13",
                           "--block-bytes=512", "--segment-pages=3", "--version-bits=7", "--index-buckets=64",
                           "--seed=5"}),
            0)
      << errors_;
  faster::PosixStorage storage(In("ours"));
  faster::LogMetadata log;
  faster::Token token;
  faster::Diagnosis why;
  ASSERT_TRUE(faster::Guid::Parse(nlohmann::json::parse(out_)["token"].get<std::string>(), &token));
  ASSERT_EQ(ReadMetadata(storage, "", token, &log, &why), Status::kOk) << why.Text();
  EXPECT_EQ(log.page_bits, 13u);
  EXPECT_EQ(log.block_bytes, 512u);
  EXPECT_EQ(log.segment_pages, 3u);
  EXPECT_EQ(log.version_bits, 7u);
  EXPECT_EQ(log.table_size, 64u);
  EXPECT_EQ(log.generations[0].generation, faster::NextGeneration({}, faster::IdSource(5).Next()));
  EXPECT_EQ(Run("import", {data_, token.Text(), "--format=microsoft", "--out", In("none"), "--index-token",
                           "01234567-0000-0000-0000-000000000001"}),
            2);
  ExpectComplaint("index checkpoint 01234567");
}

TEST_F(Transfer, FlagsOfAnExport) {
  ASSERT_EQ(Run("import", {data_, "--format=microsoft", "--out", In("ours")}), 0) << errors_;
  ASSERT_EQ(Run("export", {In("ours"), "--format=microsoft", "--out", In("theirs"), "--their-page-bits=12",
                           "--segment-bytes=8192", "--table-size=4096", "--guids=windows"}),
            0)
      << errors_;
  faster::PosixStorage storage(In("theirs"));
  microsoft::Checkpoint checkpoint;
  faster::Diagnosis why;
  ASSERT_EQ(microsoft::ReadCheckpoint(storage, "", {}, {}, &checkpoint, &why), Status::kOk) << why.Text();
  EXPECT_EQ(checkpoint.index.table_size, 4096u);
  EXPECT_EQ(checkpoint.order, microsoft::GuidOrder::kMixedEndian);
  EXPECT_FALSE(checkpoint.log.snapshot);
  EXPECT_EQ(fs::file_size(In("theirs/log.log0")), 8192u);
  ASSERT_EQ(Run("import", {In("theirs"), "--format=microsoft", "--out", In("back"), "--their-page-bits=12",
                           "--segment-bytes=8192"}),
            0)
      << errors_;
  EXPECT_EQ(Run("import", {In("theirs"), "--format=microsoft", "--out", In("wrong"), "--their-page-bits=12",
                           "--segment-bytes=4096"}),
            1);
}

template <class F>
void ExpectKeysFound(const std::string& directory) {
  using Kv = faster::FasterKv<uint64_t, workloads::ycsb::Value<8>, F>;
  faster::PosixStorage storage(directory);
  faster::StoreConfig config;
  config.page_bits = 22;
  config.segment_pages = 64;
  config.seed = 5;
  std::unique_ptr<Kv> kv;
  faster::RecoveryResult result;
  faster::Diagnosis why;
  ASSERT_EQ(Kv::Recover(config, &storage, {}, nullptr, {}, {}, &kv, &result, &why), Status::kOk)
      << why.Text();
  auto session = kv->StartSession();
  for (const auto& [key, expected] : microsoft::Expected("snap").state) {
    workloads::ycsb::Value<8> value{};
    Status status = session->Read(key, &value);
    if (status == Status::kPending)
      session->CompletePending(true, [&](const auto& op) { status = op.result, value = op.value.Value(); });
    ASSERT_EQ(status, Status::kOk) << key;
    EXPECT_EQ(value.word[0], expected) << key;
  }
}

TEST_F(Transfer, TheStoreIsOpenedWithTheHashThatWasNamed) {
  struct Theirs : workloads::ycsb::AddWord<8> {
    uint64_t Hash(uint64_t key) const { return microsoft::NativeHashOfKey(key); }
  };
  ASSERT_EQ(Run("import", {data_, "--format=microsoft", "--out", In("ycsb")}), 0) << errors_;
  ExpectKeysFound<workloads::ycsb::AddWord<8>>(In("ycsb"));
  ASSERT_EQ(Run("import", {data_, "--format=microsoft", "--out", In("theirs"), "--hash=microsoft"}), 0)
      << errors_;
  ExpectKeysFound<Theirs>(In("theirs"));
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

// --- oxifaster ---

TEST_F(Transfer, OxifasterBothWays) {
  const std::string theirs = std::string(OXIFASTER_DATA) + "/snap";
  ASSERT_EQ(Run("import", {theirs, "--format", "oxifaster", "--json", "--out", In("ours"), "--page-bits=12",
                           "--hash=xxh3"}),
            0)
      << errors_;
  EXPECT_EQ(errors_, "");
  const auto first = nlohmann::json::parse(out_);
  EXPECT_EQ(first["format"], "oxifaster");
  EXPECT_EQ(first["log"], "snapshot");
  EXPECT_EQ(first["records"], 2100);
  EXPECT_EQ(first["tombstones"], 147);
  EXPECT_EQ(first["sessions"], 3);
  EXPECT_EQ(first["left_out"], 0);
  EXPECT_TRUE(first["warnings"].empty());
  for (const std::string log : {"snapshot", "foldover"}) {
    const std::string out = In("theirs-" + log);
    ASSERT_EQ(Run("export", {In("ours"), first["token"].get<std::string>(), "--format=oxifaster", "--out",
                             out, "--json", "--their-page-bits=12", "--table-size=64", "--log", log}),
              0)
        << errors_;
    const auto exported = nlohmann::json::parse(out_);
    EXPECT_EQ(exported["records"], first["records"]);
    EXPECT_EQ(exported["log"], log);
    EXPECT_EQ(exported["page_size_bits"], 12);
    EXPECT_EQ(exported["table_size"], 64);
    EXPECT_EQ(exported["log_memory_size"], 13 * 4096);
    EXPECT_EQ(exported.contains("device"), log == "foldover");
    std::vector<std::string> back = {out, "--format=oxifaster", "--out", In("back-" + log),
                                     "--their-page-bits=12"};
    if (log == "foldover") {
      EXPECT_EQ(Run("import", back), 2);
      ExpectComplaint("--device");
      back.insert(back.end(), {"--device", exported["device"].get<std::string>()});
    }
    ASSERT_EQ(Run("import", back), 0) << errors_;
    EXPECT_NE(out_.find(first["token"].get<std::string>()), std::string::npos) << out_;
    faster::PosixStorage ours(In("ours")), storage(In("back-" + log));
    EXPECT_EQ(microsoft::StateOf(storage, ""), microsoft::StateOf(ours, ""));
  }
}

TEST_F(Transfer, OxifasterTheOtherHash) {
  const std::string theirs = std::string(OXIFASTER_DATA) + "/snap";
  ASSERT_EQ(Run("import", {theirs, "--format=oxifaster", "--out", In("ours")}), 0) << errors_;
  ASSERT_EQ(Run("export", {In("ours"), "--format=oxifaster", "--out", In("theirs"), "--their-hash=xxh64",
                           "--their-page-bits=12", "--log=foldover"}),
            0)
      << errors_;
  const std::vector<std::string> back = {In("theirs"), "--format=oxifaster", "--their-page-bits=12",
                                         "--device",   In("theirs/device"),  "--out",
                                         In("back")};
  EXPECT_EQ(Run("import", back), 1);
  ExpectComplaint("--their-hash");
  std::vector<std::string> right = back;
  right.push_back("--their-hash=xxh64");
  EXPECT_EQ(Run("import", right), 0) << errors_;
}

TEST_F(Transfer, OxifasterWarnsAndGoesOn) {
  fs::copy(std::string(OXIFASTER_DATA) + "/snap", In("copy"), fs::copy_options::recursive);
  for (const auto& entry : fs::recursive_directory_iterator(In("copy"))) {
    if (entry.path().filename() == "log.meta.crc") fs::remove(entry.path());
  }
  ASSERT_EQ(Run("import", {In("copy"), "--format=oxifaster", "--json", "--out", In("ours")}), 0) << errors_;
  EXPECT_EQ(std::count(errors_.begin(), errors_.end(), '\n'), 1) << errors_;
  EXPECT_TRUE(errors_.starts_with("cpr checkpoint import: warning: ")) << errors_;
  EXPECT_NE(errors_.find("log.meta.crc is missing"), std::string::npos) << errors_;
  EXPECT_EQ(nlohmann::json::parse(out_)["warnings"].size(), 1u);
}

TEST_F(Transfer, OxifasterWhatCannotBeImported) {
  const std::string data = OXIFASTER_DATA;
  EXPECT_EQ(Run("import", {data + "/incremental", "--format=oxifaster", "--no-rmw", "--out", In("new")}), 1);
  ExpectComplaint("delta.0.log at offset 0");
  EXPECT_EQ(Run("import", {data + "/foldagain", "--format=oxifaster", "--out", In("new"),
                           "--their-page-bits=12", "--device", data + "/foldagain/hlog.dat"}),
            1);
  ExpectComplaint("hlog.dat at offset");
  EXPECT_EQ(Run("import", {data + "/fold", "--format=oxifaster", "--out", In("new"), "--device",
                           data + "/fold/nothing"}),
            2);
  ExpectComplaint("nothing");
  EXPECT_EQ(Run("import", {data + "/snap", "--format=oxifaster", "--out", In("new"), "--their-page-bits=13"}),
            2);
  ExpectComplaint("2^12");
  EXPECT_EQ(Run("import", {data + "/snap", "--format=oxifaster", "--out", In("new"), "--their-page-bits=26"}),
            2);
  ExpectComplaint("10 to 25");
  EXPECT_FALSE(fs::exists(In("new")));
}

TEST_F(Transfer, FlagsOfAnotherFormatAreRefused) {
  const std::string out = In("new");
  for (const char* flag : {"--guids=linux", "--log-pages=2"}) {
    EXPECT_EQ(Run("export", {data_, "--out", out, "--format=oxifaster", flag}), 2);
    ExpectComplaint("is for --format microsoft");
  }
  EXPECT_EQ(Run("import", {data_, "--out", out, "--format=oxifaster", "--index-token=x"}), 2);
  ExpectComplaint("--index-token is for --format microsoft");
  for (const char* flag : {"--device=x", "--no-rmw", "--their-hash=xxh3"}) {
    EXPECT_EQ(Run("import", {data_, "--out", out, "--format=microsoft", flag}), 2);
    ExpectComplaint("is for --format oxifaster");
  }
  EXPECT_EQ(Run("export", {data_, "--out", out, "--format=oxifaster", "--segment-bytes=4096"}), 2);
  ExpectComplaint("--segment-bytes");
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(Transfer, HelpHasExamples) {
  for (const char* command : {"import", "export"}) {
    EXPECT_EQ(Run(command, {"--help"}), 0);
    EXPECT_NE(out_.find(std::string("./cpr checkpoint ") + command), std::string::npos);
    for (const char* format : {"microsoft", "oxifaster"})
      EXPECT_NE(out_.find("--format " + std::string(format) + " --out"), std::string::npos) << format;
  }
}

}  // namespace
}  // namespace experiments::checkpoint
