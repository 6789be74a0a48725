// Damage of oxifaster's files. Every bit of every byte of a small directory, every length of every file, each
// file gone: the state is the right one, or an error names a file. What XOR sums cannot tell, and what a log
// without sums cannot, is said here by tests of its own.
#include <gtest/gtest.h>

#include "faster/interop/oxifaster_import.h"
#include "tests/cpr/samples.h"
#include "tests/interop/interop_samples.h"
#include "tests/interop/oxifaster_layout.h"

namespace faster::oxifaster {
namespace {

using microsoft::StateOf;

class Damaged : public ::testing::Test {
 protected:
  enum Result { kRight, kNamed, kWrong };

  // 60 records are two pages, 40 are one.
  void Make(uint64_t records, const std::function<void()>& write) {
    state_ = FillLayout(&layout_, 0, records);
    write();
    ASSERT_EQ(Outcome(), kRight) << why_.Text();
    for (const std::string& line : Dump(source_, "")) {
      const size_t at = line.find('=');
      if (at != std::string::npos) files_[line.substr(0, at)] = line.substr(at + 1);
    }
  }
  Result Outcome() {
    MemoryStorage target;
    ImportOptions options;
    options.config = TestStore::TinyConfig();
    options.config.index_buckets = 0;
    options.hash = microsoft::TestHash;
    options.device = {&source_, "device", 0};
    options.page_bits = 10;
    options.no_rmw = true;
    options.token = layout_.token;
    why_ = {};
    const Status status = Import(&source_, "", &target, options, &result_, &why_);
    if (status != Status::kOk) {
      EXPECT_FALSE(why_.file.empty()) << why_.Text();
      EXPECT_TRUE(microsoft::HoldsNothing(target, "")) << why_.Text();
      return kNamed;
    }
    const std::vector<SessionCommit> sessions = {{Guid{0x0123456700000000, 1}, 17}};
    return result_.log.sessions == sessions && StateOf(target, "") == state_ ? kRight : kWrong;
  }
  // With other bytes in the file, or without it.
  Result With(const std::string& path, const std::optional<std::string>& bytes) {
    if (bytes)
      PutFile(source_, path, *bytes);
    else
      EXPECT_EQ(source_.Remove(path), Status::kOk);
    const Result result = Outcome();
    PutFile(source_, path, files_.at(path));
    return result;
  }
  std::string Flipped(const std::string& path, size_t bit) {
    std::string bytes = files_.at(path);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    return bytes;
  }
  void ExpectEveryFlipIsFound(const std::string& skip = "") {
    for (const auto& [path, bytes] : files_) {
      for (size_t bit = 0; bit < bytes.size() * 8 && path != skip; ++bit)
        ASSERT_NE(With(path, Flipped(path, bit)), kWrong) << path << " bit " << bit;
    }
  }
  // Each length in turn, one byte more, and no file.
  void ExpectEveryCutIsFound() {
    for (const auto& [path, bytes] : files_) {
      for (size_t size = 0; size < bytes.size(); ++size)
        ASSERT_NE(With(path, bytes.substr(0, size)), kWrong) << path << " size " << size;
      ASSERT_NE(With(path, bytes + "x"), kWrong) << path;
      ASSERT_NE(With(path, std::nullopt), kWrong) << path;
    }
  }
  // The flips of a file of pages without sums that change the state: values, and tombstones of value 0.
  void ExpectOnlyValuesAreLost(const std::string& path, size_t first_page_at, size_t page_stride) {
    uint64_t wrong = 0, flips = 0;
    for (size_t bit = 0; bit < files_.at(path).size() * 8; ++bit) {
      ++flips;
      if (With(path, Flipped(path, bit)) != kWrong) continue;
      ++wrong;
      ASSERT_GE(bit / 8, first_page_at);
      const size_t in_page =
          bit - first_page_at * 8 - (bit / 8 - first_page_at) / page_stride * page_stride * 8;
      const size_t in_record = in_page % (kRecordBytes * 8);
      EXPECT_TRUE(in_record >= 128 || in_record == 62)
          << path << " bit " << bit << " of record " << in_record;
    }
    EXPECT_GT(wrong, 1000u);
    EXPECT_LT(wrong * 3, flips);
  }
  std::string Path(const std::string& name) const { return layout_.Path(name); }

