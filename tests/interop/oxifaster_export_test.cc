// Exports: what their recovery makes of them, byte by byte, and what cannot be held there.
#include "faster/interop/oxifaster_export.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "faster/interop/oxifaster_import.h"
#include "tests/cpr/recording_storage.h"
#include "tests/cpr/samples.h"
#include "tests/interop/interop_samples.h"
#include "tests/interop/oxifaster_layout.h"

namespace faster::oxifaster {
namespace {

using microsoft::Fill;
using microsoft::kFold;
using microsoft::kSnap;
using microsoft::StateOf;

ExportOptions Tiny(bool snapshot) {
  ExportOptions options;
  options.snapshot = snapshot;
  options.page_bits = 10;
  return options;
}

// Their recovery and their read of a key, as the description says, and none of our reader's code.
class TheirStore {
 public:
  TheirStore(Storage& storage, const Token& token) : directory_(token.Text() + "/") {
    const auto log = Meta(storage, "log.meta"), index = Meta(storage, "index.meta");
    EXPECT_EQ(log["token"], token.Text());
    EXPECT_EQ(index["token"], token.Text());
    EXPECT_EQ(log["num_threads"], log["session_states"].size());
    sessions = log["session_states"].size();
    final_ = log["final_address"];
    begin_ = log["begin_address"];
    log["use_snapshot_file"].get<bool>() ? ReadSnapshot(storage) : ReadDevice(storage);
    ReadIndex(storage, index);
  }
  std::optional<uint64_t> Read(uint64_t key) const {
    const uint64_t hash = HashOfKey(key, KeyHashKind::kXxh3), tag = hash >> 48 & 0x3fff;
    uint64_t at = 1;
    for (uint64_t bucket = hash & (table_size_ - 1); at == 1;) {
      for (uint64_t i = 0; i < 7; ++i) {
        const uint64_t entry = buckets_[bucket * 8 + i];
        if (entry != 0 && entry >> 63 == 0 && (entry >> 48 & 0x3fff) == tag) at = entry & ((1ull << 48) - 1);
      }
      const uint64_t link = buckets_[bucket * 8 + 7] & ((1ull << 48) - 1);
      if (link == 0) break;
      bucket = table_size_ + link - 1;
    }
    while (at != 1) {
      EXPECT_TRUE(at >= begin_ && at < final_) << at;
      const std::string& page = pages_.at(at >> 25);
      const size_t offset = at & ((1 << 25) - 1);
      EXPECT_LE(offset + 24, page.size());
      const uint64_t header = WordAt(page, offset);
      if (WordAt(page, offset + 8) == key) {
        if ((header >> 62 & 1) != 0) return std::nullopt;
        return WordAt(page, offset + 16);
      }
      at = header & ((1ull << 48) - 1);
    }
    return std::nullopt;
  }
  size_t sessions = 0;
  uint64_t page_bytes = 1024;

 private:
  nlohmann::json Meta(Storage& storage, const std::string& name) {
    const std::string text = GetFile(storage, directory_ + name);
    EXPECT_EQ(GetFile(storage, directory_ + name + ".crc"), SumBytes(text));
    return nlohmann::json::parse(text);
  }
  void ReadSnapshot(Storage& storage) {
    const std::string bytes = GetFile(storage, directory_ + "log.snapshot");
    const std::string sums = GetFile(storage, directory_ + "log.snapshot.crc");
    EXPECT_EQ(WordAt(bytes, 0), begin_);
    EXPECT_EQ(WordAt(bytes, 8), final_);
    page_bytes = WordAt(bytes, 16);
    size_t at = 32;
    for (uint64_t page = 0; WordAt(bytes, at) != ~uint64_t{0}; ++page, at += 8 + page_bytes) {
      ASSERT_LE(at + 16 + page_bytes, bytes.size());
      EXPECT_EQ(WordAt(bytes, at), page);
      pages_[page] = bytes.substr(at + 8, page_bytes);
      EXPECT_EQ(WordAt(sums, 8 + 16 * page), page);
      EXPECT_EQ(sums.substr(16 + 16 * page, 8), SumBytes(pages_[page]));
    }
    EXPECT_EQ(at + 8, bytes.size());
    EXPECT_EQ(WordAt(sums, 0), pages_.size());
    EXPECT_EQ(sums.size(), 8 + 16 * pages_.size());
    EXPECT_GE(WordAt(bytes, 24), std::max<size_t>(2, pages_.size()));
  }
  void ReadDevice(Storage& storage) {
    std::unique_ptr<File> file;
    ASSERT_EQ(storage.Open("device", OpenMode::kRead, &file), Status::kOk);
    for (uint64_t page = 0; page << 25 < final_; ++page) {
      pages_[page].resize(page_bytes);
      ASSERT_EQ(ReadFully(*file, page << 25, pages_[page].data(), page_bytes), Status::kOk) << page;
    }
  }
  void ReadIndex(Storage& storage, const nlohmann::json& meta) {
    const std::string bytes = GetFile(storage, directory_ + "index.dat");
    table_size_ = WordAt(bytes, 0);
    EXPECT_EQ(meta["table_size"], table_size_);
    ASSERT_EQ(bytes.size(), 16 + 64 * (table_size_ + WordAt(bytes, 8)));
    uint64_t used = 0;
    for (size_t at = 16; at < bytes.size(); at += 8) {
      buckets_.push_back(WordAt(bytes, at));
      used += (at - 16) % 64 != 56 && buckets_.back() != 0;
    }
    EXPECT_EQ(meta["num_entries"], used);
    EXPECT_EQ(meta["num_ht_bytes"], table_size_ * 56);
  }

