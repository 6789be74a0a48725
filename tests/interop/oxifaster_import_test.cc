// Imports of what oxifaster wrote, and of what it may write: which records count, in which order.
#include "faster/interop/oxifaster_import.h"

#include <gtest/gtest.h>

#include "tests/cpr/samples.h"
#include "tests/interop/interop_samples.h"
#include "tests/interop/oxifaster_made.h"

namespace faster::oxifaster {
namespace {

// --- what the engine itself made: data/README.md ---

class RealData : public ::testing::TestWithParam<const char*> {
 protected:
  explicit RealData(const std::string& name) : source_(std::string(OXIFASTER_DATA) + "/" + name) {}
  RealData() : RealData(GetParam()) {}
  ImportOptions Options() {
    ImportOptions options = Tiny();
    options.device = {&source_, "hlog.dat", 0};
    options.page_bits = 12;
    return options;
  }
  State ExpectedState() {
    const std::string bytes = GetFile(source_, "expected");
    State state;
    for (size_t at = 0; at < bytes.size(); at += 16) state[WordAt(bytes, at)] = WordAt(bytes, at + 8);
    return state;
  }
  std::vector<SessionCommit> ExpectedSessions() {
    std::istringstream lines(GetFile(source_, "sessions"));
    std::vector<SessionCommit> sessions;
    std::string text;
    SessionCommit commit;
    while (lines >> text >> commit.serial) {
      EXPECT_TRUE(Guid::Parse(text, &commit.session));
      sessions.push_back(commit);
    }
    std::sort(sessions.begin(), sessions.end(),
              [](const SessionCommit& a, const SessionCommit& b) { return a.session < b.session; });
    return sessions;
  }
  void ExpectRefused(const ImportOptions& options, Status status, const std::string& what) {
    MemoryStorage target;
    EXPECT_EQ(Import(&source_, "", &target, options, &result_, &why_), status);
    EXPECT_NE(why_.Text().find(what), std::string::npos) << why_.Text();
    EXPECT_TRUE(microsoft::HoldsNothing(target, ""));
  }

