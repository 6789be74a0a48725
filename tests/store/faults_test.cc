// Faults of the device during checkpoints, and recovery of files that somebody lost, cut, damaged or mixed
// up: reported by name, harmless, and nothing that is there is modified.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "tests/cpr/recording_storage.h"
#include "tests/cpr/samples.h"
#include "tests/store/test_store.h"

namespace faster {
namespace {

using testing::Kind;
using Store = TestStoreOn<RecordingStorage>;
using Model = std::map<uint64_t, uint64_t>;

void AddTo(Store& store, Store::SessionType& session, uint64_t first, uint64_t count, Model* model) {
  for (uint64_t i = first; i < first + count; ++i) {
    store.Rmw(session, i % 40, i);
    (*model)[i % 40] += i;
  }
}

void ExpectModel(Store& store, const Model& model, const std::string& what) {
  auto session = store.kv().StartSession();
  for (const auto& [key, value] : model) {
    ASSERT_EQ(store.Read(*session, key), value) << "key " << key << ", " << what;
  }
}

class FailedStep : public ::testing::TestWithParam<Kind> {};

// Fails step number `step` of a checkpoint, if it has so many. True if it had.
bool FailOne(Kind kind, Status failure, int step, bool again) {
  Store store;
  Model first, now;
  auto session = store.kv().StartSession();
  AddTo(store, *session, 0, 60, &first);
  EXPECT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kFoldOver}), Status::kOk);
  const Token good = store.last_token();
  now = first;
  AddTo(store, *session, 60, 50, &now);
  RecordingStorage& disk = store.storage();
  disk.calls.clear();
  disk.failure = failure;
  disk.fail_at = step;
  const Status status = store.Checkpoint(kind);
  disk.fail_at = -1;
  if (static_cast<int>(disk.calls.size()) <= step) return false;
  const std::string what = "step " + std::to_string(step) + ": " + disk.calls[step];
  if (disk.calls[step].starts_with("close")) return true;
  EXPECT_EQ(status, failure) << what;
  // The store goes on.
  Model later = now;
  AddTo(store, *session, 110, 70, &later);
  session.reset();
  ExpectModel(store, later, what);
  EXPECT_EQ(store.kv().CheckInvariants(), "");
  if (again) {
    EXPECT_EQ(store.Checkpoint(kind), Status::kOk) << what;
    if (kind.kind == CheckpointKind::kIndexOnly) later = first;
  }
  const RecoveryResult result = store.Recover();
  if (!again || kind.kind == CheckpointKind::kIndexOnly) {
    // Complete but for the last directory sync, the failed one may come back too.
    later = result.log_token == good ? first : now;
    EXPECT_TRUE(result.log_token == good || disk.calls[step].starts_with("syncdir")) << what;
  }
  ExpectModel(store, later, what + (again ? ", again" : ""));
  return true;
}

