// Checkpoints made by the original engine, imported: every key, every session, and the store goes on.
#include "faster/interop/microsoft_import.h"

#include <gtest/gtest.h>

#include "faster/interop/microsoft_hash.h"
#include "tests/cpr/recording_storage.h"
#include "tests/cpr/samples.h"
#include "tests/interop/interop_samples.h"

namespace faster::microsoft {
namespace {

class MicrosoftData : public ::testing::TestWithParam<const char*> {
 protected:
  PosixStorage source_{std::string(INTEROP_DATA) + "/" + GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Layouts, MicrosoftData, ::testing::Values("fold", "snap"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(MicrosoftData, EveryKeyAndSessionArrives) {
  const Expected expected(GetParam());
  MemoryStorage target;
  ImportResult result;
  Diagnosis why;
  ASSERT_EQ(Import(&source_, "", &target, TinyImport(), &result, &why), Status::kOk) << why.Text();
  EXPECT_EQ(result.log.sessions, expected.sessions);
  EXPECT_GT(result.undone, 0u);  // the checkpoint was taken under load
  EXPECT_GT(result.tombstones, 0u);
  EXPECT_EQ(StateOf(target, ""), expected.state);
}

TEST_P(MicrosoftData, TheStoreRecoversAndGoesOn) {
  const Expected expected(GetParam());
  for (const bool theirs : {false, true}) {
    MemoryStorage target;
    ImportOptions options = TinyImport();
    options.hash = theirs ? NativeHashOfKey : TestHash;
    ImportResult imported;
    Diagnosis why;
    ASSERT_EQ(Import(&source_, "", &target, options, &imported, &why), Status::kOk) << why.Text();
    struct Functions : AddFunctions {
      bool theirs = false;
      uint64_t Hash(uint64_t key) const { return theirs ? NativeHashOfKey(key) : AddFunctions::Hash(key); }
    } functions;
    functions.theirs = theirs;
    using Kv = FasterKv<uint64_t, uint64_t, Functions>;
    StoreConfig config = options.config;
    config.index_buckets = 1;
    config.seed = 5;
    std::unique_ptr<Kv> kv;
    RecoveryResult result;
    ASSERT_EQ(Kv::Recover(config, &target, functions, nullptr, {}, {}, &kv, &result, &why), Status::kOk)
        << why.Text();
    EXPECT_EQ(kv->CheckInvariants(), "");
    EXPECT_EQ(result.records_replayed, 0u);  // the index came along
    for (const SessionCommit& commit : expected.sessions) {
      auto session = kv->ContinueSession(commit.session);
      ASSERT_NE(session, nullptr);
      EXPECT_EQ(session->serial(), commit.serial);
    }
    auto session = kv->StartSession();
    for (uint64_t key = 0; key < 520; ++key) {
      uint64_t value = 0;
      Status status = session->Read(key, &value);
      if (status == Status::kPending)
        session->CompletePending(true, [&](const auto& op) { status = op.result, value = op.value.Value(); });
      const auto found = expected.state.find(key);
      ASSERT_EQ(status, found == expected.state.end() ? Status::kNotFound : Status::kOk) << key;
      if (found != expected.state.end()) {
        EXPECT_EQ(value, found->second) << key;
      }
      ASSERT_FALSE(IsFailure(session->Upsert(key, key + 1)));
    }
    session->CompletePending(true, [](const auto&) {});
  }
}

TEST_P(MicrosoftData, TheIndexIsNotNeeded) {
  MemoryStorage target;
  ImportResult imported;
  Diagnosis why;
  ASSERT_EQ(Import(&source_, "", &target, TinyImport(), &imported, &why), Status::kOk) << why.Text();
  const Token token = imported.log.token;
  ASSERT_EQ(target.Remove(CheckpointPath("", token, kIndexMetaName)), Status::kOk);
  StoreConfig config = TinyImport().config;
  config.index_buckets = 8;
  config.seed = 9;
  std::unique_ptr<TestStore::Kv> kv;
  RecoveryResult result;
  ASSERT_EQ(TestStore::Kv::Recover(config, &target, {}, nullptr, {}, {}, &kv, &result, &why), Status::kOk)
      << why.Text();
  EXPECT_EQ(result.records_replayed, imported.records);
  EXPECT_EQ(kv->CheckInvariants(), "");
}

struct OneChain : AddFunctions {
  uint64_t Hash(uint64_t) const { return 5; }
};

TEST(MicrosoftImport, KeysOfOneChainAreAllReached) {
  PosixStorage source(std::string(INTEROP_DATA) + "/snap");
  MemoryStorage target;
  ImportOptions options = TinyImport();
  options.hash = [](uint64_t) { return uint64_t{5}; };
  ImportResult imported;
  Diagnosis why;
  ASSERT_EQ(Import(&source, "", &target, options, &imported, &why), Status::kOk) << why.Text();
  using Kv = FasterKv<uint64_t, uint64_t, OneChain>;
  StoreConfig config = options.config;
  config.index_buckets = 1;
  config.buffer_pages = 256;
  config.mutable_pages = 128;
  config.seed = 5;
  std::unique_ptr<Kv> kv;
  RecoveryResult result;
  ASSERT_EQ(Kv::Recover(config, &target, {}, nullptr, {}, {}, &kv, &result, &why), Status::kOk) << why.Text();
  auto session = kv->StartSession();
  for (const auto& [key, expected] : Expected("snap").state) {
    uint64_t value = 0;
    Status status = session->Read(key, &value);
    if (status == Status::kPending)
      session->CompletePending(true, [&](const auto& op) { status = op.result, value = op.value.Value(); });
    EXPECT_EQ(status, Status::kOk) << key;
    EXPECT_EQ(value, expected) << key;
  }
}

TEST(MicrosoftImport, AnOlderCheckpointIsNamed) {
  PosixStorage source(std::string(INTEROP_DATA) + "/fold");
  std::vector<std::string> names;
  ASSERT_EQ(source.List(kCprCheckpoints, &names), Status::kOk);
  ASSERT_EQ(names.size(), 2u);
  std::vector<uint64_t> versions;
  for (const std::string& name : names) {
    ImportOptions options = TinyImport();
    Token token;
    ASSERT_TRUE(Guid::Parse(name, &token));
    options.log_token = token;
    MemoryStorage target;
    ImportResult result;
    Diagnosis why;
    ASSERT_EQ(Import(&source, "", &target, options, &result, &why), Status::kOk) << why.Text();
    EXPECT_EQ(result.log.token, token);
    versions.push_back(result.log.version);
    // An index of the other version does not fit.
    Token other;
    ASSERT_TRUE(Guid::Parse(name == names[0] ? names[1] : names[0], &other));
    options.index_token = other;
    MemoryStorage unused;
    EXPECT_EQ(Import(&source, "", &unused, options, &result, &why), Status::kCorruption);
    EXPECT_TRUE(HoldsNothing(unused, ""));
  }
  std::sort(versions.begin(), versions.end());
  EXPECT_EQ(versions, (std::vector<uint64_t>{1, 2}));
}

TEST(MicrosoftImport, UnknownTokensAndFoldersAreNamed) {
  PosixStorage source(std::string(INTEROP_DATA) + "/snap");
  MemoryStorage target, empty;
  ImportResult result;
  Diagnosis why;
  ImportOptions options = TinyImport();
  options.log_token = Token{1, 2};
  EXPECT_EQ(Import(&source, "", &target, options, &result, &why), Status::kNotFound);
  options.log_token.reset();
  options.index_token = Token{1, 2};
  EXPECT_EQ(Import(&source, "", &target, options, &result, &why), Status::kNotFound);
  EXPECT_EQ(why.file, "index-checkpoints");
  EXPECT_EQ(Import(&empty, "", &target, TinyImport(), &result, &why), Status::kNotFound);
  EXPECT_EQ(why.file, "cpr-checkpoints");
  EXPECT_TRUE(HoldsNothing(target, ""));
}

TEST(MicrosoftImport, AStoreIsNotOverwritten) {
  PosixStorage source(std::string(INTEROP_DATA) + "/snap");
  MemoryStorage target;
  ImportResult result;
  Diagnosis why;
  ASSERT_EQ(Import(&source, "", &target, TinyImport(), &result, &why), Status::kOk) << why.Text();
  const State before = StateOf(target, "");
  EXPECT_EQ(Import(&source, "", &target, TinyImport(), &result, &why), Status::kExists);
  EXPECT_EQ(StateOf(target, ""), before);
}

TEST(MicrosoftImport, WhatAnImportThatWasCutOffLeftIsNamed) {
  PosixStorage source(std::string(INTEROP_DATA) + "/snap");
  MemoryStorage whole, target;
  ImportResult result;
  Diagnosis why;
  ASSERT_EQ(Import(&source, "", &whole, TinyImport(), &result, &why), Status::kOk) << why.Text();
  const std::string directory = result.log.token.Text();
  ASSERT_EQ(target.CreateDirectory(directory), Status::kOk);
  const std::string left = JoinPath(directory, kIndexDataName);
  PutFile(target, left, "a part");
  PutFile(target, "log.0", "a part");
  EXPECT_EQ(Import(&source, "", &target, TinyImport(), &result, &why), Status::kExists);
  EXPECT_EQ(why.file, directory) << why.Text();
  ASSERT_EQ(target.Remove(left), Status::kOk);
  ASSERT_EQ(Import(&source, "", &target, TinyImport(), &result, &why), Status::kOk) << why.Text();
  EXPECT_EQ(StateOf(target, ""), Expected("snap").state);
}

TEST(MicrosoftImport, WrongOptionsAreRefused) {
  PosixStorage source(std::string(INTEROP_DATA) + "/snap");
  MemoryStorage target;
  ImportResult result;
  const auto expect = [&](const ImportOptions& options, const std::string& what) {
    Diagnosis why;
    EXPECT_EQ(Import(&source, "", &target, options, &result, &why), Status::kInvalidArgument) << what;
    EXPECT_NE(why.Text().find(what), std::string::npos) << why.Text();
    EXPECT_TRUE(HoldsNothing(target, ""));
  };
  ImportOptions options = TinyImport();
  options.geometry.page_bits = 31;
  expect(options, "page_bits");
  options = TinyImport();
  options.geometry.overflow_page_bits = 2;
  expect(options, "overflow_page_bits");
  options = TinyImport();
  options.geometry.segment_bytes = 1 << 20;  // less than a page
  expect(options, "segment size");
  options = TinyImport();
  options.config.block_bytes = 100;
  expect(options, "block_bytes");
}

TEST(MicrosoftImport, ProgressIsReported) {
  PosixStorage source(std::string(INTEROP_DATA) + "/snap");
  MemoryStorage target;
  ImportOptions options = TinyImport();
  std::vector<std::string> steps;
  options.observer = [&](const TransferProgress& now) {
    EXPECT_LE(now.done, now.total);
    if (steps.empty() || steps.back() != now.step) steps.emplace_back(now.step);
  };
  ImportResult result;
  Diagnosis why;
  ASSERT_EQ(Import(&source, "", &target, options, &result, &why), Status::kOk) << why.Text();
  EXPECT_EQ(steps, (std::vector<std::string>{"reading the index", "replaying the log", "walking the chains",
                                             "reading records", "writing the index"}));
}

TEST(MicrosoftImport, EveryFailedStepIsReportedAndLeavesNothing) {
  PosixStorage source(std::string(INTEROP_DATA) + "/snap");
  ImportResult result;
  Diagnosis why;
  RecordingStorage whole;
  ASSERT_EQ(Import(&source, "", &whole, TinyImport(), &result, &why), Status::kOk) << why.Text();
  // Not the clean-up that follows; the last is the sync behind the commit mark's rename.
  const std::vector<std::string> calls = whole.calls;
  EXPECT_TRUE(calls[calls.size() - 2].ends_with("/log.meta")) << calls[calls.size() - 2];
  const size_t step = std::max<size_t>(1, calls.size() / 60);
  for (size_t i = 0; i < calls.size();
       i = i + 8 < calls.size() ? std::min(i + step, calls.size() - 8) : i + 1) {
    if (calls[i].starts_with("close")) continue;
    RecordingStorage target;
    target.fail_at = static_cast<int>(i);
    target.failure = Status::kNoSpace;
    EXPECT_EQ(Import(&source, "", &target, TinyImport(), &result, &why), Status::kNoSpace) << calls[i];
    EXPECT_FALSE(why.Text().empty());
    EXPECT_TRUE(HoldsNothing(target.inner, "")) << calls[i];
  }
}

TEST(MicrosoftImport, ReadErrorsOfTheSourceAreReported) {
  PosixStorage posix(std::string(INTEROP_DATA) + "/snap");
  for (const std::string_view name : {kTableName, kOverflowName, kSnapshotName, kInfoName}) {
    RecordingStorage source;  // a copy, without the holes' size
    Diagnosis why;
    Checkpoint checkpoint;
    ASSERT_EQ(ReadCheckpoint(posix, "", {}, {}, &checkpoint, &why), Status::kOk);
    for (const std::string& directory : {std::string(kIndexCheckpoints), std::string(kCprCheckpoints),
                                         checkpoint.index_directory, checkpoint.log_directory})
      ASSERT_EQ(source.inner.CreateDirectory(directory), Status::kOk);
    for (const std::string& directory : {checkpoint.index_directory, checkpoint.log_directory}) {
      std::vector<std::string> files;
      ASSERT_EQ(posix.List(directory, &files), Status::kOk);
      for (const std::string& file : files) {
        std::unique_ptr<File> from;
        ASSERT_EQ(posix.Open(JoinPath(directory, file), OpenMode::kRead, &from), Status::kOk);
        uint64_t size = 0;
        ASSERT_EQ(from->Size(&size), Status::kOk);
        std::string bytes(std::min<uint64_t>(size, 1 << 20), '\0');
        ASSERT_EQ(ReadFully(*from, 0, bytes.data(), bytes.size()), Status::kOk);
        PutFile(source.inner, JoinPath(directory, file), bytes);
      }
    }
    MemoryStorage target;
    ImportResult result;
    ASSERT_EQ(Import(&source, "", &target, TinyImport(), &result, &why), Status::kOk) << why.Text();
    source.fails_reads = [&](const std::string& path) { return path.ends_with(name); };
    MemoryStorage unused;
    EXPECT_EQ(Import(&source, "", &unused, TinyImport(), &result, &why), Status::kIoError) << name;
    EXPECT_TRUE(why.file.ends_with(name)) << why.Text();
    EXPECT_TRUE(HoldsNothing(unused, ""));
  }
}

}  // namespace
}  // namespace faster::microsoft
