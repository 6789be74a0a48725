// Content that is wrong behind checksums that are good. The state may then be anything, but a recovery ends,
// stays within its memory, and names the file where it sees the lie. Most of these were found by the fuzz
// targets or while they were written.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstring>

#include "faster/core/record.h"
#include "faster/cpr/index_data.h"
#include "faster/index/hash_table.h"
#include "tests/fuzz/mutation.h"
#include "tests/fuzz/seal.h"

namespace damage {
namespace {

class Lie : public ::testing::Test {
 protected:
  void Of(const std::string& kind) {
    subject_ = MakeSubject(kind, 1);
    ASSERT_NE(subject_, nullptr);
    image_ = subject_->image();
    folder_ = subject_->committed().back().token.Text() + "/";
  }
  std::string Get(const std::string& path) { return *image_.at(path); }
  void Put(const std::string& path, std::string bytes) {
    image_[path] = std::make_shared<const std::string>(std::move(bytes));
    Reseal(&image_, path);
  }
  void Set(const std::string& name, std::string_view field, const std::string& value) {
    std::string text = Get(folder_ + name);
    ASSERT_TRUE(SetField(&text, field, value)) << field;
    Put(folder_ + name, text);
  }
  uint64_t Word(const std::string& path, size_t at) {
    uint64_t word = 0;
    std::memcpy(&word, image_.at(path)->data() + at, 8);
    return word;
  }
  void SetWord(const std::string& path, size_t at, uint64_t word) {
    std::string bytes = Get(path);
    std::memcpy(bytes.data() + at, &word, 8);
    Put(path, bytes);
  }
  Outcome Recover(Depth depth = Depth::kRead) {
    ImageStorage storage(image_);
    return subject_->Recover(&storage, {}, depth);
  }
  void ExpectRefused(const std::string& file) {
    const Outcome outcome = Recover();
    EXPECT_EQ(outcome.ending, Ending::kRefused) << outcome.problem;
    EXPECT_EQ(outcome.status, faster::Status::kCorruption);
    EXPECT_EQ(outcome.why.file, file) << outcome.why.Text();
  }

  std::string LastSegment() const {
    std::string last;
    for (const std::string& path : FilesOf(image_)) {
      if (path.starts_with("log.")) last = path;
    }
    return last;
  }

