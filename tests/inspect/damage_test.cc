// A changed byte in any file that a recovery reads is found, with the file and the place.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "faster/cpr/delta_log.h"
#include "tests/inspect/inspected.h"
#include "tests/inspect/pair_checkpoints.h"

namespace faster {
namespace {

// What all checkpoints of a store have findings of.
std::vector<Finding> AllFindings(Storage& storage, uint32_t threads) {
  std::vector<Finding> all;
  StoreView view;
  Diagnosis why;
  const Status status = ReadStoreView(storage, "", &view, &why);
  if (status != Status::kOk) {
    all.push_back({Check::kMetadata, CheckpointPart::kStore, why});
    return all;
  }
  for (const CatalogEntry& entry : view.entries) {
    if (entry.empty()) continue;
    CheckpointReport report;
    const Status validated = ValidateEntry(&storage, "", view, entry, TestOptions(threads), &report);
    EXPECT_EQ(validated == Status::kOk, report.findings.empty());
    all.insert(all.end(), report.findings.begin(), report.findings.end());
  }
  return all;
}

// Which parts of a log some checkpoint reads.
struct Ranges {
  std::vector<std::pair<LogAddress, LogAddress>> read;
  uint64_t segment_bytes = 1;
};
std::map<std::string, Ranges> RangesOf(Storage& storage) {
  std::map<std::string, Ranges> ranges;  // by directory
  const auto add = [&](const std::string& directory) {
    StoreView view;
    Diagnosis why;
    if (ReadStoreView(storage, directory, &view, &why) != Status::kOk) return;
    for (const CatalogEntry& entry : view.entries) {
      if (!entry.log.valid()) continue;
      const LogMetadata& log = entry.log.metadata;
      ranges[directory].read.emplace_back(log.begin_address, std::min(log.flushed_until, log.final_address));
      ranges[directory].segment_bytes = uint64_t{log.segment_pages} << log.page_bits;
      if (!view.PairOf(entry).valid()) continue;
      const PairMetadata& pair = view.PairOf(entry).metadata;
      ranges["cold"].read.emplace_back(pair.begin_address, pair.final_address);
      ranges["cold"].segment_bytes = uint64_t{pair.segment_pages} << pair.page_bits;
    }
  };
  add("");
  add("cold-index");
  return ranges;
}

// How much one finding of a file may speak for.
uint64_t UnitOf(const std::string& name) {
  if (name.ends_with(".meta") || name.ends_with(".info") || name == "abandoned") return ~uint64_t{0};
  if (name == "index.dat") return (kIndexBlockWords + 1) * 8;
  return 128;  // a block, a header; a table is told by its checksum
}

class Damage {
 public:
  explicit Damage(Storage* storage) : storage_(*storage), ranges_(RangesOf(*storage)) {
    EXPECT_TRUE(AllFindings(storage_, 1).empty()) << "not whole to begin with";
  }

  void FlipAll() {
    for (const std::string& path : PathsBelow(storage_, "")) FlipIn(path);
  }
  const std::map<std::string, int>& flips() const { return flips_; }  // by file kind

 private:
  void FlipIn(const std::string& path) {
    const std::string name = NameIn(path);
    const std::string directory =
        path.size() == name.size() ? "" : path.substr(0, path.size() - name.size() - 1);
    const uint64_t bytes = SizeOf(storage_, path);
    std::set<uint64_t> offsets = {0, bytes / 2, bytes - 1};
    for (uint64_t at = 5; at < bytes; at += name == "index.dat" ? 97 : 61) offsets.insert(at);
    for (const uint64_t offset : offsets) {
      uint64_t segment = 0;
      const bool log = ParseSegmentName(name, &segment);
      if (log && !IsRead(directory, segment, offset)) continue;
      FlipByte(storage_, path, offset);
      ExpectFound(path, name, offset);
      FlipByte(storage_, path, offset);
      ++flips_[log ? JoinPath(directory, "log") : name];
    }
  }

  bool IsRead(const std::string& directory, uint64_t segment, uint64_t offset) const {
    const auto range = ranges_.find(directory);
    if (range == ranges_.end()) return false;
    const LogAddress at = segment * range->second.segment_bytes + offset;
    const auto& read = range->second.read;
    return std::any_of(read.begin(), read.end(),
                       [&](const auto& one) { return at >= one.first && at < one.second; });
  }

  void ExpectFound(const std::string& path, const std::string& name, uint64_t offset) {
    const std::vector<Finding> findings = AllFindings(storage_, 1 + offset % 2);
    const uint64_t unit = UnitOf(name);
    bool named = false, placed = false;
    for (const Finding& one : findings) {
      if (one.what.file != path) continue;
      named = true;
      const bool table = name == kDeltaLogName && one.what.expected.starts_with("table checksum");
      placed = placed || unit == ~uint64_t{0} || table ||
               (one.what.offset <= offset && offset < one.what.offset + unit) ||
               (offset < 128 && one.what.offset < 128);
    }
    EXPECT_TRUE(named) << path << " at " << offset << ": " << findings.size() << " findings"
                       << (findings.empty() ? "" : ", first: " + findings.front().what.Text());
    EXPECT_TRUE(placed || !named) << path << " at " << offset << ": " << findings.front().what.Text();
  }

