// Exports: native -> theirs -> native with tiny pages, both layouts; what cannot be held there is refused.
#include "faster/interop/microsoft_export.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/cpr/recording_storage.h"
#include "tests/cpr/samples.h"
#include "tests/interop/interop_samples.h"

namespace faster::microsoft {
namespace {

ExportOptions TinyExport(bool snapshot, uint64_t log_pages = 0) {
  ExportOptions options;
  options.geometry = TinyGeometry();
  options.snapshot = snapshot;
  options.log_pages = log_pages;
  return options;
}

void ExpectRoundTrip(TestStore& store, const State& state, const ExportOptions& options) {
  MemoryStorage theirs, back;
  ExportResult exported;
  Diagnosis why;
  ASSERT_EQ(Export(&store.storage(), "", &theirs, "", options, &exported, &why), Status::kOk) << why.Text();
  EXPECT_EQ(exported.token, store.last_token());
  ImportOptions import = TinyImport();
  import.geometry = options.geometry;
  ImportResult imported;
  ASSERT_EQ(Import(&theirs, "", &back, import, &imported, &why), Status::kOk) << why.Text();
  EXPECT_EQ(imported.source.index, exported.index);
  EXPECT_EQ(imported.source.log, exported.log);
  EXPECT_EQ(imported.records, exported.records);
  EXPECT_EQ(imported.tombstones, exported.tombstones);
  EXPECT_EQ(imported.undone, 0u);
  EXPECT_EQ(imported.log.token, exported.token);
  EXPECT_EQ(StateOf(back, ""), state);
  NativeReader reader;
  ASSERT_EQ(reader.Open(&store.storage(), "", std::nullopt, &why), Status::kOk);
  EXPECT_EQ(imported.log.sessions, reader.log().sessions);
  EXPECT_EQ(imported.log.version, reader.log().version);
}

TEST(MicrosoftExport, RoundTripsKeepEverything) {
  for (const testing::Kind kind :
       {kFold, kSnap, testing::Kind{CheckpointKind::kIncremental, LogBackend::kSnapshot}}) {
    for (const uint64_t keys : {1, 40, 2000}) {
      TestStore store;
      const State state = Fill(store, keys);
      ASSERT_EQ(store.Checkpoint(kind), Status::kOk);
      ExpectRoundTrip(store, state, TinyExport(false));
      ExpectRoundTrip(store, state, TinyExport(true));
      if (keys == 2000) ExpectRoundTrip(store, state, TinyExport(true, 5));
      ExportOptions options = TinyExport(true);
      options.order = GuidOrder::kMixedEndian;
      options.table_size = 4096;
      ExpectRoundTrip(store, state, options);
    }
  }
}

TEST(MicrosoftExport, OverflowBucketsAndManyPages) {
  StoreConfig config = TestStore::TinyConfig();
  config.page_bits = 14;
  config.index_buckets = 256;
  TestStore store(config);
  State state;
  {
    auto session = store.kv().StartSession();
    for (uint64_t key = 0; key < 30000; ++key) {
      store.Rmw(*session, key << 20, key);
      state[key << 20] = key;
    }
  }
  ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
  ExportOptions options = TinyExport(true, 100);
  options.table_size = 2048;
  ExpectRoundTrip(store, state, options);
}

TEST(MicrosoftExport, AnEmptyStore) {
  TestStore store;
  ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
  ExpectRoundTrip(store, {}, TinyExport(false));
  ExpectRoundTrip(store, {}, TinyExport(true));
}

TEST(MicrosoftExport, WhatARecoveryUndidStaysOut) {
  TestStore store;
  State state;
  {
    auto session = store.kv().StartSession();
    for (uint64_t key = 0; key < 30; ++key) store.Rmw(*session, key, key), state[key] = key;
  }
  ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
  const Token token = store.last_token();
  {
    auto session = store.kv().StartSession();
    for (uint64_t key = 0; key < 60; ++key) store.Rmw(*session, key, 1000);
  }
  ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
  store.Recover(token);
  {
    auto session = store.kv().StartSession();
    for (uint64_t key = 20; key < 40; ++key) store.Rmw(*session, key, 7), state[key] += 7;
  }
  ASSERT_EQ(store.Checkpoint(kSnap), Status::kOk);
  ExpectRoundTrip(store, state, TinyExport(false));
}

// A checkpoint whose last part is of the next version, or was undone by a recovery, as its metadata say.
TEST(MicrosoftExport, RecordsOfTheNextVersionAndDeadOnesStayOut) {
  for (const bool dead : {false, true}) {
    TestStore store;
    State state;
    auto session = store.kv().StartSession();
    for (uint64_t key = 0; key < 40; ++key) store.Rmw(*session, key, key + 1), state[key] = key + 1;
    ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
    LogMetadata first, second;
    Diagnosis why;
    ASSERT_EQ(ReadMetadata(store.storage(), "", store.last_token(), &first, &why), Status::kOk);
    for (uint64_t key = 20; key < 60; ++key) store.Rmw(*session, key, 5000);
    ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
    ASSERT_EQ(ReadMetadata(store.storage(), "", store.last_token(), &second, &why), Status::kOk);
    ASSERT_EQ(second.version, first.version + 1);
    if (dead)
      second.dead_ranges = {{first.final_address, second.final_address, 2}};
    else
      second.version = first.version, second.start_address = first.final_address;
    ASSERT_EQ(WriteMetadata(store.storage(), "", second, &why), Status::kOk) << why.Text();
    ExpectRoundTrip(store, state, TinyExport(false));
  }
}

TEST(MicrosoftExport, TheSourceIsOnlyReadAndInfoDatComesLast) {
  TestStoreOn<RecordingStorage> store;
  {
    auto session = store.kv().StartSession();
    for (uint64_t key = 0; key < 100; ++key) ASSERT_FALSE(IsFailure(session->Upsert(key, key)));
    session->CompletePending(true, [](const auto&) {});
  }
  ASSERT_EQ(store.Checkpoint(kSnap), Status::kOk);
  store.Close();
  store.storage().calls.clear();
  RecordingStorage theirs;
  ExportResult result;
  Diagnosis why;
  ASSERT_EQ(Export(&store.storage(), "", &theirs, "", TinyExport(true), &result, &why), Status::kOk)
      << why.Text();
  for (const std::string& call : store.storage().calls) EXPECT_TRUE(call.starts_with("close")) << call;
  const std::string log = "cpr-checkpoints/" + result.token.Text();
  const std::vector<std::string>& calls = theirs.calls;
  EXPECT_EQ(calls[calls.size() - 1], "syncdir " + log);
  EXPECT_EQ(calls[calls.size() - 2], "rename " + log + "/.info.dat.tmp " + log + "/info.dat");
  std::vector<std::string> data = {"ht.dat", "ofb.dat", "snapshot.dat"};
  for (const std::string& name : data) {
    const auto synced = std::find_if(calls.begin(), calls.end(), [&](const std::string& call) {
      return call.starts_with("sync ") && call.ends_with(name);
    });
    EXPECT_NE(synced, calls.end()) << name;
  }
}

TEST(MicrosoftExport, EveryFailedStepIsReportedAndLeavesNothing) {
  TestStore store;
  Fill(store, 100);
  ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
  RecordingStorage whole;
  ExportResult result;
  Diagnosis why;
  ASSERT_EQ(Export(&store.storage(), "", &whole, "", TinyExport(true), &result, &why), Status::kOk)
      << why.Text();
  for (size_t i = 0; i < whole.calls.size(); ++i) {
    if (whole.calls[i].starts_with("close")) continue;
    RecordingStorage theirs;
    theirs.fail_at = static_cast<int>(i);
    EXPECT_EQ(Export(&store.storage(), "", &theirs, "", TinyExport(true), &result, &why), Status::kIoError)
        << whole.calls[i];
    EXPECT_TRUE(HoldsNothing(theirs.inner, "")) << whole.calls[i];
  }
}

TEST(MicrosoftExport, MoreThan96SessionsAreRefused) {
  TestStore store;
  for (int i = 0; i < 96; ++i) ASSERT_FALSE(IsFailure(store.kv().StartSession()->Upsert(1, 2)));
  ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
  ExpectRoundTrip(store, {{1, 2}}, TinyExport(false));
  ASSERT_FALSE(IsFailure(store.kv().StartSession()->Upsert(1, 2)));
  ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
  MemoryStorage theirs;
  ExportResult result;
  Diagnosis why;
  EXPECT_EQ(Export(&store.storage(), "", &theirs, "", TinyExport(false), &result, &why),
            Status::kUnsupported);
  EXPECT_NE(why.Text().find("97"), std::string::npos) << why.Text();
  EXPECT_TRUE(HoldsNothing(theirs, ""));
}

TEST(MicrosoftExport, ExcludedSerialsAreRefused) {
  TestStore store;
  { ASSERT_FALSE(IsFailure(store.kv().StartSession()->Upsert(1, 2))); }
  ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
  LogMetadata log;
  Diagnosis why;
  ASSERT_EQ(ReadMetadata(store.storage(), "", store.last_token(), &log, &why), Status::kOk);
  log.sessions[0].excluded = {1};
  ASSERT_EQ(WriteMetadata(store.storage(), "", log, &why), Status::kOk);
  MemoryStorage theirs;
  ExportResult result;
  EXPECT_EQ(Export(&store.storage(), "", &theirs, "", TinyExport(false), &result, &why),
            Status::kUnsupported);
}

struct WideFunctions {
  using Input = uint64_t;
  uint64_t Hash(uint64_t key) const { return key; }
  std::array<uint64_t, 2> Initial(uint64_t input) const { return {input, 0}; }
  std::array<uint64_t, 2> Update(const std::array<uint64_t, 2>& old, uint64_t) const { return old; }
};

TEST(MicrosoftExport, OtherRecordsAndHalvesAreRefused) {
  MemoryStorage storage, theirs;
  using Kv = FasterKv<uint64_t, std::array<uint64_t, 2>, WideFunctions>;
  std::unique_ptr<Kv> kv;
  Diagnosis why;
  ASSERT_EQ(Kv::Create(TestStore::TinyConfig(), &storage, {}, nullptr, &kv, &why), Status::kOk);
  Token token;
  ASSERT_EQ(kv->Checkpoint(CheckpointKind::kFull, LogBackend::kFoldOver, &token), Status::kOk);
  while (!kv->Poll()) std::this_thread::yield();
  ExportResult result;
  EXPECT_EQ(Export(&storage, "", &theirs, "", TinyExport(false), &result, &why), Status::kUnsupported);
  TestStore store;
  ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
  PutFile(store.storage(), CheckpointPath("", store.last_token(), kPairMetaName), "{}");
  EXPECT_EQ(Export(&store.storage(), "", &theirs, "", TinyExport(false), &result, &why),
            Status::kUnsupported);
  EXPECT_TRUE(why.file.ends_with("pair.meta"));
}

TEST(MicrosoftExport, ADamagedBlockIsNamed) {
  TestStore store;
  Fill(store, 200);
  ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
  std::string bytes = GetFile(store.storage(), "log.0");
  bytes[200] = static_cast<char>(bytes[200] ^ 4);
  PutFile(store.storage(), "log.0", bytes);
  MemoryStorage theirs;
  ExportResult result;
  Diagnosis why;
  EXPECT_EQ(Export(&store.storage(), "", &theirs, "", TinyExport(false), &result, &why), Status::kCorruption);
  EXPECT_EQ(why.file, "log.0");
  EXPECT_EQ(why.offset, 128u);
  EXPECT_TRUE(HoldsNothing(theirs, ""));
}

TEST(MicrosoftExport, AStoreOfTheirsIsNotOverwritten) {
  TestStore store;
  ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
  MemoryStorage theirs;
  ExportResult result;
  Diagnosis why;
  ASSERT_EQ(Export(&store.storage(), "", &theirs, "", TinyExport(false), &result, &why), Status::kOk);
  EXPECT_EQ(Export(&store.storage(), "", &theirs, "", TinyExport(false), &result, &why), Status::kExists);
  EXPECT_FALSE(GetFile(theirs, "log.log0").empty());
}

TEST(MicrosoftExport, VersionsBeyondTheirsStartAgain) {
  TestStore store;
  ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
  LogMetadata log;
  Diagnosis why;
  ASSERT_EQ(ReadMetadata(store.storage(), "", store.last_token(), &log, &why), Status::kOk);
  log.version = 100000;
  ASSERT_EQ(WriteMetadata(store.storage(), "", log, &why), Status::kOk);
  MemoryStorage theirs;
  ExportResult result;
  ASSERT_EQ(Export(&store.storage(), "", &theirs, "", TinyExport(false), &result, &why), Status::kOk)
      << why.Text();
  EXPECT_EQ(result.log.version, 1u);
  EXPECT_EQ(result.version, 100000u);
}

TEST(MicrosoftExport, WrongOptionsAreRefused) {
  TestStore store;
  Fill(store, 100);
  ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
  MemoryStorage theirs;
  ExportResult result;
  Diagnosis why;
  const auto expect = [&](const ExportOptions& options) {
    EXPECT_EQ(Export(&store.storage(), "", &theirs, "", options, &result, &why), Status::kInvalidArgument);
    EXPECT_TRUE(HoldsNothing(theirs, ""));
  };
  ExportOptions options = TinyExport(false);
  options.table_size = 3000;
  expect(options);
  options.table_size = 1024;
  expect(options);
  expect(TinyExport(true, 1000));  // the log is shorter
  options = TinyExport(false);
  options.geometry.segment_bytes = 256;
  expect(options);
  options.geometry.segment_bytes = 3000;
  expect(options);
}

}  // namespace
}  // namespace faster::microsoft
