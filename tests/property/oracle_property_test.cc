// The two checkers against histories that are legal by construction, against mutations of them, against
// arbitrary tiny histories, and against a checker that goes through every order.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <sstream>

#include "faults/oracle/history_json.h"
#include "faults/oracle/judge.h"
#include "tests/property/abstract_store.h"
#include "tests/property/mutate.h"
#include "tests/property/naive_checker.h"

namespace {

using namespace faults;
using namespace faults_test;

// The volume tests' seeds; ORACLE_SEED gives others.
uint64_t Seed(uint64_t test) {
  const char* seed = std::getenv("ORACLE_SEED");
  return test + (seed == nullptr ? 0 : 1000 * std::strtoull(seed, nullptr, 10));
}

std::string Dump(const History& history, const Verdict& verdict) {
  std::ostringstream text;
  WriteHistory(history, &text);
  return Explain(history, verdict) + text.str();
}

std::vector<uint32_t> RandomTape(std::mt19937_64* random, size_t most) {
  std::vector<uint32_t> tape((*random)() % most);
  for (uint32_t& choice : tape) choice = static_cast<uint32_t>((*random)() >> 40);
  return tape;
}

StoreLimits RandomLimits(std::mt19937_64* random) {
  StoreLimits limits;
  limits.sessions = 1 + (*random)() % 4;
  limits.keys = 1 + (*random)() % 3;
  limits.operations = 4 + (*random)() % 40;
  limits.crashes = (*random)() % 4;
  limits.refresh_every_operation = (*random)() % 2 == 0;
  limits.relaxed = (*random)() % 2 == 0;
  return limits;
}

// Both checkers' verdicts, and the naive one's where it can say something. True if they agree.
struct Opinions {
  Verdict linear, search;
  bool agree = true;
};

Opinions Ask(const History& history) {
  static LinearChecker linear;
  static SearchChecker search;
  Opinions opinions{linear.Check(history), search.Check(history)};
  const bool both_decided = (!opinions.linear.ok || !opinions.linear.undecided) &&
                            (!opinions.search.ok || !opinions.search.undecided);
  if (both_decided)
    opinions.agree = opinions.linear.ok == opinions.search.ok &&
                     (!opinions.linear.ok || opinions.linear.buffered == opinions.search.buffered) &&
                     opinions.linear.rule == opinions.search.rule;
  auto by_key = [](const Verdict& v) { return v.ok || (v.has_key && v.rule != Rule::kScan); };
  const Verdict& first = opinions.linear.undecided && opinions.linear.ok ? opinions.search : opinions.linear;
  if (first.rule != Rule::kR6 && by_key(first) && !(first.ok && first.undecided)) {
    const std::optional<bool> legal = NaiveChecker(history).Legal();
    if (legal.has_value() && *legal != first.ok) opinions.agree = false;
  }
  return opinions;
}

// ---- legal histories ----

RC_GTEST_PROP(OracleProperty, LegalHistoriesAreAccepted, ()) {
  StoreLimits limits;
  limits.sessions = *rc::gen::inRange(1u, 5u);
  limits.keys = *rc::gen::inRange(1u, 4u);
  limits.operations = *rc::gen::inRange(1u, 40u);
  limits.crashes = *rc::gen::inRange(0u, 4u);
  limits.refresh_every_operation = *rc::gen::arbitrary<bool>();
  limits.relaxed = *rc::gen::arbitrary<bool>();
  const auto length = *rc::gen::inRange<size_t>(0, 400);
  Tape tape(*rc::gen::container<std::vector<uint32_t>>(length, rc::gen::inRange(0u, 1u << 20)));
  const History history = RunAbstractStore(limits, &tape);
  const Opinions opinions = Ask(history);
  if (!opinions.linear.ok) RC_FAIL("linear: " + Dump(history, opinions.linear));
  if (!opinions.search.ok) RC_FAIL("search: " + Dump(history, opinions.search));
  RC_ASSERT(!opinions.linear.undecided);
  RC_ASSERT(opinions.agree);
}

TEST(OracleVolume, LegalHistoriesAreAccepted) {
  std::mt19937_64 random(Seed(1));
  uint64_t recoveries = 0, cuts = 0, unbuffered = 0, split = 0, excluded = 0, carried = 0;
  for (int i = 0; i < 20'000; ++i) {
    const StoreLimits limits = RandomLimits(&random);
    Tape tape(RandomTape(&random, 400));
    const History history = RunAbstractStore(limits, &tape);
    const Opinions opinions = Ask(history);
    ASSERT_TRUE(opinions.linear.ok) << i << Dump(history, opinions.linear);
    ASSERT_TRUE(opinions.search.ok) << i << Dump(history, opinions.search);
    ASSERT_FALSE(opinions.linear.undecided) << i << Dump(history, opinions.linear);
    ASSERT_TRUE(opinions.agree) << i << Dump(history, opinions.linear);
    recoveries += history.recoveries.size();
    unbuffered += !opinions.linear.buffered;
    for (const Recovery& recovery : history.recoveries) {
      cuts += !recovery.log_token.IsNull();
      bool committed = false, lost = false;
      for (const auto& commit : recovery.commits) {
        if (commit.excluded.empty()) continue;
        const bool own = std::any_of(history.operations.begin(), history.operations.end(), [&](auto& op) {
          return op.incarnation == recovery.incarnation && op.serial == commit.excluded[0] &&
                 history.sessions[op.session] == commit.session;
        });
        ++(own ? excluded : carried);
      }
      for (const Operation& op : history.operations) {
        if (op.incarnation != recovery.incarnation) continue;
        for (const auto& commit : recovery.commits)
          if (commit.session == history.sessions[op.session])
            (op.serial <= commit.serial ? committed : lost) = true;
      }
      split += committed && lost;
    }
  }
  // The generator reaches what matters.
  EXPECT_GT(recoveries, 5'000u);
  EXPECT_GT(cuts, 1'000u);
  EXPECT_GT(split, 500u);
  EXPECT_GT(excluded, 100u);
  EXPECT_GT(carried, 10u);     // excluded in one incarnation, never continued, still excluded in the next
  EXPECT_GT(unbuffered, 10u);  // R6 is broken by correct runs with coarse refresh, and only then
}

// Long histories: too long to search, so deletes and operations in flight must not make the linear one slow.
TEST(OracleVolume, LongHistoriesAreAccepted) {
  std::mt19937_64 random(Seed(4));
  LinearChecker linear;
  size_t operations = 0;
  size_t caught = 0;
  for (int i = 0; i < 20; ++i) {
    StoreLimits limits = RandomLimits(&random);
    limits.sessions += 2;
    limits.crashes = i % 2;
    limits.operations = 20'000;
    std::vector<uint32_t> choices(120'000);
    for (uint32_t& choice : choices) choice = static_cast<uint32_t>(random() >> 40);
    Tape tape(choices);
    History history = RunAbstractStore(limits, &tape);
    Verdict verdict = linear.Check(history);
    ASSERT_TRUE(verdict.ok) << i << " " << verdict.what;
    ASSERT_FALSE(verdict.undecided) << i;
    operations += history.operations.size();
    for (Operation& op : history.operations) {  // one RMW that lost an update, in the middle
      if (op.type != OpType::kRmw || op.result == 0 || op.serial < 200) continue;
      op.result = RmwWord(UndoRmwWord(op.result, op.operand) + 2, op.operand);
      EXPECT_FALSE(linear.Check(history).ok) << i;
      ++caught;
      break;
    }
  }
  EXPECT_GT(operations, 50'000u);
  EXPECT_GT(caught, 10u);
}

// ---- mutations ----

TEST(OracleVolume, MutationsAreJudgedAlike) {
  std::mt19937_64 random(Seed(2));
  std::map<std::string, std::map<std::string, int>> table;
  for (int i = 0; i < 30'000; ++i) {
    const StoreLimits limits = RandomLimits(&random);
    Tape tape(RandomTape(&random, 300));
    History history = RunAbstractStore(limits, &tape);
    Tape places(RandomTape(&random, 20));
    const std::string name = Mutate(i % kMutations, &history, &places);
    if (name.empty()) continue;
    const Opinions opinions = Ask(history);
    ASSERT_TRUE(opinions.agree) << i << " " << name << "\nlinear " << Dump(history, opinions.linear)
                                << "\nsearch " << Explain(history, opinions.search);
    ++table[name][opinions.linear.ok ? (opinions.linear.undecided ? "undecided" : "legal")
                                     : RuleName(opinions.linear.rule)];
  }
  EXPECT_EQ(table.size(), kMutations);
  for (const auto& [name, rules] : table) {
    std::ostringstream line;
    bool caught = false;
    for (const auto& [rule, count] : rules) {
      line << " " << rule << ":" << count;
      caught |= rule[0] == 'R' || rule == "scan" || rule == "history";
    }
    if (std::getenv("ORACLE_TABLE") != nullptr) std::cout << name << ":" << line.str() << "\n";
    if (name == "forget a response") caught = !caught;  // knowing less is never a violation
    EXPECT_TRUE(caught) << name << " was never caught:" << line.str();
  }
}

RC_GTEST_PROP(OracleProperty, MutationsAreJudgedAlike, ()) {
  StoreLimits limits;
  limits.sessions = *rc::gen::inRange(1u, 4u);
  limits.keys = *rc::gen::inRange(1u, 3u);
  limits.operations = *rc::gen::inRange(1u, 16u);
  limits.refresh_every_operation = *rc::gen::arbitrary<bool>();
  limits.relaxed = *rc::gen::arbitrary<bool>();
  const auto length = *rc::gen::inRange<size_t>(0, 200);
  Tape tape(*rc::gen::container<std::vector<uint32_t>>(length, rc::gen::inRange(0u, 1u << 20)));
  History history = RunAbstractStore(limits, &tape);
  Tape places(*rc::gen::container<std::vector<uint32_t>>(8, rc::gen::inRange(0u, 1u << 20)));
  const std::string name = Mutate(*rc::gen::inRange(0u, kMutations), &history, &places);
  RC_PRE(!name.empty());
  const Opinions opinions = Ask(history);
  if (!opinions.agree)
    RC_FAIL(name + "\nlinear " + Dump(history, opinions.linear) + "\nsearch " +
            Explain(history, opinions.search));
}

// ---- arbitrary histories of one key ----

// Ends the first incarnation of `history` with a recovery to the commit points, in which key 0 has `word` (0:
// absent).
void EndWithRecovery(History* history, const uint64_t (&commits)[3], uint64_t word) {
  CheckpointEvent event;
  event.token = faster::Guid{2, 1};
  event.requested = 2;
  history->checkpoints.push_back(event);
  Recovery recovery;
  recovery.log_token = event.token;
  for (uint32_t s = 0; s < 3; ++s) recovery.commits.push_back({history->sessions[s], commits[s]});
  if (word != 0) recovery.state = {{0, word}};
  recovery.time = 1000;
  history->recoveries.push_back(recovery);
}

// One key, two sessions, up to six operations with arbitrary intervals and results that are plausible words,
// perhaps a recovery with an arbitrary cut and an arbitrary plausible state.
History ArbitraryHistory(std::mt19937_64* random) {
  History history;
  history.refresh_every_operation = false;
  history.sessions = {faster::Guid{1, 1}, faster::Guid{1, 2}, faster::Guid{1, 3}};
  history.session_opened = {1, 1, 1};
  auto below = [&](uint64_t n) { return (*random)() % n; };
  const uint32_t count = 1 + below(6);
  const bool deletes = below(2) == 0;
  const bool recovers = below(3) != 0;
  uint64_t starts[3] = {10, 11, 12};
  uint64_t serials[3] = {0, 0, 0};
  for (uint32_t i = 0; i < count; ++i) {
    Operation op;
    op.session = below(3);
    op.serial = ++serials[op.session];
    op.type = deletes ? static_cast<OpType>(below(4)) : static_cast<OpType>(below(3));
    if (op.type == OpType::kUpsert || op.type == OpType::kRmw) op.operand = (*random)() | 1;
    op.invoked = starts[op.session] += 3 + 3 * below(4);
    op.responded = op.invoked + 1 + 3 * below(8);
    if (below(4) != 0) starts[op.session] = std::max(starts[op.session], op.responded + 2);
    op.outcome = recovers && below(6) == 0 ? OpOutcome::kUnknown : OpOutcome::kOk;
    if (op.outcome == OpOutcome::kUnknown) op.responded = kNever;
    history.operations.push_back(op);
  }
  std::vector<uint64_t> words = {0};  // what some order of updates leaves
  for (int round = 0; round < 3; ++round) {
    std::vector<uint32_t> order(count);
    std::iota(order.begin(), order.end(), 0u);
    if (round == 0) {
      std::vector<uint64_t> when;  // somewhere in the operation's interval
      for (const Operation& op : history.operations)
        when.push_back(op.invoked + below(op.responded == kNever ? 30 : op.responded - op.invoked));
      std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return when[a] < when[b]; });
    } else {
      std::shuffle(order.begin(), order.end(), *random);
    }
    uint64_t word = 0;
    for (uint32_t i : order) {
      Operation& op = history.operations[i];
      const bool told = op.outcome == OpOutcome::kOk && (round == 0 || below(6) == 0);
      if (op.type == OpType::kUpsert) word = op.operand;
      if (op.type == OpType::kDelete) {
        if (told) op.outcome = word == 0 && below(2) == 0 ? OpOutcome::kFail : OpOutcome::kOk;
        word = 0;
      }
      if (op.type == OpType::kRmw) {
        word = RmwWord(word, op.operand);
        if (told) op.result = below(12) == 0 ? 0 : word;
      }
      if (op.type == OpType::kRead && told) {
        op.result = word;
        op.outcome = word == 0 ? OpOutcome::kFail : OpOutcome::kOk;
      }
      words.push_back(word);
    }
  }
  uint64_t last_word = words[below(std::min<size_t>(words.size(), count + 1))];
  if (below(2) == 0) last_word = words[std::min<size_t>(words.size() - 1, count)];
  if (recovers) {
    uint64_t commits[3];
    for (uint32_t s = 0; s < 3; ++s) commits[s] = below(serials[s] + 1);
    EndWithRecovery(&history, commits, last_word);
  } else {
    history.quiesced = true;
    if (last_word != 0) history.final_state = {{0, last_word}};
  }
  return history;
}

TEST(OracleVolume, ArbitraryHistoriesAreJudgedAlike) {
  std::mt19937_64 random(Seed(3));
  std::map<std::string, int> table;
  int undecided = 0;
  for (int i = 0; i < 60'000; ++i) {
    const History history = ArbitraryHistory(&random);
    const Opinions opinions = Ask(history);
    ASSERT_TRUE(opinions.agree) << i << "\nlinear " << Dump(history, opinions.linear) << "\nsearch "
                                << Explain(history, opinions.search);
    undecided += opinions.linear.ok && opinions.linear.undecided;
    ++table[opinions.linear.ok ? "legal" : RuleName(opinions.linear.rule)];
  }
  if (std::getenv("ORACLE_TABLE") != nullptr) {
    for (const auto& [rule, count] : table) std::cout << rule << ":" << count << "\n";
    std::cout << "undecided: " << undecided << "\n";
  }
  EXPECT_GT(table["legal"], 10'000);
  EXPECT_GT(table["R2"], 10'000);
  EXPECT_GT(table["R3"], 100);
  EXPECT_GT(table["R4"], 1'000);
  EXPECT_LT(undecided, 100);
}

// ---- files ----

RC_GTEST_PROP(OracleProperty, HistoriesSurviveAFile, ()) {
  const auto length = *rc::gen::inRange<size_t>(0, 200);
  Tape tape(*rc::gen::container<std::vector<uint32_t>>(length, rc::gen::inRange(0u, 1u << 20)));
  const History history = RunAbstractStore(StoreLimits{}, &tape);
  std::stringstream file, again;
  WriteHistory(history, &file);
  History read;
  HistoryError error;
  RC_ASSERT(ReadHistory(&file, &read, &error));
  WriteHistory(read, &again);
  RC_ASSERT(file.str() == again.str());
}

// Any byte may be wrong: an error with a line, or a history; never a crash.
RC_GTEST_PROP(OracleProperty, DamagedFilesAreErrors, ()) {
  const auto length = *rc::gen::inRange<size_t>(0, 120);
  Tape tape(*rc::gen::container<std::vector<uint32_t>>(length, rc::gen::inRange(0u, 1u << 20)));
  std::stringstream file;
  WriteHistory(RunAbstractStore(StoreLimits{}, &tape), &file);
  std::string text = file.str();
  const auto places = *rc::gen::container<std::vector<uint32_t>>(4, rc::gen::inRange(0u, 1u << 20));
  for (uint32_t place : places) text[place % text.size()] = static_cast<char>(place >> 8);
  std::stringstream damaged(text);
  History read;
  HistoryError error;
  if (ReadHistory(&damaged, &read, &error)) {
    Judge judge;
    const Verdict verdict = judge.Check(read);
    RC_ASSERT(!Explain(read, verdict).empty());
  } else {
    RC_ASSERT(error.line > 0u);
    RC_ASSERT(!error.expected.empty());
  }
}

}  // namespace