  Storage& storage_;
  const std::map<std::string, Ranges> ranges_;
  std::map<std::string, int> flips_;
};

void Work(TestStore& store, uint64_t count, uint64_t keys = 60) {
  auto session = store.kv().StartSession();
  for (uint64_t i = 0; i < count; ++i) store.Rmw(*session, i % keys, i + 1);
}

TEST(Damage, OfAStoreWithEveryKindOfCheckpoint) {
  StoreConfig config = TestStore::TinyConfig();
  config.buffer_pages = 16;
  config.mutable_pages = 8;
  TestStore store(config);
  Work(store, 150);
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kFoldOver}), Status::kOk);
  Work(store, 60);
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kSnapshot}), Status::kOk);
  for (int delta = 0; delta < 2; ++delta) {
    Work(store, 40);
    ASSERT_EQ(store.Checkpoint({CheckpointKind::kIncremental, LogBackend::kSnapshot}), Status::kOk);
  }
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kIndexOnly, LogBackend::kFoldOver}), Status::kOk);
  store.Close();
  Damage damage(&store.storage());
  damage.FlipAll();
  std::set<std::string> kinds;
  for (const auto& [kind, flips] : damage.flips()) kinds.insert(kind);
  EXPECT_EQ(kinds, (std::set<std::string>{"log", "index.meta", "index.dat", "log.meta", "log.snapshot",
                                          "delta.0.log", "delta.meta", "incremental.info"}));
}

TEST(Damage, OfAPair) {
  MemoryStorage storage;
  std::vector<Token> tokens;
  ASSERT_NO_FATAL_FAILURE(WriteTwoPairs(&storage, &tokens));
  Damage damage(&storage);
  damage.FlipAll();
  std::set<std::string> kinds;
  for (const auto& [kind, flips] : damage.flips()) kinds.insert(kind);
  EXPECT_EQ(kinds, (std::set<std::string>{"log", "cold/log", "cold-index/log", "index.meta", "index.dat",
                                          "log.meta", "pair.meta"}));
}

// Files that are shorter, longer, or gone.
TEST(Damage, OfSizesAndNames) {
  for (const char* const name : {"log.snapshot", "index.dat", "log.meta", "index.meta"}) {
    for (const int change : {-1, +1, 0}) {
      TestStore store;
      Work(store, 100);
      ASSERT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kSnapshot}), Status::kOk);
      store.Close();
      const std::string path = CheckpointPath("", store.last_token(), name);
      if (change == 0) {
        ASSERT_EQ(store.storage().Remove(path), Status::kOk);
      } else {
        std::unique_ptr<File> file;
        ASSERT_EQ(store.storage().Open(path, OpenMode::kReadWrite, &file), Status::kOk);
        ASSERT_EQ(file->Truncate(SizeOf(store.storage(), path) + change), Status::kOk);
      }
      const std::vector<Finding> findings = AllFindings(store.storage(), 1);
      // Without its text a part of a checkpoint is not there.
      const bool text = change == 0 && std::string_view(name).ends_with(".meta");
      EXPECT_EQ(findings.empty(), text) << path << " " << change;
      for (const Finding& one : findings) EXPECT_EQ(one.what.file, path);
    }
  }
}

TEST(Damage, ASegmentThatIsGone) {
  TestStore store;
  Work(store, 300, 300);
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kFoldOver}), Status::kOk);
  store.Close();
  ASSERT_EQ(store.storage().Remove("log.1"), Status::kOk);
  CheckpointReport report;
  Diagnosis why;
  EXPECT_EQ(ValidateCheckpoint(&store.storage(), "", {}, TestOptions(2), &report, &why), Status::kCorruption);
  EXPECT_EQ(report.total_findings, 2048u / 128) << TextOf(report);
  EXPECT_EQ(report.findings[0].what.file, "log.1");
  EXPECT_EQ(report.findings[0].what.offset, 0u);
  EXPECT_EQ(report.findings[0].what.found, "no such bytes");
}

TEST(Damage, WhatIsFoundFirstDependsOnNoThread) {
  TestStore store;
  Work(store, 1000, 1000);
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kFull, LogBackend::kFoldOver}), Status::kOk);
  store.Close();
  for (int segment = 0; segment < 3; ++segment) {
    for (uint64_t at = 0; at < 2048; at += 128)
      FlipByte(store.storage(), "log." + std::to_string(segment), at + 20);
  }
  std::string first;
  for (int i = 0; i < 10; ++i) {
    ValidateOptions options = TestOptions(1 + i % 2);
    options.most_findings = 5;
    CheckpointReport report;
    Diagnosis why;
    EXPECT_EQ(ValidateCheckpoint(&store.storage(), "", {}, options, &report, &why), Status::kCorruption);
    EXPECT_EQ(report.total_findings, 3u * 16);
    EXPECT_EQ(report.findings.size(), 5u);
    if (first.empty()) first = TextOf(report);
    EXPECT_EQ(TextOf(report), first);
  }
}

TEST(Damage, NoCheckpointAtAll) {
  MemoryStorage storage;
  CheckpointReport report;
  Diagnosis why;
  EXPECT_EQ(ValidateCheckpoint(&storage, "", {}, {}, &report, &why), Status::kNotFound);
  EXPECT_EQ(ValidateCheckpoint(&storage, "", Token{1, 2}, {}, &report, &why), Status::kNotFound);
  EXPECT_EQ(why.found, "no such directory");
  EXPECT_EQ(ValidateCheckpoint(&storage, "nowhere", {}, {}, &report, &why), Status::kNotFound);
}

}  // namespace
}  // namespace faster
