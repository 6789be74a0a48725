// Stores of variable length come back from every kind of checkpoint; lengths on disk are not believed; a
// store of another layout is refused by name.
#include <map>

#include "faster/core/checksum.h"
#include "tests/store/variable_store.h"

namespace faster {
namespace {

using testing::Kind;

std::string Text(size_t bytes, uint64_t seed) {
  std::string text(bytes, ' ');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + (seed + i * 11 + (i >> 2)) % 26);
  return text;
}

using Model = std::map<std::string, std::string>;

// Some of everything: values that grow and shrink in place and out of it, deletes.
void Work(VariableStore& store, VariableStore::SessionType& session, uint64_t seed, Model* model) {
  for (uint64_t i = 0; i < 120; ++i) {
    const uint64_t draw = (seed * 1000 + i) * 0x9e3779b97f4a7c15ull >> 33;
    const std::string key = Text(draw % 19, draw % 3) + std::to_string(draw % 50);
    if (draw % 5 == 0) {
      ASSERT_NE(VariableStore::Delete(session, key), Status::kIoError);
      model->erase(key);
    } else if (draw % 5 < 3) {
      (*model)[key] = Text(draw % 131, i);
      ASSERT_EQ(VariableStore::Upsert(session, key, (*model)[key]), Status::kOk);
    } else {
      const std::string more = Text(draw % 13, i);
      const bool sets = (*model)[key].size() > 100;
      ASSERT_EQ(VariableStore::Rmw(session, key, sets ? "=" + more : more), Status::kOk);
      (*model)[key] = sets ? more : (*model)[key] + more;
    }
  }
}

void Expect(VariableStore& store, const Model& model) {
  auto session = store.kv().StartSession();
  for (uint64_t i = 0; i < 57; ++i) {
    for (uint64_t prefix = 0; prefix < 3; ++prefix) {
      for (const size_t bytes : {0u, 5u, 18u}) {
        const std::string key = Text(bytes, prefix) + std::to_string(i);
        const auto found = model.find(key);
        EXPECT_EQ(VariableStore::Read(*session, key),
                  found == model.end() ? std::nullopt : std::optional(found->second))
            << key;
      }
    }
  }
  for (const auto& [key, value] : model) EXPECT_EQ(VariableStore::Read(*session, key), value) << key;
  EXPECT_EQ(store.kv().CheckInvariants(), "");
}

struct Case {
  Kind kind;
  uint32_t block_bytes;
  uint32_t threads;
};

class VariableRecovery : public ::testing::TestWithParam<Case> {};

TEST_P(VariableRecovery, BringsBackEveryLength) {
  StoreConfig config = VariableStore::TinyConfig();
  config.block_bytes = GetParam().block_bytes;
  config.recovery_threads = GetParam().threads;
  config.buffer_pages = GetParam().kind.kind == CheckpointKind::kIncremental ? 32 : 8;
  config.mutable_pages = config.buffer_pages / 2;
  VariableStore store(config);
  Model model;
  for (uint64_t round = 0; round < 6; ++round) {
    auto session = store.kv().StartSession();
    Work(store, *session, round, &model);
    session.reset();
    ASSERT_EQ(store.Checkpoint(GetParam().kind), Status::kOk);
    if (round == 3) {
      ASSERT_EQ(store.kv().GrowIndex(), Status::kOk);
    }
    while (!store.kv().Poll()) std::this_thread::yield();
    Model lost = model;
    session = store.kv().StartSession();
    Work(store, *session, round + 100, &lost);  // of no checkpoint
    session.reset();
    store.Recover();
    Expect(store, model);
  }
}
INSTANTIATE_TEST_SUITE_P(
    Kinds, VariableRecovery,
    ::testing::Values(Case{{CheckpointKind::kFull, LogBackend::kFoldOver}, 256, 1},
                      Case{{CheckpointKind::kFull, LogBackend::kSnapshot}, 256, 3},
                      Case{{CheckpointKind::kLogOnly, LogBackend::kFoldOver}, 512, 3},
                      Case{{CheckpointKind::kLogOnly, LogBackend::kSnapshot}, 256, 1},
                      Case{{CheckpointKind::kIncremental, LogBackend::kSnapshot}, 256, 1},
                      Case{{CheckpointKind::kIncremental, LogBackend::kSnapshot}, 512, 2}));

// Writes words into a record on disk and seals its block again, as if the engine had written it like this.
void Spoil(VariableStore& store, LogAddress address, size_t word, uint64_t value) {
  const StoreConfig& config = store.next_config();
  const LogAddress block = address & ~LogAddress{config.block_bytes - 1};
  const uint64_t segment_bytes = config.page_bytes() * config.segment_pages;
  std::unique_ptr<File> file;
  ASSERT_EQ(store.storage().Open("log." + std::to_string(block / segment_bytes), OpenMode::kReadWrite, &file),
            Status::kOk);
  std::vector<uint64_t> bytes(config.block_bytes / 8);
  ASSERT_EQ(ReadAll(*file, block % segment_bytes, bytes.data(), config.block_bytes), Status::kOk);
  bytes[(address - block) / 8 + word] = value;
  bytes[0] = BlockChecksum(bytes.data(), config.block_bytes, block, store.kv().log().generation());
  ASSERT_EQ(WriteAll(*file, block % segment_bytes, bytes.data(), config.block_bytes), Status::kOk);
}

// A key with 40 bytes of value in the first block, pushed out of memory.
std::unique_ptr<VariableStore::SessionType> OneOnDisk(VariableStore& store) {
  auto session = store.kv().StartSession();
  EXPECT_EQ(VariableStore::Upsert(*session, "key", Text(40, 1)), Status::kOk);
  for (int i = 0; i < 200; ++i)
    EXPECT_EQ(VariableStore::Upsert(*session, "filler" + std::to_string(i), Text(60, 1)), Status::kOk);
  EXPECT_GT(store.kv().log().head(), 512u);
  return session;
}

constexpr uint64_t kShape = uint64_t{5} << 32 | 3;

TEST(VariableCorruption, LengthsFromDiskAreNotBelieved) {
  struct Bad {
    size_t word;
    uint64_t value;
  };
  const Bad bad[] = {{2, uint64_t{0xffffffff} << 32 | 3},  // room beyond everything
                     {2, uint64_t{30} << 32 | 3},          // room beyond the block
                     {2, uint64_t{5} << 32 | 0xffffffff},  // a key beyond everything
                     {2, uint64_t{5} << 32 | 250},         // a key beyond the block
                     {1, 41},                              // a value beyond its room
                     {1, 0xffffffff}};
  for (const Bad& spoiled : bad) {
    VariableStore store;
    auto session = OneOnDisk(store);
    EXPECT_EQ(VariableStore::Read(*session, "key"), Text(40, 1));
    ASSERT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kFoldOver}), Status::kOk);
    Spoil(store, 8, spoiled.word, spoiled.value);
    ByteBuffer value;
    EXPECT_EQ(VariableStore::Wait(*session, session->Read("key", &value)), Status::kCorruption);
    EXPECT_EQ(VariableStore::Rmw(*session, "key", "x"), Status::kCorruption);
    EXPECT_EQ(store.kv().Compact(store.kv().log().head(), CompactionKind::kScan), Status::kCorruption);
    const auto iterator = store.kv().Iterate();
    ByteBuffer key;
    EXPECT_EQ(iterator->Next(&key, &value), Status::kCorruption);
    session.reset();
    EXPECT_EQ(store.kv().ScanLog([](LogAddress, std::string_view, std::string_view, bool) {}),
              Status::kCorruption);
  }
}

