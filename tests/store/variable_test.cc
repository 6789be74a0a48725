// Keys and values of any length, one thread: every length at its boundaries, in place and in new records, in
// every region of the log.
#include <map>
#include <vector>

#include "tests/store/variable_store.h"

namespace faster {
namespace {

using testing::Kind;

std::string Text(size_t bytes, uint64_t seed) {
  std::string text(bytes, ' ');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + (seed + i * 7 + (i >> 3)) % 26);
  return text;
}

constexpr size_t kLengths[] = {0, 1, 7, 8, 9, 15, 16, 17, 63, 64, 65};

TEST(Variable, EveryLengthComesBack) {
  VariableStore store;
  auto session = store.kv().StartSession();
  for (const size_t key : kLengths) {
    for (const size_t value : kLengths) {
      const std::string name = Text(key, 1);
      ASSERT_EQ(VariableStore::Upsert(*session, name, Text(value, key)), Status::kOk);
      EXPECT_EQ(VariableStore::Read(*session, name), Text(value, key)) << key << " " << value;
    }
  }
  for (const size_t key : kLengths) EXPECT_EQ(VariableStore::Read(*session, Text(key, 1)), Text(65, key));
  EXPECT_EQ(VariableStore::Read(*session, Text(66, 1)), std::nullopt);
  EXPECT_EQ(store.kv().CheckInvariants(), "");
}

TEST(Variable, KeysThatBeginAlikeAreDifferent) {
  VariableStore store;
  auto session = store.kv().StartSession();
  const std::string long_key = Text(40, 3);
  for (size_t bytes = 0; bytes <= long_key.size(); ++bytes) {
    const std::string key = long_key.substr(0, bytes);
    EXPECT_EQ(VariableStore::Read(*session, key), std::nullopt) << bytes;
    ASSERT_EQ(VariableStore::Upsert(*session, key, Text(bytes, bytes)), Status::kOk);
  }
  // Zeros are bytes like others, and not padding.
  const std::string zeros(17, '\0');
  for (size_t bytes = 1; bytes <= zeros.size(); ++bytes)
    ASSERT_EQ(VariableStore::Upsert(*session, zeros.substr(0, bytes), Text(bytes, 50)), Status::kOk);
  for (size_t bytes = 0; bytes <= long_key.size(); ++bytes)
    EXPECT_EQ(VariableStore::Read(*session, long_key.substr(0, bytes)), Text(bytes, bytes));
  for (size_t bytes = 1; bytes <= zeros.size(); ++bytes)
    EXPECT_EQ(VariableStore::Read(*session, zeros.substr(0, bytes)), Text(bytes, 50));
}

struct Layouts {
  uint32_t page_bits;
  uint32_t block_bytes;
};

class Limits : public ::testing::TestWithParam<Layouts> {};

// A record may fill a block, and a block may be a page; one byte more, in the key or in the value, is refused
// by every operation, which has a serial and no effect.
TEST_P(Limits, ExactlyFittingAndOneTooMany) {
  StoreConfig config = VariableStore::TinyConfig();
  config.page_bits = GetParam().page_bits;
  config.block_bytes = GetParam().block_bytes;
  VariableStore store(config);
  auto session = store.kv().StartSession();
  const size_t most = VariableStore::MostBytes(config, 5);
  const std::string full = Text(most, 1), over = Text(most + 1, 2);
  for (int round = 0; round < 40; ++round) {
    const std::string key = "key" + std::to_string(10 + round);
    EXPECT_EQ(VariableStore::Upsert(*session, key, over), Status::kTooLarge);
    EXPECT_EQ(VariableStore::Read(*session, key), std::nullopt);
    EXPECT_EQ(VariableStore::Rmw(*session, key, over), Status::kTooLarge);
    EXPECT_EQ(session->InsertIfAbsent(key, over), Status::kTooLarge);
    EXPECT_EQ(VariableStore::Upsert(*session, key, full), Status::kOk);
    EXPECT_EQ(VariableStore::Rmw(*session, key, "x"), Status::kTooLarge);
    EXPECT_EQ(VariableStore::Upsert(*session, key, over), Status::kTooLarge);
    EXPECT_EQ(VariableStore::Read(*session, key), full);
  }
  EXPECT_EQ(session->serial(), 40u * 8);
  for (int round = 0; round < 40; ++round)  // most of them are on disk
    EXPECT_EQ(VariableStore::Read(*session, "key" + std::to_string(10 + round)), full);
  EXPECT_EQ(VariableStore::Rmw(*session, "key10", "x"), Status::kTooLarge);
  EXPECT_EQ(VariableStore::Rmw(*session, "key10", "=y"), Status::kOk);
  EXPECT_EQ(VariableStore::Read(*session, "key10"), "y");

  const std::string longest = Text(VariableStore::MostBytes(config, 0), 3);
  EXPECT_EQ(VariableStore::Upsert(*session, longest, ""), Status::kOk);
  EXPECT_EQ(VariableStore::Read(*session, longest), "");
  EXPECT_EQ(VariableStore::Upsert(*session, longest, "x"), Status::kTooLarge);
  const std::string beyond = longest + "x";
  EXPECT_EQ(VariableStore::Upsert(*session, beyond, ""), Status::kTooLarge);
  EXPECT_EQ(VariableStore::Rmw(*session, beyond, "x"), Status::kTooLarge);
  EXPECT_EQ(VariableStore::Read(*session, beyond), std::nullopt);
  EXPECT_EQ(VariableStore::Delete(*session, beyond), Status::kNotFound);
  EXPECT_EQ(store.kv().CheckInvariants(), "");
  EXPECT_EQ(StatusName(Status::kTooLarge), "too large");
}
INSTANTIATE_TEST_SUITE_P(Blocks, Limits,
                         ::testing::Values(Layouts{9, 64}, Layouts{9, 256}, Layouts{9, 512},
                                           Layouts{12, 4096}));

// What was written once does not move as long as it fits where it is.
TEST(Variable, GrowsAndShrinksInPlaceWithinItsRoom) {
  VariableStore store;
  auto session = store.kv().StartSession();
  ASSERT_EQ(session->Upsert("key", Text(40, 1)), Status::kOk);
  const LogAddress tail = store.kv().log().tail();
  for (const size_t bytes : {0, 1, 39, 8, 40, 33, 7, 40}) {
    ASSERT_EQ(session->Upsert("key", Text(bytes, bytes)), Status::kOk);
    EXPECT_EQ(VariableStore::Read(*session, "key"), Text(bytes, bytes));
    ASSERT_EQ(session->Rmw("key", "=" + Text(bytes / 2, 9)), Status::kOk);
    EXPECT_EQ(VariableStore::Read(*session, "key"), Text(bytes / 2, 9));
  }
  EXPECT_EQ(store.kv().log().tail(), tail);
  // The room is whole words: one byte more takes a new record, as large as what it holds.
  ASSERT_EQ(session->Upsert("key", Text(41, 2)), Status::kOk);
  EXPECT_EQ(store.kv().log().tail(), tail + VariableRecord::BytesFor(3, 41));
  ASSERT_EQ(session->Rmw("key", "12345678"), Status::kOk);
  EXPECT_EQ(VariableStore::Read(*session, "key"), Text(41, 2) + "12345678");
  size_t records = 0, bytes = 0;
  ASSERT_EQ(store.kv().ScanLog([&](LogAddress, std::string_view key, std::string_view value, bool) {
    ++records;
    bytes += value.size();
    EXPECT_EQ(key, "key");
  }),
            Status::kOk);
  EXPECT_EQ(records, 3u);
  EXPECT_EQ(bytes, 20u + 41 + 49);  // scans go by the room of a record, not by the length of its value
  EXPECT_EQ(store.kv().CheckInvariants(), "");
}

TEST(Variable, AFunctionMayDeclineToUpdateInPlace) {
  struct Declines : TextFunctions {
    bool InPlace(std::string_view old, const Input& input) const { return input != "=n"; }
  };
  VariableStoreOf<Declines> store;
  auto session = store.kv().StartSession();
  ASSERT_EQ(session->Upsert("key", "12345"), Status::kOk);
  LogAddress tail = store.kv().log().tail();
  ASSERT_EQ(session->Rmw("key", "=y"), Status::kOk);
  EXPECT_EQ(store.kv().log().tail(), tail);
  ASSERT_EQ(session->Rmw("key", "=n"), Status::kOk);
  EXPECT_GT(store.kv().log().tail(), tail);
  EXPECT_EQ(store.Read(*session, "key"), "n");
}

TEST(Variable, InsertDeleteAndBatches) {
  VariableStore store;
  auto session = store.kv().StartSession();
  ByteBuffer there;
  EXPECT_EQ(session->InsertIfAbsent("a", "first"), Status::kOk);
  EXPECT_EQ(session->InsertIfAbsent("a", "second", &there), Status::kExists);
  EXPECT_EQ(there.Value(), "first");
  EXPECT_EQ(session->Delete("a"), Status::kOk);
  EXPECT_EQ(session->Delete("a"), Status::kNotFound);
  EXPECT_EQ(session->InsertIfAbsent("a", "third"), Status::kOk);

  std::vector<std::string> keys, values;
  for (size_t i = 0; i < 100; ++i)
    keys.push_back(Text(i % 23, i) + std::to_string(i)), values.push_back(Text(i, i));
  const std::vector<std::string_view> key_views(keys.begin(), keys.end()),
      value_views(values.begin(), values.end());
  std::vector<Status> statuses(100);
  std::vector<ByteBuffer> out(100);
  const auto settle = [&](bool reads) {
    session->CompletePending(true, [&](const VariableStore::Op& op) {
      const size_t i = reinterpret_cast<size_t>(op.user);
      statuses[i] = op.result;
      if (reads) out[i].Assign(op.value);
    });
  };
  std::vector<void*> users(100);
  for (size_t i = 0; i < 100; ++i) users[i] = reinterpret_cast<void*>(i);
  session->UpsertBatch(100, key_views.data(), value_views.data(), statuses.data(), users.data());
  settle(false);
  const std::vector<std::string> inputs(100, "+tail");
  session->RmwBatch(100, key_views.data(), inputs.data(), out.data(), statuses.data(), users.data());
  settle(true);
  for (size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(statuses[i], Status::kOk);
    EXPECT_EQ(out[i].Value(), values[i] + "+tail");
  }
  EXPECT_GT(store.kv().log().head(), 8u);
  session->ReadBatch(100, key_views.data(), out.data(), statuses.data(), users.data());
  settle(true);
  for (size_t i = 0; i < 100; ++i) EXPECT_EQ(out[i].Value(), values[i] + "+tail") << i;
}

TEST(Variable, KeepsEverythingWhenTheLogOutgrowsMemory) {
  for (const uint64_t cache : {0, 4096}) {
    StoreConfig config = VariableStore::TinyConfig();
    config.read_cache_bytes = cache;
    config.copy_reads_to_tail = cache == 0;
    VariableStore store(config);
    std::map<std::string, std::string> model;
    auto session = store.kv().StartSession();
    for (uint64_t i = 0; i < 4000; ++i) {
      const std::string key = Text(i * 7919 % 31, 0) + std::to_string(i * 7919 % 97);
      if (i % 3 == 0) {
        ASSERT_EQ(VariableStore::Rmw(*session, key, model[key].size() > 60 ? "=" : Text(i % 9, i)),
                  Status::kOk);
        model[key] = model[key].size() > 60 ? "" : model[key] + Text(i % 9, i);
      } else if (i % 3 == 1) {
        const auto value = VariableStore::Read(*session, key);
        EXPECT_EQ(value, model.count(key) != 0 ? std::optional(model[key]) : std::nullopt) << key;
      } else {
        model[key] = Text(i % 120, i);
        ASSERT_EQ(VariableStore::Upsert(*session, key, model[key]), Status::kOk);
      }
    }
    EXPECT_GT(store.kv().log().head(), store.kv().log().begin() + 4096);
    for (const auto& [key, value] : model) EXPECT_EQ(VariableStore::Read(*session, key), value) << key;
    EXPECT_EQ(store.kv().CheckInvariants(), "");
  }
}

TEST(Variable, CompactionIterationAndScanFindEveryKey) {
  for (const CompactionKind kind : {CompactionKind::kScan, CompactionKind::kLookup}) {
    VariableStore store;
    std::map<std::string, std::string> model;
    auto session = store.kv().StartSession();
    for (uint64_t i = 0; i < 600; ++i) {
      const std::string key = Text(i % 37, i % 11) + std::to_string(i % 150);
      model[key] = Text(i % 90, i);
      ASSERT_EQ(VariableStore::Upsert(*session, key, model[key]), Status::kOk);
      if (i % 7 == 0) {
        ASSERT_EQ(VariableStore::Delete(*session, key), Status::kOk);
        model.erase(key);
      }
    }
    const LogAddress head = store.kv().log().head();
    ASSERT_EQ(store.kv().Compact(head, kind), Status::kOk);
    EXPECT_GT(store.kv().log().begin(), head - 512);
    for (const auto& [key, value] : model) EXPECT_EQ(VariableStore::Read(*session, key), value) << key;
    std::map<std::string, std::string> found;
    const auto iterator = store.kv().Iterate();
    ByteBuffer key, value;
    Status status;
    while ((status = iterator->Next(&key, &value)) == Status::kOk)
      EXPECT_TRUE(found.emplace(key.Value(), value.Value()).second) << key.Value();
    EXPECT_EQ(status, Status::kNotFound);
    EXPECT_EQ(found, model);
    EXPECT_EQ(store.kv().CheckInvariants(), "");
  }
}

}  // namespace
}  // namespace faster
