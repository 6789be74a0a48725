// A hot and a cold store as one: operations over both, migrations, checkpoints of the pair, what must be
// refused.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>

#include "tests/store/tiny_pair.h"

namespace faster {
namespace {

using Kv = F2Kv<uint64_t, uint64_t, AddFunctions, 4>;
using SessionType = Kv::SessionType;

struct Observer : CheckpointObserver {
  void OnDurable(const Token& ended, CheckpointKind, Status result, uint64_t,
                 const std::vector<SessionCommit>&) override {
    status = result;
    token = ended;
  }
  Token token;
  Status status = Status::kPending;
};

class F2 : public ::testing::Test {
 protected:
  void Create() {
    Diagnosis why;
    ASSERT_EQ(Kv::Create(config_, &storage_, {}, &observer_, &kv_, &why), Status::kOk) << why.Text();
  }
  Status TryRecover(std::optional<Token> token = {}) {
    kv_.reset();
    ++config_.hot.seed;
    return Kv::Recover(config_, &storage_, {}, &observer_, token, &kv_, &recovered_, &why_);
  }
  void Recover(std::optional<Token> token = {}) { ASSERT_EQ(TryRecover(token), Status::kOk) << why_.Text(); }
  Status Checkpoint(CheckpointKind kind = CheckpointKind::kLogOnly,
                    LogBackend backend = LogBackend::kFoldOver) {
    Token token;
    const Status started = kv_->Checkpoint(kind, backend, &token);
    if (started != Status::kOk) return started;
    observer_.status = Status::kPending;
    while (!kv_->Poll()) std::this_thread::yield();
    return observer_.status;
  }
  template <class Issue>
  Status Do(SessionType& session, Issue&& issue, uint64_t* value = nullptr) {
    Status status = issue();
    if (status != Status::kPending) return status;
    session.CompletePending(true, [&](const SessionType::Op& op) {
      status = op.result;
      if (value != nullptr) *value = op.value.Value();
    });
    return status;
  }
  std::optional<uint64_t> Read(SessionType& session, uint64_t key) {
    uint64_t value = 0;
    const Status status = Do(
        session, [&] { return session.Read(key, &value); }, &value);
    EXPECT_TRUE(status == Status::kOk || status == Status::kNotFound) << StatusName(status);
    return status == Status::kOk ? std::optional(value) : std::nullopt;
  }
  // Keys first .. first + count - 1, many at a time; what is there.
  std::map<uint64_t, uint64_t> ReadMany(SessionType& session, uint64_t first, uint64_t count) {
    std::map<uint64_t, uint64_t> found;
    const auto finished = [&](const SessionType::Op& op) {
      EXPECT_TRUE(op.result == Status::kOk || op.result == Status::kNotFound) << StatusName(op.result);
      if (op.result == Status::kOk) found[op.key.Value()] = op.value.Value();
    };
    for (uint64_t key = first; key < first + count; ++key) {
      uint64_t value = 0;
      if (session.Read(key, &value) == Status::kOk) found[key] = value;
      if (key % 64 == 63) session.CompletePending(true, finished);
    }
    session.CompletePending(true, finished);
    return found;
  }
  void Rmw(SessionType& session, uint64_t key, uint64_t input) {
    EXPECT_EQ(Do(session, [&] { return session.Rmw(key, input); }), Status::kOk);
  }
  void Upsert(SessionType& session, uint64_t key, uint64_t value) {
    EXPECT_EQ(Do(session, [&] { return session.Upsert(key, value); }), Status::kOk);
  }
  void Delete(SessionType& session, uint64_t key) {
    const Status status = Do(session, [&] { return session.Delete(key); });
    EXPECT_TRUE(status == Status::kOk || status == Status::kNotFound) << StatusName(status);
  }
  Status Insert(SessionType& session, uint64_t key, uint64_t value, uint64_t* existing) {
    return Do(
        session, [&] { return session.InsertIfAbsent(key, value, existing); }, existing);
  }
  // All that is on disk of the hot log, or of the cold one.
  MigrationProgress Migrate(MigrationKind kind = MigrationKind::kHotCold) {
    MigrationProgress progress;
    EXPECT_EQ(kv_->Migrate(kind, ~uint64_t{0}, &progress), Status::kOk);
    return progress;
  }
  void Fill(SessionType& session, uint64_t first, uint64_t count) {
    for (uint64_t key = first; key < first + count; ++key) Upsert(session, key, key * 10 + 1);
  }
  std::map<uint64_t, uint64_t> Scanned() {
    std::map<uint64_t, uint64_t> live;
    EXPECT_EQ(kv_->ScanLog([&](uint64_t key, uint64_t value, bool tombstone) {
      if (tombstone)
        live.erase(key);
      else
        live[key] = value;
    }),
              Status::kOk);
    return live;
  }
  std::map<uint64_t, uint64_t> Iterated() {
    std::map<uint64_t, uint64_t> live;
    const auto iterator = kv_->Iterate();
    uint64_t key, value;
    Status status;
    while ((status = iterator->Next(&key, &value)) == Status::kOk)
      EXPECT_TRUE(live.emplace(key, value).second);
    EXPECT_EQ(status, Status::kNotFound);
    return live;
  }

