// The expectation must accept what the committed operations make of a key, and nothing else.
#include "workloads/ycsb/expectation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "workloads/ycsb/driver.h"

namespace workloads::ycsb {
namespace {

using faster::Status;

WorkloadSpec Spec(Operation operation) {
  WorkloadSpec spec;
  spec.record_count = spec.insert_count = 50;
  spec.keys.insert_count = 50;
  spec.threads = 2;
  spec.keys_per_thread = 256;
  spec.seed = 7;
  spec.mix.Add(Operation::kRead, 0.5);
  spec.mix.Add(operation, 0.5);
  return spec;
}

// Performs the sessions' operations on a map, the second session's after the first's.
std::map<uint64_t, uint64_t> Performed(const WorkloadSpec& spec, const std::vector<uint64_t>& commits,
                                       bool loaded) {
  std::map<uint64_t, uint64_t> state;
  for (uint64_t record = 0; loaded && record < spec.insert_count; ++record)
    state[record] = LoadedWord(record);
  for (uint32_t session = 0; session < commits.size(); ++session) {
    const std::vector<uint64_t> records = ThreadKeys(spec, session, false);
    const OperationStream stream(spec.mix, ThreadSeed(spec, session), &records);
    for (uint64_t serial = 1; serial <= commits[session]; ++serial) {
      const StreamElement element = stream.At(serial - 1);
      const uint64_t writer = WriterWord(session, 0, serial);
      if (element.operation == Operation::kRmw) state[element.key] += OperandOf(writer);
      if (element.operation == Operation::kUpdate) state[element.key] = writer;
    }
  }
  return state;
}

uint64_t Wrong(const Expectation& expectation, const std::map<uint64_t, uint64_t>& state,
               Mismatch* last = nullptr) {
  uint64_t wrong = 0;
  for (uint64_t record = 0; record < 50; ++record) {
    const auto at = state.find(record);
    Mismatch mismatch;
    const bool good = at == state.end() ? expectation.Check(record, Status::kNotFound, 0, true, &mismatch)
                                        : expectation.Check(record, Status::kOk, at->second, true, &mismatch);
    wrong += !good;
    if (!good && last != nullptr) *last = mismatch;
  }
  return wrong;
}

class Expectations : public ::testing::TestWithParam<std::tuple<Operation, bool>> {
 protected:
  const WorkloadSpec spec_ = Spec(std::get<0>(GetParam()));
  const bool loaded_ = std::get<1>(GetParam());
};

TEST_P(Expectations, AcceptThePrefixAndNothingElse) {
  Expectation expectation(spec_, 2, loaded_);
  expectation.Commit(0, 0, 0, 300, {});
  expectation.Commit(1, 0, 0, 200, {});
  EXPECT_EQ(Wrong(expectation, Performed(spec_, {300, 200}, loaded_)), 0u);
  EXPECT_GT(Wrong(expectation, Performed(spec_, {310, 200}, loaded_)), 0u);  // after the commit point
  EXPECT_GT(Wrong(expectation, Performed(spec_, {300, 150}, loaded_)), 0u);  // committed, lost
  EXPECT_GT(Wrong(expectation, Performed(spec_, {300}, loaded_)), 0u);
  if (spec_.mix.Contains(Operation::kRmw)) {  // updates leave nothing of what was loaded
    EXPECT_GT(Wrong(expectation, Performed(spec_, {300, 200}, !loaded_)), 0u);
  }
}

TEST_P(Expectations, NoticeOneWrongKey) {
  Expectation expectation(spec_, 2, loaded_);
  expectation.Commit(0, 0, 0, 300, {});
  expectation.Commit(1, 0, 0, 200, {});
  const std::map<uint64_t, uint64_t> right = Performed(spec_, {300, 200}, loaded_);
  ASSERT_FALSE(right.empty());
  Mismatch mismatch;
  auto state = right;
  state.begin()->second += 1;
  EXPECT_EQ(Wrong(expectation, state, &mismatch), 1u);
  EXPECT_EQ(mismatch.record, right.begin()->first);
  state = right;
  state.erase(state.begin());
  EXPECT_EQ(Wrong(expectation, state, &mismatch), 1u);
  EXPECT_EQ(mismatch.found, "nothing");
  EXPECT_FALSE(expectation.Check(right.begin()->first, Status::kOk, right.begin()->second, false, &mismatch));
  EXPECT_FALSE(expectation.Check(right.begin()->first, Status::kCorruption, 0, true, &mismatch));
}

TEST_P(Expectations, GoOnInTheNextIncarnation) {
  Expectation once(spec_, 1, loaded_), twice(spec_, 1, loaded_);
  once.Commit(0, 0, 0, 400, {});
  twice.Commit(0, 0, 0, 150, {});
  twice.Commit(0, 1, 150, 400, {});
  const auto state = Performed(spec_, {400}, loaded_);
  EXPECT_EQ(Wrong(once, state), 0u);
  EXPECT_GT(Wrong(twice, state), 0u);  // what the second incarnation did has other words
}

INSTANTIATE_TEST_SUITE_P(All, Expectations,
                         ::testing::Combine(::testing::Values(Operation::kRmw, Operation::kUpdate),
                                            ::testing::Bool()));

TEST(LastWriter, MayBeOvertakenOnlyIfItWentPending) {
  WorkloadSpec spec = Spec(Operation::kUpdate);
  spec.record_count = spec.insert_count = spec.keys.insert_count = 1;
  const std::vector<uint64_t> records = ThreadKeys(spec, 0, false);
  const OperationStream stream(spec.mix, ThreadSeed(spec, 0), &records);
  std::vector<uint64_t> updates;
  for (uint64_t serial = 1; serial <= 20; ++serial) {
    if (stream.At(serial - 1).operation == Operation::kUpdate) updates.push_back(serial);
  }
  ASSERT_GE(updates.size(), 3u);
  const uint64_t early = updates[updates.size() - 2];
  Expectation without(spec, 1, true), with(spec, 1, true);
  without.Commit(0, 0, 0, 20, {});
  with.Commit(0, 0, 0, 20, {early});
  Mismatch mismatch;
  EXPECT_FALSE(without.Check(0, Status::kOk, WriterWord(0, 0, early), true, &mismatch));
  EXPECT_TRUE(with.Check(0, Status::kOk, WriterWord(0, 0, early), true, &mismatch));
  EXPECT_TRUE(with.Check(0, Status::kOk, WriterWord(0, 0, updates.back()), true, &mismatch));
  EXPECT_FALSE(with.Check(0, Status::kOk, WriterWord(0, 0, updates[0]), true, &mismatch));
}

TEST(ReadModifyWrite, TakesTwoSerials) {
  WorkloadSpec spec = Spec(Operation::kReadModifyWrite);
  const std::vector<uint64_t> records = ThreadKeys(spec, 0, false);
  const OperationStream stream(spec.mix, ThreadSeed(spec, 0), &records);
  std::map<uint64_t, uint64_t> state;
  uint64_t serial = 0, middle = 0;
  for (uint64_t element = 0; serial < 100; ++element) {
    const StreamElement at = stream.At(element);
    ++serial;
    if (at.operation != Operation::kReadModifyWrite) continue;
    middle = serial++;  // the commit point may fall between the read and the update
    state[at.key] = WriterWord(0, 0, serial);
  }
  Expectation all(spec, 1, false), cut(spec, 1, false);
  all.Commit(0, 0, 0, serial, {});
  EXPECT_EQ(Wrong(all, state), 0u);
  cut.Commit(0, 0, 0, middle, {});
  EXPECT_EQ(Wrong(cut, state), 1u);
}

TEST(Mix, KeepsItsProportions) {
  OperationMix mix;
  mix.Add(Operation::kRead, 0.95);
  mix.Add(Operation::kUpdate, 0);
  mix.Add(Operation::kInsert, 0.05);
  const std::vector<uint64_t> keys(16, 1);
  const OperationStream stream(mix, 3, &keys);
  int inserts = 0;
  for (uint64_t i = 0; i < 100000; ++i) {
    const Operation operation = stream.At(i).operation;
    ASSERT_TRUE(operation == Operation::kRead || operation == Operation::kInsert);
    inserts += operation == Operation::kInsert;
  }
  EXPECT_NEAR(inserts, 5000, 400);
  EXPECT_FALSE(mix.Contains(Operation::kUpdate));
}

TEST(Words, NameTheirWriters) {
  EXPECT_EQ(SessionOf(WriterWord(3, 2, 77)), 3u);
  EXPECT_EQ(SerialOf(WriterWord(3, 2, 77)), 77u);
  EXPECT_NE(WriterWord(0, 0, 1), WriterWord(0, 1, 1));
  EXPECT_NE(LoadedWord(0), 0u);
  auto value = Value<104>::Of(5);
  EXPECT_TRUE(value.Whole());
  value.word[12] ^= 1;
  EXPECT_FALSE(value.Whole());
  EXPECT_TRUE(AddWord<104>().Update(Value<104>::Of(5), 9).Whole());
}

}  // namespace
}  // namespace workloads::ycsb
