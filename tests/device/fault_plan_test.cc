#include "faults/device/fault_plan.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace faults {
namespace {

FaultPlan Plan(const std::string& text) {
  FaultPlan plan;
  std::string error;
  EXPECT_TRUE(FaultPlan::Parse(text, &plan, &error)) << text << ": " << error;
  return plan;
}

// The matches (1, 2, ...) of `path` at which the plan fires.
std::vector<int> Fires(FaultPlan& plan, IoOperation operation, const char* path, FaultKind kind,
                       int matches = 6) {
  std::vector<int> fired;
  for (int i = 1; i <= matches; ++i) {
    const FaultKind found = plan.Decide(operation, path, {});
    if (found == kind)
      fired.push_back(i);
    else
      EXPECT_EQ(found, FaultKind::kNone);
  }
  return fired;
}

TEST(FaultPlan, TextRoundTrips) {
  for (const char* text :
       {"", "eio:write:log*:3rd", "enospc:after=4096", "short:write:*:2nd", "syncfail:log*:1st",
        "rot:read:a/b:11th", "misdirect:write:*:21st+", "slow:read:?og:all", "eio:any:*:p=1/100",
        "eio:dirsync:*:1st,enospc:meta:*.tmp:2nd"}) {
    EXPECT_EQ(Plan(text).Text(), text);
  }
  EXPECT_EQ(Plan("eio:sync:log").Text(), "syncfail:log:1st");
  EXPECT_TRUE(Plan("").empty());
  EXPECT_FALSE(Plan("enospc:after=0").empty());
}

TEST(FaultPlan, ErrorsAreOneLineAndLeaveThePlan) {
  for (const char* text : {"eio",
                           "eio:write",
                           "eio:write:",
                           "eio:write:*:",
                           "eio:write:*:0th",
                           "eio:write:*:2th",
                           "eio:write:*:11st",
                           "eio:write:*:p=1/1",
                           "eio:write:*:p=1/70000",
                           "eio:write:*:p=2/3",
                           "eio:write:*:1st:x",
                           "eio:write:*:1st,",
                           "boom:write:*",
                           "none:write:*",
                           "eio:writes:*",
                           "rot:write:*",
                           "misdirect:read:*",
                           "enospc:read:*",
                           "short:sync:*",
                           "enospc:after=",
                           "enospc:after=4k",
                           "enospc:after=1,enospc:after=2",
                           "syncfail",
                           "syncfail:a:1st:b",
                           "syncfail:*:-1st"}) {
    FaultPlan plan = Plan("eio:read:keep:1st");
    std::string error;
    EXPECT_FALSE(FaultPlan::Parse(text, &plan, &error)) << text;
    EXPECT_FALSE(error.empty()) << text;
    EXPECT_EQ(error.find('\n'), std::string::npos) << text;
    EXPECT_EQ(plan.Text(), "eio:read:keep:1st");
  }
}

TEST(FaultPlan, Patterns) {
  EXPECT_TRUE(MatchesPattern("*", ""));
  EXPECT_TRUE(MatchesPattern("log*", "log.3"));
  EXPECT_TRUE(MatchesPattern("*/index.dat", "cpr/1234/index.dat"));
  EXPECT_TRUE(MatchesPattern("a*b*c", "aXbXbXc"));
  EXPECT_TRUE(MatchesPattern("log.?", "log.3"));
  EXPECT_FALSE(MatchesPattern("log.?", "log.33"));
  EXPECT_FALSE(MatchesPattern("log", "log.3"));
  EXPECT_FALSE(MatchesPattern("*x", "xy"));
  EXPECT_FALSE(MatchesPattern("", "a"));
}

TEST(FaultPlan, Occurrences) {
  FaultPlan plan = Plan("eio:write:log*:3rd");
  EXPECT_EQ(Fires(plan, IoOperation::kRead, "log.0", FaultKind::kIoError), std::vector<int>());
  EXPECT_EQ(Fires(plan, IoOperation::kWrite, "index", FaultKind::kIoError), std::vector<int>());
  EXPECT_EQ(Fires(plan, IoOperation::kWrite, "log.0", FaultKind::kIoError), std::vector<int>({3}));
  plan.Restart();
  EXPECT_EQ(Fires(plan, IoOperation::kWrite, "log.0", FaultKind::kIoError), std::vector<int>({3}));
  plan = Plan("short:read:*:5th+");
  EXPECT_EQ(Fires(plan, IoOperation::kRead, "x", FaultKind::kShort), std::vector<int>({5, 6}));
  plan = Plan("slow:write:*:all");
  EXPECT_EQ(Fires(plan, IoOperation::kWrite, "x", FaultKind::kSlow, 3), std::vector<int>({1, 2, 3}));
  plan = Plan("slow:any:*:all");  // there are no slow syncs
  EXPECT_EQ(Fires(plan, IoOperation::kSync, "x", FaultKind::kSlow), std::vector<int>());
}

TEST(FaultPlan, TheFirstRuleThatFiresWinsAndAllCount) {
  FaultPlan plan = Plan("eio:write:*:2nd,short:write:*:2nd,short:write:*:3rd");
  std::vector<FaultKind> found;
  for (int i = 0; i < 3; ++i) found.push_back(plan.Decide(IoOperation::kWrite, "x", {}));
  EXPECT_EQ(found, std::vector<FaultKind>({FaultKind::kNone, FaultKind::kIoError, FaultKind::kShort}));
}

TEST(FaultPlan, ChanceAsksForAChoiceAndZeroIsNoFault) {
  FaultPlan plan = Plan("eio:write:*:p=1/7");
  struct Script {
    uint32_t next = 0, asked = 0;
  } script;
  const Chooser chooser{[](void* context, ChoiceKind kind, uint32_t count) {
                          auto* script = static_cast<Script*>(context);
                          EXPECT_EQ(kind, ChoiceKind::kIoFate);
                          EXPECT_EQ(count, 7u);
                          ++script->asked;
                          return script->next;
                        },
                        &script};
  EXPECT_EQ(plan.Decide(IoOperation::kWrite, "x", chooser), FaultKind::kNone);
  script.next = 1;
  EXPECT_EQ(plan.Decide(IoOperation::kWrite, "x", chooser), FaultKind::kIoError);
  EXPECT_EQ(script.asked, 2u);
}

}  // namespace
}  // namespace faults