  MemoryStorage storage_;
  Observer observer_;
  F2Config config_ = TinyPairConfig();
  Diagnosis why_;
  RecoveryResult recovered_;
  std::unique_ptr<Kv> kv_;
};

TEST_F(F2, OperationsGoOverBothStores) {
  Create();
  auto session = kv_->StartSession();
  Fill(*session, 0, 400);
  const MigrationProgress progress = Migrate();
  EXPECT_GT(progress.moved, 200u);
  EXPECT_EQ(kv_->hot().log().begin(), progress.until);
  EXPECT_GT(kv_->cold_log().head(), 512u);  // more than its memory
  std::map<uint64_t, uint64_t> model;
  for (uint64_t key = 0; key < 400; ++key) model[key] = key * 10 + 1;
  EXPECT_EQ(ReadMany(*session, 0, 500), model);
  EXPECT_EQ(Read(*session, 1000), std::nullopt);

  Rmw(*session, 3, 5);  // from the cold store
  EXPECT_EQ(Read(*session, 3), 36u);
  uint64_t existing = 0;
  EXPECT_EQ(Insert(*session, 4, 7, &existing), Status::kExists);
  EXPECT_EQ(existing, 41u);
  EXPECT_EQ(Insert(*session, 1000, 7, &existing), Status::kOk);
  EXPECT_EQ(Read(*session, 1000), 7u);
  Upsert(*session, 5, 8);
  EXPECT_EQ(Read(*session, 5), 8u);
  Delete(*session, 6);
  EXPECT_EQ(Read(*session, 6), std::nullopt);
  Rmw(*session, 6, 2);  // not on what the cold store still has
  EXPECT_EQ(Read(*session, 6), 2u);
}

TEST_F(F2, TombstonesHideWhatIsColdUntilItIsGone) {
  Create();
  auto session = kv_->StartSession();
  Fill(*session, 0, 300);
  Migrate();
  for (uint64_t key = 0; key < 100; key += 2) Delete(*session, key);
  Delete(*session, 5000);  // was never there
  Fill(*session, 1000, 200);
  MigrationProgress progress = Migrate();  // the tombstones, too
  EXPECT_GT(progress.tombstones + progress.moved, 100u);
  std::map<uint64_t, uint64_t> model;
  for (uint64_t key = 0; key < 300; ++key) {
    if (key >= 100 || key % 2 == 1) model[key] = key * 10 + 1;
  }
  EXPECT_EQ(ReadMany(*session, 0, 300), model);
  const LogAddress before = kv_->cold_log().tail() - kv_->cold_log().begin();
  progress = Migrate(MigrationKind::kColdCold);
  EXPECT_GT(progress.superseded, 40u);
  EXPECT_GT(progress.tombstones, 20u);
  for (int i = 0; i < 3; ++i) Migrate(MigrationKind::kColdCold);
  EXPECT_LT(kv_->cold_log().tail() - kv_->cold_log().begin(), before);
  EXPECT_EQ(ReadMany(*session, 0, 300), model);
  EXPECT_EQ(Scanned(), Iterated());
}

TEST_F(F2, IterationFindsEveryKeyOnce) {
  Create();
  auto session = kv_->StartSession();
  Fill(*session, 0, 300);
  Migrate();
  std::map<uint64_t, uint64_t> model;
  for (uint64_t key = 0; key < 300; ++key) model[key] = key * 10 + 1;
  for (uint64_t key = 0; key < 300; key += 3) Rmw(*session, key, 1), model[key] += 1;
  for (uint64_t key = 1; key < 300; key += 7) Delete(*session, key), model.erase(key);
  EXPECT_EQ(Iterated(), model);
  EXPECT_EQ(Scanned(), model);
  Migrate();
  Migrate(MigrationKind::kColdCold);
  EXPECT_EQ(Iterated(), model);
  EXPECT_EQ(Scanned(), model);
  EXPECT_EQ(kv_->CheckInvariants(), "");
}

TEST_F(F2, MovesInBoundedStepsBesideOperations) {
  Create();
  auto session = kv_->StartSession();
  Fill(*session, 0, 400);
  auto migration = kv_->StartMigration(MigrationKind::kHotCold, ~uint64_t{0});
  ASSERT_NE(migration, nullptr);
  EXPECT_EQ(kv_->StartMigration(MigrationKind::kHotCold, ~uint64_t{0}), nullptr);  // one at a time
  EXPECT_NE(kv_->StartMigration(MigrationKind::kColdCold, ~uint64_t{0}), nullptr);
  uint64_t steps = 0, key = 0;
  for (; migration->Step() == Status::kPending; ++steps) {
    Rmw(*session, key, 1);
    ASSERT_EQ(Read(*session, key), key * 10 + 2);
    key = (key + 1) % 400;
    if (steps % 5 == 4) Delete(*session, 399 - key / 2);
    ASSERT_LT(steps, 100000u);
  }
  EXPECT_GT(steps, 5u);
  migration.reset();
  EXPECT_NE(kv_->StartMigration(MigrationKind::kHotCold, 0), nullptr);
  EXPECT_EQ(Scanned(), Iterated());
}

class F2Pairs : public F2, public ::testing::WithParamInterface<testing::Kind> {
 protected:
  Status Pair() { return Checkpoint(GetParam().kind, GetParam().backend); }
};

TEST_P(F2Pairs, ComeBackAsTheyWereCommitted) {
  Create();
  auto session = kv_->StartSession();
  const Guid id = session->id();
  Fill(*session, 0, 300);
  Migrate();
  Rmw(*session, 0, 1);
  Delete(*session, 1);
  ASSERT_EQ(Pair(), Status::kOk);
  const Token first = observer_.token;
  const auto at_first = Scanned();
  const uint64_t serial = session->serial();
  Fill(*session, 1000, 200);
  Migrate();
  Migrate(MigrationKind::kColdCold);
  Rmw(*session, 0, 1);
  Delete(*session, 2);
  ASSERT_EQ(Pair(), Status::kOk);
  const Token second = observer_.token;
  const auto at_second = Scanned();
  Fill(*session, 2000, 200);  // lost
  Migrate();
  session.reset();

  Recover();
  EXPECT_EQ(recovered_.log_token, second);
  EXPECT_EQ(Scanned(), at_second);
  EXPECT_EQ(Iterated(), at_second);
  session = kv_->StartSession();
  EXPECT_EQ(ReadMany(*session, 0, 2300), at_second);
  session.reset();

  Recover(first);
  EXPECT_EQ(Scanned(), at_first);
  session = kv_->ContinueSession(id);
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->serial(), serial);
  EXPECT_EQ(ReadMany(*session, 0, 2300), at_first);
  Fill(*session, 3000, 200);  // over what was abandoned
  Migrate();
  Migrate(MigrationKind::kColdCold);
  const auto later = Scanned();
  ASSERT_EQ(Pair(), Status::kOk);
  session.reset();
  Recover();
  EXPECT_EQ(Scanned(), later);
  EXPECT_EQ(TryRecover(second), Status::kNotFound);  // abandoned
}

INSTANTIATE_TEST_SUITE_P(Kinds, F2Pairs,
                         ::testing::Values(testing::Kind{CheckpointKind::kFull, LogBackend::kFoldOver},
                                           testing::Kind{CheckpointKind::kFull, LogBackend::kSnapshot},
                                           testing::Kind{CheckpointKind::kLogOnly, LogBackend::kFoldOver},
                                           testing::Kind{CheckpointKind::kLogOnly, LogBackend::kSnapshot},
                                           testing::Kind{CheckpointKind::kIncremental,
                                                         LogBackend::kSnapshot}));

TEST_F(F2, RetentionRemovesWhatNoPairNeeds) {
  Create();
  auto session = kv_->StartSession();
  std::vector<Token> tokens;
  std::vector<std::map<uint64_t, uint64_t>> states;
  for (uint64_t round = 0; round < 6; ++round) {
    for (uint64_t key = 0; key < 200; ++key) Upsert(*session, key, round * 1000 + key);
    Migrate();
    Migrate(MigrationKind::kColdCold);
    ASSERT_EQ(Checkpoint(round % 2 == 0 ? CheckpointKind::kFull : CheckpointKind::kLogOnly), Status::kOk);
    tokens.push_back(observer_.token);
    states.push_back(Scanned());
  }
  const auto names = [&](const char* directory) {
    std::vector<std::string> found;
    EXPECT_EQ(storage_.List(directory, &found), Status::kOk);
    return std::set<std::string>(found.begin(), found.end());
  };
  const size_t cold_before = names("cold").size(), index_before = names("cold-index").size();
  RetentionReport report;
  ASSERT_EQ(kv_->Retain(2, &report, &why_), Status::kOk) << why_.Text();
  EXPECT_EQ(report.checkpoints, 4u);
  EXPECT_LT(names("cold").size(), cold_before);
  EXPECT_LT(names("cold-index").size(), index_before);
  EXPECT_FALSE(names("cold").contains("log.0"));
  session.reset();
  Recover(tokens[4]);
  EXPECT_EQ(Scanned(), states[4]);
  EXPECT_EQ(TryRecover(tokens[3]), Status::kNotFound);
}

TEST_F(F2, MigratesByItselfOnASize) {
  config_.migrate_at_bytes = config_.compact_cold_at_bytes = 8192;
  Create();
  auto session = kv_->StartSession();
  for (uint64_t i = 0; i < 6000; ++i) {
    Upsert(*session, i % 150, i);
    if (i % 16 == 0) static_cast<void>(kv_->Poll());
  }
  for (int i = 0; i < 1000 && kv_->hot().log().tail() - kv_->hot().log().begin() > 3 * 8192; ++i) {
    static_cast<void>(kv_->Poll());
    while (kv_->UpkeepRuns()) std::this_thread::yield();
  }
  EXPECT_LT(kv_->hot().log().tail() - kv_->hot().log().begin(), 3 * 8192u);
  EXPECT_GT(kv_->hot().log().begin(), 8192u);
  std::map<uint64_t, uint64_t> model;
  for (uint64_t key = 0; key < 150; ++key) model[key] = 5850 + key;
  EXPECT_EQ(ReadMany(*session, 0, 150), model);
}

TEST_F(F2, DamageOfTheColdHalfIsNamedAndNothingIsModified) {
  Create();
  auto session = kv_->StartSession();
  Fill(*session, 0, 300);
  Migrate();
  ASSERT_EQ(Checkpoint(), Status::kOk);
  const Token first = observer_.token;
  Fill(*session, 1000, 100);
  Migrate();
  ASSERT_EQ(Checkpoint(), Status::kOk);
  const Token second = observer_.token;
  const auto live = Scanned();
  session.reset();
  kv_.reset();
  const std::string path = CheckpointPath("", second, kPairMetaName);
  std::string text;
  ASSERT_EQ(ReadWholeFile(storage_, path, 1 << 20, &text, &why_), Status::kOk);
  const auto write = [&](const std::string& bytes) {
    ASSERT_EQ(WriteFileDurably(storage_, TokenDirectory("", second), kPairMetaName, bytes), Status::kOk);
  };
  std::string wrong = text;
  wrong[wrong.size() / 2] ^= 1;
  write(wrong);
  EXPECT_EQ(TryRecover(), Status::kCorruption);
  EXPECT_EQ(why_.file, path);
  ASSERT_EQ(storage_.Remove(path), Status::kOk);
  EXPECT_EQ(TryRecover(), Status::kCorruption);  // log.meta says that there is a pair
  EXPECT_EQ(why_.file, path);
  write(text);
  PairMetadata pair;
  ASSERT_EQ(ReadMetadata(storage_, "", second, &pair, &why_), Status::kOk);
  {  // a flipped bit in the last block of the cold log
    const uint64_t segment_bytes = config_.cold.log.page_bytes() * config_.cold.log.segment_pages;
    const LogAddress at = pair.final_address - 100;
    std::unique_ptr<File> file;
    ASSERT_EQ(storage_.Open(SegmentPath("cold", at / segment_bytes), OpenMode::kReadWrite, &file),
              Status::kOk);
    uint8_t byte;
    ASSERT_EQ(ReadFully(*file, at % segment_bytes, &byte, 1), Status::kOk);
    byte ^= 4;
    ASSERT_EQ(WriteFully(*file, at % segment_bytes, &byte, 1), Status::kOk);
    EXPECT_EQ(TryRecover(), Status::kCorruption);
    EXPECT_EQ(why_.file, SegmentPath("cold", at / segment_bytes));
    byte ^= 4;
    ASSERT_EQ(WriteFully(*file, at % segment_bytes, &byte, 1), Status::kOk);
  }
  const std::string index_path = CheckpointPath("cold-index", pair.index, kLogMetaName);
  ASSERT_EQ(ReadWholeFile(storage_, index_path, 1 << 20, &text, &why_), Status::kOk);
  ASSERT_EQ(storage_.Remove(index_path), Status::kOk);
  EXPECT_EQ(TryRecover(), Status::kCorruption);
  EXPECT_EQ(TryRecover(second), Status::kCorruption);
  ASSERT_EQ(WriteFileDurably(storage_, TokenDirectory("cold-index", pair.index), kLogMetaName, text),
            Status::kOk);
  Recover(second);  // none of that has changed anything
  EXPECT_EQ(Scanned(), live);
  Recover(first);
  EXPECT_EQ(TryRecover(second), Status::kNotFound);  // abandoned
}

TEST_F(F2, RefusesWhatCannotWork) {
  config_.hot.compact_at_bytes = 1 << 20;
  EXPECT_EQ(Kv::Create(config_, &storage_, {}, nullptr, &kv_, &why_), Status::kInvalidArgument);
  config_ = TinyPairConfig();
  config_.cold.log.block_bytes = 256;
  EXPECT_EQ(Kv::Create(config_, &storage_, {}, nullptr, &kv_, &why_), Status::kInvalidArgument);
  config_ = TinyPairConfig();
  config_.cold.index_chunks = 3;
  EXPECT_EQ(Kv::Create(config_, &storage_, {}, nullptr, &kv_, &why_), Status::kInvalidArgument);
  config_ = TinyPairConfig();
  EXPECT_EQ(TryRecover(), Status::kNotFound);
  Create();
  auto session = kv_->StartSession();
  Fill(*session, 0, 100);
  ASSERT_EQ(Checkpoint(), Status::kOk);
  session.reset();
  kv_.reset();
  EXPECT_EQ(Kv::Create(config_, &storage_, {}, nullptr, &kv_, &why_), Status::kExists);
  config_.cold.log.page_bits = 10;
  EXPECT_EQ(TryRecover(), Status::kInvalidArgument);
  EXPECT_NE(why_.expected.find("page_bits"), std::string::npos);
}

TEST_F(F2, AnIdleSessionWithAColdSearchDoesNotHoldACheckpointBack) {
  Create();
  auto session = kv_->StartSession();
  Fill(*session, 0, 300);
  Migrate();
  auto idle = kv_->StartSession();
  for (uint64_t key = 0; key < 20; ++key) EXPECT_EQ(idle->Rmw(key, 1), Status::kPending);
  const Guid id = idle->id();
  ASSERT_EQ(Checkpoint(), Status::kOk);
  uint64_t done = 0;
  idle->CompletePending(true, [&](const SessionType::Op& op) {
    EXPECT_EQ(op.result, Status::kOk);
    ++done;
  });
  EXPECT_EQ(done, 20u);
  session.reset();
  idle.reset();
  Recover();
  for (const SessionCommit& commit : recovered_.sessions) {
    if (commit.session != id) continue;
    EXPECT_EQ(commit.serial, 20u);
  }
  session = kv_->StartSession();
  for (uint64_t key = 0; key < 20; ++key) EXPECT_EQ(Read(*session, key), key * 10 + 2);
}

}  // namespace
}  // namespace faster
