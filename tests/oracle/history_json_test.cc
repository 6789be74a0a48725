// History files: what is written is read back, and every wrong line is named.
#include "faults/oracle/history_json.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/oracle/history_builder.h"

namespace {

using namespace faults;
using namespace faults_test;

std::string Sample() {
  HistoryBuilder b(2);
  b.Put(0, 1, ~0ull, 10, 20);
  b.Rmw(1, 1, 3, ~0ull, 21, kNever);
  b.Get(1, ~0ull, 0, 22, 23);
  b.Delete(0, 1, 24, 25, false);
  b.history.operations[1].went_pending = true;
  b.history.operations[1].phase = 1;
  b.history.phases = {"Rest", "Prepare"};
  const faster::Token k = b.Checkpoint(30, 40, {2, 2});
  b.Told(0, k, 2, 41);
  Recovery& recovery = b.Recover(50, k, {2, 2}, {{1, 5}});
  recovery.has_scan = true;
  recovery.why = "because";
  b.End({{1, 5}});
  std::ostringstream out;
  WriteHistory(b.history, &out);
  return out.str();
}

std::string ErrorOf(const std::string& text) {
  std::istringstream in(text);
  History history;
  HistoryError error;
  return ReadHistory(&in, &history, &error) ? "" : error.Text();
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(HistoryJson, RoundTrip) {
  std::istringstream in(Sample());
  History history;
  HistoryError error;
  ASSERT_TRUE(ReadHistory(&in, &history, &error)) << error.Text();
  std::ostringstream out;
  WriteHistory(history, &out);
  EXPECT_EQ(out.str(), Sample());
  EXPECT_EQ(history.operations[0].operand, ~0ull);
  EXPECT_EQ(history.operations[1].responded, kNever);
  EXPECT_EQ(history.operations[1].phase, 1);
  EXPECT_EQ(history.operations[3].outcome, OpOutcome::kFail);
  EXPECT_EQ(history.recoveries[0].commits.size(), 2u);
  EXPECT_TRUE(history.recoveries[0].has_scan);
}

TEST(HistoryJson, EveryWrongLineIsNamed) {
  const std::string good = Sample();
  EXPECT_EQ(ErrorOf(good), "");
  EXPECT_EQ(ErrorOf(""), "line 1: expected the event history, found the end of the file");
  EXPECT_EQ(ErrorOf("{}"), "line 1: expected a field \"event\"");
  EXPECT_EQ(ErrorOf("[]"), "line 1: expected a JSON object, found []");
  EXPECT_EQ(ErrorOf(good + "\xff\xfe\n").substr(0, 31), "line 12: expected a JSON object");
  EXPECT_EQ(ErrorOf(good + "{\"event\":\"crash\"}\n"),
            "line 12: expected event: one of history session operation checkpoint report recovery final, "
            "found crash");
  EXPECT_EQ(ErrorOf(Replaced(good, "\"format\":1", "\"format\":2")),
            "line 1: expected format 1, found another");
  EXPECT_EQ(ErrorOf(Replaced(good, "\"serial\":1,", "")).substr(0, 8), "line 7: ");
  EXPECT_EQ(ErrorOf(Replaced(good, "\"type\":\"upsert\"", "\"type\":\"write\"")),
            "line 7: expected type: one of read upsert rmw delete insert truncate, found write");
  EXPECT_EQ(ErrorOf(Replaced(good, "\"type\":\"upsert\"", "\"type\":\"upsert\",\"colour\":1")),
            "line 7: expected no field \"colour\" in this event");
  EXPECT_EQ(ErrorOf(Replaced(good, "\"0xffffffffffffffff\"", "\"0xFF\"")),
            "line 7: expected operand: a word \"0x...\", found 0xFF");
  EXPECT_EQ(ErrorOf(Replaced(good, "\"invoked\":10", "\"invoked\":-10")),
            "line 7: expected invoked: an integer from 0 to 18446744073709551614, found -10");
  EXPECT_EQ(ErrorOf(Replaced(good, "\"status\":\"ok\"", "\"status\":\"fine\"")),
            "line 4: expected status: the name of a status, found fine");
  EXPECT_EQ(ErrorOf(Replaced(good, "\"session\":1", "\"session\":7")),
            "line 8: expected session: the index of a session above, found 7");
  EXPECT_EQ(ErrorOf(good.substr(0, good.rfind("{\"event\":\"final\""))),
            "line 11: expected the event final, found the end of the file");
}

}  // namespace