  std::string directory_;
  uint64_t begin_ = 0, final_ = 0, table_size_ = 0;
  std::map<uint64_t, std::string> pages_;
  std::vector<uint64_t> buckets_;
};

void ExpectRoundTrip(TestStore& store, const State& state, const ExportOptions& options) {
  MemoryStorage theirs, back;
  ExportResult exported;
  Diagnosis why;
  ASSERT_EQ(Export(&store.storage(), "", &theirs, "", options, &exported, &why), Status::kOk) << why.Text();
  EXPECT_EQ(exported.log.token, store.last_token());
  const TheirStore recovered(theirs, store.last_token());
  const uint64_t end = state.empty() ? 10 : state.rbegin()->first + 100;
  for (uint64_t key = 0; key < end && end < 100000; ++key) {
    const auto expected = state.find(key);
    EXPECT_EQ(recovered.Read(key), expected == state.end() ? std::nullopt : std::optional(expected->second));
  }
  for (const auto& [key, value] : state) ASSERT_EQ(recovered.Read(key), value) << key;
  ImportOptions import;
  import.config = TestStore::TinyConfig();
  import.config.index_buckets = 0;
  import.hash = microsoft::TestHash;
  import.device = {&theirs, "device", 0};
  import.page_bits = options.page_bits;
  ImportResult imported;
  ASSERT_EQ(Import(&theirs, "", &back, import, &imported, &why), Status::kOk) << why.Text();
  EXPECT_TRUE(imported.warnings.empty()) << imported.warnings[0];
  EXPECT_EQ(imported.records, exported.records);
  EXPECT_EQ(imported.tombstones, exported.tombstones);
  EXPECT_EQ(imported.left_out, 0u);
  EXPECT_EQ(StateOf(back, ""), state);
  NativeReader reader;
  ASSERT_EQ(reader.Open(&store.storage(), "", std::nullopt, &why), Status::kOk);
  EXPECT_EQ(imported.log.sessions, reader.log().sessions);
  EXPECT_EQ(recovered.sessions, reader.log().sessions.size());
  EXPECT_EQ(imported.log.version, reader.log().version);
  EXPECT_EQ(imported.log.token, reader.log().token);
}

TEST(OxifasterExport, RoundTripsKeepEverything) {
  for (const testing::Kind kind :
       {kFold, kSnap, testing::Kind{CheckpointKind::kIncremental, LogBackend::kSnapshot}}) {
    for (const uint64_t keys : {1, 40, 2000}) {
      TestStore store;
      const State state = Fill(store, keys);
      ASSERT_EQ(store.Checkpoint(kind), Status::kOk);
      ExpectRoundTrip(store, state, Tiny(true));
      ExpectRoundTrip(store, state, Tiny(false));
      ExportOptions options = Tiny(true);
      options.table_size = 1;  // all but seven entries in overflow buckets
      if (keys != 2000) ExpectRoundTrip(store, state, options);
      options = {};
      ExpectRoundTrip(store, state, options);
    }
  }
}

TEST(OxifasterExport, AnEmptyStoreAndFullPages) {
  for (const uint64_t keys : {0, 41, 42, 83}) {  // slot 0 of page 0 stays empty, 42 are in a page
    TestStore store;
    State state;
    {
      auto session = store.kv().StartSession();
      for (uint64_t key = 0; key < keys; ++key) store.Rmw(*session, key, key + 1), state[key] = key + 1;
    }
    ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
    ExpectRoundTrip(store, state, Tiny(true));
    ExpectRoundTrip(store, state, Tiny(false));
  }
}

// An entry for address 0 and tag 0 would say "free".
TEST(OxifasterExport, NothingIsAtAddress0) {
  TestStore store;
  { ASSERT_FALSE(IsFailure(store.kv().StartSession()->Upsert(1, 2))); }
  ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
  MemoryStorage theirs;
  ExportResult result;
  Diagnosis why;
  ASSERT_EQ(Export(&store.storage(), "", &theirs, "", Tiny(true), &result, &why), Status::kOk) << why.Text();
  EXPECT_EQ(result.log.begin, 24u);
  EXPECT_EQ(result.log.final_address, 48u);
  const std::string bytes = GetFile(theirs, result.log.token.Text() + "/log.snapshot");
  EXPECT_EQ(bytes.substr(40, 24), std::string(24, '\0'));
  EXPECT_EQ(WordAt(bytes, 64) >> 61, 0u);  // valid, no tombstone, not final
  EXPECT_EQ(WordAt(bytes, 64) & ((1ull << 48) - 1), 1u);
}

TEST(OxifasterExport, TheSourceIsOnlyReadAndLogMetaComesLast) {
  for (const bool snapshot : {true, false}) {
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
    ASSERT_EQ(Export(&store.storage(), "", &theirs, "", Tiny(snapshot), &result, &why), Status::kOk)
        << why.Text();
    for (const std::string& call : store.storage().calls) EXPECT_TRUE(call.starts_with("close")) << call;
    const std::string log = result.log.token.Text();
    const std::vector<std::string>& calls = theirs.calls;
    EXPECT_EQ(calls[calls.size() - 1], "syncdir " + log);
    EXPECT_EQ(calls[calls.size() - 2], "rename " + log + "/.log.meta.tmp " + log + "/log.meta");
    std::vector<std::string> data = {"index.dat", "index.meta.crc", ".index.meta.tmp", "log.meta.crc"};
    data.push_back(snapshot ? "log.snapshot" : "device");
    if (snapshot) data.push_back("log.snapshot.crc");
    for (const std::string& name : data) {
      const auto synced = std::find_if(calls.begin(), calls.end(), [&](const std::string& call) {
        return call.starts_with("sync ") && call.ends_with(name);
      });
      EXPECT_NE(synced, calls.end()) << name;
    }
    // Names too, before the last one is made.
    for (const std::string& directory : {"syncdir " + log, std::string("syncdir ")})
      EXPECT_NE(std::find(calls.begin(), calls.end() - 2, directory), calls.end() - 2) << directory;
  }
}

TEST(OxifasterExport, EveryFailedStepIsReportedAndLeavesNothing) {
  TestStore store;
  Fill(store, 100);
  ASSERT_EQ(store.Checkpoint(kFold), Status::kOk);
  for (const bool snapshot : {true, false}) {
    RecordingStorage whole;
    ExportResult result;
    Diagnosis why;
    ASSERT_EQ(Export(&store.storage(), "", &whole, "", Tiny(snapshot), &result, &why), Status::kOk)
        << why.Text();
    for (size_t i = 0; i < whole.calls.size(); ++i) {
      if (whole.calls[i].starts_with("close")) continue;
      RecordingStorage theirs;
      theirs.fail_at = static_cast<int>(i);
      EXPECT_EQ(Export(&store.storage(), "", &theirs, "", Tiny(snapshot), &result, &why), Status::kIoError)
          << whole.calls[i];
      EXPECT_TRUE(microsoft::HoldsNothing(theirs.inner, "")) << whole.calls[i];
    }
  }
}

class Refused : public ::testing::Test {
 protected:
  Status Run(ExportOptions options = Tiny(true)) {
    options.token = store_.last_token();
    return Export(&store_.storage(), "", &theirs_, "", options, &result_, &why_);
  }
  void ChangeLog(const std::function<void(LogMetadata*)>& change) {
    LogMetadata log;
    ASSERT_EQ(ReadMetadata(store_.storage(), "", store_.last_token(), &log, &why_), Status::kOk);
    change(&log);
    ASSERT_EQ(WriteMetadata(store_.storage(), "", log, &why_), Status::kOk);
  }

