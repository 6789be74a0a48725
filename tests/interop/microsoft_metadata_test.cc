// Metadata of Microsoft's FASTER: sizes and byte images, guids in both orders, round trips, the limit of 96
// sessions, and every way in which a record can be wrong.
#include "faster/interop/microsoft_metadata.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>

namespace faster::microsoft {
namespace {

const Guid kGuid{0x00112233'4455'6677ull, 0x8899aabbccddeeffull};

template <size_t kBytes>
std::string Text(const std::array<uint8_t, kBytes>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), kBytes};
}

IndexInfo SampleIndex() { return {3, 2048, 2048 * 64, 5 * 64, 9, 64, 0x1234}; }
LogInfo SampleLog() {
  LogInfo log;
  log.version = 3;
  log.threads = 2;
  log.final_address = 0x20000;
  log.guids[1] = kGuid;
  log.guids[95] = Guid{1, 2};
  return log;
}

Status Read(const std::string& bytes, IndexInfo* info, Diagnosis* why) {
  return Parse(bytes, "i/info.dat", info, why);
}
Status Read(const std::string& bytes, LogInfo* info, Diagnosis* why) {
  return Parse(bytes, "c/info.dat", GuidOrder::kRfc4122, info, why);
}
Status Read(const std::string& bytes, SessionInfo* info, Diagnosis* why) {
  return Parse(bytes, "s.dat", GuidOrder::kRfc4122, info, why);
}

TEST(MicrosoftFormat, SizesAreThoseOfTheOriginal) {
  EXPECT_EQ(Bytes(IndexInfo{}).size(), 56u);
  EXPECT_EQ(Bytes(LogInfo{}, GuidOrder::kRfc4122).size(), 2336u);
  EXPECT_EQ(kLogInfoBytes, 32 + 24 * kMaxSessions);
  EXPECT_EQ(Bytes(SessionInfo{}, GuidOrder::kRfc4122).size(), 32u);
  EXPECT_EQ(kMaxSessions, 96u);
}

TEST(MicrosoftFormat, ImageOfTheIndexRecord) {
  IndexInfo info{0x01020304,         0x1112131415161718, 0x2122232425262728, 0x3132333435363738,
                 0x4142434445464748, 0x5152535455565758, 0x6162636465666768};
  const char image[] =
      "\x04\x03\x02\x01\0\0\0\0\x18\x17\x16\x15\x14\x13\x12\x11\x28\x27\x26\x25\x24\x23\x22\x21"
      "\x38\x37\x36\x35\x34\x33\x32\x31\x48\x47\x46\x45\x44\x43\x42\x41\x58\x57\x56\x55\x54\x53\x52\x51"
      "\x68\x67\x66\x65\x64\x63\x62\x61";
  EXPECT_EQ(Text(Bytes(info)), std::string(image, 56));
}

