// Key files: what is read, what is refused with which line, and what YCSB's text is converted to.
#include "workloads/key_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace workloads {
namespace {

class KeyFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("cpr-keys-" + std::to_string(getpid()) + "-" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return folder_ / name; }
  std::string Written(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
    return Path(name);
  }
  std::string Refused(const std::string& path) const {
    uint64_t count = 7;
    std::string error;
    EXPECT_FALSE(CountKeys(path, &count, &error));
    EXPECT_EQ(count, 7u);
    EXPECT_EQ(error.find(path + ": expected a file of keys of 8 bytes each, found "), 0u) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos);
    return error;
  }
  std::filesystem::path folder_;
};

TEST_F(KeyFile, HoldsIntegersOfEightBytes) {
  std::string bytes;
  for (uint64_t key : {uint64_t{5575651532496486335}, uint64_t{0}, ~uint64_t{0} >> 1, uint64_t{42}})
    bytes.append(reinterpret_cast<const char*>(&key), sizeof key);
  const std::string path = Written("keys", bytes);
  uint64_t count = 0;
  std::string error;
  ASSERT_TRUE(CountKeys(path, &count, &error)) << error;
  EXPECT_EQ(count, 4u);
  std::vector<uint64_t> keys;
  ASSERT_TRUE(ReadKeys(path, 0, 4, &keys, &error)) << error;
  EXPECT_EQ(keys, (std::vector<uint64_t>{5575651532496486335, 0, ~uint64_t{0} >> 1, 42}));
  ASSERT_TRUE(ReadKeys(path, 2, 1, &keys, &error)) << error;
  EXPECT_EQ(keys, std::vector<uint64_t>{~uint64_t{0} >> 1});
}

TEST_F(KeyFile, ThatIsNoneIsNamed) {
  EXPECT_NE(Refused(Path("none")).find("no such file"), std::string::npos);
  EXPECT_NE(Refused(folder_).find("no file"), std::string::npos);
  EXPECT_NE(Refused(Written("empty", "")).find("an empty file"), std::string::npos);
  EXPECT_NE(
      Refused(Written("odd", std::string(21, '\x01'))).find("21 bytes, 5 of them after the last whole key"),
      std::string::npos);
  EXPECT_NE(Refused(Written("text", "INSERT usertable user12 [ field0=x ]\n")).find("--convert-keys"),
            std::string::npos);
  EXPECT_NE(Refused(Written("other", "recordcount=1000\nwork=a\n")).find("text"), std::string::npos);
}

TEST_F(KeyFile, ThatShrankMeanwhileIsNamed) {
  const std::string path = Written("keys", std::string(24, '\x01'));
  std::vector<uint64_t> keys;
  std::string error;
  EXPECT_FALSE(ReadKeys(path, 1, 3, &keys, &error));
  EXPECT_EQ(error, path + ": expected a file of keys of 8 bytes each, found 3 of at least 4");
}

TEST_F(KeyFile, IsMadeOfWhatYcsbPrints) {
  const std::string text = Written("basic",
                                   "YCSB Client 0.18\n"
                                   "INSERT usertable user5575651532496486335 [ field0=xyz field1=a ]\n"
                                   "READ usertable user42 [ <all fields>]\n"
                                   "\n"
                                   "UPDATE usertable user9223372036854775807 [ field0=user1 ]\n"
                                   "[OVERALL], RunTime(ms), 100\n"
                                   "READ usertable user7");
  Conversion done;
  std::string error;
  ASSERT_TRUE(ConvertKeys(text, Path("keys"), &done, &error)) << error;
  EXPECT_EQ(done.keys, 4u);
  EXPECT_EQ(done.other_lines, 3u);
  uint64_t count = 0;
  std::vector<uint64_t> keys;
  ASSERT_TRUE(CountKeys(Path("keys"), &count, &error)) << error;
  ASSERT_TRUE(ReadKeys(Path("keys"), 0, count, &keys, &error)) << error;
  EXPECT_EQ(keys, (std::vector<uint64_t>{5575651532496486335, 42, 9223372036854775807, 7}));
}

TEST_F(KeyFile, ConversionNamesTheLineAndLeavesNothing) {
  const auto refused = [&](const std::string& text, const std::string& expected) {
    Conversion done;
    std::string error;
    const std::string from = Written("basic", text);
    EXPECT_FALSE(ConvertKeys(from, Path("keys"), &done, &error));
    EXPECT_EQ(error, from + expected);
    EXPECT_FALSE(std::filesystem::exists(Path("keys")));
    EXPECT_FALSE(std::filesystem::exists(Path("keys.unfinished")));
  };
  refused("INSERT usertable user1 [ ]\nINSERT usertable userBob [ ]\n",
          ":2: expected a number of at most 2^63 - 1 after 'user', found 'Bob [ ]'");
  refused("INSERT usertable user9223372036854775808 [ ]\n",
          ":1: expected a number of at most 2^63 - 1 after 'user', found '9223372036854775808 [ ]'");
  refused("INSERT usertable user12x [ ]\n",
          ":1: expected a number of at most 2^63 - 1 after 'user', found '12x [ ]'");
  refused("INSERT usertable user-3 [ ]\n",
          ":1: expected a number of at most 2^63 - 1 after 'user', found '-3 [ ]'");
  refused("nothing\n", ": expected lines with 'usertable user<number>', found none");
  Conversion done;
  std::string error;
  EXPECT_FALSE(ConvertKeys(Path("none"), Path("keys"), &done, &error));
  EXPECT_FALSE(
      ConvertKeys(Written("good", "INSERT usertable user1 [ ]\n"), Path("no/folder/keys"), &done, &error));
  EXPECT_EQ(error, Path("no/folder/keys") + ": cannot be written: No such file or directory");
}

}  // namespace
}  // namespace workloads