TEST_P(FailedStep, IsReportedAndHarmless) {
  for (const Status failure : {Status::kIoError, Status::kNoSpace}) {
    for (const bool again : {false, true}) {
      int step = 0;
      while (FailOne(GetParam(), failure, step, again) && !HasFatalFailure()) ASSERT_LT(++step, 200);
      EXPECT_GT(step, 8);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllKinds, FailedStep,
                         ::testing::Values(Kind{CheckpointKind::kFull, LogBackend::kFoldOver},
                                           Kind{CheckpointKind::kFull, LogBackend::kSnapshot},
                                           Kind{CheckpointKind::kIndexOnly, LogBackend::kFoldOver},
                                           Kind{CheckpointKind::kLogOnly, LogBackend::kFoldOver},
                                           Kind{CheckpointKind::kLogOnly, LogBackend::kSnapshot}));

// A store with one checkpoint whose whole log fits into memory, so that recovery reads all of it.
struct Written {
  explicit Written(LogBackend backend, uint64_t seed) : store(Config(seed)) {
    auto session = store.kv().StartSession();
    for (uint64_t key = 0; key < 60; ++key) store.Rmw(*session, key, key + seed);
    session.reset();
    EXPECT_EQ(store.Checkpoint({CheckpointKind::kFull, backend}), Status::kOk);
    token = store.last_token().Text();
    store.Close();
  }
  static StoreConfig Config(uint64_t seed) {
    StoreConfig config = Store::TinyConfig();
    config.seed = seed;
    return config;
  }
  std::vector<std::string> Files() {
    std::vector<std::string> files;
    for (const std::string& line : Dump(store.storage().inner, "")) {
      if (const size_t at = line.find('='); at != std::string::npos && line.substr(0, at).find('/') != at - 1)
        files.push_back(line.substr(0, at));
    }
    return files;
  }
  Store store;
  std::string token;
};

// Recovers, expects a refusal that names `path` at an offset in [low, high], and nothing modified.
void ExpectRefused(Written& written, const std::string& path, uint64_t low, uint64_t high,
                   const std::string& what) {
  const std::vector<std::string> before = Dump(written.store.storage().inner, "");
  StoreConfig config = written.store.config();
  ++config.seed;
  std::unique_ptr<Store::Kv> kv;
  RecoveryResult result;
  Diagnosis why;
  const Status status =
      Store::Kv::Recover(config, &written.store.storage(), {}, nullptr, {}, {}, &kv, &result, &why);
  EXPECT_EQ(status, Status::kCorruption) << path << ": " << what;
  EXPECT_EQ(why.file, path) << what << ": " << why.Text();
  EXPECT_GE(why.offset, low) << path << ": " << what << ": " << why.Text();
  EXPECT_LE(why.offset, high) << path << ": " << what << ": " << why.Text();
  EXPECT_FALSE(why.expected.empty());
  EXPECT_EQ(kv, nullptr);
  EXPECT_EQ(Dump(written.store.storage().inner, ""), before) << path << ": " << what;
}

class Damaged : public ::testing::TestWithParam<LogBackend> {};

TEST_P(Damaged, FilesAreNamedAndLeftAsTheyAre) {
  Written written(GetParam(), 1), other(GetParam(), 77);
  MemoryStorage& disk = written.store.storage().inner;
  const std::string index_meta = written.token + "/index.meta", log_meta = written.token + "/log.meta";
  int files = 0;
  for (const std::string& path : written.Files()) {
    const std::string good = GetFile(disk, path);
    const bool is_log = path.starts_with("log.");
    // With a snapshot the segments hold at most what was flushed before; nothing here was.
    ASSERT_FALSE(is_log && GetParam() == LogBackend::kSnapshot) << path;
    ++files;
    for (size_t at = 0; at < good.size(); at += 1 + good.size() / 61) {
      std::string damaged = good;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
      PutFile(disk, path, damaged);
      const uint64_t block = at & ~uint64_t{127};
      ExpectRefused(written, path, is_log ? block : 0, is_log ? block : good.size(),
                    "bit flipped at " + std::to_string(at));
    }
    for (const size_t size : {size_t{0}, size_t{1}, good.size() / 2, good.size() - 1}) {
      PutFile(disk, path, good.substr(0, size));
      ExpectRefused(written, path, 0, good.size(), "cut to " + std::to_string(size));
    }
    const bool in_folder = path.starts_with(written.token);
    PutFile(disk, path,
            GetFile(other.store.storage().inner,
                    in_folder ? other.token + path.substr(written.token.size()) : path));
    ExpectRefused(written, path, 0, good.size(), "another store's file");
    ASSERT_EQ(disk.Remove(path), Status::kOk);
    if (path != index_meta && path != log_meta) ExpectRefused(written, path, 0, 0, "missing");
    PutFile(disk, path, good);
  }
  EXPECT_GE(files, 4);
}

INSTANTIATE_TEST_SUITE_P(Backends, Damaged, ::testing::Values(LogBackend::kFoldOver, LogBackend::kSnapshot));

// Without its last file a checkpoint is none; without its index the log alone is enough.
TEST(Missing, MetadataOfOnePart) {
  Written written(LogBackend::kFoldOver, 1);
  MemoryStorage& disk = written.store.storage().inner;
  ASSERT_EQ(disk.Remove(written.token + "/index.meta"), Status::kOk);
  EXPECT_TRUE(written.store.Recover().index_token.IsNull());
  Model model;
  for (uint64_t key = 0; key < 60; ++key) model[key] = key + 1;
  ExpectModel(written.store, model, "without its index");
  written.store.Close();
  ASSERT_EQ(disk.Remove(written.token + "/log.meta"), Status::kOk);
  std::unique_ptr<Store::Kv> kv;
  RecoveryResult result;
  Diagnosis why;
  EXPECT_EQ(Store::Kv::Recover(written.store.config(), &disk, {}, nullptr, {}, {}, &kv, &result, &why),
            Status::kNotFound);
  EXPECT_NE(why.Text().find("complete checkpoint"), std::string::npos) << why.Text();
}

TEST(DamagedRecords, ThatWereEvictedAreFoundWhenTheyAreRead) {
  Store store;
  auto session = store.kv().StartSession();
  for (uint64_t key = 0; key < 600; ++key) store.Rmw(*session, key, key);
  ASSERT_GT(store.kv().log().head(), 1024u);
  std::string bytes = GetFile(store.storage().inner, "log.0");
  bytes[64] ^= 1;
  PutFile(store.storage().inner, "log.0", bytes);
  uint64_t value = 0;
  Status outcome = Status::kPending;
  ASSERT_EQ(session->Read(0, &value), Status::kPending);
  session->CompletePending(true, [&](const Store::SessionType::Op& op) { outcome = op.result; });
  EXPECT_EQ(outcome, Status::kCorruption);
  outcome = Status::kPending;
  ASSERT_EQ(session->Rmw(0, 1), Status::kPending);
  session->CompletePending(true, [&](const Store::SessionType::Op& op) { outcome = op.result; });
  EXPECT_EQ(outcome, Status::kCorruption);
  EXPECT_EQ(store.Read(*session, 30), 30u);  // another block
  EXPECT_EQ(store.Checkpoint({CheckpointKind::kLogOnly, LogBackend::kFoldOver}), Status::kOk);
}

// "Not found" from the device is no answer about a key: a client would believe it, a compaction would move
// begin over records that it never saw, an iteration would end.
TEST(DamagedRecords, InASegmentThatIsGoneAreNotAbsent) {
  Store store;
  auto session = store.kv().StartSession();
  for (uint64_t key = 0; key < 600; ++key) store.Rmw(*session, key, key);
  session.reset();
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kFoldOver}), Status::kOk);
  store.Close();
  ASSERT_EQ(store.storage().inner.Remove("log.0"), Status::kOk);
  store.Recover();  // it needs the end of the log only

  session = store.kv().StartSession();
  const auto outcome = [&](Status status) {
    EXPECT_EQ(status, Status::kPending);
    session->CompletePending(true, [&](const Store::SessionType::Op& op) { status = op.result; });
    return status;
  };
  uint64_t value = 0;
  EXPECT_EQ(outcome(session->Read(0, &value)), Status::kShortIo);
  EXPECT_EQ(outcome(session->Rmw(0, 1)), Status::kShortIo);
  EXPECT_EQ(outcome(session->InsertIfAbsent(0, 1)), Status::kShortIo);
  EXPECT_EQ(store.Read(*session, 599), 599u);
  session.reset();

  EXPECT_EQ(store.kv().ScanLog([](LogAddress, uint64_t, uint64_t, bool) {}), Status::kShortIo);
  {
    const auto iterator = store.kv().Iterate();
    uint64_t key = 0;
    Status status = Status::kOk;
    while (status == Status::kOk) status = iterator->Next(&key, &value);
    EXPECT_EQ(status, Status::kShortIo);
  }
  for (const CompactionKind kind : {CompactionKind::kScan, CompactionKind::kLookup})
    EXPECT_EQ(store.kv().Compact(store.kv().log().head(), kind), Status::kShortIo);
  EXPECT_EQ(store.kv().log().begin(), 0u);
}

}  // namespace
}  // namespace faster
