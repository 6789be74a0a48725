// index.meta, log.meta, delta.meta: what may be missing, what is skipped, what is refused. Which checkpoint.
#include "faster/interop/oxifaster_metadata.h"

#include <gtest/gtest.h>

#include "faster/interop/oxifaster_checkpoint.h"
#include "tests/cpr/samples.h"
#include "tests/interop/oxifaster_layout.h"

namespace faster::oxifaster {
namespace {

const char* const kLeastLog = R"({"token": "1c7124e7-7781-43f1-840f-dfaaeaff3663", "version": 1,
  "begin_address": 0, "final_address": 48, "flushed_until_address": 0, "use_object_log": false})";

std::string With(const std::string& text, const std::string& field) {
  return text.substr(0, text.rfind('}')) + ", " + field + "}";
}
std::string Without(std::string text, const std::string& from, const std::string& to = "") {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, from.size(), to);
}

template <typename Info>
void ExpectRefused(const std::string& text, const std::string& what) {
  Info info;
  Diagnosis why;
  EXPECT_EQ(Parse(text, "file", &info, &why), Status::kCorruption) << text;
  EXPECT_NE(why.expected.find(what), std::string::npos) << why.Text();
  EXPECT_EQ(why.file, "file");
}

TEST(OxifasterMetadata, WhatTheOriginalFillsInMayBeMissing) {
  LogInfo log;
  Diagnosis why;
  ASSERT_EQ(Parse(kLeastLog, "file", &log, &why), Status::kOk) << why.Text();
  EXPECT_FALSE(log.snapshot);
  EXPECT_FALSE(log.incremental);
  EXPECT_EQ(log.final_address, 48u);
  EXPECT_TRUE(log.sessions.empty());
  for (const char* field :
       {"token", "version", "begin_address", "final_address", "flushed_until_address", "use_object_log"})
    ExpectRefused<LogInfo>(Without(kLeastLog, field, "renamed"), field);
  IndexInfo index;
  ASSERT_EQ(Parse(R"({"token": "1c7124e7-7781-43f1-840f-dfaaeaff3663", "table_size": 64, "num_buckets": 7,
                      "num_entries": 9, "whatever": [1, {"a": null}]})",
                  "file", &index, &why),
            Status::kOk)
      << why.Text();
  EXPECT_EQ(index.table_size, 64u);
  EXPECT_EQ(index.entries, 9u);
  EXPECT_EQ(index.used_buckets, 7u);
}

TEST(OxifasterMetadata, ValuesThatCannotBe) {
  ExpectRefused<LogInfo>(Without(kLeastLog, "1c7124e7", "1c7124e"), "GUID");
  ExpectRefused<LogInfo>(Without(kLeastLog, "\"version\": 1", "\"version\": 4294967296"), "4294967295");
  ExpectRefused<LogInfo>(Without(kLeastLog, "\"begin_address\": 0", "\"begin_address\": 49"),
                         "begin_address");
  ExpectRefused<LogInfo>(Without(kLeastLog, "48", "140737488355328"), "final_address");
  ExpectRefused<LogInfo>(Without(kLeastLog, "48", "-1"), "final_address");
  ExpectRefused<LogInfo>(With(kLeastLog, R"("num_threads": 1)"), "num_threads");
  ExpectRefused<LogInfo>(With(kLeastLog, R"("is_incremental": true)"), "prev_snapshot_token");
  ExpectRefused<LogInfo>(With(kLeastLog, R"("use_snapshot_file": 1)"), "true or false");
  const std::string one = R"({"guid": "986620a3-f5cb-4165-803e-06741024465d", "serial_num": 7})";
  ExpectRefused<LogInfo>(With(kLeastLog, "\"num_threads\": 2, \"session_states\": [" + one + "," + one + "]"),
                         "each session once");
  ExpectRefused<LogInfo>(With(kLeastLog, "\"num_threads\": 1, \"session_states\": [" +
                                             Without(one, "7}", "18446744073709551615}") + "]"),
                         "serial_num");
  std::string many;
  for (int i = 0; i < 97; ++i)
    many += (i == 0 ? "" : ",") + Without(one, "986620a3", std::to_string(10000000 + i));
  ExpectRefused<LogInfo>(With(kLeastLog, "\"num_threads\": 97, \"session_states\": [" + many + "]"),
                         "session_states");
  ExpectRefused<LogInfo>(std::string(kLeastLog) + "x", "JSON");
  ExpectRefused<LogInfo>(std::string(1000, '['), "nested");
  const std::string index =
      R"({"token": "1c7124e7-7781-43f1-840f-dfaaeaff3663", "table_size": 64, "num_buckets": 7,
          "num_entries": 9})";
  ExpectRefused<IndexInfo>(Without(index, "64", "63"), "table_size");
  ExpectRefused<IndexInfo>(Without(index, "64", "2147483648"), "table_size");
  ExpectRefused<IndexInfo>(Without(index, "1c7124e7-7781-43f1-840f-dfaaeaff3663", Token{}.Text()), "token");
}

