// Policies and tapes by themselves: ranks, portfolio, file form. No fibers.
#include "faults/sched/tape.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <bit>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "faults/sched/policy.h"

namespace faults {
namespace {

std::string TempPath(const char* name) {
  return (std::filesystem::temp_directory_path() /
          (std::string("cpr-tape-") + std::to_string(getpid()) + name))
      .string();
}

std::string ReadBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

Tape Sample() {
  Scheduler::Options options;
  options.crash_step = 77;
  options.plain_points = false;
  Tape tape;
  tape.header = MakeTapeHeader(options, 42, "abc123", "label");
  tape.entries = {{3, 0, 0, 4, 2}, {9, 2, 0, 3, 1}, {10, 0, 0, 2, 1}};
  return tape;
}

RC_GTEST_PROP(Policy, RanksAndFibersAreInverse, ()) {
  const uint64_t runnable = *rc::gen::nonZero<uint64_t>();
  const int current = *rc::gen::inRange(-1, 64);
  std::set<int> seen;
  for (int rank = 0; rank < std::popcount(runnable); ++rank) {
    const int fiber = FiberAtRank(current, runnable, rank);
    RC_ASSERT((runnable >> fiber) & 1);
    RC_ASSERT(RankOfFiber(current, runnable, fiber) == rank);
    seen.insert(fiber);
  }
  RC_ASSERT(static_cast<int>(seen.size()) == std::popcount(runnable));
  if (current >= 0 && ((runnable >> current) & 1)) RC_ASSERT(FiberAtRank(current, runnable, 0) == current);
}

TEST(Policy, RandomWalkAsksAsOftenAsItsProbabilitySays) {
  for (double p : {0.5, 0.1, 0.003}) {
    RandomWalk policy(p);
    policy.Begin(5);
    uint64_t step = 0, asks = 0;
    for (; step < 1'000'000; ++asks) {
      const uint64_t next = policy.NextAsk(step);
      ASSERT_GT(next, step);
      ASSERT_EQ(policy.NextAsk(step), next);
      step = next;
    }
    EXPECT_NEAR(static_cast<double>(asks) / 1e6, p, p * 0.1);
  }
}

TEST(Policy, RatesGovernChoices) {
  RandomWalk policy(0.1);
  policy.set_rate(ChoiceKind::kIoFate, 0.25);
  policy.Begin(1);
  int nonzero = 0, out_of_range = 0;
  for (uint64_t i = 0; i < 10000; ++i) {
    const uint32_t v = policy.Choose(i, ChoiceKind::kIoFate, 5);
    nonzero += v != 0;
    out_of_range += v >= 5;
  }
  EXPECT_EQ(out_of_range, 0);
  EXPECT_NEAR(nonzero, 2500, 250);
}

TEST(Policy, PortfolioIsTenPoliciesAndRepeatable) {
  Portfolio a(9), b(9), c(10);
  std::set<std::string> names;
  for (uint64_t i = 0; i < 30; ++i) {
    names.insert(a.For(i).name);
    EXPECT_EQ(a.For(i).seed, b.For(i).seed);
    EXPECT_NE(a.For(i).seed, c.For(i).seed);
    EXPECT_EQ(std::string(a.For(i).name).find("+plain") != std::string::npos, a.For(i).plain_points);
  }
  EXPECT_EQ(names.size(), 10u);
}

TEST(Policy, NamesAreChecked) {
  std::string error;
  for (const char* good : {"random:0.1", "random:1", "pct:3", "rr:1", "sequential"}) {
    EXPECT_NE(MakePolicy(good, &error), nullptr) << good;
  }
  for (const char* bad :
       {"", "random", "random:0", "random:2", "random:0.1x", "pct:0", "pct:2.5", "rr:", "walk:1"}) {
    error.clear();
    EXPECT_EQ(MakePolicy(bad, &error), nullptr) << bad;
    EXPECT_NE(error.find("unknown policy"), std::string::npos);
  }
}

TEST(TapeFile, SavesAndLoads) {
  const std::string path = TempPath("a");
  const Tape tape = Sample();
  std::string error;
  ASSERT_TRUE(SaveTape(path, tape, &error)) << error;
  Tape loaded;
  ASSERT_TRUE(LoadTape(path, &loaded, &error)) << error;
  EXPECT_STREQ(loaded.header.commit, "abc123");
  EXPECT_STREQ(loaded.header.label, "label");
  EXPECT_EQ(loaded.header.seed, 42u);
  Scheduler::Options options;
  ApplyTapeOptions(loaded.header, &options);
  EXPECT_EQ(options.crash_step, 77u);
  EXPECT_FALSE(options.plain_points);
  ASSERT_EQ(loaded.entries.size(), 3u);
  EXPECT_EQ(std::memcmp(loaded.entries.data(), tape.entries.data(), 3 * sizeof(TapeEntry)), 0);
  std::filesystem::remove(path);
  EXPECT_FALSE(LoadTape(path, &loaded, &error));
  EXPECT_NE(error.find("No such file"), std::string::npos);
}

// One byte wrong anywhere, or the file cut anywhere: refused with one line, never accepted, never a fault.
TEST(TapeFile, EveryWrongByteAndLengthIsRefused) {
  const std::string path = TempPath("b");
  std::string error;
  ASSERT_TRUE(SaveTape(path, Sample(), &error));
  const std::string good = ReadBytes(path);
  Tape tape;
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x11);
    WriteBytes(path, bad);
    error.clear();
    EXPECT_FALSE(LoadTape(path, &tape, &error)) << i;
    EXPECT_EQ(error.find(path), 5u);
    EXPECT_EQ(error.find('\n'), std::string::npos);
    WriteBytes(path, good.substr(0, i));
    EXPECT_FALSE(LoadTape(path, &tape, &error)) << i;
  }
  std::filesystem::remove(path);
}

RC_GTEST_PROP(TapeFile, AnyEntriesAreReadAsTheyAreOrRefused, (std::vector<std::array<uint8_t, 12>> raw)) {
  const std::string path = TempPath("c");
  Tape tape = Sample();
  tape.entries.resize(raw.size());
  bool valid = true;
  for (size_t i = 0; i < raw.size(); ++i) {
    std::memcpy(&tape.entries[i], raw[i].data(), 12);
    const TapeEntry& e = tape.entries[i];
    valid = valid && e.kind < kChoiceKinds && e.unused == 0 && e.value > 0 && e.value < e.count &&
            (i == 0 || e.step > tape.entries[i - 1].step);
  }
  std::string error;
  RC_ASSERT(SaveTape(path, tape, &error));
  Tape loaded;
  RC_ASSERT(LoadTape(path, &loaded, &error) == valid);
  std::filesystem::remove(path);
}

TEST(TapeFile, AMappedTapeOutlivesItsProcess) {
  const std::string path = TempPath("d");
  const Tape sample = Sample();
  std::string error;
  MappedTape mapped;
  ASSERT_TRUE(mapped.Open(path, 100, &error)) << error;
  for (int round = 0; round < 2; ++round) {  // the second recording is shorter: nothing of the first may stay
    mapped.Restart(sample.header, 3);
    const size_t n = round == 0 ? 3 : 1;
    std::memcpy(mapped.entries(), sample.entries.data(), n * sizeof(TapeEntry));
    Tape loaded;
    ASSERT_TRUE(LoadTape(path, &loaded, &error)) << error;
    EXPECT_EQ(loaded.entries.size(), n);
    EXPECT_EQ(loaded.header.entries, ~0ull);
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace faults
