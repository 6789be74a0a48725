// Batches: what single calls do, in their order, with their serials; in every region and through checkpoints.
#include <gtest/gtest.h>

#include <map>
#include <thread>
#include <vector>

#include "tests/store/test_store.h"

namespace faster {
namespace {

using testing::Kind;

struct Answers {
  std::vector<uint64_t> values;
  std::vector<Status> statuses;
  explicit Answers(size_t count) : values(count), statuses(count, Status::kAborted) {}
};

Answers ReadBatch(TestStore::SessionType& session, const std::vector<uint64_t>& keys) {
  Answers answers(keys.size());
  session.ReadBatch(keys.size(), keys.data(), answers.values.data(), answers.statuses.data());
  return answers;
}

StoreConfig Configured(uint32_t ahead, uint32_t group, uint32_t refresh_interval) {
  StoreConfig config = TestStore::TinyConfig();
  config.batch_ahead = ahead;
  config.batch_group = group;
  config.refresh_interval = refresh_interval;
  return config;
}

TEST(Batch, DoesWhatSingleCallsDo) {
  TestStore store;
  auto session = store.kv().StartSession();
  const std::vector<uint64_t> keys = {1, 2, 1, 3}, words = {10, 20, 11, 30};
  Answers answers(4);
  session->UpsertBatch(4, keys.data(), words.data(), answers.statuses.data());
  EXPECT_EQ(answers.statuses, std::vector<Status>(4, Status::kOk));
  EXPECT_EQ(session->serial(), 4u);
  answers = ReadBatch(*session, {3, 9, 1});
  EXPECT_EQ(answers.statuses, (std::vector<Status>{Status::kOk, Status::kNotFound, Status::kOk}));
  EXPECT_EQ(answers.values[0], 30u);
  EXPECT_EQ(answers.values[2], 11u);  // the later of the two
  const std::vector<uint64_t> again = {1, 4, 4, 1}, inputs = {5, 7, 8, 6};
  answers = Answers(4);
  session->RmwBatch(4, again.data(), inputs.data(), answers.values.data(), answers.statuses.data());
  EXPECT_EQ(answers.values, (std::vector<uint64_t>{16, 7, 15, 22}));
  EXPECT_EQ(session->serial(), 11u);
  session->ReadBatch(0, keys.data(), answers.values.data(), answers.statuses.data());
  EXPECT_EQ(session->serial(), 11u);
}

// A deleted key is absent to a batch, too.
TEST(Batch, SeesTombstones) {
  TestStore store;
  auto session = store.kv().StartSession();
  ASSERT_EQ(session->Upsert(1, 10), Status::kOk);
  ASSERT_EQ(session->Delete(1), Status::kOk);
  EXPECT_EQ(ReadBatch(*session, {1}).statuses[0], Status::kNotFound);
  const uint64_t key = 1, input = 3;
  Answers answers(1);
  session->RmwBatch(1, &key, &input, answers.values.data(), answers.statuses.data());
  EXPECT_EQ(answers.values[0], 3u);
}

struct Shape {
  uint32_t ahead, group, refresh_interval;
};
class Batches : public ::testing::TestWithParam<Shape> {
 protected:
  StoreConfig Config() const {
    return Configured(GetParam().ahead, GetParam().group, GetParam().refresh_interval);
  }
};

// Records in memory, in the read-only region and on disk; every operation has the serial of its place, and
// what is pending comes back with it and with its user pointer.
TEST_P(Batches, AgreeWithAModelWhenTheLogOutgrowsMemory) {
  TestStore store(Config());
  auto session = store.kv().StartSession();
  std::map<uint64_t, uint64_t> model;
  std::vector<uint64_t> keys, inputs;
  std::vector<void*> users;
  std::map<uint64_t, uint64_t> key_of_serial;
  uint64_t pending = 0, completed = 0;
  const auto collect = [&](const auto& op) {
    ++completed;
    EXPECT_EQ(op.result, Status::kOk);
    ASSERT_TRUE(key_of_serial.contains(op.serial));
    EXPECT_EQ(key_of_serial[op.serial], op.key.Value());
    EXPECT_EQ(reinterpret_cast<uint64_t>(op.user), op.key.Value());
  };
  for (uint64_t round = 0; round < 120; ++round) {
    const size_t count = round % 37 + 1;
    keys.clear(), inputs.clear(), users.clear();
    for (size_t i = 0; i < count; ++i) {
      keys.push_back((round * 7919 + i * 104729) % 311);
      inputs.push_back(round + i);
      users.push_back(reinterpret_cast<void*>(keys.back()));
      model[keys.back()] += inputs.back();
      key_of_serial[session->serial() + 1 + i] = keys.back();
    }
    const uint64_t before = session->serial();
    size_t told = 0;
    session->RmwBatch(count, keys.data(), inputs.data(), users.data(),
                      [&](size_t i, Status status, const uint64_t&) {
                        EXPECT_EQ(i, told++);
                        EXPECT_EQ(session->serial(), before + told);
                        pending += status == Status::kPending;
                      });
    EXPECT_EQ(told, count);
    session->CompletePending(true, collect);
  }
  EXPECT_GT(store.kv().log().head(), 8u);
  EXPECT_GT(pending, 0u);
  EXPECT_EQ(pending, completed);
  for (const auto& [key, value] : model) EXPECT_EQ(store.Read(*session, key), value) << key;
  keys.clear();
  for (const auto& [key, value] : model) keys.push_back(key);
  Answers answers(keys.size());
  std::map<uint64_t, uint64_t> from_disk;
  session->ReadBatch(keys.size(), keys.data(), answers.values.data(), answers.statuses.data());
  session->CompletePending(true, [&](const auto& op) { from_disk[op.key.Value()] = op.value.Value(); });
  EXPECT_FALSE(from_disk.empty());
  for (size_t i = 0; i < keys.size(); ++i) {
    const bool waited = answers.statuses[i] == Status::kPending;
    EXPECT_EQ(waited ? from_disk[keys[i]] : answers.values[i], model[keys[i]]) << keys[i];
  }
}

// A commit point may lie in the middle of a batch: then exactly the operations up to it come back.
TEST_P(Batches, ACheckpointMayCutABatch) {
  TestStore store(Config());
  Guid id;
  uint64_t cut_inside = 0;
  for (uint64_t round = 0; round < 20; ++round) {
    std::vector<uint64_t> expected(16, 0);
    {
      auto session = store.kv().StartSession();
      id = session->id();
      std::vector<uint64_t> keys(40), inputs(40), base(16);
      for (uint64_t key = 0; key < 16; ++key) base[key] = store.Read(*session, key).value_or(0);
      const uint64_t first = session->serial() + 1;
      for (size_t i = 0; i < keys.size(); ++i) keys[i] = (first + i) % 16, inputs[i] = 1;
      Token token;
      session->RmwBatch(
          keys.size(), keys.data(), inputs.data(), nullptr, [&](size_t i, Status, const uint64_t&) {
            if (i == round) {
              ASSERT_EQ(
                  store.kv().Checkpoint(CheckpointKind::kLogOnly,
                                        round % 2 ? LogBackend::kFoldOver : LogBackend::kSnapshot, &token),
                  Status::kOk);
            }
            (void)store.kv().Poll();  // as another thread would, so that phases pass
          });
      session->CompletePending(true, [](const auto&) {});
      while (!store.kv().Poll()) std::this_thread::yield();
      std::vector<CommitNotice> commits;
      session->Refresh();
      session->TakeCommits(&commits);
      ASSERT_EQ(commits.size(), 1u);
      const uint64_t commit = commits[0].serial;
      ASSERT_GE(commit, first + round);
      cut_inside += commit < first + keys.size() - 1;
      expected = base;
      for (uint64_t serial = first; serial <= commit; ++serial) ++expected[serial % 16];
    }
    store.Recover();
    auto session = store.kv().StartSession();
    for (uint64_t key = 0; key < 16; ++key)
      EXPECT_EQ(store.Read(*session, key).value_or(0), expected[key]) << "round " << round << " key " << key;
  }
  if (GetParam().refresh_interval == 1) {
    EXPECT_GT(cut_inside, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Batches,
                         ::testing::Values(Shape{1, 1, 1}, Shape{2, 3, 1}, Shape{12, 64, 1}, Shape{16, 5, 4},
                                           Shape{3, 1000, 7}));

}  // namespace
}  // namespace faster
