// Asks both checkers and the judge about a history made by hand.
#pragma once

#include <gtest/gtest.h>

#include "faults/oracle/judge.h"
#include "tests/oracle/history_builder.h"

namespace faults_test {

using namespace faults;
using faster::Status;
using faster::Token;

constexpr uint64_t kX = 10, kY = 20;                       // keys
constexpr uint64_t kA = 0xaaa1, kB = 0xbbb1, kC = 0xccc1;  // words

inline void Expect(const History& history, Rule rule) {
  LinearChecker linear;
  SearchChecker search;
  Judge judge;
  const Verdict first = linear.Check(history);
  EXPECT_EQ(first.rule, rule) << "linear: " << Explain(history, first);
  const Verdict second = search.Check(history);
  EXPECT_EQ(second.rule, rule) << "search: " << Explain(history, second);
  const Verdict verdict = judge.Check(history);
  EXPECT_EQ(verdict.rule, rule) << Explain(history, verdict);
  EXPECT_EQ(verdict.ok, rule == Rule::kNone);
  EXPECT_FALSE(verdict.undecided);
  EXPECT_LE(verdict.witness.size(), 5u) << Explain(history, verdict);
}
inline void Accept(const HistoryBuilder& builder) { Expect(builder.history, Rule::kNone); }

}  // namespace faults_test