  TestStore store_;
  MemoryStorage theirs_;
  ExportResult result_;
  Diagnosis why_;
};

TEST_F(Refused, WhatTheirFilesCannotHold) {
  for (int i = 0; i < 96; ++i) ASSERT_FALSE(IsFailure(store_.kv().StartSession()->Upsert(1, 2)));
  ASSERT_EQ(store_.Checkpoint(kFold), Status::kOk);
  ExpectRoundTrip(store_, {{1, 2}}, Tiny(true));
  ChangeLog([](LogMetadata* log) { log->sessions[3].excluded = {1}; });
  EXPECT_EQ(Run(), Status::kUnsupported);
  EXPECT_NE(why_.Text().find("excluded"), std::string::npos);
  ChangeLog([](LogMetadata* log) { log->sessions[3].excluded = {}, log->version = 0x100000000; });
  EXPECT_EQ(Run(), Status::kUnsupported);
  EXPECT_NE(why_.Text().find("4294967296"), std::string::npos);
  ASSERT_FALSE(IsFailure(store_.kv().StartSession()->Upsert(1, 2)));
  ASSERT_EQ(store_.Checkpoint(kFold), Status::kOk);
  EXPECT_EQ(Run(), Status::kUnsupported);
  EXPECT_NE(why_.Text().find("97"), std::string::npos);
  EXPECT_TRUE(microsoft::HoldsNothing(theirs_, ""));
}

// What cannot be listed is not "files in it".
TEST_F(Refused, ADirectoryThatCannotBeListedIsTheDevicesError) {
  struct Unlistable : MemoryStorage {
    Status List(std::string_view directory, std::vector<std::string>* names) override {
      return directory.empty() ? MemoryStorage::List(directory, names) : Status::kIoError;
    }
  } theirs;
  ASSERT_EQ(store_.Checkpoint(kFold), Status::kOk);
  ASSERT_EQ(theirs.CreateDirectory(store_.last_token().Text()), Status::kOk);
  EXPECT_EQ(Export(&store_.storage(), "", &theirs, "", Tiny(true), &result_, &why_), Status::kIoError);
  EXPECT_EQ(why_.file, store_.last_token().Text());
}

TEST_F(Refused, WhatIsThereIsNotOverwritten) {
  ASSERT_EQ(store_.Checkpoint(kFold), Status::kOk);
  ASSERT_EQ(Run(), Status::kOk) << why_.Text();
  EXPECT_EQ(Run(), Status::kExists);
  ASSERT_EQ(store_.Checkpoint(kFold), Status::kOk);
  ASSERT_EQ(Run(Tiny(false)), Status::kOk) << why_.Text();  // beside the first
  ASSERT_EQ(store_.Checkpoint(kFold), Status::kOk);
  EXPECT_EQ(Run(Tiny(false)), Status::kExists);
  EXPECT_EQ(why_.file, "device");
  EXPECT_EQ(Run(), Status::kOk);
}

TEST_F(Refused, OptionsThatCannotBe) {
  ASSERT_EQ(store_.Checkpoint(kFold), Status::kOk);
  for (const uint32_t bits : {9u, 26u}) {
    ExportOptions options = Tiny(true);
    options.page_bits = bits;
    EXPECT_EQ(Run(options), Status::kInvalidArgument);
  }
  ExportOptions options = Tiny(true);
  options.table_size = 3;
  EXPECT_EQ(Run(options), Status::kInvalidArgument);
}

TEST_F(Refused, ADamagedBlockIsNamed) {
  {
    auto session = store_.kv().StartSession();
    for (uint64_t key = 0; key < 200; ++key) store_.Rmw(*session, key, key);
  }
  ASSERT_EQ(store_.Checkpoint(kFold), Status::kOk);
  std::string bytes = GetFile(store_.storage(), "log.0");
  bytes[200] = static_cast<char>(bytes[200] ^ 4);
  PutFile(store_.storage(), "log.0", bytes);
  EXPECT_EQ(Run(), Status::kCorruption);
  EXPECT_EQ(why_.file, "log.0");
  EXPECT_TRUE(microsoft::HoldsNothing(theirs_, ""));
}

}  // namespace
}  // namespace faster::oxifaster