  std::unique_ptr<Subject> subject_;
  Image image_;
  std::string folder_;
};

constexpr const char* kFar = "140737488355328";  // 2^47

// A table was made as large as log.meta said.
TEST_F(Lie, ADeltaOfARangeThatNoFileHolds) {
  Of("incremental");
  Set("log.meta", "final_address", kFar);
  Set("delta.meta", "current_final_address", kFar);
  ExpectRefused(folder_ + "delta.0.log");
  SetWord(folder_ + "delta.0.log", 72, 1ull << 47);  // it says so, too
  ExpectRefused(folder_ + "delta.0.log");
}

// The first block of an image that had none was asked for.
TEST_F(Lie, AFoldOverFlushedBelowItsEnd) {
  Of("full/foldover");
  Set("log.meta", "flushed_until_address", "0");
  ExpectRefused(folder_ + "log.meta");
}

// The last block was read beyond the page.
TEST_F(Lie, ASnapshotThatBeginsWithinABlock) {
  Of("log/snapshot");
  const std::string path = folder_ + "log.snapshot";
  const uint64_t first = Word(path, 32) + 8;
  std::string bytes = Get(path);
  bytes.resize(bytes.size() - 8);
  Put(path, bytes);
  SetWord(path, 32, first);
  Set("log.meta", "flushed_until_address", std::to_string(first));
  ExpectRefused(folder_ + "log.meta");
}

// One bit was kept for every segment below.
TEST_F(Lie, ALogThatEndsBeyondEverything) {
  Of("log/foldover");
  rusage before, after;
  ASSERT_EQ(getrusage(RUSAGE_SELF, &before), 0);
  Set("log.meta", "final_address", "8796093022208");  // 2^43: 2^32 segments
  Set("log.meta", "flushed_until_address", "8796093022208");
  const Outcome outcome = Recover();
  EXPECT_EQ(outcome.ending, Ending::kRefused) << outcome.problem;
  EXPECT_TRUE(outcome.why.file.starts_with("log.")) << outcome.why.Text();
  ASSERT_EQ(getrusage(RUSAGE_SELF, &after), 0);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10) << "KiB";
}

// Texts nested deeply enough used up the stack when they were copied or quoted.
TEST_F(Lie, ATextNestedWithoutEnd) {
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  Of("full/foldover");
  Set("index.meta", "version", deep);
  ExpectRefused(folder_ + "index.meta");
  Of("incremental");
  Set("delta.meta", "version", "3,\n  \"more\": " + deep);
  ExpectRefused(folder_ + "delta.meta");
}

TEST_F(Lie, ATableThatNoMemoryHolds) {
  Of("full/foldover");
  Set("index.meta", "table_size", "1099511627776");
  Set("index.meta", "num_ht_bytes", "70368744177664");
  Outcome outcome = Recover();
  EXPECT_EQ(outcome.ending, Ending::kRefused) << outcome.problem;
  EXPECT_EQ(outcome.why.file, folder_ + "index.meta");
  Of("log/foldover");
  Set("log.meta", "table_size", "1099511627776");
  outcome = Recover();
  EXPECT_EQ(outcome.ending, Ending::kRefused) << outcome.problem;
  EXPECT_EQ(outcome.why.file, folder_ + "log.meta");
}

constexpr size_t kTable = faster::kIndexHeaderBytes;  // 2 main buckets, then those for overflow
constexpr size_t kLink = 7 * 8;

// Searches in such a chain of buckets did not end.
TEST_F(Lie, BucketsInACircle) {
  Of("full/foldover");
  const std::string path = folder_ + "index.dat";
  const uint64_t first = Word(path, kTable + kLink), second = Word(path, kTable + 64 + kLink);
  ASSERT_TRUE(first != 0 && second != 0 && first != second);
  SetWord(path, kTable + (1 + first) * 64 + kLink, first);  // it leads to itself
  ExpectRefused(path);
  Of("full/foldover");
  SetWord(path, kTable + 64 + kLink, first);  // two buckets share one
  ExpectRefused(path);
}

// Lookups went where the entry leads.
TEST_F(Lie, EntriesThatLeadNowhere) {
  Of("full/foldover");
  const std::string path = folder_ + "index.dat";
  size_t at = kTable;
  while (Word(path, at) == 0) at += 8;
  const uint64_t good = Word(path, at);
  for (const uint64_t address : {faster::HashEntry::kCached | 8,  // a page of the read cache
                                 uint64_t{1} << 46, (good & faster::kAddressMask) + 4}) {
    SetWord(path, at, (good & ~faster::kAddressMask) | address);
    ExpectRefused(path);
  }
}

// Of several the last was named.
TEST_F(Lie, TheFirstOfSeveralIsNamed) {
  Of("full/foldover");
  const std::string index = folder_ + "index.dat";
  for (const size_t bucket : {0, 1}) SetWord(index, kTable + bucket * 64, (1ull << 46) + 4);
  EXPECT_EQ(Recover().why.offset, kTable) << Recover().why.Text();

  Of("log/foldover");
  const std::string log = LastSegment();
  const size_t last_block = image_.at(log)->size() - 128;
  std::vector<size_t> ascending;
  for (size_t at = last_block + 8; ascending.size() < 2; at += 24) {
    ASSERT_LT(at, last_block + 128);
    const faster::RecordHeader header{Word(log, at)};
    if (!header.present()) continue;
    SetWord(log, at, header.control | faster::kAddressMask);
    ascending.push_back(std::stoull(log.substr(4)) * 2048 + at);
  }
  const Outcome outcome = Recover();
  EXPECT_TRUE(outcome.why.found.ends_with("at address " + std::to_string(ascending.front())))
      << outcome.why.Text();
}

// A search that came to such a record did not end. What is loaded counts, and what is replayed.
TEST_F(Lie, RecordsInACircle) {
  for (const char* const kind :
       {"full/foldover", "log/foldover", "log/snapshot", "variable, full/foldover"}) {
    for (const bool aligned : {true, false}) {
      Of(kind);
      const bool snapshot = std::string(kind) == "log/snapshot";
      std::string path = folder_ + "log.snapshot";
      if (!snapshot) path = LastSegment();
      const size_t at = image_.at(path)->size() - 128 + 8;  // the first record of the last block
      const faster::RecordHeader header{Word(path, at)};
      ASSERT_TRUE(header.present());
      const faster::LogAddress own =
          snapshot ? Word(path, 32) + at - 64 : std::stoull(path.substr(4)) * 2048 + at;
      SetWord(path, at, (header.control & ~faster::kAddressMask) | (aligned ? own : own - 4));
      ExpectRefused(path);
    }
  }
}

}  // namespace
}  // namespace damage