  PosixStorage source_;
  ImportResult result_;
  Diagnosis why_;
};
class RecoveredData : public RealData {};
INSTANTIATE_TEST_SUITE_P(Made, RecoveredData, ::testing::Values("snap", "fold", "evict"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(RecoveredData, KeyByKey) {
  MemoryStorage target;
  ASSERT_EQ(Import(&source_, "", &target, Options(), &result_, &why_), Status::kOk) << why_.Text();
  const State expected = ExpectedState();
  EXPECT_GT(expected.size(), 250u);
  EXPECT_EQ(StateOf(target, ""), expected);
  EXPECT_EQ(result_.log.sessions, ExpectedSessions());
  EXPECT_EQ(result_.log.sessions.size(), 3u);
  EXPECT_EQ(result_.log.token, result_.source.token);
  EXPECT_EQ(result_.log.version, 1u);
  EXPECT_EQ(result_.records, 2100u);
  EXPECT_EQ(result_.tombstones, 147u);
  EXPECT_EQ(result_.left_out, 0u);
  EXPECT_TRUE(result_.warnings.empty()) << result_.warnings[0];
}

struct Evicted : RealData {
  Evicted() : RealData("evict") {}
};
TEST_F(Evicted, PagesThatHadNoRoomInMemoryAreNotTakenFromTheSnapshot) {
  ImportOptions options = Options();
  options.device = {};
  ExpectRefused(options, Status::kInvalidArgument, "10 of 13 had");
}

struct FoldAgain : RealData {
  FoldAgain() : RealData("foldagain") {}
};
// Their second fold-over checkpoint has 17 keys fewer than the store: their flush forgets a page that grew.
TEST_F(FoldAgain, APageThatTheyDidNotWriteAgainIsNamed) {
  ExpectRefused(Options(), Status::kCorruption, "hlog.dat at offset");
  EXPECT_NE(why_.Text().find("does not write a page again"), std::string::npos) << why_.Text();
  EXPECT_EQ(why_.found, "zeros");
}

struct Incremental : RealData {
  Incremental() : RealData("incremental") {}
};
TEST_F(Incremental, ADeltaThatTheyNeverWroteIsNamed) {
  ImportOptions options = Options();
  options.no_rmw = true;
  ExpectRefused(options, Status::kCorruption,
                "delta.0.log at offset 0: expected 7168 bytes, as delta.meta says, found 0: version 0.1.3");
  // The snapshot before it is whole.
  options.token = result_.source.log.base;
  MemoryStorage target;
  EXPECT_EQ(Import(&source_, "", &target, options, &result_, &why_), Status::kOk) << why_.Text();
  EXPECT_EQ(result_.records, 2100u);
}

struct Fold : RealData {
  Fold() : RealData("fold") {}
};
TEST_F(Fold, TheDeviceAndItsPagesHaveToBeSaid) {
  ImportOptions options = Options();
  options.device = {};
  ExpectRefused(options, Status::kInvalidArgument, "--device");
  options.device = {&source_, "none", 0};
  ExpectRefused(options, Status::kNotFound, "none at offset 0");
  options = Options();
  options.page_bits = 11;
  ExpectRefused(options, Status::kInvalidArgument, "--their-page-bits");
  options.page_bits = 0;
  ExpectRefused(options, Status::kCorruption, "--their-page-bits");
  options = Options();
  options.their_hash = KeyHashKind::kXxh64;
  ExpectRefused(options, Status::kCorruption, "--their-hash");
}

// --- what it may write ---

TEST_F(Made, SnapshotsAndFoldOverAndSegments) {
  const State state = FillLayout(&layout_, 0, 300);
  layout_.WriteSnapshot(source_);
  ExpectState(state);
  EXPECT_EQ(result_.log.sessions, (std::vector<SessionCommit>{{Guid{0x0123456700000000, 1}, 17}}));
  MemoryStorage other;
  layout_.WriteFoldOver(source_, "device");
  ExpectState(state, OnDevice());
  // Two pages a segment, the last one in a third.
  layout_.WriteFoldOver(source_, "device", uint64_t{2} << kOffsetBits);
  ExpectState(state, OnDevice(uint64_t{2} << kOffsetBits));
  ExpectRefused(Status::kCorruption, "device.1 at offset", OnDevice(uint64_t{1} << kOffsetBits));
  ASSERT_EQ(source_.Remove("device.2"), Status::kOk);
  ExpectRefused(Status::kNotFound, "device.2", OnDevice(uint64_t{2} << kOffsetBits));
}

TEST_F(Made, AnEmptyLog) {
  layout_.WriteSnapshot(source_);
  ExpectState({});
  layout_.WriteFoldOver(source_, "device");
  ExpectState({});  // no device is needed
}

TEST_F(Made, ABeginAddressInAPage) {
  FillLayout(&layout_, 0, 60);
  layout_.begin = Grid::AddressOf(1, 3);
  const State state = FillLayout(&layout_, 100, 200);
  State expected = state;
  layout_.WriteSnapshot(source_);
  ASSERT_EQ(Run(), Status::kOk) << why_.Text();
  const State found = StateOf(*target_, "");
  for (const auto& [key, value] : state) EXPECT_EQ(found.at(key), value);
  EXPECT_EQ(result_.records, 60u - 45 + 100);
  EXPECT_TRUE(result_.warnings.empty()) << result_.warnings[0];
}

// The tail may stand behind the last slot when allocations did not fit.
TEST_F(Made, ATailBehindAPage) {
  const State state = FillLayout(&layout_, 0, 42);
  for (const uint64_t offset : {1008, 1024, 1032, 1056}) {
    layout_.tail = offset;
    layout_.WriteSnapshot(source_);
    ExpectState(state);
  }
  layout_.tail = 1000;
  layout_.WriteSnapshot(source_);
  ExpectRefused(Status::kCorruption, "log.meta at offset 0: expected a final address behind a record");
}

TEST_F(Made, TheIndexIsNotAskedForRecordsThatCameAfterItsCopy) {
  const State before = FillLayout(&layout_, 0, 30);
  const auto heads = layout_.heads;
  State state = before;
  state[77] = 1;
  layout_.Append(77, 1);
  layout_.heads = heads;
  layout_.WriteSnapshot(source_);
  ExpectState(state);
}

// A record that lost its race is linked behind the one that won, wherever that stands: 5 <- 10 <- 20 by time.
TEST_F(Made, RecordsComeInTheOrderOfLinks) {
  FillLayout(&layout_, 0, 5);
  const LogAddress first = layout_.Append(77, 10);
  const LogAddress third = layout_.Append(77, 30);
  const LogAddress fourth = layout_.Append(77, 40);
  const LogAddress second = layout_.Append(77, 20);
  const uint64_t bits = uint64_t{2} << 48;
  layout_.SetHeader(third, second | bits);
  layout_.SetHeader(second, first | bits);
  layout_.SetHeader(fourth, third | bits);
  layout_.heads[TagOf(HashOfKey(77, KeyHashKind::kXxh3))] = fourth;
  layout_.WriteSnapshot(source_);
  ASSERT_EQ(Run(), Status::kOk) << why_.Text();
  EXPECT_EQ(StateOf(*target_, "").at(77), 40u);
  // In a circle.
  layout_.SetHeader(second, fourth | bits);
  layout_.WriteSnapshot(source_);
  ExpectRefused(Status::kCorruption, "circle");
  layout_.SetHeader(second, second | bits);
  layout_.WriteSnapshot(source_);
  ExpectRefused(Status::kCorruption, "the address of a previous record");
}

// Linked to what came after the checkpoint: with a checksum that fits it was written so.
TEST_F(Made, ARecordThatCameLaterIsLeftOut) {
  State state = FillLayout(&layout_, 0, 30);
  const LogAddress kept = layout_.Append(77, 1);
  const LogAddress later = layout_.Append(77, 2);
  layout_.Append(77, 3);
  layout_.SetHeader(later, (layout_.tail + 24) | uint64_t{2} << 48);
  layout_.heads[TagOf(HashOfKey(77, KeyHashKind::kXxh3))] = kept;
  state[77] = 1;
  layout_.WriteSnapshot(source_);
  ExpectState(state);
  EXPECT_EQ(result_.left_out, 2u);
  layout_.WriteFoldOver(source_, "device");
  ExpectRefused(Status::kCorruption, "a previous record below", OnDevice());
}

TEST_F(Made, InvalidRecordsAreLeftOutButTheirChainGoesOn) {
  State state = FillLayout(&layout_, 0, 30);
  layout_.Append(77, 1);
  layout_.Append(77, 2, kInvalidBit);
  const LogAddress above = layout_.Append(77, 3, kTombstoneBit);
  layout_.Put(kNoAddress | kInvalidBit, 99, 1);  // that never got anywhere
  layout_.WriteSnapshot(source_);
  ExpectState(state);
  EXPECT_EQ(result_.left_out, 2u);
  layout_.Set(above, layout_.Header(above), 77, 0);
  layout_.WriteFoldOver(source_, "device");
  ExpectRefused(Status::kCorruption, "a record that is valid, as one links to it", OnDevice());
}

TEST_F(Made, CopiesOfACompactionCountIfSomethingLeadsToThem) {
  FillLayout(&layout_, 0, 60);
  layout_.begin = Grid::StartOf(1);  // with the others in it, page 0 went
  State state;
  for (LogAddress at = layout_.begin; at < layout_.tail; at += kRecordBytes) {
    const LogRecord record =
        RecordAt(reinterpret_cast<const uint8_t*>(layout_.Page(1).data()) + Grid::OffsetOf(at));
    if (record.header.tombstone())
      state.erase(record.key);
    else
      state[record.key] = record.value;
  }
  const auto tag = [](uint64_t key) { return TagOf(HashOfKey(key, KeyHashKind::kXxh3)); };
  layout_.heads[tag(77)] = layout_.Put(0, 77, 1);  // by an entry
  layout_.heads[tag(88)] = layout_.Put(0, 88, 1);  // by a record
  layout_.Append(88, 2);
  layout_.Append(99, 5);
  layout_.Put(0, 99, 4);  // given up: the store had moved on
  state[77] = 1, state[88] = 2, state[99] = 5;
  layout_.WriteSnapshot(source_);
  ExpectState(state);
  EXPECT_EQ(result_.left_out, 1u);
  ASSERT_EQ(result_.warnings.size(), 1u);
  EXPECT_NE(result_.warnings[0].find("1 copies that a compaction gave up"), std::string::npos);
  // Without an index nobody knows.
  for (const char* name : {"index.meta", "index.meta.crc", "index.dat"})
    ASSERT_EQ(source_.Remove(layout_.Path(name)), Status::kOk);
  ExpectRefused(Status::kCorruption, "an index, to tell which of 2 copies");
}

// Key 0 twice, with value 0, before the first checkpoint: the second record is all zeros.
TEST_F(Made, ARecordOfZerosCountsIfSomethingLeadsToIt) {
  layout_.Put(kNoAddress, 0, 5);
  layout_.heads[TagOf(HashOfKey(0, KeyHashKind::kXxh3))] = layout_.Put(0, 0, 0);
  State state = FillLayout(&layout_, 1, 30);
  state[0] = 0;
  layout_.WriteSnapshot(source_);
  ExpectState(state);
  layout_.WriteFoldOver(source_, "device");
  ExpectState(state, OnDevice());
  layout_.heads.erase(TagOf(HashOfKey(0, KeyHashKind::kXxh3)));
  layout_.WriteFoldOver(source_, "device");
  ExpectRefused(Status::kCorruption, "device at offset 24: expected a record", OnDevice());
}

// As many holes as a sparse file likes, in the class of the record at address 0.
TEST_F(Made, ManyHolesAreDamageAtOnce) {
  FillLayout(&layout_, 0, 30);
  layout_.tail = Grid::AddressOf(2000, 0);
  layout_.WriteFoldOver(source_, "device");
  // 12 in page 0.
  ExpectRefused(Status::kCorruption, "device at offset " + std::to_string(Grid::AddressOf(1, 4)), OnDevice());
  layout_.tail = Grid::AddressOf(3, 0);
  layout_.WriteSnapshot(source_);
  EXPECT_EQ(Run(), Status::kOk) << why_.Text();
  EXPECT_EQ(result_.records, 30u);
}

TEST_F(Made, HolesOfCoveredPagesAreSkipped) {
  State state = FillLayout(&layout_, 0, 30);
  layout_.Put(0, 0, 0);
  layout_.Append(77, 1);
  state[77] = 1;
  layout_.WriteSnapshot(source_);
  ExpectState(state);
  layout_.sums = false;
  layout_.WriteSnapshot(source_);
  ASSERT_EQ(source_.Remove(layout_.Path("log.snapshot.crc")), Status::kOk);
  // Key 0 is of the class of the first record here, so it may be a record, and nothing says so.
  ExpectRefused(Status::kCorruption, "found zeros");
}

// Of another class than the record at address 0, so it cannot be a record.
TEST_F(Made, AHoleThatNothingLeadsToIsDamageOnTheDevice) {
  FillLayout(&layout_, 1, 30);
  layout_.Put(0, 0, 0);
  FillLayout(&layout_, 60, 70);
  layout_.WriteFoldOver(source_, "device");
  ExpectRefused(Status::kCorruption, "device at offset " + std::to_string(29 * kRecordBytes), OnDevice());
}

TEST_F(Made, BitsThatTheyDoNotSetAreDamageOnTheDevice) {
  FillLayout(&layout_, 0, 30);
  layout_.SetHeader(24, layout_.Header(24) | uint64_t{1} << 63);
  layout_.WriteFoldOver(source_, "device");
  ExpectRefused(Status::kCorruption, "device at offset 24: expected a header", OnDevice());
  layout_.SetHeader(24, layout_.Header(24) & ~(uint64_t{1} << 63));
  layout_.Append(77, 1, kTombstoneBit);
  layout_.WriteFoldOver(source_, "device");
  ExpectRefused(Status::kCorruption, "a tombstone of value 0", OnDevice());
}

TEST_F(Made, MissingSumsAreWarnedOf) {
  const State state = FillLayout(&layout_, 0, 100);
  layout_.sums = false;
  layout_.WriteSnapshot(source_);
  ExpectState(state);
  ASSERT_EQ(result_.warnings.size(), 3u);
  for (const std::string& warning : result_.warnings)
    EXPECT_NE(warning.find(".crc is missing"), std::string::npos) << warning;
}

TEST_F(Made, AnIndexThatIsNotWholeIsNotNeededWhereTheLogIsCovered) {
  const State state = FillLayout(&layout_, 0, 100);
  layout_.heads.begin()->second += 24;
  layout_.WriteSnapshot(source_);
  ExpectState(state);
  ASSERT_EQ(result_.warnings.size(), 1u);
  EXPECT_NE(result_.warnings[0].find("index.dat at offset 16: expected an entry"), std::string::npos);
  layout_.WriteFoldOver(source_, "device");
  ExpectRefused(Status::kCorruption, "index.dat at offset 16", OnDevice());
  ASSERT_EQ(source_.Remove(layout_.Path("index.dat")), Status::kOk);
  ExpectRefused(Status::kCorruption, "index.dat", OnDevice());
  layout_.WriteSnapshot(source_);
  ASSERT_EQ(source_.Remove(layout_.Path("index.dat")), Status::kOk);
  ExpectState(state);
  EXPECT_EQ(result_.warnings.size(), 1u);
  ASSERT_EQ(source_.Remove(layout_.Path("index.meta")), Status::kOk);
  ExpectState(state);
  ASSERT_EQ(result_.warnings.size(), 1u);
  EXPECT_NE(result_.warnings[0].find("without an index"), std::string::npos);
}

TEST_F(Made, EntriesThatSayNothing) {
  const State state = FillLayout(&layout_, 0, 100);
  layout_.more_entries = {kNoAddress | uint64_t{5} << 48, kTentative | 12345, kReadCache | 64,
                          8 | kReadCache};
  layout_.WriteFoldOver(source_, "device");
  ExpectState(state, OnDevice());
}

}  // namespace
}  // namespace faster::oxifaster