TEST(MicrosoftFormat, ImageOfTheLogRecord) {
  LogInfo log = SampleLog();
  log.snapshot = true;
  log.flushed = 0x1112131415161718;
  log.serials[2] = 0x0102030405060708;
  const std::string bytes = Text(Bytes(log, GuidOrder::kRfc4122));
  const char head[] =
      "\x01\0\0\0\x03\0\0\0\x02\0\0\0\0\0\0\0\x18\x17\x16\x15\x14\x13\x12\x11\0\0\x02\0\0\0\0\0";
  EXPECT_EQ(bytes.substr(0, 32), std::string(head, 32));
  EXPECT_EQ(bytes.substr(32 + 16, 8), "\x08\x07\x06\x05\x04\x03\x02\x01");
  EXPECT_EQ(bytes.substr(800 + 16, 16),
            std::string("\0\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16));
  EXPECT_EQ(bytes.substr(800 + 95 * 16 + 7, 1), "\x01");
}

TEST(MicrosoftFormat, ImageOfASession) {
  const SessionInfo session{0x0102030405060708, 9, kGuid};
  EXPECT_EQ(
      Text(Bytes(session, GuidOrder::kRfc4122)),
      std::string("\x08\x07\x06\x05\x04\x03\x02\x01\x09\0\0\0\0\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb"
                  "\xcc\xdd\xee\xff\0\0\0\0",
                  32));
}

TEST(MicrosoftGuids, MixedEndianSwapsTheFirstThreeFields) {
  uint8_t bytes[16];
  PutGuid(kGuid, GuidOrder::kMixedEndian, bytes);
  const uint8_t expected[] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
                              0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
  EXPECT_EQ(std::memcmp(bytes, expected, 16), 0);
  EXPECT_EQ(GetGuid(expected, GuidOrder::kMixedEndian), kGuid);
}

TEST(MicrosoftGuids, BothOrdersReadWhatTheyWrote) {
  for (const GuidOrder order : {GuidOrder::kRfc4122, GuidOrder::kMixedEndian}) {
    for (const Guid& guid :
         {kGuid, Guid{}, Guid{~0ull, ~0ull}, Guid{0x8000000000000001, 0x0100000000000080}}) {
      uint8_t bytes[16];
      PutGuid(guid, order, bytes);
      EXPECT_EQ(GetGuid(bytes, order), guid);
    }
  }
  uint8_t bytes[16];
  PutGuid(kGuid, GuidOrder::kRfc4122, bytes);
  EXPECT_NE(GetGuid(bytes, GuidOrder::kMixedEndian), kGuid);
}

TEST(MicrosoftFormat, RecordsSurviveARoundTrip) {
  Diagnosis why;
  IndexInfo index;
  EXPECT_EQ(Read(Text(Bytes(SampleIndex())), &index, &why), Status::kOk) << why.Text();
  EXPECT_EQ(index, SampleIndex());
  for (const GuidOrder order : {GuidOrder::kRfc4122, GuidOrder::kMixedEndian}) {
    LogInfo log;
    EXPECT_EQ(Parse(Text(Bytes(SampleLog(), order)), "f", order, &log, &why), Status::kOk) << why.Text();
    EXPECT_EQ(log, SampleLog());
    SessionInfo session;
    const SessionInfo sample{~0ull - 1, 3, kGuid};
    EXPECT_EQ(Parse(Text(Bytes(sample, order)), "f", order, &session, &why), Status::kOk) << why.Text();
    EXPECT_EQ(session, sample);
  }
}

TEST(MicrosoftFormat, AllOf96SessionsFit) {
  LogInfo log = SampleLog();
  for (uint32_t i = 0; i < kMaxSessions; ++i) log.guids[i] = Guid{7, i + 1};
  log.threads = kMaxSessions;
  LogInfo read;
  Diagnosis why;
  EXPECT_EQ(Read(Text(Bytes(log, GuidOrder::kRfc4122)), &read, &why), Status::kOk) << why.Text();
  EXPECT_EQ(read.guids[95], (Guid{7, 96}));
}

TEST(MicrosoftFormat, PaddingIsIgnoredAndTheRestOfTheSectorIsNot) {
  std::string bytes = Text(Bytes(SampleIndex()));
  bytes.replace(4, 4, "junk");
  bytes.resize(512, '\0');
  IndexInfo index;
  Diagnosis why;
  EXPECT_EQ(Read(bytes, &index, &why), Status::kOk) << why.Text();
  bytes[100] = 1;
  EXPECT_EQ(Read(bytes, &index, &why), Status::kCorruption);
  EXPECT_EQ(why.offset, 100u);
  bytes = Text(Bytes(SampleLog(), GuidOrder::kRfc4122));
  bytes.replace(1, 3, "junk", 3);
  LogInfo log;
  EXPECT_EQ(Read(bytes, &log, &why), Status::kOk) << why.Text();
  bytes = Text(Bytes(SessionInfo{1, 1, kGuid}, GuidOrder::kRfc4122));
  bytes.replace(28, 4, "junk");
  SessionInfo session;
  EXPECT_EQ(Read(bytes, &session, &why), Status::kOk) << why.Text();
}

TEST(MicrosoftFormat, ShortFilesAreNamed) {
  Diagnosis why;
  IndexInfo index;
  LogInfo log;
  SessionInfo session;
  for (size_t bytes = 0; bytes < 56; ++bytes) {
    EXPECT_EQ(Read(Text(Bytes(SampleIndex())).substr(0, bytes), &index, &why), Status::kCorruption);
    EXPECT_EQ(why.file, "i/info.dat");
  }
  for (const size_t bytes : {0, 1, 31, 2335})
    EXPECT_EQ(Read(Text(Bytes(SampleLog(), GuidOrder::kRfc4122)).substr(0, bytes), &log, &why),
              Status::kCorruption);
  EXPECT_EQ(Read(Text(Bytes(SampleLog(), GuidOrder::kRfc4122)) + "x", &log, &why), Status::kCorruption);
  for (const size_t bytes : {0, 31})
    EXPECT_EQ(Read(std::string(bytes, '\1'), &session, &why), Status::kCorruption);
}

template <class Info>
void Refused(Info sample, const std::function<std::string(const Info&)>& bytes,
             const std::vector<std::pair<uint64_t, std::function<void(Info&)>>>& wrong) {
  for (const auto& [offset, change] : wrong) {
    Info info = sample;
    change(info);
    Info read = sample;
    Diagnosis why;
    EXPECT_EQ(Read(bytes(info), &read, &why), Status::kCorruption) << "offset " << offset;
    EXPECT_EQ(why.offset, offset) << why.Text();
    EXPECT_EQ(read, sample);  // untouched
  }
}

TEST(MicrosoftFormat, WrongIndexRecordsAreRefused) {
  Refused<IndexInfo>(SampleIndex(), [](const IndexInfo& i) { return Text(Bytes(i)); },
                     {{0, [](auto& i) { i.version = 0; }},
                      {0, [](auto& i) { i.version = ~0u; }},
                      {8, [](auto& i) { i.table_size = 2049; }},
                      {8, [](auto& i) { i.table_size = 0; }},
                      {8, [](auto& i) { i.table_size = uint64_t{1} << 31; }},
                      {16, [](auto& i) { i.table_bytes -= 64; }},
                      {24, [](auto& i) { i.overflow_bytes = 0; }},
                      {24, [](auto& i) { i.overflow_bytes = 65; }},
                      {32, [](auto& i) { i.overflow_count = 4; }},
                      {32, [](auto& i) { i.overflow_count = uint64_t{1} << 48; }},
                      {40, [](auto& i) { i.begin = 1; }},
                      {40, [](auto& i) { i.begin = uint64_t{1} << 48; }},
                      {48, [](auto& i) { i.start = 63; }},
                      {48, [](auto& i) { i.start = uint64_t{1} << 60; }}});
}

TEST(MicrosoftFormat, WrongLogRecordsAreRefused) {
  Refused<LogInfo>(SampleLog(), [](const LogInfo& i) { return Text(Bytes(i, GuidOrder::kRfc4122)); },
                   {{4, [](auto& i) { i.version = 0; }},
                    {4, [](auto& i) { i.version = ~0u; }},
                    {8, [](auto& i) { i.threads = 3; }},
                    {8, [](auto& i) { i.threads = 97; }},
                    {8, [](auto& i) { i.guids[1] = {}; }},
                    {16, [](auto& i) { i.flushed = uint64_t{1} << 48; }},
                    {16, [](auto& i) { i.snapshot = true; }},
                    {16, [](auto& i) { i.snapshot = true, i.flushed = 0x20001; }},
                    {24, [](auto& i) { i.final_address = 63; }},
                    {24, [](auto& i) { i.final_address = (uint64_t{1} << 48) - 1; }},
                    {800 + 95 * 16, [](auto& i) { i.guids[95] = kGuid; }}});
  std::string bytes = Text(Bytes(SampleLog(), GuidOrder::kRfc4122));
  bytes[0] = 2;
  LogInfo log;
  Diagnosis why;
  EXPECT_EQ(Read(bytes, &log, &why), Status::kCorruption);
}

TEST(MicrosoftFormat, WrongSessionsAreRefused) {
  Refused<SessionInfo>(
      {5, 1, kGuid}, [](const SessionInfo& i) { return Text(Bytes(i, GuidOrder::kRfc4122)); },
      {{0, [](auto& i) { i.serial = ~0ull; }}, {8, [](auto& i) { i.version = 0; }}, {12, [](auto& i) {
                                                                                       i.guid = {};
                                                                                     }}});
}

TEST(MicrosoftFormat, HalvesOfTwoCheckpointsAreRefused) {
  Diagnosis why;
  EXPECT_EQ(CheckPair(SampleIndex(), SampleLog(), "i", &why), Status::kOk);
  LogInfo log = SampleLog();
  log.version = 4;
  EXPECT_EQ(CheckPair(SampleIndex(), log, "i", &why), Status::kCorruption);
  log = SampleLog();
  log.final_address = 0x1233;
  EXPECT_EQ(CheckPair(SampleIndex(), log, "i", &why), Status::kCorruption);
  EXPECT_EQ(why.file, "i");
}

}  // namespace
}  // namespace faster::microsoft
