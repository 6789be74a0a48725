// Both checkers of R7 on many generated histories: correct ones pass, spoiled ones get the same verdict and
// class from both, and every kind of violation occurs. CPR_TXN_HISTORIES sets how many (a shape).
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "faults/oracle/txn_judge.h"
#include "tests/txn_oracle/txn_generator.h"

namespace {

using namespace faults;
using namespace txn_test;
using experiments::Dice;
using experiments::MixSeed;

uint32_t Histories() {
  const char* text = std::getenv("CPR_TXN_HISTORIES");
  return text == nullptr ? 60'000 : static_cast<uint32_t>(std::strtoul(text, nullptr, 10));
}

// 1 s per 10,000 pairs or so.
TEST(Agree, OnHistoriesRightAndWrong) {
  TxnChecker checker;
  TxnSearch search;
  std::map<std::string, uint32_t> kinds;
  uint32_t undecided = 0, unsure = 0, judged = 0;
  for (uint32_t seed = 0; seed < Histories(); ++seed) {
    Dice dice(MixSeed(seed, 7));
    TxnHistory history = MakeHistory(DrawShape(&dice), &dice);
    const TxnVerdict right = checker.Check(history);
    const TxnVerdict right_too = search.Check(history);
    ASSERT_TRUE(right.ok) << "seed " << seed << ", false alarm: " << TxnExplain(history, right);
    ASSERT_TRUE(right_too.ok) << "seed " << seed << ", the search: " << TxnExplain(history, right_too);
    undecided += right.undecided;
    std::string spoiled;
    for (uint32_t changes = dice.Between(1, 3); changes > 0; --changes)
      spoiled += std::string(SpoilHistory(&dice, &history)) + "; ";
    const TxnVerdict graph = checker.Check(history);
    const TxnVerdict other = search.Check(history);
    judged += 2;
    undecided += graph.ok && graph.undecided;
    ++kinds[TxnFaultName(graph.fault)];
    const TxnVerdict both = ReconcileTxn(graph, other);
    ASSERT_NE(both.fault, TxnFault::kDisagree)
        << "seed " << seed << ", changed " << spoiled << TxnExplain(history, both);
    if (!graph.ok && graph.undecided) ++unsure;
    if (!graph.ok && graph.fault != TxnFault::kHistory) {
      EXPECT_FALSE(graph.what.empty());
    }
  }
  std::string seen;
  for (const auto& [kind, count] : kinds) seen += kind + " " + std::to_string(count) + ", ";
  std::printf("%u histories judged twice, %u undecided by the graph alone, %u with an unsure class; %s\n",
              judged, undecided, unsure, seen.c_str());
  EXPECT_LT(undecided, judged / 50);
  if (Histories() < 20'000) return;
  for (const char* kind : {"none", "bounds", "serials", "nobody's word", "dirty read", "lost read",
                           "lost update", "write skew", "read skew", "circular", "stale", "not closed",
                           "torn", "lost", "above", "aborted state", "nobody's state"})
    EXPECT_GT(kinds[kind], 5u) << kind << " never occurred";
}

// Without blind writes, or with all versions told, nothing is ever undecided.
TEST(Agree, NothingIsOpenWhenVersionsAreKnown) {
  TxnChecker checker;
  for (uint32_t seed = 0; seed < 3000; ++seed) {
    Dice dice(MixSeed(seed, 8));
    TxnShape shape = DrawShape(&dice);
    shape.transactions = 60;
    (seed % 2 == 0 ? shape.blind_percent : shape.told_percent) = seed % 2 == 0 ? 0 : 100;
    TxnHistory history = MakeHistory(shape, &dice);
    const TxnVerdict right = checker.Check(history);
    ASSERT_TRUE(right.ok && !right.undecided) << "seed " << seed << ": " << TxnExplain(history, right);
    if (SpoilHistory(&dice, &history) == std::string("a told version")) continue;
    ASSERT_FALSE(checker.Check(history).undecided) << "seed " << seed;
  }
}

// Linear: a history ten times as long does not take fifty times as long.
TEST(Cost, GrowsWithTheHistory) {
  double seconds[2] = {};
  for (const int size : {0, 1}) {
    TxnShape shape;
    shape.clients = 4;
    shape.keys = size == 0 ? 200 : 2000;
    shape.transactions = size == 0 ? 2'000 : 20'000;
    shape.incarnations = 2;
    shape.most_accesses = 4;
    Dice dice(MixSeed(static_cast<uint64_t>(size), 9));
    shape.blind_percent = 0;
    const TxnHistory history = MakeHistory(shape, &dice);
    TxnChecker checker;
    double best = 1e9;
    for (int turn = 0; turn < 3; ++turn) {
      timespec from, to;
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
      const TxnVerdict verdict = checker.Check(history);
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
      ASSERT_TRUE(verdict.ok && !verdict.undecided) << verdict.what;
      best = std::min(best, static_cast<double>(to.tv_sec - from.tv_sec) +
                                1e-9 * static_cast<double>(to.tv_nsec - from.tv_nsec));
    }
    seconds[size] = best;
    std::printf("%zu transactions: %.2f us each\n", history.transactions.size(),
                1e6 * best / static_cast<double>(history.transactions.size()));
  }
  EXPECT_LT(seconds[1], 50 * seconds[0]);
}

}  // namespace
