// The metadata texts: round trip, documented field names, every damaged byte noticed before parsing, and
// every rule of a valid record.
#include "faster/cpr/metadata_json.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "tests/cpr/samples.h"

namespace faster {
namespace {

template <typename Metadata>
void ExpectRoundTrip(const Metadata& metadata) {
  Diagnosis why;
  ASSERT_EQ(ValidateMetadata(metadata, &why), Status::kOk) << why.Text();
  Metadata read;
  ASSERT_EQ(ParseMetadata(FormatMetadata(metadata), "f", &read, &why), Status::kOk) << why.Text();
  EXPECT_TRUE(Same(metadata, read));
}

TEST(MetadataJson, RoundTrips) {
  ExpectRoundTrip(SampleIndex());
  ExpectRoundTrip(SampleLog());
  LogMetadata snapshot = SampleLog();
  snapshot.use_snapshot_file = true;
  snapshot.flushed_until = 512;
  snapshot.sessions.clear();
  snapshot.dead_ranges.clear();
  ExpectRoundTrip(snapshot);
  LogMetadata large = SampleLog();
  large.final_address = kAddressLimit - large.block_bytes;
  large.flushed_until = large.head_address = kAddressLimit - 1;
  large.version = (1ull << 63) - 1;
  ExpectRoundTrip(large);
}

TEST(MetadataJson, HasTheDocumentedFields) {
  const auto log = nlohmann::json::parse(FormatMetadata(SampleLog()));
  EXPECT_EQ(log["format_version"], 1);
  EXPECT_EQ(log["token"], "01234567-89ab-cdef-0000-000000000007");
  EXPECT_EQ(log["use_snapshot_file"], false);
  EXPECT_EQ(log["version"], 3);
  EXPECT_EQ(log["next_version"], 4);
  EXPECT_EQ(log["num_threads"], 3);
  EXPECT_EQ(log["begin_address"], 64);
  EXPECT_EQ(log["start_logical_address"], 1000);
  EXPECT_EQ(log["final_address"], 2048);
  EXPECT_EQ(log["flushed_until_address"], 2048);
  EXPECT_EQ(log["head_address"], 512);
  EXPECT_EQ(log["use_object_log"], false);
  EXPECT_EQ(log["session_states"][0]["guid"], "00000000-0000-0001-0000-000000000005");
  EXPECT_EQ(log["session_states"][2]["serial_num"], ~0ull - 1);
  EXPECT_EQ(log["session_states"][2]["excluded_serials"][1], 900);
  EXPECT_FALSE(log["session_states"][0].contains("excluded_serials"));
  EXPECT_EQ(log["generations"][1]["generation"], MakeGeneration(2, 0xdef));
  const auto index = nlohmann::json::parse(FormatMetadata(SampleIndex()));
  EXPECT_EQ(index["num_ht_bytes"], 128);
  EXPECT_EQ(index["num_ofb_bytes"], 64);
  EXPECT_EQ(index["num_buckets"], 1);
  EXPECT_EQ(index["num_entries"], 5);
  EXPECT_EQ(index["log_begin_address"], 64);
  EXPECT_EQ(index["checkpoint_start_address"], 1024);
  EXPECT_EQ(index["data_checksum"], "fedcba9876543210");
}

TEST(MetadataJson, ChecksumIsOfTheBytesBeforeIt) {
  const std::string text = FormatMetadata(SampleIndex());
  const size_t at = text.find(",\n  \"checksum\": \"");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(text.substr(at), ",\n  \"checksum\": \"" + HexWord(Checksum(text.data(), at)) + "\"\n}\n");
}

// Calls `test` with every text that differs from `text` in one byte (each bit, and all bits), and with every
// shorter text and some longer ones.
void ForEveryDamage(const std::string& text, const std::function<void(const std::string&, size_t)>& test) {
  for (size_t i = 0; i < text.size(); ++i) {
    for (const int flip : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      std::string damaged = text;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      test(damaged, i);
    }
    for (const char blank : {' ', '\n', '\t'}) {  // white space for white space: the same JSON, other bytes
      std::string damaged = text;
      damaged[i] = blank;
      if (damaged != text) test(damaged, i);
    }
    test(text.substr(0, i), i);
  }
  for (const char* tail : {"\n", " ", "x", "}\n", "\0"}) test(text + std::string(tail, 1), text.size());
  test(text + text, text.size());
}

template <typename Metadata>
void ExpectDamageIsFound(const Metadata& metadata) {
  const std::string text = FormatMetadata(metadata);
  ForEveryDamage(text, [&](const std::string& damaged, size_t at) {
    Metadata read;
    Diagnosis why;
    ASSERT_EQ(ParseMetadata(damaged, "t/x.meta", &read, &why), Status::kCorruption) << "byte " << at;
    EXPECT_EQ(why.file, "t/x.meta");
    EXPECT_LE(why.offset, damaged.size());
    EXPECT_FALSE(why.expected.empty());
    EXPECT_TRUE(Same(read, Metadata())) << "used before it was verified, byte " << at;
  });
}

TEST(MetadataJson, EveryDamagedByteOfIndexMetaIsFound) { ExpectDamageIsFound(SampleIndex()); }
TEST(MetadataJson, EveryDamagedByteOfLogMetaIsFound) { ExpectDamageIsFound(SampleLog()); }

// The text with `from` replaced by `to` and a checksum that fits: what a buggy or hostile writer could leave.
std::string Forge(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  text.resize(text.rfind(",\n  \"checksum\""));
  return text + ",\n  \"checksum\": \"" + HexWord(Checksum(text.data(), text.size())) + "\"\n}\n";
}

void ExpectForged(const std::string& from, const std::string& to, const std::string& field) {
  LogMetadata read;
  Diagnosis why;
  EXPECT_EQ(ParseMetadata(Forge(FormatMetadata(SampleLog()), from, to), "f", &read, &why),
            Status::kCorruption)
      << from << " -> " << to;
  EXPECT_NE(why.expected.find(field), std::string::npos) << why.Text();
  EXPECT_TRUE(Same(read, LogMetadata()));
}

TEST(MetadataJson, ForgedFieldsAreNamed) {
  ExpectForged("\"version\": 3", "\"version\": -3", "version");
  ExpectForged("\"version\": 3", "\"version\": 3.5", "version");
  ExpectForged("\"version\": 3", "\"version\": 18446744073709551615", "version");
  ExpectForged("\"version\": 3", "\"version\": 99999999999999999999", "version");
  ExpectForged("\"version\": 3", "\"version\": \"3\"", "version");
  ExpectForged("\"version\": 3", "\"version\": null", "version");
  ExpectForged("\"version\": 3,", "", "version");
  ExpectForged("\"page_bits\": 12", "\"page_bits\": 4294967308", "page_bits");
  ExpectForged("\"use_snapshot_file\": false", "\"use_snapshot_file\": 0", "use_snapshot_file");
  ExpectForged("\"token\": \"0123", "\"token\": \"0x23", "token");
  ExpectForged("\"num_threads\": 3", "\"num_threads\": 4", "num_threads");
  ExpectForged("\"next_version\": 4", "\"next_version\": 9", "next_version");
  ExpectForged("\"serial_num\": 17", "\"serial_num\": 18446744073709551615", "session_states");
  ExpectForged("\"session_states\": [", "\"session_states\": [7,", "an object");
  ExpectForged("\"excluded_serials\": [", "\"excluded_serials\": [\"x\",", "whole numbers");
  ExpectForged("\"dead_ranges\": [", "\"dead_ranges\": {}, \"other\": [", "dead_ranges");
  ExpectForged("\"format_version\": 1,", "", "format_version");
  ExpectForged("{\n", "", "JSON text");
  ExpectForged("{\n", "[", "JSON text");
  ExpectForged("\"token\"", "token", "JSON text");
}

TEST(MetadataJson, PositionOfTheProblemIsNamed) {
  LogMetadata read;
  Diagnosis why;
  const std::string forged = Forge(FormatMetadata(SampleLog()), "\"page_bits\": 12", "\"page_bits\": 99");
  EXPECT_EQ(ParseMetadata(forged, "f", &read, &why), Status::kCorruption);
  EXPECT_EQ(why.offset, forged.find("\"page_bits\""));
  EXPECT_EQ(why.found, "99");
  const std::string broken = Forge(FormatMetadata(SampleLog()), "\"head_address\": ", "\"head_address\": ?");
  EXPECT_EQ(ParseMetadata(broken, "f", &read, &why), Status::kCorruption);
  EXPECT_EQ(why.offset, broken.find('?'));
}

TEST(MetadataJson, OtherFormatVersionIsUnsupported) {
  LogMetadata read;
  Diagnosis why;
  const std::string text = FormatMetadata(SampleLog());
  EXPECT_EQ(ParseMetadata(Forge(text, "\"format_version\": 1", "\"format_version\": 2"), "f", &read, &why),
            Status::kUnsupported);
  EXPECT_TRUE(Same(read, LogMetadata()));
}

template <typename Metadata>
void ExpectInvalid(const Metadata& good, const std::function<void(Metadata*)>& spoil,
                   const std::string& field) {
  Metadata bad = good;
  spoil(&bad);
  Diagnosis why;
  EXPECT_EQ(ValidateMetadata(bad, &why), Status::kInvalidArgument) << field;
  EXPECT_EQ(why.expected.substr(0, field.size()), field) << why.Text();
  Metadata read;
  EXPECT_EQ(ParseMetadata(FormatMetadata(bad), "f", &read, &why), Status::kCorruption) << field;
}

void ExpectBadLog(const std::string& field, const std::function<void(LogMetadata*)>& spoil) {
  ExpectInvalid<LogMetadata>(SampleLog(), spoil, field);
}

void ExpectBadIndex(const std::string& field, const std::function<void(IndexMetadata*)>& spoil) {
  ExpectInvalid<IndexMetadata>(SampleIndex(), spoil, field);
}

TEST(MetadataRules, LogGeometryAndAddresses) {
  ExpectBadLog("token", [](LogMetadata* m) { m->token = Token(); });
  ExpectBadLog("version_bits", [](LogMetadata* m) { m->version_bits = 0; });
  ExpectBadLog("version_bits", [](LogMetadata* m) { m->version_bits = 33; });
  ExpectBadLog("page_bits", [](LogMetadata* m) { m->page_bits = 8; });
  ExpectBadLog("page_bits", [](LogMetadata* m) { m->page_bits = 200; });
  ExpectBadLog("block_bytes", [](LogMetadata* m) { m->block_bytes = 513; });
  ExpectBadLog("block_bytes", [](LogMetadata* m) { m->block_bytes = 8192; });
  ExpectBadLog("segment_pages", [](LogMetadata* m) { m->segment_pages = 0; });
  ExpectBadLog("key_bytes", [](LogMetadata* m) { m->key_bytes = 0; });
  ExpectBadLog("value_bytes", [](LogMetadata* m) { m->value_bytes = 4097; });
  ExpectBadLog("key_bytes", [](LogMetadata* m) { m->variable_records = true; });
  ExpectBadLog("value_bytes", [](LogMetadata* m) { m->variable_records = true, m->key_bytes = 0; });
  ExpectBadLog("table_size", [](LogMetadata* m) { m->table_size = 0; });
  ExpectBadLog("table_size", [](LogMetadata* m) { m->table_size = 3; });
  ExpectBadLog("start_logical_address", [](LogMetadata* m) { m->begin_address = 1001; });
  ExpectBadLog("final_address", [](LogMetadata* m) { m->start_address = 2049; });
  ExpectBadLog("final_address", [](LogMetadata* m) { m->final_address = 2049; });
  ExpectBadLog("final_address", [](LogMetadata* m) { m->final_address = kAddressLimit; });
  ExpectBadLog("head_address", [](LogMetadata* m) { m->head_address = kAddressLimit; });
  ExpectBadLog("flushed_until_address", [](LogMetadata* m) { m->flushed_until = kAddressLimit; });
  ExpectBadLog("flushed_until_address", [](LogMetadata* m) {
    m->use_snapshot_file = true;
    m->flushed_until = 2560;
  });
}

TEST(MetadataRules, LogLists) {
  ExpectBadLog("session_states", [](LogMetadata* m) { m->sessions[1] = m->sessions[0]; });
  ExpectBadLog("session_states", [](LogMetadata* m) { std::swap(m->sessions[0], m->sessions[1]); });
  ExpectBadLog("session_states", [](LogMetadata* m) { m->sessions[0].session = Guid(); });
  ExpectBadLog("session_states", [](LogMetadata* m) { m->sessions[0].serial = ~0ull; });
  ExpectBadLog("excluded_serials", [](LogMetadata* m) { m->sessions[0].excluded = {18}; });
  ExpectBadLog("excluded_serials", [](LogMetadata* m) { m->sessions[0].excluded = {0}; });
  ExpectBadLog("excluded_serials", [](LogMetadata* m) { m->sessions[0].excluded = {5, 5}; });
  ExpectBadLog("excluded_serials", [](LogMetadata* m) { m->sessions[0].excluded = {5, 3}; });
  ExpectBadLog("dead_ranges", [](LogMetadata* m) { m->dead_ranges[0].to = 511; });
  ExpectBadLog("dead_ranges", [](LogMetadata* m) { m->dead_ranges[0].to = 2049; });
  ExpectBadLog("generations", [](LogMetadata* m) { m->generations.clear(); });
  ExpectBadLog("generations", [](LogMetadata* m) { m->generations[0].from = 65; });
  ExpectBadLog("generations", [](LogMetadata* m) { m->generations[1].from = 2049; });
  ExpectBadLog("generations", [](LogMetadata* m) { m->generations[1].generation = 0; });
  ExpectBadLog("generations", [](LogMetadata* m) { m->generations[1].generation = MakeGeneration(1, 0); });
  ExpectBadLog("generations", [](LogMetadata* m) { m->generations[0].until = 2049; });
  ExpectBadLog("generations", [](LogMetadata* m) { m->generations[1].until = 511; });
  ExpectBadLog("generations",
               [](LogMetadata* m) { std::swap(m->generations[0].from, m->generations[1].from); });
}

TEST(MetadataRules, Index) {
  ExpectBadIndex("token", [](IndexMetadata* m) { m->token = Token(); });
  ExpectBadIndex("table_size", [](IndexMetadata* m) { m->table_size = 6; });
  ExpectBadIndex("num_entries", [](IndexMetadata* m) { m->entries = 22; });
  ExpectBadIndex("checkpoint_start_address", [](IndexMetadata* m) { m->begin_address = 1025; });
  ExpectBadIndex("checkpoint_final_address", [](IndexMetadata* m) { m->checkpoint_start = 1101; });
  ExpectBadIndex("checkpoint_final_address", [](IndexMetadata* m) { m->checkpoint_final = kAddressLimit; });
  ExpectBadIndex("generation", [](IndexMetadata* m) { m->generation = 0; });
}

}  // namespace
}  // namespace faster