TEST(VariableCorruption, ARecoveryThatWalksOverThemSaysWhere) {
  VariableStore store;
  OneOnDisk(store).reset();
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kLogOnly, LogBackend::kFoldOver}), Status::kOk);
  Spoil(store, 8, 2, uint64_t{30} << 32 | 3);
  Diagnosis why;
  EXPECT_EQ(store.TryRecover(&why), Status::kCorruption);
  EXPECT_EQ(why.file, "log.0");
  EXPECT_EQ(why.offset, 0u);
  EXPECT_NE(why.Text().find("expected a log block of records that end in it"), std::string::npos)
      << why.Text();
}

// What comes into memory is looked at, replayed or not.
TEST(VariableCorruption, PagesInMemoryAreWalkedToo) {
  VariableStore store;
  auto session = store.kv().StartSession();
  ASSERT_EQ(VariableStore::Upsert(*session, "key", Text(40, 1)), Status::kOk);
  session.reset();
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kFoldOver}), Status::kOk);
  Spoil(store, 8, 1, 48);
  Diagnosis why;
  EXPECT_EQ(store.TryRecover(&why), Status::kCorruption);
  EXPECT_EQ(why.file, "log.0");
}

TEST(VariableLayouts, AStoreOfTheOtherLayoutIsRefused) {
  Diagnosis why;
  {
    VariableStore store;
    auto session = store.kv().StartSession();
    ASSERT_EQ(session->Upsert("key", "value"), Status::kOk);
    session.reset();
    ASSERT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kFoldOver}), Status::kOk);
    store.Close();
    using Fixed = FasterKv<uint64_t, uint64_t, AddFunctions>;
    std::unique_ptr<Fixed> fixed;
    RecoveryResult result;
    EXPECT_EQ(
        Fixed::Recover(store.next_config(), &store.storage(), {}, nullptr, {}, {}, &fixed, &result, &why),
        Status::kInvalidArgument);
    EXPECT_NE(why.Text().find("log.meta"), std::string::npos) << why.Text();
    EXPECT_NE(why.Text().find("record_layout fixed"), std::string::npos) << why.Text();
    EXPECT_EQ(why.found, "variable");
    store.Recover();
    session = store.kv().StartSession();
    EXPECT_EQ(VariableStore::Read(*session, "key"), "value");
  }
  TestStore store;
  auto session = store.kv().StartSession();
  ASSERT_EQ(session->Upsert(1, 2), Status::kOk);
  session.reset();
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kFoldOver}), Status::kOk);
  store.Close();
  std::unique_ptr<VariableStore::Kv> variable;
  RecoveryResult result;
  EXPECT_EQ(VariableStore::Kv::Recover(store.config(), &store.storage(), {}, nullptr, {}, {}, &variable,
                                       &result, &why),
            Status::kInvalidArgument);
  EXPECT_EQ(why.found, "fixed");
}

}  // namespace
}  // namespace faster