TEST(OxifasterMetadata, WhatIsWrittenIsRead) {
  LogInfo log;
  log.token = {1, 2};
  log.snapshot = true;
  log.version = 0xffffffff;
  log.begin = 24;
  log.final_address = (LogAddress{1} << 47) - 1;
  log.flushed = 7;
  log.sessions = {{{1, 1}, 5}, {{1, 2}, ~uint64_t{0} - 1}};
  LogInfo again;
  Diagnosis why;
  ASSERT_EQ(Parse(Format(log), "file", &again, &why), Status::kOk) << why.Text();
  EXPECT_EQ(Format(again), Format(log));
  EXPECT_EQ(again.sessions, log.sessions);
  IndexInfo index{{1, 2}, 1 << 30, 5, 4}, index_again;
  ASSERT_EQ(Parse(Format(index), "file", &index_again, &why), Status::kOk) << why.Text();
  EXPECT_EQ(Format(index_again), Format(index));
}

class Choice : public ::testing::Test {
 protected:
  Layout Make(uint64_t n, uint64_t version) {
    Layout layout;
    layout.token.low = n;
    layout.version = version;
    FillLayout(&layout, 0, 5);
    layout.WriteSnapshot(storage_);
    return layout;
  }
  Status Read(std::optional<Token> token = {}) {
    warnings_.clear();
    return ReadCheckpoint(storage_, "", token, &checkpoint_, &warnings_, &why_);
  }

  MemoryStorage storage_;
  Checkpoint checkpoint_;
  Warnings warnings_;
  Diagnosis why_;
};

TEST_F(Choice, TheLargestVersionOrTheOneThatIsNamed) {
  EXPECT_EQ(Read(), Status::kNotFound);
  const Layout old = Make(1, 3), newest = Make(2, 10);
  ASSERT_EQ(storage_.CreateDirectory("not-a-token"), Status::kOk);
  ASSERT_EQ(Read(), Status::kOk) << why_.Text();
  EXPECT_EQ(checkpoint_.token, newest.token);
  ASSERT_EQ(Read(old.token), Status::kOk);
  EXPECT_EQ(checkpoint_.log.version, 3u);
  EXPECT_EQ(Read(SampleToken(1)), Status::kNotFound);
  Make(3, 10);
  EXPECT_EQ(Read(), Status::kInvalidArgument);
  EXPECT_NE(why_.Text().find("several of version 10"), std::string::npos);
}

TEST_F(Choice, AnIndexAloneIsNoCheckpointAndAnotherTokenIsDamage) {
  Layout layout = Make(1, 3);
  ASSERT_EQ(storage_.Remove(layout.Path("log.meta")), Status::kOk);
  EXPECT_EQ(Read(), Status::kNotFound);
  EXPECT_EQ(Read(layout.token), Status::kNotFound);
  EXPECT_EQ(why_.file, layout.Path("log.meta"));
  layout = Make(1, 3);
  for (const char* name : {"log.meta", "index.meta"}) {
    const std::string text = GetFile(storage_, layout.Path(name));
    layout.WriteText(storage_, name, Without(text, layout.token.Text(), SampleToken(4).Text()));
    EXPECT_EQ(Read(), Status::kCorruption);
    EXPECT_EQ(why_.file, layout.Path(name));
    layout.WriteText(storage_, name, text);
  }
  layout.WriteText(storage_, "log.meta",
                   Without(layout.LogMeta(true), "\"use_object_log\": false", "\"use_object_log\": true"));
  EXPECT_EQ(Read(), Status::kUnsupported);
}

TEST_F(Choice, SumsAreVerified) {
  const Layout layout = Make(1, 3);
  for (const char* name : {"log.meta", "index.meta"}) {
    const std::string path = layout.Path(name), crc = path + ".crc", sum = GetFile(storage_, crc);
    for (const std::string& wrong : {std::string(8, 'x'), sum.substr(0, 7), sum + "x", std::string()}) {
      PutFile(storage_, crc, wrong);
      EXPECT_EQ(Read(), Status::kCorruption) << name << " " << wrong.size();
      EXPECT_TRUE(why_.file == path || why_.file == crc) << why_.Text();
    }
    ASSERT_EQ(storage_.Remove(crc), Status::kOk);
    EXPECT_EQ(Read(), Status::kOk) << why_.Text();
    EXPECT_EQ(warnings_.size(), 1u);
    PutFile(storage_, crc, sum);
  }
}

}  // namespace
}  // namespace faster::oxifaster
