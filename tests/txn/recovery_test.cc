// Commits and recoveries on a device that refuses a step, and of files that somebody damaged, cut or lost.
#include <algorithm>

#include "tests/cpr/recording_storage.h"
#include "tests/txn/test_txn_store.h"

namespace workloads::txn {
namespace {

using faster::RecordingStorage;

class TxnRecovery : public ::testing::TestWithParam<CommitScheme> {
 protected:
  static TxnConfig Config() { return SmallConfig(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Scheme, TxnRecovery, ::testing::ValuesIn(kSchemes), NameOf);

// Transaction n of the client sets key n % 20 of both tables to n.
void Work(Client& client, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t n = client.serial() + 1;
    ASSERT_TRUE(client
                    .Execute([n](Transaction& transaction) {
                      uint64_t* const one = transaction.Write(0, n % 20);
                      uint64_t* const three = transaction.Write(1, n % 20);
                      if (one == nullptr || three == nullptr) return false;
                      *one = n;
                      std::fill_n(three, 3, n);
                      return true;
                    })
                    .committed());
  }
}
// What the first `count` of them leave.
void ExpectWork(TestTxnStore& world, uint64_t count, const std::string& what) {
  for (uint64_t key = 0; key < 20; ++key) {
    const uint64_t last = count < key ? 0 : count - (count - key) % 20;
    ASSERT_EQ(world.Value(0, key), last) << "key " << key << " " << what;
    uint64_t three[3] = {};
    static_cast<void>(world.store().Peek(1, key, three));
    for (const uint64_t word : three) ASSERT_EQ(word, last) << "key " << key << " " << what;
  }
}

TEST_P(TxnRecovery, WhatWasLoadedIsDurableOnceStarted) {
  MemoryStorage storage;
  TestTxnStore world(&storage, Config());
  EXPECT_EQ(world.Recover(), Status::kNotFound);
  world.Renew();
  const uint64_t value = 5, wide[3] = {1, 2, 3};
  EXPECT_EQ(world.store().Load(0, 7, &value), Status::kOk);
  EXPECT_EQ(world.store().Load(1, 9, wide), Status::kOk);
  EXPECT_EQ(world.store().Load(2, 9, wide), Status::kInvalidArgument);
  std::unique_ptr<Client> early;
  EXPECT_EQ(world.store().StartClient(1, &early), Status::kInvalidArgument);
  ASSERT_EQ(world.Start(), Status::kOk);
  EXPECT_EQ(world.store().Load(0, 8, &value), Status::kInvalidArgument);
  {
    auto client = world.Open(1);
    EXPECT_TRUE(Put(*client, 7, 6).committed());  // and not committed
  }
  ASSERT_EQ(world.Recover(), Status::kOk);
  EXPECT_EQ(world.Value(0, 7), GetParam() == CommitScheme::kWal ? world.Value(0, 7) : 5u);
  uint64_t found[3] = {};
  EXPECT_TRUE(world.store().Peek(1, 9, found));
  EXPECT_TRUE(std::equal(wide, wide + 3, found));
  world.Renew();
  EXPECT_EQ(world.Start(), Status::kExists) << "a new store does not go over an old one";
}

TEST_P(TxnRecovery, OneLifeAfterAnother) {
  MemoryStorage storage;
  TestTxnStore world(&storage, Config());
  ASSERT_EQ(world.Start(), Status::kOk);
  uint64_t done = 0, version = 0;
  for (int life = 0; life < 5; ++life) {
    auto client = world.Open(1);
    EXPECT_EQ(client->serial(), done);
    for (int i = 0; i < 3; ++i) {
      Work(*client, 7);
      const Commit commit = world.CommitNow();
      ASSERT_EQ(commit.status, Status::kOk) << commit.why.Text();
      EXPECT_EQ(PointOf(commit.points, 1), done += 7);
    }
    client.reset();
    EXPECT_LE(FilesOf(storage).size(), 3u) << "what no recovery needs is removed";
    EXPECT_EQ(world.store().last_cleanup(), Status::kOk);
    ASSERT_EQ(world.Recover(), Status::kOk) << world.why().Text();
    ExpectWork(world, done, "in life " + std::to_string(life));
    EXPECT_EQ(world.recovered().points, (std::vector<ClientPoint>{{1, done}}));
    EXPECT_TRUE(GetParam() == CommitScheme::kWal || world.recovered().version > version);
    version = world.recovered().version;
  }
}

// What was not committed is gone, and its serials come again.
TEST_P(TxnRecovery, AnUncommittedTailIsLost) {
  MemoryStorage storage;
  TestTxnStore world(&storage, Config());
  ASSERT_EQ(world.Start(), Status::kOk);
  auto client = world.Open(1);
  Work(*client, 10);
  ASSERT_EQ(world.CommitNow().status, Status::kOk);
  const Files files = FilesOf(storage);
  Work(*client, 5);
  EXPECT_EQ(client->serial(), 15u);
  MemoryStorage crashed;
  PutFiles(crashed, files);
  TestTxnStore again(&crashed, Config());
  ASSERT_EQ(again.Recover(), Status::kOk);
  ExpectWork(again, 10, "after the crash");
  EXPECT_EQ(again.Open(1)->serial(), 10u);
}

TEST_P(TxnRecovery, AClientThatOnlyReadsIsCommittedToo) {
  MemoryStorage storage;
  TestTxnStore world(&storage, Config());
  ASSERT_EQ(world.Start(), Status::kOk);
  auto client = world.Open(1);
  Work(*client, 2);
  uint64_t value = 0;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Get(*client, 1, &value).committed());
  EXPECT_EQ(PointOf(world.CommitNow().points, 1), 5u);
  EXPECT_EQ(world.CommitNow().status, Status::kOk) << "nothing new";
  client.reset();
  ASSERT_EQ(world.Recover(), Status::kOk) << world.why().Text();
  EXPECT_EQ(PointOf(world.recovered().points, 1), 5u);
}

TEST_P(TxnRecovery, AnotherShapeOrSchemeIsRefused) {
  MemoryStorage storage;
  {
    TestTxnStore world(&storage, Config());
    ASSERT_EQ(world.Start(), Status::kOk);
  }
  TxnConfig other = Config();
  other.tables[1].value_words = 4;
  TestTxnStore world(&storage, other);
  EXPECT_EQ(world.Recover(), Status::kInvalidArgument);
  EXPECT_EQ(world.why().file, "store/commit.1");
  world.Close();
  other = Config();
  other.scheme = GetParam() == CommitScheme::kCpr ? CommitScheme::kCalc : CommitScheme::kCpr;
  TestTxnStore scheme(&storage, other);
  EXPECT_EQ(scheme.Recover(), Status::kInvalidArgument);
}

// --- a step that fails ---------------------------------------------------------------------------------

// Fails step `step` of a commit, if it has so many.
bool FailCommit(CommitScheme scheme, Status failure, int step) {
  RecordingStorage storage;
  TestTxnStore world(&storage, SmallConfig(scheme));
  EXPECT_EQ(world.Start(), Status::kOk);
  auto client = world.Open(1);
  Work(*client, 10);
  EXPECT_EQ(world.CommitNow().status, Status::kOk);
  Work(*client, 5);
  storage.calls.clear();
  storage.failure = failure;
  storage.fail_at = step;
  const Commit failed = world.CommitNow();
  storage.fail_at = -1;
  if (static_cast<int>(storage.calls.size()) <= step) return false;
  const std::string what = "step " + std::to_string(step) + ": " + storage.calls[step];
  const bool cleanup = storage.calls[step].starts_with("remove");
  if (storage.calls[step].starts_with("close")) return true;
  if (cleanup) {
    EXPECT_EQ(failed.status, Status::kOk) << what;
    EXPECT_EQ(world.store().last_cleanup(), failure) << what;
  } else {
    EXPECT_EQ(failed.status, failure) << what;
    EXPECT_TRUE(failed.points.empty()) << what;
    EXPECT_FALSE(failed.why.expected.empty()) << what;
  }
  // The crash comes now, or after the store has gone on and committed again.
  MemoryStorage crashed;
  PutFiles(crashed, FilesOf(storage.inner));
  TestTxnStore other(&crashed, SmallConfig(scheme));
  EXPECT_EQ(other.Recover(), Status::kOk) << what << ": " << other.why().Text();
  const uint64_t point = PointOf(other.recovered().points, 1);
  EXPECT_TRUE(point == 10 || point == 15) << what << ": " << point;
  ExpectWork(other, point, what);
  Work(*client, 4);
  const Commit next = world.CommitNow();
  EXPECT_EQ(next.status, Status::kOk) << what << ": " << next.why.Text();
  EXPECT_EQ(PointOf(next.points, 1), 19u) << what;
  client.reset();
  EXPECT_EQ(world.Recover(), Status::kOk) << what << ": " << world.why().Text();
  ExpectWork(world, 19, what);
  EXPECT_LE(FilesOf(storage.inner).size(), 3u) << what << ": leftovers go with the next commit";
  return true;
}

TEST_P(TxnRecovery, AFailedStepOfACommitIsReportedAndChangesNothing) {
  for (const Status failure : {Status::kIoError, Status::kNoSpace}) {
    int step = 0;
    while (FailCommit(GetParam(), failure, step)) ++step;
    EXPECT_GE(step, GetParam() == CommitScheme::kWal ? 2 : 9);
  }
}

TEST_P(TxnRecovery, AFailedStepOfAStartIsReported) {
  int step = 0;
  for (bool more = true; more; ++step) {
    RecordingStorage storage;
    {
      TestTxnStore world(&storage, Config());
      storage.fail_at = step;
      const Status status = world.Start();
      storage.fail_at = -1;
      more = static_cast<int>(storage.calls.size()) > step;
      if (!more || storage.calls[step].starts_with("close")) continue;
      EXPECT_EQ(status, Status::kIoError) << storage.calls[step];
      EXPECT_FALSE(world.why().expected.empty()) << storage.calls[step];
    }
    TestTxnStore again(&storage, Config());
    Status status = again.Start();
    if (status == Status::kExists) status = again.Recover();  // all but the last sync was done
    EXPECT_EQ(status, Status::kOk) << storage.calls[step] << ": " << again.why().Text();
  }
  EXPECT_GE(step, 10);
}

// A recovery that fails writes nothing that the next one minds.
TEST_P(TxnRecovery, AFailedStepOfARecoveryIsReported) {
  MemoryStorage template_storage;
  {
    TestTxnStore world(&template_storage, Config());
    ASSERT_EQ(world.Start(), Status::kOk);
    auto client = world.Open(1);
    Work(*client, 25);
    ASSERT_EQ(world.CommitNow().status, Status::kOk);
  }
  const Files files = FilesOf(template_storage);
  int step = 0;
  for (bool more = true; more; ++step) {
    RecordingStorage storage;
    PutFiles(storage.inner, files);
    {
      TestTxnStore world(&storage, Config());
      storage.fail_at = step;
      const Status status = world.Recover();
      storage.fail_at = -1;
      more = static_cast<int>(storage.calls.size()) > step;
      if (more && !storage.calls[step].starts_with("close") && !storage.calls[step].starts_with("remove")) {
        EXPECT_EQ(status, Status::kIoError) << storage.calls[step];
      }
    }
    TestTxnStore again(&storage, Config());
    ASSERT_EQ(again.Recover(), Status::kOk) << step << ": " << again.why().Text();
    ExpectWork(again, 25, "step " + std::to_string(step));
  }
  for (const auto& [path, text] : files) {
    RecordingStorage storage;
    PutFiles(storage.inner, files);
    storage.fails_reads = [&path = path](const std::string& read) { return read == path; };
    TestTxnStore world(&storage, Config());
    if (text.empty()) continue;
    EXPECT_EQ(world.Recover(), Status::kIoError) << path;
    EXPECT_EQ(world.why().file, path);
  }
}

// --- damaged files -------------------------------------------------------------------------------------

// The files of a store with a commit and, with WAL, three frames of log behind it.
Files SomeFiles(CommitScheme scheme) {
  MemoryStorage storage;
  TestTxnStore world(&storage, SmallConfig(scheme));
  EXPECT_EQ(world.Start(), Status::kOk);
  auto client = world.Open(1);
  for (int i = 0; i < 3; ++i) {
    Work(*client, 5);
    EXPECT_EQ(world.CommitNow().status, Status::kOk);
  }
  client.reset();
  if (scheme != CommitScheme::kWal) return FilesOf(storage);
  // Once more, so that the data file is not empty.
  EXPECT_EQ(world.Recover(), Status::kOk);
  client = world.Open(1);
  for (int i = 0; i < 3; ++i) {
    Work(*client, 5);
    EXPECT_EQ(world.CommitNow().status, Status::kOk);
  }
  return FilesOf(storage);
}

Status RecoverFrom(CommitScheme scheme, const Files& files, Diagnosis* why, RecoveredTxns* recovered) {
  MemoryStorage storage;
  PutFiles(storage, files);
  TestTxnStore world(&storage, SmallConfig(scheme));
  const Status status = world.Recover();
  *why = world.why();
  *recovered = world.recovered();
  if (status == Status::kOk) ExpectWork(world, PointOf(recovered->points, 1), "of a damaged store");
  return status;
}

TEST_P(TxnRecovery, AFlippedBitIsFoundWhereverItIs) {
  const Files files = SomeFiles(GetParam());
  const uint64_t all = GetParam() == CommitScheme::kWal ? 30 : 15;
  ASSERT_EQ(files.size(), GetParam() == CommitScheme::kWal ? 3u : 2u);
  for (const auto& [path, text] : files) {
    ASSERT_FALSE(text.empty()) << path;
    uint64_t torn = 0;
    for (size_t at = 0; at < text.size(); ++at) {
      Files damaged = files;
      damaged[path][at] ^= static_cast<char>(1 << at % 8);
      Diagnosis why;
      RecoveredTxns recovered;
      const Status status = RecoverFrom(GetParam(), damaged, &why, &recovered);
      if (path.find("log.") != std::string::npos && status == Status::kOk) {
        // The last frame cannot be told from one that a crash tore: the tail is reported as torn.
        EXPECT_GT(recovered.log.torn_bytes, 0u) << path << " " << at;
        EXPECT_EQ(PointOf(recovered.points, 1), all - 5) << path << " " << at;
        ++torn;
        continue;
      }
      ASSERT_EQ(status, Status::kCorruption) << path << " " << at << ": " << why.Text();
      ASSERT_EQ(why.file, path) << at;
    }
    EXPECT_LE(torn, text.size() / 3) << "only the last of three frames";
  }
}

TEST_P(TxnRecovery, ACutOrMissingFileIsFound) {
  const Files files = SomeFiles(GetParam());
  for (const auto& [path, text] : files) {
    const bool log = path.find("log.") != std::string::npos;
    for (size_t length = 0; length < text.size(); length += 3) {
      Files damaged = files;
      damaged[path].resize(length);
      Diagnosis why;
      RecoveredTxns recovered;
      const Status status = RecoverFrom(GetParam(), damaged, &why, &recovered);
      if (log) {  // a prefix of the log: a prefix of the transactions
        ASSERT_EQ(status, Status::kOk) << length << ": " << why.Text();
        ASSERT_EQ(PointOf(recovered.points, 1) % 5, 0u);
        ASSERT_GE(PointOf(recovered.points, 1), 15u);
        continue;
      }
      ASSERT_EQ(status, Status::kCorruption) << path << " " << length << ": " << why.Text();
      ASSERT_EQ(why.file, path) << length;
    }
    Files damaged = files;
    damaged[path] += "more than that";
    Diagnosis why;
    RecoveredTxns recovered;
    EXPECT_EQ(RecoverFrom(GetParam(), damaged, &why, &recovered), log ? Status::kOk : Status::kCorruption)
        << path;
    damaged.erase(path);
    const bool marker = !log && path.find(".data") == std::string::npos;
    EXPECT_EQ(RecoverFrom(GetParam(), damaged, &why, &recovered),
              marker ? Status::kNotFound : Status::kCorruption)
        << path;
    if (!marker) {
      EXPECT_EQ(why.file, path);
    }
  }
}

// Bytes that are whole but of another commit, or in another place, do not pass for these.
TEST_P(TxnRecovery, AFileOfAnotherCommitIsFound) {
  const Files files = SomeFiles(GetParam());
  for (const auto& [path, text] : files) {
    const bool marker = path.find("log.") == std::string::npos && path.find(".data") == std::string::npos;
    if (!marker) continue;
    Files damaged;
    for (const auto& [from, bytes] : files) {
      std::string to = from;
      to.replace(from.find('.') + 1, path.size() - path.find('.') - 1, "77");
      damaged[to] = bytes;
    }
    Diagnosis why;
    RecoveredTxns recovered;
    EXPECT_EQ(RecoverFrom(GetParam(), damaged, &why, &recovered), Status::kCorruption);
    EXPECT_EQ(why.file, "store/commit.77");
  }
}

}  // namespace
}  // namespace workloads::txn