  MemoryStorage source_;
  Layout layout_;
  State state_;
  std::map<std::string, std::string> files_;
  ImportResult result_;
  Diagnosis why_;
};

TEST_F(Damaged, EveryByteOfASnapshot) {
  Make(60, [&] { layout_.WriteSnapshot(source_); });
  EXPECT_EQ(files_.size(), 7u);
  ExpectEveryFlipIsFound();
  ExpectEveryCutIsFound();
}

TEST_F(Damaged, EveryByteOfASnapshotWhosePagesHaveNoSums) {
  Make(60, [&] { layout_.WriteSnapshot(source_); });
  ASSERT_EQ(source_.Remove(Path("log.snapshot.crc")), Status::kOk);
  files_.erase(Path("log.snapshot.crc"));
  ExpectEveryFlipIsFound(Path("log.snapshot"));
  ExpectEveryCutIsFound();
  ExpectOnlyValuesAreLost(Path("log.snapshot"), 40, 8 + Layout::kPageBytes);
}

TEST_F(Damaged, EveryByteOfAFoldOverCheckpoint) {
  Make(40, [&] { layout_.WriteFoldOver(source_, "device"); });
  EXPECT_EQ(files_.size(), 6u);
  ExpectEveryFlipIsFound("device");
  ExpectEveryCutIsFound();
  ExpectOnlyValuesAreLost("device", 0, Layout::kPageBytes);
}

TEST_F(Damaged, EveryByteOfADelta) {
  Layout base;
  base.token.low = 1;
  base.version = 2;
  FillLayout(&base, 0, 20);
  base.WriteSnapshot(source_);
  layout_ = base;
  layout_.token.low = 2;
  layout_.version = 3;
  Make(60, [&] { layout_.WriteDelta(source_, base, base.tail); });
  EXPECT_EQ(files_.size(), 7u + 8);
  ExpectEveryFlipIsFound();
  ExpectEveryCutIsFound();
}

TEST_F(Damaged, LostBlocksOfADevice) {
  Make(40, [&] { layout_.WriteFoldOver(source_, "device"); });
  for (const size_t block : {24, 64, 512}) {
    for (size_t at = 0; at + block <= Layout::kPageBytes; at += block) {
      std::string bytes = files_.at("device");
      bytes.replace(at, block, block, '\0');
      ASSERT_NE(With("device", bytes), kWrong) << at << " " << block;
    }
  }
}

// Sums that fit, and files that contradict each other.
TEST_F(Damaged, ContradictionsAreNamed) {
  Make(60, [&] { layout_.WriteSnapshot(source_); });
  const std::string path = Path("log.snapshot"), sums = Path("log.snapshot.crc");
  const std::string whole = files_.at(path), whole_sums = files_.at(sums);
  const auto expect = [&](const std::string& file, const std::string& bytes, const std::string& blamed) {
    EXPECT_EQ(With(file, bytes), kNamed) << blamed;
    EXPECT_NE((why_.file + " at " + std::to_string(why_.offset)).find(blamed), std::string::npos)
        << why_.Text();
  };
  const auto put = [](std::string bytes, size_t at, uint64_t word) {
    return bytes.replace(at, 8, Word(word));
  };
  const auto second = [&](size_t at) { return WordAt(whole_sums, at); };
  expect(path, put(whole, 0, 24), "log.snapshot at 0");
  expect(path, put(whole, 8, layout_.tail - 24), "log.snapshot at 8");
  expect(path, put(whole, 16, 2048), "log.snapshot at");
  expect(path, put(whole, 24, 0), "log.snapshot at 24");
  expect(path, put(whole, 32, 1), "log.snapshot at 32");
  expect(path, put(whole, whole.size() - 8, 2), "log.snapshot at " + std::to_string(whole.size() - 8));
  expect(path, whole + "x", "log.snapshot at " + std::to_string(whole.size()));
  expect(sums, put(whole_sums, 0, 3), "log.snapshot.crc at 0");
  expect(sums, put(put(whole_sums, 24, 0), 32, second(16)), "log.snapshot.crc at 24");
  expect(sums, put(whole_sums, 24, 7), "log.snapshot.crc at 24");
  // The pages may come in another order there.
  std::string turned = put(put(whole_sums, 8, 1), 16, second(32));
  EXPECT_EQ(With(sums, put(put(turned, 24, 0), 32, second(16))), kRight) << why_.Text();
  const std::string index = Path("index.dat");
  for (const auto& [at, word] : std::map<size_t, uint64_t>{{0, 8}, {8, 1}, {16 + 56, 1000}}) {
    EXPECT_EQ(With(index, put(files_.at(index), at, word)), kRight) << why_.Text();
    ASSERT_EQ(result_.warnings.size(), 1u);
    EXPECT_NE(result_.warnings[0].find("index.dat at offset"), std::string::npos) << result_.warnings[0];
    EXPECT_EQ(result_.warnings[0].find("as in index.meta") != std::string::npos, at == 0);
  }
}

// --- what an XOR of words does not see ---

// Two flips of the same bit in two words, and two words in each other's place.
TEST_F(Damaged, TwoFlipsThatCancelInAPageAreNotSeen) {
  Make(60, [&] { layout_.WriteSnapshot(source_); });
  const std::string path = Path("log.snapshot");
  const size_t value = 40 + 16;  // of the first two records, whose keys have no newer version
  std::string bytes = files_.at(path);
  const auto last = [&](size_t record) { return value + 24 * record; };
  bytes[last(20)] = static_cast<char>(bytes[last(20)] ^ 64);
  EXPECT_EQ(With(path, bytes), kNamed);
  bytes[last(21)] = static_cast<char>(bytes[last(21)] ^ 64);
  EXPECT_EQ(With(path, bytes), kWrong);
  bytes = files_.at(path);
  std::swap_ranges(bytes.begin() + static_cast<long>(last(20)),
                   bytes.begin() + static_cast<long>(last(20)) + 8,
                   bytes.begin() + static_cast<long>(last(21)));
  EXPECT_EQ(With(path, bytes), kWrong);
  // Of links it is seen, of keys it is by the index: a warning, as the index might be what is wrong.
  for (const size_t word : {0, 8}) {
    bytes = files_.at(path);
    for (const size_t record : {20, 21}) {
      char& byte = bytes[40 + 24 * record + word + 1];
      byte = static_cast<char>(byte ^ 2);
    }
    const Result result = With(path, bytes);
    EXPECT_TRUE(result == kNamed || (word == 8 && result_.warnings.size() == 1)) << word;
  }
}

// Where two flips 8 bytes apart leave a text that says something else, there is nothing to compare it with.
TEST_F(Damaged, TwoFlipsThatCancelInATextAreSeenButInASession) {
  Make(60, [&] { layout_.WriteSnapshot(source_); });
  const std::string path = Path("log.meta");
  const size_t sessions = files_.at(path).find("session_states");
  uint64_t named = 0;
  for (size_t at = 0; at + 8 < files_.at(path).size(); ++at) {
    std::string bytes = files_.at(path);
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    bytes[at + 8] = static_cast<char>(bytes[at + 8] ^ 1);
    const Result result = With(path, bytes);
    named += result == kNamed;
    if (result == kWrong) {
      EXPECT_GT(at, sessions) << bytes;
    }
  }
  EXPECT_GT(named * 4, files_.at(path).size() * 3);
}

}  // namespace
}  // namespace faster::oxifaster
